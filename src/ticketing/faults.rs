//! What systems do wrong, one by one: each is told by its own cause, and nothing of it makes a link broken.
//!
//! Every test sees to it that the fault took place: a stub that nobody asked proves nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;

use super::client::ANSWER_BYTES_MAX;
use super::error::{Cause, Error};
use super::worlds::{CANARY, connector_at};
use crate::error::Fault as _;
use crate::http_client::stub::{Reply, Stub};
use crate::model::ticketing::System;

/// A server that tells Autotask's zone, and otherwise replies this; and how often it did.
async fn failing(reply: Reply) -> (Stub, Arc<AtomicUsize>) {
    let count = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&count);
    let stub = Stub::start(move |received| {
        if received.path().ends_with("/zoneInformation") {
            let host = received.header("host").unwrap_or_default();
            return Reply::Json(json!({"url": format!("http://{host}/x/"), "webUrl": ""}).to_string());
        }
        counted.fetch_add(1, Ordering::SeqCst);
        reply.clone()
    })
    .await;
    (stub, count)
}

/// What all systems make of a reply, asked for one organisation, for all, and for a check; each by a connector of its own,
/// because a system may want to be left alone.
async fn each(reply: Reply, timeout_ms: u64) -> Vec<(System, &'static str, Error)> {
    let mut failures = Vec::new();
    for system in System::ALL {
        let (stub, count) = failing(reply.clone()).await;
        let fresh = || connector_at(system, &stub.url, timeout_ms);
        failures.extend(
            fresh()
                .organization("17")
                .await
                .map_or_else(|cause| Some((system, "one", cause)), |found| panic!("{system:?}: {found:?}")),
        );
        failures.push((system, "all", fresh().organizations("", None).await.unwrap_err()));
        failures.push((system, "check", fresh().check().await.unwrap_err()));
        assert_eq!(count.load(Ordering::SeqCst), 3, "{system:?}: the fault took place, once for each question");
    }
    for (system, what, failure) in &failures {
        let told = format!("{failure} {failure:?} {}", failure.told());
        assert!(!told.contains(CANARY) && !told.contains("Secret page"), "{system:?} {what}: {told}");
    }
    failures
}

/// That all systems tell a reply by the same cause.
macro_rules! tells {
    ($reply:expr, $timeout_ms:expr, $cause:pat $(if $guard:expr)?) => {
        for (system, what, failure) in each($reply, $timeout_ms).await {
            assert!(matches!(&failure.cause, $cause $(if $guard)?), "{system:?} {what}: {failure:?}");
        }
    };
}

fn status(status: u16, more: &[(&'static str, &str)]) -> Reply {
    let kind = [("content-type", "application/json".to_owned())];
    let more = more.iter().map(|(name, value)| (*name, (*value).to_owned()));
    Reply::Whole(status, kind.into_iter().chain(more).collect(), b"{\"message\":\"Secret page\"}".to_vec())
}

#[tokio::test]
async fn statuses_have_their_causes() {
    tells!(status(401, &[]), 5_000, Cause::Denied(401));
    tells!(status(403, &[]), 5_000, Cause::Forbidden(403));
    tells!(status(400, &[]), 5_000, Cause::Refused(400));
    for code in [500, 502, 503, 504] {
        tells!(status(code, &[]), 5_000, Cause::Failed(found) if *found == code);
    }
    tells!(status(429, &[("retry-after", "7")]), 5_000, Cause::RateLimited(wait) if *wait == Duration::from_secs(7));
    tells!(status(429, &[]), 5_000, Cause::RateLimited(wait) if *wait == Duration::from_mins(1));
    tells!(status(405, &[]), 5_000, Cause::WrongUrl(405));
    let html = Reply::Whole(404, vec![("content-type", "text/html".to_owned())], b"<h1>Secret page</h1>".to_vec());
    tells!(html, 5_000, Cause::WrongUrl(404));
}

/// A wrong base URL answers 404 to everything: were that "gone", every link would be broken. A check, which comes before,
/// does not take it for an answer.
#[tokio::test]
async fn a_404_is_gone_for_one_thing_and_a_fault_for_a_list() {
    for system in System::ALL {
        let (stub, count) = failing(status(404, &[])).await;
        let connector = connector_at(system, &stub.url, 5_000);
        assert_eq!(connector.organization("17").await, Ok(None), "{system:?}");
        assert_eq!(connector.organizations("", None).await.unwrap_err().cause, Cause::WrongUrl(404), "{system:?}");
        assert_eq!(connector.check().await.unwrap_err().cause, Cause::WrongUrl(404), "{system:?}");
        assert_eq!(count.load(Ordering::SeqCst), 3, "{system:?}");
    }
}

#[tokio::test]
async fn who_wants_fewer_requests_gets_none() {
    for system in System::ALL {
        let (stub, count) = failing(status(429, &[("retry-after", "100")])).await;
        let connector = connector_at(system, &stub.url, 5_000);
        for _ in 0..5 {
            let failure = connector.organizations("", None).await.unwrap_err();
            assert!(matches!(failure.cause, Cause::RateLimited(_)), "{system:?}: {failure:?}");
            assert!(failure.retry_after().is_some_and(|wait| wait > Duration::from_secs(90)), "{system:?}");
        }
        assert_eq!(count.load(Ordering::SeqCst), 1, "{system:?}: it was asked once");
    }
}

#[tokio::test]
async fn what_is_no_answer_is_malformed() {
    let html = vec![("content-type", "text/html".to_owned())];
    tells!(Reply::Whole(200, html.clone(), b"<form>Secret page</form>".to_vec()), 5_000, Cause::Malformed(_));
    tells!(Reply::Whole(200, html, b"[]".to_vec()), 5_000, Cause::Malformed(_));
    for garbage in ["", "[{", "nul", "7", "\"text\"", "{\"companies\": 1}", "{}{}", "[7]", "{\"items\": [{}]}"] {
        tells!(Reply::Json(garbage.to_owned()), 5_000, Cause::Malformed(_));
    }
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    tells!(Reply::Json(deep), 5_000, Cause::Malformed(_));
    tells!(Reply::Truncated, 5_000, Cause::Unreachable(_) | Cause::Malformed(_));
}

/// An answer about something else was taken for the thing that was asked for.
#[tokio::test]
async fn another_thing_is_not_the_one_that_was_asked_for() {
    let other = json!({"id": 18, "name": "Other"});
    for (system, body) in [
        (System::ConnectWise, other.clone()),
        (System::Autotask, json!({"item": {"id": 18, "companyName": "Other"}})),
        (System::Syncro, json!({"customer": other})),
        (System::Zendesk, json!({"organization": other})),
        (System::Freshservice, json!({"department": other})),
        (System::Freshdesk, other.clone()),
    ] {
        let (stub, count) = failing(Reply::Json(body.to_string())).await;
        let failure = connector_at(system, &stub.url, 5_000).organization("17").await.unwrap_err();
        assert!(matches!(failure.cause, Cause::Malformed(_)), "{system:?}: {failure:?}");
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn an_answer_has_a_size_and_a_time() {
    tells!(Reply::Endless, 20_000, Cause::TooLarge(ANSWER_BYTES_MAX));
    tells!(Reply::Silent, 300, Cause::TimedOut);
    tells!(Reply::Dripping, 300, Cause::TimedOut);
    tells!(Reply::Reset, 5_000, Cause::Unreachable(_));
}

#[tokio::test]
async fn nobody_follows_a_redirect() {
    let elsewhere = Stub::always(Reply::Json("[]".to_owned())).await;
    for target in [elsewhere.url.as_str(), "http://169.254.169.254/latest/meta-data", "file:///etc/passwd"] {
        tells!(status(302, &[("location", target)]), 5_000, Cause::Redirected(302));
    }
    assert_eq!(elsewhere.count(), 0);
}

/// The zone is told by an answer, and the credentials go there.
#[tokio::test]
async fn a_zone_elsewhere_gets_no_credentials() {
    let elsewhere = Stub::always(Reply::Json("{}".to_owned())).await;
    let port = elsewhere.url.rsplit(':').next().unwrap().to_owned();
    for zone in [
        format!("http://127.0.0.2:{port}/"),
        "https://evil.example/".to_owned(),
        "https://evilautotask.net/".to_owned(),
        "http://webservices3.autotask.net/".to_owned(),
        "file:///etc/passwd".to_owned(),
        String::new(),
    ] {
        let stub = Stub::always(Reply::Json(json!({"url": zone, "webUrl": ""}).to_string())).await;
        let failure = connector_at(System::Autotask, &stub.url, 5_000).check().await.unwrap_err();
        assert!(matches!(failure.cause, Cause::Malformed(_)), "{zone}: {failure:?}");
        assert_eq!(stub.count(), 1, "{zone}");
    }
    assert_eq!(elsewhere.count(), 0);
}
