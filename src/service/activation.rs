//! Agents come in: exactly one site an agent, placed at once by the address that it comes from.
//!
//! One batch claims the agent's id and the site's name and makes site and credential: two calls that race cannot both
//! claim, and the slower one finds the site of the faster one.

use std::net::IpAddr;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::access::Permission;
use super::error::Resource;
use super::sites::key_of as site_key;
use super::{ATTEMPTS_MAX, Error, Versioned, Waymark, tokens};
use crate::geoip::estimate::Estimate;
use crate::geoip::special;
use crate::model::access::Principal;
use crate::model::id::{AccountId, AgentId, SiteId};
use crate::model::location::{NoEstimate, Source};
use crate::model::site::{Site, Status};
use crate::model::{Invalid, text};
use crate::store::document::{AgentClaim, Document, NameClaim};
use crate::store::{Error as StoreError, Key, Kind, Mutation};

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
}

/// An agent that came in.
#[derive(Debug, Clone)]
pub struct Activated {
    /// Its site.
    pub site: Versioned<Site>,
    /// Its credential, unless it came with it.
    pub credential: Option<String>,
    /// Whether this call made the site.
    pub created: bool,
    /// The public address of this call; `None` where it is not public or not known.
    pub public_ip: Option<IpAddr>,
}

impl Activation {
    fn answered(&self, site: Versioned<Site>, credential: Option<String>, created: bool) -> Activated {
        Activated { site, credential, created, public_ip: self.known_public_ip() }
    }

    /// The address of the call, if it is known and public.
    fn known_public_ip(&self) -> Option<IpAddr> {
        self.public_ip.ok().filter(|ip| special::why_no_estimate(*ip).is_none())
    }
}

impl Waymark {
    /// Activates an agent, or lets it say hello again.
    ///
    /// Cost: a read, one durable write, and a look-up in the databases where the address is new.
    pub async fn activate_agent(&self, principal: &Principal, activation: Activation) -> Result<Activated, Error> {
        let known_site = self.admit(principal, &activation)?;
        let key_hash: [u8; 32] = Sha256::digest(&activation.agent_key).into();
        let claim_key = Key::of(&activation.account, Kind::Agent, &activation.agent);
        let called_at = self.now();
        for attempt in 0..ATTEMPTS_MAX {
            let claim = match self.parts.store.get(claim_key.clone()).await? {
                Some(record) => match record.document {
                    Document::Agent(claim) => Some(claim),
                    _ => return Err(Error::Mismatched { key: record.key }),
                },
                None => None,
            };
            let outcome = match (claim, known_site) {
                (Some(claim), Some(own)) if claim.site != own => return Err(mismatch(&activation)),
                (Some(claim), None) if claim.key_hash != key_hash => return Err(mismatch(&activation)),
                (Some(claim), _) => self.return_agent(principal, &activation, &claim, called_at).await,
                (None, None) => self.admit_new_agent(principal, &activation, key_hash, attempt).await,
                (None, Some(own)) => return Err(Error::NotFound(Resource::Site(activation.account, own))),
            };
            match outcome {
                Err(Error::Store(StoreError::Conflict { .. })) => {}
                settled => return settled,
            }
        }
        Err(Error::Contention(format!("agent {}", activation.agent)))
    }

    /// Checks that the principal may bring this agent in; gives the site of an agent that comes with its credential.
    fn admit(&self, principal: &Principal, activation: &Activation) -> Result<Option<SiteId>, Error> {
        if let Some((site, agent)) = &principal.agent {
            self.visible_account(principal, &activation.account)?;
            return if *agent == activation.agent { Ok(Some(*site)) } else { Err(Error::Scope) };
        }
        self.account_for(principal, &activation.account, Permission::Enroll)?;
        let key_bytes = activation.agent_key.len();
        if (AGENT_KEY_BYTES_MIN..=AGENT_KEY_BYTES_MAX).contains(&key_bytes) {
            return Ok(None);
        }
        let allowed = format!("{AGENT_KEY_BYTES_MIN} to {AGENT_KEY_BYTES_MAX} random bytes, got {key_bytes}");
        Err(Invalid::new("agent_key", allowed).into())
    }

    /// Makes the site of an agent that nobody has seen before.
    async fn admit_new_agent(
        &self,
        principal: &Principal,
        activation: &Activation,
        key_hash: [u8; 32],
        attempt: usize,
    ) -> Result<Activated, Error> {
        let now = self.now();
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
        self.note_visit(&mut site, activation);
        let (token, credential) = self.agent_credential(account, &activation.agent, site.id, &key_hash);
        let batch = vec![
            Mutation::create(
                Key::of(account, Kind::Agent, &activation.agent),
                Document::Agent(AgentClaim { site: site.id, key_hash }),
            ),
            Mutation::create(
                Key::of(account, Kind::SiteName, text::fold(&site.display_name)),
                Document::SiteName(NameClaim { site: site.id }),
            ),
            Mutation::create(tokens::key_of(&token), Document::Token(token)),
            Mutation::create(site_key(&site), Document::Site(Box::new(site.clone()))),
        ];
        let revision = self.parts.store.commit(batch).await?;
        tracing::debug!(actor = principal.actor(), site = %site.id, "an agent was activated");
        Ok(activation.answered(Versioned { value: site, revision }, Some(credential), true))
    }

    /// Notes that a known agent came by.
    async fn return_agent(
        &self,
        principal: &Principal,
        activation: &Activation,
        claim: &AgentClaim,
        called_at: Timestamp,
    ) -> Result<Activated, Error> {
        let resource = || Resource::Site(activation.account.clone(), claim.site);
        let Some(Versioned { value: mut site, revision }) = self.find_site(&activation.account, claim.site).await?
        else {
            return Err(Error::NotFound(resource()));
        };
        if site.deleted_at.is_some() {
            return Err(Error::SiteDeleted(resource()));
        }
        let credential = if principal.agent.is_some() {
            None
        } else {
            let (token, credential) =
                self.agent_credential(&activation.account, &activation.agent, claim.site, &claim.key_hash);
            // Asked of the store, like the claim: memory hears of a commit a moment after the store can show it.
            match self.parts.store.get(tokens::key_of(&token)).await?.map(|record| record.document) {
                Some(Document::Token(kept)) if kept.revoked_at.is_none() => {}
                _ => return Err(mismatch(activation)),
            }
            Some(credential)
        };
        let public_ip = activation.known_public_ip();
        let is_noted = site.last_seen_at >= Some(called_at) && public_ip.is_none_or(|ip| site.public_ip == Some(ip));
        if is_noted {
            // A call of the same agent that came later was faster: there is nothing to add to what it wrote.
            return Ok(activation.answered(Versioned { value: site, revision }, credential, false));
        }
        self.note_visit(&mut site, activation);
        let mutation = Mutation::replace(site_key(&site), revision, Document::Site(Box::new(site.clone())));
        let revision = self.parts.store.commit(vec![mutation]).await?;
        Ok(activation.answered(Versioned { value: site, revision }, credential, false))
    }

    /// Writes into the site when and from where its agent came, and what that says of its position.
    fn note_visit(&self, site: &mut Site, activation: &Activation) {
        let now = self.now();
        site.last_seen_at = Some(now);
        site.updated_at = now;
        site.status = if site.status == Status::Maintenance { Status::Maintenance } else { Status::Online };
        site.claimed_ip = activation.claimed_ip.or(site.claimed_ip);
        let has_estimate = site.fixes.get(Source::GeoIp).is_some();
        if has_estimate && site.public_ip == activation.public_ip.ok() {
            return;
        }
        match activation.public_ip.and_then(|ip| self.estimate_for(site, ip, now)) {
            Ok(estimate) => {
                site.public_ip = activation.public_ip.ok();
                site.no_estimate = None;
                site.estimate_removed_for = None;
                site.fixes.remove(Source::GeoIp);
                site.fixes.put(estimate.into_fix());
            }
            // An address that is not public says nothing against the public one that the site was seen at.
            Err(reason) if has_estimate && !reason.is_of_public_address() => {}
            Err(reason) => {
                site.public_ip = activation.known_public_ip().or(site.public_ip);
                site.no_estimate = Some(reason);
                site.fixes.remove(Source::GeoIp);
            }
        }
    }

    /// What the databases say, unless a person removed just that.
    fn estimate_for(&self, site: &Site, ip: IpAddr, now: Timestamp) -> Result<Estimate, NoEstimate> {
        if site.estimate_removed_for == Some(ip) {
            Err(NoEstimate::Removed)
        } else {
            self.parts.geoip.estimate(ip, now)
        }
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
        let taken = self.parts.store.get_many(keys.collect()).await?;
        let free = taken.iter().position(Option::is_none).filter(|_| attempt < ATTEMPTS_MAX / 2);
        Ok(match free {
            Some(index) => numbered(index + 1),
            None => format!("{base} {:08x}", site.as_u128() & 0xffff_ffff),
        })
    }
}

fn mismatch(activation: &Activation) -> Error {
    Error::AgentKeyMismatch(activation.agent.clone())
}
