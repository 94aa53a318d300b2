//! What a file must be to be opened, and that no damage to one does more than fail.

use std::fs::File;

use proptest::prelude::*;

use super::super::fixture::{Fixture, Value, asn, flat, map};
use super::*;

fn small(ip_version: u16) -> Fixture {
    Fixture::new(ip_version, "city ipv4")
        .with("8.8.8.0/24", flat("US", "California", "Mountain View", 37.4_f32, -122.1_f32))
        .with("9.0.0.0/8", flat("IS", "", "", 64.5, -21.5))
        .with("128.0.0.0/3", flat("IS", "", "", 64.5, -21.5))
}

fn open(bytes: Vec<u8>) -> Result<Database, Error> {
    Database::from_bytes(Path::new("x.mmdb"), bytes, AgePolicy::default())
}

fn check_refused(bytes: Vec<u8>, expect: &str) {
    let message = open(bytes).unwrap_err().to_string();
    assert!(message.contains(expect), "{message}");
}

/// A file of 256 networks whose records had been zeroed in part was taken in place of a good one.
#[test]
fn a_file_that_lost_a_part_of_its_records_is_refused() {
    let file = |empty: u8| {
        (0..=255_u8).fold(Fixture::new(4, "city ipv4"), |file, second| {
            let record = if second < empty { map([]) } else { flat("IS", "", "", 64.5, -21.5) };
            file.with(&format!("81.{second}.0.0/16"), record)
        })
    };
    assert!(open(file(64).bytes()).is_ok(), "files have some empty records");
    check_refused(file(65).bytes(), "65 of 256 of its records that were looked at are empty");
    check_refused(file(128).bytes(), "128 of 256");
}

#[test]
fn what_is_known_of_a_file_is_told() {
    let database = open(small(4).bytes()).unwrap();
    let info = database.info();
    assert_eq!((info.schema, info.ip_version), (Schema::Flat, 4));
    assert_eq!((info.ipv4_networks, info.ipv6_networks), (3, 0));
    assert_eq!(info.build_time.as_second(), 1_780_666_922);
    let countries =
        Fixture::new(4, "countries").with("8.0.0.0/8", map([("country", map([("iso_code", "US".into())]))]));
    assert_eq!(open(countries.bytes()).unwrap().info().schema, Schema::CountryOnly);
    let networks = Fixture::new(4, "asn").with("8.0.0.0/8", asn(64_496, "Example"));
    assert_eq!(open(networks.bytes()).unwrap().info().schema, Schema::NetworkOnly);
    assert_eq!(database.info().sha256.len(), 64);
    assert_eq!(database.info().bytes, small(4).bytes().len() as u64);
}

#[test]
fn files_that_are_no_databases_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        std::fs::write(directory.path().join(name), bytes).unwrap();
        Database::open(&directory.path().join(name), AgePolicy::default()).unwrap_err()
    };
    assert!(matches!(file("empty", b""), Error::NotMmdb { .. }));
    assert!(matches!(file("text", b"<html>404</html>"), Error::NotMmdb { .. }));
    assert!(matches!(file("gzip", &[0x1f, 0x8b, 8, 0, 0, 0]), Error::NotMmdb { .. }));
    let missing = Database::open(&directory.path().join("missing"), AgePolicy::default()).unwrap_err();
    assert!(missing.to_string().contains("missing cannot be read: ") && matches!(missing, Error::Unreadable { .. }));
    let directory_itself = Database::open(directory.path(), AgePolicy::default()).unwrap_err();
    assert!(directory_itself.to_string().contains("not a regular file"), "{directory_itself}");
    let sparse = directory.path().join("sparse");
    File::create(&sparse).unwrap().set_len(4 << 30).unwrap();
    assert!(matches!(Database::open(&sparse, AgePolicy::default()).unwrap_err(), Error::TooLarge { .. }));
}

#[test]
#[cfg(unix)]
fn a_named_pipe_is_refused_without_waiting() {
    let pipe = tempfile::tempdir().unwrap().keep().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    assert!(matches!(Database::open(&pipe, AgePolicy::default()).unwrap_err(), Error::Unreadable { .. }));
    std::fs::remove_dir_all(pipe.parent().unwrap()).unwrap();
}

#[test]
fn damaged_metadata_is_refused() {
    check_refused(small(4).build_epoch(u64::MAX).bytes(), "build_epoch");
    check_refused(small(4).build_epoch(1 << 40).bytes(), "its build_epoch 1099511627776 is no date");
    check_refused(small(4).record_size(20).bytes(), "is not a MaxMind DB file");
    let nothing = Fixture::new(4, "asn").with("8.0.0.0/8", map([("score", Value::Uint32(64496))]));
    check_refused(nothing.bytes(), "of type \"asn\" names neither positions nor countries nor networks");
    check_refused(Fixture::new(4, "city").bytes(), "names neither positions nor countries nor networks");
}

#[test]
fn every_truncation_is_refused() {
    let bytes = small(6).bytes();
    for length in 0..bytes.len() {
        assert!(open(bytes[..length].to_vec()).is_err(), "{length} of {} bytes", bytes.len());
    }
}

#[test]
fn damaged_trees_and_records_are_refused() {
    let mut bytes = small(4).bytes();
    // Node 0 leads to itself on both sides: without an end, the walk would visit 2³² leaves.
    bytes[..7].copy_from_slice(&[0; 7]);
    check_refused(bytes, "is damaged");
    let mut bytes = small(4).bytes();
    bytes[..7].copy_from_slice(&[0xff; 7]);
    check_refused(bytes, "is damaged");
    let pointer = Fixture::new(4, "city").with("8.0.0.0/8", Value::Pointer(0x00ff_ffff));
    check_refused(pointer.bytes(), "is damaged");
}

#[test]
fn a_tree_that_shares_its_branches_without_end_is_refused() {
    // Each node leads to the next one on both sides, the last one nowhere: 2³¹ leaves in 32 nodes.
    let mut bytes = Fixture::new(4, "city").with("8.8.8.8/32", flat("US", "", "X", 1.5, 2.5)).bytes();
    for node in 0..31_u8 {
        let at = usize::from(node) * 7;
        bytes[at..at + 7].copy_from_slice(&[0, 0, node + 1, 0, 0, 0, node + 1]);
    }
    bytes[31 * 7..32 * 7].copy_from_slice(&[0, 0, 32, 0, 0, 0, 32]);
    check_refused(bytes, "its search tree loops");
}

#[test]
fn networks_are_walked_in_order() {
    let database = open(small(6).with("2a00::/16", flat("IS", "", "", f64::NAN, 1.5)).bytes()).unwrap();
    let texts = |ipv4: bool| -> Vec<String> {
        database.networks(ipv4).map(|(network, record)| format!("{network} {}", record.has_position())).collect()
    };
    assert_eq!(texts(true), ["8.8.8.0/24 true", "9.0.0.0/8 true", "128.0.0.0/3 true"]);
    assert_eq!(texts(false), ["2a00::/16 false"]);
}

#[test]
fn an_ipv6_question_to_an_ipv4_file_finds_nothing() {
    let database = open(small(4).bytes()).unwrap();
    assert!(matches!(database.look_up("2a00::1".parse().unwrap()), Ok(None)));
    assert!(matches!(database.look_up("8.8.8.8".parse().unwrap()), Ok(Some(_))));
}

/// Found by fuzzing: such a record ended the process, because each step of the chain took a frame of several kilobytes.
#[test]
fn a_pointer_to_itself_is_a_damaged_record_and_not_the_end_of_the_stack() {
    let itself = Fixture::new(4, "GeoLite2-City").with("8.8.8.0/24", Value::Pointer(0)).bytes();
    let with_its_stack = std::thread::Builder::new().stack_size(crate::geoip::STACK_BYTES);
    let opened = with_its_stack.spawn(move || open(itself).map(|_| ()).unwrap_err().to_string());
    let opened = opened.unwrap().join().unwrap();
    assert!(opened.contains("depth"), "{opened}");
}

/// Asks everything there is to ask; the answers may be anything, as long as there are some.
fn exercise(bytes: Vec<u8>) {
    let Ok(database) = open(bytes) else { return };
    for ip in ["8.8.8.8", "9.1.2.3", "130.0.0.1", "223.255.255.255", "2a00::1", "2606:4700::1"] {
        if let Ok(Some(answer)) = database.look_up(ip.parse().unwrap()) {
            let _ = answer.network();
            assert!(answer.record.position.is_none_or(|position| position.lat().is_finite()));
        }
    }
    for ipv4 in [true, false] {
        let _ = database.networks(ipv4).take(100).filter(|(_, record)| record.has_position()).count();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn flipped_bytes_never_panic(
        ip_version in prop::sample::select(vec![4_u16, 6]),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = small(ip_version).with("8.8.8.8/32", flat("US", "", "X", 1.5, 2.5)).bytes();
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        exercise(bytes);
    }

    #[test]
    fn random_bytes_never_panic(
        head in prop::collection::vec(any::<u8>(), 0..300),
        with_metadata in any::<bool>(),
    ) {
        let mut bytes = head;
        if with_metadata {
            let good = small(4).bytes();
            let marker = good.windows(14).position(|window| window == b"\xab\xcd\xefMaxMind.com").unwrap();
            bytes.resize(marker, 0);
            bytes.extend(&good[marker..]);
        }
        exercise(bytes);
    }
}

#[test]
fn a_file_that_is_written_while_it_is_checked_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = small(4).write(directory.path(), "x.mmdb");
    let (_, state) = read(&path).unwrap();
    check_unchanged(&path, &state).unwrap();
    std::fs::write(&path, small(6).bytes()).unwrap();
    assert!(matches!(check_unchanged(&path, &state), Err(Error::Changing { .. })));
    // One that was renamed over is another file: what was read is still whole.
    let (_, state) = read(&path).unwrap();
    std::fs::rename(small(4).write(directory.path(), "new"), &path).unwrap();
    check_unchanged(&path, &state).unwrap();
    std::fs::remove_file(&path).unwrap();
    check_unchanged(&path, &state).unwrap();
}
