//! Records of work that is done in pages: the next like page is counted in the same one.
//!
//! A record is one call's at a time, from its first batch until it ended. So what a batch says of it is one more than what is in the
//! store, and no order in which batches end takes a count back. Pages that are sent side by side have a record each.

use jiff::Timestamp;
use parking_lot::Mutex;

use super::waiting::are_together;
use crate::model::audit::AuditRecord;
use crate::model::id::AccountId;
use crate::store::Key;

/// Most records that further pages are counted in, some 400 bytes each. They are in the store as they stand: where one is
/// forgotten for another, the next page begins a new one, and nothing is lost.
const KEPT_MAX: usize = 1_024;

/// Those that no call has at the moment, the one that was given back last at the end.
#[derive(Debug, Default)]
pub(super) struct Pages(Mutex<Vec<(Key, AuditRecord)>>);

impl Pages {
    /// The record that a call like this one is counted in, counted up by it; the caller's alone until it is given back.
    pub(super) fn take(&self, partition: Option<&AccountId>, like: &AuditRecord) -> Option<(Key, AuditRecord)> {
        let is_like = |(key, kept): &(Key, AuditRecord)| {
            key.partition.as_ref() == partition
                && kept.actor == like.actor
                && kept.method == like.method
                && kept.resource == like.resource
                && are_together(kept.at, like.last_at)
        };
        let mut kept = self.0.lock();
        let at = kept.iter().position(is_like)?;
        let (key, mut record) = kept.remove(at);
        record.calls += like.calls;
        record.last_at = record.last_at.max(like.last_at);
        Some((key, record))
    }

    /// Gives a record back, whose last call is in the store or certainly not.
    pub(super) fn give_back(&self, key: Key, mut record: AuditRecord, is_counted: bool) {
        if !is_counted {
            record.calls -= 1;
        }
        if record.calls == 0 {
            return;
        }
        let mut kept = self.0.lock();
        if kept.len() >= KEPT_MAX {
            kept.remove(0);
        }
        kept.push((key, record));
    }

    /// Forgets those that no further call is counted in.
    pub(super) fn forget(&self, now: Timestamp) {
        self.0.lock().retain(|(_, record)| are_together(record.at, now));
    }
}
