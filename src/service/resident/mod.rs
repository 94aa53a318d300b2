//! Resident access: set up and changed by the account's people, seen by the resident as far as they allow.

pub mod devices;
mod doorbell;
pub mod invitations;
mod outbox;
mod users;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::access::{Permission, require_contacts};
use super::error::Resource;
use super::record::{self, Author};
use super::requests::RequestId;
use super::sites::{ChangeOptions, etag};
use super::vault::{KEY_BYTES, Vault};
use super::{ATTEMPTS_MAX, Error, Versioned, Waymark, tokens};
use crate::mail::{self, Mailer};
use crate::model::access::{Principal, Token};
use crate::model::connection::Sealed;
use crate::model::history::{Cause, diff_access};
use crate::model::id::{AccountId, SiteId, TokenId};
use crate::model::resident::{DevicePermission, Refused, ResidentAccess, State, owner_email};
use crate::model::site::Site;
use crate::model::{Invalid, resident};
use crate::store::document::{Document, QueuedMail};
use crate::store::{Error as StoreError, Expect, Key, Kind, Mutation, Record};

pub(super) use doorbell::Doorbell;

/// How residents are invited.
#[derive(Debug)]
pub struct Post {
    mailer: Mailer,
    /// Encrypts the secrets of links that wait in the outbox.
    vault: Vault,
}

impl Post {
    /// With a mail server, and the key that the deployment's secrets are encrypted with.
    #[must_use]
    pub fn new(mailer: Mailer, key: &[u8; KEY_BYTES]) -> Self {
        Self { mailer, vault: Vault::new(key) }
    }

    /// The secret of an invitation, encrypted for the mail that it waits in.
    fn seal(&self, account: &AccountId, mail: &str, secret: &str) -> Result<Sealed, Error> {
        let sealed = self.vault.seal(&purpose(account, mail), secret.as_bytes());
        sealed.ok_or_else(|| Error::Random("it gave no nonce".to_owned()))
    }

    /// The secret in a mail that waits; `None` where it was encrypted with another key.
    pub(super) fn secret(&self, account: &AccountId, id: &str, mail: &QueuedMail) -> Option<String> {
        String::from_utf8(self.vault.open(&purpose(account, id), &mail.sealed)?).ok()
    }
}

/// What the secret in a mail is encrypted for.
fn purpose(account: &AccountId, mail: &str) -> String {
    format!("invitation:{account}/{mail}")
}

/// A change of an access: each field that is `Some` is set.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct AccessPatch {
    /// New address of the owner.
    pub owner_email: Option<String>,
    /// On or off.
    pub enabled: Option<bool>,
    /// What the resident may do, all of it.
    pub permissions: Option<BTreeMap<String, DevicePermission>>,
}

impl AccessPatch {
    fn checked(mut self) -> Result<Self, Invalid> {
        if let Some(email) = &mut self.owner_email {
            *email = owner_email(email)?;
            mail::check_address("owner_email", email)?;
        }
        Ok(self)
    }
}

/// An access as it is shown.
#[derive(Debug, Clone)]
pub struct ShownAccess {
    /// The site.
    pub site: SiteId,
    /// What is kept; `None` where nothing was set up.
    pub access: Option<ResidentAccess>,
    /// Where it stands; `None` where nothing was set up.
    pub state: Option<State>,
}

impl Waymark {
    /// The resident access of a site; an empty one where nothing was set up.
    pub async fn resident_access(
        &self,
        principal: &Principal,
        account: &AccountId,
        site: SiteId,
    ) -> Result<ShownAccess, Error> {
        self.account_for(principal, account, Permission::See)?;
        self.standing_site(account, site).await?;
        self.shown_access(account, site).await
    }

    /// The resident access of a site, deleted or not, as it is shown.
    pub(super) async fn shown_access(&self, account: &AccountId, site: SiteId) -> Result<ShownAccess, Error> {
        let found = self.find_access(account, site).await?;
        Ok(self.show_access(site, found.map(|found| found.value)))
    }

    /// Sets an access up, or changes what the patch names. A repeat with the same `request_id` changes nothing more.
    pub async fn update_resident_access(
        &self,
        principal: &Principal,
        account: &AccountId,
        site: SiteId,
        patch: AccessPatch,
        (options, request_id): (&ChangeOptions, &str),
    ) -> Result<ShownAccess, Error> {
        self.account_for(principal, account, Permission::Change)?;
        if patch.owner_email.is_some() {
            require_contacts(principal)?;
        }
        let patch = patch.checked().map_err(|fault| fault.within("resident_access"))?;
        let request = RequestId::parse(account, request_id, &("resident access", site, &patch))?;
        for _ in 0..ATTEMPTS_MAX {
            let standing = self.standing_site(account, site).await?;
            let before = self.find_access(account, site).await?;
            if let Some(request) = &request
                && self.is_answered(request).await?
            {
                return Ok(self.show_access(site, before.map(|before| before.value)));
            }
            self.refuse_other_version(account, site, before.as_ref(), &options.etag)?;
            let access = self.patched(account, site, before.as_ref(), &patch).await?;
            if options.validate_only {
                return Ok(self.show_access(site, Some(access)));
            }
            let author = Author::of(principal, Cause::ResidentAccessChanged);
            let mut batch = replace(&standing, before.as_ref(), Some(&access), &author, access.updated_at);
            batch.extend(request.as_ref().map(|request| request.answered(site, access.updated_at)));
            match self.parts.store.commit(batch).await {
                Ok(_) => return Ok(self.show_access(site, Some(access))),
                Err(StoreError::Conflict { .. }) => {}
                Err(cause) => return Err(cause.into()),
            }
        }
        Err(Error::Contention(Resource::ResidentAccess(account.clone(), site).to_string()))
    }

    /// What the patch makes of an access, or of none.
    async fn patched(
        &self,
        account: &AccountId,
        site: SiteId,
        before: Option<&Versioned<ResidentAccess>>,
        patch: &AccessPatch,
    ) -> Result<ResidentAccess, Error> {
        let now = self.now();
        let mut access = before.map_or_else(|| ResidentAccess::new(site, now), |before| before.value.clone());
        if !access.is_set_up() {
            access.created_at = now;
        }
        if let Some(email) = &patch.owner_email {
            access.set_owner(email.clone(), now)?;
        }
        if access.owner_email.is_empty() {
            let why = "the resident's e-mail address is required";
            return Err(Invalid::new("resident_access.owner_email", why).into());
        }
        access.enabled = patch.enabled.unwrap_or(access.enabled);
        // Who became a user since can be shut out, and nothing else.
        if patch.owner_email.is_some() || access.enabled {
            self.refuse_user(account, &access.owner_email)?;
        }
        if let Some(wanted) = &patch.permissions {
            let devices = self.find_devices(account, site).await?.0;
            let set = access.set_permissions(wanted.clone(), &devices);
            set.map_err(|fault| fault.within("resident_access"))?;
        }
        access.updated_at = now;
        Ok(access)
    }

    /// Takes an access away. The resident is out at once; a link that is about is dead. The site's history keeps what was said.
    pub async fn delete_resident_access(
        &self,
        principal: &Principal,
        account: &AccountId,
        site: SiteId,
        etag: &str,
    ) -> Result<(), Error> {
        self.account_for(principal, account, Permission::Change)?;
        let author = Author::of(principal, Cause::ResidentAccessChanged);
        let change = |before: Option<&ResidentAccess>, now| {
            let before = before.ok_or_else(|| Error::NotFound(Resource::ResidentAccess(account.clone(), site)))?;
            Ok(Step { after: before.remains(now), beside: self.ending_of(before).into_iter().collect() })
        };
        self.commit_over_access(account, site, etag, &author, change).await?;
        Ok(())
    }

    /// Reads an access, and commits what `change` makes of it (it is given `None` where nothing is set up) over what was read,
    /// with the entry of the site's history: again and again while others are faster.
    async fn commit_over_access(
        &self,
        account: &AccountId,
        site: SiteId,
        etag: &str,
        author: &Author,
        change: impl Fn(Option<&ResidentAccess>, Timestamp) -> Result<Step, Error>,
    ) -> Result<ShownAccess, Error> {
        for _ in 0..ATTEMPTS_MAX {
            let standing = self.standing_site(account, site).await?;
            let before = self.find_access(account, site).await?;
            self.refuse_other_version(account, site, before.as_ref(), etag)?;
            let now = self.now();
            let known = before.as_ref().map(|before| &before.value);
            let Step { after, beside } = change(known.filter(|access| access.is_set_up()), now)?;
            if after.as_ref() == known && beside.is_empty() {
                return Ok(self.show_access(site, after));
            }
            let after = after.map(|after| ResidentAccess { updated_at: now, ..after });
            let mut batch = replace(&standing, before.as_ref(), after.as_ref(), author, now);
            batch.extend(beside);
            match self.parts.store.commit(batch).await {
                Ok(_) => return Ok(self.show_access(site, after)),
                Err(StoreError::Conflict { .. }) => {}
                Err(cause) => return Err(cause.into()),
            }
        }
        Err(Error::Contention(Resource::ResidentAccess(account.clone(), site).to_string()))
    }

    /// Takes an access and the devices away, and the resident's token, without a word in the site's history: for whoever erases
    /// a person. Mails that wait go by themselves once their access is gone.
    pub(super) async fn erase_access(&self, account: &AccountId, site: SiteId) -> Result<(), Error> {
        for _ in 0..ATTEMPTS_MAX {
            let mut batch = vec![Mutation::delete(devices::key_of(account, site))];
            if let Some(found) = self.find_access(account, site).await? {
                // As it was read: of an invitation that is accepted meanwhile the token has to go, too.
                let expect = Expect::Revision(found.revision);
                batch.push(Mutation { key: key_of(account, site), expect, document: None });
                batch.extend(self.ending_of(&found.value));
            }
            match self.parts.store.commit(batch).await {
                Ok(_) => return Ok(()),
                Err(StoreError::Conflict { .. }) => {}
                Err(cause) => return Err(cause.into()),
            }
        }
        Err(Error::Contention(Resource::ResidentAccess(account.clone(), site).to_string()))
    }

    fn show_access(&self, site: SiteId, access: Option<ResidentAccess>) -> ShownAccess {
        let access = access.filter(ResidentAccess::is_set_up);
        let state = access.as_ref().map(|access| access.state(self.now()));
        ShownAccess { site, access, state }
    }

    async fn find_access(&self, account: &AccountId, site: SiteId) -> Result<Option<Versioned<ResidentAccess>>, Error> {
        self.parts.store.get(key_of(account, site)).await?.map(access_of).transpose()
    }

    /// The version of an access, or of none, that callers are told: nobody can try addresses against it.
    #[must_use]
    pub fn resident_etag_of(&self, access: Option<&ResidentAccess>) -> String {
        self.guarded_etag(&etag_of(access))
    }

    fn refuse_other_version(
        &self,
        account: &AccountId,
        site: SiteId,
        before: Option<&Versioned<ResidentAccess>>,
        etag: &str,
    ) -> Result<(), Error> {
        let known = self.resident_etag_of(before.map(|before| &before.value));
        if etag.is_empty() || etag == known {
            return Ok(());
        }
        Err(Error::EtagMismatch(Resource::ResidentAccess(account.clone(), site)))
    }

    /// The end of the token of who has access.
    fn ending_of(&self, access: &ResidentAccess) -> Option<Mutation> {
        self.revocation_of(access.accepted.as_ref()?.token)
    }

    /// The end of a resident's token.
    fn revocation_of(&self, token: TokenId) -> Option<Mutation> {
        let live = self.parts.live.token(token).filter(|token| token.revoked_at.is_none())?;
        let revoked = Token { revoked_at: Some(self.now()), ..Token::clone(&live) };
        let key = tokens::key_of(&revoked);
        Some(Mutation { key, expect: Expect::Any, document: Some(Document::Token(revoked)) })
    }
}

/// What a use case makes of an access.
struct Step {
    /// What is kept; `None` takes it away.
    after: Option<ResidentAccess>,
    /// What is written with it.
    beside: Vec<Mutation>,
}

/// A version of what people say of an access, and of what they did with it. How far a mail is leaves it as it is. Where
/// nothing is set up that is a version too: of two people who set up at once, one is told.
fn etag_of(access: Option<&ResidentAccess>) -> String {
    let Some(access) = access.filter(|access| access.is_set_up()) else { return etag(&"not set up") };
    let invited_at = access.invitation.as_ref().map(|invitation| invitation.invited_at);
    let accepted_at = access.accepted.as_ref().map(|accepted| accepted.at);
    etag(&(&access.owner_email, access.enabled, &access.permissions, invited_at, accepted_at, access.revoked_at))
}

/// What puts an access over what was read, or takes it away, with the entry of the site's history.
fn replace(
    site: &Versioned<Site>,
    before: Option<&Versioned<ResidentAccess>>,
    after: Option<&ResidentAccess>,
    author: &Author,
    now: Timestamp,
) -> Vec<Mutation> {
    let account = &site.value.account;
    let mut batch = record::note(site, diff_access(before.map(|before| &before.value), after, now), author, now);
    batch.push(match (before, after) {
        (before, Some(after)) => put(account, before, after),
        (before, None) => {
            let expect = before.map_or(Expect::Absent, |before| Expect::Revision(before.revision));
            Mutation { key: key_of(account, site.value.id), expect, document: None }
        }
    });
    batch
}

/// Puts an access over what was read.
fn put(account: &AccountId, before: Option<&Versioned<ResidentAccess>>, access: &ResidentAccess) -> Mutation {
    let expect = before.map_or(Expect::Absent, |before| Expect::Revision(before.revision));
    let document = Some(Document::ResidentAccess(Box::new(access.clone())));
    Mutation { key: key_of(account, access.site), expect, document }
}

fn access_of(record: Record) -> Result<Versioned<ResidentAccess>, Error> {
    match record.document {
        Document::ResidentAccess(access) => Ok(Versioned { value: *access, revision: record.revision }),
        _ => Err(Error::Mismatched { key: record.key }),
    }
}

/// The key under which the access to a site is kept.
fn key_of(account: &AccountId, site: SiteId) -> Key {
    Key::of(account, Kind::ResidentAccess, site)
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::TooOften => Self::TooMany("invitations of the last day", resident::SENT_MAX),
            refused => Self::Resident(refused),
        }
    }
}
