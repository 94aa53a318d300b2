//! The embedded engine: SQLite in a data directory, one writer thread, several readers.
//!
//! Many callers share one fsync: the writer drains its queue into one transaction. Each record carries a CRC-32 of
//! its own, because SQLite has no page checksums. One process holds the directory, by a lock on its `LOCK` file.

mod ahead;
pub mod backup;
mod changing;
mod directory;
mod gets;
mod load;
mod log;
mod mark;
mod medium;
mod packs;
mod queue;
mod rows;
mod schema;
mod tables;
mod tally;
pub mod transfer;
mod whole;
mod writer;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::future::{try_join, try_join_all};
use parking_lot::Mutex;
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::{info, warn};

use super::{Error, Key, Mutation, Observer, Range, Record, Revision, SCAN_MAX, Store, Unreadable, Visit, faults};
use crate::model::id::AccountId;
use gets::Gets;
use load::Spans;
use mark::Mark;
use medium::Medium;
use queue::Queue;
use schema::Revisions;

/// The store's file in its directory.
const FILE: &str = "waymark.sqlite3";
/// Its write-ahead log, as SQLite names it.
const LOG: &str = "waymark.sqlite3-wal";
/// What a look at all records beside calls does not take of a core, for each part that it takes: at a million sites some minutes for
/// some seconds of work.
const PROOF_PAUSE: u32 = 9;
/// Connections kept for readers; more are opened under load and closed again.
const READERS_KEPT: usize = 8;
/// Reads that whoever closes the store waits for: more than ever run at once.
const READS_MAX: u32 = 65_536;
/// For so long they are waited for: a thread that a dead file system holds does not come back.
const LAST_READS_TIME_MAX: Duration = Duration::from_secs(1);

/// A store that this process holds.
struct Opened {
    /// The writer's.
    connection: Connection,
    revisions: Revisions,
    mark: Mark,
    directory_lock: File,
}

/// Takes a directory for this process, and opens the writer's connection to the store in it; both are made where they are missing.
fn open_file(directory: &Path, medium: &Medium) -> Result<Opened, Error> {
    let refuse = |cause: String| Error::Directory { path: directory.to_owned(), cause };
    let held = directory::hold(directory).map_err(refuse)?;
    let path = directory.join(FILE);
    let (log, files) = (directory.join(LOG), &*medium.files);
    let explain = |cause| refuse(format!("{LOG}: {cause}"));
    directory::recover(directory, &log, files).map_err(explain)?;
    if log::is_damaged(files, &log).map_err(explain)? {
        return Err(refuse(format!("{LOG} is damaged before its end: restore it from a backup")));
    }
    let noted = directory.join(mark::FILE);
    let explain = |cause| refuse(format!("{}: {cause}", mark::FILE));
    let acknowledged = mark::read(files, &noted).map_err(explain)?.unwrap_or_default();
    let (connection, revisions) = schema::open_writer(&path, medium, held.is_known).map_err(refuse)?;
    let found = mark::commits(&revisions);
    if found < acknowledged {
        // Whoever looks into it finds what is left of the log.
        let kept = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        debug_assert!(kept.is_ok(), "a flag of the connection: {kept:?}");
        return Err(Error::SetBack { path, acknowledged, found });
    }
    schema::prepare(&connection, medium).map_err(|cause| refuse(schema::explain(&path, &cause)))?;
    let mark = Mark::open(files, &noted, found).map_err(explain)?;
    let directory_lock = held.mark().map_err(|cause| refuse(cause.to_string()))?;
    Ok(Opened { connection, revisions, mark, directory_lock })
}

/// The embedded engine.
#[derive(Debug)]
pub struct Embedded {
    path: PathBuf,
    medium: Medium,
    /// They close before the writer, which then folds the log.
    readers: Arc<Mutex<Vec<Connection>>>,
    /// A place for each read, until its connection is given back: that is behind its answer, or behind a caller that went.
    reads: Arc<Semaphore>,
    gets: Gets,
    queue: Queue,
    /// Whether the writer ended by a fault of its own.
    broken: watch::Receiver<bool>,
    /// Held for as long as the engine lives.
    _directory_lock: File,
}

impl Embedded {
    /// Opens the store in `directory`, making both where they are missing.
    ///
    /// Refuses a directory that another process holds, and a file of another format.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        Self::open_on(directory, Medium::default())
    }

    fn open_on(directory: &Path, medium: Medium) -> Result<Self, Error> {
        let path = directory.join(FILE);
        let Opened { connection, revisions, mark, directory_lock } = open_file(directory, &medium)?;
        let (queue, broken) = writer::start(connection, path.clone(), revisions, mark, &medium)?;
        Ok(Self {
            path,
            medium,
            readers: Arc::default(),
            reads: Arc::new(Semaphore::new(READS_MAX as usize)),
            gets: Gets::default(),
            queue,
            broken,
            _directory_lock: directory_lock,
        })
    }

    /// Runs `read` on a reader's connection, off the async threads.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection, &Path) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        faults::joined(self.start(read).await)?
    }

    /// Has a thread run `read` on a reader's connection.
    fn start<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection, &Path) -> Result<T, Error> + Send + 'static,
    ) -> JoinHandle<Result<T, Error>> {
        let (readers, path, medium) = (Arc::clone(&self.readers), self.path.clone(), self.medium.clone());
        // None is left for those that come while the store is closed: nobody waits for them.
        let place = Arc::clone(&self.reads).try_acquire_owned().ok();
        tokio::task::spawn_blocking(move || {
            let _place = place;
            let idle = readers.lock().pop();
            let connection = match idle {
                Some(connection) => connection,
                None => schema::open_reader(&path, &medium).map_err(|cause| rows::explain(&path, &cause))?,
            };
            let result = read(&connection, &path);
            let mut idle = readers.lock();
            if idle.len() < READERS_KEPT {
                idle.push(connection);
            }
            result
        })
    }

    /// Looks at all records, span by span, and rests behind each so many times as long as it took.
    async fn prove_all(&self, pause: u32) -> Result<(), Error> {
        let mut next = Some(tally::FIRST_SPAN);
        while let Some(from) = next {
            let begun = Instant::now();
            next = self.read(move |connection, path| whole::prove_on(connection, path, from)).await?;
            if pause > 0 {
                tokio::time::sleep(begun.elapsed() * pause).await;
            }
        }
        Ok(())
    }

    /// What a look at all records said before it broke off the last run, looked at again.
    async fn prove_where_doubted(&self) -> Result<(), Error> {
        let Some(directory) = self.path.parent().filter(|directory| directory::has_word_of_damage(directory)) else {
            return Ok(());
        };
        info!(path = %self.path.display(), "records were lost: all are looked at before anybody is served");
        self.prove_all(0).await?;
        directory::forget_damage(directory);
        Ok(())
    }
}

#[async_trait]
impl Store for Embedded {
    async fn commit(&self, batch: Vec<Mutation>) -> Result<Revision, Error> {
        self.queue.submit(batch).await
    }

    async fn get(&self, key: Key) -> Result<Option<Record>, Error> {
        let (answered, turn) = self.gets.ask(key);
        // Whoever asks next may be answered by the same thread: it goes on where this caller is gone.
        let reading = turn.map(|turn| {
            self.start(move |connection, path| {
                turn.take(connection, path);
                Ok(())
            })
        });
        if let Ok(found) = answered.await {
            return Ok(found??);
        }
        // Why the thread ended is known to who started it.
        if let Some(reading) = reading {
            faults::joined(reading.await)??;
        }
        Err(Error::Unavailable { cause: "the thread that was to read it ended: repeat the call".into() })
    }

    async fn get_each(&self, keys: Vec<Key>) -> Result<Vec<Result<Option<Record>, Unreadable>>, Error> {
        self.read(move |connection, path| {
            // One read transaction: all records as of one revision.
            let transaction = connection.unchecked_transaction().map_err(|cause| rows::explain(path, &cause))?;
            keys.iter().map(|key| rows::get(&transaction, path, key)).collect()
        })
        .await
    }

    async fn scan_each(&self, mut range: Range) -> Result<Vec<Result<Record, Unreadable>>, Error> {
        range.limit = range.limit.min(SCAN_MAX);
        self.read(move |connection, path| rows::scan(connection, path, &range)).await
    }

    async fn load(&self, visits: Vec<Visit>) -> Result<(), Error> {
        self.prove_where_doubted().await?;
        let spans = Arc::new(Spans::default());
        let all = visits.into_iter().map(|mut visit| {
            let spans = Arc::clone(&spans);
            self.read(move |connection, path| load::load(connection, path, &spans, &mut *visit))
        });
        let (given_out, is_file) = (Arc::clone(&spans), self.medium.vfs.is_none());
        let ahead = self.read(move |connection, path| {
            if is_file {
                ahead::read(connection, path, &given_out);
            }
            Ok(())
        });
        try_join(try_join_all(all), ahead).await?;
        let damaged = spans.damaged();
        if damaged > 0 {
            warn!(path = %self.path.display(), spans = damaged, "packed copies are damaged: documents were read instead");
        }
        Ok(())
    }

    async fn prove(&self) -> Result<(), Error> {
        let begun = Instant::now();
        let proven = self.prove_all(PROOF_PAUSE).await;
        match (&proven, self.path.parent()) {
            (Ok(()), _) => info!(seconds = begun.elapsed().as_secs_f64(), "all records are there"),
            // The next start must not serve first and look later.
            (Err(Error::Damaged { .. }), Some(directory)) => directory::leave_word_of_damage(directory),
            (Err(_), _) => {}
        }
        proven
    }

    async fn observe(&self, observer: Arc<dyn Observer>) -> Result<(), Error> {
        self.queue.observe(observer);
        Ok(())
    }

    async fn broken(&self) -> String {
        let mut broken = self.broken.clone();
        if broken.wait_for(|is_broken| *is_broken).await.is_err() {
            // It ended in order.
            std::future::pending::<()>().await;
        }
        "the thread that writes the store panicked".to_owned()
    }

    async fn revision(&self, partition: Option<&AccountId>) -> Result<Revision, Error> {
        let partition = rows::partition_text(partition).to_owned();
        self.read(move |connection, path| rows::revision(connection, path, &partition)).await
    }

    async fn scrub(&self) -> Result<(), Error> {
        self.queue.scrub().await
    }

    async fn close(&self) {
        // The last connection to close takes the log away: that is the writer's, where no thread holds on to another one.
        let _ = timeout(LAST_READS_TIME_MAX, self.reads.acquire_many(READS_MAX)).await;
        self.readers.lock().clear();
        self.queue.close().await;
    }
}

#[cfg(test)]
mod copies;
#[cfg(test)]
mod formats;
#[cfg(test)]
mod starts;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod torture;
