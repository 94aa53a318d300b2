//! The collector that is configured, spoken to in OTLP over gRPC: one request a batch, with the headers of the configuration and no
//! others.
//!
//! By the client that the protos make: OpenTelemetry's own exporter takes headers out of the environment, and asks again by itself.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;
use tonic::Request;
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;

use super::config::Checked;
use super::queue::{Deliver, NotTaken};

/// A collector elsewhere.
#[derive(Debug)]
pub(super) struct Remote {
    client: TraceServiceClient<Channel>,
    headers: MetadataMap,
    /// Of whom all spans are.
    resource: ResourceAttributesWithSchema,
}

/// What sends to the collector; connects when there is something to send, and again where that breaks. Called within a runtime of
/// tokio.
pub(super) fn connect(checked: Checked, resource: &Resource) -> Remote {
    let client = TraceServiceClient::new(checked.endpoint.connect_lazy());
    Remote { client, headers: checked.headers, resource: resource.into() }
}

impl Deliver for Remote {
    async fn deliver(&self, batch: Vec<SpanData>) -> Result<usize, NotTaken> {
        let resource_spans = group_spans_by_resource_and_scope(batch, &self.resource);
        let mut request = Request::new(ExportTraceServiceRequest { resource_spans });
        *request.metadata_mut() = self.headers.clone();
        let answer = self.client.clone().export(request).await;
        let answer = answer.map_err(|status| NotTaken::Refused(status.code()))?.into_inner();
        let rejected = answer.partial_success.map_or(0, |partial| partial.rejected_spans);
        Ok(usize::try_from(rejected).unwrap_or_default())
    }
}
