//! The embedded engine: SQLite in a data directory, one writer thread, several readers.
//!
//! Many callers share one fsync: the writer drains its queue into one transaction. Each record carries a CRC-32 of
//! its own, because SQLite has no page checksums. One process holds the directory, by a lock on its `LOCK` file.

mod load;
mod queue;
mod rows;
mod schema;
mod tables;
mod writer;

use std::fs::{DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use parking_lot::Mutex;
use rusqlite::Connection;

use super::{Error, Key, Mutation, Observer, Range, Record, Revision, SCAN_MAX, Store, Visit};
use crate::model::id::AccountId;
use load::Spans;
use queue::Queue;

/// Connections kept for readers; more are opened under load and closed again.
const READERS_KEPT: usize = 8;

/// The embedded engine.
#[derive(Debug)]
pub struct Embedded {
    path: PathBuf,
    queue: Queue,
    readers: Arc<Mutex<Vec<Connection>>>,
    /// Held for as long as the engine lives.
    _directory_lock: File,
}

impl Embedded {
    /// Opens the store in `directory`, making both where they are missing.
    ///
    /// Refuses a directory that another process holds, and a file of another format.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        let refuse = |cause: String| Error::Directory { path: directory.to_owned(), cause };
        // Secrets and personal data lie here: for the owner alone, whatever the process's umask.
        let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
        made.map_err(|cause| refuse(cause.to_string()))?;
        let directory_lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(directory.join("LOCK"))
            .map_err(|cause| refuse(cause.to_string()))?;
        directory_lock
            .try_lock()
            .map_err(|_| refuse("another process holds it: stop that one, or choose another directory".into()))?;
        let path = directory.join("waymark.sqlite3");
        let (connection, revisions) = schema::open_writer(&path).map_err(refuse)?;
        let queue = writer::start(connection, path.clone(), revisions)?;
        Ok(Self { path, queue, readers: Arc::default(), _directory_lock: directory_lock })
    }

    /// Runs `read` on a reader's connection, off the async threads.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection, &Path) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (readers, path) = (Arc::clone(&self.readers), self.path.clone());
        let task = tokio::task::spawn_blocking(move || {
            let idle = readers.lock().pop();
            let connection = match idle {
                Some(connection) => connection,
                None => schema::open_reader(&path).map_err(|cause| rows::unavailable(&cause))?,
            };
            let result = read(&connection, &path);
            let mut idle = readers.lock();
            if idle.len() < READERS_KEPT {
                idle.push(connection);
            }
            result
        });
        task.await.map_err(|cause| Error::Unavailable { cause: cause.to_string() })?
    }
}

#[async_trait]
impl Store for Embedded {
    async fn commit(&self, batch: Vec<Mutation>) -> Result<Revision, Error> {
        self.queue.submit(batch).await
    }

    async fn get(&self, key: Key) -> Result<Option<Record>, Error> {
        self.read(move |connection, path| rows::get(connection, path, &key)).await
    }

    async fn get_many(&self, keys: Vec<Key>) -> Result<Vec<Option<Record>>, Error> {
        self.read(move |connection, path| {
            // One read transaction: all records as of one revision.
            let transaction = connection.unchecked_transaction().map_err(|cause| rows::unavailable(&cause))?;
            keys.iter().map(|key| rows::get(&transaction, path, key)).collect()
        })
        .await
    }

    async fn scan(&self, mut range: Range) -> Result<Vec<Record>, Error> {
        range.limit = range.limit.min(SCAN_MAX);
        self.read(move |connection, path| rows::scan(connection, path, &range)).await
    }

    async fn load(&self, visits: Vec<Visit>) -> Result<(), Error> {
        let spans = Arc::new(Spans::default());
        let all = visits.into_iter().map(|mut visit| {
            let spans = Arc::clone(&spans);
            self.read(move |connection, path| load::load(connection, path, &spans, &mut *visit))
        });
        try_join_all(all).await.map(drop)
    }

    async fn observe(&self, observer: Arc<dyn Observer>) -> Result<(), Error> {
        self.queue.observe(observer);
        Ok(())
    }

    async fn revision(&self, partition: Option<&AccountId>) -> Result<Revision, Error> {
        let partition = rows::partition_text(partition).to_owned();
        self.read(move |connection, _| rows::revision(connection, &partition)).await
    }

    async fn scrub(&self) -> Result<(), Error> {
        self.queue.scrub().await
    }

    async fn close(&self) {
        self.queue.close().await;
    }
}

#[cfg(test)]
mod tests;
