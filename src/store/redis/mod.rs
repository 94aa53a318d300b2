//! The shared engine: one Redis, Sentinels or a cluster, and any number of replicas that follow it.
//!
//! Accounts are spread over a fixed number of partitions. A batch is one script in its partition: it checks what is expected,
//! writes, and appends to the partition's stream. Every replica reads all streams, its own writes too, so each one's memory
//! goes through the same commits in the same order; a write is acknowledged when this replica has read it back.

mod amount;
mod anew;
pub mod config;
mod deployment;
mod entry;
mod follower;
mod head;
mod junk;
mod keys;
mod lane;
mod load;
mod node;
mod pages;
mod pending;
mod reader;
mod reading;
mod replicas;
mod safety;
mod script;
mod scrub;
pub mod transfer;
mod trouble;
mod value;
mod walk;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::future::try_join_all;
use redis::Cmd;
use tokio::sync::{oneshot, watch};

use super::batch::partition_of;
use super::{Error, Expect, Key, Lag, Mutation, Observer, Range, Record, Revision, Store, Unreadable, Visit};
use crate::model::id::AccountId;
use config::Config;
use follower::{Follow, Progress};
use keys::Names;
use lane::Lane;
use node::Nodes;
use replicas::Followed;
use trouble::Trouble;
use writer::Job;

/// For so long a call looks for a node that serves it; callers want to hear of an outage within a second.
const PATIENCE: Duration = Duration::from_secs(1);
/// Time between two attempts.
const PAUSE: Duration = Duration::from_millis(50);
/// After so long a read counts as not answered.
const READ_MAX: Duration = Duration::from_secs(3);
/// For so long a store that closes waits for the writes that are under way.
const CLOSE_MAX: Duration = Duration::from_secs(5);

/// The shared engine.
#[derive(Debug)]
pub struct Redis {
    nodes: Arc<Nodes>,
    names: Names,
    lanes: Vec<Lane>,
    /// Which deployment this is.
    deployment: String,
    followed: Followed,
    /// Whether a writer or a follower ended by a fault of its own.
    broken: watch::Sender<bool>,
    /// Closes with the store; then nobody looks at settings any more.
    _looks: oneshot::Sender<()>,
}

impl Redis {
    /// Joins the deployment that the configuration names, or begins it.
    ///
    /// Refuses a Redis that may lose what it acknowledged, and data of another format.
    pub async fn open(config: &Config) -> Result<Self, Error> {
        Self::open_if(config, |_| Ok(())).await
    }

    /// The same, if `is_ours` agrees to the deployment that Redis holds, or to there being none. It is asked before anything is
    /// written.
    pub async fn open_if(
        config: &Config,
        is_ours: impl FnOnce(Option<&str>) -> Result<(), Error> + Send,
    ) -> Result<Self, Error> {
        let settings = config.settings()?;
        let nodes = Nodes::new(settings);
        let settings = &nodes.settings;
        deployment::check_safety(&nodes).await?;
        let slot = deployment::slot(settings);
        let mut first = nodes.connect(slot, Some(READ_MAX)).await.map_err(|cause| Trouble::of_read(&cause))?;
        let joined = deployment::join(settings, &random()?, is_ours, &mut first).await?;
        let names = Names::new(&settings.prefix, settings.partitions);
        let broken = watch::Sender::new(false);
        let open = |partition| Lane::open(&nodes, &names, partition, joined.has_begun, &broken);
        let opening = (0..settings.partitions).map(open);
        let lanes = try_join_all(opening).await?;
        if !joined.has_begun {
            deployment::note_begun(settings, &mut first).await?;
        }
        let (looks, ends) = oneshot::channel();
        tokio::spawn(safety::keep_looking(Arc::clone(&nodes), ends));
        let followed = Followed::default();
        let store = Self { nodes, names, lanes, deployment: joined.id, followed, broken, _looks: looks };
        // Before a network is cut, as a rule. Leases are the operator's.
        store.look_for_replicas(store.lane(None)?).await?;
        Ok(store)
    }

    /// The id that the deployment was given when it began.
    #[must_use]
    pub fn deployment(&self) -> &str {
        &self.deployment
    }

    fn lane(&self, partition: Option<&AccountId>) -> Result<&Lane, Error> {
        let number = self.names.partition(value::account_text(partition));
        self.lanes.get(usize::from(number)).ok_or(Error::Partitions)
    }

    /// The script's call for a batch of one partition.
    fn call(&self, lane: &Lane, tag: &str, account: &str, batch: &[(Mutation, Option<Vec<u8>>)]) -> Cmd {
        let partition = self.names.partition(account);
        let mut call = script::call(&script::COMMIT);
        call.arg(3 + 2 * batch.len());
        call.arg(self.names.head(partition)).arg(self.names.revisions(partition)).arg(self.names.stream(partition));
        for (mutation, _) in batch {
            let kind = mutation.key.kind;
            call.arg(self.names.records(account, kind)).arg(self.names.index(account, kind));
        }
        call.arg(&lane.generation).arg(tag).arg(account).arg(self.nodes.settings.commits_kept).arg(value::told(batch));
        for (mutation, value) in batch {
            let expect = match mutation.expect {
                Expect::Any => "*".to_owned(),
                Expect::Kept => "+".to_owned(),
                Expect::Absent => "-".to_owned(),
                Expect::Revision(revision) => revision.0.to_string(),
            };
            call.arg(expect).arg(&mutation.key.id).arg(value.as_deref().unwrap_or_default());
        }
        call
    }
}

#[async_trait]
impl Store for Redis {
    async fn commit(&self, batch: Vec<Mutation>) -> Result<Revision, Error> {
        // All that follows goes by it: the lane, and the keys in Redis.
        let partition = partition_of(&batch)?.cloned();
        let lane = self.lane(partition.as_ref())?;
        let replicas = self.replicas_for(lane, &batch).await?;
        let keys = batch.iter().map(|mutation| mutation.key.clone()).collect();
        let encoded = batch.into_iter().map(|mutation| {
            let value = value::encode(&mutation)?;
            Ok((mutation, value))
        });
        let encoded = encoded.collect::<Result<Vec<_>, serde_json::Error>>();
        let encoded =
            encoded.map_err(|cause| Error::Unavailable { cause: format!("a record cannot be encoded: {cause}") })?;
        let begun = Instant::now();
        let place = lane.unless_cut(Arc::clone(&lane.places).acquire_owned()).await?.map_err(|_| closed())?;
        let tag = random()?;
        let call = self.call(lane, &tag, value::account_text(partition.as_ref()), &encoded);
        let bytes = encoded.iter().filter_map(|(_, value)| value.as_ref()).map(Vec::len).sum();
        let (answer, answered) = oneshot::channel();
        // A caller that is gone before its write is queued leaves nothing that waits for an answer.
        let queue = lane.unless_cut(lane.jobs.reserve()).await?.map_err(|_| closed())?;
        lane.pending.begin(tag.clone(), place, answer);
        queue.send(Job { tag, call, bytes, keys, replicas, begun });
        answered.await.map_err(|_| closed())?
    }

    async fn get(&self, key: Key) -> Result<Option<Record>, Error> {
        Ok(self.get_many(vec![key]).await?.into_iter().next().flatten())
    }

    async fn get_each(&self, keys: Vec<Key>) -> Result<Vec<Result<Option<Record>, Unreadable>>, Error> {
        self.read_keys(&keys).await
    }

    async fn scan_each(&self, range: Range) -> Result<Vec<Result<Record, Unreadable>>, Error> {
        self.read_range(&range).await
    }

    async fn load(&self, visits: Vec<Visit>) -> Result<(), Error> {
        load::load(self, visits).await
    }

    async fn observe(&self, observer: Arc<dyn Observer>) -> Result<(), Error> {
        for lane in &self.lanes {
            let from = lane.loaded_at.lock().take();
            let order = Follow { from, observer: Arc::clone(&observer) };
            lane.follows.send(order).await.map_err(|_| closed())?;
        }
        for lane in &self.lanes {
            let head = self.head(lane).await?;
            lane.reach(head.map_or(0, |head| head.position.sequence)).await;
        }
        Ok(())
    }

    async fn broken(&self) -> String {
        // The other end is here.
        let _ = self.broken.subscribe().wait_for(|is_broken| *is_broken).await;
        "what writes to Redis, or follows it, panicked".to_owned()
    }

    async fn revision(&self, partition: Option<&AccountId>) -> Result<Revision, Error> {
        self.read_revision(partition).await
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn settle(&self, record: Record) -> Result<(), Error> {
        if self.nodes.settings.wait_replicas == 0 {
            return Ok(());
        }
        // Redis waits for what is written alone: a replica that has this has all that came before it.
        self.commit(vec![Mutation::replace(record.key, record.revision, record.document)]).await.map(drop)
    }

    fn lag(&self) -> Lag {
        let now = Instant::now();
        let behind = |progress: &Progress| now.saturating_duration_since(progress.current_at);
        self.lanes.iter().fold(Lag::default(), |lag, lane| {
            let progress = lane.progress.borrow();
            Lag {
                behind: lag.behind.max(behind(&progress)),
                trouble: lag.trouble.or_else(|| progress.trouble.clone()),
                resyncs: lag.resyncs + progress.resyncs,
            }
        })
    }

    fn danger(&self) -> Option<String> {
        self.nodes.safety.danger()
    }

    async fn scrub(&self) -> Result<(), Error> {
        scrub::scrub(self).await
    }

    async fn close(&self) {
        self.lanes.iter().for_each(|lane| lane.places.close());
        let end = Instant::now() + CLOSE_MAX;
        for lane in &self.lanes {
            while !lane.pending.is_empty() && Instant::now() < end {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            lane.pending.end();
        }
    }
}

/// Where the records of a deployment are, for who reads of one.
fn place(prefix: &str) -> PathBuf {
    format!("Redis, {}", Names::deployment(prefix)).into()
}

fn foreign() -> Error {
    Error::Unavailable { cause: "Redis was emptied, or holds the data of another deployment: see the log".into() }
}

fn closed() -> Error {
    Error::Unavailable { cause: "it is closed".into() }
}

/// 128 random bits, as text.
fn random() -> Result<String, Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|cause| Error::Unavailable { cause: format!("no randomness: {cause}") })?;
    Ok(u128::from_be_bytes(bytes).to_string())
}

#[cfg(test)]
pub(crate) mod tests;
