//! A real master, two replicas and three Sentinels: the master dies, and is changed by hand, while two replicas of the store write.

use std::sync::Arc;

use super::load::{Load, agree, tally};
use super::memory::{replica, until};
use super::server::{SAFE, Server, free_port};
use crate::store::redis::config::{Config, Mode};

const NAME: &str = "main";

pub(super) struct Watched {
    pub(super) servers: Vec<Server>,
    sentinels: Vec<Server>,
    /// One that knows none of the others, and names a master that is dead.
    stale: Server,
}

impl Watched {
    pub(super) fn start() -> Self {
        let settings = [&SAFE[..], &["--min-replicas-to-write", "1", "--repl-diskless-sync-delay", "0"]].concat();
        let master = Server::start_with(&settings);
        let port = master.port.to_string();
        let follows = [&settings[..], &["--replicaof", "127.0.0.1", &port]].concat();
        let servers = vec![master, Server::start_with(&follows), Server::start_with(&follows)];
        let sentinels = (0..3).map(|_| sentinel(&port)).collect();
        let watched = Self { servers, sentinels, stale: sentinel(&free_port().to_string()) };
        let begun = std::time::Instant::now();
        let knows = |sentinel: &Server| {
            let told: Vec<std::collections::HashMap<String, String>> = sentinel.run(&["SENTINEL", "MASTERS"]).unwrap();
            told[0]["num-slaves"] == "2" && told[0]["num-other-sentinels"] == "2"
        };
        while !watched.sentinels.iter().all(knows) {
            assert!(begun.elapsed() < super::server::PATIENCE, "the Sentinels do not find each other");
            std::thread::yield_now();
        }
        watched
    }

    pub(super) fn config(&self) -> Config {
        Config {
            nodes: [&self.stale]
                .into_iter()
                .chain(&self.sentinels)
                .map(|sentinel| format!("127.0.0.1:{}", sentinel.port))
                .collect(),
            mode: Mode::Sentinel,
            master_name: Some(NAME.to_owned()),
            wait_replicas: 1,
            ..self.servers[0].config("sentinel")
        }
    }

    /// Port of the master that all Sentinels name.
    pub(super) fn master(&self) -> Option<u16> {
        let named = |sentinel: &Server| -> u16 {
            let told: (String, u16) = sentinel.run(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME]).unwrap();
            told.1
        };
        let all: Vec<u16> = self.sentinels.iter().map(named).collect();
        all.iter().all(|port| *port == all[0]).then_some(all[0])
    }

    fn at(&self, port: u16) -> usize {
        self.servers.iter().position(|server| server.port == port).unwrap()
    }
}

/// A master without replicas and its only Sentinel.
pub(super) fn guarded() -> (Server, Server, Config) {
    let master = Server::start();
    let sentinel = sentinel(&master.port.to_string());
    let nodes = vec![format!("127.0.0.1:{}", sentinel.port)];
    let config = Config { nodes, mode: Mode::Sentinel, master_name: Some(NAME.to_owned()), ..master.config("guarded") };
    (master, sentinel, config)
}

fn sentinel(master: &str) -> Server {
    let (port, directory) = (free_port(), tempfile::tempdir().unwrap());
    let file = directory.path().join("sentinel.conf");
    let lines = [
        format!("bind 127.0.0.1\nport {port}\nsentinel monitor {NAME} 127.0.0.1 {master} 2"),
        format!("sentinel down-after-milliseconds {NAME} 1000\nsentinel failover-timeout {NAME} 3000\n"),
    ];
    std::fs::write(&file, lines.join("\n")).unwrap();
    let server = Server::spawn(port, directory, vec![file.to_str().unwrap(), "--sentinel"]);
    server.wait();
    server
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels_name_another_master_under_load() {
    let mut watched = Watched::start();
    let replicas = [replica(&watched.config()).await, replica(&watched.config()).await];
    let accounts: Vec<String> = (0..6).map(|number| format!("account{number}")).collect();
    let load = Load::begin(&replicas.each_ref().map(|(store, _)| Arc::clone(store)), 2, &accounts);
    load.goes_on("nothing is written", 5, |_| true).await;
    let first = watched.master().unwrap();
    let number = watched.at(first);
    watched.servers[number].kill();
    until("nobody takes over", || watched.master().is_some_and(|port| port != first)).await;
    load.goes_on("nothing is written after the master died", 5, |_| true).await;
    assert!(!load.told.unavailable.lock().is_empty(), "no write heard of it");
    watched.servers[number].restart();
    // By hand, with both alive: the old one becomes a replica of the new one.
    let second = watched.master().unwrap();
    let is_changed = || {
        // Refused until the last change is over.
        let _ = watched.sentinels[0].run::<()>(&["SENTINEL", "FAILOVER", NAME]);
        watched.master().is_some_and(|port| port != second)
    };
    until("the master does not change", is_changed).await;
    load.goes_on("nothing is written after the master changed", 5, |_| true).await;
    let told = load.end().await;
    let tally = tally(&replicas[0].0, &accounts, &told).await;
    println!("{tally:?}, unavailable {}, unknown {}", told.unavailable.lock().len(), told.unknown.lock().len());
    tally.is_clean();
    for cause in told.unavailable.lock().iter().chain(&*told.unknown.lock()) {
        assert!(!cause.contains("READONLY"), "{cause}");
    }
    agree(&replicas[0].0, &accounts, &[&replicas[0].1, &replicas[1].1]).await;
}
