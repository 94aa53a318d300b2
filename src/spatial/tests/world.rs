//! Worlds to test on: entries that meet all special cases often, and maps of them.

use proptest::prelude::*;

use jiff::Timestamp;

use crate::model::attention::Attention;
use crate::model::card::{Card, CardField, CardPacker};
use crate::model::geo::LatLng;
use crate::model::id::SiteId;
use crate::model::location::{Granularity, Source};
use crate::model::site::Status;
use crate::spatial::AccountMap;
use crate::spatial::entry::{Entry, EntryRef, Place};
use crate::spatial::map_view::Standing;
use crate::spatial::mercator::Point;
use crate::spatial::stop::Stop;

/// All granularities.
pub(in crate::spatial) const GRANULARITIES: [Granularity; 7] = [
    Granularity::Country,
    Granularity::Region,
    Granularity::City,
    Granularity::Postcode,
    Granularity::Street,
    Granularity::Interpolated,
    Granularity::Door,
];

pub(in crate::spatial) fn at(lat: f64, lng: f64) -> LatLng {
    LatLng::new(lat, lng).unwrap()
}

/// A card of a name and a customer.
pub(in crate::spatial) fn card(name: &str, customer: &str) -> Card {
    let mut packer = CardPacker::new(name, Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
    packer.text(CardField::CustomerId, customer);
    packer.pack()
}

/// A confirmed site at a door.
pub(in crate::spatial) fn entry(bits: u128, position: LatLng) -> Entry {
    let place = Place { position, accuracy_m: None, granularity: Granularity::Door, source: Source::Pin };
    let card = card(&format!("site {bits}"), "");
    let (site, attention) = (SiteId::from_u128(bits), Attention::NONE);
    Entry { site, status: Status::Online, place: Some(place), attention, may_crowd: true, card }
}

/// The site with something else about its place.
pub(in crate::spatial) fn with(mut entry: Entry, change: impl FnOnce(&mut Place)) -> Entry {
    change(entry.place.as_mut().unwrap());
    entry
}

/// The place of a site that has one.
pub(in crate::spatial) fn place(entry: &Entry) -> Place {
    entry.place.unwrap()
}

/// Where a placed site is drawn, and where it stops.
pub(in crate::spatial) fn placed(entry: &Entry) -> (Point, Stop) {
    let place = place(entry);
    (Point::project(place.position), Stop::fitting(place.position, known(&place), place.granularity))
}

/// The site as the map gives it out, which has it placed.
pub(in crate::spatial) fn placed_in(map: &AccountMap, site: SiteId) -> EntryRef<'_> {
    match map.all().get(site) {
        Some(Standing::Placed(entry)) => entry,
        other => panic!("{site} is {other:?}"),
    }
}

/// The accuracy of a place that is a radius.
pub(in crate::spatial) fn known(place: &Place) -> Option<f64> {
    place.accuracy_m.filter(|radius| !radius.is_nan())
}

/// Positions with heaps: the poles, the antimeridian, the edge of the map, a few cities, and anywhere.
pub(in crate::spatial) fn any_position() -> impl Strategy<Value = LatLng> {
    let anywhere = (-90.0..=90.0_f64, -180.0..=180.0_f64).prop_map(|(lat, lng)| at(lat, lng));
    let special = (
        prop::sample::select(vec![-90.0, -89.9, -85.06, -85.051, 0.0, 51.5, 85.0511, 85.06, 89.99, 90.0]),
        prop::sample::select(vec![-180.0, -179.99, -0.1, 0.0, 0.1, 90.0, 179.99, 180.0]),
    );
    let special = special.prop_map(|(lat, lng)| at(lat, lng));
    let spread = prop::sample::select(vec![1e-9, 1e-6, 1e-4, 0.01, 0.5, 5.0]);
    let city = (0..6_u8, spread, -1.0..1.0_f64, -1.0..1.0_f64).prop_map(|(city, spread, north, east)| {
        let lng = 179.9 + f64::from(city) * 60.0 + east * spread;
        let lng = if lng > 180.0 { (lng + 180.0).rem_euclid(360.0) - 180.0 } else { lng };
        at(f64::from(city) * 10.0 + north * spread, lng)
    });
    prop_oneof![2 => anywhere, 1 => special, 4 => city]
}

/// A placed entry of one of `sites` sites.
pub(in crate::spatial) fn any_placed(sites: u128) -> impl Strategy<Value = Entry> {
    let accuracy = prop_oneof![
        3 => Just(None),
        1 => prop::sample::select(vec![5.0, 900.0, 25_000.0, 900_000.0, 3e7, f64::NAN]).prop_map(Some),
    ];
    let fix = (any_position(), accuracy, prop::sample::select(GRANULARITIES.to_vec()), any::<bool>());
    let facets = (prop::sample::select(Source::ALL.to_vec()), prop::sample::select(Status::ALL.to_vec()));
    let customer = prop::sample::select(CUSTOMERS.to_vec());
    (0..sites, fix, facets, customer).prop_map(
        |(bits, (position, accuracy_m, granularity, fine), (source, status), customer)| {
            let granularity = if fine { Granularity::Door } else { granularity };
            let place = Place { position, accuracy_m, granularity, source };
            let card = card(&format!("site {bits}"), customer);
            let (site, attention) = (SiteId::from_u128(bits), Attention::NONE);
            Entry { site, status, place: Some(place), attention, may_crowd: true, card }
        },
    )
}

/// Customers of the sites.
pub(in crate::spatial) const CUSTOMERS: [&str; 3] = ["acme", "globex", "initech"];

/// An entry of one of `sites` sites, placed or not.
pub(in crate::spatial) fn any_entry(sites: u128) -> impl Strategy<Value = Entry> {
    (any_placed(sites), prop::bool::weighted(0.9))
        .prop_map(|(entry, is_placed)| Entry { place: entry.place.filter(|_| is_placed), ..entry })
}

/// Placed entries of different sites.
pub(in crate::spatial) fn any_entries(most: usize) -> impl Strategy<Value = Vec<Entry>> {
    prop::collection::vec(any_placed(1), 0..most).prop_map(of_different_sites)
}

/// The entries with ids of their own, scattered, so that their order is not that of the entries.
pub(in crate::spatial) fn of_different_sites(mut entries: Vec<Entry>) -> Vec<Entry> {
    for (bits, entry) in (1_u128..).zip(&mut entries) {
        entry.site = SiteId::from_u128(bits.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
    }
    entries
}

/// `count` sites in heaps around some cities, the same each time.
pub(in crate::spatial) fn crowd(count: u32) -> AccountMap {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = || {
        // Xorshift: good enough to scatter sites.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        f64::from(u32::try_from(state >> 32).unwrap()) / f64::from(u32::MAX)
    };
    AccountMap::bulk((0..count).map(|bits| {
        let city = (random() * 20.0).floor();
        let (north, east) = (random().powi(3) * 2.0 - 1.0, random().powi(3) * 2.0 - 1.0);
        let mut entry = entry(u128::from(bits) + 1, at(city * 3.0 - 20.0 + north, city * 17.0 - 170.0 + east));
        entry.status = Status::ALL[usize::from(random() < 0.3) + usize::from(random() < 0.5) * 2];
        if random() < 0.3 {
            return with(entry, |place| (place.granularity, place.source) = (Granularity::City, Source::GeoIp));
        }
        entry
    }))
}
