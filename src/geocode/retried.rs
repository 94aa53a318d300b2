//! Retries around a geocoder: what failed in passing is asked again, later each time and never all at once.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use backon::{BackoffBuilder as _, ExponentialBuilder};
use tokio::time::{Instant, sleep};

use super::error::Blame;
use super::{Candidate, Error, Geocoder, Inquiry};

/// Repetitions of one question: a person waits, and a provider that failed three times is not helped by a fourth.
const RETRIES_MAX: usize = 2;
/// Shortest wait before a repetition; up to as much again is added at random, so that callers do not come together.
const WAIT_MIN: Duration = Duration::from_millis(200);
/// Longest wait, unless the provider names a longer one.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// A geocoder that is asked again after failures that pass. Where the provider names a time, not before it; where
/// that is beyond the caller's deadline, the failure is told at once, and so is that it wants fewer requests. A repetition
/// that got no turn or no time tells nothing new: the failure before it is told.
#[derive(Debug)]
pub(super) struct Retried {
    inner: Arc<dyn Geocoder>,
}

impl Retried {
    /// Repeats what is asked of `inner`.
    pub(super) fn new(inner: Arc<dyn Geocoder>) -> Self {
        Self { inner }
    }
}

#[async_trait]
impl Geocoder for Retried {
    async fn answer(&self, inquiry: &Inquiry, deadline: Instant) -> Result<Vec<Candidate>, Error> {
        let waits = ExponentialBuilder::default()
            .with_min_delay(WAIT_MIN)
            .with_max_delay(WAIT_MAX)
            .with_max_times(RETRIES_MAX)
            .with_jitter()
            .build();
        let mut answered = self.inner.answer(inquiry, deadline).await;
        for wait in waits {
            let failure = match answered {
                Err(failure) if failure.blame() == Blame::Passing => failure,
                answered => return answered,
            };
            let wait = failure.asked_to_wait().unwrap_or_default().max(wait);
            if deadline.saturating_duration_since(Instant::now()) <= wait {
                return Err(failure);
            }
            sleep(wait).await;
            answered = match self.inner.answer(inquiry, deadline).await {
                Err(Error::Busy { .. } | Error::OutOfTime { .. }) => return Err(failure),
                answered => answered,
            };
        }
        answered
    }

    fn attributions(&self) -> Vec<String> {
        self.inner.attributions()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Act, Fake, SOON, gata};
    use super::*;

    async fn ask(acts: impl IntoIterator<Item = Act>, time: Duration) -> (Result<usize, Error>, usize, Duration) {
        let fake = Arc::new(Fake::of(acts));
        let start = Instant::now();
        let answered = Retried::new(Arc::clone(&fake) as _).answer(&gata(), start + time).await;
        (answered.map(|found| found.len()), fake.count(), start.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn what_passes_is_asked_again_and_what_lasts_is_not() {
        let (answered, count, took) = ask([Act::Fail(503, None), Act::Fail(503, None), Act::Answer], SOON).await;
        assert_eq!((answered, count), (Ok(1), 3));
        assert!(took >= WAIT_MIN * 3 && took <= (WAIT_MIN + WAIT_MIN * 2) * 2, "{took:?}");
        for act in [
            Act::Fail(403, None),
            Act::Fail(400, None),
            Act::Fail(429, None),
            Act::Fail(402, Some(WAIT_MIN)),
            Act::Empty,
            Act::Garbage,
            Act::Busy,
            Act::OutOfTime,
        ] {
            assert_eq!(ask([act], SOON).await.1, 1);
        }
        let (answered, count, _) = ask(vec![Act::Fail(503, None); 9], SOON).await;
        assert!(answered.is_err() && count == RETRIES_MAX + 1, "{count}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_provider_names_the_time_and_the_caller_the_end() {
        let wait = Duration::from_secs(7);
        let (answered, count, took) = ask([Act::Fail(503, Some(wait)), Act::Answer], SOON).await;
        assert!(answered == Ok(1) && count == 2 && took >= wait, "{took:?}");
        let (answered, count, took) = ask([Act::Fail(503, Some(SOON * 2)), Act::Answer], SOON).await;
        assert!(answered.is_err() && count == 1 && took < Duration::from_millis(1), "told at once: {took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_repetition_without_a_turn_tells_the_failure_before_it() {
        for act in [Act::Busy, Act::OutOfTime] {
            let (answered, count, _) = ask([Act::Fail(503, None), act, Act::Answer], SOON).await;
            assert!(matches!(answered, Err(Error::Failed { .. })) && count == 2, "{answered:?}");
        }
    }
}
