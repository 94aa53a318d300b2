//! HTTP/JSON: calls of the same methods as over gRPC, by the paths that the protos give them with `google.api.http`.
//!
//! `rules` finds the method, `request` makes its message, `answer` writes the answer. Between them stands the router of gRPC, as
//! over the network: who may call, how often, what is told and counted is decided there and nowhere else. What is wrong with a
//! request is found when gRPC reads its message, behind all that, so a stranger learns nothing here either.

mod answer;
mod request;
pub(super) mod rules;
pub(super) mod template;

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use tonic::Status;
use tower::ServiceExt as _;

use super::caller::PeerCertificate;
use super::grpc::message_bytes_max;
use super::protocol::is_grpc;
use super::status::json;
use super::traffic::{Route, Traffic};
use crate::model::Invalid;
use rules::{Binding, Found, Rules};
use template::Captured;

/// How much longer JSON may be than the message that it stands for: names of fields stand in it, and numbers as texts.
const BODY_FACTOR: usize = 2;
/// Bytes of a body that is too long for its call which are read all the same, and thrown away: over HTTP/1 whoever is still sending
/// hears that the connection ended, and not what is wrong. Eight times the longest body of all.
const READ_BYTES_MAX: usize = 16 * 1024 * 1024;
/// What the name of a service ends with.
const SERVICE: &str = "Service";

/// Headers that are of the request over HTTP, and not of the call.
static HTTP_ONLY: [HeaderName; 8] = [
    header::CONTENT_LENGTH,
    header::CONTENT_ENCODING,
    header::TRANSFER_ENCODING,
    header::ACCEPT_ENCODING,
    header::TE,
    header::EXPECT,
    HeaderName::from_static("grpc-encoding"),
    HeaderName::from_static("grpc-accept-encoding"),
];

/// Where calls go.
#[derive(Debug, Clone)]
pub(super) struct Gateway {
    pub(super) grpc: Router,
    pub(super) traffic: Arc<Traffic>,
}

/// Why a path of the API is served to nobody. Stands in the request's extensions, which is counted like one of a page that is
/// not there.
#[derive(Debug, Clone)]
enum Unserved {
    /// No method has it.
    Path,
    /// It takes these.
    Verbs(Vec<Method>),
    /// Its method takes a stream.
    Streams(&'static str),
}

/// Answers a request over HTTP/JSON, and leaves others to whatever stands behind it.
pub(super) async fn transcode(State(gateway): State<Gateway>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if Route::of(path) != Route::Rest || is_grpc(request.headers()) {
        return next.run(request).await;
    }
    let unserved = match Rules::all().find(request.method(), path) {
        Found::Binding(binding, _) if binding.method.is_client_streaming() => Unserved::Streams(binding.method.name()),
        Found::Binding(binding, captured) => return gateway.answer(binding, captured, request).await,
        Found::Others(verbs) => Unserved::Verbs(verbs),
        Found::Nothing => Unserved::Path,
    };
    request.extensions_mut().insert(unserved);
    next.run(request).await
}

/// What a request over HTTP/JSON is for; `None` where no method has it.
pub(super) fn binding_of(verb: &Method, path: &str) -> Option<&'static Binding> {
    match Rules::all().find(verb, path) {
        Found::Binding(binding, _) => Some(binding),
        Found::Others(_) | Found::Nothing => None,
    }
}

/// Answers in the place of a page what [`transcode`] found no method for.
pub(super) async fn refuse_unserved(request: Request, next: Next) -> Response {
    match request.extensions().get::<Unserved>() {
        None => next.run(request).await,
        Some(Unserved::Path) => json::unknown_path(),
        Some(Unserved::Verbs(verbs)) => json::other_methods(verbs),
        Some(Unserved::Streams(method)) => json::streams_requests(method),
    }
}

impl Gateway {
    async fn answer(&self, binding: &'static Binding, captured: Vec<Captured>, request: Request) -> Response {
        let (mut parts, body) = request.into_parts();
        let asked = Asked {
            binding,
            captured,
            query: parts.uri.query().map(str::to_owned),
            form: Form::of(&parts.headers),
            body,
        };
        for name in &HTTP_ONLY {
            parts.headers.remove(name);
        }
        parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        parts.method = Method::POST;
        parts.uri = binding.target.clone();
        parts.version = Version::HTTP_2;
        // A page of another origin can make a browser show its certificate: here a token alone says who calls.
        parts.extensions.remove::<PeerCertificate>();
        // It arrived as what it is from here on.
        parts.extensions.insert(self.traffic.arrive(binding.target.path()));
        let message = Body::from_stream(stream::once(asked.framed()));
        let answered = self.grpc.clone().oneshot(Request::from_parts(parts, message)).await;
        answer::of(&binding.method, answered.unwrap_or_else(|never| match never {})).await
    }
}

/// What headers say of the body.
#[derive(Debug, Clone, Copy)]
struct Form {
    is_json: bool,
    is_coded: bool,
}

impl Form {
    fn of(headers: &HeaderMap) -> Self {
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = text(header::CONTENT_TYPE).split(';').next().unwrap_or_default().trim();
        let coding = text(header::CONTENT_ENCODING).trim();
        Self {
            is_json: media_type.eq_ignore_ascii_case("application/json"),
            is_coded: !coding.is_empty() && !coding.eq_ignore_ascii_case("identity"),
        }
    }
}

/// A request whose message is made when gRPC asks for it: when it is let in.
struct Asked {
    binding: &'static Binding,
    captured: Vec<Captured>,
    query: Option<String>,
    form: Form,
    body: Body,
}

impl Asked {
    /// The message as gRPC sends it.
    async fn framed(self) -> Result<Bytes, Status> {
        let Self { binding, captured, query, form, body } = self;
        let service = binding.method.parent_service().name();
        let bytes_max = message_bytes_max(service.strip_suffix(SERVICE).unwrap_or(service)) * BODY_FACTOR;
        let body = read(body, bytes_max).await?;
        let told = |field: &str, why: &str| json::invalid(Invalid::new(field, why));
        if form.is_coded {
            return Err(told("content-encoding", "send the body as it is: no coding is taken"));
        }
        // A page of another origin cannot send it without asking first.
        if !body.is_empty() && !form.is_json {
            return Err(told("content-type", "a body is JSON: say `content-type: application/json`"));
        }
        let message = request::message(binding, &captured, query.as_deref(), &body).map_err(json::invalid)?;
        let length = u32::try_from(message.len()).map_err(|_| json::body_too_long(bytes_max))?;
        let mut framed = Vec::with_capacity(message.len() + 5);
        framed.push(0);
        framed.extend_from_slice(&length.to_be_bytes());
        framed.extend_from_slice(&message);
        Ok(framed.into())
    }
}

/// A body, if it is not longer than that; one that is, is read as far as [`READ_BYTES_MAX`] before that is told.
async fn read(mut body: Body, bytes_max: usize) -> Result<Vec<u8>, Status> {
    let (mut bytes, mut length) = (Vec::new(), 0_usize);
    if body.size_hint().lower() > READ_BYTES_MAX as u64 {
        return Err(json::body_too_long(bytes_max));
    }
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|_| json::invalid(Invalid::new(request::BODY, "it broke off")))?;
        let Ok(data) = frame.into_data() else { continue };
        length = length.saturating_add(data.len());
        if length > READ_BYTES_MAX {
            break;
        }
        if length <= bytes_max {
            bytes.extend_from_slice(&data);
        } else {
            // It is refused: while the rest of it comes nothing of it is held.
            bytes = Vec::new();
        }
    }
    if length > bytes_max { Err(json::body_too_long(bytes_max)) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests;
