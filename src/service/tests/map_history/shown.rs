//! What tiles, viewports, legends and lists must hold of an account: each matching site once, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;

use super::filters::Shape;
use super::model::{Fleet, Known};
use crate::model::geo::BoundingBox;
use crate::model::id::SiteId;
use crate::model::location::Source;
use crate::model::site::{Site, Status};
use crate::service::Error;
use crate::service::filter::Filter;
use crate::service::map::{Viewport, tile_id};
use crate::service::paging::PageRequest;
use crate::service::site_list::{Order, SiteQuery};
use crate::service::symbols::{SiteSummary, Tally};
use crate::spatial::mercator::{Cell, Point, TileId};

/// Deepest zoom at which all tiles are asked for.
const ALL_TILES_ZOOM_MAX: u8 = 3;
/// Deepest zoom at which one viewport may hold the world.
const WORLD_ZOOM_MAX: u8 = 4;

/// A page of all.
pub(super) fn whole_page() -> PageRequest {
    PageRequest { size: i32::MAX, token: String::new() }
}

/// The sites that are to match, and those of them that have a position.
pub(super) fn matching<'f>(fleet: &'f Fleet<'_>, shape: &Shape) -> (Vec<&'f Known>, BTreeMap<SiteId, SiteSummary>) {
    let matching: Vec<&Known> = fleet.live().filter(|site| shape.matches(site, fleet)).collect();
    let placed = matching.iter().filter_map(|site| Some((site.id, site.summary()?))).collect();
    (matching, placed)
}

/// Compares lists, and pictures at these zooms, with what the filter is to match.
pub(super) async fn check(fleet: &Fleet<'_>, shape: &Shape, zooms: &[u8]) {
    let filter = shape.text(fleet);
    let (matching, placed) = matching(fleet, shape);
    check_list(fleet, &filter, &matching).await;
    if shape.names("note") {
        let (waymark, operator) = (&fleet.world.waymark, &fleet.world.operator);
        let refused = waymark.viewport(operator, &fleet.account, &BoundingBox::WORLD, 0, &filter).await;
        assert!(matches!(&refused, Err(Error::Invalid(fault)) if fault.field == "filter"), "{filter}: {refused:?}");
        return;
    }
    let legend: Vec<SiteSummary> =
        fleet.live().filter(|site| shape.matches_legend(site, fleet)).filter_map(Known::summary).collect();
    let account: Vec<SiteSummary> = fleet.live().filter_map(Known::summary).collect();
    let expected = [counts_of(account.iter()), counts_of(placed.values()), counts_of(legend.iter())];
    for zoom in zooms.iter().copied() {
        let mut shown = BTreeMap::new();
        for bounds in boxes(&placed, zoom) {
            let seen = viewport(fleet, &bounds, zoom, &filter).await;
            let told = [&seen.account, &seen.matching, &seen.legend].map(counts);
            assert_eq!(told, expected, "{filter}: account, matching, legend");
            assert_eq!(seen.unplaced as usize, matching.len() - placed.len(), "{filter}");
            gather(&mut shown, &seen, &placed);
        }
        check_members(fleet, &shown, &placed, zoom, &filter).await;
        let in_tiles = in_tiles(fleet, &placed, zoom, &filter).await;
        let by_id: BTreeMap<String, u32> = shown.into_iter().map(|(id, symbol)| (id, symbol.total())).collect();
        assert_eq!(in_tiles, by_id, "{filter} at zoom {zoom}: tiles and viewports");
        assert_eq!(in_tiles.values().sum::<u32>() as usize, placed.len(), "{filter} at zoom {zoom}");
    }
}

async fn check_list(fleet: &Fleet<'_>, filter: &str, matching: &[&Known]) {
    let query = SiteQuery {
        account: fleet.account.clone(),
        filter: Filter::parse(filter).unwrap(),
        order: Order::parse("").unwrap(),
        show_deleted: false,
    };
    let listed = fleet.world.waymark.list_sites(&fleet.world.operator, &query, &whole_page()).await.unwrap();
    assert!(listed.page.next_token.is_empty() && listed.unreadable.is_empty());
    let shown = |site: &Site| {
        let place = site.fixes.effective().map(|fix| (fix.source, fix.position, fix.accuracy_m, fix.granularity));
        (site.id, (site.display_name.clone(), site.status, place))
    };
    let listed: BTreeMap<_, _> = listed.page.items.iter().map(|site| shown(&site.value)).collect();
    let known = |site: &&Known| {
        let place = site.summary().map(|it| (it.source, it.position, it.accuracy_m, it.granularity));
        (site.id, (site.display_name.clone(), site.status, place))
    };
    let expected: BTreeMap<_, _> = matching.iter().map(known).collect();
    assert_eq!(listed, expected, "{filter}");
}

async fn viewport(fleet: &Fleet<'_>, bounds: &BoundingBox, zoom: u8, filter: &str) -> Viewport {
    let (waymark, operator) = (&fleet.world.waymark, &fleet.world.operator);
    waymark.viewport(operator, &fleet.account, bounds, i32::from(zoom), filter).await.unwrap()
}

/// Numbers of sites by status and source.
pub(super) type Counts = [[u32; 4]; 4];

pub(super) fn counts(tally: &Tally) -> Counts {
    Status::ALL.map(|status| Source::ALL.map(|source| tally.of(status, source)))
}

pub(super) fn counts_of<'s>(sites: impl Iterator<Item = &'s SiteSummary>) -> Counts {
    let mut counts = Counts::default();
    for site in sites {
        let status = Status::ALL.iter().position(|status| *status == site.status).unwrap();
        let source = Source::ALL.iter().position(|source| *source == site.source).unwrap();
        counts[status][source] += 1;
    }
    counts
}

/// A symbol of a viewport, whole: as a text, and what it counts.
#[derive(Debug, PartialEq)]
struct Symbol {
    told: String,
    counts: Counts,
}

impl Symbol {
    fn total(&self) -> u32 {
        self.counts.as_flattened().iter().sum()
    }
}

/// Takes the symbols of one viewport of several, which may overlap. Those of one site show that site, whole.
fn gather(shown: &mut BTreeMap<String, Symbol>, seen: &Viewport, placed: &BTreeMap<SiteId, SiteSummary>) {
    let symbols = &seen.symbols;
    let alone = symbols.areas.iter().filter_map(|area| area.site.as_ref());
    for site in symbols.pins.iter().chain(alone) {
        assert_eq!(Some(site), placed.get(&site.site), "a site is shown as it is");
    }
    let pins = symbols.pins.iter().map(|pin| {
        (format!("p-{}", pin.site), Symbol { told: format!("{pin:?}"), counts: counts_of(std::iter::once(pin)) })
    });
    let clusters = symbols
        .clusters
        .iter()
        .map(|cluster| (cluster.id.clone(), Symbol { told: format!("{cluster:?}"), counts: counts(&cluster.tally) }));
    let areas = symbols
        .areas
        .iter()
        .map(|area| (area.id.clone(), Symbol { told: format!("{area:?}"), counts: counts(&area.tally) }));
    for (id, symbol) in pins.chain(clusters).chain(areas) {
        if let Some(known) = shown.get(&id) {
            assert_eq!(*known, symbol, "a symbol is the same in each viewport");
        }
        shown.insert(id, symbol);
    }
}

/// Lists what is behind each symbol: as many as it counts, and all sites once.
async fn check_members(
    fleet: &Fleet<'_>,
    shown: &BTreeMap<String, Symbol>,
    placed: &BTreeMap<SiteId, SiteSummary>,
    zoom: u8,
    filter: &str,
) {
    let (waymark, operator) = (&fleet.world.waymark, &fleet.world.operator);
    let mut found: BTreeSet<SiteId> = BTreeSet::new();
    for (id, symbol) in shown {
        if let Some(site) = id.strip_prefix("p-") {
            assert!(found.insert(site.parse().unwrap()), "{site} is shown twice");
            continue;
        }
        let asked = (id.as_str(), i32::from(zoom));
        let behind = waymark.list_cluster(operator, &fleet.account, asked, filter, &whole_page()).await.unwrap();
        assert!(behind.page.next_token.is_empty());
        assert_eq!(counts_of(behind.page.items.iter()), symbol.counts, "{filter} at zoom {zoom}: {id}");
        for site in behind.page.items {
            assert_eq!(Some(&site), placed.get(&site.site), "{filter} at zoom {zoom}: {id}");
            assert!(found.insert(site.site), "{} is shown twice", site.site);
        }
    }
    assert!(found.iter().eq(placed.keys()), "{filter} at zoom {zoom}: each site once");
}

/// The tiles of the sites and those around: in them is all that is drawn of sites, but for areas of several positions.
fn tiles_of(placed: &BTreeMap<SiteId, SiteSummary>, zoom: u8) -> BTreeSet<(u32, u32)> {
    let tile = |site: &SiteSummary| TileId::holding(Point::project(site.position), zoom);
    placed.values().map(tile).map(|tile| (tile.x(), tile.y())).collect()
}

fn tiles_around((x, y): (u32, u32)) -> impl Iterator<Item = (u32, u32)> {
    (x - 1..=x + 1).flat_map(move |x| (y - 1..=y + 1).map(move |y| (x, y)))
}

/// Boxes in which all is drawn; any one, where there is nothing to be drawn.
fn boxes(placed: &BTreeMap<SiteId, SiteSummary>, zoom: u8) -> Vec<BoundingBox> {
    if zoom <= WORLD_ZOOM_MAX {
        return vec![BoundingBox::WORLD];
    }
    if placed.is_empty() {
        return vec![Cell::new(zoom, 0, 0).unwrap().bounds(1, 1)];
    }
    let around = |(x, y): (u32, u32)| Cell::new(zoom, x - 1, y - 1).unwrap().bounds(3, 3);
    tiles_of(placed, zoom).into_iter().map(around).collect()
}

/// The symbols of all tiles in which any can be drawn, with their counts; each is in one tile.
async fn in_tiles(
    fleet: &Fleet<'_>,
    placed: &BTreeMap<SiteId, SiteSummary>,
    zoom: u8,
    filter: &str,
) -> BTreeMap<String, u32> {
    let tiles: BTreeSet<(u32, u32)> = if zoom <= ALL_TILES_ZOOM_MAX {
        (0..1 << zoom).flat_map(|x| (0..1 << zoom).map(move |y| (x, y))).collect()
    } else {
        tiles_of(placed, zoom).into_iter().flat_map(tiles_around).collect()
    };
    let (waymark, operator) = (&fleet.world.waymark, &fleet.world.operator);
    let mut found = BTreeMap::new();
    for (x, y) in tiles {
        let tile = tile_id(zoom, x, y).unwrap();
        let bytes = waymark.tile(operator, &fleet.account, tile, filter).await.unwrap().bytes;
        for (id, count) in symbols_of(&bytes) {
            assert!(found.insert(id.clone(), count).is_none(), "{filter}: {id} is in two tiles of zoom {zoom}");
        }
    }
    found
}

/// Of `vector_tile.proto` what tells which symbols are in a tile.
#[derive(Clone, PartialEq, Message)]
struct Mvt {
    #[prost(message, repeated, tag = "3")]
    layers: Vec<Layer>,
}

#[derive(Clone, PartialEq, Message)]
struct Layer {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    features: Vec<Feature>,
    #[prost(string, repeated, tag = "3")]
    keys: Vec<String>,
    #[prost(message, repeated, tag = "4")]
    values: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Feature {
    #[prost(uint32, repeated, tag = "2")]
    tags: Vec<u32>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, optional, tag = "1")]
    text: Option<String>,
    #[prost(uint64, optional, tag = "5")]
    uint: Option<u64>,
}

/// Ids of the symbols of a tile, and how many sites each stands for.
fn symbols_of(bytes: &[u8]) -> Vec<(String, u32)> {
    let mut symbols = Vec::new();
    for layer in Mvt::decode(bytes).expect("a tile is protobuf").layers {
        for feature in &layer.features {
            let pairs = feature.tags.chunks(2).map(|pair| (&*layer.keys[pair[0] as usize], pair[1] as usize));
            let value = |name: &str| pairs.clone().find(|(key, _)| *key == name).map(|(_, at)| &layer.values[at]);
            let id = value("id").and_then(|value| value.text.clone()).expect("a symbol has an id");
            if layer.name == "pins" {
                symbols.push((format!("p-{id}"), 1));
            } else {
                let count = value("count").and_then(|value| value.uint).expect("a group has a count");
                symbols.push((id, u32::try_from(count).unwrap()));
            }
        }
    }
    symbols
}
