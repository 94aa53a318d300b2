//! What stands before every method: calls are counted, and let in or refused before their messages are read.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{Extensions, HeaderMap};
use tonic::Status;

use crate::api::caller;
use crate::api::status;
use crate::api::trace;
use crate::api::traffic::{Call, Method, Ticket, Traffic, Wanted, code_of};
use crate::service::Waymark;

/// Counts a call, with the code that it ends with.
pub(super) async fn count(State(traffic): State<Arc<Traffic>>, request: Request, next: Next) -> Response {
    let (target, at) = traffic.noted_of(&request);
    let number = traffic.number_of(target);
    let call = Call::begin(&traffic, number, trace::span_of(&request));
    let response = next.run(request).await;
    traffic.calls().of_method(number).answer_began(at.elapsed());
    match code_of(response.headers()) {
        Some(code) => {
            call.end(code);
            response
        }
        None => response.map(|body| call.with(body)),
    }
}

/// What lets calls in.
#[derive(Debug, Clone)]
pub(super) struct Gatekeeper {
    pub(super) traffic: Arc<Traffic>,
    pub(super) waymark: Arc<Waymark>,
}

/// Lets a call in when there is a place for it, and answers it here otherwise. It has its place until its answer begins: what
/// follows is sent as its client takes it.
pub(super) async fn admit(State(keeper): State<Gatekeeper>, mut request: Request, next: Next) -> Response {
    let traffic = &keeper.traffic;
    let arrival = traffic.take_arrival(&mut request);
    // Health has none.
    let Some(arrived) = arrival.place else { return next.run(request).await };
    let method = traffic.method(traffic.number_of(arrival.target));
    let ticket = keeper.ticket(method, request.headers(), request.extensions());
    let place = match ticket {
        Ok(ticket) => traffic.enter(ticket, arrived).await.map_err(|refusal| status::refused(&refusal)),
        Err(refused) => Err(refused),
    };
    match place {
        Ok(place) => {
            let response = next.run(request).await;
            drop(place);
            response
        }
        Err(refused) => refused.into_http(),
    }
}

impl Gatekeeper {
    /// Where a call waits for its place. Who has no good credential is answered at once where one is needed: nothing of their
    /// message is read, which would hold a place for as long as they take to send it.
    fn ticket(&self, method: &Method, headers: &HeaderMap, extensions: &Extensions) -> Result<Ticket, Status> {
        let ip = || caller::counted_ip(&self.waymark, extensions.get(), headers);
        match caller::of_call(&self.waymark, headers, extensions) {
            Ok(principal) => {
                let ticket = self.traffic.ticket_of(&principal, Wanted::of(method), ip);
                ticket.map_err(|refusal| status::refused(&refusal))
            }
            // What costs nothing but this answer. Where no credential is needed it is let in, and counted, like anybody.
            Err(failure) if caller::is_unjudged(&failure) && !method.needs_no_credential() => Err(failure.into()),
            Err(failure) => {
                let ip = ip();
                self.traffic.count_stranger(ip).map_err(|refusal| status::refused(&refusal))?;
                if method.needs_no_credential() { Ok(self.traffic.ticket_of_stranger(ip)) } else { Err(failure.into()) }
            }
        }
    }
}
