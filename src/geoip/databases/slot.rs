//! One place in the stack: its file, the version of it that is in use, and what became of newer ones.

use std::sync::Arc;
use std::thread::JoinHandle;

use jiff::Timestamp;
use tokio::task::AbortHandle;
use tracing::{error, warn};

use super::status::{DatabaseStatus, Failure};
use crate::geoip::age::Freshness;
use crate::geoip::config::DatabaseConfig;
use crate::geoip::database::{Counters, Database, Fingerprint};
use crate::geoip::error::FailureReason;
use crate::geoip::opening::Opening;

/// Most looks that pass between two attempts to read a file that the system does not give: five minutes, where a look
/// is taken every five seconds.
const PAUSE_LOOKS_MAX: u32 = 60;

#[derive(Debug)]
pub(super) struct Slot {
    pub(super) file: DatabaseConfig,
    pub(super) in_use: Option<Arc<Database>>,
    /// When it was put to use.
    pub(super) loaded_at: Option<Timestamp>,
    /// The state of the file that the one in use has the bytes of.
    pub(super) taken: Option<Fingerprint>,
    /// The state of the file that was refused, and need not be tried again.
    pub(super) refused: Option<Fingerprint>,
    /// The state at the last look.
    pub(super) seen: Option<Fingerprint>,
    /// Why the file that is there now is not in use.
    pub(super) failure: Option<Failure>,
    /// How old the one in use was when that was told last.
    pub(super) told: Freshness,
    /// Looks to let pass before the next attempt, and how many it were the last time.
    pub(super) pause: (u32, u32),
    /// The work on the file that was begun last; nothing else is begun before its end.
    pub(super) work: Option<AbortHandle>,
    /// The thread that the file held at the start for too long; nothing else is begun before its end.
    held: Option<JoinHandle<()>>,
    counters: Arc<Counters>,
    loads: u64,
    failures: u64,
}

impl Slot {
    /// A slot at the start.
    pub(super) fn new(file: DatabaseConfig, opening: Opening, now: Timestamp) -> Self {
        let mut slot = Self {
            file,
            in_use: None,
            loaded_at: None,
            taken: None,
            refused: None,
            seen: None,
            failure: None,
            told: Freshness::Fresh,
            pause: (0, 0),
            work: None,
            held: opening.held,
            counters: Arc::default(),
            loads: 0,
            failures: 0,
        };
        match opening.opened {
            Ok(database) => {
                slot.put(database, now);
                slot.tell_age(now);
            }
            Err(fault) => {
                error!("{fault}; sites are placed without it until it is there");
                slot.fail(Failure { at: now, reason: fault.failure_reason(), message: fault.to_string() }, None);
            }
        }
        slot
    }

    /// Whether the file holds a thread that asked for it.
    pub(super) fn is_held(&self) -> bool {
        self.work.as_ref().is_some_and(|work| !work.is_finished())
            || self.held.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Puts a good file to use. Its look-ups are counted on.
    pub(super) fn put(&mut self, database: Database, now: Timestamp) {
        self.confirm(&database);
        self.in_use = Some(Arc::new(database.counting_with(Arc::clone(&self.counters))));
        self.loaded_at = Some(now);
        self.told = Freshness::Fresh;
        self.loads += 1;
    }

    /// The file there now is as good as the one in use.
    pub(super) fn confirm(&mut self, database: &Database) {
        self.taken = database.fingerprint();
        (self.refused, self.failure, self.pause) = (None, None, (0, 0));
    }

    /// Keeps why a file was not taken. What is wrong with the bytes stays wrong until they change; what the system does
    /// not give is tried again ever more rarely; a missing file costs no attempt, and is looked for at each look.
    pub(super) fn fail(&mut self, failure: Failure, state: Option<Fingerprint>) {
        let is_missing = failure.reason == FailureReason::Missing;
        if is_missing && self.failure.as_ref().is_some_and(|known| known.reason == failure.reason) {
            return;
        }
        if failure.reason.is_of_content() {
            self.refused = state;
        } else if failure.reason == FailureReason::Unreadable {
            let looks = (self.pause.1 * 2).clamp(1, PAUSE_LOOKS_MAX);
            self.pause = (looks, looks);
        }
        self.failure = Some(failure);
        self.failures += 1;
    }

    /// Says once that the database in use passed a limit of its age.
    pub(super) fn tell_age(&mut self, now: Timestamp) {
        let Some(database) = &self.in_use else { return };
        let freshness = database.freshness(now);
        if freshness != self.told && freshness > Freshness::Fresh {
            let info = database.info();
            let meaning = match freshness {
                Freshness::Fresh | Freshness::Old => "a newer one is due",
                Freshness::Outdated => "its estimates are marked as outdated",
                Freshness::Refused => "it is not asked any more",
            };
            warn!(path = %info.path.display(), built = %info.build_time, "GeoIP database is old: {meaning}");
        }
        self.told = freshness;
    }

    pub(super) fn status(&self, now: Timestamp) -> DatabaseStatus {
        let [look_ups, misses, damaged] = self.counters.read();
        DatabaseStatus {
            path: self.file.path.clone(),
            in_use: self.in_use.as_ref().map(|database| database.info().clone()),
            loaded_at: self.loaded_at,
            age: self.in_use.as_ref().map(|database| now.duration_since(database.info().build_time)),
            freshness: self.in_use.as_ref().map(|database| database.freshness(now)),
            failure: self.failure.clone(),
            look_ups,
            misses,
            damaged,
            loads: self.loads,
            failures: self.failures,
        }
    }
}
