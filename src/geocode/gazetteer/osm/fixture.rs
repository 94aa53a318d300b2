//! Writes small `.osm.pbf` files for tests, with another library's encoder.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use prost::encoding::{bytes, encode_varint, int64, sint64, string, uint64};

/// An element to write: id, position or nodes, tags.
pub(super) enum Wrote {
    Node(i64, (f64, f64), &'static [(&'static str, &'static str)]),
    Way(i64, &'static [i64], &'static [(&'static str, &'static str)]),
}

/// How blocks are packed, and nodes written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// Dense nodes in zlib: what every tool writes.
    Usual,
    /// Nodes that stand alone, not packed.
    Plain,
    /// Dense nodes in zstd.
    Zstd,
}

/// A village with addresses on a node, a house of four corners, and a street without houses.
pub(super) const ELEMENTS: &[Wrote] = &[
    Wrote::Node(1, (60.10, 25.00), &[("place", "village"), ("name", "Kylä"), ("population", "900")]),
    Wrote::Node(
        5,
        (60.11, 25.01),
        &[("addr:housenumber", "3;5"), ("addr:street", "Kirkkokatu"), ("addr:postcode", "00100")],
    ),
    Wrote::Node(7, (60.12, 25.02), &[]),
    Wrote::Node(8, (60.12, 25.04), &[]),
    Wrote::Node(9, (60.14, 25.04), &[]),
    Wrote::Node(10, (60.14, 25.02), &[]),
    Wrote::Node(11, (60.2, 25.1), &[("addr:housenumber", "7")]),
    Wrote::Node(12, (0.0, 95.0), &[("amenity", "cafe")]),
    Wrote::Way(
        20,
        &[7, 8, 9, 10, 7],
        &[("building", "yes"), ("addr:housenumber", "4 B"), ("addr:street", "Kirkkokatu"), ("addr:city", "Helsinki")],
    ),
    Wrote::Way(21, &[7, 8, 9], &[("highway", "residential"), ("name", "Rantatie")]),
    Wrote::Way(22, &[99], &[("highway", "service"), ("name", "Kujatie")]),
    Wrote::Way(23, &[7, 8], &[("building", "yes")]),
];

/// The village as a file.
pub(in crate::geocode::gazetteer) fn village() -> Vec<u8> {
    file(ELEMENTS, Style::Usual)
}

/// A blob with its header.
pub(super) fn blob(kind: &str, block: &[u8], style: Style) -> Vec<u8> {
    let mut body = Vec::new();
    match style {
        Style::Plain => bytes::encode(1, &block.to_vec(), &mut body),
        Style::Usual => {
            let mut packed = ZlibEncoder::new(Vec::new(), Compression::fast());
            packed.write_all(block).unwrap();
            uint64::encode(2, &(block.len() as u64), &mut body);
            bytes::encode(3, &packed.finish().unwrap(), &mut body);
        }
        Style::Zstd => {
            uint64::encode(2, &(block.len() as u64), &mut body);
            bytes::encode(7, &zstd::stream::encode_all(block, 1).unwrap(), &mut body);
        }
    }
    let mut header = Vec::new();
    string::encode(1, &kind.to_owned(), &mut header);
    uint64::encode(3, &(body.len() as u64), &mut header);
    let mut blob = u32::try_from(header.len()).unwrap().to_be_bytes().to_vec();
    blob.extend(header);
    blob.extend(body);
    blob
}

/// The header of a file that needs these features.
pub(super) fn header(features: &[&str]) -> Vec<u8> {
    let mut block = Vec::new();
    for feature in features {
        string::encode(4, &(*feature).to_owned(), &mut block);
    }
    blob("OSMHeader", &block, Style::Usual)
}

/// A whole file: nodes in one block, ways in another.
pub(super) fn file(elements: &[Wrote], style: Style) -> Vec<u8> {
    let mut file = header(&["OsmSchema-V0.6", "DenseNodes"]);
    // What is not known is passed over.
    file.extend(blob("Other", b"anything", Style::Plain));
    for is_way in [false, true] {
        let part = elements.iter().filter(|element| matches!(element, Wrote::Way(..)) == is_way);
        file.extend(blob("OSMData", &data(part, style), style));
    }
    file
}

/// A block of elements.
pub(super) fn data<'a>(elements: impl Iterator<Item = &'a Wrote>, style: Style) -> Vec<u8> {
    let mut strings: Vec<String> = vec![String::new()];
    let mut group = Vec::new();
    let mut dense: [Vec<u8>; 4] = Default::default();
    let mut last = [0_i64; 3];
    for element in elements {
        let (Wrote::Node(_, _, tags) | Wrote::Way(_, _, tags)) = element;
        let mut number = |text: &str| {
            let known = strings.iter().position(|own| own == text);
            known.unwrap_or_else(|| {
                strings.push(text.to_owned());
                strings.len() - 1
            }) as u64
        };
        let tags: Vec<(u64, u64)> = tags.iter().map(|(key, value)| (number(key), number(value))).collect();
        match element {
            Wrote::Node(id, (lat, lng), _) if style == Style::Plain => {
                let mut node = Vec::new();
                sint64::encode(1, id, &mut node);
                keys_and_values(&tags, &mut node);
                sint64::encode(8, &units(*lat), &mut node);
                sint64::encode(9, &units(*lng), &mut node);
                bytes::encode(1, &node, &mut group);
            }
            Wrote::Node(id, (lat, lng), _) => {
                for ((column, last), value) in dense.iter_mut().zip(&mut last).zip([*id, units(*lat), units(*lng)]) {
                    encode_varint(zigzag(value - *last), column);
                    *last = value;
                }
                for (key, value) in tags {
                    encode_varint(key, &mut dense[3]);
                    encode_varint(value, &mut dense[3]);
                }
                encode_varint(0, &mut dense[3]);
            }
            Wrote::Way(id, nodes, _) => {
                let (mut way, mut refs, mut last) = (Vec::new(), Vec::new(), 0);
                int64::encode(1, id, &mut way);
                keys_and_values(&tags, &mut way);
                for node in *nodes {
                    encode_varint(zigzag(node - last), &mut refs);
                    last = *node;
                }
                bytes::encode(8, &refs, &mut way);
                bytes::encode(3, &way, &mut group);
            }
        }
    }
    if !dense[0].is_empty() {
        let mut message = Vec::new();
        for (tag, column) in [1, 8, 9, 10].into_iter().zip(&dense) {
            bytes::encode(tag, column, &mut message);
        }
        bytes::encode(2, &message, &mut group);
    }
    let (mut table, mut block) = (Vec::new(), Vec::new());
    for text in &strings {
        string::encode(1, text, &mut table);
    }
    bytes::encode(1, &table, &mut block);
    bytes::encode(2, &group, &mut block);
    block
}

fn keys_and_values(tags: &[(u64, u64)], message: &mut Vec<u8>) {
    let (mut keys, mut values) = (Vec::new(), Vec::new());
    for (key, value) in tags {
        encode_varint(*key, &mut keys);
        encode_varint(*value, &mut values);
    }
    bytes::encode(2, &keys, message);
    bytes::encode(3, &values, message);
}

/// Degrees in units of 100 nanodegrees.
#[expect(clippy::cast_possible_truncation, reason = "180 degrees are 1.8 billion units")]
fn units(degrees: f64) -> i64 {
    (degrees * 1e7).round() as i64
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}
