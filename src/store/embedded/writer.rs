//! The writer thread: drains the queue into one transaction, one fsync, then tells observers and callers.
//!
//! After a failed fsync nothing is known of what the disk holds, so the writer stops for good: it never
//! acknowledges, and never tries the same fsync again. Whose writes met it hears that nobody knows whether they were done; who comes
//! later, that nothing was tried. That holds for folding the log too. A write that there is no room for is
//! another matter: SQLite takes it back, and the next group tries anew.

use std::collections::HashMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use tokio::sync::watch;
use tracing::{error, warn};

use super::super::{Error, Expect, Mutation, Observer};
use super::Revision;
use super::mark::Mark;
use super::medium::{Files, Medium, is_lack_of_room};
use super::queue::{Encoded, Job, Order, Queue, Scrubber};
use super::schema::Revisions;
use super::tally::Changes;
use super::{changing, directory, rows, tables};

/// Most batches in one transaction: bounds how long the first of them waits for the last.
const GROUP_MAX: usize = 1_024;
/// Quiet time after which the write-ahead log is folded into the database.
const IDLE: Duration = Duration::from_millis(500);

/// Starts the thread, and gives the callers' end of its queue and whether a panic ended it.
pub(super) fn start(
    connection: Connection,
    path: PathBuf,
    last: Revisions,
    mark: Mark,
    medium: &Medium,
) -> Result<(Queue, watch::Receiver<bool>), Error> {
    let (sender, orders) = channel();
    let (breaks, broken) = watch::channel(false);
    let (files, log_pages_max, observers) = (Arc::clone(&medium.files), medium.log_pages_max, Vec::new());
    let (stopped, is_log_folded) = (None, true);
    let writer = Writer { connection, path, files, last, mark, log_pages_max, observers, stopped, is_log_folded };
    let run = move || {
        // Nothing of the writer is used behind a panic: what it had in hand may be half done.
        if catch_unwind(AssertUnwindSafe(|| writer.run(&orders))).is_err() {
            error!("the thread that writes the store panicked: nothing is written any more");
            breaks.send_replace(true);
        }
    };
    std::thread::Builder::new()
        .name("waymark-store".into())
        .spawn(run)
        .map_err(|cause| Error::Unavailable { cause: cause.to_string() })?;
    Ok((Queue::new(sender), broken))
}

#[derive(Debug)]
struct Writer {
    connection: Connection,
    path: PathBuf,
    files: Arc<dyn Files>,
    /// The last committed revision of each partition.
    last: Revisions,
    /// How many commits that is, noted beside the database.
    mark: Mark,
    /// Pages beyond which the log is folded.
    log_pages_max: i64,
    observers: Vec<Arc<dyn Observer>>,
    /// Why nothing is written any more.
    stopped: Option<String>,
    is_log_folded: bool,
}

/// Why a group was not written.
#[derive(Debug)]
struct Failed {
    cause: rusqlite::Error,
    /// Whether it was being committed: the disk may have all of it, and a restart find it.
    was_committing: bool,
}

impl From<rusqlite::Error> for Failed {
    fn from(cause: rusqlite::Error) -> Self {
        Self { cause, was_committing: false }
    }
}

impl Writer {
    fn run(mut self, orders: &Receiver<Order>) {
        let (mut group, mut scrubbers) = (Vec::new(), Vec::new());
        loop {
            let mut next = match orders.recv_timeout(IDLE) {
                Ok(order) => Some(order),
                Err(RecvTimeoutError::Timeout) => {
                    self.fold_log();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let mut close = None;
            while let Some(order) = next {
                match order {
                    Order::Write(job) => group.push(job),
                    Order::Observe(observer) => self.observers.push(observer),
                    Order::Scrub(done) => scrubbers.push(done),
                    Order::Close(done) => {
                        close = Some(done);
                        break;
                    }
                }
                next = if group.len() < GROUP_MAX { orders.try_recv().ok() } else { None };
            }
            self.write(std::mem::take(&mut group));
            self.scrub(&mut scrubbers);
            if let Some(done) = close {
                self.fold_log();
                // The closer may have gone.
                let _ = done.send(());
                return;
            }
        }
    }

    /// Writes a group of batches in one transaction; each batch goes through or conflicts on its own.
    fn write(&mut self, group: Vec<Job>) {
        if group.is_empty() {
            return;
        }
        if let Some(cause) = &self.stopped {
            return refuse(group, || Error::Unavailable { cause: cause.clone() });
        }
        self.is_log_folded = false;
        match self.transact(&group) {
            Ok(outcomes) => {
                let commits = outcomes.iter().filter(|outcome| outcome.is_ok()).count() as u64;
                let noted = self.mark.add(commits);
                // They are on the disk, whether they are noted or not.
                self.acknowledge(group, outcomes);
                match noted {
                    Ok(()) => self.fold_long_log(),
                    Err(cause) => self.stop_after_note(&cause),
                }
            }
            Err(Failed { cause, was_committing }) => {
                let lack = self.stop_after(&cause);
                refuse(group, || match self.explain(&cause, lack.as_deref()) {
                    // What there is no room for is taken back.
                    told @ (Error::Full | Error::NoRoom { .. }) => told,
                    _ if was_committing => Error::Unknown { cause: format!("the disk failed meanwhile: {cause}") },
                    told => told,
                });
            }
        }
    }

    fn transact(&mut self, group: &[Job]) -> Result<Vec<Result<Revision, Error>>, Failed> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut next: HashMap<&str, Revision> = HashMap::new();
        let (mut outcomes, mut changes) = (Vec::with_capacity(group.len()), Changes::default());
        for job in group {
            if let Some(conflict) = find_conflict(&transaction, &job.mutations)? {
                outcomes.push(Err(conflict));
                continue;
            }
            let partition = job.partition();
            let last = next.get(partition).or_else(|| self.last.get(partition)).copied().unwrap_or_default();
            let revision = Revision(last.0 + 1);
            next.insert(partition, revision);
            for mutation in &job.mutations {
                apply(&transaction, mutation, revision, &mut changes)?;
            }
            outcomes.push(Ok(revision));
        }
        if next.is_empty() {
            transaction.rollback()?;
            return Ok(outcomes);
        }
        for (partition, revision) in next {
            transaction
                .prepare_cached("INSERT OR REPLACE INTO revisions (partition, revision) VALUES (?1, ?2)")?
                .execute(params![partition, revision.0.cast_signed()])?;
        }
        changes.write(&transaction)?;
        transaction.commit().map_err(|cause| Failed { cause, was_committing: true })?;
        Ok(outcomes)
    }

    /// Tells the observers first, then the callers: who is told that a write is done finds it everywhere.
    fn acknowledge(&mut self, group: Vec<Job>, outcomes: Vec<Result<Revision, Error>>) {
        for (job, outcome) in group.into_iter().zip(outcomes) {
            if let Ok(revision) = outcome {
                self.last.insert(job.partition().to_owned(), revision);
                let mutations: Vec<Mutation> = job.mutations.into_iter().map(|encoded| encoded.mutation).collect();
                self.observers.iter().for_each(|observer| observer.committed(revision, &mutations));
            }
            // A caller that stopped waiting loses the answer, not the write.
            let _ = job.answer.send(outcome);
        }
    }

    /// Want of room is waited out, and what there is too little of is told, where SQLite does not; any other failure of the disk ends
    /// writing.
    fn stop_after(&mut self, cause: &rusqlite::Error) -> Option<String> {
        use rusqlite::ErrorCode::{DatabaseCorrupt, DiskFull, NotADatabase, SystemIoFailure};
        let lack = self.lack_of_room(cause);
        match cause.sqlite_error_code() {
            _ if lack.is_some() => {
                warn!(path = %self.path.display(), lack = lack.as_deref(), "there is no room: writes are refused");
            }
            Some(DiskFull) => warn!(path = %self.path.display(), "the disk is full: writes are refused"),
            Some(SystemIoFailure | NotADatabase | DatabaseCorrupt) | None => self.stop(cause),
            Some(_) => warn!(path = %self.path.display(), %cause, "a group of writes failed"),
        }
        lack
    }

    /// What there is too little of, where that made a write fail. Of a quota and of the largest size of files SQLite says what it says of
    /// any write that failed, so a file of ours is tried. A sync that failed is none of these, and never tried again.
    fn lack_of_room(&self, cause: &rusqlite::Error) -> Option<String> {
        if cause.sqlite_extended_error_code() != Some(rusqlite::ffi::SQLITE_IOERR_WRITE) {
            return None;
        }
        let found = self.files.probe(&self.path).err().filter(is_lack_of_room)?;
        Some(format!(
            "{found}: free space, or raise the quota or the largest size of files, and writes go on by themselves"
        ))
    }

    fn explain(&self, cause: &rusqlite::Error, lack: Option<&str>) -> Error {
        lack.map_or_else(|| rows::explain(&self.path, cause), |lack| Error::NoRoom { cause: lack.to_owned() })
    }

    /// The same of what is noted beside the database. A full disk has room for it, as a rule: it is written over.
    fn stop_after_note(&mut self, cause: &io::Error) {
        if is_lack_of_room(cause) {
            warn!(path = %self.path.display(), %cause, "what was acknowledged is not noted");
        } else {
            self.stop(cause);
        }
    }

    fn stop(&mut self, cause: &dyn std::error::Error) {
        error!(path = %self.path.display(), %cause, "the store stopped: start waymark again when the disk is well");
        self.stopped = Some(format!("it stopped after a failure of the disk: {cause}"));
        if let Some(parent) = self.path.parent() {
            directory::leave_word_of_failure(parent);
        }
        // The last to close the file would fold the log. It stays, for the next start.
        let kept = self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        debug_assert!(kept.is_ok(), "a flag of the connection: {kept:?}");
    }

    /// Answers all who wait for a file without what was deleted: their writes are done, so once is enough for all.
    fn scrub(&mut self, scrubbers: &mut Vec<Scrubber>) {
        if scrubbers.is_empty() {
            return;
        }
        let outcome = self.rewrite();
        for scrubber in scrubbers.drain(..) {
            let told = match &outcome {
                Ok(()) => Ok(()),
                Err(Error::Full) => Err(Error::Full),
                Err(Error::NoRoom { cause }) => Err(Error::NoRoom { cause: cause.clone() }),
                Err(Error::Unavailable { cause }) => Err(Error::Unavailable { cause: cause.clone() }),
                Err(other) => Err(Error::Unavailable { cause: other.to_string() }),
            };
            // Who asked may have gone.
            let _ = scrubber.send(told);
        }
    }

    /// Writes the database anew, folds the log into it, and cuts the log to nothing. `secure_delete` would not do: where
    /// SQLite moves rows between pages it leaves copies, of some rows in a hundred.
    fn rewrite(&mut self) -> Result<(), Error> {
        if let Some(cause) = &self.stopped {
            return Err(Error::Unavailable { cause: cause.clone() });
        }
        // The whole file goes through the log.
        self.is_log_folded = false;
        let fold = || self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
        let is_busy = self.connection.execute_batch("VACUUM").and_then(|()| fold());
        match is_busy {
            Ok(false) => {
                self.is_log_folded = true;
                Ok(())
            }
            Ok(true) => Err(Error::Unavailable { cause: "a reader was in the way of its log: repeat the call".into() }),
            Err(cause) => {
                let lack = self.stop_after(&cause);
                Err(self.explain(&cause, lack.as_deref()))
            }
        }
    }

    /// Folds the log where it grew long, after the callers have their answers.
    fn fold_long_log(&mut self) {
        // Looks at the log, and does nothing to it.
        let look = self.connection.prepare_cached("PRAGMA wal_checkpoint(NOOP)");
        match look.and_then(|mut statement| statement.query_row([], |row| row.get::<_, i64>(1))) {
            Ok(pages) if pages > self.log_pages_max => self.fold_log(),
            Ok(_) => {}
            Err(cause) => drop(self.stop_after(&cause)),
        }
    }

    fn fold_log(&mut self) {
        if self.is_log_folded || self.stopped.is_some() {
            return;
        }
        self.is_log_folded = true;
        // A reader in the way is no harm: the log is folded the next time.
        if let Err(cause) = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
            drop(self.stop_after(&cause));
            return;
        }
        if let Err(cause) = self.mark.sync() {
            self.stop_after_note(&cause);
        }
    }
}

fn refuse(group: Vec<Job>, cause: impl Fn() -> Error) {
    for job in group {
        // A caller that stopped waiting needs no refusal.
        let _ = job.answer.send(Err(cause()));
    }
}

/// The first record of a batch that is not as expected.
fn find_conflict(transaction: &Transaction<'_>, batch: &[Encoded]) -> rusqlite::Result<Option<Error>> {
    for Encoded { mutation: Mutation { key, expect, .. }, .. } in batch {
        if matches!(expect, Expect::Any | Expect::Kept) {
            continue;
        }
        let partition = rows::partition_text(key.partition.as_ref());
        let mut statement = transaction.prepare_cached(tables::of(key.kind).find)?;
        let present: Option<i64> =
            statement.query_row(params![partition, key.kind as u8, key.id], |row| row.get(0)).optional()?;
        let present = present.map(|revision| Revision(revision.cast_unsigned()));
        let is_as_expected = match expect {
            Expect::Any | Expect::Kept => true,
            Expect::Absent => present.is_none(),
            Expect::Revision(revision) => present == Some(*revision),
        };
        if !is_as_expected {
            return Ok(Some(Error::Conflict { key: key.clone() }));
        }
    }
    Ok(None)
}

fn apply(
    transaction: &Transaction<'_>,
    encoded: &Encoded,
    revision: Revision,
    changes: &mut Changes,
) -> rusqlite::Result<()> {
    let Mutation { key, expect, .. } = &encoded.mutation;
    let Some(bytes) = &encoded.bytes else { return changing::delete(transaction, key, changes) };
    changing::put(transaction, key, revision, bytes, encoded.packed.as_deref(), *expect == Expect::Kept, changes)
}
