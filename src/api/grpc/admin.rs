//! `AdminService`.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use crate::api::convert::access::{
    account, listed_token, parse_account, parse_assigned, parse_binding, parse_contacts, parse_positions,
    parse_rotation, parse_scope, token, who,
};
use crate::api::convert::location::parse_country;
use crate::api::convert::parse_timestamp;
use crate::api::convert::personal::personal_record;
use crate::api::proto::waymark::v1 as pb;
use crate::api::proto::waymark::v1::admin_service_server::AdminService;
use crate::api::status::Failure;
use crate::api::{caller, names};
use crate::model::Invalid;
use crate::model::id::AccountId;
use crate::service::accounts::{AccountFields, refuse_resident};
use crate::service::erasure::ErasureOptions;
use crate::service::paging::{PageRequest, PartialPage};
use crate::service::tokens::NewToken;
use crate::service::{Waymark, call};

/// The service.
#[derive(Debug)]
pub(super) struct Admin(pub(super) Arc<Waymark>);

#[tonic::async_trait]
impl AdminService for Admin {
    async fn create_account(
        &self,
        request: Request<pb::CreateAccountRequest>,
    ) -> Result<Response<pb::Account>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let id = message.account_id.parse::<AccountId>();
        let id = id.map_err(|fault| Failure::from(Invalid::new("account_id", fault.why)))?;
        call::is_about(|| names::of_account(&id));
        let new = message.account.unwrap_or_default();
        let country = parse_country("account.country_code", &new.country_code).map_err(Failure::from)?;
        let fields = AccountFields {
            display_name: new.display_name,
            country,
            user_emails: new.user_emails,
            support_contact: new.support_contact,
        };
        let made = self.0.create_account_with(&principal, id, fields).await.map_err(Failure)?;
        Ok(Response::new(account(&made, &principal)))
    }

    async fn get_account(&self, request: Request<pb::GetAccountRequest>) -> Result<Response<pb::Account>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let id = names::account("name", &request.get_ref().name).map_err(Failure::from)?;
        let principal = self.0.within(&principal, &id);
        let found = self.0.account(&principal, &id).map_err(Failure)?;
        Ok(Response::new(account(&found, &principal)))
    }

    async fn list_accounts(
        &self,
        request: Request<pb::ListAccountsRequest>,
    ) -> Result<Response<pb::ListAccountsResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let page = PageRequest { size: message.page_size, token: message.page_token };
        let page = self.0.list_accounts(&principal, &page).map_err(Failure)?;
        let accounts = page.items.iter().map(|item| account(item, &principal)).collect();
        Ok(Response::new(pb::ListAccountsResponse { accounts, next_page_token: page.next_token }))
    }

    async fn update_account(
        &self,
        request: Request<pb::UpdateAccountRequest>,
    ) -> Result<Response<pb::Account>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let stated = message.account.unwrap_or_default();
        let id = names::account("account.name", &stated.name).map_err(Failure::from)?;
        let mask = message.update_mask.unwrap_or_default().paths;
        let patch = parse_account(stated, &mask).map_err(Failure::from)?;
        let changed = self.0.update_account(&principal, &id, patch).await.map_err(Failure)?;
        Ok(Response::new(account(&changed, &principal)))
    }

    async fn create_token(
        &self,
        request: Request<pb::CreateTokenRequest>,
    ) -> Result<Response<pb::CreateTokenResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let wanted = message.token.unwrap_or_default();
        let expires_at = wanted.expire_time.map(|time| parse_timestamp("token.expire_time", &time)).transpose();
        let new = NewToken {
            account: parse_parent(&message.parent).map_err(Failure::from)?,
            scope: parse_scope(wanted.scope).map_err(Failure::from)?,
            display_name: wanted.display_name,
            expires_at: expires_at.map_err(Failure::from)?,
            contacts: parse_contacts(wanted.contacts).map_err(Failure::from)?,
            positions: parse_positions(wanted.positions).map_err(Failure::from)?,
            assigned: parse_assigned(&wanted.assigned).map_err(Failure::from)?,
        };
        let binding = wanted.certificate.as_ref().map(parse_binding).transpose().map_err(Failure::from)?;
        let (made, secret) = match binding {
            Some(binding) => {
                let made = self.0.create_certified_token(&principal, new, binding).await.map_err(Failure)?;
                (made, String::new())
            }
            None => self.0.create_token(&principal, new).await.map_err(Failure)?,
        };
        Ok(Response::new(pb::CreateTokenResponse { token: Some(token(&made)), secret }))
    }

    async fn list_tokens(
        &self,
        request: Request<pb::ListTokensRequest>,
    ) -> Result<Response<pb::ListTokensResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let parent = parse_parent(&message.parent).map_err(Failure::from)?;
        let page = PageRequest { size: message.page_size, token: message.page_token };
        let page = self.0.list_tokens(&principal, parent.as_ref(), &page).await.map_err(Failure)?;
        let tokens = page.items.iter().map(listed_token).collect();
        Ok(Response::new(pb::ListTokensResponse { tokens, next_page_token: page.next_token }))
    }

    async fn revoke_token(&self, request: Request<pb::RevokeTokenRequest>) -> Result<Response<pb::Token>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let (parent, id) = names::token("name", &request.get_ref().name).map_err(Failure::from)?;
        let revoked = self.0.revoke_token(&principal, parent.as_ref(), id).await.map_err(Failure)?;
        Ok(Response::new(token(&revoked)))
    }

    async fn rotate_token(
        &self,
        request: Request<pb::RotateTokenRequest>,
    ) -> Result<Response<pb::RotateTokenResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let (parent, id) = names::token("name", &message.name).map_err(Failure::from)?;
        let new = parse_rotation(&message).map_err(Failure::from)?;
        let (rotated, secret) = self.0.rotate_token(&principal, parent.as_ref(), id, &new).await.map_err(Failure)?;
        Ok(Response::new(pb::RotateTokenResponse { token: Some(token(&rotated)), secret }))
    }

    async fn erase_site_personal_data(
        &self,
        request: Request<pb::EraseSitePersonalDataRequest>,
    ) -> Result<Response<pb::EraseSitePersonalDataResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let (account, site) = names::site("name", &message.name).map_err(Failure::from)?;
        let options =
            ErasureOptions { include_location: message.include_location, validate_only: message.validate_only };
        let erased = self.0.erase_site(&principal, &account, site, options).await.map_err(Failure)?;
        let history_records = i64::try_from(erased).unwrap_or(i64::MAX);
        Ok(Response::new(pb::EraseSitePersonalDataResponse { history_records }))
    }

    async fn erase_account_personal_data(
        &self,
        request: Request<pb::EraseAccountPersonalDataRequest>,
    ) -> Result<Response<pb::EraseAccountPersonalDataResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let account = names::account("name", &message.name).map_err(Failure::from)?;
        let page = PageRequest { size: message.page_size, token: message.page_token };
        let options =
            ErasureOptions { include_location: message.include_location, validate_only: message.validate_only };
        let PartialPage { page, unreadable } =
            self.0.erase_sites(&principal, &account, &page, options).await.map_err(Failure)?;
        Ok(Response::new(pb::EraseAccountPersonalDataResponse {
            sites: names::of_sites(&account, page.items),
            next_page_token: page.next_token,
            unreachable: names::of_sites(&account, unreadable),
        }))
    }

    async fn export_site_personal_data(
        &self,
        request: Request<pb::ExportSitePersonalDataRequest>,
    ) -> Result<Response<pb::ExportSitePersonalDataResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let (account, site) = names::site("name", &message.name).map_err(Failure::from)?;
        let page = PageRequest { size: message.page_size, token: message.page_token };
        let page = self.0.export_site(&principal, &account, site, &page).await.map_err(Failure)?;
        let records = page.items.into_iter().map(|item| personal_record(&self.0, &principal, item)).collect();
        Ok(Response::new(pb::ExportSitePersonalDataResponse { records, next_page_token: page.next_token }))
    }

    async fn export_account_personal_data(
        &self,
        request: Request<pb::ExportAccountPersonalDataRequest>,
    ) -> Result<Response<pb::ExportAccountPersonalDataResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let account = names::account("name", &message.name).map_err(Failure::from)?;
        let page = PageRequest { size: message.page_size, token: message.page_token };
        let PartialPage { page, unreadable } =
            self.0.export_sites(&principal, &account, &page).await.map_err(Failure)?;
        Ok(Response::new(pb::ExportAccountPersonalDataResponse {
            records: page.items.into_iter().map(|item| personal_record(&self.0, &principal, item)).collect(),
            next_page_token: page.next_token,
            unreachable: names::of_sites(&account, unreadable),
        }))
    }

    async fn who_am_i(&self, request: Request<pb::WhoAmIRequest>) -> Result<Response<pb::WhoAmIResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        refuse_resident(&principal).map_err(Failure)?;
        Ok(Response::new(who(&principal)))
    }
}

/// The account of a `parent`; empty for the operator's own things.
pub(super) fn parse_parent(parent: &str) -> Result<Option<AccountId>, Invalid> {
    if parent.is_empty() { Ok(None) } else { names::account("parent", parent).map(Some) }
}
