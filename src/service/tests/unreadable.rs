//! A record that cannot be read among others that can: what looks at many goes on past it, and names it where its answer is to be whole.

use super::*;
use crate::error::{Fault as _, Reason};
use crate::model::id::SiteId;
use crate::service::erasure::ErasureOptions;
use crate::service::export::PersonalRecord;
use crate::service::filter::Filter;
use crate::service::paging::{PageRequest, PartialPage};
use crate::service::patch::SitePatch;
use crate::service::search::Search;
use crate::service::site_list::{Order, SiteQuery};
use crate::service::sites::ChangeOptions;
use crate::service::{Error, Versioned};
use crate::store::document::NameClaim;

/// Sites of these tests; one of them is damaged.
pub(super) const SITES: usize = 5;
pub(super) const DAMAGED: usize = 2;

/// What all pages of something name, and the sites that none of them can read.
type Told = (Vec<SiteId>, Vec<SiteId>);

impl World {
    /// Sites, and the one of them whose record is damaged, in whatever way it is read.
    async fn with_damage() -> (Self, Vec<SiteId>, SiteId) {
        let (world, mut ids) = Self::with_persons(SITES).await;
        let damaged = ids.remove(DAMAGED);
        world.store.corrupt.lock().push(damaged.to_string());
        world.store.corrupt_in_scans.lock().push(damaged.to_string());
        ids.sort_unstable();
        (world, ids, damaged)
    }

    pub(super) async fn listed_in(&self, order: Order, filter: &str, size: i32) -> Told {
        let filter = Filter::parse(filter).unwrap();
        let query = &SiteQuery { account: self.account.clone(), filter, order, show_deleted: false };
        let page = async |page| self.waymark.list_sites(&self.operator, query, &page).await.unwrap();
        all_pages(size, page, |site: Versioned<Site>| Some(site.value.id)).await
    }
}

/// All pages of at most `size` items; `site_of` says which site an item is of, if it is the first of it.
async fn all_pages<T>(
    size: i32,
    page: impl AsyncFn(PageRequest) -> PartialPage<T>,
    site_of: impl Fn(T) -> Option<SiteId>,
) -> Told {
    let (mut named, mut unreadable, mut token) = (Vec::new(), Vec::new(), String::new());
    loop {
        let told = page(PageRequest { size, token }).await;
        assert!(told.page.items.len() + told.unreadable.len() <= usize::try_from(size).unwrap());
        named.extend(told.page.items.into_iter().filter_map(&site_of));
        unreadable.extend(told.unreadable);
        token = told.page.next_token;
        if token.is_empty() {
            named.sort_unstable();
            return (named, unreadable);
        }
    }
}

#[tokio::test]
async fn a_record_that_cannot_be_read_hides_no_other_site() {
    let (world, ids, damaged) = World::with_damage().await;
    let expected = (ids.clone(), vec![damaged]);
    for size in [1, 2, 3, 1_000] {
        for (by_name, descending) in [(false, false), (false, true), (true, false), (true, true)] {
            let listed = world.listed_in(Order { by_name, descending }, "", size).await;
            assert_eq!(listed, expected, "pages of {size}, by name: {by_name}, descending: {descending}");
        }
        let (operator, acme) = (&world.operator, &world.account);
        let page = async |page| world.waymark.export_sites(operator, acme, &page).await.unwrap();
        let site_of = |record: PersonalRecord| match record {
            PersonalRecord::Site(data) => Some(data.site.id),
            PersonalRecord::Change(..) => None,
        };
        assert_eq!(all_pages(size, page, site_of).await, expected, "an export in pages of {size}");
        let options = ErasureOptions::default();
        let page = async |page| world.waymark.erase_sites(operator, acme, &page, options).await.unwrap();
        assert_eq!(all_pages(size, page, Some).await, expected, "an erasure in pages of {size}");
    }
    let (order, named) = (Order { by_name: false, descending: false }, "display_name = \"site 2\"");
    assert_eq!(world.listed_in(order, named, 10).await, (Vec::new(), vec![damaged]), "it is asked for by its name");
    let search = Search { typed: "site", filter: "", page_size: 50 };
    let found = world.waymark.search_sites(&world.operator, &world.account, &search).await.unwrap();
    let mut hits: Vec<_> = found.hits.iter().map(|hit| hit.site.value.id).collect();
    hits.sort_unstable();
    assert_eq!((hits, found.total), (ids.clone(), SITES as u64 - 1));
    let page = PageRequest::default();
    let attention = world.waymark.list_attention(&world.operator, &world.account, &[], "", &page).await.unwrap();
    let mut listed: Vec<_> = attention.page.items.iter().map(|item| item.site.value.id).collect();
    listed.sort_unstable();
    assert_eq!((listed, &attention.unreadable[..]), (ids, &[damaged][..]), "without a position all need attention");
    assert_eq!(u64::from(attention.counts.sites), SITES as u64, "counts are the map's");
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_refused_by_name_and_stays_as_it_is() {
    let (world, _, damaged) = World::with_damage().await;
    let (operator, acme, options) = (&world.operator, &world.account, ChangeOptions::default());
    let patch = SitePatch { note: Some("late".to_owned()), ..SitePatch::default() };
    let told = [
        world.waymark.get_site(operator, acme, damaged).await.map(drop),
        world.waymark.update_site(operator, acme, damaged, patch, &options).await.map(drop),
        world.waymark.delete_site(operator, acme, damaged, String::new()).await.map(drop),
        world.waymark.erase_site(operator, acme, damaged, ErasureOptions::default()).await.map(drop),
    ];
    for told in told {
        let refusal: Error = told.unwrap_err();
        assert_eq!(refusal.reason(), Reason::StorageCorrupt);
        assert!(refusal.is_of_one_record() && refusal.told().contains("restores it from a backup"), "{refusal}");
    }
    world.store.corrupt.lock().clear();
    let site = world.waymark.get_site(operator, acme, damaged).await.unwrap().value;
    assert!(site.deleted_at.is_none() && site.note != "late" && !site.note.is_empty(), "{site:?}");
}

impl World {
    pub(super) fn claim_on(&self, name: &str) -> Key {
        Key::of(&self.account, Kind::SiteName, name)
    }

    /// Damages claims on names.
    fn damage_claims(&self, names: &[&str]) {
        self.store.corrupt_records.lock().extend(names.iter().map(|name| self.claim_on(name)));
    }

    fn damaged_claims(&self) -> usize {
        self.store.corrupt_records.lock().len()
    }

    pub(super) async fn create_named(&self, name: &str) -> Result<SiteId, Error> {
        let patch = SitePatch { display_name: Some(name.to_owned()), ..SitePatch::default() };
        let made = self.waymark.create_site(&self.operator, &self.account, patch, "").await;
        made.map(|site| site.value.id)
    }

    pub(super) async fn rename(&self, site: SiteId, name: &str, validate_only: bool) -> Result<SiteId, Error> {
        let patch = SitePatch { display_name: Some(name.to_owned()), ..SitePatch::default() };
        let options = ChangeOptions { validate_only, ..ChangeOptions::default() };
        let changed = self.waymark.update_site(&self.operator, &self.account, site, patch, &options).await;
        changed.map(|site| site.value.id)
    }
}

pub(super) const BY_TIME: Order = Order { by_name: false, descending: false };
pub(super) const BY_NAME: Order = Order { by_name: true, descending: false };

/// A damaged claim on a name took its site out of lists by name without a word, and ended the list that asked for that name.
#[tokio::test]
async fn a_damaged_claim_on_a_name_hides_no_site_and_is_made_anew() {
    let (world, mut ids) = World::with_persons(SITES).await;
    let named = ids[DAMAGED];
    ids.sort_unstable();
    for size in [1, 2, 3, 1_000] {
        for descending in [false, true] {
            world.damage_claims(&["site 0", "site 2", "site 4"]);
            let listed = world.listed_in(Order { by_name: true, descending }, "", size).await;
            assert_eq!(listed, (ids.clone(), Vec::new()), "pages of {size}, descending: {descending}");
            assert_eq!(world.damaged_claims(), 0, "they are not made anew");
        }
    }
    for order in [BY_TIME, BY_NAME] {
        world.damage_claims(&["site 2"]);
        assert_eq!(world.listed_in(order, "display_name = \"Site 2\"", 10).await, (vec![named], Vec::new()));
        assert_eq!(world.damaged_claims(), 0);
    }
    let claim = world.store.get(world.claim_on("site 2")).await.unwrap().unwrap().document;
    assert!(matches!(claim, Document::SiteName(claim) if claim.site == named));
}

/// Who wanted the name of a damaged claim heard of a fault of the store, and nobody could have it ever again.
#[tokio::test]
async fn the_name_of_a_damaged_claim_is_taken_for_as_long_as_its_site_has_it() {
    let (world, ids) = World::with_persons(SITES).await;
    let (named, other) = (ids[DAMAGED], ids[0]);
    for attempt in 0..4 {
        world.damage_claims(&["site 2"]);
        let patch = SitePatch { display_name: Some("Site 2".to_owned()), ..SitePatch::default() };
        let refused = match attempt {
            0 => world.create_named("SITE 2").await.map(drop),
            1 => world.rename(other, "site 2", true).await.map(drop),
            2 => world.rename(other, "site 2", false).await.map(drop),
            _ => world.waymark.preview_site(&world.operator, &world.account, patch).await.map(drop),
        };
        assert_eq!(refused.unwrap_err().reason(), Reason::SiteNameTaken, "attempt {attempt}");
        assert_eq!(world.damaged_claims(), 0, "attempt {attempt}");
    }
    // Its site may leave it, damaged as it is, and then it is anybody's.
    world.damage_claims(&["site 2"]);
    world.rename(named, "elsewhere", false).await.unwrap();
    world.store.corrupt_records.lock().clear();
    assert_eq!(world.rename(other, "site 2", false).await.unwrap(), other);
    assert_eq!(world.listed_in(BY_TIME, "display_name = \"site 2\"", 10).await, (vec![other], Vec::new()));
}

#[tokio::test]
async fn a_damaged_claim_of_nobody_is_left_as_it_is_and_refused() {
    let (world, mut ids) = World::with_persons(SITES).await;
    let other = ids[0];
    ids.sort_unstable();
    let claim = Document::SiteName(NameClaim { site: SiteId::from_u128(7) });
    world.store.commit(vec![Mutation::create(world.claim_on("nobody"), claim)]).await.unwrap();
    world.damage_claims(&["nobody"]);
    for size in [1, 3, 1_000] {
        assert_eq!(world.listed_in(BY_NAME, "", size).await, (ids.clone(), Vec::new()));
    }
    assert_eq!(world.listed_in(BY_TIME, "display_name = \"nobody\"", 10).await, (Vec::new(), Vec::new()));
    for refused in [world.create_named("nobody").await, world.rename(other, "nobody", false).await] {
        assert_eq!(refused.unwrap_err().reason(), Reason::StorageCorrupt);
    }
    assert_eq!(world.damaged_claims(), 1, "it was written over");
    // A site that is damaged itself may have the name: it is named, as always where nobody knows whether it matches.
    let damaged = ids.remove(DAMAGED);
    world.store.corrupt.lock().push(damaged.to_string());
    world.store.corrupt_in_scans.lock().push(damaged.to_string());
    assert_eq!(world.listed_in(BY_TIME, "display_name = \"nobody\"", 10).await, (Vec::new(), vec![damaged]));
}

#[tokio::test]
async fn a_claim_that_cannot_be_made_anew_hides_no_site_either() {
    let (world, mut ids) = World::with_persons(SITES).await;
    let named = ids[DAMAGED];
    ids.sort_unstable();
    world.damage_claims(&["site 2"]);
    world.fail_after(0);
    assert_eq!(world.listed_in(BY_NAME, "", 2).await, (ids.clone(), Vec::new()));
    assert_eq!(world.damaged_claims(), 1);
    // Its site is damaged, too: memory knows its name from before.
    world.fail_after(usize::MAX);
    world.store.corrupt.lock().push(named.to_string());
    let whole: Vec<SiteId> = ids.iter().copied().filter(|id| *id != named).collect();
    assert_eq!(world.listed_in(BY_NAME, "", 2).await, (whole, vec![named]));
    assert_eq!(world.create_named("site 2").await.unwrap_err().reason(), Reason::SiteNameTaken);
    assert_eq!(world.damaged_claims(), 1, "nobody knows what its site says");
}

/// A claim that was made anew for a site which had just left its name would take that name for good.
#[tokio::test]
async fn a_claim_is_not_made_anew_for_a_site_that_leaves_its_name_meanwhile() {
    let (world, ids) = World::with_persons(SITES).await;
    let named = ids[DAMAGED];
    world.damage_claims(&["site 2"]);
    let mut left = world.waymark.get_site(&world.operator, &world.account, named).await.unwrap();
    left.value.display_name = "elsewhere".to_owned();
    let claim = Document::SiteName(NameClaim { site: named });
    world.overtake(vec![
        crate::service::record::unchanged(left),
        Mutation::delete(world.claim_on("site 2")),
        Mutation::create(world.claim_on("elsewhere"), claim),
    ]);
    world.listed_in(BY_NAME, "", 1_000).await;
    assert!(world.store.overtaking.lock().is_empty(), "nobody was faster");
    world.store.corrupt_records.lock().clear();
    assert!(world.store.get(world.claim_on("site 2")).await.unwrap().is_none(), "a name that no site has is taken");
    assert!(world.create_named("site 2").await.is_ok());
}

/// A damaged record beside a site's own ended every export and erasure of its account at its page.
#[tokio::test]
async fn a_record_beside_a_site_that_cannot_be_read_names_the_site_and_ends_nothing() {
    for kind in [Kind::Change, Kind::PastText, Kind::ResidentAccess, Kind::SiteDevices] {
        let (world, mut ids) = World::with_persons(SITES).await;
        let damaged = ids.remove(DAMAGED);
        ids.sort_unstable();
        let (operator, acme) = (&world.operator, &world.account);
        let range = Range { prefix: damaged.to_string(), ..Range::all(Some(acme.clone()), kind) };
        let keys: Vec<Key> = world.store.scan(range).await.unwrap().into_iter().map(|record| record.key).collect();
        world.store.corrupt_records.lock().push(keys[0].clone());
        for size in [1, 2, 3, 1_000] {
            let page = async |page| world.waymark.export_sites(operator, acme, &page).await.unwrap();
            let site_of = |record: PersonalRecord| match record {
                PersonalRecord::Site(data) => Some(data.site.id).filter(|id| *id != damaged),
                PersonalRecord::Change(..) => None,
            };
            let expected = (ids.clone(), vec![damaged]);
            assert_eq!(all_pages(size, page, site_of).await, expected, "{kind:?} in pages of {size}");
        }
        for size in [1, 2, 3, 1_000] {
            let page =
                async |page| world.waymark.erase_sites(operator, acme, &page, ErasureOptions::default()).await.unwrap();
            let (erased, left) = all_pages(size, page, Some).await;
            // Devices are taken away without being read.
            let is_read = kind != Kind::SiteDevices;
            assert_eq!((erased.contains(&damaged), left.contains(&damaged)), (!is_read, is_read), "{kind:?}");
            assert!(ids.iter().all(|id| erased.contains(id)) && left.len() <= 1, "{kind:?}: {left:?}");
        }
        // Of the site itself it is told.
        if kind != Kind::SiteDevices {
            let told = world.waymark.erase_site(operator, acme, damaged, ErasureOptions::default()).await;
            assert!(told.unwrap_err().is_of_one_record(), "{kind:?}");
        }
    }
}
