//! Rows to records and back; every row is checked against its checksum when it is read.

use std::path::Path;

use rusqlite::{Connection, ErrorCode, OptionalExtension, params};

use super::super::document::Document;
use super::super::{Error, Key, Kind, Range, Record, Unreadable, faults, transfer};
use super::{Revision, tables};
use crate::model::id::AccountId;

/// A row as it lies in the file.
struct Row {
    partition: String,
    id: String,
    revision: i64,
    checksum: u32,
    document: Vec<u8>,
    packed: Option<Vec<u8>>,
}

/// Partition and id of a row whose columns have other types than were written, as far as they are texts.
struct Mistyped(String, String);

impl Row {
    /// The row. Another program may have made anything of it.
    fn read(row: &rusqlite::Row<'_>) -> Result<Self, Mistyped> {
        let read = || -> rusqlite::Result<Self> {
            Ok(Self {
                partition: row.get(0)?,
                id: row.get(1)?,
                revision: row.get(2)?,
                checksum: row.get(3)?,
                document: row.get(4)?,
                packed: row.get(5)?,
            })
        };
        read().map_err(|_| {
            let text = |column: usize| row.get_ref(column).ok()?.as_bytes().ok().map(String::from_utf8_lossy);
            Mistyped(text(0).unwrap_or_default().into_owned(), text(1).unwrap_or_default().into_owned())
        })
    }

    /// The record, if the row is what was written.
    fn check(self, kind: Kind, path: &Path) -> Result<Record, Unreadable> {
        self.check_whole(kind, path).map(|row| row.record)
    }

    /// The same with its document's bytes.
    fn check_whole(self, kind: Kind, path: &Path) -> Result<transfer::Row, Unreadable> {
        let corrupt = |id: &str| faults::unreadable(&self.partition, kind, id, path);
        let revision = Revision(self.revision.cast_unsigned());
        let (partition, id) = (self.partition.as_bytes(), self.id.as_bytes());
        if self.checksum != checksum(partition, kind, id, revision, &self.document, self.packed.as_deref()) {
            return Err(corrupt(&self.id));
        }
        let document = Document::decode(kind, &self.document).map_err(|_| corrupt(&self.id))?;
        let partition = match self.partition.as_str() {
            "" => None,
            account => Some(account.parse::<AccountId>().map_err(|_| corrupt(&self.id))?),
        };
        let key = Key { partition, kind, id: self.id };
        Ok(transfer::Row { record: Record { key, revision, document }, bytes: self.document })
    }
}

/// CRC-32 over everything that a row says, so that bytes in the wrong row are noticed too.
///
/// Nothing packed counts as no bytes: so it was before there was any, and so it is since copies have a table of their own.
pub(super) fn checksum(
    partition: &[u8],
    kind: Kind,
    id: &[u8],
    revision: Revision,
    document: &[u8],
    packed: Option<&[u8]>,
) -> u32 {
    checksum_of(partition, kind as u8, id, revision, document, packed)
}

/// The same of a kind that may be unknown here.
pub(super) fn checksum_of(
    partition: &[u8],
    kind: u8,
    id: &[u8],
    revision: Revision,
    document: &[u8],
    packed: Option<&[u8]>,
) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    let revision = revision.0.to_be_bytes();
    for part in [partition, &[0, kind], id, &[0], &revision, document, packed.unwrap_or_default()] {
        hasher.update(part);
    }
    hasher.finalize()
}

/// Puts a row as `statement` says, one of a table's; gives its id, or nothing where another one is kept.
pub(super) fn put(
    connection: &Connection,
    statement: &str,
    key: &Key,
    revision: Revision,
    document: &[u8],
) -> rusqlite::Result<Option<i64>> {
    let partition = partition_text(key.partition.as_ref());
    let checksum = checksum(partition.as_bytes(), key.kind, key.id.as_bytes(), revision, document, None);
    let (kind, revision) = (key.kind as u8, revision.0.cast_signed());
    connection
        .prepare_cached(statement)?
        .query_row(params![partition, kind, key.id, revision, checksum, document], |row| row.get(0))
        .optional()
}

/// The text under which a partition is kept.
pub(super) fn partition_text(partition: Option<&AccountId>) -> &str {
    partition.map_or("", AccountId::as_str)
}

/// One record, or why it cannot be read.
pub(super) fn get(
    connection: &Connection,
    path: &Path,
    key: &Key,
) -> Result<Result<Option<Record>, Unreadable>, Error> {
    let row = connection
        .prepare_cached(tables::of(key.kind).get)
        .and_then(|mut statement| {
            let partition = partition_text(key.partition.as_ref());
            let read = |row: &rusqlite::Row<'_>| Ok(Row::read(row));
            statement.query_row(params![partition, key.kind as u8, key.id], read).optional()
        })
        .map_err(|cause| explain(path, &cause))?;
    Ok(row.map(|row| checked(row, key.kind, path, Row::check)).transpose())
}

/// The records of a range, each or why it cannot be read.
pub(super) fn scan(
    connection: &Connection,
    path: &Path,
    range: &Range,
) -> Result<Vec<Result<Record, Unreadable>>, Error> {
    read_range(connection, path, range, Row::check)
}

/// The records of a range with their documents' bytes.
pub(super) fn scan_whole(connection: &Connection, path: &Path, range: &Range) -> Result<Vec<transfer::Row>, Error> {
    let rows = read_range(connection, path, range, Row::check_whole)?;
    rows.into_iter().map(|row| row.map_err(Error::from)).collect()
}

/// What a row is, if it is what was written.
fn checked<T>(
    row: Result<Row, Mistyped>,
    kind: Kind,
    path: &Path,
    check: impl Fn(Row, Kind, &Path) -> Result<T, Unreadable>,
) -> Result<T, Unreadable> {
    match row {
        Ok(row) => check(row, kind, path),
        Err(Mistyped(partition, id)) => Err(faults::unreadable(&partition, kind, &id, path)),
    }
}

/// Shows the records of a range, each or why it cannot be read, one after the other. As the range asks, however many.
pub(super) fn look(
    connection: &Connection,
    path: &Path,
    range: &Range,
    show: impl FnMut(Result<Record, Unreadable>),
) -> Result<(), Error> {
    walk_range(connection, path, range, Row::check, show)
}

fn read_range<T>(
    connection: &Connection,
    path: &Path,
    range: &Range,
    check: impl Fn(Row, Kind, &Path) -> Result<T, Unreadable>,
) -> Result<Vec<Result<T, Unreadable>>, Error> {
    let mut found = Vec::new();
    walk_range(connection, path, range, check, |read| found.push(read))?;
    Ok(found)
}

fn walk_range<T>(
    connection: &Connection,
    path: &Path,
    range: &Range,
    check: impl Fn(Row, Kind, &Path) -> Result<T, Unreadable>,
    mut show: impl FnMut(Result<T, Unreadable>),
) -> Result<(), Error> {
    let statements = tables::of(range.kind);
    let text = if range.descending { statements.descend } else { statements.ascend };
    let mut statement = connection.prepare_cached(text).map_err(|cause| explain(path, &cause))?;
    let (from, end) = range.bounds();
    let partition = partition_text(range.partition.as_ref());
    let limit = i64::try_from(range.limit).unwrap_or(i64::MAX);
    let rows = statement
        .query_map(params![partition, range.kind as u8, from, end, limit], |row| Ok(Row::read(row)))
        .map_err(|cause| explain(path, &cause))?;
    for row in rows {
        show(checked(row.map_err(|cause| explain(path, &cause))?, range.kind, path, &check));
    }
    Ok(())
}

/// The last revision of a partition.
pub(super) fn revision(connection: &Connection, path: &Path, partition: &str) -> Result<Revision, Error> {
    let found = connection
        .prepare_cached("SELECT revision FROM revisions WHERE partition = ?1")
        .and_then(|mut statement| statement.query_row([partition], |row| row.get::<_, i64>(0)).optional())
        .map_err(|cause| explain(path, &cause))?;
    Ok(Revision(found.unwrap_or_default().cast_unsigned()))
}

/// An error of SQLite on the file at `path`, seen from outside.
pub(super) fn explain(path: &Path, cause: &rusqlite::Error) -> Error {
    match cause.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Error::Full,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            Error::Damaged { path: path.to_owned(), cause: cause.to_string() }
        }
        _ => Error::Unavailable { cause: cause.to_string() },
    }
}
