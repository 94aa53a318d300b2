//! What a client shows after a message is what the map answers.

use std::collections::BTreeMap;

use futures_util::stream;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::service::symbols::Symbols;

/// What a client shows.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Picture(BTreeMap<String, String>);

impl Picture {
    pub(super) fn apply(&mut self, changed: &Symbols, removed: &[String]) {
        let pins = changed.pins.iter().map(|pin| (format!("p-{}", pin.site), format!("{pin:?}")));
        let clusters = changed.clusters.iter().map(|cluster| (cluster.id.clone(), format!("{cluster:?}")));
        let areas = changed.areas.iter().map(|area| (area.id.clone(), format!("{area:?}")));
        for id in removed {
            assert!(self.0.remove(id).is_some(), "{id} was shown before it vanished");
        }
        self.0.extend(pins.chain(clusters).chain(areas));
    }
}

#[test]
fn what_a_client_shows_is_what_the_map_answers() {
    let (runtime, directories) = (runtime(), tempfile::tempdir().unwrap());
    let number = std::cell::Cell::new(0);
    let filters = prop::sample::select(vec!["", ONLINE, "site 3 OR site 4"]);
    let rounds = prop::collection::vec((prop::collection::vec(batch(), 1..4), 0..5_i32, filters, any::<bool>()), 1..10);
    // Each round takes a tick: few cases.
    TestRunner::new(Config { cases: 8, failure_persistence: None, ..Config::default() })
        .run(&rounds, |rounds| {
            number.set(number.get() + 1);
            let directory = directories.path().join(number.get().to_string());
            runtime.block_on(async {
                let (world, mut model) = (World::open(&directory).await, Model::default());
                let mut watch = world.waymark.watch_map(&world.viewer, &id(), view(0)).unwrap();
                let (mut picture, mut seen) = (Picture::default(), view(0));
                for (turn, (batches, zoom, filter, moves)) in (1..).zip(rounds) {
                    world.commit(batches, &mut model).await;
                    let mut asked = Vec::new();
                    if moves {
                        seen = View { zoom, filter: filter.to_owned(), ..view(turn) };
                        // A view that is overtaken is never answered.
                        asked = vec![Ok(view(1_000)), Ok(seen.clone())];
                    }
                    let mut asked = stream::iter(asked).chain(stream::pending());
                    let message = loop {
                        let message = watch.next(&mut asked).await.unwrap();
                        picture.apply(&message.changed, &message.removed);
                        prop_assert_ne!(message.view, 1_000);
                        if message.view == seen.id && message.revision == world.revision() {
                            break message;
                        }
                    };
                    let View { bounds, zoom, filter, .. } = &seen;
                    let answer = world.waymark.viewport(&world.viewer, &id(), bounds, *zoom, filter).await.unwrap();
                    let mut expected = Picture::default();
                    expected.apply(&answer.symbols, &[]);
                    prop_assert_eq!(&picture, &expected);
                    prop_assert_eq!(message.counts.matching, answer.matching);
                    prop_assert_eq!(message.counts.unplaced, answer.unplaced);
                }
                Ok(())
            })
        })
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_that_follow_one_another_fast_are_told_together() {
    let directory = tempfile::tempdir().unwrap();
    let (world, mut model) = (Arc::new(World::open(directory.path()).await), Model::default());
    let mut watch = world.waymark.watch_map(&world.viewer, &id(), view(1)).unwrap();
    watch.next(&mut stream::pending()).await.unwrap();
    let writing = tokio::spawn({
        let world = Arc::clone(&world);
        async move {
            for number in 1..=200 {
                world.commit(vec![put(number, 0)], &mut model).await;
            }
            world.revision()
        }
    });
    let begun = Instant::now();
    let (mut messages, mut seen) = (0, Revision::default());
    while !writing.is_finished() || seen < world.revision() {
        seen = watch.next(&mut stream::pending()).await.unwrap().revision;
        messages += 1;
    }
    // At once, and then one a tick; however slow the machine is, it is not more.
    let ticks = begun.elapsed().as_millis() / 200;
    assert!(messages <= ticks + 2, "{messages} messages in {ticks} ticks");
    assert_eq!(writing.await.unwrap(), seen);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_without_names_names_no_site() {
    let directory = tempfile::tempdir().unwrap();
    let (world, mut model) = (World::open(directory.path()).await, Model::default());
    world.commit(vec![put(1, 0)], &mut model).await;
    for (is_nameless, name) in [(false, "site 1"), (true, "")] {
        let view = View { is_nameless, ..view(1) };
        let mut watch = world.waymark.watch_map(&world.viewer, &id(), view).unwrap();
        let message = watch.next(&mut stream::pending()).await.unwrap();
        let names: Vec<_> = message.changed.pins.iter().map(|pin| pin.display_name.as_str()).collect();
        assert_eq!(names, [name]);
    }
}
