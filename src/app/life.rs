//! How long a connection is kept: until it asks nothing, is needed by nobody for long, is old, or has to make room.
//!
//! It is then told to go, which hurts nobody: calls under way are answered, and the next ones come by another connection. Who
//! does not go is cut, once nothing is under way.

use std::future::pending;
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::api::traffic::End;
use crate::api::traffic::occupancy::Occupancy;
use crate::config::Listen;

/// Time from the connection to its first request: who says nothing holds no place.
const FIRST_REQUEST_TIME: Duration = Duration::from_secs(10);
/// Time for a peer that was told to go and has nothing under way: one that is there answers within a round trip.
const FAREWELL_TIME: Duration = Duration::from_secs(2);
/// Time for calls that are under way still when the grace is over: as long as the longest of them, an erasure.
const LAST_CALL_TIME: Duration = Duration::from_mins(10);
/// Ages are drawn from a tenth below the greatest to a tenth above it, in thousandths: connections that began together, as after
/// a restart, do not end together.
const AGE_THOUSANDTHS: std::ops::RangeInclusive<u32> = 900..=1_100;

/// How long connections are kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Life {
    /// Longest time without a call; `None` for any.
    idle: Option<Duration>,
    /// Greatest age, give or take; `None` for none.
    age_max: Option<Duration>,
    /// Time for what is under way on a connection that was told to go.
    grace: Duration,
}

impl Life {
    /// As the operator wants it.
    pub(super) fn of(listen: &Listen) -> Self {
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        let limit = |limit: u32| (limit > 0).then(|| seconds(limit));
        Self {
            idle: limit(listen.connection_idle_s),
            age_max: limit(listen.connection_age_max_s),
            grace: seconds(listen.connection_grace_s),
        }
    }

    /// Waits until a connection has to be told to go, and says why.
    pub(super) async fn over(self, occupancy: &Occupancy) -> End {
        let idle = async {
            match self.idle {
                Some(limit) => occupancy.unused_for(limit).await,
                None => pending().await,
            }
        };
        let aged = async {
            match self.drawn_age() {
                Some(age) => sleep(age).await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = occupancy.displaced() => End::Displaced,
            () = idle => End::Idle,
            () = aged => End::Aged,
        }
    }

    /// Waits until a connection that was told to go has to be cut. Answers that go on, as watches do, are ended when the grace
    /// is over, or at once where nothing else is under way.
    pub(super) async fn spent(self, occupancy: &Occupancy) {
        let _ = timeout(self.grace, occupancy.unused_for(FAREWELL_TIME)).await;
        occupancy.end_answers();
        sleep(FAREWELL_TIME).await;
        let _ = timeout(LAST_CALL_TIME, occupancy.unused_for(FAREWELL_TIME)).await;
    }

    fn drawn_age(self) -> Option<Duration> {
        let (least, most) = AGE_THOUSANDTHS.into_inner();
        let drawn = RandomState::new().hash_one(()) % u64::from(most - least + 1);
        let thousandths = least + u32::try_from(drawn).unwrap_or_default();
        self.age_max.map(|age| age * thousandths / 1_000)
    }
}

/// Waits until a connection that asked nothing has had its time; for ever, where it asked in time.
pub(super) async fn silence(occupancy: &Occupancy) {
    sleep(FIRST_REQUEST_TIME).await;
    if occupancy.has_asked() {
        pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::time::{Instant, advance};

    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn life(idle: Option<Duration>, age_max: Option<Duration>) -> Life {
        Life { idle, age_max, grace: MINUTE }
    }

    async fn seconds(waited: impl Future<Output = ()>) -> u64 {
        let begun = Instant::now();
        waited.await;
        begun.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_keeps_its_connection_from_being_idle_and_not_from_growing_old() {
        let occupancy = Occupancy::new();
        assert_eq!(life(Some(MINUTE), Some(MINUTE * 60)).over(&occupancy).await, End::Idle);
        let call = occupancy.begin(true);
        let begun = Instant::now();
        assert_eq!(life(Some(MINUTE), Some(MINUTE * 60)).over(&occupancy).await, End::Aged);
        assert!((54 * MINUTE..=67 * MINUTE).contains(&begun.elapsed()), "{:?}", begun.elapsed());
        assert!(timeout(MINUTE * 10_000, life(None, None).over(&occupancy)).await.is_err());
        drop(call);
        assert!(timeout(MINUTE * 10_000, life(None, None).over(&occupancy)).await.is_err());
    }

    #[test]
    fn ages_are_spread_around_the_greatest() {
        let ages: std::collections::BTreeSet<_> =
            (0..100).map(|_| life(None, Some(MINUTE)).drawn_age().unwrap()).collect();
        assert!(ages.len() > 20);
        assert!(ages.iter().all(|age| (54..=66).contains(&age.as_secs())), "{ages:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_told_to_go_has_time_for_what_is_under_way() {
        let occupancy = Occupancy::new();
        advance(MINUTE).await;
        let nothing = seconds(life(None, None).spent(&occupancy)).await;
        assert_eq!(nothing, FAREWELL_TIME.as_secs());
        assert!(occupancy.answers_end().now_or_never().is_some());

        // An answer that goes on for ever, and that ends as soon as it is told to.
        let occupancy = Occupancy::new();
        let watch = occupancy.begin(true);
        let ends = async {
            occupancy.answers_end().await;
            drop(watch);
        };
        let (waited, ()) = tokio::join!(seconds(life(None, None).spent(&occupancy)), ends);
        assert_eq!(waited, (MINUTE + FAREWELL_TIME).as_secs());

        // A call that has a longer time of its own.
        let occupancy = Occupancy::new();
        let erasure = occupancy.begin(true);
        let ends = async {
            sleep(MINUTE * 5).await;
            drop(erasure);
        };
        let (waited, ()) = tokio::join!(seconds(life(None, None).spent(&occupancy)), ends);
        assert_eq!(waited, 5 * 60 + FAREWELL_TIME.as_secs());
        // And one that never ends.
        let stuck = occupancy.begin(true);
        let waited = seconds(life(None, None).spent(&occupancy)).await;
        assert_eq!(waited, (MINUTE + FAREWELL_TIME + LAST_CALL_TIME).as_secs());
        drop(stuck);
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_nothing_has_no_time() {
        let occupancy = Occupancy::new();
        assert_eq!(seconds(silence(&occupancy)).await, FIRST_REQUEST_TIME.as_secs());
        drop(occupancy.begin(false));
        assert!(timeout(MINUTE, silence(&occupancy)).await.is_err());
        assert!(silence(&occupancy).now_or_never().is_none());
    }
}
