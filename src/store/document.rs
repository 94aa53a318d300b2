//! What records hold, and their encoding: JSON, so that an operator can read a record with any SQLite tool.
//!
//! Fields are only ever added, each with a default, so that a newer waymark reads what an older one wrote.

use serde::{Deserialize, Serialize};

use super::{Kind, Loaded, packed};
use crate::model::access::{Account, Token};
use crate::model::audit::AuditRecord;
use crate::model::connection::{Sealed, TicketingConnection, Verification};
use crate::model::history::Change;
use crate::model::id::SiteId;
use crate::model::prefix::Prefix;
use crate::model::reestimation::Reestimation;
use crate::model::resident::ResidentAccess;
use crate::model::share::Share;
use crate::model::site::Site;
use crate::model::site_devices::SiteDevices;

/// The claim of an agent on its site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentClaim {
    /// The site.
    pub site: SiteId,
    /// SHA-256 of the key that the agent drew; `None` while the site only waits for it.
    pub key_hash: Option<[u8; 32]>,
}

/// A site that a person located, found by the address that it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocatedSite {
    /// The site.
    pub site: SiteId,
}

/// The claim of a site on its folded name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameClaim {
    /// The site.
    pub site: SiteId,
}

/// The answer that a request id had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnsweredRequest {
    /// SHA-256 of the request.
    pub request_hash: [u8; 32],
    /// The site that it made.
    pub site: SiteId,
    /// When it was answered.
    pub answered_at: jiff::Timestamp,
}

/// An invitation on its way to the mail server. It ends when that server has it, or when nobody wants it any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuedMail {
    /// The site whose resident is invited. Their address is in the access alone.
    pub site: SiteId,
    /// SHA-256 of the secret in the link: the mail is of the invitation that has the same one.
    pub secret_hash: [u8; 32],
    /// The secret, encrypted. With the record it is gone.
    pub sealed: Sealed,
    /// When it was queued.
    pub queued_at: jiff::Timestamp,
}

/// When a token was used last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenUse {
    /// Cut down to [`crate::model::audit::USE_STEP`].
    pub used_at: jiff::Timestamp,
}

/// Who does some work for all replicas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The replica; empty where nobody does.
    pub holder: String,
}

/// What a record holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Document {
    /// An account.
    Account(Account),
    /// A token.
    Token(Token),
    /// A site.
    Site(Box<Site>),
    /// A name's claim.
    SiteName(NameClaim),
    /// An agent's claim.
    Agent(AgentClaim),
    /// An answered request.
    Request(AnsweredRequest),
    /// A secret of the deployment: 32 random bytes.
    Secret([u8; 32]),
    /// A network that an account placed.
    Prefix(Prefix),
    /// A site that a person located.
    Located(LocatedSite),
    /// A re-estimation of fixes.
    Reestimation(Box<Reestimation>),
    /// A resident's access.
    ResidentAccess(Box<ResidentAccess>),
    /// The devices of a site.
    SiteDevices(SiteDevices),
    /// A mail that waits.
    Mail(QueuedMail),
    /// A change in a site's history.
    Change(Box<Change>),
    /// A long text of a site's history.
    PastText(String),
    /// A connection to a ticketing system.
    Connection(Box<TicketingConnection>),
    /// A run that checks ticketing links.
    Verification(Box<Verification>),
    /// Who does some work for all replicas.
    Lease(Lease),
    /// Calls that are told of.
    Audit(Box<AuditRecord>),
    /// When a token was used last.
    TokenUse(TokenUse),
    /// Sites that another account sees.
    Share(Box<Share>),
}

impl Document {
    /// The document's bytes.
    pub(super) fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        match self {
            Self::Account(account) => serde_json::to_vec(account),
            Self::Token(token) => serde_json::to_vec(token),
            Self::Site(site) => serde_json::to_vec(site),
            Self::SiteName(claim) => serde_json::to_vec(claim),
            Self::Agent(claim) => serde_json::to_vec(claim),
            Self::Request(answer) => serde_json::to_vec(answer),
            Self::Secret(secret) => serde_json::to_vec(secret),
            Self::Prefix(prefix) => serde_json::to_vec(prefix),
            Self::Located(located) => serde_json::to_vec(located),
            Self::Reestimation(run) => serde_json::to_vec(run),
            Self::ResidentAccess(access) => serde_json::to_vec(access),
            Self::SiteDevices(devices) => serde_json::to_vec(devices),
            Self::Mail(mail) => serde_json::to_vec(mail),
            Self::Change(change) => serde_json::to_vec(change),
            Self::PastText(text) => serde_json::to_vec(text),
            Self::Connection(connection) => serde_json::to_vec(connection),
            Self::Verification(run) => serde_json::to_vec(run),
            Self::Lease(lease) => serde_json::to_vec(lease),
            Self::Audit(record) => serde_json::to_vec(record),
            Self::TokenUse(last) => serde_json::to_vec(last),
            Self::Share(share) => serde_json::to_vec(share),
        }
    }

    /// The document of `kind` that `bytes` encode.
    pub(super) fn decode(kind: Kind, bytes: &[u8]) -> Result<Self, serde_json::Error> {
        Ok(match kind {
            Kind::Account => Self::Account(serde_json::from_slice(bytes)?),
            Kind::Token => Self::Token(serde_json::from_slice(bytes)?),
            Kind::Site => Self::Site(Box::new(serde_json::from_slice(bytes)?)),
            Kind::SiteName => Self::SiteName(serde_json::from_slice(bytes)?),
            Kind::Agent => Self::Agent(serde_json::from_slice(bytes)?),
            Kind::Request => Self::Request(serde_json::from_slice(bytes)?),
            Kind::Secret => Self::Secret(serde_json::from_slice(bytes)?),
            Kind::Prefix => Self::Prefix(serde_json::from_slice(bytes)?),
            Kind::Located => Self::Located(serde_json::from_slice(bytes)?),
            Kind::Reestimation => Self::Reestimation(Box::new(serde_json::from_slice(bytes)?)),
            Kind::ResidentAccess => Self::ResidentAccess(Box::new(serde_json::from_slice(bytes)?)),
            Kind::SiteDevices => Self::SiteDevices(serde_json::from_slice(bytes)?),
            Kind::Mail => Self::Mail(serde_json::from_slice(bytes)?),
            Kind::Change => Self::Change(Box::new(serde_json::from_slice(bytes)?)),
            Kind::PastText => Self::PastText(serde_json::from_slice(bytes)?),
            Kind::Connection => Self::Connection(Box::new(serde_json::from_slice(bytes)?)),
            Kind::Verification => Self::Verification(Box::new(serde_json::from_slice(bytes)?)),
            Kind::Lease => Self::Lease(serde_json::from_slice(bytes)?),
            Kind::Audit => Self::Audit(Box::new(serde_json::from_slice(bytes)?)),
            Kind::TokenUse => Self::TokenUse(serde_json::from_slice(bytes)?),
            Kind::Share => Self::Share(Box::new(serde_json::from_slice(bytes)?)),
        })
    }
}

impl<'row> Loaded<'row> {
    /// The record of `kind`, from its packed copy or else from the document that `bytes` encode; `None` for a kind
    /// that memory holds nothing of.
    ///
    /// A site is read as far as memory keeps it: what else is in its record is skipped, unseen.
    pub(super) fn decode(
        kind: Kind,
        bytes: &'row [u8],
        copy: Option<&'row [u8]>,
    ) -> Result<Option<Self>, serde_json::Error> {
        if let Some(loaded) = copy.and_then(|copy| packed::unpack(kind, copy)) {
            return Ok(Some(loaded));
        }
        // One check of the whole costs less than one of each text in it.
        let text = std::str::from_utf8(bytes).map_err(serde::de::Error::custom)?;
        Ok(match kind {
            Kind::Account => Some(Self::Account(serde_json::from_str(text)?)),
            Kind::Token => Some(Self::Token(serde_json::from_str(text)?)),
            Kind::Site => Some(Self::Site(serde_json::from_str(text)?)),
            Kind::SiteName
            | Kind::Agent
            | Kind::Request
            | Kind::Secret
            | Kind::Prefix
            | Kind::Located
            | Kind::Reestimation
            | Kind::Change
            | Kind::PastText
            | Kind::Connection
            | Kind::Verification
            | Kind::Lease
            | Kind::ResidentAccess
            | Kind::SiteDevices
            | Kind::Mail
            | Kind::Audit
            | Kind::TokenUse
            | Kind::Share => None,
        })
    }
}
