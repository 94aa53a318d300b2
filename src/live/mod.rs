//! What is true now, in memory: accounts, tokens and every account's map, kept in step with the store.
//!
//! Fed by the store's commits before they are acknowledged, so a caller who was told that a write is done sees it
//! here. One lock an account, held for microseconds, some milliseconds by a page that looks at many sites, and at worst some
//! 0.2 s, by a search by distance; an account's readers never wait for another account.

mod brief_lock;
mod changes;
mod commit;
mod entry;
mod following;
mod latest;
mod links;
mod loading;
mod look;
mod mails;
mod presence;
mod recent;
mod resync;
mod runs;
mod search;
mod shares;
mod tokens;
mod waiting;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use crate::model::access::{Account, Token};
use crate::model::attention::Attention;
use crate::model::certificate::Binding;
use crate::model::id::{AccountId, Revision, SiteId, TokenId};
use crate::model::prefix::{Prefix, Prefixes};
use crate::model::site::Site;
use crate::spatial::AccountMap;
use crate::store::document::Document;
use crate::store::{Error, Kind, Mutation, Observer, Range, Store, scan_past};
use tokens::Tokens;

pub use brief_lock::BriefLock;
pub use changes::{Commits, Missed, Next, Resumed, Standing, Watching};
pub use commit::{Change, Commit, Left};
pub use entry::entry_of;
pub use links::LinkedSites;
pub use look::{Selected, TERMS_A_STEP};
pub use mails::{MailKey, WaitingMails};
pub use presence::{Heard, Presence, WRITTEN_EVERY};
pub use runs::Runs;
pub use search::SearchedSites;
pub use shares::Shares;
pub use waiting::{Waiting, WaitingSites};

/// One account in memory.
#[derive(Debug)]
pub struct LiveAccount {
    account: RwLock<Arc<Account>>,
    /// Its revision, and what changed lately.
    changes: Arc<changes::Changes>,
    /// Its sites; the lock is never held over an await.
    pub map: BriefLock<AccountMap>,
    /// Held by who makes a selection.
    selecting: tokio::sync::Mutex<()>,
    /// Its own networks.
    prefixes: RwLock<Prefixes>,
    /// Held by who makes a network.
    placing: tokio::sync::Mutex<()>,
    /// When its sites were heard of.
    presence: presence::Presences,
    /// Its sites whose addresses wait, or whose answers have terms that end.
    pub waiting: WaitingSites,
    /// Its sites that are tied to ticketing systems.
    pub links: LinkedSites,
    /// Words of its sites.
    pub search: Arc<SearchedSites>,
}

impl LiveAccount {
    /// What it keeps of what changed last counts with what the others keep.
    fn new(account: Account, all: &latest::Allowance) -> Arc<Self> {
        Arc::new(Self {
            account: RwLock::new(Arc::new(account)),
            changes: Arc::new(changes::Changes::counted(all.clone())),
            map: BriefLock::default(),
            selecting: tokio::sync::Mutex::default(),
            prefixes: RwLock::default(),
            placing: tokio::sync::Mutex::default(),
            presence: presence::Presences::default(),
            waiting: WaitingSites::default(),
            links: LinkedSites::default(),
            search: Arc::default(),
        })
    }

    /// Everything that was written to the account up to this revision is in.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.changes.standing().revision
    }

    /// The same, with the history that it is of.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.changes.standing()
    }

    /// Tells when the account stands elsewhere.
    #[must_use]
    pub fn standings(&self) -> watch::Receiver<Standing> {
        self.changes.standings()
    }

    /// The account's commits from now on.
    #[must_use]
    pub fn commits(&self) -> Commits {
        self.changes.subscribe()
    }

    /// Takes note of somebody who watches: what commits make of sites is kept as long as what this returns.
    #[must_use]
    pub fn watching(&self) -> Watching {
        self.changes.watch()
    }

    /// What became of each of the sites at its last change, and when; of those of which that is in the store alone, nothing.
    /// It is no older than what the account was known to stand at before.
    #[must_use]
    pub fn latest(&self, sites: &[SiteId]) -> Vec<Option<(Revision, Change)>> {
        self.changes.latest(sites)
    }

    /// The sites that changed since the account stood there, each once, up to where is told with them; `None` where that is
    /// not known any more.
    #[must_use]
    pub fn changed_since(&self, standing: Standing) -> Option<(Vec<SiteId>, Standing)> {
        self.changes.since(standing)
    }

    /// What became of sites since a client knew everything up to a revision, which it says in this history.
    #[must_use]
    pub fn resume(&self, from: Standing) -> Resumed {
        self.changes.resume(from)
    }

    /// The account's own network that holds `ip`, the longest there is.
    #[must_use]
    pub fn prefix_of(&self, ip: IpAddr) -> Option<Arc<Prefix>> {
        self.prefixes.read().longest(ip).map(Arc::clone)
    }

    /// Reads the account's own networks from the store. One that cannot be read is left out; the store tells of it.
    async fn load_prefixes(&self, store: &dyn Store, account: &AccountId) -> Result<(), Error> {
        let mut after = None;
        loop {
            let partition = Some(account.clone());
            let range = Range { after, ..Range::all(partition, Kind::Prefix) };
            let (records, is_last) = scan_past(store, range, |_| {}).await?;
            after = records.last().map(|record| record.key.id.clone());
            let mut prefixes = self.prefixes.write();
            for record in records {
                if let Document::Prefix(prefix) = record.document {
                    prefixes.put(prefix);
                }
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// How many sites the account has, placed or not; deleted ones are not on the map.
    #[must_use]
    pub fn site_count(&self) -> usize {
        self.map.read().len()
    }

    /// How many networks of its own the account has.
    #[must_use]
    pub fn prefix_count(&self) -> usize {
        self.prefixes.read().len()
    }

    /// A turn at making a network: while it is held, [`Self::prefix_count`] only grows by who holds it.
    pub async fn placing(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.placing.lock().await
    }

    /// Takes note of a report that changes nothing durable; says what is to be done where it does. Calls that take turns
    /// between addresses change nothing durable for `turn_max` after one was written.
    #[must_use]
    pub fn hear(&self, site: SiteId, report: &Presence, turn_max: SignedDuration) -> Heard {
        self.presence.hear(site, report, turn_max)
    }

    /// The address of a site's last report, where its record has another one; `None` where it has that one.
    #[must_use]
    pub fn noted_ip(&self, site: SiteId) -> Option<IpAddr> {
        self.presence.noted_ip(site)
    }

    /// The sites that were heard of later than their records say. Costs a look at each that reported.
    #[must_use]
    pub fn unwritten(&self) -> Vec<SiteId> {
        self.presence.unwritten()
    }

    /// Takes note of a report of a site whose record it did not change, and of the address that it came from.
    pub fn learn(&self, site: &Site, at: Timestamp, ip: Option<IpAddr>) {
        self.presence.learn(site, at, ip);
        // It may have been deleted after it was read: the map hears of that first.
        if self.map.read().all().get(site.id).is_none() {
            self.presence.forget(site.id);
        }
    }

    /// When a site was last heard of by reports that are in memory alone; `None` where there is none.
    #[must_use]
    pub fn heard_at(&self, site: SiteId) -> Option<Timestamp> {
        self.presence.heard_at(site)
    }

    /// What of a site needs attention, as the map has it; nothing where the map has no such site.
    #[must_use]
    pub fn attention_of(&self, site: SiteId) -> Attention {
        self.map.read().attention_of(site)
    }

    /// Changes one site on the map. The others of which it decided whether their spot is crowded.
    fn change_map(&self, site: SiteId, change: impl FnOnce(&mut AccountMap)) -> Vec<SiteId> {
        let mut map = self.map.write();
        let before = map.crowd_on_the_brink(site);
        change(&mut map);
        let after = map.crowd_on_the_brink(site);
        drop(map);
        if before.is_empty() && after.is_empty() {
            return Vec::new();
        }
        let (before, after): (BTreeSet<SiteId>, BTreeSet<SiteId>) =
            (before.into_iter().collect(), after.into_iter().collect());
        before.symmetric_difference(&after).copied().filter(|other| *other != site).collect()
    }

    /// Tells of a commit that is in memory now; `others` are sites whose records it did not touch, and that need attention
    /// now, or none any more.
    fn publish(&self, revision: Revision, mutations: &[Mutation], mut others: Vec<SiteId>) {
        let sites = || mutations.iter().filter(|mutation| mutation.key.kind == Kind::Site);
        let mut ids: Vec<SiteId> = sites().filter_map(|mutation| mutation.key.id.parse().ok()).collect();
        if ids.is_empty() {
            return self.changes.publish(revision, &ids, 0, None);
        }
        let touched: HashSet<SiteId> = if others.is_empty() { HashSet::new() } else { ids.iter().copied().collect() };
        others.retain(|other| !touched.contains(other));
        // The records of the others are in the store alone: whoever watches reads them there.
        let is_whole = others.is_empty() && self.changes.are_watched();
        let changes = is_whole.then(|| sites().filter_map(Change::of).collect());
        ids.extend(others);
        let count = self.map.read().len();
        self.changes.publish(revision, &ids, count, changes);
    }

    /// The account's record.
    #[must_use]
    pub fn account(&self) -> Arc<Account> {
        Arc::clone(&self.account.read())
    }
}

/// Everything in memory.
#[derive(Debug, Default)]
pub struct Live {
    accounts: RwLock<HashMap<AccountId, Arc<LiveAccount>>>,
    tokens: RwLock<Tokens>,
    /// What accounts keep of what changed last.
    latest: latest::Allowance,
    /// Wakes those who sleep until the next address is due: another site waits, or for another time.
    wakes: watch::Sender<()>,
    /// Wakes those who wait for an account that is not there yet.
    arrivals: watch::Sender<()>,
    /// The revision of what is the operator's own.
    operator: watch::Sender<Revision>,
    /// Accounts that the store lost, and up to where somebody may know revisions of them.
    lost: Mutex<HashMap<AccountId, Revision>>,
    /// The outbox.
    pub mails: WaitingMails,
    /// Runs that began.
    pub runs: Runs,
    /// Sites that other accounts see.
    pub shares: Shares,
}

impl Live {
    /// Loads everything from `store`, and follows it from then on.
    ///
    /// Cost: one pass over the store's accounts, tokens and sites. What others commit meanwhile is in when this returns.
    pub async fn follow(store: &dyn Store) -> Result<Arc<Self>, Error> {
        let live = Arc::new(loading::load(store).await?);
        for loaded in live.lives() {
            let account = loaded.account();
            match store.revision(Some(&account.id)).await {
                Ok(revision) => loaded.changes.start_at(revision, true),
                // The store takes no write of this account until that is mended: of what was told before nobody knows.
                Err(Error::Corrupt { .. }) => loaded.changes.start_at(Revision::default(), false),
                Err(cause) => return Err(cause),
            }
            loaded.load_prefixes(store, &account.id).await?;
            live.shares.load(store, &account.id).await?;
            if !loaded.map.read().is_empty() {
                loaded.search.await_records();
            }
        }
        live.operator.send_replace(store.revision(None).await?);
        store.observe(Arc::clone(&live) as Arc<dyn Observer>).await?;
        Ok(live)
    }

    /// The account in memory.
    #[must_use]
    pub fn account(&self, account: &AccountId) -> Option<Arc<LiveAccount>> {
        self.accounts.read().get(account).map(Arc::clone)
    }

    /// Waits until everything that was written to an account up to a revision is in memory, and the account too; or to what is the
    /// operator's own.
    pub async fn reach(&self, account: Option<&AccountId>, revision: Revision) {
        let Some(account) = account else {
            // The sender is ours.
            let _ = self.operator.subscribe().wait_for(|there| *there >= revision).await;
            return;
        };
        let mut arrivals = self.arrivals.subscribe();
        let live = loop {
            if let Some(live) = self.account(account) {
                break live;
            }
            // The sender is ours.
            let _ = arrivals.changed().await;
        };
        let _ = live.standings().wait_for(|there| there.revision >= revision).await;
    }

    /// All accounts, ordered by id.
    #[must_use]
    pub fn accounts(&self) -> Vec<Arc<Account>> {
        self.lives().iter().map(|live| live.account()).collect()
    }

    /// What is in memory of all accounts, ordered by id.
    #[must_use]
    pub fn lives(&self) -> Vec<Arc<LiveAccount>> {
        let mut all: Vec<_> = self.accounts.read().iter().map(|(id, live)| (id.clone(), Arc::clone(live))).collect();
        all.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        all.into_iter().map(|(_, live)| live).collect()
    }

    /// Tells that another site waits for something, or for another time.
    pub fn wake_waiting(&self) {
        self.wakes.send_replace(());
    }

    /// Tells when another site waits for something.
    #[must_use]
    pub fn waits(&self) -> watch::Receiver<()> {
        self.wakes.subscribe()
    }

    /// The token of this id, good or not.
    #[must_use]
    pub fn token(&self, token: TokenId) -> Option<Arc<Token>> {
        self.tokens.read().get(token)
    }

    /// The tokens, good or not, that know a certificate by any of this.
    #[must_use]
    pub fn tokens_known_by(&self, bindings: &[Binding]) -> Vec<Arc<Token>> {
        self.tokens.read().known_by(bindings)
    }

    /// The tokens of an account, good or not, that are good for some of its sites.
    #[must_use]
    pub fn assigned_tokens_of(&self, account: &AccountId) -> Vec<Arc<Token>> {
        self.tokens.read().assigned_of(account)
    }

    /// The first `limit` tokens of an account, or the operator's, behind `after`, ordered by id.
    #[must_use]
    pub fn tokens_of(&self, account: Option<&AccountId>, after: Option<TokenId>, limit: usize) -> Vec<Arc<Token>> {
        self.tokens.read().list(account, after, limit)
    }
}

#[cfg(test)]
mod tests;
