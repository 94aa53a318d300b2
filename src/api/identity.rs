//! Callers with a token of an identity provider whose key is not here: they wait for it before anybody judges them.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use super::caller;
use super::traffic::Traffic;
use crate::service::Waymark;

/// Has the provider's keys looked at where a request's token names one that is not known, and waits for it for a bounded time.
/// What waits has no place among those that are answered; it arrives again when it goes on.
pub(super) async fn wait_for_key(State(waymark): State<Arc<Waymark>>, mut request: Request, next: Next) -> Response {
    let credential = caller::credential(request.headers()).ok();
    let lacking = credential.filter(|credential| waymark.lacks_key(credential)).map(str::to_owned);
    if let Some(credential) = lacking {
        Traffic::step_back(&mut request);
        waymark.wait_for_key(&credential).await;
    }
    next.run(request).await
}
