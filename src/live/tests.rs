//! Memory as loaded from a store is memory as commits make it, and a bad record hides nothing else.

mod resync;

use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::model::access::{Contacts, Positions, Scope};
use crate::model::address::AddressQuery;
use crate::model::attention::{AttentionReason, Dismissal, fingerprint};
use crate::model::evidence::Storage;
use crate::model::geo::{BoundingBox, LatLng};
use crate::model::id::SiteId;
use crate::model::location::{Evidence, Fix, Granularity, Source};
use crate::model::site::Status;
use crate::model::site_address::{AddressState, Retry, SiteAddress, WaitReason};
use crate::model::sketch::SiteSketch;
use crate::spatial::Wants;
use crate::spatial::class::Classes;
use crate::spatial::entry::Subject;
use crate::store::Key;
use crate::store::embedded::Embedded;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn account_id(number: u8) -> AccountId {
    format!("account-{number}").parse().unwrap()
}

fn put(key: Key, document: Document) -> Mutation {
    Mutation { key, expect: crate::store::Expect::Any, document: Some(document) }
}

fn account(number: u8) -> Account {
    let now = Timestamp::UNIX_EPOCH;
    let display_name = format!("Account {number}");
    Account {
        id: account_id(number),
        display_name,
        country: None,
        user_emails: Vec::new(),
        support_contact: String::new(),
        created_at: now,
        updated_at: now,
    }
}

fn put_account(number: u8) -> Mutation {
    let account = account(number);
    put(Key::of(&account.id, Kind::Account, &account.id), Document::Account(account))
}

fn put_site(site: Site) -> Mutation {
    put(Key::of(&site.account, Kind::Site, site.id), Document::Site(Box::new(site)))
}

fn put_token(account: u8, number: u8) -> Mutation {
    // One account's tokens are no other's.
    let id = TokenId::from_random(&[number * 2 + account; 32]);
    let account = account_id(account);
    let key = Key::of(&account, Kind::Token, id);
    let token = Token {
        id,
        secret_hash: [number; 32],
        display_name: format!("token {number}"),
        scope: Scope::Viewer,
        account: Some(account),
        agent: None,
        created_at: Timestamp::UNIX_EPOCH,
        expires_at: None,
        revoked_at: None,
        contacts: Contacts::default(),
        rotation: None,
        certificate: None,
        positions: Positions::default(),
        assigned: None,
    };
    put(key, Document::Token(token))
}

/// One step of a history: what is put or purged.
fn step() -> impl Strategy<Value = Mutation> {
    let fix = (0..4_usize, -90.0..=90.0, -180.0..=180.0).prop_map(|(source, lat, lng)| Fix {
        source: Source::ALL[source],
        position: LatLng::new(lat, lng).unwrap(),
        accuracy_m: (lat > 0.0).then_some(50.0),
        granularity: Granularity::City,
        evidence: Evidence::Measured,
        made_at: Timestamp::UNIX_EPOCH,
        made_by: "token:0000000000000000".to_owned(),
    });
    let address = prop::sample::select(vec![
        AddressState::Applied,
        AddressState::Ambiguous,
        AddressState::NotFound,
        AddressState::Pending,
        AddressState::Expired,
    ]);
    let address = (address, prop::option::of(0..9_i64), any::<bool>());
    let site = (
        (0..2_u8, 0..6_u128, 0..4_usize, "[a-zÀ-ü\"\\\\ ]{1,9}"),
        prop::collection::vec(fix, 0..3),
        prop::bool::weighted(0.2),
        prop::option::of(address),
    );
    let site = site.prop_map(|((account, bits, status, text), fixes, is_deleted, address)| {
        let mut site = Site::new(account_id(account), text.clone(), Timestamp::UNIX_EPOCH);
        // One account's sites are no other's.
        site.id = SiteId::from_u128(bits * 2 + u128::from(account));
        site.status = Status::ALL[status];
        site.customer_id.clone_from(&text);
        site.labels.insert("region".to_owned(), text);
        fixes.into_iter().for_each(|fix| site.fixes.put(fix));
        if let Some((state, second, is_dismissed)) = address {
            let at = |second| Timestamp::from_second(second).unwrap();
            let query = AddressQuery::Line(site.customer_id.clone());
            let retry = second.map(|second| Retry { reason: WaitReason::Quota, attempts: 1, next_at: at(second) });
            // In the next century: what ended is not loaded as it is.
            let storage = second.map_or(Storage::Unlimited, |second| Storage::Until(at(second + 5_000_000_000)));
            let stated = SiteAddress::stated(&query, None, false, String::new(), at(1));
            site.address = Some(SiteAddress { formatted: "x".into(), state, retry, storage, ..stated });
            if is_dismissed {
                let reason = AttentionReason::AddressFailed;
                let fingerprint = fingerprint(reason, &SiteSketch::from(&site));
                site.dismissals.push(Dismissal { reason, fingerprint, by: String::new(), at: at(1) });
            }
        }
        site.deleted_at = is_deleted.then_some(Timestamp::UNIX_EPOCH);
        put_site(site)
    });
    let purge = (0..2_u8, 0..6_u128).prop_map(|(account, bits)| {
        let site = SiteId::from_u128(bits * 2 + u128::from(account));
        Mutation::delete(Key::of(&account_id(account), Kind::Site, site))
    });
    prop_oneof![8 => site, 2 => purge, 1 => (0..2_u8, 0..4_u8).prop_map(|(account, number)| put_token(account, number))]
}

/// Everything that memory holds, as text.
fn told(live: &Live) -> Vec<String> {
    let everywhere = BoundingBox::new(LatLng::new(-90.0, -180.0).unwrap(), LatLng::new(90.0, 180.0).unwrap()).unwrap();
    let mut told = Vec::new();
    for account in live.accounts() {
        let loaded = live.account(&account.id).unwrap();
        let map = loaded.map.read();
        told.push(format!("{account:?} {:?}", loaded.revision()));
        told.push(format!("{:?} {}", map.all().legend(), map.all().unplaced()));
        let attending = map.all().attending(AttentionReason::ALL.into_iter().collect(), None, 100);
        told.push(format!("{:?} {attending:?}", map.all().attention_counts()));
        let waiting = (0..12).map(|bits| loaded.waiting.get(SiteId::from_u128(bits)));
        told.push(format!("{:?} {:?}", waiting.collect::<Vec<_>>(), loaded.waiting.due(Timestamp::MAX, 100)));
        told.push(format!("{:?}", loaded.waiting.expired(Timestamp::MAX, 100)));
        told.extend(map.all().in_box(&everywhere, None, 100).found.iter().map(|entry| format!("{entry:?}")));
        told.extend((0..12).map(|bits| format!("{:?}", map.all().get(SiteId::from_u128(bits)))));
        told.extend(live.tokens_of(Some(&account.id), None, 100).iter().map(|token| format!("{token:?}")));
    }
    told
}

#[test]
fn what_is_loaded_is_what_commits_make() {
    let (runtime, directories) = (runtime(), tempfile::tempdir().unwrap());
    let number = std::cell::Cell::new(0);
    // Each case opens a store and syncs its writes: few cases, long histories.
    TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() })
        .run(&prop::collection::vec(step(), 1..60), |steps| {
            number.set(number.get() + 1);
            let directory = directories.path().join(number.get().to_string());
            let store = Embedded::open(&directory).unwrap();
            let (followed, loaded) = runtime.block_on(async {
                let followed = Live::follow(&store).await.unwrap();
                for mutation in [put_account(0), put_account(1)].into_iter().chain(steps) {
                    store.commit(vec![mutation]).await.unwrap();
                }
                (followed, Live::follow(&store).await.unwrap())
            });
            prop_assert_eq!(told(&followed), told(&loaded));
            Ok(())
        })
        .unwrap();
}

/// Takes all packed copies away: a start reads documents then.
const WITHOUT_COPIES: &str = "DELETE FROM packed";

/// A store of two accounts with a site each, in which all of `damages` have been done.
fn damaged(directory: &Path, damages: &[&str]) -> Result<Arc<Live>, Error> {
    runtime().block_on(async {
        let store = Embedded::open(directory).unwrap();
        for number in 0..2 {
            let mut site = Site::new(account_id(number), "Pump".to_owned(), Timestamp::UNIX_EPOCH);
            site.id = SiteId::from_u128(number.into());
            store.commit(vec![put_account(number), put_site(site), put_token(number, number)]).await.unwrap();
        }
        store.close().await;
    });
    let file = rusqlite::Connection::open(directory.join("waymark.sqlite3")).unwrap();
    for damage in damages {
        assert!(file.execute(damage, []).unwrap() > 0, "the fault was not injected: {damage}");
    }
    let store = Embedded::open(directory).unwrap();
    runtime().block_on(Live::follow(&store))
}

#[test]
fn an_unreadable_site_is_left_out_alone() {
    let damage = "UPDATE records SET checksum = checksum + 1 WHERE kind = 3 AND partition = 'account-0'";
    // What a start takes from a copy that is whole is as good; who reads the record is told.
    for (damages, found) in [(&[damage][..], (1, 1)), (&[damage, WITHOUT_COPIES][..], (0, 1))] {
        let directory = tempfile::tempdir().unwrap();
        let live = damaged(directory.path(), damages).unwrap();
        let unplaced = |number| live.account(&account_id(number)).unwrap().map.read().all().unplaced();
        assert_eq!((unplaced(0), unplaced(1)), found);
        assert_eq!(live.tokens_of(Some(&account_id(0)), None, 9).len(), 1);
    }
}

/// One account's network ended the start of all.
#[test]
fn an_unreadable_network_is_left_out_alone() {
    let directory = tempfile::tempdir().unwrap();
    let damage = "INSERT INTO records (partition, kind, id, revision, checksum, document)
                  VALUES ('account-0', 8, '10.0.0.0/8', 1, 0, x'7b7d')";
    let live = damaged(directory.path(), &[damage]).unwrap();
    let of = live.account(&account_id(0)).unwrap();
    assert_eq!((of.prefix_count(), of.map.read().all().unplaced()), (0, 1));
}

#[test]
fn an_unreadable_account_or_token_ends_the_start() {
    for kind in [Kind::Account, Kind::Token] {
        let directory = tempfile::tempdir().unwrap();
        let damage = format!(
            "UPDATE records SET checksum = checksum + 1 WHERE kind = {} AND partition = 'account-0'",
            kind as u8
        );
        let failure = damaged(directory.path(), &[damage.as_str(), WITHOUT_COPIES]).unwrap_err();
        assert!(matches!(failure, Error::Corrupt { kind: of, .. } if of == kind), "{failure}");
    }
}

#[test]
fn who_waited_while_another_made_the_selection_waits_for_no_reader() {
    let live = LiveAccount::new(account(0), &latest::Allowance::default());
    let wants = Wants::new("everything", 1, |_: &Subject<'_>| true);
    let selected = Selected { classes: Classes::ALL, texts: Some(wants.clone()), all: None, is_rough: false };
    let turn = live.selecting.try_lock().unwrap();
    let mut look = pin!(live.look(&selected, |view, _| view.unplaced()));
    let mut context = Context::from_waker(Waker::noop());
    assert!(look.as_mut().poll(&mut context).is_pending(), "another has the turn");
    assert!(live.map.write().select(&wants, 1));
    drop(turn);
    let (begun, begins) = mpsc::channel();
    let (ended, ends) = mpsc::channel();
    std::thread::scope(|scope| {
        let map = &live.map;
        let reader = scope.spawn(move || {
            let _map = map.read();
            begun.send(()).unwrap();
            // Long enough for a slow machine; only a look that waits for this reader lets it pass.
            ends.recv_timeout(Duration::from_secs(20)).is_ok()
        });
        begins.recv().unwrap();
        assert_eq!(look.as_mut().poll(&mut context), Poll::Ready(0));
        // Nobody listens any more where the look had waited.
        let _ = ended.send(());
        assert!(reader.join().unwrap(), "the look waited until the reader left");
    });
}
