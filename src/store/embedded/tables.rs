//! Which table holds which kind of record, and the statements on each table.
//!
//! Of the past there are many more records than of the present, and what goes through all of the present goes through its table in the
//! order of the file, where rows of the past would stand between.

use super::super::Kind;

/// The statements on one table.
pub(super) struct Statements {
    /// The record of a partition, kind and id.
    pub(super) get: &'static str,
    /// Records of a partition and kind from an id on, up to another one that is not in, or to the end; at most so many.
    pub(super) ascend: &'static str,
    /// The same, backwards.
    pub(super) descend: &'static str,
    /// The revision of a record, and its row id.
    pub(super) find: &'static str,
    /// Puts a record over whatever there is; gives its row id.
    pub(super) put: &'static str,
    /// Puts a record unless there is one; gives its row id, or no row.
    pub(super) keep: &'static str,
    /// Takes a record away; gives its row id, or no row.
    pub(super) delete: &'static str,
}

macro_rules! statements {
    ($table:literal) => {
        Statements {
            get: concat!(
                "SELECT partition, id, revision, checksum, document, packed FROM ",
                $table,
                " WHERE partition = ?1 AND kind = ?2 AND id = ?3"
            ),
            // SQLite orders blobs behind texts: every id is less than one.
            ascend: concat!(
                "SELECT partition, id, revision, checksum, document, packed FROM ",
                $table,
                " WHERE partition = ?1 AND kind = ?2 AND id >= ?3 AND id < coalesce(?4, x'') ORDER BY id ASC LIMIT ?5"
            ),
            descend: concat!(
                "SELECT partition, id, revision, checksum, document, packed FROM ",
                $table,
                " WHERE partition = ?1 AND kind = ?2 AND id >= ?3 AND id < coalesce(?4, x'') ORDER BY id DESC LIMIT ?5"
            ),
            find: concat!("SELECT revision, rowid FROM ", $table, " WHERE partition = ?1 AND kind = ?2 AND id = ?3"),
            put: concat!(
                "INSERT INTO ",
                $table,
                " (partition, kind, id, revision, checksum, document) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (partition, kind, id) DO UPDATE SET revision = excluded.revision,
                 checksum = excluded.checksum, document = excluded.document, packed = NULL RETURNING rowid"
            ),
            keep: concat!(
                "INSERT INTO ",
                $table,
                " (partition, kind, id, revision, checksum, document) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (partition, kind, id) DO NOTHING RETURNING rowid"
            ),
            delete: concat!("DELETE FROM ", $table, " WHERE partition = ?1 AND kind = ?2 AND id = ?3 RETURNING rowid"),
        }
    };
}

const PRESENT: Statements = statements!("records");
const PAST: Statements = statements!("past");

/// The statements on the table of a kind.
pub(super) fn of(kind: Kind) -> &'static Statements {
    if kind.is_past() { &PAST } else { &PRESENT }
}
