//! Which mails wait to be sent: their keys alone, in the order in which they were queued within an account.

use std::collections::BTreeSet;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::model::id::AccountId;
use crate::store::Key;

/// The account of a mail and its id.
pub type MailKey = (AccountId, String);

/// The outbox in memory, kept in step by the store's commits.
#[derive(Debug, Default)]
pub struct WaitingMails {
    keys: Mutex<BTreeSet<MailKey>>,
    added: Notify,
}

impl WaitingMails {
    /// A mail was queued.
    pub fn put(&self, key: MailKey) {
        self.keys.lock().insert(key);
        self.added.notify_one();
    }

    /// A mail is sent, or not wanted any more.
    pub fn forget(&self, key: &MailKey) {
        self.keys.lock().remove(key);
    }

    /// What a commit says of the record of a mail: it is there and waits, or has gone.
    pub(super) fn follow(&self, record: &Key, waits: bool) {
        let Some(account) = &record.partition else { return };
        let key = (account.clone(), record.id.clone());
        if waits { self.put(key) } else { self.forget(&key) }
    }

    /// How many wait.
    #[must_use]
    pub fn count(&self) -> usize {
        self.keys.lock().len()
    }

    /// All that wait.
    #[must_use]
    pub fn keys(&self) -> Vec<MailKey> {
        self.keys.lock().iter().cloned().collect()
    }

    /// Resolves once a mail was queued since it resolved last.
    pub async fn added(&self) {
        self.added.notified().await;
    }
}
