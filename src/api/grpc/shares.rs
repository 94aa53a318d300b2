//! `ShareService`.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use crate::api::convert::share::{parse_share, share};
use crate::api::proto::waymark::v1 as pb;
use crate::api::proto::waymark::v1::share_service_server::ShareService;
use crate::api::status::Failure;
use crate::api::{caller, names};
use crate::service::Waymark;
use crate::service::paging::PageRequest;

/// The service.
#[derive(Debug)]
pub(super) struct Shares(pub(super) Arc<Waymark>);

#[tonic::async_trait]
impl ShareService for Shares {
    async fn propose_share(
        &self,
        request: Request<pb::ProposeShareRequest>,
    ) -> Result<Response<pb::ProposeShareResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let account = names::account("parent", &message.parent).map_err(Failure::from)?;
        let new = parse_share(message.share.unwrap_or_default()).map_err(Failure::from)?;
        let (proposed, code) = self.0.propose_share(&principal, &account, new).await.map_err(Failure)?;
        Ok(Response::new(pb::ProposeShareResponse { share: Some(share(&proposed)), code }))
    }

    async fn get_share(&self, request: Request<pb::GetShareRequest>) -> Result<Response<pb::Share>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let (account, id) = names::share("name", &request.get_ref().name).map_err(Failure::from)?;
        let found = self.0.share(&principal, &account, id).map_err(Failure)?;
        Ok(Response::new(share(&found)))
    }

    async fn list_shares(
        &self,
        request: Request<pb::ListSharesRequest>,
    ) -> Result<Response<pb::ListSharesResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let account = names::account("parent", &message.parent).map_err(Failure::from)?;
        let page = PageRequest { size: message.page_size, token: message.page_token };
        let page = self.0.list_shares(&principal, &account, &page).map_err(Failure)?;
        let shares = page.items.iter().map(share).collect();
        Ok(Response::new(pb::ListSharesResponse { shares, next_page_token: page.next_token }))
    }

    async fn accept_share(&self, request: Request<pb::AcceptShareRequest>) -> Result<Response<pb::Share>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let account = names::account("parent", &message.parent).map_err(Failure::from)?;
        let accepted = if message.validate_only {
            self.0.offered_share(&principal, &account, &message.code).await
        } else {
            self.0.accept_share(&principal, &account, &message.code).await
        };
        Ok(Response::new(share(&accepted.map_err(Failure)?)))
    }

    async fn decline_share(&self, request: Request<pb::DeclineShareRequest>) -> Result<Response<pb::Share>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let account = names::account("parent", &message.parent).map_err(Failure::from)?;
        let declined = self.0.decline_share(&principal, &account, &message.code).await.map_err(Failure)?;
        Ok(Response::new(share(&declined)))
    }

    async fn end_share(&self, request: Request<pb::EndShareRequest>) -> Result<Response<pb::Share>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let (account, id) = names::share("name", &request.get_ref().name).map_err(Failure::from)?;
        let ended = self.0.end_share(&principal, &account, id).await.map_err(Failure)?;
        Ok(Response::new(share(&ended)))
    }
}
