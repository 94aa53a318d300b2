//! A circuit breaker around a geocoder: a provider that fails again and again is left alone for a while.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::error::{Blame, Rest};
use super::{Candidate, Error, Geocoder, Inquiry};

/// Failures in a row after which the provider is left alone.
const FAILURES_MAX: u32 = 5;
/// How long it is left alone, unless it names a time itself: long enough for a restart.
const REST: Duration = Duration::from_secs(30);

/// A geocoder that is not asked while it is broken. After a rest one question is let through: its answer ends the
/// rest for all, its failure begins another. A provider that names a time itself rests at once, until then, and one that
/// wants fewer requests too. What the provider never heard of says nothing about it.
#[derive(Debug)]
pub(super) struct Breaker {
    inner: Arc<dyn Geocoder>,
    provider: Arc<str>,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// All are let through; so many failed in a row.
    Closed(u32),
    /// None is let through until then.
    Open(Instant, Rest),
    /// One was let through, and is waited for.
    HalfOpen(Rest),
}

impl Breaker {
    /// Watches over `inner`.
    pub(super) fn new(inner: Arc<dyn Geocoder>, provider: Arc<str>) -> Self {
        Self { inner, provider, state: Mutex::new(State::Closed(0)) }
    }

    /// Lets a question through, or says why not.
    fn enter(&self) -> Result<Pass<'_>, Error> {
        let mut state = self.state.lock();
        let now = Instant::now();
        let (retry_after, why) = match *state {
            State::Closed(_) => return Ok(Pass { breaker: self, is_probe: false }),
            State::Open(end, why) if end <= now => {
                *state = State::HalfOpen(why);
                return Ok(Pass { breaker: self, is_probe: true });
            }
            State::Open(end, why) => (end - now, why),
            State::HalfOpen(why) => (Duration::from_secs(1), why),
        };
        Err(Error::Resting { provider: Arc::clone(&self.provider), retry_after, why })
    }

    /// Takes in what became of a question. `is_probe`: the one that was let through on trial.
    fn settle(&self, failure: Option<&Error>, is_probe: bool) {
        let mut state = self.state.lock();
        let before = match *state {
            State::Closed(failures) => failures,
            // Who was let through before the rest began says nothing about how it should end.
            _ if !is_probe => return,
            _ => FAILURES_MAX,
        };
        let Some(failure) = failure else {
            if is_probe {
                info!(provider = &*self.provider, "the geocoder answers again");
            }
            *state = State::Closed(0);
            return;
        };
        let wait = failure.asked_to_wait();
        if before + 1 < FAILURES_MAX && wait.is_none() {
            *state = State::Closed(before + 1);
            return;
        }
        let rest = wait.unwrap_or(REST);
        if !is_probe {
            self.tell(failure, rest);
        }
        let why = if failure.blame() == Blame::Excess { Rest::Quota } else { Rest::Failures };
        *state = State::Open(Instant::now() + rest, why);
    }

    /// Says that a rest begins. What lasts wants a human.
    fn tell(&self, failure: &Error, rest: Duration) {
        let (provider, rest_s) = (&*self.provider, rest.as_secs());
        if failure.blame() == Blame::Lasting {
            error!(provider, %failure, rest_s, "the geocoder is left alone");
        } else {
            warn!(provider, %failure, rest_s, "the geocoder is left alone");
        }
    }
}

/// A question on its way. When it is dropped unanswered, the next one may try.
struct Pass<'a> {
    breaker: &'a Breaker,
    is_probe: bool,
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.is_probe {
            let mut state = self.breaker.state.lock();
            if let State::HalfOpen(why) = *state {
                *state = State::Open(Instant::now(), why);
            }
        }
    }
}

#[async_trait]
impl Geocoder for Breaker {
    async fn answer(&self, inquiry: &Inquiry, deadline: Instant) -> Result<Vec<Candidate>, Error> {
        let pass = self.enter()?;
        let answered = self.inner.answer(inquiry, deadline).await;
        match &answered {
            Ok(_) | Err(Error::Refused { .. }) => self.settle(None, pass.is_probe),
            // No turn, no time, no such question: the provider was not heard.
            Err(failure) if failure.blame() == Blame::Nobody => {}
            Err(failure) => self.settle(Some(failure), pass.is_probe),
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

    fn breaker(acts: impl IntoIterator<Item = Act>) -> (Arc<Fake>, Breaker) {
        let fake = Arc::new(Fake::of(acts));
        let breaker = Breaker::new(Arc::clone(&fake) as _, "fake".into());
        (fake, breaker)
    }

    async fn ask(breaker: &Breaker) -> Result<usize, Error> {
        breaker.answer(&gata(), Instant::now() + SOON).await.map(|found| found.len())
    }

    #[tokio::test(start_paused = true)]
    async fn five_failures_open_and_one_answer_closes() {
        let mut acts = vec![Act::Fail(503, None); 6];
        acts.push(Act::Answer);
        let (fake, breaker) = breaker(acts);
        for _ in 0..5 {
            assert!(matches!(ask(&breaker).await, Err(Error::Failed { .. })));
        }
        assert!(matches!(ask(&breaker).await, Err(Error::Resting { .. })));
        assert_eq!(fake.count(), 5, "it is left alone");
        tokio::time::advance(REST).await;
        assert!(matches!(ask(&breaker).await, Err(Error::Failed { .. })), "one is let through, and fails");
        assert!(matches!(ask(&breaker).await, Err(Error::Resting { .. })));
        tokio::time::advance(REST).await;
        assert_eq!((ask(&breaker).await, ask(&breaker).await, fake.count()), (Ok(1), Ok(1), 8));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_between_starts_the_count_anew() {
        let failures = || vec![Act::Fail(503, None); 4];
        let (fake, breaker) = breaker([failures(), vec![Act::Empty], failures()].concat());
        for _ in 0..9 {
            let _ = ask(&breaker).await;
        }
        assert_eq!(fake.count(), 9);
    }

    #[tokio::test(start_paused = true)]
    async fn a_provider_that_names_a_time_rests_at_once() {
        let wait = Duration::from_hours(1);
        let (fake, breaker) = breaker([Act::Fail(429, Some(wait)), Act::Answer]);
        let _ = ask(&breaker).await;
        match ask(&breaker).await {
            Err(Error::Resting { retry_after, why, .. }) => assert_eq!((retry_after, why), (wait, Rest::Quota)),
            other => panic!("{other:?}"),
        }
        tokio::time::advance(wait).await;
        assert_eq!((ask(&breaker).await, fake.count()), (Ok(1), 2));
    }

    /// A provider that said 429 and no time was asked again at once, and again.
    #[tokio::test(start_paused = true)]
    async fn one_that_wants_fewer_requests_rests_at_once() {
        let (fake, breaker) = breaker([Act::Fail(429, None), Act::Fail(402, None), Act::Answer]);
        for count in 1..=2 {
            assert!(matches!(ask(&breaker).await, Err(Error::QuotaUsed { .. })));
            assert!(matches!(ask(&breaker).await, Err(Error::Resting { why: Rest::Quota, .. })));
            assert_eq!(fake.count(), count);
            tokio::time::advance(super::super::error::QUOTA_REST).await;
        }
        assert_eq!(ask(&breaker).await, Ok(1));
    }

    /// Questions that got no turn counted as answers, and those that had no time as failures.
    #[tokio::test(start_paused = true)]
    async fn what_the_provider_never_heard_of_says_nothing() {
        let failures = |count| vec![Act::Fail(503, None); count];
        let (fake, breaker) = breaker([failures(4), vec![Act::Busy, Act::OutOfTime], failures(1)].concat());
        for _ in 0..7 {
            let _ = ask(&breaker).await;
        }
        assert!(matches!(ask(&breaker).await, Err(Error::Resting { .. })), "five failures in a row all the same");
        assert_eq!(fake.count(), 7);
        let (fake, breaker) = self::breaker(vec![Act::OutOfTime; 9]);
        for _ in 0..9 {
            let _ = ask(&breaker).await;
        }
        assert_eq!(fake.count(), 9);
    }

    #[tokio::test(start_paused = true)]
    async fn a_trial_that_is_given_up_leaves_the_way_free() {
        let acts = [vec![Act::Fail(503, None); 5], vec![Act::Silence, Act::Answer]].concat();
        let (fake, breaker) = breaker(acts);
        for _ in 0..5 {
            let _ = ask(&breaker).await;
        }
        tokio::time::advance(REST).await;
        let given_up = tokio::time::timeout(Duration::from_secs(1), ask(&breaker)).await;
        assert!(given_up.is_err());
        assert_eq!((ask(&breaker).await, fake.count()), (Ok(1), 7));
    }

    #[tokio::test(start_paused = true)]
    async fn questions_that_are_not_for_it_are_no_failures() {
        let (fake, breaker) = breaker(vec![Act::Fail(400, None); 7]);
        for _ in 0..7 {
            let _ = ask(&breaker).await;
        }
        assert_eq!(fake.count(), 7);
    }
}
