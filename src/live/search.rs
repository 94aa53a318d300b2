//! The search over an account's sites: it follows commits from the first on, and is made of the records at the start.
//!
//! The start does not wait for it: maps are served while records are read a second time, notes and phone numbers
//! included, which no start needs otherwise. Until an account's are in, its searches wait.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use parking_lot::RwLock;
use tokio::sync::watch;
use tracing::{info, warn};

use super::Live;
use crate::lexicon::{Bulk, Classes, Hits, Lexicon, Merged, Query};
use crate::model::id::{AccountId, SiteId};
use crate::model::site::Site;
use crate::store::document::Document;
use crate::store::{Error, Kind, Range, Record, Store, scan_past};

/// Records of one read: some megabytes.
const CHUNK: usize = 2_000;

/// Whether a merge is under way, of any account: one core is left to those who ask.
static IS_MERGING: AtomicBool = AtomicBool::new(false);

/// The merge of the process that is under way. However it ends, another can begin.
struct Merging {
    of: Arc<SearchedSites>,
    is_installed: bool,
}

impl Merging {
    /// Begins it; `None` while there is another one.
    fn begin(of: &Arc<SearchedSites>) -> Option<Self> {
        let is_free = !IS_MERGING.swap(true, Ordering::AcqRel);
        is_free.then(|| Self { of: Arc::clone(of), is_installed: false })
    }

    fn install(mut self, merged: Merged) {
        let replaced = self.of.lexicon.write().install(merged);
        self.is_installed = true;
        // Freed while nobody waits.
        drop(replaced);
    }
}

impl Drop for Merging {
    fn drop(&mut self) {
        if !self.is_installed {
            self.of.lexicon.write().abandon_merge();
        }
        IS_MERGING.store(false, Ordering::Release);
    }
}

/// The searched sites of one account.
#[derive(Debug)]
pub struct SearchedSites {
    /// Written by commits; never held over an await.
    lexicon: RwLock<Lexicon>,
    /// Whether the records of the start are in.
    is_whole: watch::Sender<bool>,
}

impl Default for SearchedSites {
    fn default() -> Self {
        Self { lexicon: RwLock::default(), is_whole: watch::Sender::new(true) }
    }
}

impl SearchedSites {
    /// The best `limit` hits, as [`Lexicon::search_among`] has them. Holds the lock for as long as it takes.
    #[must_use]
    pub fn search(
        &self,
        among: Option<&HashSet<SiteId>>,
        query: &Query,
        classes: Classes,
        limit: usize,
        wanted: Option<&mut dyn FnMut(SiteId) -> bool>,
    ) -> Hits {
        self.lexicon.read().search_among(among, query, classes, limit, wanted)
    }

    /// Waits until all records of the start are in, at most so long; whether they are.
    pub async fn is_whole_within(&self, time: Duration) -> bool {
        let mut whole = self.is_whole.subscribe();
        let waited = tokio::time::timeout(time, whole.wait_for(|whole| *whole)).await;
        matches!(waited, Ok(Ok(_)))
    }

    /// Makes it follow a site. Waits for searches where its texts change alone: most commits are reports, which change none, and
    /// look past whoever waits to write. Commits come one after another, so that nobody puts something in between the two looks.
    pub(super) fn follow(self: &Arc<Self>, site: &Site) {
        if site.deleted_at.is_some() {
            return self.forget(site.id);
        }
        let Some(entry) = self.lexicon.read_recursive().entry_of(site) else { return };
        let mut lexicon = self.lexicon.write();
        lexicon.put(entry);
        let is_due = lexicon.is_merge_due();
        drop(lexicon);
        if is_due {
            self.merge_aside();
        }
    }

    /// Makes it forget a site.
    pub(super) fn forget(&self, site: SiteId) {
        self.lexicon.write().remove(site);
    }

    /// Merges what is due on a thread of its own, which ends with it. Where one is under way, and where more is due behind it,
    /// the next change of texts asks again: no account has all turns.
    fn merge_aside(self: &Arc<Self>) {
        let Some(merging) = Merging::begin(self) else { return };
        let Some(merge) = self.lexicon.write().merge() else { return };
        let work = move || merging.install(merge.run());
        if let Err(cause) = std::thread::Builder::new().name("merging".to_owned()).spawn(work) {
            // Searches are right without it, only slower.
            warn!(%cause, "no thread to merge with");
        }
    }

    /// Tells that records of before will be put in. To be called before anything is committed.
    pub(super) fn await_records(&self) {
        self.lexicon.write().await_bulk();
        self.is_whole.send_replace(false);
    }
}

impl SearchedSites {
    /// Puts the records of the account in; how many sites are in then.
    async fn take_records(&self, store: &dyn Store, account: &AccountId) -> Result<usize, Error> {
        let bulk = self.lexicon.read().bulk();
        let bulk = read(store, account, bulk).await?;
        let merged = aside(move || bulk.finish()).await?;
        let mut lexicon = self.lexicon.write();
        lexicon.install_bulk(merged);
        let sites = lexicon.len();
        drop(lexicon);
        self.is_whole.send_replace(true);
        Ok(sites)
    }
}

impl Live {
    /// Makes the search of what is in the store, account by account, the small ones first. Commits may go on meanwhile.
    ///
    /// A site that cannot be read is left out; the store tells of it. Where the store fails for an account the others are read, and the
    /// failure is given; called again, it goes on with the accounts that are left.
    pub async fn read_for_search(&self, store: &dyn Store) -> Result<(), Error> {
        let begun = Instant::now();
        let mut lives = self.lives();
        lives.retain(|live| live.search.lexicon.read().awaits_bulk());
        lives.sort_by_cached_key(|live| live.map.read().len());
        let (mut sites, mut failure) = (0, None);
        for live in lives {
            match live.search.take_records(store, &live.account().id).await {
                Ok(count) => sites += count,
                Err(cause) => {
                    failure.get_or_insert(cause);
                }
            }
        }
        if let Some(cause) = failure {
            return Err(cause);
        }
        info!(sites, seconds = begun.elapsed().as_secs_f64(), "the search is whole");
        Ok(())
    }
}

/// Puts an account's sites into a bulk.
async fn read(store: &dyn Store, account: &AccountId, mut bulk: Bulk) -> Result<Bulk, Error> {
    let mut after = None;
    loop {
        let range = Range { after, limit: CHUNK, ..Range::all(Some(account.clone()), Kind::Site) };
        // Of one that cannot be read the store tells, once.
        let (records, is_last) = scan_past(store, range, |_| {}).await?;
        after = records.last().map(|record| record.key.id.clone());
        bulk = aside(move || put(bulk, records)).await?;
        if is_last {
            return Ok(bulk);
        }
    }
}

fn put(mut bulk: Bulk, records: Vec<Record>) -> Bulk {
    let now = Timestamp::now();
    for record in records {
        if let Document::Site(mut site) = record.document
            && site.deleted_at.is_none()
        {
            // What its terms do not allow to be held any more is not searched either.
            site.drop_expired(now);
            bulk.push(&site);
        }
    }
    bulk
}

/// Does work that takes a core for a while.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    // An account that brings about a panic keeps no other from being read; the panic is in the log.
    let cause = || "reading words of sites panicked".to_owned();
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Unavailable { cause: cause() })
}

#[cfg(test)]
mod tests;
