//! A panic in a handler ends the call that it happened in, as INTERNAL, and nothing else: the server goes on.
//!
//! What is in memory is changed by the store's own threads alone, whose panics end the process, so a handler leaves nothing half
//! done. What it was about is not told to callers; where it happened is in the log.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt as _;
use hyper::body::{Frame, SizeHint};
use tracing::error;

use super::{protocol, status};

/// Answers for a handler that panicked: a gRPC call with a status, anything else with a page.
pub(super) async fn contain(request: Request, next: Next) -> Response {
    let is_grpc = protocol::is_grpc(request.headers());
    let path = request.uri().path().to_owned();
    let Ok(response) = AssertUnwindSafe(next.run(request)).catch_unwind().await else {
        error!(path, "the handler of a call panicked");
        return if is_grpc { status::panicked().into_http() } else { status::panicked_page() };
    };
    response
}

/// The same of gRPC alone, and of messages that are made when the answer has begun: a stream ends with a status.
pub(super) async fn contain_messages(request: Request, next: Next) -> Response {
    contain(request, next).await.map(|body| Body::new(Contained { body: Some(body) }))
}

/// The body of an answer, ended with a status where making more of it panics.
struct Contained {
    /// None behind a panic.
    body: Option<Body>,
}

impl HttpBody for Contained {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        if let Ok(polled) = catch_unwind(AssertUnwindSafe(|| Pin::new(body).poll_frame(context))) {
            return polled;
        }
        error!("making a message of an answer panicked");
        self.body = None;
        Poll::Ready(Some(Ok(protocol::last_frame(&status::panicked()))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::to_bytes;
    use axum::middleware::from_fn;
    use axum::routing::{get, post};
    use futures_util::stream;
    use http::{StatusCode, Version, header};
    use tonic::{Code, Status};
    use tonic_types::StatusExt as _;
    use tonic_web::GrpcWebLayer;
    use tower::ServiceExt as _;

    use super::*;

    /// A canary of what a caller sent.
    const SENT: &str = "jane.roe@example.com";

    async fn breaks() -> &'static str {
        panic!("{SENT} is not what was expected")
    }

    /// One message, and a panic in the place of the next.
    async fn breaks_off() -> Body {
        let frames = (0..2).map(|number| match number {
            0 => Ok::<_, axum::Error>(Bytes::from_static(b"\0\0\0\0\0")),
            _ => panic!("{SENT} is the next"),
        });
        Body::from_stream(stream::iter(frames))
    }

    fn router() -> Router {
        let grpc = Router::new()
            .route("/method", post(breaks))
            .route("/stream", post(breaks_off))
            .layer(from_fn(contain_messages))
            .layer(GrpcWebLayer::new());
        let pages = Router::new().route("/page", get(breaks)).route("/well", get(|| async { "well" }));
        grpc.merge(pages).layer(from_fn(contain))
    }

    async fn ask(router: &Router, path: &str, content_type: &str) -> Response {
        let method = if content_type.is_empty() { "GET" } else { "POST" };
        let request = Request::builder().version(Version::HTTP_2).method(method).uri(path);
        let request = request.header(header::CONTENT_TYPE, content_type).body(Body::empty()).unwrap();
        router.clone().oneshot(request).await.unwrap()
    }

    #[track_caller]
    fn check(status: &Status) {
        assert_eq!(status.code(), Code::Internal);
        assert_eq!(status.get_error_details().error_info().unwrap().reason, "INTERNAL");
        assert!(!format!("{status:?}").contains(SENT), "{status:?}");
    }

    #[tokio::test]
    async fn a_panic_ends_its_own_call_alone_and_tells_nothing() {
        let router = router();
        let page = ask(&router, "/page", "").await;
        assert_eq!(page.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = to_bytes(page.into_body(), usize::MAX).await.unwrap();
        let told = String::from_utf8(body.to_vec()).unwrap();
        assert!(told.contains("\"INTERNAL\"") && !told.contains(SENT), "{told}");
        let method = ask(&router, "/method", "application/grpc").await;
        assert_eq!(method.status(), StatusCode::OK, "the status of a gRPC call is not that of HTTP");
        check(&Status::from_header_map(method.headers()).unwrap());
        let well = ask(&router, "/well", "").await;
        assert_eq!(to_bytes(well.into_body(), usize::MAX).await.unwrap(), "well");
    }

    #[tokio::test]
    async fn a_stream_that_has_begun_ends_with_a_status() {
        let router = router();
        let mut body = ask(&router, "/stream", "application/grpc").await.into_body();
        let mut frames = Vec::new();
        while let Some(frame) = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
            frames.push(frame.unwrap());
        }
        assert_eq!(frames.len(), 2, "what was there before the panic, and the status");
        check(&Status::from_header_map(frames[1].trailers_ref().unwrap()).unwrap());
        // Browsers read trailers as the last bytes of the body.
        let web = ask(&router, "/stream", "application/grpc-web+proto").await;
        let bytes = to_bytes(web.into_body(), usize::MAX).await.unwrap();
        let told = String::from_utf8_lossy(&bytes).into_owned();
        assert!(told.contains("grpc-status:13") && !told.contains(SENT), "{told}");
    }
}
