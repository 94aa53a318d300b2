//! A store for tests: out of service after some commits, where others are faster, and where records cannot be read.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use parking_lot::Mutex;

use super::{Error, Expect, Key, Kind, Mutation, Observer, Range, Record, Store, Unreadable, Visit};
use crate::model::id::{AccountId, Revision};

/// The store. Idle, it is the one inside.
#[derive(Debug)]
pub(crate) struct Failing {
    inner: Arc<dyn Store>,
    /// Commits that it still does.
    pub(crate) left: AtomicUsize,
    /// That nobody hears what became of the next commit, and whether it is done.
    pub(crate) unanswered: Mutex<Option<bool>>,
    /// Batches of others, each committed once, just before a batch that has its first record too.
    pub(crate) overtaking: Mutex<Vec<Vec<Mutation>>>,
    /// Ids of records that cannot be read one by one.
    pub(crate) corrupt: Mutex<Vec<String>>,
    /// Records that cannot be read in any way.
    pub(crate) corrupt_records: Mutex<Vec<Key>>,
    /// Ids of records that cannot be read in scans.
    pub(crate) corrupt_in_scans: Mutex<Vec<String>>,
    /// The account whose scans fail.
    pub(crate) away: Mutex<Option<AccountId>>,
    /// Records that scans answered.
    scanned: AtomicUsize,
    /// A record, how often it is read yet, and the batch that somebody else commits just after the last time.
    pub(crate) outdating: Mutex<Option<(Key, usize, Vec<Mutation>)>>,
}

impl Failing {
    pub(crate) fn new(inner: Arc<dyn Store>) -> Self {
        Self {
            inner,
            left: AtomicUsize::new(usize::MAX),
            unanswered: Mutex::default(),
            overtaking: Mutex::default(),
            corrupt: Mutex::default(),
            corrupt_records: Mutex::default(),
            corrupt_in_scans: Mutex::default(),
            away: Mutex::default(),
            scanned: AtomicUsize::default(),
            outdating: Mutex::default(),
        }
    }

    /// Records that scans answered so far.
    pub(crate) fn scanned(&self) -> usize {
        self.scanned.load(Ordering::SeqCst)
    }

    /// The batch of somebody else that is faster than this one.
    fn overtaking(&self, batch: &[Mutation]) -> Option<Vec<Mutation>> {
        let mut overtaking = self.overtaking.lock();
        let is_of = |other: &Vec<Mutation>| batch.iter().any(|mutation| mutation.key == other[0].key);
        let at = overtaking.iter().position(is_of)?;
        Some(overtaking.remove(at))
    }

    /// The batch of somebody else that comes just after this read.
    fn outdating(&self, key: &Key) -> Option<Vec<Mutation>> {
        let mut outdating = self.outdating.lock();
        let (_, left, _) = outdating.as_mut().filter(|(known, ..)| known == key)?;
        *left -= 1;
        if *left > 0 {
            return None;
        }
        outdating.take().map(|(.., batch)| batch)
    }

    fn refuse_corrupt(&self, key: &Key) -> Result<(), Unreadable> {
        let is_corrupt = self.corrupt.lock().contains(&key.id) || self.corrupt_records.lock().contains(key);
        if is_corrupt { Err(unreadable(key.kind, &key.id)) } else { Ok(()) }
    }
}

fn unreadable(kind: Kind, id: &str) -> Unreadable {
    Unreadable { kind, id: id.to_owned(), path: "of the test".into() }
}

#[async_trait]
impl Store for Failing {
    async fn commit(&self, batch: Vec<Mutation>) -> Result<Revision, Error> {
        let spend = |left: usize| left.checked_sub(1);
        if self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, spend).is_err() {
            return Err(Error::Unavailable { cause: "the test took it away".to_owned() });
        }
        if let Some(other) = self.overtaking(&batch) {
            self.inner.commit(other).await?;
        }
        let unanswered = self.unanswered.lock().take();
        let Some(is_done) = unanswered else {
            let put = batch.iter().filter(|mutation| mutation.document.is_some() && mutation.expect != Expect::Kept);
            let put: Vec<Key> = put.map(|mutation| mutation.key.clone()).collect();
            let done = self.inner.commit(batch).await?;
            // What was written over is whole.
            self.corrupt_records.lock().retain(|key| !put.contains(key));
            return Ok(done);
        };
        if is_done {
            self.inner.commit(batch).await?;
        }
        Err(Error::Unknown { cause: "the test took the answer away".to_owned() })
    }

    async fn get(&self, key: Key) -> Result<Option<Record>, Error> {
        self.refuse_corrupt(&key)?;
        let (outdating, record) = (self.outdating(&key), self.inner.get(key).await?);
        if let Some(batch) = outdating {
            self.inner.commit(batch).await?;
        }
        Ok(record)
    }

    async fn get_each(&self, keys: Vec<Key>) -> Result<Vec<Result<Option<Record>, Unreadable>>, Error> {
        let found = self.inner.get_each(keys.clone()).await?;
        Ok(keys.iter().zip(found).map(|(key, read)| self.refuse_corrupt(key).and(read)).collect())
    }

    async fn scan_each(&self, range: Range) -> Result<Vec<Result<Record, Unreadable>>, Error> {
        if range.partition.is_some() && range.partition == *self.away.lock() {
            return Err(Error::Unavailable { cause: "the test took it away".to_owned() });
        }
        let found = self.inner.scan_each(range).await?;
        self.scanned.fetch_add(found.len(), Ordering::SeqCst);
        let read = |read: Result<Record, Unreadable>| match read {
            Ok(record)
                if self.corrupt_in_scans.lock().contains(&record.key.id)
                    || self.corrupt_records.lock().contains(&record.key) =>
            {
                Err(unreadable(record.key.kind, &record.key.id))
            }
            read => read,
        };
        Ok(found.into_iter().map(read).collect())
    }

    async fn load(&self, visits: Vec<Visit>) -> Result<(), Error> {
        self.inner.load(visits).await
    }

    async fn observe(&self, observer: Arc<dyn Observer>) -> Result<(), Error> {
        self.inner.observe(observer).await
    }

    async fn revision(&self, partition: Option<&AccountId>) -> Result<Revision, Error> {
        self.inner.revision(partition).await
    }

    async fn settle(&self, record: Record) -> Result<(), Error> {
        self.inner.settle(record).await
    }

    fn is_shared(&self) -> bool {
        self.inner.is_shared()
    }

    async fn scrub(&self) -> Result<(), Error> {
        self.inner.scrub().await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
