//! How many records and packed copies stand in each span of row ids, and sums over them: written with each commit, in its transaction.
//!
//! No checksum of a row tells of one that is not there. A span's tally does, and is held against the rows of that span alone, as of one
//! moment, while commits go on elsewhere.

use std::collections::BTreeMap;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::super::Key;
use super::rows;

/// Row ids in one span: some milliseconds of work, so that all threads of a start end together. Part of the stored format.
pub(super) const SPAN_ROWS: i64 = 8_192;
/// The span of the least row id.
pub(super) const FIRST_SPAN: i64 = i64::MIN / SPAN_ROWS;
/// That of the greatest.
const LAST_SPAN: i64 = i64::MAX / SPAN_ROWS;

/// Partition, kind and id, as they lie in the file.
pub(super) type Columns<'row> = [ValueRef<'row>; 3];

/// What a span has. The sums do not depend on the order of what they are of.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tally {
    /// Records of the present, of all kinds.
    pub(super) records: i64,
    /// A sum over their names: a record that is written again leaves it as it is.
    pub(super) names: i64,
    /// Packed copies.
    pub(super) copies: i64,
    /// The sum of their checksums, in which revision and content are.
    pub(super) sums: i64,
}

impl Tally {
    /// Takes a record in.
    pub(super) fn add_record(&mut self, name: Columns<'_>) {
        *self = self.with(Self { records: 1, names: sum_of(name), ..Self::default() });
    }

    /// Takes a packed copy in.
    pub(super) fn add_copy(&mut self, checksum: i64) {
        *self = self.with(Self { copies: 1, sums: checksum, ..Self::default() });
    }

    /// Takes a record out.
    fn take_record(&mut self, name: Columns<'_>) {
        *self = self.with(Self { records: -1, names: -sum_of(name), ..Self::default() });
    }

    /// Takes a packed copy out.
    fn take_copy(&mut self, checksum: i64) {
        *self = self.with(Self { copies: -1, sums: checksum.wrapping_neg(), ..Self::default() });
    }

    /// Both together. A disk may have made any number of one: none is too large.
    fn with(self, other: Self) -> Self {
        Self {
            records: self.records.wrapping_add(other.records),
            names: self.names.wrapping_add(other.names),
            copies: self.copies.wrapping_add(other.copies),
            sums: self.sums.wrapping_add(other.sums),
        }
    }
}

/// CRC-32 over a name.
fn sum_of(name: Columns<'_>) -> i64 {
    let mut hasher = crc32fast::Hasher::new();
    for value in name {
        match value {
            ValueRef::Null => hasher.update(&[0]),
            ValueRef::Integer(number) => hash(&mut hasher, 1, &number.to_be_bytes()),
            ValueRef::Real(number) => hash(&mut hasher, 2, &number.to_be_bytes()),
            ValueRef::Text(text) => hash(&mut hasher, 3, text),
            ValueRef::Blob(bytes) => hash(&mut hasher, 4, bytes),
        }
    }
    hasher.finalize().into()
}

fn hash(hasher: &mut crc32fast::Hasher, kind: u8, bytes: &[u8]) {
    hasher.update(&[kind]);
    hasher.update(bytes);
    hasher.update(&[0]);
}

/// The name of a row that begins with partition, kind and id.
pub(super) fn name_of<'row>(row: &'row Row<'_>) -> rusqlite::Result<Columns<'row>> {
    Ok([row.get_ref(0)?, row.get_ref(1)?, row.get_ref(2)?])
}

/// The name that the row of a key has.
fn name_of_key(key: &Key) -> Columns<'_> {
    let partition = rows::partition_text(key.partition.as_ref());
    let kind = i64::from(key.kind as u8);
    [ValueRef::Text(partition.as_bytes()), ValueRef::Integer(kind), ValueRef::Text(key.id.as_bytes())]
}

/// The span that a row is in.
pub(super) fn span_of(row: i64) -> i64 {
    row.div_euclid(SPAN_ROWS)
}

/// First and last row id of a span.
pub(super) fn bounds(span: i64) -> (i64, i64) {
    let first = span.saturating_mul(SPAN_ROWS);
    (first, first.saturating_add(SPAN_ROWS - 1))
}

/// The span behind one; `None` behind the last.
pub(super) fn behind(span: i64) -> Option<i64> {
    (span < LAST_SPAN).then(|| span + 1)
}

/// The first span from one on that has a tally.
pub(super) fn next_counted(connection: &Connection, from: i64) -> rusqlite::Result<Option<i64>> {
    least(connection, "SELECT min(span) FROM tallies WHERE span >= ?1", from)
}

/// The first span from one on that has a row; `text` finds the least row id from one on. Ids that are in no row cost nothing,
/// however many they are.
pub(super) fn next_filled(connection: &Connection, text: &str, from: i64) -> rusqlite::Result<Option<i64>> {
    Ok(least(connection, text, bounds(from).0)?.map(span_of))
}

fn least(connection: &Connection, text: &str, from: i64) -> rusqlite::Result<Option<i64>> {
    connection.prepare_cached(text)?.query_row([from], |row| row.get(0))
}

/// The tally of a span. One that is not there is that of nothing.
pub(super) fn read(connection: &Connection, span: i64) -> rusqlite::Result<Tally> {
    let text = "SELECT records, names, copies, sums FROM tallies WHERE span = ?1";
    let found = connection
        .prepare_cached(text)?
        .query_row([span], |row| {
            // What a disk made something else of is no number, and fits nothing.
            let number = |column: usize| row.get_ref(column).map(|value| value.as_i64().unwrap_or_default());
            Ok(Tally { records: number(0)?, names: number(1)?, copies: number(2)?, sums: number(3)? })
        })
        .optional()?;
    Ok(found.unwrap_or_default())
}

/// What a transaction adds to tallies, and takes from them.
#[derive(Debug, Default)]
pub(super) struct Changes(BTreeMap<i64, Tally>);

impl Changes {
    /// A record that was not there.
    pub(super) fn add_record(&mut self, row: i64, name: Columns<'_>) {
        self.of(row).add_record(name);
    }

    /// The same, of a key.
    pub(super) fn add_key(&mut self, row: i64, key: &Key) {
        self.of(row).add_record(name_of_key(key));
    }

    /// A record that is not there any more.
    pub(super) fn take_key(&mut self, row: i64, key: &Key) {
        self.of(row).take_record(name_of_key(key));
    }

    /// A packed copy of this checksum.
    pub(super) fn add_copy(&mut self, row: i64, checksum: i64) {
        self.of(row).add_copy(checksum);
    }

    /// A packed copy that is not there any more, of the checksum that it said to have.
    pub(super) fn take_copy(&mut self, row: i64, checksum: i64) {
        self.of(row).take_copy(checksum);
    }

    fn of(&mut self, row: i64) -> &mut Tally {
        self.0.entry(span_of(row)).or_default()
    }

    /// Writes them, in the transaction that they are of.
    pub(super) fn write(self, connection: &Connection) -> rusqlite::Result<()> {
        let text = "INSERT OR REPLACE INTO tallies (span, records, names, copies, sums) VALUES (?1, ?2, ?3, ?4, ?5)";
        for (span, change) in self.0 {
            if change == Tally::default() {
                continue;
            }
            // Added here and not by SQLite, which makes a fraction of what is too large.
            let Tally { records, names, copies, sums } = read(connection, span)?.with(change);
            connection.prepare_cached(text)?.execute(params![span, records, names, copies, sums])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_hold_all_row_ids_and_end() {
        for row in [i64::MIN, i64::MIN + SPAN_ROWS, -1, 0, 1, SPAN_ROWS - 1, SPAN_ROWS, i64::MAX] {
            let (first, last) = bounds(span_of(row));
            assert!((first..=last).contains(&row), "{row}");
            assert_eq!((span_of(first), span_of(last)), (span_of(row), span_of(row)), "{row}");
        }
        assert_eq!((span_of(i64::MIN), behind(span_of(i64::MAX))), (FIRST_SPAN, None));
        assert_eq!(behind(-1), Some(0));
    }

    #[test]
    fn what_is_taken_out_leaves_what_was_there_before() {
        let name = |id: &'static str| [ValueRef::Text(b"acme"), ValueRef::Integer(3), ValueRef::Text(id.as_bytes())];
        let mut tally = Tally::default();
        tally.add_record(name("one"));
        tally.add_copy(i64::from(u32::MAX));
        let before = tally;
        tally.add_record(name("two"));
        tally.add_copy(7);
        assert!(tally.names != before.names && tally.sums != before.sums, "{tally:?}");
        tally.take_copy(7);
        tally.take_record(name("two"));
        assert_eq!(tally, before);
    }
}
