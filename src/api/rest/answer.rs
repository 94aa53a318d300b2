//! A call's answer as JSON: one object, or of a stream one a line, each as it comes.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::{Buf as _, BytesMut};
use futures_util::{StreamExt as _, stream};
use prost_reflect::{DynamicMessage, MessageDescriptor, MethodDescriptor};
use serde_json::{Value, json};
use tonic::{Code, Status};

use crate::api::json::of_dynamic;
use crate::api::status::json::{answer, broken, headers, object, page};

/// Media type of a line of JSON for each message.
const LINES: HeaderValue = HeaderValue::from_static("application/x-ndjson");
/// Bytes before each message: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;

/// The answer of a call of the method, from what gRPC answers.
pub(super) async fn of(method: &MethodDescriptor, response: Response) -> Response {
    let (parts, body) = response.into_parts();
    if parts.status != StatusCode::OK {
        // No method took it, so it is no answer of one.
        return page(&broken());
    }
    if let Some(status) = Status::from_header_map(&parts.headers).filter(|status| status.code() != Code::Ok) {
        return page(&status);
    }
    let mut messages = Messages { body, read: BytesMut::new(), kind: method.output() };
    if method.is_server_streaming() {
        return (headers(LINES), lines(messages)).into_response();
    }
    match messages.next().await {
        Part::Message(message) => match messages.next().await {
            Part::End(status) if status.code() == Code::Ok => answer(StatusCode::OK, &message),
            Part::End(status) => page(&status),
            Part::Message(_) => page(&broken()),
        },
        Part::End(status) if status.code() == Code::Ok => page(&broken()),
        Part::End(status) => page(&status),
    }
}

/// A line for each message, and one for the end where it is an error.
fn lines(messages: Messages) -> Body {
    let lines = stream::unfold(Some(messages), |messages| async move {
        let mut messages = messages?;
        match messages.next().await {
            Part::Message(message) => Some((line(&json!({ "result": message })), Some(messages))),
            Part::End(status) if status.code() == Code::Ok => None,
            Part::End(status) => Some((line(&json!({ "error": object(&status) })), None)),
        }
    });
    Body::from_stream(lines.map(Ok::<_, Infallible>))
}

fn line(value: &Value) -> Bytes {
    Bytes::from(format!("{value}\n"))
}

/// The messages of an answer of gRPC.
struct Messages {
    body: Body,
    /// What was read and is no message yet.
    read: BytesMut,
    kind: MessageDescriptor,
}

/// What comes next of an answer.
enum Part {
    /// A message, as JSON.
    Message(Value),
    /// The end, and how the call ended.
    End(Status),
}

impl Messages {
    async fn next(&mut self) -> Part {
        loop {
            if let Some(message) = self.take() {
                return match DynamicMessage::decode(self.kind.clone(), message) {
                    Ok(message) => Part::Message(of_dynamic(&message)),
                    Err(_) => Part::End(broken()),
                };
            }
            let frame = poll_fn(|context| Pin::new(&mut self.body).poll_frame(context)).await;
            let Some(Ok(frame)) = frame else { return Part::End(broken()) };
            match frame.into_data() {
                Ok(data) => self.read.extend_from_slice(&data),
                Err(frame) => {
                    let status = frame.trailers_ref().and_then(Status::from_header_map);
                    return Part::End(status.unwrap_or_else(broken));
                }
            }
        }
    }

    /// The next message, where all of it is there. None of ours is compressed: nobody was told that it may be.
    fn take(&mut self) -> Option<BytesMut> {
        let [_, length @ ..] = *self.read.first_chunk::<PREFIX_BYTES>()?;
        let length = usize::try_from(u32::from_be_bytes(length)).ok()?;
        if self.read.len() - PREFIX_BYTES < length {
            return None;
        }
        self.read.advance(PREFIX_BYTES);
        Some(self.read.split_to(length))
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use hyper::body::Frame;

    use super::super::tests::{Frames, ended, framed};
    use super::*;
    use crate::api::json::pool;
    use crate::api::proto::waymark::v1 as pb;

    fn method(service: &str, name: &str) -> MethodDescriptor {
        let service = pool().unwrap().get_service_by_name(&format!("waymark.v1.{service}")).unwrap();
        service.methods().find(|method| method.name() == name).unwrap()
    }

    /// Status and body of the answer to these bytes, in pieces of this size, and this end.
    async fn answered(method: &MethodDescriptor, bytes: &[u8], piece: usize, end: &Status) -> (u16, String) {
        let pieces = bytes.chunks(piece).map(|piece| Frame::data(Bytes::copy_from_slice(piece)));
        let frames = pieces.chain([ended(end)]).collect();
        let response = of(method, Response::new(Body::new(Frames(frames)))).await;
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn one_message_is_one_object() {
        let get = method("SiteService", "GetSite");
        let site = framed(&pb::Site { name: "accounts/a/sites/s".into(), revision: 7, ..pb::Site::default() });
        for piece in [1, 4, 5, 6, 1_000] {
            let (status, body) = answered(&get, &site, piece, &Status::new(Code::Ok, "")).await;
            assert_eq!((status, body.as_str()), (200, r#"{"name":"accounts/a/sites/s","revision":"7"}"#));
        }
        let nothing = method("PrefixService", "DeletePrefix");
        let (status, body) = answered(&nothing, &framed(&()), 10, &Status::new(Code::Ok, "")).await;
        assert_eq!((status, body.as_str()), (200, "{}"));
        let (status, body) = answered(&get, &[], 1, &Status::not_found("gone")).await;
        assert!(status == 404 && body.contains("\"gone\""), "{body}");
        let (status, _) = answered(&get, &site[..8], 100, &Status::new(Code::Ok, "")).await;
        assert_eq!(status, 500, "half a message");
    }

    #[tokio::test]
    async fn a_stream_is_lines_and_its_end_one_of_them_where_it_failed() {
        let watch = method("SiteService", "WatchSites");
        let of = |revision| framed(&pb::WatchSitesResponse { revision, ..pb::WatchSitesResponse::default() });
        let both = [of(1), of(2)].concat();
        for piece in [3, 1_000] {
            let (status, body) = answered(&watch, &both, piece, &Status::new(Code::Ok, "")).await;
            assert_eq!(
                (status, body.as_str()),
                (200, "{\"result\":{\"revision\":\"1\"}}\n{\"result\":{\"revision\":\"2\"}}\n")
            );
        }
        let (status, body) = answered(&watch, &of(1), 100, &Status::unavailable("ends")).await;
        let last: Value = serde_json::from_str(body.lines().last().unwrap()).unwrap();
        assert_eq!((status, &last["error"]["status"], body.lines().count()), (200, &json!("UNAVAILABLE"), 2));
    }

    #[tokio::test]
    async fn a_refusal_before_the_first_message_is_an_answer_of_its_own() {
        let watch = method("SiteService", "WatchSites");
        let refused = Status::permission_denied("no").into_http::<Body>();
        let response = of(&watch, refused).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
    }
}
