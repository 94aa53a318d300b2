//! One layer of a vector tile, written straight as protobuf.
//!
//! Field numbers are those of `vector_tile.proto`, version 2.1. Knows nothing of what the features are: keys come as
//! indices into a table of names.

use std::fmt::{Display, Write};

use super::mercator::{POINT_BITS, Point, TileId};
use super::mvt::{EXTENT, EXTENT_BITS};

/// A value that several features may share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value {
    Text(&'static str),
    Double(f64),
    Uint(u64),
    Bool(bool),
}

/// Usual bytes of a feature, and of the values that are its own.
const FEATURE_BYTES: usize = 48;
const VALUE_BYTES: usize = 96;
/// Most names of properties.
const KEYS_MAX: usize = 32;
/// Places of the table in which shared values are found again: more than the 64 clusters of a tile have, and small
/// enough to be cleared for each layer. A value that finds no place is written again, which the format allows.
const SHARED_PLACES: usize = 1_024;
/// Places that are tried for one value.
const SHARED_PROBES: usize = 16;
/// Bytes of a layer's key and length, at most.
const LAYER_HEAD_BYTES_MAX: usize = 11;
/// Version of the format, as the layer states it.
const VERSION: u64 = 2;

/// Wire types of protobuf.
const VARINT: u64 = 0;
const FIXED_64: u64 = 1;
const BYTES: u64 = 2;

/// A layer that is being written: tags first, then the feature that they belong to. Once finished it is empty again,
/// for the next layer of its tile.
#[derive(Debug)]
pub(super) struct Layer {
    tile: TileId,
    names: &'static [&'static str],
    /// Keys in the order in which they were first used, as indices into `names`.
    keys: Vec<usize>,
    /// One more than the index into `keys`, by key; 0 where it is not used.
    key_places: [u8; KEYS_MAX],
    features: Vec<u8>,
    values: Vec<u8>,
    value_count: u32,
    shared: Vec<(Value, u32)>,
    /// One more than the index into `shared`, by hash; 0 where there is none.
    places: [u16; SHARED_PLACES],
    /// Tags of the present feature.
    tags: Vec<u8>,
    /// Room for a text that is put together.
    text: String,
}

impl Layer {
    /// A layer whose features may have properties of these names, at most [`KEYS_MAX`], with room for `features`.
    pub(super) fn new(tile: TileId, names: &'static [&'static str], features: usize) -> Self {
        Self {
            tile,
            names,
            keys: Vec::with_capacity(KEYS_MAX),
            key_places: [0; KEYS_MAX],
            features: Vec::with_capacity(features * FEATURE_BYTES),
            values: Vec::with_capacity(features * VALUE_BYTES),
            value_count: 0,
            shared: Vec::with_capacity(64),
            places: [0; SHARED_PLACES],
            tags: Vec::with_capacity(64),
            text: String::with_capacity(64),
        }
    }

    /// Tags the present feature with a value that others may have too.
    pub(super) fn tag(&mut self, key: usize, value: Value) {
        let index = self.shared_index(value);
        self.push_tag(key, index);
    }

    /// Tags the present feature with a text that no other has.
    pub(super) fn unique_text(&mut self, key: usize, text: &str) {
        let index = self.push_text(text);
        self.push_tag(key, index);
    }

    /// Tags the present feature with an id as text, which no other has.
    pub(super) fn unique_id(&mut self, key: usize, id: impl Display) {
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        write!(text, "{id}").expect("writing to a string does not fail");
        self.unique_text(key, &text);
        self.text = text;
    }

    /// Writes the present feature, a point.
    pub(super) fn feature(&mut self, id: u64, point: Point) {
        let (x, y) = (self.unit(point.x), self.unit(point.y));
        // One MoveTo of one point, whose parameters are zigzag-encoded and never negative here.
        let geometry = [9, u64::from(x) << 1, u64::from(y) << 1];
        let geometry_length = geometry.into_iter().map(varint_length).sum();
        let length = 1 + varint_length(id) + bytes_length(self.tags.len()) + 2 + bytes_length(geometry_length);
        put_key(&mut self.features, 2, BYTES);
        put_varint(&mut self.features, length as u64);
        put_key(&mut self.features, 1, VARINT);
        put_varint(&mut self.features, id);
        put_bytes(&mut self.features, 2, &self.tags);
        put_key(&mut self.features, 3, VARINT);
        put_varint(&mut self.features, 1);
        put_key(&mut self.features, 4, BYTES);
        put_varint(&mut self.features, geometry_length as u64);
        for integer in geometry {
            put_varint(&mut self.features, integer);
        }
        self.tags.clear();
    }

    /// Writes the layer behind what is in `out`, unless it has no features, and empties it.
    pub(super) fn finish(&mut self, name: &str, out: &mut Vec<u8>) {
        if self.features.is_empty() {
            return;
        }
        let keys: usize = self.keys.iter().map(|key| bytes_length(self.names[*key].len())).sum();
        let extent = 1 + varint_length(u64::from(EXTENT));
        let length = 2 + bytes_length(name.len()) + self.features.len() + keys + self.values.len() + extent;
        out.reserve(length + LAYER_HEAD_BYTES_MAX);
        put_key(out, 3, BYTES);
        put_varint(out, length as u64);
        put_key(out, 15, VARINT);
        put_varint(out, VERSION);
        put_bytes(out, 1, name.as_bytes());
        out.extend_from_slice(&self.features);
        self.keys.iter().for_each(|key| put_bytes(out, 3, self.names[*key].as_bytes()));
        out.extend_from_slice(&self.values);
        put_key(out, 5, VARINT);
        put_varint(out, u64::from(EXTENT));
        self.clear();
    }

    fn clear(&mut self) {
        self.keys.clear();
        self.key_places = [0; KEYS_MAX];
        self.features.clear();
        self.values.clear();
        self.value_count = 0;
        self.shared.clear();
        self.places = [0; SHARED_PLACES];
    }

    /// A coordinate in units of the tile, from its western or northern edge.
    fn unit(&self, coordinate: u32) -> u32 {
        let bits = POINT_BITS - self.tile.z();
        let offset = if bits == POINT_BITS { coordinate } else { coordinate & ((1 << bits) - 1) };
        // The deepest tiles have fewer points than units.
        if bits >= EXTENT_BITS { offset >> (bits - EXTENT_BITS) } else { offset << (EXTENT_BITS - bits) }
    }

    fn push_tag(&mut self, key: usize, value: u32) {
        if self.key_places[key] == 0 {
            self.keys.push(key);
            self.key_places[key] = u8::try_from(self.keys.len()).expect("there are at most 32 keys");
        }
        put_varint(&mut self.tags, u64::from(self.key_places[key] - 1));
        put_varint(&mut self.tags, u64::from(value));
    }

    fn shared_index(&mut self, value: Value) -> u32 {
        let home = value.hash();
        for probe in 0..SHARED_PROBES {
            let place = (home + probe) % SHARED_PLACES;
            match self.places[place].checked_sub(1) {
                Some(at) if self.shared[usize::from(at)].0 == value => return self.shared[usize::from(at)].1,
                Some(_) => {}
                None => {
                    let index = self.push_value(value);
                    self.shared.push((value, index));
                    self.places[place] = u16::try_from(self.shared.len()).expect("at most as many as places");
                    return index;
                }
            }
        }
        self.push_value(value)
    }

    fn push_value(&mut self, value: Value) -> u32 {
        match value {
            Value::Text(text) => return self.push_text(text),
            Value::Double(double) => {
                self.begin_value(9);
                put_key(&mut self.values, 3, FIXED_64);
                self.values.extend_from_slice(&double.to_le_bytes());
            }
            Value::Uint(integer) => {
                self.begin_value(1 + varint_length(integer));
                put_key(&mut self.values, 5, VARINT);
                put_varint(&mut self.values, integer);
            }
            Value::Bool(truth) => {
                self.begin_value(2);
                put_key(&mut self.values, 7, VARINT);
                put_varint(&mut self.values, u64::from(truth));
            }
        }
        self.value_count - 1
    }

    fn push_text(&mut self, text: &str) -> u32 {
        self.begin_value(bytes_length(text.len()));
        put_bytes(&mut self.values, 1, text.as_bytes());
        self.value_count - 1
    }

    fn begin_value(&mut self, length: usize) {
        put_key(&mut self.values, 4, BYTES);
        put_varint(&mut self.values, length as u64);
        self.value_count += 1;
    }
}

impl Value {
    fn hash(self) -> usize {
        let bits = match self {
            // Texts are names of enums: length and first letter tell most of them apart.
            Self::Text(text) => text.len() as u64 * 64 + u64::from(text.as_bytes().first().copied().unwrap_or(0)),
            Self::Double(double) => double.to_bits().rotate_left(7),
            Self::Uint(integer) => integer,
            Self::Bool(truth) => 3 + u64::from(truth),
        };
        usize::try_from(bits.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48).expect("16 bits fit a usize")
    }
}

/// Length of a field of bytes with its key, of a field number below 16.
fn bytes_length(length: usize) -> usize {
    1 + varint_length(length as u64) + length
}

fn varint_length(integer: u64) -> usize {
    (64 - (integer | 1).leading_zeros()).div_ceil(7) as usize
}

fn put_key(out: &mut Vec<u8>, field: u64, wire_type: u64) {
    put_varint(out, field << 3 | wire_type);
}

fn put_bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    put_key(out, field, BYTES);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

#[expect(clippy::cast_possible_truncation, reason = "seven bits at a time, the rest shifted on")]
fn put_varint(out: &mut Vec<u8>, mut integer: u64) {
    while integer >= 0x80 {
        out.push(integer as u8 | 0x80);
        integer >>= 7;
    }
    out.push(integer as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_of_what_is_written() {
        for integer in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            put_varint(&mut out, integer);
            assert_eq!(out.len(), varint_length(integer), "{integer}");
        }
    }

    #[test]
    fn units_lie_in_the_tile_at_every_zoom() {
        for z in 0..=22 {
            let last = Point { x: u32::MAX, y: u32::MAX };
            let layer = Layer::new(TileId::holding(last, z), &[], 0);
            let finest = if z <= 20 { EXTENT - 1 } else { EXTENT - (1 << (z - 20)) };
            assert_eq!(layer.unit(last.x), finest, "zoom {z}");
        }
        assert_eq!(Layer::new(TileId::new(1, 1, 0).unwrap(), &[], 0).unit(3 << 30), 2048);
    }
}
