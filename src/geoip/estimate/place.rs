//! The place of an estimate while the databases are heard: whose position it is, what the others add, how far off they
//! put it.

use jiff::Timestamp;

use super::{Outcome, Parts, Reading, credit};
use crate::geoip::age::Freshness;
use crate::geoip::attribution::Attribution;
use crate::geoip::record::Record;
use crate::model::evidence::{AGREE_M_MAX, DIFFER_M_MIN, NetworkKind, OtherRecord, Part};
use crate::model::geo::LatLng;
use crate::model::location::{DatabaseEvidence, Granularity};
use crate::model::text::fold;

/// How far a place may be from the middle of its country, in metres: Hawaii is 5,900 km from that of the United States, and
/// no country without possessions overseas reaches farther.
const COUNTRY_M_MAX: f64 = 6_000_000.0;

/// A position with its evidence in the making.
pub(super) struct Place<'a> {
    pub(super) position: LatLng,
    pub(super) accuracy_m: Option<f64>,
    pub(super) granularity: Granularity,
    pub(super) evidence: DatabaseEvidence,
    maker: &'a Attribution,
}

impl<'a> Place<'a> {
    /// The place that a reading with a position states.
    pub(super) fn of(reading: &mut Reading<'a>, now: Timestamp) -> Self {
        let Outcome::Record(answer) = &reading.outcome else { unreachable!("the caller chose a reading of a record") };
        let (record, database) = (&answer.record, reading.database.info());
        let gave = &mut reading.gave;
        gave.insert(Part::Position);
        let mut take = |part: Part, text: &str| {
            if !text.is_empty() {
                gave.insert(part);
            }
            text.to_owned()
        };
        let evidence = DatabaseEvidence {
            database_type: database.database_type.clone(),
            build_time: database.build_time,
            network: answer.network(),
            city: take(Part::City, record.city),
            region: take(Part::Region, record.region),
            country: record.country,
            region_code: take(Part::RegionCode, record.region_code),
            postcode: take(Part::Postcode, record.postcode),
            time_zone: take(Part::TimeZone, record.time_zone),
            lowered_by: NetworkKind::default(),
            is_outdated: reading.database.freshness(now) >= Freshness::Outdated,
            others: Vec::new(),
            attribution: database.attribution.text.clone(),
        };
        if record.country.is_some() {
            gave.insert(Part::Country);
        }
        Self {
            position: record.position.expect("the caller chose a record with a position"),
            accuracy_m: record.accuracy_m,
            granularity: granularity(record),
            evidence,
            maker: &database.attribution,
        }
    }

    /// Hears another database: takes what is missing, and keeps how far off it puts the address.
    pub(super) fn hear(&mut self, reading: &mut Reading<'_>) {
        let Outcome::Record(answer) = &reading.outcome else { return };
        let (record, database) = (&answer.record, reading.database.info());
        let distance_m = record.position.map(|position| self.position.distance_m(position));
        let gave = self.complete(record, distance_m);
        if !gave.is_empty() {
            credit(&mut self.evidence.attribution, reading.database);
        }
        if distance_m.is_some() || !gave.is_empty() {
            self.evidence.others.push(OtherRecord {
                database_type: database.database_type.clone(),
                build_time: database.build_time,
                network: answer.network(),
                gave: gave.iter().collect(),
                distance_m,
                is_witness: distance_m.is_some() && self.is_witness(record, &database.attribution),
            });
        }
        reading.gave.insert_all(gave);
    }

    /// Whether a record's position can confirm or contradict this one: both mean a city, where the middle of a country
    /// means nothing, and neither is the other's copy.
    fn is_witness(&self, record: &Record<'_>, maker: &Attribution) -> bool {
        self.granularity.min(granularity(record)) >= Granularity::City && !self.maker.is_same_maker(maker)
    }

    /// Fills in what is missing, as far as the record does not contradict: the country from one whose position, if it has
    /// any, can lie in the same country; city and region from one of the same country
    /// that names no other region and lies no farther than where databases differ, a region's code from one that names
    /// the same region, postcode and time zone from one that means the same city.
    fn complete(&mut self, record: &Record<'_>, distance_m: Option<f64>) -> Parts {
        let mut gave = Parts::default();
        let Some(country) = record.country else { return gave };
        let evidence = &mut self.evidence;
        if evidence.country.is_none() {
            // Where the position is that of a city, the country is known by where that lies; the middle of a country or
            // of a region may be far from a place in it.
            let far_m = if granularity(record) >= Granularity::City { DIFFER_M_MIN } else { COUNTRY_M_MAX };
            if distance_m.is_some_and(|distance_m| distance_m > far_m) {
                return gave;
            }
            evidence.country = Some(country);
            gave.insert(Part::Country);
            return gave;
        }
        if evidence.country != Some(country) {
            return gave;
        }
        let mut fill = |part: Part, missing: &mut String, text: &str| {
            if missing.is_empty() && !text.is_empty() {
                text.clone_into(missing);
                gave.insert(part);
            }
        };
        // A record of another region, or from too far away, is that of another place, and its city may share the name.
        let is_same_region = is_same_name(&evidence.region, record.region)
            || is_same_name(&evidence.region_code, record.region_code)
            || evidence.region.is_empty()
            || record.region.is_empty();
        let is_same_place = is_same_region && distance_m.is_none_or(|distance_m| distance_m <= DIFFER_M_MIN);
        if is_same_place {
            fill(Part::City, &mut evidence.city, record.city);
            fill(Part::Region, &mut evidence.region, record.region);
        }
        if is_same_name(&evidence.region, record.region) {
            fill(Part::RegionCode, &mut evidence.region_code, record.region_code);
        }
        // Makers write one city in several ways; those whose positions agree mean the same one.
        let is_near = || distance_m.is_some_and(|distance_m| distance_m <= AGREE_M_MAX);
        let is_same_city = is_same_name(&evidence.city, record.city) || (!record.city.is_empty() && is_near());
        if is_same_place && is_same_city {
            fill(Part::Postcode, &mut evidence.postcode, record.postcode);
            fill(Part::TimeZone, &mut evidence.time_zone, record.time_zone);
        }
        gave
    }
}

/// The smallest thing that a record names; a bare position is taken to be as coarse as can be.
pub(in crate::geoip) fn granularity(record: &Record<'_>) -> Granularity {
    if !record.city.is_empty() {
        Granularity::City
    } else if record.region.is_empty() {
        Granularity::Country
    } else {
        Granularity::Region
    }
}

/// Whether both are named, and alike but for case.
fn is_same_name(one: &str, other: &str) -> bool {
    !one.is_empty() && !other.is_empty() && (one == other || fold(one) == fold(other))
}
