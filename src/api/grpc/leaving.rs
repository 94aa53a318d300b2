//! Ends answers that go on, as those of watches do, when their connection has to go: with a status that says to ask again, and
//! not by a cut in the midst of a message.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use futures_util::future::BoxFuture;
use hyper::body::{Frame, SizeHint};

use crate::api::traffic::occupancy::Occupancy;
use crate::api::{protocol, status};

/// Answers as whatever stands behind it does, for as long as the connection may stay.
pub(super) async fn end_with_connection(request: Request, next: Next) -> Response {
    let occupancy = request.extensions().get::<Arc<Occupancy>>().cloned();
    let response = next.run(request).await;
    match occupancy {
        Some(occupancy) => response.map(|body| Body::new(Bound { body: Some(body), occupancy, end: None })),
        // It came by no connection of ours.
        None => response,
    }
}

/// The body of an answer that ends with its connection.
struct Bound {
    /// None behind the end.
    body: Option<Body>,
    occupancy: Arc<Occupancy>,
    /// Made when the answer has to be waited for: most are there at once.
    end: Option<BoxFuture<'static, ()>>,
}

impl HttpBody for Bound {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(context) {
            return Poll::Ready(frame);
        }
        let end = this.end.get_or_insert_with(|| this.occupancy.answers_end());
        ready!(end.as_mut().poll(context));
        this.body = None;
        Poll::Ready(Some(Ok(protocol::last_frame(&status::connection_over()))))
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
    use axum::routing::post;
    use futures_util::{StreamExt as _, stream};
    use http::header;
    use tonic_types::StatusExt as _;
    use tonic_web::GrpcWebLayer;
    use tower::ServiceExt as _;

    use super::*;

    /// A message.
    const MESSAGE: &[u8] = b"\0\0\0\0\0";

    /// One message, and then none for ever.
    async fn watches() -> Body {
        let first = stream::iter([Ok::<_, axum::Error>(Bytes::from_static(MESSAGE))]);
        Body::from_stream(first.chain(stream::pending()))
    }

    fn router() -> Router {
        let whole = || async { Bytes::from_static(MESSAGE) };
        let routes = Router::new().route("/watch", post(watches)).route("/whole", post(whole));
        routes.layer(from_fn(end_with_connection)).layer(GrpcWebLayer::new())
    }

    async fn ask(path: &str, content_type: &str, occupancy: &Arc<Occupancy>) -> Body {
        let request = Request::builder().method("POST").uri(path).version(http::Version::HTTP_2);
        let request = request.header(header::CONTENT_TYPE, content_type).extension(Arc::clone(occupancy));
        router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap().into_body()
    }

    async fn frame(body: &mut Body) -> Frame<Bytes> {
        std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn an_answer_that_goes_on_ends_with_a_status() {
        let occupancy = Occupancy::new();
        let mut watch = ask("/watch", "application/grpc", &occupancy).await;
        assert_eq!(frame(&mut watch).await.into_data().unwrap(), MESSAGE);
        let ends = async {
            tokio::task::yield_now().await;
            occupancy.end_answers();
        };
        let (last, ()) = tokio::join!(frame(&mut watch), ends);
        let status = tonic::Status::from_header_map(&last.into_trailers().unwrap()).unwrap();
        assert_eq!(status.code(), tonic::Code::Unavailable);
        let details = status.get_error_details();
        assert_eq!(details.error_info().unwrap().reason, "NOT_READY");
        assert!(details.retry_info().is_some(), "{details:?}");
        // In the form of gRPC-Web too, as bytes behind the message; it begins when the connection is over already.
        let watch = ask("/watch", "application/grpc-web+proto", &occupancy).await;
        let bytes = to_bytes(watch, usize::MAX).await.unwrap();
        let told = String::from_utf8_lossy(&bytes[MESSAGE.len()..]).into_owned();
        assert!(bytes.starts_with(MESSAGE) && told.contains("grpc-status:14"), "{told}");
    }

    #[tokio::test]
    async fn an_answer_that_is_there_is_given_whole() {
        let occupancy = Occupancy::new();
        occupancy.end_answers();
        let whole = ask("/whole", "application/grpc", &occupancy).await;
        assert_eq!(to_bytes(whole, usize::MAX).await.unwrap(), MESSAGE);
    }
}
