//! The program as its operator meets it: a process, its output, its signals, its port.
//!
//! What callers meet is tested by foreign clients in `tests/e2e`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod client;
mod lifecycle;
mod relay;
mod server;
mod transport;
