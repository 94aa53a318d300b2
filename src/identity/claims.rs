//! What the claims of a token, whose signature is good, make of its bearer.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::config::Rules;
use super::error::Refusal;
use super::role::{Role, RoleMapping};
use crate::model::access::{Identity, Principal};
use crate::model::id::{AccountId, TokenId};
use crate::model::text::is_unseen;

/// Longest subject in bytes, as `OpenID` Connect has it.
const SUBJECT_BYTES_MAX: usize = 255;
/// Claims whose text is a list of words with blanks between them (RFC 8693, 4.2).
const LISTS_OF_WORDS: [&str; 2] = ["scope", "scp"];

impl Rules {
    /// The principal that a token's claims make, at a time.
    pub(super) fn principal(&self, claims: &Map<String, Value>, now: Timestamp) -> Result<Principal, Refusal> {
        if !texts(claims.get("aud")).any(|audience| audience == self.audience) {
            return Err(Refusal::Audience);
        }
        let expires_at = self.check_times(claims, now)?;
        let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
        // It stands in histories and in the audit log, where one somebody must not look like another.
        if !(1..=SUBJECT_BYTES_MAX).contains(&subject.len()) || subject.chars().any(is_unseen) {
            return Err(Refusal::Incomplete);
        }
        let mapping = self.role(claims).ok_or(Refusal::Role)?;
        let account = if mapping.role == Role::Operator { None } else { Some(self.account(claims)?) };
        let identity = Identity { issuer: Arc::clone(&self.issuer), subject: subject.into(), expires_at };
        Ok(Principal {
            token: id_of(&identity),
            scope: mapping.scope(),
            account,
            agent: None,
            contacts: mapping.contacts(),
            positions: mapping.positions(),
            assigned: mapping.assigned.clone(),
            secret_number: 0,
            identity: Some(Arc::new(identity)),
            guest: None,
        })
    }

    /// Whether there is a role that makes principals like this one, of an account that the provider may name.
    pub(super) fn give(&self, principal: &Principal) -> bool {
        let Principal { scope, contacts, positions, .. } = *principal;
        let is_like = |role: &RoleMapping| {
            (role.scope(), role.contacts(), role.positions()) == (scope, contacts, positions)
                && role.assigned == principal.assigned
                && (role.role == Role::Operator) == principal.account.is_none()
        };
        let is_named = |account: &AccountId| self.accounts.is_empty() || self.accounts.contains(account);
        principal.account.as_ref().is_none_or(is_named) && self.roles.iter().any(is_like)
    }

    /// When the token ends, if it is good now. Both ends give the leeway.
    fn check_times(&self, claims: &Map<String, Value>, now: Timestamp) -> Result<Timestamp, Refusal> {
        let (expires, made) = (time(claims, "exp")?, time(claims, "iat")?);
        let (expires, made) = (expires.ok_or(Refusal::Incomplete)?, made.ok_or(Refusal::Incomplete)?);
        let ahead = now.checked_add(self.leeway).unwrap_or(Timestamp::MAX);
        if made > ahead || time(claims, "nbf")?.is_some_and(|begins| begins > ahead) {
            return Err(Refusal::NotYet);
        }
        let later = |time: Timestamp, by: SignedDuration| time.checked_add(by).unwrap_or(Timestamp::MAX);
        let (expires, old) = (later(expires, self.leeway), later(later(made, self.token_age_max), self.leeway));
        if expires <= now {
            return Err(Refusal::Expired);
        }
        if old <= now {
            return Err(Refusal::TooOld);
        }
        Ok(expires.min(old))
    }

    fn account(&self, claims: &Map<String, Value>) -> Result<AccountId, Refusal> {
        let Some(name) = &self.account_claim else { return self.accounts.first().cloned().ok_or(Refusal::Account) };
        let named = claim(claims, name).and_then(Value::as_str).and_then(|text| text.parse::<AccountId>().ok());
        let named = named.filter(|account| self.accounts.is_empty() || self.accounts.contains(account));
        named.ok_or(Refusal::Account)
    }

    /// The first mapping of a role that the token has.
    fn role(&self, claims: &Map<String, Value>) -> Option<&RoleMapping> {
        let value = claim(claims, &self.role_claim);
        let is_words = LISTS_OF_WORDS.contains(&self.role_claim.as_str());
        let has =
            |role: &str| texts(value).any(|text| text == role || is_words && text.split(' ').any(|word| word == role));
        self.roles.iter().find(|mapping| has(&mapping.value))
    }
}

/// A claim by its name, or by a JSON pointer to it.
fn claim<'claims>(claims: &'claims Map<String, Value>, name: &str) -> Option<&'claims Value> {
    let Some(path) = name.strip_prefix('/') else { return claims.get(name) };
    let (first, rest) = path.find('/').map_or((path, ""), |at| path.split_at(at));
    claims.get(&first.replace("~1", "/").replace("~0", "~"))?.pointer(rest)
}

/// The text of a claim, or the texts of its list.
fn texts(value: Option<&Value>) -> impl Iterator<Item = &str> {
    let (one, list): (Option<&str>, &[Value]) = match value {
        Some(Value::String(text)) => (Some(text.as_str()), &[]),
        Some(Value::Array(list)) => (None, list.as_slice()),
        _ => (None, &[]),
    };
    one.into_iter().chain(list.iter().filter_map(Value::as_str))
}

/// A time in seconds since 1970, which may have a fraction.
fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<Timestamp>, Refusal> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds = value.as_f64().filter(|seconds| *seconds >= 0.0).ok_or(Refusal::Malformed)?;
    let since = SignedDuration::try_from_secs_f64(seconds).map_err(|_| Refusal::Malformed)?;
    // What is later than any calendar has is never.
    Ok(Some(Timestamp::UNIX_EPOCH.checked_add(since).unwrap_or(Timestamp::MAX)))
}

/// What its calls are counted under: the same for all tokens of somebody.
fn id_of(identity: &Identity) -> TokenId {
    let hash: [u8; 32] = Sha256::digest(identity.name()).into();
    TokenId::from_random(&hash)
}
