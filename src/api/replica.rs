//! What a caller of several replicas needs: to see its own writes on each of them, and to know of one that is behind.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue};

use super::status::Failure;
use super::traffic::Traffic;
use super::{caller, names, protocol};
use crate::model::Invalid;
use crate::model::id::{AccountId, Revision};
use crate::service::{Error, Waymark, call};

/// Stands in every answer of a replica that cannot follow the others: for so many seconds it does not know what they write.
const STALE: HeaderName = HeaderName::from_static("waymark-stale-s");
/// What a caller knows already: `accounts/ACCOUNT=REVISION`, or `operator=REVISION` of what is the operator's own. The call is
/// answered when this replica knows it too.
const MIN_REVISION: HeaderName = HeaderName::from_static("waymark-min-revision");
/// What an answer's call wrote, in the form that [`MIN_REVISION`] takes.
const REVISION: HeaderName = HeaderName::from_static("waymark-revision");
/// Stands for what is of no account.
const OPERATOR: &str = "operator";

/// Waits until this replica has what the caller asks for, and says of an answer what its call wrote, and that it may be stale.
pub(super) async fn keep_up(State(waymark): State<Arc<Waymark>>, request: Request, next: Next) -> Response {
    let (mut response, written) = call::answer(keep_up_with(&waymark, request, next)).await;
    for (account, revision) in written {
        let of = account.map_or_else(|| OPERATOR.to_owned(), |account| names::of_account(&account));
        // Ids of accounts and numbers are good values of headers.
        if let Ok(value) = HeaderValue::try_from(format!("{of}={revision}")) {
            response.headers_mut().append(REVISION, value);
        }
    }
    response
}

/// Why this replica does not have in time what the caller asks for, or will never have it. Stands in the extensions of the
/// request, which is counted, and answered in the caller's form, like any other that is refused.
#[derive(Clone)]
struct Unreached(Arc<Failure>);

/// Answers in the place of whatever stands behind it where [`keep_up`] waited in vain.
pub(super) async fn refuse(mut request: Request, next: Next) -> Response {
    match refusal_of(&mut request) {
        Some(refusal) => refusal,
        None => next.run(request).await,
    }
}

/// The answer to a request for which [`keep_up`] waited in vain. It comes before anybody looks at the credential, of which this
/// replica may not have heard yet.
pub(super) fn refusal_of(request: &mut Request) -> Option<Response> {
    let unreached = request.extensions_mut().remove::<Unreached>()?.0;
    let is_grpc = protocol::is_grpc(request.headers());
    Some(if is_grpc { unreached.status().into_http() } else { unreached.page() })
}

async fn keep_up_with(waymark: &Waymark, mut request: Request, next: Next) -> Response {
    if request.headers().contains_key(&MIN_REVISION) {
        // For a revision that is long in coming it waits beside the others, and not before them.
        Traffic::step_back(&mut request);
    }
    if let Err(failure) = reach(waymark, request.headers(), request.extensions()).await {
        request.extensions_mut().insert(Unreached(Arc::new(failure)));
    }
    let mut response = next.run(request).await;
    if let Some(seconds) = waymark.stale_s() {
        response.headers_mut().insert(STALE, HeaderValue::from(seconds));
    }
    response
}

async fn reach(waymark: &Waymark, headers: &HeaderMap, extensions: &Extensions) -> Result<(), Failure> {
    let Some(asked) = headers.get(&MIN_REVISION) else { return Ok(()) };
    let credential = caller::shown(headers, extensions)?;
    let parsed = asked.to_str().ok().and_then(parse);
    let malformed = || {
        Invalid::new(
            MIN_REVISION.as_str(),
            "an account's name and a revision of it: accounts/ACCOUNT=REVISION, or operator=REVISION",
        )
    };
    let (account, revision) = parsed.ok_or_else(|| Failure(Error::from(malformed())))?;
    waymark.reach(credential, account.as_ref(), revision).await.map_err(Failure)
}

fn parse(text: &str) -> Option<(Option<AccountId>, Revision)> {
    let (of, revision) = text.split_once('=')?;
    let account = if of == OPERATOR { None } else { Some(of.strip_prefix("accounts/")?.parse().ok()?) };
    Some((account, Revision(revision.parse().ok()?)))
}
