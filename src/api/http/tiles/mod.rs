//! Vector tiles and the TileJSON that describes them. Made when asked for; nothing is ever cached here.
//!
//! `query` reads what follows the `?`, `description` is the TileJSON.

mod description;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod measure;
mod query;

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use super::accept::Accepted;
use crate::api::caller;
use crate::api::etag::TileTag;
use crate::api::public_url::Reached;
use crate::api::status::{self, Failure};
use crate::model::Invalid;
use crate::model::access::Principal;
use crate::model::id::AccountId;
use crate::service::map::tile_id;
use crate::service::{Error, Waymark};
use query::TileQuery;

/// What is cached where: by the caller alone, and asked again each time.
const CACHING: (header::HeaderName, &str) = (header::CACHE_CONTROL, "private, no-cache");

/// `/v1/accounts/{account}/tiles/{z}/{x}/{y}.mvt`
pub(super) async fn tile(
    State(waymark): State<Arc<Waymark>>,
    Path((account, z, x, y)): Path<(String, String, String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let admitted = Admitted::by(&waymark, &account, query.as_deref(), &headers)?;
    let y = y.strip_suffix(".mvt").ok_or_else(|| Invalid::new("y", "a tile's path ends with .mvt"))?;
    let id = tile_id(parse("z", &z)?, parse("x", &x)?, parse("y", y)?)?;
    let bytes = waymark.tile(&admitted.principal, &admitted.account, id, &admitted.filter).await?.bytes;
    Ok(answer(&TileTag::of(&admitted.account, &bytes), bytes, &headers))
}

/// The tile in the coding that the caller wants; "not modified" without encoding anything.
fn answer(tag: &TileTag, bytes: Vec<u8>, headers: &HeaderMap) -> Response {
    let vary = (header::VARY, "authorization, accept-encoding");
    let Some(coding) = Accepted::of(headers).choose(bytes.len()) else {
        return ([CACHING, vary], status::no_coding()).into_response();
    };
    let etag = coding.name().map_or_else(|| tag.identity(), |name| tag.encoded(name));
    let is_known = super::is_not_modified(headers, &etag);
    let common = ([CACHING, vary], [(header::ETAG, etag)]);
    if is_known {
        return (StatusCode::NOT_MODIFIED, common, of_no_length()).into_response();
    }
    let content_type = [(header::CONTENT_TYPE, "application/vnd.mapbox-vector-tile")];
    let mut response = (common, content_type, coding.encode(bytes)).into_response();
    if let Some(name) = coding.name() {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(name));
    }
    response
}

/// An empty body that does not say so: with HEAD, a "not modified" would name a length of 0, which is not that of the
/// tile (RFC 9110, 8.6).
fn of_no_length() -> Body {
    Body::from_stream(stream::empty::<Result<Bytes, Infallible>>())
}

/// `/v1/accounts/{account}/tiles.json`
pub(super) async fn tile_json(
    State(waymark): State<Arc<Waymark>>,
    Path(account): Path<String>,
    RawQuery(query): RawQuery,
    Extension(reached): Extension<Reached>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let admitted = Admitted::by(&waymark, &account, query.as_deref(), &headers)?;
    waymark.check_screen(&admitted.principal, &admitted.account, &admitted.filter)?;
    let base = reached.base(&uri, &headers);
    let body = description::tile_json(&admitted, base.as_deref(), &waymark.attributions_html());
    // Who asks by another name may be told other addresses.
    let vary = if reached.is_told_by_requests() { "authorization, host" } else { "authorization" };
    Ok(([CACHING, (header::VARY, vary)], Json(body)).into_response())
}

/// A caller with a good credential or a good signature, and what they ask for.
#[derive(Debug)]
struct Admitted {
    principal: Principal,
    account: AccountId,
    /// The query's, or the one that stands in the signature.
    filter: String,
    /// The signature, where it was the credential.
    signature: Option<String>,
}

impl Admitted {
    /// A signature is a credential of its own: where there is one, no header is looked at.
    fn by(waymark: &Waymark, account: &str, query: Option<&str>, headers: &HeaderMap) -> Result<Self, Failure> {
        let query = TileQuery::parse(query.unwrap_or_default());
        let (principal, account, sealed) = match &query.signature {
            Some(signature) => {
                let account: AccountId = account.parse().map_err(|_| Error::Credential)?;
                let (principal, filter) = waymark.open_tiles(&account, signature)?;
                (principal, account, Some(filter))
            }
            None => (caller::principal(waymark, headers)?, account.parse()?, None),
        };
        if let Some(fault) = query.fault {
            return Err(fault.into());
        }
        if sealed.is_some() && query.filter.is_some() {
            return Err(Invalid::new("filter", "the filter of a signed address stands in its signature").into());
        }
        let filter = sealed.or(query.filter).unwrap_or_default();
        let principal = waymark.within(&principal, &account);
        Ok(Self { principal, account, filter, signature: query.signature })
    }
}

/// Who asks for a tile or for their description: by a signature, where there is one, else by the header.
pub(super) fn principal_of(waymark: &Waymark, uri: &Uri, headers: &HeaderMap) -> Result<Principal, Failure> {
    let Some(signature) = TileQuery::parse(uri.query().unwrap_or_default()).signature else {
        return caller::principal(waymark, headers);
    };
    let account = uri.path().strip_prefix("/v1/accounts/").and_then(|rest| rest.split('/').next());
    let account: Option<AccountId> = account.and_then(|id| id.parse().ok());
    let (principal, _) = waymark.open_tiles(&account.ok_or(Error::Credential)?, &signature)?;
    Ok(principal)
}

/// A number in its one usual form: no sign, no leading zero.
fn parse<T: std::str::FromStr + ToString>(field: &str, text: &str) -> Result<T, Invalid> {
    let number = text.parse::<T>().ok().filter(|number| number.to_string() == text);
    number.ok_or_else(|| Invalid::new(field, "a whole number without sign or leading zeros"))
}
