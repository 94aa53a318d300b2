//! The open index, and the way from a query to candidates in their order.
//!
//! Blocking and computing; `mod` sees to it that it runs where that does no harm.

use std::cmp::Ordering;
use std::fmt::{self, Display};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tantivy::columnar::Column;
use tantivy::directory::MmapDirectory;
use tantivy::schema::Value;
use tantivy::store::StoreReader;
use tantivy::{DocId, Index, SegmentReader, TantivyDocument};

use super::PROVIDER;
use super::atlas::{Atlas, Spotted};
use super::explain::{InCountry, Reading, explain};
use super::manifest::Manifest;
use super::question::Question;
use super::record::{Record, Spot, Wanted};
use super::retrieve::{Lists, Match};
use super::schema::{COUNTRY, Fields, LAT, LNG, SIZE, country_number};
use super::sources::unreadable;
use crate::geocode::confidence::nearness;
use crate::geocode::{Bias, Candidate, Error};
use crate::model::address::{AddressQuery, CountryCode};
use crate::model::evidence::Storage;
use crate::model::geo::{DISTANCE_M_MAX, LatLng};

/// The confidence with which a question counts as answered: below it, misspelt names are searched too.
const ANSWERED: f64 = 0.85;
/// The least confidence of a candidate: below it, nearly all words are about something else.
const CONFIDENCE_MIN: f64 = 0.05;
/// Records that are read for each candidate asked for: several may fall together, and some order anew.
const READ_PER_CANDIDATE: usize = 3;
/// Blocks of stored records that are kept unpacked: one block is 16 KiB, and an answer touches about as many.
const STORE_CACHE_BLOCKS: usize = 256;

/// How far a door may be from a position to be its address, in metres: the other side of a large yard or car park.
const DOOR_M_MAX: f64 = 250.0;
/// How far the centre of a place may be from a position for it to be in or near it, in metres.
const PLACE_M_MAX: f64 = 30_000.0;
/// Documents that are judged for a text that is being typed, the nearest and the largest of them: a short beginning
/// names thousands, of which a person looks at ten.
const BEGUN_JUDGED_MAX: usize = 512;

/// An index that is open for reading.
pub(super) struct OpenIndex {
    directory: PathBuf,
    manifest: Manifest,
    fields: Fields,
    segment: Segment,
    /// Blocking to make, so made at most once.
    atlas: OnceLock<Result<Atlas, Error>>,
}

/// The one segment of the index.
struct Segment {
    documents: DocId,
    lists: Lists,
    store: StoreReader,
    size: Column<u64>,
    lat: Column<f64>,
    lng: Column<f64>,
    country: Column<u64>,
}

/// A document that answers, before its record is read.
#[derive(Debug, Clone, Copy)]
struct Found {
    document: DocId,
    reading: Reading,
    rank: Rank,
}

/// What decides between equal confidences; see [`Rank::compare`].
#[derive(Debug, Clone, Copy)]
struct Rank {
    distance_m: f64,
    is_in_country: bool,
    size: u64,
}

impl fmt::Debug for OpenIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("OpenIndex");
        text.field("directory", &self.directory).field("manifest", &self.manifest).finish_non_exhaustive()
    }
}

impl OpenIndex {
    /// Opens the index in `directory`; see [`super::Gazetteer::open`].
    pub(super) fn open(directory: &Path) -> Result<Self, Error> {
        let fault = |cause: tantivy::TantivyError| unreadable(directory, &cause);
        let manifest = Manifest::read(directory).map_err(|cause| unreadable(directory, &cause))?;
        let mapped = MmapDirectory::open(directory).map_err(|cause| unreadable(directory, &cause))?;
        let index = Index::open(mapped).map_err(fault)?;
        let (schema, fields) = Fields::new();
        if index.schema() != schema {
            return Err(unreadable(directory, &"its fields are not those of its format"));
        }
        // The segment is opened without a reader of the index: that one would write a lock into the directory.
        let segments = index.searchable_segments().map_err(fault)?;
        let [segment] = segments.as_slice() else {
            return Err(unreadable(directory, &format!("it has {} segments instead of one", segments.len())));
        };
        let segment = SegmentReader::open(segment).and_then(|reader| Segment::open(&reader, &fields)).map_err(fault)?;
        Ok(Self { directory: directory.to_owned(), manifest, fields, segment, atlas: OnceLock::new() })
    }

    /// What the index was built from.
    pub(super) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// A failure of this index.
    pub(super) fn fault(&self, cause: &dyn Display) -> Error {
        unreadable(&self.directory, cause)
    }

    /// The best `limit` candidates, best first.
    pub(super) fn answer(&self, query: &AddressQuery, bias: &Bias, limit: usize) -> Result<Vec<Candidate>, Error> {
        let question = Question::new(query);
        let found = self.segment.find(&question, bias, limit).map_err(|cause| self.fault(&cause))?;
        self.ranked(&question, found, bias, limit)
    }

    /// The places that a text may become while it is typed, at most `limit`, best first.
    pub(super) fn suggest(&self, typed: &str, bias: &Bias, limit: usize) -> Result<Vec<Candidate>, Error> {
        let question = Question::typed(typed);
        // Behind a space the last word is whole.
        if !typed.ends_with(char::is_whitespace) {
            let found = self.segment.complete(&question, bias, limit).map_err(|cause| self.fault(&cause))?;
            let suggestions = self.ranked(&question, found, bias, limit)?;
            if suggestions.iter().any(|candidate| candidate.confidence >= ANSWERED) {
                return Ok(suggestions);
            }
        }
        self.answer(&AddressQuery::Line(typed.to_owned()), bias, limit)
    }

    /// The doors within [`DOOR_M_MAX`] of a position and the nearest place within [`PLACE_M_MAX`]; a door far off comes
    /// behind the place that it is in.
    pub(super) fn reverse(&self, position: LatLng, limit: usize) -> Result<Vec<Candidate>, Error> {
        let atlas = self.atlas()?;
        let mut candidates: Vec<Candidate> = Vec::new();
        let doors = atlas.doors_near(position, DOOR_M_MAX).into_iter().take(limit);
        let place = atlas.places_near(position, PLACE_M_MAX).into_iter().take(1);
        for spotted in doors.chain(place) {
            let Some(mut candidate) = self.spotted(spotted)? else { continue };
            candidate.confidence = nearness(candidate.position.distance_m(position), candidate.granularity);
            if !candidates.iter().any(|other| other.place_id == candidate.place_id) {
                candidates.push(candidate);
            }
        }
        candidates.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
        candidates.truncate(limit);
        Ok(candidates)
    }

    /// The place with this id.
    pub(super) fn look_up(&self, place_id: &str) -> Result<Option<Candidate>, Error> {
        for spotted in self.atlas()?.by_id(place_id) {
            let found = self.spotted(spotted)?.filter(|candidate| candidate.place_id == place_id);
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The tables of positions and ids; made by the first who needs them, which takes a second or two. Blocking.
    pub(super) fn atlas(&self) -> Result<&Atlas, Error> {
        let made = self.atlas.get_or_init(|| {
            let mut atlas = Atlas::default();
            for document in 0..self.segment.documents {
                atlas.add(document, self.segment.position(document), &self.record(document)?);
            }
            atlas.sort();
            Ok(atlas)
        });
        made.as_ref().map_err(Clone::clone)
    }

    /// The candidate of a record or house, sure of itself.
    fn spotted(&self, spotted: Spotted) -> Result<Option<Candidate>, Error> {
        let record = self.record(spotted.document)?;
        Ok(record.spot(spotted.house).and_then(|spot| self.candidate(spotted.document, &record, spot, 1.0)))
    }

    /// The best candidates of the documents that were found, best first.
    fn ranked(
        &self,
        question: &Question,
        found: Vec<Found>,
        bias: &Bias,
        limit: usize,
    ) -> Result<Vec<Candidate>, Error> {
        let mut candidates = Vec::new();
        for found in found {
            let record = self.record(found.document)?;
            candidates.extend(self.candidates(question, &found, bias, &record));
        }
        candidates.sort_by(|(a, rank_a), (b, rank_b)| {
            let confidence = b.confidence.total_cmp(&a.confidence);
            confidence.then_with(|| rank_a.compare(rank_b)).then_with(|| a.place_id.cmp(&b.place_id))
        });
        let mut best: Vec<Candidate> = Vec::with_capacity(limit);
        for (candidate, _) in candidates {
            // A house with a name of its own is found by both: once is enough.
            if best.len() < limit && !best.iter().any(|other| other.place_id == candidate.place_id) {
                best.push(candidate);
            }
        }
        Ok(best)
    }

    fn record(&self, document: DocId) -> Result<Record, Error> {
        let stored: TantivyDocument = self.segment.store.get(document).map_err(|cause| self.fault(&cause))?;
        let bytes = stored.get_first(self.fields.record()).and_then(|value| value.as_bytes()).unwrap_or_default();
        Record::from_bytes(bytes).map_err(|cause| self.fault(&cause))
    }

    /// The candidates of a document that answers, with what decides between equals.
    fn candidates(&self, question: &Question, found: &Found, bias: &Bias, record: &Record) -> Vec<(Candidate, Rank)> {
        let key = found.reading.house.map(|words| question.key(words)).unwrap_or_default();
        let wanted = match found.reading.house {
            None => Wanted::Street,
            Some(_) if found.reading.house_is_there => Wanted::House(&key),
            Some(_) => Wanted::Like(&key),
        };
        let spots = record.spots(wanted).into_iter().filter_map(|spot| {
            let candidate = self.candidate(found.document, record, spot, found.reading.confidence)?;
            let position = candidate.position;
            Some((candidate, Rank { distance_m: distance_m(bias, position), ..found.rank }))
        });
        spots.collect()
    }

    /// The candidate of a spot; `None` where neither it nor its document has a position.
    fn candidate(&self, document: DocId, record: &Record, spot: Spot, confidence: f64) -> Option<Candidate> {
        Some(Candidate {
            place_id: spot.place_id,
            formatted_address: spot.formatted_address,
            position: spot.position.or_else(|| self.segment.position(document))?,
            granularity: spot.granularity,
            confidence,
            country: self.segment.country_code(document),
            provider: PROVIDER.into(),
            attribution: self.manifest.attribution(record.origin()).to_owned(),
            storage: Storage::Unlimited,
        })
    }
}

impl Segment {
    fn open(reader: &SegmentReader, fields: &Fields) -> tantivy::Result<Self> {
        Ok(Self {
            documents: reader.max_doc(),
            lists: Lists::open(reader, fields)?,
            store: reader.get_store_reader(STORE_CACHE_BLOCKS)?,
            size: reader.fast_fields().u64(SIZE)?,
            lat: reader.fast_fields().f64(LAT)?,
            lng: reader.fast_fields().f64(LNG)?,
            country: reader.fast_fields().u64(COUNTRY)?,
        })
    }

    /// The documents that answer best, best first, a few more than `limit`.
    fn find(&self, question: &Question, bias: &Bias, limit: usize) -> tantivy::Result<Vec<Found>> {
        let mut hits = self.lists.exact(question)?;
        let mut found = self.judge(question, bias, &self.lists.documents(&hits)?);
        let is_answered = found.iter().any(|found| found.reading.confidence >= ANSWERED);
        if !is_answered && !question.words.is_empty() {
            let misspelt = self.lists.misspelt(question, &hits)?;
            hits.extend(misspelt);
            found = self.judge(question, bias, &self.lists.documents(&hits)?);
        }
        found.sort_unstable_by(Found::compare);
        found.truncate(limit * READ_PER_CANDIDATE);
        Ok(found)
    }

    /// The documents that a text may name when it is typed to its end, best first, a few more than `limit`.
    fn complete(&self, question: &Question, bias: &Bias, limit: usize) -> tantivy::Result<Vec<Found>> {
        let mut hits = self.lists.exact(question)?;
        hits.extend(self.lists.begun(question)?);
        let matches = self.lists.documents(&hits)?;
        let mut groups: Vec<(Rank, &[(DocId, Match)])> =
            matches.chunk_by(|a, b| a.0 == b.0).map(|group| (self.rank(group[0].0, bias), group)).collect();
        if groups.len() > BEGUN_JUDGED_MAX {
            // One half of them for the largest, the other for the nearest of the rest.
            groups.sort_by_key(|(rank, _)| std::cmp::Reverse(rank.size));
            groups[BEGUN_JUDGED_MAX / 2..].sort_by(|a, b| a.0.compare(&b.0));
            groups.truncate(BEGUN_JUDGED_MAX);
        }
        let judged = groups.into_iter().flat_map(|(_, group)| self.judge(question, bias, group));
        let mut found: Vec<Found> = judged.collect();
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
    fn judge(&self, question: &Question, bias: &Bias, matches: &[(DocId, Match)]) -> Vec<Found> {
        let stated = country_number(question.country);
        let mut found = Vec::new();
        for group in matches.chunk_by(|a, b| a.0 == b.0) {
            let document = group[0].0;
            let country = self.country.first(document).unwrap_or_default();
            let in_country = match (stated, country) {
                (0, _) => InCountry::Unstated,
                (stated, country) if stated == country || country == 0 => InCountry::Inside,
                _ => InCountry::Outside,
            };
            let matches: Vec<Match> = group.iter().map(|(_, found)| *found).collect();
            let Some(reading) = explain(question, &matches, in_country) else { continue };
            if reading.confidence < CONFIDENCE_MIN {
                continue;
            }
            found.push(Found { document, reading, rank: self.rank(document, bias) });
        }
        found
    }

    fn position(&self, document: DocId) -> Option<LatLng> {
        LatLng::new(self.lat.first(document)?, self.lng.first(document)?).ok()
    }

    fn country_code(&self, document: DocId) -> Option<CountryCode> {
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
    fn compare(&self, other: &Self) -> Ordering {
        let distance = self.distance_m.total_cmp(&other.distance_m);
        let country = || other.is_in_country.cmp(&self.is_in_country);
        distance.then_with(country).then_with(|| other.size.cmp(&self.size))
    }
}

/// The distance to where the address probably is, in metres; 0 where that is not known.
fn distance_m(bias: &Bias, position: LatLng) -> f64 {
    bias.near.map_or(0.0, |near| near.distance_m(position))
}
