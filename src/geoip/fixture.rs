//! A writer of small MMDB files for the tests of this module: any schema, both families, and wrong on purpose.
//!
//! Written from the `MaxMind` DB file format specification 2.0. Only built for tests.

use std::path::{Path, PathBuf};

use ipnet::IpNet;

use super::GeoIp;
use super::config::Config;

/// The bytes between the data section and the metadata.
const METADATA_MARKER: &[u8] = b"\xab\xcd\xefMaxMind.com";
/// Zero bytes between the search tree and the data section.
const SEPARATOR: [u8; 16] = [0; 16];

/// A value of the data section.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Text(String),
    Double(f64),
    Float(f32),
    Uint16(u16),
    Uint32(u32),
    Uint64(u64),
    Bool(bool),
    Bytes(Vec<u8>),
    Map(Vec<(&'static str, Value)>),
    Array(Vec<Value>),
    /// A pointer to an offset of the data section, which may be anything.
    Pointer(u32),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Double(number)
    }
}

impl From<f32> for Value {
    fn from(number: f32) -> Self {
        Self::Float(number)
    }
}

/// A map of values.
pub(crate) fn map<const N: usize>(entries: [(&'static str, Value); N]) -> Value {
    Value::Map(entries.into())
}

/// A record as the `@ip-location-db` packages write it; an empty `city` stays in, as it does there.
pub(crate) fn flat(country: &str, state1: &str, city: &str, lat: impl Into<Value>, lng: impl Into<Value>) -> Value {
    map([
        ("city", city.into()),
        ("country_code", country.into()),
        ("latitude", lat.into()),
        ("longitude", lng.into()),
        ("postcode", "".into()),
        ("state1", state1.into()),
        ("state2", "".into()),
        ("timezone", "".into()),
    ])
}

/// A record as `GeoIP2`, `GeoLite2` and DB-IP's own files write it; empty names are left out.
pub(crate) fn nested(country: &str, region: &str, city: &str, location: Value) -> Value {
    let named = |name: &str| map([("geoname_id", Value::Uint32(7)), ("names", names(name))]);
    let mut entries = vec![("country", map([("iso_code", country.into()), ("names", names("Land"))]))];
    if !city.is_empty() {
        entries.insert(0, ("city", named(city)));
    }
    entries.push(("location", location));
    if !region.is_empty() {
        entries.push(("subdivisions", Value::Array(vec![named(region), named("second level")])));
    }
    entries.push(("traits", map([("is_anycast", Value::Bool(false))])));
    Value::Map(entries)
}

/// A record as the ASN files of all makers write it.
pub(crate) fn asn(number: u32, organization: &str) -> Value {
    map([("autonomous_system_number", Value::Uint32(number)), ("autonomous_system_organization", organization.into())])
}

/// A stack of databases from files in a directory of their own; the first is named like DB-IP's.
pub(crate) fn stack(fixtures: &[Fixture]) -> GeoIp {
    let directory = tempfile::tempdir().unwrap();
    let name = |at: usize| if at == 0 { "dbip-city.mmdb".to_owned() } else { format!("{at}.mmdb") };
    let files = fixtures.iter().enumerate().map(|(at, file)| file.write(directory.path(), &name(at)));
    GeoIp::open(&Config::of_files(files)).unwrap()
}

fn names(name: &str) -> Value {
    map([("de", "falsch".into()), ("en", name.into())])
}

/// A file in the making.
#[derive(Debug, Clone)]
pub(crate) struct Fixture {
    ip_version: u16,
    record_size: u16,
    build_epoch: u64,
    database_type: String,
    records: Vec<(IpNet, Value)>,
}

impl Fixture {
    /// An empty file; `ip_version` is 4 or 6, and anything else for a broken one.
    pub(crate) fn new(ip_version: u16, database_type: &str) -> Self {
        let (record_size, build_epoch, records) = (28, 1_780_666_922, Vec::new());
        Self { ip_version, record_size, build_epoch, database_type: database_type.to_owned(), records }
    }

    pub(crate) fn record_size(mut self, bits: u16) -> Self {
        self.record_size = bits;
        self
    }

    pub(crate) fn build_epoch(mut self, seconds: u64) -> Self {
        self.build_epoch = seconds;
        self
    }

    /// Puts a record in; of two that overlap the later one counts.
    pub(crate) fn with(mut self, network: &str, record: Value) -> Self {
        self.records.push((network.parse().unwrap(), record));
        self
    }

    /// Writes the file into `directory`.
    pub(crate) fn write(&self, directory: &Path, name: &str) -> PathBuf {
        let path = directory.join(name);
        std::fs::write(&path, self.bytes()).unwrap();
        path
    }

    /// The whole file.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let (mut data, mut offsets) = (Vec::new(), Vec::new());
        for (_, record) in &self.records {
            offsets.push(u32::try_from(data.len()).unwrap());
            encode(record, &mut data);
        }
        let mut tree = Tree { nodes: vec![[Child::Empty; 2]] };
        for ((network, _), offset) in self.records.iter().zip(offsets) {
            tree.insert(&self.path_of(*network), offset);
        }
        let mut file = tree.encode(self.record_size);
        file.extend(SEPARATOR);
        file.extend(data);
        file.extend(METADATA_MARKER);
        encode(&self.metadata(tree.nodes.len()), &mut file);
        file
    }

    /// The bits that lead to a network; IPv4 ones stand below `::/96` of an IPv6 tree.
    fn path_of(&self, network: IpNet) -> Vec<usize> {
        let (bits, length) = match network {
            IpNet::V4(v4) if self.ip_version == 6 => (u128::from(v4.network().to_bits()), 96 + v4.prefix_len()),
            IpNet::V4(v4) => (u128::from(v4.network().to_bits()) << 96, v4.prefix_len()),
            IpNet::V6(v6) => (v6.network().to_bits(), v6.prefix_len()),
        };
        (0..length).map(|depth| usize::from(bits >> (127 - depth) & 1 == 1)).collect()
    }

    fn metadata(&self, node_count: usize) -> Value {
        map([
            ("binary_format_major_version", Value::Uint16(2)),
            ("binary_format_minor_version", Value::Uint16(0)),
            ("build_epoch", Value::Uint64(self.build_epoch)),
            ("database_type", self.database_type.as_str().into()),
            ("description", map([])),
            ("ip_version", Value::Uint16(self.ip_version)),
            ("languages", Value::Array(Vec::new())),
            ("node_count", Value::Uint32(u32::try_from(node_count).unwrap())),
            ("record_size", Value::Uint16(self.record_size)),
        ])
    }
}

/// One side of a node of the search tree.
#[derive(Debug, Clone, Copy)]
enum Child {
    Empty,
    Node(usize),
    Data(u32),
}

struct Tree {
    nodes: Vec<[Child; 2]>,
}

impl Tree {
    fn insert(&mut self, path: &[usize], offset: u32) {
        let (last, way) = path.split_last().unwrap();
        let mut node = 0;
        for bit in way {
            node = match self.nodes[node][*bit] {
                Child::Node(next) => next,
                // A broader record above is split, so that both halves still say the same.
                leaf => {
                    self.nodes.push([leaf; 2]);
                    self.nodes[node][*bit] = Child::Node(self.nodes.len() - 1);
                    self.nodes.len() - 1
                }
            };
        }
        self.nodes[node][*last] = Child::Data(offset);
    }

    fn encode(&self, record_size: u16) -> Vec<u8> {
        let node_count = u32::try_from(self.nodes.len()).unwrap();
        let value = |child: Child| match child {
            Child::Empty => node_count,
            Child::Node(node) => u32::try_from(node).unwrap(),
            Child::Data(offset) => node_count + 16 + offset,
        };
        let mut bytes = Vec::new();
        for [left, right] in &self.nodes {
            let (left, right) = (value(*left).to_be_bytes(), value(*right).to_be_bytes());
            match record_size {
                24 => bytes.extend([&left[1..], &right[1..]].concat()),
                28 => bytes.extend([&left[1..], &[left[0] << 4 | right[0]], &right[1..]].concat()),
                _ => bytes.extend([left, right].concat()),
            }
        }
        bytes
    }
}

fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Pointer(offset) => {
            out.push(0b0011_1000);
            out.extend(offset.to_be_bytes());
        }
        Value::Text(text) => payload(2, text.as_bytes(), out),
        Value::Double(number) => payload(3, &number.to_be_bytes(), out),
        Value::Bytes(bytes) => payload(4, bytes, out),
        Value::Uint16(number) => payload(5, &number.to_be_bytes(), out),
        Value::Uint32(number) => payload(6, &number.to_be_bytes(), out),
        Value::Uint64(number) => payload(9, &number.to_be_bytes(), out),
        Value::Float(number) => payload(15, &number.to_be_bytes(), out),
        Value::Bool(truth) => control(14, usize::from(*truth), out),
        Value::Map(entries) => {
            control(7, entries.len(), out);
            for (key, value) in entries {
                payload(2, key.as_bytes(), out);
                encode(value, out);
            }
        }
        Value::Array(values) => {
            control(11, values.len(), out);
            for value in values {
                encode(value, out);
            }
        }
    }
}

fn payload(type_number: u8, bytes: &[u8], out: &mut Vec<u8>) {
    control(type_number, bytes.len(), out);
    out.extend(bytes);
}

/// The control byte, the byte of an extended type, and the size where it does not fit into five bits.
fn control(type_number: u8, size: usize, out: &mut Vec<u8>) {
    let (short, long) = match size {
        0..29 => (size, Vec::new()),
        29..285 => (29, vec![size - 29]),
        _ => (30, vec![(size - 285) >> 8, (size - 285) & 0xff]),
    };
    let byte = |number: usize| u8::try_from(number).unwrap();
    if type_number <= 7 {
        out.push(type_number << 5 | byte(short));
    } else {
        out.extend([byte(short), type_number - 7]);
    }
    out.extend(long.into_iter().map(byte));
}
