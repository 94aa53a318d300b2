//! Reading the organisations of a system for suggestions: a page that was read stays read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use super::World;
use crate::model::ticketing::System;
use crate::service::paging::PageRequest;
use crate::service::patch::SitePatch;
use crate::service::ticketing::suggest::SuggestionPage;
use crate::ticketing::worlds::{Reply, Stub};

/// How often a test looks whether something has come about.
const POLL: Duration = Duration::from_millis(5);

/// What tells organisations apart, by their ids.
const NAMES: [&str; 10] = ["", "alpha", "bravo", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliett"];

/// A Zendesk with three pages of three organisations. The first of a page is the last of the one before, as where another
/// was deleted in between. Silent behind the first page for as long as it is told to be.
async fn zendesk(is_silent: Arc<AtomicBool>) -> Stub {
    Stub::start(move |received| {
        let after: usize = received.parameters().get("page[after]").map_or(0, |cursor| cursor.parse().unwrap());
        if after > 0 && is_silent.load(Ordering::SeqCst) {
            return Reply::Silent;
        }
        let ids = after.max(1)..after + 4;
        let all: Vec<_> = ids.map(|id| json!({"id": id, "name": format!("Nordur {}", NAMES[id])})).collect();
        let meta = json!({"has_more": after < 6, "after_cursor": (after + 3).to_string()});
        Reply::Json(json!({"organizations": all, "meta": meta}).to_string())
    })
    .await
}

/// How often the page behind `after` was asked for.
fn pages(stub: &Stub, after: Option<&str>) -> usize {
    stub.received().iter().filter(|one| one.parameters().get("page[after]").map(String::as_str) == after).count()
}

impl World {
    async fn suggested(&self) -> SuggestionPage {
        let page = PageRequest { size: 0, token: String::new() };
        self.waymark.suggest_links(&self.operator, &self.account, System::Zendesk, &[], &page).await.unwrap()
    }

    async fn named(&self, name: &str) {
        let patch = SitePatch { display_name: Some(name.to_owned()), ..SitePatch::default() };
        self.waymark.create_site(&self.operator, &self.account, patch, "").await.unwrap();
    }
}

/// A call that was cut while it read a page lost all pages before it: of a slow system no call ever read all.
#[tokio::test]
async fn a_call_that_is_cut_loses_no_page() {
    let is_silent = Arc::new(AtomicBool::new(true));
    let (world, stub) = (World::new().await, zendesk(Arc::clone(&is_silent)).await);
    world.connect(&stub.url).await;
    let is_at_second = async {
        while pages(&stub, Some("3")) == 0 {
            tokio::time::sleep(POLL).await;
        }
    };
    tokio::select! {
        found = world.suggested() => panic!("the second page is silent: {found:?}"),
        () = is_at_second => {}
    }
    is_silent.store(false, Ordering::SeqCst);
    let found = world.suggested().await;
    assert!(found.is_complete);
    assert_eq!(pages(&stub, None), 1, "the first page was read once");
}

/// Two calls at once read all pages twice.
#[tokio::test]
async fn calls_at_once_read_each_page_once() {
    let (world, stub) = (World::new().await, zendesk(Arc::default()).await);
    world.connect(&stub.url).await;
    let found = futures_util::future::join_all((0..4).map(|_| world.suggested())).await;
    assert!(found.iter().all(|page| page.is_complete && page.organizations == 9), "{found:?}");
    assert_eq!(stub.count(), 3);
}

/// An organisation that stood on two pages tied with itself.
#[tokio::test]
async fn an_organisation_on_two_pages_is_one() {
    let (world, stub) = (World::new().await, zendesk(Arc::default()).await);
    world.connect(&stub.url).await;
    world.named("Nordur delta").await;
    let found = world.suggested().await;
    assert_eq!((found.organizations, stub.count()), (9, 3));
    let mut ids: Vec<_> = found.page.items[0].candidates.iter().map(|one| one.found.organization.id.as_str()).collect();
    assert_eq!(ids[0], "3");
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), found.page.items[0].candidates.len(), "each once");
}
