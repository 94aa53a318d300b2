//! `ImportService`.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use crate::api::convert::importing::{parse_rows, row_result};
use crate::api::proto::waymark::v1 as pb;
use crate::api::proto::waymark::v1::import_service_server::ImportService;
use crate::api::status::Failure;
use crate::api::{caller, names};
use crate::service::Waymark;

/// The service.
#[derive(Debug)]
pub(super) struct Imports(pub(super) Arc<Waymark>);

#[tonic::async_trait]
impl ImportService for Imports {
    async fn import_sites(
        &self,
        request: Request<pb::ImportSitesRequest>,
    ) -> Result<Response<pb::ImportSitesResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let account = names::account("parent", &message.parent).map_err(Failure::from)?;
        let rows = parse_rows(&account, message.rows).map_err(Failure::from)?;
        let is_dry = message.validate_only;
        let outcomes = self.0.import_sites(&principal, &account, rows, is_dry).await.map_err(Failure)?;
        let results = outcomes.into_iter().map(|outcome| row_result(&self.0, outcome, is_dry)).collect();
        Ok(Response::new(pb::ImportSitesResponse { results }))
    }
}
