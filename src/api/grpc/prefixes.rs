//! `PrefixService`.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use crate::api::convert::prefix::{parse_prefix, prefix};
use crate::api::convert::reestimation::reestimation;
use crate::api::proto::waymark::v1 as pb;
use crate::api::proto::waymark::v1::prefix_service_server::PrefixService;
use crate::api::status::Failure;
use crate::api::{caller, names};
use crate::model::Invalid;
use crate::service::Waymark;
use crate::service::paging::PageRequest;

/// The service.
#[derive(Debug)]
pub(super) struct Prefixes(pub(super) Arc<Waymark>);

#[tonic::async_trait]
impl PrefixService for Prefixes {
    async fn create_prefix(&self, request: Request<pb::CreatePrefixRequest>) -> Result<Response<pb::Prefix>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let account = names::account("parent", &message.parent).map_err(Failure::from)?;
        let stated = message.prefix.unwrap_or_default();
        refuse_name(&stated).map_err(Failure::from)?;
        let fields = parse_prefix(&stated).map_err(Failure::from)?;
        let made = self.0.create_prefix(&principal, &account, fields).await.map_err(Failure)?;
        Ok(Response::new(prefix(&account, made)))
    }

    async fn get_prefix(&self, request: Request<pb::GetPrefixRequest>) -> Result<Response<pb::Prefix>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let (account, network) = names::prefix("name", &request.get_ref().name).map_err(Failure::from)?;
        let found = self.0.prefix(&principal, &account, network).await.map_err(Failure)?;
        Ok(Response::new(prefix(&account, found)))
    }

    async fn list_prefixes(
        &self,
        request: Request<pb::ListPrefixesRequest>,
    ) -> Result<Response<pb::ListPrefixesResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let account = names::account("parent", &message.parent).map_err(Failure::from)?;
        let page = PageRequest { size: message.page_size, token: message.page_token };
        let page = self.0.list_prefixes(&principal, &account, &page).await.map_err(Failure)?;
        let prefixes = page.items.into_iter().map(|item| prefix(&account, item)).collect();
        Ok(Response::new(pb::ListPrefixesResponse { prefixes, next_page_token: page.next_token }))
    }

    async fn update_prefix(&self, request: Request<pb::UpdatePrefixRequest>) -> Result<Response<pb::Prefix>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let mut stated = request.into_inner().prefix.unwrap_or_default();
        let (account, network) = names::prefix("prefix.name", &stated.name).map_err(Failure::from)?;
        if stated.cidr.is_empty() {
            stated.cidr = network.to_string();
        }
        let fields = parse_prefix(&stated).map_err(Failure::from)?;
        if fields.network != network {
            let why = format!("a network does not change: delete {network} and create the other one");
            return Err(Failure::from(Invalid::new("prefix.cidr", why)).into());
        }
        let changed = self.0.update_prefix(&principal, &account, fields, &stated.etag).await.map_err(Failure)?;
        Ok(Response::new(prefix(&account, changed)))
    }

    async fn delete_prefix(&self, request: Request<pb::DeletePrefixRequest>) -> Result<Response<()>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let (account, network) = names::prefix("name", &message.name).map_err(Failure::from)?;
        self.0.delete_prefix(&principal, &account, network, &message.etag).await.map_err(Failure)?;
        Ok(Response::new(()))
    }

    async fn list_prefix_reestimations(
        &self,
        request: Request<pb::ListPrefixReestimationsRequest>,
    ) -> Result<Response<pb::ListPrefixReestimationsResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let account = names::account("parent", &request.get_ref().parent).map_err(Failure::from)?;
        let runs = self.0.list_prefix_reestimations(&principal, &account).await.map_err(Failure)?;
        let reestimations = runs.into_iter().map(reestimation).collect();
        Ok(Response::new(pb::ListPrefixReestimationsResponse { reestimations }))
    }
}

fn refuse_name(stated: &pb::Prefix) -> Result<(), Invalid> {
    if stated.name.is_empty() { Ok(()) } else { Err(Invalid::new("prefix.name", "output only: leave it empty")) }
}
