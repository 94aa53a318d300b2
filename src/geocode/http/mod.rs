//! One provider over HTTP: how its requests are built and sent, and what of an answer is believed before it is parsed.
//!
//! Addresses of requests come from the URL encoder alone, so that no text of a question can change where it goes.
//! Nothing is followed, no proxy of the environment is asked, and an answer is cut at a size. Knows no provider.

pub(super) mod answer;
#[cfg(test)]
mod requests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{ACCEPT, HeaderMap, HeaderName};
use reqwest::{Response, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};

use super::Error;
use crate::http_client::{self, BodyFault};

/// Largest answer, in bytes after decompression: 20 places with all their details have 40 KiB.
pub(super) const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Longest rest that a provider is believed when it says that a quota is used up: quotas are by the day.
const QUOTA_WAIT_MAX: Duration = Duration::from_hours(24);
/// Longest rest that it is believed when it is out of service: nobody knows when they will have mended something, and a
/// provider that is back unseen is of no use.
const OUTAGE_WAIT_MAX: Duration = Duration::from_mins(5);
/// What a quota's end is told by, where there is no `retry-after`: seconds since 1970.
const QUOTA_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
/// The parameter of the key, where a provider has one: that of `OpenCage`.
const KEY: &str = "key";
/// Depth of an answer: the deepest real one has 6 levels.
const DEPTH_MAX: usize = 32;

/// Where and how a provider is asked; checked.
#[derive(Clone)]
pub(super) struct Endpoint {
    /// The provider's name.
    pub(super) provider: Arc<str>,
    /// The URL below which its methods are.
    pub(super) base: Url,
    /// How we name ourselves.
    pub(super) user_agent: String,
    /// Its key, where it wants one.
    pub(super) key: Option<SecretString>,
    /// Longest time of one request, in all.
    pub(super) time_max: Duration,
    /// The clock that quotas and terms are told by.
    pub(super) clock: fn() -> Timestamp,
}

/// A request below the base: where to, and its parameters as they are before they are encoded.
#[derive(Debug)]
pub(super) struct Request {
    /// The segments of the path.
    pub(super) path: &'static [&'static str],
    /// Names and values.
    pub(super) parameters: Vec<(&'static str, String)>,
}

/// A connection to one provider.
pub(super) struct Client {
    endpoint: Endpoint,
    http: reqwest::Client,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Client");
        text.field("provider", &self.endpoint.provider).field("base", &self.endpoint.base.as_str());
        text.finish_non_exhaustive()
    }
}

impl Client {
    /// Connects nowhere yet. Fails where TLS does not start, or the user agent is no header.
    pub(super) fn new(endpoint: Endpoint) -> Result<Self, String> {
        let builder = http_client::builder(&endpoint.user_agent, endpoint.time_max);
        Self::of(endpoint, builder)
    }

    /// One whose authorities or names a test makes.
    #[cfg(test)]
    pub(super) fn changed(
        endpoint: Endpoint,
        change: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
    ) -> Result<Self, String> {
        let builder = change(http_client::builder(&endpoint.user_agent, endpoint.time_max));
        Self::of(endpoint, builder)
    }

    fn of(endpoint: Endpoint, builder: reqwest::ClientBuilder) -> Result<Self, String> {
        let http = builder.build().map_err(http_client::causes)?;
        Ok(Self { endpoint, http })
    }

    /// The provider's name.
    pub(super) fn provider(&self) -> &Arc<str> {
        &self.endpoint.provider
    }

    /// Now, by the provider's clock.
    pub(super) fn now(&self) -> Timestamp {
        (self.endpoint.clock)()
    }

    /// Sends a request, with the provider's key where it has one, and parses what comes back.
    /// Gives up at `deadline`, or after the time of a request.
    pub(super) async fn get<A: DeserializeOwned>(&self, request: &Request, deadline: Instant) -> Result<A, Error> {
        let answered = timeout_at(deadline, self.ask(request)).await;
        answered.unwrap_or_else(|_| Err(Error::TimedOut { provider: Arc::clone(self.provider()) }))
    }

    async fn ask<A: DeserializeOwned>(&self, request: &Request) -> Result<A, Error> {
        let mut url = url(&self.endpoint.base, request);
        if let Some(key) = &self.endpoint.key {
            url.query_pairs_mut().append_pair(KEY, key.expose_secret());
        }
        let request = self.http.get(url).header(ACCEPT, "application/json");
        let response = request.send().await.map_err(|cause| self.broken(cause))?;
        self.check_status(&response)?;
        if !http_client::is_json(response.headers()) {
            return Err(self.malformed("its content type is not JSON"));
        }
        let body = self.read(response).await?;
        http_client::check_depth(&body, DEPTH_MAX).map_err(|why| self.malformed(why))?;
        // The parser's own message may hold a piece of the answer: where it stands is told, and what is wrong is not.
        serde_json::from_slice(&body).map_err(|cause| {
            let kind = if cause.is_data() { "a field is missing or of another type" } else { "it is not JSON" };
            self.malformed(format!("{kind}, at line {} column {}", cause.line(), cause.column()))
        })
    }

    /// An answer that is not what the protocol says; `why` holds nothing of it.
    pub(super) fn malformed(&self, why: impl Into<String>) -> Error {
        Error::Malformed { provider: Arc::clone(self.provider()), why: why.into() }
    }

    /// What a status other than success means. Told by numbers, whether they came as a header or within the answer.
    pub(super) fn refusal(&self, status: u16, retry_after: Option<Duration>) -> Error {
        let provider = Arc::clone(self.provider());
        match status {
            300..=399 => Error::Redirected { provider, status },
            401 | 403 => Error::Denied { provider, status },
            402 | 429 => Error::QuotaUsed { provider, status, retry_after },
            408 | 425 | 500.. => Error::Failed { provider, status, retry_after },
            400 | 410 | 413 | 414 | 422 => Error::Refused { provider, status },
            _ => Error::WrongUrl { provider, status },
        }
    }

    fn check_status(&self, response: &Response) -> Result<(), Error> {
        if response.status() == StatusCode::OK {
            return Ok(());
        }
        let status = response.status().as_u16();
        Err(self.refusal(status, wait(status, response.headers(), self.now())))
    }

    /// Reads the body, as far as it may be long.
    async fn read(&self, response: Response) -> Result<Vec<u8>, Error> {
        let body = http_client::read(response, ANSWER_BYTES_MAX).await;
        body.map_err(|fault| match fault {
            BodyFault::TooLarge => {
                Error::TooLarge { provider: Arc::clone(self.provider()), bytes_max: ANSWER_BYTES_MAX }
            }
            BodyFault::Broken(cause) => self.broken(cause),
        })
    }

    /// A request that broke off. The URL holds key and address, so it goes first.
    fn broken(&self, cause: reqwest::Error) -> Error {
        let provider = Arc::clone(self.provider());
        if cause.is_timeout() {
            return Error::TimedOut { provider };
        }
        if cause.is_decode() {
            return self.malformed("it cannot be decompressed");
        }
        Error::Unreachable { provider, cause: http_client::causes(cause) }
    }
}

/// The URL of a request, made by the encoder alone.
fn url(base: &Url, request: &Request) -> Url {
    let mut url = base.clone();
    url.path_segments_mut().expect("a base URL with a host has a path").pop_if_empty().extend(request.path);
    url.query_pairs_mut().clear().extend_pairs(&request.parameters);
    url
}

/// How long the provider wants to be left alone: seconds or a date in `retry-after`, or the end of a quota.
///
/// Told with every answer by some, the end of a quota says when a new one begins and not that this one is used up: it is
/// heard where the status says so too. No time at all is none, because a provider that just refused means to rest.
fn wait(status: u16, headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let wait_max = match status {
        402 | 429 => QUOTA_WAIT_MAX,
        503 => OUTAGE_WAIT_MAX,
        _ => return None,
    };
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let end = || text(&QUOTA_RESET)?.parse().ok().and_then(|second| Timestamp::from_second(second).ok());
    let reset = || end().map(|end| http_client::until(end, now));
    let is_quota = wait_max == QUOTA_WAIT_MAX;
    let stated = http_client::retry_after(headers, now).or_else(|| if is_quota { reset() } else { None });
    stated.filter(|wait| !wait.is_zero()).map(|wait| wait.min(wait_max))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        headers
    }

    #[track_caller]
    fn check(status: u16, name: &'static str, value: &str, expect: Option<u64>) {
        let now = Timestamp::from_second(1_000_000_000).unwrap();
        let found = wait(status, &headers(name, value), now);
        assert_eq!(found, expect.map(Duration::from_secs), "{status} {name}: {value}");
    }

    #[test]
    fn a_wait_is_seconds_or_a_date_or_the_end_of_a_quota() {
        check(429, "retry-after", "7", Some(7));
        check(429, "retry-after", "Sun, 09 Sep 2001 01:47:10 GMT", Some(30));
        check(429, "retry-after", "Sun, 09 Sep 2001 01:46:00 GMT", None);
        check(429, "retry-after", "0", None);
        check(429, "retry-after", "99999999999", Some(QUOTA_WAIT_MAX.as_secs()));
        check(429, "retry-after", "-1", None);
        check(429, "retry-after", "soon", None);
        check(402, "x-ratelimit-reset", "1000000060", Some(60));
        check(402, "x-ratelimit-reset", "1999999999", Some(QUOTA_WAIT_MAX.as_secs()));
        check(402, "x-ratelimit-reset", "999999999999999999", None);
        check(429, "date", "7", None);
    }

    /// One answer with status 500 and the end of the day's quota, which came with every answer, put a provider to rest
    /// until midnight.
    #[test]
    fn a_quota_that_is_not_used_up_is_no_wait() {
        for status in [500, 502, 503, 504, 408, 425, 403, 200] {
            check(status, "x-ratelimit-reset", "1000040000", None);
        }
        check(503, "retry-after", "7", Some(7));
        check(503, "retry-after", "86400", Some(OUTAGE_WAIT_MAX.as_secs()));
        check(500, "retry-after", "7", None);
    }
}
