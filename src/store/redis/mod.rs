//! The shared engine: one Redis, Sentinels or a cluster, and any number of replicas that follow it.
//!
//! Accounts are spread over a fixed number of partitions. A batch is one script in its partition: it checks what is expected,
//! writes, and appends to the partition's stream. Every replica reads all streams, its own writes too, so each one's memory
//! goes through the same commits in the same order; a write is acknowledged when this replica has read it back.

pub mod config;
mod deployment;
mod follower;
mod head;
mod keys;
mod lane;
mod load;
mod node;
mod pages;
mod pending;
mod reader;
mod replicas;
mod safety;
mod script;
mod scrub;
pub mod transfer;
mod trouble;
mod value;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::future::try_join_all;
use redis::{Cmd, FromRedisValue, Pipeline};
use tokio::sync::{oneshot, watch};

use super::batch::partition_of;
use super::{
    Error, Expect, Key, Kind, Lag, Mutation, Observer, Range, Record, Revision, SCAN_MAX, Store, Unreadable, Visit,
    faults,
};
use crate::model::id::AccountId;
use config::Config;
use follower::{Follow, Progress};
use head::Head;
use keys::Names;
use lane::Lane;
use node::Nodes;
use pages::{Bounds, Row};
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

/// What a partition is asked.
#[derive(Clone, Copy)]
enum Call<'a> {
    One(&'a Cmd),
    All(&'a Pipeline),
}

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

    /// Asks a partition what changes nothing, or nothing when it is done twice. A connection that failed is not used again; for a
    /// moment another one is tried, perhaps to another node.
    async fn ask<T: FromRedisValue>(&self, lane: &Lane, call: Call<'_>) -> Result<T, Error> {
        let end = Instant::now() + PATIENCE;
        loop {
            let asking = async {
                let (number, mut connection) = lane.reader.get(&self.nodes, lane.slot, end).await?;
                let found = match call {
                    Call::One(call) => call.query_async(&mut connection).await,
                    Call::All(calls) => calls.query_async(&mut connection).await,
                };
                found.inspect_err(|_| lane.reader.forget(number))
            };
            let cause = match lane.unless_cut(asking).await? {
                Ok(found) => return Ok(found),
                Err(cause) => cause,
            };
            if Instant::now() > end || matches!(Trouble::of(&cause), Trouble::Refused(_) | Trouble::NoRoom(_)) {
                return Err(Trouble::of_read(&cause));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn head(&self, lane: &Lane) -> Result<Option<Head>, Error> {
        let told: Vec<String> = self.ask(lane, Call::One(&head::call(&self.names, lane.partition))).await?;
        Ok(head::of(&told))
    }

    async fn page(&self, lane: &Lane, account: &str, kind: Kind, bounds: &Bounds) -> Result<Vec<Row>, Error> {
        let call = pages::call(&self.names, &lane.generation, account, kind, bounds);
        pages::rows(self.ask(lane, Call::One(&call)).await?).map_err(|cause| Trouble::of_read(&cause))
    }

    fn unreadable(&self, account: &str, kind: Kind, id: &str) -> Unreadable {
        faults::unreadable(account, kind, id, &place(&self.nodes.settings.prefix))
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
        let mut found: Vec<Result<Option<Record>, Unreadable>> = Vec::new();
        found.resize_with(keys.len(), || Ok(None));
        for lane in &self.lanes {
            let is_here =
                |key: &Key| self.names.partition(value::account_text(key.partition.as_ref())) == lane.partition;
            let asked: Vec<(usize, &Key)> = keys.iter().enumerate().filter(|(_, key)| is_here(key)).collect();
            if asked.is_empty() {
                continue;
            }
            // One transaction: all records of a partition as of one revision, and that it is ours.
            let mut pipe = redis::pipe();
            pipe.atomic().cmd("HGET").arg(self.names.head(lane.partition)).arg("generation");
            for (_, key) in &asked {
                let account = value::account_text(key.partition.as_ref());
                pipe.cmd("HGET").arg(self.names.records(account, key.kind)).arg(&key.id);
            }
            let mut values: Vec<Option<Vec<u8>>> = self.ask(lane, Call::All(&pipe)).await?;
            if values.is_empty() || values.remove(0).as_deref() != Some(lane.generation.as_bytes()) {
                return Err(foreign());
            }
            for ((at, key), value) in asked.into_iter().zip(values) {
                let Some(value) = value else { continue };
                let record = value::record(key.clone(), &value);
                let account = value::account_text(key.partition.as_ref());
                found[at] = record.map(Some).ok_or_else(|| self.unreadable(account, key.kind, &key.id));
            }
        }
        Ok(found)
    }

    async fn scan_each(&self, mut range: Range) -> Result<Vec<Result<Record, Unreadable>>, Error> {
        let lane = self.lane(range.partition.as_ref())?;
        let account = value::account_text(range.partition.as_ref()).to_owned();
        let mut left = range.limit.min(SCAN_MAX);
        let mut records = Vec::new();
        while left > 0 {
            range.limit = left.min(pages::PAGE);
            let bounds = Bounds::of(&range);
            let kind = range.kind;
            let rows = self.page(lane, &account, kind, &bounds).await?;
            for row in &rows {
                let record = row.record(range.partition.as_ref(), kind);
                records.push(record.ok_or_else(|| self.unreadable(&account, kind, &row.id)));
            }
            if rows.len() < range.limit {
                break;
            }
            left -= rows.len();
            range.after = rows.last().map(|row| row.id.clone());
        }
        Ok(records)
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
        let account = value::account_text(partition);
        let lane = self.lane(partition)?;
        let mut pipe = redis::pipe();
        pipe.atomic().cmd("HGET").arg(self.names.head(lane.partition)).arg("generation");
        pipe.cmd("HGET").arg(self.names.revisions(lane.partition)).arg(account);
        let (generation, found): (Option<String>, Option<u64>) = self.ask(lane, Call::All(&pipe)).await?;
        if generation.as_deref() != Some(lane.generation.as_str()) {
            return Err(foreign());
        }
        Ok(Revision(found.unwrap_or_default()))
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
