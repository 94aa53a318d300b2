//! Reads the postcodes of the world: a line of JSON for each code and place of `GeoNames`, those of a country together.
//!
//! A code becomes one entry, however many places it goes with. Knows the shape of the file and what of it becomes a
//! key; nothing of the index.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::codes;
use super::countries::{Countries, Named};
use super::record::{Area, Record, Source};
use super::schema::{Entry, Part};
use super::sources::{Lines, PROGRESS_ROWS, Progress, malformed};
use super::street::{Country, mean};
use crate::geocode::Error;
use crate::model::address::CountryCode;
use crate::model::geo::LatLng;

/// Most towns that are kept of one code: enough for all that people write, where a code goes with a hundred offices.
const TOWNS_MAX: usize = 32;

/// A row of the file.
struct Row {
    key: String,
    code: String,
    town: String,
    region: String,
    position: LatLng,
}

/// Hands every postcode of the file to `each`, except those of the countries of `without`; returns the rows left out for
/// want of a code or a position.
///
/// Holds the rows of one country at a time: 200,000 of the largest.
pub(super) fn read(
    path: &Path,
    source: Source,
    without: &[CountryCode],
    countries: &Countries,
    progress: &dyn Fn(Progress),
    each: &mut dyn FnMut(Entry) -> Result<(), Error>,
) -> Result<u64, Error> {
    let mut lines = Lines::open(path)?;
    let (mut done, mut skipped) = (0, 0);
    let mut seen: BTreeSet<CountryCode> = BTreeSet::new();
    let mut country: Option<CountryCode> = None;
    let mut rows: Vec<Row> = Vec::new();
    while let Some(line) = lines.next_text()? {
        let value: Value = line.parse().map_err(|cause| lines.malformed(&cause))?;
        let text = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default();
        let Some(of) = CountryCode::parse(text("country_code")) else {
            return Err(lines.malformed(&"`country_code` is not an ISO 3166-1 code: is this a file of postcodes?"));
        };
        if country != Some(of) {
            if let Some(before) = country.replace(of) {
                end(before, source, &mut rows, countries, each)?;
            }
            if !seen.insert(of) {
                return Err(lines.malformed(&format!("the rows of {of} do not stand together: sort the file")));
            }
        }
        done += 1;
        if done % PROGRESS_ROWS == 0 {
            progress(Progress { done, total: None, what: "postcodes" });
        }
        if without.contains(&of) {
            continue;
        }
        match Row::new(&value) {
            Some(row) => rows.push(row),
            None => skipped += 1,
        }
    }
    let Some(last) = country else { return Err(malformed(path, &"it holds no postcodes")) };
    end(last, source, &mut rows, countries, each)?;
    progress(Progress { done, total: Some(done), what: "postcodes" });
    Ok(skipped)
}

impl Row {
    /// `None` where there is no code, or no position: nobody's postcode is at 0, 0, in the sea.
    fn new(value: &Value) -> Option<Self> {
        let text = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default().trim().to_owned();
        let degrees = |field: &str| value.get(field).and_then(Value::as_f64);
        let position = LatLng::new(degrees("latitude")?, degrees("longitude")?).ok()?;
        let code = text("postal_code");
        let key = codes::solid(&code);
        let is_kept = !key.is_empty() && position != LatLng::ORIGIN;
        is_kept.then(|| Self { key, code, town: text("city"), region: text("state"), position })
    }
}

/// Hands on the codes of a country that is complete.
fn end(
    country: CountryCode,
    source: Source,
    rows: &mut Vec<Row>,
    countries: &Countries,
    each: &mut dyn FnMut(Entry) -> Result<(), Error>,
) -> Result<(), Error> {
    let named = countries.country(country);
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    for rows in rows.chunk_by(|a, b| a.key == b.key) {
        each(entry(country, source, &named, rows, countries))?;
    }
    rows.clear();
    Ok(())
}

/// The entry of one code; `rows` are at least one.
fn entry(country: CountryCode, source: Source, named: &Named, rows: &[Row], countries: &Countries) -> Entry {
    let centre = mean(rows.iter().map(|row| row.position)).unwrap_or(rows[0].position);
    // One of the rows: the mean of places around a bay is in the water.
    let distance = |row: &&Row| row.position.distance_m(centre);
    let middle = rows.iter().min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap_or(&rows[0]);
    let mut towns: Vec<String> = Vec::new();
    for row in std::iter::once(middle).chain(rows) {
        // Some rows have a name in two scripts: `Айтос / Ajtos`.
        for town in row.town.split(" / ") {
            if towns.len() < TOWNS_MAX && !town.is_empty() && !towns.iter().any(|known| known == town) {
                towns.push(town.to_owned());
            }
        }
    }
    let mut keys: Vec<(Part, String)> =
        codes::keys(Some(country), &middle.code).into_iter().map(|key| (Part::Area, key)).collect();
    keys.extend(codes::wide_key(Some(country), &middle.code).map(|key| (Part::Wider, key)));
    keys.extend(countries.region_keys(country, &middle.region).into_iter().map(|key| (Part::Region, key)));
    keys.extend(named.keys.iter().map(|key| (Part::Country, key.clone())));
    let record = Record::Area(Area {
        source,
        code: middle.code.clone(),
        towns,
        region: middle.region.clone(),
        country: Some(Country { code: country, name: named.name.clone() }),
    });
    Entry { keys, size: rows.len() as u64, position: middle.position, country: Some(country), record }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::manifest::Origin;
    use super::*;

    const ROW: &str = r#"{"country_code": "SE", "postal_code": "111 22", "city": "Stockholm", "state": "Stockholm",
        "latitude": 59.33, "longitude": 18.06, "accuracy": 5.0, "source": "allCountries"}"#;

    fn rows(rows: &[&str]) -> Result<(Vec<Entry>, u64), Error> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("postcodes.jsonl");
        let lines: Vec<String> = rows.iter().map(|row| row.replace('\n', " ")).collect();
        fs::write(&path, lines.join("\n")).unwrap();
        let mut entries = Vec::new();
        let source = Source { origin: Origin::Geonames, file: 0 };
        let skipped = read(&path, source, &[], &Countries::default(), &|_| (), &mut |entry| {
            entries.push(entry);
            Ok(())
        })?;
        Ok((entries, skipped))
    }

    #[test]
    fn a_code_is_one_entry_with_all_its_towns() {
        let other = ROW.replace("\"Stockholm\", \"state\"", "\"Norrmalm\", \"state\"").replace("59.33", "59.34");
        let (far, nowhere) = (ROW.replace("59.33", "99"), ROW.replace("59.33", "0").replace("18.06", "0"));
        let (read, skipped) = rows(&[ROW, &other, &far, &nowhere, &ROW.replace("111 22", " - ")]).unwrap();
        assert_eq!((read.len(), skipped), (1, 3));
        let Record::Area(area) = &read[0].record else { panic!("{:?}", read[0]) };
        assert_eq!(
            (area.code.as_str(), area.towns.as_slice()),
            ("111 22", ["Stockholm".into(), "Norrmalm".into()].as_slice())
        );
        for key in [(Part::Area, "11122"), (Part::Area, "111-22"), (Part::Country, "se"), (Part::Region, "stockholm")] {
            assert!(read[0].keys.contains(&(key.0, key.1.into())), "{key:?}");
        }
    }

    #[test]
    fn a_wrong_file_is_told_with_its_line() {
        let check = |lines: &[&str], expect: &str| {
            let fault = rows(lines).err().map(|fault| fault.to_string()).unwrap_or_default();
            assert!(fault.contains(expect), "{fault}");
        };
        check(&[], "no postcodes");
        check(&[ROW, "{"], "line 2");
        check(&[ROW, "{}"], "line 2: `country_code`");
        check(&[ROW, &ROW.replace("SE", "FI"), ROW], "line 3: the rows of SE do not stand together");
    }
}
