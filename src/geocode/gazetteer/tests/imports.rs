//! Builds gazetteers from files of addresses of several countries, and asks them.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::super::fixture::sources;
use super::super::osm;
use super::*;

/// Addresses of a street in the United States: facts of nobody, on a grid of ours.
const US: &str = "LON,LAT,NUMBER,STREET,UNIT,CITY,DISTRICT,REGION,POSTCODE,ID,HASH
-122.2700,37.8700,100,N MAIN ST,,BERKELEY,ALAMEDA,,94704,,00000000000000aa
-122.2700,37.8704,110,N MAIN ST,,BERKELEY,ALAMEDA,,94704,,00000000000000ab
-122.2700,37.8704,110,N MAIN ST,APT 2,BERKELEY,ALAMEDA,,94704,,00000000000000ac
-122.2702,37.8702,105,N MAIN ST,,BERKELEY,ALAMEDA,,94704,,00000000000000ad
-122.2800,37.8800,7,Saint John Rd,,,,,,,
,,8,Saint John Rd,,,,,,,
";
const DE: &str = r#"{"type":"Feature","properties":{"number":"5","street":"Hauptstraße","city":"Berlin","postcode":"10827"},"geometry":{"type":"Point","coordinates":[13.35,52.48]}}
{"type":"Feature","properties":{"number":"9a","street":"Hauptstraße","city":"Berlin","postcode":"10827"},"geometry":{"type":"Point","coordinates":[13.351,52.48]}}
"#;
const FR: &str = "number,street,city,postcode,lon,lat\n12,Boulevard Saint-Michel,Paris,75005,2.34,48.85\n";

/// The files in `directory`, beside the places of the fixture.
fn imports(directory: &Path) -> Sources {
    let write = |name: &str, bytes: &[u8]| -> PathBuf {
        let path = directory.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    };
    let named = |path: PathBuf, behind: &str| format!("{}{behind}", path.display()).parse().unwrap();
    Sources {
        iceland: None,
        iceland_postcodes: None,
        openaddresses: vec![
            named(write("us/ca/berkeley.csv", US.as_bytes()), ""),
            named(write("berlin.geojson", DE.as_bytes()), ",country=DE,attribution=Berlin, its office"),
            named(write("fr/paris.csv", FR.as_bytes()), ""),
        ],
        osm: vec![named(write("extract.osm.pbf", &osm::fixture::village()), ",country=FI")],
        ..sources(directory)
    }
}

static IMPORTED: LazyLock<(TempDir, Gazetteer)> = LazyLock::new(|| {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("gazetteer");
    build(&imports(directory.path()), &out, &|_| ()).unwrap();
    let gazetteer = Gazetteer::open(&out).unwrap();
    (directory, gazetteer)
});

fn ask_imported(line: &str) -> Vec<Candidate> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(IMPORTED.1.forward(&AddressQuery::Line(line.into()), &Bias::default(), 10)).unwrap()
}

#[track_caller]
fn check(line: &str, expect: &str) {
    assert_eq!(ask_imported(line).first().map(text).unwrap_or_default(), expect, "{line}");
}

/// A name is looked up whole, so that one that lacks a word is none; what is left may be another street, and is not applied.
#[test]
fn a_street_is_asked_for_by_its_whole_name() {
    for line in [
        "110 Main St, Berkeley, CA 94704",
        "110 Main Street, Berkeley",
        "110 N Main, Berkeley",
        "110 Main, Berkeley",
        "12 Saint-Michel, 75005 Paris",
        "12 Boulevard Michel, 75005 Paris",
        "3 Kirkko, 00100 Kylä",
    ] {
        let answers = ask_imported(line);
        assert!(answers.iter().all(|answer| answer.confidence < 0.85), "{line}: {}", text(&answers[0]));
    }
}

#[test]
fn doors_of_all_countries_are_found_as_they_are_written_there() {
    for line in ["110 N Main St, Berkeley, CA 94704", "Berkeley 94704-1234, 110 N Main St", "N Main St 110 Alameda"] {
        check(line, "1.00 Door 110 N MAIN ST, BERKELEY, CA 94704, United States");
    }
    for line in ["110 north main street berkeley", "110 N. MAIN STREET, Berkeley, California"] {
        check(line, "0.89 Door 110 N MAIN ST, BERKELEY, CA 94704, United States");
    }
    check("110 N Maine St, Berkeley", "0.92 Door 110 N MAIN ST, BERKELEY, CA 94704, United States");
    for line in ["hauptstrasse 9 A Berlin", "D-10827 Berlin, Hauptstraße 9a"] {
        check(line, "1.00 Door Hauptstraße 9a, 10827 Berlin, DE");
    }
    check("Hauptstr. 9a, 10827 Berlin", "0.89 Door Hauptstraße 9a, 10827 Berlin, DE");
    check("12 bd St Michel, 75005 Paris", "0.89 Door 12 Boulevard Saint-Michel, 75005 Paris, France");
    check("3 Kirkkokatu, 00100 Kylä", "1.00 Door Kirkkokatu 3, 00100 Kylä, FI");
    check("Rantatie Kylä", "1.00 Street Rantatie, Kylä, FI");
}

#[test]
fn flats_are_one_door_and_missing_numbers_lie_between_doors() {
    let found = ask_imported("110 N Main St, Berkeley, CA 94704");
    assert_eq!(found.iter().filter(|other| other.granularity == Granularity::Door).count(), 1, "{found:?}");
    check("104 N Main St, Berkeley", "0.70 Interpolated 104 N MAIN ST, BERKELEY, CA 94704, United States");
    check("107 N Main St, Berkeley", "0.50 Street N MAIN ST, BERKELEY, CA 94704, United States");
}

#[test]
fn each_source_is_named_and_every_id_leads_back() {
    for (line, id, attribution) in [
        ("110 N Main St, Berkeley", "openaddresses/us/00000000000000ab", "OpenAddresses (berkeley.csv)"),
        ("Hauptstr 5 Berlin", "openaddresses/de/", "Berlin, its office"),
        ("Kirkkokatu 5, 00100 Kylä", "osm/node/5/1", "© OpenStreetMap contributors"),
        ("Kirkkokatu 4B, Helsinki", "osm/way/20", "© OpenStreetMap contributors"),
        ("Rantatie Kylä", "osm/street//kyla//rantatie", "© OpenStreetMap contributors"),
        ("104 N Main St, Berkeley", "openaddresses/us/street/ca/berkeley/94704/nmainst#104", "OpenAddresses"),
    ] {
        let best = ask_imported(line).swap_remove(0);
        assert!(best.place_id.starts_with(id), "{line}: {}", best.place_id);
        assert!(best.attribution.starts_with(attribution), "{line}: {}", best.attribution);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let place = PlaceId { provider: PROVIDER.into(), id: best.place_id.clone() };
        let found = runtime.block_on(IMPORTED.1.look_up(&place)).unwrap().unwrap();
        assert_eq!((&found.formatted_address, found.position), (&best.formatted_address, best.position), "{line}");
    }
    let notes = &IMPORTED.1.manifest().sources;
    let note = notes.iter().find(|note| note.file == "berkeley.csv").unwrap();
    assert_eq!(note.report.as_ref().unwrap().to_string(), "5 kept, 1 without a position");
    let osm = notes.iter().find(|note| note.origin == Origin::Osm).unwrap();
    assert!(osm.licence.contains("ODbL"), "{}", osm.licence);
}

#[test]
fn an_import_without_a_country_or_of_something_else_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("addresses.csv");
    let refused = |text: &str, behind: &str| {
        fs::write(&path, text).unwrap();
        let import = format!("{}{behind}", path.display()).parse().unwrap();
        let only = Sources { openaddresses: vec![import], ..Sources::default() };
        let out = directory.path().join("gazetteer");
        let fault = build(&only, &out, &|_| ()).unwrap_err();
        assert!(!out.exists(), "nothing is left");
        fault.to_string()
    };
    assert!(refused(FR, "").contains("country=XX"));
    assert!(refused("a,b\n1,2\n", ",country=FR").contains("no columns"));
    // An extract far from every place whose country is known.
    let path = directory.path().join("extract.osm.pbf");
    fs::write(&path, osm::fixture::village()).unwrap();
    let import = path.to_str().unwrap().parse().unwrap();
    let far = Sources { osm: vec![import], ..sources(directory.path()) };
    let fault = build(&far, &directory.path().join("gazetteer"), &|_| ()).unwrap_err().to_string();
    assert!(fault.contains("extract.osm.pbf") && fault.contains("country=XX"), "{fault}");
}

/// Addresses that are nearly what is asked for. San Jose and Jackson are places of the fixture, eleven kilometres apart.
const NEARLY: &str = "lat,lon,number,street,city,postcode
1.0,-90,7,Elm Street,Otherton,
1.0,-90,9,Oak Street,,
1.0,-90,1,Place Royale,Otherton,
1.2,-90,1,Plaza Royale,Otherton,
1.0,-90,2,St James Street,Otherton,
1.2,-90,2,Street James Street,Otherton,
1.0,-90,5,Long Road,Otherton,
1.1,-90,5,Long Road,Otherton,
1.2,-90,5,Long Road,Otherton,
1.3,-90,5,Long Road,Otherton,
1.4,-90,5,Long Road,Otherton,
1.0,-90,3,Fine Road,Otherton,94704-1111
";

/// A gazetteer of the places of the fixture and of rows of addresses in the United States.
struct Asked {
    gazetteer: Gazetteer,
    _directory: TempDir,
}

impl Asked {
    fn new(rows: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("us.csv");
        fs::write(&path, rows).unwrap();
        let import = format!("{},country=US", path.display()).parse().unwrap();
        let sources = Sources { openaddresses: vec![import], iceland: None, ..sources(directory.path()) };
        let out = directory.path().join("gazetteer");
        build(&sources, &out, &|_| ()).unwrap();
        Self { gazetteer: Gazetteer::open(&out).unwrap(), _directory: directory }
    }

    #[track_caller]
    fn check(&self, line: &str, expect: &[&str]) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let query = AddressQuery::Line(line.into());
        let found = runtime.block_on(self.gazetteer.forward(&query, &Bias::default(), 3)).unwrap();
        let shown = |candidate: &Candidate| text(candidate).replace(", United States", "");
        assert_eq!(found.iter().take(expect.len()).map(shown).collect::<Vec<_>>(), expect, "{line}");
    }
}

/// Of more streets of a name than are looked at, those in the town or postcode of the question are.
#[test]
fn the_commonest_street_is_found_in_its_town() {
    let row = |number: u32| format!("1.0,-90,1,Main Street,Town {number},{}", 10_000 + number);
    let rows: Vec<String> = (0..9_000).map(row).collect();
    let asked = Asked::new(&format!("lat,lon,number,street,city,postcode\n{}", rows.join("\n")));
    for town in [0, 5, 4_321, 8_999] {
        let expect = format!("1.00 Door 1 Main Street, Town {town}, {}", 10_000 + town);
        asked.check(&format!("1 Main Street, Town {town}"), &[&expect]);
        asked.check(&format!("1 Main Street, {}", 10_000 + town), &[&expect]);
    }
}

/// What is only like the question is offered, and never as sure as `service` acts on.
#[test]
fn what_is_nearly_an_address_is_not_it() {
    let asked = Asked::new(NEARLY);
    let check = |line: &str, expect: &[&str]| asked.check(line, expect);
    check("7 Elm Street, Otherton", &["1.00 Door 7 Elm Street, Otherton"]);
    check("7 Elm Street, Jackson", &["0.54 Door 7 Elm Street, Otherton"]);
    check("9 Oak Street, Jackson", &["1.00 Door 9 Oak Street, Jackson"]);
    check("9 Oak Street, San Jose", &["0.80 Door 9 Oak Street, Jackson"]);
    check("1 Place Royale, Otherton", &["1.00 Door 1 Place Royale, Otherton"]);
    let both = ["0.89 Door 1 Place Royale, Otherton", "0.89 Door 1 Plaza Royale, Otherton"];
    check("1 Pl. Royale, Otherton", &both);
    let exact = ["1.00 Door 2 St James Street, Otherton", "0.89 Door 2 Street James Street, Otherton"];
    check("2 St James Street, Otherton", &exact);
    check("5 Long Road, Otherton", &["0.80 Street Long Road, Otherton"]);
    check("3 Fine Road, Otherton 94704-1111", &["1.00 Door 3 Fine Road, Otherton, 94704-1111"]);
    check("3 Fine Road, Otherton 94704-2222", &["0.80 Door 3 Fine Road, Otherton, 94704-1111"]);
}
