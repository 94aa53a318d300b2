//! What a test's replica keeps in memory, and the records that tests write.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use parking_lot::Mutex;

use super::super::Redis;
use super::super::config::Config;
use super::server::PATIENCE;
use crate::model::geo::LatLng;
use crate::model::id::AccountId;
use crate::model::location::Granularity;
use crate::model::prefix::Prefix;
use crate::store::document::Document;
use crate::store::{Expect, Key, Kind, Mutation, Observer, Resync, Revision, Store};

/// The kind of all records of these tests: one that observers keep.
pub(super) const KIND: Kind = Kind::Prefix;

pub(super) fn key(account: &str, id: &str) -> Key {
    Key::of(&account.parse().unwrap(), KIND, id)
}

pub(super) fn claim(value: u128) -> Document {
    Document::Prefix(Prefix {
        network: "10.0.0.0/8".parse().unwrap(),
        display_name: value.to_string(),
        position: LatLng::new(1.0, 2.0).unwrap(),
        accuracy_m: None,
        granularity: Granularity::City,
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
    })
}

pub(super) fn put(account: &str, id: &str, value: u128) -> Mutation {
    Mutation { key: key(account, id), expect: Expect::Any, document: Some(claim(value)) }
}

pub(super) fn value_of(document: &Document) -> u128 {
    let Document::Prefix(prefix) = document else { panic!("{document:?}") };
    prefix.display_name.parse().unwrap()
}

/// Values by account and id.
pub(super) type Records = BTreeMap<(String, String), u128>;

/// What a replica keeps in memory, and whether it was told in order.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) records: Mutex<Records>,
    pub(super) revisions: Mutex<BTreeMap<String, Revision>>,
    pub(super) resyncs: Mutex<usize>,
    /// Records that were told by them.
    pub(super) told_anew: Mutex<usize>,
    /// Whether what was told before the last resync was sure to be a part of it.
    pub(super) continued: Mutex<Option<bool>>,
}

impl Observer for Memory {
    fn committed(&self, revision: Revision, mutations: &[Mutation]) {
        let account = mutations[0].key.partition.as_ref().unwrap().to_string();
        let last = self.revisions.lock().insert(account.clone(), revision);
        assert!(last.is_none_or(|last| revision.0 == last.0 + 1), "{account} was told {revision:?} after {last:?}");
        self.put(mutations);
    }

    fn resynced(&self, part: Resync<'_>) {
        match part {
            Resync::Records(mutations) => {
                *self.told_anew.lock() += mutations.len();
                self.put(mutations);
            }
            Resync::End { partition, revision, present, continues } => {
                let account = partition.unwrap().to_string();
                let is_there = |id: &String| present.contains(&(KIND, id.clone()));
                self.records.lock().retain(|(of, id), _| *of != account || is_there(id));
                self.revisions.lock().insert(account, revision);
                *self.continued.lock() = Some(continues);
            }
            Resync::Accounts { is_among, present } => {
                let is_there =
                    |account: &str| !is_among(account) || present.iter().any(|(present, _)| present == account);
                self.records.lock().retain(|(account, _), _| is_there(account));
                self.revisions.lock().retain(|account, _| is_there(account));
                *self.resyncs.lock() += 1;
            }
        }
    }

    fn standing(&self, partition: Option<&AccountId>) -> Revision {
        let account = partition.unwrap().as_str();
        self.revisions.lock().get(account).copied().unwrap_or_default()
    }
}

impl Memory {
    fn put(&self, mutations: &[Mutation]) {
        let mut records = self.records.lock();
        for mutation in mutations {
            let name = (mutation.key.partition.as_ref().unwrap().to_string(), mutation.key.id.clone());
            match &mutation.document {
                Some(document) => records.insert(name, value_of(document)),
                None => records.remove(&name),
            };
        }
    }
}

/// A store and what its observer keeps.
pub(super) type Replica = (Arc<Redis>, Arc<Memory>);

pub(super) async fn replica(config: &Config) -> Replica {
    let (store, memory) = (Arc::new(Redis::open(config).await.unwrap()), Arc::new(Memory::default()));
    store.observe(Arc::clone(&memory) as Arc<dyn Observer>).await.unwrap();
    (store, memory)
}

pub(super) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
