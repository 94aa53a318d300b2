//! How much is asked of Redis at once: less where it does not come, and more when it does again.
//!
//! An answer is given up where the way is too slow for it, and Redis drops a client for whom it would have to keep too much. Who asks for
//! as much again gets nothing, however long the way is open.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use redis::{ErrorKind, RedisError};

use super::super::Kind;

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

/// How many records to ask for where all are read anew, account by account and kind by kind.
///
/// A failure begins that from the start. Small records before large ones come soon, and more is asked again on the way to these: so what
/// did not come of one account is asked of it no more until all was read, or the way to the end of it would be cut there each time.
#[derive(Debug)]
pub(super) struct Amounts {
    all: Amount,
    /// How many are asked at most where more did not come.
    heavy: Mutex<HashMap<(String, Kind), usize>>,
}

impl Amounts {
    /// The most, to begin with.
    pub(super) fn new(most: usize) -> Self {
        Self { all: Amount::new(most), heavy: Mutex::default() }
    }

    /// How many to ask for of an account's records of a kind; one at least.
    pub(super) fn get(&self, account: &str, kind: Kind) -> usize {
        let most = self.heavy.lock().get(&(account.to_owned(), kind)).copied();
        most.unwrap_or(usize::MAX).min(self.all.get())
    }

    /// As many as were asked came, after so long.
    pub(super) fn came(&self, asked: usize, after: Duration) {
        self.all.came(asked, after);
    }

    /// As many as were asked did not come.
    pub(super) fn failed(&self, account: &str, kind: Kind, asked: usize, cause: &RedisError) {
        self.all.failed(asked, cause);
        let left = self.all.get();
        if left < asked {
            self.heavy.lock().insert((account.to_owned(), kind), left);
        }
    }

    /// All was read.
    pub(super) fn all_came(&self) {
        self.heavy.lock().clear();
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

    #[test]
    fn what_did_not_come_of_one_account_is_not_asked_of_it_again_however_soon_the_others_come() {
        let (amounts, silent) = (Amounts::new(1_000), RedisError::from(io::Error::from(io::ErrorKind::TimedOut)));
        let mut asked = Vec::new();
        for _ in 0..4 {
            for light in ["first", "second"] {
                amounts.came(amounts.get(light, Kind::Site), Duration::ZERO);
            }
            let now = amounts.get("heavy", Kind::Site);
            asked.push(now);
            if now > 20 {
                amounts.failed("heavy", Kind::Site, now, &silent);
            }
        }
        assert_eq!(asked, [1_000, 250, 62, 15]);
        assert_eq!(amounts.get("heavy", Kind::Token), 60, "of its other records nothing is known");
        let refused = redis::make_extension_error("OOM".to_owned(), None);
        amounts.failed("first", Kind::Site, 60, &refused);
        assert_eq!(amounts.get("first", Kind::Site), 60, "it was answered");
        amounts.all_came();
        assert_eq!(amounts.get("heavy", Kind::Site), 60);
    }
}
