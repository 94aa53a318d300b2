//! How often a provider may be asked: behind a small trait, so that a limit can be shared by a whole fleet.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until, timeout_at};

/// Most that wait for one provider's turn: at one request a second more would wait longer than any deadline.
const WAITING_MAX: u32 = 64;

/// There was no turn in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoTurn {
    /// When there may be one.
    pub retry_after: Duration,
}

/// A limit of requests to one provider.
#[async_trait]
pub trait Limiter: Send + Sync + std::fmt::Debug {
    /// Waits for a turn, first come first served, and at most until `deadline`. Whoever stops waiting takes none.
    async fn turn(&self, deadline: Instant) -> Result<(), NoTurn>;
}

/// Where limiters come from. The same name and period lead to the same limiter, across reloads too; another period to a
/// new one, from which on the old one counts for those alone who have it.
pub trait Limits: Send + Sync + std::fmt::Debug {
    /// The limiter that gives one turn each `period` to all who ask under this name.
    fn limiter(&self, name: &str, period: Duration) -> Arc<dyn Limiter>;
}

/// Limits of this process alone: one for each server that was ever configured.
#[derive(Debug, Default)]
pub struct LocalLimits {
    made: Mutex<HashMap<String, Arc<Local>>>,
}

impl Limits for LocalLimits {
    fn limiter(&self, name: &str, period: Duration) -> Arc<dyn Limiter> {
        let mut made = self.made.lock();
        if let Some(local) = made.get(name).filter(|local| local.period == period) {
            return Arc::clone(local) as _;
        }
        let local = Arc::new(Local::new(period));
        made.insert(name.to_owned(), Arc::clone(&local));
        local
    }
}

/// The clock of the runtime, so that a test's time is the limiter's too.
#[derive(Debug, Clone, Copy)]
struct RuntimeClock;

impl Clock for RuntimeClock {
    type Instant = std::time::Instant;

    fn now(&self) -> Self::Instant {
        Instant::now().into_std()
    }
}

/// A limiter of this process.
#[derive(Debug)]
struct Local {
    limiter: RateLimiter<NotKeyed, InMemoryState, RuntimeClock, NoOpMiddleware<std::time::Instant>>,
    /// Who holds it is the next: the others wait in the order in which they came.
    front: Semaphore,
    /// Who holds one may wait.
    places: Semaphore,
    period: Duration,
}

impl Local {
    fn new(period: Duration) -> Self {
        let period = period.max(Duration::from_nanos(1));
        let quota = Quota::with_period(period).expect("a period is not zero").allow_burst(NonZeroU32::MIN);
        Self {
            limiter: RateLimiter::direct_with_clock(quota, RuntimeClock),
            front: Semaphore::new(1),
            places: Semaphore::new(WAITING_MAX as usize),
            period,
        }
    }
}

#[async_trait]
impl Limiter for Local {
    async fn turn(&self, deadline: Instant) -> Result<(), NoTurn> {
        let full = NoTurn { retry_after: self.period.saturating_mul(WAITING_MAX) };
        let _place = self.places.try_acquire().map_err(|_| full)?;
        let free = u32::try_from(self.places.available_permits()).unwrap_or(WAITING_MAX);
        let no_turn = NoTurn { retry_after: self.period.saturating_mul(WAITING_MAX - free) };
        let front = timeout_at(deadline, self.front.acquire()).await.map_err(|_| no_turn)?;
        let _front = front.expect("the semaphore is never closed");
        while let Err(not_until) = self.limiter.check() {
            let wait = not_until.wait_time_from(RuntimeClock.now());
            let turn = Instant::now() + wait;
            if turn > deadline {
                return Err(NoTurn { retry_after: wait });
            }
            sleep_until(turn).await;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(1);

    fn limiter() -> Arc<dyn Limiter> {
        LocalLimits::default().limiter("x", PERIOD)
    }

    #[tokio::test(start_paused = true)]
    async fn turns_are_a_period_apart_and_in_order() {
        let limiter = limiter();
        let start = Instant::now();
        let mut waiting = tokio::task::JoinSet::new();
        for number in 0..5_u32 {
            let limiter = Arc::clone(&limiter);
            waiting.spawn(async move {
                limiter.turn(start + PERIOD * 60).await.unwrap();
                (number, start.elapsed())
            });
            tokio::task::yield_now().await;
        }
        let mut turns = waiting.join_all().await;
        turns.sort_by_key(|(_, at)| *at);
        for (expect, (number, at)) in (0..5).zip(turns) {
            assert_eq!(number, expect);
            let late = at.checked_sub(PERIOD * expect).expect("not before its turn");
            assert!(late < Duration::from_millis(20), "{number}: {at:?}");
        }
    }

    /// Whoever came later and happens to look first does not take the turn of the one who waits.
    #[tokio::test(start_paused = true)]
    async fn nobody_overtakes() {
        use futures_util::FutureExt as _;
        let limiter = limiter();
        let far = Instant::now() + PERIOD * 60;
        limiter.turn(far).await.unwrap();
        let mut first = limiter.turn(far);
        assert_eq!((&mut first).now_or_never(), None);
        tokio::time::advance(PERIOD).await;
        assert_eq!(limiter.turn(far).now_or_never(), None, "the turn is another's");
        first.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn who_cannot_have_a_turn_in_time_is_told() {
        let limiter = limiter();
        limiter.turn(Instant::now()).await.unwrap();
        let start = Instant::now();
        let refused = limiter.turn(start + PERIOD / 2).await.unwrap_err();
        assert!(refused.retry_after <= PERIOD && start.elapsed() < PERIOD / 10, "at once");
        limiter.turn(start + PERIOD * 2).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn who_goes_away_takes_no_turn() {
        let limiter = limiter();
        limiter.turn(Instant::now()).await.unwrap();
        let far = Instant::now() + PERIOD * 60;
        let given_up = tokio::time::timeout(PERIOD / 4, limiter.turn(far)).await;
        assert!(given_up.is_err());
        let start = Instant::now();
        limiter.turn(far).await.unwrap();
        assert!(start.elapsed() <= PERIOD, "the turn was still there");
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_is_turned_away() {
        let limiter = limiter();
        limiter.turn(Instant::now()).await.unwrap();
        let far = Instant::now() + PERIOD * 1_000;
        let mut waiting = tokio::task::JoinSet::new();
        for _ in 0..WAITING_MAX {
            let limiter = Arc::clone(&limiter);
            waiting.spawn(async move { limiter.turn(far).await });
        }
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        assert!(limiter.turn(far).await.is_err());
    }

    #[test]
    fn the_same_name_has_the_same_limiter() {
        let limits = LocalLimits::default();
        let of = |name, period| Arc::as_ptr(&limits.limiter(name, period)).cast::<()>();
        assert_eq!(of("a", PERIOD), of("a", PERIOD));
        assert_ne!(of("a", PERIOD), of("b", PERIOD));
        assert_ne!(of("a", PERIOD), of("a", PERIOD * 2));
    }
}
