//! A cache around a geocoder: what was answered is answered again, as long as the provider's terms allow.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use quick_cache::sync::Cache;
use tokio::time::Instant;

use super::terms::Keep;
use super::{Candidate, Error, Geocoder, Inquiry};

/// Answers that are kept; beyond it, those go that are asked for least. Five candidates take some 2 KiB.
const ANSWERS_MAX: usize = 8_192;

/// How long answers are kept; zero for not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    /// Those with candidates.
    pub(super) found: Duration,
    /// Empty ones: the place may be mapped tomorrow.
    pub(super) empty: Duration,
}

/// Answers that other processes were given. What goes wrong here is nobody's failure: the provider is asked.
#[async_trait]
pub trait SharedAnswers: Send + Sync + std::fmt::Debug {
    /// The answer to a question of a provider, and for how long it is still good.
    async fn get(&self, provider: &str, question: &str) -> Option<(Vec<Candidate>, Duration)>;

    /// Keeps an answer for a time.
    async fn put(&self, provider: &str, question: &str, candidates: &[Candidate], time: Duration);
}

/// Answers of a provider that other processes share.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    pub(super) answers: Arc<dyn SharedAnswers>,
    /// What the provider is, so that no other one's answers are taken for its own.
    pub(super) provider: String,
}

/// An answer, and when it is forgotten.
#[derive(Debug, Clone)]
struct Kept {
    candidates: Vec<Candidate>,
    ends: Instant,
}

/// A geocoder that is not asked what it answered before. Failures are not kept.
pub(super) struct Cached {
    inner: Arc<dyn Geocoder>,
    times: Times,
    kept: Cache<String, Kept>,
    shared: Option<Shared>,
}

impl std::fmt::Debug for Cached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cached").field("inner", &self.inner).field("times", &self.times).finish_non_exhaustive()
    }
}

impl Cached {
    /// Keeps what `inner` answers, as long as `keep` allows.
    pub(super) fn new(inner: Arc<dyn Geocoder>, times: Times, keep: Keep, shared: Option<Shared>) -> Self {
        // That nothing was found is no data of the provider's, and may be remembered.
        let times = Times { found: keep.cut(times.found), empty: times.empty };
        Self { inner, times, kept: Cache::new(ANSWERS_MAX), shared }
    }

    fn keep(&self, question: String, candidates: &[Candidate], time: Duration) {
        self.kept.insert(question, Kept { candidates: candidates.to_vec(), ends: Instant::now() + time });
    }
}

#[async_trait]
impl Geocoder for Cached {
    async fn answer(&self, inquiry: &Inquiry, deadline: Instant) -> Result<Vec<Candidate>, Error> {
        let key = inquiry.key();
        if let Some(kept) = self.kept.get(&key) {
            if Instant::now() < kept.ends {
                return Ok(kept.candidates);
            }
            self.kept.remove(&key);
        }
        if let Some(Shared { answers, provider }) = &self.shared
            && let Some((candidates, left)) = answers.get(provider, &key).await
        {
            self.keep(key, &candidates, left);
            return Ok(candidates);
        }
        let candidates = self.inner.answer(inquiry, deadline).await?;
        let time = if candidates.is_empty() { self.times.empty } else { self.times.found };
        if !time.is_zero() {
            if let Some(Shared { answers, provider }) = &self.shared {
                answers.put(provider, &key, &candidates, time).await;
            }
            self.keep(key, &candidates, time);
        }
        Ok(candidates)
    }

    fn attributions(&self) -> Vec<String> {
        self.inner.attributions()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Act, Fake, SOON, gata, line};
    use super::*;

    const TIMES: Times = Times { found: Duration::from_secs(100), empty: Duration::from_secs(10) };

    fn cached(acts: impl IntoIterator<Item = Act>, keep: Keep) -> (Arc<Fake>, Cached) {
        let fake = Arc::new(Fake::of(acts));
        let cached = Cached::new(Arc::clone(&fake) as _, TIMES, keep, None);
        (fake, cached)
    }

    async fn ask(cached: &Cached, inquiry: &Inquiry) -> Result<usize, Error> {
        cached.answer(inquiry, Instant::now() + SOON).await.map(|found| found.len())
    }

    #[tokio::test(start_paused = true)]
    async fn answers_are_kept_for_their_time() {
        let (fake, cached) = cached([Act::Answer, Act::Answer, Act::Answer], Keep::Unlimited);
        assert_eq!((ask(&cached, &gata()).await, ask(&cached, &gata()).await, fake.count()), (Ok(1), Ok(1), 1));
        let folded = line(&Fake::QUERY.to_uppercase());
        assert_eq!((ask(&cached, &folded).await, fake.count()), (Ok(1), 1), "case does not count");
        ask(&cached, &line("Other 1")).await.unwrap();
        assert_eq!(fake.count(), 2);
        tokio::time::advance(TIMES.found).await;
        assert_eq!((ask(&cached, &gata()).await, fake.count()), (Ok(1), 3));
    }

    #[tokio::test(start_paused = true)]
    async fn that_nothing_was_found_is_kept_for_less_and_failures_never() {
        let (fake, cached) = cached([Act::Fail(503, None), Act::Empty, Act::Answer], Keep::Unlimited);
        assert!(ask(&cached, &gata()).await.is_err());
        assert_eq!((ask(&cached, &gata()).await, ask(&cached, &gata()).await, fake.count()), (Ok(0), Ok(0), 2));
        tokio::time::advance(TIMES.empty).await;
        assert_eq!((ask(&cached, &gata()).await, fake.count()), (Ok(1), 3));
    }

    #[tokio::test(start_paused = true)]
    async fn the_terms_are_obeyed() {
        let (fake, cached_never) = cached(vec![Act::Answer; 2], Keep::Never);
        ask(&cached_never, &gata()).await.unwrap();
        ask(&cached_never, &gata()).await.unwrap();
        assert_eq!(fake.count(), 2);
        let allowed = Duration::from_secs(7);
        let (fake, cached) = cached(vec![Act::Answer; 2], Keep::For(allowed));
        ask(&cached, &gata()).await.unwrap();
        tokio::time::advance(allowed).await;
        ask(&cached, &gata()).await.unwrap();
        assert_eq!(fake.count(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn it_has_a_size() {
        let (_, cached) = cached(vec![Act::Empty; ANSWERS_MAX * 2], Keep::Unlimited);
        for number in 0..ANSWERS_MAX + ANSWERS_MAX / 2 {
            ask(&cached, &line(&format!("Gata {number}"))).await.unwrap();
        }
        assert!(cached.kept.len() <= ANSWERS_MAX, "{}", cached.kept.len());
    }
}
