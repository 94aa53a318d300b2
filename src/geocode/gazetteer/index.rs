//! The open index, and the way from a query to candidates in their order.
//!
//! Blocking and computing; `mod` sees to it that it runs where that does no harm.

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tantivy::directory::MmapDirectory;
use tantivy::{DocId, Index, SegmentReader};

use super::PROVIDER;
use super::atlas::{Atlas, Spotted};
use super::explain::House;
use super::manifest::Manifest;
use super::question::Question;
use super::record::{Record, Spot, area_of_id, interpolated_of_id};
use super::schema::{Fields, Kind};
use super::segment::{ANSWERED, Found, Rank, Segment, distance_m};
use super::sources::unreadable;
use super::street::Wanted;
use super::workshop::standing;
use crate::geocode::confidence::nearness;
use crate::geocode::{Bias, Candidate, Error};
use crate::model::address::AddressQuery;
use crate::model::evidence::Storage;
use crate::model::geo::LatLng;

/// How far a door may be from a position to be its address, in metres: the other side of a large yard or car park.
const DOOR_M_MAX: f64 = 250.0;
/// How far the centre of a place may be from a position for it to be in or near it, in metres.
const PLACE_M_MAX: f64 = 30_000.0;
/// An index that is open for reading.
pub(super) struct OpenIndex {
    directory: PathBuf,
    manifest: Manifest,
    segment: Segment,
    /// Blocking to make, so made at most once.
    atlas: OnceLock<Result<Atlas, Error>>,
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
        let directory = &standing(directory);
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
        Ok(Self { directory: directory.to_owned(), manifest, segment, atlas: OnceLock::new() })
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
        if let Some(key) = area_of_id(place_id) {
            let areas = self.segment.areas(key).map_err(|cause| self.fault(&cause))?;
            return self.first(areas.into_iter().map(|document| Spotted { document, house: None }), place_id, None);
        }
        let found = self.first(self.atlas()?.by_id(place_id), place_id, None)?;
        match interpolated_of_id(place_id) {
            Some((street, number)) if found.is_none() => {
                self.first(self.atlas()?.by_id(street), place_id, Some(number))
            }
            _ => Ok(found),
        }
    }

    /// The first of these that has the id; with a number, what the number means on it.
    fn first(
        &self,
        all: impl Iterator<Item = Spotted>,
        place_id: &str,
        number: Option<&str>,
    ) -> Result<Option<Candidate>, Error> {
        for spotted in all {
            let record = self.record(spotted.document)?;
            let spot = match number {
                None => record.spot(spotted.house),
                Some(number) => record.interpolated(number),
            };
            if let Some(spot) = spot.filter(|spot| spot.place_id == place_id) {
                return Ok(self.candidate(spotted.document, &record, spot, 1.0));
            }
        }
        Ok(None)
    }

    /// The tables of positions and ids; made by the first who needs them, which takes a second or two. Blocking.
    pub(super) fn atlas(&self) -> Result<&Atlas, Error> {
        let made = self.atlas.get_or_init(|| {
            let mut atlas = Atlas::default();
            // Areas are a million, and are found by their codes.
            for document in (0..self.segment.documents()).filter(|document| !self.segment.is(*document, Kind::Area)) {
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
        self.segment.record(document).map_err(|cause| self.fault(&cause))
    }

    /// The candidates of a document that answers, with what decides between equals.
    fn candidates(&self, question: &Question, found: &Found, bias: &Bias, record: &Record) -> Vec<(Candidate, Rank)> {
        let key = found.reading.house.words().map(|words| question.key(words)).unwrap_or_default();
        let wanted = match found.reading.house {
            House::Unasked => Wanted::Street,
            House::There(_) => Wanted::House(&key),
            House::Like(_) => Wanted::Like(&key),
            House::Missing(_) => Wanted::Missing(&key),
        };
        let reading = match record {
            Record::Street(street) if !question.is_typed => found.reading.of_street(question, &street.name),
            _ => found.reading,
        };
        let spots = record.spots(wanted).into_iter().filter_map(|spot| {
            let confidence = reading.confidence_of(spot.granularity);
            let candidate = self.candidate(found.document, record, spot, confidence)?;
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
            attribution: self.manifest.attribution(record.source()).to_owned(),
            storage: Storage::Unlimited,
        })
    }
}
