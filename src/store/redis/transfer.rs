//! Redis as one side of a migration: records as they are, in pages, into a deployment that is marked.
//!
//! The mark is the deployment's format, which no waymark knows. Each write says the generation that this attempt drew for its
//! partitions, so a second attempt that took over ends the first one.

mod look;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue, Pipeline, Script, cmd};
use tokio::sync::Mutex;

use super::super::transfer::{Looked, Partitions, Row, Transfer, moved};
use super::super::{Error, Key, Kind, Record, Revision, faults};
use super::config::Config;
use super::deployment::{self, FORMAT, UNFINISHED};
use super::head::{self, Head};
use super::keys::{self, Names};
use super::node::Nodes;
use super::pages::{self, Bounds};
use super::trouble::{PLACE, Trouble};
use super::{READ_MAX, foreign, place, random, value};
use crate::model::id::AccountId;
use crate::store::document::Document;

/// Puts records as they are, if the partition is of the attempt that asks.
///
/// Keys: the partition's head, records, index. Arguments: the generation, then ids and values in turn.
/// Answers how many; -1 in another generation.
const RESTORE_TEXT: &str = "#!lua
if redis.call('HGET', KEYS[1], 'generation') ~= ARGV[1] then return -1 end
for i = 2, #ARGV, 2 do
  redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
  redis.call('ZADD', KEYS[3], 0, ARGV[i])
end
return (#ARGV - 1) / 2
";
/// Takes the mark away, if the deployment is of the attempt that asks.
///
/// Keys: the deployment. Arguments: its id, the mark, the format. Answers 1; 0 for another deployment.
const SEAL_TEXT: &str = "#!lua
local found = redis.call('HMGET', KEYS[1], 'id', 'format')
if found[1] ~= ARGV[1] or found[2] ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'format', ARGV[3])
return 1
";
static RESTORE: LazyLock<Script> = LazyLock::new(|| Script::new(RESTORE_TEXT));
static SEAL: LazyLock<Script> = LazyLock::new(|| Script::new(SEAL_TEXT));

/// For so long a Redis that does not sync each write may keep one in memory: its documentation says two seconds at most.
const SYNC_MAX: std::time::Duration = std::time::Duration::from_secs(3);

/// A deployment in Redis that a migration reads or fills.
#[derive(Debug)]
pub struct Deployment {
    nodes: Arc<Nodes>,
    names: Names,
    /// Its id, and the generation of each partition; those of the attempt in a target.
    id: String,
    generations: Mutex<Vec<String>>,
    /// One connection for each partition, and one for the deployment's own key, by slot.
    connections: Mutex<HashMap<u16, MultiplexedConnection>>,
}

impl Deployment {
    /// Opens a deployment to read it. Refuses where there is none, and one of another format.
    pub async fn source(config: &Config) -> Result<Self, Error> {
        let opened = Self::open(config, String::new())?;
        let key = Names::deployment(&opened.nodes.settings.prefix);
        let Some((_, format, partitions)) = opened.found().await? else {
            return Err(Error::Configuration { cause: format!("there is no {key} in Redis: look at redis.prefix") });
        };
        deployment::check_format(&key, &format)?;
        deployment::check_partitions(&key, &partitions, opened.names.partitions)?;
        for partition in 0..opened.names.partitions {
            let head = opened.head(partition).await?;
            // Replicas make all of them before they serve.
            let generation = head.map(|head| head.generation).unwrap_or_default();
            opened.generations.lock().await.push(generation);
        }
        Ok(opened)
    }

    /// Opens a Redis to fill it. Refuses one that may lose what it acknowledged, as a server does.
    pub async fn target(config: &Config) -> Result<Self, Error> {
        let opened = Self::open(config, random()?)?;
        deployment::check_safety(&opened.nodes).await?;
        Ok(opened)
    }

    fn open(config: &Config, id: String) -> Result<Self, Error> {
        let nodes = Nodes::new(config.settings()?);
        let names = Names::new(&nodes.settings.prefix, nodes.settings.partitions);
        Ok(Self { nodes, names, id, generations: Mutex::default(), connections: Mutex::default() })
    }

    /// Id, format and number of partitions of the deployment that is there.
    async fn found(&self) -> Result<Option<(String, String, String)>, Error> {
        let mut call = cmd("HMGET");
        call.arg(Names::deployment(&self.nodes.settings.prefix)).arg("id").arg("format").arg("partitions");
        let found: (Option<String>, Option<String>, Option<String>) =
            self.ask(deployment::slot(&self.nodes.settings), &call).await?;
        Ok(match found {
            (None, None, None) => None,
            (id, format, partitions) => {
                Some((id.unwrap_or_default(), format.unwrap_or_default(), partitions.unwrap_or_default()))
            }
        })
    }

    /// A migration that meets an outage ends, and is started again: nothing is asked twice.
    async fn connection(&self, slot: u16) -> Result<MultiplexedConnection, Error> {
        let mut connections = self.connections.lock().await;
        if let Some(connection) = connections.get(&slot) {
            return Ok(connection.clone());
        }
        let told = |cause| Trouble::of_read(&cause);
        let mut made = self.nodes.connect(slot, Some(READ_MAX)).await.map_err(told)?;
        let mut load = redis::pipe();
        for text in [RESTORE_TEXT, SEAL_TEXT] {
            load.cmd("SCRIPT").arg("LOAD").arg(text).ignore();
        }
        load.query_async::<()>(&mut made).await.map_err(told)?;
        connections.insert(slot, made.clone());
        Ok(made)
    }

    async fn ask<T: FromRedisValue>(&self, slot: u16, call: &Cmd) -> Result<T, Error> {
        let mut connection = self.connection(slot).await?;
        call.query_async(&mut connection).await.map_err(|cause| Trouble::of_read(&cause))
    }

    async fn ask_all<T: FromRedisValue>(&self, slot: u16, calls: &Pipeline) -> Result<T, Error> {
        let mut connection = self.connection(slot).await?;
        calls.query_async(&mut connection).await.map_err(|cause| Trouble::of_read(&cause))
    }

    fn slot(&self, partition: u16) -> u16 {
        keys::slot(&self.names.head(partition))
    }

    async fn head(&self, partition: u16) -> Result<Option<Head>, Error> {
        let told = self.ask(self.slot(partition), &head::call(&self.names, partition)).await?;
        head::of(&self.names, partition, told).map_err(|why| faults::damaged(PLACE, why))
    }

    async fn generation(&self, partition: u16) -> Result<String, Error> {
        self.generations.lock().await.get(usize::from(partition)).cloned().ok_or_else(foreign)
    }

    fn corrupt(&self, kind: Kind, id: &str) -> Error {
        Error::Corrupt { kind, id: id.to_owned(), path: place(&self.nodes.settings.prefix) }
    }

    /// Marks the deployment as this attempt's; the number of partitions of an attempt that did not end, if there was one.
    async fn mark(&self) -> Result<Option<u16>, Error> {
        let key = Names::deployment(&self.nodes.settings.prefix);
        let refuse = || Error::Configuration {
            cause: format!("Redis holds {key}: choose another redis.prefix, or take its keys away"),
        };
        let before = match self.found().await? {
            None => None,
            Some((_, format, partitions)) if format == UNFINISHED => Some(partitions.parse().unwrap_or_default()),
            Some(_) => return Err(refuse()),
        };
        let mut mark = redis::pipe();
        // A server that came in between has its own format there.
        mark.atomic().cmd("HSETNX").arg(&key).arg("format").arg(UNFINISHED).ignore();
        mark.cmd("HGET").arg(&key).arg("format");
        let (format,): (String,) = self.ask_all(deployment::slot(&self.nodes.settings), &mark).await?;
        if format != UNFINISHED {
            return Err(refuse());
        }
        Ok(before)
    }

    /// Takes away what another attempt, or nobody in particular, left in a partition of `names`.
    async fn clear(&self, names: &Names, partition: u16) -> Result<(), Error> {
        let slot = keys::slot(&names.head(partition));
        let told: Vec<Vec<u8>> = self.ask(slot, cmd("HKEYS").arg(names.revisions(partition))).await?;
        for account in told.iter().filter_map(|account| std::str::from_utf8(account).ok()) {
            let mut away = cmd("UNLINK");
            for kind in Kind::ALL {
                away.arg(names.records(account, kind)).arg(names.index(account, kind));
            }
            self.ask::<u64>(slot, &away).await?;
        }
        let mut away = cmd("UNLINK");
        away.arg(names.head(partition)).arg(names.revisions(partition)).arg(names.stream(partition));
        self.ask::<u64>(slot, &away).await.map(drop)
    }

    /// Waits until as many replicas of Redis have everything as are asked for.
    async fn wait(&self, slot: u16) -> Result<(), Error> {
        let settings = &self.nodes.settings;
        if settings.wait_replicas == 0 {
            return Ok(());
        }
        let mut wait = cmd("WAIT");
        wait.arg(settings.wait_replicas).arg(u64::try_from(settings.wait.as_millis()).unwrap_or(u64::MAX));
        let kept_by: u32 = self.ask(slot, &wait).await?;
        if kept_by < settings.wait_replicas {
            let cause = format!("{kept_by} replicas of Redis have what was written: redis.wait_replicas asks for more");
            return Err(Error::Unavailable { cause });
        }
        Ok(())
    }
}

/// Revision, document's bytes and document of a row that is what was written.
fn whole(account: &str, kind: Kind, row: &pages::Row) -> Option<(Revision, Vec<u8>, Document)> {
    let parts = value::parts(account, kind, row.id.as_bytes(), row.value.as_deref()?)?;
    let document = Document::decode(kind, parts.document).ok()?;
    Some((parts.revision, parts.document.to_vec(), document))
}

#[async_trait]
impl Transfer for Deployment {
    async fn partitions(&self) -> Result<Partitions, Error> {
        let mut all = Partitions::new();
        for partition in 0..self.names.partitions {
            let Some(head) = self.head(partition).await? else { continue };
            if head.generation != self.generation(partition).await? {
                return Err(foreign());
            }
            // It is not ours to leave out what no waymark wrote: whose it was, nobody knows.
            let stray = head.strays.into_iter().map(|account| (account, None));
            for (account, revision) in head.revisions.into_iter().chain(stray) {
                let named = value::partition_of(&account).ok().zip(revision);
                let (named, revision) = named.ok_or_else(|| self.corrupt(Kind::Account, &account))?;
                all.insert(named, revision);
            }
        }
        Ok(all)
    }

    async fn count(&self) -> Result<u64, Error> {
        let mut count = 0;
        for partition in self.partitions().await?.into_keys() {
            let account = value::account_text(partition.as_ref());
            let mut lengths = redis::pipe();
            for kind in moved() {
                lengths.cmd("HLEN").arg(self.names.records(account, kind));
            }
            let lengths: Vec<u64> = self.ask_all(self.slot(self.names.partition(account)), &lengths).await?;
            count += lengths.into_iter().sum::<u64>();
        }
        Ok(count)
    }

    async fn page(&self, partition: Option<&AccountId>, kind: Kind, after: Option<&str>) -> Result<Vec<Row>, Error> {
        let account = value::account_text(partition);
        let number = self.names.partition(account);
        let generation = self.generation(number).await?;
        let call = pages::call(&self.names, &generation, account, kind, &Bounds::behind(after.map(str::as_bytes)));
        let page = pages::page(self.ask(self.slot(number), &call).await?).map_err(|cause| Trouble::of_read(&cause))?;
        let (rows, strays) = page.parted(account, kind, &place(&self.nodes.settings.prefix));
        if let Some(stray) = strays.into_iter().next() {
            return Err(stray.into());
        }
        let rows = rows.into_iter().map(|row| {
            let (revision, bytes, document) = whole(account, kind, &row).ok_or_else(|| self.corrupt(kind, &row.id))?;
            let key = Key { partition: partition.cloned(), kind, id: row.id };
            Ok(Row { record: Record { key, revision, document }, bytes })
        });
        rows.collect()
    }

    async fn look(&self, partition: Option<&AccountId>, kind: Kind) -> Result<Looked, Error> {
        self.look_at(partition, kind).await
    }

    async fn begin(&self, partitions: &Partitions) -> Result<(), Error> {
        let before = self.mark().await?;
        let former = Names::new(&self.nodes.settings.prefix, before.unwrap_or(self.names.partitions));
        for partition in 0..former.partitions {
            if before.is_none() && self.head(partition).await?.is_some() {
                let head = self.names.head(partition);
                return Err(Error::Configuration {
                    cause: format!("Redis holds {head} of another deployment: choose another redis.prefix"),
                });
            }
            self.clear(&former, partition).await?;
        }
        let mut own = cmd("HSET");
        own.arg(Names::deployment(&self.nodes.settings.prefix)).arg("id").arg(&self.id);
        own.arg("partitions").arg(self.names.partitions);
        self.ask::<u64>(deployment::slot(&self.nodes.settings), &own).await?;
        let mut generations = Vec::with_capacity(self.names.partitions.into());
        for partition in 0..self.names.partitions {
            let head = self.names.head(partition);
            let mut make = redis::pipe();
            let generation = random()?;
            make.atomic();
            make.cmd("HSET").arg(&head).arg("generation").arg(&generation).arg("sequence").arg(0).arg("tag").arg("");
            for (account, revision) in partitions {
                let account = value::account_text(account.as_ref());
                if self.names.partition(account) == partition {
                    make.cmd("HSET").arg(self.names.revisions(partition)).arg(account).arg(revision.0);
                }
            }
            self.ask_all::<()>(self.slot(partition), make.ignore()).await?;
            generations.push(generation);
        }
        *self.generations.lock().await = generations;
        Ok(())
    }

    async fn put(&self, rows: &[Row]) -> Result<(), Error> {
        let Some(Row { record: Record { key, .. }, .. }) = rows.first() else { return Ok(()) };
        let account = value::account_text(key.partition.as_ref());
        let number = self.names.partition(account);
        let mut call = cmd("EVALSHA");
        call.arg(RESTORE.get_hash()).arg(3).arg(self.names.head(number));
        call.arg(self.names.records(account, key.kind)).arg(self.names.index(account, key.kind));
        call.arg(self.generation(number).await?);
        for Row { record, bytes } in rows {
            let mut stored = record.revision.0.to_be_bytes().to_vec();
            stored.extend(value::of_bytes(&record.key, &record.document, bytes));
            call.arg(&record.key.id).arg(stored);
        }
        if self.ask::<i64>(self.slot(number), &call).await? < 0 {
            return Err(foreign());
        }
        Ok(())
    }

    async fn seal(&self) -> Result<(), Error> {
        for partition in 0..self.names.partitions {
            self.wait(self.slot(partition)).await?;
        }
        let mut syncs = true;
        for mut master in self.nodes.masters().await.map_err(|cause| Trouble::of_read(&cause))? {
            syncs &= deployment::syncs_each_write(&mut master).await;
        }
        if !syncs {
            // The mark must not be gone from one node's disk while records are not on another's.
            tokio::time::sleep(SYNC_MAX).await;
        }
        let slot = deployment::slot(&self.nodes.settings);
        let mut seal = cmd("EVALSHA");
        seal.arg(SEAL.get_hash()).arg(1).arg(Names::deployment(&self.nodes.settings.prefix));
        seal.arg(&self.id).arg(UNFINISHED).arg(FORMAT);
        if self.ask::<u64>(slot, &seal).await? == 0 {
            return Err(foreign());
        }
        self.wait(slot).await
    }
}
