//! The outside: gRPC, gRPC-Web and HTTP, translated to use cases and back.
//!
//! Decides nothing. Everything that a caller may see or do is decided in `service`.

pub mod basemap;
mod caller;
mod convert;
mod etag;
mod grpc;
mod http;
mod names;
mod panics;
pub mod proto;
pub(crate) mod protocol;
mod replica;
mod status;
pub mod traffic;

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};

use crate::service::Waymark;
use basemap::Basemap;
pub use caller::Peer;
pub use grpc::health::Health;
use traffic::Traffic;

/// Everything that one listener serves: gRPC and gRPC-Web by content type, the rest by path.
pub fn router(
    waymark: &Arc<Waymark>,
    health: &Health,
    traffic: &Arc<Traffic>,
    basemap: &Arc<Basemap>,
) -> Result<Router, tonic_reflection::server::Error> {
    let grpc = grpc::router(waymark, health, traffic)?;
    let http = http::router(waymark, health, traffic, basemap);
    let keep_up = from_fn_with_state(Arc::clone(waymark), replica::keep_up);
    Ok(grpc.merge(http).layer(keep_up).layer(from_fn(panics::contain)))
}
