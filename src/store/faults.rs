//! Faults that no caller brought about: records that are not what was written, counted, and panics of threads, passed on.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::task::JoinError;

use super::Error;

/// Reads of this process that met a record which is not what was written.
static CORRUPT_READS: AtomicU64 = AtomicU64::new(0);

/// Counts a read that met a record which a disk or another program changed.
pub(super) fn count_corrupt_read() {
    CORRUPT_READS.fetch_add(1, Ordering::Relaxed);
}

/// How many reads of this process met a record that is not what was written. Each read counts: one record may be many.
#[must_use]
pub fn corrupt_reads() -> u64 {
    CORRUPT_READS.load(Ordering::Relaxed)
}

/// What a thread made that was waited for. Its panic goes on where it was waited for: it is a fault of waymark's own, and its text
/// nothing that a caller may read.
pub fn joined<T>(ended: Result<T, JoinError>) -> Result<T, Error> {
    ended.map_err(|cause| match cause.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => Error::Unavailable { cause: "the server ends".into() },
    })
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_panic_of_a_thread_is_no_outage_of_the_store() {
        let waiting = async { joined(tokio::task::spawn_blocking(|| -> usize { panic!("index 7 of 3") }).await) };
        let panic = std::panic::AssertUnwindSafe(waiting).catch_unwind().await.unwrap_err();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"index 7 of 3"));
    }
}
