//! `ResidentAccessService`.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use crate::api::caller::Peer;
use crate::api::convert::resident::{access, devices, parse_access, parse_device, resident_device, resident_site};
use crate::api::proto::waymark::v1 as pb;
use crate::api::proto::waymark::v1::resident_access_service_server::ResidentAccessService;
use crate::api::status::Failure;
use crate::api::{caller, names};
use crate::service::Waymark;
use crate::service::sites::ChangeOptions;

/// The service.
#[derive(Debug)]
pub(super) struct Residents(pub(super) Arc<Waymark>);

#[tonic::async_trait]
impl ResidentAccessService for Residents {
    async fn get_resident_access(
        &self,
        request: Request<pb::GetResidentAccessRequest>,
    ) -> Result<Response<pb::ResidentAccess>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let (account, site) = names::resident_access("name", &request.get_ref().name).map_err(Failure::from)?;
        let shown = self.0.resident_access(&principal, &account, site).await.map_err(Failure)?;
        Ok(Response::new(access(&self.0, &principal, &account, shown)))
    }

    async fn update_resident_access(
        &self,
        request: Request<pb::UpdateResidentAccessRequest>,
    ) -> Result<Response<pb::ResidentAccess>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let stated = message.resident_access.unwrap_or_default();
        let (account, site) = names::resident_access("resident_access.name", &stated.name).map_err(Failure::from)?;
        let options = ChangeOptions { etag: stated.etag.clone(), validate_only: message.validate_only };
        let mask = message.update_mask.unwrap_or_default().paths;
        let patch = parse_access(stated, &mask).map_err(Failure::from)?;
        let how = (&options, message.request_id.as_str());
        let shown = self.0.update_resident_access(&principal, &account, site, patch, how).await.map_err(Failure)?;
        Ok(Response::new(access(&self.0, &principal, &account, shown)))
    }

    async fn delete_resident_access(
        &self,
        request: Request<pb::DeleteResidentAccessRequest>,
    ) -> Result<Response<()>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let (account, site) = names::resident_access("name", &message.name).map_err(Failure::from)?;
        self.0.delete_resident_access(&principal, &account, site, &message.etag).await.map_err(Failure)?;
        Ok(Response::new(()))
    }

    async fn invite_resident(
        &self,
        request: Request<pb::InviteResidentRequest>,
    ) -> Result<Response<pb::ResidentAccess>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let (account, site) = names::resident_access("name", &message.name).map_err(Failure::from)?;
        let shown = self.0.invite_resident(&principal, &account, site, &message.etag).await.map_err(Failure)?;
        Ok(Response::new(access(&self.0, &principal, &account, shown)))
    }

    async fn resend_invitation(
        &self,
        request: Request<pb::ResendInvitationRequest>,
    ) -> Result<Response<pb::ResidentAccess>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let (account, site) = names::resident_access("name", &message.name).map_err(Failure::from)?;
        let shown = self.0.resend_invitation(&principal, &account, site, &message.etag).await.map_err(Failure)?;
        Ok(Response::new(access(&self.0, &principal, &account, shown)))
    }

    async fn revoke_resident_access(
        &self,
        request: Request<pb::RevokeResidentAccessRequest>,
    ) -> Result<Response<pb::ResidentAccess>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let (account, site) = names::resident_access("name", &message.name).map_err(Failure::from)?;
        let shown = self.0.revoke_resident_access(&principal, &account, site, &message.etag).await.map_err(Failure)?;
        Ok(Response::new(access(&self.0, &principal, &account, shown)))
    }

    async fn list_devices(
        &self,
        request: Request<pb::ListDevicesRequest>,
    ) -> Result<Response<pb::ListDevicesResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let (account, site) = names::site("parent", &request.get_ref().parent).map_err(Failure::from)?;
        let found = self.0.list_devices(&principal, &account, site).await.map_err(Failure)?;
        Ok(Response::new(devices(found)))
    }

    async fn report_devices(
        &self,
        request: Request<pb::ReportDevicesRequest>,
    ) -> Result<Response<pb::ListDevicesResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let (account, site) = names::site("parent", &message.parent).map_err(Failure::from)?;
        let report = (message.devices.into_iter().map(parse_device).collect(), message.merge);
        let known = self.0.report_devices(&principal, &account, site, report).await.map_err(Failure)?;
        Ok(Response::new(devices(known)))
    }

    async fn redeem_invitation(
        &self,
        request: Request<pb::RedeemInvitationRequest>,
    ) -> Result<Response<pb::RedeemInvitationResponse>, Status> {
        let peer = request.extensions().get::<Peer>();
        let ip = caller::public_ip(&self.0, peer, request.metadata().as_ref()).ok();
        let message = request.into_inner();
        let redeemed = self.0.redeem_invitation(&message.code, &message.retry_key, ip).await.map_err(Failure)?;
        Ok(Response::new(pb::RedeemInvitationResponse {
            secret: redeemed.secret,
            site: Some(resident_site(&redeemed.account, redeemed.site)),
            devices: redeemed.devices.into_iter().map(resident_device).collect(),
            account_display_name: redeemed.account_name,
            support_contact: redeemed.support_contact,
        }))
    }

    async fn get_resident_site(
        &self,
        request: Request<pb::GetResidentSiteRequest>,
    ) -> Result<Response<pb::ResidentSite>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let (account, site) = names::site("name", &request.get_ref().name).map_err(Failure::from)?;
        let found = self.0.resident_site(&principal, &account, site).await.map_err(Failure)?;
        Ok(Response::new(resident_site(&account, found)))
    }

    async fn list_resident_devices(
        &self,
        request: Request<pb::ListResidentDevicesRequest>,
    ) -> Result<Response<pb::ListResidentDevicesResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let (account, site) = names::site("parent", &request.get_ref().parent).map_err(Failure::from)?;
        let found = self.0.list_resident_devices(&principal, &account, site).await.map_err(Failure)?;
        let devices = found.into_iter().map(resident_device).collect();
        Ok(Response::new(pb::ListResidentDevicesResponse { devices }))
    }
}
