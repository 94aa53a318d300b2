//! Why a ticketing system gave no answer, and what can be done about it.
//!
//! Messages hold no credential, no query and no text of an answer: they end up in logs. What a caller is told holds
//! nothing of the operator's network either.

use std::time::Duration;

use crate::error::{Fault, Reason};
use crate::model::ticketing::System;

/// When to try again where nobody said: long enough for a restart, short enough for a person who waits.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Why a system gave no answer. That something is not there is none of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {cause}", .system.facts().name)]
pub struct Error {
    /// The system.
    pub system: System,
    /// What went wrong.
    pub cause: Cause,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// No connection, or one that broke off.
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    /// The host has an address that may not be asked.
    #[error("{0} is at an address that is not public; the operator may allow it in `ticketing.private_networks`")]
    Private(String),
    /// The answer took too long.
    #[error("it did not answer in time")]
    TimedOut,
    /// It is out of service.
    #[error("it is out of service: status {0}")]
    Failed(u16),
    /// It wants fewer requests, or we hold back because it would.
    #[error("it wants fewer requests: ask again in {} s", seconds(*.0))]
    RateLimited(Duration),
    /// It does not know the credentials.
    #[error("it does not take the credentials: status {0}; set them again in the connection")]
    Denied(u16),
    /// It takes the credentials and shows none of its organisations, so nothing that it does not show is gone.
    #[error(
        "it shows no organisation: it has none, or the credentials may not see them; give them the permission there"
    )]
    ShowsNone,
    /// It knows the credentials, and they may not see this.
    #[error("its credentials may not see this: status {0}; give them the permission there")]
    Forbidden(u16),
    /// It does not take such a question.
    #[error("it refuses the question: status {0}")]
    Refused(u16),
    /// Where it should be, something else answers.
    #[error("it is not where it is asked: status {0}; check the base URL of the connection")]
    WrongUrl(u16),
    /// It points elsewhere, where nobody follows.
    #[error("it redirects with status {0}; set the base URL of the connection to where it is")]
    Redirected(u16),
    /// The answer is not what its documentation says.
    #[error("it answered with something else than its documentation says: {0}")]
    Malformed(&'static str),
    /// The answer is larger than any real one.
    #[error("its answer is larger than {0} bytes")]
    TooLarge(usize),
    /// A list has more pages than are read.
    #[error("its list has more than {0} pages, so the rest is not shown: search for a part of a name")]
    TooManyPages(u32),
    /// The place where a list was to go on is none.
    #[error("the list does not go on there: begin it again")]
    Cursor,
}

/// Whole seconds, at least one; rounded up, because whoever asks a moment too early is refused again.
#[must_use]
pub fn seconds(wait: Duration) -> u64 {
    let has_rest = wait.subsec_nanos() > 0;
    (wait.as_secs() + u64::from(has_rest)).max(1)
}

impl Cause {
    /// The error of a system with this cause.
    #[must_use]
    pub fn of(self, system: System) -> Error {
        Error { system, cause: self }
    }

    /// The reason that callers are given.
    pub(super) fn reason(&self) -> Reason {
        match self {
            Self::RateLimited(_) => Reason::TicketingRateLimited,
            Self::Denied(_) | Self::Forbidden(_) | Self::ShowsNone => Reason::TicketingDenied,
            Self::WrongUrl(_) | Self::Redirected(_) => Reason::TicketingMisconfigured,
            Self::Cursor => Reason::PageTokenInvalid,
            Self::Refused(_) | Self::TooManyPages(_) => Reason::TicketingRefused,
            Self::Unreachable(_)
            | Self::Private(_)
            | Self::TimedOut
            | Self::Failed(_)
            | Self::Malformed(_)
            | Self::TooLarge(_) => Reason::TicketingUnavailable,
        }
    }
}

impl Error {
    /// What a caller reads: nothing of how the connection broke, nor whether a host is inside, which would tell of the
    /// operator's network.
    #[must_use]
    pub fn told(&self) -> String {
        match &self.cause {
            Cause::Unreachable(_) | Cause::Private(_) => format!("{}: it cannot be reached", self.system.facts().name),
            _ => self.to_string(),
        }
    }

    /// Whether it passes by itself, or a caller must not be told that it does not.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(
            self.cause,
            Cause::Unreachable(_) | Cause::Private(_) | Cause::TimedOut | Cause::Failed(_) | Cause::RateLimited(_)
        )
    }

    /// Whether it is of the one thing that was asked for, so that another one may be told all the same.
    #[must_use]
    pub fn is_of_one_thing(&self) -> bool {
        matches!(
            self.cause,
            Cause::Malformed(_) | Cause::TooLarge(_) | Cause::Refused(_) | Cause::Forbidden(_) | Cause::ShowsNone
        )
    }
}

impl Fault for Error {
    fn reason(&self) -> Reason {
        self.cause.reason()
    }

    fn retry_after(&self) -> Option<Duration> {
        match self.cause {
            Cause::RateLimited(wait) => Some(wait),
            _ if self.is_passing() => Some(RETRY_AFTER),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a name leads into the operator's network, or nowhere, could be told from the answer: an account could
    /// look for names there.
    #[test]
    fn what_is_not_public_is_told_as_what_cannot_be_reached() {
        let told = |cause: Cause| {
            let failure = cause.of(System::Zendesk);
            (failure.told(), failure.reason(), failure.retry_after(), failure.is_passing())
        };
        let unreachable = told(Cause::Unreachable("dns error: no such name".to_owned()));
        assert_eq!(told(Cause::Private("wiki.internal".to_owned())), unreachable);
        assert!(!unreachable.0.contains("dns"));
        let logged = Cause::Private("wiki.internal".to_owned()).of(System::Zendesk).to_string();
        assert!(logged.contains("wiki.internal"), "{logged}");
    }

    #[test]
    fn seconds_are_rounded_up() {
        let wait = Cause::RateLimited(Duration::from_millis(59_001)).of(System::Zendesk);
        assert!(wait.told().contains("60 s"), "{}", wait.told());
    }
}
