//! Partitions that are read anew: of some records their revisions alone, over several pages, of which each is decoded aside.

use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use super::memory::{KIND, put, replica, until};
use super::server::Server;
use crate::store::redis::Redis;
use crate::store::redis::pages::PAGE;
use crate::store::redis::walk::Walk;
use crate::store::{Mutation, Observer, Resync, Revision, Store as _};

fn id(number: usize) -> String {
    format!("r{number:05}")
}

/// The script reads eight at a time: each value has to stand beside its own id.
#[tokio::test]
async fn of_more_records_than_are_read_at_once_each_is_known_by_its_own_revision() {
    const COUNT: usize = 21;
    let server = Server::start();
    let (store, _) = replica(&server.config("parts")).await;
    // The record of revision n + 1, in no order of ids.
    let written = |number: usize| id(number * 8 % COUNT);
    for number in 0..COUNT {
        store.commit(vec![put("acme", &written(number), 1)]).await.unwrap();
    }
    // Of another program: one is gone, one shorter than a revision.
    let (records, gone, junk) = (store.names.records("acme", KIND), written(2), written(15));
    assert_eq!(server.run::<u64>(&["HDEL", &records, &gone]), Ok(1));
    assert_eq!(server.run::<u64>(&["HSET", &records, &junk, "short"]), Ok(0));
    let acme = "acme".parse().unwrap();
    let generation = &store.lane(Some(&acme)).unwrap().generation;
    let mut connection = server.client().get_connection().unwrap();
    for known in [1, 7, 8, 10, 20, 21] {
        let mut walk = Walk::new(&store.names, generation, "acme", KIND).beyond(Revision(known));
        let answer = walk.call().unwrap().query(&mut connection).unwrap();
        let rows = walk.take(answer).unwrap().told("acme", KIND, Path::new("here"));
        let told = rows.iter().map(|row| match row.value.as_deref() {
            None => (row.id.clone(), "gone"),
            Some(b"short") => (row.id.clone(), "junk"),
            Some(_) if row.is_known(Revision(known)) => (row.id.clone(), "known"),
            Some(_) if row.record(Some(&acme), KIND).is_some() => (row.id.clone(), "whole"),
            Some(_) => (row.id.clone(), "neither"),
        });
        let mut expected: Vec<(String, &str)> = (0..COUNT)
            .map(|number| {
                let is_known = u64::try_from(number).unwrap() < known;
                let id = written(number);
                let what = if id == gone {
                    "gone"
                } else if id == junk {
                    "junk"
                } else if is_known {
                    "known"
                } else {
                    "whole"
                };
                (id, what)
            })
            .collect();
        expected.sort();
        assert_eq!(told.collect::<Vec<_>>(), expected, "known up to {known}");
    }
}

/// Hears what is told anew, and knows nothing.
#[derive(Debug, Default)]
struct Listener {
    /// Ids of records, in the order in which they were told.
    ids: Mutex<Vec<String>>,
    /// How many there are, and how many of them had been told by then.
    ends: Mutex<Vec<(usize, usize)>>,
}

impl Observer for Listener {
    fn committed(&self, _: Revision, _: &[Mutation]) {}

    fn resynced(&self, part: Resync<'_>) {
        match part {
            Resync::Records(mutations) => {
                assert!(mutations.len() <= PAGE && !mutations.is_empty());
                self.ids.lock().extend(mutations.iter().map(|mutation| mutation.key.id.clone()));
            }
            Resync::End { present, .. } => self.ends.lock().push((present.len(), self.ids.lock().len())),
            Resync::Accounts { .. } => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_that_are_decoded_aside_are_told_in_their_order_and_before_the_end() {
    const BATCH: usize = 500;
    // More than wait to be told at once.
    let count = 7 * PAGE + 7;
    let server = Server::start();
    let store = Redis::open(&server.config("pages")).await.unwrap();
    let listener = Arc::new(Listener::default());
    store.observe(Arc::clone(&listener) as Arc<dyn Observer>).await.unwrap();
    let numbers: Vec<usize> = (0..count).collect();
    for batch in numbers.chunks(BATCH) {
        store.commit(batch.iter().map(|number| put("acme", &id(*number), 1)).collect()).await.unwrap();
    }
    let stream = store.names.stream(store.names.partition("acme"));
    // What no waymark wrote: the entries behind it cannot be told.
    server.run::<String>(&["XADD", &stream, "*", "theirs", "one"]).unwrap();
    until("it is not read anew", || !listener.ends.lock().is_empty()).await;
    assert_eq!(listener.ends.lock()[0], (count, count), "something was told after the end, or twice");
    assert_eq!(listener.ids.lock()[..count], (0..count).map(id).collect::<Vec<_>>());
}
