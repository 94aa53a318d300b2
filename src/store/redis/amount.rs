//! How much is asked of Redis at once: less where the way to it is so slow that it does not come in time, and more when it does again.
//!
//! Who asks for as much again would get nothing, however long the way is open: each answer is given up before its end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redis::RedisError;

/// Twice as much as came within so long comes in time as well.
const SOON: Duration = Duration::from_millis(500);
/// So many times less is asked after an answer that was late: each costs all the time that it may take.
const LESS: usize = 4;

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

    /// Those that were asked did not come.
    pub(super) fn failed(&self, asked: usize, cause: &RedisError) {
        if cause.is_timeout() {
            self.now.store((asked / LESS).max(1), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn less_is_asked_where_it_is_late_and_as_much_as_before_where_it_is_soon() {
        let (amount, late) = (Amount::new(256), RedisError::from(io::Error::from(io::ErrorKind::TimedOut)));
        amount.failed(256, &RedisError::from(io::Error::from(io::ErrorKind::ConnectionReset)));
        assert_eq!(amount.get(), 256, "a way that is cut is not slow");
        for expected in [64, 16, 4, 1, 1] {
            amount.failed(amount.get(), &late);
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
