//! Writers that go on through every fault, and a count of what became of their writes.
//!
//! Each write is a batch of some records that no other write has, and is never tried again. So an account's revision is the
//! number of its batches that were done: a batch that was done twice raises it twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::task::JoinHandle;

use super::memory::{KIND, Memory, Records, key, put, until, value_of};
use crate::store::redis::Redis;
use crate::store::{Error, Range, Revision, Store};

/// Records of one batch.
const BATCH: u64 = 3;
/// Number of the next batch, of all that there are.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// What writers were told.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Account, number of the batch, revision.
    pub(super) acknowledged: Mutex<Vec<(String, u64, Revision)>>,
    /// Why writes were not done, or are not known to be.
    pub(super) unavailable: Mutex<Vec<String>>,
    pub(super) unknown: Mutex<Vec<String>>,
}

impl Told {
    /// Writes one batch; whether it was acknowledged.
    pub(super) async fn write(&self, store: &Redis, account: &str) -> bool {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let batch = (0..BATCH).map(|part| put(account, &format!("{number}.{part}"), number.into())).collect();
        match store.commit(batch).await {
            Ok(revision) => {
                self.acknowledged.lock().push((account.to_owned(), number, revision));
                return true;
            }
            Err(Error::Unavailable { cause } | Error::NoRoom { cause }) => self.unavailable.lock().push(cause),
            Err(Error::Unknown { cause }) => self.unknown.lock().push(cause),
            Err(other) => panic!("{other}"),
        }
        false
    }

    /// How many were acknowledged of accounts that `is_one` says.
    pub(super) fn count(&self, is_one: impl Fn(&str) -> bool) -> usize {
        self.acknowledged.lock().iter().filter(|(account, _, _)| is_one(account)).count()
    }
}

/// Writers at work.
pub(super) struct Load {
    pub(super) told: Arc<Told>,
    accounts: Vec<String>,
    is_over: Arc<AtomicBool>,
    writers: Vec<JoinHandle<()>>,
}

impl Load {
    /// `writers` of them through each store, to all accounts in turn.
    pub(super) fn begin(stores: &[Arc<Redis>], writers: usize, accounts: &[String]) -> Self {
        let (told, is_over) = (Arc::<Told>::default(), Arc::new(AtomicBool::new(false)));
        let write = |(number, store): (usize, Arc<Redis>)| {
            let (told, is_over, accounts) = (Arc::clone(&told), Arc::clone(&is_over), accounts.to_vec());
            tokio::spawn(async move {
                for step in number.. {
                    if is_over.load(Ordering::Relaxed) {
                        return;
                    }
                    told.write(&store, &accounts[step % accounts.len()]).await;
                }
            })
        };
        let stores = stores.iter().cycle().take(writers * stores.len()).cloned();
        let writers = stores.enumerate().map(write).collect();
        Self { told, accounts: accounts.to_vec(), is_over, writers }
    }

    /// Waits until `more` writes of each of some accounts are acknowledged.
    pub(super) async fn goes_on(&self, what: &str, more: usize, is_one: impl Fn(&str) -> bool) {
        for account in self.accounts.iter().filter(|account| is_one(account)) {
            let enough = self.told.count(|of| of == account) + more;
            until(what, || self.told.count(|of| of == account) >= enough).await;
        }
    }

    /// Ends all, each after the write that it has in hand.
    pub(super) async fn end(self) -> Arc<Told> {
        self.is_over.store(true, Ordering::Relaxed);
        for writer in self.writers {
            writer.await.unwrap();
        }
        self.told
    }
}

/// What became of all writes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) acknowledged: usize,
    /// Acknowledged, and not there as acknowledged.
    pub(super) lost: usize,
    /// Done more than once.
    pub(super) duplicated: usize,
    /// Batches of which a part is there.
    pub(super) half: usize,
    /// All that were done, of these writers and of those before them.
    pub(super) done: usize,
}

impl Tally {
    /// That nothing is wrong.
    pub(super) fn is_clean(&self) {
        assert_eq!((self.lost, self.duplicated, self.half), (0, 0, 0), "{self:?}");
    }
}

/// All records of some accounts, each with its revision, as the store has them.
async fn scan(store: &Redis, accounts: &[String]) -> BTreeMap<(String, String), (Revision, u128)> {
    let mut found = BTreeMap::new();
    for account in accounts {
        let mut range = Range::all(Some(account.parse().unwrap()), KIND);
        loop {
            let page = store.scan(range.clone()).await.unwrap();
            let Some(last) = page.last() else { break };
            range.after = Some(last.key.id.clone());
            found.extend(page.iter().map(|record| {
                let value = (record.revision, value_of(&record.document));
                ((account.clone(), record.key.id.clone()), value)
            }));
        }
    }
    found
}

/// What the store has now, in the form that memories have.
pub(super) async fn stored(store: &Redis, accounts: &[String]) -> Records {
    scan(store, accounts).await.into_iter().map(|(name, (_, value))| (name, value)).collect()
}

/// Waits until all memories are what the store has.
pub(super) async fn agree(store: &Redis, accounts: &[String], memories: &[&Memory]) {
    let stored = stored(store, accounts).await;
    until("memories do not become what is stored", || memories.iter().all(|memory| *memory.records.lock() == stored))
        .await;
    for account in accounts {
        let revision = store.revision(Some(&account.parse().unwrap())).await.unwrap();
        let has = |memory: &&Memory| memory.revisions.lock().get(account).copied().unwrap_or_default() == revision;
        until("a memory's revision is another one", || memories.iter().all(has)).await;
    }
}

/// Counts what became of all writes, after the last of them.
pub(super) async fn tally(store: &Redis, accounts: &[String], told: &Told) -> Tally {
    let stored = scan(store, accounts).await;
    let mut batches: BTreeMap<(&str, u128), Vec<Revision>> = BTreeMap::new();
    for ((account, _), (revision, value)) in &stored {
        batches.entry((account.as_str(), *value)).or_default().push(*revision);
    }
    let acknowledged = told.acknowledged.lock().clone();
    let is_whole = |account: &str, number: u64, revision: Revision| {
        (0..BATCH).all(|part| {
            let name = key(account, &format!("{number}.{part}")).id;
            stored.get(&(account.to_owned(), name)) == Some(&(revision, number.into()))
        })
    };
    let mut tally = Tally { acknowledged: acknowledged.len(), ..Tally::default() };
    tally.lost = acknowledged.iter().filter(|(account, number, at)| !is_whole(account, *number, *at)).count();
    let is_half = |parts: &&Vec<Revision>| {
        u64::try_from(parts.len()).unwrap() != BATCH || parts.iter().any(|revision| *revision != parts[0])
    };
    tally.half = batches.values().filter(is_half).count();
    tally.done = batches.len();
    for account in accounts {
        let revision = store.revision(Some(&account.parse().unwrap())).await.unwrap();
        let done = batches.keys().filter(|(of, _)| of == account).count();
        tally.duplicated += usize::try_from(revision.0).unwrap().saturating_sub(done);
    }
    tally
}
