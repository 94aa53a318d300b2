//! All shares in memory: by id, and by the accounts of both sides in the order of lists.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::RwLock;

use crate::model::id::{AccountId, ShareId};
use crate::model::share::{Share, ShareState};
use crate::store::document::Document;
use crate::store::{Error, Kind, Range, Store, scan_past};

/// Shares, over or not.
#[derive(Debug, Default)]
pub struct Shares(RwLock<Index>);

#[derive(Debug, Default)]
struct Index {
    by_id: HashMap<ShareId, Arc<Share>>,
    /// Of each account those that it made and those that it accepted.
    by_account: HashMap<AccountId, BTreeSet<ShareId>>,
}

impl Index {
    /// Takes one out, if it is there.
    fn forget(&mut self, id: ShareId) {
        let Some(share) = self.by_id.remove(&id) else { return };
        for account in std::iter::once(&share.owner).chain(share.recipient()) {
            if let Some(own) = self.by_account.get_mut(account) {
                own.remove(&id);
                if own.is_empty() {
                    self.by_account.remove(account);
                }
            }
        }
    }
}

impl Shares {
    /// Brings one in as it is now.
    pub(super) fn put(&self, share: &Share) {
        let mut index = self.0.write();
        index.forget(share.id);
        for account in std::iter::once(&share.owner).chain(share.recipient()) {
            index.by_account.entry(account.clone()).or_default().insert(share.id);
        }
        index.by_id.insert(share.id, Arc::new(share.clone()));
    }

    /// Takes one out.
    pub(super) fn forget(&self, share: ShareId) {
        self.0.write().forget(share);
    }

    /// Takes out those that an account made and that are not to stay.
    pub(super) fn retain_of(&self, owner: &AccountId, stays: impl Fn(ShareId) -> bool) {
        let mut index = self.0.write();
        let gone = index.by_id.values().filter(|share| share.owner == *owner && !stays(share.id));
        let gone: Vec<ShareId> = gone.map(|share| share.id).collect();
        gone.into_iter().for_each(|share| index.forget(share));
    }

    /// Reads those that an account made from the store. One that cannot be read shows nobody anything; the store tells of it.
    pub(super) async fn load(&self, store: &dyn Store, owner: &AccountId) -> Result<(), Error> {
        let mut after = None;
        loop {
            let range = Range { after, ..Range::all(Some(owner.clone()), Kind::Share) };
            let (records, is_last) = scan_past(store, range, |_| {}).await?;
            after = records.last().map(|record| record.key.id.clone());
            for record in records {
                if let Document::Share(share) = record.document {
                    self.put(&share);
                }
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// The share of this id, whosever it is.
    #[must_use]
    pub fn get(&self, share: ShareId) -> Option<Arc<Share>> {
        self.0.read().by_id.get(&share).map(Arc::clone)
    }

    /// The first `limit` shares that an account made or accepted, behind `after`, ordered by id.
    #[must_use]
    pub fn list(&self, account: &AccountId, after: Option<ShareId>, limit: usize) -> Vec<Arc<Share>> {
        let index = self.0.read();
        let behind = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let Some(own) = index.by_account.get(account) else { return Vec::new() };
        own.range(behind).take(limit).filter_map(|share| index.by_id.get(share).map(Arc::clone)).collect()
    }

    /// The shares that an account made, over or not.
    #[must_use]
    pub fn made_by(&self, owner: &AccountId) -> Vec<Arc<Share>> {
        let mut all = self.list(owner, None, usize::MAX);
        all.retain(|share| share.owner == *owner);
        all
    }

    /// The shares by which an account sees sites of others now, by whose sites they are. Of several by the same account the one that was
    /// accepted first counts.
    #[must_use]
    pub fn received(&self, recipient: &AccountId, now: Timestamp) -> BTreeMap<AccountId, Arc<Share>> {
        let mut all = self.list(recipient, None, usize::MAX);
        all.retain(|share| share.recipient() == Some(recipient) && share.state(now) == ShareState::Active);
        all.sort_by_key(|share| (share.accepted.as_ref().map(|accepted| accepted.at), share.id));
        let mut received = BTreeMap::new();
        for share in all {
            received.entry(share.owner.clone()).or_insert(share);
        }
        received
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::access::{Contacts, Positions};
    use crate::model::assignment::Assignment;
    use crate::model::share::Act;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn account(name: &str) -> AccountId {
        name.parse().unwrap()
    }

    fn share(number: u8, owner: &str, recipient: Option<(&str, i64)>) -> Share {
        let at = |second| Timestamp::from_second(second).unwrap();
        Share {
            id: ShareId::from_random(&[number; 32]),
            owner: account(owner),
            display_name: String::new(),
            sites: Assignment::parse("labels.team = north").unwrap(),
            contacts: Contacts::Masked,
            positions: Positions::Exact,
            code_hash: [number; 32],
            proposed_at: NOW,
            offered_until: at(100),
            expires_at: None,
            accepted: recipient.map(|(by, second)| Act { by: account(by), at: at(second) }),
            declined_at: None,
            ended: None,
        }
    }

    #[test]
    fn both_sides_list_a_share_for_as_long_as_it_is_there() {
        let shares = Shares::default();
        let listed = |name: &str| shares.list(&account(name), None, 10).len();
        shares.put(&share(1, "acme", None));
        assert_eq!((listed("acme"), listed("beta")), (1, 0));
        shares.put(&share(1, "acme", Some(("beta", 1))));
        shares.put(&share(2, "beta", None));
        assert_eq!((listed("acme"), listed("beta")), (1, 2));
        assert_eq!(shares.made_by(&account("beta")).len(), 1);
        let first = share(1, "acme", None).id;
        assert_eq!(shares.list(&account("beta"), Some(first), 10)[0].owner, account("beta"));
        shares.retain_of(&account("acme"), |_| false);
        assert_eq!((listed("acme"), listed("beta"), shares.get(first)), (0, 1, None));
        shares.forget(share(2, "beta", None).id);
        assert!(shares.0.read().by_account.is_empty(), "what is gone is held");
    }

    #[test]
    fn of_several_by_one_account_the_one_counts_that_was_accepted_first() {
        let shares = Shares::default();
        for (number, second) in [(3, 3), (1, 7), (2, 5)] {
            shares.put(&share(number, "acme", Some(("beta", second))));
        }
        let counts = || shares.received(&account("beta"), NOW).get(&account("acme")).map(|share| share.id);
        let id = |number| Some(share(number, "acme", None).id);
        assert_eq!(counts(), id(3));
        let over = Act { by: account("acme"), at: NOW };
        shares.put(&Share { ended: Some(over.clone()), ..share(3, "acme", Some(("beta", 3))) });
        assert_eq!(counts(), id(2));
        for (number, second) in [(1, 7), (2, 5)] {
            shares.put(&Share { ended: Some(over.clone()), ..share(number, "acme", Some(("beta", second))) });
        }
        assert_eq!(counts(), None);
        assert!(shares.received(&account("acme"), NOW).is_empty(), "what one shows is nothing that one sees");
    }
}
