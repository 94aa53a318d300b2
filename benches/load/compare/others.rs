//! The same questions in the words of PostGIS and of Redis, as one who uses them would write them.

use waymark::model::geo::{BoundingBox, LatLng};
use waymark::spatial::mercator::TileId;

use crate::data::queries::{In, RADIUS_M};
use crate::wire::{Call, postgres, resp};

/// The key of the sites in Redis.
pub(super) const KEY: &str = "sites";
/// Kilometres of a degree of latitude.
const DEGREE_KM: f64 = 111.195;
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

/// A tile of cells, an eighth of its side wide: one point and a count for each, a name where the count is one.
const TILE_SQL: &str = "
    WITH tile AS (SELECT ST_TileEnvelope($1::int, $2::int, $3::int) AS bounds),
    cells AS (
        SELECT count(*) AS sites, ST_Centroid(ST_Collect(at)) AS at,
               CASE WHEN count(*) = 1 THEN min(name) END AS name, count(*) FILTER (WHERE status = 1) AS online
        FROM sites, tile WHERE at && bounds
        GROUP BY ST_SnapToGrid(at, (ST_XMax(bounds) - ST_XMin(bounds)) / 8)
    ),
    features AS (SELECT sites, name, online, ST_AsMVTGeom(at, bounds, 4096, 256) AS geometry FROM cells, tile)
    SELECT ST_AsMVT(features, 'sites', 4096, 'geometry') FROM features";

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
    [("tile", TILE_SQL), ("nearest", NEAREST_SQL), ("radius", RADIUS_SQL), ("box", BOX_SQL)]
        .map(|(name, sql)| (name.to_owned(), sql.to_owned()))
        .to_vec()
}

pub(super) fn postgres_tiles(tiles: &[In<TileId>]) -> Vec<Call> {
    let call =
        |(_, tile): &In<TileId>| execute("tile", &[tile.z().to_string(), tile.x().to_string(), tile.y().to_string()]);
    tiles.iter().map(call).collect()
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
