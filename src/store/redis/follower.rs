//! The follower of a partition: reads its stream, checks that nothing is missing, and tells the observer.
//!
//! Entries are numbered without gaps, each names the random tag of the one before it, and the revisions of an account follow one
//! another. So a stream that was cut, a Redis that was emptied or set back or mixed lost commits with others, and a failover
//! that lost commits are all noticed, and everything is read anew. A key of the partition that another program made something
//! else is told, and waited for; so is an entry that no commit wrote, or half of one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{RedisResult, Value, cmd};
use tokio::sync::{mpsc, watch};
use tracing::{error, info, warn};

use super::super::{Observer, Resync, Revision, faults};
use super::amount::{Amount, Amounts};
use super::entry::{Entry, Raw, entry};
use super::head::{self, Head, Position};
use super::node::{self, Nodes};
use super::pending::Pending;
use super::trouble::{PLACE, Trouble};
use super::{junk, keys::Names, value};

/// For so long Redis waits for an entry before it answers that there is none.
const BLOCK: Duration = Duration::from_millis(500);
/// After so much more a connection is given up.
const SILENCE_MAX: Duration = Duration::from_secs(2);
/// Most entries of one answer.
pub(super) const ENTRIES_MAX: usize = 256;
/// Time between two attempts to reach Redis.
const PAUSE: Duration = Duration::from_millis(100);
/// Time between two attempts where Redis is of another generation: only an operator can help.
const FOREIGN_PAUSE: Duration = Duration::from_secs(5);

/// How a follower stands.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    /// Everything up to here was told.
    pub(super) position: Position,
    /// When it was last known that nothing is behind the position.
    pub(super) current_at: Instant,
    /// What keeps it from following; `None` where nothing does.
    pub(super) trouble: Option<String>,
    /// Since when attempts end without an answer; `None` where the last one had one.
    pub(super) silent_since: Option<Instant>,
    /// How often everything was read anew.
    pub(super) resyncs: u64,
}

/// Tells `observer` of everything behind a position; of everything from now on where there is none.
#[derive(Debug)]
pub(super) struct Follow {
    pub(super) from: Option<Position>,
    pub(super) observer: Arc<dyn Observer>,
}

/// The follower.
#[derive(Debug)]
pub(super) struct Follower {
    pub(super) nodes: Arc<Nodes>,
    pub(super) names: Names,
    pub(super) partition: u16,
    pub(super) slot: u16,
    pub(super) generation: String,
    pub(super) pending: Arc<Pending>,
    pub(super) progress: watch::Sender<Progress>,
    pub(super) observer: Option<Arc<dyn Observer>>,
    /// Entries that one answer may have.
    pub(super) entries: Amount,
    /// Records that one may have where everything is read anew.
    pub(super) records: Amounts,
    /// The last revision of each account, as far as it is known from what was told.
    pub(super) told: Mutex<HashMap<String, Revision>>,
}

/// Why following stopped.
pub(super) enum Stop {
    /// The connection failed.
    Lost(String),
    /// Entries are missing.
    Gap(&'static str),
    /// The stream holds what no waymark wrote, or not this one: reading everything anew passes over it, and the next one stops it again.
    Alien(&'static str),
    /// What was told is not what stands there: commits were lost.
    Forked(&'static str),
    /// Redis is of another generation.
    Foreign,
    /// A key of the partition is not what waymark makes it.
    Damaged(String),
}

impl From<redis::RedisError> for Stop {
    fn from(cause: redis::RedisError) -> Self {
        match Trouble::of(&cause) {
            Trouble::Damaged(why) => Self::Damaged(why),
            _ => Self::Lost(cause.to_string()),
        }
    }
}

impl Follower {
    /// Follows until the store ends, whose end of `orders` closes then.
    pub(super) async fn run(mut self, mut orders: mpsc::Receiver<Follow>) {
        let mut pause = Duration::ZERO;
        loop {
            let order = tokio::select! {
                order = orders.recv() => Some(order),
                pause_next = self.follow(pause) => {
                    pause = pause_next;
                    None
                }
            };
            match order {
                None => {}
                Some(None) => return,
                Some(Some(Follow { from, observer })) => {
                    self.observer = Some(observer);
                    self.told.get_mut().clear();
                    if let Some(position) = from {
                        self.progress.send_modify(|progress| progress.position = position);
                    }
                    pause = Duration::ZERO;
                }
            }
        }
    }

    /// Follows until something is in the way; how long to pause before the next attempt.
    async fn follow(&self, pause: Duration) -> Duration {
        tokio::time::sleep(pause).await;
        // Whether this connection showed that what was told is a part of what is there.
        let mut continues = false;
        let connected = self.nodes.connect(self.slot, Some(BLOCK + SILENCE_MAX)).await;
        if connected.is_ok() {
            // It may be another node, or started anew with other settings.
            self.nodes.safety.look_soon();
        }
        let stop = match connected {
            Ok(mut connection) => {
                let stop = match self.read_on(&mut connection, &mut continues).await {
                    Err(stop @ (Stop::Gap(why) | Stop::Forked(why) | Stop::Alien(why))) => {
                        continues &= !matches!(stop, Stop::Forked(_));
                        warn!(partition = self.partition, why, "reading everything of a partition of Redis anew");
                        if matches!(stop, Stop::Forked(_)) {
                            self.pending.are_in_doubt();
                        }
                        let failed = self.resync(&mut connection, continues).await.err();
                        failed.or(matches!(stop, Stop::Alien(_)).then_some(stop))
                    }
                    Err(stop) => Some(stop),
                    Ok(()) => None,
                };
                match stop {
                    Some(Stop::Damaged(why)) => {
                        let keys = junk::of_partition(&self.names, self.partition);
                        Some(Stop::Damaged(junk::find(&keys, &mut connection).await.unwrap_or(why)))
                    }
                    stop => stop,
                }
            }
            Err(cause) => Some(Stop::Lost(cause.to_string())),
        };
        self.pause_after(stop)
    }

    /// How long to pause before the next attempt, and what is said meanwhile.
    fn pause_after(&self, stop: Option<Stop>) -> Duration {
        match stop {
            None => Duration::ZERO,
            Some(Stop::Alien(why)) => {
                let stream = self.names.stream(self.partition);
                error!(
                    stream,
                    why,
                    "the stream is not as waymark writes it: take the entry away with XDEL and set the last id with XSETID"
                );
                self.progress.send_modify(|progress| progress.trouble = Some(why.to_owned()));
                FOREIGN_PAUSE
            }
            Some(Stop::Foreign) => {
                let why = "Redis was emptied, or holds another deployment's data: restore it";
                error!(partition = self.partition, "{why}");
                self.progress.send_modify(|progress| progress.trouble = Some(why.to_owned()));
                FOREIGN_PAUSE
            }
            Some(Stop::Damaged(why)) => {
                faults::damaged(PLACE, why.clone());
                self.progress.send_modify(|progress| progress.trouble = Some(why));
                FOREIGN_PAUSE
            }
            Some(Stop::Gap(why) | Stop::Forked(why)) => self.pause_for(why),
            Some(Stop::Lost(why)) => {
                self.progress.send_modify(|progress| {
                    progress.silent_since.get_or_insert_with(Instant::now);
                });
                self.pause_for(&why)
            }
        }
    }

    fn pause_for(&self, why: &str) -> Duration {
        let is_news = self.progress.send_if_modified(|progress| progress.trouble.replace(why.to_owned()).is_none());
        if is_news {
            warn!(partition = self.partition, why, "Redis is not followed");
        }
        PAUSE
    }

    /// Reads entries until something is in the way. `Ok` never comes.
    async fn read_on(&self, connection: &mut MultiplexedConnection, continues: &mut bool) -> Result<(), Stop> {
        // What was missed while nobody followed is noticed before anything is said to be current; and so is a stream that is none.
        let at = self.progress.borrow().position.clone();
        let is_more_there = self.is_next_there(&at, connection).await?;
        *continues = self.check(connection).await?;
        if is_more_there && *continues {
            // It would be told, and taken back by the next check, without end.
            return Err(Stop::Alien("the stream goes on behind the last commit, which no waymark wrote"));
        }
        loop {
            let (entries, is_all) = self.read(connection).await?;
            if entries.is_empty() {
                *continues |= self.check(connection).await?;
                continue;
            }
            for entry in entries {
                self.tell(&entry.ok_or(Stop::Alien("the stream holds what no waymark wrote"))?)?;
                *continues = true;
            }
            if is_all {
                self.is_current();
            }
        }
    }

    /// The next entries, and whether there are no others behind them.
    async fn read(&self, connection: &mut MultiplexedConnection) -> RedisResult<(Vec<Option<Entry>>, bool)> {
        let (asked, begun) = (self.entries.get(), Instant::now());
        let last = format!("{}-0", self.progress.borrow().position.sequence);
        let mut read = cmd("XREAD");
        read.arg("COUNT").arg(asked).arg("BLOCK").arg(u64::try_from(BLOCK.as_millis()).unwrap_or(u64::MAX));
        read.arg("STREAMS").arg(self.names.stream(self.partition)).arg(last);
        let answer: RedisResult<Option<Vec<(String, Raw)>>> = read.query_async(connection).await;
        let streams = answer.inspect_err(|cause| self.entries.failed(asked, cause))?;
        let entries = streams.into_iter().flatten().flat_map(|(_, entries)| entries);
        let entries: Vec<Option<Entry>> = entries.map(|(id, fields)| entry(&id, fields)).collect();
        let is_all = entries.len() < asked;
        if !is_all {
            self.entries.came(asked, begun.elapsed());
        }
        Ok((entries, is_all))
    }

    /// Where the partition stands, if the node is still a master: one that was demoted answers as well.
    async fn head(&self, connection: &mut MultiplexedConnection) -> Result<Option<Head>, Stop> {
        let mut ask = redis::pipe();
        ask.cmd("ROLE").add_command(head::call(&self.names, self.partition));
        let (role, told): (Vec<Value>, head::Told) = ask.query_async(connection).await?;
        node::demand_master(&role)?;
        self.progress.send_if_modified(|progress| progress.silent_since.take().is_some());
        head::of(&self.names, self.partition, told).map_err(Stop::Damaged)
    }

    /// Whether the partition stands where this follower does, or the entry behind that is there.
    async fn check(&self, connection: &mut MultiplexedConnection) -> Result<bool, Stop> {
        let there = self.head(connection).await?;
        let Some(Head { generation, position, .. }) = there else { return Err(Stop::Foreign) };
        if generation != self.generation {
            return Err(Stop::Foreign);
        }
        let at = self.progress.borrow().position.clone();
        if at == position {
            self.is_current();
            return Ok(true);
        }
        if position.sequence < at.sequence {
            return Err(Stop::Forked("Redis was set back"));
        } else if position.sequence == at.sequence {
            return Err(Stop::Forked("Redis lost commits and took others"));
        } else if !self.is_next_there(&at, connection).await? {
            return Err(Stop::Gap("the stream was cut before everything was read"));
        }
        Ok(false)
    }

    /// Whether the stream still has the entry behind a position.
    async fn is_next_there(&self, at: &Position, connection: &mut MultiplexedConnection) -> RedisResult<bool> {
        let next = format!("{}-0", at.sequence + 1);
        let mut range = cmd("XRANGE");
        range.arg(self.names.stream(self.partition)).arg(&next).arg(&next);
        let found: Vec<(String, Vec<Vec<u8>>)> = range.query_async(connection).await?;
        Ok(!found.is_empty())
    }

    fn is_current(&self) {
        let was_away = self.progress.send_if_modified(|progress| {
            progress.current_at = Instant::now();
            progress.trouble.take().is_some()
        });
        if was_away {
            info!(partition = self.partition, "Redis is followed again");
        }
    }

    fn tell(&self, entry: &Entry) -> Result<(), Stop> {
        let at = self.progress.borrow().position.clone();
        if entry.sequence != at.sequence + 1 {
            return Err(Stop::Gap("commits are missing in the stream"));
        }
        if entry.before != at.tag {
            return Err(Stop::Forked("Redis lost commits and took others"));
        }
        let last = self.told.lock().get(&entry.account).copied();
        if last.is_some_and(|last| last.0.checked_add(1) != Some(entry.revision.0)) {
            return Err(Stop::Forked("the revisions of an account do not follow one another"));
        }
        let mutations = value::heard(&entry.account, &entry.told);
        let mutations = mutations.ok_or(Stop::Alien("an entry of the stream cannot be read"))?;
        if let Some(observer) = &self.observer {
            observer.committed(entry.revision, &mutations);
        }
        self.told.lock().insert(entry.account.clone(), entry.revision);
        self.pending.is_seen(&entry.tag, entry.revision);
        let position = Position { sequence: entry.sequence, tag: entry.tag.clone() };
        self.progress.send_modify(|progress| progress.position = position);
        Ok(())
    }

    /// Reads everything of the partition anew, and goes on from there.
    async fn resync(&self, connection: &mut MultiplexedConnection, continues: bool) -> Result<(), Stop> {
        let begun = Instant::now();
        let there = self.head(connection).await?;
        let Some(there) = there.filter(|there| there.generation == self.generation) else { return Err(Stop::Foreign) };
        let mut records = 0;
        there.tell_strays(&self.names, self.partition);
        if let Some(observer) = &self.observer {
            let mut present = Vec::with_capacity(there.revisions.len());
            for (account, revision) in &there.revisions {
                // Where it is no number any more, nobody knows what of before is a part of what is there.
                let (continues, revision) = (continues && revision.is_some(), revision.unwrap_or_default());
                records += self.resync_account(&**observer, account, revision, continues, connection).await?;
                present.push((account.clone(), revision));
            }
            let is_here = |account: &str| self.names.partition(account) == self.partition;
            observer.resynced(Resync::Accounts { is_among: &is_here, present: &present });
        }
        self.records.all_came();
        let known = there.revisions.iter().filter_map(|(account, revision)| Some((account.clone(), (*revision)?)));
        *self.told.lock() = known.collect();
        self.pending.are_seen(there.position.sequence);
        self.progress.send_modify(|progress| {
            progress.position = there.position.clone();
            progress.resyncs += 1;
        });
        info!(
            partition = self.partition,
            records,
            seconds = begun.elapsed().as_secs_f64(),
            "a partition of Redis was read anew"
        );
        Ok(())
    }
}
