//! How often links are checked again by themselves, and at which times each account is.
//!
//! When an account is due is a function of its id, its last run and the time, so a restart neither begins a run early nor
//! forgets one. An account has times of its own, eight in each period: whatever comes due together, after a restart or
//! because many were checked at once, is spread over an eighth of it.

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::model::connection::Verification;
use crate::model::id::AccountId;

/// Times of an account in each period. An hour has 3,600 seconds, so they are whole seconds apart.
const TIMES: i64 = 8;
/// So many seconds late a run may begin and still count as begun in time: what is due is looked for every few seconds. It
/// keeps a run of each day from beginning a little later every day, until it misses its time.
const LATE_S_MAX: i64 = 60;
/// Who begins runs that nobody asked for.
pub(super) const STARTER: &str = "system";

/// How often.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rhythm {
    period_s: i64,
}

impl Rhythm {
    /// Once in so many hours; `None` for 0, which is never.
    pub(super) fn of_hours(hours: u16) -> Option<Self> {
        (hours > 0).then(|| Self { period_s: i64::from(hours) * 3_600 })
    }

    /// When a run of an account is due: at the first of its times when its last one is older than a period, which may be
    /// past. Without a run that is the first one since it was connected. Times before `since`, when nobody looked, are
    /// passed over: else all that came due meanwhile began at once.
    pub(super) fn due(
        self,
        account: &AccountId,
        last: Option<&Verification>,
        connected_at: Timestamp,
        since: Timestamp,
    ) -> Timestamp {
        let earliest_s = last.map_or_else(|| ceil_s(connected_at), |run| self.end_s(account, run));
        let at_s = self.time_s(account, earliest_s.max(ceil_s(since)));
        Timestamp::from_second(at_s).unwrap_or(Timestamp::MAX)
    }

    /// The second at which the period behind a run ends.
    fn end_s(self, account: &AccountId, run: &Verification) -> i64 {
        let started_s = ceil_s(run.started_at);
        let due_s = self.time_s(account, started_s - LATE_S_MAX);
        let is_in_time = run.started_by == STARTER && due_s <= started_s;
        self.period_s + if is_in_time { due_s } else { started_s }
    }

    /// The account's first time at or behind a second.
    fn time_s(self, account: &AccountId, from_s: i64) -> i64 {
        let between_s = self.period_s / TIMES;
        let digest = Sha256::digest(account.as_str());
        let drawn = digest.iter().take(8).fold(0_u64, |drawn, byte| (drawn << 8) | u64::from(*byte));
        // The remainder of a division by an `i64` is one.
        let offset_s = (drawn % between_s.unsigned_abs()).cast_signed();
        from_s + (offset_s - from_s).rem_euclid(between_s)
    }
}

/// The first whole second at or behind a time.
fn ceil_s(at: Timestamp) -> i64 {
    at.as_second() + i64::from(at.subsec_nanosecond() > 0)
}

/// Since when what is due is looked for without a pause.
#[derive(Debug, Default)]
pub(super) struct Watchfulness {
    since: Option<Timestamp>,
    last: Timestamp,
}

impl Watchfulness {
    /// A look at `now`; since when there was one all along. A process that stood still, and a clock that jumps, are a pause.
    pub(super) fn look(&mut self, now: Timestamp, pause_max: SignedDuration) -> Timestamp {
        let paused = now.duration_since(self.last);
        let is_pause = paused.is_negative() || paused > pause_max;
        self.last = now;
        let since = self.since.filter(|_| !is_pause).unwrap_or(now);
        self.since = Some(since);
        since
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::connection::{LinkFindings, VerificationState};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn account(number: u32) -> AccountId {
        format!("account-{number}").parse().unwrap()
    }

    fn run(started_s: i64, started_by: &str) -> Verification {
        Verification {
            id: "1".to_owned(),
            account: account(0),
            state: VerificationState::Done,
            cursor: None,
            total: 0,
            findings: LinkFindings::default(),
            resumes_at: None,
            waits: 0,
            started_at: at(started_s),
            ended_at: None,
            started_by: started_by.to_owned(),
        }
    }

    proptest! {
        /// Whoever begins runs, and whenever: the next one is due a period later, an eighth more at most.
        #[test]
        fn a_run_is_due_a_period_behind_the_last_one(
            number in 0..1_000_u32, hours in 1..=u16::MAX, started_s in 0..4_000_000_000_i64, idle_s in 0..1_000_000_i64,
        ) {
            let (rhythm, account) = (Rhythm::of_hours(hours).unwrap(), account(number));
            let (period_s, eighth_s) = (i64::from(hours) * 3_600, i64::from(hours) * 450);
            let by_hand = rhythm.due(&account, Some(&run(started_s, "token:1")), at(0), at(0)).as_second() - started_s;
            prop_assert!((period_s..period_s + eighth_s).contains(&by_hand), "{by_hand}");
            let by_itself = rhythm.due(&account, Some(&run(started_s, STARTER)), at(0), at(0)).as_second() - started_s;
            prop_assert!((period_s - LATE_S_MAX..period_s + eighth_s).contains(&by_itself), "{by_itself}");
            let first = rhythm.due(&account, None, at(started_s), at(0)).as_second() - started_s;
            prop_assert!((0..eighth_s).contains(&first), "{first}");
            // What came due while nobody looked is due within an eighth of a period.
            let since_s = started_s + period_s + eighth_s + idle_s;
            let late = rhythm.due(&account, Some(&run(started_s, "token:1")), at(0), at(since_s)).as_second() - since_s;
            prop_assert!((0..eighth_s).contains(&late), "{late}");
        }

        /// A run that begins a little late, each time, is due at the same time of each period all the same.
        #[test]
        fn runs_in_time_stay_at_their_time(number in 0..1_000_u32, late_s in prop::collection::vec(0..=LATE_S_MAX, 50)) {
            let (rhythm, account) = (Rhythm::of_hours(24).unwrap(), account(number));
            let first = rhythm.due(&account, None, at(1_000_000), at(0));
            let mut due = first;
            for (index, late_s) in (1..).zip(late_s) {
                let begun = due.as_second() + late_s;
                due = rhythm.due(&account, Some(&run(begun, STARTER)), at(0), at(begun));
                prop_assert_eq!(due.as_second(), first.as_second() + index * 86_400);
            }
        }
    }

    #[test]
    fn accounts_that_come_due_together_are_spread() {
        let rhythm = Rhythm::of_hours(24).unwrap();
        let due = (0..1_000).map(|number| rhythm.due(&account(number), None, at(0), at(1_000_000)).as_second());
        let mut in_minute = std::collections::HashMap::<i64, usize>::new();
        due.for_each(|due| *in_minute.entry(due / 60).or_default() += 1);
        // A thousand over 180 minutes are six in each of them.
        let most = in_minute.values().max().unwrap();
        assert!(in_minute.len() > 150 && *most < 20, "{} minutes, {most} in one", in_minute.len());
    }

    #[test]
    fn a_pause_and_a_clock_that_jumps_begin_anew() {
        let (mut watchfulness, pause_max) = (Watchfulness::default(), SignedDuration::from_mins(10));
        let mut look = |second| watchfulness.look(at(second), pause_max).as_second();
        assert_eq!((look(10_000), look(10_500), look(11_100)), (10_000, 10_000, 10_000));
        assert_eq!((look(11_701), look(11_702)), (11_701, 11_701), "it stood still");
        assert_eq!((look(5_000), look(5_001)), (5_000, 5_000), "the clock was set back");
    }

    #[test]
    fn never_is_never() {
        assert!(Rhythm::of_hours(0).is_none());
    }
}
