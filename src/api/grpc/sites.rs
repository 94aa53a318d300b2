//! `SiteService`.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use crate::api::convert::search::search_answer;
use crate::api::convert::site::{parse_new_site, parse_patch, site};
use crate::api::proto::waymark::v1 as pb;
use crate::api::proto::waymark::v1::site_service_server::SiteService;
use crate::api::status::Failure;
use crate::api::{caller, names};
use crate::model::Invalid;
use crate::model::access::Principal;
use crate::model::site::Site;
use crate::service::filter::Filter;
use crate::service::paging::{PageRequest, PartialPage};
use crate::service::search::Search;
use crate::service::site_batch::BATCH_MAX;
use crate::service::site_list::{Order, SiteQuery};
use crate::service::sites::ChangeOptions;
use crate::service::{self, Versioned, Waymark};

/// The service.
#[derive(Debug)]
pub(super) struct Sites(pub(super) Arc<Waymark>);

#[tonic::async_trait]
impl SiteService for Sites {
    async fn get_site(&self, request: Request<pb::GetSiteRequest>) -> Result<Response<pb::Site>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let (account, id) = names::site("name", &request.get_ref().name).map_err(Failure::from)?;
        let principal = self.0.within(&principal, &account);
        answer(&self.0, &principal, self.0.get_site(&principal, &account, id).await)
    }

    async fn batch_get_sites(
        &self,
        request: Request<pb::BatchGetSitesRequest>,
    ) -> Result<Response<pb::BatchGetSitesResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let account = names::account("parent", &message.parent).map_err(Failure::from)?;
        let named = message.names.iter().take(BATCH_MAX + 1).enumerate().map(|(index, name)| {
            let field = format!("names[{index}]");
            match names::site(&field, name)? {
                (parent, id) if parent == account => Ok(id),
                _ => Err(Invalid::new(field, format!("the site is not one of {}", message.parent))),
            }
        });
        let ids = named.collect::<Result<Vec<_>, Invalid>>().map_err(Failure::from)?;
        let principal = self.0.within(&principal, &account);
        let found = self.0.batch_get_sites(&principal, &account, &ids).await.map_err(Failure)?;
        Ok(Response::new(pb::BatchGetSitesResponse {
            sites: found.into_iter().map(|found| site(&self.0, &principal, found)).collect(),
        }))
    }

    async fn list_sites(
        &self,
        request: Request<pb::ListSitesRequest>,
    ) -> Result<Response<pb::ListSitesResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let query = SiteQuery {
            account: names::account("parent", &message.parent).map_err(Failure::from)?,
            filter: Filter::parse(&message.filter).map_err(Failure::from)?,
            order: Order::parse(&message.order_by).map_err(Failure::from)?,
            show_deleted: message.show_deleted,
        };
        let page = PageRequest { size: message.page_size, token: message.page_token };
        let principal = self.0.within(&principal, &query.account);
        let PartialPage { page, unreadable } = self.0.list_sites(&principal, &query, &page).await.map_err(Failure)?;
        Ok(Response::new(pb::ListSitesResponse {
            sites: page.items.into_iter().map(|found| site(&self.0, &principal, found)).collect(),
            next_page_token: page.next_token,
            unreachable: names::of_sites(&query.account, unreadable),
        }))
    }

    async fn search_sites(
        &self,
        request: Request<pb::SearchSitesRequest>,
    ) -> Result<Response<pb::SearchSitesResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let account = names::account("parent", &message.parent).map_err(Failure::from)?;
        let principal = self.0.within(&principal, &account);
        let search = Search { typed: &message.query, filter: &message.filter, page_size: message.page_size };
        let found = self.0.search_sites(&principal, &account, &search).await.map_err(Failure)?;
        Ok(Response::new(search_answer(&self.0, &principal, found)))
    }

    type WatchSitesStream = super::watches::Messages<pb::WatchSitesResponse>;

    async fn watch_sites(
        &self,
        request: Request<pb::WatchSitesRequest>,
    ) -> Result<Response<Self::WatchSitesStream>, Status> {
        super::watches::sites(&self.0, &request)
    }

    async fn create_site(&self, request: Request<pb::CreateSiteRequest>) -> Result<Response<pb::Site>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let account = names::account("parent", &message.parent).map_err(Failure::from)?;
        let patch = parse_new_site(message.site.unwrap_or_default()).map_err(Failure::from)?;
        if message.validate_only {
            return answer(&self.0, &principal, self.0.preview_site(&principal, &account, patch).await);
        }
        answer(&self.0, &principal, self.0.create_site(&principal, &account, patch, &message.request_id).await)
    }

    async fn update_site(&self, request: Request<pb::UpdateSiteRequest>) -> Result<Response<pb::Site>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let new = message.site.ok_or_else(|| Failure::from(Invalid::new("site", "a site is required")))?;
        let (account, id) = names::site("site.name", &new.name).map_err(Failure::from)?;
        let options = ChangeOptions { etag: new.etag.clone(), validate_only: message.validate_only };
        let mask = message.update_mask.unwrap_or_default().paths;
        let patch = parse_patch(new, &mask).map_err(Failure::from)?;
        answer(&self.0, &principal, self.0.update_site(&principal, &account, id, patch, &options).await)
    }

    async fn delete_site(&self, request: Request<pb::DeleteSiteRequest>) -> Result<Response<pb::Site>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let (account, id) = names::site("name", &message.name).map_err(Failure::from)?;
        answer(&self.0, &principal, self.0.delete_site(&principal, &account, id, message.etag).await)
    }

    async fn undelete_site(&self, request: Request<pb::UndeleteSiteRequest>) -> Result<Response<pb::Site>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let (account, id) = names::site("name", &message.name).map_err(Failure::from)?;
        answer(
            &self.0,
            &principal,
            self.0.undelete_site(&principal, &account, id, message.etag, &message.display_name).await,
        )
    }
}

/// The answer of a method that gives a site.
pub(super) fn answer(
    waymark: &Waymark,
    principal: &Principal,
    outcome: Result<Versioned<Site>, service::Error>,
) -> Result<Response<pb::Site>, Status> {
    Ok(Response::new(site(waymark, principal, outcome.map_err(Failure)?)))
}
