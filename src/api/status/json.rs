//! gRPC statuses as HTTP/JSON tells them: a `google.rpc.Status` as Google's APIs write it, with its details.

use std::sync::OnceLock;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage};
use serde_json::{Value, json};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::{Failure, bare, panicked};
use crate::api::json::of_dynamic;
use crate::api::traffic::code_of_end;
use crate::error::Reason;
use crate::model::Invalid;

/// Media type of JSON.
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The HTTP status of a gRPC code, as `google.rpc.Code` says.
fn http_status(code: Code) -> StatusCode {
    match code {
        Code::Ok => StatusCode::OK,
        // As proxies write it: the client left.
        Code::Cancelled => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::Unknown | Code::Internal | Code::DataLoss => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The `error` of an answer.
pub(in crate::api) fn object(status: &Status) -> Value {
    object_with(status, http_status(status.code()))
}

fn object_with(status: &Status, http: StatusCode) -> Value {
    json!({
        "code": http.as_u16(),
        "message": status.message(),
        "status": code_of_end(status.code() as usize),
        "details": details(status),
    })
}

/// A call's end as an answer of its own.
pub(in crate::api) fn page(status: &Status) -> Response {
    page_with(status, http_status(status.code()))
}

fn page_with(status: &Status, http: StatusCode) -> Response {
    let mut response = answer(http, &json!({ "error": object_with(status, http) }));
    let headers = response.headers_mut();
    if let Some(delay) = status.get_details_retry_info().and_then(|info| info.retry_delay) {
        headers.insert(header::RETRY_AFTER, whole_seconds(delay));
    }
    if http == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// None too early.
fn whole_seconds(delay: Duration) -> HeaderValue {
    let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
    HeaderValue::from(seconds.max(1))
}

/// An answer with this body.
pub(in crate::api) fn answer(http: StatusCode, body: &Value) -> Response {
    (http, headers(JSON), body.to_string()).into_response()
}

/// What stands above every answer of HTTP/JSON: it is of its caller alone, and is what it says to be.
pub(in crate::api) fn headers(media_type: HeaderValue) -> HeaderMap {
    HeaderMap::from_iter([
        (header::CONTENT_TYPE, media_type),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ])
}

/// The details that gRPC has, as JSON; what is of no known kind is left out.
fn details(status: &Status) -> Vec<Value> {
    static KINDS: OnceLock<Option<DescriptorPool>> = OnceLock::new();
    let kinds = KINDS.get_or_init(|| DescriptorPool::decode(tonic_types::pb::FILE_DESCRIPTOR_SET).ok());
    let whole = tonic_types::Status::decode(status.details()).unwrap_or_default();
    let told = |detail: &prost_types::Any| {
        let name = detail.type_url.rsplit('/').next()?;
        let described = kinds.as_ref()?.get_message_by_name(name)?;
        let mut value = of_dynamic(&DynamicMessage::decode(described, detail.value.as_slice()).ok()?);
        value.as_object_mut()?.insert("@type".to_owned(), Value::from(detail.type_url.as_str()));
        Some(value)
    };
    whole.details.iter().filter_map(told).collect()
}

/// A field of a request is wrong.
pub(in crate::api) fn invalid(fault: Invalid) -> Status {
    Failure::from(fault).into()
}

/// The answer could not be made, by a fault of waymark's own.
pub(in crate::api) fn broken() -> Status {
    panicked()
}

/// A body has more bytes than its call takes.
pub(in crate::api) fn body_too_long(bytes_max: usize) -> Status {
    bare(Reason::LimitReached, &format!("the body is longer than the {bytes_max} bytes that this call takes"))
}

/// No method has the path.
pub(in crate::api) fn unknown_path() -> Response {
    page(&bare(Reason::ResourceNotFound, "no method of the API has this path: /openapi.json has them all"))
}

/// The path is of methods that take other methods of HTTP.
pub(in crate::api) fn other_methods(allowed: &[Method]) -> Response {
    let mut names: Vec<&str> = allowed.iter().map(Method::as_str).collect();
    names.sort_unstable();
    names.dedup();
    let allowed = names.join(", ");
    let status = bare(Reason::HttpUnsupported, &format!("the path takes {allowed}: /openapi.json says what each does"));
    let mut response = page_with(&status, StatusCode::METHOD_NOT_ALLOWED);
    if let Ok(allowed) = HeaderValue::try_from(allowed) {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}

/// The method takes a stream of messages.
pub(in crate::api) fn streams_requests(method: &str) -> Response {
    let message = format!("{method} takes a stream of messages, which HTTP/JSON does not carry: call it by gRPC");
    page(&bare(Reason::HttpUnsupported, &message))
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use tonic_types::ErrorDetails;

    use super::*;

    async fn told(response: Response) -> Value {
        serde_json::from_slice(&to_bytes(response.into_body(), usize::MAX).await.unwrap()).unwrap()
    }

    #[tokio::test]
    async fn errors_are_told_with_their_details() {
        let response = page(&invalid(Invalid::new("position.lat", "-90 to 90")));
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert!(response.headers().get(header::RETRY_AFTER).is_none());
        let error = json!({"error": {
            "code": 400,
            "status": "INVALID_ARGUMENT",
            "message": "position.lat: -90 to 90",
            "details": [
                {
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": "FIELD_INVALID",
                    "domain": "waymark",
                },
                {
                    "@type": "type.googleapis.com/google.rpc.BadRequest",
                    "fieldViolations": [{"field": "position.lat", "description": "-90 to 90"}],
                },
            ],
        }});
        assert_eq!(told(response).await, error);
    }

    #[tokio::test]
    async fn who_shall_wait_hears_how_long() {
        let mut details = ErrorDetails::new();
        details.set_retry_info(Some(Duration::from_millis(2_250)));
        let response = page(&Status::with_error_details(Code::ResourceExhausted, "later", details));
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[header::RETRY_AFTER], "3");
        assert_eq!(told(response).await["error"]["details"][0]["retryDelay"], json!("2.250s"));
        let response = page(&bare(Reason::CredentialInvalid, "no"));
        assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer");
    }

    #[tokio::test]
    async fn a_path_with_another_method_says_which() {
        let response = other_methods(&[Method::POST, Method::GET, Method::GET]);
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()[header::ALLOW], "GET, POST");
        let told = told(response).await;
        assert_eq!(told["error"]["status"], "UNIMPLEMENTED");
        assert_eq!(told["error"]["details"][0]["reason"], "HTTP_UNSUPPORTED");
        assert_eq!(unknown_path().status(), StatusCode::NOT_FOUND);
        assert_eq!(streams_requests("WatchMap").status(), StatusCode::NOT_IMPLEMENTED);
    }

    #[test]
    fn every_code_has_its_http_status() {
        for code in 0..17 {
            let status = http_status(Code::from_i32(code));
            assert_eq!(status.is_success(), code == 0, "{code}");
        }
    }
}
