//! What is counted of connections: written by whoever accepts them, read by the metrics.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// Why a connection ended that had a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Its client left or failed, or kept no time of its protocol; or the server ends.
    Left,
    /// It asked nothing in time.
    Silent,
    /// Nobody needed it for long.
    Idle,
    /// It was as old as one may be.
    Aged,
    /// Another one needed its place.
    Displaced,
}

/// Why a client's certificate was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateFault {
    /// There was none, and one is needed.
    Missing,
    /// It is past its time, or before it.
    Expired,
    /// Nobody signed it who is trusted.
    Untrusted,
    /// It is of another form, or for another purpose.
    Unfit,
}

/// The connections of one listener.
#[derive(Debug, Default)]
pub struct Connections {
    max: AtomicUsize,
    open: AtomicUsize,
    accepted: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    /// By the numbers of their ends.
    ended: [AtomicU64; End::ALL.len()],
    /// By the numbers of their faults.
    certificates_refused: [AtomicU64; CertificateFault::ALL.len()],
}

impl End {
    /// All of them, in the order of their numbers.
    pub(in crate::api) const ALL: [Self; 5] = [Self::Left, Self::Silent, Self::Idle, Self::Aged, Self::Displaced];

    /// Its name as a label.
    pub(in crate::api) fn name(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Silent => "silent",
            Self::Idle => "idle",
            Self::Aged => "aged",
            Self::Displaced => "displaced",
        }
    }
}

impl CertificateFault {
    /// All of them, in the order of their numbers.
    pub(in crate::api) const ALL: [Self; 4] = [Self::Missing, Self::Expired, Self::Untrusted, Self::Unfit];

    /// Its name as a label, and in the log.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Expired => "expired",
            Self::Untrusted => "untrusted",
            Self::Unfit => "unfit",
        }
    }
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

    /// Counts one that is over; with its end where it had a place.
    pub fn closed(&self, end: Option<End>) {
        self.open.fetch_sub(1, Relaxed);
        if let Some(end) = end {
            self.ended[end as usize].fetch_add(1, Relaxed);
        }
    }

    /// Counts one that was closed because there was no place for it.
    pub fn refuse(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    /// Counts one that the system did not hand over.
    pub fn fail(&self) {
        self.failed.fetch_add(1, Relaxed);
    }

    /// Counts a certificate of a client that was refused.
    pub fn refuse_certificate(&self, fault: CertificateFault) {
        self.certificates_refused[fault as usize].fetch_add(1, Relaxed);
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

    /// Closed for want of a place since the start.
    pub(in crate::api) fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// Not handed over since the start.
    pub(in crate::api) fn failed(&self) -> u64 {
        self.failed.load(Relaxed)
    }

    /// Certificates refused so since the start.
    pub(in crate::api) fn certificates_refused(&self, fault: CertificateFault) -> u64 {
        self.certificates_refused[fault as usize].load(Relaxed)
    }

    /// Ended so since the start.
    pub(in crate::api) fn ended(&self, end: End) -> u64 {
        self.ended[end as usize].load(Relaxed)
    }
}
