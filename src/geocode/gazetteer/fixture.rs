//! A small gazetteer for tests: rows of our own in the shape of the sources.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde_json::{Value, json};

use super::{Sources, build};

/// Houses of the fixture: id, postcode, street, its dative, number, letter, own name, addition; they stand apart.
pub(super) type HouseRow =
    (i64, i64, &'static str, &'static str, Option<i64>, &'static str, &'static str, &'static str);

/// The addresses of the fixture.
pub(super) const HOUSES: &[HouseRow] = &[
    (1, 101, "Laugavegur", "Laugavegi", Some(1), "", "", ""),
    (2, 101, "Laugavegur", "Laugavegi", Some(1), "b", "", ""),
    (3, 101, "Laugavegur", "Laugavegi", Some(12), "A", "", ""),
    (4, 101, "Laugavegur", "Laugavegi", Some(20), "", "", ""),
    (5, 101, "Laugavegur", "Laugavegi", Some(22), "", "", ""),
    (6, 105, "Laugavegur", "Laugavegi", Some(120), "", "", ""),
    (7, 560, "Laugavegur", "Laugavegi", Some(1), "", "", ""),
    (8, 101, "Þórsgata", "Þórsgötu", Some(3), "", "", ""),
    (9, 105, "Þverholt", "Þverholti", Some(5), "", "", "5-7"),
    (10, 230, "Hafnargata", "Hafnargötu", Some(7), "", "", ""),
    (11, 230, "Hrannargata", "Hrannargötu", Some(5), "", "", ""),
    (12, 780, "Hafnarbraut", "Hafnarbraut", Some(4), "", "Ægisbúð", ""),
    (13, 560, "Efra-Ás", "Efra-Ási", None, "", "", ""),
    (14, 560, "Brekka", "Brekku", None, "", "", "lóð 2"),
    (15, 560, "Brekka", "Brekku", None, "", "", "lóð 3"),
    (16, 105, "Hringbraut", "Hringbraut", Some(10), "", "", ""),
    (17, 101, "Hringbraut", "Hringbraut", Some(105), "", "", ""),
];

/// Where a house of the fixture stands: each 200 m north of the one before.
pub(in crate::geocode) fn house_position(id: i64) -> (f64, f64) {
    (64.1 + 0.002 * f64::from(i32::try_from(id).unwrap()), -21.9)
}

/// Files of the fixture in `directory`.
pub(super) fn sources(directory: &Path) -> Sources {
    let write = |name: &str, value: &Value| -> Option<PathBuf> {
        let path = directory.join(name);
        fs::write(&path, value.to_string()).unwrap();
        Some(path)
    };
    let iceland = directory.join("register.db");
    write_register(&iceland);
    Sources {
        places: write("places.json", &places()),
        countries: write("countries.json", &countries()),
        admin1: write("admin1.json", &regions()),
        postcodes: Some(write_postcodes(directory)),
        iceland: Some(iceland),
        iceland_postcodes: write("postcodes.json", &postcodes()),
        openaddresses: Vec::new(),
        osm: Vec::new(),
    }
}

/// The fixture, built into `directory/gazetteer`.
pub(in crate::geocode) fn built(directory: &Path) -> PathBuf {
    let out = directory.join("gazetteer");
    build(&sources(directory), &out, &|_| ()).unwrap();
    out
}

/// Postcodes of the world: country, code, town, region and position.
const CODES: &[(&str, &str, &str, &str, f64, f64)] = &[
    ("CA", "K1A", "Ottawa", "Ontario", 45.4, -75.7),
    ("CH", "8001", "Zürich", "Zürich", 47.37, 8.54),
    ("DE", "10115", "Berlin", "Berlin", 52.53, 13.38),
    ("DK", "8001", "Aarhus", "Midtjylland", 56.15, 10.2),
    // Near Paris, by position, and by its name nothing of it.
    ("FR", "75001", "Ier Arrondissement", "Île-de-France", 0.601, -90.0),
    ("GB", "SW1A", "Westminster Abbey", "England", 51.5, -0.13),
    ("IS", "101", "Reykjavík", "", 64.14, -21.9),
    ("JP", "123-4567", "Tokyo Chuo", "Tokyo To", 35.7, 139.7),
    ("MX", "90210", "San José", "Tlaxcala", 19.3, -98.2),
    ("PL", "00-950", "Warszawa", "Mazowieckie", 52.2, 21.0),
    ("US", "75001", "Addison", "Texas", 32.96, -96.84),
    ("US", "90210", "Beverly Hills", "California", 34.09, -118.4),
];

fn write_postcodes(directory: &Path) -> PathBuf {
    let line = |(country, code, city, state, latitude, longitude): &(&str, &str, &str, &str, f64, f64)| {
        json!({
            "country_code": country, "postal_code": code, "city": city, "state": state,
            "latitude": latitude, "longitude": longitude, "accuracy": 4.0, "source": "allCountries",
        })
        .to_string()
    };
    let path = directory.join("postcodes.jsonl");
    fs::write(&path, CODES.iter().map(line).collect::<Vec<_>>().join("\n")).unwrap();
    path
}

fn write_register(path: &Path) {
    let register = Connection::open(path).unwrap();
    register
        .execute_batch(
            "DROP TABLE IF EXISTS stadfong;
             DROP TABLE IF EXISTS metadata;
             CREATE TABLE stadfong (hnitnum INTEGER, postnr INTEGER, heiti_nf TEXT, heiti_tgf TEXT, husnr INTEGER,
                 bokst TEXT, serheiti TEXT, vidsk TEXT, lat_wgs84 REAL, long_wgs84 REAL);
             CREATE TABLE metadata (key TEXT, value TEXT);
             INSERT INTO metadata VALUES ('date_created', '2026-03-01T10:00:00+00:00');",
        )
        .unwrap();
    let insert = "INSERT INTO stadfong VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    for (id, postcode, street, dative, number, letter, own_name, addition) in HOUSES {
        let (lat, lng) = house_position(*id);
        let row = (id, postcode, street, dative, number, letter, own_name, addition, lat, lng);
        register.execute(insert, row).unwrap();
    }
    // A row without a name, and one on no globe.
    register.execute(insert, (98, 101, "-", "", 1, "", "", "", 64.0, -21.0)).unwrap();
    register.execute(insert, (99, 101, "Gata", "Götu", 1, "", "", "", 164.0, -21.0)).unwrap();
}

fn postcodes() -> Value {
    let town = |nominative: &str, dative: &str| json!({ "stadur_nf": nominative, "stadur_tgf": dative });
    let mut centre = town("Reykjavík", "Reykjavík");
    centre["lysing"] = "Miðborg".into();
    centre["svaedi_nf"] = "Höfuðborgarsvæðið".into();
    json!({
        "101": centre,
        "105": town("Reykjavík", "Reykjavík"),
        "230": town("Reykjanesbær", "Reykjanesbæ"),
        "560": town("Varmahlíð", "Varmahlíð"),
        "780": town("Höfn í Hornafirði", "Höfn í Hornafirði"),
    })
}

fn places() -> Value {
    let mut places = serde_json::Map::new();
    let mut add = |id: u64, name: &str, country: &str, region: &str, population: u64, aliases: &[&str]| {
        let (lat, lng) = match name {
            // The centre of Keflavík is where house 10 stands.
            "Keflavík" => house_position(10),
            _ => (f64::from(u32::try_from(id).unwrap()) / 10.0, -90.0),
        };
        let place = json!({
            "geonameid": id, "name": name, "latitude": lat, "longitude": lng, "countrycode": country,
            "population": population, "timezone": "", "admin1code": region, "alternatenames": aliases,
        });
        places.insert(id.to_string(), place);
    };
    add(1, "Reykjavík", "IS", "39", 118_918, &["Reykjavik", "Рейкьявик"]);
    add(2, "Keflavík", "IS", "43", 8_000, &[]);
    add(3, "Springfield", "US", "MO", 167_000, &[]);
    add(4, "Springfield", "US", "MA", 153_000, &[]);
    add(5, "Springfield", "US", "IL", 116_000, &[]);
    add(6, "Paris", "FR", "11", 2_138_551, &["Parigi", "París"]);
    add(7, "Paris", "US", "TX", 25_000, &[]);
    add(8, "San José", "CR", "08", 335_000, &["San Jose"]);
    add(9, "San Jose", "US", "CA", 1_026_000, &["San José"]);
    add(10, "Jackson", "US", "TN", 67_000, &[]);
    add(11, "Jackson", "US", "MS", 170_000, &[]);
    add(12, "Tokyo", "JP", "40", 8_336_000, &["東京", "Tokio", "1"]);
    add(13, "Copenhagen", "DK", "17", 1_153_000, &["København", "Kaupmannahöfn"]);
    Value::Object(places)
}

fn countries() -> Value {
    let all = [
        ("IS", "ISL", "Iceland"),
        ("US", "USA", "United States"),
        ("FR", "FRA", "France"),
        ("CR", "CRI", "Costa Rica"),
        ("JP", "JPN", "Japan"),
        ("DK", "DNK", "Denmark"),
        ("CH", "CHE", "Switzerland"),
    ];
    let country = |(iso, iso3, name): (&str, &str, &str)| {
        (iso.to_owned(), json!({ "name": name, "iso": iso, "iso3": iso3, "population": 1 }))
    };
    Value::Object(all.into_iter().map(country).collect())
}

fn regions() -> Value {
    let all = [
        ("US.MO", "Missouri"),
        ("US.MA", "Massachusetts"),
        ("US.IL", "Illinois"),
        ("US.TX", "Texas"),
        ("US.CA", "California"),
        ("US.TN", "Tennessee"),
        ("US.MS", "Mississippi"),
        ("CR.08", "San José"),
        ("IS.39", "Capital Region"),
    ];
    all.into_iter().map(|(code, name)| json!({ "code": code, "name": name })).collect()
}
