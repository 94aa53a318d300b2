//! A store that takes note of what a call writes: of the revision, which its answer tells, and of the call itself, whose audit
//! record goes into the first batch that it commits.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use super::audit::Waiting;
use super::call::Call;
use crate::model::id::{AccountId, Revision};
use crate::store::{Error, Key, Lag, Mutation, Observer, Range, Record, Store, Unreadable, Visit};

/// The store behind it, for calls.
#[derive(Debug)]
pub(super) struct Noted {
    pub(super) store: Arc<dyn Store>,
    pub(super) audit: Arc<Waiting>,
    pub(super) clock: fn() -> Timestamp,
}

#[async_trait]
impl Store for Noted {
    async fn commit(&self, mut batch: Vec<Mutation>) -> Result<Revision, Error> {
        let (Some(call), Some(first)) = (Call::current(), batch.first()) else { return self.store.commit(batch).await };
        let partition = first.key.partition.clone();
        let record = call.with(|state| self.audit.beside(state, partition.as_ref(), (self.clock)()));
        let has_record = record.is_some();
        batch.extend(record);
        let done = self.store.commit(batch).await;
        call.with(|state| state.committed(partition, has_record, &done));
        done
    }

    async fn settle(&self, record: Record) -> Result<(), Error> {
        let (partition, revision) = (record.key.partition.clone(), record.revision);
        self.store.settle(record).await?;
        // A repeat tells the revision of what it repeats.
        if let Some(call) = Call::current() {
            call.with(|state| state.wrote(partition, revision));
        }
        Ok(())
    }

    async fn get(&self, key: Key) -> Result<Option<Record>, Error> {
        self.store.get(key).await
    }

    async fn get_each(&self, keys: Vec<Key>) -> Result<Vec<Result<Option<Record>, Unreadable>>, Error> {
        self.store.get_each(keys).await
    }

    async fn scan_each(&self, range: Range) -> Result<Vec<Result<Record, Unreadable>>, Error> {
        self.store.scan_each(range).await
    }

    async fn load(&self, visits: Vec<Visit>) -> Result<(), Error> {
        self.store.load(visits).await
    }

    async fn prove(&self) -> Result<(), Error> {
        self.store.prove().await
    }

    async fn observe(&self, observer: Arc<dyn Observer>) -> Result<(), Error> {
        self.store.observe(observer).await
    }

    fn is_shared(&self) -> bool {
        self.store.is_shared()
    }

    fn lag(&self) -> Lag {
        self.store.lag()
    }

    fn danger(&self) -> Option<String> {
        self.store.danger()
    }

    async fn broken(&self) -> String {
        self.store.broken().await
    }

    async fn revision(&self, partition: Option<&AccountId>) -> Result<Revision, Error> {
        self.store.revision(partition).await
    }

    async fn scrub(&self) -> Result<(), Error> {
        self.store.scrub().await
    }

    async fn close(&self) {
        self.store.close().await;
    }
}
