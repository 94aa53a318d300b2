//! The writer of a partition: drains its queue into one pipeline, so that many writes share a round trip and an fsync.
//!
//! What Redis refused without doing it is sent again for a moment, to whoever holds the partition then. What was sent
//! and not answered is never sent again: only its caller can, with the same request id.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{Cmd, RedisResult, Value};
use tokio::sync::mpsc::Receiver;
use tracing::warn;

use super::super::{Error, Key, Revision, faults};
use super::keys::Names;
use super::node::Nodes;
use super::pending::{Pending, Tag};
use super::trouble::{PLACE, Trouble};
use super::{PATIENCE, PAUSE, junk, value};

/// Most writes in one pipeline, and about how many bytes: it bounds how long the first waits for the last.
const GROUP_MAX: usize = 256;
const GROUP_BYTES_MAX: usize = 4 * 1024 * 1024;
/// A connection that was not used for so long is asked whether it lives: a write that goes into a dead one is not known to be
/// done or not.
const IDLE_MAX: Duration = Duration::from_millis(250);
/// After so long without an answer a connection is given up.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// So often writes are looked for that waited too long.
const SWEEP_EVERY: Duration = Duration::from_millis(250);

/// A write on its way.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) tag: Tag,
    /// The script's call, whole.
    pub(super) call: Cmd,
    /// Its size.
    pub(super) bytes: usize,
    /// The keys of its mutations, in their order.
    pub(super) keys: Vec<Key>,
    /// How many of Redis' replicas have to have it.
    pub(super) replicas: u32,
    /// When its caller came.
    pub(super) begun: Instant,
}

/// The writer.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) nodes: Arc<Nodes>,
    pub(super) pending: Arc<Pending>,
    pub(super) slot: u16,
    pub(super) jobs: Receiver<Job>,
}

/// What became of a call.
enum Outcome {
    /// Sequence and revision.
    Done(u64, Revision),
    /// The mutation that was not as expected.
    Conflict(usize),
    /// The partition is of another generation.
    Foreign,
    /// The script answered what it never answers.
    Senseless,
}

impl Writer {
    /// Writes until the queue ends.
    pub(super) async fn run(mut self) {
        let mut again: Vec<Job> = Vec::new();
        let mut connection: Option<(MultiplexedConnection, Instant)> = None;
        let mut trouble = String::new();
        loop {
            let Some(group) = self.gather(std::mem::take(&mut again)).await else { return };
            let group = self.give_up(group, &trouble);
            if group.is_empty() {
                continue;
            }
            let mut there = match self.alive(connection.take()).await {
                Some(there) => there,
                None => match self.connect().await {
                    Ok(there) => there,
                    Err(cause) => {
                        trouble = cause.to_string();
                        again = group;
                        tokio::time::sleep(PAUSE).await;
                        continue;
                    }
                },
            };
            let group = self.refuse_unsafe(group);
            if group.is_empty() {
                connection = Some((there, Instant::now()));
                continue;
            }
            match self.send(&mut there, group).await {
                Ok(refused) if refused.is_empty() => connection = Some((there, Instant::now())),
                Ok(refused) => {
                    // Somebody else may hold the partition now: the next connection is to whoever does.
                    (again, trouble) =
                        refused.into_iter().fold((Vec::new(), String::new()), |(mut jobs, _), (job, why)| {
                            jobs.push(job);
                            (jobs, why)
                        });
                    tokio::time::sleep(PAUSE).await;
                }
                Err(cause) => warn!(%cause, "Redis did not answer writes"),
            }
        }
    }

    /// A new connection, to a node that was looked at.
    async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        let mut there = self.nodes.connect(self.slot, Some(self.answer_max())).await?;
        self.nodes.safety.check(&mut there).await?;
        Ok(there)
    }

    /// Answers all of a group where Redis may lose what it acknowledges; otherwise gives it back.
    fn refuse_unsafe(&self, group: Vec<Job>) -> Vec<Job> {
        let Some(why) = self.nodes.safety.refusal() else { return group };
        for job in group {
            self.pending.failed(&job.tag, Error::Configuration { cause: why.clone() });
        }
        Vec::new()
    }

    /// The connection, if it was used just now or answers.
    async fn alive(&self, used: Option<(MultiplexedConnection, Instant)>) -> Option<MultiplexedConnection> {
        let (mut there, last) = used?;
        if last.elapsed() < IDLE_MAX {
            return Some(there);
        }
        redis::cmd("PING").exec_async(&mut there).await.ok().map(|()| there)
    }

    fn answer_max(&self) -> Duration {
        ANSWER_MAX + self.nodes.settings.wait
    }

    /// The next writes, those first that were refused; `None` when the queue ended.
    async fn gather(&mut self, mut group: Vec<Job>) -> Option<Vec<Job>> {
        while group.is_empty() {
            match tokio::time::timeout(SWEEP_EVERY, self.jobs.recv()).await {
                Ok(Some(job)) => group.push(job),
                Ok(None) => return None,
                Err(_) => self.pending.sweep(),
            }
        }
        self.pending.sweep();
        let mut bytes: usize = group.iter().map(|job| job.bytes).sum();
        while group.len() < GROUP_MAX && bytes < GROUP_BYTES_MAX {
            let Ok(job) = self.jobs.try_recv() else { break };
            bytes += job.bytes;
            group.push(job);
        }
        Some(group)
    }

    /// Answers those that waited too long for somebody who writes.
    fn give_up(&self, group: Vec<Job>, trouble: &str) -> Vec<Job> {
        let (kept, late): (Vec<Job>, Vec<Job>) = group.into_iter().partition(|job| job.begun.elapsed() < PATIENCE);
        for job in late {
            self.pending.failed(&job.tag, Error::Unavailable { cause: format!("no Redis writes: {trouble}") });
        }
        kept
    }

    /// Sends a group; those that were refused and may be sent again, with why.
    async fn send(&self, there: &mut MultiplexedConnection, group: Vec<Job>) -> RedisResult<Vec<(Job, String)>> {
        let mut pipe = redis::pipe();
        for job in &group {
            pipe.add_command(job.call.clone());
        }
        let replicas = group.iter().map(|job| job.replicas).max().unwrap_or_default();
        let waits = replicas > 0;
        if waits {
            let wait = self.nodes.settings.wait.as_millis();
            pipe.cmd("WAIT").arg(replicas).arg(u64::try_from(wait).unwrap_or(u64::MAX));
        }
        pipe.ignore_errors();
        let asked = tokio::time::timeout(self.answer_max(), pipe.query_async::<Vec<RedisResult<Value>>>(there)).await;
        let mut answers = match asked {
            Ok(Ok(answers)) if answers.len() == group.len() + usize::from(waits) => answers,
            other => {
                group.iter().for_each(|job| self.pending.lost(&job.tag, job.replicas == 0));
                return match other {
                    Ok(Err(cause)) => Err(cause),
                    _ => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
                };
            }
        };
        let kept_by = if waits { answers.pop().map_or(0, |answer| number(answer.ok().as_ref())) } else { 0 };
        let (mut refused, mut damaged) = (Vec::new(), Vec::new());
        for (job, answer) in group.into_iter().zip(answers) {
            match answer {
                Ok(answer) => {
                    let is_safe = u64::from(job.replicas) <= kept_by;
                    self.tell(job, &outcome(&answer), is_safe);
                }
                Err(cause) => match Trouble::of(&cause) {
                    Trouble::NotNow(why) => refused.push((job, why)),
                    Trouble::Damaged(why) => damaged.push((job, why)),
                    trouble => self.pending.failed(&job.tag, trouble.told()),
                },
            }
        }
        for (job, why) in damaged {
            let why = self.junk_of(&job, there).await.unwrap_or(why);
            self.pending.failed(&job.tag, faults::damaged(PLACE, why));
        }
        Ok(refused)
    }

    /// Which key of a write another program made something else.
    async fn junk_of(&self, job: &Job, there: &mut MultiplexedConnection) -> Option<String> {
        let names = Names::new(&self.nodes.settings.prefix, self.nodes.settings.partitions);
        let account = value::account_text(job.keys.first()?.partition.as_ref());
        let mut keys = junk::of_partition(&names, names.partition(account));
        let mut kinds = HashSet::new();
        let of_kinds = job.keys.iter().filter(|key| kinds.insert(key.kind));
        keys.extend(of_kinds.flat_map(|key| junk::of_records(&names, account, key.kind)));
        junk::find(&keys, there).await
    }

    fn tell(&self, mut job: Job, outcome: &Outcome, is_safe: bool) {
        let failed = |cause| self.pending.failed(&job.tag, cause);
        match outcome {
            Outcome::Done(sequence, revision) if is_safe => self.pending.is_durable(&job.tag, *sequence, *revision),
            Outcome::Done(..) => failed(Error::Unknown {
                cause: "it is written, and too few replicas of Redis have it: a failover may undo it".into(),
            }),
            Outcome::Conflict(at) if *at < job.keys.len() => {
                let key = job.keys.swap_remove(*at);
                self.pending.failed(&job.tag, Error::Conflict { key });
            }
            Outcome::Foreign => failed(super::foreign()),
            Outcome::Conflict(_) | Outcome::Senseless => {
                failed(Error::Unknown { cause: "the answer of Redis makes no sense".into() });
            }
        }
    }
}

/// What the script answered.
fn outcome(answer: &Value) -> Outcome {
    let Value::Array(parts) = answer else { return Outcome::Senseless };
    match (&parts[..], number(parts.get(1))) {
        ([Value::Int(-2)], _) => Outcome::Foreign,
        // Lua counts from 1.
        ([Value::Int(-1), _], at) => {
            usize::try_from(at).map_or(Outcome::Senseless, |at| Outcome::Conflict(at.wrapping_sub(1)))
        }
        ([Value::Int(sequence), _], revision) => {
            u64::try_from(*sequence).map_or(Outcome::Senseless, |sequence| Outcome::Done(sequence, Revision(revision)))
        }
        _ => Outcome::Senseless,
    }
}

fn number(value: Option<&Value>) -> u64 {
    match value {
        Some(Value::Int(number)) => u64::try_from(*number).unwrap_or_default(),
        _ => 0,
    }
}
