//! What is true now, in memory: accounts, tokens and every account's map, kept in step with the store.
//!
//! Fed by the store's commits before they are acknowledged, so a caller who was told that a write is done sees it
//! here. One lock an account, held for microseconds; an account's readers never wait for another account.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};
use tracing::{error, info};

use crate::model::access::{Account, Token};
use crate::model::id::{AccountId, Revision, SiteId, TokenId};
use crate::model::site::Site;
use crate::spatial::AccountMap;
use crate::spatial::entry::Entry;
use crate::store::document::Document;
use crate::store::{Error, Kind, Mutation, Observer, Record, Store};

/// Sites between two lines of progress while loading.
const PROGRESS_EVERY: usize = 250_000;

/// The sites of one account, as the map sees them.
#[derive(Debug, Default)]
pub struct Sites {
    /// The placed ones.
    pub map: AccountMap,
    /// The ones without a position.
    pub unplaced: HashSet<SiteId>,
}

impl Sites {
    /// Brings the site's present state in.
    fn apply(&mut self, site: &Site) {
        match entry_of(site) {
            Some(entry) => {
                self.unplaced.remove(&site.id);
                self.map.upsert(entry);
            }
            None if site.deleted_at.is_some() => self.forget(site.id),
            None => {
                self.map.remove(site.id);
                self.unplaced.insert(site.id);
            }
        }
    }

    fn forget(&mut self, site: SiteId) {
        self.map.remove(site);
        self.unplaced.remove(&site);
    }
}

/// One account in memory.
#[derive(Debug)]
pub struct LiveAccount {
    account: RwLock<Arc<Account>>,
    revision: AtomicU64,
    /// Its sites; the lock is never held over an await.
    pub sites: RwLock<Sites>,
}

impl LiveAccount {
    fn new(account: Account) -> Arc<Self> {
        Arc::new(Self {
            account: RwLock::new(Arc::new(account)),
            revision: AtomicU64::default(),
            sites: RwLock::default(),
        })
    }

    /// Everything that was written to the account up to this revision is in.
    #[must_use]
    pub fn revision(&self) -> Revision {
        Revision(self.revision.load(Ordering::Acquire))
    }

    /// The account's record.
    #[must_use]
    pub fn account(&self) -> Arc<Account> {
        Arc::clone(&self.account.read())
    }
}

/// All tokens: by id for credentials, and in the order of lists.
#[derive(Debug, Default)]
struct Tokens {
    by_id: HashMap<TokenId, Arc<Token>>,
    listed: BTreeMap<(Option<AccountId>, TokenId), Arc<Token>>,
}

impl Tokens {
    fn put(&mut self, token: Token) {
        let token = Arc::new(token);
        self.listed.insert((token.account.clone(), token.id), Arc::clone(&token));
        self.by_id.insert(token.id, token);
    }
}

/// Everything in memory.
#[derive(Debug, Default)]
pub struct Live {
    accounts: RwLock<HashMap<AccountId, Arc<LiveAccount>>>,
    tokens: RwLock<Tokens>,
}

impl Live {
    /// Loads everything from `store`, and follows it from then on.
    ///
    /// Cost: one pass over the store's accounts, tokens and sites. Nothing may be committed meanwhile.
    pub async fn follow(store: &dyn Store) -> Result<Arc<Self>, Error> {
        let live = Arc::new(Self::default());
        for kind in [Kind::Account, Kind::Token] {
            // Without one of these nobody could tell what is missing: a record that cannot be read ends the start.
            let (target, unreadable) = (Arc::clone(&live), Arc::new(Mutex::new(None)));
            let first_unreadable = Arc::clone(&unreadable);
            let visit = move |record: Result<Record, Error>| match record {
                Ok(record) => target.apply_document(record.document),
                Err(cause) => *first_unreadable.lock() = Some(cause),
            };
            store.visit_all(kind, Box::new(visit)).await?;
            if let Some(cause) = unreadable.lock().take() {
                return Err(cause);
            }
        }
        live.load_sites(store).await?;
        for account in live.accounts() {
            if let Some(loaded) = live.account(&account.id) {
                loaded.revision.store(store.revision(Some(&account.id)).await?.0, Ordering::Release);
            }
        }
        store.observe(Arc::clone(&live) as Arc<dyn Observer>);
        Ok(live)
    }

    /// Builds each account's map at once, which is much faster than site by site.
    async fn load_sites(&self, store: &dyn Store) -> Result<(), Error> {
        let loading: Arc<Mutex<Loading>> = Arc::default();
        let target = Arc::clone(&loading);
        store.visit_all(Kind::Site, Box::new(move |record| target.lock().take(record))).await?;
        let loaded = std::mem::take(&mut *loading.lock());
        let count = loaded.count;
        for (account, (entries, unplaced)) in loaded.by_account {
            if let Some(live) = self.account(&account) {
                *live.sites.write() = Sites { map: AccountMap::bulk(entries), unplaced };
            }
        }
        info!(sites = count, unreadable = loaded.unreadable, "the map is whole");
        Ok(())
    }

    /// The account in memory.
    #[must_use]
    pub fn account(&self, account: &AccountId) -> Option<Arc<LiveAccount>> {
        self.accounts.read().get(account).map(Arc::clone)
    }

    /// All accounts, ordered by id.
    #[must_use]
    pub fn accounts(&self) -> Vec<Arc<Account>> {
        let mut all: Vec<_> = self.accounts.read().values().map(|live| live.account()).collect();
        all.sort_by_key(|account| account.id.clone());
        all
    }

    /// The token of this id, good or not.
    #[must_use]
    pub fn token(&self, token: TokenId) -> Option<Arc<Token>> {
        self.tokens.read().by_id.get(&token).map(Arc::clone)
    }

    /// The first `limit` tokens of an account, or the operator's, behind `after`, ordered by id.
    #[must_use]
    pub fn tokens_of(&self, account: Option<&AccountId>, after: Option<TokenId>, limit: usize) -> Vec<Arc<Token>> {
        let low = match after {
            Some(after) => Bound::Excluded((account.cloned(), after)),
            None => Bound::Included((account.cloned(), TokenId::MIN)),
        };
        let tokens = self.tokens.read();
        let behind = tokens.listed.range((low, Bound::Unbounded));
        let own = behind.take_while(|((of, _), _)| of.as_ref() == account);
        own.take(limit).map(|(_, token)| Arc::clone(token)).collect()
    }

    fn apply_document(&self, document: Document) {
        match document {
            Document::Account(account) => {
                let mut accounts = self.accounts.write();
                let live = accounts.entry(account.id.clone()).or_insert_with(|| LiveAccount::new(account.clone()));
                *live.account.write() = Arc::new(account);
            }
            Document::Token(token) => {
                self.tokens.write().put(token);
            }
            Document::Site(site) => {
                if let Some(live) = self.account(&site.account) {
                    live.sites.write().apply(&site);
                }
            }
            Document::SiteName(_) | Document::Agent(_) | Document::Request(_) | Document::Secret(_) => {}
        }
    }

    /// Takes a record out that is no more. Only sites are ever purged; accounts and tokens keep their records.
    fn forget(&self, mutation: &Mutation) {
        let Some(account) = mutation.key.partition.as_ref().and_then(|account| self.account(account)) else { return };
        if let (Kind::Site, Ok(site)) = (mutation.key.kind, mutation.key.id.parse()) {
            account.sites.write().forget(site);
        }
    }
}

impl Observer for Live {
    fn committed(&self, revision: Revision, mutations: &[Mutation]) {
        for mutation in mutations {
            match &mutation.document {
                Some(document @ (Document::Account(_) | Document::Token(_))) => self.apply_document(document.clone()),
                Some(Document::Site(site)) => {
                    if let Some(live) = self.account(&site.account) {
                        live.sites.write().apply(site);
                    }
                }
                Some(_) => {}
                None => self.forget(mutation),
            }
        }
        // All keys of a commit are of one partition.
        let account = mutations.first().and_then(|mutation| mutation.key.partition.as_ref());
        if let Some(live) = account.and_then(|account| self.account(account)) {
            live.revision.store(revision.0, Ordering::Release);
        }
    }
}

/// Sites on their way from the store into maps.
#[derive(Debug, Default)]
struct Loading {
    by_account: HashMap<AccountId, (Vec<Entry>, HashSet<SiteId>)>,
    count: usize,
    unreadable: usize,
}

impl Loading {
    /// A site that cannot be read is told and left out: it must not keep all others from being served.
    fn take(&mut self, record: Result<Record, Error>) {
        let site = match record {
            Ok(Record { document: Document::Site(site), .. }) => site,
            Ok(_) => return,
            Err(cause) => {
                error!(%cause, "a site is left out");
                self.unreadable += 1;
                return;
            }
        };
        self.count += 1;
        if self.count.is_multiple_of(PROGRESS_EVERY) {
            info!(sites = self.count, "loading the map");
        }
        if site.deleted_at.is_some() {
            return;
        }
        let (entries, unplaced) = self.by_account.entry(site.account.clone()).or_default();
        match entry_of(&site) {
            Some(entry) => entries.push(entry),
            None => {
                unplaced.insert(site.id);
            }
        }
    }
}

/// The site as the map keeps it; `None` for a site that is deleted or has no position.
fn entry_of(site: &Site) -> Option<Entry> {
    let fix = site.fixes.effective().filter(|_| site.deleted_at.is_none())?;
    Some(Entry {
        site: site.id,
        position: fix.position,
        accuracy_m: fix.accuracy_m,
        granularity: fix.granularity,
        source: fix.source,
        status: site.status,
        display_name: site.display_name.as_str().into(),
    })
}
