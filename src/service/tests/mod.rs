//! Tests of what no client can bring about: a store that fails in the middle, limits that take too long to reach from
//! outside, a clock that jumps. Everything else is tested through the API.

mod addresses;
mod audit;
mod certificates;
mod connections;
mod contacts;
mod erasure;
mod export;
mod field;
mod fleet;
mod history;
mod identity;
mod importing;
mod last_seen;
mod leading;
mod limits;
mod lists;
mod map_history;
mod maps;
mod name_claims;
mod networks;
mod reach;
mod reestimation;
mod renewal;
mod residents;
mod retention;
mod rotation;
mod sharing;
mod suggestions;
mod ticketing;
mod unreadable;

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

use super::prefixes::PrefixFields;
use super::ticketing::Setup;
use super::{Config, Parts, Waymark};
use crate::geocode::Geocoder;
use crate::geoip::databases::Databases;
use crate::live::Live;
use crate::model::access::{Contacts, Positions, Principal, Scope};
use crate::model::geo::LatLng;
use crate::model::id::AccountId;
use crate::model::location::Granularity;
use crate::model::site::Site;
use crate::model::uplink::Seen;
use crate::store::document::Document;
use crate::store::embedded::Embedded;
use crate::store::failing::Failing;
use crate::store::{Key, Kind, Mutation, Range, Record, Store};
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
        let store = Arc::new(Embedded::open(directory.path()).unwrap());
        Self::over((store, directory), databases, geocoder, ticketing).await
    }

    /// One over a store that others may have begun, and the directory that ends with it.
    async fn over(
        (store, directory): (Arc<dyn Store>, TempDir),
        databases: Databases,
        geocoder: Option<Arc<dyn Geocoder>>,
        ticketing: Setup,
    ) -> Self {
        let store = Arc::new(Failing::new(store));
        let operator = Principal {
            token: "0123456789abcdef".parse().unwrap(),
            scope: Scope::Admin,
            account: None,
            agent: None,
            contacts: Contacts::Read,
            positions: Positions::default(),
            assigned: None,
            secret_number: 0,
            identity: None,
            guest: None,
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
        if waymark.parts.live.account(&account).is_none() {
            waymark.create_account(&operator, account.clone(), "Acme", None).await.unwrap();
        }
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
