//! A double for tests: an observer that panics over a commit, as memory may over a record that nobody thought of.

use std::sync::atomic::{AtomicU32, Ordering};

use super::{Mutation, Observer, Resync, Revision};

/// Panics over the commit after so many.
#[derive(Debug)]
pub(crate) struct Panicking {
    left: AtomicU32,
}

impl Panicking {
    pub(crate) fn after(commits: u32) -> Self {
        Self { left: AtomicU32::new(commits) }
    }
}

impl Observer for Panicking {
    fn committed(&self, _: Revision, _: &[Mutation]) {
        let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        left.expect("a commit that nobody thought of");
    }

    fn resynced(&self, _: Resync<'_>) {}
}
