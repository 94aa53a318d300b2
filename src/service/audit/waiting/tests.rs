//! Pages whose batches fail, cross, or are never answered, and rooms that floods fill.

use super::super::rooms::{ROOM_MAX, WAITING_MAX};
use super::*;
use crate::model::access::{Contacts, Guest, Positions, Scope};
use crate::model::audit::LOST;
use crate::model::id::{Revision, ShareId};
use crate::store::Error as StoreError;

fn now() -> Timestamp {
    Timestamp::from_second(1_700_000_000).unwrap()
}

fn acme() -> AccountId {
    "acme".parse().unwrap()
}

fn principal(account: Option<&str>, token: usize) -> Principal {
    Principal {
        token: format!("{token:016x}").parse().unwrap(),
        scope: Scope::Admin,
        account: account.map(|id| id.parse().unwrap()),
        agent: None,
        contacts: Contacts::Read,
        positions: Positions::default(),
        assigned: None,
        secret_number: 0,
        identity: None,
        guest: None,
    }
}

/// A call that imports a page.
fn page() -> State {
    State {
        principal: Some(principal(Some("acme"), 1)),
        method: Some(("ImportService.ImportSites", Class::Pages)),
        resource: "accounts/acme".into(),
        ..State::default()
    }
}

/// The record that goes with a batch of the account, and how many calls it tells of.
#[track_caller]
fn carried(waiting: &Waiting, call: &mut State) -> (Key, u64) {
    let mutation = waiting.beside(call, Some(&acme()), now()).unwrap();
    match mutation.document {
        Some(Document::Audit(record)) => (mutation.key, record.calls),
        other => panic!("{other:?}"),
    }
}

/// How a batch of the call ended that its record went with.
fn done(call: &mut State, ended: Result<(), StoreError>) {
    call.committed(Some(acme()), true, &ended.map(|()| Revision(1)));
}

/// A page of one batch from its beginning to its end.
#[track_caller]
fn whole(waiting: &Waiting, ended: Result<(), StoreError>) -> (Key, u64) {
    let mut call = page();
    let carried = carried(waiting, &mut call);
    done(&mut call, ended);
    waiting.ended(&call);
    carried
}

fn conflict() -> StoreError {
    StoreError::Conflict { key: Key::of(&acme(), Kind::Site, 1) }
}

fn unknown() -> StoreError {
    StoreError::Unknown { cause: "a test".into() }
}

/// A page that was refused was counted as one that wrote, and told of as such.
#[test]
fn pages_are_counted_once_they_are_written_and_those_that_were_not_never() {
    let waiting = Waiting::default();
    let (key, first) = whole(&waiting, Ok(()));
    assert_eq!(first, 1);
    assert_eq!(whole(&waiting, Err(conflict())), (key.clone(), 2));
    assert_eq!(whole(&waiting, Ok(())), (key.clone(), 2));
    assert_eq!(whole(&waiting, Ok(())), (key.clone(), 3));
    // Its write may come at any time: no later count is where it would be taken back.
    assert_eq!(whole(&waiting, Err(unknown())), (key.clone(), 4));
    let (other, calls) = whole(&waiting, Ok(()));
    assert!(other != key && calls == 1, "{calls}");
    assert!(waiting.unwritten(usize::MAX).is_empty(), "it is told of beside what was committed");
}

/// Two pages side by side wrote their counts in the order in which they ended, and the smaller one last.
#[test]
fn pages_side_by_side_are_in_records_of_their_own() {
    let waiting = Waiting::default();
    let (mut one, mut other) = (page(), page());
    let ((first, 1), (second, 1)) = (carried(&waiting, &mut one), carried(&waiting, &mut other)) else {
        panic!("one is counted in the other's record")
    };
    assert_ne!(first, second);
    for call in [&mut other, &mut one] {
        done(call, Ok(()));
        waiting.ended(call);
    }
    let (mut one, mut other) = (page(), page());
    let mut next = [carried(&waiting, &mut one), carried(&waiting, &mut other)];
    next.sort_by_key(|(key, _)| *key != first);
    assert_eq!(next, [(first, 2), (second, 2)]);
}

/// Rows of an import are batches side by side, and who leaves in the midst hears of none that is under way.
#[test]
fn a_record_is_the_calls_until_none_of_its_batches_is_open() {
    let waiting = Waiting::default();
    let mut call = page();
    let rows = [carried(&waiting, &mut call), carried(&waiting, &mut call)];
    assert_eq!(rows[0], rows[1], "a call is counted twice");
    done(&mut call, Ok(()));
    assert!(waiting.beside(&mut call, Some(&acme()), now()).is_none(), "it is recorded");
    waiting.ended(&call);
    let (next, calls) = whole(&waiting, Ok(()));
    assert!(next != rows[0].0 && calls == 1, "the other row may be written yet, and take this one back");
    done(&mut call, Ok(()));
    waiting.ended(&call);
    assert_eq!(whole(&waiting, Ok(())).1, 2);
}

#[test]
fn pages_of_another_hour_token_or_thing_are_apart() {
    let waiting = Waiting::default();
    let (key, _) = whole(&waiting, Ok(()));
    for other in [
        State { principal: Some(principal(Some("acme"), 2)), ..page() },
        State { method: Some(("AdminService.EraseAccountPersonalData", Class::Pages)), ..page() },
        State { resource: "accounts/acme/sites/1".into(), ..page() },
    ] {
        let (apart, calls) = carried(&waiting, &mut other.clone());
        assert!(apart != key && calls == 1, "{other:?}");
    }
    waiting.are_written(&[], now() + TOGETHER);
    assert_ne!(whole(&waiting, Ok(())).0, key);
}

/// The record of a first batch that was refused went with a batch of another partition, which no store takes.
#[test]
fn a_record_is_in_the_partition_of_the_batch_that_it_goes_with() {
    for class in [Class::Write, Class::Pages] {
        let waiting = Waiting::default();
        let mut call = State { method: Some(("ImportService.ImportSites", class)), ..page() };
        let (first, _) = carried(&waiting, &mut call);
        done(&mut call, Err(conflict()));
        let apart = waiting.beside(&mut call, None, now()).unwrap().key;
        assert!(first.partition == Some(acme()) && apart.partition.is_none(), "{first:?} {apart:?}");
        assert!(apart.id.starts_with('/'), "{apart:?}");
        let (back, _) = carried(&waiting, &mut call);
        assert_eq!(back.partition, Some(acme()));
        done(&mut call, Ok(()));
        waiting.ended(&call);
        assert_ne!(whole(&waiting, Ok(())).0, back, "the batch between may have its record written yet");
    }
}

fn note(waiting: &Waiting, by: &Principal, method: &'static str) {
    waiting.note(
        &Note {
            account: by.account.as_ref(),
            administers: method != READ,
            principal: by,
            method,
            resource: "",
            reason: "",
            changed: false,
        },
        now(),
    );
}

const READ: &str = "SiteService.GetSite";

/// Methods and calls of the records that wait in an account, or of the operator's own.
fn told(waiting: &Waiting, account: Option<&str>) -> Vec<(String, u64)> {
    let account = account.map(|id| id.parse::<AccountId>().unwrap());
    let prefix = prefix_of(account.as_ref());
    let told = |(key, document): Reached| match document {
        Document::Audit(record) => key.id.starts_with(&prefix).then_some((record.method, record.calls)),
        other => panic!("{other:?}"),
    };
    waiting.unwritten(usize::MAX).into_iter().filter_map(told).collect()
}

/// Calls that an account's records tell of as lost.
fn lost(waiting: &Waiting, account: &str) -> u64 {
    told(waiting, Some(account)).iter().filter(|(method, _)| method == LOST).map(|(_, calls)| calls).sum()
}

/// What an identity did as a viewer stood beside what it did as an administrator within the hour, all under the role that came first.
#[test]
fn calls_in_another_role_are_told_apart() {
    let waiting = Waiting::default();
    let admin = principal(Some("acme"), 1);
    let viewer = Principal { scope: Scope::Viewer, ..admin.clone() };
    for by in [&viewer, &admin, &admin, &viewer, &admin] {
        note(&waiting, by, READ);
    }
    let told = |(_, document): Reached| match document {
        Document::Audit(record) => (record.actor.map(|(_, _, scope)| scope == Scope::Admin), record.calls),
        other => panic!("{other:?}"),
    };
    let mut told: Vec<_> = waiting.unwritten(usize::MAX).into_iter().map(told).collect();
    told.sort_unstable();
    assert_eq!(told, [(Some(false), 2), (Some(true), 3)]);
}

/// One account's reads filled what there was for all, and nothing was told of the others for an hour.
#[test]
fn a_flood_takes_the_room_of_nobody_else_and_says_how_much_was_not_kept() {
    let waiting = Waiting::default();
    for token in 0..ROOM_MAX + 10 {
        note(&waiting, &principal(Some("loud"), token), READ);
    }
    assert_eq!((waiting.lost(), lost(&waiting, "loud")), (10, 10));
    let administers = "AdminService.CreateToken";
    for account in [Some("loud"), Some("quiet"), None] {
        for method in [READ, administers] {
            if (account, method) != (Some("loud"), READ) {
                note(&waiting, &principal(account, 1), method);
            }
        }
    }
    assert_eq!((waiting.lost(), lost(&waiting, "loud")), (10, 10));
    let of_loud = told(&waiting, Some("loud"));
    assert_eq!(of_loud.len(), ROOM_MAX + 2);
    assert!(of_loud.contains(&(administers.to_owned(), 1)));
    for account in [Some("quiet"), None] {
        let mut told = told(&waiting, account);
        told.sort();
        assert_eq!(told, [(administers.to_owned(), 1), (READ.to_owned(), 1)]);
    }
    // What is known already goes on being counted.
    note(&waiting, &principal(Some("loud"), 0), READ);
    assert_eq!(waiting.lost(), 10);
}

/// Behind a flood of other reads guests read of persons, and the account that they read was not told that anything was missing.
#[test]
fn what_is_lost_of_a_guests_reads_is_told_to_the_account_that_they_read() {
    let waiting = Waiting::default();
    let home: AccountId = "loud".parse().unwrap();
    let guest = Guest { home, share: ShareId::from_random(&[1; 32]) };
    let guest = Principal { guest: Some(guest), ..principal(Some("host"), 1) };
    for token in 0..ROOM_MAX {
        note(&waiting, &principal(Some("loud"), token), READ);
    }
    for _ in 0..3 {
        note(&waiting, &guest, READ);
    }
    note(&waiting, &principal(Some("loud"), ROOM_MAX), READ);
    assert_eq!((waiting.lost(), lost(&waiting, "host"), lost(&waiting, "loud")), (4, 3, 1));
}

#[test]
fn where_all_is_taken_the_largest_room_gives_way() {
    let waiting = Waiting::default();
    for number in 0..WAITING_MAX {
        note(&waiting, &principal(Some(["one", "other"][number % 2]), number), READ);
    }
    assert_eq!(waiting.lost(), 0);
    for token in 0..5 {
        note(&waiting, &principal(Some("quiet"), token), READ);
    }
    assert_eq!(told(&waiting, Some("quiet")).len(), 5);
    assert_eq!((waiting.lost(), lost(&waiting, "one") + lost(&waiting, "other")), (5, 5));
    let all = waiting.unwritten(usize::MAX);
    let of_lost = all.iter().filter(|(_, document)| matches!(document, Document::Audit(told) if told.method == LOST));
    assert_eq!(all.len() - of_lost.count(), WAITING_MAX);
    // What is in the store is not lost with its place.
    waiting.are_written(&all, now());
    note(&waiting, &principal(Some("quiet"), 5), READ);
    assert_eq!((waiting.lost(), told(&waiting, Some("quiet")).len()), (5, 1));
    waiting.are_written(&[], now() + TOGETHER);
    let left = waiting.unwritten(usize::MAX);
    assert_eq!(left.len(), 1, "it was not written");
    waiting.are_written(&left, now() + TOGETHER);
    note(&waiting, &principal(Some("one"), 1), READ);
    assert_eq!(waiting.unwritten(usize::MAX).len(), 1);
}
