//! One partition, seen from this replica: its writer, its follower, and a connection for reads.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use redis::RedisResult;
use redis::aio::MultiplexedConnection;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tracing::error;

use super::super::{Error, faults};
use super::amount::{Amount, Amounts};
use super::follower::{ENTRIES_MAX, Follow, Follower, Progress};
use super::head::{self, Head, Position};
use super::keys::{self, Names};
use super::node::Nodes;
use super::pages::PAGE;
use super::pending::Pending;
use super::reader::Reader;
use super::trouble::{PLACE, Trouble};
use super::writer::{Job, Writer};
use super::{PATIENCE, PAUSE, READ_MAX, deployment, junk, random};

/// Writes to one partition that may be under way; more wait before they are sent.
const PENDING_MAX: usize = 1_024;

/// One partition, seen from this replica.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) partition: u16,
    pub(super) slot: u16,
    pub(super) generation: String,
    pub(super) jobs: mpsc::Sender<Job>,
    pub(super) places: Arc<Semaphore>,
    pub(super) pending: Arc<Pending>,
    pub(super) follows: mpsc::Sender<Follow>,
    pub(super) progress: watch::Receiver<Progress>,
    /// Where the follower stood when records were read for memory: what came afterwards is told again.
    pub(super) loaded_at: Mutex<Option<Position>>,
    pub(super) reader: Reader,
}

impl Lane {
    /// Begins to follow a partition where it stands. One that is not there is made, unless its deployment `has_begun`. `breaks` is
    /// told where writer or follower end by a fault of their own.
    pub(super) async fn open(
        nodes: &Arc<Nodes>,
        names: &Names,
        partition: u16,
        has_begun: bool,
        breaks: &watch::Sender<bool>,
    ) -> Result<Self, Error> {
        let slot = keys::slot(&names.head(partition));
        let mut connection = nodes.connect(slot, Some(READ_MAX)).await.map_err(|cause| Trouble::of_read(&cause))?;
        let head = find_head(names, partition, has_begun, &mut connection).await?;
        let head = head.ok_or_else(|| deployment::gone(&nodes.settings.prefix, &names.head(partition)))?;
        let pending = Arc::new(Pending::default());
        let progress = Progress {
            position: head.position,
            current_at: Instant::now(),
            trouble: None,
            silent_since: None,
            resyncs: 0,
        };
        let (progress, following) = watch::channel(progress);
        let (jobs, queued) = mpsc::channel(PENDING_MAX);
        let (follows, orders) = mpsc::channel(1);
        let writer = Writer { nodes: Arc::clone(nodes), pending: Arc::clone(&pending), slot, jobs: queued };
        let follower = Follower {
            nodes: Arc::clone(nodes),
            names: names.clone(),
            partition,
            slot,
            generation: head.generation.clone(),
            pending: Arc::clone(&pending),
            progress,
            observer: None,
            entries: Amount::new(ENTRIES_MAX),
            records: Amounts::new(PAGE),
            told: Mutex::default(),
        };
        // Both end with the lane, whose ends of the channels they wait for.
        for task in [tokio::spawn(writer.run()), tokio::spawn(follower.run(orders))] {
            tokio::spawn(watch_over(task, partition, breaks.clone()));
        }
        Ok(Self {
            partition,
            slot,
            generation: head.generation,
            jobs,
            places: Arc::new(Semaphore::new(PENDING_MAX)),
            pending,
            follows,
            progress: following,
            loaded_at: Mutex::default(),
            reader: Reader::new(connection),
        })
    }

    /// Why no call need try the partition; `None` where it answers, or may answer in a moment. The follower goes on trying, so that
    /// nobody else has to wait for who does not answer.
    pub(super) fn is_cut(&self) -> Option<Error> {
        let progress = self.progress.borrow();
        let is_cut = progress.silent_since.is_some_and(|since| since.elapsed() > PATIENCE);
        let why = || progress.trouble.clone().unwrap_or_default();
        is_cut.then(|| Error::Unavailable { cause: format!("Redis does not answer: {}", why()) })
    }

    /// Answers when [`Self::is_cut`] does.
    async fn cut(&self) -> Error {
        let mut progress = self.progress.clone();
        loop {
            let silent = progress.wait_for(|progress| progress.silent_since.is_some()).await;
            let Ok(since) = silent.map(|progress| progress.silent_since) else {
                // The follower ended with the store.
                return std::future::pending().await;
            };
            if let Some(cause) = self.is_cut() {
                return cause;
            }
            // It may be back before.
            let silent_for = since.map_or(Duration::ZERO, |since| since.elapsed());
            tokio::time::sleep(PATIENCE.saturating_sub(silent_for).max(PAUSE)).await;
        }
    }

    /// What `work` gives, unless the partition is found not to answer meanwhile. What it waited for goes on where it is.
    pub(super) async fn unless_cut<T>(&self, work: impl Future<Output = T>) -> Result<T, Error> {
        if let Some(cause) = self.is_cut() {
            // Who tries again at once would do nothing else.
            tokio::time::sleep(PAUSE).await;
            return Err(cause);
        }
        tokio::select! {
            biased;
            done = work => Ok(done),
            cause = self.cut() => Err(cause),
        }
    }

    /// Waits until this replica has everything up to a commit.
    pub(super) async fn reach(&self, sequence: u64) {
        let mut progress = self.progress.clone();
        // The follower lives as long as the lane.
        let _ = progress.wait_for(|progress| progress.position.sequence >= sequence).await;
    }
}

/// The head of a partition, which is made where its deployment has not begun; `None` where there is none.
async fn find_head(
    names: &Names,
    partition: u16,
    has_begun: bool,
    connection: &mut MultiplexedConnection,
) -> Result<Option<Head>, Error> {
    let mut made: RedisResult<()> = Ok(());
    if !has_begun {
        made = head::begin(names, partition, &random()?).query_async(connection).await;
    }
    let told: RedisResult<head::Told> = match made {
        Ok(()) => head::call(names, partition).query_async(connection).await,
        Err(cause) => Err(cause),
    };
    match told {
        Ok(told) => head::of(names, partition, told).map_err(|why| faults::damaged(PLACE, why)),
        Err(cause) => Err(junk::told(&cause, &junk::of_partition(names, partition), connection).await),
    }
}

/// Says so where a task panics: what it had in hand may be half in memory, and nobody does its work any more.
async fn watch_over(task: JoinHandle<()>, partition: u16, breaks: watch::Sender<bool>) {
    if task.await.is_err_and(|ended| ended.is_panic()) {
        error!(partition, "what writes to a partition of Redis, or follows it, panicked");
        breaks.send_replace(true);
    }
}
