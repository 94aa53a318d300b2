//! Mutants of CSV and `GeoJSON` files: read through without a panic, row by row as often as they were counted, and each
//! row within what the server takes.

use prost::Message as _;

use super::*;
use crate::cli::import::row::ROW_BYTES_MAX;
use crate::fuzzing::{Mutator, Target, sketch};

/// Mutants of a run of the tests, of each format.
const RUNS: u64 = 3_000;
/// Longest mutant, in bytes.
const FILE_BYTES_MAX: usize = 16 * 1024;
/// Ways to find a site.
const MATCHES: [Match; 3] = [Match::Name, Match::SiteId, Match::AgentId];

const SHEETS: [&str; 7] = [
    "name,address,lat,lng\nHarpa,\"Austurbakki 2, 101 Reykjav\u{ed}k\",64.15,-21.93\n",
    "\u{feff}Name;Label.Tier;phone;note\r\nHarpa; gold ;+354 555 1234;\"two\r\nlines\"\r\nPin;;;'=x\r\n",
    "name\tsite_id\tstatus\tphones\nA\t0190b5a0-0000-7000-8000-000000000001\tonline\t+354 555 1234 | +41 44 1\n",
    "agent_id,name,labels,ticketing_links\nfw-1,A,\"{\"\"tier\"\":\"\"gold\"\"}\",\"[{\"\"system\"\":\"\"zendesk\"\"}]\"\n",
    "name,street,postal_code,locality,region,country\nA,Gata 1,101,Reykjav\u{ed}k,,IS\na,-,-,-,-,-\n",
    "name,email,first_name,last_name,customer_id,contract_id,info.source,info.x\rA,a@b.is,a,b,1,2,pin,7\r",
    "name,lat,lng\nA,1e999,NaN\nB,-,-\nC,1\n=D,90,180\n",
];
const SHEET_WORDS: [&[u8]; 28] = [
    b",",
    b";",
    b"\t",
    b"\n",
    b"\r",
    b"\r\n",
    b"\"",
    b"\"\"",
    b"-",
    b"=",
    b"'",
    b"name",
    b"lat",
    b"lng",
    b"phone",
    b"phones",
    b"note",
    b"label.",
    b"labels",
    b"info.",
    b"address",
    b"site_id",
    b"agent_id",
    b"ticketing_links",
    b"{}",
    b"[]",
    b"|",
    b"accounts/a/sites/",
];

const FEATURES: [&str; 5] = [
    r#"{"type":"FeatureCollection","features":[{"type":"Feature","geometry":{"type":"Point","coordinates":[-21.9,64.1]},"properties":{"name":"Harpa","labels":{"tier":"gold"},"phones":[{"number":"+3545551234"}]}}],"bbox":[1,2]}"#,
    "{\"type\":\"Feature\",\"geometry\":null,\"properties\":{\"name\":\"A\",\"lat\":1.5,\"lng\":2}}\n{\"type\":\"Feature\",\"properties\":{\"name\":\"a\",\"note\":null}}\n",
    "\u{1e}{\"type\":\"Feature\",\"properties\":{\"site_id\":\"0190b5a0-0000-7000-8000-000000000001\",\"info.source\":\"geoip\"}}\n",
    r#"{"type":"Feature","geometry":{"type":"Point","coordinates":[1,2,3]},"properties":{"agent_id":"fw-1","ticketing_links":[{"system":"zendesk","organization_id":"17"}]}}"#,
    r#"{"features":[{"a":{"features":[1]},"b":"}\"{"}],"title":"]"} {"features":[]}"#,
];
const FEATURE_WORDS: [&[u8]; 24] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"null",
    b"true",
    b"{}",
    b"[]",
    b"\"features\":[",
    b"\"type\":\"Feature\"",
    b"\"properties\":{",
    b"\"geometry\":",
    b"\"coordinates\":[",
    b"\"name\":",
    b"\"label.a\":",
    b"\x1e",
    b"1e999",
    b"\n",
];

/// A file of its own for mutants.
fn file() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mutant");
    (directory, path)
}

fn check(name: &'static str, format: Format, seeds: &[&str], words: &[&[u8]]) {
    let (_directory, path) = file();
    let seeds = seeds.iter().map(|text| text.as_bytes().to_vec()).collect();
    let mutate = Mutator { words, bytes_max: FILE_BYTES_MAX }.changes();
    let target = Target { name, seeds, mutate, runs: RUNS, cost: 200 };
    let outcomes = target.run(|mutant| {
        // A new file each time: some systems write one that is cut and filled anew to the disk at once.
        let _ = std::fs::remove_file(&path);
        std::fs::write(&path, mutant).unwrap();
        MATCHES.map(|by| outcome_of(&path, format, by, mutant.len())).join("; ")
    });
    let read = outcomes.iter().filter(|outcome| outcome.contains("row")).count();
    assert!(read > 20 && outcomes.len() > read, "the mutants do not get far: {read} of {outcomes:?}");
}

#[test]
fn no_mutant_of_a_sheet_panics_or_loses_a_row() {
    check("csv", Format::Csv, &SHEETS, &SHEET_WORDS);
}

#[test]
fn no_mutant_of_a_file_of_features_panics_or_loses_a_row() {
    check("features", Format::Geojson, &FEATURES, &FEATURE_WORDS);
}

fn outcome_of(path: &Path, format: Format, by: Match, bytes: usize) -> String {
    let sheet = match Sheet::open(path, format, by, "accounts/a") {
        Ok(sheet) => sheet,
        Err(cause) => return sketch(&cause.root_cause().to_string()),
    };
    let rows: Vec<_> = sheet.rows().expect("it was read before").collect();
    assert!(rows.len() <= bytes, "more rows than bytes");
    let mut outcome = String::new();
    for (row, number) in rows.iter().zip(1..) {
        let (at, row) = row.as_ref().expect("a file that was read through is read again");
        assert_eq!(at.row, number, "rows are counted from 1");
        match row {
            Ok(row) => {
                assert!(row.message.encoded_len() <= ROW_BYTES_MAX);
                outcome.push_str(if row.message.key.is_some() { "row " } else { "named row " });
            }
            Err(fault) => {
                assert!(!fault.why.is_empty(), "{fault:?}");
                outcome.push_str("row: ");
                outcome.push_str(&sketch(&fault.field));
                outcome.push(' ');
            }
        }
        // What many rows come to, few do.
        if number == 3 {
            break;
        }
    }
    assert_eq!(rows.len() as u64, sheet.rows, "counted and read");
    outcome
}
