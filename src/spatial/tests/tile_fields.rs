//! The description of the layers is that of real tiles: nothing is missing in it, and nothing in it is never written.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;

use super::tiles::{Tile, Value};
use super::world::{at, entry, with};
use crate::model::location::{Granularity, Source};
use crate::model::site::Status;
use crate::spatial::AccountMap;
use crate::spatial::entry::Entry;
use crate::spatial::mercator::TileId;
use crate::spatial::mvt::encode;
use crate::spatial::tile_fields::{FieldKind, LAYERS};

fn kind(value: &Value) -> FieldKind {
    match value {
        Value { text: Some(_), .. } => FieldKind::Text,
        Value { bool: Some(_), .. } => FieldKind::Truth,
        _ => FieldKind::Number,
    }
}

/// Pins, clusters and areas with everything that each may have.
fn everything() -> AccountMap {
    let mut map = AccountMap::new();
    map.upsert(&with(entry(1, at(10.0, 10.0)), |place| place.accuracy_m = Some(3.0)));
    // Two piles of two in one cell of the world come apart deeper down; a pile alone never does.
    for (bits, lng) in [(2, 60.0), (3, 60.0), (4, 60.5), (5, 60.5)] {
        map.upsert(&entry(bits, at(-40.0, lng)));
    }
    // Estimates of each status: fine ones in that cluster, coarse ones in an area of several.
    for (bits, status) in (10..).zip(Status::ALL) {
        let estimate = Entry { status, ..entry(bits, at(-40.0, 60.0)) };
        map.upsert(&with(estimate, |place| place.source = Source::GeoIp));
        let coarse = Entry { status, ..entry(bits + 10, at(40.0, 20.0)) };
        map.upsert(&with(coarse, |place| {
            (place.source, place.granularity, place.accuracy_m) = (Source::GeoIp, Granularity::City, Some(900_000.0));
        }));
    }
    for (bits, lng, granularity, accuracy_m) in
        [(6, -80.0, Granularity::City, Some(900_000.0)), (7, -120.0, Granularity::Country, None)]
    {
        map.upsert(&with(entry(bits, at(40.0, lng)), |place| {
            (place.source, place.granularity, place.accuracy_m) = (Source::GeoIp, granularity, accuracy_m);
        }));
    }
    map
}

#[test]
fn layers_are_described_as_they_are_written() {
    let map = everything();
    let mut written: BTreeMap<String, BTreeSet<(String, FieldKind)>> = BTreeMap::new();
    for zoom in 0..=6 {
        for x in 0..1 << zoom {
            for y in 0..1 << zoom {
                let id = TileId::new(zoom, x, y).unwrap();
                for layer in Tile::decode(&*encode(&map.all().tile(id).unwrap(), id)).unwrap().layers {
                    let fields = written.entry(layer.name).or_default();
                    for pair in layer.features.iter().flat_map(|feature| feature.tags.chunks(2)) {
                        let value = &layer.values[pair[1] as usize];
                        fields.insert((layer.keys[pair[0] as usize].clone(), kind(value)));
                    }
                }
            }
        }
    }
    assert_eq!(written.len(), LAYERS.len());
    for layer in LAYERS {
        let described: BTreeSet<_> = layer.fields.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect();
        assert_eq!(described.len(), layer.fields.len(), "{}: each property once", layer.name);
        let written = &written[layer.name];
        let missing: Vec<_> = written.difference(&described).collect();
        assert!(missing.is_empty(), "{}: {missing:?} are written and not described", layer.name);
        let unwritten: Vec<_> = described.difference(written).collect();
        assert!(unwritten.is_empty(), "{}: {unwritten:?} are described and not written", layer.name);
    }
}
