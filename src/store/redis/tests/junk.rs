//! Junk of other programs under our keys: ids that are no texts, keys of another type, revisions that are no numbers. Each spoils
//! itself alone, is left as it is, and is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::memory::{KIND, Memory, key, put, replica, until};
use super::server::Server;
use crate::error::{Fault as _, Reason};
use crate::store::redis::Redis;
use crate::store::redis::transfer::Deployment;
use crate::store::transfer::{self, Transfer as _};
use crate::store::{Error, Kind, Loaded, Mutation, Range, Store, Visit, faults, id_of};

/// Ids that no text has: a byte that never stands in one, and one that is cut off.
const STRAYS: [&[u8]; 3] = [b"\xff\xfe", b"n1\xc3", b"\x80"];

/// A store with records of some accounts, `acme` among them, and what its replica has in memory.
async fn filled(server: &Server, prefix: &str) -> (Arc<Redis>, Arc<Memory>) {
    let (store, memory) = replica(&server.config(prefix)).await;
    for number in 0..5 {
        store.commit(vec![put("acme", &format!("n{number}"), number)]).await.unwrap();
    }
    for account in beside(&store) {
        store.commit(vec![put(&account, "one", 1)]).await.unwrap();
    }
    (store, memory)
}

/// Another account of the partition of `acme`, and one of another partition.
fn beside(store: &Redis) -> [String; 2] {
    let of = |is_there: bool| {
        let accounts = (0..).map(|number| format!("other{number}"));
        let home = store.names.partition("acme");
        accounts.into_iter().find(|account| (store.names.partition(account) == home) == is_there).unwrap()
    };
    [of(true), of(false)]
}

fn range(account: &str) -> Range {
    Range::all(Some(account.parse().unwrap()), KIND)
}

fn run(server: &Server, command: &[&[u8]]) -> redis::Value {
    let mut call = redis::cmd(std::str::from_utf8(command[0]).unwrap());
    for argument in &command[1..] {
        call.arg(*argument);
    }
    call.query(&mut server.client().get_connection().unwrap()).unwrap()
}

/// Ids of an account's records, page by page, and of those that cannot be read.
async fn ids(store: &Redis, account: &str, limit: usize, descending: bool) -> (Vec<String>, Vec<String>) {
    let (mut whole, mut damaged, mut after) = (Vec::new(), Vec::new(), None);
    loop {
        let found = store.scan_each(Range { after, descending, limit, ..range(account) }).await.unwrap();
        let is_last = found.len() < limit;
        after = found.last().map(|read| id_of(read).to_owned());
        for read in found {
            match read {
                Ok(record) => whole.push(record.key.id),
                Err(unreadable) => damaged.push(unreadable.id),
            }
        }
        if is_last {
            return (whole, damaged);
        }
    }
}

/// How many records a load gives, and how many that cannot be read.
async fn loaded(store: &Redis) -> Result<(usize, usize), Error> {
    let count: Arc<Mutex<(usize, usize)>> = Arc::default();
    let counted = Arc::clone(&count);
    let visit: Visit = Box::new(move |found: Result<Loaded<'_>, Error>| {
        let mut count = counted.lock();
        if found.is_ok() { count.0 += 1 } else { count.1 += 1 }
    });
    store.load(vec![visit]).await?;
    let count = *count.lock();
    Ok(count)
}

/// Has a replica read a partition anew.
async fn reads_anew(server: &Server, store: &Redis, memory: &Memory, account: &str) {
    let before = *memory.resyncs.lock();
    let stream = store.names.stream(store.names.partition(account));
    // A number that comes too early: the stream holds what no waymark wrote, and is as before when it is gone.
    let id: String = server.run(&["XADD", &stream, "*", "theirs", "one"]).unwrap();
    until("it is not read anew", || *memory.resyncs.lock() > before).await;
    assert_eq!(server.run::<u64>(&["XDEL", &stream, &id]), Ok(1));
    let head = store.names.head(store.names.partition(account));
    let last: String = server.run(&["HGET", &head, "sequence"]).unwrap();
    server.run::<()>(&["XSETID", &stream, &format!("{last}-0")]).unwrap();
    until("it does not go on", || store.lag().trouble.is_none()).await;
}

async fn others_are_served(store: &Redis) {
    for account in beside(store) {
        assert_eq!(ids(store, &account, 10, false).await, (vec!["one".to_owned()], Vec::new()), "{account}");
        store.commit(vec![put(&account, "one", 1)]).await.unwrap();
    }
}

/// What a look at all records tells.
async fn looked(server: &Server, prefix: &str) -> Vec<String> {
    let mut told = Vec::new();
    let source = Deployment::source(&server.config(prefix)).await.unwrap();
    transfer::look(&source, &mut |_, cause| told.push(cause.to_string())).await.unwrap();
    told
}

/// One id that was no text failed the page that it stood on: lists, starts, and all that is read anew.
#[tokio::test]
async fn ids_that_are_no_texts_spoil_nothing_else() {
    let server = Server::start();
    let (store, memory) = filled(&server, "texts").await;
    assert_eq!(looked(&server, "texts").await, Vec::<String>::new());
    let (index, records) = (store.names.index("acme", KIND), store.names.records("acme", KIND));
    for stray in STRAYS {
        run(&server, &[b"ZADD", index.as_bytes(), b"0", stray]);
        run(&server, &[b"HSET", records.as_bytes(), stray, b"junk"]);
    }
    let whole: Vec<String> = (0..5).map(|number| format!("n{number}")).collect();
    let before = faults::corrupt_reads();
    for limit in [1, 2, 3, 4, 5, 6, 100] {
        assert_eq!(ids(&store, "acme", limit, false).await, (whole.clone(), Vec::new()), "{limit} at once");
        let (mut back, damaged) = ids(&store, "acme", limit, true).await;
        back.reverse();
        assert_eq!((back, damaged), (whole.clone(), Vec::new()), "{limit} at once, backwards");
    }
    assert!(faults::corrupt_reads() >= before + 3, "nobody counts them");
    others_are_served(&store).await;
    reads_anew(&server, &store, &memory, "acme").await;
    assert_eq!(memory.records.lock().keys().filter(|(account, _)| account == "acme").count(), 5);
    // One that starts reads them all at once.
    let other = Redis::open(&server.config("texts")).await.unwrap();
    loaded(&other).await.unwrap();
    store.commit(vec![put("acme", "n5", 5)]).await.unwrap();
    let told = looked(&server, "texts").await;
    assert_eq!(told.len(), 3, "{told:?}");
    let source = Deployment::source(&server.config("texts")).await.unwrap();
    let refused = source.page(Some(&"acme".parse().unwrap()), KIND, None).await;
    assert!(matches!(refused, Err(Error::Corrupt { .. })), "a migration leaves nothing out");
    for stray in STRAYS {
        let kept = run(&server, &[b"HGET", records.as_bytes(), stray]);
        assert_eq!(kept, redis::Value::BulkString(b"junk".to_vec()), "it was written over");
    }
}

/// The same of ids of tokens, by which a start ended.
#[tokio::test]
async fn a_start_goes_past_ids_of_tokens_that_are_no_texts() {
    let server = Server::start();
    let (store, _) = filled(&server, "tokens").await;
    for kind in [Kind::Account, Kind::Token, Kind::Site] {
        run(&server, &[b"ZADD", store.names.index("acme", kind).as_bytes(), b"0", STRAYS[0]]);
        run(&server, &[b"HSET", store.names.records("acme", kind).as_bytes(), STRAYS[0], b"junk"]);
    }
    let other = Redis::open(&server.config("tokens")).await.unwrap();
    assert_eq!(loaded(&other).await.unwrap(), (0, 0));
}

#[tokio::test]
async fn records_that_are_another_type_are_each_damaged_and_the_others_served() {
    let server = Server::start();
    let (store, memory) = filled(&server, "records").await;
    let records = store.names.records("acme", KIND);
    assert_eq!(server.run::<u64>(&["DEL", &records]), Ok(1));
    server.run::<()>(&["SET", &records, "theirs"]).unwrap();
    let whole: Vec<String> = (0..5).map(|number| format!("n{number}")).collect();
    assert_eq!(ids(&store, "acme", 2, false).await, (Vec::new(), whole.clone()));
    assert!(matches!(store.get(key("acme", "n1")).await, Err(Error::Corrupt { .. })));
    let of = beside(&store);
    let read = store.get_each(vec![key("acme", "n1"), key(&of[0], "one"), key(&of[1], "one")]).await.unwrap();
    assert!(read[0].is_err() && read[1..].iter().all(|read| matches!(read, Ok(Some(_)))), "{read:?}");
    let refused = store.commit(vec![put("acme", "n6", 6)]).await.unwrap_err();
    assert_eq!(refused.reason(), Reason::StorageCorrupt);
    assert!(refused.to_string().contains(&records), "{refused}");
    others_are_served(&store).await;
    reads_anew(&server, &store, &memory, "acme").await;
    assert_eq!(memory.records.lock().keys().filter(|(account, _)| account == "acme").count(), 5, "they are on the map");
    assert_eq!(server.run::<String>(&["GET", &records]), Ok("theirs".to_owned()), "it was written over");
    let told = looked(&server, "records").await;
    assert!(told.len() == 6 && told.iter().any(|told| told.contains(&records)), "{told:?}");
}

/// Breaks the index of an account's records.
type Breaking = fn(&Server, &str);

#[tokio::test]
async fn an_index_that_is_another_type_or_gone_hides_no_record() {
    let away = |server: &Server, index: &str| assert_eq!(server.run::<u64>(&["DEL", index]), Ok(1));
    let other = |server: &Server, index: &str| server.run::<()>(&["SET", index, "theirs"]).unwrap();
    let ways: BTreeMap<&str, Breaking> = BTreeMap::from([("gone", away as Breaking), ("another", other as Breaking)]);
    let server = Server::start();
    for (prefix, breaks) in ways {
        let (store, memory) = filled(&server, prefix).await;
        let index = store.names.index("acme", KIND);
        breaks(&server, &index);
        let whole: Vec<String> = (0..5).map(|number| format!("n{number}")).collect();
        for limit in [1, 2, 5, 100] {
            assert_eq!(ids(&store, "acme", limit, false).await, (whole.clone(), Vec::new()), "{prefix}");
        }
        let (back, _) = ids(&store, "acme", 2, true).await;
        assert_eq!(back, whole.iter().rev().cloned().collect::<Vec<_>>(), "{prefix}");
        assert!(store.get(key("acme", "n1")).await.unwrap().is_some());
        others_are_served(&store).await;
        reads_anew(&server, &store, &memory, "acme").await;
        assert_eq!(
            memory.records.lock().keys().filter(|(of, _)| of == "acme").count(),
            5,
            "{prefix}: it is off the map"
        );
        let told = looked(&server, prefix).await;
        assert!(told.len() == 1 && told[0].contains(&index), "{prefix}: {told:?}");
        if prefix == "gone" {
            // A write that began the index anew with its own record alone would hide the others.
            store.commit(vec![put("acme", "n4", 4), put("acme", "n5", 5)]).await.unwrap();
            assert_eq!(ids(&store, "acme", 100, false).await.0.len(), 6, "the index is part of what is there");
            assert_eq!(looked(&server, prefix).await, Vec::<String>::new());
            // Nor may it have an id of a record that the same write takes away.
            breaks(&server, &index);
            let both = vec![Mutation::delete(key("acme", "n0")), put("acme", "n6", 6)];
            store.commit(both).await.unwrap();
            assert_eq!(ids(&store, "acme", 100, false).await.0.len(), 6);
            assert_eq!(looked(&server, prefix).await, Vec::<String>::new());
            continue;
        }
        let refused = store.commit(vec![put("acme", "n6", 6)]).await.unwrap_err();
        assert!(refused.to_string().contains(&index), "{refused}");
        assert_eq!(server.run::<String>(&["GET", &index]), Ok("theirs".to_owned()), "it was written over");
        // As docs/replicas.md says.
        let records = store.names.records("acme", KIND);
        let page = include_str!("../../../../docs/replicas.md");
        let (_, rest) = page.split_once("EVAL \"").unwrap();
        let script = rest.split_once('"').unwrap().0;
        assert_eq!(server.run::<u64>(&["EVAL", script, "2", &records, &index]), Ok(5), "{prefix}");
        store.commit(vec![put("acme", "n6", 6)]).await.unwrap();
        assert_eq!(ids(&store, "acme", 100, false).await.0.len(), 6, "{prefix}");
        assert_eq!(looked(&server, prefix).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn sites_whose_index_is_damaged_are_loaded_without_it() {
    let server = Server::start();
    let (store, _) = filled(&server, "sites").await;
    for kind in [Kind::Account, Kind::Token, Kind::Site] {
        let (records, index) = (store.names.records("acme", kind), store.names.index("acme", kind));
        server.run::<u64>(&["HSET", &records, "one", "junk"]).unwrap();
        server.run::<()>(&["SET", &index, "theirs"]).unwrap();
    }
    // What is there is found, whatever it is.
    assert_eq!(loaded(&Redis::open(&server.config("sites")).await.unwrap()).await.unwrap(), (0, 3));
}

#[tokio::test]
async fn a_revision_that_is_no_number_stops_its_account_alone() {
    let server = Server::start();
    let (store, memory) = filled(&server, "revisions").await;
    let revisions = store.names.revisions(store.names.partition("acme"));
    run(&server, &[b"HSET", revisions.as_bytes(), b"acme", b"junk"]);
    run(&server, &[b"HSET", revisions.as_bytes(), b"\xff", b"1"]);
    run(&server, &[b"HSET", revisions.as_bytes(), b"of no account", b"\xff"]);
    let acme = "acme".parse().unwrap();
    assert!(matches!(store.revision(Some(&acme)).await, Err(Error::Corrupt { kind: Kind::Account, .. })));
    let refused = store.commit(vec![put("acme", "n6", 6)]).await.unwrap_err();
    assert_eq!(refused.reason(), Reason::StorageCorrupt);
    assert!(refused.to_string().contains(&revisions), "{refused}");
    others_are_served(&store).await;
    reads_anew(&server, &store, &memory, "acme").await;
    assert_eq!(memory.records.lock().keys().filter(|(account, _)| account == "acme").count(), 5, "it is off the map");
    let other = Redis::open(&server.config("revisions")).await.unwrap();
    loaded(&other).await.unwrap();
    assert!(Deployment::source(&server.config("revisions")).await.unwrap().partitions().await.is_err());
    server.run::<u64>(&["HSET", &revisions, "acme", "7"]).unwrap();
    assert_eq!(store.revision(Some(&acme)).await.unwrap().0, 7);
}

#[tokio::test]
async fn a_stream_or_a_head_that_is_another_type_is_named_and_the_other_partitions_go_on() {
    let server = Server::start();
    for what in ["stream", "head", "revisions"] {
        let (store, memory) = filled(&server, what).await;
        let partition = store.names.partition("acme");
        let broken = match what {
            "stream" => store.names.stream(partition),
            "head" => store.names.head(partition),
            _ => store.names.revisions(partition),
        };
        let aside = format!("{what}-aside");
        server.run::<()>(&["RENAME", &broken, &aside]).unwrap();
        server.run::<()>(&["SET", &broken, "theirs"]).unwrap();
        let is_named = || store.lag().trouble.is_some_and(|why| why.contains(&broken));
        until("nobody says so", is_named).await;
        let refused = store.commit(vec![put("acme", "n6", 6)]).await.unwrap_err();
        assert!(refused.to_string().contains(&broken), "{what}: {refused}");
        store.commit(vec![put(&beside(&store)[1], "two", 2)]).await.unwrap();
        assert_eq!(store.get(key("acme", "n1")).await.is_ok(), what != "head", "{what}");
        assert_eq!(memory.records.lock().len(), 8, "{what}: what memory has goes on");
        if what != "stream" {
            let refused = Redis::open(&server.config(what)).await.unwrap_err().to_string();
            assert!(refused.contains(&broken), "{refused}");
        }
        assert_eq!(server.run::<String>(&["GET", &broken]), Ok("theirs".to_owned()), "{what}: it was written over");
        server.run::<()>(&["RENAME", &aside, &broken]).unwrap();
        until("it does not go on", || store.lag().trouble.is_none()).await;
        store.commit(vec![put("acme", "n6", 6)]).await.unwrap();
    }
}

#[tokio::test]
async fn numbers_of_a_head_that_are_none_stop_writes_and_are_named() {
    let server = Server::start();
    let (store, memory) = filled(&server, "numbers").await;
    let head = store.names.head(store.names.partition("acme"));
    let sequence: String = server.run(&["HGET", &head, "sequence"]).unwrap();
    for junk in ["junk", "-1", "1.5", "nan", "inf", ""] {
        server.run::<u64>(&["HSET", &head, "sequence", junk]).unwrap();
        let refused = store.commit(vec![put("acme", "n6", 6)]).await.unwrap_err();
        assert!(refused.to_string().contains(&head), "{junk}: {refused}");
    }
    until("nobody says so", || store.lag().trouble.is_some_and(|why| why.contains(&head))).await;
    assert_eq!(memory.records.lock().len(), 7, "it was taken for one that was set back");
    server.run::<u64>(&["HSET", &head, "sequence", &sequence]).unwrap();
    until("it does not go on", || store.lag().trouble.is_none()).await;
    store.commit(vec![put("acme", "n6", 6)]).await.unwrap();
}

#[tokio::test]
async fn a_deployment_that_is_another_type_is_refused_by_name() {
    let server = Server::start();
    drop(filled(&server, "whole").await);
    assert_eq!(server.run::<u64>(&["DEL", "whole:deployment"]), Ok(1));
    server.run::<()>(&["SET", "whole:deployment", "theirs"]).unwrap();
    let refused = Redis::open(&server.config("whole")).await.unwrap_err().to_string();
    assert!(refused.contains("whole:deployment"), "{refused}");
    assert_eq!(server.run::<String>(&["GET", "whole:deployment"]), Ok("theirs".to_owned()));
}
