//! How long a client waits before it asks again: exponentially longer, with full jitter, and not before the server said.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use serde::Deserialize;

/// The bounds of the waits.
#[derive(Debug, Deserialize)]
pub(super) struct Backoff {
    first_ms: u64,
    factor: u64,
    longest_ms: u64,
}

impl Backoff {
    /// The wait after so many failures in a row, at least one. Whole milliseconds between nothing and a bound that grows with
    /// each failure, on top of what the server `asked` for: all who were refused together do not come back together.
    pub(super) fn wait(&self, failures: u32, asked: Option<Duration>) -> Duration {
        let grown = self.factor.saturating_pow(failures.saturating_sub(1));
        let ceiling = self.first_ms.saturating_mul(grown).min(self.longest_ms);
        let jitter = RandomState::new().hash_one(()) % (ceiling + 1);
        asked.unwrap_or_default().saturating_add(Duration::from_millis(jitter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_are_spread_below_it() {
        let backoff = Backoff { first_ms: 100, factor: 2, longest_ms: 1_000 };
        for (failures, longest) in [(1, 100), (2, 200), (4, 800), (5, 1_000), (u32::MAX, 1_000)] {
            let waits: Vec<Duration> = (0..1_000).map(|_| backoff.wait(failures, None)).collect();
            assert!(waits.iter().all(|wait| *wait <= Duration::from_millis(longest)), "{failures}");
            // Of a thousand draws some lie in each half.
            let short = waits.iter().filter(|wait| **wait < Duration::from_millis(longest / 2)).count();
            assert!((200..800).contains(&short), "{failures}: {short}");
        }
    }

    #[test]
    fn nobody_comes_before_the_time_that_the_server_asked_for() {
        let backoff = Backoff { first_ms: 100, factor: 2, longest_ms: 1_000 };
        let asked = Duration::from_secs(3);
        for _ in 0..100 {
            let wait = backoff.wait(1, Some(asked));
            assert!(wait >= asked && wait <= asked + Duration::from_millis(100), "{wait:?}");
        }
    }
}
