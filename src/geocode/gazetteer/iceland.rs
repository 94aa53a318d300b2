//! Reads the register of addresses of Iceland, street by street.
//!
//! A street becomes one entry for each postcode that it runs through, with its houses in it; a house with a name of
//! its own becomes an entry more. Knows the tables of the register; nothing of the index.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, Row};
use serde::Deserialize;

use super::countries::Countries;
use super::fold;
use super::record::{Area, Record, Source};
use super::schema::{Entry, Part};
use super::sources::{PROGRESS_ROWS, Progress, malformed, open};
use super::street::{House, Street, mean};
use crate::geocode::Error;
use crate::model::address::CountryCode;
use crate::model::geo::LatLng;

/// All addresses, those of a street together and those of a postcode together.
const ADDRESSES: &str = "SELECT hnitnum, postnr, heiti_nf, coalesce(heiti_tgf, ''), husnr, coalesce(bokst, ''), \
     coalesce(serheiti, ''), coalesce(vidsk, ''), lat_wgs84, long_wgs84 \
     FROM stadfong ORDER BY postnr, heiti_nf, husnr, bokst, vidsk, hnitnum";

/// How far from the centre of a place its nearest address is looked for, in degrees of latitude, and twice as many
/// of longitude: 1 km each way at 64° north.
const CENTRE_DEGREES: f64 = 0.01;

/// What people write for the names of the largest towns, folded.
const ABBREVIATIONS: [(&str, &str); 4] =
    [("reykjavik", "rvk"), ("reykjavik", "rvik"), ("hafnarfjordur", "hfj"), ("kopavogur", "kop")];

/// What a postcode stands for, as its file has it.
#[derive(Debug, Deserialize)]
struct Postcode {
    /// The town, as it is called.
    stadur_nf: String,
    /// The town, as one lives in it: dative.
    stadur_tgf: String,
    /// The region.
    #[serde(default)]
    svaedi_nf: String,
    /// The region, in the dative.
    #[serde(default)]
    svaedi_tgf: String,
    /// The part of the town; may name two.
    #[serde(default)]
    lysing: String,
}

/// An address, as the register has it.
#[derive(Debug)]
struct Address {
    id: i64,
    postcode: i64,
    street: String,
    street_dative: String,
    number: Option<i64>,
    letter: String,
    own_name: String,
    addition: String,
    lat: f64,
    lng: f64,
}

/// What the register gave.
#[derive(Debug, Default)]
pub(super) struct Register {
    /// Addresses read and kept.
    pub(super) addresses: u64,
    /// Addresses left out, for want of a name or a position.
    pub(super) skipped: u64,
    /// When the register's file was made, where it says so.
    pub(super) made_at: Option<Timestamp>,
}

/// The country of the register.
pub(super) fn iceland() -> CountryCode {
    CountryCode::parse("IS").expect("two letters are a country code")
}

/// The key and the position of a place, where it is one of Iceland's.
pub(super) fn town(entry: &Entry) -> Option<(String, LatLng)> {
    let key = entry.keys.iter().find(|(part, _)| *part == Part::Place).filter(|_| entry.country == Some(iceland()));
    key.map(|(_, key)| (key.clone(), entry.position))
}

/// Hands every street, named house and postcode of the register to `each`. Holds one street at a time.
///
/// `towns` are the places of Iceland: people write 230 Keflavík where the post writes 230 Reykjanesbær, so that each
/// place lends its name to the postcode that its centre lies in.
pub(super) fn read(
    path: &Path,
    postcodes: &Path,
    source: Source,
    towns: &[(String, LatLng)],
    countries: &Countries,
    progress: &dyn Fn(Progress),
    each: &mut dyn FnMut(Entry) -> Result<(), Error>,
) -> Result<Register, Error> {
    let postcodes: BTreeMap<String, Postcode> =
        serde_json::from_reader(open(postcodes)?).map_err(|cause| malformed(postcodes, &cause))?;
    let fault = |cause: rusqlite::Error| malformed(path, &cause);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let register = Connection::open_with_flags(path, flags).map_err(fault)?;
    let lent = lend(&register, towns).map_err(fault)?;
    let count = register.query_row("SELECT count(*) FROM stadfong", (), |row| row.get::<_, i64>(0)).map_err(fault)?;
    let total = count.unsigned_abs();
    let mut statement = register.prepare(ADDRESSES).map_err(fault)?;
    let mut rows = statement.query(()).map_err(fault)?;

    let mut summary = Register { made_at: made_at(&register), ..Register::default() };
    let mut town = Town::new(source, &postcodes, &lent, countries);
    let mut done = 0;
    while let Some(row) = rows.next().map_err(fault)? {
        let address = Address::read(row).map_err(fault)?;
        match LatLng::new(address.lat, address.lng) {
            Ok(position) if !fold::key(&address.street).is_empty() => {
                town.add(&address, position, each)?;
                summary.addresses += 1;
            }
            _ => summary.skipped += 1,
        }
        done += 1;
        if done % PROGRESS_ROWS == 0 || done == total {
            progress(Progress { done, total: Some(total), what: "addresses" });
        }
    }
    town.end(each)?;
    Ok(summary)
}

/// The names of places by the postcode of the address that is nearest to their centre.
fn lend(register: &Connection, towns: &[(String, LatLng)]) -> Result<BTreeMap<i64, Vec<String>>, rusqlite::Error> {
    let around = "SELECT postnr, lat_wgs84, long_wgs84 FROM stadfong \
         WHERE abs(lat_wgs84 - ?1) < ?3 AND abs(long_wgs84 - ?2) < ?3 * 2";
    let mut statement = register.prepare(around)?;
    let mut lent: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for (key, centre) in towns {
        let mut rows = statement.query((centre.lat(), centre.lng(), CENTRE_DEGREES))?;
        let mut nearest: Option<(f64, i64)> = None;
        while let Some(row) = rows.next()? {
            let Ok(position) = LatLng::new(row.get(1)?, row.get(2)?) else { continue };
            let distance_m = position.distance_m(*centre);
            if nearest.is_none_or(|(least, _)| distance_m < least) {
                nearest = Some((distance_m, row.get(0)?));
            }
        }
        if let Some((_, postcode)) = nearest {
            lent.entry(postcode).or_default().push(key.clone());
        }
    }
    Ok(lent)
}

/// When the register's file was made; older files do not say.
fn made_at(register: &Connection) -> Option<Timestamp> {
    let date = "SELECT value FROM metadata WHERE key = 'date_created'";
    register.query_row(date, (), |row| row.get::<_, String>(0)).ok()?.parse().ok()
}

impl Address {
    fn read(row: &Row<'_>) -> Result<Self, rusqlite::Error> {
        Ok(Self {
            id: row.get(0)?,
            postcode: row.get(1)?,
            street: row.get(2)?,
            street_dative: row.get(3)?,
            number: row.get(4)?,
            letter: row.get(5)?,
            own_name: row.get(6)?,
            addition: row.get(7)?,
            lat: row.get(8)?,
            lng: row.get(9)?,
        })
    }

    /// What stands after the name of the street: `12B`, `45-47`, `lóð 5`; empty where nothing does.
    fn label(&self) -> String {
        let number = self.number.map(|number| number.to_string()).unwrap_or_default();
        let letter: String = self.letter.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_uppercase).collect();
        let addition = self.addition.trim();
        // A range says its first number again: `45` and `45-47` are `45-47`.
        if addition.strip_prefix(&number).is_some_and(|rest| rest.starts_with('-')) {
            return addition.to_owned();
        }
        format!("{number}{letter} {addition}").trim().to_owned()
    }
}

/// The postcode that is being read, and the street within it.
struct Town<'a> {
    source: Source,
    postcodes: &'a BTreeMap<String, Postcode>,
    lent: &'a BTreeMap<i64, Vec<String>>,
    country_keys: Vec<String>,
    /// The postcode, and the positions in it.
    code: i64,
    positions: Vec<LatLng>,
    /// The street's name and all its forms.
    street: String,
    street_keys: BTreeSet<String>,
    houses: Vec<House>,
}

impl<'a> Town<'a> {
    fn new(
        source: Source,
        postcodes: &'a BTreeMap<String, Postcode>,
        lent: &'a BTreeMap<i64, Vec<String>>,
        countries: &Countries,
    ) -> Self {
        Self {
            source,
            postcodes,
            lent,
            country_keys: countries.country(iceland()).keys,
            code: 0,
            positions: Vec::new(),
            street: String::new(),
            street_keys: BTreeSet::new(),
            houses: Vec::new(),
        }
    }

    fn add(
        &mut self,
        address: &Address,
        position: LatLng,
        each: &mut dyn FnMut(Entry) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if self.code != address.postcode {
            self.end(each)?;
            self.code = address.postcode;
        } else if self.street != address.street {
            self.end_street(each)?;
        }
        self.street.clone_from(&address.street);
        self.street_keys.insert(fold::key(&address.street));
        self.street_keys.insert(fold::key(&address.street_dative));
        self.positions.push(position);
        let label = address.label();
        let own_key = fold::key(&address.own_name);
        if !own_key.is_empty() && !self.street_keys.contains(&own_key) {
            let full = self.street_record(Vec::new()).address(&label);
            let house = House { id: address.id, label: String::new(), position, address: Some(full) };
            let mut named = self.street_record(vec![house]);
            named.name.clone_from(&address.own_name);
            each(self.entry(vec![(Part::Street, own_key)], 1, position, Record::Street(named)))?;
        }
        self.houses.push(House { id: address.id, label, position, address: None });
        Ok(())
    }

    /// Hands on the street that is complete.
    fn end_street(&mut self, each: &mut dyn FnMut(Entry) -> Result<(), Error>) -> Result<(), Error> {
        let houses = std::mem::take(&mut self.houses);
        let street = self.street_record(houses);
        let names = std::mem::take(&mut self.street_keys);
        let Some(middle) = street.middle() else { return Ok(()) };
        let mut keys: Vec<(Part, String)> = names.into_iter().map(|key| (Part::Street, key)).collect();
        for house in &street.houses {
            let words = fold::words(&house.label);
            if let Some(number) = words.first().filter(|word| word.starts_with(char::is_numeric)) {
                keys.push((Part::Number, number.clone()));
            }
            keys.push((Part::House, fold::join(&words)));
        }
        each(self.entry(keys, street.houses.len() as u64, middle, Record::Street(street)))
    }

    /// Hands on the last street, and the postcode itself.
    fn end(&mut self, each: &mut dyn FnMut(Entry) -> Result<(), Error>) -> Result<(), Error> {
        self.end_street(each)?;
        let positions = std::mem::take(&mut self.positions);
        let Some(middle) = mean(positions.iter().copied()) else { return Ok(()) };
        let record = Record::Area(Area {
            source: self.source,
            code: self.code.to_string(),
            towns: vec![self.town_name()],
            region: String::new(),
            country: None,
        });
        each(self.entry(vec![(Part::Area, self.code.to_string())], positions.len() as u64, middle, record))
    }

    fn town_name(&self) -> String {
        self.postcodes.get(&self.code.to_string()).map(|postcode| postcode.stadur_nf.clone()).unwrap_or_default()
    }

    fn street_record(&self, houses: Vec<House>) -> Street {
        Street {
            source: self.source,
            name: self.street.clone(),
            postcode: self.code.to_string(),
            town: self.town_name(),
            region: String::new(),
            country: None,
            houses,
        }
    }

    /// An entry with the keys given, and with those that all of this postcode share.
    fn entry(&self, mut keys: Vec<(Part, String)>, size: u64, position: LatLng, record: Record) -> Entry {
        // An area has its code for a name; a street has it for a context.
        if matches!(record, Record::Street(_)) {
            keys.push((Part::Postcode, self.code.to_string()));
        }
        if let Some(postcode) = self.postcodes.get(&self.code.to_string()) {
            for name in [&postcode.stadur_nf, &postcode.stadur_tgf] {
                keys.push((Part::Town, fold::key(name)));
                // `Höfn í Hornafirði` is Höfn to those who live there.
                keys.extend(name.split_once(" í ").map(|(short, _)| (Part::Town, fold::key(short))));
            }
            keys.extend(postcode.lysing.split(" og ").map(|name| (Part::Town, fold::key(name))));
            keys.extend([&postcode.svaedi_nf, &postcode.svaedi_tgf].map(|name| (Part::Region, fold::key(name))));
        }
        let is_town = |name: &str| keys.contains(&(Part::Town, name.to_owned()));
        let short = ABBREVIATIONS.iter().filter(|(name, _)| is_town(name)).map(|(_, short)| *short);
        let short: Vec<(Part, String)> = short.map(|short| (Part::Town, short.to_owned())).collect();
        keys.extend(short);
        keys.extend(self.lent.get(&self.code).into_iter().flatten().map(|key| (Part::Town, key.clone())));
        keys.extend(self.country_keys.iter().map(|key| (Part::Country, key.clone())));
        Entry { keys, size, position, country: Some(iceland()), record }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(number: Option<i64>, letter: &str, addition: &str, expect: &str) {
        let address = Address {
            id: 1,
            postcode: 101,
            street: "Gata".into(),
            street_dative: "Götu".into(),
            number,
            letter: letter.into(),
            own_name: String::new(),
            addition: addition.into(),
            lat: 64.0,
            lng: -21.0,
        };
        assert_eq!(address.label(), expect);
    }

    #[test]
    fn a_label_is_written_as_on_an_envelope() {
        check(Some(12), "b", "", "12B");
        check(Some(12), "*", "", "12");
        check(None, "", "", "");
        check(None, "", "lóð 5", "lóð 5");
        check(Some(1), "", "lóð 5", "1 lóð 5");
        check(Some(45), "", "45-47", "45-47");
        check(Some(4), "", "45-47", "4 45-47");
        check(None, "", "43-47", "43-47");
    }
}
