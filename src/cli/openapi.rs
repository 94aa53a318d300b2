//! `waymark openapi`: the API over HTTP/JSON as a server serves it at `/openapi.json`, without one that runs.

use super::say;
use crate::api::openapi;

/// Prints it.
pub(super) fn print() -> anyhow::Result<()> {
    say(openapi::document()?)
}
