//! News of runs: whoever works on them hears of one that began, on whichever replica it was called for.

use std::collections::BTreeSet;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::model::connection::{Verification, VerificationState};
use crate::model::id::AccountId;

/// What began since somebody looked last.
#[derive(Debug, Default)]
pub struct Runs {
    reestimation: Notify,
    verifying: Mutex<BTreeSet<AccountId>>,
    verification: Notify,
}

impl Runs {
    /// A re-estimation changed.
    pub(super) fn reestimation(&self) {
        self.reestimation.notify_one();
    }

    /// A run that checks ticketing links changed.
    pub(super) fn verification(&self, run: &Verification) {
        if run.state == VerificationState::Running && run.cursor.is_none() && run.findings.seen == 0 {
            self.verifying.lock().insert(run.account.clone());
            self.verification.notify_one();
        }
    }

    /// Runs may have begun in these accounts without a word.
    pub(super) fn may_have_begun(&self, accounts: impl Iterator<Item = AccountId>) {
        self.reestimation.notify_one();
        self.verifying.lock().extend(accounts);
        self.verification.notify_one();
    }

    /// Resolves once a re-estimation changed since it resolved last.
    pub async fn reestimation_changed(&self) {
        self.reestimation.notified().await;
    }

    /// Waits for runs that check links, and gives the accounts in which some began, each once.
    pub async fn begun_verifications(&self) -> BTreeSet<AccountId> {
        loop {
            let notified = self.verification.notified();
            let begun = std::mem::take(&mut *self.verifying.lock());
            if !begun.is_empty() {
                return begun;
            }
            notified.await;
        }
    }
}
