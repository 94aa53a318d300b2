//! Asks for two letters of a name that more small places begin with than are looked at.

use std::fs;
use std::sync::LazyLock;

use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::{Gazetteer, sources};
use crate::geocode::gazetteer::build;
use crate::geocode::{Bias, Geocoder};
use crate::model::address::CountryCode;
use crate::model::geo::LatLng;

/// Small places that begin as the large one does, all before it in the alphabet: more than two letters stand for.
const SMALL: u32 = 300;

/// Where a small place is.
fn small_position(number: u32) -> (f64, f64) {
    (f64::from(number) / 10.0, 20.0)
}

/// Small places `Zaa000` and so on, in Sweden, and a large one, `Zaz`, in Denmark.
static TOWNS: LazyLock<(TempDir, Gazetteer)> = LazyLock::new(|| {
    let directory = tempfile::tempdir().unwrap();
    let mut places = Map::new();
    let mut add = |id: u32, name: String, country: &str, people: u64, (lat, lng): (f64, f64)| {
        let place = json!({
            "geonameid": id, "name": name, "latitude": lat, "longitude": lng, "countrycode": country,
            "population": people, "timezone": "", "admin1code": "", "alternatenames": [],
        });
        places.insert(id.to_string(), place);
    };
    for number in 0..SMALL {
        add(number + 1, format!("Zaa{number:03}"), "SE", 600, small_position(number));
    }
    add(SMALL + 1, "Zaz".into(), "DK", 900_000, (56.0, 10.0));
    let mut sources = sources(directory.path());
    let path = directory.path().join("towns.json");
    fs::write(&path, Value::Object(places).to_string()).unwrap();
    sources.places = Some(path);
    let out = directory.path().join("towns");
    build(&sources, &out, &|_| ()).unwrap();
    let gazetteer = Gazetteer::open(&out).unwrap();
    (directory, gazetteer)
});

fn suggest(typed: &str, bias: &Bias) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let found = runtime.block_on(TOWNS.1.suggest(typed, bias, 5)).unwrap();
    found.into_iter().map(|candidate| candidate.formatted_address).collect()
}

#[test]
fn two_letters_are_the_large_place_that_begins_so() {
    for typed in ["za", "Za", "zaz"] {
        let found = suggest(typed, &Bias::default());
        assert!(found[0].starts_with("Zaz"), "{typed}: {found:?}");
    }
    // With two letters the small ones are too many to be told apart; with more they are there.
    assert_eq!(suggest("za", &Bias::default()).len(), 1);
    assert!(suggest("zaa1", &Bias::default()).iter().all(|name| name.starts_with("Zaa1")));
    assert_eq!(suggest("zaa1", &Bias::default()).len(), 5);
}

#[test]
fn who_says_where_is_told_the_small_ones_too() {
    let (lat, lng) = small_position(150);
    let near = Bias { near: LatLng::new(lat, lng).ok(), country: None };
    assert!(suggest("za", &near)[0].starts_with("Zaa150"), "{:?}", suggest("za", &near));
    let country = Bias { near: None, country: CountryCode::parse("SE") };
    assert!(suggest("za", &country)[0].starts_with("Zaa"), "{:?}", suggest("za", &country));
}
