//! A real cluster of three masters and their replicas: it loses a master, and slots move, while two replicas of the store write.

use std::process::Command;
use std::sync::Arc;

use redis::Value;

use super::load::{Load, agree, tally};
use super::memory::{Replica, replica, until};
use super::server::{SAFE, Server, free_port};
use crate::store::redis::config::{Config, Mode};
use crate::store::redis::keys::{self, Names};

const MASTERS: usize = 3;
const NODES: usize = 2 * MASTERS;
const PARTITIONS: u16 = 16;
const PREFIX: &str = "cluster";

/// First slot, last slot and port of the master of a range.
type Holder = (u16, u16, u16);

struct Cluster {
    nodes: Vec<Server>,
}

impl Cluster {
    fn start() -> Self {
        let node = |_| {
            let bus = free_port().to_string();
            let own = ["--cluster-enabled", "yes", "--cluster-port", &bus, "--cluster-node-timeout", "1500"];
            // Slots whose master is there are served while others have none.
            let goes_on = ["--cluster-require-full-coverage", "no", "--min-replicas-to-write", "1"];
            Server::start_with(&[&SAFE[..], &own, &goes_on, &["--repl-diskless-sync-delay", "0"]].concat())
        };
        let nodes: Vec<Server> = (0..NODES).map(node).collect();
        let addresses = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port));
        let create = ["create".to_owned()].into_iter().chain(addresses);
        manage(&[&create.collect::<Vec<_>>()[..], &["--cluster-replicas".into(), "1".into()]].concat());
        let cluster = Self { nodes };
        cluster.wait();
        cluster
    }

    /// Waits until all nodes agree that each slot has a master, and that each master has its replica.
    fn wait(&self) {
        let begun = std::time::Instant::now();
        let is_whole = |node: &Server| {
            let cluster: String = node.run(&["CLUSTER", "INFO"]).unwrap();
            let role: Vec<Value> = node.run(&["ROLE"]).unwrap();
            let is_joined = match &role[..] {
                [_, _, Value::Array(replicas)] => !replicas.is_empty(),
                [_, _, _, Value::BulkString(link), _] => link == b"connected",
                _ => false,
            };
            cluster.contains("cluster_state:ok") && cluster.contains("cluster_slots_fail:0") && is_joined
        };
        while !self.nodes.iter().all(is_whole) {
            assert!(begun.elapsed() < super::server::PATIENCE, "the cluster does not come together");
            std::thread::yield_now();
        }
    }

    fn config(&self) -> Config {
        Config {
            nodes: self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect(),
            mode: Mode::Cluster,
            partitions: PARTITIONS,
            wait_replicas: 1,
            ..self.nodes[0].config(PREFIX)
        }
    }

    /// The ranges, as the node says that stands at `at`.
    fn holders(&self, at: usize) -> Vec<Holder> {
        let told: Vec<Vec<Value>> = self.nodes[at].run(&["CLUSTER", "SLOTS"]).unwrap();
        let number = |value: &Value| redis::from_redis_value::<u16>(value.clone()).unwrap();
        let holder = |range: Vec<Value>| match &range[..] {
            [first, last, Value::Array(master), ..] => (number(first), number(last), number(&master[1])),
            other => panic!("{other:?}"),
        };
        told.into_iter().map(holder).collect()
    }

    fn at(&self, port: u16) -> usize {
        self.nodes.iter().position(|node| node.port == port).unwrap()
    }

    fn id(&self, port: u16) -> String {
        self.nodes[self.at(port)].run(&["CLUSTER", "MYID"]).unwrap()
    }

    /// How often the nodes that live answered with an error of this name.
    fn errors(&self, name: &str) -> u64 {
        let of = |node: &Server| {
            let told: String = node.run(&["INFO", "errorstats"]).unwrap();
            let count = told.lines().find_map(|line| line.strip_prefix(&format!("errorstat_{name}:count=")));
            count.map_or(0, |count| count.trim().parse().unwrap())
        };
        self.nodes.iter().map(of).sum()
    }
}

fn manage(arguments: &[String]) {
    let done = Command::new("redis-cli").arg("--cluster").args(arguments).arg("--cluster-yes").output();
    let done = done.expect("redis-cli is there: scripts/install-tools test");
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stdout));
}

fn slot_of(account: &str) -> u16 {
    let names = Names::new(PREFIX, PARTITIONS);
    keys::slot(&names.head(names.partition(account)))
}

fn holder_of(slot: u16, holders: &[Holder]) -> u16 {
    holders.iter().find(|(first, last, _)| (*first..=*last).contains(&slot)).map(|(_, _, port)| *port).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_loses_a_master_and_moves_slots_under_load() {
    let mut cluster = Cluster::start();
    let replicas = [replica(&cluster.config()).await, replica(&cluster.config()).await];
    let accounts: Vec<String> = (0..24).map(|number| format!("account{number}")).collect();
    let holders = cluster.holders(0);
    let used: std::collections::BTreeSet<u16> =
        accounts.iter().map(|account| holder_of(slot_of(account), &holders)).collect();
    assert_eq!(used.len(), MASTERS, "the accounts are not spread over the masters");
    loses_a_master(&mut cluster, &replicas, &accounts).await;
    is_resharded(&cluster, &replicas, &accounts).await;
    moves_a_slot_slowly(&cluster, &replicas, &accounts).await;
    let memories = [&*replicas[0].1, &*replicas[1].1];
    agree(&replicas[0].0, &accounts, &memories).await;
    assert_eq!(
        memories.map(|memory| *memory.resyncs.lock()),
        [0, 0],
        "what was acknowledged was lost, or a stream was cut"
    );
}

fn stores(replicas: &[Replica]) -> Vec<Arc<super::Redis>> {
    replicas.iter().map(|(store, _)| Arc::clone(store)).collect()
}

async fn loses_a_master(cluster: &mut Cluster, replicas: &[Replica], accounts: &[String]) {
    let holders = cluster.holders(0);
    let dead = holder_of(slot_of(&accounts[0]), &holders);
    let (struck, spared): (Vec<String>, Vec<String>) =
        accounts.iter().cloned().partition(|account| holder_of(slot_of(account), &holders) == dead);
    let (away, going) = (Load::begin(&stores(replicas), 2, &struck), Load::begin(&stores(replicas), 2, &spared));
    away.goes_on("nothing is written", 5, |_| true).await;
    let (number, observer) = (cluster.at(dead), usize::from(cluster.at(dead) == 0));
    cluster.nodes[number].kill();
    going.goes_on("slots of other masters stand still", 10, |_| true).await;
    until("no write heard of it", || !away.told.unavailable.lock().is_empty()).await;
    let slot = slot_of(&struck[0]);
    until("no replica takes over", || holder_of(slot, &cluster.holders(observer)) != dead).await;
    // A master without a replica takes nothing: its machine comes back as one.
    cluster.nodes[number].restart();
    away.goes_on("its slots are not written again", 5, |_| true).await;
    let (away, going) = (away.end().await, going.end().await);
    assert_eq!((going.unavailable.lock().clone(), going.unknown.lock().clone()), (vec![], vec![]));
    for (told, accounts) in [(away, struck), (going, spared)] {
        let tally = tally(&replicas[0].0, &accounts, &told).await;
        println!("a master is lost: {tally:?}");
        tally.is_clean();
    }
    cluster.wait();
}

/// Moves slots up to one that has records, as an operator would.
async fn is_resharded(cluster: &Cluster, replicas: &[Replica], accounts: &[String]) {
    let holders = cluster.holders(0);
    let first_used = |(first, last, _): &Holder| {
        let used = accounts.iter().map(|account| slot_of(account)).filter(|slot| (*first..=*last).contains(slot));
        used.min().map(|slot| slot - first + 1)
    };
    let (count, from) = holders.iter().filter_map(|range| Some((first_used(range)?, range.2))).min().unwrap();
    let to = holders.iter().map(|(_, _, port)| *port).find(|port| *port != from).unwrap();
    let before = cluster.errors("MOVED");
    let load = Load::begin(&stores(replicas), 4, accounts);
    load.goes_on("nothing is written", 1, |_| true).await;
    let options = ["--cluster-from", &cluster.id(from), "--cluster-to", &cluster.id(to)].map(str::to_owned);
    let what = ["reshard".into(), format!("127.0.0.1:{from}"), "--cluster-slots".into(), count.to_string()];
    let arguments = [&what[..], &options].concat();
    tokio::task::spawn_blocking(move || manage(&arguments)).await.unwrap();
    load.goes_on("it does not go on after slots moved", 3, |_| true).await;
    let told = load.end().await;
    let tally = tally(&replicas[0].0, accounts, &told).await;
    println!("{count} slots moved, {} MOVED: {tally:?}", cluster.errors("MOVED") - before);
    tally.is_clean();
    assert!(cluster.errors("MOVED") > before, "nobody met a slot that moved");
}

/// Moves one slot key by key, and stops half way and again at the end: both TRYAGAIN and ASK are met.
async fn moves_a_slot_slowly(cluster: &Cluster, replicas: &[Replica], accounts: &[String]) {
    let holders = cluster.holders(0);
    let slot = slot_of(&accounts[1]);
    let from = holder_of(slot, &holders);
    let to = holders.iter().map(|(_, _, port)| *port).find(|port| *port != from).unwrap();
    let (source, target, slot) = (&cluster.nodes[cluster.at(from)], &cluster.nodes[cluster.at(to)], slot.to_string());
    let load = Load::begin(&stores(replicas), 4, accounts);
    load.goes_on("nothing is written", 1, |_| true).await;
    target.run::<()>(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &cluster.id(from)]).unwrap();
    source.run::<()>(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &cluster.id(to)]).unwrap();
    let mut keys: Vec<String> = source.run(&["CLUSTER", "GETKEYSINSLOT", &slot, "10000"]).unwrap();
    assert!(keys.len() >= 5, "the slot is empty: {keys:?}");
    let port = to.to_string();
    let rest = keys.split_off(keys.len() / 2);
    for (keys, error) in [(keys, "TRYAGAIN"), (rest, "ASK")] {
        let before = cluster.errors(error);
        let call = ["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
        source.run::<()>(&call.into_iter().chain(keys.iter().map(String::as_str)).collect::<Vec<_>>()).unwrap();
        until(error, || cluster.errors(error) > before + 10).await;
    }
    for node in [target, source] {
        node.run::<()>(&["CLUSTER", "SETSLOT", &slot, "NODE", &cluster.id(to)]).unwrap();
    }
    load.goes_on("it does not go on after a slot moved", 3, |_| true).await;
    let told = load.end().await;
    let tally = tally(&replicas[0].0, accounts, &told).await;
    println!("a slot moved slowly: {tally:?}");
    tally.is_clean();
}
