//! Queries as calls of waymark's API: bytes that are made once and sent often.

use std::net::SocketAddr;

use anyhow::Result;
use waymark::api::proto::waymark::v1 as pb;
use waymark::model::geo::{BoundingBox, LatLng};
use waymark::spatial::mercator::TileId;

use crate::data::account_id;
use crate::data::queries::{CITY_ZOOM, In, RADIUS_M};
use crate::fill::Filled;
use crate::wire::{Call, http1, http2};

/// The empty call of HTTP: a route that answers a constant. It asks for no credential.
pub(crate) const EMPTY_HTTP: &str = "/healthz";
/// The empty call of gRPC: answers who asks. It checks the credential as every other method does.
pub(crate) const EMPTY_GRPC: &str = "AdminService/WhoAmI";
/// Largest page of the API.
const PAGE: i32 = 1_000;
/// Hits that a search answers with.
const HITS: i32 = 10;
/// A filter that most sites match, so that tiles stay full.
pub(crate) const FILTER: &str = "status=ONLINE";

/// Makes calls of one server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller<'a> {
    pub(crate) address: SocketAddr,
    pub(crate) filled: &'a Filled,
}

impl Caller<'_> {
    pub(crate) fn empty_http1() -> Vec<Call> {
        vec![http1::get(EMPTY_HTTP, None)]
    }

    pub(crate) fn empty_http2(&self) -> Result<Vec<Call>> {
        Ok(vec![http2::get(self.address, EMPTY_HTTP, None)?])
    }

    pub(crate) fn empty_grpc(&self) -> Result<Vec<Call>> {
        let all = self.filled.viewers.iter().take(1_000);
        all.map(|secret| http2::grpc(self.address, EMPTY_GRPC, secret, &pb::WhoAmIRequest {})).collect()
    }

    pub(crate) fn tiles_http1(&self, tiles: &[In<TileId>], filter: &str) -> Vec<Call> {
        let call = |query: &In<TileId>| http1::get(&tile_path(query, filter), Some(&self.filled.viewers[query.0]));
        tiles.iter().map(call).collect()
    }

    pub(crate) fn tiles_http2(&self, tiles: &[In<TileId>]) -> Result<Vec<Call>> {
        let secret = |query: &In<TileId>| &self.filled.viewers[query.0];
        tiles.iter().map(|query| http2::get(self.address, &tile_path(query, ""), Some(secret(query)))).collect()
    }

    pub(crate) fn worlds(&self, spots: &[In<LatLng>]) -> Result<Vec<Call>> {
        spots.iter().map(|(account, _)| self.viewport(*account, &BoundingBox::WORLD, 2)).collect()
    }

    pub(crate) fn cities(&self, cities: &[In<BoundingBox>]) -> Result<Vec<Call>> {
        cities.iter().map(|(account, bounds)| self.viewport(*account, bounds, CITY_ZOOM)).collect()
    }

    pub(crate) fn views(&self, views: &[In<BoundingBox>], zoom: u8) -> Result<Vec<Call>> {
        views.iter().map(|(account, bounds)| self.viewport(*account, bounds, zoom)).collect()
    }

    fn viewport(&self, account: usize, bounds: &BoundingBox, zoom: u8) -> Result<Call> {
        let message = pb::QueryViewportRequest {
            parent: parent(account),
            viewport: Some(bounding_box(bounds)),
            zoom: i32::from(zoom),
            ..pb::QueryViewportRequest::default()
        };
        self.map(account, "QueryViewport", &message)
    }

    pub(crate) fn nearest(&self, spots: &[In<LatLng>]) -> Result<Vec<Call>> {
        let call = |(account, at): &In<LatLng>| {
            let message = pb::ListNearestSitesRequest {
                parent: parent(*account),
                position: Some(lat_lng(*at)),
                page_size: 10,
                ..pb::ListNearestSitesRequest::default()
            };
            self.map(*account, "ListNearestSites", &message)
        };
        spots.iter().map(call).collect()
    }

    pub(crate) fn circles(&self, centers: &[In<LatLng>], page_size: i32) -> Result<Vec<Call>> {
        let call = |(account, at): &In<LatLng>| {
            let message = pb::ListSitesWithinRadiusRequest {
                parent: parent(*account),
                center: Some(lat_lng(*at)),
                radius_m: RADIUS_M,
                page_size,
                ..pb::ListSitesWithinRadiusRequest::default()
            };
            self.map(*account, "ListSitesWithinRadius", &message)
        };
        centers.iter().map(call).collect()
    }

    pub(crate) fn boxes(&self, boxes: &[In<BoundingBox>]) -> Result<Vec<Call>> {
        let call = |(account, bounds): &In<BoundingBox>| {
            let message = pb::ListViewportSitesRequest {
                parent: parent(*account),
                viewport: Some(bounding_box(bounds)),
                page_size: PAGE,
                ..pb::ListViewportSitesRequest::default()
            };
            self.map(*account, "ListViewportSites", &message)
        };
        boxes.iter().map(call).collect()
    }

    pub(crate) fn polygons(&self, rings: &[In<Vec<LatLng>>]) -> Result<Vec<Call>> {
        let call = |(account, ring): &In<Vec<LatLng>>| {
            let points = ring.iter().map(|corner| lat_lng(*corner)).collect();
            let polygon = pb::Polygon { outer: Some(pb::Ring { points }), holes: Vec::new() };
            let message = pb::ListPolygonSitesRequest {
                parent: parent(*account),
                polygons: vec![polygon],
                page_size: PAGE,
                ..pb::ListPolygonSitesRequest::default()
            };
            self.map(*account, "ListPolygonSites", &message)
        };
        rings.iter().map(call).collect()
    }

    pub(crate) fn searches(&self, typed: &[In<String>]) -> Result<Vec<Call>> {
        let call = |(account, query): &In<String>| {
            let message = pb::SearchSitesRequest {
                parent: parent(*account),
                query: query.clone(),
                page_size: HITS,
                ..pb::SearchSitesRequest::default()
            };
            http2::grpc(self.address, "SiteService/SearchSites", &self.filled.viewers[*account], &message)
        };
        typed.iter().map(call).collect()
    }

    fn map(&self, account: usize, method: &str, message: &impl prost::Message) -> Result<Call> {
        http2::grpc(self.address, &format!("MapService/{method}"), &self.filled.viewers[account], message)
    }
}

fn tile_path((account, tile): &In<TileId>, filter: &str) -> String {
    let query = if filter.is_empty() { String::new() } else { format!("?filter={}", filter.replace('=', "%3D")) };
    format!("/v1/{}/tiles/{}/{}/{}.mvt{query}", parent(*account), tile.z(), tile.x(), tile.y())
}

fn parent(account: usize) -> String {
    format!("accounts/{}", account_id(account))
}

pub(crate) fn lat_lng(at: LatLng) -> pb::LatLng {
    pb::LatLng { lat: at.lat(), lng: at.lng() }
}

pub(crate) fn bounding_box(bounds: &BoundingBox) -> pb::BoundingBox {
    pb::BoundingBox { low: Some(lat_lng(bounds.low)), high: Some(lat_lng(bounds.high)) }
}
