//! Addresses of tiles that carry their own permission, for map libraries that cannot send a header.
//!
//! Nothing is stored: an address holds a sealed value that names the token of who asked for it, so it ends with that
//! token. Knows nothing of how an address is spelled.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::sealed::SEALED_BYTES_MAX;
use super::{Error, Waymark};
use crate::model::Invalid;
use crate::model::access::Principal;
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
    /// case.
    pub fn sign_tiles(
        &self,
        principal: &Principal,
        account: &AccountId,
        filter: &str,
        ttl: Option<SignedDuration>,
    ) -> Result<TileSignature, Error> {
        self.check_tiles(principal, account, filter)?;
        let ttl = ttl.unwrap_or(TTL_DEFAULT);
        if !(ttl.is_positive() && ttl <= TTL_MAX) {
            let limit = TTL_MAX.as_secs();
            return Err(Invalid::new("ttl", format!("more than 0 and at most {limit} s, got {ttl:#}")).into());
        }
        let ends_at = self.now() + ttl;
        let token = self.parts.live.token(principal.token).ok_or(Error::Credential)?;
        let ends_at = token.expires_at.map_or(ends_at, |end| end.min(ends_at));
        let (token, secret_number) = (principal.token, principal.secret_number);
        let ticket = Ticket { token, secret_number, filter: filter.to_owned(), ends_at };
        let text = self.sealer.seal(&purpose(account), &ticket);
        if text.len() > SEALED_BYTES_MAX {
            return Err(Invalid::new("filter", "too long for an address once it is sealed: use a shorter one").into());
        }
        Ok(TileSignature { text, ends_at })
    }

    /// Who may see tiles by this signature, and the filter that stands in it.
    ///
    /// One answer for signatures that are malformed, altered, another account's, expired, or of a token that is no
    /// longer good. What the principal may do is asked with each tile, as for any other.
    pub fn open_tiles(&self, account: &AccountId, signature: &str) -> Result<(Principal, String), Error> {
        let ticket: Ticket = self.sealer.open(&purpose(account), signature).ok_or(Error::Credential)?;
        if ticket.ends_at <= self.now() {
            return Err(Error::Credential);
        }
        Ok((self.principal_of(ticket.token, ticket.secret_number)?, ticket.filter))
    }
}

fn purpose(account: &AccountId) -> String {
    format!("tiles:{account}")
}
