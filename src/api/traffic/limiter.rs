//! Token buckets of any number of callers, in memory that does not grow and without a lock.
//!
//! A bucket is one number: the time at which it is full again. A caller has one in each of three rows, at places that a
//! secret hash of its key names, and shares each with whoever hashes there. The fullest of its three buckets counts, so a
//! caller is taken for another only where others keep all three of them empty: with 1,000 callers at their limit a
//! quiet one in 35,000. No caller is let through more often because of others. Calls of one caller that race within some
//! nanoseconds may be counted as one, at most three of them: each takes from another one of its buckets.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::config::Rate;

/// Rows of buckets.
const ROWS: usize = 3;
/// Buckets of a row, a power of two: 768 KiB in all.
const BUCKETS: usize = 1 << BUCKET_BITS;
const BUCKET_BITS: u32 = 15;

/// A limit, and what each caller took of it.
pub(super) struct Limiter {
    /// When each bucket is full again, in nanoseconds since the start.
    full_at: Box<[AtomicU64]>,
    /// What one call takes, and all that a bucket holds, in nanoseconds that it takes to come back.
    step_ns: u64,
    depth_ns: u64,
    seed: RandomState,
}

impl std::fmt::Debug for Limiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { step_ns, depth_ns, .. } = self;
        f.debug_struct("Limiter").field("step_ns", step_ns).field("depth_ns", depth_ns).finish_non_exhaustive()
    }
}

impl Limiter {
    /// A limiter with all buckets full; `None` where there is no limit.
    pub(super) fn of(rate: Rate) -> Option<Self> {
        if rate.is_unlimited() {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1,000 and 1e14")]
        let step_ns = (1e9 / rate.per_s) as u64;
        Some(Self {
            full_at: (0..ROWS * BUCKETS).map(|_| AtomicU64::new(0)).collect(),
            step_ns,
            depth_ns: step_ns.saturating_mul(rate.burst.into()),
            seed: RandomState::new(),
        })
    }

    /// Takes one call of a caller, `now` after the start; how long to wait where its bucket is empty. What is refused takes
    /// nothing.
    pub(super) fn take(&self, key: impl Hash, now: Duration) -> Result<(), Duration> {
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX / 4);
        let buckets = self.buckets(self.seed.hash_one(key));
        loop {
            let stands = buckets.map(|bucket| bucket.load(Ordering::Relaxed));
            let fullest = (0..ROWS).min_by_key(|row| stands[*row]).unwrap_or(0);
            let next = stands[fullest].max(now).saturating_add(self.step_ns);
            let reach = now.saturating_add(self.depth_ns);
            if next > reach {
                return Err(Duration::from_nanos(next - reach));
            }
            let taken = buckets[fullest].compare_exchange(stands[fullest], next, Ordering::Relaxed, Ordering::Relaxed);
            if taken.is_ok() {
                // No more than this caller took: the others in these buckets lose nothing that it did not use.
                for bucket in buckets {
                    bucket.fetch_max(next, Ordering::Relaxed);
                }
                return Ok(());
            }
        }
    }

    fn buckets(&self, hash: u64) -> [&AtomicU64; ROWS] {
        std::array::from_fn(|row| {
            let at = usize::try_from(hash >> (row * BUCKET_BITS as usize)).unwrap_or_default() % BUCKETS;
            &self.full_at[row * BUCKETS + at]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(per_s: f64, burst: u32) -> Limiter {
        Limiter::of(Rate { per_s, burst }).unwrap()
    }

    /// How many of `tries` calls of a caller go through at a time in milliseconds.
    fn taken(limiter: &Limiter, key: u64, at_ms: u64, tries: usize) -> usize {
        (0..tries).filter(|_| limiter.take(key, Duration::from_millis(at_ms)).is_ok()).count()
    }

    #[test]
    fn a_burst_goes_through_and_then_so_many_a_second() {
        let limiter = limiter(10.0, 30);
        assert_eq!(taken(&limiter, 1, 0, 100), 30);
        assert_eq!(taken(&limiter, 1, 1_000, 100), 10);
        assert_eq!(taken(&limiter, 1, 1_099, 100), 0);
        assert_eq!(taken(&limiter, 1, 1_100, 100), 1);
        assert_eq!(taken(&limiter, 1, 3_600_000, 100), 30, "no more than the bucket holds");
    }

    /// What `RetryInfo` says: not a moment too early, and not later than needed.
    #[test]
    fn who_waits_as_long_as_it_says_goes_through() {
        let limiter = limiter(4.0, 1);
        let mut now = Duration::from_secs(5);
        limiter.take("a", now).unwrap();
        for _ in 0..8 {
            let wait = limiter.take("a", now).unwrap_err();
            assert_eq!(wait, Duration::from_millis(250));
            assert!(limiter.take("a", (now + wait).saturating_sub(Duration::from_nanos(1))).is_err());
            now += wait;
            limiter.take("a", now).unwrap();
        }
    }

    #[test]
    fn one_caller_at_its_limit_is_no_other_ones() {
        let limiter = limiter(1.0, 5);
        for busy in 0..100_u64 {
            assert_eq!(taken(&limiter, busy, 0, 50), 5, "caller {busy}");
        }
        for quiet in 1_000..2_000_u64 {
            assert_eq!(taken(&limiter, quiet, 0, 1), 1, "caller {quiet}");
        }
    }

    /// Callers without end share buckets, and their memory does not grow: some are refused too early, none too late.
    #[test]
    fn many_callers_share_buckets_and_nobody_gets_more() {
        let limiter = limiter(1.0, 2);
        let through: Vec<usize> = (0..200_000_u64).map(|key| taken(&limiter, key, 0, 3)).collect();
        assert!(through.iter().all(|taken| *taken <= 2));
        assert!(through[..100].iter().all(|taken| *taken == 2), "nobody else was there yet");
        assert_eq!(limiter.full_at.len(), ROWS * BUCKETS);
    }

    /// Threads that do nothing else: no call is lost, and of none more than three count as one.
    #[test]
    fn calls_that_race_are_counted() {
        const THREADS: usize = 4;
        let limiter = limiter(0.001, 10_000);
        let count = || taken(&limiter, 7, 0, 10_000);
        let sum: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(count)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert!((10_000..=ROWS * 10_000).contains(&sum), "{sum}");
    }
}
