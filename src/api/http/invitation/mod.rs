//! The page on which a resident accepts an invitation. Opening it redeems nothing: mail scanners open every link.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Extension, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;

use crate::api::caller::{self, Peer};
use crate::api::status::Failure;
use crate::service::Waymark;
use crate::service::resident::devices::ResidentDevice;

/// Longest body of a request, in bytes: a code and its frame.
const BODY_BYTES_MAX: usize = 1024;

/// The page's files, and the one request that it makes.
pub(super) fn router(waymark: &Arc<Waymark>) -> Router {
    let file = |content_type: &'static str, text: &'static str| {
        get(move || async move { ([(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "no-cache")], text) })
    };
    Router::new()
        .route("/invitation", file("text/html; charset=utf-8", include_str!("page.html")))
        .route("/invitation/page.css", file("text/css; charset=utf-8", include_str!("page.css")))
        .route("/invitation/page.js", file("text/javascript; charset=utf-8", include_str!("page.js")))
        .route("/invitation/redeem", post(redeem))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(Arc::clone(waymark))
}

/// What the page sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Redemption {
    code: String,
    /// The text whose bytes let the page ask again; may be empty.
    #[serde(default)]
    retry_key: String,
}

/// Accepts an invitation. Takes JSON alone, which no page of another origin can send without asking first.
async fn redeem(
    State(waymark): State<Arc<Waymark>>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    Json(redemption): Json<Redemption>,
) -> Result<Response, Failure> {
    let ip = caller::public_ip(&waymark, peer.as_deref(), &headers).ok();
    let redeemed = waymark.redeem_invitation(&redemption.code, redemption.retry_key.as_bytes(), ip).await?;
    let device = |ResidentDevice { device, allowed }: &ResidentDevice| {
        json!({
            "id": device.id, "display_name": device.display_name,
            "may_power": allowed.power, "may_block": allowed.block,
        })
    };
    let devices: Vec<_> = redeemed.devices.iter().map(device).collect();
    let body = json!({
        "secret": redeemed.secret, "site": redeemed.site.display_name, "devices": devices,
        "account": redeemed.account_name, "support_contact": redeemed.support_contact,
    });
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response())
}
