//! What files give which rows, and what is told of those that are none.

use proptest::prelude::*;

use super::*;
use crate::api::proto::waymark::v1 as pb;
use crate::cli::import::row::Stated;

fn sheet(text: impl AsRef<[u8]>, format: Format, by: Match) -> (tempfile::TempDir, anyhow::Result<Sheet>) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sites");
    std::fs::write(&path, text).unwrap();
    let sheet = Sheet::open(&path, format, by, "accounts/a");
    (directory, sheet)
}

fn rows_of(text: impl AsRef<[u8]>, format: Format, by: Match) -> Vec<Numbered> {
    let (_directory, sheet) = sheet(text, format, by);
    let sheet = sheet.unwrap();
    let rows: Vec<_> = sheet.rows().unwrap().map(Result::unwrap).collect();
    assert_eq!(rows.len() as u64, sheet.rows);
    rows
}

fn rows(text: impl AsRef<[u8]>) -> Vec<Numbered> {
    rows_of(text, Format::Csv, Match::Name)
}

/// Each row's line, with the field and the reason of those that are refused.
fn faults(rows: &[Numbered]) -> Vec<(u64, String)> {
    let told = |row: &Result<Row, Fault>| row.as_ref().err().map(|fault| format!("{}: {}", fault.field, fault.why));
    rows.iter().map(|(at, row)| (at.line, told(row).unwrap_or_default())).collect()
}

fn check(rows: &[Numbered], expect: &[(u64, &str)]) {
    let faults = faults(rows);
    assert_eq!(faults.len(), expect.len(), "{faults:?}");
    for ((line, told), (at, part)) in faults.iter().zip(expect) {
        assert!(line == at && told.contains(part) && part.is_empty() == told.is_empty(), "{line}: {told}, not {part}");
    }
}

#[test]
fn cells_are_what_their_headings_say() {
    let text = "\u{feff}Name;Label.Tier;address;lat;lng\r\nHarpa; gold ;\"Austurbakki 2\n101 Reykjavík\";;\r\nPin;;;64.5;-21\r\n";
    let rows = rows(text);
    let (first, second) = (rows[0].1.as_ref().unwrap(), rows[1].1.as_ref().unwrap());
    assert_eq!((first.name.as_str(), first.message.set_labels["tier"].as_str()), ("Harpa", "gold"));
    assert_eq!(first.message.update_mask.clone().unwrap().paths, Vec::<String>::new());
    assert_eq!(first.address, Some(Stated::Line("Austurbakki 2\n101 Reykjavík".into())));
    assert_eq!(second.message.position, Some(pb::LatLng { lat: 64.5, lng: -21.0 }));
    assert_eq!((rows[0].0.line, rows[1].0.line), (2, 4), "lines as an editor counts them");
}

/// Rows were known by their lines as the reader counts them, which gives two rows one number where ends of lines are mixed, or
/// carriage returns alone: one of the two was never applied, and the import ended well.
#[test]
fn rows_are_told_apart_whatever_ends_their_lines() {
    for (text, lines) in [
        ("name\nB\r\nC\r\n", vec![2, 3]),
        ("name\r\nB\nC\r\nD\rE\n", vec![2, 3, 4, 5]),
        ("name\rB\rC\r", vec![2, 3]),
        ("name\n\nB\r\n\r\n\nC", vec![3, 6]),
        ("name,note\nB,\"x\r\n\r\ny\rz\n\"\nC,\n", vec![2, 7]),
    ] {
        let at: Vec<_> = rows(text).iter().map(|(at, _)| (at.row, at.line)).collect();
        assert_eq!(at, (1..).zip(lines).collect::<Vec<_>>(), "{text:?}");
    }
    check(&rows("name\rB\rb\r"), &[(2, "name: line 3 is"), (3, "name: line 2 is")]);
    check(&rows("name;note\rB;a,b,c,d\r"), &[(2, "")]);
}

proptest! {
    #[test]
    fn lines_are_those_of_an_editor(text in "[ab\r\n]{0,40}") {
        let rows = rows(format!("name\r{text}"));
        let plain = format!("name\r{text}").replace("\r\n", "\n").replace('\r', "\n");
        let lines = plain.split('\n').zip(1_u64..).skip(1).filter(|(line, _)| !line.is_empty()).map(|(_, number)| number);
        prop_assert_eq!(rows.iter().map(|(at, _)| at.line).collect::<Vec<_>>(), lines.collect::<Vec<_>>());
        prop_assert!(rows.iter().map(|(at, _)| at.row).eq(1..=rows.len() as u64));
    }
}

#[test]
fn a_bad_row_is_told_and_keeps_none_of_the_others_away() {
    let text = "name,status,lat,lng\nA,up,,\nB,online,1,\nC\n,online,,\nD,online,1,2\nE,online,1,2\ne,online,,\n";
    let expect = [
        (2, "status: a status is"),
        (3, "lat: a position needs both"),
        (4, ": it has 1 fields, and the heading has 4"),
        (5, "name: the name is empty"),
        (6, ""),
        (7, "name: line 8 is of the same site"),
        (8, "name: line 7 is of the same site"),
    ];
    check(&rows(text), &expect);
}

#[test]
fn hostile_cells_are_told_by_row_and_column() {
    let long = "x".repeat(10 * 1024 * 1024);
    let mut text = format!("name,note,email\nA,{long},\nB,=HYPERLINK(1),\nC,'=1,\nD,x,").into_bytes();
    text.extend_from_slice(b"\xff\xfe@x\nE,,<clear>\nF,\"a\nb\",\n");
    let rows = rows(text);
    let expect = [
        (2, "note: at most 65536 bytes, got 10485760"),
        (3, "note: it is a formula"),
        (4, ""),
        (5, "email: it is no text in UTF-8"),
        (6, ""),
        (7, ""),
    ];
    check(&rows, &expect);
    let site = |at: usize| rows[at].1.as_ref().unwrap().message.clone();
    assert_eq!(site(2).site.unwrap().note, "=1");
    assert_eq!(site(4).update_mask.unwrap().paths, ["contact.email"], "cleared");
    assert_eq!(site(5).site.unwrap().note, "a\nb");
}

/// No cell was too long, but the row was longer than any call may be: the server refused the call, and the import stopped
/// there each time.
#[test]
fn a_row_that_is_longer_than_a_call_keeps_none_of_the_others_away() {
    let columns: Vec<_> = (0..17).map(|number| format!("label.l{number}")).collect();
    let long = vec!["x".repeat(64 * 1024); columns.len()].join(",");
    let few = vec![""; columns.len()].join(",");
    let rows = rows(format!("name,{}\nA,{few}\nB,{long}\nC,{few}\n", columns.join(",")));
    check(&rows, &[(2, ""), (3, ": a row has at most 524288 bytes in all, got 1114"), (4, "")]);
}

#[test]
fn lists_are_texts_in_cells() {
    let text = "name,phones,labels,ticketing_links\nA,mobile +3545451000 x12; 545 1001,\"{\"\"a\"\":\"\"=1\"\"}\",\
                \"[{\"\"system\"\":\"\"x\"\",\"\"organization_id\"\":\"\"1\"\"}]\"\nB,,[1],\nC,,,\"[{\"\"sytem\"\":\"\"x\"\"}]\"\n";
    let rows = rows(text);
    check(&rows, &[(2, ""), (3, "labels: an object of texts"), (4, "ticketing_links: unknown field `sytem`")]);
    let row = rows[0].1.as_ref().unwrap().message.clone();
    assert_eq!(row.update_mask.unwrap().paths, ["contact.phones", "labels", "ticketing_links"]);
    let site = row.site.unwrap();
    assert_eq!(site.labels["a"], "=1");
    assert_eq!(site.contact.unwrap().phones.len(), 2);
    assert_eq!(site.ticketing_links[0].organization_id, "1");
}

#[test]
fn a_site_is_found_by_what_the_import_says() {
    let text = "site_id,agent_id,name\n1,a-1,A\n,a-2,B\n1,a-1,C\n";
    let found = rows_of(text, Format::Csv, Match::SiteId);
    check(&found, &[(2, "line 4"), (3, ""), (4, "line 2")]);
    assert_eq!(found[1].1.as_ref().unwrap().message.key, None);
    let found = rows_of("agent_id\na-1\n\"\"\n", Format::Csv, Match::AgentId);
    assert_eq!(found[0].1.as_ref().unwrap().message.key, Some(pb::site_row::Key::AgentId("a-1".into())));
    check(&found, &[(2, ""), (3, "agent_id: it is empty")]);
    let found = rows_of("site_id\naccounts/a/sites/7\n8\n", Format::Csv, Match::SiteId);
    let key = |at: usize| found[at].1.as_ref().unwrap().message.key.clone();
    let named = |id: &str| Some(pb::site_row::Key::Name(format!("accounts/a/sites/{id}")));
    assert_eq!((key(0), key(1)), (named("7"), named("8")));
    // The id alone and the whole name are one site.
    let found = rows_of("site_id\naccounts/a/sites/7\n8\n7\n", Format::Csv, Match::SiteId);
    check(&found, &[(2, "line 4"), (3, ""), (4, "line 2")]);
}

/// Rows that are found by ids were compared by these alone: of two with one name one went through, whichever was first, and one without an
/// id could change the site that another row renamed.
#[test]
fn two_rows_of_one_name_are_told_whatever_they_are_found_by() {
    let text = "site_id,name\n1,A\n2,a \n3,B\n,b\n4,\n5,\n1,C\n,c\n,D\n";
    let expect = [
        // Line 8 is of the same site, too: what was seen first is told.
        (2, "line 3 has the same name"),
        (3, "line 2 has the same name"),
        (4, "line 5 has the same name"),
        (5, "line 4 has the same name"),
        (6, ""),
        (7, ""),
        (8, "line 2 is of the same site"),
        (9, "line 8 has the same name"),
        (10, ""),
    ];
    check(&rows_of(text, Format::Csv, Match::SiteId), &expect);
    let text = "agent_id,name\na-1,A\na-2,A\na-3,\na-4,\na-3,B\n";
    let expect = [
        (2, "line 3 has the same name"),
        (3, "line 2 has the same name"),
        (4, "line 6 is of the same site"),
        (5, ""),
        (6, "line 4 is of the same site"),
    ];
    check(&rows_of(text, Format::Csv, Match::AgentId), &expect);
    // By names alone one name is one site.
    check(&rows("name\nA\na\nB\n"), &[(2, "line 3 is of the same site"), (3, "line 2 is of the same site"), (4, "")]);
}

#[test]
fn features_are_rows() {
    let collection = r#"{"type":"FeatureCollection","features":[
        {"type":"Feature","geometry":{"type":"Point","coordinates":[-21.9,64.1]},"properties":{"name":"A","note":"=1","phones":[{"number":"545 1000","type":"work"}],"email":null}},
        {"type":"Feature","geometry":{"type":"Point","coordinates":[-21.9,64.1]},"properties":{"name":"B","info.source":"geoip"}},
        {"type":"Feature","geometry":null,"properties":{"name":"C","lat":64.1,"lng":-21.9}},
        {"type":"Feature","geometry":{"type":"LineString","coordinates":[[1,2],[3,4]]},"properties":{"name":"D"}},
        {"type":"Feature","properties":{"name":"E","=1+1":"red"}},
        {"type":"Feature","properties":{"name":"F","note":"\ud800"}},
        {"type":"Feature","properties":{"name":" c"}},
        {"type":"Shape"},
        {"type":"Feature","properties":{"name":7}},
        {"type":"Feature","properties":{"name":"7"}},
        {"type":"Feature","properties":{"name":"G","Name":"H"}}
    ]}"#;
    let rows = rows_of(collection, Format::Geojson, Match::Name);
    let expect = [
        (1, ""),
        (2, ""),
        (3, "name: feature 7"),
        (4, "geometry: a Point"),
        (5, ": no property is called \"=1+1\": there are name,"),
        (6, ": it is no feature"),
        (7, "name: feature 3"),
        (8, "type: each object is a Feature"),
        (9, "name: feature 10"),
        (10, "name: feature 9"),
        (11, "name: two properties are called so"),
    ];
    check(&rows, &expect);
    let row = |at: usize| rows[at].1.as_ref().unwrap().message.clone();
    assert_eq!(row(0).position, Some(pb::LatLng { lat: 64.1, lng: -21.9 }));
    assert_eq!(row(0).update_mask.unwrap().paths, ["contact.email", "note", "contact.phones"]);
    assert_eq!(row(1).position, None, "a machine's estimate makes no pin");
    let lines = "\u{feff}{\"type\":\"Feature\",\"properties\":{\"name\":\"A\"}}\n{\"type\":\"Feature\",\"properties\":{\"name\":\"B\",\"note\":\"\u{fffd}\"}}\n";
    check(&rows_of(lines, Format::Geojsonl, Match::Name), &[(1, ""), (2, "")]);
    let invalid = [b"{\"type\":\"Feature\",\"properties\":{\"name\":\"".as_slice(), b"\xff\"}}"].concat();
    check(&rows_of(invalid, Format::Geojsonl, Match::Name), &[(1, "it is no text in UTF-8")]);
}

/// The second reading took any fault for the end of the file, and opened whatever had its name by then: the import ended well
/// with fewer rows than the sheet has.
#[test]
fn a_file_that_changes_while_it_is_read_is_told() {
    let feature = |name: &str| format!(r#"{{"type":"Feature","properties":{{"name":"{name}"}}}}"#);
    let features = [feature("A"), feature("B")].join("\n");
    for (text, format, later, read) in [
        ("name\nA\nB\n".to_owned(), Format::Csv, "name\nA\n".to_owned(), 1),
        ("name\nA\nB\n".to_owned(), Format::Csv, "name\nA\nC\n".to_owned(), 2),
        (features.clone(), Format::Geojsonl, feature("A") + "\n{", 1),
        (features, Format::Geojsonl, String::new(), 0),
    ] {
        let (directory, sheet) = sheet(text, format, Match::Name);
        let (sheet, path) = (sheet.unwrap(), directory.path().join("sites"));
        let other = directory.path().join("other");
        std::fs::copy(&path, &other).unwrap();
        std::fs::write(&path, later).unwrap();
        let mut rows: Vec<_> = sheet.rows().unwrap().collect();
        let fault = format!("{:#}", rows.pop().unwrap().unwrap_err());
        assert!(fault.contains("was changed while") || fault.contains("in the middle"), "{fault}");
        assert_eq!(rows.into_iter().flatten().count(), read);
        // What takes its place is another file, and this one is read on.
        std::fs::copy(&other, &path).unwrap();
        std::fs::write(&other, "").unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert_eq!(sheet.rows().unwrap().flatten().count(), 2);
    }
}

#[test]
fn a_file_that_is_no_sheet_is_refused_with_what_to_do() {
    for (text, part) in [
        ("", "empty"),
        ("adress,name\n", "no column is called \"adress\""),
        ("address\n", "`name`"),
        ("name,name\n", "two columns"),
    ] {
        let (_directory, sheet) = sheet(text, Format::Csv, Match::Name);
        let told = format!("{:#}", sheet.unwrap_err());
        assert!(told.contains(part), "{text:?}: {told}");
    }
    let (_directory, utf_16) = sheet(b"\xff\xfen\0a\0m\0e\0\n\0", Format::Csv, Match::Name);
    assert!(format!("{:#}", utf_16.unwrap_err()).contains("UTF-16"));
    let (_directory, cut) = sheet(r#"{"features":[{"a":"#, Format::Geojson, Match::Name);
    assert!(format!("{:#}", cut.unwrap_err()).contains("ends in the middle"));
}
