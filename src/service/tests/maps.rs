//! Bounds of the map's calls that no client reaches in a test: a tile that waits behind others, lists of more sites than a
//! page may have.

use jiff::Timestamp;
use tokio::time::Instant;

use super::World;
use crate::model::geo::{BoundingBox, LatLng};
use crate::model::location::{Evidence, Fix, Granularity, Source};
use crate::model::site::Site;
use crate::service::Error;
use crate::service::map::lists::NEAREST_MAX;
use crate::service::map::{LOOK_TIME_MAX, TILE_TIME_MAX, tile_id};
use crate::service::paging::{PAGE_SIZE_MAX, PageRequest};
use crate::store::document::Document;
use crate::store::{Key, Kind, Mutation, Store as _};

impl World {
    /// Makes so many sites that a person put on one spot.
    async fn create_stack(&self, spot: LatLng, count: usize) {
        let site = |number: usize| {
            let now = Timestamp::UNIX_EPOCH;
            let mut site = Site::new(self.account.clone(), format!("pump {number}"), now);
            site.fixes.put(Fix {
                source: Source::Pin,
                position: spot,
                accuracy_m: None,
                granularity: Granularity::Door,
                evidence: Evidence::Measured,
                made_at: now,
                made_by: "test".to_owned(),
            });
            Mutation::create(Key::of(&self.account, Kind::Site, site.id), Document::Site(Box::new(site)))
        };
        self.store.commit((0..count).map(site).collect()).await.unwrap();
    }
}

fn spot() -> LatLng {
    LatLng::new(47.0, 8.0).unwrap()
}

#[tokio::test]
async fn a_tile_that_waits_behind_others_is_given_up_in_time() {
    let world = World::new().await;
    world.create_stack(spot(), 3).await;
    let live = world.waymark.parts.live.account(&world.account).unwrap();
    let tile = tile_id(0, 0, 0).unwrap();
    let ask = async |filter: &str| world.waymark.tile(&world.operator, &world.account, tile, filter).await;
    let turn = live.turn().unwrap();
    tokio::time::pause();
    let begun = Instant::now();
    let late = ask("pump").await;
    assert!(matches!(&late, Err(Error::TooLate(limit)) if *limit == TILE_TIME_MAX), "{late:?}");
    assert_eq!(begun.elapsed().as_secs(), TILE_TIME_MAX.as_secs());
    // Filters of classes alone wait for nobody.
    for filter in ["", "status = UNKNOWN AND location.confirmed = true"] {
        assert!(!ask(filter).await.unwrap().bytes.is_empty(), "{filter}");
    }
    drop(turn);
    assert!(!ask("pump").await.unwrap().bytes.is_empty(), "it was not made before, and is now");
}

#[tokio::test]
async fn whatever_waits_behind_others_is_given_up_in_time() {
    let world = World::new().await;
    world.create_stack(spot(), 3).await;
    let (waymark, operator, account) = (&world.waymark, &world.operator, &world.account);
    let live = waymark.parts.live.account(account).unwrap();
    let page = PageRequest::default();
    let turn = live.turn().unwrap();
    tokio::time::pause();
    let late = [
        waymark.viewport(operator, account, &BoundingBox::WORLD, 0, "pump").await.err(),
        waymark.fit(operator, account, "pump").await.err(),
        waymark.list_box(operator, account, &BoundingBox::WORLD, "pump", &page).await.err(),
        waymark.list_nearest(operator, account, spot(), 1, "pump").await.err(),
        waymark.list_attention(operator, account, &[], "pump", &page).await.err(),
    ];
    for late in late {
        assert!(matches!(&late, Some(Error::TooLate(limit)) if *limit == LOOK_TIME_MAX), "{late:?}");
    }
    drop(turn);
    assert_eq!(waymark.fit(operator, account, "pump").await.unwrap().tally.total(), 3);
}

#[tokio::test]
async fn no_list_of_the_map_is_longer_than_its_bound() {
    let world = World::new().await;
    let sites = NEAREST_MAX.max(PAGE_SIZE_MAX) + 1;
    world.create_stack(spot(), sites).await;
    let (waymark, operator, account) = (&world.waymark, &world.operator, &world.account);
    let near = waymark.list_nearest(operator, account, spot(), i32::MAX, "").await.unwrap();
    assert_eq!(near.len(), NEAREST_MAX);
    let mut page = PageRequest { size: i32::MAX, ..PageRequest::default() };
    let of_box = waymark.list_box(operator, account, &BoundingBox::WORLD, "", &page).await.unwrap();
    assert_eq!((of_box.page.items.len(), of_box.total), (PAGE_SIZE_MAX, sites as u64));
    let near = waymark.list_within(operator, account, (spot(), 10.0), "", &page).await.unwrap();
    let same = waymark.list_near_duplicates(operator, account, 10.0, "", &page).await.unwrap();
    assert_eq!(near.items.len(), PAGE_SIZE_MAX);
    assert!(same.items.len() <= PAGE_SIZE_MAX && !same.next_token.is_empty(), "{} duplicates", same.items.len());
    page.token = of_box.page.next_token;
    let rest = waymark.list_box(operator, account, &BoundingBox::WORLD, "", &page).await.unwrap().page;
    assert_eq!((rest.items.len(), rest.next_token.as_str()), (sites - PAGE_SIZE_MAX, ""));
}
