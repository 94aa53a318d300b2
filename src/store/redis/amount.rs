//! How much is asked of Redis at once: less where it does not come, and more when it does again.
//!
//! An answer is given up where the way is too slow for it, and Redis drops a client for whom it would have to keep too much. Who asks for
//! as much again gets nothing, however long the way is open.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redis::{ErrorKind, RedisError};

/// Twice as much as came within so long comes in time as well.
const SOON: Duration = Duration::from_millis(500);
/// So many times less is asked after an answer that did not come: each costs all the time that it may take.
pub(super) const LESS: usize = 4;

/// How many entries, or records.
#[derive(Debug)]
pub(super) struct Amount {
    now: AtomicUsize,
    most: usize,
}

impl Amount {
    /// The most, to begin with.
    pub(super) fn new(most: usize) -> Self {
        Self { now: AtomicUsize::new(most), most }
    }

    /// How many to ask for; one at least.
    pub(super) fn get(&self) -> usize {
        self.now.load(Ordering::Relaxed)
    }

    /// As many as were asked came, after so long.
    pub(super) fn came(&self, asked: usize, after: Duration) {
        let more = asked.saturating_mul(2).min(self.most);
        if after < SOON && more > self.get() {
            self.now.store(more, Ordering::Relaxed);
        }
    }

    /// As many as were asked did not come.
    pub(super) fn failed(&self, asked: usize, cause: &RedisError) {
        // What Redis itself says is an answer, and no matter of its size.
        if !matches!(cause.kind(), ErrorKind::Server(_) | ErrorKind::Extension) {
            self.now.store((asked / LESS).max(1), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn less_is_asked_where_nothing_comes_and_as_much_as_before_where_it_is_soon() {
        let (amount, refused) = (Amount::new(256), redis::make_extension_error("OOM".to_owned(), None));
        amount.failed(256, &refused);
        assert_eq!(amount.get(), 256, "it was answered");
        for (kind, expected) in [
            (io::ErrorKind::TimedOut, 64),
            (io::ErrorKind::ConnectionReset, 16),
            (io::ErrorKind::UnexpectedEof, 4),
            (io::ErrorKind::BrokenPipe, 1),
            (io::ErrorKind::TimedOut, 1),
        ] {
            amount.failed(amount.get(), &RedisError::from(io::Error::from(kind)));
            assert_eq!(amount.get(), expected);
        }
        amount.came(1, SOON);
        assert_eq!(amount.get(), 1, "twice as much would be late, or nearly");
        for _ in 0..2 {
            amount.came(1, SOON / 2);
            assert_eq!(amount.get(), 2, "of two nobody knows yet how long they take");
        }
        for asked in [2, 4, 8, 16, 32, 64, 128, 256] {
            amount.came(asked, Duration::ZERO);
        }
        assert_eq!(amount.get(), 256);
    }
}
