//! `HistoryService`.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::sites::answer;
use crate::api::convert::history::change;
use crate::api::proto::waymark::v1 as pb;
use crate::api::proto::waymark::v1::history_service_server::HistoryService;
use crate::api::status::Failure;
use crate::api::{caller, names};
use crate::service::Waymark;
use crate::service::history::Restoration;
use crate::service::paging::PageRequest;
use crate::service::sites::ChangeOptions;

/// The service.
#[derive(Debug)]
pub(super) struct Histories(pub(super) Arc<Waymark>);

#[tonic::async_trait]
impl HistoryService for Histories {
    async fn list_site_changes(
        &self,
        request: Request<pb::ListSiteChangesRequest>,
    ) -> Result<Response<pb::ListSiteChangesResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let (account, site) = names::site("parent", &message.parent).map_err(Failure::from)?;
        let page = PageRequest { size: message.page_size, token: message.page_token };
        let page = self.0.list_changes(&principal, &account, site, &message.field, &page).await.map_err(Failure)?;
        let changes =
            page.items.into_iter().map(|found| change(&self.0, &principal, (&account, site), found)).collect();
        Ok(Response::new(pb::ListSiteChangesResponse { changes, next_page_token: page.next_token }))
    }

    async fn get_site_change(
        &self,
        request: Request<pb::GetSiteChangeRequest>,
    ) -> Result<Response<pb::SiteChange>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let (account, site, number) = names::change("name", &request.get_ref().name).map_err(Failure::from)?;
        let found = self.0.get_change(&principal, &account, site, number).await.map_err(Failure)?;
        Ok(Response::new(change(&self.0, &principal, (&account, site), found)))
    }

    async fn restore_site_value(
        &self,
        request: Request<pb::RestoreSiteValueRequest>,
    ) -> Result<Response<pb::Site>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let (account, site, number) = names::change("name", &message.name).map_err(Failure::from)?;
        let (field, request_id) = (message.field, message.request_id);
        let restoration = Restoration { site, change: number, field, request_id };
        let options = ChangeOptions { etag: message.etag, validate_only: message.validate_only };
        answer(&self.0, &principal, self.0.restore_value(&principal, &account, &restoration, &options).await)
    }
}
