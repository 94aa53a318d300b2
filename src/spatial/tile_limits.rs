//! How large a tile can become, whatever is on the map. Nothing is ever cut: the number of symbols is bounded by how
//! they are made, and so are the bytes of each.

use crate::model::text;

use super::mercator::CELL_LEVELS_BELOW_TILE;

/// Most bytes of a tile, before compression: what map libraries decode within a frame or two, and what a slow line
/// carries in a second.
pub const TILE_BYTES_MAX: usize = 500_000;

/// Most pins and clusters of a tile: one in each of its 8 × 8 cells.
pub(super) const CELL_SYMBOLS_MAX: usize = 1 << (2 * CELL_LEVELS_BELOW_TILE);

/// Most areas of a tile: one for each of its cells too, because areas keep apart like all else.
pub(super) const AREAS_MAX: usize = CELL_SYMBOLS_MAX;

/// Most bytes of one symbol with its values: a name, two ids, and 23 other properties, more than any has.
pub(super) const SYMBOL_BYTES_MAX: usize = FEATURE_BYTES_MAX
    + value_bytes(text::LINE_BYTES_MAX)
    + 2 * value_bytes(UUID_CHARS)
    + OTHER_PROPERTIES_MAX * value_bytes(LONGEST_WORD);
/// A feature's head, its id, its geometry, and two bytes for each of its keys, four for each value's number.
const FEATURE_BYTES_MAX: usize = 16 + 10 + 16 + (OTHER_PROPERTIES_MAX + 3) * 6;
const OTHER_PROPERTIES_MAX: usize = 23;
const UUID_CHARS: usize = 36;
/// `interpolated`; numbers are shorter.
const LONGEST_WORD: usize = 12;
/// Most bytes of the three layers' heads and names of properties.
const LAYERS_BYTES_MAX: usize = 3 * 512;

/// A value of a text: two keys and two lengths before it.
const fn value_bytes(text: usize) -> usize {
    1 + 3 + 1 + 3 + text
}

const _: () = assert!((CELL_SYMBOLS_MAX + AREAS_MAX) * SYMBOL_BYTES_MAX + LAYERS_BYTES_MAX <= TILE_BYTES_MAX);
