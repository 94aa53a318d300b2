//! Reads the places of the world, the records of `GeoNames` by id, one at a time.
//!
//! Knows the shape of the file and what of it becomes a key; nothing of the index.

use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::countries::Countries;
use super::fold;
use super::record::{Place, Record, Source};
use super::schema::{Entry, Part};
use super::sources::{PROGRESS_ROWS, Progress, malformed, open};
use crate::geocode::Error;
use crate::model::address::CountryCode;
use crate::model::geo::LatLng;

/// A place, as the source has it.
#[derive(Deserialize)]
struct RawPlace {
    geonameid: u64,
    name: String,
    latitude: f64,
    longitude: f64,
    #[serde(default)]
    countrycode: String,
    #[serde(default)]
    population: u64,
    #[serde(default)]
    admin1code: String,
    #[serde(default)]
    alternatenames: Vec<String>,
}

/// Hands every place of the file to `each`; `None` for a row without a name or a position.
///
/// Holds one row at a time. Ends at the first malformed row, or at the first error of `each`.
pub(super) fn read(
    path: &Path,
    source: Source,
    countries: &Countries,
    progress: &dyn Fn(Progress),
    each: &mut dyn FnMut(Option<Entry>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut rows = Rows { source, countries, progress, each, done: 0, failure: None };
    let mut deserializer = serde_json::Deserializer::from_reader(open(path)?);
    let outcome = rows.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    match rows.failure.take() {
        Some(failure) => Err(failure),
        None => outcome.map_err(|cause| malformed(path, &cause)),
    }
}

/// The walk through the one object of the file, which is too large to be held.
struct Rows<'a> {
    source: Source,
    countries: &'a Countries,
    progress: &'a dyn Fn(Progress),
    each: &'a mut dyn FnMut(Option<Entry>) -> Result<(), Error>,
    done: u64,
    /// The error of `each` that ended the walk: the parser's own type cannot carry it.
    failure: Option<Error>,
}

impl<'de> DeserializeSeed<'de> for &mut Rows<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut Rows<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of places by id")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some((_, raw)) = map.next_entry::<IgnoredAny, RawPlace>()? {
            if let Err(failure) = (self.each)(raw.entry(self.source, self.countries)) {
                self.failure = Some(failure);
                return Err(serde::de::Error::custom("ended"));
            }
            self.done += 1;
            if self.done.is_multiple_of(PROGRESS_ROWS) {
                (self.progress)(Progress { done: self.done, total: None, what: "places" });
            }
        }
        (self.progress)(Progress { done: self.done, total: Some(self.done), what: "places" });
        Ok(())
    }
}

impl RawPlace {
    fn entry(self, source: Source, countries: &Countries) -> Option<Entry> {
        let position = LatLng::new(self.latitude, self.longitude).ok()?;
        let own = fold::key(&self.name);
        if own.is_empty() {
            return None;
        }
        // An alias of digits is somebody's postcode, and would answer for every house with that number.
        let is_name = |key: &String| *key != own && key.chars().any(|c| !c.is_numeric());
        let aliases = self.alternatenames.iter().map(|name| fold::key(name)).filter(is_name);
        let mut keys: Vec<(Part, String)> = aliases.map(|key| (Part::Alias, key)).collect();
        keys.push((Part::Place, own));

        let code = CountryCode::parse(&self.countrycode);
        let country = code.map(|code| countries.country(code)).unwrap_or_default();
        keys.extend(country.keys.into_iter().map(|key| (Part::Country, key)));
        let region = countries.region(&self.countrycode, &self.admin1code);
        keys.extend(region.iter().flat_map(|region| &region.keys).map(|key| (Part::Region, key.clone())));
        let record = Record::Place(Place {
            source,
            id: self.geonameid,
            name: self.name,
            region: region.map(|region| region.name.clone()).unwrap_or_default(),
            country: country.name,
        });
        Some(Entry { keys, size: self.population, position, country: code, record })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::super::manifest::Origin;
    use super::*;

    const VILA: &str = r#"{"geonameid": 3038832, "name": "Vila", "latitude": 42.5, "longitude": 1.5,
        "countrycode": "AD", "population": 1418, "admin1code": "03",
        "alternatenames": ["Casas Vila", "Vila", "", "1"]}"#;

    fn entries(text: &str) -> Result<Vec<Option<Entry>>, Error> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("places.json");
        std::fs::write(&path, text).unwrap();
        let (mut entries, reported) = (Vec::new(), Cell::new(0));
        let source = Source { origin: Origin::Geonames, file: 0 };
        read(&path, source, &Countries::default(), &|progress| reported.set(progress.done), &mut |entry| {
            entries.push(entry);
            Ok(())
        })?;
        assert_eq!(reported.get(), entries.len() as u64);
        Ok(entries)
    }

    #[test]
    fn a_place_gives_its_names_and_its_country() {
        let broken = VILA.replace("42.5", "142.5");
        let nameless = VILA.replace("\"name\": \"Vila\"", "\"name\": \"-\"");
        let read = entries(&format!(r#"{{"1": {VILA}, "2": {broken}, "3": {nameless}}}"#)).unwrap();
        let vila = read[0].as_ref().unwrap();
        let keys: Vec<&str> = vila.keys.iter().filter(|(part, _)| part.is_anchor()).map(|(_, key)| &**key).collect();
        assert_eq!(keys, ["casasvila", "vila"]);
        assert!(vila.keys.contains(&(Part::Country, "ad".into())));
        assert_eq!((vila.size, vila.country), (1418, CountryCode::parse("AD")));
        assert!(read[1].is_none() && read[2].is_none(), "no position, no name");
    }

    #[test]
    fn a_malformed_file_is_told_with_its_line() {
        for text in ["[]", "{\"1\": {\"name\": 7}}", &format!("{{\"1\": {VILA}")] {
            let fault = entries(text).unwrap_err().to_string();
            assert!(fault.contains("places.json: ") && fault.contains("line "), "{fault}");
        }
    }
}
