//! Why a geocoder gave no answer, and what can be done about it.
//!
//! Messages hold no key, no query and no address of a request: they end up in logs.

use std::sync::Arc;
use std::time::Duration;

use crate::error::{Fault, Reason};
use crate::model::site_address::WaitReason;

/// When to try again where nobody said: long enough for a restart, short enough for a person who waits.
const RETRY_AFTER: Duration = Duration::from_secs(5);

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
    /// The provider does not take the request.
    #[error("{provider} refuses the request: status {status}; check its base URL")]
    Refused {
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
    /// The provider failed so often that it is left alone for a while.
    #[error("{provider} failed too often and is left alone for now")]
    Resting {
        /// The provider.
        provider: Arc<str>,
        /// For how long.
        retry_after: Duration,
    },
}

/// Whose failure it is: what decorators go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blame {
    /// The provider's, and the same request may succeed soon.
    Passing,
    /// The provider's, and will stay until a human does something.
    Lasting,
    /// Nobody's: the question is not for this provider, or it was not asked.
    Nobody,
}

impl Error {
    /// Whose failure it is.
    pub(super) fn blame(&self) -> Blame {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } | Self::Failed { .. } | Self::QuotaUsed { .. } => {
                Blame::Passing
            }
            Self::Denied { .. }
            | Self::Redirected { .. }
            | Self::Malformed { .. }
            | Self::TooLarge { .. }
            | Self::Index { .. }
            | Self::SourceFile { .. } => Blame::Lasting,
            Self::NotConfigured
            | Self::Unsupported { .. }
            | Self::Refused { .. }
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
            Self::Busy { .. } | Self::Resting { .. } => Some(WaitReason::Busy),
            Self::Malformed { .. } | Self::TooLarge { .. } => Some(WaitReason::Malformed),
            Self::Index { .. }
            | Self::SourceFile { .. }
            | Self::NotConfigured
            | Self::Unsupported { .. }
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

    /// When the provider itself wants to be asked again.
    pub(super) fn asked_to_wait(&self) -> Option<Duration> {
        match self {
            Self::Failed { retry_after, .. } | Self::QuotaUsed { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

impl Fault for Error {
    fn reason(&self) -> Reason {
        Reason::GeocoderUnavailable
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } | Self::Resting { retry_after, .. } => Some(*retry_after),
            Self::Unsupported { .. } => None,
            _ => Some(self.asked_to_wait().unwrap_or(RETRY_AFTER)),
        }
    }
}
