//! `AuditService`.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::admin::parse_parent;
use crate::api::caller;
use crate::api::convert::audit::{audit_record, parse_audit_query};
use crate::api::proto::waymark::v1 as pb;
use crate::api::proto::waymark::v1::audit_service_server::AuditService;
use crate::api::status::Failure;
use crate::service::Waymark;
use crate::service::paging::PageRequest;

/// The service.
#[derive(Debug)]
pub(super) struct Audits(pub(super) Arc<Waymark>);

#[tonic::async_trait]
impl AuditService for Audits {
    async fn list_audit_records(
        &self,
        request: Request<pb::ListAuditRecordsRequest>,
    ) -> Result<Response<pb::ListAuditRecordsResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let account = parse_parent(&message.parent).map_err(Failure::from)?;
        let query = parse_audit_query(account, &message).map_err(Failure::from)?;
        let page = PageRequest { size: message.page_size, token: message.page_token };
        let page = self.0.list_audit_records(&principal, &query, &page).await.map_err(Failure)?;
        let records = page.items.into_iter().map(audit_record).collect();
        Ok(Response::new(pb::ListAuditRecordsResponse { records, next_page_token: page.next_token }))
    }
}
