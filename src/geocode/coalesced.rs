//! Equal questions in flight share one call to a geocoder.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use parking_lot::Mutex;
use tokio::time::{Instant, timeout_at};

use super::{ANSWER_TIME, Candidate, Error, Geocoder, Inquiry};

/// Most calls in flight. Each holds a connection; beyond it, questions are turned away.
const CALLS_MAX: usize = 256;

type Answer = Result<Vec<Candidate>, Error>;
type Call = BoxFuture<'static, Answer>;
type Calls = Arc<Mutex<HashMap<String, WeakShared<Call>>>>;

/// A geocoder that is asked once for all who ask the same at the same time.
///
/// The call belongs to all who wait for it: whoever goes away harms nobody, and when all are gone it ends. It has its
/// own time, at least [`ANSWER_TIME`] and as long as the first has, and each waits for it until their own deadline at most.
pub(super) struct Coalesced {
    inner: Arc<dyn Geocoder>,
    provider: Arc<str>,
    calls: Calls,
}

impl std::fmt::Debug for Coalesced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Coalesced").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl Coalesced {
    /// Shares the calls of `inner`.
    pub(super) fn new(inner: Arc<dyn Geocoder>, provider: Arc<str>) -> Self {
        Self { inner, provider, calls: Calls::default() }
    }

    /// The call that is in flight for the key, or a new one.
    fn call(&self, key: &str, inquiry: &Inquiry, deadline: Instant) -> Result<Shared<Call>, Error> {
        let mut calls = self.calls.lock();
        if let Some(call) = calls.get(key).and_then(WeakShared::upgrade).filter(|call| call.peek().is_none()) {
            return Ok(call);
        }
        if calls.len() >= CALLS_MAX {
            return Err(Error::Busy { provider: Arc::clone(&self.provider), retry_after: ANSWER_TIME });
        }
        let (inner, inquiry) = (Arc::clone(&self.inner), inquiry.clone());
        let ends = deadline.max(Instant::now() + ANSWER_TIME);
        let call = async move { inner.answer(&inquiry, ends).await }.boxed().shared();
        let weak = call.downgrade().expect("a call that nobody polled has not ended");
        calls.insert(key.to_owned(), weak);
        Ok(call)
    }
}

/// One who waits for a call. The last to go takes the call off the list.
struct Waiter {
    calls: Calls,
    key: String,
    call: Option<Shared<Call>>,
}

impl Drop for Waiter {
    fn drop(&mut self) {
        // Dropped before the lock is taken: with the last of them goes the call itself, whatever it holds.
        drop(self.call.take());
        let mut calls = self.calls.lock();
        let is_over = |call: &WeakShared<Call>| call.upgrade().is_none_or(|call| call.peek().is_some());
        if calls.get(&self.key).is_some_and(is_over) {
            calls.remove(&self.key);
        }
    }
}

#[async_trait]
impl Geocoder for Coalesced {
    async fn answer(&self, inquiry: &Inquiry, deadline: Instant) -> Answer {
        let key = inquiry.key();
        let call = self.call(&key, inquiry, deadline)?;
        let waiter = Waiter { calls: Arc::clone(&self.calls), key, call: Some(call.clone()) };
        let answered = timeout_at(deadline, call).await;
        drop(waiter);
        answered.unwrap_or_else(|_| Err(Error::TimedOut { provider: Arc::clone(&self.provider) }))
    }

    fn attributions(&self) -> Vec<String> {
        self.inner.attributions()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::fake::{Act, Fake, SOON, gata, line};
    use super::*;

    fn coalesced(acts: impl IntoIterator<Item = Act>) -> (Arc<Fake>, Arc<Coalesced>) {
        let fake = Arc::new(Fake::of(acts));
        let coalesced = Arc::new(Coalesced::new(Arc::clone(&fake) as _, "fake".into()));
        (fake, coalesced)
    }

    fn asking(coalesced: &Arc<Coalesced>, inquiry: Inquiry, time: Duration) -> tokio::task::JoinHandle<Answer> {
        let coalesced = Arc::clone(coalesced);
        tokio::spawn(async move { coalesced.answer(&inquiry, Instant::now() + time).await })
    }

    #[tokio::test(start_paused = true)]
    async fn equal_questions_share_a_call_and_others_do_not() {
        let (fake, coalesced) = coalesced(vec![Act::AnswerAfter(Duration::from_secs(1)); 3]);
        let equal: Vec<_> = (0..50).map(|_| asking(&coalesced, gata(), SOON)).collect();
        let other = asking(&coalesced, line("Other 1"), SOON);
        for task in equal {
            assert_eq!(task.await.unwrap().unwrap().len(), 1);
        }
        other.await.unwrap().unwrap();
        assert_eq!(fake.count(), 2);
        assert!(coalesced.calls.lock().is_empty());
        coalesced.answer(&gata(), Instant::now() + SOON).await.unwrap();
        assert_eq!(fake.count(), 3, "what has ended is not shared");
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_may_go_away() {
        let (fake, coalesced) = coalesced([Act::AnswerAfter(Duration::from_secs(1))]);
        let leader = asking(&coalesced, gata(), SOON);
        tokio::task::yield_now().await;
        let follower = asking(&coalesced, gata(), SOON);
        tokio::task::yield_now().await;
        leader.abort();
        assert!(leader.await.unwrap_err().is_cancelled());
        assert_eq!(follower.await.unwrap().unwrap().len(), 1);
        assert_eq!(fake.count(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_may_have_little_time() {
        let (fake, coalesced) = coalesced([Act::AnswerAfter(Duration::from_secs(1))]);
        let leader = asking(&coalesced, gata(), Duration::from_millis(10));
        tokio::task::yield_now().await;
        let follower = asking(&coalesced, gata(), SOON);
        assert!(matches!(leader.await.unwrap(), Err(Error::TimedOut { .. })));
        assert_eq!((follower.await.unwrap().unwrap().len(), fake.count()), (1, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_more_time_gets_it() {
        let fake: Arc<dyn Geocoder> = Arc::new(Fake::of([Act::AnswerAfter(ANSWER_TIME + Duration::from_secs(5))]));
        let timed = Arc::new(super::super::timed::Timed::new(fake, "fake".into(), SOON));
        let coalesced = Arc::new(Coalesced::new(timed, "fake".into()));
        assert_eq!(asking(&coalesced, gata(), SOON).await.unwrap().unwrap().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn when_all_are_gone_the_call_ends() {
        let (fake, coalesced) = coalesced([Act::Silence, Act::Answer]);
        let tasks: Vec<_> = (0..3).map(|_| asking(&coalesced, gata(), SOON)).collect();
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        assert_eq!((fake.count(), fake.running()), (1, 1));
        for task in tasks {
            task.abort();
            let _ = task.await;
        }
        assert_eq!(fake.running(), 0);
        assert!(coalesced.calls.lock().is_empty());
        coalesced.answer(&gata(), Instant::now() + SOON).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_of_questions_is_turned_away() {
        let (fake, coalesced) = coalesced(vec![Act::Silence; CALLS_MAX + 1]);
        let tasks: Vec<_> =
            (0..CALLS_MAX).map(|number| asking(&coalesced, line(&format!("Gata {number}")), SOON)).collect();
        while fake.count() < CALLS_MAX {
            tokio::task::yield_now().await;
        }
        let error = coalesced.answer(&gata(), Instant::now() + SOON).await.unwrap_err();
        assert!(matches!(error, Error::Busy { .. }));
        drop(tasks);
    }
}
