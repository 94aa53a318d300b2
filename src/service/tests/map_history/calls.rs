//! What all other calls of the map must answer of an account: regions, distances, duplicates, what it fits into, where sites
//! are shown, and searches.

use std::collections::{BTreeMap, BTreeSet};

use super::filters::Shape;
use super::model::{Fleet, position};
use super::shown::{counts, counts_of, matching, whole_page};
use crate::model::geo::{BoundingBox, LatLng};
use crate::model::id::SiteId;
use crate::model::polygon::{GivenPolygon, Polygons};
use crate::service::map::Neighbour;
use crate::service::search::Search;
use crate::service::symbols::SiteSummary;

/// A box with many sites in it, and many outside: south, west, north, east.
const REGION: [f64; 4] = [46.0, 5.0, 53.0, 12.0];
/// Where distances are measured from, and how far; and within how many metres sites may be the same.
const CENTER: (f64, f64) = (47.4, 8.5);
const RADIUS_M: f64 = 400_000.0;
const DUPLICATE_M: f64 = 50.0;
const NEAREST: i32 = 5;

type Placed = BTreeMap<SiteId, SiteSummary>;

/// Compares the calls, with a filter, with what the list says. A filter by notes is no filter of maps.
pub(super) async fn check(fleet: &Fleet<'_>, shape: &Shape, zoom: i32) {
    if shape.names("note") {
        return;
    }
    let filter = shape.text(fleet);
    let (matching, placed) = matching(fleet, shape);
    check_regions(fleet, &filter, &placed).await;
    check_distances(fleet, &filter, &placed).await;
    check_duplicates(fleet, &filter, &placed).await;
    check_fit(fleet, &filter, &placed, matching.len()).await;
    check_places(fleet, &filter, &placed, zoom).await;
    let named = matching.iter().filter(|site| site.display_name.starts_with("Pump"));
    check_search(fleet, &filter, &named.map(|site| site.id).collect()).await;
}

fn by_site(sites: Vec<SiteSummary>) -> Placed {
    sites.into_iter().map(|site| (site.site, site)).collect()
}

async fn check_regions(fleet: &Fleet<'_>, filter: &str, placed: &Placed) {
    let (waymark, operator, account) = (&fleet.world.waymark, &fleet.world.operator, &fleet.account);
    let [south, west, north, east] = REGION;
    let is_inside = |at: LatLng| (south..=north).contains(&at.lat()) && (west..=east).contains(&at.lng());
    let inside = placed.iter().filter(|(_, site)| is_inside(site.position));
    let inside: Placed = inside.map(|(id, site)| (*id, site.clone())).collect();
    let bounds = BoundingBox::new(position((south, west)), position((north, east))).unwrap();
    let of_box = waymark.list_box(operator, account, &bounds, filter, &whole_page()).await.unwrap();
    assert_eq!((of_box.total, of_box.page.items.len()), (inside.len() as u64, inside.len()), "{filter}");
    assert_eq!(by_site(of_box.page.items), inside, "{filter}: in a box");
    let outer = [(south, west), (south, east), (north, east), (north, west)].map(position).to_vec();
    let polygons = Polygons::new(&[GivenPolygon { outer, holes: Vec::new() }]).unwrap();
    let of_polygon = waymark.list_polygons(operator, account, &polygons, filter, &whole_page()).await.unwrap();
    assert_eq!(of_polygon.items.len(), inside.len(), "{filter}");
    assert_eq!(by_site(of_polygon.items), inside, "{filter}: in a polygon");
}

/// Sites and how far they are, in the order of answers.
fn told(neighbours: Vec<Neighbour>) -> Vec<(SiteSummary, f64)> {
    neighbours.into_iter().map(|near| (near.site, near.distance_m)).collect()
}

/// The sites by their distance from a position, then by their ids.
fn nearest_first<'s>(sites: impl Iterator<Item = &'s SiteSummary>, from: LatLng) -> Vec<(SiteSummary, f64)> {
    let mut near: Vec<_> = sites.map(|site| (site.clone(), from.distance_m(site.position))).collect();
    near.sort_by(|(one, near), (other, far)| near.total_cmp(far).then(one.site.cmp(&other.site)));
    near
}

async fn check_distances(fleet: &Fleet<'_>, filter: &str, placed: &Placed) {
    let (waymark, operator, account) = (&fleet.world.waymark, &fleet.world.operator, &fleet.account);
    let center = position(CENTER);
    let mut expected = nearest_first(placed.values(), center);
    expected.retain(|(_, distance_m)| *distance_m <= RADIUS_M);
    let within = waymark.list_within(operator, account, (center, RADIUS_M), filter, &whole_page()).await.unwrap();
    assert_eq!(told(within.items), expected, "{filter}: within a radius");
    let mut expected = nearest_first(placed.values(), center);
    expected.truncate(usize::try_from(NEAREST).unwrap());
    let nearest = waymark.list_nearest(operator, account, center, NEAREST, filter).await.unwrap();
    assert_eq!(told(nearest), expected, "{filter}: nearest");
}

async fn check_duplicates(fleet: &Fleet<'_>, filter: &str, placed: &Placed) {
    let (waymark, operator, account) = (&fleet.world.waymark, &fleet.world.operator, &fleet.account);
    let others = |site: &SiteSummary| {
        let behind = placed.values().filter(|other| other.site > site.site);
        let mut near = nearest_first(behind, site.position);
        near.retain(|(_, distance_m)| *distance_m <= DUPLICATE_M);
        near
    };
    let expected = placed.iter().map(|(id, site)| (*id, others(site))).filter(|(_, others)| !others.is_empty());
    let expected: BTreeMap<_, _> = expected.collect();
    let (mut found, mut page) = (BTreeMap::new(), whole_page());
    loop {
        let some = waymark.list_near_duplicates(operator, account, DUPLICATE_M, filter, &page).await.unwrap();
        for duplicate in some.items {
            assert!(!duplicate.has_more && placed.get(&duplicate.site.site) == Some(&duplicate.site), "{filter}");
            assert!(found.insert(duplicate.site.site, told(duplicate.others)).is_none(), "{filter}: each once");
        }
        page.token = some.next_token;
        if page.token.is_empty() {
            break;
        }
    }
    assert_eq!(found, expected, "{filter}: near duplicates");
}

async fn check_fit(fleet: &Fleet<'_>, filter: &str, placed: &Placed, matching: usize) {
    let fit = fleet.world.waymark.fit(&fleet.world.operator, &fleet.account, filter).await.unwrap();
    let least = |degrees: fn(LatLng) -> f64| placed.values().map(|site| degrees(site.position)).reduce(f64::min);
    let most = |degrees: fn(LatLng) -> f64| placed.values().map(|site| degrees(site.position)).reduce(f64::max);
    // No site is near the antimeridian.
    let corner = |lat: Option<f64>, lng: Option<f64>| Some(position((lat?, lng?)));
    let low = corner(least(LatLng::lat), least(LatLng::lng));
    let expected = low.zip(corner(most(LatLng::lat), most(LatLng::lng))).map(|(low, high)| BoundingBox { low, high });
    assert_eq!(fit.bounds, expected, "{filter}: the box around all");
    assert_eq!(counts(&fit.tally), counts_of(placed.values()), "{filter}");
    assert_eq!(fit.unplaced as usize, matching - placed.len(), "{filter}");
}

/// Each site of the account is found on the map where the filter matches it and it has a position, and else nowhere.
async fn check_places(fleet: &Fleet<'_>, filter: &str, placed: &Placed, zoom: i32) {
    let (waymark, operator, account) = (&fleet.world.waymark, &fleet.world.operator, &fleet.account);
    for site in &fleet.sites {
        let located = waymark.locate_site(operator, account, site.id, zoom, filter).await;
        assert_eq!(located.ok().map(|(_, site)| site).as_ref(), placed.get(&site.id), "{filter}");
    }
}

async fn check_search(fleet: &Fleet<'_>, filter: &str, expected: &BTreeSet<SiteId>) {
    let search = Search { typed: "pump", filter, page_size: 50 };
    let found = fleet.world.waymark.search_sites(&fleet.world.operator, &fleet.account, &search).await.unwrap();
    let hits: BTreeSet<SiteId> = found.hits.iter().map(|hit| hit.site.value.id).collect();
    assert_eq!(&hits, expected, "{filter}: found by name");
    assert_eq!((found.hits.len(), found.total, found.is_exact), (expected.len(), expected.len() as u64, true));
}
