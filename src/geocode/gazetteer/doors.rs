//! Gathers addresses from wherever they come into streets with their houses.
//!
//! Sources of addresses have them in any order, and may have more than memory should hold: they are sorted by street,
//! and each street becomes an entry when it is complete. Knows no source's shape, and nothing of the index.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::countries::Countries;
use super::imports::{LeftOut, check_text};
use super::record::{Record, Source};
use super::schema::{Entry, Part};
use super::sorter::Sorter;
use super::sources::{malformed, unreadable};
use super::street::{Country, House, ONE_SPOT_M, Street};
use super::towns::Towns;
use super::{abbreviations, codes, fold};
use crate::geocode::Error;
use crate::model::address::CountryCode;
use crate::model::geo::LatLng;

/// Towns around an address that does not say its own, by whose names it is offered.
const TOWNS_LENT: usize = 3;
/// Most houses of one entry: the longest streets have some thousands, and a record is read whole.
const HOUSES_MAX: usize = 10_000;

/// Houses of one number that a door is compared with: they stand together in the order.
const SAME_NUMBER_MAX: usize = 64;

/// An address, or a street without houses. Ordered by the street that it belongs to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Door {
    /// Whose it is.
    pub(super) source: Source,
    /// The country, where that is known.
    pub(super) country: Option<CountryCode>,
    /// The first-level region, by name or code; may be empty.
    pub(super) region: String,
    /// What else it lies in, such as a county; may be empty.
    pub(super) district: String,
    /// The town; may be empty.
    pub(super) town: String,
    /// The postcode; may be empty.
    pub(super) postcode: String,
    /// The name of the street.
    pub(super) street: String,
    /// The number of the house with what belongs to it; empty for the street itself.
    pub(super) number: String,
    /// The id of the house in its source.
    pub(super) id: i64,
    /// Where it is.
    pub(super) position: LatLng,
    /// Whether the town is the nearest one, because the source says none.
    is_town_lent: bool,
    /// The keys of street as written, town with region, and postcode, by which it is sorted.
    keys: [String; 3],
}

/// Where doors are gathered.
pub(super) struct Doors<'a> {
    countries: &'a Countries,
    towns: &'a Towns,
    file: PathBuf,
    directory: PathBuf,
    sorter: Sorter<Door>,
}

impl Door {
    /// A door on a street; the rest is filled in where the source says it.
    pub(super) fn new(source: Source, street: &str, position: LatLng) -> Self {
        Self {
            source,
            country: None,
            region: String::new(),
            district: String::new(),
            town: String::new(),
            postcode: String::new(),
            street: street.to_owned(),
            number: String::new(),
            id: 0,
            position,
            is_town_lent: false,
            keys: Default::default(),
        }
    }

    /// The same with a number and its id.
    pub(super) fn numbered(&self, number: &str, id: i64) -> Self {
        Self { number: number.to_owned(), id, ..self.clone() }
    }

    /// The same, where each of its texts may be one of an address.
    pub(super) fn checked(self) -> Result<Self, LeftOut> {
        for text in self.texts() {
            check_text(text)?;
        }
        Ok(self)
    }

    fn texts(&self) -> [&String; 6] {
        [&self.region, &self.district, &self.town, &self.postcode, &self.street, &self.number]
    }

    /// What it is ordered by: the street, then the house.
    fn order(&self) -> impl Ord + '_ {
        let house = (self.number.is_empty(), self.number.as_str(), self.id);
        ((self.source, self.country), &self.keys, house, [self.position.lat(), self.position.lng()].map(f64::to_bits))
    }

    /// Whether it belongs to the same street and town as another, whatever the postcode.
    fn is_street_of(&self, other: &Self) -> bool {
        (self.source, self.country, &self.keys[..2]) == (other.source, other.country, &other.keys[..2])
    }

    /// Its size in memory beyond the struct, in bytes.
    fn bytes(&self) -> usize {
        self.texts().into_iter().chain(&self.keys).map(String::len).sum()
    }
}

impl Eq for Door {}

impl PartialOrd for Door {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Door {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order().cmp(&other.order())
    }
}

impl<'a> Doors<'a> {
    /// Nothing of a `file` yet. What memory should not hold goes into `directory`, which is its own.
    pub(super) fn new(countries: &'a Countries, towns: &'a Towns, file: &Path, directory: &Path) -> Self {
        let (file, directory) = (file.to_owned(), directory.to_owned());
        Self { countries, towns, file, sorter: Sorter::new(&directory), directory }
    }

    /// Takes a door. One without a country gets that of the nearest place, one without a town the town that reaches it.
    ///
    /// # Errors
    /// `SourceFile` where a door has no country and no place is near; `Index` where the disk is full.
    pub(super) fn add(&mut self, mut door: Door) -> Result<(), Error> {
        door.country = door.country.or_else(|| self.towns.country_at(door.position));
        if door.country.is_none() {
            let what = "an address has no country, and no known place is near: say its country, `FILE,country=XX`";
            return Err(malformed(&self.file, &what));
        }
        door.is_town_lent = fold::key(&door.town).is_empty();
        if door.is_town_lent {
            let nearest = self.towns.around(door.position, door.country, 1);
            door.town = nearest.first().map(|town| town.name.clone()).unwrap_or_default();
        }
        let street = fold::key(&door.street);
        let town = format!("{}/{}", fold::key(&door.town), fold::key(&door.region));
        door.keys = [street, town, codes::solid(&door.postcode)];
        let bytes = door.bytes();
        self.sorter.push(door, bytes).map_err(|cause| unreadable(&self.directory, &cause))
    }

    /// Hands on every street, a town's part of it in one postcode each; returns how many houses they have.
    ///
    /// # Errors
    /// `Index` where sorted doors cannot be read back, and the first error of `each`.
    pub(super) fn end(self, each: &mut dyn FnMut(Entry) -> Result<(), Error>) -> Result<u64, Error> {
        let Self { countries, towns, directory, sorter, .. } = self;
        let fault = |cause: io::Error| unreadable(&directory, &cause);
        let mut doors = sorter.sorted().map_err(fault)?;
        let mut count = 0;
        let mut street: Vec<Door> = Vec::new();
        loop {
            let door = doors.next().map_err(fault)?;
            let goes_on = matches!((&door, street.first()), (Some(door), Some(first)) if door.is_street_of(first));
            if !goes_on && !street.is_empty() {
                count += end_street(&street, countries, towns, each)?;
                street.clear();
            }
            let Some(door) = door else { return Ok(count) };
            street.push(door);
        }
    }
}

/// Hands on the parts of a street, one a postcode; returns how many houses they have. The street itself is handed on
/// where it has no houses: otherwise they stand for it.
fn end_street(
    doors: &[Door],
    countries: &Countries,
    towns: &Towns,
    each: &mut dyn FnMut(Entry) -> Result<(), Error>,
) -> Result<u64, Error> {
    let mut count = 0;
    let has_houses = doors.iter().any(|door| !door.number.is_empty());
    for part in doors.chunk_by(|a, b| a.keys == b.keys) {
        let mut houses: Vec<&Door> = Vec::new();
        for door in part.iter().filter(|door| !door.number.is_empty()) {
            // Flats of one house are one door.
            let is_known = houses
                .iter()
                .rev()
                .take(SAME_NUMBER_MAX)
                .any(|other| other.number == door.number && other.position.distance_m(door.position) <= ONE_SPOT_M);
            if !is_known {
                houses.push(door);
            }
        }
        count += houses.len() as u64;
        for houses in houses.chunks(HOUSES_MAX) {
            each(entry(&part[0], houses, countries, towns))?;
        }
        if !has_houses {
            each(entry(&part[part.len() / 2], &[], countries, towns))?;
            break;
        }
    }
    Ok(count)
}

/// The entry of a street: `first` says what it is, `houses` may be none.
fn entry(first: &Door, houses: &[&Door], countries: &Countries, towns: &Towns) -> Entry {
    let named = first.country.map(|code| (code, countries.country(code)));
    let house =
        |door: &&Door| House { id: door.id, label: door.number.clone(), position: door.position, address: None };
    let street = Street {
        source: first.source,
        name: first.street.clone(),
        postcode: first.postcode.clone(),
        town: first.town.clone(),
        region: first.region.clone(),
        country: named.as_ref().map(|(code, named)| Country { code: *code, name: named.name.clone() }),
        houses: houses.iter().map(house).collect(),
    };
    let position = street.middle().unwrap_or(first.position);

    let words = fold::words(&first.street);
    let mut keys = vec![(Part::Street, fold::join(&words))];
    keys.extend(abbreviations::alike_keys(&words).into_iter().map(|key| (Part::Alike, key)));
    for door in houses {
        let words = fold::words(&door.number);
        if let Some(number) = words.iter().find(|word| word.starts_with(char::is_numeric)) {
            keys.push((Part::Number, number.clone()));
        }
        keys.push((Part::House, fold::join(&words)));
    }
    keys.extend(codes::keys(first.country, &first.postcode).into_iter().map(|key| (Part::Postcode, key)));
    let has_code = !first.postcode.is_empty();
    let wide = codes::wide_key(first.country, &first.postcode).filter(|_| has_code);
    // Under a wide code finer ones are found that lie in it; under a fine one the others are only near.
    let wide_part = if codes::is_fine(first.country, &first.postcode) { Part::CodeAround } else { Part::Postcode };
    keys.extend(wide.map(|key| (wide_part, key)));
    keys.push((Part::Town, fold::key(&first.town)));
    if first.is_town_lent {
        let around = towns.around(position, first.country, TOWNS_LENT);
        keys.extend(around.into_iter().map(|town| (Part::TownAround, fold::key(&town.name))));
    }
    keys.push((Part::Region, fold::key(&first.district)));
    if let Some((code, named)) = named {
        keys.extend(countries.region_keys(code, &first.region).into_iter().map(|key| (Part::Region, key)));
        keys.extend(named.keys.into_iter().map(|key| (Part::Country, key)));
    }
    Entry { keys, size: houses.len() as u64, position, country: first.country, record: Record::Street(street) }
}
