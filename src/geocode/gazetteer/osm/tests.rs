//! Reads written files in every style, and files that are cut, changed or of something else.

use proptest::prelude::*;

use super::super::manifest::Origin;
use super::fixture::{ELEMENTS, Style, blob, data, file, header};
use super::*;

fn of() -> Of {
    Of { source: Source { origin: Origin::Osm, file: 0 }, country: CountryCode::parse("FI") }
}

fn read_bytes(bytes: &[u8]) -> Result<(Vec<Town>, Vec<Door>, Report), Error> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("extract.osm.pbf");
    fs::write(&path, bytes).unwrap();
    let found = survey(&path, of(), &|_| ())?;
    let mut doors = Vec::new();
    let report = read(&path, of(), found.wanted, &|_| (), &mut |door| {
        doors.push(door);
        Ok(())
    })?;
    Ok((found.towns, doors, report))
}

#[test]
fn addresses_streets_and_places_are_read_in_every_style() {
    for style in [Style::Usual, Style::Plain, Style::Zstd] {
        let (towns, doors, report) = read_bytes(&file(ELEMENTS, style)).unwrap();
        assert_eq!(towns.iter().map(|town| town.name.as_str()).collect::<Vec<_>>(), ["Kylä"]);
        let text = |door: &Door| {
            format!("{} {} {} {:.4} {:.4}", door.id, door.street, door.number, door.position.lat(), door.position.lng())
        };
        let expect = [
            "5 Kirkkokatu 3 60.1100 25.0100",
            "281474976710661 Kirkkokatu 5 60.1100 25.0100",
            "-20 Kirkkokatu 4 B 60.1300 25.0300",
            "-21 Rantatie  60.1200 25.0400",
        ];
        assert_eq!(doors.iter().map(text).collect::<Vec<_>>(), expect, "{style:?}");
        assert_eq!((doors[0].postcode.as_str(), doors[2].town.as_str()), ("00100", "Helsinki"));
        assert_eq!(doors[0].country, CountryCode::parse("FI"));
        assert_eq!(report.to_string(), "3 kept, 1 without a street, 1 without a position", "{style:?}");
    }
}

#[test]
fn what_is_not_read_here_is_told_with_its_offset() {
    let check = |bytes: &[u8], expect: &str| {
        let fault = read_bytes(bytes).map(|_| ()).unwrap_err();
        assert!(matches!(&fault, Error::SourceFile { cause, .. } if cause.contains(expect)), "{fault}");
    };
    let good = header(&["OsmSchema-V0.6"]);
    let nodes = blob("OSMData", &data(ELEMENTS[..1].iter(), Style::Usual), Style::Usual);
    let ways = blob("OSMData", &data(ELEMENTS[8..].iter(), Style::Usual), Style::Usual);
    let join = |parts: &[&[u8]]| parts.concat();
    check(b"", "no header");
    check(b"\x89PNG\r\n\x1a\n", "byte 0 is damaged: its header is larger than the format allows");
    check(b"<?xml version", "byte 0 is damaged");
    check(&good, "no address");
    check(&nodes, "byte 0 is damaged: no header");
    check(&header(&["HistoricalInformation"]), "a feature that is not read here");
    check(&join(&[&good, &ways, &nodes]), "sort it with `osmium sort`");
    check(
        &join(&[&good, &nodes[..nodes.len() - 1]]),
        &format!("byte {} is damaged: the file ends within it", good.len()),
    );

    let packed = |field: u8, size: u64| {
        let mut body = Vec::new();
        prost::encoding::uint64::encode(2, &size, &mut body);
        prost::encoding::bytes::encode(field.into(), &vec![1, 2, 3], &mut body);
        let mut header = Vec::new();
        prost::encoding::string::encode(1, &"OSMData".to_owned(), &mut header);
        prost::encoding::uint64::encode(3, &(body.len() as u64), &mut header);
        join(&[&good, &[0, 0, 0, u8::try_from(header.len()).unwrap()], &header, &body])
    };
    check(&packed(4, 3), "LZMA");
    check(&packed(6, 3), "LZ4");
    check(&packed(3, 3), "does not unpack");
    check(&packed(3, 33 << 20), "larger than the format allows");
    // A bomb: 64 MiB of zeros that say that they are 32.
    let bomb = blob("OSMData", &vec![0; 64 << 20], Style::Usual);
    check(&join(&[&good, &bomb]), "larger than the format allows");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// No cut and no change of bytes makes the reader fall: it reads something, or says what is wrong.
    #[test]
    fn damaged_files_are_errors(
        style in prop_oneof![Just(Style::Usual), Just(Style::Plain), Just(Style::Zstd)],
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = file(ELEMENTS, style);
        for (at, flip) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Err(fault) = read_bytes(&bytes) {
            prop_assert!(matches!(fault, Error::SourceFile { .. }), "{}", fault);
        }
    }
}
