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
#[cfg(test)]
mod tests;

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
        let collector = otlp::connect(config.resolve()?, &resource);
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
