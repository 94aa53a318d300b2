//! Claims on names that can be read and say what is not so: another program wrote them, or took away the site that they are of.

use super::unreadable::{BY_NAME, BY_TIME, DAMAGED, SITES};
use super::*;
use crate::error::{Fault as _, Reason};
use crate::model::id::SiteId;
use crate::service::importing::Outcome;
use crate::service::importing::row::{RowKey, Said, SiteRow};
use crate::service::patch::SitePatch;
use crate::service::site_list::Order;
use crate::store::document::NameClaim;
use crate::store::{Expect, faults};

/// A site that is nowhere.
const NOWHERE: SiteId = SiteId::MIN;

impl World {
    /// Has the claim on a name be of this site.
    async fn misplace(&self, name: &str, site: SiteId) {
        let claim = Document::SiteName(NameClaim { site });
        let put = Mutation { key: self.claim_on(name), expect: Expect::Any, document: Some(claim) };
        self.store.commit(vec![put]).await.unwrap();
    }

    /// Whom the claim on a name is of.
    async fn claimed_by(&self, name: &str) -> Option<SiteId> {
        match self.store.get(self.claim_on(name)).await.unwrap()?.document {
            Document::SiteName(claim) => Some(claim.site),
            other => panic!("{other:?}"),
        }
    }

    /// Sites, and sites that have not the name of the third of them: one of another name, one that is deleted, and one that is not there.
    async fn with_wrong() -> (Self, Vec<SiteId>, [SiteId; 3]) {
        let (world, ids) = Self::with_persons(SITES).await;
        let gone = world.create_named("gone").await.unwrap();
        world.waymark.delete_site(&world.operator, &world.account, gone, String::new()).await.unwrap();
        let wrong = [ids[0], gone, NOWHERE];
        (world, ids, wrong)
    }
}

/// A row of a sheet that names a site, and says what is noted of it.
fn row_of(name: &str, note: &str) -> SiteRow {
    let (display_name, note) = (Some(name.to_owned()), Some(note.to_owned()));
    SiteRow {
        key: RowKey::Name,
        patch: SitePatch { display_name, note, ..SitePatch::default() },
        set_labels: std::collections::BTreeMap::new(),
        add_phones: Vec::new(),
        position: Said::Nothing,
        address: Said::Nothing,
        request_id: String::new(),
    }
}

/// A site whose name was claimed for another one was in no list by name, where the other one was twice, and not found by its name.
#[tokio::test]
async fn a_claim_of_the_wrong_site_hides_nobody_and_is_made_anew() {
    let (world, mut ids, wrong) = World::with_wrong().await;
    let named = ids[DAMAGED];
    ids.sort_unstable();
    let before = faults::corrupt_reads();
    for site in wrong {
        for size in [1, 2, 1_000] {
            for descending in [false, true] {
                world.misplace("site 2", site).await;
                let listed = world.listed_in(Order { by_name: true, descending }, "", size).await;
                assert_eq!(listed, (ids.clone(), Vec::new()), "{site}, pages of {size}, descending: {descending}");
                assert_eq!(world.claimed_by("site 2").await, Some(named), "{site}: it is not made anew");
            }
        }
        for order in [BY_TIME, BY_NAME] {
            world.misplace("site 2", site).await;
            let found = world.listed_in(order, "display_name = \"Site 2\"", 10).await;
            assert_eq!(found, (vec![named], Vec::new()), "{site}");
            assert_eq!(world.claimed_by("site 2").await, Some(named), "{site}");
        }
    }
    assert!(faults::corrupt_reads() >= before + 3 * 8, "nobody counts them");
}

/// Whoever was wrongly said to have a name tried to take it until there were too many tries.
#[tokio::test]
async fn the_name_that_a_wrong_site_claims_is_its_own_sites() {
    let (world, ids, wrong) = World::with_wrong().await;
    let (named, other) = (ids[DAMAGED], ids[0]);
    for site in wrong {
        for attempt in 0..4 {
            world.misplace("site 2", site).await;
            let patch = SitePatch { display_name: Some("Site 2".to_owned()), ..SitePatch::default() };
            let refused = match attempt {
                0 => world.create_named("SITE 2").await.map(drop),
                1 => world.rename(other, "site 2", true).await.map(drop),
                2 => world.rename(other, "site 2", false).await.map(drop),
                _ => world.waymark.preview_site(&world.operator, &world.account, patch).await.map(drop),
            };
            assert_eq!(refused.unwrap_err().reason(), Reason::SiteNameTaken, "{site}, attempt {attempt}");
            assert_eq!(world.claimed_by("site 2").await, Some(named), "{site}, attempt {attempt}");
        }
        world.misplace("site 2", site).await;
        let rows = vec![Ok(row_of("site 2", &site.to_string()))];
        let rows = world.waymark.import_sites(&world.operator, &world.account, rows, false).await;
        assert_eq!(rows.unwrap().remove(0).unwrap().outcome, Outcome::Updated, "{site}");
        let written = world.waymark.get_site(&world.operator, &world.account, named).await.unwrap();
        assert_eq!(written.value.note, site.to_string(), "a row of a sheet");
    }
    // It goes with its site, whoever it was said to be of.
    world.misplace("site 2", other).await;
    world.rename(named, "elsewhere", false).await.unwrap();
    assert_eq!(world.rename(other, "site 2", false).await.unwrap(), other);
}

#[tokio::test]
async fn a_name_that_a_wrong_site_claims_and_nobody_has_is_left_to_the_operator() {
    let (world, mut ids, wrong) = World::with_wrong().await;
    let other = ids[0];
    ids.sort_unstable();
    for site in wrong {
        world.misplace("nobody", site).await;
        for size in [1, 3, 1_000] {
            assert_eq!(world.listed_in(BY_NAME, "", size).await, (ids.clone(), Vec::new()), "{site}");
        }
        assert_eq!(world.listed_in(BY_TIME, "display_name = \"nobody\"", 10).await, (Vec::new(), Vec::new()));
        for refused in [world.create_named("nobody").await, world.rename(other, "nobody", false).await] {
            assert_eq!(refused.unwrap_err().reason(), Reason::StorageCorrupt, "{site}");
        }
        // One of the rows of a sheet is refused, and the others are not.
        let rows = vec![Ok(row_of("nobody", "whose")), Ok(row_of("somebody", "theirs"))];
        let mut rows = world.waymark.import_sites(&world.operator, &world.account, rows, true).await.unwrap();
        assert_eq!(rows.pop().unwrap().unwrap().outcome, Outcome::Created, "{site}");
        assert_eq!(rows.pop().unwrap().unwrap_err().reason(), Reason::StorageCorrupt, "{site}");
        assert_eq!(world.claimed_by("nobody").await, Some(site), "it was written over");
    }
}

/// A claim that a site took along is none that is damaged.
#[tokio::test]
async fn a_site_that_leaves_its_name_while_its_claim_is_looked_at_leaves_it_free() {
    let (world, ids) = World::with_persons(SITES).await;
    let named = ids[DAMAGED];
    let mut left = world.waymark.get_site(&world.operator, &world.account, named).await.unwrap();
    left.value.display_name = "elsewhere".to_owned();
    let claim = Document::SiteName(NameClaim { site: named });
    let batch = vec![
        crate::service::record::unchanged(left),
        Mutation::delete(world.claim_on("site 2")),
        Mutation::create(world.claim_on("elsewhere"), claim),
    ];
    world.outdate(world.claim_on("site 2"), 1, batch);
    let patch = SitePatch { display_name: Some("site 2".to_owned()), ..SitePatch::default() };
    let free = world.waymark.preview_site(&world.operator, &world.account, patch).await;
    assert!(world.store.outdating.lock().is_none(), "nobody was faster");
    assert_eq!(free.unwrap().value.display_name, "site 2");
}
