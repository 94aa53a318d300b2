//! `GeoIpService`.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use crate::api::caller;
use crate::api::convert::evidence::database;
use crate::api::proto::waymark::v1 as pb;
use crate::api::proto::waymark::v1::geo_ip_service_server::GeoIpService;
use crate::api::status::Failure;
use crate::service::Waymark;

/// The service.
#[derive(Debug)]
pub(super) struct GeoIp(pub(super) Arc<Waymark>);

#[tonic::async_trait]
impl GeoIpService for GeoIp {
    async fn list_databases(
        &self,
        request: Request<pb::ListDatabasesRequest>,
    ) -> Result<Response<pb::ListDatabasesResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let statuses = self.0.list_databases(&principal).map_err(Failure)?;
        Ok(Response::new(pb::ListDatabasesResponse { databases: statuses.iter().map(database).collect() }))
    }

    async fn reload_databases(
        &self,
        request: Request<pb::ReloadDatabasesRequest>,
    ) -> Result<Response<pb::ReloadDatabasesResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let (statuses, taken) = self.0.reload_databases(&principal).await.map_err(Failure)?;
        Ok(Response::new(pb::ReloadDatabasesResponse {
            databases: statuses.iter().map(database).collect(),
            taken_count: i32::try_from(taken).unwrap_or(i32::MAX),
        }))
    }
}
