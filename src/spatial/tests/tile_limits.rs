//! The size of tiles is bounded: by the worst tile that can be built, and by any others.

use proptest::prelude::*;

use super::world::{any_entries, any_position, at, card, entry, with};
use crate::model::location::Granularity;
use crate::model::text;
use crate::spatial::AccountMap;
use crate::spatial::entry::{Entry, Place};
use crate::spatial::mercator::{CELL_LEVELS_BELOW_TILE, Cell, Point, TileId, ZOOM_MAX, cell_width_m};
use crate::spatial::mvt::encode;
use crate::spatial::tile_limits::{AREAS_MAX, CELL_SYMBOLS_MAX, SYMBOL_BYTES_MAX, TILE_BYTES_MAX};

/// A longest name, that no other has and that no compression makes shorter by much.
fn name(number: u128) -> String {
    let mut state = u64::try_from(number).unwrap().wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let letter = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        // Two bytes a letter, of 1,024 letters.
        char::from_u32(0x100 + u32::try_from(state >> 54).unwrap()).unwrap()
    };
    let name: String = std::iter::repeat_with(letter).take(text::LINE_BYTES_MAX / 2).collect();
    assert_eq!(name.len(), text::LINE_BYTES_MAX);
    name
}

/// A tile with a lone pin in each cell, and as many areas of a lone site as can be: one of a country in each cell, where countries
/// refine as far, else one for each cell of the coarser level.
fn worst(tile: TileId) -> AccountMap {
    let mut map = AccountMap::new();
    let mut number = 0;
    let mut put = |level: u8, change: &dyn Fn(&mut Place)| {
        let deeper = level.saturating_sub(tile.z());
        let (x, y) = (tile.x() << deeper, tile.y() << deeper);
        for (column, row) in (0..1 << deeper).flat_map(|column| (0..1 << deeper).map(move |row| (column, row))) {
            number += 1;
            let middle = if level >= tile.z() {
                Cell::new(level, x + column, y + row).unwrap().bounds(1, 1)
            } else {
                Cell::new(tile.z(), tile.x(), tile.y()).unwrap().bounds(1, 1)
            };
            let (low, high) = (Point::project(middle.low), Point::project(middle.high));
            let point = Point { x: low.x + (high.x - low.x) / 2, y: high.y + (low.y - high.y) / 2 };
            let site = Entry { card: card(&name(number), ""), ..entry(number, point.position()) };
            map.upsert(&with(site, change));
        }
    };
    let cells = tile.z() + CELL_LEVELS_BELOW_TILE;
    put(cells, &|place| place.accuracy_m = Some(0.1));
    if cells <= 7 {
        put(cells, &|place| (place.granularity, place.accuracy_m) = (Granularity::Country, Some(1.0 / 3.0)));
    } else {
        put(cells - 1, &|place| place.accuracy_m = Some(0.4 * cell_width_m(cells - 1, place.position.lat())));
    }
    map
}

#[test]
fn the_worst_tile_stays_within_the_budget() {
    let mut most = (0, 0);
    for zoom in 0..=ZOOM_MAX {
        let tile = TileId::holding(Point::project(at(3.0, 5.0)), zoom);
        let map = worst(tile);
        let symbols = map.all().tile(tile).unwrap();
        let bytes = encode(&symbols, tile).len();
        let (pins, areas) = (symbols.pins.len(), symbols.areas.len());
        // In the deepest tile the greatest cells are as small as an accuracy of 0.1 m.
        assert!(pins == CELL_SYMBOLS_MAX && symbols.clusters.is_empty(), "zoom {zoom}: {pins} pins");
        assert!(areas <= AREAS_MAX, "zoom {zoom}: {areas} areas");
        assert!(symbols.areas.iter().all(|area| area.lone.is_some()), "zoom {zoom}");
        assert!(bytes > (pins + areas) * text::LINE_BYTES_MAX, "zoom {zoom}: the names are in");
        assert!(bytes <= (pins + areas) * SYMBOL_BYTES_MAX && bytes <= TILE_BYTES_MAX, "zoom {zoom}: {bytes} bytes");
        most = most.max((areas, bytes));
    }
    assert_eq!(most.0, AREAS_MAX, "the bound on areas is reached, at {} bytes", most.1);
}

proptest! {
    #[test]
    fn no_tile_has_more_symbols_than_the_budget_counts(
        entries in any_entries(600),
        spot in any_position(),
        zoom in 0..=ZOOM_MAX,
    ) {
        let map = AccountMap::bulk(entries);
        let tile = TileId::holding(Point::project(spot), zoom);
        let symbols = map.all().tile(tile).unwrap();
        prop_assert!(symbols.pins.len() + symbols.clusters.len() <= CELL_SYMBOLS_MAX);
        prop_assert!(symbols.areas.len() <= AREAS_MAX);
        let count = symbols.pins.len() + symbols.clusters.len() + symbols.areas.len();
        prop_assert!(encode(&symbols, tile).len() <= count * SYMBOL_BYTES_MAX + 1_536);
    }
}
