//! What is counted of connections: written by whoever accepts them, read by the metrics.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// The connections of one listener.
#[derive(Debug, Default)]
pub struct Connections {
    max: AtomicUsize,
    open: AtomicUsize,
    accepted: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
}

impl Connections {
    /// Notes how many there may be.
    pub fn set_max(&self, max: usize) {
        self.max.store(max, Relaxed);
    }

    /// Counts one that is open until [`Self::closed`].
    pub fn opened(&self) {
        self.open.fetch_add(1, Relaxed);
        self.accepted.fetch_add(1, Relaxed);
    }

    /// Counts one that is over.
    pub fn closed(&self) {
        self.open.fetch_sub(1, Relaxed);
    }

    /// Counts one that was closed at once, because its address had as many as one may.
    pub fn refuse(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    /// Counts one that the system did not hand over.
    pub fn fail(&self) {
        self.failed.fetch_add(1, Relaxed);
    }

    /// Most at once.
    pub(in crate::api) fn max(&self) -> usize {
        self.max.load(Relaxed)
    }

    /// Open now.
    pub(in crate::api) fn open(&self) -> usize {
        self.open.load(Relaxed)
    }

    /// Accepted since the start.
    pub(in crate::api) fn accepted(&self) -> u64 {
        self.accepted.load(Relaxed)
    }

    /// Closed at once since the start.
    pub(in crate::api) fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// Not handed over since the start.
    pub(in crate::api) fn failed(&self) -> u64 {
        self.failed.load(Relaxed)
    }
}
