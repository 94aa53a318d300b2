//! The terms of a provider: whether its answers may be kept, for how long, and what is shown beside them.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::model::evidence::Storage;

/// For how long an answer may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// Not at all: it is shown and forgotten.
    Never,
    /// From when it was given.
    For(Duration),
    /// For good.
    Unlimited,
}

impl Keep {
    /// What that means for an answer that is given at `now`.
    pub(super) fn from(self, now: Timestamp) -> Storage {
        match self {
            Self::Never => Storage::Never,
            Self::Unlimited => Storage::Unlimited,
            Self::For(time) => {
                let time = SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
                Storage::Until(now.checked_add(time).unwrap_or(Timestamp::MAX))
            }
        }
    }

    /// A time for which something is kept in memory, cut to half of what is allowed: who asks in the last quarter, to renew
    /// an answer, gets one whose time begins anew.
    pub(super) fn cut(self, time: Duration) -> Duration {
        match self {
            Self::Never => Duration::ZERO,
            Self::For(allowed) => time.min(allowed / 2),
            Self::Unlimited => time,
        }
    }
}

/// The terms of a provider; checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Terms {
    /// What is shown beside its answers, as plain text.
    pub(super) attribution: String,
    /// For how long an answer may be kept.
    pub(super) keep: Keep,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_counts_from_the_answer_and_never_overflows() {
        let now = Timestamp::from_second(100).unwrap();
        let of = |seconds| Keep::For(Duration::from_secs(seconds)).from(now);
        assert_eq!(of(60), Storage::Until(Timestamp::from_second(160).unwrap()));
        assert_eq!(of(u64::MAX), Storage::Until(Timestamp::MAX));
        assert_eq!((Keep::Never.from(now), Keep::Unlimited.from(now)), (Storage::Never, Storage::Unlimited));
    }

    #[test]
    fn terms_cut_what_a_cache_keeps() {
        let hour = Duration::from_hours(1);
        assert_eq!(Keep::Never.cut(hour), Duration::ZERO);
        assert_eq!(Keep::For(hour).cut(hour), hour / 2);
        assert_eq!(Keep::For(hour * 9).cut(hour), hour);
        assert_eq!(Keep::Unlimited.cut(hour), hour);
    }
}
