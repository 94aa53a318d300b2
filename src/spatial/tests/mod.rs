//! Tests of the map as a whole, against brute force.

mod history;
mod merge;
mod search;
mod symbols;
mod tiles;
pub(super) mod world;
