//! The program as its operator meets it: a process, its output, its signals, its port.
//!
//! What callers meet is tested by foreign clients in `tests/e2e`.

mod lifecycle;
mod server;
mod transport;
