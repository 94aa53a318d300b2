//! What connections to one file share on the disk of tests: SQLite's locks, and the memory of its write-ahead log.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use rusqlite::ffi;

/// Locks of a write-ahead log's memory.
pub(super) const SLOTS: usize = ffi::SQLITE_SHM_NLOCK as usize;

/// Who holds what of a file. A connection's own part is its level.
#[derive(Debug, Default)]
pub(super) struct Locks {
    shared: usize,
    /// Somebody means to write.
    reserved: bool,
    /// Somebody waits for readers to go, or has the file alone.
    pending: bool,
}

impl Locks {
    /// Raises a connection's level; false where another one is in the way. The level may have become PENDING even so.
    pub(super) fn raise(&mut self, level: &mut i32, wanted: i32) -> bool {
        if *level >= wanted {
            return true;
        }
        match wanted {
            ffi::SQLITE_LOCK_SHARED => {
                if self.pending {
                    return false;
                }
                self.shared += 1;
            }
            ffi::SQLITE_LOCK_RESERVED => {
                if self.reserved || self.pending {
                    return false;
                }
                self.reserved = true;
            }
            _ => {
                let is_mine = *level >= ffi::SQLITE_LOCK_RESERVED;
                if *level < ffi::SQLITE_LOCK_PENDING && (self.pending || (self.reserved && !is_mine)) {
                    return false;
                }
                (self.reserved, self.pending) = (true, true);
                *level = ffi::SQLITE_LOCK_PENDING;
                if self.shared > 1 {
                    return false;
                }
            }
        }
        *level = wanted;
        true
    }

    /// Lowers a connection's level.
    pub(super) fn lower(&mut self, level: &mut i32, wanted: i32) {
        if *level <= wanted {
            return;
        }
        if *level >= ffi::SQLITE_LOCK_PENDING {
            self.pending = false;
        }
        if *level >= ffi::SQLITE_LOCK_RESERVED {
            self.reserved = false;
        }
        if wanted == ffi::SQLITE_LOCK_NONE {
            self.shared -= 1;
        }
        *level = wanted;
    }

    pub(super) fn is_reserved(&self) -> bool {
        self.reserved || self.pending
    }
}

/// A part of the memory that SQLite asked for. It never moves and is never taken away while a connection may look at it.
pub(super) type Region = Arc<[AtomicU64]>;

/// The memory beside a write-ahead log, and its locks.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) regions: Vec<Region>,
    /// Readers of each lock; -1 for one that is held alone.
    slots: [i32; SLOTS],
    pub(super) users: usize,
}

impl Shared {
    /// The region of a number, made where it is missing and wanted.
    pub(super) fn region(&mut self, number: usize, bytes: usize, make: bool) -> Option<Region> {
        while make && self.regions.len() <= number {
            self.regions.push((0..bytes.div_ceil(8)).map(|_| AtomicU64::new(0)).collect());
        }
        self.regions.get(number).map(Arc::clone)
    }

    /// Takes locks for a connection that holds `held`; false where another one is in the way.
    pub(super) fn lock(&mut self, held: &mut [i32; SLOTS], first: usize, count: usize, alone: bool) -> bool {
        let range = first..first + count;
        let is_free = |at: usize| if alone { self.slots[at] == 0 } else { self.slots[at] >= 0 };
        if !range.clone().all(is_free) {
            return false;
        }
        let step = if alone { -1 } else { 1 };
        for (slot, held) in self.slots[range.clone()].iter_mut().zip(&mut held[range]) {
            *slot += step;
            *held += step;
        }
        true
    }

    /// Gives locks back, those that the connection holds.
    pub(super) fn unlock(&mut self, held: &mut [i32; SLOTS], first: usize, count: usize) {
        let range = first..first + count;
        for (slot, held) in self.slots[range.clone()].iter_mut().zip(&mut held[range]) {
            *slot -= held.signum();
            *held -= held.signum();
        }
    }
}
