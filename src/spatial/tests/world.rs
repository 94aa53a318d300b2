//! Worlds to test on: entries that meet all special cases often, and maps of them.

use proptest::prelude::*;

use crate::model::geo::LatLng;
use crate::model::id::SiteId;
use crate::model::location::{Granularity, Source};
use crate::model::site::Status;
use crate::spatial::AccountMap;
use crate::spatial::entry::Entry;

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

/// A confirmed site at a door.
pub(in crate::spatial) fn entry(bits: u128, position: LatLng) -> Entry {
    Entry {
        site: SiteId::from_u128(bits),
        position,
        accuracy_m: None,
        granularity: Granularity::Door,
        source: Source::Pin,
        status: Status::Online,
        display_name: format!("site {bits}").into(),
    }
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

/// An entry of one of `sites` sites.
pub(in crate::spatial) fn any_entry(sites: u128) -> impl Strategy<Value = Entry> {
    let accuracy = prop_oneof![
        3 => Just(None),
        1 => prop::sample::select(vec![5.0, 900.0, 25_000.0, 900_000.0, 3e7, f64::NAN]).prop_map(Some),
    ];
    let fix = (any_position(), accuracy, prop::sample::select(GRANULARITIES.to_vec()), any::<bool>());
    let facets = (prop::sample::select(Source::ALL.to_vec()), prop::sample::select(Status::ALL.to_vec()));
    (0..sites, fix, facets).prop_map(|(bits, (position, accuracy_m, granularity, fine), (source, status))| Entry {
        accuracy_m,
        granularity: if fine { Granularity::Door } else { granularity },
        source,
        status,
        ..entry(bits, position)
    })
}

/// Entries of different sites.
pub(in crate::spatial) fn any_entries(most: usize) -> impl Strategy<Value = Vec<Entry>> {
    prop::collection::vec(any_entry(1), 0..most).prop_map(|mut entries| {
        for (bits, entry) in (1_u128..).zip(&mut entries) {
            // Scattered ids, so that their order is not that of the entries.
            entry.site = SiteId::from_u128(bits.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
        }
        entries
    })
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
            (entry.granularity, entry.source) = (Granularity::City, Source::GeoIp);
        }
        entry
    }))
}
