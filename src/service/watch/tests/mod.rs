//! A small world to watch, with a model of what was true at each revision; and what holds for all watches.

mod forks;
mod guests;
mod map;
mod sites;

use std::collections::BTreeMap;
use std::path::Path;

use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::error::{Fault as _, Reason};
use crate::geoip::databases::Databases;
use crate::live::Live;
use crate::model::access::Scope;
use crate::model::attention::CROWD_SITES_MIN;
use crate::model::geo::{BoundingBox, LatLng};
use crate::model::id::{Revision, SiteId};
use crate::model::location::{Evidence, Fix, Granularity, Source};
use crate::model::site::{Site, Status};
use crate::service::Parts;
use crate::service::filter::Filter;
use crate::service::tokens::NewToken;
use crate::store::document::Document;
use crate::store::embedded::Embedded;
use crate::store::{Expect, Key, Kind, Mutation, Store};

const ONLINE: &str = "status = ONLINE";

fn id() -> AccountId {
    "acme".parse().unwrap()
}

/// A server without a network, with one account and a viewer in it.
struct World {
    waymark: Arc<Waymark>,
    store: Arc<dyn Store>,
    viewer: Principal,
    operator: Principal,
}

impl World {
    async fn open(directory: &Path) -> Self {
        Self::on(Arc::new(Embedded::open(directory).unwrap())).await
    }

    async fn on(store: Arc<dyn Store>) -> Self {
        let parts = Parts {
            store: Arc::clone(&store),
            live: Live::follow(&*store).await.unwrap(),
            geoip: Arc::new(Databases::empty()),
            geocoder: None,
            borders: None,
            post: None,
            ticketing: None,
            clock: Timestamp::now,
            config: crate::service::Config::default(),
        };
        let waymark = Arc::new(Waymark::new(parts).await.unwrap());
        let secret = waymark.create_operator_token::<Error>("test", |_| Ok(())).await.unwrap();
        let operator = waymark.authenticate(&secret).unwrap();
        if waymark.parts.live.account(&id()).is_none() {
            waymark.create_account(&operator, id(), "Acme", None).await.unwrap();
        }
        let new = NewToken::of(Some(&id()), Scope::Viewer, "viewer");
        let (_, secret) = waymark.create_token(&operator, new).await.unwrap();
        let viewer = waymark.authenticate(&secret).unwrap();
        Self { waymark, store, viewer, operator }
    }

    fn watch(&self, filter: &str, resume: Option<Revision>) -> SiteWatch {
        let wanted = SitesWanted { account: id(), filter: Filter::parse(filter).unwrap(), resume };
        self.waymark.watch_sites(&self.viewer, wanted).unwrap()
    }

    /// Watches that hold a place.
    fn watching(&self) -> usize {
        self.waymark.watchers.taken.lock().all
    }

    fn revision(&self) -> Revision {
        self.waymark.parts.live.account(&id()).unwrap().revision()
    }

    /// Commits all batches at once, in any order, and enters each into the model.
    async fn commit(&self, batches: Vec<Vec<Step>>, model: &mut Model) {
        let commit = |batch: &Vec<Step>| self.store.commit(batch.iter().map(Step::mutation).collect());
        let outcomes = futures_util::future::join_all(batches.iter().map(commit)).await;
        let by_revision: BTreeMap<u64, Vec<Step>> =
            outcomes.into_iter().map(|outcome| outcome.unwrap().0).zip(batches).collect();
        for (revision, batch) in by_revision {
            model.enter(Revision(revision), batch);
        }
    }
}

/// What becomes of a site. All sites of one batch get the same note, so that a half of a batch is seen.
#[derive(Debug, Clone)]
enum Step {
    Put { number: u128, status: Status, is_deleted: bool, note: u32, lat: f64 },
    Purge { number: u128 },
}

impl Step {
    fn number(&self) -> u128 {
        match self {
            Self::Put { number, .. } | Self::Purge { number } => *number,
        }
    }

    fn mutation(&self) -> Mutation {
        let key = Key::of(&id(), Kind::Site, SiteId::from_u128(self.number()));
        let Self::Put { number, status, is_deleted, note, lat } = self else { return Mutation::delete(key) };
        let mut site = Site::new(id(), format!("site {number}"), Timestamp::UNIX_EPOCH);
        (site.id, site.status, site.note) = (SiteId::from_u128(*number), *status, note.to_string());
        site.deleted_at = is_deleted.then_some(Timestamp::UNIX_EPOCH);
        site.fixes.put(Fix {
            source: Source::Pin,
            position: LatLng::new(*lat, 20.0).unwrap(),
            accuracy_m: None,
            granularity: Granularity::Door,
            evidence: Evidence::Measured,
            made_at: Timestamp::UNIX_EPOCH,
            made_by: "test".to_owned(),
        });
        Mutation { key, expect: Expect::Any, document: Some(Document::Site(Box::new(site))) }
    }
}

fn batch() -> impl Strategy<Value = Vec<Step>> {
    let put = (1..9_u128, 0..4_usize, prop::bool::weighted(0.1), -80.0..80.0_f64).prop_map(
        |(number, status, is_deleted, lat)| Step::Put { number, status: Status::ALL[status], is_deleted, note: 0, lat },
    );
    let step = prop_oneof![9 => put, 1 => (1..9_u128).prop_map(|number| Step::Purge { number })];
    (prop::collection::vec(step, 1..4), any::<u32>()).prop_map(|(mut steps, drawn)| {
        steps.sort_by_key(Step::number);
        steps.dedup_by_key(|step| step.number());
        for step in &mut steps {
            if let Step::Put { note, .. } = step {
                *note = drawn;
            }
        }
        steps
    })
}

/// What a client may hold of a site.
type Held = BTreeMap<u128, (Status, String)>;

/// What was true at each revision.
#[derive(Debug, Default)]
struct Model {
    sites: BTreeMap<u128, Step>,
    /// The sites that match, and those of all statuses.
    online: BTreeMap<u64, Held>,
    all: BTreeMap<u64, Held>,
}

impl Model {
    fn enter(&mut self, revision: Revision, batch: Vec<Step>) {
        for step in batch {
            self.sites.insert(step.number(), step);
        }
        let held = |wanted: &dyn Fn(Status) -> bool| {
            let shown = |step: &Step| match step {
                Step::Put { number, status, is_deleted: false, note, .. } if wanted(*status) => {
                    Some((*number, (*status, note.to_string())))
                }
                _ => None,
            };
            self.sites.values().filter_map(shown).collect()
        };
        let (online, all) = (held(&|status| status == Status::Online), held(&|_| true));
        self.online.insert(revision.0, online);
        self.all.insert(revision.0, all);
    }

    /// What matches at a revision: that of the last write of sites before.
    fn at(&self, filter: &str, revision: Revision) -> Held {
        let history = if filter == ONLINE { &self.online } else { &self.all };
        history.range(..=revision.0).next_back().map(|(_, held)| held.clone()).unwrap_or_default()
    }
}

impl Model {
    /// The sites whose spot is crowded now; all of them were located by a person.
    fn crowded(&self, is_online: bool) -> Vec<u128> {
        let there = || {
            self.sites.values().filter_map(|step| match step {
                Step::Put { number, status, is_deleted: false, lat, .. } => Some((*number, *status, lat.to_bits())),
                _ => None,
            })
        };
        let is_crowd = |spot: u64| there().filter(|(.., lat)| *lat == spot).count() >= CROWD_SITES_MIN as usize;
        let wanted = |status: Status| !is_online || status == Status::Online;
        there().filter(|(_, status, spot)| wanted(*status) && is_crowd(*spot)).map(|(number, ..)| number).collect()
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn put(number: u128, note: u32) -> Vec<Step> {
    vec![Step::Put { number, status: Status::Online, is_deleted: false, note, lat: 1.0 }]
}

fn view(id: u64) -> View {
    let bounds = BoundingBox::new(LatLng::new(-90.0, -180.0).unwrap(), LatLng::new(90.0, 180.0).unwrap()).unwrap();
    View { id, bounds, zoom: 3, filter: String::new(), is_nameless: false }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_ends_with_its_token_and_with_the_server() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::open(directory.path()).await;
    let mut watches = [world.watch("", None), world.watch("", None)];
    for watch in &mut watches {
        assert_eq!(watch.next().await.unwrap().mark, Mark::Current);
    }
    let [mut ends_with_server, _] = watches;
    world.waymark.end_watches();
    assert!(matches!(ends_with_server.next().await, Err(Error::Ending)));
    assert!(matches!(world.watch("", None).next().await, Err(Error::Ending)));

    let directory = tempfile::tempdir().unwrap();
    let world = World::open(directory.path()).await;
    let mut watch = world.watch("", None);
    let mut map = world.waymark.watch_map(&world.viewer, &id(), view(1)).unwrap();
    assert_eq!(watch.next().await.unwrap().mark, Mark::Current);
    assert_eq!(map.next(&mut stream::pending()).await.unwrap().mark, Mark::Current);
    world.waymark.revoke_token(&world.operator, Some(&id()), world.viewer.token).await.unwrap();
    assert!(matches!(watch.next().await, Err(Error::Credential)));
    assert!(matches!(map.next(&mut stream::pending()).await, Err(Error::Credential)));
}

#[tokio::test]
async fn a_quiet_watch_says_that_it_lives() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::open(directory.path()).await;
    let mut watch = world.watch("", None);
    let mut map = world.waymark.watch_map(&world.viewer, &id(), view(1)).unwrap();
    watch.next().await.unwrap();
    map.next(&mut stream::pending()).await.unwrap();
    tokio::time::pause();
    let begun = Instant::now();
    assert_eq!(watch.next().await.unwrap().mark, Mark::Progress);
    assert!(begun.elapsed() >= PROGRESS_EVERY.checked_sub(Duration::from_secs(2)).unwrap());
    assert_eq!(map.next(&mut stream::pending()).await.unwrap().mark, Mark::Progress);
}

/// A watch whose client had heard nothing for too long waited no time at all, and took all of a core.
#[tokio::test]
async fn whoever_should_have_been_told_something_waits_all_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::open(directory.path()).await;
    let mut seat = Seat::take(&world.waymark, &world.viewer, &id(), Permission::Read).unwrap();
    tokio::time::pause();
    tokio::time::advance(PROGRESS_EVERY * 2).await;
    let begun = Instant::now();
    assert_eq!(seat.wait(std::future::pending::<()>(), PROGRESS_EVERY).await.unwrap(), None);
    assert_eq!(begun.elapsed().as_secs(), CHECKED_EVERY.as_secs());
}

#[test]
fn places_are_counted_by_account_and_given_back() {
    let watchers = Watchers::default();
    let taken: Vec<Place> = (0..WATCHES_MAX).map(|_| watchers.place(&id()).unwrap()).collect();
    assert!(matches!(watchers.place(&id()), Err(Error::TooMany(_, WATCHES_MAX))));
    assert!(watchers.place(&"other".parse().unwrap()).is_ok());
    assert_eq!(watchers.taken.lock().all, WATCHES_MAX);
    drop(taken);
    assert!(watchers.place(&id()).is_ok() && watchers.taken.lock().by_account.is_empty());
}

#[test]
fn places_of_all_accounts_together_are_bounded() {
    let watchers = Watchers::default();
    let account = |number: usize| -> AccountId { format!("account-{number}").parse().unwrap() };
    let mut taken: Vec<Place> = (0..ALL_WATCHES_MAX).map(|number| watchers.place(&account(number)).unwrap()).collect();
    assert!(matches!(watchers.place(&id()), Err(Error::TooMany(_, ALL_WATCHES_MAX))));
    taken.pop();
    let last = watchers.place(&id()).unwrap();
    assert!(watchers.place(&id()).is_err());
    drop((taken, last));
    assert_eq!(watchers.open(), 0);
}

/// Watches whose clients take one message and then nothing.
async fn stalled(world: &World) -> (Messages<SiteChanges>, Messages<MapChanges>) {
    let mut sites = world.watch("", None).messages();
    let mut map = world.waymark.watch_map(&world.viewer, &id(), view(1)).unwrap().messages(stream::pending().boxed());
    assert_eq!(sites.next().await.unwrap().unwrap().mark, Mark::Current);
    assert_eq!(map.next().await.unwrap().unwrap().mark, Mark::Current);
    assert_eq!(world.watching(), 2);
    (sites, map)
}

#[tokio::test]
async fn who_stops_reading_loses_its_place_and_is_told_why() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::open(directory.path()).await;
    let (mut sites, mut map) = stalled(&world).await;
    tokio::time::pause();
    tokio::time::sleep(STALLED_MAX + PROGRESS_EVERY + 2 * CHECKED_EVERY).await;
    assert_eq!(world.watching(), 0);
    // The one message that there was room for, and then the reason.
    assert_eq!(sites.next().await.unwrap().unwrap().mark, Mark::Progress);
    assert!(matches!(sites.next().await, Some(Err(Error::Stalled(_)))));
    assert_eq!(map.next().await.unwrap().unwrap().mark, Mark::Progress);
    assert!(matches!(map.next().await, Some(Err(Error::Stalled(_)))));
    assert!(sites.next().await.is_none());
}

#[tokio::test]
async fn a_token_that_ended_holds_no_place_whether_or_not_its_client_reads() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::open(directory.path()).await;
    let (mut sites, _map) = stalled(&world).await;
    world.waymark.revoke_token(&world.operator, Some(&id()), world.viewer.token).await.unwrap();
    tokio::time::pause();
    tokio::time::sleep(PROGRESS_EVERY + 2 * CHECKED_EVERY).await;
    assert_eq!(world.watching(), 0);
    while sites.next().await.is_some_and(|message| message.is_ok()) {}
}

/// F16. Its client was told that the server was ending.
#[tokio::test]
async fn a_watch_that_panics_says_so_and_another_one_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::open(directory.path()).await;
    world.store.commit(put(1, 0).iter().map(Step::mutation).collect()).await.unwrap();
    let vigil = Seat::take(&world.waymark, &world.viewer, &id(), Permission::Read).unwrap().vigil.clone();
    let once = |watch: Option<SiteWatch>| async move {
        let mut watch = watch.expect("a message that nobody thought of");
        let message = watch.next().await?;
        let rest = (message.mark != Mark::Current).then_some(watch);
        Ok::<_, Error>(Some((message, rest)))
    };
    let messages = stream::try_unfold(Some(world.watch("", None)), once);
    let mut told = super::drive::drive(vigil, messages.boxed());
    let mut last = told.next().await.unwrap().unwrap();
    assert_eq!(last.changed.len(), 1, "what was made before comes");
    while last.mark != Mark::Current {
        last = told.next().await.unwrap().unwrap();
    }
    let fault = told.next().await.unwrap().unwrap_err();
    assert_eq!((fault.reason(), fault.reason().kind()), (Reason::WatchFailed, crate::error::Kind::Unavailable));
    assert!(fault.retry_after().is_some_and(|wait| wait >= Duration::from_secs(1)), "{fault:?}");
    assert!(told.next().await.is_none());
    assert_eq!(world.watching(), 0, "it holds its place");
    let back = world.watch("", Some(last.revision)).next().await.unwrap();
    assert_eq!((back.mark, back.changed.len()), (Mark::Current, 0), "it is told everything anew");
}

#[tokio::test]
async fn a_client_that_left_holds_no_place() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::open(directory.path()).await;
    drop(stalled(&world).await);
    tokio::time::pause();
    tokio::time::sleep(CHECKED_EVERY).await;
    assert_eq!(world.watching(), 0);
}
