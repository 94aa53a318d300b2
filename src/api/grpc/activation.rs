//! `ActivationService`.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::location::parse_optional_ip;
use super::sites::answer;
use crate::api::convert::location::parse_device;
use crate::api::convert::site::parse_reported_status;
use crate::api::convert::{location, optional_text, parse_timestamp};
use crate::api::proto::waymark::v1 as pb;
use crate::api::proto::waymark::v1::activation_service_server::ActivationService;
use crate::api::status::Failure;
use crate::api::{caller, names, status};
use crate::model::Invalid;
use crate::model::id::{AccountId, AgentId};
use crate::service::activation::{Activation, is_public};
use crate::service::reports::{Report, Reported};
use crate::service::{Error, Waymark};

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
        let claimed_ip = parse_optional_ip("claimed_ip", &message.claimed_ip).map_err(Failure::from)?;
        let activation = Activation {
            account: names::account("parent", &message.parent).map_err(Failure::from)?,
            agent: message.agent_id.parse::<AgentId>().map_err(Failure::from)?,
            agent_key: message.agent_key,
            display_name: message.display_name,
            claimed_ip,
            public_ip,
            device: parse_device("device_position", message.device_position.as_ref()).map_err(Failure::from)?,
        };
        let activated = self.0.activate_agent(&principal, activation).await.map_err(Failure)?;
        let site = &activated.site.value;
        Ok(Response::new(pb::ActivateAgentResponse {
            site: names::of_site(&site.account, site.id),
            credential: activated.credential.unwrap_or_default(),
            created: activated.created,
            replaced: activated.replaced,
            public_ip: optional_text(activated.public_ip),
            location: Some(location::location(site)),
            revision: activated.site.revision.0,
        }))
    }

    async fn report_status(
        &self,
        request: Request<pb::ReportStatusRequest>,
    ) -> Result<Response<pb::ReportStatusResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let public_ip = caller::public_ip(&self.0, request.extensions().get(), request.metadata().as_ref());
        let message = request.into_inner();
        let status = parse_reported_status("status", message.status).map_err(Failure::from)?;
        let claimed_ip = parse_optional_ip("claimed_ip", &message.claimed_ip).map_err(Failure::from)?;
        let device = parse_device("device_position", message.device_position.as_ref()).map_err(Failure::from)?;
        let reported = self.0.report_status(&principal, status, public_ip, claimed_ip, device).await;
        let (account, site, reported) = reported.map_err(Failure)?;
        Ok(Response::new(pb::ReportStatusResponse {
            site: names::of_site(&account, site),
            public_ip: optional_text(public_ip.ok().filter(|ip| is_public(*ip))),
            revision: revision_of(reported),
        }))
    }

    async fn batch_report_status(
        &self,
        request: Request<pb::BatchReportStatusRequest>,
    ) -> Result<Response<pb::BatchReportStatusResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let account = names::account("parent", &message.parent).map_err(Failure::from)?;
        let reports = message
            .reports
            .iter()
            .enumerate()
            .map(|(at, stated)| report(&account, stated).map_err(|fault| fault.within(&format!("reports[{at}]"))));
        let reports = reports.collect::<Result<Vec<_>, _>>().map_err(Failure::from)?;
        let outcomes = self.0.batch_report_status(&principal, &account, reports).await.map_err(Failure)?;
        Ok(Response::new(pb::BatchReportStatusResponse { results: outcomes.into_iter().map(result).collect() }))
    }

    async fn allow_replacement(
        &self,
        request: Request<pb::AllowReplacementRequest>,
    ) -> Result<Response<pb::Site>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let (account, id) = names::site("site", &message.site).map_err(Failure::from)?;
        let agent = message.agent_id.parse::<AgentId>().map_err(Failure::from)?;
        let until = message.expire_time.as_ref().map(|time| parse_timestamp("expire_time", time)).transpose();
        let until = until.map_err(Failure::from)?;
        answer(&self.0, &principal, self.0.allow_replacement(&principal, &account, id, &agent, until).await)
    }

    async fn cancel_replacement(
        &self,
        request: Request<pb::CancelReplacementRequest>,
    ) -> Result<Response<pb::Site>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let (account, id) = names::site("site", &request.get_ref().site).map_err(Failure::from)?;
        answer(&self.0, &principal, self.0.cancel_replacement(&principal, &account, id).await)
    }
}

/// A report of a batch for `account`.
fn report(account: &AccountId, stated: &pb::SiteReport) -> Result<Report, Invalid> {
    let (parent, site) = names::site("site", &stated.site)?;
    if parent != *account {
        return Err(Invalid::new("site", "the site is not one of `parent`"));
    }
    Ok(Report {
        site,
        status: parse_reported_status("status", stated.status)?,
        seen_at: stated.seen_time.as_ref().map(|time| parse_timestamp("seen_time", time)).transpose()?,
        public_ip: parse_optional_ip("public_ip", &stated.public_ip)?,
        device: parse_device("device_position", stated.device_position.as_ref())?,
    })
}

fn result(outcome: Result<Reported, Error>) -> pb::SiteReportResult {
    use pb::site_report_result::Outcome;
    match outcome {
        Ok(reported) => {
            let outcome = match reported {
                Reported::Noted => Outcome::Noted,
                Reported::Written(_) => Outcome::Written,
                Reported::Late => Outcome::Late,
            };
            pb::SiteReportResult { outcome: outcome.into(), revision: revision_of(reported), ..Default::default() }
        }
        Err(fault) => {
            let (reason, message) = status::told(&fault);
            pb::SiteReportResult {
                outcome: Outcome::Failed.into(),
                reason: reason.into(),
                message,
                ..Default::default()
            }
        }
    }
}

fn revision_of(reported: Reported) -> u64 {
    match reported {
        Reported::Written(revision) => revision.0,
        Reported::Noted | Reported::Late => 0,
    }
}
