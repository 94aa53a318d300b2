//! What became of spans, counted for as long as the process runs.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Why a span was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Too many waited.
    Full,
    /// The collector did not take it.
    Failed,
    /// There is no such span in the list.
    Unlisted,
}

impl Loss {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Full, Self::Failed, Self::Unlisted];

    /// Its name as a label.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Failed => "failed",
            Self::Unlisted => "unlisted",
        }
    }
}

/// What was counted.
#[derive(Debug, Default)]
pub struct Counts {
    exported: AtomicU64,
    exports_failed: AtomicU64,
    lost: [AtomicU64; Loss::ALL.len()],
}

impl Counts {
    pub(super) const fn new() -> Self {
        Self {
            exported: AtomicU64::new(0),
            exports_failed: AtomicU64::new(0),
            lost: [const { AtomicU64::new(0) }; Loss::ALL.len()],
        }
    }

    /// Spans that the collector took.
    #[must_use]
    pub fn spans_exported(&self) -> u64 {
        self.exported.load(Relaxed)
    }

    /// Exports that failed, or took too long.
    #[must_use]
    pub fn exports_failed(&self) -> u64 {
        self.exports_failed.load(Relaxed)
    }

    /// Spans that were dropped for a reason.
    #[must_use]
    pub fn of(&self, loss: Loss) -> u64 {
        self.lost[loss as usize].load(Relaxed)
    }

    pub(super) fn exported(&self, spans: usize) {
        self.exported.fetch_add(spans as u64, Relaxed);
    }

    pub(super) fn export_failed(&self) {
        self.exports_failed.fetch_add(1, Relaxed);
    }

    pub(super) fn lost(&self, loss: Loss, spans: usize) {
        self.lost[loss as usize].fetch_add(spans as u64, Relaxed);
    }
}
