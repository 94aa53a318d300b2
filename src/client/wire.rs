//! Bodies of calls that are read whole, so that a request can be sent again and an answer is known to be complete.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::{Response, StatusCode};
use hyper::body::{Body as _, Frame};
use tonic::body::Body;
use tonic::{Code, Status};

/// Longest answer that is read, in bytes: more than any page holds.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A body of these bytes.
pub(super) fn body_of(bytes: Bytes) -> Body {
    Body::new(Whole(VecDeque::from([Frame::data(bytes)])))
}

/// All bytes of a body that this program makes itself.
pub(super) async fn read(mut body: Body) -> Result<Bytes, Status> {
    let mut whole = BytesMut::new();
    while let Some(frame) = next(&mut body).await {
        if let Ok(data) = frame?.into_data() {
            whole.extend_from_slice(&data);
        }
    }
    Ok(whole.freeze())
}

/// An answer of one message, once all of it is there; what it failed with where it did.
pub(super) async fn settle(response: Response<Body>) -> Result<Response<Body>, Status> {
    let (head, mut body) = response.into_parts();
    let mut told = Status::from_header_map(&head.headers);
    let (mut frames, mut bytes) = (VecDeque::new(), 0);
    while told.as_ref().is_none_or(|status| status.code() == Code::Ok) {
        let Some(frame) = next(&mut body).await else { break };
        let frame = frame?;
        bytes += frame.data_ref().map_or(0, Bytes::len);
        if bytes > ANSWER_BYTES_MAX {
            return Err(Status::out_of_range(format!("the answer is longer than {ANSWER_BYTES_MAX} bytes")));
        }
        if let Some(trailers) = frame.trailers_ref() {
            told = Status::from_header_map(trailers).or(told);
        }
        frames.push_back(frame);
    }
    match told {
        Some(status) if status.code() == Code::Ok => Ok(Response::from_parts(head, Body::new(Whole(frames)))),
        Some(status) => Err(status),
        None => Err(unanswered(head.status)),
    }
}

/// An answer of many messages, unless it is refused at once.
pub(super) fn opened(response: Response<Body>) -> Result<Response<Body>, Status> {
    match Status::from_header_map(response.headers()) {
        Some(status) if status.code() != Code::Ok => Err(status),
        _ => Ok(response),
    }
}

/// What an answer without a status of gRPC means, as gRPC maps those of HTTP.
fn unanswered(status: StatusCode) -> Status {
    let code = match status.as_u16() {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502 | 503 | 504 => Code::Unavailable,
        _ => Code::Unknown,
    };
    Status::new(code, format!("an answer of HTTP {status} without a status of gRPC"))
}

async fn next(body: &mut Body) -> Option<Result<Frame<Bytes>, Status>> {
    poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await
}

/// A body that is there.
struct Whole(VecDeque<Frame<Bytes>>);

impl hyper::body::Body for Whole {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn answer(head: &[(&'static str, &'static str)], frames: Vec<Frame<Bytes>>) -> Response<Body> {
        let mut response = Response::new(Body::new(Whole(frames.into())));
        response.headers_mut().extend(pairs(head));
        response
    }

    fn pairs(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn data(bytes: &'static [u8]) -> Frame<Bytes> {
        Frame::data(Bytes::from_static(bytes))
    }

    #[tokio::test]
    async fn what_is_read_is_what_was_sent() {
        let body = Body::new(Whole(VecDeque::from([data(b"one "), data(b"two")])));
        assert_eq!(read(body).await.unwrap(), "one two");
        assert_eq!(read(body_of(Bytes::from_static(b"three"))).await.unwrap(), "three");
        assert_eq!(read(Body::empty()).await.unwrap(), "");
    }

    #[tokio::test]
    async fn an_answer_is_good_when_its_end_says_so() {
        let good = Frame::trailers(pairs(&[("grpc-status", "0")]));
        let settled = settle(answer(&[], vec![data(b"message"), good])).await.unwrap();
        assert_eq!(read(settled.into_body()).await.unwrap(), "message");
    }

    #[tokio::test]
    async fn an_answer_that_fails_or_is_cut_is_an_error() {
        let failed = Frame::trailers(pairs(&[("grpc-status", "5"), ("grpc-message", "gone")]));
        let status = settle(answer(&[], vec![data(b"message"), failed])).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::NotFound, "gone"));
        let status = settle(answer(&[("grpc-status", "14")], vec![])).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        assert_eq!(opened(answer(&[("grpc-status", "14")], vec![])).unwrap_err().code(), Code::Unavailable);
        let status = settle(answer(&[], vec![data(b"half of it")])).await.unwrap_err();
        assert_eq!(status.code(), Code::Unknown);
        let mut proxied = answer(&[], vec![data(b"<html>")]);
        *proxied.status_mut() = StatusCode::BAD_GATEWAY;
        assert_eq!(settle(proxied).await.unwrap_err().code(), Code::Unavailable);
    }
}
