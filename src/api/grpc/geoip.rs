//! `GeoIpService`.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use crate::api::convert::evidence::database;
use crate::api::convert::reestimation::reestimation;
use crate::api::proto::waymark::v1 as pb;
use crate::api::proto::waymark::v1::geo_ip_service_server::GeoIpService;
use crate::api::status::Failure;
use crate::api::{caller, names};
use crate::model::Invalid;
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

    async fn preview_database(
        &self,
        request: Request<pb::PreviewDatabaseRequest>,
    ) -> Result<Response<pb::Reestimation>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let candidate = match (message.candidate_path.as_str(), message.replaced_path.as_str()) {
            ("", "") => None,
            ("", _) => Err(Failure::from(Invalid::new("candidate_path", "name the file that is to be asked")))?,
            (_, "") => Err(Failure::from(Invalid::new("replaced_path", "name the file in whose place it is asked")))?,
            _ => Some((message.candidate_path, message.replaced_path)),
        };
        let run = self.0.preview_database(&principal, candidate).await.map_err(Failure)?;
        Ok(Response::new(reestimation(run)))
    }

    async fn apply_database(
        &self,
        request: Request<pb::ApplyDatabaseRequest>,
    ) -> Result<Response<pb::Reestimation>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let run = self.0.apply_database(&principal).await.map_err(Failure)?;
        Ok(Response::new(reestimation(run)))
    }

    async fn get_reestimation(
        &self,
        request: Request<pb::GetReestimationRequest>,
    ) -> Result<Response<pb::Reestimation>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let id = names::reestimation("name", &request.get_ref().name).map_err(Failure::from)?;
        let run = self.0.reestimation(&principal, id).await.map_err(Failure)?;
        Ok(Response::new(reestimation(run)))
    }

    async fn list_reestimations(
        &self,
        request: Request<pb::ListReestimationsRequest>,
    ) -> Result<Response<pb::ListReestimationsResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let runs = self.0.list_reestimations(&principal).await.map_err(Failure)?;
        let reestimations = runs.into_iter().map(reestimation).collect();
        Ok(Response::new(pb::ListReestimationsResponse { reestimations }))
    }

    async fn cancel_reestimation(
        &self,
        request: Request<pb::CancelReestimationRequest>,
    ) -> Result<Response<pb::Reestimation>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let id = names::reestimation("name", &request.get_ref().name).map_err(Failure::from)?;
        let run = self.0.cancel_reestimation(&principal, id).await.map_err(Failure)?;
        Ok(Response::new(reestimation(run)))
    }
}
