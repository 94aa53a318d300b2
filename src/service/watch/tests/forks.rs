//! A store that loses commits, or is followed late: watches show what is there, or say that they begin anew.

use futures_util::stream;

use super::map::Picture;
use super::*;
use crate::service::reach::REACH_MAX;
use crate::store::parting::Parting;
use crate::store::{Observer as _, Range, Resync};

/// Commits that watches hear of, and that are lost then.
const LOST: usize = 2;

async fn parting(directory: &Path) -> (World, Arc<Parting>) {
    let open = |name: &str| -> Arc<dyn Store> { Arc::new(Embedded::open(&directory.join(name)).unwrap()) };
    let store = Arc::new(Parting::new(open("first"), open("second")));
    (World::on(Arc::clone(&store) as Arc<dyn Store>).await, store)
}

impl World {
    async fn put(&self, number: u128, note: u32) {
        self.store.commit(put(number, note).iter().map(Step::mutation).collect()).await.unwrap();
    }

    /// What is there.
    async fn truth(&self) -> Held {
        let records = self.store.scan(Range::all(Some(id()), Kind::Site)).await.unwrap();
        let held = records.into_iter().map(|record| match record.document {
            Document::Site(site) => (site.id.as_u128(), (site.status, site.note)),
            other => panic!("{other:?}"),
        });
        held.collect()
    }
}

/// A client of a watch of sites.
struct Client {
    watch: SiteWatch,
    held: Held,
    revision: Revision,
    resyncs: usize,
}

impl Client {
    fn new(world: &World) -> Self {
        Self { watch: world.watch("", None), held: Held::new(), revision: Revision::default(), resyncs: 0 }
    }

    /// One that comes back with what another one holds.
    fn back(&self, world: &World) -> Self {
        let watch = world.watch("", Some(self.revision));
        Self { watch, held: self.held.clone(), revision: self.revision, resyncs: 0 }
    }

    async fn take(&mut self) -> Mark {
        let message = self.watch.next().await.unwrap();
        if message.mark == Mark::Resync {
            self.held.clear();
            self.resyncs += 1;
        }
        let changed = message.changed.into_iter().map(|site| site.value);
        self.held.extend(changed.map(|site| (site.id.as_u128(), (site.status, site.note))));
        self.held.retain(|number, _| !message.removed.contains(&SiteId::from_u128(*number)));
        self.revision = message.revision;
        message.mark
    }

    async fn until(&mut self, mark: Mark) {
        while self.take().await != mark {}
    }
}

/// A client of a watch of a map.
struct Viewer {
    watch: MapWatch,
    picture: Picture,
    revision: Revision,
}

impl Viewer {
    fn new(world: &World) -> Self {
        let watch = world.waymark.watch_map(&world.viewer, &id(), view(1)).unwrap();
        Self { watch, picture: Picture::default(), revision: Revision::default() }
    }

    /// Takes messages until nothing more comes.
    async fn until_quiet(&mut self) {
        loop {
            let message = self.watch.next(&mut stream::pending()).await.unwrap();
            self.picture.apply(&message.changed, &message.removed);
            self.revision = message.revision;
            if message.mark == Mark::Progress {
                return;
            }
        }
    }

    async fn shows_what_is_there(&self, world: &World, case: &str) {
        let View { bounds, zoom, filter, .. } = view(1);
        let answer = world.waymark.viewport(&world.viewer, &id(), &bounds, zoom, &filter).await.unwrap();
        let mut expected = Picture::default();
        expected.apply(&answer.symbols, &[]);
        assert_eq!((&self.picture, self.revision), (&expected, world.revision()), "{case}");
    }
}

/// A failover loses what watches heard of, and the account goes on with `others` commits before anybody notices, and with
/// some more at once where it `is_busy`.
async fn fork(others: usize, is_busy: bool) {
    let case = format!("{LOST} commits lost, {others} others, busy: {is_busy}");
    let directory = tempfile::tempdir().unwrap();
    let (world, store) = parting(directory.path()).await;
    tokio::time::pause();
    world.put(1, 0).await;
    let (mut client, mut viewer) = (Client::new(&world), Viewer::new(&world));
    client.until(Mark::Current).await;
    store.part();
    for number in 0..LOST {
        world.put(1 + number as u128, 7).await;
    }
    let told = world.revision();
    while client.revision < told {
        client.take().await;
    }
    viewer.until_quiet().await;
    assert_eq!((client.revision, viewer.revision), (told, told));
    store.take_over();
    for number in 0..others {
        world.put(11 + number as u128, 8).await;
    }
    store.tell_anew(&id(), false).await;
    for number in 0..if is_busy { LOST + 1 } else { 0 } {
        world.put(21 + number as u128, 9).await;
    }
    let mut back = client.back(&world);
    let truth = world.truth().await;
    for (client, what) in [(&mut client, "live"), (&mut back, "resumed")] {
        client.until(Mark::Progress).await;
        assert_eq!((&client.held, client.revision), (&truth, world.revision()), "{what}: {case}");
        assert_eq!(client.resyncs, 1, "{what}: {case}");
    }
    viewer.until_quiet().await;
    viewer.shows_what_is_there(&world, &case).await;
    tokio::time::resume();
}

/// Revisions were compared as bare numbers: who stood exactly at the new history's end was told nothing for good, and who
/// stood above it took the commits behind its number for the next ones.
#[tokio::test]
async fn whoever_stands_at_or_above_the_end_of_another_history_is_told_by_a_quiet_account() {
    for others in LOST - 1..=LOST + 1 {
        fork(others, false).await;
    }
}

#[tokio::test]
async fn whoever_stands_at_or_above_the_end_of_another_history_is_told_by_a_busy_account() {
    for others in LOST - 1..=LOST + 1 {
        fork(others, true).await;
    }
}

#[tokio::test]
async fn everything_told_anew_costs_no_watch_anything_that_missed_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (world, store) = parting(directory.path()).await;
    tokio::time::pause();
    world.put(1, 0).await;
    let mut client = Client::new(&world);
    client.until(Mark::Current).await;
    store.take_over();
    store.tell_anew(&id(), true).await;
    let mut back = client.back(&world);
    assert_eq!(client.take().await, Mark::Progress);
    back.until(Mark::Current).await;
    world.put(2, 0).await;
    for client in [&mut client, &mut back] {
        client.until(Mark::Progress).await;
        assert_eq!((&client.held, client.resyncs), (&world.truth().await, 0));
    }
}

/// It went round without a pause until memory was there, and said nothing to its client.
#[tokio::test]
async fn a_watch_that_begins_while_memory_is_behind_says_that_it_lives() {
    let directory = tempfile::tempdir().unwrap();
    let (world, store) = parting(directory.path()).await;
    store.hold();
    world.put(1, 0).await;
    let mut client = Client::new(&world);
    tokio::time::pause();
    while client.take().await != Mark::Ordinary || client.held.is_empty() {}
    let begun = Instant::now();
    assert_eq!((client.take().await, client.take().await), (Mark::Ordinary, Mark::Ordinary));
    assert!(begun.elapsed() >= PROGRESS_EVERY, "it says so all the time");
    store.release();
    client.until(Mark::Current).await;
    assert_eq!((&client.held, client.revision), (&world.truth().await, world.revision()));
}

/// What was newest when it was asked for was lost then: nobody ever reaches it.
#[tokio::test]
async fn a_watch_that_begins_before_commits_are_lost_does_not_wait_for_them() {
    let directory = tempfile::tempdir().unwrap();
    let (world, store) = parting(directory.path()).await;
    world.put(1, 0).await;
    store.part();
    store.hold();
    world.put(1, 7).await;
    let mut client = Client::new(&world);
    tokio::time::pause();
    while client.take().await != Mark::Ordinary || client.held.is_empty() {}
    store.take_over();
    store.tell_anew(&id(), false).await;
    client.until(Mark::Progress).await;
    assert_eq!((&client.held, client.revision), (&world.truth().await, world.revision()));
}

#[tokio::test]
async fn who_comes_back_to_a_replica_that_is_a_little_behind_need_not_begin_anew() {
    let directory = tempfile::tempdir().unwrap();
    let (world, store) = parting(directory.path()).await;
    world.put(1, 0).await;
    let mut client = Client::new(&world);
    client.until(Mark::Current).await;
    store.hold();
    world.put(1, 1).await;
    // Another replica told it.
    (client.revision, client.held) = (world.store.revision(Some(&id())).await.unwrap(), world.truth().await);
    tokio::time::pause();
    let begun = Instant::now();
    assert_eq!(client.back(&world).take().await, Mark::Resync);
    assert!(begun.elapsed() >= REACH_MAX, "it did not wait");
    let released = async {
        tokio::time::sleep(REACH_MAX / 2).await;
        store.release();
    };
    let mut back = client.back(&world);
    tokio::join!(back.until(Mark::Current), released);
    assert_eq!((back.resyncs, &back.held, back.revision), (0, &world.truth().await, world.revision()));
}

/// The account that is there now has nothing to do with the one that they watch.
#[tokio::test]
async fn watches_of_an_account_that_was_lost_and_made_anew_end() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::open(directory.path()).await;
    world.put(1, 0).await;
    let mut client = Client::new(&world);
    client.until(Mark::Current).await;
    let live = &world.waymark.parts.live;
    let mut made = Vec::new();
    for kind in [Kind::Account, Kind::Token] {
        let records = world.store.scan(Range::all(Some(id()), kind)).await.unwrap();
        made.extend(records.into_iter().map(|record| Mutation::create(record.key, record.document)));
    }
    live.resynced(Resync::Accounts { is_among: &|_| true, present: &[] });
    for revision in 1..=client.revision.0 + 1 {
        live.committed(Revision(revision), &made);
    }
    assert!(matches!(client.watch.next().await, Err(Error::Ending)));
    let mut back = world.watch("", Some(client.revision));
    assert_eq!(back.next().await.unwrap().mark, Mark::Resync, "its revision was another one's");
}
