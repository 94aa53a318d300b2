//! Traces for an OpenTelemetry collector: what `spans` makes becomes spans of OpenTelemetry, and goes out in batches.
//!
//! `sampler` says which calls are traced, `parent` what callers say of theirs, `strip` what of a span goes out, `queue` how it waits,
//! `otlp` where it goes. No call waits for any of it, and none fails with it.

pub mod config;
mod counts;
#[cfg(test)]
mod fake;
mod otlp;
mod parent;
mod queue;
mod sampler;
mod strip;

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::level_filters::LevelFilter;
use tracing::{Subscriber, warn};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

pub use self::counts::{Counts, Loss};
pub use self::parent::follow;
use super::build_info::BUILD;
use super::spans::{Names, TARGET};
use config::{Config, Error};
use queue::{Deliver, Queue, queue};
use sampler::Draw;

/// What the spans are of, as all of OpenTelemetry calls it.
const SERVICE: &str = "waymark";
/// Most attributes of a span: more than any has, so none is cut.
const ATTRIBUTES_MAX: u32 = 16;

/// Of this process.
static COUNTS: Counts = Counts::new();

/// What became of the spans of this process.
#[must_use]
pub fn counts() -> &'static Counts {
    &COUNTS
}

/// Traces that are made and sent.
#[derive(Debug)]
pub struct Traces {
    provider: SdkTracerProvider,
    end: oneshot::Sender<()>,
    sending: JoinHandle<()>,
}

impl Traces {
    /// Sends to the collector that is configured, in a task of its own; `names` says how calls are called. Connects when there is
    /// something to send. Called within a runtime of tokio.
    pub fn open(config: &Config, names: fn() -> Names) -> Result<Self, Error> {
        let resource = resource();
        let collector = otlp::connect(config.resolve()?, &resource)?;
        Ok(Self::sent_to(collector, config, resource, names, &COUNTS))
    }

    fn sent_to(
        collector: impl Deliver,
        config: &Config,
        resource: Resource,
        names: fn() -> Names,
        counts: &'static Counts,
    ) -> Self {
        let time_max = Duration::from_millis(config.timeout_ms.get().into());
        let (end, ends) = oneshot::channel();
        let (queue, sending) = queue(collector, time_max, ends, counts);
        let sending = tokio::spawn(async move { sending.run(names()).await });
        let sampler = Draw::new(config.sample_ratio, config.trust_callers);
        Self { provider: provider(queue, sampler, resource), end, sending }
    }

    /// What makes the spans.
    #[must_use]
    pub fn tracer(&self) -> SdkTracer {
        self.provider.tracer(SERVICE)
    }

    /// Sends what is left, within a time. What ends from now on is dropped.
    pub async fn close(mut self, limit: Duration) {
        // Where it ended by itself there is nothing left.
        let _ = self.end.send(());
        if timeout(limit, &mut self.sending).await.is_err() {
            self.sending.abort();
            warn!(?limit, "the last traces were not taken in time, and are lost");
        }
    }
}

/// Nothing of the environment is in it.
fn resource() -> Resource {
    let of_build = [KeyValue::new("service.name", SERVICE), KeyValue::new("service.version", BUILD.version)];
    Resource::builder_empty().with_attributes(of_build).build()
}

fn provider(queue: Queue, sampler: Draw, resource: Resource) -> SdkTracerProvider {
    SdkTracerProvider::builder()
        .with_sampler(sampler)
        .with_span_processor(queue)
        .with_resource(resource)
        .with_max_attributes_per_span(ATTRIBUTES_MAX)
        .with_max_events_per_span(0)
        .with_max_links_per_span(0)
        .build()
}

/// What makes spans of OpenTelemetry of those that `spans` makes, and of nothing else that is traced or logged.
pub(super) fn layer<S>(tracer: SdkTracer) -> impl Layer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let ours = filter_fn(|metadata| metadata.target() == TARGET && metadata.is_span());
    tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_target(false)
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_filter(ours.with_max_level_hint(LevelFilter::INFO))
}

#[cfg(test)]
mod tests {
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
}
