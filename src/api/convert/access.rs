//! Accounts and tokens.

use std::sync::Arc;

use jiff::Timestamp;

use super::location::parse_country;
use super::{check_mask, optional_text, parse_duration, timestamp};
use crate::api::names;
use crate::api::proto::waymark::v1 as pb;
use crate::model::Invalid;
use crate::model::access::{Account, Contacts, Principal, Scope, Token};
use crate::service::accounts::AccountPatch;
use crate::service::rotation::NewSecret;

/// An account, as a scope may see it: its people's addresses are for who manages residents.
pub(in crate::api) fn account(account: &Account, scope: Scope) -> pb::Account {
    let sees_users = match scope {
        Scope::Admin | Scope::Editor | Scope::Service => true,
        Scope::Viewer | Scope::Enrollment | Scope::Agent | Scope::Resident => false,
    };
    pb::Account {
        name: names::of_account(&account.id),
        display_name: account.display_name.clone(),
        country_code: optional_text(account.country),
        user_emails: if sees_users { account.user_emails.clone() } else { Vec::new() },
        support_contact: account.support_contact.clone(),
        create_time: Some(timestamp(account.created_at)),
        update_time: Some(timestamp(account.updated_at)),
    }
}

/// The fields of an account that an update mask may name.
const SETTABLE: [&str; 4] = ["display_name", "country_code", "user_emails", "support_contact"];

/// The patch that `mask` makes of an account.
pub(in crate::api) fn parse_account(account: pb::Account, mask: &[String]) -> Result<AccountPatch, Invalid> {
    check_mask(mask, &SETTABLE)?;
    let names = |path: &str| mask.iter().any(|named| named == path || named == "*");
    Ok(AccountPatch {
        display_name: names("display_name").then_some(account.display_name),
        country: names("country_code")
            .then(|| parse_country("account.country_code", &account.country_code))
            .transpose()?,
        user_emails: names("user_emails").then_some(account.user_emails),
        support_contact: names("support_contact").then_some(account.support_contact),
    })
}

/// A token, without its secret.
pub(in crate::api) fn token(token: &Token) -> pb::Token {
    let site =
        token.account.as_ref().zip(token.agent.as_ref()).map(|(account, (site, _))| names::of_site(account, *site));
    pb::Token {
        name: names::of_token(token.account.as_ref(), token.id),
        display_name: token.display_name.clone(),
        scope: scope(token.scope).into(),
        create_time: Some(timestamp(token.created_at)),
        expire_time: token.expires_at.map(timestamp),
        revoke_time: token.revoked_at.map(timestamp),
        site: site.unwrap_or_default(),
        contacts: contacts(token.contacts).into(),
        last_use_time: None,
        previous_secret_expire_time: token.rotation.as_ref().map(|rotation| timestamp(rotation.previous_ends_at)),
    }
}

/// A token of a list, with when it was used last.
pub(in crate::api) fn listed_token((listed, last_use): &(Arc<Token>, Option<Timestamp>)) -> pb::Token {
    pb::Token { last_use_time: last_use.map(timestamp), ..token(listed) }
}

/// How a token is to get a new secret.
pub(in crate::api) fn parse_rotation(message: &pb::RotateTokenRequest) -> Result<NewSecret, Invalid> {
    let overlap = message.overlap.as_ref().map(|overlap| parse_duration("overlap", overlap)).transpose()?;
    Ok(NewSecret { overlap, request_id: message.request_id.clone() })
}

/// Who the caller is.
pub(in crate::api) fn who(principal: &Principal) -> pb::WhoAmIResponse {
    let site = principal.account.as_ref().zip(principal.agent.as_ref());
    pb::WhoAmIResponse {
        token: names::of_token(principal.account.as_ref(), principal.token),
        scope: scope(principal.scope).into(),
        account: principal.account.as_ref().map(names::of_account).unwrap_or_default(),
        site: site.map(|(account, (site, _))| names::of_site(account, *site)).unwrap_or_default(),
        contacts: contacts(principal.contacts).into(),
    }
}

fn contacts(contacts: Contacts) -> pb::ContactAccess {
    match contacts {
        Contacts::Read => pb::ContactAccess::Read,
        Contacts::Masked => pb::ContactAccess::Masked,
    }
}

/// Whether a token to make shall read contacts; `None` for as its maker does.
pub(in crate::api) fn parse_contacts(value: i32) -> Result<Option<Contacts>, Invalid> {
    match pb::ContactAccess::try_from(value) {
        Ok(pb::ContactAccess::Unspecified) => Ok(None),
        Ok(pb::ContactAccess::Read) => Ok(Some(Contacts::Read)),
        Ok(pb::ContactAccess::Masked) => Ok(Some(Contacts::Masked)),
        Err(_) => Err(Invalid::new("token.contacts", format!("one of READ, MASKED or unspecified, got {value}"))),
    }
}

/// A scope.
pub(super) fn scope(scope: Scope) -> pb::TokenScope {
    match scope {
        Scope::Admin => pb::TokenScope::Admin,
        Scope::Editor => pb::TokenScope::Editor,
        Scope::Viewer => pb::TokenScope::Viewer,
        Scope::Enrollment => pb::TokenScope::Enrollment,
        Scope::Agent => pb::TokenScope::Agent,
        Scope::Service => pb::TokenScope::Service,
        Scope::Resident => pb::TokenScope::Resident,
    }
}

/// A required scope from a request.
pub(in crate::api) fn parse_scope(value: i32) -> Result<Scope, Invalid> {
    match pb::TokenScope::try_from(value) {
        Ok(pb::TokenScope::Admin) => Ok(Scope::Admin),
        Ok(pb::TokenScope::Editor) => Ok(Scope::Editor),
        Ok(pb::TokenScope::Viewer) => Ok(Scope::Viewer),
        Ok(pb::TokenScope::Enrollment) => Ok(Scope::Enrollment),
        Ok(pb::TokenScope::Agent) => Ok(Scope::Agent),
        Ok(pb::TokenScope::Service) => Ok(Scope::Service),
        Ok(pb::TokenScope::Resident) => Ok(Scope::Resident),
        Ok(pb::TokenScope::Unspecified) | Err(_) => {
            let allowed = "one of ADMIN, EDITOR, VIEWER, ENROLLMENT, SERVICE is required";
            Err(Invalid::new("token.scope", format!("{allowed}, got {value}")))
        }
    }
}
