//! What a collector gets of all that is done: the listed spans, whole traces, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use tracing::{Instrument as _, info, info_span};
use tracing_subscriber::layer::SubscriberExt as _;

use super::fake::Collector;
use super::*;
use crate::telemetry::spans;

const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn names() -> Names {
    Names { methods: ["s.v1.Sites/Get".to_owned()].into(), routes: ["/v1/{name=sites/*}".to_owned()].into() }
}

fn config(sample_ratio: f64) -> Config {
    toml::from_str(&format!("endpoint = 'http://127.0.0.1:1'\nsample_ratio = {sample_ratio}")).unwrap()
}

/// What a collector gets of what is done, with this part of it traced.
async fn taken(sample_ratio: f64, work: impl Future<Output = ()>) -> Collector {
    let collector = Collector::default();
    let counts: &Counts = Box::leak(Box::default());
    let traces = Traces::sent_to(collector.clone(), &config(sample_ratio), resource(), names, counts);
    let subscriber = tracing_subscriber::registry().with(layer(traces.tracer()));
    let guard = tracing::subscriber::set_default(subscriber);
    work.await;
    drop(guard);
    traces.close(Duration::from_secs(5)).await;
    collector
}

/// Makes every span that there is with all that it may say, and others, with texts of callers in them.
async fn everything() {
    let canary = "jane.roe@example.com";
    let call = spans::rpc("s.v1.Sites", "Get");
    let request = spans::http("GET", Some("/v1/{name=sites/*}"), Some(("s.v1.Sites", "Get")));
    async {
        info!(canary, "an event");
        for name in ["store.commit", "store.get", "store.scan", "store.settle"] {
            let span = spans::store(name, &"Site", None);
            spans::counted(&span, 2);
            spans::failed(&span, "STORAGE_FULL");
        }
        spans::failed(&spans::scrub(), "STORAGE_FULL");
        let asked = spans::geocode("photon", "forward");
        spans::failed(&asked, "GEOCODER_UNAVAILABLE");
        let asked = spans::ticketing("zendesk", "GET");
        spans::heard(&asked, 500);
        spans::failed(&asked, "TICKETING_UNAVAILABLE");
        spans::failed(&spans::mail(), "LATER");
        info_span!(target: TARGET, "store", otel.name = "store.explode", "error.type" = canary).in_scope(|| ());
        info_span!(target: TARGET, "store", otel.name = "store.get", note = canary).in_scope(|| ());
        info_span!("store.commit", note = canary).in_scope(|| ());
    }
    .instrument(call.clone())
    .await;
    spans::ended_rpc(&call, 13);
    spans::answered_http(&call, 415);
    spans::ended_rpc(&request, 0);
    spans::answered_http(&request, 503);
    // One of a caller's own words for a method, and of a page that is not there.
    drop(spans::http(canary, None, None));
    drop(spans::http("GET", Some(canary), None));
}

#[tokio::test]
async fn nothing_but_these_spans_and_their_attributes_is_exported() {
    let collector = taken(1.0, everything()).await;
    let mut said: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for span in collector.spans() {
        let keys = said.entry(span.name.to_string()).or_default();
        keys.extend(span.attributes.iter().map(|attribute| attribute.key.to_string()));
        assert!(span.events.events.is_empty() && span.links.links.is_empty(), "{span:?}");
    }
    let calls = [("s.v1.Sites/Get", &spans::RPC), ("GET /v1/{name=sites/*}", &spans::HTTP)];
    let listed = calls.into_iter().chain(spans::WITHIN.iter().map(|listed| (listed.name, listed)));
    let mut expected: BTreeMap<String, BTreeSet<String>> = listed
        .map(|(name, listed)| (name.to_owned(), listed.attributes.iter().map(|key| (*key).to_owned()).collect()))
        .collect();
    expected.insert("HTTP".to_owned(), BTreeSet::from(["http.request.method".to_owned()]));
    assert_eq!(said, expected, "each says all that it may, and no other is there");
    let all = format!("{:?}", collector.spans());
    assert!(!all.contains("jane.roe"), "{all}");
}

#[tokio::test]
async fn a_call_goes_on_from_its_callers_span_and_the_store_from_the_call() {
    let collector = taken(1.0, async {
        let call = spans::rpc("s.v1.Sites", "Get");
        follow(&call, TRACEPARENT);
        async { drop(spans::store("store.get", &"Site", Some(1))) }.instrument(call).await;
        drop(spans::store("store.scan", &"Lease", Some(1)));
    })
    .await;
    let taken = collector.spans();
    let of = |name: &str| taken.iter().find(|span| span.name == name).unwrap();
    let (call, read) = (of("s.v1.Sites/Get"), of("store.get"));
    assert_eq!(call.span_context.trace_id().to_string(), TRACEPARENT[3..35]);
    assert_eq!(call.parent_span_id.to_string(), TRACEPARENT[36..52]);
    assert_eq!(read.span_context.trace_id(), call.span_context.trace_id());
    assert_eq!(read.parent_span_id, call.span_context.span_id());
    assert_eq!(taken.len(), 2, "what the store does beside calls is no trace: {taken:?}");
}

#[tokio::test]
async fn a_call_ends_with_its_answer_and_not_where_that_begins() {
    let collector = taken(1.0, async {
        let call = spans::rpc("s.v1.Sites", "Get");
        async {}.instrument(call.clone()).await;
        drop(spans::http("GET", None, None));
        spans::ended_rpc(&call, 0);
    })
    .await;
    let taken = collector.spans();
    let of = |name: &str| taken.iter().find(|span| span.name == name).unwrap();
    let (call, meanwhile) = (of("s.v1.Sites/Get"), of("GET"));
    assert!(call.end_time >= meanwhile.end_time, "{call:?} {meanwhile:?}");
}

#[tokio::test]
async fn of_none_there_is_nothing_whatever_callers_say() {
    let collector = taken(0.0, async {
        everything().await;
        let call = spans::rpc("s.v1.Sites", "Get");
        follow(&call, TRACEPARENT);
        async { drop(spans::store("store.get", &"Site", Some(1))) }.instrument(call).await;
    })
    .await;
    assert!(collector.spans().is_empty());
}
