//! Invitations: made, made again, taken back, and accepted, once.

#[cfg(test)]
mod fuzz;

use std::net::IpAddr;

use jiff::Timestamp;
use subtle::ConstantTimeEq as _;

use super::super::access::{Permission, hash_secret, random_bytes};
use super::super::error::Resource;
use super::super::record::Author;
use super::super::tokens::{self, NewToken};
use super::super::{ATTEMPTS_MAX, Error, Versioned, Waymark};
use super::devices::{ResidentDevice, ResidentSite, visible};
use super::{ShownAccess, Step, replace};
use crate::model::Invalid;
use crate::model::access::{Principal, Scope, Token};
use crate::model::history::{Actor, Cause};
use crate::model::id::{AccountId, SiteId};
use crate::model::resident::{Refused, ResidentAccess};
use crate::model::site::Site;
use crate::store::document::{Document, QueuedMail};
use crate::store::{Error as StoreError, Key, Kind, Mutation};

/// Most mails that wait for the mail server, in all: some hours of a large account's work.
pub(super) const OUTBOX_MAX: usize = 10_000;
/// Most mails of one account that wait, so that no account takes the room of the others.
const OUTBOX_OF_ACCOUNT_MAX: usize = 2_000;
/// Shortest key of a caller who may have to ask again, in bytes: 128 bits.
const RETRY_KEY_BYTES_MIN: usize = 16;
/// Longest key of a caller who may have to ask again, in bytes.
const RETRY_KEY_BYTES_MAX: usize = 64;
/// Longest text of a code that is looked at, in bytes.
const CODE_BYTES_MAX: usize = 256;

/// What an accepted invitation gives.
#[derive(Debug)]
pub struct Redeemed {
    /// The account.
    pub account: AccountId,
    /// The site.
    pub site: ResidentSite,
    /// The devices that the resident may see.
    pub devices: Vec<ResidentDevice>,
    /// The secret of the resident's token, shown once.
    pub secret: String,
    /// Who invited: what the account is called in mails.
    pub account_name: String,
    /// Whom to ask; may be empty.
    pub support_contact: String,
}

/// Text of an invitation's secret: `wmi_`, account, site, 256 random bits. Account and site say where to look; the resident
/// learns both with the access.
mod code {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::{AccountId, CODE_BYTES_MAX, SiteId};

    const PREFIX: &str = "wmi_";

    pub(super) fn format(account: &AccountId, site: SiteId, random: &[u8; 32]) -> String {
        format!("{PREFIX}{account}.{site}.{}", URL_SAFE_NO_PAD.encode(random))
    }

    pub(super) fn parse(text: &str) -> Option<(AccountId, SiteId, [u8; 32])> {
        let mut parts = text.strip_prefix(PREFIX).filter(|_| text.len() <= CODE_BYTES_MAX)?.split('.');
        let (account, site, random) = (parts.next()?, parts.next()?, parts.next()?);
        let random = URL_SAFE_NO_PAD.decode(random).ok()?.try_into().ok()?;
        if parts.next().is_some() {
            return None;
        }
        Some((account.parse().ok()?, site.parse().ok()?, random))
    }
}

/// One of the two ways to make an invitation.
type Make = fn(&mut ResidentAccess, [u8; 32], Timestamp) -> Result<(), Refused>;

impl Waymark {
    /// Invites the resident. The mail is on its way when this returns, and is sent even if the server ends now.
    pub async fn invite_resident(
        &self,
        principal: &Principal,
        account: &AccountId,
        site: SiteId,
        etag: &str,
    ) -> Result<ShownAccess, Error> {
        self.make_invitation(principal, account, site, etag, ResidentAccess::invite).await
    }

    /// Sends another link. The one before is dead, in a mail that waits still, too.
    pub async fn resend_invitation(
        &self,
        principal: &Principal,
        account: &AccountId,
        site: SiteId,
        etag: &str,
    ) -> Result<ShownAccess, Error> {
        self.make_invitation(principal, account, site, etag, ResidentAccess::resend).await
    }

    async fn make_invitation(
        &self,
        principal: &Principal,
        account: &AccountId,
        site: SiteId,
        etag: &str,
        make: Make,
    ) -> Result<ShownAccess, Error> {
        self.account_for(principal, account, Permission::Change)?;
        let random = random_bytes()?;
        let secret_hash = hash_secret(&random);
        let author = Author::of(principal, Cause::ResidentInvited);
        let change = |before: Option<&ResidentAccess>, now| {
            let mut access = before.ok_or(Refused::NotSetUp)?.clone();
            make(&mut access, secret_hash, now)?;
            self.refuse_user(account, &access.owner_email)?;
            let post = self.parts.post.as_ref().ok_or(Error::MailNotConfigured)?;
            self.refuse_full_outbox(account)?;
            let key = Key::of(account, Kind::Mail, uuid::Uuid::now_v7());
            let sealed = post.seal(account, &key.id, &code::format(account, site, &random))?;
            let mail = QueuedMail { site, secret_hash, sealed, queued_at: now };
            Ok(Step { after: Some(access), beside: vec![Mutation::create(key, Document::Mail(mail))] })
        };
        self.commit_over_access(account, site, etag, &author, change).await
    }

    fn refuse_full_outbox(&self, account: &AccountId) -> Result<(), Error> {
        let mails = &self.parts.live.mails;
        if mails.count() >= OUTBOX_MAX {
            return Err(Error::TooMany("mails that wait", OUTBOX_MAX));
        }
        if mails.count_of(account) >= OUTBOX_OF_ACCOUNT_MAX {
            return Err(Error::TooMany("mails of the account that wait", OUTBOX_OF_ACCOUNT_MAX));
        }
        Ok(())
    }

    /// Takes the access back: the link is dead, the mail is not sent if it waits still, the resident is out at once.
    pub async fn revoke_resident_access(
        &self,
        principal: &Principal,
        account: &AccountId,
        site: SiteId,
        etag: &str,
    ) -> Result<ShownAccess, Error> {
        self.account_for(principal, account, Permission::Change)?;
        let author = Author::of(principal, Cause::ResidentAccessRevoked);
        let change = |before: Option<&ResidentAccess>, now| {
            let mut access = before.ok_or(Refused::NotSetUp)?.clone();
            let token = access.revoke(now)?;
            let beside = token.and_then(|token| self.revocation_of(token)).into_iter().collect();
            Ok(Step { after: Some(access), beside })
        };
        self.commit_over_access(account, site, etag, &author, change).await
    }

    /// Accepts an invitation with the secret of its link. Needs no token. One answer for secrets that are unknown, used,
    /// too old, revoked or superseded.
    ///
    /// Who accepted and heard nothing gets the same answer for the same key until
    /// [`REPEAT_WINDOW`](crate::model::resident::REPEAT_WINDOW) is over; an empty key stands for none, and repeats nothing.
    pub async fn redeem_invitation(&self, code: &str, key: &[u8], ip: Option<IpAddr>) -> Result<Redeemed, Error> {
        check_retry_key(key)?;
        self.doorbell.ring(ip, self.now())?;
        let (account, site, random) = code::parse(code).ok_or(Error::Invitation)?;
        let secret_hash = hash_secret(&random);
        let given = self.resident_token(&account, site, &secret_hash, key)?;
        for _ in 0..ATTEMPTS_MAX {
            let before = self.find_access(&account, site).await?.ok_or(Error::Invitation)?;
            let standing = self.find_site(&account, site).await?.filter(|site| site.value.deleted_at.is_none());
            let standing = standing.ok_or(Error::Invitation)?;
            if self.refuse_user(&account, &before.value.owner_email).is_err() {
                return Err(Error::Invitation);
            }
            if self.was_given(&before.value, &given.0).await? {
                return self.redeemed(&standing.value, &before.value, given.1).await;
            }
            match self.let_in(&standing, &before, &secret_hash, &given).await {
                Err(Error::Store(StoreError::Conflict { .. })) => {}
                outcome => return outcome,
            }
        }
        Err(Error::Contention(Resource::ResidentAccess(account, site).to_string()))
    }

    /// The token that an invitation gives to whoever comes with the key: another one each time where there is none.
    fn resident_token(
        &self,
        account: &AccountId,
        site: SiteId,
        secret_hash: &[u8; 32],
        key: &[u8],
    ) -> Result<(Token, String), Error> {
        let new = NewToken {
            account: Some(account.clone()),
            scope: Scope::Resident,
            display_name: format!("resident of {site}"),
            expires_at: None,
            contacts: None,
            positions: None,
            assigned: None,
        };
        if key.is_empty() { self.draw_token(new) } else { self.derive_resident_token(new, secret_hash, key) }
    }

    /// Whether this token is the one that an answer of a moment ago gave, and good still.
    async fn was_given(&self, access: &ResidentAccess, token: &Token) -> Result<bool, Error> {
        if !access.repeats(token.id, self.now()) {
            return Ok(false);
        }
        // Asked of the store, like the access: memory hears of a commit a moment after the store can show it.
        let kept = self.parts.store.get(tokens::key_of(token)).await?.map(|record| record.document);
        let Some(Document::Token(kept)) = kept else { return Ok(false) };
        Ok(kept.revoked_at.is_none() && bool::from(kept.secret_hash.ct_eq(&token.secret_hash)))
    }

    /// Writes acceptance and token over the access that was read: of many at once one goes through.
    async fn let_in(
        &self,
        site: &Versioned<Site>,
        before: &Versioned<ResidentAccess>,
        secret_hash: &[u8; 32],
        (token, secret): &(Token, String),
    ) -> Result<Redeemed, Error> {
        let (now, mut access) = (self.now(), before.value.clone());
        if !access.accept(secret_hash, token.id, now) {
            return Err(Error::Invitation);
        }
        access.updated_at = now;
        let actor = Actor::Token { id: token.id, scope: token.scope };
        let author = Author::by(actor, Cause::InvitationRedeemed);
        let mut batch = replace(site, Some(before), Some(&access), &author, now);
        batch.push(Mutation::create(tokens::key_of(token), Document::Token(token.clone())));
        // Read before the invitation is used up: nothing that can fail comes behind the commit.
        let redeemed = self.redeemed(&site.value, &access, secret.clone()).await?;
        self.parts.store.commit(batch).await?;
        Ok(redeemed)
    }

    /// What is told to the resident of an access.
    async fn redeemed(&self, site: &Site, access: &ResidentAccess, secret: String) -> Result<Redeemed, Error> {
        let (devices, _) = self.find_devices(&site.account, site.id).await?;
        let shown = ResidentSite { site: site.id, display_name: site.display_name.clone() };
        let account = site.account.clone();
        let owner = self.parts.live.account(&account).map(|live| live.account());
        let account_name = owner.as_ref().map_or_else(|| account.to_string(), |owner| owner.told_name().to_owned());
        let support_contact = owner.map(|owner| owner.support_contact.clone()).unwrap_or_default();
        let devices = visible(devices, access);
        Ok(Redeemed { account, site: shown, devices, secret, account_name, support_contact })
    }
}

/// A key, if it is none or of a length that nobody guesses.
fn check_retry_key(key: &[u8]) -> Result<(), Invalid> {
    let bytes = key.len();
    if key.is_empty() || (RETRY_KEY_BYTES_MIN..=RETRY_KEY_BYTES_MAX).contains(&bytes) {
        return Ok(());
    }
    let allowed = format!("{RETRY_KEY_BYTES_MIN} to {RETRY_KEY_BYTES_MAX} random bytes, or none, got {bytes}");
    Err(Invalid::new("retry_key", allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_come_back_and_others_do_not() {
        let (account, site): (AccountId, _) = ("acme".parse().unwrap(), SiteId::from_u128(7));
        let text = code::format(&account, site, &[0xab; 32]);
        assert_eq!(code::parse(&text), Some((account, site, [0xab; 32])));
        let long = format!("{text}.x");
        for bad in ["", "wmi_", "wmi_acme", "wmi_acme.x.y", &text[1..], &text[..text.len() - 1], &long] {
            assert_eq!(code::parse(bad), None, "{bad}");
        }
    }
}
