//! A connection while it is open: since when nobody needs it, and whether it has to go.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

/// What is known of a connection. It stands in the extensions of each request that comes by it.
#[derive(Debug)]
pub struct Occupancy {
    state: Mutex<State>,
    /// Told when the last call ends that needs the connection.
    unused: Notify,
    /// Told when its place is another one's.
    displaced: Notify,
    /// Whether answers that go on shall end.
    ending: watch::Sender<bool>,
}

#[derive(Debug)]
struct State {
    /// Calls under way that need the connection.
    under_way: usize,
    has_asked: bool,
    /// Whether a call ever ended that needed it.
    was_needed: bool,
    /// When the last call ended that needed it; before, when it opened.
    needed_at: Instant,
}

/// A request under way, until its answer is handed out whole and this is dropped.
#[derive(Debug)]
pub struct Use {
    occupancy: Arc<Occupancy>,
    needs_it: bool,
}

impl Occupancy {
    /// A connection that opens now.
    #[must_use]
    pub fn new() -> Arc<Self> {
        let state = State { under_way: 0, has_asked: false, was_needed: false, needed_at: Instant::now() };
        Arc::new(Self {
            state: Mutex::new(state),
            unused: Notify::new(),
            displaced: Notify::new(),
            ending: watch::Sender::new(false),
        })
    }

    /// Takes note of a request, which needs the connection or does not: anybody can begin what needs no credential, and keep
    /// it up.
    #[must_use]
    pub fn begin(self: &Arc<Self>, needs_it: bool) -> Use {
        let mut state = self.state.lock();
        state.has_asked = true;
        state.under_way += usize::from(needs_it);
        drop(state);
        Use { occupancy: Arc::clone(self), needs_it }
    }

    /// Whether a request ever came.
    #[must_use]
    pub fn has_asked(&self) -> bool {
        self.state.lock().has_asked
    }

    /// Whether any call needs it, or needed it. One of which only what anybody may have was asked never is.
    #[must_use]
    pub fn is_of_a_holder(&self) -> bool {
        let state = self.state.lock();
        state.was_needed || state.under_way > 0
    }

    /// Since when nobody needs it; `None` where somebody does.
    #[must_use]
    pub fn unused_since(&self) -> Option<Instant> {
        let state = self.state.lock();
        (state.under_way == 0).then_some(state.needed_at)
    }

    /// Waits until nobody has needed it for so long. For one who waits at a time.
    pub async fn unused_for(&self, time: Duration) {
        loop {
            match self.unused_since() {
                None => self.unused.notified().await,
                Some(since) if since.elapsed() >= time => return,
                Some(since) => sleep_until(since + time).await,
            }
        }
    }

    /// Takes note of the end of a call that counted as under way, and whether it needed the connection until now.
    fn is_left_by_a_call(&self, was_needed: bool) {
        let mut state = self.state.lock();
        state.under_way -= 1;
        if was_needed {
            state.was_needed = true;
            state.needed_at = Instant::now();
        }
        let is_unused = state.under_way == 0;
        drop(state);
        if is_unused {
            self.unused.notify_one();
        }
    }

    /// Gives its place to another one.
    pub(super) fn displace(&self) {
        self.displaced.notify_one();
    }

    /// Waits until its place is another one's. For one who waits at a time.
    pub async fn displaced(&self) {
        self.displaced.notified().await;
    }

    /// Ends the answers that go on.
    pub fn end_answers(&self) {
        self.ending.send_replace(true);
    }

    /// Waits until answers that go on shall end.
    #[must_use]
    pub fn answers_end(&self) -> BoxFuture<'static, ()> {
        let mut ending = self.ending.subscribe();
        async move {
            // Without the other end the connection is gone.
            let _ = ending.wait_for(|is_ending| *is_ending).await;
        }
        .boxed()
    }
}

impl Use {
    /// Whether the request needs a credential and was not refused, as far as that is known.
    #[must_use]
    pub fn needs_it(&self) -> bool {
        self.needs_it
    }

    /// Says that the answer is a refusal. Anybody can have those, and keep that up: they need no connection.
    pub fn is_refused(&mut self) {
        if std::mem::take(&mut self.needs_it) {
            self.occupancy.is_left_by_a_call(false);
        }
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        if self.needs_it {
            self.occupancy.is_left_by_a_call(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, timeout};

    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    /// How long it takes until the connection was unused for a minute.
    async fn waits(occupancy: &Occupancy) -> Duration {
        let begun = Instant::now();
        occupancy.unused_for(LONG).await;
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_unused_from_its_last_call_on() {
        let occupancy = Occupancy::new();
        assert!(!occupancy.has_asked());
        assert_eq!(waits(&occupancy).await.as_secs(), 60);
        let call = occupancy.begin(true);
        assert!(occupancy.has_asked() && occupancy.unused_since().is_none());
        let ends = async {
            tokio::time::sleep(LONG * 5).await;
            drop(call);
        };
        let (waited, ()) = tokio::join!(waits(&occupancy), ends);
        assert_eq!(waited.as_secs(), 360, "a call that goes on needs it");
    }

    /// Who asked for health each second kept a place, and who left refusals untaken.
    #[tokio::test(start_paused = true)]
    async fn what_anybody_may_have_keeps_no_connection() {
        let occupancy = Occupancy::new();
        let open = occupancy.begin(false);
        advance(LONG / 2).await;
        drop(occupancy.begin(false));
        let mut refused = occupancy.begin(true);
        assert!(occupancy.unused_since().is_none(), "nobody knows yet");
        refused.is_refused();
        assert!(occupancy.has_asked() && !refused.needs_it() && !occupancy.is_of_a_holder());
        assert_eq!(waits(&occupancy).await.as_secs(), 30);
        drop((open, refused));
        assert_eq!(waits(&occupancy).await.as_secs(), 0, "that they end is no use of it either");
        // A refusal while somebody needs it, and behind that.
        let call = occupancy.begin(true);
        occupancy.begin(true).is_refused();
        assert!(occupancy.unused_since().is_none());
        drop(call);
        assert!(occupancy.is_of_a_holder());
        occupancy.begin(true).is_refused();
        assert_eq!(waits(&occupancy).await.as_secs(), 60);
    }

    #[tokio::test(start_paused = true)]
    async fn answers_end_when_they_are_told_to() {
        let occupancy = Occupancy::new();
        let mut told = occupancy.answers_end();
        assert!(timeout(LONG, &mut told).await.is_err());
        occupancy.end_answers();
        assert!(timeout(LONG, told).await.is_ok() && timeout(LONG, occupancy.answers_end()).await.is_ok());
    }
}
