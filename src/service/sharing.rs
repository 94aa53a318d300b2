//! Shares: proposed to whoever is handed the code, accepted or declined, listed by both sides, and ended by either.
//!
//! A proposal is to nobody by name: a code goes from people to people, outside of waymark, so that no account can be found by proposing to
//! it. The record is in the partition of the account whose sites they are, and each step is written over what was read, so that of
//! two at once one counts. What a share shows is the business of `guests.rs`.

use std::sync::Arc;

use jiff::Timestamp;
use subtle::ConstantTimeEq as _;

use super::access::{Permission, hash_secret, random_bytes, require_contacts};
use super::error::Resource;
use super::paging::{Page, PageRequest, query_purpose};
use super::{ATTEMPTS_MAX, Error, Waymark};
use crate::model::access::{Contacts, Positions, Principal};
use crate::model::assignment::Assignment;
use crate::model::id::{AccountId, ShareId};
use crate::model::share::{KEPT_MAX, OFFER, OPEN_MAX, RECEIVED_MAX, Share, ShareState, Step};
use crate::model::{Invalid, text};
use crate::store::document::Document;
use crate::store::{Error as StoreError, Key, Kind, Mutation, Record};

/// Longest text of a code that is looked at, in bytes.
const CODE_BYTES_MAX: usize = 256;

/// A share to propose.
#[derive(Debug, Clone)]
pub struct NewShare {
    /// What it is for.
    pub display_name: String,
    /// Which sites.
    pub sites: Assignment,
    /// What at most is to be shown of contacts and notes.
    pub contacts: Contacts,
    /// How exactly at most is to be shown where they are.
    pub positions: Positions,
    /// When it shall end by itself; `None` for never.
    pub expires_at: Option<Timestamp>,
}

/// A share as one of its two accounts sees it.
#[derive(Debug, Clone)]
pub struct ShownShare {
    /// The account that sees it, under which it is named.
    pub account: AccountId,
    /// The share.
    pub share: Arc<Share>,
    /// How far it is.
    pub state: ShareState,
    /// What the account is called whose sites they are.
    pub owner_name: String,
    /// What the account is called that accepted it; empty for none.
    pub recipient_name: String,
}

/// Text of a share's code: `wms_`, whose sites they are, the share, 256 random bits. Account and share say where to look; who is handed the
/// code learns both with the share.
mod code {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::{AccountId, CODE_BYTES_MAX, ShareId};

    const PREFIX: &str = "wms_";

    pub(super) fn format(owner: &AccountId, share: ShareId, random: &[u8; 32]) -> String {
        format!("{PREFIX}{owner}.{share}.{}", URL_SAFE_NO_PAD.encode(random))
    }

    pub(super) fn parse(text: &str) -> Option<(AccountId, ShareId, [u8; 32])> {
        let mut parts = text.strip_prefix(PREFIX).filter(|_| text.len() <= CODE_BYTES_MAX)?.split('.');
        let (owner, share, random) = (parts.next()?, parts.next()?, parts.next()?);
        let random = URL_SAFE_NO_PAD.decode(random).ok()?.try_into().ok()?;
        if parts.next().is_some() {
            return None;
        }
        Some((owner.parse().ok()?, share.parse().ok()?, random))
    }
}

/// What a code opens: a record, and the hash that it has to hold.
struct Offer {
    key: Key,
    code_hash: [u8; 32],
}

impl Offer {
    /// What this code opens, if it is one at all.
    fn of(text: &str) -> Result<Self, Error> {
        let (owner, share, random) = code::parse(text.trim()).ok_or(Error::ShareCode)?;
        Ok(Self { key: Key::of(&owner, Kind::Share, share), code_hash: hash_secret(&random) })
    }

    /// Refuses a share that this is not the code of.
    fn check(&self, share: &Share) -> Result<(), Error> {
        if bool::from(share.code_hash.ct_eq(&self.code_hash)) { Ok(()) } else { Err(Error::ShareCode) }
    }
}

impl Waymark {
    /// Proposes a share of an account's sites, and gives its code, once: for whoever is to accept it. The account's administrators.
    pub async fn propose_share(
        &self,
        principal: &Principal,
        account: &AccountId,
        new: NewShare,
    ) -> Result<(ShownShare, String), Error> {
        self.account_for(principal, account, Permission::Administer)?;
        let now = self.now();
        if new.expires_at.is_some_and(|end| end <= now) {
            return Err(Invalid::new("share.expire_time", "the end of a share is in the future").into());
        }
        // Who does not read contacts shows them to nobody.
        if !new.contacts.are_masked() {
            require_contacts(principal)?;
        }
        let display_name = text::line("share.display_name", &new.display_name, text::LINE_BYTES_MAX)?;
        let dropped = self.room_for_share(account, &new.sites, now)?;
        let random = random_bytes()?;
        let share = Share {
            id: ShareId::from_random(&random_bytes()?),
            owner: account.clone(),
            display_name,
            sites: new.sites,
            contacts: new.contacts,
            positions: new.positions,
            code_hash: hash_secret(&random),
            proposed_at: now,
            offered_until: now.checked_add(OFFER).unwrap_or(Timestamp::MAX),
            expires_at: new.expires_at,
            accepted: None,
            declined_at: None,
            ended: None,
        };
        let code = code::format(account, share.id, &random);
        let mut batch = vec![Mutation::create(key_of(&share), Document::Share(Box::new(share.clone())))];
        batch.extend(dropped);
        self.parts.store.commit(batch).await?;
        Ok((self.shown_share(account, Arc::new(share)), code))
    }

    /// The share that a code opens, as an account would accept it; nothing is written. The account's administrators.
    pub async fn offered_share(
        &self,
        principal: &Principal,
        account: &AccountId,
        code: &str,
    ) -> Result<ShownShare, Error> {
        self.account_for(principal, account, Permission::Administer)?;
        let offer = Offer::of(code)?;
        let record = self.parts.store.get(offer.key.clone()).await?.ok_or(Error::ShareCode)?;
        let share = share_in(&record)?;
        offer.check(&share)?;
        self.accepted(account, &mut share.clone())?;
        Ok(self.shown_share(account, Arc::new(share)))
    }

    /// Accepts a share for an account: from then on its people see the sites. A repeat changes nothing. The account's administrators.
    pub async fn accept_share(
        &self,
        principal: &Principal,
        account: &AccountId,
        code: &str,
    ) -> Result<ShownShare, Error> {
        self.answer_offer(principal, account, code, |share| self.accepted(account, share)).await
    }

    /// Declines a share: its code opens nothing any more. A repeat changes nothing. The administrators of the account that was to accept.
    pub async fn decline_share(
        &self,
        principal: &Principal,
        account: &AccountId,
        code: &str,
    ) -> Result<ShownShare, Error> {
        self.answer_offer(principal, account, code, |share| share.decline(self.now()).ok_or(Error::ShareCode)).await
    }

    /// Ends a share at once, or takes it back before it is accepted; ending one that is over changes nothing. The administrators of either
    /// side.
    pub async fn end_share(
        &self,
        principal: &Principal,
        account: &AccountId,
        id: ShareId,
    ) -> Result<ShownShare, Error> {
        self.account_for(principal, account, Permission::Administer)?;
        let key = key_of(&*self.share_of(account, id)?);
        let missing = || Error::NotFound(Resource::Share(account.clone(), id));
        let end = |share: &mut Share| {
            if share.is_of(account) { Ok(share.end(account, self.now())) } else { Err(missing()) }
        };
        let share = self.commit_over_share(&key, missing, end).await?;
        Ok(self.shown_share(account, Arc::new(share)))
    }

    /// A share that an account made or accepted.
    pub fn share(&self, principal: &Principal, account: &AccountId, id: ShareId) -> Result<ShownShare, Error> {
        self.account_for(principal, account, Permission::See)?;
        Ok(self.shown_share(account, self.share_of(account, id)?))
    }

    /// The shares that an account made or accepted, those that are over too, ordered by id.
    pub fn list_shares(
        &self,
        principal: &Principal,
        account: &AccountId,
        page: &PageRequest,
    ) -> Result<Page<ShownShare>, Error> {
        self.account_for(principal, account, Permission::See)?;
        let limit = page.limit()?;
        let purpose = || query_purpose(principal, "shares", account);
        let after: Option<ShareId> = self.cursor(&purpose, page)?;
        let shares = self.parts.live.shares.list(account, after, limit + 1);
        let Page { items, next_token } = self.page(&purpose, shares, limit, |share| share.id);
        let items = items.into_iter().map(|share| self.shown_share(account, share)).collect();
        Ok(Page { items, next_token })
    }

    /// Accepts a share for an account, if it may; the record is not written yet.
    fn accepted(&self, account: &AccountId, share: &mut Share) -> Result<Step, Error> {
        let now = self.now();
        if share.owner == *account {
            let why = "it is of a share of the account's own sites, which another account accepts";
            return Err(Invalid::new("code", why).into());
        }
        let step = share.accept(account, now).ok_or(Error::ShareCode)?;
        if step == Step::Already {
            return Ok(step);
        }
        // Of two that are accepted at once the first one counts, until it ends.
        let received = self.parts.live.shares.received(account, now);
        if let Some(other) = received.get(&share.owner) {
            return Err(Error::ShareInEffect(Resource::Share(account.clone(), other.id)));
        }
        if received.len() >= RECEIVED_MAX {
            return Err(Error::TooMany("accounts whose sites the account sees", RECEIVED_MAX));
        }
        Ok(step)
    }

    /// Refuses another share where there are as many as there may be; gives what has to make room for it.
    fn room_for_share(
        &self,
        account: &AccountId,
        sites: &Assignment,
        now: Timestamp,
    ) -> Result<Option<Mutation>, Error> {
        let made = self.parts.live.shares.made_by(account);
        let open = made.iter().filter(|share| !share.state(now).is_over()).count();
        if open >= OPEN_MAX {
            return Err(Error::TooMany("shares of the account that are not over", OPEN_MAX));
        }
        self.require_room_for(account, sites)?;
        let over = made.iter().filter(|share| share.state(now).is_over());
        let first = over.min_by_key(|share| (share.proposed_at, share.id)).filter(|_| made.len() >= KEPT_MAX);
        Ok(first.map(|share| Mutation::delete(key_of(share))))
    }

    /// Writes an account's answer over the share that a code opens.
    async fn answer_offer(
        &self,
        principal: &Principal,
        account: &AccountId,
        code: &str,
        answer: impl Fn(&mut Share) -> Result<Step, Error>,
    ) -> Result<ShownShare, Error> {
        self.account_for(principal, account, Permission::Administer)?;
        let offer = Offer::of(code)?;
        let checked = |share: &mut Share| {
            offer.check(share)?;
            answer(share)
        };
        let share = self.commit_over_share(&offer.key, || Error::ShareCode, checked).await?;
        Ok(self.shown_share(account, Arc::new(share)))
    }

    /// Reads a share, and writes what `change` makes of it over what was read: again and again while others are faster.
    async fn commit_over_share(
        &self,
        key: &Key,
        missing: impl Fn() -> Error,
        change: impl Fn(&mut Share) -> Result<Step, Error>,
    ) -> Result<Share, Error> {
        for _ in 0..ATTEMPTS_MAX {
            let record = self.parts.store.get(key.clone()).await?.ok_or_else(&missing)?;
            let mut share = share_in(&record)?;
            let done = match change(&mut share)? {
                Step::Already => self.parts.store.settle(record).await,
                Step::Done => {
                    let document = Document::Share(Box::new(share.clone()));
                    let write = Mutation::replace(record.key, record.revision, document);
                    self.parts.store.commit(vec![write]).await.map(drop)
                }
            };
            match done {
                Ok(()) => return Ok(share),
                Err(StoreError::Conflict { .. }) => {}
                Err(cause) => return Err(cause.into()),
            }
        }
        Err(Error::Contention(format!("share {}", key.id)))
    }

    /// A share that an account made or accepted, as memory has it.
    fn share_of(&self, account: &AccountId, id: ShareId) -> Result<Arc<Share>, Error> {
        let share = self.parts.live.shares.get(id).filter(|share| share.is_of(account));
        share.ok_or_else(|| Error::NotFound(Resource::Share(account.clone(), id)))
    }

    fn shown_share(&self, account: &AccountId, share: Arc<Share>) -> ShownShare {
        let name = |id: &AccountId| {
            let live = self.parts.live.account(id);
            live.map_or_else(|| id.to_string(), |live| live.account().told_name().to_owned())
        };
        let (owner_name, recipient_name) = (name(&share.owner), share.recipient().map(name).unwrap_or_default());
        ShownShare { account: account.clone(), state: share.state(self.now()), share, owner_name, recipient_name }
    }
}

/// The share that a record holds.
fn share_in(record: &Record) -> Result<Share, Error> {
    match &record.document {
        Document::Share(share) => Ok(Share::clone(share)),
        _ => Err(Error::Mismatched { key: record.key.clone() }),
    }
}

/// The key under which a share is kept.
fn key_of(share: &Share) -> Key {
    Key::of(&share.owner, Kind::Share, share.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_come_back_and_others_do_not() {
        let (owner, share): (AccountId, ShareId) = ("acme".parse().unwrap(), "0123456789abcdef".parse().unwrap());
        let text = code::format(&owner, share, &[7; 32]);
        assert!(text.starts_with("wms_acme.0123456789abcdef."), "{text}");
        assert_eq!(code::parse(&text), Some((owner, share, [7; 32])));
        let (long, more) = (format!("{text}{}", "A".repeat(CODE_BYTES_MAX)), format!("{text}."));
        for bad in ["", "wms_", "wms_acme", "wms_acme.x.y", &text[1..], &text[..text.len() - 1], &more, &long] {
            assert_eq!(code::parse(bad), None, "{bad}");
        }
    }
}
