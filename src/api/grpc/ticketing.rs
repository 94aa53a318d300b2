//! `TicketingService`.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use crate::api::convert::site::site;
use crate::api::convert::ticketing::{
    connection, external_site, failure, organization, parse_connection, parse_patch, suggestion, system, verification,
};
use crate::api::proto::waymark::v1 as pb;
use crate::api::proto::waymark::v1::ticketing_service_server::TicketingService;
use crate::api::status::Failure;
use crate::api::{caller, names};
use crate::model::Invalid;
use crate::model::id::{AccountId, SiteId};
use crate::model::ticketing::System;
use crate::service::Waymark;
use crate::service::paging::PageRequest;
use crate::service::site_batch::BATCH_MAX;
use crate::service::ticketing::connections::parse_system;

/// The service.
#[derive(Debug)]
pub(super) struct Ticketing(pub(super) Arc<Waymark>);

#[tonic::async_trait]
impl TicketingService for Ticketing {
    async fn list_ticketing_systems(
        &self,
        request: Request<pb::ListTicketingSystemsRequest>,
    ) -> Result<Response<pb::ListTicketingSystemsResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let account = names::account("parent", &request.get_ref().parent).map_err(Failure::from)?;
        let systems = self.0.ticketing_systems(&principal, &account).map_err(Failure)?;
        let systems = systems.into_iter().map(system).collect();
        Ok(Response::new(pb::ListTicketingSystemsResponse { systems }))
    }

    async fn create_ticketing_connection(
        &self,
        request: Request<pb::CreateTicketingConnectionRequest>,
    ) -> Result<Response<pb::TicketingConnection>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let account = names::account("parent", &message.parent).map_err(Failure::from)?;
        let stated = message.connection.unwrap_or_default();
        if !stated.name.is_empty() {
            return Err(Failure::from(Invalid::new("connection.name", "output only: leave it empty")).into());
        }
        let system = parse_system("connection.system", &stated.system).map_err(Failure::from)?;
        let patch = parse_connection(stated);
        let made = self.0.create_connection(&principal, &account, system, patch).await.map_err(Failure)?;
        Ok(Response::new(connection(&account, made)))
    }

    async fn get_ticketing_connection(
        &self,
        request: Request<pb::GetTicketingConnectionRequest>,
    ) -> Result<Response<pb::TicketingConnection>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let (account, system) = names::connection("name", &request.get_ref().name).map_err(Failure::from)?;
        let found = self.0.connection(&principal, &account, system).await.map_err(Failure)?;
        Ok(Response::new(connection(&account, found)))
    }

    async fn list_ticketing_connections(
        &self,
        request: Request<pb::ListTicketingConnectionsRequest>,
    ) -> Result<Response<pb::ListTicketingConnectionsResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let account = names::account("parent", &request.get_ref().parent).map_err(Failure::from)?;
        let found = self.0.list_connections(&principal, &account).await.map_err(Failure)?;
        let connections = found.into_iter().map(|found| connection(&account, found)).collect();
        Ok(Response::new(pb::ListTicketingConnectionsResponse { connections }))
    }

    async fn update_ticketing_connection(
        &self,
        request: Request<pb::UpdateTicketingConnectionRequest>,
    ) -> Result<Response<pb::TicketingConnection>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let stated = message.connection.unwrap_or_default();
        let (account, system) = names::connection("connection.name", &stated.name).map_err(Failure::from)?;
        let (etag, mask) = (stated.etag.clone(), message.update_mask.unwrap_or_default().paths);
        let patch = parse_patch(stated, &mask).map_err(Failure::from)?;
        let changed = self.0.update_connection(&principal, &account, system, patch, &etag).await.map_err(Failure)?;
        Ok(Response::new(connection(&account, changed)))
    }

    async fn delete_ticketing_connection(
        &self,
        request: Request<pb::DeleteTicketingConnectionRequest>,
    ) -> Result<Response<()>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let (account, system) = names::connection("name", &message.name).map_err(Failure::from)?;
        self.0.delete_connection(&principal, &account, system, &message.etag).await.map_err(Failure)?;
        Ok(Response::new(()))
    }

    async fn check_ticketing_connection(
        &self,
        request: Request<pb::CheckTicketingConnectionRequest>,
    ) -> Result<Response<()>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let (account, system) = names::connection("name", &request.get_ref().name).map_err(Failure::from)?;
        self.0.check_connection(&principal, &account, system).await.map_err(Failure)?;
        Ok(Response::new(()))
    }

    async fn list_external_organizations(
        &self,
        request: Request<pb::ListExternalOrganizationsRequest>,
    ) -> Result<Response<pb::ListExternalOrganizationsResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let (account, system) = names::connection("connection", &message.connection).map_err(Failure::from)?;
        let (search, token) = (&message.search, &message.page_token);
        let page = self.0.list_external_organizations(&principal, &account, system, search, token).await;
        let page = page.map_err(Failure)?;
        Ok(Response::new(pb::ListExternalOrganizationsResponse {
            organizations: page.items.into_iter().map(organization).collect(),
            next_page_token: page.next_token,
        }))
    }

    async fn list_external_sites(
        &self,
        request: Request<pb::ListExternalSitesRequest>,
    ) -> Result<Response<pb::ListExternalSitesResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let (account, system) = names::connection("connection", &message.connection).map_err(Failure::from)?;
        let (organization, token) = (&message.organization_id, &message.page_token);
        let page = self.0.list_external_sites(&principal, &account, system, organization, token).await;
        let page = page.map_err(Failure)?;
        Ok(Response::new(pb::ListExternalSitesResponse {
            sites: page.items.into_iter().map(external_site).collect(),
            next_page_token: page.next_token,
        }))
    }

    async fn verify_site_ticketing_links(
        &self,
        request: Request<pb::VerifySiteTicketingLinksRequest>,
    ) -> Result<Response<pb::VerifySiteTicketingLinksResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let (account, id) = names::site("site", &request.get_ref().site).map_err(Failure::from)?;
        let checked = self.0.verify_site_links(&principal, &account, id).await.map_err(Failure)?;
        let failures = checked.failures.into_iter();
        let failures = failures.map(|(system, fault)| failure(system, fault.reason.as_str(), fault.message));
        Ok(Response::new(pb::VerifySiteTicketingLinksResponse {
            failures: failures.collect(),
            site: Some(site(&self.0, &principal, checked.site)),
        }))
    }

    async fn verify_ticketing_links(
        &self,
        request: Request<pb::VerifyTicketingLinksRequest>,
    ) -> Result<Response<pb::TicketingVerification>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let account = names::account("parent", &request.get_ref().parent).map_err(Failure::from)?;
        let run = self.0.verify_links(&principal, &account).await.map_err(Failure)?;
        Ok(Response::new(verification(run)))
    }

    async fn get_ticketing_verification(
        &self,
        request: Request<pb::GetTicketingVerificationRequest>,
    ) -> Result<Response<pb::TicketingVerification>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let (account, id) = names::verification("name", &request.get_ref().name).map_err(Failure::from)?;
        let run = self.0.verification(&principal, &account, id).await.map_err(Failure)?;
        Ok(Response::new(verification(run)))
    }

    async fn list_ticketing_verifications(
        &self,
        request: Request<pb::ListTicketingVerificationsRequest>,
    ) -> Result<Response<pb::ListTicketingVerificationsResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let account = names::account("parent", &request.get_ref().parent).map_err(Failure::from)?;
        let runs = self.0.list_verifications(&principal, &account).await.map_err(Failure)?;
        let verifications = runs.into_iter().map(verification).collect();
        Ok(Response::new(pb::ListTicketingVerificationsResponse { verifications }))
    }

    async fn cancel_ticketing_verification(
        &self,
        request: Request<pb::CancelTicketingVerificationRequest>,
    ) -> Result<Response<pb::TicketingVerification>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let (account, id) = names::verification("name", &request.get_ref().name).map_err(Failure::from)?;
        let run = self.0.cancel_verification(&principal, &account, id).await.map_err(Failure)?;
        Ok(Response::new(verification(run)))
    }

    async fn list_linked_sites(
        &self,
        request: Request<pb::ListLinkedSitesRequest>,
    ) -> Result<Response<pb::ListLinkedSitesResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let account = names::account("parent", &message.parent).map_err(Failure::from)?;
        let page = PageRequest { size: message.page_size, token: message.page_token };
        let end = (message.system.as_str(), message.organization_id.as_str());
        let found = self.0.list_linked_sites(&principal, &account, end, &page).await.map_err(Failure)?;
        Ok(Response::new(pb::ListLinkedSitesResponse {
            sites: found.page.items.into_iter().map(|found| site(&self.0, &principal, found)).collect(),
            next_page_token: found.page.next_token,
            total_size: i32::try_from(found.total).unwrap_or(i32::MAX),
        }))
    }

    async fn suggest_ticketing_links(
        &self,
        request: Request<pb::SuggestTicketingLinksRequest>,
    ) -> Result<Response<pb::SuggestTicketingLinksResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let (account, system): (AccountId, System) =
            names::connection("connection", &message.connection).map_err(Failure::from)?;
        let sites = parse_sites(&account, &message.sites).map_err(Failure::from)?;
        let page = PageRequest { size: message.page_size, token: message.page_token };
        let found = self.0.suggest_links(&principal, &account, system, &sites, &page).await.map_err(Failure)?;
        Ok(Response::new(pb::SuggestTicketingLinksResponse {
            suggestions: found.page.items.into_iter().map(|one| suggestion(&account, one)).collect(),
            next_page_token: found.page.next_token,
            organization_count: i32::try_from(found.organizations).unwrap_or(i32::MAX),
            complete: found.is_complete,
        }))
    }
}

/// The sites that a request names, which have to be of the account.
fn parse_sites(account: &AccountId, names: &[String]) -> Result<Vec<SiteId>, Invalid> {
    let named = names.iter().take(BATCH_MAX + 1).enumerate().map(|(index, name)| {
        let field = format!("sites[{index}]");
        match names::site(&field, name)? {
            (parent, id) if parent == *account => Ok(id),
            _ => Err(Invalid::new(field, format!("the site is not one of accounts/{account}"))),
        }
    });
    named.collect()
}
