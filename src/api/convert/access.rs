//! Accounts and tokens.

use std::sync::Arc;

use jiff::Timestamp;

use super::location::parse_country;
use super::{check_mask, optional_text, parse_duration, timestamp};
use crate::api::names;
use crate::api::proto::waymark::v1 as pb;
use crate::api::proto::waymark::v1::certificate_binding::KnownBy;
use crate::model::Invalid;
use crate::model::access::{Account, Contacts, Identity, Positions, Principal, Scope, Token};
use crate::model::assignment::Assignment;
use crate::model::certificate::Binding;
use crate::service::accounts::AccountPatch;
use crate::service::rotation::NewSecret;

/// An account, as somebody may see it: its people's addresses are for who manages residents, and whoever takes a token from a screen, or
/// sees but some of its sites by a share, sees its name.
pub(in crate::api) fn account(account: &Account, principal: &Principal) -> pb::Account {
    let scope = principal.scope;
    let is_at_home = principal.guest.is_none() && principal.belongs_to(&account.id);
    let sees_users = match scope {
        _ if !is_at_home => false,
        Scope::Admin | Scope::Editor | Scope::Service => true,
        Scope::Viewer | Scope::Enrollment | Scope::Agent | Scope::Resident | Scope::Wallboard | Scope::Field => false,
    };
    let is_name_alone = scope == Scope::Wallboard || !is_at_home;
    pb::Account {
        name: names::of_account(&account.id),
        display_name: account.display_name.clone(),
        country_code: optional_text(account.country.filter(|_| !is_name_alone)),
        user_emails: if sees_users { account.user_emails.clone() } else { Vec::new() },
        support_contact: if is_name_alone { String::new() } else { account.support_contact.clone() },
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
        certificate: token.certificate.as_ref().map(binding),
        positions: positions(token.positions).into(),
        assigned: assigned(token.assigned.as_ref()),
    }
}

fn binding(binding: &Binding) -> pb::CertificateBinding {
    let known_by = match binding {
        Binding::Key(sha256) => KnownBy::KeySha256(sha256.to_vec()),
        Binding::Uri(uri) => KnownBy::Uri(uri.clone()),
        Binding::DnsName(name) => KnownBy::DnsName(name.clone()),
    };
    pb::CertificateBinding { known_by: Some(known_by) }
}

/// By which certificate the bearer of a token to make shall be known.
pub(in crate::api) fn parse_binding(binding: &pb::CertificateBinding) -> Result<Binding, Invalid> {
    match &binding.known_by {
        Some(KnownBy::KeySha256(sha256)) => Binding::key("token.certificate.key_sha256", sha256),
        Some(KnownBy::Uri(uri)) => Binding::uri("token.certificate.uri", uri),
        Some(KnownBy::DnsName(name)) => Binding::dns_name("token.certificate.dns_name", name),
        None => Err(Invalid::new("token.certificate", "one of key_sha256, uri and dns_name is required")),
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
    let identity = principal.identity.as_deref();
    pb::WhoAmIResponse {
        token: identity.map_or_else(|| names::of_token(principal.account.as_ref(), principal.token), |_| String::new()),
        scope: scope(principal.scope).into(),
        account: principal.account.as_ref().map(names::of_account).unwrap_or_default(),
        site: site.map(|(account, (site, _))| names::of_site(account, *site)).unwrap_or_default(),
        contacts: contacts(principal.contacts).into(),
        identity: identity.map(Identity::name).unwrap_or_default(),
        identity_expire_time: identity.map(|identity| timestamp(identity.expires_at)),
        positions: positions(principal.positions).into(),
        assigned: assigned(principal.assigned.as_ref()),
    }
}

pub(super) fn contacts(contacts: Contacts) -> pb::ContactAccess {
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

/// How exactly positions are shown.
pub(super) fn positions(positions: Positions) -> pb::PositionAccess {
    match positions {
        Positions::Exact => pb::PositionAccess::Exact,
        Positions::Approximate => pb::PositionAccess::Approximate,
        Positions::Hidden => pb::PositionAccess::Hidden,
    }
}

/// How exactly a token to make shall show positions; `None` for as its scope does where nobody says.
pub(in crate::api) fn parse_positions(value: i32) -> Result<Option<Positions>, Invalid> {
    match pb::PositionAccess::try_from(value) {
        Ok(pb::PositionAccess::Unspecified) => Ok(None),
        Ok(pb::PositionAccess::Exact) => Ok(Some(Positions::Exact)),
        Ok(pb::PositionAccess::Approximate) => Ok(Some(Positions::Approximate)),
        Ok(pb::PositionAccess::Hidden) => Ok(Some(Positions::Hidden)),
        Err(_) => {
            let why = format!("one of EXACT, APPROXIMATE, HIDDEN or unspecified, got {value}");
            Err(Invalid::new("token.positions", why))
        }
    }
}

/// Which sites somebody is assigned; empty for no word of it.
pub(super) fn assigned(assigned: Option<&Assignment>) -> String {
    assigned.map(|assigned| assigned.as_str().to_owned()).unwrap_or_default()
}

/// Which sites a token to make shall be good for; `None` where nothing is said.
pub(in crate::api) fn parse_assigned(text: &str) -> Result<Option<Assignment>, Invalid> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    Assignment::parse(text).map(Some).map_err(|fault| fault.within("token"))
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
        Scope::Wallboard => pb::TokenScope::Wallboard,
        Scope::Field => pb::TokenScope::Field,
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
        Ok(pb::TokenScope::Wallboard) => Ok(Scope::Wallboard),
        Ok(pb::TokenScope::Field) => Ok(Scope::Field),
        Ok(pb::TokenScope::Unspecified) | Err(_) => {
            let allowed = "one of ADMIN, EDITOR, VIEWER, ENROLLMENT, SERVICE, WALLBOARD, FIELD is required";
            Err(Invalid::new("token.scope", format!("{allowed}, got {value}")))
        }
    }
}
