//! Several geocoders in order: the next is asked where one fails, finds nothing, or finds nothing good.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::{Instant, timeout_at};
use tracing::debug;

use super::error::Blame;
use super::{Candidate, Error, Geocoder, Inquiry, Subject};
use crate::error::Fault as _;

/// Most geocoders of a chain: each gets its share of a person's patience.
pub(super) const LINKS_MAX: usize = 8;

/// A geocoder of a chain.
#[derive(Debug, Clone)]
pub(super) struct Link {
    /// Its name, as in its candidates.
    pub(super) provider: Arc<str>,
    /// It.
    pub(super) geocoder: Arc<dyn Geocoder>,
}

/// Geocoders in order.
///
/// The first whose best candidate is confident enough answers. Where none is, the most confident answer of all is
/// given, however low; equal ones in the order of the chain. Where all that answered found nothing and one of the others
/// failed in passing, the failure is told: what was not asked everywhere is not "not found". Ids are looked up at whoever
/// gave them. Each geocoder may take an equal share of the time that is left, so that a slow one leaves the next its turn.
#[derive(Debug)]
pub(super) struct Chain {
    links: Vec<Link>,
    confidence_min: f64,
}

impl Chain {
    /// Asks `links` in their order; an answer with less confidence than this is not good enough.
    pub(super) fn new(links: Vec<Link>, confidence_min: f64) -> Self {
        Self { links, confidence_min }
    }

    /// Whether an answer ends the search.
    fn is_enough(&self, inquiry: &Inquiry, candidates: &[Candidate]) -> bool {
        match inquiry.subject {
            // A person looks at suggestions themselves, and is typing on.
            Subject::Typed(_) | Subject::Place(_) => !candidates.is_empty(),
            Subject::Address(_) | Subject::Position(_) => best(candidates) >= self.confidence_min,
        }
    }

    /// The links that a question is for.
    fn links(&self, inquiry: &Inquiry) -> Vec<&Link> {
        let is_for = |link: &&Link| match &inquiry.subject {
            Subject::Place(place) => place.provider == link.provider,
            _ => true,
        };
        self.links.iter().filter(is_for).collect()
    }
}

/// The confidence of an answer; below all others where it is empty.
fn best(candidates: &[Candidate]) -> f64 {
    candidates.first().map_or(-1.0, |candidate| candidate.confidence)
}

#[async_trait]
impl Geocoder for Chain {
    async fn answer(&self, inquiry: &Inquiry, deadline: Instant) -> Result<Vec<Candidate>, Error> {
        let links = self.links(inquiry);
        let mut kept: Option<Vec<Candidate>> = None;
        let mut failures = Vec::new();
        for (index, link) in links.iter().enumerate() {
            let left = u32::try_from(links.len() - index).unwrap_or(u32::MAX);
            let now = Instant::now();
            let ends = now + deadline.saturating_duration_since(now) / left;
            let answered = timeout_at(ends, link.geocoder.answer(inquiry, ends)).await;
            match answered.unwrap_or_else(|_| Err(Error::TimedOut { provider: Arc::clone(&link.provider) })) {
                Ok(candidates) if self.is_enough(inquiry, &candidates) => return Ok(candidates),
                Ok(candidates) => {
                    if kept.as_ref().is_none_or(|kept| best(kept) < best(&candidates)) {
                        kept = Some(candidates);
                    }
                }
                Err(failure) => {
                    debug!(provider = &*link.provider, %failure, "the next geocoder is asked");
                    failures.push(failure);
                }
            }
        }
        let failure = worth_telling(failures);
        match (kept, failure) {
            (Some(kept), _) if !kept.is_empty() => Ok(kept),
            (_, Some(failure)) => Err(failure),
            (kept, None) => Ok(kept.unwrap_or_default()),
        }
    }

    fn attributions(&self) -> Vec<String> {
        let mut distinct: Vec<String> = Vec::new();
        for attribution in self.links.iter().flat_map(|link| link.geocoder.attributions()) {
            if !distinct.contains(&attribution) {
                distinct.push(attribution);
            }
        }
        distinct
    }
}

/// The failure that leaves the answer open: the first that passes by itself, then the first after which asking again later
/// helps, else the first of any kind. That a question is not for one geocoder is told only where it is for none.
fn worth_telling(failures: Vec<Error>) -> Option<Error> {
    let rank = |failure: &Error| match (failure, failure.blame()) {
        (_, Blame::Passing) => 0,
        (failure, _) if failure.retry_after().is_some() => 1,
        (Error::Unsupported { .. } | Error::TooCoarse, _) => 3,
        _ => 2,
    };
    failures.into_iter().min_by_key(rank)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::PlaceId;
    use super::super::fake::{Act, Fake, SOON, gata};
    use super::*;

    fn chain(acts: Vec<Vec<Act>>) -> (Vec<Arc<Fake>>, Chain) {
        let fakes: Vec<Arc<Fake>> = acts.into_iter().map(|acts| Arc::new(Fake::of(acts))).collect();
        let link = |(number, fake): (usize, &Arc<Fake>)| Link {
            provider: format!("fake{number}").into(),
            geocoder: Arc::clone(fake) as _,
        };
        let links = fakes.iter().enumerate().map(link).collect();
        (fakes, Chain::new(links, 0.6))
    }

    /// What each link does, and what comes of it: the best confidence, `none`, or the failure; and who was asked.
    async fn check(acts: &[Act], expect: &str, asked: &[usize]) {
        let (fakes, chain) = chain(acts.iter().map(|act| vec![*act]).collect());
        let answered = match chain.answer(&gata(), Instant::now() + SOON).await {
            Ok(found) if found.is_empty() => "none".to_owned(),
            Ok(found) => format!("{:.1}", found[0].confidence),
            Err(failure) => failure.to_string(),
        };
        assert!(answered.contains(expect), "{acts:?}: {answered}");
        assert_eq!(fakes.iter().map(|fake| fake.count()).collect::<Vec<_>>(), asked, "{acts:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_is_asked_on_failure_emptiness_low_quality_and_quota() {
        check(&[Act::Answer, Act::Answer], "1.0", &[1, 0]).await;
        check(&[Act::Fail(503, None), Act::Answer], "1.0", &[1, 1]).await;
        check(&[Act::Fail(429, Some(SOON)), Act::Answer], "1.0", &[1, 1]).await;
        check(&[Act::Fail(402, None), Act::Answer], "1.0", &[1, 1]).await;
        check(&[Act::Busy, Act::Answer], "1.0", &[1, 1]).await;
        check(&[Act::Empty, Act::Answer], "1.0", &[1, 1]).await;
        check(&[Act::Doubt(0.3), Act::Answer], "1.0", &[1, 1]).await;
        check(&[Act::Silence, Act::Answer], "1.0", &[1, 1]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_best_of_what_is_not_good_is_given() {
        check(&[Act::Doubt(0.3), Act::Doubt(0.5), Act::Doubt(0.4)], "0.5", &[1, 1, 1]).await;
        check(&[Act::Doubt(0.3), Act::Empty], "0.3", &[1, 1]).await;
        check(&[Act::Doubt(0.3), Act::Fail(503, None)], "0.3", &[1, 1]).await;
        check(&[Act::Empty, Act::Empty], "none", &[1, 1]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_and_a_failure_are_a_failure() {
        check(&[Act::Empty, Act::Fail(503, None)], "503", &[1, 1]).await;
        check(&[Act::Fail(403, None), Act::Fail(503, None)], "503", &[1, 1]).await;
        check(&[Act::Fail(403, None), Act::Unsupported], "403", &[1, 1]).await;
        check(&[Act::Fail(403, None), Act::Fail(429, None)], "429", &[1, 1]).await;
        check(&[Act::Fail(403, None), Act::Busy], "no turn", &[1, 1]).await;
        check(&[Act::Busy, Act::Fail(503, None)], "503", &[1, 1]).await;
        check(&[Act::Unsupported, Act::Empty], "this kind", &[1, 1]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_one_leaves_the_next_its_share() {
        let (_, chain) = chain(vec![vec![Act::Silence], vec![Act::AnswerAfter(Duration::from_secs(1))]]);
        let start = Instant::now();
        assert_eq!(chain.answer(&gata(), start + SOON).await.unwrap().len(), 1);
        assert!(start.elapsed() < SOON);
    }

    #[tokio::test(start_paused = true)]
    async fn ids_go_to_who_gave_them() {
        let (fakes, chain) = chain(vec![vec![Act::Answer], vec![Act::Answer]]);
        let place = |provider: &str| PlaceId { provider: provider.into(), id: Fake::ID.into() };
        assert!(chain.look_up(&place("fake1")).await.unwrap().is_some());
        assert!(chain.look_up(&place("nobody")).await.unwrap().is_none());
        assert_eq!((fakes[0].count(), fakes[1].count()), (0, 1));
    }
}
