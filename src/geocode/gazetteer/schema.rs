//! The shape of the index: which part of an address each field holds. Knows nothing of sources and of scoring.
//!
//! A document is a place, a postcode's area, or a street with all its houses. What it can be asked for is kept as
//! whole folded keys, one field a part; the words of a query are joined to keys and looked up as they are.

use std::collections::BTreeSet;

use tantivy::TantivyDocument;
use tantivy::schema::{FAST, Field, IndexRecordOption, STORED, Schema, TextFieldIndexing, TextOptions};

use super::openings::openings;
use super::record::Record;
use crate::model::address::CountryCode;
use crate::model::geo::LatLng;

/// Version of fields, keys and records; an index of another version is refused and built again.
pub(super) const FORMAT: u32 = 4;
/// Name of the column of sizes: population of a place, houses of a street.
pub(super) const SIZE: &str = "size";
/// Name of the column of latitudes, in degrees.
pub(super) const LAT: &str = "lat";
/// Name of the column of longitudes, in degrees.
pub(super) const LNG: &str = "lng";
/// Name of the column of countries, as [`country_number`]s.
pub(super) const COUNTRY: &str = "country_number";
/// Name of the column of [`Kind`]s.
pub(super) const KIND: &str = "kind";
/// Name of the field of openings.
const OPENINGS: &str = "opening";
/// Name of the field of stored records.
const RECORD: &str = "record";

/// What a document is, as the column of kinds has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A place.
    Place = 0,
    /// The area of a postcode.
    Area = 1,
    /// A street with its houses.
    Street = 2,
}

/// What a key of a document names. The first six make an answer; the others qualify it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Part {
    /// The name of a street or farm, in its cases.
    Street,
    /// The name of a street with its short words written out, as `abbreviations` does.
    Alike,
    /// The name of a place, as it calls itself.
    Place,
    /// A name of a place in other languages and scripts, and former ones.
    Alias,
    /// The code of a postcode's area.
    Area,
    /// What finer codes in that area have in common, as `codes` makes it.
    Wider,
    /// A house of the street, number and letter: `12b`.
    House,
    /// The number of a house of the street, without its letter.
    Number,
    /// The postcode that a street lies in.
    Postcode,
    /// What the finer postcode of a street has in common with those around it, as `codes` makes it.
    CodeAround,
    /// The town that a street or postcode belongs to.
    Town,
    /// Another town near a street whose own is not known.
    TownAround,
    /// The first-level region: name or code.
    Region,
    /// The country: names and codes.
    Country,
}

impl Part {
    /// All parts, in the order of their discriminants.
    pub(super) const ALL: [Self; 14] = [
        Self::Street,
        Self::Alike,
        Self::Place,
        Self::Alias,
        Self::Area,
        Self::Wider,
        Self::House,
        Self::Number,
        Self::Postcode,
        Self::CodeAround,
        Self::Town,
        Self::TownAround,
        Self::Region,
        Self::Country,
    ];

    /// Whether the part alone makes a document an answer.
    pub(super) fn is_anchor(self) -> bool {
        self <= Self::Wider
    }

    /// Whether the part names the area of a postcode.
    pub(super) fn is_area(self) -> bool {
        matches!(self, Self::Area | Self::Wider)
    }

    /// Whether the part is a name of a street, as written or written out.
    pub(super) fn is_street(self) -> bool {
        matches!(self, Self::Street | Self::Alike)
    }

    /// Whether the part is a name of a place, its own or another.
    pub(super) fn is_place(self) -> bool {
        matches!(self, Self::Place | Self::Alias)
    }

    /// The name of the part's field.
    fn field_name(self) -> &'static str {
        match self {
            Self::Street => "street",
            Self::Alike => "alike",
            Self::Place => "place",
            Self::Alias => "alias",
            Self::Area => "area",
            Self::Wider => "wider",
            Self::House => "house",
            Self::Number => "number",
            Self::Postcode => "postcode",
            Self::CodeAround => "code_around",
            Self::Town => "town",
            Self::TownAround => "town_around",
            Self::Region => "region",
            Self::Country => "country",
        }
    }
}

/// A document before it is written.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its keys; empty and repeated ones are left out on writing.
    pub(super) keys: Vec<(Part, String)>,
    /// Population, or number of houses.
    pub(super) size: u64,
    /// Where it is.
    pub(super) position: LatLng,
    /// The country that it is in.
    pub(super) country: Option<CountryCode>,
    /// What an answer is written from.
    pub(super) record: Record,
}

/// The fields of the index.
#[derive(Debug, Clone)]
pub(super) struct Fields {
    parts: [Field; Part::ALL.len()],
    openings: Field,
    size: Field,
    lat: Field,
    lng: Field,
    country: Field,
    kind: Field,
    record: Field,
}

impl Fields {
    /// The schema of the present [`FORMAT`], and its fields.
    pub(super) fn new() -> (Schema, Self) {
        let mut schema = Schema::builder();
        // One key is one term: no positions, no frequencies, no lengths.
        let indexing = TextFieldIndexing::default()
            .set_tokenizer("raw")
            .set_index_option(IndexRecordOption::Basic)
            .set_fieldnorms(false);
        let options = TextOptions::default().set_indexing_options(indexing);
        let parts = Part::ALL.map(|part| schema.add_text_field(part.field_name(), options.clone()));
        let fields = Self {
            parts,
            openings: schema.add_text_field(OPENINGS, options),
            size: schema.add_u64_field(SIZE, FAST),
            lat: schema.add_f64_field(LAT, FAST),
            lng: schema.add_f64_field(LNG, FAST),
            country: schema.add_u64_field(COUNTRY, FAST),
            kind: schema.add_u64_field(KIND, FAST),
            record: schema.add_bytes_field(RECORD, STORED),
        };
        (schema.build(), fields)
    }

    /// The field of a part.
    pub(super) fn part(&self, part: Part) -> Field {
        self.parts[part as usize]
    }

    /// The field of openings.
    pub(super) fn openings(&self) -> Field {
        self.openings
    }

    /// The field of the stored records.
    pub(super) fn record(&self) -> Field {
        self.record
    }

    /// The document of an entry.
    pub(super) fn document(&self, mut entry: Entry) -> TantivyDocument {
        let mut document = TantivyDocument::new();
        entry.keys.sort_unstable();
        entry.keys.dedup();
        for (part, key) in entry.keys.iter().filter(|(_, key)| !key.is_empty()) {
            document.add_text(self.part(*part), key);
        }
        let kind = entry.record.kind();
        let openings = entry.keys.iter().flat_map(|(part, key)| openings(kind, entry.size, *part, key));
        openings.collect::<BTreeSet<_>>().iter().for_each(|key| document.add_text(self.openings, key));
        document.add_u64(self.size, entry.size);
        document.add_f64(self.lat, entry.position.lat());
        document.add_f64(self.lng, entry.position.lng());
        document.add_u64(self.country, country_number(entry.country));
        document.add_u64(self.kind, kind as u64);
        document.add_bytes(self.record, &entry.record.to_bytes());
        document
    }
}

/// A country as a number: the two letters of its code; 0 for none.
pub(super) fn country_number(country: Option<CountryCode>) -> u64 {
    country.map_or(0, |code| code.as_str().bytes().fold(0, |number, letter| number << 8 | u64::from(letter)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_numbered_in_order_and_countries_apart() {
        for (index, part) in Part::ALL.into_iter().enumerate() {
            assert_eq!(part as usize, index);
        }
        assert_eq!(Part::ALL.into_iter().filter(|part| part.is_anchor()).count(), 6);
        let numbers = ["IS", "IT", "TI"].map(|code| country_number(CountryCode::parse(code)));
        assert!(numbers[0] != numbers[1] && numbers[1] != numbers[2] && !numbers.contains(&country_number(None)));
    }
}
