//! Borders against places that everybody knows, against all edges one by one, and against the towns of the world.

#![expect(clippy::print_stdout, reason = "says what was found, and what could not be tested")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use proptest::prelude::*;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::*;
use crate::model::geo::EARTH_RADIUS_M;

/// Metres within which the data is good: coasts and borders of 1:10m.
const TOLERANCE_M: f64 = 20_000.0;
/// Least population of the towns that are asked for.
const TOWN_MIN: u64 = 15_000;

fn fetched(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/fetched").join(name)
}

/// The real borders, read once; `None`, and a word, where they were not fetched.
fn world() -> Option<&'static Borders> {
    static WORLD: OnceLock<Option<Borders>> = OnceLock::new();
    let path = fetched("naturalearth/countries-10m.json");
    let world = WORLD.get_or_init(|| path.exists().then(|| Borders::open(&path).unwrap()));
    if world.is_none() {
        println!("not tested: {} is missing; scripts/fetch-data fetches it", path.display());
    }
    world.as_ref()
}

fn at(lat: f64, lng: f64) -> LatLng {
    LatLng::new(lat, lng).unwrap()
}

fn code(code: &str) -> CountryCode {
    CountryCode::parse(code).unwrap()
}

#[test]
fn known_places_lie_where_everybody_knows() {
    let Some(world) = world() else { return };
    for (what, lat, lng, expect) in [
        ("Reykjavík", 64.1466, -21.9426, "IS"),
        ("Berlin", 52.52, 13.405, "DE"),
        ("Maseru in Lesotho, all round South Africa", -29.31, 27.48, "LS"),
        ("the midst of Lesotho", -29.6, 28.2, "LS"),
        ("Bloemfontein", -29.12, 26.22, "ZA"),
        ("San Marino", 43.942, 12.46, "SM"),
        ("Kaliningrad, apart from Russia", 54.71, 20.45, "RU"),
        ("Cabinda, apart from Angola", -5.2, 12.4, "AO"),
        ("Andorra", 42.55, 1.57, "AD"),
        ("Winterthur", 47.5, 8.73, "CH"),
        ("Bellinzona", 46.2, 9.02, "CH"),
        ("Anchorage", 61.2, -149.9, "US"),
        ("Honolulu", 21.4, -157.9, "US"),
        ("Taveuni, Fiji, at the 180th meridian", -16.85, -179.98, "FJ"),
        ("Vanua Levu, Fiji", -16.6, 179.2, "FJ"),
        ("Chukotka, inland of Anadyr", 66.5, 178.0, "RU"),
        ("Uelen, Chukotka, beyond the 180th meridian", 66.1, -171.0, "RU"),
        ("the 180th meridian in Chukotka", 68.0, 180.0, "RU"),
        ("the same by its other name", 68.0, -180.0, "RU"),
        ("a hair west of it, where the next corner is east of it", 68.0, 179.999, "RU"),
        ("Wrangel Island there", 71.2, 179.999, "RU"),
        ("Antarctica there, behind the shelf", -88.0, 179.999, "AQ"),
        ("the south pole", -90.0, 0.0, "AQ"),
        ("the south pole from the other side", -90.0, 123.0, "AQ"),
        ("Vostok", -78.46, 106.84, "AQ"),
        ("Lake Victoria", -1.5, 32.5, "TZ"),
        ("Lake Superior", 47.3, -87.5, "US"),
        ("Pristina", 42.66, 21.16, "XK"),
        ("Lefkoşa in the north of Cyprus", 35.25, 33.2, "CY"),
        ("Hargeisa", 9.56, 44.06, "SO"),
        ("Cayenne, drawn as France", 4.92, -52.31, "FR"),
        ("Tórshavn", 62.01, -6.78, "FO"),
        ("Singapore", 1.35, 103.82, "SG"),
    ] {
        assert_eq!(world.at(at(lat, lng)), Ground::Country(code(expect)), "{what}");
        let near = world.near(at(lat, lng), TOLERANCE_M);
        assert_eq!((near[0].country, near[0].distance_m), (Some(code(expect)), 0.0), "{what}");
        assert_eq!(world.distance_to_land_m(at(lat, lng), TOLERANCE_M), Some(0.0), "{what}");
    }
    let vatican = world.near(at(41.9022, 12.4533), 2_000.0);
    assert!(vatican.iter().any(|near| near.country == Some(code("VA"))), "{vatican:?}");
}

#[test]
fn the_sea_is_no_country() {
    let Some(world) = world() else { return };
    for (what, lat, lng, least_m, most_m) in [
        ("0, 0, in the Gulf of Guinea", 0.0, 0.0, 500_000.0, f64::INFINITY),
        ("the middle of the Atlantic", 35.0, -45.0, 500_000.0, f64::INFINITY),
        ("the Pacific at the 180th meridian", 35.0, 180.0, 500_000.0, f64::INFINITY),
        ("the north pole", 90.0, 0.0, 500_000.0, f64::INFINITY),
        ("the middle of the North Sea", 56.0, 3.2, 200_000.0, 350_000.0),
        ("Faxaflói, off Reykjavík", 64.4, -23.0, 20_000.0, 60_000.0),
        ("the Bering Sea south of Anadyr, over the 180th meridian", 61.0, -180.0, 100_000.0, 300_000.0),
        ("the Caspian Sea", 41.5, 51.0, 80_000.0, 250_000.0),
        ("Skjálfandi, 5 km off Húsavík", 66.08, -17.42, 500.0, 12_000.0),
    ] {
        assert_eq!(world.at(at(lat, lng)), Ground::Sea, "{what}");
        let shore_m = world.distance_to_land_m(at(lat, lng), REACH_M_MAX).unwrap_or(f64::INFINITY);
        assert!((least_m..=most_m).contains(&shore_m), "{what}: {shore_m} m");
        assert_eq!(world.near(at(lat, lng), least_m), [], "{what}");
    }
    // Each country once, the nearest first.
    let channel = world.near(at(50.95, 1.45), 60_000.0);
    let countries: Vec<Option<CountryCode>> = channel.iter().map(|near| near.country).collect();
    assert_eq!(countries[..2], [Some(code("FR")), Some(code("GB"))], "{channel:?}");
    assert!(channel.is_sorted_by(|one, other| one.distance_m <= other.distance_m));
}

/// What is at a position by all edges, without columns; and how far each area is.
fn brute_force(borders: &Borders, position: LatLng, within_m: f64) -> (Ground, Vec<Near>) {
    let mut crossings: HashMap<Area, usize> = HashMap::new();
    let mut nearest: HashMap<Area, f64> = HashMap::new();
    let lng = if position.lng() >= 180.0 { -180.0 } else { position.lng() };
    let reach = (within_m / EARTH_RADIUS_M).to_degrees();
    for (number, edge) in borders.lines.all() {
        let is_above = edge.is_crossed_at(lng) && edge.lat_at(lng) > position.lat();
        // No way between two latitudes is shorter than the one along a meridian.
        let beside = (edge.at(0.0).lat() - position.lat()).abs().min((edge.at(1.0).lat() - position.lat()).abs());
        let distance_m = if beside > reach + 1.0 { f64::INFINITY } else { edge.distance_m(position) };
        for area in borders.lines.areas_of(number) {
            *crossings.entry(*area).or_default() += usize::from(is_above);
            if distance_m <= within_m {
                let known = nearest.entry(*area).or_insert(distance_m);
                *known = known.min(distance_m);
            }
        }
    }
    let inside = crossings.iter().filter(|(_, count)| *count % 2 == 1).map(|(area, _)| *area).min();
    let ground =
        inside.map_or(Ground::Sea, |area| borders.areas[usize::from(area)].map_or(Ground::Unassigned, Ground::Country));
    nearest.extend(inside.map(|area| (area, 0.0)));
    let near = |(area, distance_m): (Area, f64)| Near { country: borders.areas[usize::from(area)], distance_m };
    let mut near: Vec<(Area, Near)> = nearest.into_iter().map(|found| (found.0, near(found))).collect();
    near.sort_by(|one, other| one.1.distance_m.total_cmp(&other.1.distance_m).then(one.0.cmp(&other.0)));
    (ground, near.into_iter().map(|(_, near)| near).collect())
}

#[test]
fn columns_change_no_answer() {
    let Some(world) = world() else { return };
    let lng = prop_oneof![4 => -180.0..=180.0_f64, 1 => Just(180.0), 1 => Just(-180.0), 1 => -179.99..-179.0_f64];
    let lat = prop_oneof![8 => -90.0..=90.0_f64, 1 => 80.0..=90.0_f64, 1 => Just(-90.0)];
    let within_m = prop_oneof![4 => 0.0..50_000.0_f64, 1 => Just(REACH_M_MAX)];
    let config = ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(lat in lat, lng in lng, within_m in within_m)| {
        let position = at(lat, lng);
        let (ground, near) = brute_force(world, position, within_m);
        prop_assert_eq!(world.at(position), ground);
        prop_assert_eq!(world.near(position, within_m), near);
    });
}

#[test]
fn distances_to_edges_are_those_to_their_nearest_points() {
    let Some(world) = world() else { return };
    let edges: Vec<_> = world.lines.all().map(|(_, edge)| edge).step_by(997).collect();
    proptest!(|(edge in prop::sample::select(edges), north in -4.0..4.0_f64, east in -4.0..4.0_f64)| {
        let middle = edge.at(0.5);
        let lat = (middle.lat() + north).clamp(-90.0, 90.0);
        let lng = (middle.lng() + east / lat.to_radians().cos().max(0.05)).clamp(-180.0, 180.0);
        let position = at(lat, lng);
        let sampled = (0..=1_000).map(|share| edge.at(f64::from(share) / 1_000.0).distance_m(position));
        let sampled = sampled.fold(f64::INFINITY, f64::min);
        let distance_m = edge.distance_m(position);
        prop_assert!(distance_m <= sampled.max(1.0) * 1.002 && distance_m >= sampled * 0.995 - 50.0,
            "{distance_m} m, {sampled} m by samples, at {lat}, {lng}");
    });
}

#[derive(Deserialize)]
struct Town {
    name: String,
    latitude: f64,
    longitude: f64,
    countrycode: String,
    population: u64,
    #[serde(default, rename = "alternatenames")]
    _names: IgnoredAny,
}

#[test]
fn towns_of_the_world_lie_in_their_countries() {
    let Some(world) = world() else { return };
    let file = fetched("geonames/cities500.json");
    if !file.exists() {
        println!("not tested: {} is missing; scripts/fetch-data fetches it", file.display());
        return;
    }
    let towns: HashMap<String, Town> = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let (mut inside, mut near, mut elsewhere) = (0, 0, Vec::new());
    for town in towns.values().filter(|town| town.population > TOWN_MIN) {
        let (position, stated) = (at(town.latitude, town.longitude), code(&town.countrycode));
        let is_it = |near: &Near| near.country.is_none_or(|country| are_kin(country, stated));
        match world.near(position, TOLERANCE_M).into_iter().find(is_it) {
            Some(found) if found.distance_m == 0.0 => inside += 1,
            Some(_) => near += 1,
            None => elsewhere.push((town, stated, world.at(position))),
        }
    }
    let all = inside + near + elsewhere.len();
    println!("{all} towns: {inside} inside of their country, {near} within 20 km of it, {} elsewhere", elsewhere.len());
    for (town, stated, found) in &elsewhere {
        println!("  {} {stated}: {found:?} at {}, {}", town.name, town.latitude, town.longitude);
    }
    let contested = |(town, stated, _): &(&Town, CountryCode, Ground)| {
        world.is_claimed_by(at(town.latitude, town.longitude), *stated)
    };
    elsewhere.retain(|found| !contested(found));
    assert!(all > 30_000, "the file of towns is short: {all}");
    assert!(inside * 1_000 >= all * 980, "{inside} of {all}");
    assert!(elsewhere.len() * 10_000 <= all, "{} of {all} towns are elsewhere", elsewhere.len());
}
