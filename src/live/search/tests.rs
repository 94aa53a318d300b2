//! The search as it is made of a store, and as commits make it; and what of it failures leave.

use super::*;
use crate::model::access::Account;
use crate::store::embedded::Embedded;
use crate::store::failing::Failing;
use crate::store::{Expect, Key, Mutation};

/// Sites of an account.
const SITES: u128 = 5;

fn account_id(number: u8) -> AccountId {
    format!("account-{number}").parse().unwrap()
}

fn put(key: Key, document: Document) -> Mutation {
    Mutation { key, expect: Expect::Any, document: Some(document) }
}

fn put_account(number: u8) -> Mutation {
    let account = Account {
        id: account_id(number),
        display_name: String::new(),
        country: None,
        user_emails: Vec::new(),
        support_contact: String::new(),
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
    };
    put(Key::of(&account.id, Kind::Account, &account.id), Document::Account(account))
}

fn put_site(account: u8, number: u128, name: &str) -> Mutation {
    let mut site = Site::new(account_id(account), name.to_owned(), Timestamp::UNIX_EPOCH);
    site.id = SiteId::from_u128(number);
    put(Key::of(&site.account, Kind::Site, site.id), Document::Site(Box::new(site)))
}

/// A store of two accounts with some sites each.
async fn filled(directory: &std::path::Path) -> Arc<Embedded> {
    let store = Embedded::open(directory).unwrap();
    for account in 0..2 {
        let sites = (0..SITES).map(|number| put_site(account, number + 1, &format!("Pump {number}")));
        store.commit(std::iter::once(put_account(account)).chain(sites).collect()).await.unwrap();
    }
    Arc::new(store)
}

fn total(live: &Live, account: u8, typed: &str) -> usize {
    let live = live.account(&account_id(account)).unwrap();
    live.search.search(None, &Query::parse(typed).unwrap(), Classes::ALL, 3, None).total
}

async fn is_whole(live: &Live, account: u8) -> bool {
    live.account(&account_id(account)).unwrap().search.is_whole_within(Duration::ZERO).await
}

#[tokio::test]
async fn what_is_committed_while_records_are_read_is_newer() {
    let directory = tempfile::tempdir().unwrap();
    let store = filled(directory.path()).await;
    let live = Live::follow(&*store).await.unwrap();
    assert!(!is_whole(&live, 0).await);
    // As between the read of a record and the moment at which it is put in.
    let searched = Arc::clone(&live.account(&account_id(0)).unwrap().search);
    let bulk = searched.lexicon.read().bulk();
    let bulk = read(&*store, &account_id(0), bulk).await.unwrap();
    store.commit(vec![put_site(0, 1, "Valve"), put_site(0, SITES + 1, "Pump new")]).await.unwrap();
    searched.lexicon.write().install_bulk(bulk.finish());
    assert_eq!((total(&live, 0, "pump"), total(&live, 0, "valve")), (5, 1));
}

#[tokio::test]
async fn an_account_that_cannot_be_read_keeps_no_other_waiting() {
    let directory = tempfile::tempdir().unwrap();
    let inner = filled(directory.path()).await;
    let live = Live::follow(&*inner).await.unwrap();
    let store = Failing::new(inner);
    *store.away.lock() = Some(account_id(0));
    for _ in 0..2 {
        live.read_for_search(&store).await.unwrap_err();
        assert_eq!((is_whole(&live, 0).await, is_whole(&live, 1).await), (false, true));
        assert_eq!(total(&live, 1, "pump"), 5);
    }
    *store.away.lock() = None;
    live.read_for_search(&store).await.unwrap();
    assert!(is_whole(&live, 0).await);
    assert_eq!(total(&live, 0, "pump"), 5);
}

#[tokio::test]
async fn a_site_that_cannot_be_read_is_left_out_alone() {
    let directory = tempfile::tempdir().unwrap();
    let store = filled(directory.path()).await;
    let live = Live::follow(&*store).await.unwrap();
    let file = rusqlite::Connection::open(directory.path().join("waymark.sqlite3")).unwrap();
    let id = SiteId::from_u128(3);
    let damage = "UPDATE records SET checksum = checksum + 1 WHERE kind = 3 AND partition = 'account-0' AND id = ?1";
    assert_eq!(file.execute(damage, [id.to_string()]).unwrap(), 1, "the fault was not injected");
    live.read_for_search(&*store).await.unwrap();
    assert!(is_whole(&live, 0).await);
    assert_eq!((total(&live, 0, "pump"), total(&live, 0, "2")), (4, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn segments_are_merged_while_commits_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let store = Embedded::open(directory.path()).unwrap();
    let live = Live::follow(&store).await.unwrap();
    store.commit(vec![put_account(0)]).await.unwrap();
    let searched = Arc::clone(&live.account(&account_id(0)).unwrap().search);
    let mut number = 0;
    let mut put_some = async |count: u128| {
        let batch = (0..count).map(|at| put_site(0, number + at + 1, &format!("Pump {}", number + at))).collect();
        number += count;
        store.commit(batch).await.unwrap();
        number
    };
    // More commits, until a merge that they began is in. Each of them may begin one.
    let mut written = put_some(1_200).await;
    while searched.lexicon.read().is_merge_due() || IS_MERGING.load(Ordering::Acquire) {
        written = put_some(1).await;
        assert!(written < 100_000, "no merge came to its end");
        tokio::task::yield_now().await;
    }
    assert_eq!(total(&live, 0, "pump") as u128, written);
}

#[test]
fn another_merge_can_begin_whatever_ends_one() {
    let searched = Arc::new(SearchedSites::default());
    let merge = || {
        let mut lexicon = searched.lexicon.write();
        for number in 0..2_000_u128 {
            let mut site = Site::new(account_id(0), format!("Pump {number}"), Timestamp::UNIX_EPOCH);
            site.id = SiteId::from_u128(number + 1);
            let entry = lexicon.entry_of(&site);
            entry.into_iter().for_each(|entry| lexicon.put(entry));
        }
        lexicon.merge()
    };
    // Others of this process may be merging.
    let merging = std::iter::repeat_with(|| Merging::begin(&searched)).flatten().next().unwrap();
    assert!(Merging::begin(&searched).is_none());
    assert!(merge().is_some());
    assert!(!searched.lexicon.read().is_merge_due());
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _merging = merging;
        panic!("as a merge would");
    }));
    assert!(ended.is_err());
    assert!(searched.lexicon.read().is_merge_due());
    drop(std::iter::repeat_with(|| Merging::begin(&searched)).flatten().next().unwrap());
}
