//! Reading everything that memory is made of, at the start: several connections, each on the next span of row ids.
//!
//! Packed copies are read, and no documents: a tenth of the bytes. A span whose copies are not all those that its tally tells of is
//! read from its documents, so damage of copies costs time alone. What of the records themselves is damaged is found afterwards, by
//! [`super::whole`], beside calls.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use rusqlite::{Connection, ErrorCode, Row};

use super::super::{Error, Kind, Loaded, packed};
use super::tally::{self, Tally};
use super::{Revision, packs, rows, whole};

/// Gives out what is still to be read.
#[derive(Debug)]
pub(super) struct Spans {
    /// The first span that nobody has; `None` when all are given out.
    next: Mutex<Option<i64>>,
    /// Spans whose copies were not what was written.
    damaged: AtomicU64,
}

impl Default for Spans {
    fn default() -> Self {
        Self { next: Mutex::new(Some(tally::FIRST_SPAN)), damaged: AtomicU64::new(0) }
    }
}

impl Spans {
    /// How many were read from documents, because their copies were not what was written.
    pub(super) fn damaged(&self) -> u64 {
        self.damaged.load(Ordering::Relaxed)
    }

    /// Whether somebody has the last of them.
    pub(super) fn are_given_out(&self) -> bool {
        self.next.lock().is_none()
    }

    /// The next span that has a copy or a tally.
    fn take(&self, connection: &Connection) -> rusqlite::Result<Option<i64>> {
        let mut next = self.next.lock();
        let Some(from) = *next else { return Ok(None) };
        let counted = tally::next_counted(connection, from)?;
        let copied = tally::next_filled(connection, "SELECT min(record) FROM packed WHERE record >= ?1", from);
        let copied = or_damaged(copied, None)?;
        let span = counted.into_iter().chain(copied).min();
        *next = span.and_then(tally::behind);
        Ok(span)
    }
}

/// What was read of the table of copies, or something else where the table itself is damaged: nothing hangs on it.
fn or_damaged<T>(read: rusqlite::Result<T>, otherwise: T) -> rusqlite::Result<T> {
    match read {
        Err(cause) if cause.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => Ok(otherwise),
        read => read,
    }
}

/// The copies of a span, one behind another.
#[derive(Debug, Default)]
struct Room {
    bytes: Vec<u8>,
    /// Row, kind and the end of its bytes, of each.
    copies: Vec<(i64, Kind, usize)>,
}

impl Room {
    /// Reads the copies of a span; false where they are not all those that were written.
    fn fill(&mut self, connection: &Connection, span: i64) -> rusqlite::Result<bool> {
        self.bytes.clear();
        self.copies.clear();
        let (first, last) = tally::bounds(span);
        let mut statement = connection.prepare_cached(packs::BETWEEN)?;
        let mut rows = statement.query([first, last])?;
        let mut found = Tally::default();
        while let Some(row) = rows.next()? {
            let Some(copy) = packs::read(row) else { return Ok(false) };
            found.add_copy(copy.checksum);
            self.bytes.extend_from_slice(copy.bytes);
            self.copies.push((copy.record, copy.kind, self.bytes.len()));
        }
        let noted = tally::read(connection, span)?;
        Ok((found.copies, found.sums) == (noted.copies, noted.sums))
    }

    /// Gives each to `visit`, where need be from its document.
    fn show(
        &self,
        connection: &Connection,
        path: &Path,
        visit: &mut dyn FnMut(Result<Loaded<'_>, Error>),
    ) -> Result<(), Error> {
        let mut from = 0;
        for &(record, kind, end) in &self.copies {
            match packed::unpack(kind, &self.bytes[from..end]) {
                Some(loaded) => visit(Ok(loaded)),
                None => read_document(connection, path, record, kind, visit)?,
            }
            from = end;
        }
        Ok(())
    }
}

/// Gives every account, token and site of the spans that it gets to `visit`, or why one cannot be read.
pub(super) fn load(
    connection: &Connection,
    path: &Path,
    spans: &Spans,
    visit: &mut dyn FnMut(Result<Loaded<'_>, Error>),
) -> Result<(), Error> {
    let explain = |cause| rows::explain(path, &cause);
    let mut room = Room::default();
    while let Some(span) = spans.take(connection).map_err(explain)? {
        // One moment for copies, tally and records.
        let moment = connection.unchecked_transaction().map_err(explain)?;
        if or_damaged(room.fill(&moment, span), false).map_err(explain)? {
            room.show(&moment, path, visit)?;
            continue;
        }
        spans.damaged.fetch_add(1, Ordering::Relaxed);
        whole::check(&moment, path, span, &mut |row, _| {
            if let Some(kind) = packs::kind_of(row) {
                show(row, kind, path, visit);
            }
        })?;
    }
    Ok(())
}

/// Shows a record that has no copy that this waymark reads.
fn read_document(
    connection: &Connection,
    path: &Path,
    record: i64,
    kind: Kind,
    visit: &mut dyn FnMut(Result<Loaded<'_>, Error>),
) -> Result<(), Error> {
    let explain = |cause| rows::explain(path, &cause);
    let text = "SELECT partition, kind, id, revision, checksum, document, packed FROM records WHERE rowid = ?1";
    let mut statement = connection.prepare_cached(text).map_err(explain)?;
    let mut found = statement.query([record]).map_err(explain)?;
    let row = found.next().map_err(explain)?.ok_or_else(|| whole::damaged(path, "a record is not there"))?;
    show(row, kind, path, visit);
    Ok(())
}

/// Shows one row, if it is what was written: a fault of the disk may have changed anything, the types of columns too.
fn show(row: &Row<'_>, kind: Kind, path: &Path, visit: &mut dyn FnMut(Result<Loaded<'_>, Error>)) {
    visit(decode(row, kind).ok_or_else(|| whole::tell(row, kind, path)));
}

/// What a row holds; `None` where it is not what was written.
fn decode<'row>(row: &'row Row<'_>, kind: Kind) -> Option<Loaded<'row>> {
    let (partition, id, document) = (bytes(row, 0)?, bytes(row, 2)?, bytes(row, 5)?);
    let packed = row.get_ref(6).ok()?.as_bytes_or_null().ok()?;
    let revision = Revision(row.get::<_, i64>(3).ok()?.cast_unsigned());
    let checksum = rows::checksum(partition, kind, id, revision, document, packed);
    let is_whole = row.get::<_, i64>(4).ok()? == i64::from(checksum);
    Loaded::decode(kind, document, packed).ok().flatten().filter(|_| is_whole)
}

fn bytes<'row>(row: &'row Row<'_>, column: usize) -> Option<&'row [u8]> {
    row.get_ref(column).ok()?.as_bytes().ok()
}
