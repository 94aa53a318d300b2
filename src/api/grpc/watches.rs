//! The watches of `SiteService` and `MapService`.

use std::sync::Arc;

use futures_util::stream::{self, BoxStream, StreamExt as _};
use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status, Streaming};

use crate::api::caller;
use crate::api::convert::watch::{map_changes, parse_view, site_changes};
use crate::api::names::{self, SiteNames};
use crate::api::proto::waymark::v1 as pb;
use crate::api::status::Failure;
use crate::model::Invalid;
use crate::model::access::Principal;
use crate::model::id::{AccountId, Revision};
use crate::service::filter::Filter;
use crate::service::watch::{SitesWanted, View};
use crate::service::{Error, Waymark};

/// Messages on their way, each made when the client has room for it.
pub(super) type Messages<T> = BoxStream<'static, Result<T, Status>>;

/// `WatchSites`.
pub(super) fn sites(
    waymark: &Arc<Waymark>,
    request: &Request<pb::WatchSitesRequest>,
) -> Result<Response<Messages<pb::WatchSitesResponse>>, Status> {
    let principal = caller::of(waymark, request)?;
    let message = request.get_ref();
    let account = names::account("parent", &message.parent).map_err(Failure::from)?;
    let principal = waymark.within(&principal, &account);
    let filter = Filter::parse(&message.filter).map_err(Failure::from)?;
    let resume = (message.resume_revision != 0).then_some(Revision(message.resume_revision));
    let names = SiteNames::of(&account);
    let watch = waymark.watch_sites(&principal, SitesWanted { account, filter, resume }).map_err(Failure)?;
    let waymark = Arc::clone(waymark);
    let message =
        move |changes: Result<_, Error>| Ok(site_changes(&waymark, &principal, &names, changes.map_err(Failure)?));
    Ok(told_at_once(watch.messages().map(message).boxed()))
}

/// An answer whose messages no proxy may hold back: nginx does unless it is told.
fn told_at_once<T>(messages: Messages<T>) -> Response<Messages<T>> {
    let mut response = Response::new(messages);
    response.metadata_mut().insert("x-accel-buffering", MetadataValue::from_static("no"));
    response
}

/// `WatchMap`: the first message opens the watch, each further one moves its view.
pub(super) async fn map(
    waymark: &Arc<Waymark>,
    request: Request<Streaming<pb::WatchMapRequest>>,
) -> Result<Response<Messages<pb::WatchMapResponse>>, Status> {
    let principal = caller::of(waymark, &request)?;
    let mut requests = request.into_inner();
    let first = requests.message().await?;
    let first = first.ok_or_else(|| Failure::from(Invalid::new("viewport", "a first message says what is in view")))?;
    let (account, view) = parse_view(first).map_err(Failure::from)?;
    let parent = account.clone();
    let moves = requests.map(move |request| {
        let request = request.map_err(|fault| Invalid::new("request", fault.message()))?;
        let (account, view) = parse_view(request)?;
        if account == parent { Ok(view) } else { Err(Invalid::new("parent", "one stream watches one account").into()) }
    });
    let wrap = |changes| pb::WatchMapResponse { changes: Some(changes) };
    follow(waymark, &principal, account, view, moves.boxed(), wrap)
}

/// `WatchViewport`.
pub(super) fn viewport(
    waymark: &Arc<Waymark>,
    request: Request<pb::WatchViewportRequest>,
) -> Result<Response<Messages<pb::WatchViewportResponse>>, Status> {
    let principal = caller::of(waymark, &request)?;
    let pb::WatchViewportRequest { parent, viewport, zoom, filter, omit_names } = request.into_inner();
    let only = pb::WatchMapRequest { parent, viewport, zoom, filter, view_id: 0, omit_names };
    let (account, view) = parse_view(only).map_err(Failure::from)?;
    let wrap = |changes| pb::WatchViewportResponse { changes: Some(changes) };
    follow(waymark, &principal, account, view, stream::pending().boxed(), wrap)
}

fn follow<T: 'static>(
    waymark: &Arc<Waymark>,
    principal: &Principal,
    account: AccountId,
    view: View,
    moves: BoxStream<'static, Result<View, Error>>,
    wrap: impl Fn(pb::MapChanges) -> T + Send + 'static,
) -> Result<Response<Messages<T>>, Status> {
    let watch = waymark.watch_map(&waymark.within(principal, &account), &account, view).map_err(Failure)?;
    let message = move |changes: Result<_, Error>| Ok(wrap(map_changes(&account, changes.map_err(Failure)?)));
    Ok(told_at_once(watch.messages(moves).map(message).boxed()))
}
