//! A record that is written or taken away, with all that follows it: its packed copy, and the tally of its span.

use rusqlite::{Connection, OptionalExtension, params};

use super::super::{Key, Kind};
use super::tally::Changes;
use super::{Revision, packs, rows, tables};

/// Puts a record over whatever there is; where that is to be kept, only if there is none.
pub(super) fn put(
    connection: &Connection,
    key: &Key,
    revision: Revision,
    document: &[u8],
    copy: Option<&[u8]>,
    is_kept: bool,
    changes: &mut Changes,
) -> rusqlite::Result<()> {
    let statements = tables::of(key.kind);
    let text = if is_kept { statements.keep } else { statements.put };
    if key.kind.is_past() {
        return rows::put(connection, text, key, revision, document).map(drop);
    }
    let before = find(connection, key)?;
    let Some(record) = rows::put(connection, text, key, revision, document)? else { return Ok(()) };
    if before != Some(record) {
        changes.add_key(record, key);
    }
    if Kind::LOADED.contains(&key.kind) {
        packs::put(connection, record, key.kind, revision, copy, changes)?;
    }
    Ok(())
}

/// Takes a record away, if there is one.
pub(super) fn delete(connection: &Connection, key: &Key, changes: &mut Changes) -> rusqlite::Result<()> {
    let partition = rows::partition_text(key.partition.as_ref());
    let deleted = connection
        .prepare_cached(tables::of(key.kind).delete)?
        .query_row(params![partition, key.kind as u8, key.id], |row| row.get::<_, i64>(0))
        .optional()?;
    let Some(record) = deleted.filter(|_| !key.kind.is_past()) else { return Ok(()) };
    changes.take_key(record, key);
    if Kind::LOADED.contains(&key.kind) {
        packs::delete(connection, record, changes)?;
    }
    Ok(())
}

/// The row of a key.
fn find(connection: &Connection, key: &Key) -> rusqlite::Result<Option<i64>> {
    let partition = rows::partition_text(key.partition.as_ref());
    connection
        .prepare_cached(tables::of(key.kind).find)?
        .query_row(params![partition, key.kind as u8, key.id], |row| row.get(1))
        .optional()
}
