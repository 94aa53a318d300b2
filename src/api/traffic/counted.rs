//! Calls and requests under way: a gRPC call has ended when its trailers went out, and was cancelled where they did not.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use hyper::body::{Frame, SizeHint};
use tonic::{Code, Status};
use tracing::Span;

use super::Traffic;
use super::calls::{Route, end_of_code, end_of_status};
use crate::telemetry::spans;

/// A gRPC call under way, counted as ended when it ends, or when this is dropped.
#[derive(Debug)]
pub(in crate::api) struct Call {
    traffic: Arc<Traffic>,
    method: usize,
    /// The call's span, which ends with it; disabled where it is not traced.
    span: Span,
    has_ended: bool,
}

impl Call {
    /// Counts a call that begins.
    pub(in crate::api) fn begin(traffic: &Arc<Traffic>, method: usize, span: Span) -> Self {
        traffic.calls.of_method(method).begin();
        Self { traffic: Arc::clone(traffic), method, span, has_ended: false }
    }

    /// Counts its end.
    pub(in crate::api) fn end(mut self, code: Code) {
        self.count(code);
    }

    /// The rest of an answer, with whose trailers the call ends.
    pub(in crate::api) fn with(self, body: Body) -> Body {
        Body::new(Counted { body, call: self })
    }

    fn count(&mut self, code: Code) {
        if !std::mem::replace(&mut self.has_ended, true) {
            self.traffic.calls.of_method(self.method).end(end_of_code(code));
            spans::ended_rpc(&self.span, code.into());
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // The client left, or the handler panicked.
        self.count(if std::thread::panicking() { Code::Internal } else { Code::Cancelled });
    }
}

/// A request over plain HTTP under way, counted as left by its client where this is dropped before it ends.
#[derive(Debug)]
pub(in crate::api) struct Asked {
    traffic: Arc<Traffic>,
    route: Route,
    has_ended: bool,
}

impl Asked {
    /// Counts a request that begins.
    pub(in crate::api) fn begin(traffic: &Arc<Traffic>, route: Route) -> Self {
        traffic.calls.of_route(route).begin();
        Self { traffic: Arc::clone(traffic), route, has_ended: false }
    }

    /// Counts its answer, which began so long after it.
    pub(in crate::api) fn end(mut self, status: StatusCode, after: Duration) {
        self.has_ended = true;
        let counts = self.traffic.calls.of_route(self.route);
        counts.answer_began(after);
        counts.end(end_of_status(Some(status)));
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if !self.has_ended {
            let status = std::thread::panicking().then_some(StatusCode::INTERNAL_SERVER_ERROR);
            self.traffic.calls.of_route(self.route).end(end_of_status(status));
        }
    }
}

struct Counted {
    body: Body,
    call: Call,
}

impl hyper::body::Body for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(trailers) = frame.trailers_ref() {
                    self.call.count(code_of(trailers).unwrap_or(Code::Unknown));
                }
            }
            Poll::Ready(Some(Err(_)) | None) => self.call.count(Code::Unknown),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The code that headers or trailers tell.
pub(in crate::api) fn code_of(headers: &HeaderMap) -> Option<Code> {
    headers.get(Status::GRPC_STATUS).map(|value| Code::from_bytes(value.as_bytes()))
}
