//! What a caller of several replicas needs: to see its own writes on each of them, and to know of one that is behind.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use tonic::Status;

use super::caller;
use super::status::Failure;
use crate::model::Invalid;
use crate::model::id::{AccountId, Revision};
use crate::service::{Error, Waymark};

/// Stands in every answer of a replica that cannot follow the others: for so many seconds it does not know what they write.
const STALE: HeaderName = HeaderName::from_static("waymark-stale-s");
/// What a caller knows already: `accounts/ACCOUNT=REVISION`. The call is answered when this replica knows it too.
const MIN_REVISION: HeaderName = HeaderName::from_static("waymark-min-revision");

/// Waits until this replica has what the caller asks for, and says of an answer that it may be stale.
pub(super) async fn keep_up(State(waymark): State<Arc<Waymark>>, request: Request, next: Next) -> Response {
    if let Err(cause) = reach(&waymark, request.headers()).await {
        let content_type = request.headers().get(header::CONTENT_TYPE);
        let is_grpc = content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
        return if is_grpc { Status::from(cause).into_http() } else { cause.into_response() };
    }
    let mut response = next.run(request).await;
    if let Some(seconds) = waymark.stale_s() {
        response.headers_mut().insert(STALE, HeaderValue::from(seconds));
    }
    response
}

async fn reach(waymark: &Waymark, headers: &HeaderMap) -> Result<(), Failure> {
    let Some(asked) = headers.get(&MIN_REVISION) else { return Ok(()) };
    let credential = caller::credential(headers)?;
    let parsed = asked.to_str().ok().and_then(parse);
    let malformed =
        || Invalid::new(MIN_REVISION.as_str(), "an account's name and a revision of it: accounts/ACCOUNT=REVISION");
    let (account, revision) = parsed.ok_or_else(|| Failure(Error::from(malformed())))?;
    waymark.reach(credential, &account, revision).await.map_err(Failure)
}

fn parse(text: &str) -> Option<(AccountId, Revision)> {
    let (account, revision) = text.strip_prefix("accounts/")?.split_once('=')?;
    Some((account.parse().ok()?, Revision(revision.parse().ok()?)))
}
