//! A limit of requests around a geocoder: each waits for its turn, and no longer than its caller does.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::Instant;

use super::limiter::{Limiter, NoTurn};
use super::{Candidate, Error, Geocoder, Inquiry};

/// A geocoder that is asked as often as a limiter allows.
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
        self.limiter.turn(deadline).await.map_err(busy)?;
        self.inner.answer(inquiry, deadline).await
    }

    fn attributions(&self) -> Vec<String> {
        self.inner.attributions()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::fake::{Act, Fake, SOON, gata};
    use super::super::limiter::{Limits as _, LocalLimits};
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_request_waits_for_its_turn_or_says_that_there_is_none() {
        let fake = Arc::new(Fake::of(vec![Act::Answer; 9]));
        let limiter = LocalLimits::default().limiter("fake", Duration::from_secs(1));
        let throttled = Throttled::new(Arc::clone(&fake) as _, "fake".into(), limiter);
        let start = Instant::now();
        for _ in 0..3 {
            throttled.answer(&gata(), start + SOON).await.unwrap();
        }
        assert!(start.elapsed() >= Duration::from_secs(2), "{:?}", start.elapsed());
        let error = throttled.answer(&gata(), Instant::now() + Duration::from_millis(1)).await.unwrap_err();
        assert!(matches!(error, Error::Busy { .. }) && fake.count() == 3, "the provider never hears of it");
    }
}
