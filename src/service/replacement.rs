//! Replaced agents: another one, or the same with a new key, takes a site over and loses nothing of it.
//!
//! An agent's id is no secret, so nobody takes a site over by coming first: its account consents, for one agent and a time.
//! The consent stands on the site. An agent that nobody has seen before gets a claim that waits for its key.

use jiff::{SignedDuration, Timestamp};

use super::access::Permission;
use super::activation::{Activated, Activation, claim_in};
use super::error::Resource;
use super::sites::key_of as site_key;
use super::visit::Visit;
use super::{ATTEMPTS_MAX, Error, Versioned, Waymark, siblings, tokens};
use crate::live::LiveAccount;
use crate::model::Invalid;
use crate::model::access::{Principal, Token};
use crate::model::id::{AccountId, AgentId, Revision, SiteId};
use crate::model::site::{Replacement, Site};
use crate::store::document::{AgentClaim, Document};
use crate::store::{Error as StoreError, Expect, Key, Kind, Mutation};

/// How long a consent lasts where its giver does not say: a device is posted, and mounted on a weekday.
pub const CONSENT_DEFAULT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The longest.
pub const CONSENT_MAX: SignedDuration = SignedDuration::from_hours(90 * 24);

impl Waymark {
    /// Lets an agent take a site over at its next activation, until `until`.
    pub async fn allow_replacement(
        &self,
        principal: &Principal,
        account: &AccountId,
        id: SiteId,
        agent: &AgentId,
        until: Option<Timestamp>,
    ) -> Result<Versioned<Site>, Error> {
        self.account_for(principal, account, Permission::Change)?;
        let now = self.now();
        let latest = now + CONSENT_MAX;
        let until = until.unwrap_or(now + CONSENT_DEFAULT);
        if until <= now || until > latest {
            let why = format!("a consent ends in the future, at most {} days from now", CONSENT_MAX.as_hours() / 24);
            return Err(Invalid::new("expire_time", why).into());
        }
        let claim_key = Key::of(account, Kind::Agent, agent);
        for _ in 0..ATTEMPTS_MAX {
            let before = self.standing_site(account, id).await?;
            let mut site = before.value.clone();
            let mut batch = self.free_reservation(&before.value, agent).await?;
            match self.parts.store.get(claim_key.clone()).await? {
                None => {
                    let claim = Document::Agent(AgentClaim { site: id, key_hash: None });
                    batch.push(Mutation::create(claim_key.clone(), claim));
                }
                Some(record) => {
                    let claim = claim_in(&record)?;
                    if claim.site != id && self.is_held(account, agent, claim).await? {
                        return Err(Error::AgentElsewhere(agent.clone(), Resource::Site(account.clone(), claim.site)));
                    }
                    if claim.site != id {
                        let claim = Document::Agent(AgentClaim { site: id, key_hash: None });
                        batch.push(Mutation::replace(claim_key.clone(), record.revision, claim));
                    }
                }
            }
            site.replacement = Some(Replacement { agent: agent.clone(), until });
            site.updated_at = now;
            batch.push(Mutation::replace(site_key(&site), before.revision, Document::Site(Box::new(site.clone()))));
            match self.parts.store.commit(batch).await {
                Ok(revision) => return Ok(Versioned { value: site, revision }),
                Err(StoreError::Conflict { .. }) => {}
                Err(cause) => return Err(cause.into()),
            }
        }
        Err(Error::Contention(Resource::Site(account.clone(), id).to_string()))
    }

    /// Takes the consent back. Whoever took the site over keeps it.
    pub async fn cancel_replacement(
        &self,
        principal: &Principal,
        account: &AccountId,
        id: SiteId,
    ) -> Result<Versioned<Site>, Error> {
        self.account_for(principal, account, Permission::Change)?;
        for _ in 0..ATTEMPTS_MAX {
            let before = self.standing_site(account, id).await?;
            let Some(consent) = &before.value.replacement else { return Ok(before) };
            let mut batch = self.reservation_of(account, id, &consent.agent).await?;
            let mut site = before.value.clone();
            site.replacement = None;
            site.updated_at = self.now();
            batch.push(Mutation::replace(site_key(&site), before.revision, Document::Site(Box::new(site.clone()))));
            match self.parts.store.commit(batch).await {
                Ok(revision) => return Ok(Versioned { value: site, revision }),
                Err(StoreError::Conflict { .. }) => {}
                Err(cause) => return Err(cause.into()),
            }
        }
        Err(Error::Contention(Resource::Site(account.clone(), id).to_string()))
    }

    /// Takes the site over, if its account consented to this agent; `None` if not.
    pub(super) async fn take_over(
        &self,
        live: &LiveAccount,
        activation: &Activation,
        visit: &Visit,
        (claim, claim_revision): (&AgentClaim, Option<Revision>),
        key_hash: [u8; 32],
    ) -> Result<Option<Result<Activated, Error>>, Error> {
        let Some(Versioned { value: before, revision }) = self.find_site(&activation.account, claim.site).await? else {
            return Ok(None);
        };
        let is_allowed = before.replacement.as_ref().is_some_and(|consent| {
            consent.agent == activation.agent && consent.until > visit.at && before.deleted_at.is_none()
        });
        let (true, Some(claim_revision)) = (is_allowed, claim_revision) else { return Ok(None) };
        let (token, credential) = self.agent_credential(&before.account, &activation.agent, before.id, &key_hash);
        if self.parts.store.get(tokens::key_of(&token)).await?.is_some() {
            // A key that was good once, and was ended: a device that comes back draws a new one.
            return Err(Error::AgentKeyMismatch(activation.agent.clone()));
        }
        let mut site = before.clone();
        site.replacement = None;
        site.agent = Some(activation.agent.clone());
        site.activated_at = site.activated_at.or(Some(visit.at));
        self.note_visit(live, &mut site, visit);
        site.updated_at = visit.at;
        let mut batch = self.retire_agent(&before, activation, claim).await?;
        batch.extend(siblings::mutations(&before, &site));
        let own = AgentClaim { site: site.id, key_hash: Some(key_hash) };
        let claim_key = Key::of(&site.account, Kind::Agent, &activation.agent);
        batch.push(Mutation::replace(claim_key, claim_revision, Document::Agent(own)));
        batch.push(Mutation::create(tokens::key_of(&token), Document::Token(token)));
        batch.push(Mutation::replace(site_key(&site), revision, Document::Site(Box::new(site.clone()))));
        Ok(Some(self.parts.store.commit(batch).await.map_err(Error::from).map(|revision| {
            tracing::debug!(site = %site.id, "an agent took a site over");
            let answered = activation.answered(Versioned { value: site, revision }, Some(credential), false);
            Activated { replaced: true, ..answered }
        })))
    }

    /// What ends the agent that stands on a site: its credential is revoked, and its id is free for another site.
    async fn retire_agent(
        &self,
        site: &Site,
        activation: &Activation,
        claim: &AgentClaim,
    ) -> Result<Vec<Mutation>, Error> {
        let Some(old) = &site.agent else { return Ok(Vec::new()) };
        let is_same_agent = *old == activation.agent;
        let old_key = Key::of(&site.account, Kind::Agent, old);
        let (key_hash, mut batch) = if is_same_agent {
            (claim.key_hash, Vec::new())
        } else {
            match self.parts.store.get(old_key.clone()).await? {
                Some(record) => {
                    let key_hash = claim_in(&record)?.key_hash;
                    let expect = Expect::Revision(record.revision);
                    (key_hash, vec![Mutation { key: old_key, expect, document: None }])
                }
                None => (None, Vec::new()),
            }
        };
        let Some(key_hash) = key_hash else { return Ok(batch) };
        let (token, _) = self.agent_credential(&site.account, old, site.id, &key_hash);
        if let Some(record) = self.parts.store.get(tokens::key_of(&token)).await?
            && let Document::Token(token) = record.document
            && token.revoked_at.is_none()
        {
            let revoked = Token { revoked_at: Some(self.now()), ..token };
            batch.push(Mutation::replace(record.key, record.revision, Document::Token(revoked)));
        }
        Ok(batch)
    }

    /// Whether the site of an agent's claim needs it: it is not deleted, and the agent stands on it or may come to it.
    async fn is_held(&self, account: &AccountId, agent: &AgentId, claim: &AgentClaim) -> Result<bool, Error> {
        let Some(Versioned { value: site, .. }) = self.find_site(account, claim.site).await? else { return Ok(false) };
        let awaits = |consent: &Replacement| consent.agent == *agent && consent.until > self.now();
        let is_needed = claim.key_hash.is_some() || site.replacement.as_ref().is_some_and(awaits);
        Ok(is_needed && site.deleted_at.is_none())
    }

    /// What frees the claim that waits for another agent than `agent`.
    async fn free_reservation(&self, site: &Site, agent: &AgentId) -> Result<Vec<Mutation>, Error> {
        match &site.replacement {
            Some(former) if former.agent != *agent => self.reservation_of(&site.account, site.id, &former.agent).await,
            _ => Ok(Vec::new()),
        }
    }

    /// What frees an agent's claim on a site that only waits for its key.
    async fn reservation_of(&self, account: &AccountId, id: SiteId, agent: &AgentId) -> Result<Vec<Mutation>, Error> {
        let key = Key::of(account, Kind::Agent, agent);
        let Some(record) = self.parts.store.get(key.clone()).await? else { return Ok(Vec::new()) };
        let claim = claim_in(&record)?;
        let is_waiting = claim.key_hash.is_none() && claim.site == id;
        let free = Mutation { key, expect: Expect::Revision(record.revision), document: None };
        Ok(if is_waiting { vec![free] } else { Vec::new() })
    }
}
