//! Memory that was told everything anew is memory that loads, and whoever watched is told that it missed something.

use std::collections::HashSet;

use crate::lexicon::{Classes as Texts, Query};
use crate::model::assignment::Assignment;
use crate::model::connection::Sealed;
use crate::model::id::ShareId;
use crate::model::prefix::Prefix;
use crate::model::share::{Act, Share};
use crate::store::document::QueuedMail;
use crate::store::{Range, Resync, Store};

use super::*;

const ACCOUNTS: u8 = 2;
/// The kinds that an engine tells anew.
const KINDS: [Kind; 6] = [Kind::Account, Kind::Token, Kind::Site, Kind::Prefix, Kind::Mail, Kind::Share];

fn put_prefix(account: u8, number: u8, name: String) -> Mutation {
    let network: ipnet::IpNet = format!("10.{number}.0.0/16").parse().unwrap();
    let now = Timestamp::UNIX_EPOCH;
    let prefix = Prefix {
        network,
        display_name: name,
        position: LatLng::new(1.0, 2.0).unwrap(),
        accuracy_m: None,
        granularity: Granularity::City,
        created_at: now,
        updated_at: now,
    };
    put(Key::of(&account_id(account), Kind::Prefix, network), Document::Prefix(prefix))
}

fn put_mail(account: u8, number: u8) -> Mutation {
    let mail = QueuedMail {
        site: SiteId::from_u128(0),
        secret_hash: [number; 32],
        sealed: Sealed { key_id: String::new(), nonce: String::new(), text: String::new() },
        queued_at: Timestamp::UNIX_EPOCH,
    };
    put(Key::of(&account_id(account), Kind::Mail, number), Document::Mail(mail))
}

fn put_share(account: u8, number: u8, is_accepted: bool) -> Mutation {
    let now = Timestamp::UNIX_EPOCH;
    let share = Share {
        // One account's shares are no other's.
        id: ShareId::from_random(&[number * 2 + account; 32]),
        owner: account_id(account),
        display_name: String::new(),
        sites: Assignment::parse("labels.region = x").unwrap(),
        contacts: Contacts::Masked,
        positions: Positions::Exact,
        code_hash: [number; 32],
        proposed_at: now,
        offered_until: now,
        expires_at: None,
        accepted: is_accepted.then(|| Act { by: account_id(1 - account), at: now }),
        declined_at: None,
        ended: None,
    };
    put(Key::of(&share.owner, Kind::Share, share.id), Document::Share(Box::new(share)))
}

/// One step: of sites and tokens, or of what stands beside them.
fn any_step() -> impl Strategy<Value = Mutation> {
    let beside = (0..ACCOUNTS, 0..4_u8, "[a-c]{1,2}", 0..8_u8).prop_map(|(account, number, name, step)| match step {
        0 => Mutation::delete(put_prefix(account, number, name).key),
        1 => Mutation::delete(put_mail(account, number).key),
        2 => Mutation::delete(put_token(account, number).key),
        3 => put_mail(account, number),
        4 => Mutation::delete(put_share(account, number, false).key),
        5 => put_share(account, number, false),
        6 => put_share(account, number, true),
        _ => put_prefix(account, number, name),
    });
    prop_oneof![3 => step(), 2 => beside]
}

/// Tells everything of a store, as an engine does to which commits were lost.
async fn tell_anew(live: &Live, store: &dyn Store, continues: bool) {
    let mut accounts = Vec::new();
    for number in 0..ACCOUNTS {
        let (account, mut present) = (account_id(number), HashSet::new());
        let revision = store.revision(Some(&account)).await.unwrap();
        for kind in KINDS {
            let records = store.scan(Range::all(Some(account.clone()), kind)).await.unwrap();
            present.extend(records.iter().map(|record| (kind, record.key.id.clone())));
            let mutations: Vec<_> = records.into_iter().map(|record| put(record.key, record.document)).collect();
            live.resynced(Resync::Records(&mutations));
        }
        if revision > Revision(0) {
            live.resynced(Resync::End { partition: Some(&account), revision, present: &present, continues });
            accounts.push((account.to_string(), revision));
        }
    }
    live.resynced(Resync::Accounts { is_among: &|_| true, present: &accounts });
}

/// What stands beside the map: networks, shares, and what searches find.
fn told_beside(live: &Live) -> Vec<String> {
    let mut told = Vec::new();
    for account in live.lives() {
        for number in 0..4 {
            told.push(format!("{:?}", account.prefix_of(format!("10.{number}.0.1").parse().unwrap())));
        }
        told.push(account.prefix_count().to_string());
        told.push(format!("{:?}", live.shares.list(&account.account().id, None, usize::MAX)));
        for typed in ["a", "b", "c", "k", "x", "z"] {
            let hits = account.search.search(None, &Query::parse(typed).unwrap(), Texts::ALL, 100, None);
            let mut sites = hits.sites;
            sites.sort_unstable();
            told.push(format!("{typed} {sites:?}"));
        }
    }
    told
}

#[test]
fn what_is_told_anew_is_what_is_loaded() {
    let (runtime, directories) = (runtime(), tempfile::tempdir().unwrap());
    let number = std::cell::Cell::new(0);
    let steps = || prop::collection::vec(any_step(), 1..40);
    TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() })
        .run(&(steps(), steps()), |(before, after)| {
            number.set(number.get() + 1);
            let open =
                |name: &str| Embedded::open(&directories.path().join(format!("{name}{}", number.get()))).unwrap();
            let (old, new) = (open("old"), open("new"));
            runtime.block_on(told_anew(&old, &new, before, after, number.get() % 2 == 0));
            Ok(())
        })
        .unwrap();
}

/// `away` hears of what goes into `old`, and then is told anew of what went into `new` as well.
async fn told_anew(old: &Embedded, new: &Embedded, before: Vec<Mutation>, after: Vec<Mutation>, continues: bool) {
    let away = Live::follow(old).await.unwrap();
    for mutation in [put_account(0), put_account(1)].into_iter().chain(before) {
        for store in [old, new] {
            store.commit(vec![mutation.clone()]).await.unwrap();
        }
    }
    let account = away.account(&account_id(0)).unwrap();
    let (mut watcher, seen) = (account.commits(), account.standing());
    for mutation in after {
        new.commit(vec![mutation]).await.unwrap();
    }
    tell_anew(&away, new, continues).await;
    let loaded = Live::follow(new).await.unwrap();
    loaded.read_for_search(new).await.unwrap();
    assert_eq!(told(&away), told(&loaded));
    assert_eq!(told_beside(&away), told_beside(&loaded));
    let mut mails = Vec::new();
    for number in 0..ACCOUNTS {
        let range = Range::all(Some(account_id(number)), Kind::Mail);
        mails.extend(new.scan(range).await.unwrap().into_iter().map(|record| (account_id(number), record.key.id)));
    }
    assert_eq!(away.mails.keys(), mails);
    if !continues || account.standing() != seen {
        let why = if continues { Missed::Lagged } else { Missed::Forked };
        assert_eq!(watcher.try_next().unwrap_err(), why, "a watcher was not told that it missed something");
        assert!(account.changed_since(seen).is_none(), "it may go on where nothing is known");
    } else {
        assert!(watcher.try_next().is_ok(), "it missed nothing");
    }
    assert!(account.changed_since(account.standing()).is_some());
}

/// Runs are in no memory: whoever works on them has to look, in each account that is there.
#[tokio::test]
async fn runs_that_began_unheard_are_looked_for_and_accounts_that_went_leave_nothing() {
    let directories = tempfile::tempdir().unwrap();
    let old = Embedded::open(&directories.path().join("old")).unwrap();
    let new = Embedded::open(&directories.path().join("new")).unwrap();
    let live = Live::follow(&old).await.unwrap();
    for number in 0..ACCOUNTS {
        old.commit(vec![put_account(number), put_token(number, number), put_mail(number, number)]).await.unwrap();
    }
    new.commit(vec![put_account(0)]).await.unwrap();
    let mut watcher = live.account(&account_id(1)).unwrap().commits();
    tell_anew(&live, &new, true).await;
    assert_eq!(live.runs.begun_verifications().await.into_iter().collect::<Vec<_>>(), [account_id(0)]);
    live.runs.reestimation_changed().await;
    assert!(live.account(&account_id(1)).is_none() && live.mails.keys().is_empty());
    assert!((0..ACCOUNTS).all(|number| live.tokens_of(Some(&account_id(number)), None, 9).is_empty()));
    assert_eq!(watcher.try_next().unwrap_err(), Missed::Forked);
}
