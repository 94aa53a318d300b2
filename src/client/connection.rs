//! What generated clients are made over: a service that sends the token, keeps deadlines, and repeats what may be repeated.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};
use tonic::Status;
use tonic::body::Body;
use tonic::transport::Channel;
use tower::{Service, ServiceExt as _};

use super::config::{Config, ConfigError, Token};
use super::error::Error;
use super::policy::{Method, Streams, policy};
use super::{deadline, keys, wire};
use crate::api::protocol;

/// What a call wrote: the account's name, or `operator`, and the revision.
const REVISION: HeaderName = HeaderName::from_static("waymark-revision");
/// What the server that answers has to know, in the same form.
const MIN_REVISION: HeaderName = HeaderName::from_static("waymark-min-revision");

/// A connection to a server: what the clients that are generated from the protos are made over, such as
/// `SiteServiceClient::new(connection.clone())`. Clones share one channel and are cheap.
///
/// Each call has a deadline, all attempts and waits included: 20 seconds as a rule, 11 minutes for an erasure, none for a watch;
/// `tonic::Request::set_timeout` gives another one. A call that fails is made again where `docs/clients.md` says so. Of a stream both
/// are for its beginning alone: who reads it further gives that a time of its own. A request that can have a key, such as
/// `request_id`, gets one.
///
/// A message of the answer may be as long as the generated client takes, of one message at most 64 MiB. Unary calls hold
/// request and answer in memory.
#[derive(Debug, Clone)]
pub struct Connection {
    channel: Channel,
    token: Option<Token>,
    patience: Duration,
    attempts_max: Option<u32>,
    reads: Reads,
    /// The highest revisions that calls over the channel wrote, by what they are of.
    written: Arc<Mutex<BTreeMap<String, u64>>>,
}

/// What an answer has to know.
#[derive(Debug, Clone)]
enum Reads {
    Anything,
    AtLeast(HeaderValue),
    OwnWritesOf(String),
}

impl Connection {
    pub(super) fn new(channel: Channel, token: Option<Token>, config: &Config) -> Self {
        let (patience, attempts_max) = (config.patience, config.attempts_max);
        Self { channel, token, patience, attempts_max, reads: Reads::Anything, written: Arc::default() }
    }

    /// The same connection with another token.
    #[must_use]
    pub fn with_token(&self, token: Token) -> Self {
        Self { token: Some(token), ..self.clone() }
    }

    /// The highest revision of an account, `accounts/ACCOUNT`, that calls over this connection and its clones wrote, in the form
    /// that [`Self::at_least`] takes, on any machine. `operator` stands for what is of no account.
    #[must_use]
    pub fn written(&self, account: &str) -> Option<String> {
        self.written.lock().get(account).map(|revision| format!("{account}={revision}"))
    }

    /// The same connection, answered by servers that know at least this revision: `accounts/ACCOUNT=NUMBER`. One that is behind
    /// waits for up to 5 seconds, and is asked again then.
    pub fn at_least(&self, revision: &str) -> Result<Self, ConfigError> {
        let is_good = parse(revision).is_some();
        let value = HeaderValue::try_from(revision).ok().filter(|_| is_good);
        let value = value.ok_or_else(|| ConfigError::Revision(revision.to_owned()))?;
        Ok(Self { reads: Reads::AtLeast(value), ..self.clone() })
    }

    /// The same connection, on which every answer has in it what calls over it, and over its clones, wrote to an account before.
    /// Where several servers share a store, each call may come to another one.
    #[must_use]
    pub fn with_own_writes_of(&self, account: &str) -> Self {
        Self { reads: Reads::OwnWritesOf(account.to_owned()), ..self.clone() }
    }

    async fn send(self, request: Request<Body>) -> Result<Response<Body>, Status> {
        let (mut head, body) = request.into_parts();
        let path = head.uri.path().to_owned();
        let method = policy().method(&path);
        if let Some(token) = &self.token {
            head.headers.insert(header::AUTHORIZATION, token.header());
        }
        let time =
            protocol::timeout(&head.headers).or_else(|| Some(policy().time(method)?.saturating_add(self.patience)));
        let ends = time.map(|time| Instant::now() + time);
        if method.streams == Some(Streams::Both) {
            // What a client says as it goes cannot be said again.
            return self.attempt(Request::from_parts(head, body), method, ends).await;
        }
        let message = keys::put(method, &path, wire::read(body).await?);
        let mut failures = 0;
        loop {
            let request = Request::from_parts(head.clone(), wire::body_of(message.clone()));
            let status = match self.attempt(request, method, ends).await {
                Ok(response) => return Ok(response),
                Err(status) => status,
            };
            failures += 1;
            let Some(wait) = self.wait(method, &Error::from(&status), failures, ends) else { return Err(status) };
            sleep(wait).await;
        }
    }

    async fn attempt(
        &self,
        mut request: Request<Body>,
        method: &Method,
        ends: Option<Instant>,
    ) -> Result<Response<Body>, Status> {
        if let Some(revision) = self.least() {
            request.headers_mut().insert(MIN_REVISION, revision);
        }
        if let Some(ends) = ends {
            deadline::tell(request.headers_mut(), ends);
        }
        let channel = self.channel.clone();
        deadline::within(ends, async {
            let response = channel.oneshot(request).await.map_err(|cause| Status::from_error(cause.into()))?;
            self.note(response.headers());
            if method.streams.is_some() { wire::opened(response) } else { wire::settle(response).await }
        })
        .await
    }

    /// The wait before the next attempt; `None` where there is to be none, or no time for it.
    fn wait(&self, method: &Method, error: &Error, failures: u32, ends: Option<Instant>) -> Option<Duration> {
        // What has no end has somebody who makes it again, and knows from where.
        let ends = ends?;
        if !policy().repeats(method.kind, error) || self.attempts_max.is_some_and(|most| failures >= most) {
            return None;
        }
        let asked = error.retry_after();
        if asked.is_some_and(|asked| asked > policy().asked_longest()) {
            return None;
        }
        let wait = policy().backoff.waits.wait(failures, asked);
        (Instant::now() + wait < ends).then_some(wait)
    }

    fn least(&self) -> Option<HeaderValue> {
        match &self.reads {
            Reads::Anything => None,
            Reads::AtLeast(revision) => Some(revision.clone()),
            Reads::OwnWritesOf(account) => HeaderValue::try_from(self.written(account)?).ok(),
        }
    }

    fn note(&self, headers: &HeaderMap) {
        let told = headers.get_all(REVISION).iter().filter_map(|value| parse(value.to_str().ok()?));
        for (of, revision) in told {
            let mut written = self.written.lock();
            let highest = written.entry(of.to_owned()).or_default();
            *highest = (*highest).max(revision);
        }
    }
}

/// What a revision is of, and its number.
fn parse(text: &str) -> Option<(&str, u64)> {
    let (of, revision) = text.split_once('=')?;
    let is_named = of == "operator" || of.strip_prefix("accounts/").is_some_and(|account| !account.is_empty());
    Some((of, revision.parse().ok()?)).filter(|_| is_named)
}

impl Service<Request<Body>> for Connection {
    type Response = Response<Body>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Response<Body>, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        // Each attempt waits for the channel by itself.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.clone().send(request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_highest_revision_that_was_written_is_asked_for() {
        let connection = Config::new("http://127.0.0.1:1").connect().unwrap();
        let own = connection.with_own_writes_of("accounts/acme");
        assert_eq!(own.least(), None);
        let told = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(REVISION, value.parse().unwrap());
            }
            connection.note(&headers);
        };
        told(&["accounts/acme=7", "operator=3"]);
        told(&["accounts/acme=5", "accounts/other=9", "nonsense", "accounts/=4", "accounts/acme=x"]);
        assert_eq!(connection.written("accounts/acme").as_deref(), Some("accounts/acme=7"));
        assert_eq!(connection.written("operator").as_deref(), Some("operator=3"));
        assert_eq!(connection.written("accounts/new"), None);
        assert_eq!(own.least().unwrap(), "accounts/acme=7", "clones share what was written");
        assert_eq!(connection.least(), None);
    }

    #[tokio::test]
    async fn a_revision_that_is_asked_for_is_well_formed() {
        let connection = Config::new("http://127.0.0.1:1").connect().unwrap();
        assert_eq!(connection.at_least("accounts/acme=7").unwrap().least().unwrap(), "accounts/acme=7");
        for text in ["", "7", "acme=7", "accounts/acme", "accounts/acme=", "accounts/=7", "accounts/acme=-1"] {
            assert!(connection.at_least(text).is_err(), "{text}");
        }
    }
}
