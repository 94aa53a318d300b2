//! The file's format: tables, pragmas, and the refusal of files that are not ours or not of this version.

use std::collections::HashMap;
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, Row};
use tracing::info;

use super::super::packed;
use super::medium::Medium;
use super::{Revision, directory, packs};

/// `wmrk`: marks the file as waymark's (SQLite `application_id`).
pub(super) const APPLICATION_ID: i32 = 0x776d_726b;
/// `wmru`: marks a file that a migration did not finish. No waymark serves it, those that know nothing of migrations neither.
pub(super) const UNFINISHED_ID: i32 = 0x776d_7275;
/// Version of the tables below (SQLite `user_version`).
const FORMAT_VERSION: i32 = 4;
/// What makes a file of format 1, which had no packed copies, one of format 2, which had them beside the documents.
const FROM_FORMAT_1: &str = "ALTER TABLE records ADD COLUMN packed BLOB;";
/// Statements kept prepared on one connection.
const STATEMENTS_KEPT: usize = 32;

/// What makes a table of records. `partition` is the account's id, or empty for the operator's. Rowid tables with a unique
/// index: measured faster here than `WITHOUT ROWID`, whose rows split pages with every long value.
macro_rules! table_of_records {
    ($name:literal) => {
        concat!(
            "CREATE TABLE ",
            $name,
            " (
  partition TEXT NOT NULL,
  kind INTEGER NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL,
  checksum INTEGER NOT NULL,
  document BLOB NOT NULL,
  packed BLOB,
  UNIQUE (partition, kind, id)
) STRICT;"
        )
    };
}

const TABLE_OF_PRESENT: &str = table_of_records!("records");
/// That of records of the past ([`super::super::Kind::is_past`]): alone it makes a file of format 2, which had none, one of
/// format 3.
const TABLE_OF_PAST: &str = table_of_records!("past");
const TABLE_OF_REVISIONS: &str =
    "CREATE TABLE revisions (partition TEXT NOT NULL UNIQUE, revision INTEGER NOT NULL) STRICT;";
/// Packed copies by the row ids of their records ([`packs`]), what each span of row ids has ([`super::tally`]), and the layout of the
/// copies: filled, they make a file of format 3, which had the copies in `records`, one of format 4. No row id changes where the file is
/// written anew: a table with an index keeps them.
const TABLES_OF_PACKED: &str = "CREATE TABLE packed (
  record INTEGER PRIMARY KEY,
  kind INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  checksum INTEGER NOT NULL,
  copy BLOB NOT NULL
) STRICT;
CREATE TABLE tallies (
  span INTEGER PRIMARY KEY,
  records INTEGER NOT NULL,
  names INTEGER NOT NULL,
  copies INTEGER NOT NULL,
  sums INTEGER NOT NULL
) STRICT;
CREATE TABLE layout (layout INTEGER NOT NULL) STRICT;";

/// The last revision of each partition that has one, by the text under which it is kept.
pub(super) type Revisions = HashMap<String, Revision>;

/// Opens the connection that becomes the writer's, makes or checks the format, and reads the last revisions. `is_known` says that
/// there was a store before: none is made in its place. The log stays as it is until [`prepare`].
pub(super) fn open_writer(path: &Path, medium: &Medium, is_known: bool) -> Result<(Connection, Revisions), String> {
    let explain = |cause: rusqlite::Error| explain(path, &cause);
    if is_known && !path.exists() && medium.vfs.is_none() {
        return Err(format!("{} is gone: restore it from a backup", path.display()));
    }
    directory::make_file(path).map_err(|cause| format!("{} cannot be opened: {cause}", path.display()))?;
    let mut connection = medium.connect(path, OpenFlags::default()).map_err(explain)?;
    check_format(&mut connection, path, is_known)?;
    let revisions = read_revisions(&connection).map_err(explain)?;
    Ok((connection, revisions))
}

/// Makes a connection the writer's.
pub(super) fn prepare(connection: &Connection, medium: &Medium) -> rusqlite::Result<()> {
    // The writer folds the log itself: where SQLite does, it tells nobody that the disk failed.
    let pragmas = format!(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = {}; PRAGMA wal_autocheckpoint = 0;
         PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY;",
        medium.synchronous
    );
    connection.execute_batch(&pragmas)?;
    // A loss of power may have left whole groups behind a torn one. New groups would not cover all of them, and after
    // another loss the log would look damaged in its midst: so each start begins an empty log.
    let folded = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    if let Err(cause) = folded
        && cause.sqlite_error_code() != Some(ErrorCode::DiskFull)
    {
        return Err(cause);
    }
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    Ok(())
}

/// Makes the tables of a file that is empty.
pub(super) fn make_tables(connection: &mut Connection, application: i32) -> rusqlite::Result<()> {
    connection.execute_batch("PRAGMA page_size = 8192;")?;
    let transaction = connection.transaction()?;
    for tables in [TABLE_OF_PRESENT, TABLE_OF_REVISIONS, TABLE_OF_PAST, TABLES_OF_PACKED] {
        transaction.execute_batch(tables)?;
    }
    packs::fill(&transaction, false)?;
    transaction.pragma_update(None, "application_id", application)?;
    transaction.pragma_update(None, "user_version", FORMAT_VERSION)?;
    transaction.commit()
}

pub(super) fn read_revisions(connection: &Connection) -> rusqlite::Result<Revisions> {
    let mut statement = connection.prepare("SELECT partition, revision FROM revisions")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, Revision(row.get::<_, i64>(1)?.cast_unsigned()))))?;
    rows.collect()
}

/// Opens a reader's connection to a file that the writer has made.
pub(super) fn open_reader(path: &Path, medium: &Medium) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = medium.connect(path, flags)?;
    // The log is the writer's.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -8192;")?;
    connection.busy_timeout(std::time::Duration::from_secs(2))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    Ok(connection)
}

/// Why a file does not open.
pub(super) fn explain(path: &Path, cause: &rusqlite::Error) -> String {
    match cause.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt) => format!("{} is damaged: restore it from a backup: {cause}", path.display()),
        Some(ErrorCode::NotADatabase) => {
            format!("{} is not a waymark store, or damaged: restore it from a backup: {cause}", path.display())
        }
        _ => format!("{} cannot be opened: {cause}", path.display()),
    }
}

/// Makes the tables in a new file; refuses any other file than one of ours in this version, and leaves it as it is.
pub(super) fn check_format(connection: &mut Connection, path: &Path, is_known: bool) -> Result<(), String> {
    let explain = |cause: rusqlite::Error| explain(path, &cause);
    let pragma = |connection: &Connection, name: &str| {
        connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0)).map_err(explain)
    };
    let (application, version) = (pragma(connection, "application_id")?, pragma(connection, "user_version")?);
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(explain)?;
    if (application, version, tables) == (0, 0, 0) && is_known {
        return Err(format!("{} is empty, and was not: restore it from a backup", path.display()));
    }
    if (application, version, tables) == (0, 0, 0) {
        return make_tables(connection, APPLICATION_ID).map_err(explain);
    }
    if application == UNFINISHED_ID {
        return Err(format!(
            "{} is of a migration that did not come to its end: run `waymark migrate` again, or remove the file",
            path.display()
        ));
    }
    if application != APPLICATION_ID {
        return Err(format!("{} is an SQLite file of another program: choose another directory", path.display()));
    }
    if (1..FORMAT_VERSION).contains(&version) {
        info!(path = %path.display(), version, "it becomes format {FORMAT_VERSION}: every record is read once");
        return raise(connection, version).map_err(explain);
    }
    if version != FORMAT_VERSION {
        return Err(format!(
            "{} has format {version}, this waymark reads format {FORMAT_VERSION}: use the waymark that wrote it",
            path.display()
        ));
    }
    // What a disk made something else of is no layout of ours.
    let read = |row: &Row<'_>| row.get_ref(0).map(|value| value.as_i64().unwrap_or_default());
    let layout = connection.query_row("SELECT max(layout) FROM layout", [], read).map_err(explain)?;
    if layout != i64::from(packed::LAYOUT) {
        info!(path = %path.display(), layout, "its packed copies are made anew: every record is read once");
        return pack_anew(connection).map_err(explain);
    }
    Ok(())
}

/// Makes a file of an older format one of the present, in one transaction: cut off, it is done by the next who opens it.
fn raise(connection: &mut Connection, version: i32) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    if version < 2 {
        transaction.execute_batch(FROM_FORMAT_1)?;
    }
    if version < 3 {
        transaction.execute_batch(TABLE_OF_PAST)?;
    }
    transaction.execute_batch(TABLES_OF_PACKED)?;
    let records = packs::fill(&transaction, false)?;
    // What is lost by now would be counted by nobody.
    let text = "SELECT count(id) FROM records INDEXED BY sqlite_autoindex_records_1";
    let indexed = transaction.query_row(text, [], |row| row.get::<_, i64>(0))?.cast_unsigned();
    if records != indexed {
        let cause = format!("{records} records are there, and its index has {indexed}");
        let corrupt = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
        return Err(rusqlite::Error::SqliteFailure(corrupt, Some(cause)));
    }
    transaction.pragma_update(None, "user_version", FORMAT_VERSION)?;
    transaction.commit()
}

/// Makes copies of the present layout, in one transaction. What was counted of records stays as it is.
fn pack_anew(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    packs::fill(&transaction, true)?;
    transaction.commit()
}
