//! The outside: gRPC, gRPC-Web, HTTP/JSON and HTTP, translated to use cases and back.
//!
//! Decides nothing. Everything that a caller may see or do is decided in `service`.

pub mod basemap;
mod caller;
mod convert;
mod etag;
mod grpc;
mod http;
mod identity;
pub(crate) mod json;
mod names;
pub(crate) mod openapi;
mod panics;
mod percent;
pub mod proto;
pub(crate) mod protocol;
pub mod public_url;
mod replica;
mod rest;
mod status;
mod trace;
pub mod traffic;

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};

use crate::service::Waymark;
use basemap::Basemap;
pub use caller::{Peer, PeerCertificate};
pub use grpc::health::Health;
use public_url::Reached;
use rest::Gateway;
pub use trace::span_names;
use traffic::Traffic;

/// What the main listener serves beside the methods and pages, as the operator wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offered {
    /// gRPC reflection.
    pub reflection: bool,
    /// `/metrics`, where no listener of its own has it.
    pub metrics: bool,
    /// Spans of calls, where somebody takes them.
    pub traces: bool,
}

/// Everything that the main listener serves: gRPC and gRPC-Web by content type, HTTP/JSON and the rest by path.
pub fn router(
    waymark: &Arc<Waymark>,
    health: &Health,
    traffic: &Arc<Traffic>,
    basemap: &Arc<Basemap>,
    offered: Offered,
    reached: &Reached,
) -> Result<Router, tonic_reflection::server::Error> {
    let grpc = grpc::router(waymark, health, traffic, offered)?;
    // What is of HTTP/JSON goes the way of gRPC; only what no method takes comes to the pages.
    let gateway = Gateway { grpc: grpc.clone(), traffic: Arc::clone(traffic) };
    let transcode = from_fn_with_state(gateway, rest::transcode);
    let http = http::router(waymark, health, traffic, basemap, offered, reached).layer(transcode);
    let keep_up = from_fn_with_state(Arc::clone(waymark), replica::keep_up);
    let wait_for_key = from_fn_with_state(Arc::clone(waymark), identity::wait_for_key);
    let routes = grpc.merge(http).layer(keep_up).layer(wait_for_key).layer(from_fn(panics::contain));
    if !offered.traces {
        return Ok(routes);
    }
    // Around everything: what a call waits for is a part of it.
    Ok(routes.layer(from_fn_with_state(Arc::clone(traffic), trace::tell)))
}

/// What the operator's own listener serves: `/metrics`, and health over HTTP and gRPC.
pub fn metrics_router(waymark: &Arc<Waymark>, health: &Health, traffic: &Arc<Traffic>) -> Router {
    let routes = grpc::health_router(health, traffic).merge(http::metrics_router(waymark, health, traffic));
    let wait_for_key = from_fn_with_state(Arc::clone(waymark), identity::wait_for_key);
    routes.layer(wait_for_key).layer(from_fn(panics::contain))
}
