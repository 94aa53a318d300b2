//! A time-out around a geocoder: whatever it does, the caller hears of it in time.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, timeout_at};

use super::{Candidate, Error, Geocoder, Inquiry};

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
        let ends = deadline.min(Instant::now() + self.time_max);
        let answered = timeout_at(ends, self.inner.answer(inquiry, ends)).await;
        answered.unwrap_or_else(|_| Err(Error::TimedOut { provider: Arc::clone(&self.provider) }))
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
        timed.answer(&gata(), start + Duration::from_secs(1)).await.unwrap_err();
        assert!(start.elapsed() < Duration::from_millis(1_010));
        assert_eq!(timed.answer(&gata(), Instant::now() + SOON).await.unwrap().len(), 1);
        assert_eq!(fake.count(), 3);
    }
}
