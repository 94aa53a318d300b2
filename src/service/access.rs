//! Who may do what: the one table of scopes and permissions, and the check of credentials.

use std::sync::Arc;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::error::Resource;
use super::{Error, Waymark, call};
use crate::live::LiveAccount;
use crate::model::access::{Principal, Scope, Token};
use crate::model::id::{AccountId, TokenId};

/// What a use case needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// See sites, map, and what geocoder and databases say.
    Read,
    /// Change sites.
    Change,
    /// Let an agent in.
    Enroll,
    /// Say of sites that they are up, and where they come from.
    Report,
    /// Keep accounts and tokens.
    Administer,
}

/// The table of scopes and permissions.
fn allows(scope: Scope, permission: Permission) -> bool {
    use Permission::{Administer, Change, Enroll, Read, Report};
    match scope {
        Scope::Admin => true,
        Scope::Editor => matches!(permission, Read | Change),
        Scope::Service => matches!(permission, Read | Change | Enroll | Report),
        Scope::Viewer => permission == Read,
        Scope::Enrollment => permission == Enroll,
        // An agent says hello for itself, and activation checks that it is itself. Its site's page is not for it.
        Scope::Agent => match permission {
            Read | Change | Enroll | Report | Administer => false,
        },
        // A resident has methods of their own, which look at the access of their site.
        Scope::Resident => false,
    }
}

/// Text of a secret: `wmk_`, the token's id, `_`, 256 random bits, and a checksum for leak scanners and typos.
pub(super) mod secret {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::TokenId;

    const PREFIX: &str = "wmk_";
    const RANDOM_CHARS: usize = 43;
    const CHECKSUM_CHARS: usize = 8;

    /// The secret's text.
    pub(in super::super) fn format(id: TokenId, random: &[u8; 32]) -> String {
        let body = format!("{PREFIX}{id}_{}", URL_SAFE_NO_PAD.encode(random));
        format!("{body}{:08x}", crc32fast::hash(body.as_bytes()))
    }

    /// Id and random bytes of a well-formed secret.
    pub(in super::super) fn parse(text: &str) -> Option<(TokenId, [u8; 32])> {
        let body_chars = PREFIX.len() + TokenId::BYTES + 1 + RANDOM_CHARS;
        if !text.is_ascii() || text.len() != body_chars + CHECKSUM_CHARS {
            return None;
        }
        let (body, checksum) = text.split_at(body_chars);
        if format!("{:08x}", crc32fast::hash(body.as_bytes())) != checksum {
            return None;
        }
        let (id, random) = body.strip_prefix(PREFIX)?.split_at(TokenId::BYTES);
        let random = URL_SAFE_NO_PAD.decode(random.strip_prefix('_')?).ok()?;
        Some((id.parse().ok()?, random.try_into().ok()?))
    }
}

/// 32 bytes of the system's randomness.
pub(super) fn random_bytes() -> Result<[u8; 32], Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|cause| Error::Random(cause.to_string()))?;
    Ok(bytes)
}

/// What is kept of 256 random bits. They need no slow hash: nobody can guess them.
pub(super) fn hash_secret(random: &[u8]) -> [u8; 32] {
    Sha256::digest(random).into()
}

impl Waymark {
    /// Who the bearer of `credential` is. One answer for unknown, expired and revoked ones.
    pub fn authenticate(&self, credential: &str) -> Result<Principal, Error> {
        let (id, random) = secret::parse(credential).ok_or(Error::Credential)?;
        let hash = hash_secret(&random);
        let token = self.parts.live.token(id).ok_or(Error::Credential)?;
        let number = secret_number(&token, &hash).ok_or(Error::Credential)?;
        let principal = self.principal_behind(&token, number)?;
        self.uses.note(token.id, token.scope, self.now());
        call::is_by(&principal);
        Ok(principal)
    }

    /// Who stands behind a token and one of its secrets, while both are good: asked for each use of what was made with it,
    /// because its end counts at once. One answer for unknown, expired and revoked ones.
    pub fn principal_of(&self, token: TokenId, secret_number: u32) -> Result<Principal, Error> {
        self.principal_behind(&*self.parts.live.token(token).ok_or(Error::Credential)?, secret_number)
    }

    fn principal_behind(&self, token: &Token, secret_number: u32) -> Result<Principal, Error> {
        let now = self.now();
        if token.revoked_at.is_some() || is_past(token.expires_at, now) || !token.is_secret_good(secret_number, now) {
            return Err(Error::Credential);
        }
        Ok(Principal {
            token: token.id,
            scope: token.scope,
            account: token.account.clone(),
            agent: token.agent.clone(),
            contacts: token.contacts,
            secret_number,
        })
    }

    /// The account, if the principal may do this in it. A foreign account does not exist for it.
    pub(super) fn account_for(
        &self,
        principal: &Principal,
        account: &AccountId,
        permission: Permission,
    ) -> Result<Arc<LiveAccount>, Error> {
        let live = self.visible_account(principal, account)?;
        if allows(principal.scope, permission) { Ok(live) } else { Err(Error::Scope) }
    }

    /// The account, if the principal belongs to it, whatever it may do there.
    pub(super) fn visible_account(
        &self,
        principal: &Principal,
        account: &AccountId,
    ) -> Result<Arc<LiveAccount>, Error> {
        let live = self.parts.live.account(account).filter(|_| principal.belongs_to(account));
        live.ok_or_else(|| Error::NotFound(Resource::Account(account.clone())))
    }
}

/// Refuses who does not read contacts what would read or write them.
pub(super) fn require_contacts(principal: &Principal) -> Result<(), Error> {
    if principal.contacts.are_masked() { Err(Error::ContactsMasked) } else { Ok(()) }
}

/// Which of a token's secrets has this hash, good or not: the present one, or the one before.
fn secret_number(token: &Token, hash: &[u8; 32]) -> Option<u32> {
    let number = token.secret_number();
    let is_present = bool::from(token.secret_hash.ct_eq(hash));
    let is_previous = token.rotation.as_ref().is_some_and(|rotation| rotation.previous_hash.ct_eq(hash).into());
    if is_present { Some(number) } else { number.checked_sub(1).filter(|_| is_previous) }
}

pub(super) fn is_past(end: Option<Timestamp>, now: Timestamp) -> bool {
    end.is_some_and(|end| end <= now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_come_back_and_typos_do_not() {
        let id: TokenId = "000000000000feed".parse().unwrap();
        let text = secret::format(id, &[0xab; 32]);
        assert_eq!(secret::parse(&text), Some((id, [0xab; 32])));
        assert!(text.starts_with("wmk_000000000000feed_"));
        for at in 0..text.len() {
            let mut typo = text.clone().into_bytes();
            typo[at] = if typo[at] == b'0' { b'1' } else { b'0' };
            assert_eq!(secret::parse(std::str::from_utf8(&typo).unwrap()), None, "byte {at}");
        }
        for text in ["", "wmk_", "Bearer", &"ü".repeat(36)] {
            assert_eq!(secret::parse(text), None, "{text}");
        }
    }

    #[test]
    fn scopes_are_closed() {
        use Permission::{Administer, Change, Enroll, Read, Report};
        let table = [
            (Scope::Admin, [true, true, true, true, true]),
            (Scope::Editor, [true, true, false, false, false]),
            (Scope::Service, [true, true, true, true, false]),
            (Scope::Viewer, [true, false, false, false, false]),
            (Scope::Enrollment, [false, false, true, false, false]),
            (Scope::Agent, [false, false, false, false, false]),
            (Scope::Resident, [false, false, false, false, false]),
        ];
        for (scope, row) in table {
            assert_eq!(
                [Read, Change, Enroll, Report, Administer].map(|permission| allows(scope, permission)),
                row,
                "{scope:?}"
            );
        }
    }
}
