//! Accounts, tokens, and the principal that every use case asks for.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::address::CountryCode;
use super::assignment::Assignment;
use super::certificate::Binding;
use super::id::{AccountId, AgentId, ShareId, SiteId, TokenId};
use super::instant;

/// A tenant: it owns sites and tokens, and sees nothing of other tenants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Its name, for people.
    pub display_name: String,
    /// Where most of its sites are: breaks ties between equal addresses.
    pub country: Option<CountryCode>,
    /// Addresses of the people who use it: none of them is a resident of its sites.
    #[serde(default)]
    pub user_emails: Vec<String>,
    /// Whom residents ask, an address, a number or a page: in mails that go out in its name, and where an
    /// invitation was accepted. May be empty.
    #[serde(default)]
    pub support_contact: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl Account {
    /// What it is called in mails and where an invitation was accepted: its name for people, or its id.
    #[must_use]
    pub fn told_name(&self) -> &str {
        if self.display_name.is_empty() { self.id.as_str() } else { &self.display_name }
    }
}

/// What a token may do. Each scope is closed: none implies another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Everything in its account; without an account, everything everywhere.
    Admin,
    /// Read and change sites of its account.
    Editor,
    /// Read sites of its account.
    Viewer,
    /// Let agents into its account, and nothing else.
    Enrollment,
    /// An agent: its own site, and nothing else.
    Agent,
    /// Another service of the account: read and change sites, report for agents.
    Service,
    /// A resident: what the account shows them of one site, and nothing else. Made by accepting an invitation.
    Resident,
    /// A screen that anybody may see: how many sites there are, of which status and about where, and nothing else.
    Wallboard,
    /// Somebody who works on site: reads the sites that are assigned to them, and changes where they are, their contacts and notes.
    /// There are no others for them.
    Field,
}

/// Whether contacts are shown to a token's bearer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contacts {
    /// As they are, wherever the scope shows sites.
    #[default]
    Read,
    /// Masked, and notes with them: that there is something, and nothing else. Nor is anything written to them.
    Masked,
}

/// What stands in place of a text that is masked.
pub const MASK: &str = "•••";

impl Contacts {
    /// Whether they are masked.
    #[must_use]
    pub fn are_masked(self) -> bool {
        self == Self::Masked
    }

    /// What is shown where both of these say it.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        if self.are_masked() { self } else { other }
    }
}

/// How exactly a token's bearer is shown where sites are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Positions {
    /// As they are, wherever the scope shows sites.
    #[default]
    Exact,
    /// To about a kilometre, without addresses: nothing tells more, whatever is asked and however often.
    Approximate,
    /// Not at all.
    Hidden,
}

impl Positions {
    /// Whether they are as they are.
    #[must_use]
    pub fn are_exact(self) -> bool {
        self == Self::Exact
    }

    /// What is shown where both of these say it: the coarser one.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Hidden, _) | (_, Self::Hidden) => Self::Hidden,
            (Self::Approximate, _) | (_, Self::Approximate) => Self::Approximate,
            (Self::Exact, Self::Exact) => Self::Exact,
        }
    }
}

/// What of sites a token's bearer sees, where its scope shows sites.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sight {
    /// Of their contacts and notes.
    pub contacts: Contacts,
    /// Of where they are.
    pub positions: Positions,
    /// Which of them; `None` for all of the account.
    pub assigned: Option<Assignment>,
}

impl Sight {
    /// Whether nothing of a site that is seen is left out.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self.contacts.are_masked() && self.positions.are_exact()
    }
}

impl From<Contacts> for Sight {
    fn from(contacts: Contacts) -> Self {
        Self { contacts, ..Self::default() }
    }
}

impl From<Positions> for Sight {
    fn from(positions: Positions) -> Self {
        Self { positions, ..Self::default() }
    }
}

/// A token as it is kept: never the secret, only its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its public id.
    pub id: TokenId,
    /// SHA-256 of the secret.
    pub secret_hash: [u8; 32],
    /// What it is for, for people.
    pub display_name: String,
    /// What it may do.
    pub scope: Scope,
    /// The account that it is good in; `None` for the operator's own.
    pub account: Option<AccountId>,
    /// The site and agent of a [`Scope::Agent`] token.
    pub agent: Option<(SiteId, AgentId)>,
    /// When it was made.
    #[serde(with = "instant")]
    pub created_at: Timestamp,
    /// When it ends; `None` for never.
    #[serde(default, with = "instant::optional")]
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    #[serde(default, with = "instant::optional")]
    pub revoked_at: Option<Timestamp>,
    /// Whether its bearer reads contacts. Tokens that were made before there was a choice do.
    #[serde(default)]
    pub contacts: Contacts,
    /// Its last rotation; `None` while its secret is the first one.
    #[serde(default)]
    pub rotation: Option<Rotation>,
    /// By which certificate its bearer is known, where they have no secret: nobody has what `secret_hash` is of.
    #[serde(default)]
    pub certificate: Option<Binding>,
    /// How exactly its bearer is shown where sites are. Tokens that were made before there was a choice see all.
    #[serde(default)]
    pub positions: Positions,
    /// Which sites a [`Scope::Field`] token is good for; `None` for every other scope.
    #[serde(default)]
    pub assigned: Option<Assignment>,
}

/// The last time that a token got a new secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    /// How many there were, this one included: a secret is known by the number of those before it.
    pub number: u32,
    /// SHA-256 of the secret before the present one.
    pub previous_hash: [u8; 32],
    /// When that one ends, or ended.
    #[serde(with = "instant")]
    pub previous_ends_at: Timestamp,
}

impl Token {
    /// The number of its present secret: 0 for the first one.
    #[must_use]
    pub fn secret_number(&self) -> u32 {
        self.rotation.as_ref().map_or(0, |rotation| rotation.number)
    }

    /// Whether the secret of this number is the present one, or the one before while it is good.
    #[must_use]
    pub fn is_secret_good(&self, number: u32, now: Timestamp) -> bool {
        let is_previous =
            |rotation: &Rotation| number.checked_add(1) == Some(rotation.number) && now < rotation.previous_ends_at;
        number == self.secret_number() || self.rotation.as_ref().is_some_and(is_previous)
    }
}

/// Somebody for whom an identity provider vouches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The provider, as its tokens name it.
    pub issuer: Arc<str>,
    /// Who it is, as the provider knows them.
    pub subject: Arc<str>,
    /// When the token ends that they came with.
    pub expires_at: Timestamp,
}

impl Identity {
    /// Who it is, in the audit log and in histories: `issuer|subject`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}|{}", self.issuer, self.subject)
    }
}

/// By what somebody sees sites of another account than their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guest {
    /// Their own account, in which their token is kept.
    pub home: AccountId,
    /// The share.
    pub share: ShareId,
}

/// Who asks: made from a token that was good at that moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The token behind it; of an identity a number that is made of its name, under which no token is kept.
    pub token: TokenId,
    /// What it may do.
    pub scope: Scope,
    /// Where it may do it; `None` for everywhere.
    pub account: Option<AccountId>,
    /// The site and agent of an agent.
    pub agent: Option<(SiteId, AgentId)>,
    /// Whether it reads contacts.
    pub contacts: Contacts,
    /// How exactly it is shown where sites are.
    pub positions: Positions,
    /// Which sites there are for it; `None` for all of its account.
    pub assigned: Option<Assignment>,
    /// The number of the token's secret that it came with: what it began ends with that secret.
    pub secret_number: u32,
    /// Who vouches for it, and for whom, where that is not waymark itself.
    pub identity: Option<Arc<Identity>>,
    /// By which share it is in `account`, where that is not its own. Then `assigned` are the sites of the share.
    pub guest: Option<Guest>,
}

impl Principal {
    /// The account in which its token is kept; `None` for the operator's own.
    #[must_use]
    pub fn home(&self) -> Option<&AccountId> {
        self.guest.as_ref().map_or(self.account.as_ref(), |guest| Some(&guest.home))
    }

    /// The same in its own account. What a share left of its sight is not given back.
    #[must_use]
    pub fn at_home(&self) -> Self {
        match &self.guest {
            None => self.clone(),
            Some(guest) => Self { account: Some(guest.home.clone()), assigned: None, guest: None, ..self.clone() },
        }
    }

    /// The principal's name in histories: `agent:fw-17`, `token:0123456789abcdef` or `identity:https://id.example.com|anna`.
    #[must_use]
    pub fn actor(&self) -> String {
        match (&self.agent, &self.identity) {
            (Some((_, agent)), _) => format!("agent:{agent}"),
            (None, Some(identity)) => format!("identity:{}", identity.name()),
            (None, None) => format!("token:{}", self.token),
        }
    }

    /// What of sites it sees.
    #[must_use]
    pub fn sight(&self) -> Sight {
        Sight { contacts: self.contacts, positions: self.positions, assigned: self.assigned.clone() }
    }

    /// Whether it may see anything at all of `account`.
    #[must_use]
    pub fn belongs_to(&self, account: &AccountId) -> bool {
        self.account.as_ref().is_none_or(|own| own == account)
    }
}
