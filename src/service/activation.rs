//! Agents come in: exactly one site an agent, placed at once by the address that it comes from.
//!
//! One batch claims the agent's id and the site's name and makes site and credential: two calls that race cannot both
//! claim, and the slower one finds the site of the faster one.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::access::Permission;
use super::error::Resource;
use super::visit::Visit;
use super::{ATTEMPTS_MAX, Error, Versioned, Waymark, record, tokens};
use crate::geoip::special;
use crate::live::LiveAccount;
use crate::model::access::{Principal, Scope};
use crate::model::device::DevicePosition;
use crate::model::history::{Actor, Cause};
use crate::model::id::{AccountId, AgentId, SiteId};
use crate::model::location::NoEstimate;
use crate::model::site::{Site, Status};
use crate::model::{Invalid, text};
use crate::store::document::{AgentClaim, Document, NameClaim};
use crate::store::{Error as StoreError, Key, Kind, Mutation, Record};

/// Shortest agent key, in bytes: 128 bits.
const AGENT_KEY_BYTES_MIN: usize = 16;
/// Longest agent key, in bytes.
const AGENT_KEY_BYTES_MAX: usize = 64;

/// An agent at the door.
#[derive(Debug, Clone)]
pub struct Activation {
    /// The account.
    pub account: AccountId,
    /// The agent.
    pub agent: AgentId,
    /// The secret that the agent drew; may be empty for an agent that comes with its credential.
    pub agent_key: Vec<u8>,
    /// The name that its site shall have; empty for the agent's id.
    pub display_name: String,
    /// The address by which the agent knows itself.
    pub claimed_ip: Option<IpAddr>,
    /// The public address of the call, or why it is not known.
    pub public_ip: Result<IpAddr, NoEstimate>,
    /// Where the device measures itself.
    pub device: Option<DevicePosition>,
}

/// An agent that came in.
#[derive(Debug, Clone)]
pub struct Activated {
    /// Its site, as it is shown.
    pub site: Versioned<Site>,
    /// Its credential, unless it came with it.
    pub credential: Option<String>,
    /// Whether this call made the site.
    pub created: bool,
    /// Whether the agent took the site over by this call.
    pub replaced: bool,
    /// The public address of this call; `None` where it is not public or not known.
    pub public_ip: Option<IpAddr>,
}

impl Activation {
    pub(super) fn answered(&self, site: Versioned<Site>, credential: Option<String>, created: bool) -> Activated {
        Activated { site, credential, created, replaced: false, public_ip: self.known_public_ip() }
    }

    /// What the call says of the site, at `now`. An agent speaks for itself, whoever let it in; a service for it.
    pub(super) fn visit(&self, principal: &Principal, now: Timestamp) -> Visit {
        let is_of_service = principal.scope == Scope::Service;
        let agent = Actor::Agent { id: self.agent.clone() };
        Visit {
            at: now,
            status: Status::Online,
            ip: Some(self.public_ip),
            claimed_ip: self.claimed_ip,
            device: self.device,
            made_by: format!("agent:{}", self.agent),
            actor: if is_of_service { principal.into() } else { agent },
        }
    }

    /// The address of the call, if it is known and public.
    fn known_public_ip(&self) -> Option<IpAddr> {
        self.public_ip.ok().filter(|ip| is_public(*ip))
    }
}

/// Whether the world reaches a host at this address.
#[must_use]
pub fn is_public(ip: IpAddr) -> bool {
    special::why_no_estimate(ip).is_none()
}

impl Waymark {
    /// Activates an agent, or lets it say hello again.
    ///
    /// Cost: a read, one durable write, and a look-up in the databases where the address is new.
    pub async fn activate_agent(&self, principal: &Principal, mut activation: Activation) -> Result<Activated, Error> {
        let (account, known_site) = self.admit(principal, &activation)?;
        if let (Scope::Service, Some(ip)) = (principal.scope, activation.claimed_ip) {
            // A service speaks for agents that it sees: its word on their address is as good as our own look.
            activation.public_ip = Ok(ip);
        }
        let key_hash: [u8; 32] = Sha256::digest(&activation.agent_key).into();
        let claim_key = Key::of(&activation.account, Kind::Agent, &activation.agent);
        let visit = activation.visit(principal, self.now());
        for attempt in 0..ATTEMPTS_MAX {
            let found = self.parts.store.get(claim_key.clone()).await?;
            let claim = found.as_ref().map(claim_in).transpose()?;
            let outcome = match (claim, known_site) {
                (Some(claim), Some(own)) if claim.site != own => return Err(mismatch(&activation)),
                (Some(claim), None) if claim.key_hash != Some(key_hash) => {
                    let claimed = (claim, found.as_ref().map(|record| record.revision));
                    match self.take_over(&account, &activation, &visit, claimed, key_hash).await? {
                        Some(outcome) => outcome,
                        None if claim.key_hash.is_some() => return Err(mismatch(&activation)),
                        // A consent that ended holds nobody up.
                        None => {
                            self.admit_new_agent(&account, &activation, &visit, found.clone(), key_hash, attempt).await
                        }
                    }
                }
                (Some(claim), _) => self.return_agent(principal, &account, &activation, &visit, claim).await,
                (None, None) => self.admit_new_agent(&account, &activation, &visit, None, key_hash, attempt).await,
                (None, Some(own)) => return Err(Error::NotFound(Resource::Site(activation.account, own))),
            };
            match outcome {
                Err(Error::Store(StoreError::Conflict { .. })) => {}
                Err(cause) => return Err(cause),
                Ok(activated) => return Ok(Activated { site: self.shown(activated.site), ..activated }),
            }
        }
        Err(Error::Contention(format!("agent {}", activation.agent)))
    }

    /// Checks that the principal may bring this agent in; gives the site of an agent that comes with its credential.
    fn admit(
        &self,
        principal: &Principal,
        activation: &Activation,
    ) -> Result<(Arc<LiveAccount>, Option<SiteId>), Error> {
        if let Some((site, agent)) = &principal.agent {
            let account = self.visible_account(principal, &activation.account)?;
            return if *agent == activation.agent { Ok((account, Some(*site))) } else { Err(Error::Scope) };
        }
        let account = self.account_for(principal, &activation.account, Permission::Enroll)?;
        let key_bytes = activation.agent_key.len();
        if (AGENT_KEY_BYTES_MIN..=AGENT_KEY_BYTES_MAX).contains(&key_bytes) {
            return Ok((account, None));
        }
        let allowed = format!("{AGENT_KEY_BYTES_MIN} to {AGENT_KEY_BYTES_MAX} random bytes, got {key_bytes}");
        Err(Invalid::new("agent_key", allowed).into())
    }

    /// Makes the site of an agent that nobody has seen before; `reserved` is the agent's claim where it only waited.
    async fn admit_new_agent(
        &self,
        live: &LiveAccount,
        activation: &Activation,
        visit: &Visit,
        reserved: Option<Record>,
        key_hash: [u8; 32],
        attempt: usize,
    ) -> Result<Activated, Error> {
        self.require_room(live)?;
        let now = visit.at;
        let account = &activation.account;
        let wanted = if activation.display_name.trim().is_empty() {
            activation.agent.as_str().to_owned()
        } else {
            text::display_name(&activation.display_name)?
        };
        let mut site = Site::new(account.clone(), wanted, now);
        site.display_name = self.free_name(account, site.display_name, site.id, attempt).await?;
        site.agent = Some(activation.agent.clone());
        site.activated_at = Some(now);
        self.note_visit(live, &mut site, visit);
        let (token, credential) = self.agent_credential(account, &activation.agent, site.id, &key_hash);
        let claim = Document::Agent(AgentClaim { site: site.id, key_hash: Some(key_hash) });
        let mut batch = vec![
            match reserved {
                Some(record) => Mutation::replace(record.key, record.revision, claim),
                None => Mutation::create(Key::of(account, Kind::Agent, &activation.agent), claim),
            },
            Mutation::create(
                Key::of(account, Kind::SiteName, text::fold(&site.display_name)),
                Document::SiteName(NameClaim { site: site.id }),
            ),
            Mutation::create(tokens::key_of(&token), Document::Token(token)),
        ];
        batch.extend(record::create(&mut site, &visit.author(Cause::Activated), now));
        let revision = self.parts.store.commit(batch).await?;
        tracing::debug!(site = %site.id, "an agent was activated");
        Ok(activation.answered(Versioned { value: site, revision }, Some(credential), true))
    }

    /// Notes that a known agent came by.
    async fn return_agent(
        &self,
        principal: &Principal,
        live: &LiveAccount,
        activation: &Activation,
        visit: &Visit,
        claim: &AgentClaim,
    ) -> Result<Activated, Error> {
        let Versioned { value: before, revision } = self.standing_site(&activation.account, claim.site).await?;
        let credential = if principal.agent.is_some() {
            None
        } else {
            let key_hash = claim.key_hash.ok_or_else(|| mismatch(activation))?;
            let (token, credential) =
                self.agent_credential(&activation.account, &activation.agent, claim.site, &key_hash);
            // Asked of the store, like the claim: memory hears of a commit a moment after the store can show it.
            match self.parts.store.get(tokens::key_of(&token)).await?.map(|record| record.document) {
                Some(Document::Token(kept)) if kept.revoked_at.is_none() => {}
                _ => return Err(mismatch(activation)),
            }
            Some(credential)
        };
        let public_ip = activation.known_public_ip();
        let is_noted = before.last_seen_at >= Some(visit.at) && public_ip.is_none_or(|ip| before.public_ip == Some(ip));
        if is_noted {
            // A call of the same agent that came later was faster: there is nothing to add to what it wrote.
            return Ok(activation.answered(Versioned { value: before, revision }, credential, false));
        }
        let mut site = before.clone();
        self.note_visit(live, &mut site, visit);
        site.updated_at = visit.at;
        let author = visit.author(Cause::Activated);
        let batch = self.replace_by_report(&before, revision, &mut site, &author, visit.at).await;
        let revision = self.parts.store.commit(batch).await?;
        Ok(activation.answered(Versioned { value: site, revision }, credential, false))
    }

    /// A site that is there and not deleted.
    pub(super) async fn standing_site(&self, account: &AccountId, id: SiteId) -> Result<Versioned<Site>, Error> {
        let resource = || Resource::Site(account.clone(), id);
        let found = self.find_site(account, id).await?.ok_or_else(|| Error::NotFound(resource()))?;
        if found.value.deleted_at.is_some() { Err(Error::SiteDeleted(resource())) } else { Ok(found) }
    }

    /// The name, with a number behind it when another site has it; after many attempts, with the site's own id.
    async fn free_name(
        &self,
        account: &AccountId,
        wanted: String,
        site: SiteId,
        attempt: usize,
    ) -> Result<String, Error> {
        const NUMBERS_TRIED: usize = 8;
        const SUFFIX_BYTES_MAX: usize = 9;
        let base = &wanted[..wanted.floor_char_boundary(text::LINE_BYTES_MAX - SUFFIX_BYTES_MAX)];
        let numbered = |number: usize| if number == 1 { wanted.clone() } else { format!("{base} {number}") };
        let keys = (1..=NUMBERS_TRIED).map(|number| Key::of(account, Kind::SiteName, text::fold(&numbered(number))));
        // A claim that cannot be read is somebody's.
        let taken = self.parts.store.get_each(keys.collect()).await?;
        let free = taken.iter().position(|read| matches!(read, Ok(None))).filter(|_| attempt < ATTEMPTS_MAX / 2);
        Ok(match free {
            Some(index) => numbered(index + 1),
            None => format!("{base} {:08x}", site.as_u128() & 0xffff_ffff),
        })
    }
}

/// The claim that a record holds.
pub(super) fn claim_in(record: &Record) -> Result<&AgentClaim, Error> {
    match &record.document {
        Document::Agent(claim) => Ok(claim),
        _ => Err(Error::Mismatched { key: record.key.clone() }),
    }
}

fn mismatch(activation: &Activation) -> Error {
    Error::AgentKeyMismatch(activation.agent.clone())
}
