//! Which node holds a partition, and a connection to it: one Redis, whom the Sentinels name, or a cluster's node for the slot.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ErrorKind, RedisError, RedisResult, Value, cmd, from_redis_value};

use super::config::{Address, Mode, Settings};
use super::safety::Safety;
use super::script;

/// After so long a connection counts as refused.
const CONNECT_MAX: Duration = Duration::from_secs(1);

/// The way to all nodes.
#[derive(Debug)]
pub(super) struct Nodes {
    pub(super) settings: Settings,
    /// Whether they keep what they acknowledge.
    pub(super) safety: Safety,
    /// Nodes of the cluster that were seen last: the first ones to ask who holds what. Seeds may be gone for long.
    seen: parking_lot::Mutex<Vec<Address>>,
    /// How often it was asked who holds what.
    turn: AtomicUsize,
}

impl Nodes {
    pub(super) fn new(settings: Settings) -> Arc<Self> {
        let safety = Safety::new(settings.allow_data_loss);
        Arc::new(Self { settings, safety, seen: parking_lot::Mutex::default(), turn: AtomicUsize::new(0) })
    }

    /// A new connection to the master that holds `slot`, with all scripts in place. Without `answer_max` answers may take
    /// as long as they like.
    pub(super) async fn connect(&self, slot: u16, answer_max: Option<Duration>) -> RedisResult<MultiplexedConnection> {
        let mut connection = match self.settings.mode {
            Mode::Sentinel => self.named_by_sentinels(answer_max).await?,
            Mode::Single => self.open_master(&self.single()?, answer_max).await?,
            Mode::Cluster => self.open(&self.holder(slot).await?, answer_max, false).await?,
        };
        let mut load = redis::pipe();
        for text in script::TEXTS {
            load.cmd("SCRIPT").arg("LOAD").arg(text).ignore();
        }
        load.query_async::<()>(&mut connection).await?;
        Ok(connection)
    }

    /// All masters, each once.
    pub(super) async fn masters(&self) -> RedisResult<Vec<MultiplexedConnection>> {
        let addresses = match self.settings.mode {
            Mode::Sentinel => return Ok(vec![self.named_by_sentinels(Some(CONNECT_MAX)).await?]),
            Mode::Single => vec![self.single()?],
            Mode::Cluster => {
                let mut all: Vec<Address> = self.cluster().await?.into_iter().map(|(_, _, address)| address).collect();
                all.sort();
                all.dedup();
                all
            }
        };
        let mut masters = Vec::with_capacity(addresses.len());
        for address in &addresses {
            masters.push(self.open(address, Some(CONNECT_MAX), false).await?);
        }
        Ok(masters)
    }

    async fn open(
        &self,
        address: &Address,
        answer_max: Option<Duration>,
        as_sentinel: bool,
    ) -> RedisResult<MultiplexedConnection> {
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT_MAX)).set_response_timeout(answer_max);
        self.settings.client(address, as_sentinel)?.get_multiplexed_async_connection_with_config(&config).await
    }

    /// A connection to a node that says that it is a master.
    async fn open_master(&self, address: &Address, answer_max: Option<Duration>) -> RedisResult<MultiplexedConnection> {
        let mut connection = self.open(address, answer_max, false).await?;
        let role: Vec<Value> = cmd("ROLE").query_async(&mut connection).await?;
        demand_master(&role).map(|()| connection)
    }

    /// The replicas that a master names.
    pub(super) async fn named_by(&self, master: &mut MultiplexedConnection) -> RedisResult<Vec<Address>> {
        let role: Vec<Value> = cmd("ROLE").query_async(master).await?;
        let Some(Value::Array(named)) = role.get(2) else { return Ok(Vec::new()) };
        let named = named.iter().map(|replica| {
            let (host, port, _): (String, u16, String) = from_redis_value(replica.clone())?;
            Ok((host, port))
        });
        named.collect()
    }

    /// A connection to each replica that a master names.
    pub(super) async fn replicas_of(
        &self,
        master: &mut MultiplexedConnection,
    ) -> RedisResult<Vec<MultiplexedConnection>> {
        let mut replicas = Vec::new();
        for replica in self.named_by(master).await? {
            replicas.push(self.open_replica(&replica).await?);
        }
        Ok(replicas)
    }

    /// A connection to a node that copies a master.
    pub(super) async fn open_replica(&self, address: &Address) -> RedisResult<MultiplexedConnection> {
        self.open(address, Some(CONNECT_MAX), false).await
    }

    fn single(&self) -> RedisResult<Address> {
        self.settings.nodes.first().cloned().ok_or_else(nobody)
    }

    async fn holder(&self, slot: u16) -> RedisResult<Address> {
        let slots = self.cluster().await?;
        let holder = slots.into_iter().find(|(first, last, _)| (*first..=*last).contains(&slot));
        holder.map(|(_, _, address)| address).ok_or_else(nobody)
    }

    /// A connection to the first that a Sentinel names and that is master: one that is cut off from the others may name one
    /// that was.
    async fn named_by_sentinels(&self, answer_max: Option<Duration>) -> RedisResult<MultiplexedConnection> {
        let mut last = nobody();
        for sentinel in &self.settings.nodes {
            let named = match self.ask_sentinel(sentinel).await {
                Ok(Some(address)) => self.open_master(&address, answer_max).await,
                Ok(None) => continue,
                Err(cause) => Err(cause),
            };
            match named {
                Ok(connection) => return Ok(connection),
                Err(cause) => last = cause,
            }
        }
        Err(last)
    }

    async fn ask_sentinel(&self, sentinel: &Address) -> RedisResult<Option<Address>> {
        let mut connection = self.open(sentinel, Some(CONNECT_MAX), true).await?;
        let mut ask = cmd("SENTINEL");
        ask.arg("get-master-addr-by-name").arg(&self.settings.master_name);
        let named: Option<(String, u16)> = ask.query_async(&mut connection).await?;
        Ok(named)
    }

    /// First slot, last slot and master of each range of a cluster.
    async fn cluster(&self) -> RedisResult<Vec<(u16, u16, Address)>> {
        let mut asked = self.seen.lock().clone();
        // Another one first each time: one that is cut off from the others goes on telling what was.
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % asked.len().max(1);
        asked.rotate_left(turn);
        asked.extend(self.settings.nodes.iter().cloned());
        let mut last = nobody();
        for node in &asked {
            match self.ask_cluster(node).await {
                Ok(slots) if !slots.is_empty() => {
                    let mut seen: Vec<Address> = slots.iter().map(|(_, _, address)| address.clone()).collect();
                    seen.sort();
                    seen.dedup();
                    *self.seen.lock() = seen;
                    return Ok(slots);
                }
                Ok(_) => {}
                Err(cause) => last = cause,
            }
        }
        Err(last)
    }

    async fn ask_cluster(&self, node: &Address) -> RedisResult<Vec<(u16, u16, Address)>> {
        let mut connection = self.open(node, Some(CONNECT_MAX), false).await?;
        let ranges: Vec<Vec<Value>> = cmd("CLUSTER").arg("SLOTS").query_async(&mut connection).await?;
        let mut found = Vec::with_capacity(ranges.len());
        for range in ranges {
            let [Value::Int(first), Value::Int(last), Value::Array(master), ..] = &range[..] else { continue };
            let [host, Value::Int(port), ..] = &master[..] else { continue };
            // A node that does not know its own name is the one that was asked.
            let host = match host {
                Value::BulkString(host) if !host.is_empty() => String::from_utf8_lossy(host).into_owned(),
                _ => node.0.clone(),
            };
            let numbers = (u16::try_from(*first), u16::try_from(*last), u16::try_from(*port));
            if let (Ok(first), Ok(last), Ok(port)) = numbers {
                found.push((first, last, (host, port)));
            }
        }
        Ok(found)
    }
}

/// Refuses what `ROLE` says of a node that is no master.
pub(super) fn demand_master(role: &[Value]) -> RedisResult<()> {
    match role.first() {
        Some(Value::BulkString(role)) if role == b"master" => Ok(()),
        _ => Err(RedisError::from((ErrorKind::Client, "the node is no master any more"))),
    }
}

fn nobody() -> RedisError {
    RedisError::from((ErrorKind::Client, "no node says who holds the data"))
}
