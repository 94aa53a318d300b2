//! The names and codes by which countries and their first-level regions qualify a place.
//!
//! The sources give English names and ISO codes; what people write beside them stands in two small tables here.

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;

use super::fold;
use super::sources::{malformed, open};
use crate::geocode::Error;
use crate::model::address::CountryCode;

/// Names of countries that the source lacks: their own, and common short ones. Accents fold away.
const NAMES: &[(&str, &str)] = &[
    ("AE", "UAE"),
    ("AU", "Australia"),
    ("AT", "Österreich"),
    ("BE", "Belgique"),
    ("BE", "België"),
    ("BR", "Brasil"),
    ("CH", "Schweiz"),
    ("CH", "Suisse"),
    ("CH", "Svizzera"),
    ("CI", "Côte d'Ivoire"),
    ("CN", "中国"),
    ("CV", "Cape Verde"),
    ("CZ", "Czech Republic"),
    ("CZ", "Česko"),
    ("DE", "Deutschland"),
    ("DK", "Danmark"),
    ("EE", "Eesti"),
    ("ES", "España"),
    ("FI", "Suomi"),
    ("FO", "Føroyar"),
    ("GB", "UK"),
    ("GB", "Great Britain"),
    ("GR", "Ελλάδα"),
    ("HR", "Hrvatska"),
    ("HU", "Magyarország"),
    ("IE", "Éire"),
    ("IS", "Ísland"),
    ("IS", "Íslandi"),
    ("IT", "Italia"),
    ("JP", "日本"),
    ("KR", "대한민국"),
    ("LT", "Lietuva"),
    ("LV", "Latvija"),
    ("MA", "Maroc"),
    ("MM", "Burma"),
    ("NL", "Holland"),
    ("NL", "Nederland"),
    ("NO", "Norge"),
    ("PL", "Polska"),
    ("RU", "Россия"),
    ("SE", "Sverige"),
    ("SI", "Slovenija"),
    ("SK", "Slovensko"),
    ("TR", "Türkiye"),
    ("UA", "Україна"),
    ("US", "America"),
    ("US", "United States of America"),
];

/// The further names of a country that stand in the table.
pub(in crate::geocode) fn further_names(code: CountryCode) -> impl Iterator<Item = &'static str> {
    NAMES.iter().filter(move |(of, _)| *of == code.as_str()).map(|(_, name)| *name)
}

/// Postal codes of regions whose code in the source is a number.
const REGION_CODES: &[(&str, &str)] = &[
    ("AU.01", "ACT"),
    ("AU.02", "NSW"),
    ("AU.03", "NT"),
    ("AU.04", "QLD"),
    ("AU.05", "SA"),
    ("AU.06", "TAS"),
    ("AU.07", "VIC"),
    ("AU.08", "WA"),
    ("CA.01", "AB"),
    ("CA.02", "BC"),
    ("CA.03", "MB"),
    ("CA.04", "NB"),
    ("CA.05", "NL"),
    ("CA.07", "NS"),
    ("CA.08", "ON"),
    ("CA.09", "PE"),
    ("CA.10", "QC"),
    ("CA.11", "SK"),
    ("CA.12", "YT"),
    ("CA.13", "NT"),
    ("CA.14", "NU"),
];

/// Words that say of a region what it is, and that people leave out.
const KINDS: &[&str] = &[
    "canton",
    "county",
    "department",
    "district",
    "governorate",
    "oblast",
    "prefecture",
    "province",
    "region",
    "state",
];

/// The countries and regions that places lie in.
#[derive(Debug, Default)]
pub(super) struct Countries {
    named: HashMap<CountryCode, Named>,
    regions: HashMap<String, Named>,
    /// The codes of regions by country and key: `US.california` is `US.CA`.
    region_codes: HashMap<String, String>,
}

/// A name and all keys by which it is found.
#[derive(Debug, Clone, Default)]
pub(super) struct Named {
    /// The name to show.
    pub(super) name: String,
    /// The keys.
    pub(super) keys: Vec<String>,
}

/// A country, as the source has it.
#[derive(Deserialize)]
struct RawCountry {
    name: String,
    iso: String,
    iso3: String,
}

/// A region, as the source has it; its code is `US.TN`.
#[derive(Deserialize)]
struct RawRegion {
    code: String,
    name: String,
}

impl Countries {
    /// Reads both files; without one of them its names are missing, and only ISO codes qualify.
    pub(super) fn read(countries: Option<&Path>, regions: Option<&Path>) -> Result<Self, Error> {
        let mut all = Self::default();
        if let Some(path) = countries {
            let raw: HashMap<String, RawCountry> =
                serde_json::from_reader(open(path)?).map_err(|cause| malformed(path, &cause))?;
            for country in raw.into_values() {
                let Some(code) = CountryCode::parse(&country.iso) else {
                    return Err(malformed(path, &format!("{:?} is not an ISO 3166-1 code", country.iso)));
                };
                all.named.insert(code, country_named(code, &country));
            }
        }
        if let Some(path) = regions {
            let raw: Vec<RawRegion> = serde_json::from_reader(open(path)?).map_err(|cause| malformed(path, &cause))?;
            all.regions.extend(raw.into_iter().map(|region| (region.code.clone(), region_named(region))));
        }
        // In the order of their codes, so that of two regions of one name it is always the same that is meant.
        let mut regions: Vec<(&String, &Named)> = all.regions.iter().collect();
        regions.sort_by_key(|(code, _)| *code);
        for (code, region) in regions {
            let country = code.split_once('.').map_or("", |(country, _)| country);
            all.region_codes.extend(region.keys.iter().map(|key| (format!("{country}.{key}"), code.clone())));
        }
        Ok(all)
    }

    /// The country of this code; one that the source lacks is known by its code.
    pub(super) fn country(&self, code: CountryCode) -> Named {
        self.named.get(&code).cloned().unwrap_or_else(|| {
            let names = NAMES.iter().filter(|(of, _)| *of == code.as_str()).map(|(_, name)| fold::key(name));
            Named { name: code.to_string(), keys: names.chain([fold::key(code.as_str())]).collect() }
        })
    }

    /// The region of this country with this code, such as `US` and `TN`.
    pub(super) fn region(&self, country: &str, code: &str) -> Option<&Named> {
        self.regions.get(&format!("{country}.{code}"))
    }
}

impl Countries {
    /// Whether there is a country of this code: of all of them where the source was read, else of those with names here.
    pub(super) fn is_known(&self, code: CountryCode) -> bool {
        let has_name = || NAMES.iter().any(|(of, _)| *of == code.as_str());
        self.named.contains_key(&code) || (self.named.is_empty() && has_name())
    }

    /// The keys of the region that a source calls so, by name or code; one that is not known has its own.
    pub(super) fn region_keys(&self, country: CountryCode, name: &str) -> Vec<String> {
        let key = fold::key(name);
        let code = self.region_codes.get(&format!("{country}.{key}"));
        let known = code.and_then(|code| self.regions.get(code)).map(|region| region.keys.clone());
        known.unwrap_or_else(|| if key.is_empty() { Vec::new() } else { vec![key] })
    }
}

fn country_named(code: CountryCode, raw: &RawCountry) -> Named {
    let name = raw.name.trim().to_owned();
    let further = NAMES.iter().filter(|(of, _)| *of == code.as_str()).map(|(_, name)| *name);
    let without_article = name.strip_prefix("The ");
    let keys = [name.as_str(), code.as_str(), raw.iso3.as_str()].into_iter().chain(further).chain(without_article);
    Named { keys: keys.map(fold::key).collect(), name }
}

fn region_named(raw: RawRegion) -> Named {
    let mut keys = vec![fold::key(&raw.name)];
    // Numbers of regions are the source's own and nobody writes them.
    if let Some((_, code)) = raw.code.split_once('.').filter(|(_, code)| code.chars().all(char::is_alphabetic)) {
        keys.push(fold::key(code));
    }
    keys.extend(REGION_CODES.iter().filter(|(of, _)| *of == raw.code).map(|(_, code)| fold::key(code)));
    let mut words = fold::words(&raw.name);
    let is_kind = |word: &String| KINDS.contains(&word.as_str());
    if words.len() > 1 && words.last().is_some_and(is_kind) {
        words.pop();
        keys.push(fold::join(&words));
    } else if words.len() > 2 && words.first().is_some_and(is_kind) && words[1] == "of" {
        keys.push(fold::join(&words[2..]));
    }
    Named { name: raw.name, keys }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_known_without_their_kind_and_by_letters_only() {
        let keys = |code: &str, name: &str| region_named(RawRegion { code: code.into(), name: name.into() }).keys;
        assert_eq!(keys("US.TN", "Tennessee"), ["tennessee", "tn"]);
        assert_eq!(keys("CA.08", "Ontario"), ["ontario", "on"]);
        assert_eq!(keys("CR.06", "Limón Province"), ["limonprovince", "limon"]);
        assert_eq!(keys("DE.16", "State of Berlin"), ["stateofberlin", "berlin"]);
        assert_eq!(keys("XX.01", "Province"), ["province"]);
    }

    #[test]
    fn countries_are_known_by_their_names_and_codes() {
        let raw = RawCountry { name: "The Netherlands".into(), iso: "NL".into(), iso3: "NLD".into() };
        let code = CountryCode::parse("NL").unwrap();
        let keys = country_named(code, &raw).keys;
        assert_eq!(keys, ["thenetherlands", "nl", "nld", "holland", "nederland", "netherlands"]);
        let iceland = Countries::default().country(CountryCode::parse("is").unwrap());
        assert_eq!((iceland.name.as_str(), iceland.keys.contains(&"island".to_owned())), ("IS", true));
    }
}
