//! Why a call was refused before any work, and when it had better come again.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use super::limits::Limit;
use crate::error::{Fault, Reason};

/// Shortest and longest wait that a caller is told where the server is full: all are refused at once, and had better not come
/// again at once.
const BUSY_WAIT_MS: std::ops::Range<u64> = 250..2_250;

/// Why a call was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// A limit of how often.
    #[error("{}", .limit.told())]
    TooOften {
        /// Which one.
        limit: Limit,
        /// When the next call is let through.
        wait: Duration,
    },
    /// More is in flight than the server takes.
    #[error("the server has more to do than it takes: ask again as soon as RetryInfo says")]
    Busy {
        /// When to ask again.
        wait: Duration,
    },
}

impl Refusal {
    /// The server is full.
    pub(super) fn busy() -> Self {
        let spread = RandomState::new().hash_one(()) % (BUSY_WAIT_MS.end - BUSY_WAIT_MS.start);
        Self::Busy { wait: Duration::from_millis(BUSY_WAIT_MS.start + spread) }
    }
}

impl Limit {
    fn told(self) -> &'static str {
        match self {
            Self::Token => "this token makes more calls than one may: wait as long as RetryInfo says, and send fewer",
            Self::Account => {
                "the tokens of this account make more calls than one may: wait as long as RetryInfo says, and send fewer"
            }
            Self::Activations => {
                "more agents of this account activate than may at once: wait as long as RetryInfo says"
            }
            Self::Geocoding => "this account asks geocoders more often than one may: wait as long as RetryInfo says",
            Self::Invitations => "this account sends more invitations than one may: wait as long as RetryInfo says",
            Self::GeocodingOfAddress => {
                "geocoders are asked from this IP address more often than from one may: wait as long as RetryInfo says"
            }
            Self::StrangersOfAddress => {
                "too many calls without a good credential come from this IP address: send `authorization: Bearer wmk_…`"
            }
        }
    }
}

impl Fault for Refusal {
    fn reason(&self) -> Reason {
        match self {
            Self::TooOften { limit, .. } if limit.is_of_address() => Reason::NetworkRateLimited,
            Self::TooOften { .. } => Reason::RateLimited,
            Self::Busy { .. } => Reason::ServerBusy,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        let (Self::TooOften { wait, .. } | Self::Busy { wait }) = self;
        Some(*wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_are_refused_at_once_come_again_at_other_times() {
        let waits: std::collections::HashSet<_> = (0..100).map(|_| Refusal::busy().retry_after().unwrap()).collect();
        assert!(waits.len() > 50);
        assert!(waits.iter().all(|wait| (250..2_250).contains(&wait.as_millis())));
    }
}
