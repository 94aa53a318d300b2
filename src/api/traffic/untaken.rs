//! How many bytes of answers wait to be taken, of all callers with a good credential together, and how long they may where they are
//! too many.
//!
//! What anybody can have does not count: pages lie in memory once, refusals are short, and nobody without a credential shall make the
//! others be given up early.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;

/// Bytes of answers that wait, above which who takes nothing is given up early. A thousand callers on slow ways have some tens
/// of KiB each.
const CROWDED_BYTES: usize = 256 * 1024 * 1024;
/// The time for which a caller may take nothing then: a way that carries anything carries something in it.
const CROWDED_TIME: Duration = Duration::from_secs(3);
/// Most bytes that HTTP/2 is handed at once then: what it has of an answer it keeps for as long as the connection stands, so
/// 4,096 connections of 128 streams each have 512 MiB at most beside what made the crowd.
const CROWDED_PIECE_BYTES: usize = 1024;

/// The bytes that wait.
#[derive(Debug, Default)]
pub struct Untaken(AtomicUsize);

/// Bytes that are counted until the last part of them is gone.
struct Counted {
    bytes: Bytes,
    untaken: Arc<Untaken>,
}

impl Untaken {
    /// The same bytes, counted for as long as anybody has a part of them.
    #[must_use]
    pub fn count(self: &Arc<Self>, bytes: Bytes) -> Bytes {
        if bytes.is_empty() {
            return bytes;
        }
        self.0.fetch_add(bytes.len(), Relaxed);
        Bytes::from_owner(Counted { bytes, untaken: Arc::clone(self) })
    }

    /// How long a caller may take nothing, who may for `usual` where there is room. For answers that count.
    #[must_use]
    pub fn patience(&self, usual: Duration) -> Duration {
        if self.bytes() > CROWDED_BYTES { usual.min(CROWDED_TIME) } else { usual }
    }

    /// How much of an answer is handed out at once, which is `usual` where there is room. For answers that count.
    #[must_use]
    pub fn piece_bytes(&self, usual: usize) -> usize {
        if self.bytes() > CROWDED_BYTES { usual.min(CROWDED_PIECE_BYTES) } else { usual }
    }

    /// How many wait.
    pub(in crate::api) fn bytes(&self) -> usize {
        self.0.load(Relaxed)
    }
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.untaken.0.fetch_sub(self.bytes.len(), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_count_until_the_last_part_of_them_is_gone() {
        let untaken = Arc::new(Untaken::default());
        let mut first = untaken.count(Bytes::from(vec![7; 100]));
        let second = first.split_off(60);
        assert_eq!((&first[..], &second[..]), (&[7; 60][..], &[7; 40][..]));
        assert!(untaken.count(Bytes::new()).is_empty());
        drop(first);
        assert_eq!(untaken.bytes(), 100);
        drop(second);
        assert_eq!(untaken.bytes(), 0);
    }

    #[test]
    fn where_too_many_wait_nobody_may_wait_for_long() {
        let untaken = Arc::new(Untaken::default());
        let long = Duration::from_secs(75);
        assert_eq!(untaken.patience(long), long);
        // Never touched, so the system has to find no memory for it.
        let many = untaken.count(Bytes::from(vec![0; CROWDED_BYTES + 1]));
        assert_eq!(untaken.patience(long), CROWDED_TIME);
        assert_eq!(untaken.patience(CROWDED_TIME / 2), CROWDED_TIME / 2);
        assert_eq!((untaken.piece_bytes(16_384), untaken.piece_bytes(100)), (CROWDED_PIECE_BYTES, 100));
        drop(many);
        assert_eq!((untaken.patience(long), untaken.piece_bytes(16_384)), (long, 16_384));
    }
}
