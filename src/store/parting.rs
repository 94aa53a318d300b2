//! A store for tests, as another machine's: what it tells comes late, and when another one takes over it loses commits.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use async_trait::async_trait;
use parking_lot::Mutex;

use super::{Error, Expect, Key, Kind, Mutation, Observer, Range, Record, Resync, Store, Unreadable, Visit};
use crate::model::id::{AccountId, Revision};

/// Both get what is committed.
const TOGETHER: u8 = 0;
/// The second one does not hear of it any more.
const PARTED: u8 = 1;
/// The second one is the store.
const TAKEN_OVER: u8 = 2;

/// The store: the first of two that hold the same, until they part.
#[derive(Debug)]
pub(crate) struct Parting {
    first: Arc<dyn Store>,
    second: Arc<dyn Store>,
    stage: AtomicU8,
    /// Held by who commits, so that both have the same revisions.
    order: tokio::sync::Mutex<()>,
    follower: Arc<Follower>,
}

/// What observers are told of a commit.
type Commit = (Revision, Vec<Mutation>);

/// Tells the observer.
#[derive(Debug, Default)]
struct Follower {
    observer: Mutex<Option<Arc<dyn Observer>>>,
    /// Commits that are not told yet; `None` where all are told at once.
    held: Mutex<Option<Vec<Commit>>>,
}

impl Observer for Follower {
    fn committed(&self, revision: Revision, mutations: &[Mutation]) {
        if let Some(held) = &mut *self.held.lock() {
            held.push((revision, mutations.to_vec()));
        } else if let Some(observer) = &*self.observer.lock() {
            observer.committed(revision, mutations);
        }
    }

    fn resynced(&self, part: Resync<'_>) {
        if let Some(observer) = &*self.observer.lock() {
            observer.resynced(part);
        }
    }
}

impl Parting {
    pub(crate) fn new(first: Arc<dyn Store>, second: Arc<dyn Store>) -> Self {
        let (stage, order) = (AtomicU8::new(TOGETHER), tokio::sync::Mutex::default());
        Self { first, second, stage, order, follower: Arc::default() }
    }

    fn stage(&self) -> u8 {
        self.stage.load(Ordering::SeqCst)
    }

    /// The one that answers.
    fn serving(&self) -> &dyn Store {
        if self.stage() == TAKEN_OVER { &*self.second } else { &*self.first }
    }

    /// What is committed from now on is lost when the other one takes over.
    pub(crate) fn part(&self) {
        self.stage.store(PARTED, Ordering::SeqCst);
    }

    /// The other one takes over; of what is committed nothing is told before [`Self::tell_anew`].
    pub(crate) fn take_over(&self) {
        self.hold();
        self.stage.store(TAKEN_OVER, Ordering::SeqCst);
    }

    /// Tells nothing of what is committed from now on.
    pub(crate) fn hold(&self) {
        *self.follower.held.lock() = Some(Vec::new());
    }

    /// Tells what was not told yet.
    pub(crate) fn release(&self) {
        let held = self.follower.held.lock().take();
        for (revision, mutations) in held.into_iter().flatten() {
            self.follower.committed(revision, &mutations);
        }
    }

    /// Tells everything of the operator and of one account anew, whatever was not told yet, and what is committed from now on.
    pub(crate) async fn tell_anew(&self, account: &AccountId, continues: bool) {
        for partition in [None, Some(account.clone())] {
            let (mut present, revision) = (HashSet::new(), self.revision(partition.as_ref()).await.unwrap());
            for kind in Kind::IN_MEMORY {
                let records = self.scan(Range::all(partition.clone(), kind)).await.unwrap();
                present.extend(records.iter().map(|record| (kind, record.key.id.clone())));
                let put =
                    |Record { key, document, .. }| Mutation { key, expect: Expect::Any, document: Some(document) };
                let mutations: Vec<Mutation> = records.into_iter().map(put).collect();
                self.follower.resynced(Resync::Records(&mutations));
            }
            let partition = partition.as_ref();
            self.follower.resynced(Resync::End { partition, revision, present: &present, continues });
        }
        *self.follower.held.lock() = None;
    }
}

#[async_trait]
impl Store for Parting {
    async fn commit(&self, batch: Vec<Mutation>) -> Result<Revision, Error> {
        let _turn = self.order.lock().await;
        match self.stage() {
            TOGETHER => {
                self.second.commit(batch.clone()).await?;
                self.first.commit(batch).await
            }
            PARTED => self.first.commit(batch).await,
            _ => {
                let revision = self.second.commit(batch.clone()).await?;
                self.follower.committed(revision, &batch);
                Ok(revision)
            }
        }
    }

    async fn get(&self, key: Key) -> Result<Option<Record>, Error> {
        self.serving().get(key).await
    }

    async fn get_each(&self, keys: Vec<Key>) -> Result<Vec<Result<Option<Record>, Unreadable>>, Error> {
        self.serving().get_each(keys).await
    }

    async fn scan_each(&self, range: Range) -> Result<Vec<Result<Record, Unreadable>>, Error> {
        self.serving().scan_each(range).await
    }

    async fn load(&self, visits: Vec<Visit>) -> Result<(), Error> {
        self.serving().load(visits).await
    }

    async fn observe(&self, observer: Arc<dyn Observer>) -> Result<(), Error> {
        *self.follower.observer.lock() = Some(observer);
        self.first.observe(Arc::clone(&self.follower) as Arc<dyn Observer>).await
    }

    async fn revision(&self, partition: Option<&AccountId>) -> Result<Revision, Error> {
        self.serving().revision(partition).await
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn scrub(&self) -> Result<(), Error> {
        self.serving().scrub().await
    }

    async fn close(&self) {
        self.first.close().await;
        self.second.close().await;
    }
}
