//! What became of the sites that changed last, for those who watch and fell behind: a thousand of them take it from here, and
//! none asks the store for what it asked for the others.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::commit::Change;
use crate::model::id::{Revision, SiteId};

/// About how many bytes of sites an account keeps while somebody watches it, some 4,000: where 1,000 a second are written, the
/// last four seconds; with what filters ask of them about as much again. All accounts together keep about as many as 32 such ones; beyond it each keeps its last commits alone.
const BYTES_MAX: usize = 8 * 1024 * 1024;
const ALL_BYTES_MAX: usize = 32 * BYTES_MAX;
/// Places in the order beyond two for each site, so that a few sites are not looked through again and again.
const PLACES_SPARE: usize = 64;

/// About how many bytes all accounts keep. A clone counts with it.
#[derive(Debug, Clone, Default)]
pub(super) struct Allowance(Arc<AtomicUsize>);

/// The sites that changed last, each as its last change left it, and the revision of that.
#[derive(Debug, Default)]
pub(super) struct Latest {
    of: HashMap<SiteId, (Revision, Change)>,
    /// Every change, oldest first; those that are not a site's last one any more are passed over.
    order: VecDeque<(Revision, SiteId)>,
    bytes: usize,
    all: Allowance,
}

impl Latest {
    /// None yet; counted with those of other accounts.
    pub(super) fn counted(all: Allowance) -> Self {
        Self { of: HashMap::new(), order: VecDeque::new(), bytes: 0, all }
    }

    /// What became of a site, and when, if that is kept.
    pub(super) fn get(&self, site: SiteId) -> Option<(Revision, Change)> {
        self.of.get(&site).cloned()
    }

    /// Takes note of what a commit made of a site, and forgets the oldest where there are too many.
    pub(super) fn put(&mut self, revision: Revision, change: &Change) {
        let site = change.site();
        self.forget(site);
        self.count(change.bytes());
        self.of.insert(site, (revision, change.clone()));
        self.order.push_back((revision, site));
        while self.bytes > BYTES_MAX || (self.bytes > 0 && self.all.0.load(Ordering::Relaxed) > ALL_BYTES_MAX) {
            let Some((revision, site)) = self.order.pop_front() else { break };
            if self.is_last(revision, site) {
                self.forget(site);
            }
        }
        if self.order.len() > 2 * self.of.len() + PLACES_SPARE {
            let of = &self.of;
            self.order.retain(|(revision, site)| of.get(site).is_some_and(|(last, _)| last == revision));
        }
    }

    /// Forgets a site: what became of it is in the store alone.
    pub(super) fn forget(&mut self, site: SiteId) {
        if let Some((_, change)) = self.of.remove(&site) {
            let bytes = change.bytes();
            self.bytes -= bytes;
            self.all.0.fetch_sub(bytes, Ordering::Relaxed);
        }
    }

    /// Forgets all; what it held is for the caller to drop.
    #[must_use]
    pub(super) fn forget_all(&mut self) -> Self {
        let all = self.all.clone();
        std::mem::replace(self, Self::counted(all))
    }

    fn is_last(&self, revision: Revision, site: SiteId) -> bool {
        self.of.get(&site).is_some_and(|(last, _)| *last == revision)
    }

    fn count(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.all.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Drop for Latest {
    fn drop(&mut self) {
        self.all.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many purges are too many for an account.
    const PURGES_MAX: u128 = (BYTES_MAX / size_of::<Change>()) as u128;

    fn purged(number: u128) -> Change {
        Change::Purged(SiteId::from_u128(number))
    }

    fn revision_of(latest: &Latest, number: u128) -> Option<u64> {
        latest.get(SiteId::from_u128(number)).map(|(revision, _)| revision.0)
    }

    #[test]
    fn each_site_is_kept_as_it_changed_last_and_the_oldest_go() {
        let mut latest = Latest::default();
        for number in 1..=PURGES_MAX {
            latest.put(Revision(1), &purged(number));
        }
        latest.put(Revision(2), &purged(1));
        assert_eq!((revision_of(&latest, 1), revision_of(&latest, 2)), (Some(2), Some(1)), "there is room for all");
        latest.put(Revision(3), &purged(PURGES_MAX + 1));
        assert_eq!((revision_of(&latest, 1), revision_of(&latest, 2)), (Some(2), None), "the oldest one went");
        latest.forget(SiteId::from_u128(1));
        assert_eq!(revision_of(&latest, 1), None);
    }

    #[test]
    fn a_site_that_changes_again_and_again_takes_no_more_room() {
        let mut latest = Latest::default();
        for revision in 1..=10_000 {
            latest.put(Revision(revision), &purged(7));
        }
        assert!(latest.order.len() <= 2 + PLACES_SPARE, "{}", latest.order.len());
        assert_eq!((revision_of(&latest, 7), latest.bytes), (Some(10_000), purged(7).bytes()));
    }

    #[test]
    fn all_accounts_together_keep_no_more_than_is_said_and_give_it_back() {
        let all = Allowance::default();
        let mut accounts: Vec<Latest> = (0..40).map(|_| Latest::counted(all.clone())).collect();
        for account in &mut accounts {
            for number in 0..PURGES_MAX {
                account.put(Revision(1), &purged(number));
            }
        }
        assert!(all.0.load(Ordering::Relaxed) <= ALL_BYTES_MAX);
        let total: usize = accounts.iter().map(|account| account.bytes).sum();
        assert_eq!(total, all.0.load(Ordering::Relaxed));
        drop(accounts[0].forget_all());
        assert_eq!(total - all.0.load(Ordering::Relaxed), BYTES_MAX / size_of::<Change>() * size_of::<Change>());
        drop(accounts);
        assert_eq!(all.0.load(Ordering::Relaxed), 0);
    }
}
