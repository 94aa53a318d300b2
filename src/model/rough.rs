//! Where a site is to about a kilometre; and a site as it is shown to who sees no more of that, or nothing of it.
//!
//! A position is the middle of its cell of a grid that never changes. Never a random shift: who asks often would wear it down.
//! And never a finer answer to a cleverer question: whatever is asked is answered as if each site stood in the middle of its cell.

use super::access::Positions;
use super::evidence::{GeocodedEvidence, NetworkFacts};
use super::geo::LatLng;
use super::location::{DatabaseEvidence, Evidence, Fix, Fixes, Granularity};
use super::site::Site;

/// Rows of cells in a degree of latitude: 1.1 km each. In a row, as many cells as make each at least as wide.
const ROWS_OF_DEGREE: f64 = 100.0;
/// Rows from pole to pole.
const ROWS: f64 = 180.0 * ROWS_OF_DEGREE;
/// A longitude is told to ten metres: what is behind that is nothing but long.
const PARTS_OF_DEGREE: f64 = 10_000.0;
/// Least radius that is told of a rounded position, in metres: it holds the whole cell wherever it is.
pub const ROUGH_RADIUS_M_MIN: f64 = 1_000.0;
/// Farthest that the middle of a cell is from any place in it, in metres, but for a few cells around the poles.
const MOVED_M_MAX: f64 = 800.0;
/// Finest that is told of a rounded position.
const ROUGH_GRANULARITY_MAX: Granularity = Granularity::Postcode;

/// The middle of the cell that a position is in.
#[must_use]
pub fn rounded(position: LatLng) -> LatLng {
    let row = ((position.lat() + 90.0) * ROWS_OF_DEGREE).floor().clamp(0.0, ROWS - 1.0);
    let lat = (row + 0.5 - ROWS / 2.0) / ROWS_OF_DEGREE;
    let cells = (360.0 * ROWS_OF_DEGREE * lat.to_radians().cos()).floor().max(1.0);
    let cell = ((position.lng() + 180.0) / 360.0 * cells).floor().clamp(0.0, cells - 1.0);
    let lng = (cell + 0.5 - cells / 2.0) / cells * 360.0;
    let lng = (lng * PARTS_OF_DEGREE).round() / PARTS_OF_DEGREE;
    LatLng::new(lat, lng).expect("the middle of a cell is half a cell away from both ends of each range")
}

/// Radius and fineness of a position once it is rounded. A radius that nobody knows is told where the position was finer than that: the
/// cell is one.
#[must_use]
pub fn blurred(accuracy_m: Option<f64>, granularity: Granularity) -> (Option<f64>, Granularity) {
    let of_cell = (granularity > ROUGH_GRANULARITY_MAX).then_some(ROUGH_RADIUS_M_MIN);
    let accuracy_m = accuracy_m.map(|radius_m| (radius_m + MOVED_M_MAX).max(ROUGH_RADIUS_M_MIN));
    (accuracy_m.or(of_cell), granularity.min(ROUGH_GRANULARITY_MAX))
}

/// The site as it is shown to who sees positions so. The one place where that is decided.
#[must_use]
pub fn shown_as(positions: Positions, site: Site) -> Site {
    match positions {
        Positions::Exact => site,
        Positions::Approximate => roughened(site),
        Positions::Hidden => without_place(site),
    }
}

/// Of all fixes the one that counts, rounded, and of what it rests on nothing that tells more. No address: no part of a text is known to
/// tell less.
fn roughened(site: Site) -> Site {
    let fix = site.fixes.effective().cloned().map(rough_fix);
    Site { fixes: fix.into_iter().collect::<Vec<_>>().into(), address: None, ..site }
}

/// Nothing of where it is, nor of the addresses and networks that tell it more or less well.
fn without_place(site: Site) -> Site {
    Site {
        fixes: Fixes::default(),
        no_estimate: None,
        address: None,
        public_ip: None,
        public_network: None,
        claimed_ip: None,
        network: NetworkFacts::default(),
        ..site
    }
}

fn rough_fix(fix: Fix) -> Fix {
    let (accuracy_m, granularity) = blurred(fix.accuracy_m, fix.granularity);
    let evidence = rough_evidence(fix.evidence);
    Fix { position: rounded(fix.position), accuracy_m, granularity, evidence, ..fix }
}

/// What a position rests on, without what tells more than a town does. What licences ask to be shown stays.
fn rough_evidence(evidence: Evidence) -> Evidence {
    match evidence {
        Evidence::Database(evidence) => {
            Evidence::Database(DatabaseEvidence { postcode: String::new(), others: Vec::new(), ..evidence })
        }
        Evidence::Geocoded(evidence) => Evidence::Geocoded(GeocodedEvidence {
            place_id: String::new(),
            formatted_address: String::new(),
            query: String::new(),
            ..evidence
        }),
        // A network of the account's own may be named for its street.
        Evidence::Prefix(_) | Evidence::Dropped => Evidence::Dropped,
        Evidence::Measured => Evidence::Measured,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::model::address::AddressQuery;
    use crate::model::evidence::{PrefixEvidence, Storage};
    use crate::model::location::Source;
    use crate::model::site_address::SiteAddress;

    fn at(lat: f64, lng: f64) -> LatLng {
        LatLng::new(lat, lng).unwrap()
    }

    fn geocoded() -> GeocodedEvidence {
        GeocodedEvidence {
            provider: "photon".into(),
            place_id: "N42".into(),
            formatted_address: "Hidden Lane 7, Reykjavík".into(),
            query: "hidden lane 7".into(),
            attribution: "© somebody".into(),
            country: None,
            storage: Storage::Unlimited,
        }
    }

    fn site() -> Site {
        let now = Timestamp::UNIX_EPOCH;
        let mut site = Site::new("acme".parse().unwrap(), "pump".to_owned(), now);
        let fix = |source, lat, evidence| Fix {
            source,
            position: at(lat, -21.942_387),
            accuracy_m: None,
            granularity: Granularity::Door,
            evidence,
            made_at: now,
            made_by: "token:0123456789abcdef".into(),
        };
        site.fixes.put(fix(Source::Device, 64.2, Evidence::Measured));
        site.fixes.put(fix(Source::Address, 64.146_512, Evidence::Geocoded(geocoded())));
        let typed = AddressQuery::line("hidden lane 7").unwrap();
        site.address = Some(SiteAddress::stated(&typed, None, false, String::new(), now));
        site.public_ip = Some("8.8.8.8".parse().unwrap());
        site.claimed_ip = Some("10.0.0.7".parse().unwrap());
        site
    }

    #[test]
    fn a_site_is_shown_in_the_middle_of_its_cell_without_its_address() {
        let told = shown_as(Positions::Approximate, site());
        let fixes: Vec<&Fix> = told.fixes.iter().collect();
        let [fix] = fixes[..] else { panic!("the others tell as much: {fixes:?}") };
        assert_eq!((fix.position.lat(), fix.source), (64.145, Source::Address));
        assert_eq!((fix.accuracy_m, fix.granularity), (Some(1_000.0), Granularity::Postcode));
        let text = format!("{told:?}");
        for secret in ["64.146", "64.2", "21.942", "Hidden", "hidden", "N42"] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
        assert!(text.contains("© somebody"), "the licence asks for it: {text}");
        assert!(told.public_ip.is_some() && told.address.is_none());
        let exact = site();
        assert_eq!(shown_as(Positions::Exact, exact.clone()), exact);
    }

    #[test]
    fn a_hidden_site_says_nothing_of_where_it_is() {
        let told = shown_as(Positions::Hidden, site());
        assert_eq!((told.fixes.iter().count(), told.address, told.public_ip), (0, None, None));
        assert_eq!((told.claimed_ip, told.network), (None, NetworkFacts::default()));
        assert_eq!(told.display_name, "pump");
    }

    #[test]
    fn what_a_fix_rests_on_tells_no_more_than_a_town() {
        let prefix = PrefixEvidence { network: "10.9.0.0/16".into(), display_name: "Hidden Lane 7".into() };
        assert_eq!(rough_evidence(Evidence::Prefix(prefix)), Evidence::Dropped);
        let Evidence::Geocoded(told) = rough_evidence(Evidence::Geocoded(geocoded())) else { panic!() };
        assert_eq!((&*told.place_id, &*told.formatted_address, &*told.query), ("", "", ""));
    }

    #[test]
    fn a_radius_holds_the_cell_and_is_never_made_up_for_what_is_coarse() {
        for (known, fineness, told) in [
            (None, Granularity::Door, (Some(1_000.0), Granularity::Postcode)),
            (Some(5.0), Granularity::Door, (Some(1_000.0), Granularity::Postcode)),
            (Some(50_000.0), Granularity::City, (Some(50_800.0), Granularity::City)),
            (None, Granularity::City, (None, Granularity::City)),
            (None, Granularity::Country, (None, Granularity::Country)),
        ] {
            assert_eq!(blurred(known, fineness), told, "{known:?} {fineness:?}");
        }
    }

    #[test]
    fn the_ends_of_both_ranges_have_cells() {
        for (lat, lng) in [(90.0, 180.0), (-90.0, -180.0), (90.0, -180.0), (0.0, 180.0), (-90.0, 0.0)] {
            let told = rounded(at(lat, lng));
            assert!(told.distance_m(at(lat, lng)) < ROUGH_RADIUS_M_MIN, "{lat} {lng}: {told:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_told_is_near_and_the_same_for_the_whole_cell(
            lat in -90.0..=90.0_f64,
            lng in -180.0..=180.0_f64,
            (up, right) in (-0.49..0.49_f64, -0.49..0.49_f64),
        ) {
            let told = rounded(at(lat, lng));
            let moved_m = told.distance_m(at(lat, lng));
            prop_assert!(moved_m < ROUGH_RADIUS_M_MIN, "{moved_m}");
            prop_assert!(lat.abs() > 89.0 || moved_m < MOVED_M_MAX, "{moved_m}");
            prop_assert_eq!(rounded(told), told, "the middle of a cell is its own");
            let width = 1.0 / ROWS_OF_DEGREE / told.lat().to_radians().cos();
            if lat.abs() < 89.0 {
                let neighbour = at(told.lat() + up / ROWS_OF_DEGREE, (told.lng() + right * width).clamp(-180.0, 180.0));
                prop_assert_eq!(rounded(neighbour), told, "all of a cell is told alike");
            }
        }
    }
}
