//! Reads files of OpenAddresses in all their forms, and files that are none.

use std::fs;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::super::manifest::Origin;
use super::*;

fn of() -> Of {
    let country = CountryCode::parse("US").unwrap();
    Of { source: Source { origin: Origin::OpenAddresses, file: 0 }, country, region: "CA".into() }
}

fn read_bytes(bytes: &[u8]) -> Result<(Vec<Door>, Report), Error> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("addresses");
    fs::write(&path, bytes).unwrap();
    let mut doors = Vec::new();
    let report = read(&path, &of(), &|_| (), &mut |door| {
        doors.push(door);
        Ok(())
    })?;
    Ok((doors, report))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

const CSV: &str = "LON,LAT,NUMBER,STREET,UNIT,CITY,DISTRICT,REGION,POSTCODE,ID,HASH
-122.27,37.87,2600,SHATTUCK AVE,,BERKELEY,ALAMEDA,,94704,77,00ff00ff00ff00ff
-122.27,37.87,2600,SHATTUCK AVE,APT 2,BERKELEY,ALAMEDA,,94704,78,ffffffffffffffff
-122.28,37.88,\"12 \"\"B\"\"\",\"Main St, North\",,BERKELEY,,NV,,,
";

const GEOJSON: &str = r#"{"type":"Feature","properties":{"hash":"00ff00ff00ff00ff","number":2600,"street":"SHATTUCK AVE","unit":"","city":"BERKELEY","district":"ALAMEDA","region":"","postcode":"94704","id":null},"geometry":{"type":"Point","coordinates":[-122.27,37.87]}}
{"type":"Feature","properties":{"number":"12","street":"Main St"},"geometry":null}
{"type":"Feature","properties":{"number":"","street":"Main St"},"geometry":{"type":"Point","coordinates":[1,2]}}
{"type":"Feat
"#;

#[test]
fn both_forms_say_the_same_plain_and_packed() {
    let (csv, report) = read_bytes(CSV.as_bytes()).unwrap();
    assert_eq!((csv.len(), report.to_string()), (3, "3 kept".into()));
    let first = &csv[0];
    assert_eq!(
        (first.number.as_str(), first.street.as_str(), first.town.as_str()),
        ("2600", "SHATTUCK AVE", "BERKELEY")
    );
    assert_eq!((first.postcode.as_str(), first.region.as_str(), first.id), ("94704", "CA", 0x00ff_00ff_00ff_00ff));
    assert_eq!((csv[1].id, csv[2].region.as_str(), csv[2].number.as_str()), (-1, "NV", "12 \"B\""));
    assert_eq!(csv[2].street, "Main St, North");
    assert_ne!(csv[2].id, 0, "an id of our own");

    let (geojson, report) = read_bytes(GEOJSON.as_bytes()).unwrap();
    assert_eq!(geojson[0], *first);
    assert_eq!(report.to_string(), "1 kept, 1 malformed, 1 without a house number, 1 without a position");
    assert_eq!(read_bytes(&gzip(CSV.as_bytes())).unwrap().0, csv);
    assert_eq!(read_bytes(&gzip(GEOJSON.as_bytes())).unwrap().0, geojson);
}

#[test]
fn columns_come_in_any_order_and_case_and_bad_rows_are_counted() {
    let text = "\u{feff}street,Number,lat,lon,x\r\nGata,1,64.1,-21.9,\r\n,1,64.1,-21.9,\r\nGata,0,64.1,-21.9,\r\n\
        Gata,2,164.1,-21.9,\r\nGata,2,,,\r\nGata,2,0,0,\r\nGata,2,NaN,1,\r\nGata,2\r\n\"Gata,3,64.1,-21.9,\r\n";
    let (doors, report) = read_bytes(text.as_bytes()).unwrap();
    assert_eq!(doors.len(), 1);
    let expect = "1 kept, 2 malformed, 1 without a street, 1 without a house number, 4 without a position";
    assert_eq!(report.to_string(), expect);
    let mut bytes = text.as_bytes().to_vec();
    bytes.extend(b"G\xffta,2,64.1,-21.9,\n");
    assert_eq!(read_bytes(&bytes).unwrap().1.left_out[&LeftOut::Malformed], 3);
}

#[test]
fn texts_that_no_address_has_are_left_out() {
    let long = "ä".repeat(256);
    let rows = ["Gata", "G\u{202e}ata", "Ga\u{7}ta", &long, &long[2..]];
    let rows: Vec<String> = rows.iter().map(|street| format!("{street},1,64.1,-21.9")).collect();
    let report = read_bytes(format!("street,number,lat,lon\n{}", rows.join("\n")).as_bytes()).unwrap().1;
    assert_eq!(report.to_string(), "2 kept, 1 with a text that is too long, 2 with control characters");
}

#[test]
fn a_file_of_something_else_is_refused() {
    let check = |bytes: &[u8], expect: &str| {
        let fault = read_bytes(bytes).unwrap_err();
        assert!(matches!(&fault, Error::SourceFile { cause, .. } if cause.contains(expect)), "{fault}");
    };
    check(b"", "empty");
    check(b"id,name\n1,a\n", "line 1: no columns lon, lat, number, street");
    check(b"{\"type\":\"FeatureCollection\",\"features\":[", "one whole feature a line");
    check(b"lon,lat,number,street\n1,2,,\n", "none of its rows is an address: 0 kept, 1 without a street");
    check(b"\x89PNG\r\n\x1a\n\x00\x00", "line 1");
    let packed = gzip(CSV.repeat(100).as_bytes());
    check(&packed[..packed.len() / 2], "line");
    check(&vec![b'x'; 3 << 20], "longer than");
}

proptest! {
    /// Whatever stands in a row, the rows around it are read, and every row is counted once.
    #[test]
    fn a_row_never_takes_others_with_it(rows in proptest::collection::vec("[^\r\n]{0,40}", 1..9)) {
        let good = "Gata,1,64.1,-21.9\n";
        let text = format!("street,number,lat,lon\n{good}{}\n{good}", rows.join(&format!("\n{good}")));
        let (_, report) = read_bytes(text.as_bytes()).unwrap();
        let blank = rows.iter().filter(|row| row.bytes().all(|byte| byte.is_ascii_whitespace())).count() as u64;
        let counted = report.kept + report.left_out.values().sum::<u64>();
        prop_assert_eq!(counted, 2 * rows.len() as u64 + 1 - blank);
        prop_assert!(report.kept > rows.len() as u64);
    }

    /// The oracle writes: what a writer of CSV quotes is read back.
    #[test]
    fn fields_are_read_as_they_were_written(texts in proptest::collection::vec("[a-z\",;ð ]{0,8}", 1..6)) {
        let quoted: Vec<String> = texts.iter().map(|text| format!("\"{}\"", text.replace('"', "\"\""))).collect();
        prop_assert_eq!(fields(&quoted.join(",")), Some(texts));
    }
}
