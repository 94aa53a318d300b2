//! One connection to a system over HTTP: how its requests are sent, and what of an answer is believed.
//!
//! URLs come from the encoder alone. Credentials are headers that are marked as secret, and go to the connection's own host
//! and nowhere else. Knows no system.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LINK};
use reqwest::{Method, StatusCode, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::timeout;
use tracing::{Instrument as _, Span, info};

use super::error::{Cause, Error};
use super::governor::{Governor, Shared, Window};
use super::target::{Guard, is_refusal};
use crate::http_client::{self, BodyFault};
use crate::model::ticketing::System;
use crate::telemetry::spans;

/// Largest answer, in bytes after decompression: a page of 100 companies with all their fields has some 400 KiB.
pub(super) const ANSWER_BYTES_MAX: usize = 4 << 20;
/// Depth of an answer: the deepest real one has 6 levels.
const DEPTH_MAX: usize = 32;
/// How requests name us.
const USER_AGENT: &str = concat!("waymark/", env!("CARGO_PKG_VERSION"));

/// What all connectors are built of.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Where connections may lead.
    pub guard: Guard,
    /// Longest time of one request.
    pub time_max: Duration,
    /// The limits of this connection.
    pub governor: Arc<Governor>,
    /// Those of all connections.
    pub shared: Arc<Shared>,
}

/// A connection.
pub(super) struct Client {
    system: System,
    base: Url,
    headers: HeaderMap,
    setting: Setting,
    http: reqwest::Client,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("system", &self.system)
            .field("base", &self.base.as_str())
            .finish_non_exhaustive()
    }
}

/// An answer in good order.
#[derive(Debug)]
pub(super) struct Answer<A> {
    /// What it says.
    pub(super) value: A,
    /// Whether its `link` header names a next page.
    pub(super) has_next: bool,
}

/// A request below the base: the segments of its path, and its parameters before they are encoded.
#[derive(Debug, Default)]
pub(super) struct Request<'a> {
    pub(super) path: Vec<&'a str>,
    pub(super) parameters: Vec<(&'a str, String)>,
    /// Sent with POST, where there is one.
    pub(super) body: Option<Value>,
}

impl<'a> Request<'a> {
    pub(super) fn get(path: &[&'a str]) -> Self {
        Self { path: path.to_vec(), ..Self::default() }
    }

    #[expect(clippy::needless_pass_by_value, reason = "values are small, and callers have values or references")]
    pub(super) fn with(mut self, name: &'a str, value: impl ToString) -> Self {
        self.parameters.push((name, value.to_string()));
        self
    }
}

/// A header that nothing prints.
pub(super) fn secret(value: &str) -> Result<HeaderValue, &'static str> {
    let mut header = HeaderValue::from_str(value).map_err(|_| "it has characters that no header may have")?;
    header.set_sensitive(true);
    Ok(header)
}

impl Client {
    /// A connection to a checked base URL, with headers for every request. Connects nowhere yet.
    pub(super) fn new(system: System, base: Url, headers: HeaderMap, setting: Setting) -> Result<Self, Error> {
        let http = http_client::builder(USER_AGENT, setting.time_max).dns_resolver(setting.guard.resolver()).build();
        let http = http.map_err(|cause| Cause::Unreachable(http_client::causes(cause)).of(system))?;
        Ok(Self { system, base, headers, setting, http })
    }

    /// The same connection at another base URL, which is checked too.
    pub(super) fn at(&self, base: Url) -> Self {
        let (system, headers, setting) = (self.system, self.headers.clone(), self.setting.clone());
        Self { system, base, headers, setting, http: self.http.clone() }
    }

    pub(super) fn system(&self) -> System {
        self.system
    }

    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    pub(super) fn guard(&self) -> &Guard {
        &self.setting.guard
    }

    /// What answers to a request for one thing; `None` where it is not there.
    pub(super) async fn find<A: DeserializeOwned>(&self, request: Request<'_>) -> Result<Option<A>, Error> {
        match self.ask(request).await {
            Ok(answer) => Ok(Some(answer.value)),
            Err(Asked::Gone) => Ok(None),
            Err(Asked::Failed(cause)) => Err(cause.of(self.system)),
        }
    }

    /// What answers to a request for a list.
    pub(super) async fn list<A: DeserializeOwned>(&self, request: Request<'_>) -> Result<Answer<A>, Error> {
        self.ask(request).await.map_err(|asked| match asked {
            Asked::Gone => Cause::WrongUrl(404).of(self.system),
            Asked::Failed(cause) => cause.of(self.system),
        })
    }

    fn shared(&self) -> Option<&Window> {
        self.setting.shared.of(self.system, self.base.host_str().unwrap_or_default())
    }

    pub(super) fn malformed(&self, why: &'static str) -> Error {
        Cause::Malformed(why).of(self.system)
    }

    async fn ask<A: DeserializeOwned>(&self, request: Request<'_>) -> Result<Answer<A>, Asked> {
        let (verb, named) = if request.body.is_some() { (Method::POST, "POST") } else { (Method::GET, "GET") };
        let mut span = Span::none();
        let asked = timeout(self.setting.time_max, async {
            let _turn = self.setting.governor.turn(self.shared()).await.map_err(Cause::RateLimited)?;
            // The wait for a turn is ours, and no request.
            span = spans::ticketing(self.system.facts().name, named);
            self.send(verb, request, &span).instrument(span.clone()).await
        });
        let asked = asked.await.unwrap_or(Err(Asked::Failed(Cause::TimedOut)));
        if let Err(Asked::Failed(cause)) = &asked {
            spans::failed(&span, cause.reason().as_str());
        }
        if let Err(Asked::Failed(cause @ (Cause::Private(_) | Cause::Unreachable(_)))) = &asked {
            // The caller is told nothing of the operator's network: so this is the one place where it can be read.
            info!(system = self.system.facts().name, %cause, "a ticketing system cannot be asked");
        }
        asked
    }

    async fn send<A: DeserializeOwned>(
        &self,
        verb: Method,
        request: Request<'_>,
        span: &Span,
    ) -> Result<Answer<A>, Asked> {
        let mut url = self.base.clone();
        url.path_segments_mut().expect("a base URL with a host has a path").pop_if_empty().extend(request.path);
        if !request.parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.parameters);
        }
        let mut sending = self.http.request(verb, url).headers(self.headers.clone());
        if !self.headers.contains_key(ACCEPT) {
            sending = sending.header(ACCEPT, "application/json");
        }
        if let Some(body) = &request.body {
            sending = sending.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        let response = sending.send().await.map_err(broken)?;
        let (status, headers) = (response.status(), response.headers());
        spans::heard(span, status.as_u16());
        let wait = self.setting.governor.hear(self.shared(), status.as_u16(), headers, Timestamp::now());
        let is_json = http_client::is_json(headers);
        if status == StatusCode::NOT_FOUND && (is_json || !headers.contains_key(CONTENT_TYPE)) {
            return Err(Asked::Gone);
        }
        if status != StatusCode::OK {
            return Err(refusal(status.as_u16(), wait).into());
        }
        if !is_json {
            return Err(Cause::Malformed("its content type is not JSON").into());
        }
        let has_next = headers.get_all(LINK).iter().any(|link| names_next(link.as_bytes()));
        let body = http_client::read(response, ANSWER_BYTES_MAX).await.map_err(|fault| match fault {
            BodyFault::TooLarge => Cause::TooLarge(ANSWER_BYTES_MAX),
            BodyFault::Broken(cause) => broken(cause),
        })?;
        http_client::check_depth(&body, DEPTH_MAX).map_err(Cause::Malformed)?;
        let value = serde_json::from_slice(&body).map_err(|cause| {
            let is_shape = cause.is_data();
            Cause::Malformed(if is_shape { "a field is missing or of another type" } else { "it is not JSON" })
        })?;
        Ok(Answer { value, has_next })
    }
}

/// What a request came to, where not to an answer.
enum Asked {
    /// There is no such thing.
    Gone,
    /// It went wrong.
    Failed(Cause),
}

impl From<Cause> for Asked {
    fn from(cause: Cause) -> Self {
        Self::Failed(cause)
    }
}

/// What a status other than success means.
fn refusal(status: u16, wait: Option<Duration>) -> Cause {
    match (status, wait) {
        (429, wait) => Cause::RateLimited(wait.unwrap_or(Duration::from_secs(1))),
        (503, Some(wait)) => Cause::RateLimited(wait),
        (300..=399, _) => Cause::Redirected(status),
        (401, _) => Cause::Denied(status),
        (402 | 403, _) => Cause::Forbidden(status),
        (408 | 425 | 500.., _) => Cause::Failed(status),
        (400 | 409 | 413 | 414 | 422, _) => Cause::Refused(status),
        _ => Cause::WrongUrl(status),
    }
}

/// A request that broke off.
fn broken(cause: reqwest::Error) -> Cause {
    if cause.is_timeout() {
        return Cause::TimedOut;
    }
    if cause.is_decode() {
        return Cause::Malformed("it cannot be decompressed");
    }
    let host = cause.url().and_then(|url| url.host_str().map(str::to_owned));
    let told = http_client::causes(cause);
    if is_refusal(&told) { Cause::Private(host.unwrap_or_default()) } else { Cause::Unreachable(told) }
}

/// Whether a `link` header names a next page (RFC 8288).
fn names_next(link: &[u8]) -> bool {
    let text = String::from_utf8_lossy(link).to_ascii_lowercase();
    text.split(',').flat_map(|link| link.split(';').skip(1)).any(|parameter| {
        let relation = parameter.trim().strip_prefix("rel=").map(|relation| relation.trim_matches('"'));
        relation.is_some_and(|relation| relation.split_whitespace().any(|word| word == "next"))
    })
}

/// A header's name that is known to be one.
pub(super) fn header(name: &'static str) -> HeaderName {
    HeaderName::from_static(name)
}

/// An id as systems write them: a whole number, or its digits as a text.
pub(super) fn id_of(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => number.as_u64().map(|number| number.to_string()),
        Value::String(text) => text.parse::<u64>().ok().map(|number| number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_next_page_is_named_by_a_link() {
        for (link, expect) in [
            ("<https://x/companies?page=2>; rel=\"next\", <https://x/companies?page=9>; rel=\"last\"", true),
            ("<https://x/companies?page=1>; rel=\"first\", <https://x/companies?page=2>; rel=next", true),
            ("<https://x/next?rel=next>; rel=\"prev\"", false),
            ("<https://x>; rel=\"nextish\"", false),
            ("", false),
        ] {
            assert_eq!(names_next(link.as_bytes()), expect, "{link}");
        }
    }

    #[test]
    fn ids_are_whole_numbers() {
        use serde_json::json;
        assert_eq!(id_of(&json!(17)).as_deref(), Some("17"));
        assert_eq!(id_of(&json!("0017")).as_deref(), Some("17"));
        for bad in [json!(-1), json!(1.5), json!("x"), json!(null), json!([1])] {
            assert_eq!(id_of(&bad), None, "{bad}");
        }
    }
}
