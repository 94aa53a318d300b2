//! What the store's commits make of what is in memory: the one place that both sites and everything beside them go through.

use std::sync::Arc;

use super::{Live, LiveAccount, Waiting, entry_of, links};
use crate::model::access::Account;
use crate::model::id::{AccountId, Revision, SiteId};
use crate::model::prefix::Prefix;
use crate::model::site::Site;
use crate::model::sketch::SiteSketch;
use crate::store::document::Document;
use crate::store::{Kind, Mutation, Observer, Resync};

impl Live {
    pub(super) fn apply_account(&self, account: &Account) {
        let mut accounts = self.accounts.write();
        if let Some(live) = accounts.get(&account.id) {
            *live.account.write() = Arc::new(account.clone());
            return;
        }
        let live = LiveAccount::new(account.clone(), &self.latest);
        if let Some(last) = self.lost.lock().remove(&account.id) {
            live.changes.doubt(last);
        }
        accounts.insert(account.id.clone(), live);
        drop(accounts);
        self.arrivals.send_replace(());
    }

    /// Brings a network in.
    pub(super) fn apply_prefix(&self, mutation: &Mutation, prefix: &Prefix) {
        if let Some(live) = mutation.key.partition.as_ref().and_then(|account| self.account(account)) {
            live.prefixes.write().put(prefix.clone());
        }
    }

    /// Brings a site's present state in. The others that it changes, as [`LiveAccount::change_map`] has them.
    pub(super) fn apply_site(&self, site: &Site) -> Vec<SiteId> {
        let Some(live) = self.account(&site.account) else { return Vec::new() };
        let sketch = SiteSketch::from(site);
        let others = live.change_map(site.id, |map| match entry_of(&sketch) {
            Some(entry) => map.upsert(&entry),
            None => {
                map.remove(site.id);
            }
        });
        live.links.follow(site.id, links::ends_of(&sketch));
        live.search.follow(site);
        if live.waiting.follow(site.id, Waiting::of(&sketch)) {
            self.wake_waiting();
        }
        live.presence.follow(site);
        others
    }

    /// Takes a record out that is no more. Sites are purged, networks deleted, and shares that are over make room; accounts and tokens
    /// keep their records. The other sites that it changes.
    pub(super) fn forget(&self, mutation: &Mutation) -> Vec<SiteId> {
        let account = mutation.key.partition.as_ref().and_then(|account| self.account(account));
        let Some(account) = account else { return Vec::new() };
        match mutation.key.kind {
            Kind::Site => {
                if let Ok(site) = mutation.key.id.parse() {
                    account.waiting.follow(site, None);
                    account.links.follow(site, Vec::new());
                    account.search.forget(site);
                    account.presence.forget(site);
                    return account.change_map(site, |map| {
                        map.remove(site);
                    });
                }
            }
            Kind::Mail => self.mails.follow(&mutation.key, false),
            Kind::Share => {
                if let Ok(share) = mutation.key.id.parse() {
                    self.shares.forget(share);
                }
            }
            Kind::Prefix => {
                if let Ok(network) = mutation.key.id.parse() {
                    account.prefixes.write().remove(&network);
                }
            }
            _ => {}
        }
        Vec::new()
    }
}

impl Observer for Live {
    fn committed(&self, revision: Revision, mutations: &[Mutation]) {
        let mut others = Vec::new();
        for mutation in mutations {
            match &mutation.document {
                Some(Document::Account(account)) => self.apply_account(account),
                Some(Document::Token(token)) => self.tokens.write().put(token),
                Some(Document::Site(site)) => others.extend(self.apply_site(site)),
                Some(Document::Prefix(prefix)) => self.apply_prefix(mutation, prefix),
                Some(Document::Share(share)) => self.shares.put(share),
                Some(
                    Document::SiteName(_)
                    | Document::Agent(_)
                    | Document::Request(_)
                    | Document::Secret(_)
                    | Document::Located(_)
                    | Document::Change(_)
                    | Document::PastText(_)
                    | Document::Connection(_)
                    | Document::ResidentAccess(_)
                    | Document::SiteDevices(_)
                    | Document::Lease(_)
                    | Document::Audit(_)
                    | Document::TokenUse(_),
                ) => {}
                Some(Document::Reestimation(_)) => self.runs.reestimation(),
                Some(Document::Verification(run)) => self.runs.verification(run),
                Some(Document::Mail(_)) => self.mails.follow(&mutation.key, true),
                None => others.extend(self.forget(mutation)),
            }
        }
        // All keys of a commit are of one partition.
        let account = mutations.first().and_then(|mutation| mutation.key.partition.as_ref());
        if account.is_none() {
            self.operator.send_replace(revision);
        }
        if let Some(live) = account.and_then(|account| self.account(account)) {
            live.publish(revision, mutations, others);
        }
    }

    fn resynced(&self, part: Resync<'_>) {
        self.resync(&part);
    }

    fn standing(&self, partition: Option<&AccountId>) -> Revision {
        let Some(account) = partition else { return *self.operator.borrow() };
        self.account(account).map(|live| live.revision()).unwrap_or_default()
    }
}
