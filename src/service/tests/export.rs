//! Exporting persons: all that an erasure takes away, in pages of a bounded size.

use std::collections::BTreeMap;

use super::*;
use crate::model::history::Change;
use crate::model::id::SiteId;
use crate::service::Error;
use crate::service::erasure::ErasureOptions;
use crate::service::export::PersonalRecord;
use crate::service::paging::{Page, PageRequest};
use crate::service::patch::SitePatch;
use crate::service::site_list::PAGE_BYTES_MAX;
use crate::service::sites::ChangeOptions;

impl World {
    async fn exported(&self, size: i32, token: String) -> Page<PersonalRecord> {
        let page = PageRequest { size, token };
        self.waymark.export_sites(&self.operator, &self.account, &page).await.unwrap().page
    }

    /// All pages, each of at most `size` records.
    async fn exported_pages(&self, size: i32) -> Vec<Vec<PersonalRecord>> {
        let (mut pages, mut token) = (Vec::new(), String::new());
        loop {
            let page = self.exported(size, token).await;
            assert!(page.items.len() <= usize::try_from(size).unwrap());
            pages.push(page.items);
            if page.next_token.is_empty() {
                return pages;
            }
            token = page.next_token;
        }
    }
}

/// The numbers of the entries by site, in the order in which they came; each site's data has to come before them.
fn numbers(records: &[PersonalRecord]) -> BTreeMap<SiteId, Vec<u32>> {
    let mut numbers: BTreeMap<SiteId, Vec<u32>> = BTreeMap::new();
    for record in records {
        match record {
            PersonalRecord::Site(data) => assert!(numbers.insert(data.site.id, Vec::new()).is_none()),
            PersonalRecord::Change(_, site, change) => numbers.get_mut(site).unwrap().push(change.number),
        }
    }
    numbers
}

#[tokio::test]
async fn an_export_has_what_was_written_and_each_record_once() {
    let (world, mut ids) = World::with_persons(3).await;
    ids.sort_unstable();
    world.waymark.delete_site(&world.operator, &world.account, ids[1], String::new()).await.unwrap();
    for size in [1, 4, 1_000] {
        let pages = world.exported_pages(size).await;
        let records: Vec<_> = pages.into_iter().flatten().collect();
        let found = numbers(&records);
        assert_eq!(found.keys().copied().collect::<Vec<_>>(), ids, "pages of {size}");
        for (site, numbers) in found {
            let changes = world.waymark.get_site(&world.operator, &world.account, site).await.unwrap().value.changes;
            assert_eq!(numbers, (1..=changes).collect::<Vec<_>>(), "pages of {size}");
        }
        let text = format!("{records:?}");
        for round in 0..5 {
            for canary in ["first", "last"].map(|field| format!("kanarie-{field}-{round}")) {
                assert!(text.contains(&canary), "{canary}");
            }
            assert!(
                text.contains(&format!("kanarie-{round}@example.org")) && text.contains(&format!("+354555{round:04}"))
            );
            let whole = format!("kanarie-note-{round} ").repeat(499);
            assert!(text.contains(&whole), "the note of round {round} is whole");
        }
        assert!(text.contains("kanarie's telephone") && text.contains("kanarie-owner@example.org"));
    }
}

#[tokio::test]
async fn a_page_of_a_long_history_is_bounded() {
    let world = World::new().await;
    let (operator, acme, options) = (&world.operator, &world.account, ChangeOptions::default());
    let note = |round: usize| SitePatch {
        display_name: Some("attic".to_owned()),
        note: Some(format!("{round} ").repeat(64 * 1024 / 3)),
        ..SitePatch::default()
    };
    let site = world.waymark.create_site(operator, acme, note(10), "").await.unwrap().value.id;
    for round in 11..60 {
        world.waymark.update_site(operator, acme, site, note(round), &options).await.unwrap();
    }
    let pages = world.exported_pages(1_000).await;
    assert!(pages.len() >= 2, "6 MiB of notes are more than a page");
    let weight = |record: &PersonalRecord| match record {
        PersonalRecord::Site(data) => data.site.weight(),
        PersonalRecord::Change(_, _, change) => Change::weight(change),
    };
    for page in &pages {
        let bytes: usize = page.iter().map(weight).sum();
        assert!(bytes < PAGE_BYTES_MAX + 256 * 1024, "{bytes} bytes");
    }
    let records: Vec<_> = pages.into_iter().flatten().collect();
    assert_eq!(numbers(&records)[&site], (1..=50).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_erased_meanwhile_is_in_no_further_page() {
    let (world, ids) = World::with_persons(2).await;
    let first = world.exported(3, String::new()).await;
    assert!(!first.next_token.is_empty());
    for id in ids {
        world.waymark.erase_site(&world.operator, &world.account, id, ErasureOptions::default()).await.unwrap();
    }
    let mut token = first.next_token;
    while !token.is_empty() {
        let page = world.exported(3, token).await;
        assert!(!format!("{:?}", page.items).contains("kanarie"), "{:?}", page.items);
        token = page.next_token;
    }
}

#[tokio::test]
async fn who_may_not_erase_or_read_contacts_exports_nothing() {
    let (world, ids) = World::with_persons(1).await;
    let (operator, acme, page) = (&world.operator, &world.account, PageRequest::default());
    let masked = Principal { contacts: Contacts::Masked, ..operator.clone() };
    let editor = Principal { scope: Scope::Editor, account: Some(acme.clone()), ..operator.clone() };
    let foreign = Principal { account: Some("other".parse().unwrap()), ..operator.clone() };
    let outcome = |principal: Principal| {
        let (world, page, id) = (&world, &page, ids[0]);
        async move {
            let one = world.waymark.export_site(&principal, acme, id, page).await.map(drop);
            let all = world.waymark.export_sites(&principal, acme, page).await.map(drop);
            (one, all)
        }
    };
    assert!(matches!(outcome(masked).await, (Err(Error::ContactsMasked), Err(Error::ContactsMasked))));
    assert!(matches!(outcome(editor).await, (Err(Error::Scope), Err(Error::Scope))));
    assert!(matches!(outcome(foreign).await, (Err(Error::NotFound(_)), Err(Error::NotFound(_)))));
}
