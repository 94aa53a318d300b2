//! `AttentionService`.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::sites::answer;
use crate::api::convert::attention::{count, counts, item, parse_reason};
use crate::api::proto::waymark::v1 as pb;
use crate::api::proto::waymark::v1::attention_service_server::AttentionService;
use crate::api::status::Failure;
use crate::api::{caller, names};
use crate::model::Invalid;
use crate::model::attention::AttentionReason;
use crate::service::Waymark;
use crate::service::paging::PageRequest;

/// The service.
#[derive(Debug)]
pub(super) struct Attentions(pub(super) Arc<Waymark>);

#[tonic::async_trait]
impl AttentionService for Attentions {
    async fn list_attention(
        &self,
        request: Request<pb::ListAttentionRequest>,
    ) -> Result<Response<pb::ListAttentionResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let account = names::account("parent", &message.parent).map_err(Failure::from)?;
        let reasons = parse_reasons(&message.reasons).map_err(Failure::from)?;
        let page = PageRequest { size: message.page_size, token: message.page_token };
        let found = self.0.list_attention(&principal, &account, &reasons, &message.filter, &page).await;
        let found = found.map_err(Failure)?;
        Ok(Response::new(pb::ListAttentionResponse {
            items: found.page.items.into_iter().map(|found| item(&self.0, &principal, found)).collect(),
            next_page_token: found.page.next_token,
            counts: counts(&found.counts),
            site_count: count(found.counts.sites),
            revision: found.revision.0,
            unreachable: names::of_sites(&account, found.unreadable),
        }))
    }

    async fn dismiss_attention(
        &self,
        request: Request<pb::DismissAttentionRequest>,
    ) -> Result<Response<pb::Site>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let (account, id) = names::site("site", &message.site).map_err(Failure::from)?;
        let reason = parse_reason("reason", message.reason).map_err(Failure::from)?;
        answer(&self.0, &principal, self.0.dismiss_attention(&principal, &account, id, reason, message.etag).await)
    }

    async fn restore_attention(
        &self,
        request: Request<pb::RestoreAttentionRequest>,
    ) -> Result<Response<pb::Site>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let (account, id) = names::site("site", &message.site).map_err(Failure::from)?;
        let reason = parse_reason("reason", message.reason).map_err(Failure::from)?;
        answer(&self.0, &principal, self.0.restore_attention(&principal, &account, id, reason, message.etag).await)
    }
}

fn parse_reasons(values: &[i32]) -> Result<Vec<AttentionReason>, Invalid> {
    let most = AttentionReason::ALL.len();
    if values.len() > most {
        return Err(Invalid::new("reasons", format!("at most {most}, got {}", values.len())));
    }
    values.iter().enumerate().map(|(at, value)| parse_reason(&format!("reasons[{at}]"), *value)).collect()
}
