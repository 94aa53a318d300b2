//! Replaced agents: another one, or the same with a new key, takes a site over and loses nothing of it.
//!
//! An agent's id is no secret, so nobody takes a site over by coming first: its account consents, for one agent and a time.
//! The consent stands on the site. An agent that nobody has seen before gets a claim that waits for its key.

use jiff::{SignedDuration, Timestamp};

use super::access::Permission;
use super::activation::{Activated, Activation, claim_in};
use super::error::Resource;
use super::record::Author;
use super::sites::{Draft, Step};
use super::visit::Visit;
use super::{Error, Versioned, Waymark, record, tokens};
use crate::live::LiveAccount;
use crate::model::Invalid;
use crate::model::access::{Principal, Token};
use crate::model::history::{Actor, Cause};
use crate::model::id::{AccountId, AgentId, Revision, SiteId};
use crate::model::site::{Replacement, Site};
use crate::store::document::{AgentClaim, Document};
use crate::store::{Expect, Key, Kind, Mutation};

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
        let author = Author::of(principal, Cause::ReplacementAllowed);
        let actor = &Actor::from(principal);
        self.commit_over(account, id, author, |before, now| async move {
            refuse_deleted(&before)?;
            let mut batch = self.free_reservation(&before, agent).await?;
            batch.extend(self.reserve(&before, agent, actor).await?);
            let replacement = Some(Replacement { agent: agent.clone(), until });
            Ok(Draft { site: Site { replacement, updated_at: now, ..before }, step: Step::Write(batch) })
        })
        .await
    }

    /// What reserves an agent's id for a site: a claim without a key, unless the agent stands on the site already. An
    /// agent whose site is deleted leaves it, and its credential ends with that: the site may come back, without it.
    async fn reserve(&self, site: &Site, agent: &AgentId, actor: &Actor) -> Result<Vec<Mutation>, Error> {
        let key = Key::of(&site.account, Kind::Agent, agent);
        let reserved = Document::Agent(AgentClaim { site: site.id, key_hash: None });
        let Some(record) = self.parts.store.get(key.clone()).await? else {
            return Ok(vec![Mutation::create(key, reserved)]);
        };
        let claim = claim_in(&record)?;
        if claim.site == site.id {
            return Ok(Vec::new());
        }
        let other = self.find_site(&site.account, claim.site).await?;
        if other.as_ref().is_some_and(|other| self.is_held(agent, claim, &other.value)) {
            return Err(Error::AgentElsewhere(agent.clone(), Resource::Site(site.account.clone(), claim.site)));
        }
        let mut batch = self.end_credential(&site.account, agent, claim).await?;
        batch.extend(other.into_iter().flat_map(|other| self.left_by(agent, other, actor)));
        batch.push(Mutation::replace(key, record.revision, reserved));
        Ok(batch)
    }

    /// Takes the consent back. Whoever took the site over keeps it.
    pub async fn cancel_replacement(
        &self,
        principal: &Principal,
        account: &AccountId,
        id: SiteId,
    ) -> Result<Versioned<Site>, Error> {
        self.account_for(principal, account, Permission::Change)?;
        let author = Author::of(principal, Cause::ReplacementCancelled);
        self.commit_over(account, id, author, |before, now| async move {
            refuse_deleted(&before)?;
            let Some(consent) = &before.replacement else {
                return Ok(Draft { site: before, step: Step::Leave });
            };
            let batch = self.reservation_of(account, id, &consent.agent).await?;
            Ok(Draft { site: Site { replacement: None, updated_at: now, ..before }, step: Step::Write(batch) })
        })
        .await
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
        let own = AgentClaim { site: site.id, key_hash: Some(key_hash) };
        let claim_key = Key::of(&site.account, Kind::Agent, &activation.agent);
        batch.push(Mutation::replace(claim_key, claim_revision, Document::Agent(own)));
        batch.push(Mutation::create(tokens::key_of(&token), Document::Token(token)));
        batch.extend(record::replace(&before, revision, &mut site, &visit.author(Cause::TakenOver), visit.at));
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
        if *old == activation.agent {
            return self.end_credential(&site.account, old, claim).await;
        }
        let old_key = Key::of(&site.account, Kind::Agent, old);
        let Some(record) = self.parts.store.get(old_key.clone()).await? else { return Ok(Vec::new()) };
        let claim = claim_in(&record)?;
        if claim.site != site.id {
            // It went to another site while this one was deleted, and its credential here ended then.
            return Ok(Vec::new());
        }
        let mut batch = self.end_credential(&site.account, old, claim).await?;
        batch.push(Mutation { key: old_key, expect: Expect::Revision(record.revision), document: None });
        Ok(batch)
    }

    /// What revokes the credential that an agent has by its claim on a site, while it is good.
    async fn end_credential(
        &self,
        account: &AccountId,
        agent: &AgentId,
        claim: &AgentClaim,
    ) -> Result<Vec<Mutation>, Error> {
        let Some(key_hash) = claim.key_hash else { return Ok(Vec::new()) };
        let (token, _) = self.agent_credential(account, agent, claim.site, &key_hash);
        let Some(record) = self.parts.store.get(tokens::key_of(&token)).await? else { return Ok(Vec::new()) };
        let Document::Token(token) = record.document else { return Err(Error::Mismatched { key: record.key }) };
        if token.revoked_at.is_some() {
            return Ok(Vec::new());
        }
        let revoked = Token { revoked_at: Some(self.now()), ..token };
        Ok(vec![Mutation::replace(record.key, record.revision, Document::Token(revoked))])
    }

    /// Whether the site of an agent's claim needs it: it is not deleted, and the agent stands on it or may come to it.
    fn is_held(&self, agent: &AgentId, claim: &AgentClaim, site: &Site) -> bool {
        let awaits = |consent: &Replacement| consent.agent == *agent && consent.until > self.now();
        let is_needed = claim.key_hash.is_some() || site.replacement.as_ref().is_some_and(awaits);
        is_needed && site.deleted_at.is_none()
    }

    /// What takes an agent off a deleted site that it stood on or was awaited at, so that the site does not come back
    /// with it. Of the version that was read: a site that is restored meanwhile keeps its agent.
    fn left_by(
        &self,
        agent: &AgentId,
        Versioned { value: before, revision }: Versioned<Site>,
        actor: &Actor,
    ) -> Vec<Mutation> {
        if before.deleted_at.is_none() {
            return Vec::new();
        }
        let mut site = before.clone();
        site.agent = site.agent.filter(|standing| standing != agent);
        site.replacement = site.replacement.filter(|consent| consent.agent != *agent);
        if site == before {
            return Vec::new();
        }
        site.updated_at = self.now();
        let author = Author::by(actor.clone(), Cause::AgentLeft);
        let at = site.updated_at;
        record::replace(&before, revision, &mut site, &author, at)
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

fn refuse_deleted(site: &Site) -> Result<(), Error> {
    if site.deleted_at.is_none() {
        return Ok(());
    }
    Err(Error::SiteDeleted(Resource::Site(site.account.clone(), site.id)))
}
