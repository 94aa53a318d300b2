//! The history of a site: one entry for each write that makes a difference to people, with who, when, why, and what was
//! there before and after.
//!
//! An entry holds what it changed, and nothing else, so an account of any age costs what was done in it. What a site was
//! made with is in no entry: it is what the later ones changed from, or what the site still has.
//!
//! Entries hold personal data (contacts, notes, addresses, public IP addresses, names of devices) for as long as the site's record stands;
//! `forget_history` of the service takes all of a site's entries away, and whoever erases a person begins there. What the
//! terms of a geocoder's provider do not allow to be kept for good never gets in (see [`PastFix`]).

mod access;
mod devices;
mod diff;
mod field;
mod merge;
mod past;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::access::{Principal, Scope};
use super::id::{AgentId, TokenId};

pub use access::diff_access;
pub use devices::diff_devices;
pub use diff::{diff, replaced_text};
pub use field::{Field, LinkId};
pub use merge::{Merged, TURNS_TOGETHER};
pub use past::{Origin, PastFix, PastText, Value};

/// Who made a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Actor {
    /// The bearer of a token.
    Token {
        /// The token.
        id: TokenId,
        /// What it could do then.
        scope: Scope,
    },
    /// Somebody for whom an identity provider vouches.
    Identity {
        /// Who: `issuer|subject`.
        name: String,
        /// What they could do then.
        scope: Scope,
    },
    /// An agent, for its own site.
    Agent {
        /// The agent.
        id: AgentId,
    },
    /// waymark itself.
    System,
}

impl From<&Principal> for Actor {
    fn from(principal: &Principal) -> Self {
        match (&principal.agent, &principal.identity) {
            (Some((_, agent)), _) => Self::Agent { id: agent.clone() },
            (None, Some(identity)) => Self::Identity { name: identity.name(), scope: principal.scope },
            (None, None) => Self::Token { id: principal.token, scope: principal.scope },
        }
    }
}

/// Why a change was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Somebody made the site.
    Created,
    /// Somebody changed its record.
    Updated,
    /// Somebody deleted it.
    Deleted,
    /// Somebody brought it back.
    Undeleted,
    /// Its agent activated, for the first time or again.
    Activated,
    /// Another agent, or the same with a new key, took it over.
    TakenOver,
    /// The agent of a deleted site went to another one.
    AgentLeft,
    /// Somebody consented that an agent takes it over.
    ReplacementAllowed,
    /// Somebody took that consent back.
    ReplacementCancelled,
    /// It was reported to be up or down, to come from elsewhere, or to have other devices.
    Reported,
    /// Somebody stated its address.
    AddressStated,
    /// Somebody chose among candidates.
    CandidateApplied,
    /// Somebody dropped a pin.
    PinDropped,
    /// Somebody gave its position back to the machines.
    LocationReset,
    /// Somebody removed a fix.
    FixDeleted,
    /// A geocoder answered to an address that had waited.
    AddressAnswered,
    /// A geocoder was asked again for an answer whose terms end.
    AddressRenewed,
    /// An answer was dropped because its terms ended.
    AddressExpired,
    /// A re-estimation asked again where its address is.
    Reestimated {
        /// The run's id.
        run: String,
    },
    /// Somebody said that a reason for attention is none.
    AttentionDismissed,
    /// Somebody took that back.
    AttentionRestored,
    /// Somebody set up or changed the resident's access, or took it away.
    ResidentAccessChanged,
    /// Somebody invited the resident, for the first time or again.
    ResidentInvited,
    /// Somebody took invitation or access back.
    ResidentAccessRevoked,
    /// The resident accepted.
    InvitationRedeemed,
    /// A check of ticketing links came to another state than the one before.
    TicketingChecked,
    /// Somebody put back what had been before another change.
    Restored {
        /// The number of that change.
        change: u32,
    },
}

/// One value that a change replaced.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Edit {
    /// Where it stood.
    pub field: Field,
    /// What was there; `None` for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    /// What is there since; `None` for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Value>,
}

/// An entry of a site's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Its number: the entries of a site are numbered from 1 on, without a gap.
    pub number: u32,
    /// When it was made.
    pub made_at: Timestamp,
    /// Who made it.
    pub actor: Actor,
    /// Why.
    pub cause: Cause,
    /// What it replaced, each field at most once; empty for the entry of a site that was made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<Edit>,
    /// Where it is several reports in one: how many, and since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged: Option<Merged>,
}

/// Most bytes that an entry takes in a message beside its edits: the names of site, change and token, and what the account
/// calls the token; or the name of an identity, which is longer than both.
const OTHER_BYTES: usize = 1_024;
/// Most bytes that an edit takes beside the path of its field and its values: what tells parts of a message apart.
const EDIT_BYTES: usize = 32;

impl Change {
    /// How many bytes the entry takes in a message, or somewhat more: what pages are cut by.
    #[must_use]
    pub fn weight(&self) -> usize {
        let of = |edit: &Edit| {
            let values = [&edit.from, &edit.to].into_iter().flatten().map(Value::weight);
            EDIT_BYTES + edit.field.to_string().len() + values.sum::<usize>()
        };
        OTHER_BYTES + self.edits.iter().map(of).sum::<usize>()
    }

    /// Whether the former value of one of its fields is a person's word, as far as the entry tells. The status that a
    /// report replaced is put back by the next report, and what a check found by the next check.
    #[must_use]
    pub fn can_restore(&self, edit: &Edit) -> bool {
        let is_reported = edit.field == Field::Status && self.cause.is_by_agent();
        let is_machines = is_reported || self.cause == Cause::TicketingChecked;
        !is_machines && edit.field.is_restorable()
    }
}

#[cfg(test)]
mod tests;
