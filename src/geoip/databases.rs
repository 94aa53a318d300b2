//! The databases in use: a stack that is swapped as a whole when a file changes, while look-ups go on.
//!
//! A look-up takes the stack that is current and never waits. A file is read, checked and held against the one in use
//! before it takes its place; whatever is wrong with it, the last good one stays. Files are taken one after the other,
//! so that at most one of them is in memory twice, and only until the last look-up in the old stack has ended.
//!
//! Changes are found by looking (`watch`), not by the system's notices: a look sees files that are renamed over,
//! written in place, removed, or changed behind a link, on any file system and without a limit on their number, and
//! whoever looks twice also knows that a file has come to rest. Notices do not cross network file systems and bind
//! mounts, and follow the inode that was renamed away.

mod blocking;
mod candidate;
mod reload;
mod slot;
mod status;
#[cfg(test)]
mod tests;
mod watch;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use parking_lot::Mutex;
use tracing::{info, warn};

use self::blocking::READ_TIME_MAX;
pub use self::candidate::CandidateError;
use self::reload::SETTLE;
use self::slot::Slot;
pub use self::status::{DatabaseStatus, Failure, Reloaded};
use super::GeoIp;
use super::attribution::Attribution;
use super::config::{Config, DatabaseConfig};
use super::database::{Database, Fingerprint};
use super::error::Error;
use super::estimate::{Estimate, Findings};
use super::explain::Explanation;
use super::opening::{Opening, open_each};
use crate::model::location::NoEstimate;

/// The databases in use. Shared by all who look up.
#[derive(Debug)]
pub struct Databases {
    current: ArcSwap<GeoIp>,
    /// What is known of each file, in the order of the stack. Held for moments.
    slots: Mutex<Vec<Slot>>,
    /// Held by the one reload or look that runs; by a reload itself, which its caller may leave alone.
    reloading: Arc<tokio::sync::Mutex<()>>,
    clock: fn() -> Timestamp,
    settle: Duration,
    watch_interval: Option<Duration>,
}

impl Databases {
    /// Opens all configured files, at the same time. Blocks; see [`Database::open`] for what it costs.
    ///
    /// A file that is missing or bad, or that the system does not give within half a minute, is no error: it is told in
    /// the log and in [`Databases::statuses`], the others serve, and watching takes it as soon as it is good.
    ///
    /// # Errors
    ///
    /// A configuration that no file could satisfy.
    pub fn open(config: &Config, clock: fn() -> Timestamp) -> Result<Self, Error> {
        Ok(Self::of(config, clock, open_each(config)?))
    }

    /// Of what became of each configured file.
    fn of(config: &Config, clock: fn() -> Timestamp, openings: Vec<Opening>) -> Self {
        let now = clock();
        let slots = config.files().zip(openings).map(|(file, opening)| Slot::new(file, opening, now)).collect();
        let databases = Self {
            current: ArcSwap::default(),
            slots: Mutex::new(slots),
            reloading: Arc::default(),
            clock,
            settle: SETTLE,
            watch_interval: config.watch_interval(),
        };
        databases.swap();
        databases
    }

    /// No databases, for ever.
    #[must_use]
    pub fn empty() -> Self {
        Self::open(&Config::default(), Timestamp::now).expect("no files cannot be too many")
    }

    /// All that is known of `ip`; see [`GeoIp::ask`].
    #[must_use]
    pub fn ask(&self, ip: IpAddr, now: Timestamp) -> Findings {
        self.current.load().ask(ip, now)
    }

    /// Where `ip` seems to be.
    ///
    /// # Errors
    ///
    /// Why there is no estimate; see [`GeoIp::ask`].
    pub fn estimate(&self, ip: IpAddr, now: Timestamp) -> Result<Estimate, NoEstimate> {
        self.current.load().estimate(ip, now)
    }

    /// How the answer for `ip` comes about; see [`GeoIp::explain`].
    #[must_use]
    pub fn explain(&self, ip: IpAddr, now: Timestamp) -> Explanation {
        self.current.load().explain(ip, now)
    }

    /// To whom the data in use is owed, each once.
    #[must_use]
    pub fn attributions(&self) -> Vec<Attribution> {
        self.current.load().attributions().into_iter().cloned().collect()
    }

    /// The stack in use, for who asks many questions of the same one. Holding it holds its files in memory.
    #[must_use]
    pub fn current(&self) -> Arc<GeoIp> {
        self.current.load_full()
    }

    /// What is known of each file, in the order of the stack.
    #[must_use]
    pub fn statuses(&self) -> Vec<DatabaseStatus> {
        let now = (self.clock)();
        self.slots.lock().iter().map(|slot| slot.status(now)).collect()
    }

    /// Takes the file of a slot in the state that it was seen in, unless it is the one in use.
    async fn take(&self, at: usize, state: Fingerprint) -> Reloaded {
        self.take_by(at, state, load).await
    }

    /// The same with another way to read the file.
    async fn take_by(
        &self,
        at: usize,
        state: Fingerprint,
        load: impl FnOnce(&DatabaseConfig, Option<&Database>) -> Result<Database, Error> + Send + 'static,
    ) -> Reloaded {
        let (file, old) = {
            let mut slots = self.slots.lock();
            let slot = &mut slots[at];
            if slot.taken == Some(state) {
                slot.failure = None;
                return Reloaded::unchanged(&slot.file.path);
            }
            (slot.file.clone(), slot.in_use.clone())
        };
        let replaced = old.clone();
        match self.within(at, READ_TIME_MAX, move || load(&file, replaced.as_deref())).await {
            Ok(new) => self.put(at, new, old.as_deref()),
            Err(fault) => self.fail(at, Some(state), &fault),
        }
    }

    /// Puts a good file into its slot, and swaps the stack; a file of the same bytes changes nothing.
    fn put(&self, at: usize, new: Database, old: Option<&Database>) -> Reloaded {
        let mut slots = self.slots.lock();
        let slot = &mut slots[at];
        if old.is_some_and(|old| old.info().sha256 == new.info().sha256) {
            slot.confirm(&new);
            return Reloaded::unchanged(&slot.file.path);
        }
        let info = new.info();
        info!(path = %info.path.display(), kind = info.database_type, built = %info.build_time, "GeoIP database taken");
        slot.put(new, (self.clock)());
        let outcome = Reloaded::taken(&slot.file.path);
        drop(slots);
        self.swap();
        outcome
    }

    /// Keeps why the file of a slot was not taken; `state` is the one that need not be tried again.
    fn fail(&self, at: usize, state: Option<Fingerprint>, fault: &Error) -> Reloaded {
        let mut slots = self.slots.lock();
        let slot = &mut slots[at];
        let failure = Failure { at: (self.clock)(), reason: fault.failure_reason(), message: fault.to_string() };
        if slot.failure.as_ref().is_none_or(|known| known.message != failure.message) {
            warn!(keeps_the_old_one = slot.in_use.is_some(), "{fault}");
        }
        let outcome = Reloaded::failed(&slot.file.path, &failure);
        slot.fail(failure, state);
        outcome
    }

    /// Makes a stack of what is in use the current one.
    fn swap(&self) {
        // One lock for reading the slots and storing, so that of two swaps the later one is the newer.
        let slots = self.slots.lock();
        let databases = slots.iter().filter_map(|slot| slot.in_use.clone()).collect();
        self.current.store(Arc::new(GeoIp { databases }));
    }
}

/// Reads and checks a file, also against the one that it replaces.
fn load(file: &DatabaseConfig, old: Option<&Database>) -> Result<Database, Error> {
    let new = Database::open(&file.path, file.age)?;
    if let Some(old) = old {
        new.check_replaces(old)?;
    }
    Ok(new)
}
