//! waymark: where every site is, and all of them on one map.
//!
//! The modules and the one direction in which they depend on each other stand in `ARCHITECTURE.md`; `tests/tidy.rs`
//! holds them to it.

pub mod api;
pub mod app;
pub mod cli;
pub mod client;
pub mod config;
pub mod error;
#[cfg(test)]
#[path = "../tests/fuzz/mod.rs"]
mod fuzzing;
pub mod geocode;
pub mod geoip;
pub mod http_client;
pub mod identity;
pub mod lexicon;
pub mod live;
pub mod mail;
pub mod model;
pub mod secret_file;
pub mod service;
pub mod spatial;
pub mod store;
pub mod telemetry;
pub mod ticketing;
