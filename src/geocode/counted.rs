//! A geocoder whose questions are counted, by how they end and how long they take. Never what was asked or answered.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::Instant;

use super::{Candidate, Error, Geocoder, Inquiry};
use crate::telemetry::geocoders::{Counts, Outcome};

/// A geocoder, and where its questions are counted. One whose callers all left is not.
#[derive(Debug)]
pub(super) struct Counted {
    inner: Arc<dyn Geocoder>,
    /// `None` for a protocol that nothing is counted of.
    counts: Option<&'static Counts>,
}

impl Counted {
    /// Counts what `inner` is asked.
    pub(super) fn new(inner: Arc<dyn Geocoder>, counts: Option<&'static Counts>) -> Self {
        Self { inner, counts }
    }
}

#[async_trait]
impl Geocoder for Counted {
    async fn answer(&self, inquiry: &Inquiry, deadline: Instant) -> Result<Vec<Candidate>, Error> {
        let begun = Instant::now();
        let answered = self.inner.answer(inquiry, deadline).await;
        if let Some(counts) = self.counts {
            counts.ended(outcome_of(&answered), begun.elapsed());
        }
        answered
    }

    fn attributions(&self) -> Vec<String> {
        self.inner.attributions()
    }
}

fn outcome_of(answered: &Result<Vec<Candidate>, Error>) -> Outcome {
    match answered {
        Ok(found) if found.is_empty() => Outcome::Empty,
        Ok(_) => Outcome::Answered,
        Err(Error::Refused { .. } | Error::Unsupported { .. } | Error::TooCoarse) => Outcome::Refused,
        // Of our own turns and rests nothing is heard below them.
        Err(Error::QuotaUsed { .. } | Error::Busy { .. } | Error::Resting { .. }) => Outcome::Quota,
        Err(Error::Denied { .. } | Error::WrongUrl { .. } | Error::Redirected { .. } | Error::NotConfigured) => {
            Outcome::Misconfigured
        }
        Err(Error::Malformed { .. } | Error::TooLarge { .. }) => Outcome::Malformed,
        Err(Error::Failed { .. } | Error::Index { .. } | Error::SourceFile { .. }) => Outcome::Failed,
        Err(Error::Unreachable { .. }) => Outcome::Unreachable,
        Err(Error::TimedOut { .. }) => Outcome::TimedOut,
        Err(Error::OutOfTime { .. }) => Outcome::OutOfTime,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::config::Kind;
    use super::super::fake::{Act, Fake, SOON, gata};
    use super::*;
    use crate::telemetry::geocoders;

    #[tokio::test(start_paused = true)]
    async fn each_question_is_counted_once_with_its_end() {
        let counts: &'static Counts = Box::leak(Box::new(Counts::new("fake")));
        let late = Duration::from_millis(700);
        let acts =
            [Act::Answer, Act::AnswerAfter(late), Act::Empty, Act::Fail(503, None), Act::OutOfTime, Act::Garbage];
        let fake = Arc::new(Fake::of(acts));
        let counted = Counted::new(Arc::clone(&fake) as _, Some(counts));
        let inquiry = gata();
        for _ in 0..acts.len() {
            let _ = counted.answer(&inquiry, Instant::now() + SOON).await;
        }
        let found = Outcome::ALL.map(|outcome| counts.with(outcome));
        let expected = Outcome::ALL.map(|outcome| match outcome {
            Outcome::Answered => 2,
            Outcome::Empty | Outcome::Failed | Outcome::OutOfTime | Outcome::Malformed => 1,
            _ => 0,
        });
        assert_eq!(found, expected);
        assert!((late..late * 2).contains(&counts.spent()), "{:?}", counts.spent());
        assert_eq!((fake.count(), counted.attributions()), (acts.len(), fake.attributions()));
        // Who goes away takes the question along.
        let silent = Counted::new(Arc::new(Fake::of([Act::Silence])), Some(counts));
        let asking = silent.answer(&inquiry, Instant::now() + SOON);
        assert!(tokio::time::timeout(late, asking).await.is_err());
        assert_eq!(counts.with(Outcome::TimedOut), 0);
    }

    #[test]
    fn every_protocol_is_counted() {
        let kinds = [Kind::Gazetteer, Kind::Nominatim, Kind::Photon, Kind::OpenCage];
        for kind in kinds {
            assert!(geocoders::of(kind.name()).is_some(), "{}", kind.name());
        }
        assert_eq!(geocoders::all().len(), kinds.len());
    }
}
