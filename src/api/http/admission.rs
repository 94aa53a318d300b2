//! What stands before every route: requests are counted, and let in or refused before any work.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, Uri};
use tokio::time::timeout;
use tonic::Code;

use super::tiles;
use crate::api::caller::{self, Peer};
use crate::api::protocol::is_grpc;
use crate::api::traffic::{Arrival, Asked, Call, Place, Refusal, Route, Target, Ticket, Traffic, Wanted, code_of};
use crate::api::{replica, status, trace};
use crate::service::Waymark;

/// Longest time until an answer begins, as of gRPC: far above any that is made here, and the end of whoever sends a request
/// slowly to hold a place.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);

/// What lets requests in.
#[derive(Debug, Clone)]
pub(super) struct Gatekeeper {
    pub(super) traffic: Arc<Traffic>,
    pub(super) waymark: Arc<Waymark>,
}

/// Counts a request, and lets it in when there is a place for it.
pub(super) async fn admit(State(keeper): State<Gatekeeper>, mut request: Request, next: Next) -> Response {
    let traffic = &keeper.traffic;
    let Arrival { target, at, place: arrived, .. } = traffic.take_arrival(&mut request);
    let refusal = replica::refusal_of(&mut request);
    let route = match target {
        // Of reflection there may be none.
        _ if is_grpc(request.headers()) => return count_unknown(traffic, request, refusal, next).await,
        Target::Route(route) => route,
        // A method's path over plain HTTP, such as a GET of it.
        Target::Method(_) => Route::Pages,
    };
    let asked = Asked::begin(traffic, route);
    let response = match refusal {
        Some(refusal) => refusal,
        None => keeper.answer(route, arrived, request, next).await,
    };
    asked.end(response.status(), at.elapsed());
    response
}

/// A gRPC call of a method that nobody has ends here, because no service took it.
async fn count_unknown(traffic: &Arc<Traffic>, request: Request, refusal: Option<Response>, next: Next) -> Response {
    let number = traffic.number_of(Target::Route(Route::Pages));
    let call = Call::begin(traffic, number, trace::span_of(&request));
    let response = match refusal {
        Some(refusal) => refusal,
        None => next.run(request).await,
    };
    call.end(code_of(response.headers()).unwrap_or(Code::Unknown));
    response
}

impl Gatekeeper {
    /// The answer to a request, when there is a place for it.
    async fn answer(&self, route: Route, arrived: Option<Place>, request: Request, next: Next) -> Response {
        let ticket = self.ticket(route, request.uri(), request.headers(), request.extensions().get());
        let place = match (arrived, ticket) {
            // Health and metrics have none, and are answered whatever else happens.
            (None, _) => Ok(None),
            (Some(arrived), Ok(ticket)) => self.traffic.enter(ticket, arrived).await.map(Some),
            (Some(_), Err(refusal)) => Err(refusal),
        };
        match place {
            Ok(place) => {
                let answered = timeout(ANSWER_TIME_MAX, next.run(request)).await;
                drop(place);
                answered.unwrap_or_else(|_| status::too_late_page(ANSWER_TIME_MAX))
            }
            Err(refusal) => status::refused_page(&refusal),
        }
    }

    /// Where a request waits for its place. Pages need no credential, and so do invitations, whose tries are counted where
    /// they are opened.
    fn ticket(&self, route: Route, uri: &Uri, headers: &HeaderMap, peer: Option<&Peer>) -> Result<Ticket, Refusal> {
        let ip = || caller::counted_ip(&self.waymark, peer, headers);
        if route != Route::Tiles {
            return Ok(self.traffic.ticket_of_stranger(ip()));
        }
        match tiles::principal_of(&self.waymark, uri, headers) {
            Ok(principal) => self.traffic.ticket_of(&principal, Wanted::tile(), ip),
            Err(failure) => {
                let ip = ip();
                if !caller::is_unjudged(&failure) {
                    self.traffic.count_stranger(ip)?;
                }
                Ok(self.traffic.ticket_of_stranger(ip))
            }
        }
    }
}
