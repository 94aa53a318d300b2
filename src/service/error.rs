//! Why a use case did not do what was asked.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use ipnet::IpNet;
use jiff::Timestamp;

use super::checks::OutsideCountry;
use crate::error::{Fault, Reason};
use crate::model::Invalid;
use crate::model::history::Field;
use crate::model::id::{AccountId, Revision, ShareId, SiteId, TokenId};
use crate::model::resident::Refused;
use crate::model::ticketing::System;
use crate::spatial::refusal::Refusal;
use crate::{geocode, identity, store, ticketing};

/// A named thing of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// An account.
    Account(AccountId),
    /// A site.
    Site(AccountId, SiteId),
    /// A change of a site, by its number.
    Change(AccountId, SiteId, u32),
    /// A token; without an account, the operator's.
    Token(Option<AccountId>, TokenId),
    /// A cluster or an area of an account's map.
    Symbol(AccountId, String),
    /// A network of an account.
    Prefix(AccountId, IpNet),
    /// The resident access to a site.
    ResidentAccess(AccountId, SiteId),
    /// A re-estimation.
    Reestimation(String),
    /// An account's connection to a ticketing system.
    Connection(AccountId, System),
    /// A run that checks an account's ticketing links.
    Verification(AccountId, String),
    /// A share of an account, be it of its sites or of those of another one.
    Share(AccountId, ShareId),
}

impl Resource {
    /// The kind of thing, as in `google.rpc.ResourceInfo`.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Account(_) => "Account",
            Self::Site(..) => "Site",
            Self::Change(..) => "SiteChange",
            Self::Token(..) => "Token",
            Self::Symbol(..) => "Cluster",
            Self::Prefix(..) => "Prefix",
            Self::ResidentAccess(..) => "ResidentAccess",
            Self::Reestimation(_) => "Reestimation",
            Self::Connection(..) => "TicketingConnection",
            Self::Verification(..) => "TicketingVerification",
            Self::Share(..) => "Share",
        }
    }
}

impl fmt::Display for Resource {
    /// The resource's name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(account) => write!(f, "accounts/{account}"),
            Self::Site(account, site) => write!(f, "accounts/{account}/sites/{site}"),
            Self::Change(account, site, number) => write!(f, "accounts/{account}/sites/{site}/changes/{number}"),
            Self::Token(Some(account), token) => write!(f, "accounts/{account}/tokens/{token}"),
            Self::Token(None, token) => write!(f, "tokens/{token}"),
            Self::Symbol(account, id) => write!(f, "accounts/{account}/clusters/{id}"),
            Self::Prefix(account, network) => {
                write!(f, "accounts/{account}/prefixes/{}-{}", network.addr(), network.prefix_len())
            }
            Self::ResidentAccess(account, site) => write!(f, "accounts/{account}/sites/{site}/residentAccess"),
            Self::Reestimation(id) => write!(f, "reestimations/{id}"),
            Self::Connection(account, system) => {
                write!(f, "accounts/{account}/ticketingConnections/{}", system.facts().name)
            }
            Self::Verification(account, id) => write!(f, "accounts/{account}/ticketingVerifications/{id}"),
            Self::Share(account, share) => write!(f, "accounts/{account}/shares/{share}"),
        }
    }
}

/// Why a use case did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field of the request is not what it claims to be.
    #[error("{0}")]
    Invalid(#[from] Invalid),
    /// The map would have to do more than it does for one request.
    #[error("{0}")]
    TooDear(Refusal),
    /// A page token that is malformed or belongs to another query.
    #[error("the page token is not one of this query: start again without it")]
    PageToken,
    /// A candidate token that is malformed, too old, or belongs to another site.
    #[error("the candidate token is not a present one of this site: geocode the address again")]
    CandidateToken,
    /// It does not exist, or not for this principal.
    #[error("{0} does not exist")]
    NotFound(Resource),
    /// It exists.
    #[error("{0} exists")]
    Exists(Resource),
    /// Another site has the name.
    #[error("another site of the account is named {0:?}: choose another name")]
    SiteNameTaken(String),
    /// The site is deleted.
    #[error("{0} is deleted: undelete it first")]
    SiteDeleted(Resource),
    /// The site is not deleted.
    #[error("{0} is not deleted")]
    SiteNotDeleted(Resource),
    /// The caller's etag is of another version.
    #[error("{0} was changed meanwhile: read it again")]
    EtagMismatch(Resource),
    /// The request id belongs to another request.
    #[error("the request_id was used for another request: choose a new one")]
    RequestIdReused,
    /// The agent is known by another key.
    #[error("agent {0} is activated with another key, or its credential was revoked")]
    AgentKeyMismatch(crate::model::id::AgentId),
    /// The agent stands on another site.
    #[error("agent {0} stands on {1}: give the new device another id, or delete that site first")]
    AgentElsewhere(crate::model::id::AgentId, Resource),
    /// There are as many as there may be.
    #[error("there are {1} {0} already, as many as there may be")]
    TooMany(&'static str, usize),
    /// The account has as many sites as it may have.
    #[error(
        "the account has {0} sites, as many as it may have: delete some, or have the operator raise service.sites_max"
    )]
    TooManySites(u32),
    /// Somebody tries it again and again.
    #[error("there were more than {0} tries in this minute: wait for the next one")]
    TooOften(usize, Duration),
    /// No credential, or not a good one. One text for unknown, expired and revoked.
    #[error("a good credential is needed: send `authorization: Bearer wmk_…`")]
    Credential,
    /// The token of an identity provider is not taken.
    #[error(transparent)]
    Identity(#[from] identity::error::Refusal),
    /// The credential is good for other things.
    #[error("the credential's scope does not allow this")]
    Scope,
    /// The credential is good for other fields of a site.
    #[error("the credential's scope changes contact, note and location of a site, and not `{0}`")]
    FieldScope(String),
    /// The token masks contacts, and this would read or write one, or a note.
    #[error("the token masks contacts and notes: it neither reads nor writes them, nor makes a token that does")]
    ContactsMasked,
    /// The token does not show exactly where sites are, and this would tell it.
    #[error(
        "the token shows where sites are to about a kilometre, or not at all, and this asks for more: ask with one that shows it exactly"
    )]
    PositionsWithheld,
    /// The site has no position.
    #[error("{0} has no position, so no map shows it")]
    SiteUnplaced(Resource),
    /// Without it nobody could administer the deployment.
    #[error("this is the operator's last good token: make another one first")]
    LastOperatorToken,
    /// The token is not good any more.
    #[error("{0} was revoked or has expired: make another one")]
    TokenEnded(Resource),
    /// No token, and a certificate that no good token knows, or several. One text for unknown, expired and revoked ones.
    #[error(
        "no token was sent, and the client certificate is not that of one good token: the operator makes one for it"
    )]
    Certificate,
    /// A secret of an earlier rotation is still good.
    #[error(
        "a secret before the present one is good until {0}: wait, repeat that rotation, or rotate without an overlap"
    )]
    TokenRotating(Timestamp),
    /// This replica is further behind than the caller.
    #[error("this replica has not heard of revision {0} yet: ask again, or another replica")]
    Behind(Revision),
    /// The account's records are not all read yet.
    #[error("the sites of the account are being read for the search: ask again in a moment")]
    SearchNotReady,
    /// The position is outside of the country that was stated.
    #[error("{}", .0.why())]
    OutsideCountry(OutsideCountry),
    /// The site has no such fix.
    #[error("the site has no fix of this source")]
    FixMissing,
    /// The resident access is in a state that does not allow it.
    #[error("{0}")]
    Resident(Refused),
    /// No good invitation. One text for unknown, used, expired, revoked and superseded.
    #[error("this invitation is not a good one: it works once and for some days, so ask for a new one")]
    Invitation,
    /// No code of a share that can be accepted. One text for unknown, used, declined, withdrawn and expired.
    #[error(
        "this is not the code of a share that waits: it works once and for 14 days, so ask its owner for a new one"
    )]
    ShareCode,
    /// The account sees sites of that one by a share already.
    #[error("{0} is in effect between the same accounts: end it first, or have one share made of both")]
    ShareInEffect(Resource),
    /// There is no mail server.
    #[error("no mail server is configured, so nobody can be invited: the operator sets [mail] in the configuration")]
    MailNotConfigured,
    /// A former value cannot be put back.
    #[error("{field} cannot be put back: {why}")]
    NotRestorable {
        /// The field.
        field: Field,
        /// Why, and what to do instead.
        why: &'static str,
    },
    /// The server ends, and its watches with it.
    #[error("the server is ending: watch again, from the last revision that you were told")]
    Ending,
    /// What makes a watch's messages panicked.
    #[error(
        "the watch ended by a fault of the server, which is in its log: watch again, from the last revision that you were told"
    )]
    WatchFailed,
    /// The client of a watch takes nothing.
    #[error("nothing was read for {0:?}: watch again, from the last revision that you were told")]
    Stalled(Duration),
    /// Others were before it for too long.
    #[error("there was no turn for it within {0:?}: repeat the request, it may be faster then")]
    TooLate(Duration),
    /// Somebody else was faster, many times over.
    #[error("too many writers met at {0}: repeat the request")]
    Contention(String),
    /// The system has no randomness to give.
    #[error("the system's random source failed: {0}")]
    Random(String),
    /// A record holds another kind of document than its key says.
    #[error("record {key:?} holds another kind of document")]
    Mismatched {
        /// The record.
        key: store::Key,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The geocoder failed.
    #[error(transparent)]
    Geocode(#[from] geocode::Error),
    /// A ticketing system failed.
    #[error(transparent)]
    Ticketing(#[from] ticketing::Error),
    /// The account has no connection to the system.
    #[error("the account has no connection to {}: create one", .0.facts().display_name)]
    NotConnected(System),
    /// The credentials do not open with the deployment's present key.
    #[error("the credentials for {} were encrypted with another key of the server: set them again", .0.facts().display_name)]
    CredentialsUnreadable(System),
    /// The process was started without what connections need.
    #[error("this process keeps no connections to ticketing systems")]
    TicketingOff,
}

impl From<OutsideCountry> for Error {
    fn from(fault: OutsideCountry) -> Self {
        Self::OutsideCountry(fault)
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Invalid(fault) => Self::Invalid(fault),
            refusal => Self::TooDear(refusal),
        }
    }
}

impl Error {
    /// What a caller reads. The text of the error itself may hold what is the operator's to know, and is for the log.
    #[must_use]
    pub fn told(&self) -> String {
        match self {
            Self::Geocode(cause) => cause.told(),
            Self::Ticketing(cause) => cause.told(),
            Self::Store(store::Error::Corrupt { kind, id, .. }) => format!(
                "the stored record {kind:?} {} cannot be read; it is neither changed nor deleted: the operator restores it from a backup",
                kind.shown_id(id)
            ),
            _ => self.to_string(),
        }
    }

    /// Whether one record cannot be read, and nothing else is wrong.
    #[must_use]
    pub fn is_of_one_record(&self) -> bool {
        matches!(self, Self::Store(store::Error::Corrupt { .. }))
    }
}

impl Fault for Error {
    fn reason(&self) -> Reason {
        match self {
            Self::Invalid(_) => Reason::FieldInvalid,
            Self::PageToken => Reason::PageTokenInvalid,
            Self::CandidateToken => Reason::CandidateTokenInvalid,
            Self::NotFound(_) => Reason::ResourceNotFound,
            Self::Exists(_) => Reason::ResourceExists,
            Self::SiteNameTaken(_) => Reason::SiteNameTaken,
            Self::SiteDeleted(_) => Reason::SiteDeleted,
            Self::SiteNotDeleted(_) => Reason::SiteNotDeleted,
            Self::EtagMismatch(_) => Reason::EtagMismatch,
            Self::RequestIdReused => Reason::RequestIdReused,
            Self::AgentKeyMismatch(_) => Reason::AgentKeyMismatch,
            Self::AgentElsewhere(..) => Reason::AgentElsewhere,
            Self::TooMany(..) | Self::TooManySites(_) | Self::TooOften(..) | Self::Stalled(_) | Self::TooDear(_) => {
                Reason::LimitReached
            }
            Self::Credential => Reason::CredentialInvalid,
            Self::Certificate => Reason::ClientCertificateUnknown,
            Self::Identity(refusal) => refusal.reason(),
            Self::Scope | Self::FieldScope(_) => Reason::ScopeInsufficient,
            Self::ContactsMasked => Reason::ContactsMasked,
            Self::PositionsWithheld => Reason::PositionsWithheld,
            Self::FixMissing => Reason::FixMissing,
            Self::NotRestorable { .. } => Reason::ValueNotRestorable,
            Self::OutsideCountry(_) => Reason::PositionOutsideCountry,
            Self::SiteUnplaced(_) => Reason::SiteUnplaced,
            Self::LastOperatorToken => Reason::LastOperatorToken,
            Self::TokenEnded(_) => Reason::TokenEnded,
            Self::TokenRotating(_) => Reason::TokenRotating,
            Self::Resident(_) => Reason::ResidentAccessState,
            Self::Invitation => Reason::InvitationInvalid,
            Self::ShareCode => Reason::ShareCodeInvalid,
            Self::ShareInEffect(_) => Reason::ShareInEffect,
            Self::MailNotConfigured => Reason::MailNotConfigured,
            Self::TooLate(_) => Reason::DeadlineExceeded,
            Self::Ending | Self::TicketingOff | Self::Behind(_) => Reason::NotReady,
            Self::SearchNotReady => Reason::SearchNotReady,
            Self::WatchFailed => Reason::WatchFailed,
            Self::Contention(_) => Reason::Contention,
            Self::Random(_) => Reason::Internal,
            Self::Mismatched { .. } => Reason::StorageCorrupt,
            Self::Store(cause) => cause.reason(),
            Self::Geocode(cause) => cause.reason(),
            Self::Ticketing(cause) => cause.reason(),
            Self::NotConnected(_) => Reason::TicketingNotConnected,
            Self::CredentialsUnreadable(_) => Reason::CredentialsUnreadable,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Store(cause) => cause.retry_after(),
            Self::Geocode(cause) => cause.retry_after(),
            Self::Ticketing(cause) => cause.retry_after(),
            Self::Identity(refusal) => refusal.retry_after(),
            Self::Contention(_) | Self::TooLate(_) | Self::SearchNotReady | Self::Behind(_) => {
                Some(Duration::from_millis(250))
            }
            Self::Ending => Some(spread()),
            Self::WatchFailed => Some(FAULT_PAUSE + spread()),
            Self::TooOften(_, wait) => Some(*wait),
            _ => None,
        }
    }
}

/// A watch that met a fault may meet it again: so much later at least.
const FAULT_PAUSE: Duration = Duration::from_secs(5);

/// A quarter of a second to some two: all watches end at once, and had better not begin at once.
fn spread() -> Duration {
    Duration::from_millis(250 + RandomState::new().hash_one(()) % 2_000)
}
