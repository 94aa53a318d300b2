//! Errors as a program deals with them: what a server answered, the fields at fault, when to ask again, and what to do.

use std::error::Error as _;
use std::time::Duration;

use serde::Deserialize;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::policy::policy;
use crate::api::proto::waymark::v1 as pb;

/// The `domain` of the reasons of waymark.
const DOMAIN: &str = "waymark";

/// Why a call has no answer: the server refused it, or was not heard.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message} ({code:?})")]
pub struct Error {
    code: Code,
    reason: String,
    message: String,
    violations: Vec<Violation>,
    resource: String,
    retry_after: Option<Duration>,
    is_lost: bool,
}

/// A field of a request that the server does not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Its path in the request, such as `site.display_name`.
    pub field: String,
    /// What it takes.
    pub description: String,
}

/// What to do about an error. [`Error::what_to_do`] says it in a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Advice {
    /// It is not known whether the call was done: read, and repeat it where it was not.
    Look,
    /// The operator of the server has to act.
    Operator,
    /// Make the same call again later.
    Later,
    /// Somebody changed it meanwhile: read it again, and decide anew.
    ReadAgain,
    /// Correct the request.
    Correct,
    /// Take a good token.
    SignIn,
    /// Take a token that may do this.
    Permission,
    /// It is not there.
    Missing,
    /// It is there already.
    Taken,
    /// Something has to change first.
    ChangeFirst,
    /// Nothing that this client knows of.
    Report,
}

impl Error {
    /// The code of gRPC.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// The reason; unspecified where the server gave none, or one that is newer than this client.
    #[must_use]
    pub fn reason(&self) -> pb::ErrorReason {
        let name = format!("ERROR_REASON_{}", self.reason);
        pb::ErrorReason::from_str_name(&name).unwrap_or(pb::ErrorReason::Unspecified)
    }

    /// The reason as it was sent, such as `SITE_NAME_TAKEN`; empty for none.
    #[must_use]
    pub fn reason_name(&self) -> &str {
        &self.reason
    }

    /// What happened, for people.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The fields at fault, and what each of them takes.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// The name of the resource that is not there, or there already; empty where the server names none.
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The time before which the server does not want to be asked again.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Whether it came from no server of waymark: the connection broke, or something on the way did. The call may be done.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// Whether the same call may fare better after a while.
    #[must_use]
    pub fn is_later(&self) -> bool {
        self.is_lost || self.code == Code::Unavailable || self.retry_after.is_some()
    }

    /// What to do about it.
    #[must_use]
    pub fn advice(&self) -> Advice {
        policy().advice(self).0
    }

    /// What to do about it, as a sentence without its full stop.
    #[must_use]
    pub fn what_to_do(&self) -> &'static str {
        policy().advice(self).1
    }

    /// The code that the rules for repeats go by: a loss counts as UNAVAILABLE, whatever a library made of it.
    pub(super) fn counted_as(&self) -> Code {
        if self.is_lost { Code::Unavailable } else { self.code }
    }
}

impl From<&Status> for Error {
    fn from(status: &Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info().filter(|info| info.domain == DOMAIN);
        let violations = details.bad_request().map(|bad| bad.field_violations.as_slice()).unwrap_or_default();
        let violation = |told: &tonic_types::FieldViolation| Violation {
            field: told.field.clone(),
            description: told.description.clone(),
        };
        // One with a source was made on this side, whatever its code.
        let is_lost = info.is_none() && (status.source().is_some() || policy().is_lost(status.code()));
        Self {
            code: status.code(),
            reason: info.map(|info| info.reason.clone()).unwrap_or_default(),
            message: status.message().to_owned(),
            violations: violations.iter().map(violation).collect(),
            resource: details.resource_info().map(|info| info.resource_name.clone()).unwrap_or_default(),
            retry_after: details.retry_info().and_then(|info| info.retry_delay),
            is_lost,
        }
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Self::from(&status)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use tonic_types::ErrorDetails;

    use super::*;

    fn answered(code: Code, reason: &str) -> Status {
        Status::with_error_details(code, "told", ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new()))
    }

    #[test]
    fn what_the_server_told_is_there() {
        let mut details = ErrorDetails::with_error_info("FIELD_INVALID", DOMAIN, HashMap::new());
        details.add_bad_request_violation("site.display_name", "1 to 256 bytes on one line");
        details.set_retry_info(Some(Duration::from_millis(250)));
        details.set_resource_info("site", "accounts/acme/sites/1", "", "");
        let error = Error::from(&Status::with_error_details(Code::InvalidArgument, "it is empty", details));
        assert_eq!(error.reason(), pb::ErrorReason::FieldInvalid);
        let violation =
            Violation { field: "site.display_name".into(), description: "1 to 256 bytes on one line".into() };
        assert_eq!(error.violations(), [violation]);
        assert_eq!(
            (error.resource(), error.retry_after()),
            ("accounts/acme/sites/1", Some(Duration::from_millis(250)))
        );
        assert_eq!((error.advice(), error.is_lost()), (Advice::Correct, false));
        assert_eq!(error.to_string(), "it is empty (InvalidArgument)");
        assert!(error.what_to_do().starts_with("correct the request"));
    }

    #[test]
    fn a_reason_counts_before_a_code_and_a_loss_is_known_by_none() {
        let advice = |status: &Status| Error::from(status).advice();
        assert_eq!(advice(&answered(Code::Unavailable, "OUTCOME_UNKNOWN")), Advice::Look);
        assert_eq!(advice(&answered(Code::Unavailable, "SERVER_BUSY")), Advice::Later);
        assert_eq!(advice(&answered(Code::Aborted, "CONTENTION")), Advice::Later);
        assert_eq!(advice(&answered(Code::Aborted, "ETAG_MISMATCH")), Advice::ReadAgain);
        assert_eq!(advice(&Status::unavailable("connection refused")), Advice::Look);
        let mut cut = Status::cancelled("operation was canceled");
        assert!(!Error::from(&cut).is_lost(), "a caller who leaves has lost nothing");
        cut.set_source(Arc::new(std::io::Error::other("reset")));
        assert!(Error::from(&cut).is_lost());
        // Waymark's own faults are told by waymark.
        assert!(!Error::from(&answered(Code::Internal, "INTERNAL")).is_lost());
        assert_eq!(Error::from(&answered(Code::Internal, "NEWER_THAN_THIS")).reason(), pb::ErrorReason::Unspecified);
    }
}
