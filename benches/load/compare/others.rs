//! The same questions in the words of PostGIS and of Redis, as one who uses them would write them.

use waymark::model::geo::{BoundingBox, LatLng};
use waymark::spatial::mercator::TileId;

use crate::data::queries::{In, RADIUS_M};
use crate::wire::{Call, postgres, resp};

/// The key of the sites in Redis.
pub(super) const KEY: &str = "sites";
/// Kilometres of a degree of latitude.
const DEGREE_KM: f64 = 111.195;
/// Width of the world on the map of PostGIS (EPSG:3857), in metres.
const WORLD_M: f64 = 40_075_016.685_578_49;
/// Cells along a side of a tile.
const CELLS_A_SIDE: f64 = 8.0;
/// The sites that are online, as `export` writes them.
const ONLINE_SQL: &str = "AND status = 1";
/// Redis has no nearest neighbours: one asks within a radius of a kilometre, and widens it until there are enough. As a
/// script, so that all steps are one call.
const NEAREST_LUA: &str = "
    local km = 1
    while true do
        local found = redis.call('GEOSEARCH', KEYS[1], 'FROMLONLAT', ARGV[1], ARGV[2], 'BYRADIUS', km, 'km',
            'ASC', 'COUNT', 10, 'WITHCOORD', 'WITHDIST')
        if #found >= 10 or km > 20000 then return found end
        km = km * 4
    end";

/// What a tile is made of: cells an eighth of its side wide, one point and a count for each, a name where the count is one. `$FILTER`
/// says which sites.
const TILE_CELLS_SQL: &str = "
    WITH tile AS (SELECT ST_TileEnvelope($1::int, $2::int, $3::int) AS bounds),
    cells AS (
        SELECT count(*) AS sites, ST_Centroid(ST_Collect(at)) AS at,
               CASE WHEN count(*) = 1 THEN min(name) END AS name, count(*) FILTER (WHERE status = 1) AS online
        FROM sites, tile WHERE at && bounds $FILTER
        GROUP BY ST_SnapToGrid(at, (ST_XMax(bounds) - ST_XMin(bounds)) / 8)
    ),
    features AS (SELECT sites, name, online, ST_AsMVTGeom(at, bounds, 4096, 256) AS geometry FROM cells, tile)
";

/// The tile of them.
const TILE_SQL: &str = "SELECT ST_AsMVT(features, 'sites', 4096, 'geometry') FROM features";

/// The sites that the tile counts.
const TILE_SITES_SQL: &str = "SELECT coalesce(sum(sites), 0)::int8 FROM features WHERE geometry IS NOT NULL";

/// The same cells of a screen, whose side in metres of the map is the last parameter.
const VIEW_CELLS_SQL: &str = "
    WITH view AS (
        SELECT ST_Transform(ST_MakeEnvelope($1::float8, $2::float8, $3::float8, $4::float8, 4326), 3857) AS bounds
    ),
    cells AS (
        SELECT count(*) AS sites, ST_Transform(ST_Centroid(ST_Collect(at)), 4326) AS at,
               CASE WHEN count(*) = 1 THEN min(name) END AS name, count(*) FILTER (WHERE status = 1) AS online
        FROM sites, view WHERE at && bounds
        GROUP BY ST_SnapToGrid(at, $5::float8)
    )";

const VIEW_SQL: &str = "SELECT sites, name, online, at FROM cells";

const VIEW_SITES_SQL: &str = "SELECT coalesce(sum(sites), 0)::int8 FROM cells";

/// On the plane of the map, as the box is.
const POLYGON_SQL: &str = "
    SELECT id, name, status, position FROM sites
    WHERE ST_Intersects(at, ST_Transform(ST_GeomFromText($1::text, 4326), 3857))
    LIMIT 1000";

const NEAREST_SQL: &str = "
    SELECT id, name, status, position, ST_Distance(position, ST_Point($1::float8, $2::float8)::geography, false)
    FROM sites ORDER BY position <-> ST_Point($1::float8, $2::float8)::geography LIMIT 10";

const RADIUS_SQL: &str = "
    SELECT id, name, status, position, ST_Distance(position, ST_Point($1::float8, $2::float8)::geography, false) AS metres
    FROM sites WHERE ST_DWithin(position, ST_Point($1::float8, $2::float8)::geography, $3::float8, false)
    ORDER BY metres LIMIT 1000";

const BOX_SQL: &str = "
    SELECT id, name, status, position FROM sites
    WHERE ST_Intersects(at, ST_Transform(ST_MakeEnvelope($1::float8, $2::float8, $3::float8, $4::float8, 4326), 3857))
    LIMIT 1000";

/// What is prepared on each connection to PostgreSQL.
pub(super) fn statements() -> Vec<(String, String)> {
    let tile = |filter: &str, answer: &str| TILE_CELLS_SQL.replace("$FILTER", filter) + answer;
    let view = |answer: &str| format!("{VIEW_CELLS_SQL} {answer}");
    let statements = [
        ("tile", tile("", TILE_SQL)),
        ("tile_sites", tile("", TILE_SITES_SQL)),
        ("online_tile", tile(ONLINE_SQL, TILE_SQL)),
        ("online_tile_sites", tile(ONLINE_SQL, TILE_SITES_SQL)),
        ("view", view(VIEW_SQL)),
        ("view_sites", view(VIEW_SITES_SQL)),
        ("nearest", NEAREST_SQL.to_owned()),
        ("radius", RADIUS_SQL.to_owned()),
        ("box", BOX_SQL.to_owned()),
        ("polygon", POLYGON_SQL.to_owned()),
    ];
    statements.map(|(name, sql)| (name.to_owned(), sql)).to_vec()
}

/// Runs a statement of tiles.
pub(super) fn postgres_tiles(statement: &str, tiles: &[In<TileId>]) -> Vec<Call> {
    let call = |(_, tile): &In<TileId>| {
        execute(statement, &[tile.z().to_string(), tile.x().to_string(), tile.y().to_string()])
    };
    tiles.iter().map(call).collect()
}

/// Runs a statement of views of a zoom.
pub(super) fn postgres_views(statement: &str, views: &[In<BoundingBox>], zoom: u8) -> Vec<Call> {
    let cell = WORLD_M / f64::from(1_u32 << zoom) / CELLS_A_SIDE;
    let call = |(_, bounds): &In<BoundingBox>| {
        let edges = [bounds.low.lng(), bounds.low.lat(), bounds.high.lng(), bounds.high.lat(), cell];
        execute(statement, &edges.map(|value| value.to_string()))
    };
    views.iter().map(call).collect()
}

pub(super) fn postgres_polygons(rings: &[In<Vec<LatLng>>]) -> Vec<Call> {
    let call = |(_, ring): &In<Vec<LatLng>>| {
        let corners = ring.iter().chain(ring.first()).map(|corner| format!("{} {}", corner.lng(), corner.lat()));
        let corners: Vec<String> = corners.collect();
        execute("polygon", &[format!("POLYGON(({}))", corners.join(","))])
    };
    rings.iter().map(call).collect()
}

pub(super) fn postgres_nearest(spots: &[In<LatLng>]) -> Vec<Call> {
    spots.iter().map(|(_, at)| execute("nearest", &[at.lng().to_string(), at.lat().to_string()])).collect()
}

pub(super) fn postgres_circles(centers: &[In<LatLng>]) -> Vec<Call> {
    let call = |(_, at): &In<LatLng>| execute("radius", &[at.lng(), at.lat(), RADIUS_M].map(|value| value.to_string()));
    centers.iter().map(call).collect()
}

pub(super) fn postgres_boxes(boxes: &[In<BoundingBox>]) -> Vec<Call> {
    let call = |(_, bounds): &In<BoundingBox>| {
        let edges = [bounds.low.lng(), bounds.low.lat(), bounds.high.lng(), bounds.high.lat()];
        execute("box", &edges.map(|value| value.to_string()))
    };
    boxes.iter().map(call).collect()
}

fn execute<const N: usize>(statement: &str, parameters: &[String; N]) -> Call {
    postgres::execute(statement, &parameters.each_ref().map(String::as_str))
}

pub(super) fn redis_nearest(spots: &[In<LatLng>]) -> Vec<Call> {
    let call = |(_, at): &In<LatLng>| {
        resp::command(&["EVAL", NEAREST_LUA, "1", KEY, &at.lng().to_string(), &at.lat().to_string()])
    };
    spots.iter().map(call).collect()
}

pub(super) fn redis_circles(centers: &[In<LatLng>]) -> Vec<Call> {
    let radius = RADIUS_M.to_string();
    let call = |(_, at): &In<LatLng>| {
        search(*at, &["BYRADIUS", &radius, "m", "ASC", "COUNT", "1000", "WITHCOORD", "WITHDIST"])
    };
    centers.iter().map(call).collect()
}

pub(super) fn redis_boxes(boxes: &[In<BoundingBox>]) -> Vec<Call> {
    let call = |(_, bounds): &In<BoundingBox>| {
        let (low, high) = (bounds.low, bounds.high);
        let lat = f64::midpoint(low.lat(), high.lat());
        let center = LatLng::new(lat, f64::midpoint(low.lng(), high.lng())).expect("between its corners");
        let height = (high.lat() - low.lat()) * DEGREE_KM;
        let width = (high.lng() - low.lng()) * DEGREE_KM * lat.to_radians().cos();
        search(center, &["BYBOX", &width.to_string(), &height.to_string(), "km", "COUNT", "1000", "WITHCOORD"])
    };
    boxes.iter().map(call).collect()
}

fn search(at: LatLng, how: &[&str]) -> Call {
    let (lng, lat) = (at.lng().to_string(), at.lat().to_string());
    let mut words = vec!["GEOSEARCH", KEY, "FROMLONLAT", &lng, &lat];
    words.extend(how);
    resp::command(&words)
}
