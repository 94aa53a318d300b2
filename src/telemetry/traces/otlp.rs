//! The collector that is configured, spoken to in OTLP over gRPC.

use opentelemetry_otlp::{SpanExporter, WithTonicConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use tonic::transport::Endpoint;

use super::config::{Checked, Error};
use super::queue::{Deliver, NotTaken};

/// What sends to the collector; connects when there is something to send, and again where that breaks. Called within a runtime of
/// tokio.
pub(super) fn connect(checked: Checked, resource: &Resource) -> Result<SpanExporter, Error> {
    let endpoint = Endpoint::from_shared(checked.endpoint).map_err(|cause| Error::of("endpoint", cause.to_string()))?;
    let endpoint = endpoint.connect_timeout(checked.time_max).timeout(checked.time_max);
    let endpoint = match checked.tls {
        Some(tls) => endpoint.tls_config(tls).map_err(|cause| Error::of("ca_file", cause.to_string()))?,
        None => endpoint,
    };
    let builder = SpanExporter::builder().with_tonic().with_channel(endpoint.connect_lazy());
    let built = builder.with_metadata(checked.headers).build();
    let mut exporter = built.map_err(|cause| Error::of("endpoint", cause.to_string()))?;
    exporter.set_resource(resource);
    Ok(exporter)
}

impl Deliver for SpanExporter {
    async fn deliver(&self, batch: Vec<SpanData>) -> Result<(), NotTaken> {
        self.export(batch).await.map_err(|_| NotTaken)
    }
}
