//! What every engine must do: one suite, run on each of them.
//!
//! The oracle is a map in memory. Histories are random, their seeds printed by proptest when they fail.

mod audit;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::document::{Document, NameClaim};
use super::*;
use crate::model::id::SiteId;
use crate::model::site::{Site, Status};

/// What an observer was told.
#[derive(Debug, Default)]
struct Told(Mutex<Vec<(Revision, Vec<Key>)>>);

impl Observer for Told {
    fn resynced(&self, _: Resync<'_>) {}

    fn committed(&self, revision: Revision, mutations: &[Mutation]) {
        self.0.lock().push((revision, mutations.iter().map(|mutation| mutation.key.clone()).collect()));
    }
}

fn document(value: u8) -> Document {
    Document::SiteName(NameClaim { site: SiteId::from_u128(value.into()) })
}

fn key(id: u8) -> Key {
    Key::of(&"acme".parse().unwrap(), Kind::SiteName, format!("name {id}"))
}

/// Gives a new, empty store.
pub(super) type Open<'a> = &'a mut dyn FnMut() -> BoxFuture<'static, Box<dyn Store>>;

/// Runs the whole suite; `open` gives a new, empty store each time.
pub(super) fn check(open: Open<'_>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        a_batch_goes_through_whole_or_not_at_all(&*open().await).await;
        partitions_and_kinds_do_not_mix(&*open().await).await;
        scans_page_in_both_directions(&*open().await).await;
        a_record_that_is_settled_stays_as_it_is(&*open().await).await;
        the_past_is_kept_with_the_present_and_apart_from_it(&*open().await).await;
        audit::records_go_with_what_they_tell_of(&*open().await).await;
        observers_hear_each_commit_before_its_caller(Arc::from(open().await)).await;
        a_load_gives_each_record_to_one_visit(&*open().await).await;
        a_closed_store_refuses(&*open().await).await;
        racing_claims_have_one_winner(Arc::from(open().await)).await;
    });
    let store = runtime.block_on(open());
    scans_keep_to_their_range(&runtime, &*store);
    random_histories_agree_with_a_map(&runtime, open);
}

async fn a_batch_goes_through_whole_or_not_at_all(store: &dyn Store) {
    let first = store.commit(vec![Mutation::create(key(1), document(1))]).await.unwrap();
    let batch = vec![Mutation::create(key(2), document(2)), Mutation::create(key(1), document(9))];
    assert!(matches!(store.commit(batch).await, Err(Error::Conflict { key: at }) if at == key(1)));
    assert!(store.get(key(2)).await.unwrap().is_none(), "half of a refused batch was written");
    let second = store.commit(vec![Mutation::replace(key(1), first, document(3))]).await.unwrap();
    assert!(second > first && store.revision(key(1).partition.as_ref()).await.unwrap() == second);
    let stale = store.commit(vec![Mutation::replace(key(1), first, document(4))]).await;
    assert!(matches!(stale, Err(Error::Conflict { .. })), "a stale revision went through");
    let found = store.get(key(1)).await.unwrap().unwrap();
    assert_eq!((found.revision, found.document), (second, document(3)));
    store.commit(vec![Mutation::delete(key(1)), Mutation::delete(key(7))]).await.unwrap();
    assert!(store.get(key(1)).await.unwrap().is_none());
}

async fn a_record_that_is_settled_stays_as_it_is(store: &dyn Store) {
    store.commit(vec![Mutation::create(key(1), document(1))]).await.unwrap();
    let read = store.get(key(1)).await.unwrap().unwrap();
    store.settle(read.clone()).await.unwrap();
    assert_eq!(store.get(key(1)).await.unwrap().unwrap().document, document(1));
    store.commit(vec![Mutation { key: key(1), expect: Expect::Any, document: Some(document(2)) }]).await.unwrap();
    let outdated = store.settle(read).await;
    assert!(matches!(outdated, Ok(()) | Err(Error::Conflict { .. })), "{outdated:?}");
    assert_eq!(store.get(key(1)).await.unwrap().unwrap().document, document(2), "what was read came back");
}

async fn partitions_and_kinds_do_not_mix(store: &dyn Store) {
    let other = Key { partition: Some("acme2".parse().unwrap()), ..key(1) };
    let operator = Key { partition: None, ..key(1) };
    for (number, key) in (0..).zip([key(1), other.clone(), operator.clone()]) {
        // Each partition counts for itself.
        assert_eq!(store.commit(vec![Mutation::create(key, document(number))]).await.unwrap(), Revision(1));
    }
    let mixed = vec![Mutation::delete(key(1)), Mutation::delete(other.clone())];
    assert!(matches!(store.commit(mixed).await, Err(Error::Partitions)));
    assert!(matches!(store.commit(Vec::new()).await, Err(Error::Partitions)));
    let found = store.get_many(vec![operator, key(5), other.clone(), key(1)]).await.unwrap();
    let documents: Vec<_> = found.into_iter().map(|record| record.map(|record| record.document)).collect();
    assert_eq!(documents, vec![Some(document(2)), None, Some(document(1)), Some(document(0))]);
    let range = Range { limit: 10, ..Range::all(other.partition, Kind::SiteName) };
    assert_eq!(store.scan(range.clone()).await.unwrap().len(), 1);
    assert_eq!(store.scan(Range { kind: Kind::Agent, ..range }).await.unwrap().len(), 0);
}

async fn scans_page_in_both_directions(store: &dyn Store) {
    let batch = (0..10).map(|id| Mutation::create(key(id), document(id))).collect();
    store.commit(batch).await.unwrap();
    for descending in [false, true] {
        let (mut after, mut seen) = (None, Vec::new());
        loop {
            let partition = key(0).partition;
            let range = Range { after: after.take(), descending, limit: 3, ..Range::all(partition, Kind::SiteName) };
            let page = store.scan(range).await.unwrap();
            after = page.last().map(|record| record.key.id.clone());
            seen.extend(page.iter().map(|record| record.key.clone()));
            if page.len() < 3 {
                break;
            }
        }
        let mut expected: Vec<_> = (0..10).map(key).collect();
        if descending {
            expected.reverse();
        }
        assert_eq!(seen, expected);
    }
}

/// The batches of a site's history: a change of the present and its record of the past go through together, or neither.
async fn the_past_is_kept_with_the_present_and_apart_from_it(store: &dyn Store) {
    let past = |id: &str| Key { kind: Kind::PastText, ..Key::of(&"acme".parse().unwrap(), Kind::PastText, id) };
    let text = |text: &str| Document::PastText(text.to_owned());
    let same_id = key(1).id;
    let batch = vec![Mutation::create(key(1), document(1)), Mutation::create(past(&same_id), text("one"))];
    let first = store.commit(batch).await.unwrap();
    let stale = vec![Mutation::create(past("b"), text("two")), Mutation::create(key(1), document(9))];
    assert!(matches!(store.commit(stale).await, Err(Error::Conflict { .. })));
    let taken = vec![Mutation::create(key(2), document(2)), Mutation::create(past(&same_id), text("other"))];
    assert!(matches!(store.commit(taken).await, Err(Error::Conflict { key: at }) if at == past(&same_id)));
    let found = store.get_many(vec![past(&same_id), past("b"), key(1), key(2)]).await.unwrap();
    let found: Vec<_> =
        found.into_iter().map(|record| record.map(|record| (record.revision, record.document))).collect();
    assert_eq!(found, vec![Some((first, text("one"))), None, Some((first, document(1))), None]);
    let loaded: Arc<Mutex<usize>> = Arc::default();
    let count = Arc::clone(&loaded);
    store.load(vec![Box::new(move |_| *count.lock() += 1)]).await.unwrap();
    assert_eq!(*loaded.lock(), 0, "a start reads what is past");
    let kept = vec![Mutation::keep(past(&same_id), text("one")), Mutation::keep(past("c"), text("three"))];
    let later = store.commit(kept).await.unwrap();
    let found = store.get_many(vec![past(&same_id), past("c")]).await.unwrap();
    let found: Vec<_> = found.into_iter().flatten().map(|record| (record.revision, record.document)).collect();
    assert_eq!(found, vec![(first, text("one")), (later, text("three"))], "what is there is not written again");
    store.commit(vec![Mutation::delete(past(&same_id))]).await.unwrap();
    assert!(store.get(past(&same_id)).await.unwrap().is_none() && store.get(key(1)).await.unwrap().is_some());
}

/// Of ids that differ in little, and of the last characters that there are, each scan answers what a look at all says.
fn scans_keep_to_their_range(runtime: &tokio::runtime::Runtime, store: &dyn Store) {
    let text = || proptest::collection::vec(prop::sample::select(vec!['a', 'b', '\u{d7ff}', '\u{10ffff}']), 0..4);
    let texts = || text().prop_map(|characters| characters.into_iter().collect::<String>());
    let mut all: Vec<String> = Vec::new();
    for one in ["", "a", "b", "\u{d7ff}", "\u{e000}", "\u{10ffff}"] {
        all.extend(
            ["", "a", "b", "\u{10ffff}"].iter().flat_map(|two| ["", "a"].map(|three| [one, two, three].concat())),
        );
    }
    all.sort();
    all.dedup();
    for kind in [Kind::SiteName, Kind::PastText] {
        let account = "acme".parse().unwrap();
        let put = |id: &String| {
            let document = if kind.is_past() { Document::PastText(id.clone()) } else { document(1) };
            Mutation::create(Key::of(&account, kind, id), document)
        };
        runtime.block_on(store.commit(all.iter().map(put).collect())).unwrap();
        TestRunner::new(Config { cases: 400, failure_persistence: None, ..Config::default() })
            .run(
                &(texts(), proptest::option::of(texts()), any::<bool>(), 1..9_usize),
                |(prefix, after, descending, limit)| {
                    let is_behind = |id: &&String| match &after {
                        Some(after) if descending => *id < after,
                        Some(after) => *id > after,
                        None => true,
                    };
                    let mut expected: Vec<_> =
                        all.iter().filter(|id| id.starts_with(&prefix)).filter(is_behind).collect();
                    if descending {
                        expected.reverse();
                    }
                    expected.truncate(limit);
                    let range = Range {
                        prefix: prefix.clone(),
                        after: after.clone(),
                        descending,
                        limit,
                        ..Range::all(Some("acme".parse().unwrap()), kind)
                    };
                    let found = runtime.block_on(store.scan(range)).unwrap();
                    let found: Vec<_> = found.iter().map(|record| &record.key.id).collect();
                    prop_assert_eq!(found, expected);
                    Ok(())
                },
            )
            .unwrap();
    }
}

async fn observers_hear_each_commit_before_its_caller(store: Arc<dyn Store>) {
    let told = Arc::new(Told::default());
    store.observe(Arc::clone(&told) as Arc<dyn Observer>).await.unwrap();
    let writers: Vec<_> = (0..8_u8)
        .map(|writer| {
            let (store, told) = (Arc::clone(&store), Arc::clone(&told));
            tokio::spawn(async move {
                for step in 0..20_u8 {
                    let at = key(writer * 20 + step);
                    let revision = store.commit(vec![Mutation::create(at.clone(), document(step))]).await.unwrap();
                    assert!(told.0.lock().iter().any(|(seen, keys)| *seen == revision && keys.contains(&at)));
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let revisions: Vec<_> = told.0.lock().iter().map(|(revision, _)| *revision).collect();
    assert_eq!(revisions.len(), 160);
    assert!(revisions.is_sorted_by(|a, b| a < b), "commits were told out of order");
}

async fn a_load_gives_each_record_to_one_visit(store: &dyn Store) {
    let names = ["acme", "acme2"];
    let mut expected = Vec::new();
    for name in names {
        let (account, mut site) = account_and_site(name);
        let made = vec![
            Mutation::create(Key::of(&account.id, Kind::Account, &account.id), Document::Account(account.clone())),
            Mutation::create(Key::of(&account.id, Kind::Site, site.id), Document::Site(Box::new(site.clone()))),
            Mutation::create(Key { partition: Some(account.id.clone()), ..key(1) }, document(1)),
        ];
        store.commit(made).await.unwrap();
        site.status = Status::Online;
        let key = Key::of(&account.id, Kind::Site, site.id);
        let changed = Mutation { key, expect: Expect::Any, document: Some(Document::Site(Box::new(site.clone()))) };
        store.commit(vec![changed]).await.unwrap();
        expected.extend([format!("{:?}", Loaded::Account(account)), format!("{:?}", Loaded::Site((&site).into()))]);
    }
    for threads in 1..4 {
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let visit = || {
            let seen = Arc::clone(&seen);
            Box::new(move |found: Result<Loaded<'_>, Error>| seen.lock().push(format!("{:?}", found.unwrap()))) as Visit
        };
        store.load((0..threads).map(|_| visit()).collect()).await.unwrap();
        seen.lock().sort();
        expected.sort();
        assert_eq!(*seen.lock(), expected, "on {threads} threads");
    }
}

fn account_and_site(name: &str) -> (Account, Site) {
    let now = jiff::Timestamp::UNIX_EPOCH;
    let id: AccountId = name.parse().unwrap();
    let site = Site::new(id.clone(), format!("Site \"1\" of {name}"), now);
    (
        Account {
            id,
            display_name: name.to_owned(),
            country: None,
            user_emails: Vec::new(),
            support_contact: String::new(),
            created_at: now,
            updated_at: now,
        },
        site,
    )
}

async fn a_closed_store_refuses(store: &dyn Store) {
    store.commit(vec![Mutation::create(key(1), document(1))]).await.unwrap();
    store.close().await;
    let late = store.commit(vec![Mutation::create(key(2), document(2))]).await;
    assert!(matches!(late, Err(Error::Unavailable { .. })));
}

async fn racing_claims_have_one_winner(store: Arc<dyn Store>) {
    let claims: Vec<_> = (0..50_u8)
        .map(|claimant| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.commit(vec![Mutation::create(key(0), document(claimant))]).await.is_ok() })
        })
        .collect();
    let mut winners = 0;
    for claim in claims {
        winners += usize::from(claim.await.unwrap());
    }
    assert_eq!(winners, 1);
}

/// One step of a history.
#[derive(Debug, Clone)]
enum Step {
    Create(u8, u8),
    Replace { id: u8, value: u8, stale: bool },
    Delete(u8),
    CreateTwo(u8, u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..6_u8, any::<u8>()).prop_map(|(id, value)| Step::Create(id, value)),
        (0..6_u8, any::<u8>(), any::<bool>()).prop_map(|(id, value, stale)| Step::Replace { id, value, stale }),
        (0..6_u8).prop_map(Step::Delete),
        (0..6_u8, 0..6_u8).prop_map(|(one, other)| Step::CreateTwo(one, other)),
    ];
    proptest::collection::vec(step, 1..30)
}

fn random_histories_agree_with_a_map(runtime: &tokio::runtime::Runtime, open: Open<'_>) {
    let open = std::cell::RefCell::new(open);
    // Each case opens a store and syncs its writes: few cases, long histories.
    TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() })
        .run(&steps(), |steps| {
            let store = runtime.block_on((open.borrow_mut())());
            runtime.block_on(agrees_with_a_map(&*store, &steps));
            Ok(())
        })
        .unwrap();
}

async fn agrees_with_a_map(store: &dyn Store, steps: &[Step]) {
    let mut model: BTreeMap<u8, (Revision, u8)> = BTreeMap::new();
    for step in steps {
        let (batch, effect): (Vec<Mutation>, Vec<(u8, Option<u8>)>) = match *step {
            Step::Create(id, value) => (vec![Mutation::create(key(id), document(value))], vec![(id, Some(value))]),
            Step::Replace { id, value, stale } => {
                let present = model.get(&id).map_or(Revision(999), |(revision, _)| *revision);
                let seen = Revision(present.0 + u64::from(stale));
                (vec![Mutation::replace(key(id), seen, document(value))], vec![(id, Some(value))])
            }
            Step::Delete(id) => (vec![Mutation::delete(key(id))], vec![(id, None)]),
            Step::CreateTwo(one, other) if one != other => (
                vec![Mutation::create(key(one), document(1)), Mutation::create(key(other), document(2))],
                vec![(one, Some(1)), (other, Some(2))],
            ),
            Step::CreateTwo(..) => continue,
        };
        let is_allowed = match *step {
            Step::Create(id, _) => !model.contains_key(&id),
            Step::Replace { id, stale, .. } => model.contains_key(&id) && !stale,
            Step::Delete(_) => true,
            Step::CreateTwo(one, other) => !model.contains_key(&one) && !model.contains_key(&other),
        };
        let outcome = store.commit(batch).await;
        assert_eq!(outcome.is_ok(), is_allowed, "{step:?} of {steps:?}");
        if let Ok(revision) = outcome {
            for (id, value) in effect {
                match value {
                    Some(value) => model.insert(id, (revision, value)),
                    None => model.remove(&id),
                };
            }
        }
        for id in 0..6 {
            let found = store.get(key(id)).await.unwrap().map(|record| (record.revision, record.document));
            assert_eq!(found, model.get(&id).map(|(revision, value)| (*revision, document(*value))), "{step:?}");
        }
    }
}
