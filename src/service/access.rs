//! Who may do what: the one table of scopes and permissions, and the check of credentials.

use std::sync::Arc;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::error::Resource;
use super::{Error, Waymark, call};
use crate::identity::ProviderState;
use crate::identity::error::Refusal;
use crate::live::LiveAccount;
use crate::model::access::{Positions, Principal, Scope, Token};
use crate::model::id::{AccountId, TokenId};

/// What a use case needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// See the map as on a screen in a hall: symbols without names, about where they are, and counts.
    Look,
    /// See sites, none but those that there are for the caller, and of where they are what is shown to the caller.
    Find,
    /// See sites, and what stands beside them: of where they are what is shown to the caller.
    See,
    /// See the map of sites: where it is not exact, one of its own.
    Map,
    /// See what tells exactly where one site is that there is for the caller: its history, what geocoders say.
    Study,
    /// See what tells exactly where sites are: networks, what needs attention, what databases say.
    Read,
    /// Change one site that there is for the caller: where it is, and what of it is asked of people there.
    Tend,
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
    use Permission::{Administer, Change, Enroll, Find, Look, Map, Read, Report, See, Study, Tend};
    match scope {
        Scope::Admin => true,
        Scope::Editor => matches!(permission, Look | Find | See | Map | Study | Read | Tend | Change),
        Scope::Service => {
            matches!(permission, Look | Find | See | Map | Study | Read | Tend | Change | Enroll | Report)
        }
        Scope::Viewer => matches!(permission, Look | Find | See | Map | Study | Read),
        // What looks at which sites are assigned, and nothing else: a new use case is for others, until somebody made it look.
        Scope::Field => matches!(permission, Look | Find | Map | Study | Tend),
        Scope::Wallboard => permission == Look,
        Scope::Enrollment => permission == Enroll,
        // An agent says hello for itself, and activation checks that it is itself. Its site's page is not for it.
        Scope::Agent => match permission {
            Look | Find | See | Map | Study | Read | Tend | Change | Enroll | Report | Administer => false,
        },
        // A resident has methods of their own, which look at the access of their site.
        Scope::Resident => false,
    }
}

/// Whether a permission opens nothing but what a share shows. Histories are left out: they tell what was before the share, and who works
/// for the account.
fn is_open_to_guests(permission: Permission) -> bool {
    matches!(permission, Permission::Look | Permission::Find | Permission::Map)
}

/// Whether a permission opens nothing that tells more of where sites are than is shown to the caller. What is not known to keep that
/// is refused: a new use case is for who sees all, until somebody made it keep it.
fn keeps(positions: Positions, permission: Permission) -> bool {
    match positions {
        Positions::Exact => true,
        Positions::Approximate => {
            matches!(permission, Permission::Look | Permission::Find | Permission::See | Permission::Map)
        }
        Positions::Hidden => matches!(permission, Permission::Find | Permission::See),
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
    /// Who the bearer of `credential` is. One answer for unknown, expired and revoked ones of waymark's own; those of identity
    /// providers are told what is wrong with them, which their bearers know already, or their provider.
    pub fn authenticate(&self, credential: &str) -> Result<Principal, Error> {
        if self.issuers.are_asked(credential) {
            let principal = self.vouched_for(credential)?;
            call::is_by(&principal);
            return Ok(principal);
        }
        let (id, random) = secret::parse(credential).ok_or(Error::Credential)?;
        let hash = hash_secret(&random);
        let token = self.parts.live.token(id).ok_or(Error::Credential)?;
        let number = secret_number(&token, &hash).ok_or(Error::Credential)?;
        let principal = self.principal_behind(&token, number)?;
        self.uses.note(token.id, token.scope, self.now());
        call::is_by(&principal);
        Ok(principal)
    }

    /// Who an identity provider says that the bearer is. Several ask in one call: a token that the first of them saw refused is neither
    /// checked nor counted again.
    fn vouched_for(&self, credential: &str) -> Result<Principal, Refusal> {
        let hash = || hash_secret(credential.as_bytes());
        if let Some((refused, why)) = call::refused()
            && refused == hash()
        {
            return Err(why);
        }
        self.issuers.verify(credential, self.now()).inspect_err(|why| call::refuses(hash(), *why))
    }

    /// Who stands behind a token and one of its secrets, while both are good: asked for each use of what was made with it,
    /// because its end counts at once. One answer for unknown, expired and revoked ones.
    pub fn principal_of(&self, token: TokenId, secret_number: u32) -> Result<Principal, Error> {
        self.principal_behind(&*self.parts.live.token(token).ok_or(Error::Credential)?, secret_number)
    }

    /// The same principal as it is now, while what it came with is good, and the share by which it is where it is: asked for again and
    /// again by what goes on.
    pub fn present(&self, principal: &Principal) -> Result<Principal, Error> {
        let at_home = match &principal.identity {
            Some(identity) if identity.expires_at <= self.now() => return Err(Refusal::Expired.into()),
            Some(_) => principal.at_home(),
            None => self.principal_of(principal.token, principal.secret_number)?,
        };
        self.present_guest(principal, at_home)
    }

    /// Whether a credential cannot be judged before its identity provider's keys are looked at again.
    #[must_use]
    pub fn lacks_key(&self, credential: &str) -> bool {
        self.issuers.lacks_key(credential)
    }

    /// Waits for those keys, two seconds at most.
    pub async fn wait_for_key(&self, credential: &str) {
        self.issuers.wait_for_key(credential).await;
    }

    /// What is known of the identity providers.
    #[must_use]
    pub fn identity_providers(&self) -> Vec<ProviderState> {
        self.issuers.states()
    }

    /// How often tokens of identity providers were refused, by cause.
    #[must_use]
    pub fn refused_identities(&self) -> Vec<(&'static str, u64)> {
        self.issuers.refused()
    }

    fn principal_behind(&self, token: &Token, secret_number: u32) -> Result<Principal, Error> {
        let now = self.now();
        if token.revoked_at.is_some() || is_past(token.expires_at, now) || !token.is_secret_good(secret_number, now) {
            return Err(Error::Credential);
        }
        // A record that lost the word of which sites must not be good for all of them.
        if token.scope == Scope::Field && token.assigned.is_none() {
            return Err(Error::Credential);
        }
        Ok(Principal {
            token: token.id,
            scope: token.scope,
            account: token.account.clone(),
            agent: token.agent.clone(),
            contacts: token.contacts,
            positions: token.positions,
            assigned: token.assigned.clone(),
            secret_number,
            identity: None,
            guest: None,
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
        // Where the word of which sites is missing, wherever it was lost, it must not mean all of them.
        let is_confined = principal.scope == Scope::Field || principal.guest.is_some();
        if is_confined && principal.assigned.is_none() {
            return Err(Error::Scope);
        }
        if !allows(principal.scope, permission) || (principal.guest.is_some() && !is_open_to_guests(permission)) {
            return Err(Error::Scope);
        }
        if keeps(principal.positions, permission) { Ok(live) } else { Err(Error::PositionsWithheld) }
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

/// Whether somebody of this scope sees the sites that others share with their account: who sees all of its own.
pub(super) fn sees_shares(scope: Scope) -> bool {
    allows(scope, Permission::See)
}

/// Whether the principal sees sites themselves, and not the map alone as on a screen in a hall.
pub(super) fn sees_sites(principal: &Principal) -> bool {
    allows(principal.scope, Permission::Find)
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

    const ALL: [Permission; 11] = [
        Permission::Look,
        Permission::Find,
        Permission::See,
        Permission::Map,
        Permission::Study,
        Permission::Read,
        Permission::Tend,
        Permission::Change,
        Permission::Enroll,
        Permission::Report,
        Permission::Administer,
    ];

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
        use Permission::{Change, Enroll, Find, Look, Map, Read, Report, See, Study, Tend};
        let table = [
            (Scope::Admin, ALL.to_vec()),
            (Scope::Editor, vec![Look, Find, See, Map, Study, Read, Tend, Change]),
            (Scope::Service, vec![Look, Find, See, Map, Study, Read, Tend, Change, Enroll, Report]),
            (Scope::Viewer, vec![Look, Find, See, Map, Study, Read]),
            (Scope::Field, vec![Look, Find, Map, Study, Tend]),
            (Scope::Wallboard, vec![Look]),
            (Scope::Enrollment, vec![Enroll]),
            (Scope::Agent, vec![]),
            (Scope::Resident, vec![]),
        ];
        for (scope, allowed) in table {
            let of = |test: &dyn Fn(Permission) -> bool| ALL.into_iter().filter(|it| test(*it)).collect::<Vec<_>>();
            assert_eq!(of(&|permission| allows(scope, permission)), allowed, "{scope:?}");
        }
    }

    #[test]
    fn guests_look_at_sites_and_do_nothing_else() {
        use Permission::{Find, Look, Map};
        let open: Vec<_> = ALL.into_iter().filter(|it| is_open_to_guests(*it)).collect();
        assert_eq!(open, [Look, Find, Map]);
        for (scope, expected) in [
            (Scope::Admin, true),
            (Scope::Editor, true),
            (Scope::Service, true),
            (Scope::Viewer, true),
            (Scope::Field, false),
            (Scope::Wallboard, false),
            (Scope::Enrollment, false),
            (Scope::Agent, false),
            (Scope::Resident, false),
        ] {
            assert_eq!(sees_shares(scope), expected, "{scope:?}");
        }
    }

    #[test]
    fn what_tells_exactly_where_sites_are_is_for_who_sees_that() {
        use Permission::{Find, Look, Map, See};
        let kept = |positions| ALL.into_iter().filter(|it| keeps(positions, *it)).collect::<Vec<_>>();
        assert_eq!(kept(Positions::Exact), ALL);
        assert_eq!(kept(Positions::Approximate), [Look, Find, See, Map]);
        assert_eq!(kept(Positions::Hidden), [Find, See]);
    }
}
