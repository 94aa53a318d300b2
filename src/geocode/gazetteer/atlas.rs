//! Where every door and place is, and which record an id means: tables in memory, made beside the first questions.
//!
//! The index finds records by their words. These tables find them by position and by id, which few questions ask
//! for. They are made when the index is open, so that opening it stays a matter of milliseconds.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::thread;

use tantivy::DocId;
use tokio::sync::watch;
use tracing::{info, warn};

use super::index::OpenIndex;
use super::record::{Record, Spot};
use crate::model::geo::LatLng;

/// Metres of one degree of latitude, a little less than anywhere on the mean sphere: a band that is measured with it
/// is never too narrow.
const METRES_PER_DEGREE_MIN: f64 = 111_000.0;
/// How far the rounded coordinates of the table may lie from the exact ones, in metres: half a step of a 32-bit float
/// at 180 degrees, in both directions, and some more.
const ROUNDING_M: f64 = 2.0;

/// Whether the tables are made. Waiting for them takes nobody's thread.
#[derive(Debug, Clone)]
pub(super) struct Ready(watch::Receiver<bool>);

impl Ready {
    /// Makes the tables of an index on a thread of their own.
    pub(super) fn begin(index: &Arc<OpenIndex>) -> Self {
        let (made, ready) = watch::channel(false);
        let index = Arc::clone(index);
        let making = thread::Builder::new().name("gazetteer-atlas".to_owned()).spawn(move || {
            match index.atlas() {
                Ok(_) => info!("the gazetteer finds positions"),
                Err(cause) => warn!(%cause, "the gazetteer finds no positions"),
            }
            made.send_replace(true);
        });
        if let Err(cause) = making {
            warn!(%cause, "no thread for the gazetteer's tables: the first who needs them makes them");
        }
        Self(ready)
    }

    /// Waits until they are made, or nobody makes them: then whoever asks for them does.
    pub(super) async fn wait(mut self) {
        // An error is that their maker is gone.
        let _ = self.0.wait_for(|is_made| *is_made).await;
    }
}

/// A record, or one of its houses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spotted {
    /// The document of the record.
    pub(super) document: DocId,
    /// The house of the street; `None` for the record itself.
    pub(super) house: Option<u32>,
}

/// A position of the table.
#[derive(Debug, Clone, Copy)]
struct Point {
    lat: f32,
    lng: f32,
    spotted: Spotted,
}

/// The tables. About 40 bytes for each door and place.
#[derive(Debug, Default)]
pub(super) struct Atlas {
    /// All doors, by latitude.
    doors: Vec<Point>,
    /// All cities, towns and villages, by latitude.
    places: Vec<Point>,
    /// All ids, by their hash. A hash may stand for several ids, so whoever looks one up compares.
    ids: Vec<(u64, Spotted)>,
}

impl Atlas {
    /// Adds a record that stands at `position`. Call [`Self::sort`] when all are in.
    pub(super) fn add(&mut self, document: DocId, position: Option<LatLng>, record: &Record) {
        let whole = Spotted { document, house: None };
        self.ids.extend(record.spot(None).map(|spot| (hash(&spot.place_id), whole)));
        if let (Record::Place(_), Some(position)) = (record, position) {
            self.places.push(point(position, whole));
        }
        for house in 0.. {
            let Some(Spot { place_id, position: Some(position), .. }) = record.spot(Some(house)) else { break };
            let spotted = Spotted { document, house: Some(house) };
            self.ids.push((hash(&place_id), spotted));
            self.doors.push(point(position, spotted));
        }
    }

    /// Puts the tables into their order.
    pub(super) fn sort(&mut self) {
        for points in [&mut self.doors, &mut self.places] {
            points.sort_by(|a, b| a.lat.total_cmp(&b.lat));
            points.shrink_to_fit();
        }
        self.ids.sort_by_key(|(hash, spotted)| (*hash, spotted.document, spotted.house));
        self.ids.shrink_to_fit();
    }

    /// What may have this id; compare it with what the record says.
    pub(super) fn by_id(&self, place_id: &str) -> impl Iterator<Item = Spotted> + use<'_> {
        let wanted = hash(place_id);
        let from = self.ids.partition_point(|(hash, _)| *hash < wanted);
        self.ids[from..].iter().take_while(move |(hash, _)| *hash == wanted).map(|(_, spotted)| *spotted)
    }

    /// The doors within `radius_m` metres, nearest first; those a little farther may be among them.
    pub(super) fn doors_near(&self, position: LatLng, radius_m: f64) -> Vec<Spotted> {
        near(&self.doors, position, radius_m)
    }

    /// The cities, towns and villages whose centre is within `radius_m` metres, likewise.
    pub(super) fn places_near(&self, position: LatLng, radius_m: f64) -> Vec<Spotted> {
        near(&self.places, position, radius_m)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the table is rounded, as its comment says")]
fn point(position: LatLng, spotted: Spotted) -> Point {
    Point { lat: position.lat() as f32, lng: position.lng() as f32, spotted }
}

/// The points within the radius, nearest first. Cost: a look at each point of the band of latitudes.
fn near(points: &[Point], position: LatLng, radius_m: f64) -> Vec<Spotted> {
    let reach_m = radius_m + ROUNDING_M;
    let reach = reach_m / METRES_PER_DEGREE_MIN;
    let from = points.partition_point(|point| f64::from(point.lat) < position.lat() - reach);
    let band = points[from..].iter().take_while(|point| f64::from(point.lat) <= position.lat() + reach);
    let mut found: Vec<(f64, Spotted)> = band
        .filter_map(|point| {
            let distance_m = LatLng::new(point.lat.into(), point.lng.into()).ok()?.distance_m(position);
            (distance_m <= reach_m).then_some((distance_m, point.spotted))
        })
        .collect();
    found.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| (a.1.document, a.1.house).cmp(&(b.1.document, b.1.house))));
    found.into_iter().map(|(_, spotted)| spotted).collect()
}

fn hash(place_id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    place_id.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use tokio::sync::Semaphore;
    use tokio::time::{Instant, timeout};

    use super::super::manifest::Origin;
    use super::super::record::{Place, Source};
    use super::super::street::{self, House};
    use super::super::{Gazetteer, fixture};
    use super::*;
    use crate::geocode::{Bias, Error, Geocoder as _, Inquiry, Subject};
    use crate::model::address::AddressQuery;

    const SOON: Duration = Duration::from_secs(20);

    fn street(positions: &[LatLng]) -> Record {
        let house = |(index, position): (usize, &LatLng)| House {
            id: i64::try_from(index).unwrap(),
            label: index.to_string(),
            position: *position,
            address: None,
        };
        let houses = positions.iter().enumerate().map(house).collect();
        Record::Street(street::tests::street(houses))
    }

    fn atlas_of(positions: &[LatLng]) -> Atlas {
        let mut atlas = Atlas::default();
        atlas.add(0, None, &street(positions));
        atlas.sort();
        atlas
    }

    proptest! {
        /// Every house that lies within the radius is found, wherever it is, and nothing that lies well outside.
        #[test]
        fn what_is_near_is_found(
            degrees in proptest::collection::vec((-90.0..=90.0_f64, -180.0..=180.0_f64), 1..40),
            radius_m in 1.0..2_000_000.0_f64,
        ) {
            let positions: Vec<LatLng> = degrees.iter().map(|(lat, lng)| LatLng::new(*lat, *lng).unwrap()).collect();
            let atlas = atlas_of(&positions);
            for around in &positions {
                let found = atlas.doors_near(*around, radius_m);
                for (index, position) in positions.iter().enumerate() {
                    let is_found = found.iter().any(|spotted| spotted.house == u32::try_from(index).ok());
                    let distance_m = position.distance_m(*around);
                    prop_assert!(is_found || distance_m > radius_m, "{distance_m} m");
                    prop_assert!(!is_found || distance_m <= radius_m + 2.0 * ROUNDING_M, "{distance_m} m");
                }
            }
        }
    }

    #[test]
    fn ids_lead_to_their_records() {
        let mut atlas = atlas_of(&[LatLng::new(64.0, -21.0).unwrap()]);
        let place = Place {
            source: Source { origin: Origin::Geonames, file: 0 },
            id: 7,
            name: "Paris".into(),
            region: String::new(),
            country: String::new(),
        };
        atlas.add(1, LatLng::new(48.9, 2.3).ok(), &Record::Place(place));
        atlas.sort();
        let check = |id: &str, expect: &[(DocId, Option<u32>)]| {
            let found: Vec<_> = atlas.by_id(id).map(|spotted| (spotted.document, spotted.house)).collect();
            assert_eq!(found, expect, "{id}");
        };
        check("geonames/7", &[(1, None)]);
        check("is/stadfong/0", &[(0, Some(0))]);
        check("is/street/101/gata", &[(0, None)]);
        check("geonames/8", &[]);
        assert_eq!(atlas.places_near(LatLng::new(48.9, 2.3).unwrap(), 10.0).len(), 1);
    }

    /// The first who asked for a position waited two seconds, and kept others waiting with them.
    #[tokio::test]
    async fn whoever_needs_the_tables_waits_and_holds_nobody_up() {
        let directory = tempfile::tempdir().unwrap();
        let index = Arc::new(OpenIndex::open(&fixture::built(directory.path())).unwrap());
        let (made, ready) = watch::channel(false);
        let gazetteer = Gazetteer { index, turns: Arc::new(Semaphore::new(1)), ready: Ready(ready) };
        let ask = async |subject: Subject, time| {
            gazetteer.answer(&Inquiry::new(subject, &Bias::default(), 5), Instant::now() + time).await
        };
        let door = Subject::Position(LatLng::new(64.102, -21.9).unwrap());
        let reversing = gazetteer.clone();
        let inquiry = Inquiry::new(door.clone(), &Bias::default(), 5);
        let reversing = tokio::spawn(async move { reversing.answer(&inquiry, Instant::now() + SOON).await });
        let early = ask(door, Duration::from_millis(20)).await;
        assert!(matches!(early, Err(Error::TimedOut { .. })), "{early:?}");
        let address = Subject::Address(AddressQuery::Line("Laugavegur 1".to_owned()));
        assert!(!ask(address, SOON).await.unwrap().is_empty(), "addresses need no tables");
        assert!(!reversing.is_finished());
        made.send_replace(true);
        assert!(!reversing.await.unwrap().unwrap().is_empty());
    }

    #[tokio::test]
    async fn the_tables_are_made_when_the_index_is_open() {
        let directory = tempfile::tempdir().unwrap();
        let gazetteer = Gazetteer::open(&fixture::built(directory.path())).unwrap();
        timeout(SOON, gazetteer.ready.clone().wait()).await.expect("nobody asked, and they are made");
        assert!(*gazetteer.ready.0.borrow());
    }
}
