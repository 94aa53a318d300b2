//! What several databases make of one address: fallback part by part, kinds of network, agreement, and its explanation.

use std::fmt::Write as _;
use std::net::IpAddr;

use jiff::{Timestamp, ToSpan};

use super::super::GeoIp;
use super::super::config::{Config, DatabaseConfig};
use super::super::explain::Said;
use super::super::fixture::{Fixture, Value, asn, flat, map, stack};
use super::super::special::Wrapping;
use super::*;
use crate::model::evidence::Agreement;

const IP: &str = "8.8.8.8";

fn ip() -> IpAddr {
    IP.parse().unwrap()
}

/// When all fixtures were built.
fn built() -> Timestamp {
    Timestamp::from_second(1_780_666_922).unwrap()
}

/// A file whose record for the address is this one.
fn file(database_type: &str, record: Value) -> Fixture {
    Fixture::new(4, database_type).with("8.8.8.0/24", record)
}

/// A record in full, as nested files write it; `traits` are its last fields.
fn full(city: &str, lat: f64, lng: f64, traits: Value) -> Value {
    let names = |name: &str| map([("en", name.into())]);
    map([
        ("city", map([("names", names(city))])),
        ("country", map([("iso_code", "CH".into())])),
        (
            "location",
            map([
                ("accuracy_radius", Value::Uint16(20)),
                ("latitude", lat.into()),
                ("longitude", lng.into()),
                ("time_zone", "Europe/Zurich".into()),
            ]),
        ),
        ("postal", map([("code", "8001".into())])),
        ("subdivisions", Value::Array(vec![map([("iso_code", "ZH".into()), ("names", names("Zurich"))])])),
        ("traits", traits),
    ])
}

fn zurich() -> Value {
    full("Zürich", 47.37, 8.54, map([]))
}

/// What each database gave, one a line, behind its type.
fn gave(geoip: &GeoIp) -> String {
    geoip.explain(ip(), built()).steps.iter().fold(String::new(), |mut text, step| {
        writeln!(text, "{}: {:?}", step.database_type, step.gave).unwrap();
        text
    })
}

fn evidence(geoip: &GeoIp) -> DatabaseEvidence {
    geoip.estimate(ip(), built()).unwrap().evidence
}

#[test]
fn every_part_comes_from_the_first_file_that_states_it() {
    let network = map([
        ("autonomous_system_number", Value::Uint32(64_496)),
        ("isp", "Provider".into()),
        ("is_anycast", Value::Bool(false)),
    ]);
    let geoip = stack(&[
        file("A", map([("country_code", "CH".into()), ("latitude", 47.0.into()), ("longitude", 8.0.into())])),
        file("B", network),
        file("C GeoLite2-City", full("Zürich", 47.37, 8.54, map([("is_anycast", Value::Bool(true))]))),
        file("D", flat("CH", "Bern", "Bern", 46.9, 7.4)),
    ]);
    assert_eq!(
        gave(&geoip),
        "A: [Position, Country]\n\
         B: [Asn, Isp, Anycast]\n\
         C GeoLite2-City: [Region, RegionCode, City, Postcode, TimeZone]\n\
         D: []\n"
    );
    let findings = geoip.ask(ip(), built());
    let estimate = findings.estimate.unwrap();
    let it = &estimate.evidence;
    assert_eq!((it.city.as_str(), it.region.as_str(), it.region_code.as_str()), ("Zürich", "Zurich", "ZH"));
    assert_eq!((it.postcode.as_str(), it.time_zone.as_str()), ("8001", "Europe/Zurich"));
    assert_eq!(estimate.granularity, Granularity::Country, "the position is still that of the first file");
    assert_eq!(it.others.len(), 2, "B says nothing of the place");
    assert_eq!((it.others[0].database_type.as_str(), it.others[0].network.as_str()), ("C GeoLite2-City", "8.8.8.0/24"));
    assert_eq!(it.others[0].gave, [Part::Region, Part::RegionCode, Part::City, Part::Postcode, Part::TimeZone]);
    assert!(it.attribution.contains("DB-IP; This product includes GeoLite"), "{}", it.attribution);
    let facts = findings.network;
    assert_eq!((facts.asn, facts.isp.as_str(), facts.network.as_str()), (Some(64_496), "Provider", "8.8.8.0/24"));
    assert!(!facts.kind.anycast, "the first that states it wins");
}

#[test]
fn what_contradicts_is_not_borrowed() {
    // Another country: nothing.
    let geoip = stack(&[file("A", flat("DE", "", "", 51.0, 9.0)), file("B", zurich())]);
    assert_eq!(gave(&geoip), "A: [Position, Country]\nB: []\n");
    // Another region: no code. Another city, too far off to be the same under another name: no postcode.
    let geoip = stack(&[file("A", flat("CH", "Bern", "Bern", 46.9, 7.4)), file("B", zurich())]);
    assert_eq!(gave(&geoip), "A: [Position, Country, Region, City]\nB: []\n");
    // The same city by another name.
    let geoip = stack(&[file("A", flat("CH", "ZURICH", "Zurigo", 47.4, 8.5)), file("B", zurich())]);
    assert_eq!(gave(&geoip), "A: [Position, Country, Region, City]\nB: [RegionCode, Postcode, TimeZone]\n");
}

/// A position without a country took that of any record, from the other side of the earth too.
#[test]
fn a_country_from_too_far_is_not_borrowed() {
    let check = |lat: f64, second: Value, expect: &str| {
        let bare = map([("latitude", lat.into()), ("longitude", 8.54.into())]);
        let geoip = stack(&[file("A", bare), file("B", second)]);
        assert_eq!(gave(&geoip).lines().last().unwrap(), format!("B: {expect}"), "{lat}");
    };
    // A city within and beyond 100 km: one degree of latitude is 111.2 km.
    check(46.48, zurich(), "[Country]");
    check(46.46, zurich(), "[]");
    // The middle of a country within and beyond 6,000 km.
    let middle = || flat("CH", "", "", 47.37, 8.54);
    check(-6.0, middle(), "[Country]");
    check(-7.0, middle(), "[]");
    // A record without a position is of the same address, and contradicts nothing.
    check(-33.0, map([("country_code", "CH".into())]), "[Country]");
}

#[test]
fn names_of_another_region_or_from_too_far_are_not_borrowed() {
    let check = |first: Value, second: Value, expect: &str| {
        let geoip = stack(&[file("A", first.clone()), file("B", second)]);
        assert_eq!(gave(&geoip).lines().last().unwrap(), format!("B: {expect}"), "{first:?}");
    };
    let of = |region: &str, city: &str, lat: f64| flat("CH", region, city, lat, 8.54);
    let everything = "[Region, RegionCode, City, Postcode, TimeZone]";
    check(of("", "", 47.37), zurich(), everything);
    check(of("Zurich", "", 47.37), zurich(), "[RegionCode, City, Postcode, TimeZone]");
    check(of("Bern", "", 47.37), zurich(), "[]");
    // There may be a place of the name in two regions.
    check(of("Bern", "Zürich", 47.37), zurich(), "[]");
    check(of("", "Zürich", 47.37), zurich(), "[Region, RegionCode, Postcode, TimeZone]");
    check(of("", "Zürich", 46.37), zurich(), "[]");
    // 99 and 101 km: one degree of latitude is 111.2 km.
    check(of("", "", 46.48), zurich(), everything);
    check(of("", "", 46.46), zurich(), "[]");
    check(of("Zurich", "", 46.46), zurich(), "[RegionCode]");
    // Without a region of its own, and without a position.
    let unplaced = map([("country_code", "CH".into()), ("city", "Zürich".into())]);
    check(of("Bern", "", 47.37), unplaced, "[City]");
    check(of("Bern", "", 47.37), of("", "Zürich", 47.37), "[City]");
    // One region by two names.
    let canton = |name: &str, city: &str| {
        let names = |name: &str| map([("en", name.into())]);
        map([
            ("city", map([("names", names(city))])),
            ("country", map([("iso_code", "CH".into())])),
            ("location", map([("latitude", 47.37.into()), ("longitude", 8.54.into())])),
            ("subdivisions", Value::Array(vec![map([("iso_code", "ZH".into()), ("names", names(name))])])),
        ])
    };
    check(canton("Canton of Zurich", ""), zurich(), "[City, Postcode, TimeZone]");
}

#[test]
fn a_file_before_the_one_with_the_position_completes_it_too() {
    let names = map([("country", map([("iso_code", "CH".into())])), ("city", "Zürich".into())]);
    let geoip = stack(&[
        file("A", names).with("9.9.9.0/24", flat("US", "", "", 1.5, 1.5)),
        file("B", map([("country_code", "CH".into()), ("latitude", 47.0.into()), ("longitude", 8.0.into())])),
    ]);
    assert_eq!(gave(&geoip), "A: [City]\nB: [Position, Country]\n");
}

#[test]
fn number_and_provider_belong_together() {
    let number = map([("asn", "AS64496".into())]);
    let of = |records: &[Value]| {
        let files: Vec<_> = records.iter().map(|record| file("x", record.clone())).collect();
        let facts = stack(&files).ask(ip(), built()).network;
        format!("{:?} {}", facts.asn, facts.isp)
    };
    assert_eq!(of(&[number.clone(), asn(64_497, "Other")]), "Some(64496) ");
    assert_eq!(of(&[number.clone(), asn(64_496, "Same")]), "Some(64496) Same");
    assert_eq!(of(&[number, map([("isp", "Unnumbered".into())])]), "Some(64496) Unnumbered");
    assert_eq!(of(&[asn(0, "Reserved")]), "None Reserved");
    assert_eq!(of(&[map([("organization", "O".into()), ("as_name", "A".into())])]), "None A");
    assert_eq!(of(&[asn(u32::MAX, "Last"), asn(1, "Level 3")]), "Some(4294967295) Last");
}

#[test]
fn a_network_is_known_without_a_place() {
    let geoip = stack(&[file("DBIP-ASN-Lite (compat=GeoLite2-ASN)", asn(64_496, "Example"))]);
    let findings = geoip.ask(ip(), built());
    assert_eq!(findings.estimate, Err(NoEstimate::NoDatabase), "a file of networks places nothing");
    assert_eq!((findings.network.asn, findings.network.isp.as_str()), (Some(64_496), "Example"));
    assert_eq!(findings.network.attribution, "IP Geolocation by DB-IP");
    assert_eq!(findings.network.build_time, Some(built()));
    let city = Fixture::new(4, "city").with("9.9.9.0/24", flat("US", "", "X", 1.5, 2.5));
    let both = stack(&[city, file("asn", asn(64_496, "Example"))]);
    assert_eq!(both.estimate(ip(), built()), Err(NoEstimate::NotFound));
    assert_eq!(both.ask("10.0.0.1".parse().unwrap(), built()).network, NetworkFacts::default());
}

#[test]
fn the_kind_of_network_lowers_the_claim() {
    let check = |traits: Value, expect: &str| {
        let geoip = stack(&[file("city", full("Zürich", 47.37, 8.54, traits.clone()))]);
        let estimate = geoip.estimate(ip(), built()).unwrap();
        let told = format!("{:?} {:?}", estimate.granularity, estimate.accuracy_m);
        assert_eq!(told, expect, "{traits:?}");
        assert_eq!(estimate.evidence.lowered_by.is_plain(), estimate.granularity == Granularity::City, "{traits:?}");
    };
    let yes = || Value::Bool(true);
    check(map([]), "City Some(20000.0)");
    check(map([("is_anycast", yes())]), "Country None");
    check(map([("is_satellite_provider", yes())]), "Country None");
    check(map([("is_hosting_provider", yes())]), "Region None");
    check(map([("is_hosting_provider", "yes".into())]), "City Some(20000.0)");
    check(map([("connection_type", "Cellular".into())]), "Region None");
    check(map([("connection_type", "Satellite".into())]), "Country None");
    check(map([("connection_type", "Cable/DSL".into())]), "City Some(20000.0)");
    check(map([("user_type", "hosting".into())]), "Region None");
    check(map([("user_type", "cellular".into()), ("is_anycast", Value::Bool(false))]), "Region None");
    check(map([("connection_type", "Corporate".into()), ("user_type", "cellular".into())]), "City Some(20000.0)");
    // A wide radius outlives it, and another file's word counts too.
    let wide = map([
        ("country_code", "CH".into()),
        ("city", "X".into()),
        (
            "location",
            map([("accuracy_radius", Value::Uint16(500)), ("latitude", 1.5.into()), ("longitude", 2.5.into())]),
        ),
    ]);
    let geoip = stack(&[file("city", wide), file("mobile", map([("is_mobile", yes())]))]);
    let estimate = geoip.estimate(ip(), built()).unwrap();
    assert_eq!((estimate.granularity, estimate.accuracy_m), (Granularity::Region, Some(500_000.0)));
    assert!(estimate.evidence.lowered_by.mobile);
}

#[test]
fn agreement_is_told_with_its_distances() {
    let check = |first: Value, second: Value, kind: &str, expect: Option<Agreement>| {
        let geoip = stack(&[file("A", first), file(kind, second)]);
        assert_eq!(evidence(&geoip).agreement(), expect);
        assert_eq!(geoip.explain(ip(), built()).agreement, expect);
    };
    let city = |lat: f64| flat("CH", "", "X", lat, 8.54);
    // One degree of latitude is 111.2 km.
    check(city(47.37), city(47.37), "GeoLite2-City", Some(Agreement::Agree));
    check(city(47.37), city(47.59), "GeoLite2-City", Some(Agreement::Agree));
    check(city(47.37), city(47.60), "GeoLite2-City", Some(Agreement::Near));
    check(city(47.37), city(48.26), "GeoLite2-City", Some(Agreement::Near));
    check(city(47.37), city(48.28), "GeoLite2-City", Some(Agreement::Differ));
    // The middle of a country is no witness, in either place; nor is the same maker's other file.
    check(flat("CH", "", "", 47.37, 8.54), city(47.37), "GeoLite2-City", None);
    check(city(47.37), flat("CH", "", "", 47.37, 8.54), "GeoLite2-City", None);
    check(city(47.37), city(47.37), "DBIP-City", None);
    check(city(47.37), asn(64_496, "Example"), "GeoLite2-ASN", None);
    let geoip = stack(&[file("A", city(47.37)), file("DBIP-City", city(48.37)), file("GeoLite2-City", city(49.37))]);
    let others = evidence(&geoip).others;
    let told: Vec<_> = others.iter().map(|other| (other.distance_m.unwrap().round(), other.is_witness)).collect();
    assert_eq!(told, [(111_195.0, false), (222_390.0, true)]);
}

#[test]
fn age_marks_and_refuses() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, city: &str| file(name, flat("CH", "", city, 47.0, 8.0)).write(directory.path(), name);
    let mut config = Config::of_files([write("a", "First"), write("b", "Second")]);
    config.age.mark_after_days = Some(40);
    config.databases[0].age.refuse_after_days = Some(60);
    let geoip = GeoIp::open(&config).unwrap();
    let check = |days: i64, expect: &str| {
        let now = built() + (24 * days).hours();
        let told = match geoip.estimate(ip(), now) {
            Ok(estimate) => format!("{} {}", estimate.evidence.city, estimate.evidence.is_outdated),
            Err(why) => format!("{why:?}"),
        };
        assert_eq!(told, expect, "after {days} days");
    };
    check(39, "First false");
    check(40, "First true");
    check(60, "Second true");
    config.databases[1] = DatabaseConfig { age: config.databases[0].age, ..config.databases[1].clone() };
    let geoip = GeoIp::open(&config).unwrap();
    let late = built() + (24 * 60).hours();
    assert_eq!(geoip.estimate(ip(), late), Err(NoEstimate::NoDatabase));
    let explanation = geoip.explain(ip(), late);
    assert!(explanation.steps.iter().all(|step| step.said == Said::Refused), "{explanation:?}");
}

#[test]
fn geolite_is_marked_by_its_terms_and_dbip_is_not() {
    let late = built() + (24 * 33).hours();
    let outdated = |name: &str| {
        let directory = tempfile::tempdir().unwrap();
        let path = file(name, flat("CH", "", "X", 47.0, 8.0)).write(directory.path(), "x.mmdb");
        let geoip = GeoIp::open(&Config::of_files([path])).unwrap();
        geoip.estimate(ip(), late).unwrap().evidence.is_outdated
    };
    assert!(outdated("GeoLite2-City"));
    assert!(!outdated("DBIP-City-Lite"));
}

#[test]
fn an_explanation_has_every_step() {
    let ipv6 = Fixture::new(6, "city ipv6").with("2606:4700::/32", flat("US", "", "Six", 3.5, 4.5));
    let other = Fixture::new(4, "elsewhere").with("9.9.9.0/24", flat("US", "", "X", 1.5, 2.5));
    let geoip = stack(&[ipv6, other, file("GeoLite2-City", zurich()), file("asn", asn(64_496, "Example"))]);
    let explanation = geoip.explain("64:ff9b:1::8.8.8.8".parse().unwrap(), built());
    assert_eq!((explanation.wrapping, explanation.findings.ip), (Some(Wrapping::Nat64Local), ip()));
    assert_eq!(explanation.block, None);
    assert_eq!(explanation.findings, geoip.ask(ip(), built()));
    let said: Vec<_> = explanation.steps.iter().map(|step| &step.said).collect();
    assert_eq!((said[0], said[1]), (&Said::NotCovered, &Said::NotFound));
    let Said::Record(stated) = said[2] else { panic!("{said:?}") };
    assert_eq!((stated.network.as_str(), stated.city.as_str(), stated.distance_m), ("8.8.8.0/24", "Zürich", Some(0.0)));
    assert_eq!((stated.accuracy_m, stated.region_code.as_str()), (Some(20_000.0), "ZH"));
    let Said::Record(stated) = said[3] else { panic!("{said:?}") };
    assert_eq!((stated.asn, stated.isp.as_str(), stated.position), (Some(64_496), "Example", None));

    let explanation = geoip.explain("::ffff:10.0.0.1".parse().unwrap(), built());
    assert_eq!(explanation.wrapping, Some(Wrapping::Mapped));
    assert_eq!(explanation.block.unwrap().name, "private use");
    assert_eq!((explanation.findings.estimate, explanation.steps), (Err(NoEstimate::Private), Vec::new()));
}
