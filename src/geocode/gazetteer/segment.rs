//! The one segment of the index: the documents that a question finds, judged and in their order.
//!
//! Reads lists and columns, and of postcodes' areas the records; what candidates are made of is read by `index`.

use std::cmp::Ordering;

use tantivy::columnar::Column;
use tantivy::schema::Value;
use tantivy::store::StoreReader;
use tantivy::{DocId, SegmentReader, TantivyDocument, TantivyError};

use super::areas::{self, AREAS_READ_MAX, Named, PLACES_MAX};
use super::explain::{InCountry, Reading, explain};
use super::question::Question;
use super::record::Record;
use super::retrieve::{Lists, Match};
use super::schema::{COUNTRY, Fields, KIND, Kind, LAT, LNG, Part, SIZE, country_number};
use crate::geocode::Bias;
use crate::model::address::CountryCode;
use crate::model::geo::{DISTANCE_M_MAX, LatLng};

/// The confidence with which a question counts as answered: below it, misspelt names are searched too.
pub(super) const ANSWERED: f64 = 0.85;
/// The least confidence of a candidate: below it, nearly all words are about something else.
const CONFIDENCE_MIN: f64 = 0.05;
/// Records that are read for each candidate asked for: several may fall together, and some order anew.
const READ_PER_CANDIDATE: usize = 3;
/// Blocks of stored records that are kept unpacked: one block is 16 KiB, and an answer touches about as many.
const STORE_CACHE_BLOCKS: usize = 256;
/// Documents that are judged for a text that is being typed, the nearest and the largest of them: a short beginning
/// names thousands, of which a person looks at ten.
const BEGUN_JUDGED_MAX: usize = 512;

/// The one segment of the index.
pub(super) struct Segment {
    documents: DocId,
    fields: Fields,
    lists: Lists,
    store: StoreReader,
    size: Column<u64>,
    lat: Column<f64>,
    lng: Column<f64>,
    country: Column<u64>,
    kind: Column<u64>,
}

/// A document that answers, before its record is read for the answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    /// The document.
    pub(super) document: DocId,
    /// How it answers.
    pub(super) reading: Reading,
    /// What decides between equals.
    pub(super) rank: Rank,
}

/// What decides between equal confidences; see [`Rank::compare`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Rank {
    /// To where the address probably is, in metres; 0 where that is not known.
    pub(super) distance_m: f64,
    /// Whether it is in the country where the address probably is.
    pub(super) is_in_country: bool,
    /// Population, or number of houses.
    pub(super) size: u64,
}

/// What a judge knows beside the matches of one document.
struct Bench<'a> {
    question: &'a Question,
    bias: &'a Bias,
    /// The places that words of the question name.
    places: Vec<Named>,
    /// How many records of areas may still be read.
    areas_left: usize,
}

impl Segment {
    /// The segment behind a reader.
    pub(super) fn open(reader: &SegmentReader, fields: &Fields) -> tantivy::Result<Self> {
        Ok(Self {
            documents: reader.max_doc(),
            fields: fields.clone(),
            lists: Lists::open(reader, fields)?,
            store: reader.get_store_reader(STORE_CACHE_BLOCKS)?,
            size: reader.fast_fields().u64(SIZE)?,
            lat: reader.fast_fields().f64(LAT)?,
            lng: reader.fast_fields().f64(LNG)?,
            country: reader.fast_fields().u64(COUNTRY)?,
            kind: reader.fast_fields().u64(KIND)?,
        })
    }

    /// How many documents there are; they are numbered from 0.
    pub(super) fn documents(&self) -> DocId {
        self.documents
    }

    /// The record of a document.
    pub(super) fn record(&self, document: DocId) -> tantivy::Result<Record> {
        let stored: TantivyDocument = self.store.get(document)?;
        let bytes = stored.get_first(self.fields.record()).and_then(|value| value.as_bytes()).unwrap_or_default();
        Record::from_bytes(bytes).map_err(|cause| TantivyError::InternalError(format!("a record: {cause}")))
    }

    /// What kind of record a document has, without reading it.
    pub(super) fn is(&self, document: DocId, kind: Kind) -> bool {
        self.kind.first(document) == Some(kind as u64)
    }

    /// The areas of the postcodes with this key, in all countries.
    pub(super) fn areas(&self, key: &str) -> tantivy::Result<Vec<DocId>> {
        self.lists.named(Part::Area, key)
    }

    /// The documents that answer best, best first, a few more than `limit`.
    pub(super) fn find(&self, question: &Question, bias: &Bias, limit: usize) -> tantivy::Result<Vec<Found>> {
        let mut hits = self.lists.exact(question)?;
        let mut found = self.judge_all(question, bias, &self.lists.documents(&hits)?)?;
        let is_answered = found.iter().any(|found| found.reading.confidence >= ANSWERED);
        if !is_answered && !question.words.is_empty() {
            let misspelt = self.lists.misspelt(question, &hits)?;
            hits.extend(misspelt);
            found = self.judge_all(question, bias, &self.lists.documents(&hits)?)?;
        }
        found.sort_unstable_by(Found::compare);
        found.truncate(limit * READ_PER_CANDIDATE);
        Ok(found)
    }

    /// The documents that a text may name when it is typed to its end, best first, a few more than `limit`.
    pub(super) fn complete(&self, question: &Question, bias: &Bias, limit: usize) -> tantivy::Result<Vec<Found>> {
        let mut hits = self.lists.exact(question)?;
        let is_qualified = hits.iter().any(|hit| matches!(hit.what.part, Part::Town | Part::Postcode));
        let is_local = is_qualified || bias.near.is_some() || bias.country.is_some();
        hits.extend(self.lists.begun(question, is_local)?);
        let matches = self.lists.documents(&hits)?;
        let mut bench = self.bench(question, bias, &matches);
        let mut groups: Vec<(Rank, &[(DocId, Match)])> =
            matches.chunk_by(|a, b| a.0 == b.0).map(|group| (self.rank(group[0].0, bias), group)).collect();
        if groups.len() > BEGUN_JUDGED_MAX {
            // One half of them for the largest, the other for the nearest of the rest.
            groups.sort_by_key(|(rank, _)| std::cmp::Reverse(rank.size));
            groups[BEGUN_JUDGED_MAX / 2..].sort_by(|a, b| a.0.compare(&b.0));
            groups.truncate(BEGUN_JUDGED_MAX);
        }
        let mut found = Vec::new();
        for (_, group) in groups {
            found.extend(self.judge(&mut bench, group)?);
        }
        found.sort_unstable_by(Found::compare);
        found.truncate(limit * READ_PER_CANDIDATE);
        Ok(found)
    }

    /// What decides between equal confidences.
    fn rank(&self, document: DocId, bias: &Bias) -> Rank {
        let biased = country_number(bias.country);
        Rank {
            distance_m: self.position(document).map_or(DISTANCE_M_MAX, |position| distance_m(bias, position)),
            is_in_country: biased != 0 && self.country.first(document).unwrap_or_default() == biased,
            size: self.size.first(document).unwrap_or_default(),
        }
    }

    /// Judges every document that has matches; `matches` are sorted by document.
    fn judge_all(&self, question: &Question, bias: &Bias, matches: &[(DocId, Match)]) -> tantivy::Result<Vec<Found>> {
        let mut bench = self.bench(question, bias, matches);
        let mut found = Vec::new();
        for group in matches.chunk_by(|a, b| a.0 == b.0) {
            found.extend(self.judge(&mut bench, group)?);
        }
        Ok(found)
    }

    /// What is known when the documents of these matches are judged.
    fn bench<'a>(&self, question: &'a Question, bias: &'a Bias, matches: &[(DocId, Match)]) -> Bench<'a> {
        // Places matter here to areas alone.
        let has_area = matches.iter().any(|(_, found)| found.part.is_area());
        let named = matches.iter().filter(|(_, found)| has_area && found.part.is_place());
        let places = named.filter_map(|(document, found)| {
            Some(Named {
                country: self.country.first(*document)?,
                position: self.position(*document)?,
                population: self.size.first(*document)?,
                what: *found,
            })
        });
        Bench { question, bias, places: places.take(PLACES_MAX).collect(), areas_left: AREAS_READ_MAX }
    }

    /// Judges one document by all its matches; `None` where it is no answer.
    fn judge(&self, bench: &mut Bench<'_>, group: &[(DocId, Match)]) -> tantivy::Result<Option<Found>> {
        let document = group[0].0;
        let country = self.country.first(document).unwrap_or_default();
        let in_country = match (country_number(bench.question.country), country) {
            (0, _) => InCountry::Unstated,
            (_, 0) => InCountry::Unknown,
            (stated, country) if stated == country => InCountry::Inside,
            _ => InCountry::Outside,
        };
        let mut matches: Vec<Match> = group.iter().map(|(_, found)| *found).collect();
        if matches.iter().any(|found| found.part.is_area()) {
            matches.extend(self.towns(bench, document)?);
        }
        let reading = explain(bench.question, &matches, in_country);
        let reading = reading.filter(|reading| reading.confidence >= CONFIDENCE_MIN);
        Ok(reading.map(|reading| Found { document, reading, rank: self.rank(document, bench.bias) }))
    }

    /// The words of the question that are a town of a postcode's area, nearest first.
    fn towns(&self, bench: &mut Bench<'_>, document: DocId) -> tantivy::Result<Vec<Match>> {
        let mut towns = Vec::new();
        // With its code alone there is nothing left to compare.
        if bench.question.words.len() > 1 && bench.areas_left > 0 {
            bench.areas_left -= 1;
            if let Record::Area(area) = self.record(document)? {
                towns = areas::towns(bench.question, &area.towns);
            }
        }
        if let (Some(country), Some(position)) = (self.country.first(document), self.position(document)) {
            towns.extend(bench.places.iter().filter_map(|place| place.town_of(country, position)));
        }
        towns.sort_by_key(|found| (found.edits, std::cmp::Reverse(found.words.to - found.words.from)));
        Ok(towns)
    }

    /// Where a document is.
    pub(super) fn position(&self, document: DocId) -> Option<LatLng> {
        LatLng::new(self.lat.first(document)?, self.lng.first(document)?).ok()
    }

    /// The country that a document is in.
    pub(super) fn country_code(&self, document: DocId) -> Option<CountryCode> {
        let [.., first, second] = self.country.first(document)?.to_be_bytes();
        CountryCode::parse(std::str::from_utf8(&[first, second]).ok()?)
    }
}

impl Found {
    /// The one to show first is less.
    fn compare(&self, other: &Self) -> Ordering {
        let confidence = other.reading.confidence.total_cmp(&self.reading.confidence);
        confidence.then_with(|| self.rank.compare(&other.rank)).then_with(|| self.document.cmp(&other.document))
    }
}

impl Rank {
    /// The one to show first is less: the nearer, then the one in the country, then the larger.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        let distance = self.distance_m.total_cmp(&other.distance_m);
        let country = || other.is_in_country.cmp(&self.is_in_country);
        distance.then_with(country).then_with(|| other.size.cmp(&self.size))
    }
}

/// The distance to where the address probably is, in metres; 0 where that is not known.
pub(super) fn distance_m(bias: &Bias, position: LatLng) -> f64 {
    bias.near.map_or(0.0, |near| near.distance_m(position))
}
