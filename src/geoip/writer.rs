//! Writes a `MaxMind` DB file: a search tree over networks of both families, and a record for each.
//!
//! From the `MaxMind` DB file format specification 2.0; only the types that records of networks need. Knows nothing of
//! what the records mean.

use std::collections::HashMap;

use ipnet::IpNet;
use jiff::Timestamp;

/// The bytes between the data section and the metadata.
const METADATA_MARKER: &[u8] = b"\xab\xcd\xefMaxMind.com";
/// Zero bytes between the search tree and the data section.
const SEPARATOR: [u8; 16] = [0; 16];
/// Bits that one side of a node takes in the file: room for 2^28 nodes and bytes of records together.
const RECORD_BITS: u16 = 28;
/// What both together may not exceed.
const VALUES_MAX: u64 = 1 << RECORD_BITS;
/// Most bytes of a text: what a size of two bytes more can say.
const TEXT_BYTES_MAX: usize = 284 + 65_536;

/// The side of a node below which nothing is.
const EMPTY: u32 = u32::MAX;
/// The bit of a side that holds the offset of a record, and not the number of a node.
const IS_RECORD: u32 = 1 << 31;

/// The file would be larger than its format allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more networks than a file of {RECORD_BITS} bits a side can hold")]
pub(super) struct TooLarge;

/// A file in the making.
#[derive(Debug)]
pub(super) struct Writer {
    nodes: Vec<[u32; 2]>,
    data: Vec<u8>,
    /// Where each record stands, so that equal ones are written once.
    offsets: HashMap<Vec<u8>, u32>,
}

impl Writer {
    pub(super) fn new() -> Self {
        Self { nodes: vec![[EMPTY; 2]], data: Vec::new(), offsets: HashMap::new() }
    }

    /// Puts a record in for a network; of two that overlap the later one counts.
    pub(super) fn put(&mut self, network: IpNet, record: Vec<u8>) -> Result<(), TooLarge> {
        let leaf = self.offset(record)? | IS_RECORD;
        // IPv4 stands below ::/96.
        let (bits, length) = match network {
            IpNet::V4(v4) => (u128::from(v4.network().to_bits()), 96 + v4.prefix_len()),
            IpNet::V6(v6) => (v6.network().to_bits(), v6.prefix_len()),
        };
        // Everything: there is no node above the root that it could be a side of.
        let Some(last) = length.checked_sub(1) else {
            self.nodes[0] = [leaf; 2];
            return self.check_size();
        };
        let side = |depth: u8| usize::from(bits >> (127 - depth) & 1 == 1);
        let mut node = 0;
        for depth in 0..last {
            let below = self.nodes[node][side(depth)];
            node = if below == EMPTY || below & IS_RECORD != 0 {
                // A broader record above is split, so that both halves still say the same.
                let number = u32::try_from(self.nodes.len()).map_err(|_| TooLarge)?;
                self.nodes.push([below; 2]);
                self.nodes[node][side(depth)] = number;
                self.nodes.len() - 1
            } else {
                below as usize
            };
        }
        self.nodes[node][side(last)] = leaf;
        self.check_size()
    }

    fn check_size(&self) -> Result<(), TooLarge> {
        if self.nodes.len() as u64 + self.data.len() as u64 + 16 >= VALUES_MAX { Err(TooLarge) } else { Ok(()) }
    }

    /// Where the record stands in the data section; it is added where there is none like it.
    fn offset(&mut self, record: Vec<u8>) -> Result<u32, TooLarge> {
        let next = u32::try_from(self.data.len()).map_err(|_| TooLarge)?;
        let offset = *self.offsets.entry(record).or_insert_with_key(|record| {
            self.data.extend(record);
            next
        });
        Ok(offset)
    }

    /// The whole file.
    pub(super) fn finish(self, database_type: &str, build_time: Timestamp) -> Vec<u8> {
        let node_count = u32::try_from(self.nodes.len()).expect("checked with every network");
        let value = |side: u32| match side {
            EMPTY => node_count,
            record if record & IS_RECORD != 0 => node_count + 16 + (record & !IS_RECORD),
            node => node,
        };
        let mut file = Vec::with_capacity(self.nodes.len() * 7 + self.data.len() + 512);
        for [left, right] in self.nodes {
            let (left, right) = (value(left).to_be_bytes(), value(right).to_be_bytes());
            file.extend(&left[1..]);
            file.push(left[0] << 4 | right[0]);
            file.extend(&right[1..]);
        }
        file.extend(SEPARATOR);
        file.extend(self.data);
        file.extend(METADATA_MARKER);
        let epoch = u64::try_from(build_time.as_second()).unwrap_or(0);
        let metadata = Map::new()
            .with("binary_format_major_version", uint(5, 2))
            .with("binary_format_minor_version", uint(5, 0))
            .with("build_epoch", uint(9, epoch))
            .with("database_type", text(database_type))
            .with("description", Map::new().finish())
            .with("ip_version", uint(5, 6))
            .with("languages", sized(11, 0))
            .with("node_count", uint(6, u64::from(node_count)))
            .with("record_size", uint(5, u64::from(RECORD_BITS)));
        file.extend(metadata.finish());
        file
    }
}

/// A map of encoded values in the making.
#[derive(Debug, Default)]
pub(super) struct Map {
    count: usize,
    entries: Vec<u8>,
}

impl Map {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Adds an encoded value.
    pub(super) fn with(mut self, key: &str, value: impl AsRef<[u8]>) -> Self {
        self.count += 1;
        self.entries.extend(text(key));
        self.entries.extend(value.as_ref());
        self
    }

    pub(super) fn finish(self) -> Vec<u8> {
        [sized(7, self.count), self.entries].concat()
    }
}

/// A text; cut at a character where it is longer than any that the format holds in two bytes of size.
pub(super) fn text(text: &str) -> Vec<u8> {
    let text = &text[..text.floor_char_boundary(TEXT_BYTES_MAX)];
    [sized(2, text.len()), text.as_bytes().to_vec()].concat()
}

/// An unsigned number of 32 bits.
pub(super) fn uint_32(number: u32) -> Vec<u8> {
    uint(6, u64::from(number))
}

/// An unsigned number in as few bytes as it needs; 5, 6 and 9 are the types of 16, 32 and 64 bits.
fn uint(type_number: u8, number: u64) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    [sized(type_number, bytes.len() - zeros), bytes[zeros..].to_vec()].concat()
}

/// The control byte, the byte of an extended type, and the size where it does not fit into five bits.
fn sized(type_number: u8, size: usize) -> Vec<u8> {
    let byte = |number: usize| u8::try_from(number).expect("split into bytes below");
    let (short, long) = match size {
        0..29 => (byte(size), Vec::new()),
        29..285 => (29, vec![byte(size - 29)]),
        _ => (30, vec![byte((size - 285) >> 8), byte((size - 285) & 0xff)]),
    };
    let head = if type_number <= 7 { vec![type_number << 5 | short] } else { vec![short, type_number - 7] };
    [head, long].concat()
}
