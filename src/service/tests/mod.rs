//! Tests of what no client can bring about: a store that fails in the middle, limits that take too long to reach from
//! outside, a clock that jumps. Everything else is tested through the API.

mod addresses;
mod connections;
mod contacts;
mod erasure;
mod export;
mod history;
mod importing;
mod last_seen;
mod limits;
mod networks;
mod reestimation;
mod renewal;
mod residents;
mod retention;
mod suggestions;
mod ticketing;

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use tempfile::TempDir;

use super::prefixes::PrefixFields;
use super::ticketing::Setup;
use super::{Config, Parts, Waymark};
use crate::geocode::Geocoder;
use crate::geoip::databases::Databases;
use crate::live::Live;
use crate::model::access::{Contacts, Principal, Scope};
use crate::model::geo::LatLng;
use crate::model::id::{AccountId, Revision};
use crate::model::location::Granularity;
use crate::model::site::Site;
use crate::model::uplink::Seen;
use crate::store::document::Document;
use crate::store::embedded::Embedded;
use crate::store::{Error as StoreError, Key, Kind, Mutation, Observer, Range, Record, Store, Visit};
use crate::ticketing::target::Config as ConnectionConfig;

thread_local! {
    /// How far the clock of a test is ahead. A test has a thread of its own.
    static AHEAD: Cell<SignedDuration> = const { Cell::new(SignedDuration::ZERO) };
}

fn now() -> Timestamp {
    Timestamp::now() + AHEAD.get()
}

/// Lets the clock of the test jump.
fn wait(time: SignedDuration) {
    AHEAD.set(AHEAD.get() + time);
}

/// A store that is out of service after some commits, where others are faster, and where records cannot be read.
#[derive(Debug)]
struct Failing {
    inner: Arc<dyn Store>,
    /// Commits that it still does.
    left: AtomicUsize,
    /// Batches of others, each committed once, just before a batch that has its first record too.
    overtaking: Mutex<Vec<Vec<Mutation>>>,
    /// Ids of records that cannot be read one by one.
    corrupt: Mutex<Vec<String>>,
    /// Ids of records that fail the scans that they are in.
    corrupt_in_scans: Mutex<Vec<String>>,
    /// Records that scans answered.
    scanned: AtomicUsize,
    /// A record, how often it is read yet, and the batch that somebody else commits just after the last time.
    outdating: Mutex<Option<(Key, usize, Vec<Mutation>)>>,
}

impl Failing {
    fn new(inner: Arc<dyn Store>) -> Self {
        Self {
            inner,
            left: AtomicUsize::new(usize::MAX),
            overtaking: Mutex::default(),
            corrupt: Mutex::default(),
            corrupt_in_scans: Mutex::default(),
            scanned: AtomicUsize::default(),
            outdating: Mutex::default(),
        }
    }

    /// Records that scans answered so far.
    fn scanned(&self) -> usize {
        self.scanned.load(Ordering::SeqCst)
    }

    /// The batch of somebody else that is faster than this one.
    fn overtaking(&self, batch: &[Mutation]) -> Option<Vec<Mutation>> {
        let mut overtaking = self.overtaking.lock();
        let is_of = |other: &Vec<Mutation>| batch.iter().any(|mutation| mutation.key == other[0].key);
        let at = overtaking.iter().position(is_of)?;
        Some(overtaking.remove(at))
    }

    /// The batch of somebody else that comes just after this read.
    fn outdating(&self, key: &Key) -> Option<Vec<Mutation>> {
        let mut outdating = self.outdating.lock();
        let (_, left, _) = outdating.as_mut().filter(|(known, ..)| known == key)?;
        *left -= 1;
        if *left > 0 {
            return None;
        }
        outdating.take().map(|(.., batch)| batch)
    }

    fn refuse_corrupt(&self, key: &Key) -> Result<(), StoreError> {
        if !self.corrupt.lock().contains(&key.id) {
            return Ok(());
        }
        Err(StoreError::Corrupt { kind: key.kind, id: key.id.clone(), path: "of the test".into() })
    }
}

#[async_trait]
impl Store for Failing {
    async fn commit(&self, batch: Vec<Mutation>) -> Result<Revision, StoreError> {
        let spend = |left: usize| left.checked_sub(1);
        if self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, spend).is_err() {
            return Err(StoreError::Unavailable { cause: "the test took it away".to_owned() });
        }
        if let Some(other) = self.overtaking(&batch) {
            self.inner.commit(other).await?;
        }
        self.inner.commit(batch).await
    }

    async fn get(&self, key: Key) -> Result<Option<Record>, StoreError> {
        self.refuse_corrupt(&key)?;
        let (outdating, record) = (self.outdating(&key), self.inner.get(key).await?);
        if let Some(batch) = outdating {
            self.inner.commit(batch).await?;
        }
        Ok(record)
    }

    async fn get_many(&self, keys: Vec<Key>) -> Result<Vec<Option<Record>>, StoreError> {
        keys.iter().try_for_each(|key| self.refuse_corrupt(key))?;
        self.inner.get_many(keys).await
    }

    async fn scan(&self, range: Range) -> Result<Vec<Record>, StoreError> {
        let records = self.inner.scan(range).await?;
        if let Some(record) = records.iter().find(|record| self.corrupt_in_scans.lock().contains(&record.key.id)) {
            let (kind, id) = (record.key.kind, record.key.id.clone());
            return Err(StoreError::Corrupt { kind, id, path: "of the test".into() });
        }
        self.scanned.fetch_add(records.len(), Ordering::SeqCst);
        Ok(records)
    }

    async fn load(&self, visits: Vec<Visit>) -> Result<(), StoreError> {
        self.inner.load(visits).await
    }

    fn observe(&self, observer: Arc<dyn Observer>) {
        self.inner.observe(observer);
    }

    async fn revision(&self, partition: Option<&AccountId>) -> Result<Revision, StoreError> {
        self.inner.revision(partition).await
    }

    async fn scrub(&self) -> Result<(), StoreError> {
        self.inner.scrub().await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

/// A deployment with one account, in a directory of its own.
struct World {
    waymark: Waymark,
    store: Arc<Failing>,
    operator: Principal,
    account: AccountId,
    directory: TempDir,
}

impl World {
    async fn new() -> Self {
        Self::with(Databases::empty()).await
    }

    async fn with(databases: Databases) -> Self {
        Self::of(databases, None).await
    }

    async fn of(databases: Databases, geocoder: Option<Arc<dyn Geocoder>>) -> Self {
        Self::set_up(databases, geocoder, setup(ConnectionConfig::default())).await
    }

    /// One that waits for ticketing systems so long, in milliseconds.
    async fn impatient(timeout_ms: u64) -> Self {
        let config = ConnectionConfig { timeout_ms, ..ConnectionConfig::default() };
        Self::set_up(Databases::empty(), None, setup(config)).await
    }

    async fn set_up(databases: Databases, geocoder: Option<Arc<dyn Geocoder>>, ticketing: Setup) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(Failing::new(Arc::new(Embedded::open(directory.path()).unwrap())));
        let operator = Principal {
            token: "0123456789abcdef".parse().unwrap(),
            scope: Scope::Admin,
            account: None,
            agent: None,
            contacts: Contacts::Read,
        };
        let waymark = Waymark::new(Parts {
            store: Arc::clone(&store) as Arc<dyn Store>,
            live: Live::follow(&*store).await.unwrap(),
            geoip: Arc::new(databases),
            geocoder,
            borders: None,
            post: None,
            ticketing: Some(ticketing),
            clock: now,
            config: Config::default(),
        });
        let (waymark, account) = (waymark.await.unwrap(), "acme".parse::<AccountId>().unwrap());
        waymark.create_account(&operator, account.clone(), "Acme", None).await.unwrap();
        Self { waymark, store, operator, account, directory }
    }

    /// Lets the store do so many commits more.
    fn fail_after(&self, commits: usize) {
        self.store.left.store(commits, Ordering::SeqCst);
    }

    /// Lets somebody else commit a batch just before the next one that has its first record too.
    fn overtake(&self, batch: Vec<Mutation>) {
        self.store.overtaking.lock().push(batch);
    }

    /// Lets somebody else commit a batch just after a record is read for the `nth` time from now.
    fn outdate(&self, key: Key, nth: usize, batch: Vec<Mutation>) {
        *self.store.outdating.lock() = Some((key, nth, batch));
    }

    /// Makes sites that come from the addresses of 10.0.0.0/8, without an estimate.
    async fn create_sites(&self, count: u32) {
        let site = |number: u32| {
            let mut site = Site::new(self.account.clone(), format!("site {number}"), now());
            let ip = std::net::Ipv4Addr::from(0x0a00_0000 + number).into();
            site.uplinks.last = Some(ip);
            site.uplinks.home = Some(Seen { ip, network: IpNet::from(ip) });
            Mutation::create(Key::of(&self.account, Kind::Site, site.id), Document::Site(Box::new(site)))
        };
        self.store.commit((0..count).map(site).collect()).await.unwrap();
    }

    async fn sites(&self) -> Vec<Site> {
        let partition = Some(self.account.clone());
        let range = Range { limit: usize::MAX, ..Range::all(partition, Kind::Site) };
        let records = self.store.scan(range).await.unwrap();
        let site = |record: Record| match record.document {
            Document::Site(site) => *site,
            other => panic!("{other:?}"),
        };
        records.into_iter().map(site).collect()
    }
}

/// Connections to servers of the tests alone.
fn setup(config: ConnectionConfig) -> Setup {
    let private_networks = vec!["127.0.0.0/8".parse().unwrap()];
    Setup::new(&ConnectionConfig { private_networks, ..config }, &[7; 32])
}

/// A network at a latitude.
fn network(cidr: &str, lat: f64) -> PrefixFields {
    PrefixFields {
        network: cidr.parse().unwrap(),
        display_name: format!("at {lat}"),
        position: LatLng::new(lat, 8.0).unwrap(),
        accuracy_m: None,
        granularity: Granularity::Door,
    }
}
