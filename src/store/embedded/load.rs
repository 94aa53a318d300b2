//! Reading everything that memory is made of, at the start: several connections, each on the next span of the file.
//!
//! In the order of the file, which is as fast as the disk gives, and records are decoded where SQLite shows them,
//! without a copy. By the index each row would be a seek. All rows are counted, so that one that is lost is noticed.

use std::path::Path;

use parking_lot::Mutex;
use rusqlite::{Connection, Row, params};

use super::super::{Error, Kind, Loaded, faults};
use super::whole::Tally;
use super::{Revision, mark, rows, schema};

/// Row ids in one span: some milliseconds of work, so that all threads end together.
pub(super) const SPAN_ROWS: i64 = 8_192;
/// The kinds that memory is made of. Their discriminants stand next to each other: one comparison a row.
const KINDS: [Kind; 3] = [Kind::Account, Kind::Token, Kind::Site];

/// Gives out what is still to be read.
#[derive(Debug)]
pub(super) struct Spans {
    /// The first row id that nobody has; `None` when all are given out.
    next: Mutex<Option<i64>>,
    /// What was read.
    tally: Mutex<Tally>,
}

impl Default for Spans {
    fn default() -> Self {
        Self { next: Mutex::new(Some(i64::MIN)), tally: Mutex::default() }
    }
}

impl Spans {
    /// What was read of all of them.
    pub(super) fn tally(&self) -> Tally {
        *self.tally.lock()
    }

    /// The next first and last row id. Ids that are in no row cost nothing, however many they are.
    fn take(&self, connection: &Connection) -> rusqlite::Result<Option<(i64, i64)>> {
        let mut next = self.next.lock();
        let Some(from) = *next else { return Ok(None) };
        let mut statement = connection.prepare_cached("SELECT min(rowid) FROM records WHERE rowid >= ?1")?;
        let Some(first) = statement.query_row([from], |row| row.get::<_, Option<i64>>(0))? else {
            *next = None;
            return Ok(None);
        };
        let last = first.saturating_add(SPAN_ROWS - 1);
        *next = last.checked_add(1);
        Ok(Some((first, last)))
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
    // Of other kinds no more is read than their names.
    let text = "SELECT kind, partition, id, revision, checksum,
         CASE WHEN kind BETWEEN ?3 AND ?4 THEN document END, CASE WHEN kind BETWEEN ?3 AND ?4 THEN packed END, rowid
         FROM records WHERE rowid BETWEEN ?1 AND ?2";
    let mut statement = connection.prepare(text).map_err(explain)?;
    let [least, .., greatest] = KINDS.map(|kind| kind as u8);
    let mut tally = Tally::default();
    while let Some((first, last)) = spans.take(connection).map_err(explain)? {
        let mut found = statement.query(params![first, last, least, greatest]).map_err(explain)?;
        while let Some(row) = found.next().map_err(explain)? {
            let value = |column| row.get_ref(column).map_err(explain);
            tally.add(row.get(7).map_err(explain)?, [value(1)?, value(0)?, value(2)?]);
            read(row, path, visit);
        }
    }
    spans.tally.lock().join(tally);
    Ok(())
}

/// How many commits the store has.
pub(super) fn commits(connection: &Connection, path: &Path) -> Result<u64, Error> {
    let revisions = schema::read_revisions(connection).map_err(|cause| rows::explain(path, &cause))?;
    Ok(mark::commits(&revisions))
}

/// Shows one row, if it is what was written: a fault of the disk may have changed anything, the types of columns too.
fn read(row: &Row<'_>, path: &Path, visit: &mut dyn FnMut(Result<Loaded<'_>, Error>)) {
    let Some(kind) = KINDS.into_iter().find(|kind| row.get(0) == Ok(*kind as u8)) else { return };
    visit(decode(row, kind).ok_or_else(|| {
        let text = |column| bytes(row, column).map(String::from_utf8_lossy).unwrap_or_default();
        faults::unreadable(&text(1), kind, &text(2), path).into()
    }));
}

/// What a row holds; `None` where it is not what was written.
fn decode<'row>(row: &'row Row<'_>, kind: Kind) -> Option<Loaded<'row>> {
    let (partition, id, document) = (bytes(row, 1)?, bytes(row, 2)?, bytes(row, 5)?);
    let packed = row.get_ref(6).ok()?.as_bytes_or_null().ok()?;
    let revision = Revision(row.get::<_, i64>(3).ok()?.cast_unsigned());
    let checksum = rows::checksum(partition, kind, id, revision, document, packed);
    let is_whole = row.get::<_, i64>(4).ok()? == i64::from(checksum);
    Loaded::decode(kind, document, packed).ok().flatten().filter(|_| is_whole)
}

fn bytes<'row>(row: &'row Row<'_>, column: usize) -> Option<&'row [u8]> {
    row.get_ref(column).ok()?.as_bytes().ok()
}
