//! Tables of what needs attention, and when a dismissed reason comes back.

use super::*;
use crate::model::address::{AddressQuery, CountryCode};
use crate::model::evidence::{GeocodedEvidence, Storage};
use crate::model::geo::LatLng;
use crate::model::location::{DatabaseEvidence, Evidence, Fix, Source};
use crate::model::site::{Site, TicketingLink};
use crate::model::site_address::SiteAddress;
use crate::model::ticketing::{LinkCheck, LinkState};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn bare() -> Site {
    Site::new("acme".parse().unwrap(), "Pump".into(), at(0))
}

fn country(code: &str) -> Option<CountryCode> {
    CountryCode::parse(code)
}

/// An estimate on the equator at 0° E.
fn estimate(granularity: Granularity, accuracy_m: Option<f64>) -> Fix {
    let evidence = Evidence::Database(DatabaseEvidence {
        database_type: String::new(),
        build_time: at(0),
        network: String::new(),
        city: String::new(),
        region: String::new(),
        country: country("GA"),
        region_code: String::new(),
        postcode: String::new(),
        time_zone: String::new(),
        lowered_by: crate::model::evidence::NetworkKind::default(),
        is_outdated: false,
        others: Vec::new(),
        attribution: String::new(),
    });
    fix(Source::GeoIp, 0.0, granularity, accuracy_m, evidence)
}

fn pin(km: f64) -> Fix {
    fix(Source::Pin, km, Granularity::Door, None, Evidence::Dropped)
}

fn address(km: f64, code: &str) -> Fix {
    let evidence = Evidence::Geocoded(GeocodedEvidence {
        provider: String::new(),
        place_id: String::new(),
        formatted_address: String::new(),
        query: String::new(),
        attribution: String::new(),
        country: country(code),
        storage: Storage::Unlimited,
    });
    fix(Source::Address, km, Granularity::Door, None, evidence)
}

/// A fix so many kilometres east of 0° N 0° E.
fn fix(source: Source, km: f64, granularity: Granularity, accuracy_m: Option<f64>, evidence: Evidence) -> Fix {
    let lng = (km * 1_000.0 / crate::model::geo::EARTH_RADIUS_M).to_degrees();
    let position = LatLng::new(0.0, lng).unwrap();
    Fix { source, position, accuracy_m, granularity, evidence, made_at: at(1), made_by: String::new() }
}

fn with(fixes: impl IntoIterator<Item = Fix>) -> Site {
    let mut site = bare();
    fixes.into_iter().for_each(|fix| site.fixes.put(fix));
    site
}

fn stated(state: AddressState) -> Site {
    let mut site = with([pin(0.0)]);
    let line = AddressQuery::Line("gata".into());
    site.address = Some(SiteAddress { state, ..SiteAddress::stated(&line, None, false, String::new(), at(1)) });
    site
}

fn check(site: &Site, expect: &str) {
    let names: Vec<_> = Attention::of(&SiteSketch::from(site)).iter().map(AttentionReason::as_str).collect();
    assert_eq!(names.join(" "), expect);
}

#[test]
fn records_say_what_needs_attention() {
    check(&bare(), "UNPLACED");
    check(&Site { deleted_at: Some(at(1)), ..bare() }, "");
    check(&with([pin(0.0)]), "");
    check(&stated(AddressState::Applied), "");
    check(&stated(AddressState::PinKept), "");
    check(&stated(AddressState::Ambiguous), "ADDRESS_AMBIGUOUS");
    check(&stated(AddressState::NotFound), "ADDRESS_FAILED");
    check(&stated(AddressState::Pending), "ADDRESS_PENDING");
    check(&stated(AddressState::Expired), "ADDRESS_EXPIRED");
    check(&Site { address: stated(AddressState::Pending).address, ..bare() }, "UNPLACED ADDRESS_PENDING");
}

#[test]
fn a_position_is_far_by_what_the_estimate_claims() {
    let far = "PIN_FAR_FROM_GEOIP";
    for (granularity, accuracy_m, km, expect) in [
        (Granularity::City, None, 299.0, ""),
        (Granularity::City, None, 301.0, far),
        (Granularity::City, Some(50_000.0), 299.0, ""),
        (Granularity::City, Some(50_000.0), 301.0, far),
        (Granularity::City, Some(200_000.0), 599.0, ""),
        (Granularity::City, Some(200_000.0), 601.0, far),
        (Granularity::Country, Some(50_000.0), 301.0, far),
        (Granularity::Region, None, 999.0, ""),
        (Granularity::Region, None, 1_001.0, far),
        (Granularity::Country, None, 2_999.0, ""),
        (Granularity::Country, None, 3_001.0, far),
        (Granularity::City, Some(f64::NAN), 301.0, far),
    ] {
        check(&with([pin(km), estimate(granularity, accuracy_m)]), expect);
    }
    check(&with([estimate(Granularity::City, None)]), "");
    check(&with([fix(Source::Device, 9_000.0, Granularity::Door, None, Evidence::Measured)]), "");
}

#[test]
fn another_country_is_far_behind_the_border() {
    for (km, code, expect) in
        [(99.0, "CG", ""), (101.0, "CG", "PIN_FAR_FROM_GEOIP"), (101.0, "GA", ""), (101.0, "", "")]
    {
        check(&with([address(km, code), estimate(Granularity::City, None)]), expect);
    }
}

fn dismissed(mut site: Site, reason: AttentionReason) -> Site {
    let fingerprint = fingerprint(reason, &SiteSketch::from(&site));
    site.dismissals.push(Dismissal { reason, fingerprint, by: "token:1".into(), at: at(2) });
    site
}

#[test]
fn what_was_dismissed_comes_back_with_other_facts() {
    let far = || with([pin(400.0), estimate(Granularity::City, None)]);
    let mut site = dismissed(far(), AttentionReason::PinFarFromGeoip);
    check(&site, "");
    site.note = "something else".into();
    check(&site, "");
    let newer = Fix { made_at: at(5), ..pin(401.0) };
    site.fixes.put(newer);
    check(&site, "PIN_FAR_FROM_GEOIP");
    let mut site = dismissed(far(), AttentionReason::PinFarFromGeoip);
    site.fixes.put(Fix { made_at: at(5), ..estimate(Granularity::City, Some(10.0)) });
    check(&site, "PIN_FAR_FROM_GEOIP");
    let mut site = dismissed(stated(AddressState::NotFound), AttentionReason::AddressFailed);
    check(&site, "");
    site.address.as_mut().unwrap().typed = "other".into();
    check(&site, "ADDRESS_FAILED");
    check(&dismissed(stated(AddressState::NotFound), AttentionReason::AddressPending), "ADDRESS_FAILED");
}

#[test]
fn the_fingerprints_are_those_that_records_hold() {
    let site = with([pin(400.0), estimate(Granularity::City, None)]);
    let sketch = SiteSketch::from(&site);
    let all = AttentionReason::ALL.map(|reason| fingerprint(reason, &sketch));
    // Others would end every dismissal that records hold.
    let held = [0x5096_a358, 0xd831_3c26, 0x8147_6569, 0xf57c_df1a, 0x892e_6ec9, 0x2fd4_d955, 0x15ab_abd4, 0xdb9d_585a];
    assert_eq!(all, held);
}

#[test]
fn sets_are_told_from_the_worst_on() {
    let set: Attention = [AttentionReason::Crowded, AttentionReason::Unplaced].into_iter().collect();
    assert_eq!(set.worst(), Some(AttentionReason::Unplaced));
    assert_eq!(set.with(AttentionReason::Unplaced, false).worst(), Some(AttentionReason::Crowded));
    assert!(Attention::NONE.is_none() && !set.is_none());
    for (at, reason) in AttentionReason::ALL.into_iter().enumerate() {
        assert_eq!(reason as usize, at);
        assert_eq!(AttentionReason::parse(reason.as_str()), Some(reason));
    }
}

#[test]
fn a_broken_link_needs_attention_until_a_person_says_otherwise_of_just_that_link() {
    let link = |organization: &str, state| TicketingLink {
        system: "zendesk".into(),
        organization_id: organization.into(),
        organization_name: "Acme".into(),
        external_site_id: String::new(),
        external_site_name: String::new(),
        uri: String::new(),
        check: LinkCheck { state, ..LinkCheck::default() },
    };
    let broken = AttentionReason::TicketingLinkBroken;
    let mut site = bare();
    for (state, expect) in [
        (LinkState::Unverified, false),
        (LinkState::Verified, false),
        (LinkState::Drifted, false),
        (LinkState::Broken, true),
    ] {
        site.ticketing_links = vec![link("1", LinkState::Verified), link("2", state)];
        assert_eq!(Attention::of(&SiteSketch::from(&site)).has(broken), expect, "{state:?}");
    }
    let fingerprint = fingerprint(broken, &SiteSketch::from(&site));
    site.dismissals.push(Dismissal { reason: broken, fingerprint, by: "anna".into(), at: at(1) });
    assert!(!Attention::of(&SiteSketch::from(&site)).has(broken));
    site.ticketing_links[0].check.state = LinkState::Broken;
    assert!(Attention::of(&SiteSketch::from(&site)).has(broken), "another one broke");
}
