//! Tiles as Mapbox Vector Tiles 2.1: three layers of points, `pins`, `clusters` and `areas`.
//!
//! Field numbers are those of the specification's `vector_tile.proto`. The same symbols give the same bytes. Knows
//! nothing of HTTP and compression.

use smallvec::SmallVec;

use crate::model::location::{Granularity, Source};
use crate::model::site::Status;

use super::class::Tally;
use super::layer::{Layer, Value};
use super::mercator::{TileId, row_edge_lat};
use super::symbols::{Area, Cluster, Pin, SymbolId, Symbols};

/// Units along one side of a tile: eight to a pixel of a tile of 512 px.
pub const EXTENT: u32 = 1 << EXTENT_BITS;
/// Binary digits of [`EXTENT`].
pub(super) const EXTENT_BITS: u8 = 12;
/// Bits of feature ids: JavaScript keeps integers exact up to 2⁵³.
const FEATURE_ID_BITS: u32 = 53;

/// Names of properties. A cluster's and an area's counts by status are named by the status; the part of each that a machine
/// located has that name and an ending.
#[derive(Debug, Clone, Copy)]
enum Key {
    Id,
    Name,
    Status,
    Source,
    Confirmed,
    Granularity,
    AccuracyM,
    Count,
    Unknown,
    Online,
    Offline,
    Maintenance,
    Approximate,
    UnknownApproximate,
    OnlineApproximate,
    OfflineApproximate,
    MaintenanceApproximate,
    WorstStatus,
    ExpansionZoom,
    Stack,
    West,
    South,
    East,
    North,
    RadiusM,
    ExtentM,
    Site,
}

impl Key {
    /// The names, in the order of the keys.
    const NAMES: [&str; 27] = [
        "id",
        "name",
        "status",
        "source",
        "confirmed",
        "granularity",
        "accuracy_m",
        "count",
        "unknown",
        "online",
        "offline",
        "maintenance",
        "approximate",
        "unknown_approximate",
        "online_approximate",
        "offline_approximate",
        "maintenance_approximate",
        "worst_status",
        "expansion_zoom",
        "stack",
        "west",
        "south",
        "east",
        "north",
        "radius_m",
        "extent_m",
        "site",
    ];

    fn of_status(status: Status) -> Self {
        match status {
            Status::Unknown => Self::Unknown,
            Status::Online => Self::Online,
            Status::Offline => Self::Offline,
            Status::Maintenance => Self::Maintenance,
        }
    }

    fn of_approximate(status: Status) -> Self {
        match status {
            Status::Unknown => Self::UnknownApproximate,
            Status::Online => Self::OnlineApproximate,
            Status::Offline => Self::OfflineApproximate,
            Status::Maintenance => Self::MaintenanceApproximate,
        }
    }
}

/// The tile's bytes. Layers without features are left out; an empty tile has no bytes. Geometry lies in
/// [0, [`EXTENT`]). Features keep their ids from tile to tile and over time.
///
/// Properties: of pins `id` and `name` of the site, `status`, `source`, `confirmed`, `granularity`, and `accuracy_m`
/// where known; of clusters and areas `id`, `count`, a count for each status, `approximate` (how many are not
/// confirmed) and, where it is above zero, the same of each status (`online_approximate`), `worst_status`; of clusters also
/// `stack`, where that is false `expansion_zoom`, and the box around its sites: `west`, `south`, `east`, `north` in degrees,
/// `west` above `east` over the antimeridian; of areas `extent_m`, `granularity`, `radius_m` where known, and `site` and
/// `name` where it is one.
#[must_use]
pub fn encode(symbols: &Symbols<'_>, tile: TileId) -> Vec<u8> {
    let features = symbols.pins.len().max(symbols.clusters.len()).max(symbols.areas.len());
    let mut out = Vec::new();
    let mut layer = Layer::new(tile, &Key::NAMES, features);
    symbols.pins.iter().for_each(|pin| encode_pin(&mut layer, pin));
    layer.finish("pins", &mut out);
    let mut edges = RowEdges::default();
    symbols.clusters.iter().for_each(|cluster| encode_cluster(&mut layer, cluster, &mut edges));
    layer.finish("clusters", &mut out);
    symbols.areas.iter().for_each(|area| encode_area(&mut layer, area));
    layer.finish("areas", &mut out);
    out
}

fn encode_pin(layer: &mut Layer, pin: &Pin<'_>) {
    let site = &pin.entry;
    layer.unique_id(Key::Id as usize, site.site);
    layer.unique_text(Key::Name as usize, site.display_name());
    layer.tag(Key::Status as usize, Value::Text(status_name(site.status)));
    layer.tag(Key::Source as usize, Value::Text(source_name(site.source)));
    layer.tag(Key::Confirmed as usize, Value::Bool(site.is_confirmed()));
    layer.tag(Key::Granularity as usize, Value::Text(granularity_name(site.granularity)));
    if let Some(accuracy_m) = site.accuracy_m {
        layer.tag(Key::AccuracyM as usize, Value::Double(accuracy_m));
    }
    let bits = site.site.as_u128();
    // The random tail of the id and its time folded: one number a site for all that matters on a map.
    let folded = (bits ^ (bits >> 64)) & ((1 << FEATURE_ID_BITS) - 1);
    layer.feature(u64::try_from(folded).expect("masked to 53 bits"), pin.point);
}

/// Latitudes of the edges of rows, which the clusters of a tile share: each of them takes a hyperbolic sine.
#[derive(Debug, Default)]
struct RowEdges(SmallVec<[(u32, f64); 12]>);

impl RowEdges {
    fn lat(&mut self, level: u8, row: u32) -> f64 {
        let known = self.0.iter().find(|(known, _)| *known == row).map(|(_, lat)| *lat);
        known.unwrap_or_else(|| {
            let lat = row_edge_lat(level, row);
            self.0.push((row, lat));
            lat
        })
    }
}

fn encode_cluster(layer: &mut Layer, cluster: &Cluster, edges: &mut RowEdges) {
    layer.unique_id(Key::Id as usize, SymbolId::Cluster(cluster.cell));
    encode_tally(layer, &cluster.tally);
    if let Some(zoom) = cluster.expansion_zoom {
        layer.tag(Key::ExpansionZoom as usize, Value::Uint(u64::from(zoom)));
    }
    layer.tag(Key::Stack as usize, Value::Bool(cluster.is_stack()));
    let bounds = cluster.bounds_by(|row| edges.lat(cluster.cell.level(), row));
    // Edges of cells: clusters of a row or a column share them, and their values.
    for (key, degrees) in [
        (Key::West, bounds.low.lng()),
        (Key::South, bounds.low.lat()),
        (Key::East, bounds.high.lng()),
        (Key::North, bounds.high.lat()),
    ] {
        layer.tag(key as usize, Value::Double(degrees));
    }
    layer.feature(cluster.cell.key(), cluster.point);
}

fn encode_area(layer: &mut Layer, area: &Area<'_>) {
    layer.unique_id(Key::Id as usize, SymbolId::Area(area.id));
    encode_tally(layer, &area.tally);
    if let Some(radius_m) = area.radius_m {
        layer.tag(Key::RadiusM as usize, Value::Double(radius_m));
    }
    layer.tag(Key::ExtentM as usize, Value::Double(area.extent_m().round()));
    layer.tag(Key::Granularity as usize, Value::Text(granularity_name(area.granularity)));
    if let Some(site) = &area.lone {
        layer.unique_id(Key::Site as usize, site.site);
        layer.unique_text(Key::Name as usize, site.display_name());
    }
    layer.feature(area.id.key(), area.point);
}

fn encode_tally(layer: &mut Layer, tally: &Tally) {
    layer.tag(Key::Count as usize, Value::Uint(u64::from(tally.total())));
    for status in Status::ALL {
        layer.tag(Key::of_status(status) as usize, Value::Uint(u64::from(tally.of_status(status))));
    }
    layer.tag(Key::Approximate as usize, Value::Uint(u64::from(tally.approximate())));
    // Most have none of most statuses.
    for (status, count) in Status::ALL.map(|status| (status, tally.approximate_of_status(status))) {
        if count > 0 {
            layer.tag(Key::of_approximate(status) as usize, Value::Uint(u64::from(count)));
        }
    }
    if let Some(status) = tally.worst_status() {
        layer.tag(Key::WorstStatus as usize, Value::Text(status_name(status)));
    }
}

fn status_name(status: Status) -> &'static str {
    match status {
        Status::Unknown => "unknown",
        Status::Online => "online",
        Status::Offline => "offline",
        Status::Maintenance => "maintenance",
    }
}

fn source_name(source: Source) -> &'static str {
    match source {
        Source::GeoIp => "geoip",
        Source::Device => "device",
        Source::Address => "address",
        Source::Pin => "pin",
    }
}

fn granularity_name(granularity: Granularity) -> &'static str {
    match granularity {
        Granularity::Country => "country",
        Granularity::Region => "region",
        Granularity::City => "city",
        Granularity::Postcode => "postcode",
        Granularity::Street => "street",
        Granularity::Interpolated => "interpolated",
        Granularity::Door => "door",
    }
}
