//! Migrations between the engines: what comes over, what a broken one leaves, and what is refused.
//!
//! The oracle is the store that the records were written to.

use std::path::Path;
use std::sync::atomic::AtomicUsize;

use proptest::test_runner::{Config as Cases, TestRunner};

use super::documents::document;
use super::server::Server;
use super::*;
use crate::store::Loaded;
use crate::store::document::Document;
use crate::store::embedded::Embedded;
use crate::store::embedded::transfer::Directory;
use crate::store::redis::transfer::Deployment;
use crate::store::transfer::{self, Looked, PAGE, Partitions, Row, Summary, Transfer};

/// Random histories that go from one machine to Redis and back.
const CASES: u32 = 24;
/// Ids that order by their bytes, and not by their letters.
const IDS: [&str; 5] = ["a", "Z", "häuser", "a b", "\u{10348}"];

/// Number of the account, 0 for the operator; of the kind; of the id; what it says, nothing to take it away.
type Write = (usize, usize, usize, Option<u64>);

fn mutation((account, kind, id, number): Write) -> Mutation {
    let partition = (account > 0).then(|| format!("account{account}").parse().unwrap());
    let kind = Kind::ALL[kind];
    let document = number.map(|number| document(kind, number));
    Mutation { key: Key { partition, kind, id: IDS[id].to_owned() }, expect: Expect::Any, document }
}

async fn write(directory: &Path, history: &[Write]) {
    let store = Embedded::open(directory).unwrap();
    for step in history {
        store.commit(vec![mutation(*step)]).await.unwrap();
    }
    store.close().await;
}

/// A directory whose engine was closed just now: its thread may hold the lock a moment longer.
fn patiently<T>(open: impl Fn() -> Result<T, Error>) -> T {
    let begun = Instant::now();
    loop {
        match open() {
            Ok(opened) => return opened,
            Err(cause) => assert!(begun.elapsed() < PATIENCE && cause.to_string().contains("holds it"), "{cause}"),
        }
        std::thread::yield_now();
    }
}

/// Everything that a store shows, leases apart, and the revisions of its partitions.
async fn all(store: &dyn Store) -> (Vec<(Key, Revision, Document)>, Vec<Revision>, Vec<String>) {
    let (mut records, mut revisions) = (Vec::new(), Vec::new());
    for account in 0..4 {
        let partition: Option<AccountId> = (account > 0).then(|| format!("account{account}").parse().unwrap());
        revisions.push(store.revision(partition.as_ref()).await.unwrap());
        for kind in transfer::moved() {
            let found = store.scan(Range::all(partition.clone(), kind)).await.unwrap();
            records.extend(found.into_iter().map(|record| (record.key, record.revision, record.document)));
        }
    }
    let loaded: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&loaded);
    let visit: Visit = Box::new(move |found| {
        let what = match found.unwrap() {
            Loaded::Account(account) => format!("{account:?}"),
            Loaded::Token(token) => format!("{token:?}"),
            Loaded::AgentToken { account, token, .. } => format!("{account} {:?}", token.open()),
            Loaded::Site(site) => format!("{site:?}"),
        };
        seen.lock().push(what);
    });
    store.load(vec![visit]).await.unwrap();
    let mut loaded = std::mem::take(&mut *loaded.lock());
    loaded.sort();
    (records, revisions, loaded)
}

async fn migrate(from: &dyn Transfer, to: &dyn Transfer) -> Result<Vec<Summary>, Error> {
    transfer::migrate(from, to, &mut |_| {}).await
}

async fn goes_there_and_back(server: &Server, prefix: &str, history: &[Write]) {
    let directories = tempfile::tempdir().unwrap();
    let (here, back) = (directories.path().join("here"), directories.path().join("back"));
    write(&here, history).await;
    let config = server.config(prefix);
    let there = {
        let source = patiently(|| Directory::source(&here));
        migrate(&source, &Deployment::target(&config).await.unwrap()).await.unwrap()
    };
    let came_back = {
        let source = Deployment::source(&config).await.unwrap();
        migrate(&source, &Directory::target(&back).unwrap()).await.unwrap()
    };
    assert_eq!(there, came_back);
    let original = patiently(|| Embedded::open(&here));
    let expected = all(&original).await;
    assert_eq!(all(&Redis::open(&config).await.unwrap()).await, expected);
    let returned = patiently(|| Embedded::open(&back));
    assert_eq!(all(&returned).await, expected);
    assert_eq!(there.iter().map(|summary| summary.records).sum::<u64>(), expected.0.len() as u64);
    // Writes go on where they stood, on what readers knew.
    let redis = Redis::open(&config).await.unwrap();
    for (key, revision, document) in expected.0.into_iter().take(3) {
        let next = Revision(redis.revision(key.partition.as_ref()).await.unwrap().0 + 1);
        let stale = Mutation::replace(key.clone(), Revision(revision.0 + 1_000), document.clone());
        assert!(matches!(redis.commit(vec![stale]).await, Err(Error::Conflict { .. })));
        assert_eq!(redis.commit(vec![Mutation::replace(key, revision, document)]).await.unwrap(), next);
    }
}

#[test]
fn random_stores_come_back_record_by_record() {
    let server = Server::start();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let write = (0_usize..4, 0_usize..Kind::ALL.len(), 0..IDS.len(), proptest::option::weighted(0.8, 0_u64..1_000));
    let histories = proptest::collection::vec(write, 1..120);
    let number = AtomicUsize::default();
    let mut runner = TestRunner::new(Cases { cases: CASES, max_shrink_iters: 50, ..Cases::default() });
    let outcome = runner.run(&histories, |history| {
        let prefix = format!("random-{}", number.fetch_add(1, Ordering::SeqCst));
        runtime.block_on(goes_there_and_back(&server, &prefix, &history));
        Ok(())
    });
    outcome.unwrap();
}

/// A history with a record of each kind in two accounts, and more of one kind than a page holds.
fn some_history() -> Vec<Write> {
    (0..2 * Kind::ALL.len()).map(|at| (at % 3, at / 2, at % IDS.len(), Some(at as u64))).collect()
}

#[tokio::test]
async fn pages_follow_each_other() {
    let server = Server::start();
    let directories = tempfile::tempdir().unwrap();
    let store = Embedded::open(directories.path()).unwrap();
    let many = |from: usize| (from..from + PAGE).map(|id| put("acme", &format!("n{id}"), id as u128)).collect();
    for part in 0..3 {
        store.commit(many(part * PAGE - part)).await.unwrap();
    }
    store.close().await;
    drop(store);
    let source = patiently(|| Directory::source(directories.path()));
    let config = server.config("pages");
    let moved = migrate(&source, &Deployment::target(&config).await.unwrap()).await.unwrap();
    assert_eq!(moved.iter().map(|summary| summary.records).sum::<u64>(), 3 * PAGE as u64 - 2);
    assert!(migrate(&source, &Deployment::target(&config).await.unwrap()).await.is_err(), "the target was full");
}

/// The engine inside, until it has done so much; or one that writes other bytes than it is given.
#[derive(Debug)]
struct Breaking<'a> {
    inner: &'a dyn Transfer,
    /// Calls that it still does.
    left: AtomicUsize,
    /// The call that writes something else.
    lie: Option<usize>,
}

impl<'a> Breaking<'a> {
    fn after(inner: &'a dyn Transfer, calls: usize) -> Self {
        Self { inner, left: AtomicUsize::new(calls), lie: None }
    }

    fn step(&self) -> Result<usize, Error> {
        let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        left.map_err(|_| Error::Unavailable { cause: "the test ends it here".into() })
    }
}

#[async_trait]
impl Transfer for Breaking<'_> {
    async fn partitions(&self) -> Result<Partitions, Error> {
        self.step()?;
        self.inner.partitions().await
    }

    async fn count(&self) -> Result<u64, Error> {
        self.inner.count().await
    }

    async fn page(&self, partition: Option<&AccountId>, kind: Kind, after: Option<&str>) -> Result<Vec<Row>, Error> {
        self.inner.page(partition, kind, after).await
    }

    async fn look(&self, partition: Option<&AccountId>, kind: Kind) -> Result<Looked, Error> {
        self.inner.look(partition, kind).await
    }

    async fn begin(&self, partitions: &Partitions) -> Result<(), Error> {
        self.inner.begin(partitions).await
    }

    async fn put(&self, rows: &[Row]) -> Result<(), Error> {
        let mut rows = rows.to_vec();
        if Some(self.step()?) == self.lie {
            rows[0].record.revision.0 += 1;
        }
        self.inner.put(&rows).await
    }

    async fn seal(&self) -> Result<(), Error> {
        self.step()?;
        self.inner.seal().await
    }
}

#[tokio::test]
async fn a_migration_that_ends_anywhere_leaves_nothing_that_serves_and_begins_anew() {
    let server = Server::start();
    let directories = tempfile::tempdir().unwrap();
    let (here, back) = (directories.path().join("here"), directories.path().join("back"));
    write(&here, &some_history()).await;
    let (config, mut calls) = (server.config("broken"), 0);
    loop {
        let source = patiently(|| Directory::source(&here));
        let target = Deployment::target(&config).await.unwrap();
        if migrate(&source, &Breaking::after(&target, calls)).await.is_ok() {
            break;
        }
        let refusal = Redis::open(&config).await.unwrap_err().to_string();
        assert!(refusal.contains("did not come to its end"), "{refusal}");
        assert!(Deployment::source(&config).await.is_err(), "half of it can be moved on");
        drop(source);
        // The next attempt must not find this one again.
        if calls == 5 {
            write(&here, &[(0, 0, 0, None), (1, 0, 1, None)]).await;
        }
        calls += 7;
    }
    assert!(calls > 30, "it ended after {calls} calls: nothing was interrupted");
    let expected = all(&patiently(|| Embedded::open(&here))).await;
    assert_eq!(all(&Redis::open(&config).await.unwrap()).await, expected);
    for calls in (0..).step_by(7) {
        let source = Deployment::source(&config).await.unwrap();
        let target = patiently(|| Directory::target(&back));
        if migrate(&source, &Breaking::after(&target, calls)).await.is_ok() {
            break;
        }
        drop(target);
        let refusal = Embedded::open(&back).unwrap_err().to_string();
        assert!(refusal.contains("did not come to its end"), "{refusal}");
    }
    assert_eq!(all(&patiently(|| Embedded::open(&back))).await, expected);
}

#[tokio::test]
async fn what_is_written_otherwise_than_read_is_noticed() {
    let server = Server::start();
    let directories = tempfile::tempdir().unwrap();
    write(directories.path(), &some_history()).await;
    let source = patiently(|| Directory::source(directories.path()));
    let target = Deployment::target(&server.config("lie")).await.unwrap();
    let lying = Breaking { lie: Some(990), ..Breaking::after(&target, 1_000) };
    let refusal = migrate(&source, &lying).await.unwrap_err().to_string();
    assert!(refusal.contains("is not what is read back"), "{refusal}");
    assert!(Redis::open(&server.config("lie")).await.is_err());
}

#[tokio::test]
async fn targets_with_data_and_sources_that_cannot_be_read_are_refused() {
    let server = Server::start();
    let directories = tempfile::tempdir().unwrap();
    let (here, full) = (directories.path().join("here"), directories.path().join("full"));
    for directory in [&here, &full] {
        write(directory, &some_history()).await;
    }
    let config = server.config("taken");
    let redis = Redis::open(&config).await.unwrap();
    redis.commit(vec![put("acme", "theirs", 1)]).await.unwrap();
    {
        let source = patiently(|| Directory::source(&here));
        let refusal = migrate(&source, &Deployment::target(&config).await.unwrap()).await.unwrap_err().to_string();
        assert!(refusal.contains("choose another redis.prefix"), "{refusal}");
        assert!(Directory::source(&here).unwrap_err().to_string().contains("another process holds it"));
    }
    assert!(redis.get(key("acme", "theirs")).await.unwrap().is_some(), "a refused target was changed");
    let source = Deployment::source(&config).await.unwrap();
    let before = all(&patiently(|| Embedded::open(&full))).await;
    let refusal = migrate(&source, &patiently(|| Directory::target(&full))).await.unwrap_err().to_string();
    assert!(refusal.contains("it holds data"), "{refusal}");
    assert_eq!(all(&patiently(|| Embedded::open(&full))).await, before, "a refused target was changed");
    assert!(Deployment::source(&server.config("nothing")).await.unwrap_err().to_string().contains("there is no"));
    assert!(Directory::source(&directories.path().join("nothing")).is_err());
    assert!(!directories.path().join("nothing").exists());
    // Junk of another program in Redis, under an id that is in order and under one that is not.
    let records = redis.names.records("acme", KIND);
    for (id, expected) in [("stray", "can be found"), ("theirs", "corrupt")] {
        let fresh = directories.path().join(id);
        let _: i64 = server.run(&["HSET", &records, id, "junk"]).unwrap();
        let refusal = migrate(&source, &Directory::target(&fresh).unwrap()).await.unwrap_err().to_string();
        assert!(refusal.contains(expected), "{refusal}");
    }
}

#[tokio::test]
async fn a_second_attempt_ends_the_first_one() {
    let server = Server::start();
    let directories = tempfile::tempdir().unwrap();
    write(directories.path(), &some_history()).await;
    let source = patiently(|| Directory::source(directories.path()));
    let (config, partitions) = (server.config("twice"), source.partitions().await.unwrap());
    let (first, second) = (Deployment::target(&config).await.unwrap(), Deployment::target(&config).await.unwrap());
    first.begin(&partitions).await.unwrap();
    second.begin(&partitions).await.unwrap();
    let rows = source.page(None, Kind::Account, None).await.unwrap();
    assert!(!rows.is_empty() && first.put(&rows).await.is_err() && first.seal().await.is_err());
    second.put(&rows).await.unwrap();
    second.seal().await.unwrap();
}

/// What the page for operators says that waymark's account in Redis needs is enough, for a replica and for a migration.
#[tokio::test]
async fn the_account_of_the_documentation_is_enough() {
    use std::os::unix::fs::PermissionsExt as _;
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/replicas.md")).unwrap();
    let (_, rest) = page.split_once("```\nACL SETUSER").unwrap();
    let words: Vec<&str> = rest.split_once("```").unwrap().0.split_whitespace().collect();
    let server = Server::start();
    let set: String = server.run(&[&["ACL", "SETUSER"], &words[..]].concat()).unwrap();
    assert_eq!(set, "OK");
    let directories = tempfile::tempdir().unwrap();
    let password = directories.path().join("password");
    std::fs::write(&password, "PASSWORD").unwrap();
    std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o600)).unwrap();
    let config =
        Config { username: Some("waymark".to_owned()), password_file: Some(password), ..server.config("waymark") };
    let (here, back) = (directories.path().join("here"), directories.path().join("back"));
    write(&here, &some_history()).await;
    let target = Deployment::target(&config).await.unwrap();
    migrate(&patiently(|| Directory::source(&here)), &target).await.unwrap();
    let (store, memory) = replica(&config).await;
    store.commit(vec![put("acme", "one", 1), put("acme", "two", 2)]).await.unwrap();
    store.commit(vec![Mutation::delete(key("acme", "two"))]).await.unwrap();
    until("it does not follow", || memory.records.lock().len() == 1).await;
    assert_eq!(store.scan(Range::all(key("acme", "one").partition, KIND)).await.unwrap().len(), 1);
    all(&*store).await;
    store.scrub().await.unwrap();
    let source = Deployment::source(&config).await.unwrap();
    migrate(&source, &Directory::target(&back).unwrap()).await.unwrap();
}
