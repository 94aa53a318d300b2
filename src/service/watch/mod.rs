//! Watches: answers that go on, for as long as their credential is good and the server runs.
//!
//! `sites` tells what becomes of sites, `held` and `own` which of them to whom; `map` what becomes of the symbols in view, `shown` what of
//! them is new; `drive` runs one for a client that may stop reading. A watch
//! makes its next message when the one before was taken, from what is true then: a slow reader costs no memory, delays no
//! writer, and misses nothing unless it is told so.

mod drive;
mod found;
mod held;
mod map;
mod own;
mod shown;
mod sites;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::time::{Instant, timeout_at};

use super::access::Permission;
use super::{Error, Waymark};
use crate::live::LiveAccount;
use crate::model::access::Principal;
use crate::model::id::AccountId;
use crate::store::Store;

use held::Allowance;

pub use drive::Messages;
pub use map::{Counts, MapChanges, MapWatch, View};
pub use sites::{SiteChanges, SiteWatch, SitesWanted};

/// Most watches of one account at once. One of a usual screen costs some tens of KiB; one of sites whose client stopped
/// reading at most some 750 KiB, twice what a message holds and the bytes of one on their way; one of the most crowded
/// view there is, 2 MiB. One of assigned sites keeps besides which of them its client holds, 33 to 57 bytes a site: 3 to 6 MB for as
/// many as it may, and some 70 to 120 MB for all such watches of the server together.
pub const WATCHES_MAX: usize = 2_048;
/// Most watches of all accounts at once, on this server: at the 35 KB that one was measured to hold, 0.6 GB.
const ALL_WATCHES_MAX: usize = 16_384;
/// A client that takes no message for so long has gone, whatever its connection says.
const STALLED_MAX: Duration = Duration::from_mins(1);
/// Watches that read the store at once, of all accounts: others want to be served too.
const READING_MAX: usize = 8;
/// A credential that ended, ends its watches within this time.
const CHECKED_EVERY: Duration = Duration::from_secs(2);
/// A watch on which nothing happens says so this often: who hears nothing for longer has lost its connection.
const PROGRESS_EVERY: Duration = Duration::from_secs(10);

/// Where a watch stands with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// An ordinary message.
    Ordinary,
    /// All that is, or was missed, has been sent: what follows is live.
    Current,
    /// Nothing was missed up to the message's revision.
    Progress,
    /// What was missed is not known any more, or what was told may be lost: what the client holds is worth nothing, all of it follows.
    Resync,
}

/// All who watch.
#[derive(Debug)]
pub(super) struct Watchers {
    taken: Arc<Mutex<Taken>>,
    ending: watch::Sender<bool>,
    reading: Semaphore,
    held: Allowance,
}

impl Default for Watchers {
    fn default() -> Self {
        let (taken, ending) = (Arc::default(), watch::Sender::new(false));
        Self { taken, ending, reading: Semaphore::new(READING_MAX), held: Allowance::default() }
    }
}

/// How many places are taken.
#[derive(Debug, Default)]
struct Taken {
    by_account: HashMap<AccountId, usize>,
    all: usize,
}

/// A place among an account's watches, free again when dropped.
#[derive(Debug)]
struct Place {
    taken: Arc<Mutex<Taken>>,
    account: AccountId,
}

impl Watchers {
    /// How many watch.
    pub(super) fn open(&self) -> usize {
        self.taken.lock().all
    }

    fn place(&self, account: &AccountId) -> Result<Place, Error> {
        let mut taken = self.taken.lock();
        if taken.all >= ALL_WATCHES_MAX {
            return Err(Error::TooMany("watches of the server", ALL_WATCHES_MAX));
        }
        let own = taken.by_account.entry(account.clone()).or_default();
        if *own >= WATCHES_MAX {
            return Err(Error::TooMany("watches of the account", WATCHES_MAX));
        }
        *own += 1;
        taken.all += 1;
        Ok(Place { taken: Arc::clone(&self.taken), account: account.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock();
        if let Some(own) = taken.by_account.get_mut(&self.account) {
            *own -= 1;
            if *own == 0 {
                taken.by_account.remove(&self.account);
            }
            taken.all -= 1;
        }
    }
}

/// Whose a watch is, and whether it may go on.
#[derive(Debug, Clone)]
struct Vigil {
    waymark: Arc<Waymark>,
    /// Who began it, with which of a token's secrets.
    principal: Principal,
    /// What they have to be allowed, for as long as the watch goes on.
    permission: Permission,
    account: AccountId,
    live: Arc<LiveAccount>,
    ending: watch::Receiver<bool>,
}

impl Vigil {
    /// The principal, if the watch may still go on.
    fn check(&self) -> Result<Principal, Error> {
        if *self.ending.borrow() {
            return Err(Error::Ending);
        }
        let principal = self.waymark.present(&self.principal)?;
        let live = self.waymark.account_for(&principal, &self.account, self.permission)?;
        // One that the store lost, and that was made anew, has nothing to tell to who watches the old one.
        if Arc::ptr_eq(&live, &self.live) { Ok(principal) } else { Err(Error::Ending) }
    }

    /// Waits for the end of the server.
    async fn ending(&mut self) -> Error {
        // Who holds the other end is held by `waymark`.
        let _ = self.ending.wait_for(|is_ending| *is_ending).await;
        Error::Ending
    }
}

/// What every watch stands on.
#[derive(Debug)]
struct Seat {
    vigil: Vigil,
    /// When the client last heard anything.
    heard: Instant,
    _place: Place,
}

impl Seat {
    /// A place for who has this permission in the account.
    fn take(
        waymark: &Arc<Waymark>,
        principal: &Principal,
        account: &AccountId,
        permission: Permission,
    ) -> Result<Self, Error> {
        let live = waymark.account_for(principal, account, permission)?;
        let ending = waymark.watchers.ending.subscribe();
        let (waymark, principal) = (Arc::clone(waymark), principal.clone());
        // Guests leave an account the places that it has.
        let place = waymark.watchers.place(principal.home().unwrap_or(account))?;
        let vigil = Vigil { waymark, principal, permission, account: account.clone(), live, ending };
        Ok(Self { vigil, heard: Instant::now(), _place: place })
    }

    fn account(&self) -> &AccountId {
        &self.vigil.account
    }

    fn live(&self) -> &Arc<LiveAccount> {
        &self.vigil.live
    }

    fn store(&self) -> &dyn Store {
        &*self.vigil.waymark.parts.store
    }

    /// What comes first: what is waited for, or the time to look around, and then `None`. The time comes when the client has
    /// heard nothing for `silence`, at the latest; where that is so already, when it is time to check the credential.
    async fn wait<T>(&mut self, waited: impl Future<Output = T>, silence: Duration) -> Result<Option<T>, Error> {
        let checked = Instant::now() + CHECKED_EVERY;
        // A time that is past would be no wait, and whoever waits in a loop would take all of a core.
        let until = if self.is_silent(silence) { checked } else { checked.min(self.heard + silence) };
        tokio::select! {
            come = timeout_at(until, waited) => Ok(come.ok()),
            ending = self.vigil.ending() => Err(ending),
        }
    }

    /// Whether the client has heard nothing for so long.
    fn is_silent(&self, silence: Duration) -> bool {
        self.heard.elapsed() >= silence
    }

    fn heard_now(&mut self) {
        self.heard = Instant::now();
    }

    /// A turn to read from the store.
    async fn reading(&self) -> SemaphorePermit<'_> {
        self.vigil.waymark.watchers.reading.acquire().await.expect("the semaphore is never closed")
    }
}

impl Waymark {
    /// Ends all watches, and lets none begin: each client is told to watch again from where it is.
    pub fn end_watches(&self) {
        self.watchers.ending.send_replace(true);
    }
}

#[cfg(test)]
mod tests;
