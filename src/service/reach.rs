//! Waiting for what a caller knows already: its own writes, on whichever replica it asks.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use super::access::secret;
use super::accounts::require_operator;
use super::certificates::Credential;
use super::{Error, Waymark};
use crate::model::id::{AccountId, Revision};

/// Longest wait for what a caller knows already.
pub(super) const REACH_MAX: Duration = Duration::from_secs(5);
/// Calls that wait at once for a token or an account of which this replica has not heard. Anybody can make up a token that
/// looks like one, and each asks the store once.
pub(super) const NEWCOMERS_MAX: usize = 64;

/// Places for such calls.
#[derive(Debug)]
pub(super) struct Newcomers(Semaphore);

impl Default for Newcomers {
    fn default() -> Self {
        Self(Semaphore::new(NEWCOMERS_MAX))
    }
}

impl Newcomers {
    /// A place, where one is free.
    pub(super) fn try_place(&self) -> Option<SemaphorePermit<'_>> {
        self.0.try_acquire().ok()
    }
}

impl Waymark {
    /// Waits until this replica has everything that was written to an account up to a revision, for whoever shows
    /// `credential`; without an account, to what is the operator's own. Where the store is shared, account and token may be of
    /// what was written, and are waited for too.
    pub async fn reach(
        &self,
        credential: Credential<'_>,
        account: Option<&AccountId>,
        revision: Revision,
    ) -> Result<(), Error> {
        let end = Instant::now() + REACH_MAX;
        let mut newcomer = None;
        if let Err(cause) = self.recognize(credential, account) {
            if self.may_come(credential, account) {
                newcomer = Some(self.newcomers.try_place().ok_or(Error::Behind(revision))?);
                // Always asked, so that the time of the answer says nothing of who is here.
                if self.parts.store.revision(account).await? < revision {
                    return Err(cause);
                }
            } else {
                // It may have come between the two looks.
                self.recognize(credential, account)?;
            }
        }
        let reached = timeout_at(end, self.parts.live.reach(account, revision)).await;
        reached.map_err(|_| Error::Behind(revision))?;
        if newcomer.is_some() { self.recognize(credential, account) } else { Ok(()) }
    }

    /// Whether the bearer is good, and the account there for it, as their own or by a share.
    fn recognize(&self, credential: Credential<'_>, account: Option<&AccountId>) -> Result<(), Error> {
        let principal = self.identify(credential)?;
        match account {
            Some(account) => self.visible_account(&self.within(&principal, account), account).map(drop),
            None => require_operator(&principal),
        }
    }

    /// Whether what is missing may be on its way from another replica: a token of which nothing is known, or an account that
    /// a good one may belong to.
    fn may_come(&self, credential: Credential<'_>, account: Option<&AccountId>) -> bool {
        let live = &self.parts.live;
        let is_unheard_of = match (self.identify(credential), credential) {
            (Ok(principal), _) => {
                account.is_some_and(|account| principal.belongs_to(account) && live.account(account).is_none())
            }
            (Err(_), Credential::Secret(text)) => secret::parse(text).is_some_and(|(id, _)| live.token(id).is_none()),
            (Err(_), Credential::Certificate(shown)) => live.tokens_known_by(shown.known_by()).is_empty(),
        };
        self.parts.store.is_shared() && is_unheard_of
    }
}
