//! Why a geocoder gave no answer, and what can be done about it.
//!
//! Messages hold no key, no query and no address of a request: they end up in logs. What a caller is told holds nothing
//! of how the operator set it up either.

use std::sync::Arc;
use std::time::Duration;

use crate::error::{Fault, Reason};
use crate::model::site_address::WaitReason;

/// When to try again where nobody said: long enough for a restart, short enough for a person who waits.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// For how long a provider is left alone that wants fewer requests and does not say until when: limits are by the second
/// or by the minute, and a used-up quota of a day is asked for once a minute.
pub(super) const QUOTA_REST: Duration = Duration::from_mins(1);

/// Why a geocoder gave no answer. An empty answer is not an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The index of the gazetteer cannot be opened or read.
    #[error("the gazetteer at {path} cannot be read: {cause}; build it again with `waymark gazetteer build`")]
    Index {
        /// Its directory.
        path: String,
        /// What its library says.
        cause: String,
    },
    /// A source file of the gazetteer is malformed.
    #[error("{path}: {cause}")]
    SourceFile {
        /// The file.
        path: String,
        /// What is wrong with it, with the line where there is one.
        cause: String,
    },
    /// No geocoder is configured.
    #[error(
        "no geocoder is configured: set `geocode.gazetteer` to a directory made by `waymark gazetteer build`, or list `geocode.providers`"
    )]
    NotConfigured,
    /// The provider does not answer such questions, or its terms do not allow them.
    #[error("{provider} does not answer this kind of question: {what}")]
    Unsupported {
        /// The provider.
        provider: Arc<str>,
        /// The kind of question.
        what: &'static str,
    },
    /// A question that names nothing within a country: no provider can answer it.
    #[error("a country alone is not an address: state a town, a postal code, a region or a street in it")]
    TooCoarse,
    /// No connection, or one that broke off.
    #[error("{provider} cannot be reached: {cause}")]
    Unreachable {
        /// The provider.
        provider: Arc<str>,
        /// What the system says.
        cause: String,
    },
    /// The answer took too long.
    #[error("{provider} did not answer in time")]
    TimedOut {
        /// The provider.
        provider: Arc<str>,
    },
    /// The caller's time ended before the provider had a fair share of it.
    #[error("there was not enough time to ask {provider}")]
    OutOfTime {
        /// The provider.
        provider: Arc<str>,
    },
    /// The provider is out of service.
    #[error("{provider} is out of service: status {status}")]
    Failed {
        /// The provider.
        provider: Arc<str>,
        /// The HTTP status.
        status: u16,
        /// When the provider wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// The provider does not take such a question.
    #[error("{provider} refuses the question: status {status}")]
    Refused {
        /// The provider.
        provider: Arc<str>,
        /// The HTTP status.
        status: u16,
    },
    /// Where the provider should be, something else answers.
    #[error("there is no {provider} where it is asked: status {status}; check its base URL")]
    WrongUrl {
        /// The provider.
        provider: Arc<str>,
        /// The HTTP status.
        status: u16,
    },
    /// The provider does not let us in.
    #[error("{provider} denies access: status {status}; check its key and its terms of use")]
    Denied {
        /// The provider.
        provider: Arc<str>,
        /// The HTTP status.
        status: u16,
    },
    /// The provider wants fewer requests, or its quota is used up.
    #[error("{provider} wants fewer requests: status {status}")]
    QuotaUsed {
        /// The provider.
        provider: Arc<str>,
        /// The HTTP status.
        status: u16,
        /// When the provider wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// The provider points elsewhere, where nobody follows.
    #[error("{provider} redirects with status {status}; set its base URL to where it is")]
    Redirected {
        /// The provider.
        provider: Arc<str>,
        /// The HTTP status.
        status: u16,
    },
    /// The answer is not what the provider's protocol says.
    #[error("{provider} answered with something else than its protocol says: {why}")]
    Malformed {
        /// The provider.
        provider: Arc<str>,
        /// What is wrong, without any text of the answer.
        why: String,
    },
    /// The answer is larger than any real one.
    #[error("the answer of {provider} is larger than {bytes_max} bytes")]
    TooLarge {
        /// The provider.
        provider: Arc<str>,
        /// The limit.
        bytes_max: usize,
    },
    /// Our own limit of requests gave no turn in time.
    #[error("there was no turn for a request to {provider} in time")]
    Busy {
        /// The provider.
        provider: Arc<str>,
        /// When there may be one.
        retry_after: Duration,
    },
    /// The provider is left alone for a while.
    #[error("{provider} {why} and is left alone for now")]
    Resting {
        /// The provider.
        provider: Arc<str>,
        /// For how long.
        retry_after: Duration,
        /// Why.
        why: Rest,
    },
}

/// Why a provider is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// It failed too often, or said until when it is out of service.
    Failures,
    /// It wants fewer requests.
    Quota,
}

impl std::fmt::Display for Rest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Failures => "is out of service",
            Self::Quota => "wants fewer requests",
        })
    }
}

/// Whose failure it is: what decorators go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blame {
    /// The provider's, and the same request may succeed soon.
    Passing,
    /// Ours, for asking more than the provider allows: it is left alone at once.
    Excess,
    /// The provider's, and will stay until a human does something.
    Lasting,
    /// Nobody's: the question is not for this provider, or it was not asked.
    Nobody,
}

impl Error {
    /// Whose failure it is.
    pub(super) fn blame(&self) -> Blame {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } | Self::Failed { .. } => Blame::Passing,
            Self::QuotaUsed { .. } => Blame::Excess,
            Self::Denied { .. }
            | Self::WrongUrl { .. }
            | Self::Redirected { .. }
            | Self::Malformed { .. }
            | Self::TooLarge { .. }
            | Self::Index { .. }
            | Self::SourceFile { .. } => Blame::Lasting,
            Self::NotConfigured
            | Self::Unsupported { .. }
            | Self::TooCoarse
            | Self::Refused { .. }
            | Self::OutOfTime { .. }
            | Self::Busy { .. }
            | Self::Resting { .. } => Blame::Nobody,
        }
    }

    /// Why an address that met this failure waits, to be asked for again; `None` where asking again helps nobody before
    /// somebody changes the question or the configuration.
    ///
    /// Denied access waits: providers lift blocks, and nobody's typing shall be lost to a key that ran out.
    #[must_use]
    pub fn waits(&self) -> Option<WaitReason> {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } | Self::Failed { .. } | Self::Denied { .. } => {
                Some(WaitReason::Unavailable)
            }
            Self::QuotaUsed { .. } => Some(WaitReason::Quota),
            Self::Busy { .. } | Self::Resting { .. } | Self::OutOfTime { .. } => Some(WaitReason::Busy),
            Self::Malformed { .. } | Self::TooLarge { .. } => Some(WaitReason::Malformed),
            Self::Index { .. }
            | Self::SourceFile { .. }
            | Self::NotConfigured
            | Self::Unsupported { .. }
            | Self::TooCoarse
            | Self::WrongUrl { .. }
            | Self::Refused { .. }
            | Self::Redirected { .. } => None,
        }
    }

    /// The least time after which it makes sense to ask again, where somebody said it.
    #[must_use]
    pub fn wait_asked_for(&self) -> Duration {
        match self {
            Self::Busy { retry_after, .. } | Self::Resting { retry_after, .. } => *retry_after,
            _ => self.asked_to_wait().unwrap_or_default(),
        }
    }

    /// When the provider itself wants to be asked again; where it wants fewer requests and names no time, a usual one.
    pub(super) fn asked_to_wait(&self) -> Option<Duration> {
        match self {
            Self::Failed { retry_after, .. } => *retry_after,
            Self::QuotaUsed { retry_after, .. } => Some(retry_after.unwrap_or(QUOTA_REST)),
            _ => None,
        }
    }

    /// Whether more time would have helped, and whoever has it may ask again.
    pub(super) fn is_of_time(&self) -> bool {
        matches!(self, Self::TimedOut { .. } | Self::OutOfTime { .. } | Self::Busy { .. })
    }

    /// What a caller reads: what they can do about it, and nothing of addresses, files, keys or statuses that are the
    /// operator's to know. Those are in the text of the error itself, for the log.
    #[must_use]
    pub fn told(&self) -> String {
        match self {
            Self::NotConfigured => "no geocoder is configured: the operator has to name one".to_owned(),
            Self::Denied { .. }
            | Self::Redirected { .. }
            | Self::WrongUrl { .. }
            | Self::Index { .. }
            | Self::SourceFile { .. } => {
                "the geocoder is not set up as it must be: the operator finds the cause in the log".to_owned()
            }
            Self::Unreachable { provider, .. } | Self::Failed { provider, .. } => {
                format!("{provider} is out of service: ask again later")
            }
            Self::QuotaUsed { provider, .. } => format!("{provider} wants fewer requests: ask again later"),
            Self::Refused { provider, .. } => format!("{provider} does not take this question: write it differently"),
            Self::Malformed { provider, .. } | Self::TooLarge { provider, .. } => {
                format!("the answer of {provider} cannot be used: ask again later")
            }
            Self::Unsupported { .. }
            | Self::TooCoarse
            | Self::TimedOut { .. }
            | Self::OutOfTime { .. }
            | Self::Busy { .. }
            | Self::Resting { .. } => self.to_string(),
        }
    }
}

impl Fault for Error {
    fn reason(&self) -> Reason {
        match self {
            Self::TooCoarse => Reason::FieldInvalid,
            Self::Refused { .. } => Reason::GeocoderRefused,
            Self::Unsupported { .. } => Reason::GeocoderUnsupported,
            Self::NotConfigured
            | Self::Denied { .. }
            | Self::Redirected { .. }
            | Self::WrongUrl { .. }
            | Self::Index { .. }
            | Self::SourceFile { .. } => Reason::GeocoderMisconfigured,
            Self::QuotaUsed { .. } | Self::Resting { why: Rest::Quota, .. } => Reason::GeocoderQuotaUsed,
            Self::Busy { .. } => Reason::GeocoderBusy,
            Self::OutOfTime { .. } => Reason::DeadlineExceeded,
            Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::Failed { .. }
            | Self::Malformed { .. }
            | Self::TooLarge { .. }
            | Self::Resting { why: Rest::Failures, .. } => Reason::GeocoderUnavailable,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } | Self::Resting { retry_after, .. } => Some(*retry_after),
            Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::OutOfTime { .. }
            | Self::Failed { .. }
            | Self::QuotaUsed { .. }
            | Self::Malformed { .. }
            | Self::TooLarge { .. } => Some(self.asked_to_wait().unwrap_or(RETRY_AFTER)),
            // Asking again changes nothing.
            _ => None,
        }
    }
}
