//! The packed copies of what memory is made of, in a table of their own, by the row ids of their records: a start reads them, and no
//! document.
//!
//! Each record of those kinds has a row there; an empty copy says that the document alone tells. Copy, record and tally change in one
//! transaction. A copy itself says whose it is, and its checksum of which row and revision it is.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::super::document::Document;
use super::super::{Kind, packed};
use super::tally::{self, Changes};
use super::{Revision, whole};

/// A copy, as it was written.
pub(super) struct Copied<'row> {
    pub(super) record: i64,
    pub(super) kind: Kind,
    pub(super) checksum: i64,
    pub(super) bytes: &'row [u8],
}

/// CRC-32 over a copy, and over which record of which revision it is of.
pub(super) fn checksum(record: i64, kind: Kind, revision: Revision, copy: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    let (record, revision) = (record.to_be_bytes(), revision.0.to_be_bytes());
    for part in [&record[..], &[kind as u8], &revision, copy] {
        hasher.update(part);
    }
    hasher.finalize()
}

/// The copies of rows between two ids.
pub(super) const BETWEEN: &str =
    "SELECT record, kind, revision, checksum, copy FROM packed WHERE record BETWEEN ?1 AND ?2";

/// The kind of a row that has it in its second column, where memory is made of that kind.
pub(super) fn kind_of(row: &Row<'_>) -> Option<Kind> {
    Kind::LOADED.into_iter().find(|kind| row.get(1) == Ok(*kind as u8))
}

/// What a row of [`BETWEEN`] holds; `None` where it is not what was written.
pub(super) fn read<'row>(row: &'row Row<'_>) -> Option<Copied<'row>> {
    let record: i64 = row.get(0).ok()?;
    let kind = kind_of(row)?;
    let revision = Revision(row.get::<_, i64>(2).ok()?.cast_unsigned());
    let (noted, bytes): (i64, _) = (row.get(3).ok()?, row.get_ref(4).ok()?.as_bytes().ok()?);
    let is_whole = noted == i64::from(checksum(record, kind, revision, bytes));
    is_whole.then_some(Copied { record, kind, checksum: noted, bytes })
}

/// Puts the copy of a record over the one that there is.
pub(super) fn put(
    connection: &Connection,
    record: i64,
    kind: Kind,
    revision: Revision,
    copy: Option<&[u8]>,
    changes: &mut Changes,
) -> rusqlite::Result<()> {
    let before = connection
        .prepare_cached("SELECT checksum FROM packed WHERE record = ?1")?
        .query_row([record], noted)
        .optional()?;
    if let Some(before) = before {
        changes.take_copy(record, before);
    }
    let copy = copy.unwrap_or_default();
    let sum = i64::from(checksum(record, kind, revision, copy));
    let text = "INSERT OR REPLACE INTO packed (record, kind, revision, checksum, copy) VALUES (?1, ?2, ?3, ?4, ?5)";
    connection.prepare_cached(text)?.execute(params![record, kind as u8, revision.0.cast_signed(), sum, copy])?;
    changes.add_copy(record, sum);
    Ok(())
}

/// Takes the copy of a record away.
pub(super) fn delete(connection: &Connection, record: i64, changes: &mut Changes) -> rusqlite::Result<()> {
    let before = connection
        .prepare_cached("DELETE FROM packed WHERE record = ?1 RETURNING checksum")?
        .query_row([record], noted)
        .optional()?;
    if let Some(before) = before {
        changes.take_copy(record, before);
    }
    Ok(())
}

/// The checksum that a row says to have. What a disk made of it fits nothing, and stops no write.
fn noted(row: &Row<'_>) -> rusqlite::Result<i64> {
    row.get_ref(0).map(|value| value.as_i64().unwrap_or_default())
}

/// Makes the copies of all records anew, and counts the records too where nobody did; gives how many there are. In the caller's
/// transaction. Cost: reads every record of the present, and decodes those whose copy beside the document is none of this waymark's.
pub(super) fn fill(connection: &Connection, are_counted: bool) -> rusqlite::Result<u64> {
    connection.execute_batch("DELETE FROM packed; UPDATE tallies SET copies = 0, sums = 0;")?;
    let (mut changes, mut records) = (Changes::default(), 0);
    let mut statement = connection.prepare(
        "SELECT partition, kind, id, revision, checksum, document, packed, rowid FROM records ORDER BY rowid",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let record: i64 = row.get(7)?;
        records += 1;
        if !are_counted {
            changes.add_record(record, tally::name_of(row)?);
        }
        let Some(kind) = kind_of(row) else { continue };
        let revision = Revision(row.get::<_, i64>(3).unwrap_or_default().cast_unsigned());
        // A start finds out from the document that it is damaged, and tells.
        let copy = if whole::is_whole(row) { copy_of(row, kind) } else { None };
        put(connection, record, kind, revision, copy.as_deref(), &mut changes)?;
    }
    changes.write(connection)?;
    connection.execute("DELETE FROM layout", [])?;
    connection.execute("INSERT INTO layout (layout) VALUES (?1)", [packed::LAYOUT])?;
    Ok(records)
}

/// The copy of a record that is whole: the one beside its document, where older waymarks had it, or one of the document.
fn copy_of(row: &Row<'_>, kind: Kind) -> Option<Vec<u8>> {
    let beside = row.get_ref(6).ok()?.as_bytes_or_null().ok()?;
    if let Some(beside) = beside.filter(|copy| packed::unpack(kind, copy).is_some()) {
        return Some(beside.to_vec());
    }
    let document = Document::decode(kind, row.get_ref(5).ok()?.as_bytes().ok()?).ok()?;
    packed::pack(&document)
}
