//! `MapService`.

use std::sync::Arc;

use tonic::{Request, Response, Status, Streaming};

use crate::api::convert::location::{bounding_box, parse_bounding_box, parse_lat_lng};
use crate::api::convert::map::{near_duplicates, neighbours, summaries, summary, symbols, tally};
use crate::api::convert::polygon::parse_polygons;
use crate::api::names::SiteNames;
use crate::api::proto::waymark::v1 as pb;
use crate::api::proto::waymark::v1::map_service_server::MapService;
use crate::api::status::Failure;
use crate::api::{caller, names};
use crate::service::Waymark;
use crate::service::paging::PageRequest;

/// The service.
#[derive(Debug)]
pub(super) struct Maps(pub(super) Arc<Waymark>);

#[tonic::async_trait]
impl MapService for Maps {
    async fn query_viewport(
        &self,
        request: Request<pb::QueryViewportRequest>,
    ) -> Result<Response<pb::QueryViewportResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let account = names::account("parent", &message.parent).map_err(Failure::from)?;
        let principal = self.0.within(&principal, &account);
        let viewport = parse_bounding_box("viewport", message.viewport.as_ref()).map_err(Failure::from)?;
        let view = self.0.viewport(&principal, &account, &viewport, message.zoom, &message.filter).await;
        let view = view.map_err(Failure)?;
        let view = if message.omit_names { view.nameless() } else { view };
        Ok(Response::new(pb::QueryViewportResponse {
            symbols: Some(symbols(&account, view.symbols)),
            account_tally: Some(tally(&view.account)),
            unplaced: view.unplaced.into(),
            revision: view.revision.0,
            attributions: self.0.attributions(),
            matching_tally: Some(tally(&view.matching)),
            legend_tally: Some(tally(&view.legend)),
        }))
    }

    async fn list_viewport_sites(
        &self,
        request: Request<pb::ListViewportSitesRequest>,
    ) -> Result<Response<pb::ListViewportSitesResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let account = names::account("parent", &message.parent).map_err(Failure::from)?;
        let principal = self.0.within(&principal, &account);
        let bounds = parse_bounding_box("viewport", message.viewport.as_ref()).map_err(Failure::from)?;
        let page = PageRequest { size: message.page_size, token: message.page_token };
        let found = self.0.list_box(&principal, &account, &bounds, &message.filter, &page).await.map_err(Failure)?;
        Ok(Response::new(pb::ListViewportSitesResponse {
            sites: summaries(&account, found.page.items),
            next_page_token: found.page.next_token,
            total_size: found.total,
        }))
    }

    async fn list_nearest_sites(
        &self,
        request: Request<pb::ListNearestSitesRequest>,
    ) -> Result<Response<pb::ListNearestSitesResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let account = names::account("parent", &message.parent).map_err(Failure::from)?;
        let principal = self.0.within(&principal, &account);
        let position = parse_lat_lng("position", message.position.as_ref()).map_err(Failure::from)?;
        let near = self.0.list_nearest(&principal, &account, position, message.page_size, &message.filter).await;
        let near = near.map_err(Failure)?;
        Ok(Response::new(pb::ListNearestSitesResponse { sites: neighbours(&account, near) }))
    }

    async fn list_sites_within_radius(
        &self,
        request: Request<pb::ListSitesWithinRadiusRequest>,
    ) -> Result<Response<pb::ListSitesWithinRadiusResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let account = names::account("parent", &message.parent).map_err(Failure::from)?;
        let principal = self.0.within(&principal, &account);
        let center = parse_lat_lng("center", message.center.as_ref()).map_err(Failure::from)?;
        let page = PageRequest { size: message.page_size, token: message.page_token };
        let circle = (center, message.radius_m);
        let page = self.0.list_within(&principal, &account, circle, &message.filter, &page).await;
        let page = page.map_err(Failure)?;
        let sites = neighbours(&account, page.items);
        Ok(Response::new(pb::ListSitesWithinRadiusResponse { sites, next_page_token: page.next_token }))
    }

    async fn list_cluster_sites(
        &self,
        request: Request<pb::ListClusterSitesRequest>,
    ) -> Result<Response<pb::ListClusterSitesResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let account = names::account("parent", &message.parent).map_err(Failure::from)?;
        let principal = self.0.within(&principal, &account);
        let page = PageRequest { size: message.page_size, token: message.page_token };
        let symbol = (message.cluster_id.as_str(), message.zoom);
        let found = self.0.list_cluster(&principal, &account, symbol, &message.filter, &page).await;
        let found = found.map_err(Failure)?;
        Ok(Response::new(pb::ListClusterSitesResponse {
            sites: summaries(&account, found.page.items),
            next_page_token: found.page.next_token,
            expansion_zoom: found.expansion_zoom.map(i32::from),
        }))
    }

    async fn locate_site(
        &self,
        request: Request<pb::LocateSiteRequest>,
    ) -> Result<Response<pb::LocateSiteResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let (account, id) = names::site("name", &message.name).map_err(Failure::from)?;
        let principal = self.0.within(&principal, &account);
        let found = self.0.locate_site(&principal, &account, id, message.zoom, &message.filter).await;
        let (cluster, site) = found.map_err(Failure)?;
        let site = Some(summary(&SiteNames::of(&account), site));
        Ok(Response::new(pb::LocateSiteResponse { cluster_id: cluster.unwrap_or_default(), site }))
    }

    async fn list_polygon_sites(
        &self,
        request: Request<pb::ListPolygonSitesRequest>,
    ) -> Result<Response<pb::ListPolygonSitesResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let account = names::account("parent", &message.parent).map_err(Failure::from)?;
        let principal = self.0.within(&principal, &account);
        let polygons = parse_polygons(&message.polygons).map_err(Failure::from)?;
        let page = PageRequest { size: message.page_size, token: message.page_token };
        let page = self.0.list_polygons(&principal, &account, &polygons, &message.filter, &page).await;
        let page = page.map_err(Failure)?;
        let sites = summaries(&account, page.items);
        Ok(Response::new(pb::ListPolygonSitesResponse { sites, next_page_token: page.next_token }))
    }

    async fn fit_sites(&self, request: Request<pb::FitSitesRequest>) -> Result<Response<pb::FitSitesResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let account = names::account("parent", &message.parent).map_err(Failure::from)?;
        let principal = self.0.within(&principal, &account);
        let fit = self.0.fit(&principal, &account, &message.filter).await.map_err(Failure)?;
        Ok(Response::new(pb::FitSitesResponse {
            bounds: fit.bounds.as_ref().map(bounding_box),
            tally: Some(tally(&fit.tally)),
            unplaced: fit.unplaced.into(),
            revision: fit.revision.0,
        }))
    }

    async fn list_near_duplicates(
        &self,
        request: Request<pb::ListNearDuplicatesRequest>,
    ) -> Result<Response<pb::ListNearDuplicatesResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let account = names::account("parent", &message.parent).map_err(Failure::from)?;
        let principal = self.0.within(&principal, &account);
        let page = PageRequest { size: message.page_size, token: message.page_token };
        let page = self.0.list_near_duplicates(&principal, &account, message.distance_m, &message.filter, &page);
        let page = page.await.map_err(Failure)?;
        let duplicates = near_duplicates(&account, page.items);
        Ok(Response::new(pb::ListNearDuplicatesResponse { duplicates, next_page_token: page.next_token }))
    }

    type WatchMapStream = super::watches::Messages<pb::WatchMapResponse>;

    async fn watch_map(
        &self,
        request: Request<Streaming<pb::WatchMapRequest>>,
    ) -> Result<Response<Self::WatchMapStream>, Status> {
        super::watches::map(&self.0, request).await
    }

    type WatchViewportStream = super::watches::Messages<pb::WatchViewportResponse>;

    async fn watch_viewport(
        &self,
        request: Request<pb::WatchViewportRequest>,
    ) -> Result<Response<Self::WatchViewportStream>, Status> {
        super::watches::viewport(&self.0, request)
    }

    type StreamTilesStream = super::tiles::TileStream;

    async fn stream_tiles(
        &self,
        request: Request<pb::StreamTilesRequest>,
    ) -> Result<Response<Self::StreamTilesStream>, Status> {
        super::tiles::stream(&self.0, request)
    }

    async fn sign_tile_url(
        &self,
        request: Request<pb::SignTileUrlRequest>,
    ) -> Result<Response<pb::SignTileUrlResponse>, Status> {
        super::tiles::sign(&self.0, &request)
    }
}
