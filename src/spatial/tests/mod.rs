//! Tests of the map as a whole, against brute force.

mod attention;
mod expansion;
mod filtered;
mod history;
mod merge;
mod names;
mod regions;
mod search;
mod selections;
mod stable;
mod symbols;
mod tile_fields;
mod tile_limits;
mod tiles;
mod work;
pub(super) mod world;
