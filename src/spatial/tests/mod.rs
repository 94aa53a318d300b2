//! Tests of the map as a whole, against brute force.

mod attention;
mod filtered;
mod history;
mod merge;
mod regions;
mod search;
mod selections;
mod symbols;
mod tile_fields;
mod tile_limits;
mod tiles;
pub(super) mod world;
