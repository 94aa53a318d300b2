//! Plain HTTP beside gRPC and HTTP/JSON: vector tiles, the dashboard's files, its base map, health, metrics.
//!
//! `accept` reads which content coding is wanted, `coding` encodes.

mod accept;
mod admission;
mod basemap;
mod coding;
mod dashboard;
mod invitation;
mod metrics;
mod openapi;
mod tiles;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tonic::Status;
use tower_http::compression::CompressionLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use super::Offered;
use super::basemap::Basemap;
use super::grpc::health::Health;
use super::protocol::is_grpc;
use super::public_url::Reached;
use super::rest;
use super::traffic::Traffic;
use crate::service::Waymark;

/// What a page of ours may do: load its own files, talk to its own server and to those of the operator's base map, and
/// nothing else.
fn content_security_policy(basemap: &Basemap) -> HeaderValue {
    let others = basemap.origins().iter().fold(String::new(), |others, origin| others + " " + origin);
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:{others}; \
         connect-src 'self'{others}; worker-src 'self' blob:; font-src 'self'; manifest-src 'self'; base-uri 'none'; \
         form-action 'self'; frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).expect("origins are letters, digits and what separates them")
}

/// Whether the caller has what this etag stands for: `If-None-Match` of RFC 9110, 13.1.2, which compares weakly.
fn is_not_modified(headers: &HeaderMap, etag: &str) -> bool {
    let lines = headers.get_all(header::IF_NONE_MATCH).into_iter().filter_map(|line| line.to_str().ok());
    let mut seen = lines.flat_map(|line| line.split(',')).map(str::trim);
    seen.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// The routes that are not gRPC.
pub(super) fn router(
    waymark: &Arc<Waymark>,
    health: &Health,
    traffic: &Arc<Traffic>,
    basemap: &Arc<Basemap>,
    offered: Offered,
    reached: &Reached,
) -> Router {
    let header = |name: HeaderName, value| SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value));
    let tiles = Router::new()
        .route("/v1/accounts/{account}/tiles.json", get(tiles::tile_json).layer(Extension(reached.clone())))
        .route("/v1/accounts/{account}/tiles/{z}/{x}/{y}", get(tiles::tile))
        // Their addresses may carry a signature.
        .layer(header(header::REFERRER_POLICY, "no-referrer"))
        // Refusals above all: what a tile says of itself stands.
        .layer(SetResponseHeaderLayer::if_not_present(header::CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .with_state(Arc::clone(waymark));
    let pages = invitation::router(waymark)
        .layer(CompressionLayer::new())
        // What follows has its codings at hand.
        .fallback(dashboard::file)
        .route("/openapi.json", get(openapi::document))
        .layer(SetResponseHeaderLayer::overriding(header::CONTENT_SECURITY_POLICY, content_security_policy(basemap)))
        .layer(header(header::REFERRER_POLICY, "no-referrer"))
        .layer(header(HeaderName::from_static("cross-origin-opener-policy"), "same-origin"))
        .layer(from_fn(rest::refuse_unserved))
        .layer(from_fn(refuse_unknown_methods));
    let basemap = basemap::router(waymark, basemap);
    let mut routes = probes(health).merge(tiles).merge(basemap);
    if offered.metrics {
        routes = routes.merge(metrics_page(waymark, traffic));
    }
    admitted(routes.fallback_service(pages), waymark, traffic)
}

/// The routes of the operator's own listener.
pub(super) fn metrics_router(waymark: &Arc<Waymark>, health: &Health, traffic: &Arc<Traffic>) -> Router {
    let routes = probes(health).merge(metrics_page(waymark, traffic)).fallback(|| async { StatusCode::NOT_FOUND });
    admitted(routes.layer(from_fn(refuse_unknown_methods)), waymark, traffic)
}

fn probes(health: &Health) -> Router {
    Router::new().route("/healthz", get(|| async { "alive\n" })).route("/readyz", get(ready)).with_state(health.clone())
}

fn metrics_page(waymark: &Arc<Waymark>, traffic: &Arc<Traffic>) -> Router {
    Router::new().route("/metrics", get(metrics::metrics)).with_state(metrics::Sources::of(waymark, traffic))
}

/// What all requests go by.
fn admitted(routes: Router, waymark: &Arc<Waymark>, traffic: &Arc<Traffic>) -> Router {
    let keeper = admission::Gatekeeper { traffic: Arc::clone(traffic), waymark: Arc::clone(waymark) };
    let nosniff = HeaderValue::from_static("nosniff");
    routes
        .layer(from_fn_with_state(keeper, admission::admit))
        .layer(SetResponseHeaderLayer::overriding(header::X_CONTENT_TYPE_OPTIONS, nosniff))
}

async fn ready(State(health): State<Health>) -> impl IntoResponse {
    if health.is_serving() { (StatusCode::OK, "ready\n") } else { (StatusCode::SERVICE_UNAVAILABLE, "not ready\n") }
}

/// Answers a gRPC call of a method that nobody has as gRPC answers it, not as a page that is not there.
async fn refuse_unknown_methods(request: Request, next: Next) -> Response {
    if is_grpc(request.headers()) {
        return Status::unimplemented("this server has no such method").into_http();
    }
    next.run(request).await
}
