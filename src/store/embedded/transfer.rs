//! The embedded engine as one side of a migration: rows as they are, on one connection, into a file that is marked.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use rusqlite::{Connection, params};

use super::super::transfer::{Looked, PAGE, Partitions, Row, Transfer};
use super::super::{Error, Kind, Range, Record, packed};
use super::directory::{self, Held};
use super::medium::Medium;
use super::schema::{self, APPLICATION_ID, UNFINISHED_ID};
use super::tally::Changes;
use super::{FILE, Opened, changing, mark, open_file, rows};
use crate::model::id::AccountId;

/// A directory that a migration reads or fills. Holds it, as a server does.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// None before a target has begun.
    connection: Arc<Mutex<Option<Connection>>>,
    hold: Mutex<Hold>,
}

/// How a directory is held.
#[derive(Debug)]
enum Hold {
    /// It has a store.
    Marked { _lock: File },
    /// It is to be marked when it has one.
    Unmarked(Option<Held>),
}

impl Directory {
    /// Opens a store to read it. Refuses a directory that a process holds, and one without a store.
    pub fn source(directory: &Path) -> Result<Self, Error> {
        if !directory.join(FILE).exists() {
            return Err(refuse(directory, "there is no store in it"));
        }
        let Opened { connection, directory_lock, .. } = open_file(directory, &Medium::default())?;
        Ok(Self::of(directory, Some(connection), Hold::Marked { _lock: directory_lock }))
    }

    /// Holds a directory to fill it, making it where it is missing.
    pub fn target(directory: &Path) -> Result<Self, Error> {
        let held = directory::hold(directory).map_err(|cause| refuse(directory, cause))?;
        if held.is_known && !directory.join(FILE).exists() {
            return Err(refuse(
                directory,
                format!("{FILE} is gone: restore it from a backup, or choose another directory"),
            ));
        }
        Ok(Self::of(directory, None, Hold::Unmarked(Some(held))))
    }

    fn of(directory: &Path, connection: Option<Connection>, hold: Hold) -> Self {
        let connection = Arc::new(Mutex::new(connection));
        Self { path: directory.to_owned(), connection, hold: Mutex::new(hold) }
    }

    /// Runs `work` on the connection, off the async threads.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection, &Path) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (connection, path) = (Arc::clone(&self.connection), self.path.join(FILE));
        let task = tokio::task::spawn_blocking(move || match &mut *connection.lock() {
            Some(connection) => work(connection, &path),
            None => Err(Error::Unavailable { cause: "the migration did not begin".into() }),
        });
        task.await.map_err(|cause| Error::Unavailable { cause: cause.to_string() })?
    }
}

#[expect(clippy::needless_pass_by_value, reason = "texts that were made for it")]
fn refuse(directory: &Path, cause: impl ToString) -> Error {
    Error::Directory { path: directory.to_owned(), cause: cause.to_string() }
}

/// Whether a migration may take a file away: one without a record, or that another attempt did not finish.
fn is_free(path: &Path) -> Result<bool, String> {
    let explain = |cause: rusqlite::Error| format!("{} cannot be opened: {cause}", path.display());
    if !path.exists() {
        return Ok(true);
    }
    // A reader's connection changes nothing: what may be another program's file stays as it is, and so does its log.
    let file = schema::open_reader(path, &Medium::default()).map_err(explain)?;
    let application = file.pragma_query_value(None, "application_id", |row| row.get::<_, i32>(0)).map_err(explain)?;
    let count = |text: &str| file.query_row(text, [], |row| row.get::<_, i64>(0));
    let tables = count("SELECT count(*) FROM sqlite_schema").map_err(explain)?;
    Ok(match application {
        UNFINISHED_ID => true,
        APPLICATION_ID => {
            let text = "SELECT EXISTS (SELECT 1 FROM records) + EXISTS (SELECT 1 FROM revisions)";
            count(text).map_err(explain)? == 0
        }
        other => other == 0 && tables == 0,
    })
}

/// Makes a file that is marked as unfinished, in the place of what is there.
fn make(path: &Path, partitions: &Partitions) -> Result<Connection, String> {
    if !is_free(path)? {
        return Err("it holds data: choose an empty directory".into());
    }
    let explain = |cause: std::io::Error| format!("{} cannot be made: {cause}", path.display());
    // What was acknowledged of what stood there is not what will.
    let noted = path.with_file_name(mark::FILE);
    for file in directory::companions(path).iter().map(PathBuf::as_path).chain([&*noted, path]) {
        directory::remove(file).map_err(explain)?;
    }
    directory::make_file(path).map_err(explain)?;
    fill(path, partitions).map_err(|cause| format!("{} cannot be made: {cause}", path.display()))
}

fn fill(path: &Path, partitions: &Partitions) -> rusqlite::Result<Connection> {
    let mut connection = Connection::open(path)?;
    schema::make_tables(&mut connection, UNFINISHED_ID)?;
    schema::prepare(&connection, &Medium::default())?;
    connection.pragma_update(None, "wal_autocheckpoint", Medium::default().log_pages_max)?;
    note(&mut connection, partitions)?;
    Ok(connection)
}

/// Takes the mark away, once all is in the file.
fn seal(connection: &Connection) -> rusqlite::Result<()> {
    let fold = || match connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))? {
        0 => Ok(()),
        // Somebody reads it, as a copy in hand does.
        _busy => Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY), None)),
    };
    fold()?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    fold()
}

fn note(connection: &mut Connection, partitions: &Partitions) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    for (partition, revision) in partitions {
        transaction
            .prepare_cached("INSERT INTO revisions (partition, revision) VALUES (?1, ?2)")?
            .execute(params![rows::partition_text(partition.as_ref()), revision.0.cast_signed()])?;
    }
    transaction.commit()
}

fn put(connection: &mut Connection, put: &[Row]) -> rusqlite::Result<()> {
    let (transaction, mut changes) = (connection.transaction()?, Changes::default());
    for Row { record, bytes } in put {
        let copy = packed::pack(&record.document);
        let Record { key, revision, .. } = record;
        changing::put(&transaction, key, *revision, bytes, copy.as_deref(), false, &mut changes)?;
    }
    changes.write(&transaction)?;
    transaction.commit()
}

#[async_trait]
impl Transfer for Directory {
    async fn partitions(&self) -> Result<Partitions, Error> {
        self.run(|connection, path| {
            let found = schema::read_revisions(connection).map_err(|cause| rows::explain(path, &cause))?;
            let named = found.into_iter().map(|(text, revision)| {
                let partition = if text.is_empty() { None } else { Some(text.parse::<AccountId>()) }.transpose();
                let is_bad = |_| Error::Corrupt { kind: Kind::Account, id: text.clone(), path: path.to_owned() };
                Ok((partition.map_err(is_bad)?, revision))
            });
            named.collect()
        })
        .await
    }

    async fn count(&self) -> Result<u64, Error> {
        self.run(|connection, path| {
            let text = "SELECT (SELECT count(*) FROM records WHERE kind <> ?1) + (SELECT count(*) FROM past)";
            let count = connection.query_row(text, [Kind::Lease as u8], |row| row.get::<_, i64>(0));
            Ok(count.map_err(|cause| rows::explain(path, &cause))?.cast_unsigned())
        })
        .await
    }

    async fn page(&self, partition: Option<&AccountId>, kind: Kind, after: Option<&str>) -> Result<Vec<Row>, Error> {
        let mut range = Range::all(partition.cloned(), kind);
        (range.after, range.limit) = (after.map(str::to_owned), PAGE);
        self.run(move |connection, path| rows::scan_whole(connection, path, &range)).await
    }

    async fn look(&self, partition: Option<&AccountId>, kind: Kind) -> Result<Looked, Error> {
        let range = Range { limit: usize::MAX, ..Range::all(partition.cloned(), kind) };
        self.run(move |connection, path| {
            let mut looked = Looked::default();
            rows::look(connection, path, &range, |read| {
                looked.records += 1;
                looked.damaged.extend(read.err().map(Error::from));
            })?;
            Ok(looked)
        })
        .await
    }

    async fn begin(&self, partitions: &Partitions) -> Result<(), Error> {
        let (path, partitions, connection) = (self.path.join(FILE), partitions.clone(), Arc::clone(&self.connection));
        let task = tokio::task::spawn_blocking(move || {
            let mut connection = connection.lock();
            *connection = None;
            *connection = Some(make(&path, &partitions)?);
            Ok::<(), String>(())
        });
        let made = task.await.map_err(|cause| Error::Unavailable { cause: cause.to_string() })?;
        made.map_err(|cause| refuse(&self.path, cause))
    }

    async fn put(&self, batch: &[Row]) -> Result<(), Error> {
        let written = batch.to_vec();
        self.run(move |connection, path| put(connection, &written).map_err(|cause| rows::explain(path, &cause))).await
    }

    async fn seal(&self) -> Result<(), Error> {
        self.run(|connection, path| seal(connection).map_err(|cause| rows::explain(path, &cause))).await?;
        let mut hold = self.hold.lock();
        if let Hold::Unmarked(held) = &mut *hold
            && let Some(held) = held.take()
        {
            let lock = held.mark().map_err(|cause| refuse(&self.path, cause))?;
            *hold = Hold::Marked { _lock: lock };
        }
        Ok(())
    }
}
