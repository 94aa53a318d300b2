//! What an operator configures of a provider's roles: what their bearers may do here, and what of sites they see.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::access::{Contacts, Positions, Scope};
use crate::model::assignment::Assignment;

/// What a provider's role may do.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AuthRole")]
pub struct RoleMapping {
    /// The role, as the provider calls it, to the letter.
    pub value: String,
    /// What its bearers may do.
    pub role: Role,
    /// Whether contacts and notes are masked for them.
    #[serde(default)]
    pub mask_contacts: bool,
    /// How exactly they are shown where sites are: what is not exact is for viewers alone. A wallboard's are approximate.
    #[serde(default)]
    pub positions: Precision,
    /// Which sites there are for them, by their labels, such as `labels.team = "north"`: required for the role field, and for no other.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub assigned: Option<Assignment>,
}

/// How exactly bearers of a role are shown where sites are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "AuthPositions")]
pub enum Precision {
    /// As it is.
    #[default]
    Exact,
    /// To about a kilometre, without addresses.
    Approximate,
    /// Not at all.
    Hidden,
}

/// What bearers of a role may do: a scope of their account, or everything everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "AuthScope")]
pub enum Role {
    /// Everything in the account.
    Admin,
    /// Read and change sites.
    Editor,
    /// Read sites.
    Viewer,
    /// Let agents in.
    Enrollment,
    /// Read and change sites, and report for agents.
    Service,
    /// A screen that anybody may see: how many sites there are, of which status and about where. It never reads contacts.
    Wallboard,
    /// Read the sites that are assigned, and change where they are, their contacts and notes.
    Field,
    /// Everything in every account, as the operator's own token. No account is asked for.
    Operator,
}

impl RoleMapping {
    /// What its bearers may do, in their account or, of the operator's role, everywhere.
    pub(super) fn scope(&self) -> Scope {
        match self.role {
            Role::Admin | Role::Operator => Scope::Admin,
            Role::Editor => Scope::Editor,
            Role::Viewer => Scope::Viewer,
            Role::Enrollment => Scope::Enrollment,
            Role::Service => Scope::Service,
            Role::Wallboard => Scope::Wallboard,
            Role::Field => Scope::Field,
        }
    }

    /// Whether they read contacts; a wallboard never does.
    pub(super) fn contacts(&self) -> Contacts {
        if self.mask_contacts || self.role == Role::Wallboard { Contacts::Masked } else { Contacts::Read }
    }

    /// How exactly they are shown where sites are.
    pub(super) fn positions(&self) -> Positions {
        match self.positions {
            _ if self.role == Role::Wallboard => Positions::Approximate,
            Precision::Exact => Positions::Exact,
            Precision::Approximate => Positions::Approximate,
            Precision::Hidden => Positions::Hidden,
        }
    }

    /// Whether it says which sites there are for its bearers, if it is of those that have to.
    pub(super) fn says_whose_sites(&self) -> bool {
        self.assigned.is_some() == (self.role == Role::Field)
    }

    /// Whether it leaves something of where sites are out for those who act on it.
    pub(super) fn blinds_who_acts(&self) -> bool {
        self.positions != Precision::Exact && self.role != Role::Viewer
    }
}
