//! Faults to gRPC statuses and HTTP answers: the one place that knows their codes.

pub(super) mod json;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};
use tracing::{error, warn};

use crate::api::proto::waymark::v1 as pb;
use crate::api::traffic::Refusal;
use crate::error::{Fault, Kind, Reason};
use crate::model::Invalid;
use crate::service;

/// The `domain` of every `google.rpc.ErrorInfo`.
const DOMAIN: &str = "waymark";
/// What callers read of a fault of waymark's own.
const OWN_FAULT: &str = "an internal fault; the operator finds it in the log";

/// An error on its way out.
#[derive(Debug)]
pub(super) struct Failure(pub(super) service::Error);

impl From<service::Error> for Failure {
    fn from(error: service::Error) -> Self {
        Self(error)
    }
}

impl From<Invalid> for Failure {
    fn from(fault: Invalid) -> Self {
        Self(fault.into())
    }
}

/// The gRPC code of a kind.
fn grpc_code(kind: Kind) -> Code {
    match kind {
        Kind::InvalidArgument => Code::InvalidArgument,
        Kind::NotFound => Code::NotFound,
        Kind::AlreadyExists => Code::AlreadyExists,
        Kind::FailedPrecondition => Code::FailedPrecondition,
        Kind::Aborted => Code::Aborted,
        Kind::Unauthenticated => Code::Unauthenticated,
        Kind::PermissionDenied => Code::PermissionDenied,
        Kind::ResourceExhausted => Code::ResourceExhausted,
        Kind::Unavailable => Code::Unavailable,
        Kind::DeadlineExceeded => Code::DeadlineExceeded,
        Kind::DataLoss => Code::DataLoss,
        Kind::Unimplemented => Code::Unimplemented,
        Kind::Internal => Code::Internal,
    }
}

/// The HTTP status of a kind.
fn http_code(reason: Reason) -> StatusCode {
    match reason.kind() {
        Kind::InvalidArgument | Kind::FailedPrecondition => StatusCode::BAD_REQUEST,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::AlreadyExists | Kind::Aborted => StatusCode::CONFLICT,
        Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
        Kind::PermissionDenied => StatusCode::FORBIDDEN,
        Kind::ResourceExhausted if reason == Reason::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
        Kind::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Kind::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Kind::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Kind::DataLoss | Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// A status with its reason and no other detail.
fn bare(reason: Reason, message: &str) -> Status {
    let details = ErrorDetails::with_error_info(reason.as_str(), DOMAIN, std::collections::HashMap::new());
    Status::with_error_details(grpc_code(reason.kind()), message, details)
}

/// What the caller reads. A fault of waymark's own is told in the log, not to the caller; nor is how a geocoder is set up.
fn message(error: &service::Error) -> String {
    let reason = error.reason();
    match (reason.kind(), reason) {
        (Kind::DataLoss, _) if error.is_of_one_record() => {
            error!(reason = reason.as_str(), %error, "a request failed");
            error.told()
        }
        (Kind::Internal | Kind::DataLoss, _) => {
            error!(reason = reason.as_str(), %error, "a request failed");
            OWN_FAULT.into()
        }
        // Anybody can send such a token; where keys cannot be read, the log has that from who reads them.
        _ if matches!(error, service::Error::Identity(_)) => error.told(),
        (Kind::Unavailable, _)
        | (
            _,
            Reason::GeocoderQuotaUsed
            | Reason::GeocoderBusy
            | Reason::GeocoderMisconfigured
            | Reason::CredentialsUnreadable,
        ) => {
            warn!(reason = reason.as_str(), %error, "a request was refused");
            error.told()
        }
        _ => error.told(),
    }
}

/// Reason and message of one failure among others, as its own answer would have them.
pub(super) fn told(error: &service::Error) -> (pb::ErrorReason, String) {
    let name = format!("ERROR_REASON_{}", error.reason().as_str());
    (pb::ErrorReason::from_str_name(&name).unwrap_or(pb::ErrorReason::Unspecified), message(error))
}

/// The field that a failure names, and what is wrong with it, as a `BadRequest` has them.
pub(super) fn field_of(error: &service::Error) -> Option<(String, String)> {
    match error {
        service::Error::Invalid(fault) => Some((fault.field.clone(), fault.why.clone())),
        service::Error::OutsideCountry(fault) => Some((fault.field.to_owned(), fault.why())),
        _ => None,
    }
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        failure.status()
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        self.page()
    }
}

impl Failure {
    /// As a gRPC call ends with it.
    pub(super) fn status(&self) -> Status {
        let Self(error) = self;
        let reason = error.reason();
        let mut details = ErrorDetails::with_error_info(reason.as_str(), DOMAIN, std::collections::HashMap::new());
        match error {
            service::Error::Invalid(fault) => {
                details.add_bad_request_violation(&fault.field, &fault.why);
            }
            service::Error::PageToken => {
                details.add_bad_request_violation("page_token", error.to_string());
            }
            service::Error::CandidateToken => {
                details.add_bad_request_violation("candidate_token", error.to_string());
            }
            service::Error::OutsideCountry(fault) => {
                details.add_bad_request_violation(fault.field, fault.why());
            }
            service::Error::NotFound(resource) | service::Error::Exists(resource) => {
                details.set_resource_info(resource.type_name(), resource.to_string(), "", "");
            }
            _ => {}
        }
        if let Some(delay) = error.retry_after() {
            details.set_retry_info(Some(delay));
        }
        Status::with_error_details(grpc_code(reason.kind()), message(error), details)
    }

    /// The same over plain HTTP.
    pub(super) fn page(&self) -> Response {
        let reason = self.0.reason();
        let status = http_code(reason);
        let field = match &self.0 {
            service::Error::Invalid(fault) => Some(fault.field.clone()),
            service::Error::OutsideCountry(fault) => Some(fault.field.to_owned()),
            _ => None,
        };
        let retry_after = self.0.retry_after();
        let body = json!({ "error": {
            "code": status.as_u16(), "reason": reason.as_str(), "message": message(&self.0), "field": field,
        }});
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        if let Some(delay) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(delay.as_secs().max(1)));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// The answer to a caller who accepts no content coding that there is, and the bytes as they are neither.
pub(super) fn no_coding() -> Response {
    let message = "nothing that accept-encoding allows can be sent: allow identity, gzip, br or zstd";
    let status = StatusCode::NOT_ACCEPTABLE;
    let body = json!({ "error": {
        "code": status.as_u16(), "reason": Reason::FieldInvalid.as_str(), "message": message,
        "field": "accept-encoding",
    }});
    (status, Json(body)).into_response()
}

/// The answer to a call that was refused before any work. No word in the log: there may be thousands a second.
pub(super) fn refused(refusal: &Refusal) -> Status {
    let mut details =
        ErrorDetails::with_error_info(refusal.reason().as_str(), DOMAIN, std::collections::HashMap::new());
    details.set_retry_info(refusal.retry_after());
    Status::with_error_details(grpc_code(refusal.reason().kind()), refusal.to_string(), details)
}

/// The same over plain HTTP.
pub(super) fn refused_page(refusal: &Refusal) -> Response {
    let mut response = page_of(refusal.reason(), &refusal.to_string());
    // In whole seconds, and none too early.
    let wait = refusal.retry_after().unwrap_or_default().as_millis().div_ceil(1_000).max(1);
    if let Ok(wait) = HeaderValue::try_from(wait.to_string()) {
        response.headers_mut().insert(header::RETRY_AFTER, wait);
    }
    response
}

/// The answer to a request over plain HTTP that took longer than `limit`.
pub(super) fn too_late_page(limit: std::time::Duration) -> Response {
    page_of(Reason::DeadlineExceeded, &format!("the request took longer than {limit:?}"))
}

fn page_of(reason: Reason, message: &str) -> Response {
    let status = http_code(reason);
    let body = json!({ "error": { "code": status.as_u16(), "reason": reason.as_str(), "message": message } });
    (status, Json(body)).into_response()
}

/// The answer to a call that took longer than `limit`. What it was to write may have been written.
pub(super) fn too_late(limit: std::time::Duration) -> Status {
    let message = format!("the call took longer than {limit:?}; a write may have gone through: read, or repeat it");
    bare(Reason::DeadlineExceeded, &message)
}

/// Time after which an answer that ended with its connection is best asked for again: connections end at different times, and
/// their answers need not be spread.
const NEXT_CONNECTION_TIME: std::time::Duration = std::time::Duration::from_millis(250);

/// The end of an answer that goes on, where its connection has to go.
pub(super) fn connection_over() -> Status {
    let reason = Reason::NotReady;
    let mut details = ErrorDetails::with_error_info(reason.as_str(), DOMAIN, std::collections::HashMap::new());
    details.set_retry_info(Some(NEXT_CONNECTION_TIME));
    let message =
        "the connection ends: ask again, which takes another one; a watch goes on from the last revision that it told";
    Status::with_error_details(grpc_code(reason.kind()), message, details)
}

/// The answer to a request message over the limit of its method. `longest` is the one field of it that becomes so long, where
/// there is one, and what may be in it.
pub(super) fn message_too_long(method: &str, bytes_max: usize, longest: Option<(&str, &str)>) -> Status {
    let message = format!("the request is too long: {method} takes at most {bytes_max} bytes");
    let Some((field, why)) = longest else { return bare(Reason::LimitReached, &message) };
    let reason = Reason::LimitReached;
    let mut details = ErrorDetails::with_error_info(reason.as_str(), DOMAIN, std::collections::HashMap::new());
    details.add_bad_request_violation(field, why);
    Status::with_error_details(grpc_code(reason.kind()), format!("{message}; {field}: {why}"), details)
}

/// What the decoder's message begins with, whatever it could not decode.
const UNDECODABLE: &str = "failed to decode Protobuf message: ";

/// The answer to bytes that are no message of the method, such as a text that is no UTF-8, with the field as the decoder
/// names it; `None` for any other status. tonic calls it a fault of the server's.
pub(super) fn undecodable(found: &Status) -> Option<Status> {
    let told = found.message().strip_prefix(UNDECODABLE).filter(|_| found.code() == Code::Internal)?;
    // `Site.note: UpdateSiteRequest.site: what is wrong`, the innermost field first.
    let (mut why, mut field) = (told, String::new());
    while let Some((place, rest)) = why.split_once(": ").filter(|(place, _)| !place.contains(' '))
        && let Some((_, name)) = place.split_once('.')
    {
        let outer = if field.is_empty() { String::new() } else { format!(".{field}") };
        (why, field) = (rest, format!("{name}{outer}"));
    }
    let field = if field.is_empty() { "request".to_owned() } else { field };
    Some(Failure(Invalid::new(field, why).into()).into())
}

/// The fault that a gRPC call ends with whose handler panicked.
pub(super) fn panicked() -> Status {
    bare(Reason::Internal, OWN_FAULT)
}

/// The answer to a plain request whose handler panicked.
pub(super) fn panicked_page() -> Response {
    let (reason, status) = (Reason::Internal, http_code(Reason::Internal));
    let body = json!({ "error": {
        "code": status.as_u16(), "reason": reason.as_str(), "message": OWN_FAULT, "field": null,
    }});
    (status, Json(body)).into_response()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::geocode::{self, Rest};

    /// A canary of what only the operator may read.
    const SECRET: &str = "10.1.2.3";

    /// What a caller gets: code, reason, seconds to wait.
    #[track_caller]
    fn check(error: geocode::Error, code: Code, reason: &str, wait_s: Option<u64>) {
        let status = Status::from(Failure(service::Error::Geocode(error)));
        let details = status.get_error_details();
        let told = details.error_info().map(|info| info.reason.as_str());
        assert_eq!((status.code(), told), (code, Some(reason)), "{status:?}");
        let wait = details.retry_info().and_then(|info| info.retry_delay);
        assert_eq!(wait, wait_s.map(Duration::from_secs), "{status:?}");
        for secret in [SECRET, "403", "key", "/var/lib"] {
            assert!(!status.message().contains(secret), "{status:?}");
        }
    }

    /// All failures of geocoders were one reason, and all asked for a retry.
    #[test]
    fn geocoders_failures_say_what_can_be_done() {
        use geocode::Error;
        let provider = || Arc::<str>::from("photon");
        let hour = Duration::from_hours(1);
        let unavailable = |error| check(error, Code::Unavailable, "GEOCODER_UNAVAILABLE", Some(5));
        unavailable(Error::Unreachable { provider: provider(), cause: SECRET.into() });
        unavailable(Error::TimedOut { provider: provider() });
        unavailable(Error::Malformed { provider: provider(), why: SECRET.into() });
        unavailable(Error::TooLarge { provider: provider(), bytes_max: 1 });
        let failed = Error::Failed { provider: provider(), status: 503, retry_after: Some(hour) };
        check(failed, Code::Unavailable, "GEOCODER_UNAVAILABLE", Some(3_600));
        let resting = |why| Error::Resting { provider: provider(), retry_after: hour, why };
        check(resting(Rest::Failures), Code::Unavailable, "GEOCODER_UNAVAILABLE", Some(3_600));
        let (exhausted, used) = (Code::ResourceExhausted, "GEOCODER_QUOTA_USED");
        check(resting(Rest::Quota), exhausted, used, Some(3_600));
        let quota = |retry_after| Error::QuotaUsed { provider: provider(), status: 429, retry_after };
        check(quota(Some(hour)), exhausted, used, Some(3_600));
        check(quota(None), exhausted, used, Some(60));
        check(Error::Busy { provider: provider(), retry_after: hour }, exhausted, "GEOCODER_BUSY", Some(3_600));
        check(Error::Refused { provider: provider(), status: 400 }, Code::InvalidArgument, "GEOCODER_REFUSED", None);
        check(Error::TooCoarse, Code::InvalidArgument, "FIELD_INVALID", None);
        let (precondition, misconfigured) = (Code::FailedPrecondition, "GEOCODER_MISCONFIGURED");
        for error in [
            Error::NotConfigured,
            Error::Denied { provider: provider(), status: 403 },
            Error::WrongUrl { provider: provider(), status: 404 },
            Error::Redirected { provider: provider(), status: 301 },
            Error::Index { path: "/var/lib/x".into(), cause: SECRET.into() },
            Error::SourceFile { path: "/var/lib/x".into(), cause: SECRET.into() },
        ] {
            check(error, precondition, misconfigured, None);
        }
        let unsupported = Error::Unsupported { provider: provider(), what: "suggest" };
        check(unsupported, precondition, "GEOCODER_UNSUPPORTED", None);
        check(Error::OutOfTime { provider: provider() }, Code::DeadlineExceeded, "DEADLINE_EXCEEDED", Some(5));
    }

    /// Each reason stands in the protos under its name, or callers would read one that is not documented.
    #[test]
    fn reasons_of_strangers_are_in_the_protos() {
        for reason in [
            Reason::GeocoderUnavailable,
            Reason::GeocoderQuotaUsed,
            Reason::GeocoderBusy,
            Reason::GeocoderRefused,
            Reason::GeocoderUnsupported,
            Reason::GeocoderMisconfigured,
            Reason::TicketingUnavailable,
            Reason::TicketingRateLimited,
            Reason::TicketingDenied,
            Reason::TicketingMisconfigured,
            Reason::TicketingRefused,
            Reason::TicketingNotConnected,
            Reason::CredentialsUnreadable,
            Reason::RateLimited,
            Reason::ServerBusy,
            Reason::NetworkRateLimited,
            Reason::JwtInvalid,
            Reason::JwtExpired,
            Reason::JwtUnmapped,
            Reason::HttpUnsupported,
            Reason::PositionsWithheld,
            Reason::ShareCodeInvalid,
            Reason::ShareInEffect,
        ] {
            let name = format!("ERROR_REASON_{}", reason.as_str());
            assert!(pb::ErrorReason::from_str_name(&name).is_some(), "{name}");
        }
    }
}
