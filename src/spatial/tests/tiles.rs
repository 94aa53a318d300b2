//! Tiles are read back as any reader would, by the fields of `vector_tile.proto`.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;

use super::world::{at, crowd, entry, placed_in, with};
use crate::model::location::{Granularity, Source};
use crate::spatial::AccountMap;
use crate::spatial::mercator::{Point, TileId};
use crate::spatial::mvt::{EXTENT, encode};

#[derive(Clone, PartialEq, Message)]
pub(super) struct Tile {
    #[prost(message, repeated, tag = "3")]
    pub(super) layers: Vec<Layer>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Layer {
    #[prost(uint32, tag = "15")]
    pub(super) version: u32,
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(message, repeated, tag = "2")]
    pub(super) features: Vec<Feature>,
    #[prost(string, repeated, tag = "3")]
    pub(super) keys: Vec<String>,
    #[prost(message, repeated, tag = "4")]
    pub(super) values: Vec<Value>,
    #[prost(uint32, tag = "5")]
    pub(super) extent: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Feature {
    #[prost(uint64, tag = "1")]
    pub(super) id: u64,
    #[prost(uint32, repeated, tag = "2")]
    pub(super) tags: Vec<u32>,
    #[prost(int32, tag = "3")]
    pub(super) kind: i32,
    #[prost(uint32, repeated, tag = "4")]
    pub(super) geometry: Vec<u32>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Value {
    #[prost(string, optional, tag = "1")]
    pub(super) text: Option<String>,
    #[prost(double, optional, tag = "3")]
    pub(super) double: Option<f64>,
    #[prost(uint64, optional, tag = "5")]
    pub(super) uint: Option<u64>,
    #[prost(bool, optional, tag = "7")]
    pub(super) bool: Option<bool>,
}

impl Value {
    fn plain(&self) -> String {
        let texts = [
            self.text.clone(),
            self.double.map(|double| double.to_string()),
            self.uint.map(|uint| uint.to_string()),
            self.bool.map(|truth| truth.to_string()),
        ];
        let [one] = texts.into_iter().flatten().collect::<Vec<_>>().try_into().expect("a value has one type");
        one
    }
}

/// Layers by name, each a list of features with their properties; `x` and `y` are the geometry.
fn decoded(bytes: &[u8]) -> BTreeMap<String, Vec<BTreeMap<String, String>>> {
    let tile = Tile::decode(bytes).expect("a tile is protobuf");
    let mut layers = BTreeMap::new();
    for layer in tile.layers {
        assert_eq!((layer.version, layer.extent, layer.features.is_empty()), (2, EXTENT, false));
        assert_eq!(layer.keys.iter().collect::<BTreeSet<_>>().len(), layer.keys.len(), "each key once");
        let plain: Vec<String> = layer.values.iter().map(|value| format!("{value:?}")).collect();
        assert_eq!(plain.iter().collect::<BTreeSet<_>>().len(), plain.len(), "each value once");
        let mut features = Vec::new();
        for feature in layer.features {
            let [9, x, y] = feature.geometry[..] else { panic!("one point, got {:?}", feature.geometry) };
            assert!(feature.kind == 1 && feature.id < 1 << 53 && x % 2 == 0 && y % 2 == 0);
            assert!(x / 2 < EXTENT && y / 2 < EXTENT, "{x}, {y}");
            let pairs = feature.tags.chunks(2);
            let mut properties: BTreeMap<String, String> = pairs
                .map(|pair| (layer.keys[pair[0] as usize].clone(), layer.values[pair[1] as usize].plain()))
                .collect();
            properties.insert("x".into(), (x / 2).to_string());
            properties.insert("y".into(), (y / 2).to_string());
            properties.insert("feature".into(), feature.id.to_string());
            features.push(properties);
        }
        assert!(layers.insert(layer.name, features).is_none(), "each layer once");
    }
    layers
}

fn text(properties: &BTreeMap<String, String>) -> String {
    let shown = properties.iter().filter(|(key, _)| *key != "feature");
    shown.map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_tile_reads_back() {
    let mut map = AccountMap::new();
    map.upsert(&with(entry(0xabc, at(0.0, 0.0)), |place| place.accuracy_m = Some(12.5)));
    for bits in 1..=3 {
        map.upsert(&with(entry(bits, at(-20.0, 30.0)), |place| place.source = Source::GeoIp));
    }
    map.upsert(&with(entry(9, at(-60.0, 80.0)), |place| {
        (place.granularity, place.accuracy_m) = (Granularity::Region, Some(400_000.0));
    }));
    let tile = TileId::new(2, 2, 2).unwrap();
    let layers = decoded(&encode(&map.all().tile(tile).unwrap(), tile));
    assert_eq!(layers.keys().collect::<Vec<_>>(), ["areas", "clusters", "pins"]);
    assert_eq!(
        text(&layers["pins"][0]),
        "accuracy_m=12.5 confirmed=true granularity=door id=00000000-0000-0000-0000-000000000abc name=site 2748 \
         source=pin status=online x=0 y=0"
    );
    let (symbols, mut cluster) = (map.all().tile(tile).unwrap(), layers["clusters"][0].clone());
    let bounds = symbols.clusters[0].bounds();
    for (edge, degrees) in [
        ("west", bounds.low.lng()),
        ("south", bounds.low.lat()),
        ("east", bounds.high.lng()),
        ("north", bounds.high.lat()),
    ] {
        assert_eq!(cluster.remove(edge), Some(degrees.to_string()), "{edge}");
    }
    assert_eq!(
        text(&cluster),
        "approximate=3 count=3 id=c-5-18-17 maintenance=0 offline=0 online=3 online_approximate=3 stack=true unknown=0 \
         worst_status=online x=1365 y=929"
    );
    let area = text(&layers["areas"][0]);
    assert!(area.contains("count=1 extent_m=") && area.contains("radius_m=400000 site=00000000-"), "{area}");
    assert_eq!(layers["clusters"][0]["feature"], map.all().tile(tile).unwrap().clusters[0].cell.key().to_string());
}

#[test]
fn an_empty_tile_has_no_bytes() {
    let tile = TileId::new(0, 0, 0).unwrap();
    assert!(encode(&AccountMap::new().all().tile(tile).unwrap(), tile).is_empty());
}

#[test]
fn crowded_tiles_read_back_at_every_zoom() {
    let map = crowd(20_000);
    let sites: Vec<_> = (1..=20_000).step_by(997).map(crate::model::id::SiteId::from_u128).collect();
    for zoom in 0..=22 {
        for site in &sites {
            let tile = TileId::holding(Point::project(placed_in(&map, *site).position), zoom);
            let symbols = map.all().tile(tile).unwrap();
            let layers = decoded(&encode(&symbols, tile));
            let features = |name: &str| layers.get(name).map_or(0, Vec::len);
            let counts = [symbols.pins.len(), symbols.clusters.len(), symbols.areas.len()];
            assert_eq!(["pins", "clusters", "areas"].map(features), counts);
            assert!(counts[0] + counts[1] <= 64);
            for (pin, properties) in symbols.pins.iter().zip(layers.get("pins").into_iter().flatten()) {
                assert_eq!(pin.entry.site.to_string(), properties["id"]);
                assert_eq!(pin.entry.display_name(), properties["name"]);
            }
        }
    }
}
