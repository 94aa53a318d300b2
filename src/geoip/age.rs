//! How old a database may be: when to warn, when to mark what it says, when to stop asking it.
//!
//! Counted from the build that the file states, not from when it was fetched: an old build that was fetched today is
//! old. Knows nothing of files.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Ages in whole days from which on something happens; 0 for never, `None` for what stands above it says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AgePolicy {
    /// Operators are warned.
    pub warn_after_days: Option<u32>,
    /// Fixes that are made from it say so.
    pub mark_after_days: Option<u32>,
    /// It is not asked any more.
    pub refuse_after_days: Option<u32>,
}

impl AgePolicy {
    /// This policy, and what it leaves open from another.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            warn_after_days: self.warn_after_days.or(other.warn_after_days),
            mark_after_days: self.mark_after_days.or(other.mark_after_days),
            refuse_after_days: self.refuse_after_days.or(other.refuse_after_days),
        }
    }
}

/// What the age of a database means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Freshness {
    /// Young enough.
    Fresh,
    /// A newer one is due: operators are warned.
    Old,
    /// What it says is marked.
    Outdated,
    /// It is not asked.
    Refused,
}

/// The instants from which on the build of one database is old, outdated, and refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AgeLimits {
    old: Option<Timestamp>,
    outdated: Option<Timestamp>,
    refused: Option<Timestamp>,
}

impl AgeLimits {
    pub(super) fn new(build_time: Timestamp, policy: AgePolicy) -> Self {
        // An age beyond the calendar never comes.
        let at = |days: Option<u32>| {
            let days = days.filter(|days| *days > 0)?;
            build_time.checked_add(SignedDuration::from_hours(24 * i64::from(days))).ok()
        };
        Self {
            old: at(policy.warn_after_days),
            outdated: at(policy.mark_after_days),
            refused: at(policy.refuse_after_days),
        }
    }

    pub(super) fn at(&self, now: Timestamp) -> Freshness {
        let is_past = |limit: Option<Timestamp>| limit.is_some_and(|limit| now >= limit);
        if is_past(self.refused) {
            Freshness::Refused
        } else if is_past(self.outdated) {
            Freshness::Outdated
        } else if is_past(self.old) {
            Freshness::Old
        } else {
            Freshness::Fresh
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_begins_at_its_instant() {
        let build_time: Timestamp = "2026-06-05T13:42:02Z".parse().unwrap();
        let policy = AgePolicy { warn_after_days: Some(30), mark_after_days: Some(60), refuse_after_days: Some(90) };
        let limits = AgeLimits::new(build_time, policy);
        let check = |now: &str, expect| assert_eq!(limits.at(now.parse().unwrap()), expect, "{now}");
        check("1970-01-01T00:00:00Z", Freshness::Fresh);
        check("2026-07-05T13:42:01.999Z", Freshness::Fresh);
        check("2026-07-05T13:42:02Z", Freshness::Old);
        check("2026-08-04T13:42:02Z", Freshness::Outdated);
        check("2026-09-03T13:42:01Z", Freshness::Outdated);
        check("2026-09-03T13:42:02Z", Freshness::Refused);
        check("9999-12-30T22:00:00Z", Freshness::Refused);
    }

    #[test]
    fn nothing_happens_where_nothing_is_set() {
        for policy in [AgePolicy::default(), AgePolicy { refuse_after_days: Some(0), ..AgePolicy::default() }] {
            assert_eq!(AgeLimits::new(Timestamp::UNIX_EPOCH, policy).at(Timestamp::MAX), Freshness::Fresh);
        }
        let never = AgePolicy { refuse_after_days: Some(u32::MAX), ..AgePolicy::default() };
        assert_eq!(AgeLimits::new(Timestamp::UNIX_EPOCH, never).at(Timestamp::MAX), Freshness::Fresh);
    }

    #[test]
    fn what_is_set_nearer_wins() {
        let of = |warn, mark| AgePolicy { warn_after_days: warn, mark_after_days: mark, refuse_after_days: None };
        assert_eq!(of(Some(7), None).or(of(Some(30), Some(60))), of(Some(7), Some(60)));
        assert_eq!(of(Some(0), None).or(of(Some(30), None)), of(Some(0), None));
    }
}
