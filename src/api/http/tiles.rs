//! Vector tiles and the TileJSON that describes them. Made when asked for; nothing is ever cached here.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::dashboard::hex;
use crate::api::caller;
use crate::api::status::Failure;
use crate::model::Invalid;
use crate::model::id::AccountId;
use crate::service::Waymark;
use crate::service::map::{ZOOM_MAX, tile_id};

/// Where the tiles of all accounts are, seen from the server's root.
const TILE_TEMPLATE: &str = "tiles/{z}/{x}/{y}.mvt";

/// `/v1/accounts/{account}/tiles/{z}/{x}/{y}.mvt`
pub(super) async fn tile(
    State(waymark): State<Arc<Waymark>>,
    Path((account, z, x, y)): Path<(String, String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let principal = caller::principal(&waymark, &headers)?;
    let account = parse_account(&account)?;
    let y = y.strip_suffix(".mvt").ok_or_else(|| Invalid::new("y", "a tile's path ends with .mvt"))?;
    let id = tile_id(parse("z", &z)?, parse("x", &x)?, parse("y", y)?)?;
    let bytes = waymark.tile(&principal, &account, id)?;
    let etag = etag(&account, &bytes);
    let common = [
        (header::ETAG, etag.clone()),
        (header::CACHE_CONTROL, "private, no-cache".to_owned()),
        (header::VARY, "authorization".to_owned()),
    ];
    if super::is_not_modified(&headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, common).into_response());
    }
    let content_type = [(header::CONTENT_TYPE, "application/vnd.mapbox-vector-tile")];
    Ok((common, content_type, bytes).into_response())
}

/// `/v1/accounts/{account}/tiles.json`
pub(super) async fn tile_json(
    State(waymark): State<Arc<Waymark>>,
    Path(account): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let principal = caller::principal(&waymark, &headers)?;
    let account = parse_account(&account)?;
    waymark.check_map(&principal, &account)?;
    let count = "Number";
    let tally = json!({ "id": "String", "count": count, "online": count, "offline": count, "unknown": count,
        "maintenance": count, "approximate": count });
    let with = |more: serde_json::Value| {
        let mut fields = tally.clone();
        if let (Some(fields), Some(more)) = (fields.as_object_mut(), more.as_object()) {
            fields.extend(more.clone());
        }
        fields
    };
    let body = json!({
        "tilejson": "3.0.0",
        "name": format!("waymark sites of {account}"),
        "scheme": "xyz",
        // Relative to this document: the server need not know by which name it is reached.
        "tiles": [TILE_TEMPLATE],
        "minzoom": 0,
        "maxzoom": ZOOM_MAX,
        "attribution": waymark.attributions_html().join(" | "),
        "vector_layers": [
            { "id": "pins", "description": "single sites", "fields": { "id": "String", "name": "String",
                "status": "String", "source": "String", "confirmed": "Boolean", "accuracy_m": count,
                "granularity": "String" } },
            { "id": "clusters", "description": "several sites each",
                "fields": with(json!({ "expansion_zoom": count, "stack": "Boolean" })) },
            { "id": "areas", "description": "sites known too coarsely for a pin",
                "fields": with(json!({ "radius_m": count, "extent_m": count, "granularity": "String",
                    "site": "String", "name": "String" })) },
        ],
    });
    let common = [(header::CACHE_CONTROL, "private, no-cache"), (header::VARY, "authorization")];
    Ok((common, Json(body)).into_response())
}

fn parse_account(text: &str) -> Result<AccountId, Invalid> {
    text.parse()
}

/// A number in its one usual form: no sign, no leading zero.
fn parse<T: std::str::FromStr + ToString>(field: &str, text: &str) -> Result<T, Invalid> {
    let number = text.parse::<T>().ok().filter(|number| number.to_string() == text);
    number.ok_or_else(|| Invalid::new(field, "a whole number without sign or leading zeros"))
}

/// A hash of the bytes, keyed by account: equal tiles of two accounts have different tags.
fn etag(account: &AccountId, bytes: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(account.as_str());
    hash.update([0]);
    hash.update(bytes);
    format!("\"{}\"", hex(&hash.finalize()[..16]))
}
