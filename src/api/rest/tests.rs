//! Requests over HTTP/JSON as gRPC gets them, and what there is where no method takes them.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::body::to_bytes;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::post;
use http::StatusCode;
use hyper::body::Frame;
use prost::Message as _;
use serde_json::{Value, json};
use tonic::Code;

use super::*;
use crate::api::proto::waymark::v1 as pb;
use crate::api::traffic::config::Config;

/// A body of these frames.
pub(super) struct Frames(pub(super) VecDeque<Frame<Bytes>>);

impl hyper::body::Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(Ok))
    }
}

/// A message as gRPC sends it.
pub(super) fn framed(message: &impl prost::Message) -> Vec<u8> {
    let bytes = message.encode_to_vec();
    [&[0_u8][..], &u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], &bytes[..]].concat()
}

/// The end of a call.
pub(super) fn ended(status: &Status) -> Frame<Bytes> {
    let mut trailers = HeaderMap::new();
    status.add_header(&mut trailers).unwrap();
    Frame::trailers(trailers)
}

/// Answers with the site that is asked for, and says in its note how the call came.
async fn get_site(request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(bytes) = to_bytes(body, usize::MAX).await else { return Status::internal("no message").into_http() };
    let asked = pb::GetSiteRequest::decode(&bytes[5..]).unwrap();
    let names = ["authorization", "content-type", "content-length", "accept-encoding"];
    let headers = names.map(|name| parts.headers.get(name).map_or("-", |value| value.to_str().unwrap()).to_owned());
    let note = format!("{:?} {} {}", parts.version, parts.method, headers.join(" "));
    let site = framed(&pb::Site { name: asked.name, note, ..pb::Site::default() });
    let frames = [Frame::data(site.into()), ended(&Status::new(Code::Ok, ""))];
    Response::new(Body::new(Frames(frames.into())))
}

/// Reads the message, and ends as it does.
async fn create_site(request: Request) -> Response {
    let end = match to_bytes(request.into_body(), usize::MAX).await {
        Ok(_) => Status::already_exists("it came through"),
        Err(fault) => Status::from_error(fault.into()),
    };
    end.into_http()
}

/// Lets nobody in, and reads nothing.
async fn list_sites() -> Response {
    Status::unauthenticated("who is it").into_http()
}

fn router() -> Router {
    let grpc = Router::new()
        .route("/waymark.v1.SiteService/GetSite", post(get_site))
        .route("/waymark.v1.SiteService/CreateSite", post(create_site))
        .route("/waymark.v1.SiteService/BatchGetSites", post(list_sites));
    let traffic = Arc::new(Traffic::new(&Config::default()));
    let pages = Router::new().fallback(|| async { "a page" }).layer(from_fn(refuse_unserved));
    pages.layer(from_fn_with_state(Gateway { grpc, traffic }, transcode))
}

/// Status, and body, of an answer.
async fn ask(request: http::request::Builder, body: impl Into<Body>) -> (StatusCode, Value) {
    let response = router().oneshot(request.body(body.into()).unwrap()).await.unwrap();
    let status = response.status();
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes))))
}

fn request(verb: &str, path: &str) -> http::request::Builder {
    http::Request::builder().method(verb).uri(path)
}

#[tokio::test]
async fn a_request_comes_to_grpc_as_a_call() {
    let asked = request("GET", "/v1/accounts/a/sites/s").header("authorization", "Bearer x");
    let (status, site) = ask(asked.header("accept-encoding", "gzip"), "").await;
    assert_eq!(status, StatusCode::OK);
    let note = "HTTP/2.0 POST Bearer x application/grpc - -";
    assert_eq!(site, json!({"name": "accounts/a/sites/s", "note": note}));
}

#[tokio::test]
async fn what_is_wrong_with_a_body_is_found_when_its_message_is_read() {
    let create = || request("POST", "/v1/accounts/a/sites");
    let as_json = || create().header("content-type", "application/json; charset=utf-8");
    let (status, told) = ask(as_json(), "{}").await;
    assert_eq!((status, &told["error"]["message"]), (StatusCode::CONFLICT, &json!("it came through")));
    for (request, body, field) in [
        (as_json(), "{", "body"),
        (as_json(), r#"{"colour": 1}"#, "site.colour"),
        (create(), "{}", "content-type"),
        (create().header("content-type", "application/x-www-form-urlencoded"), "{}", "content-type"),
        (as_json().header("content-encoding", "gzip"), "{}", "content-encoding"),
    ] {
        let (status, told) = ask(request, body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}: {told}");
        let violations = &told["error"]["details"][1]["fieldViolations"];
        assert_eq!(violations[0]["field"], field, "{told}");
    }
    let long = format!("{{\"note\": \"{}\"}}", "x".repeat(message_bytes_max("Site") * BODY_FACTOR));
    let (status, told) = ask(as_json(), long).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(told["error"]["details"][0]["reason"], "LIMIT_REACHED");
    // Nobody reads the body of who is not let in.
    let (status, _) = ask(request("POST", "/v1/accounts/a/sites:batchGet"), "{").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

/// Ten megabytes were refused when their length was known, and the connection with them: who was sending heard of that alone.
#[tokio::test]
async fn a_body_that_is_too_long_is_read_to_its_end_within_bounds() {
    const CHUNK_BYTES: usize = 64 * 1024;
    let beyond = READ_BYTES_MAX / CHUNK_BYTES + 1;
    for (chunks, expect) in [(160, 160), (2 * beyond, beyond)] {
        let read = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&read);
        let chunk = Bytes::from(vec![b' '; CHUNK_BYTES]);
        let sent = (0..chunks).map(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok::<_, Infallible>(chunk.clone())
        });
        let create = request("POST", "/v1/accounts/a/sites").header("content-type", "application/json");
        let (status, told) = ask(create, Body::from_stream(stream::iter(sent))).await;
        assert_eq!(
            (status, &told["error"]["details"][0]["reason"]),
            (StatusCode::TOO_MANY_REQUESTS, &json!("LIMIT_REACHED"))
        );
        assert_eq!(read.load(Ordering::Relaxed), expect);
    }
}

#[tokio::test]
async fn what_no_method_takes_is_told_so() {
    for (verb, path, expect) in [
        ("GET", "/v1/accounts/a/places", StatusCode::NOT_FOUND),
        ("GET", "/v1/", StatusCode::NOT_FOUND),
        ("PUT", "/v1/accounts/a/sites/s", StatusCode::METHOD_NOT_ALLOWED),
        ("HEAD", "/v1/accounts/a/sites/s", StatusCode::METHOD_NOT_ALLOWED),
        ("OPTIONS", "/v1/accounts/a/sites/s", StatusCode::METHOD_NOT_ALLOWED),
        ("POST", "/v1/accounts/a/map:watch", StatusCode::NOT_IMPLEMENTED),
    ] {
        let (status, told) = ask(request(verb, path), "").await;
        assert_eq!(status, expect, "{verb} {path}: {told}");
    }
    for path in ["/", "/v1", "/v1/accounts/a/tiles/0/0/0.mvt"] {
        assert_eq!(ask(request("GET", path), "").await, (StatusCode::OK, json!("a page")), "{path}");
    }
}
