//! Equal questions in flight share one call to a geocoder.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use parking_lot::Mutex;
use tokio::time::{Instant, timeout_at};

use super::inquiry::Asker;
use super::{ANSWER_TIME, Candidate, Error, Geocoder, Inquiry};

/// Most calls in flight. Each holds a connection, or waits for its turn to open one; beyond it, questions are turned away.
const CALLS_MAX: usize = 512;
/// Most of them on behalf of one asker, so that no account takes them all.
const CALLS_PER_ASKER_MAX: usize = 32;

type Answer = Result<Vec<Candidate>, Error>;
type Call = BoxFuture<'static, Answer>;
/// Calls are shared between questions of one asker: another one would wait in a line that is not theirs.
type Key = (Asker, String);
type Calls = Arc<Mutex<HashMap<Key, Flight>>>;

/// A call on its way.
#[derive(Clone)]
struct Flight {
    call: WeakShared<Call>,
    /// The deadline that it has: that of whoever began it.
    ends: Instant,
}

impl Flight {
    /// The call, unless it has ended.
    fn running(&self) -> Option<Shared<Call>> {
        self.call.upgrade().filter(|call| call.peek().is_none())
    }
}

/// A geocoder that is asked once for all who ask the same at the same time on behalf of one asker.
///
/// The call belongs to all who wait for it: whoever goes away harms nobody, and when all are gone it ends. It has the
/// time of whoever began it; who has more, and is told that the time was too short, asks again with their own.
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

    /// The call that is in flight for the key, or a new one; and its deadline.
    fn call(&self, key: &Key, inquiry: &Inquiry, deadline: Instant) -> Result<(Shared<Call>, Instant), Error> {
        let mut calls = self.calls.lock();
        if let Some((call, ends)) = calls.get(key).and_then(|flight| Some((flight.running()?, flight.ends))) {
            return Ok((call, ends));
        }
        let own = calls.keys().filter(|(asker, _)| *asker == key.0).count();
        if calls.len() >= CALLS_MAX || own >= CALLS_PER_ASKER_MAX {
            return Err(Error::Busy { provider: Arc::clone(&self.provider), retry_after: ANSWER_TIME });
        }
        let (inner, inquiry) = (Arc::clone(&self.inner), inquiry.clone());
        let call = async move { inner.answer(&inquiry, deadline).await }.boxed().shared();
        let weak = call.downgrade().expect("a call that nobody polled has not ended");
        calls.insert(key.clone(), Flight { call: weak, ends: deadline });
        Ok((call, deadline))
    }
}

/// One who waits for a call. The last to go takes the call off the list.
struct Waiter {
    calls: Calls,
    key: Key,
    call: Option<Shared<Call>>,
}

impl Drop for Waiter {
    fn drop(&mut self) {
        // Dropped before the lock is taken: with the last of them goes the call itself, whatever it holds.
        drop(self.call.take());
        let mut calls = self.calls.lock();
        if calls.get(&self.key).is_some_and(|flight| flight.running().is_none()) {
            calls.remove(&self.key);
        }
    }
}

#[async_trait]
impl Geocoder for Coalesced {
    async fn answer(&self, inquiry: &Inquiry, deadline: Instant) -> Answer {
        let key = (inquiry.asker, inquiry.key());
        loop {
            let (call, ends) = self.call(&key, inquiry, deadline)?;
            let waiter = Waiter { calls: Arc::clone(&self.calls), key: key.clone(), call: Some(call.clone()) };
            let answered = timeout_at(deadline, call).await;
            drop(waiter);
            match answered {
                Err(_) => return Err(Error::OutOfTime { provider: Arc::clone(&self.provider) }),
                // Whoever began it had less time. Whoever begins one has their own, so this comes to an end.
                Ok(Err(failure)) if failure.is_of_time() && ends < deadline => {}
                Ok(answered) => return answered,
            }
        }
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

    /// Whoever came second failed with the first, whose time was nearly over.
    #[tokio::test(start_paused = true)]
    async fn the_first_may_have_little_time() {
        let fake =
            Arc::new(Fake::of([Act::AnswerAfter(Duration::from_secs(3)), Act::AnswerAfter(Duration::from_secs(3))]));
        let timed = Arc::new(super::super::timed::Timed::new(Arc::clone(&fake) as _, "fake".into(), SOON));
        let coalesced = Arc::new(Coalesced::new(timed, "fake".into()));
        let leader = asking(&coalesced, gata(), Duration::from_millis(500));
        tokio::task::yield_now().await;
        let followers = [(); 3].map(|()| asking(&coalesced, gata(), SOON));
        assert!(matches!(leader.await.unwrap(), Err(Error::OutOfTime { .. })));
        for follower in followers {
            assert_eq!(follower.await.unwrap().unwrap().len(), 1);
        }
        assert_eq!(fake.count(), 2, "once more for all of them");
    }

    /// A failure that has nothing to do with time is everybody's.
    #[tokio::test(start_paused = true)]
    async fn failures_are_shared() {
        let (fake, coalesced) = coalesced([Act::FailAfter(503, Duration::from_millis(500)), Act::Answer]);
        let leader = asking(&coalesced, gata(), Duration::from_secs(1));
        tokio::task::yield_now().await;
        let follower = asking(&coalesced, gata(), SOON);
        assert!(matches!(leader.await.unwrap(), Err(Error::Failed { .. })));
        assert!(matches!(follower.await.unwrap(), Err(Error::Failed { .. })));
        assert_eq!(fake.count(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn askers_share_no_call() {
        let (fake, coalesced) = coalesced(vec![Act::AnswerAfter(Duration::from_secs(1)); 2]);
        let of = |tenant: &str| Inquiry { asker: Asker::of(&tenant), ..gata() };
        let tasks = [of("a"), of("b"), of("a")].map(|inquiry| asking(&coalesced, inquiry, SOON));
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        assert_eq!(fake.count(), 2);
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
        let question = |number: usize| Inquiry {
            asker: Asker::of(&(number / CALLS_PER_ASKER_MAX)),
            ..line(&format!("Gata {number}"))
        };
        let mut tasks: Vec<_> =
            (0..CALLS_PER_ASKER_MAX).map(|number| asking(&coalesced, question(number), SOON)).collect();
        while fake.count() < CALLS_PER_ASKER_MAX {
            tokio::task::yield_now().await;
        }
        let refused = async |inquiry: Inquiry| {
            let answered = coalesced.answer(&inquiry, Instant::now() + Duration::from_millis(1)).await;
            matches!(answered, Err(Error::Busy { .. }))
        };
        assert!(refused(Inquiry { asker: Asker::of(&0_usize), ..gata() }).await, "one asker has so many");
        assert!(!refused(Inquiry { asker: Asker::of(&"other"), ..gata() }).await);
        tasks.extend((CALLS_PER_ASKER_MAX..CALLS_MAX).map(|number| asking(&coalesced, question(number), SOON)));
        while fake.count() < CALLS_MAX + 1 {
            tokio::task::yield_now().await;
        }
        assert!(refused(Inquiry { asker: Asker::of(&"other"), ..gata() }).await, "and all together");
        drop(tasks);
    }
}
