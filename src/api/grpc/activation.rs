//! `ActivationService`.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::location::parse_ip;
use crate::api::convert::{location, optional_text};
use crate::api::proto::waymark::v1 as pb;
use crate::api::proto::waymark::v1::activation_service_server::ActivationService;
use crate::api::status::Failure;
use crate::api::{caller, names};
use crate::model::id::AgentId;
use crate::service::Waymark;
use crate::service::activation::Activation;

/// The service.
#[derive(Debug)]
pub(super) struct Activations(pub(super) Arc<Waymark>);

#[tonic::async_trait]
impl ActivationService for Activations {
    async fn activate_agent(
        &self,
        request: Request<pb::ActivateAgentRequest>,
    ) -> Result<Response<pb::ActivateAgentResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let public_ip = caller::public_ip(&self.0, request.extensions().get(), request.metadata().as_ref());
        let message = request.into_inner();
        let claimed_ip = match message.claimed_ip.as_str() {
            "" => None,
            text => Some(parse_ip("claimed_ip", text).map_err(Failure::from)?),
        };
        let activation = Activation {
            account: names::account("parent", &message.parent).map_err(Failure::from)?,
            agent: message.agent_id.parse::<AgentId>().map_err(Failure::from)?,
            agent_key: message.agent_key,
            display_name: message.display_name,
            claimed_ip,
            public_ip,
        };
        let activated = self.0.activate_agent(&principal, activation).await.map_err(Failure)?;
        let site = &activated.site.value;
        Ok(Response::new(pb::ActivateAgentResponse {
            site: names::of_site(&site.account, site.id),
            credential: activated.credential.unwrap_or_default(),
            created: activated.created,
            public_ip: optional_text(activated.public_ip),
            location: Some(location::location(site)),
            revision: activated.site.revision.0,
        }))
    }
}
