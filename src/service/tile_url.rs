//! Addresses of tiles that carry their own permission, for map libraries that cannot send a header.
//!
//! Nothing is stored: an address holds a sealed value that names the token of who asked for it, so it ends with that
//! token. Knows nothing of how an address is spelled.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::sealed::SEALED_BYTES_MAX;
use super::{Error, Waymark};
use crate::model::Invalid;
use crate::model::access::{Contacts, Identity, Positions, Principal, Scope};
use crate::model::assignment::Assignment;
use crate::model::id::{AccountId, TokenId};

/// How long an address works where the caller does not say: a look at a map, and a new one is asked for in time.
const TTL_DEFAULT: SignedDuration = SignedDuration::from_mins(15);
/// Longest time that an address works: addresses end up in logs and histories of others.
const TTL_MAX: SignedDuration = SignedDuration::from_hours(1);

/// What the sealed value holds. The account is part of the seal's purpose.
#[derive(Debug, Serialize, Deserialize)]
struct Ticket {
    token: TokenId,
    /// Which of its secrets it was made with.
    #[serde(default)]
    secret_number: u32,
    filter: String,
    ends_at: Timestamp,
    /// Where it was made for an identity: no token is looked up, and it ends with the one that the identity came with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    guest: Option<Guest>,
}

/// What an identity may do. Who it is stands in no address, which ends up in logs and histories of others.
#[derive(Debug, Serialize, Deserialize)]
struct Guest {
    issuer: String,
    scope: Scope,
    account: Option<AccountId>,
    contacts: Contacts,
    #[serde(default)]
    positions: Positions,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    assigned: Option<Assignment>,
}

impl Guest {
    fn of(principal: &Principal) -> Option<Self> {
        let issuer = principal.identity.as_ref()?.issuer.to_string();
        let Principal { scope, contacts, positions, .. } = *principal;
        let (account, assigned) = (principal.account.clone(), principal.assigned.clone());
        Some(Self { issuer, scope, account, contacts, positions, assigned })
    }
}

/// The permission to see tiles, as a text for an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TileSignature {
    /// Characters of `A-Z a-z 0-9 - _`.
    pub text: String,
    /// When it ends.
    pub ends_at: Timestamp,
}

impl Waymark {
    /// Makes a signature that shows the account's sites that match the filter, and no others.
    ///
    /// `ttl`: `None` for 15 minutes; more than none, at most an hour. It ends with the principal's own token in any
    /// case, and with the share by which the account is seen. `principal` is as it came, in its own account.
    pub fn sign_tiles(
        &self,
        principal: &Principal,
        account: &AccountId,
        filter: &str,
        ttl: Option<SignedDuration>,
    ) -> Result<TileSignature, Error> {
        self.check_tiles(&self.within(principal, account), account, filter)?;
        let ttl = ttl.unwrap_or(TTL_DEFAULT);
        if !(ttl.is_positive() && ttl <= TTL_MAX) {
            let limit = TTL_MAX.as_secs();
            return Err(Invalid::new("ttl", format!("more than 0 and at most {limit} s, got {ttl:#}")).into());
        }
        let ends_at = self.now() + ttl;
        let end = match &principal.identity {
            Some(identity) => Some(identity.expires_at),
            None => self.parts.live.token(principal.token).ok_or(Error::Credential)?.expires_at,
        };
        let ends_at = end.map_or(ends_at, |end| end.min(ends_at));
        let (token, secret_number, guest) = (principal.token, principal.secret_number, Guest::of(principal));
        let ticket = Ticket { token, secret_number, filter: filter.to_owned(), ends_at, guest };
        let text = self.sealer.seal(&purpose(account), &ticket);
        if text.len() > SEALED_BYTES_MAX {
            return Err(Invalid::new("filter", "too long for an address once it is sealed: use a shorter one").into());
        }
        Ok(TileSignature { text, ends_at })
    }

    /// Who may see tiles by this signature, in their own account, and the filter that stands in it.
    ///
    /// One answer for signatures that are malformed, altered, another account's, expired, or of a token that is no
    /// longer good. What the principal may do is asked with each tile, as for any other.
    pub fn open_tiles(&self, account: &AccountId, signature: &str) -> Result<(Principal, String), Error> {
        let ticket: Ticket = self.sealer.open(&purpose(account), signature).ok_or(Error::Credential)?;
        if ticket.ends_at <= self.now() {
            return Err(Error::Credential);
        }
        let principal = match ticket.guest {
            Some(guest) => self.guest(guest, ticket.token, ticket.ends_at)?,
            None => self.principal_of(ticket.token, ticket.secret_number)?,
        };
        Ok((principal, ticket.filter))
    }

    /// The identity that an address was made for, while its provider is trusted and has a role that gives the same: one that was narrowed
    /// is so here, too.
    fn guest(&self, guest: Guest, token: TokenId, expires_at: Timestamp) -> Result<Principal, Error> {
        let issuer: Arc<str> = guest.issuer.into();
        let identity = Identity { issuer: Arc::clone(&issuer), subject: "".into(), expires_at };
        let principal = Principal {
            token,
            scope: guest.scope,
            account: guest.account,
            agent: None,
            contacts: guest.contacts,
            positions: guest.positions,
            assigned: guest.assigned,
            secret_number: 0,
            identity: Some(Arc::new(identity)),
            guest: None,
        };
        if self.issuers.give(&issuer, &principal) { Ok(principal) } else { Err(Error::Credential) }
    }
}

fn purpose(account: &AccountId) -> String {
    format!("tiles:{account}")
}
