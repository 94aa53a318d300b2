//! What a client holds after a message is what was true at its revision: against a model of every revision.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::store::failing::Failing;

const CROWDED: &str = "attention = CROWDED";
const CROWDED_ONLINE: &str = "attention = CROWDED status = ONLINE";

/// A client: what it holds, and the watch.
struct Client {
    watch: SiteWatch,
    filter: &'static str,
    held: Held,
    revision: Revision,
    is_current: bool,
    resyncs: usize,
}

impl Client {
    fn new(world: &World, filter: &'static str) -> Self {
        let watch = world.watch(filter, None);
        Self { watch, filter, held: Held::new(), revision: Revision::default(), is_current: false, resyncs: 0 }
    }

    /// Takes a message; whether its revision is a new one.
    async fn take(&mut self) -> bool {
        let message = self.watch.next().await.unwrap();
        if message.mark == Mark::Resync {
            self.held.clear();
            (self.revision, self.is_current) = (Revision::default(), false);
            self.resyncs += 1;
        }
        for site in message.changed {
            let site = site.value;
            self.held.insert(site.id.as_u128(), (site.status, site.note));
        }
        for site in message.removed {
            self.held.remove(&site.as_u128());
        }
        assert!(message.revision >= self.revision, "revisions ascend");
        self.is_current |= message.mark == Mark::Current;
        std::mem::replace(&mut self.revision, message.revision) < message.revision
    }

    /// Takes messages up to a revision, and holds each new revision against the model.
    async fn read_to(&mut self, revision: Revision, model: &Model) -> Result<(), TestCaseError> {
        while self.revision < revision || !self.is_current {
            if self.take().await {
                prop_assert_eq!(&self.held, &model.at(self.filter, self.revision), "at {:?}", self.revision);
            }
        }
        Ok(())
    }

    /// Goes away and comes again.
    fn resume(&mut self, world: &World) {
        self.watch = world.watch(self.filter, Some(self.revision));
        self.is_current = false;
    }
}

#[test]
fn what_a_client_holds_is_what_was_true_at_its_revision() {
    let (runtime, directories) = (runtime(), tempfile::tempdir().unwrap());
    let number = std::cell::Cell::new(0);
    // Whether a client reads after a round of writes, and whether it went away before.
    let rounds = prop::collection::vec((prop::collection::vec(batch(), 1..6), any::<bool>(), any::<bool>()), 1..12);
    TestRunner::new(Config { cases: 32, failure_persistence: None, ..Config::default() })
        .run(&rounds, |rounds| {
            number.set(number.get() + 1);
            let directory = directories.path().join(number.get().to_string());
            runtime.block_on(async {
                let world = World::open(&directory).await;
                let mut model = Model::default();
                let mut clients = ["", ONLINE].map(|filter| Client::new(&world, filter));
                for (batches, reads, leaves) in rounds {
                    world.commit(batches, &mut model).await;
                    for client in &mut clients {
                        if leaves && client.is_current {
                            client.resume(&world);
                        }
                        if reads {
                            client.read_to(world.revision(), &model).await?;
                        }
                    }
                }
                for mut client in clients {
                    client.read_to(world.revision(), &model).await?;
                    prop_assert_eq!(client.resyncs, 0, "all of it is remembered");
                }
                Ok(())
            })
        })
        .unwrap();
}

/// The spots of sites that come and go, mostly on one: that is often just about a crowd.
fn crowding() -> impl Strategy<Value = Vec<Vec<Step>>> {
    let lat = prop_oneof![4 => Just(1.0), 1 => Just(2.0), 1 => Just(3.0)];
    let put =
        (1..15_u128, any::<bool>(), prop::bool::weighted(0.1), lat).prop_map(|(number, is_online, is_deleted, lat)| {
            let status = if is_online { Status::Online } else { Status::Offline };
            Step::Put { number, status, is_deleted, note: 0, lat }
        });
    let step = prop_oneof![9 => put, 1 => (1..15_u128).prop_map(|number| Step::Purge { number })];
    prop::collection::vec(step.prop_map(|step| vec![step]), 1..16)
}

/// Those whose spot is crowded were told so with changes of their own alone: a crowd began and ended unheard.
#[test]
fn who_watches_crowds_hears_of_those_that_others_make() {
    let (runtime, directories) = (runtime(), tempfile::tempdir().unwrap());
    let number = std::cell::Cell::new(0);
    let rounds = prop::collection::vec((crowding(), any::<bool>(), any::<bool>()), 1..8);
    TestRunner::new(Config { cases: 32, failure_persistence: None, ..Config::default() })
        .run(&rounds, |rounds| {
            number.set(number.get() + 1);
            let directory = directories.path().join(number.get().to_string());
            runtime.block_on(async {
                let world = World::open(&directory).await;
                let mut model = Model::default();
                let mut clients = [CROWDED, CROWDED_ONLINE].map(|filter| Client::new(&world, filter));
                let rest = [(Vec::new(), true, false)];
                for (batches, reads, leaves) in rounds.into_iter().chain(rest) {
                    // One after the other: what is told of a crowd is what is true when it is told.
                    for batch in batches {
                        world.commit(vec![batch], &mut model).await;
                    }
                    for client in clients.iter_mut().filter(|_| reads) {
                        if leaves && client.is_current {
                            client.resume(&world);
                        }
                        while client.revision < world.revision() || !client.is_current {
                            client.take().await;
                        }
                        let held: Vec<u128> = client.held.keys().copied().collect();
                        prop_assert_eq!(held, model.crowded(client.filter == CROWDED_ONLINE), "{}", client.filter);
                        prop_assert_eq!(client.resyncs, 0, "all of it is remembered");
                    }
                }
                Ok(())
            })
        })
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_is_told_with_the_change_that_made_it_and_written_nowhere() {
    let directory = tempfile::tempdir().unwrap();
    let (world, mut model) = (World::open(directory.path()).await, Model::default());
    let few = u128::from(CROWD_SITES_MIN) - 1;
    world.commit((1..=few).map(|number| put(number, 0)).collect(), &mut model).await;
    let before = world.revision();
    let mut watch = world.watch("", None);
    while watch.next().await.unwrap().mark != Mark::Current {}
    for last in [put(few + 1, 0), vec![Step::Purge { number: few + 1 }]] {
        world.commit(vec![last], &mut model).await;
        let revision = world.revision();
        let mut told = BTreeMap::new();
        loop {
            let message = watch.next().await.unwrap();
            told.extend(message.changed.iter().map(|site| (site.value.id.as_u128(), site.revision)));
            if message.revision == revision {
                break;
            }
        }
        let others: Vec<_> = told.iter().filter(|(number, _)| **number <= few).collect();
        assert_eq!(others.len() as u128, few, "{told:?}");
        assert!(others.iter().all(|(_, written)| **written <= before), "{told:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_too_slow_catches_up_and_who_is_far_too_slow_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let (world, mut model) = (World::open(directory.path()).await, Model::default());
    let mut client = Client::new(&world, "");
    world.commit((1..=300).map(|number| put(number, 0)).collect(), &mut model).await;
    client.read_to(world.revision(), &model).await.unwrap();
    // They fill the row of commits before the memory of which sites changed, and then that too.
    let great: Vec<Vec<Step>> =
        (0..40_u128).map(|number| (1..=5).flat_map(|k| put(number * 5 + k, 1)).collect()).collect();
    for _ in 0..8 {
        world.commit(great.clone(), &mut model).await;
    }
    client.is_current = false;
    let before = client.resyncs;
    client.read_to(world.revision(), &model).await.unwrap();
    assert_eq!((client.resyncs, client.held.len()), (before + 1, 300), "200 sites of 300 are more than are remembered");
    for note in 2..8 {
        world.commit((1..=70).map(|number| put(number, note)).collect(), &mut model).await;
    }
    client.resume(&world);
    client.read_to(world.revision(), &model).await.unwrap();
    assert_eq!(client.resyncs, before + 1, "70 sites are remembered, however often they change");
}

/// A thousand that fell behind together read each changed site a thousand times once, and came no nearer.
#[tokio::test(flavor = "multi_thread")]
async fn who_fell_behind_while_it_watched_asks_the_store_for_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(Failing::new(Arc::new(Embedded::open(directory.path()).unwrap())));
    let (world, mut model) = (World::on(Arc::clone(&store) as Arc<dyn Store>).await, Model::default());
    let mut client = Client::new(&world, "");
    client.read_to(world.revision(), &model).await.unwrap();
    // More commits than the row has, of fewer sites than are remembered to have changed.
    for note in 1..=8 {
        world.commit((1..=50).map(|number| put(number, note)).collect(), &mut model).await;
    }
    *store.corrupt.lock() = (1..=50).map(|number| SiteId::from_u128(number).to_string()).collect();
    client.read_to(world.revision(), &model).await.unwrap();
    assert_eq!((client.resyncs, client.held.len()), (0, 50));
    // From its begin on, before its first message.
    client.resume(&world);
    world.commit((1..=50).map(|number| put(number, 9)).collect(), &mut model).await;
    while !client.is_current {
        client.take().await;
    }
    assert!(client.held.values().all(|(_, note)| note == "9"), "they were read from the store");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_of_very_many_sites_is_whole_with_its_last_message() {
    let directory = tempfile::tempdir().unwrap();
    let (world, mut model) = (World::open(directory.path()).await, Model::default());
    let mut client = Client::new(&world, "");
    client.read_to(world.revision(), &model).await.unwrap();
    let before = client.revision;
    world.commit(vec![(1..=1_500).flat_map(|number| put(number, 7)).collect()], &mut model).await;
    let mut messages = 1;
    while !client.take().await {
        assert_eq!((client.revision, client.is_current), (before, true), "it is not whole yet");
        messages += 1;
    }
    assert_eq!((client.revision, client.held.len()), (world.revision(), 1_500));
    assert!(messages >= 3, "{messages} messages hold 1,500 sites");
}

/// Sites in the test of watches that begin while others write: several pages of them.
const MANY: u128 = 250;

#[tokio::test(flavor = "multi_thread")]
async fn who_begins_while_others_write_holds_whole_writes_too() {
    let directory = tempfile::tempdir().unwrap();
    let (world, mut model) = (Arc::new(World::open(directory.path()).await), Model::default());
    world.commit(vec![(1..=MANY).flat_map(|number| put(number, 0)).collect()], &mut model).await;
    let writing = tokio::spawn({
        let world = Arc::clone(&world);
        async move {
            for turn in 1..=400_u32 {
                // Far apart, so that one is read before and one after the other's page; a third of them go and come.
                let numbers = [u128::from(turn) % MANY + 1, u128::from(turn) * 97 % MANY + 1];
                let is_deleted = turn % 3 == 0;
                let step = |number| Step::Put { number, status: Status::Online, is_deleted, note: turn, lat: 1.0 };
                let batch = if numbers[0] == numbers[1] { &numbers[..1] } else { &numbers[..] };
                world.commit(vec![batch.iter().copied().map(step).collect()], &mut model).await;
            }
            model
        }
    });
    let reading = (0..12).map(|number| {
        let world = Arc::clone(&world);
        tokio::spawn(async move {
            while world.revision().0 < 20 * number {
                tokio::task::yield_now().await;
            }
            let mut client = Client::new(&world, "");
            let mut held = Vec::new();
            while client.revision.0 < 400 {
                client.take().await;
                // The last state of each revision.
                held.push((client.revision, client.is_current, client.held.clone()));
            }
            held
        })
    });
    let reading: Vec<_> = reading.collect();
    let model = writing.await.unwrap();
    for client in reading {
        for (revision, is_current, held) in client.await.unwrap() {
            if is_current {
                assert_eq!(held, model.at("", revision), "at {revision:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revision_that_never_was_begins_anew_and_one_of_before_the_start_too() {
    let directory = tempfile::tempdir().unwrap();
    let (world, mut model) = (World::open(directory.path()).await, Model::default());
    let before = world.revision();
    world.commit(vec![put(1, 0)], &mut model).await;
    let last = world.revision();
    world.store.close().await;
    drop(world);
    let world = World::open(directory.path()).await;
    let first = async |resume: Revision| {
        let message = world.watch("", Some(resume)).next().await.unwrap();
        (message.mark, message.changed.len())
    };
    assert_eq!(first(Revision(last.0 + 100)).await, (Mark::Resync, 0));
    assert_eq!(first(before).await, (Mark::Resync, 0));
    // Whoever knew the last state needs nothing; the tokens that the test made since are no sites.
    assert_eq!(first(last).await, (Mark::Current, 0));
}
