//! How far apart requests to one server are: behind a small trait, so that a whole fleet can keep one pace.
//!
//! A pace knows nothing of who waits for it: that is `turns`. One that is shared by several processes takes its turns in
//! a store that they share, and gives what it last saw there as its outlook.

use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::time::Instant;

/// Shortest time between two requests: a limit without one is none.
pub(super) const PERIOD_MIN: Duration = Duration::from_nanos(1);

/// When turns are to be expected, as far as this process knows. No promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outlook {
    /// How long until the next.
    pub next_in: Duration,
    /// From then on, one each period.
    pub period: Duration,
}

/// A pace that all keep who ask one server.
#[async_trait]
pub trait Pace: Send + Sync + std::fmt::Debug {
    /// Takes a turn where one is due, otherwise says how long until one may be. Never gives two turns that are less than
    /// a period apart. A call that is dropped may have taken its turn.
    async fn take(&self) -> Result<(), Duration>;

    /// When turns are to be expected.
    fn outlook(&self) -> Outlook;

    /// Keeps to another period from now on: the next turn is so long after the last one.
    fn set_period(&self, period: Duration);
}

/// The pace of this process alone.
#[derive(Debug)]
pub(super) struct LocalPace {
    kept: Mutex<Kept>,
}

#[derive(Debug, Clone, Copy)]
struct Kept {
    period: Duration,
    last: Option<Instant>,
}

impl Kept {
    fn next_in(self, now: Instant) -> Duration {
        self.last.map_or(Duration::ZERO, |last| (last + self.period).saturating_duration_since(now))
    }
}

impl LocalPace {
    /// One turn each `period`; the first at once.
    pub(super) fn new(period: Duration) -> Self {
        Self { kept: Mutex::new(Kept { period: period.max(PERIOD_MIN), last: None }) }
    }
}

#[async_trait]
impl Pace for LocalPace {
    async fn take(&self) -> Result<(), Duration> {
        let now = Instant::now();
        let mut kept = self.kept.lock();
        let wait = kept.next_in(now);
        if !wait.is_zero() {
            return Err(wait);
        }
        kept.last = Some(now);
        Ok(())
    }

    fn outlook(&self) -> Outlook {
        let kept = *self.kept.lock();
        Outlook { next_in: kept.next_in(Instant::now()), period: kept.period }
    }

    fn set_period(&self, period: Duration) {
        self.kept.lock().period = period.max(PERIOD_MIN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn turns_are_a_period_apart_and_none_is_saved_up() {
        let pace = LocalPace::new(SECOND);
        assert_eq!((pace.take().await, pace.take().await), (Ok(()), Err(SECOND)));
        tokio::time::advance(SECOND / 4).await;
        assert_eq!(pace.outlook(), Outlook { next_in: SECOND * 3 / 4, period: SECOND });
        tokio::time::advance(SECOND * 60).await;
        assert_eq!((pace.take().await, pace.take().await), (Ok(()), Err(SECOND)));
    }

    #[tokio::test(start_paused = true)]
    async fn another_period_counts_from_the_last_turn() {
        let pace = LocalPace::new(SECOND);
        pace.take().await.unwrap();
        pace.set_period(SECOND * 10);
        assert_eq!(pace.take().await, Err(SECOND * 10));
        pace.set_period(SECOND / 2);
        tokio::time::advance(SECOND / 2).await;
        assert_eq!(pace.take().await, Ok(()));
    }
}
