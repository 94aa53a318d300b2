//! The keys of one provider: read at the start, looked at again now and then, and when a token names one that is not known.
//!
//! They are read by a task of their own, never by a call: a call waits for a look that is under way or about to begin, for a
//! bounded time, and goes on with what there is. Keys that cannot be read again are good for a while, and then for nothing.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::{info, warn};

use super::config::{Algorithm, Issuer};
use super::jwk::KeySet;
use super::source::Source;

/// What is known of a provider's keys, for metrics.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct KeysState {
    /// How many there are to check with.
    pub(super) count: usize,
    /// Time since they were read; `None` where they never were.
    pub(super) age: Option<Duration>,
    /// Looks that failed.
    pub(super) failures: u64,
}

/// Keys as they were read.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) set: KeySet,
    /// Another number for other keys: what was checked with earlier ones is checked again.
    pub(super) generation: u64,
    read_at: Instant,
}

/// The keys of a provider.
#[derive(Debug)]
pub(super) struct Ring {
    issuer: String,
    source: Source,
    held: ArcSwapOption<Held>,
    refresh_every: Duration,
    refresh_pause: Duration,
    stale_max: Duration,
    /// Told when a key is asked for that is not here.
    wanted: Notify,
    looks: watch::Sender<Looks>,
    failures: AtomicU64,
}

/// The looks at the provider's keys so far.
#[derive(Debug, Clone, Copy, Default)]
struct Looks {
    begun_at: Option<Instant>,
    is_under_way: bool,
    done: u64,
}

impl Ring {
    /// One without keys.
    pub(super) fn new(settings: &Issuer, source: Source) -> Self {
        let seconds = |number: NonZeroU32| Duration::from_secs(number.get().into());
        Self {
            issuer: settings.issuer.clone(),
            source,
            held: ArcSwapOption::empty(),
            refresh_every: seconds(settings.refresh_s),
            refresh_pause: seconds(settings.refresh_pause_s),
            stale_max: seconds(settings.stale_max_s),
            wanted: Notify::new(),
            looks: watch::Sender::new(Looks::default()),
            failures: AtomicU64::new(0),
        }
    }

    /// Does something with the keys; `None` where there are none, or none that are fresh enough.
    pub(super) fn with<T>(&self, use_keys: impl FnOnce(&Held) -> T) -> Option<T> {
        let held = self.held.load();
        let fresh = held.as_ref().filter(|held| held.read_at.elapsed() < self.stale_max)?;
        Some(use_keys(fresh))
    }

    /// Whether a key is here.
    pub(super) fn has(&self, kid: Option<&str>, algorithm: Algorithm) -> bool {
        self.with(|held| held.set.find(kid, algorithm).is_some()).unwrap_or_default()
    }

    /// Puts keys that were just read to use.
    pub(super) fn put(&self, set: KeySet) {
        let before = self.held.load_full();
        let is_same = before.as_ref().is_some_and(|before| before.set.is_same(&set));
        let generation = before.as_ref().map_or(0, |before| before.generation + u64::from(!is_same));
        if !is_same {
            info!(issuer = self.issuer, keys = set.len(), "keys of an identity provider");
        }
        self.held.store(Some(Arc::new(Held { set, generation, read_at: Instant::now() })));
    }

    /// Asks for a look, as soon as the pause between two of them allows.
    pub(super) fn want(&self) {
        self.wanted.notify_one();
    }

    /// Asks for a look, and waits for it if it is under way or begins at once; not longer than `until`.
    pub(super) async fn look_again(&self, until: Instant) {
        let mut looks = self.looks.subscribe();
        let seen = *looks.borrow_and_update();
        if !seen.is_under_way {
            self.want();
        }
        let is_soon = seen.begun_at.is_none_or(|begun| begun.elapsed() >= self.refresh_pause);
        if seen.is_under_way || is_soon {
            // The sender lives as long as `self`, so a wait ends by a look or by the time.
            let _ = timeout_at(until, looks.wait_for(|now| now.done > seen.done)).await;
        }
    }

    /// Looks at the provider's keys, for ever.
    pub(super) async fn follow(&self) {
        loop {
            let begun = Instant::now();
            let pause = begun + self.refresh_pause;
            let due = if self.look(begun).await { begun + self.refresh_every } else { pause };
            tokio::select! {
                () = sleep_until(due) => {}
                () = self.wanted.notified() => sleep_until(pause).await,
            }
        }
    }

    /// One look; whether it found keys. What is there stays where it did not.
    async fn look(&self, begun: Instant) -> bool {
        self.looks.send_modify(|looks| *looks = Looks { begun_at: Some(begun), is_under_way: true, ..*looks });
        let read = self.source.read().await;
        let is_read = read.is_ok();
        match read {
            Ok(set) => self.put(set),
            Err(cause) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                warn!(issuer = self.issuer, %cause, "the keys of an identity provider cannot be read");
            }
        }
        self.looks.send_modify(|looks| *looks = Looks { is_under_way: false, done: looks.done + 1, ..*looks });
        is_read
    }

    /// What is known of them.
    pub(super) fn state(&self) -> KeysState {
        let held = self.held.load();
        KeysState {
            count: self.with(|held| held.set.len()).unwrap_or_default(),
            age: held.as_ref().map(|held| held.read_at.elapsed()),
            failures: self.failures.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http_client::stub::{Reply, Stub};
    use crate::identity::config::{Config, Place};
    use crate::identity::fixture::{Pair, jwks};

    /// The ring of a provider at a stub's address, followed until it is dropped.
    fn ring(url: &str) -> (Arc<Ring>, tokio::task::AbortHandle) {
        let config: Config = toml::from_str(&format!(
            "[[jwt]]\nissuer = 'a'\naudience = 'b'\njwks_url = '{url}/keys'\nalgorithms = ['ES256']\nrole_claim = 'r'\n\
             accounts = ['acme']\nroles = [{{ value = 'x', role = 'viewer' }}]\nrefresh_pause_s = 1\nstale_max_s = 3\n\
             refresh_s = 1"
        ))
        .unwrap();
        let source = Source::of(&Place::Url(format!("{url}/keys").parse().unwrap())).unwrap();
        let ring = Arc::new(Ring::new(&config.jwt[0], source));
        let followed = Arc::clone(&ring);
        let task = tokio::spawn(async move { followed.follow().await });
        (ring, task.abort_handle())
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    /// Waits until the ring has a key, or has it no more.
    async fn until(ring: &Ring, kid: &str, is_there: bool) {
        let end = soon();
        while ring.has(Some(kid), Algorithm::Es256) != is_there {
            assert!(Instant::now() < end, "{kid}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test]
    async fn keys_that_are_not_known_are_looked_for_and_not_oftener_than_the_pause() {
        let stub = Stub::always(Reply::Json(jwks([&Pair::es256("a")]).to_string())).await;
        let begun = Instant::now();
        let (ring, task) = ring(&stub.url);
        ring.look_again(soon()).await;
        assert!(ring.has(Some("a"), Algorithm::Es256), "who comes first waits for the first look");
        for _ in 0..1_000 {
            ring.look_again(soon()).await;
        }
        while stub.count() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(begun.elapsed() >= Duration::from_secs(1), "looked again after {:?}", begun.elapsed());
        task.abort();
    }

    #[tokio::test]
    async fn keys_outlive_a_provider_that_is_away_and_end_after_their_time() {
        let stub = Stub::always(Reply::Json(jwks([&Pair::es256("a")]).to_string())).await;
        let (ring, task) = ring(&stub.url);
        until(&ring, "a", true).await;
        drop(stub);
        let end = soon();
        while ring.state().failures == 0 {
            assert!(Instant::now() < end);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(ring.has(Some("a"), Algorithm::Es256), "one look failed");
        until(&ring, "a", false).await;
        assert_eq!(ring.state().count, 0);
        task.abort();
    }

    #[tokio::test]
    async fn other_keys_are_another_generation_and_what_is_no_set_changes_nothing() {
        let (one, two) = (Pair::es256("a"), Pair::es256("b"));
        let ring_of = |replies: Vec<Reply>| async move {
            let number = AtomicU64::new(0);
            let stub = Stub::start(move |_| {
                let number = usize::try_from(number.fetch_add(1, Ordering::SeqCst)).unwrap();
                replies[number.min(replies.len() - 1)].clone()
            })
            .await;
            let ring = ring(&stub.url);
            (stub, ring)
        };
        let json = |pair: &Pair| Reply::Json(jwks([pair]).to_string());
        let redirect = Reply::Whole(302, vec![("location", "/other".to_owned())], Vec::new());
        let replies = vec![json(&one), json(&one), Reply::Json("[]".into()), redirect, Reply::Endless, json(&two)];
        let (stub, (ring, task)) = ring_of(replies).await;
        until(&ring, "a", true).await;
        let first = ring.with(|held| held.generation).unwrap();
        let end = soon();
        while stub.count() < 3 {
            assert!(Instant::now() < end);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(ring.with(|held| held.generation), Some(first), "the same keys");
        until(&ring, "b", true).await;
        assert!(!ring.has(Some("a"), Algorithm::Es256), "a key that was taken back");
        assert_eq!(ring.with(|held| held.generation), Some(first + 1));
        assert!(ring.state().failures >= 3);
        task.abort();
    }
}
