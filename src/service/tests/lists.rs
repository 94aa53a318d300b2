//! Where a page of a list of sites ends because it has cost enough: short, with a token to go on from.

use super::{World, now};
use crate::model::site::Site;
use crate::service::filter::Filter;
use crate::service::paging::PageRequest;
use crate::service::site_list::{MATCHED_BYTES_MAX, Order, SCANNED_MAX, SiteQuery};
use crate::store::document::Document;
use crate::store::{Key, Kind, Mutation, Store as _};

impl World {
    /// How many sites are on each page of a list, to its end.
    async fn pages(&self, filter: &str) -> Vec<usize> {
        let query = SiteQuery {
            account: self.account.clone(),
            filter: Filter::parse(filter).unwrap(),
            order: Order::parse("").unwrap(),
            show_deleted: false,
        };
        let (mut pages, mut page) = (Vec::new(), PageRequest { size: 1_000, ..PageRequest::default() });
        loop {
            let found = self.waymark.list_sites(&self.operator, &query, &page).await.unwrap().page;
            pages.push(found.items.len());
            if found.next_token.is_empty() {
                return pages;
            }
            page.token = found.next_token;
        }
    }

    /// Makes so many sites, each with a note so long.
    async fn create_noted(&self, count: usize, note_bytes: usize) {
        let site = |number: usize| {
            let mut site = Site::new(self.account.clone(), format!("site {number}"), now());
            site.note = "x".repeat(note_bytes);
            Mutation::create(Key::of(&self.account, Kind::Site, site.id), Document::Site(Box::new(site)))
        };
        self.store.commit((0..count).map(site).collect()).await.unwrap();
    }
}

#[tokio::test]
async fn a_page_reads_no_more_records_than_it_may() {
    let world = World::new().await;
    let none = r#"customer_id = "C-1""#;
    world.create_sites(u32::try_from(SCANNED_MAX - 1).unwrap()).await;
    assert_eq!(world.pages(none).await, [0], "all were read, and there are no more");
    world.create_noted(1, 0).await;
    assert_eq!(world.pages(none).await, [0, 0]);
}

#[tokio::test]
async fn a_page_looks_through_no_more_text_than_it_may() {
    const TERMS: usize = 90;
    let world = World::new().await;
    // So much text that a hundred sites, of each term, are more than a page may look through.
    world.create_noted(250, MATCHED_BYTES_MAX / TERMS / 100).await;
    let cheap = "status = OFFLINE";
    assert_eq!(world.pages(cheap).await, [0]);
    assert_eq!(world.pages(&[cheap; TERMS].join(" OR ")).await, [0, 0, 0]);
}
