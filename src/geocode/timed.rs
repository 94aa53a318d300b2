//! A time-out around a geocoder: whatever it does, the caller hears of it in time.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, timeout_at};

use super::{Candidate, Error, Geocoder, Inquiry};

/// Time that a provider must have had to be blamed for silence. Healthy ones need less, from anywhere; and the first of the
/// longest chain has more, or a silent one would never be left alone.
const FAIR_TIME: Duration = Duration::from_secs(1);

/// A geocoder with a limit of time for each answer; the caller's deadline holds too.
#[derive(Debug)]
pub(super) struct Timed {
    inner: Arc<dyn Geocoder>,
    provider: Arc<str>,
    time_max: Duration,
}

impl Timed {
    /// Waits for `inner` at most so long.
    pub(super) fn new(inner: Arc<dyn Geocoder>, provider: Arc<str>, time_max: Duration) -> Self {
        Self { inner, provider, time_max }
    }
}

#[async_trait]
impl Geocoder for Timed {
    async fn answer(&self, inquiry: &Inquiry, deadline: Instant) -> Result<Vec<Candidate>, Error> {
        let now = Instant::now();
        let ends = deadline.min(now + self.time_max);
        let is_fair = ends >= now + self.time_max.min(FAIR_TIME);
        let provider = || Arc::clone(&self.provider);
        let answered = timeout_at(ends, self.inner.answer(inquiry, ends)).await;
        match answered.unwrap_or_else(|_| Err(Error::TimedOut { provider: provider() })) {
            Err(Error::TimedOut { .. }) if !is_fair => Err(Error::OutOfTime { provider: provider() }),
            answered => answered,
        }
    }

    fn attributions(&self) -> Vec<String> {
        self.inner.attributions()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Act, Fake, SOON, gata};
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_ends_at_the_limit_or_the_deadline() {
        let fake = Arc::new(Fake::of([Act::Silence, Act::Silence, Act::Answer]));
        let timed = Timed::new(Arc::clone(&fake) as _, "fake".into(), Duration::from_secs(5));
        let start = Instant::now();
        let error = timed.answer(&gata(), start + SOON).await.unwrap_err();
        assert!(matches!(error, Error::TimedOut { .. }) && start.elapsed() < Duration::from_millis(5_010));
        let start = Instant::now();
        let error = timed.answer(&gata(), start + FAIR_TIME).await.unwrap_err();
        assert!(matches!(error, Error::TimedOut { .. }) && start.elapsed() < FAIR_TIME + Duration::from_millis(10));
        assert_eq!(timed.answer(&gata(), Instant::now() + SOON).await.unwrap().len(), 1);
        assert_eq!(fake.count(), 3);
    }

    /// Callers with little time made a provider look broken that answers within half a second.
    #[tokio::test(start_paused = true)]
    async fn who_has_little_time_blames_nobody() {
        let fake = Arc::new(Fake::of([Act::Silence]));
        let timed = Timed::new(fake, "fake".into(), Duration::from_secs(5));
        let start = Instant::now();
        let error = timed.answer(&gata(), start + Duration::from_millis(300)).await.unwrap_err();
        assert!(matches!(error, Error::OutOfTime { .. }), "{error:?}");
        assert!(start.elapsed() < Duration::from_millis(310));
    }

    #[test]
    fn a_share_of_the_longest_chain_is_fair() {
        let links = u32::try_from(super::super::chain::LINKS_MAX).unwrap();
        assert!(super::super::ANSWER_TIME / links > FAIR_TIME);
    }

    #[tokio::test(start_paused = true)]
    async fn a_short_limit_of_its_own_is_fair() {
        let timed = Timed::new(Arc::new(Fake::of([Act::Silence])), "fake".into(), Duration::from_millis(100));
        let error = timed.answer(&gata(), Instant::now() + SOON).await.unwrap_err();
        assert!(matches!(error, Error::TimedOut { .. }), "{error:?}");
    }
}
