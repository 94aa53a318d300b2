//! A limit of requests around a geocoder: each waits for its turn, and no longer than its caller does.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::limiter::{Limiter, NoTurn};
use super::{Candidate, Error, Geocoder, Inquiry};

/// Least time that a request has when its turn comes: with less, no provider of another continent answers, and the turn
/// is lost to those who could use it.
const REQUEST_TIME_MIN: Duration = Duration::from_millis(250);

/// A geocoder that is asked as often as a limiter allows. A question whose turn would come too late for an answer is
/// refused at once, and the provider never hears of it.
#[derive(Debug)]
pub(super) struct Throttled {
    inner: Arc<dyn Geocoder>,
    provider: Arc<str>,
    limiter: Arc<dyn Limiter>,
}

impl Throttled {
    /// Asks `inner` when the limiter gives a turn.
    pub(super) fn new(inner: Arc<dyn Geocoder>, provider: Arc<str>, limiter: Arc<dyn Limiter>) -> Self {
        Self { inner, provider, limiter }
    }
}

#[async_trait]
impl Geocoder for Throttled {
    async fn answer(&self, inquiry: &Inquiry, deadline: Instant) -> Result<Vec<Candidate>, Error> {
        let busy = |NoTurn { retry_after }| Error::Busy { provider: Arc::clone(&self.provider), retry_after };
        let latest = deadline.checked_sub(REQUEST_TIME_MIN).filter(|latest| *latest >= Instant::now());
        let latest = latest.ok_or_else(|| Error::OutOfTime { provider: Arc::clone(&self.provider) })?;
        self.limiter.turn(inquiry.asker, latest).await.map_err(busy)?;
        self.inner.answer(inquiry, deadline).await
    }

    fn attributions(&self) -> Vec<String> {
        self.inner.attributions()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Act, Fake, SOON, gata};
    use super::super::inquiry::Asker;
    use super::super::limiter::{Limits as _, LocalLimits};
    use super::*;

    const PERIOD: Duration = Duration::from_secs(1);

    fn throttled() -> (Arc<Fake>, Arc<Throttled>) {
        let fake = Arc::new(Fake::of(vec![Act::Answer; 99]));
        let limiter = LocalLimits::default().limiter("fake", PERIOD);
        let throttled = Arc::new(Throttled::new(Arc::clone(&fake) as _, "fake".into(), limiter));
        (fake, throttled)
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_waits_for_its_turn_or_says_that_there_is_none() {
        let (fake, throttled) = throttled();
        let start = Instant::now();
        for _ in 0..3 {
            throttled.answer(&gata(), start + SOON).await.unwrap();
        }
        assert!(start.elapsed() >= PERIOD * 2, "{:?}", start.elapsed());
        let start = Instant::now();
        match throttled.answer(&gata(), start + PERIOD / 2).await {
            Err(Error::Busy { retry_after, .. }) => assert!(retry_after <= PERIOD && start.elapsed().is_zero()),
            other => panic!("{other:?}"),
        }
        assert_eq!(fake.count(), 3, "the provider never hears of it");
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_leaves_time_for_the_request() {
        let (fake, throttled) = throttled();
        let start = Instant::now();
        let short = throttled.answer(&gata(), start + REQUEST_TIME_MIN / 2).await;
        assert!(matches!(short, Err(Error::OutOfTime { .. })), "{short:?}");
        throttled.answer(&gata(), start + REQUEST_TIME_MIN).await.expect("there is a turn, and time");
        let late = throttled.answer(&gata(), start + PERIOD + REQUEST_TIME_MIN / 2).await;
        assert!(matches!(late, Err(Error::Busy { .. })), "{late:?}");
        assert!(fake.count() == 1 && start.elapsed().is_zero());
    }

    #[tokio::test(start_paused = true)]
    async fn accounts_take_turns() {
        let (_, throttled) = throttled();
        let start = Instant::now();
        let asking = |tenant: &'static str| {
            let throttled = Arc::clone(&throttled);
            tokio::spawn(async move {
                let inquiry = Inquiry { asker: Asker::of(&tenant), ..gata() };
                throttled.answer(&inquiry, start + SOON).await.map(|_| start.elapsed())
            })
        };
        let storm: Vec<_> = (0..40).map(|_| asking("storm")).collect();
        tokio::task::yield_now().await;
        let other = asking("other").await.unwrap().unwrap();
        assert!(other <= PERIOD * 3, "{other:?}");
        let mut refused = 0;
        for task in storm {
            refused += usize::from(task.await.unwrap().is_err());
        }
        assert!((20..40).contains(&refused), "{refused}");
    }
}
