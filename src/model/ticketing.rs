//! Ticketing systems (PSA) that waymark knows, the ids that they give, and what is known of the far end of a link.
//!
//! Any other system may be named freely. Knows nothing of how a system is asked.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::site::TicketingLink;
use super::text::{fold, shown};
use super::{Invalid, text};

/// A system whose ids are known, and which can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum System {
    /// `ConnectWise` Manage, also called `ConnectWise` PSA.
    ConnectWise,
    /// Datto Autotask PSA.
    Autotask,
    /// Syncro.
    Syncro,
    /// Zendesk Support.
    Zendesk,
    /// Freshservice.
    Freshservice,
    /// Freshdesk.
    Freshdesk,
}

/// The ids of a system: whole numbers in decimal digits, without sign or leading zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdFormat {
    /// Smallest id.
    pub min: u64,
    /// Largest id.
    pub max: u64,
}

/// One part of what a connection needs to be let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CredentialField {
    /// Its name in `credentials`.
    pub name: &'static str,
    /// Where a person finds it.
    pub about: &'static str,
}

/// What is known of a system beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Its name in links.
    pub name: &'static str,
    /// What people call it.
    pub display_name: &'static str,
    /// What it calls an organisation.
    pub organization_term: &'static str,
    /// What it calls a site; `None` where organisations have none that could be named.
    pub site_term: Option<&'static str>,
    /// Ids of organisations.
    pub organization_id: IdFormat,
    /// Ids of sites.
    pub site_id: IdFormat,
    /// What a base URL looks like.
    pub base_url_example: &'static str,
    /// What a connection needs.
    pub credentials: &'static [CredentialField],
}

/// Ids that the system keeps in 32 bits, signed.
const ID_32: IdFormat = IdFormat { min: 1, max: i32::MAX as u64 };
/// Ids that it keeps in 64 bits, signed.
const ID_64: IdFormat = IdFormat { min: 1, max: i64::MAX as u64 };

const fn field(name: &'static str, about: &'static str) -> CredentialField {
    CredentialField { name, about }
}

const CONNECTWISE: Facts = Facts {
    name: "connectwise",
    display_name: "ConnectWise Manage",
    organization_term: "company",
    site_term: Some("site"),
    organization_id: ID_32,
    site_id: ID_32,
    base_url_example: "https://api-na.myconnectwise.net/v4_6_release/apis/3.0",
    credentials: &[
        field("company", "the company that people log in with"),
        field("public_key", "of an API member"),
        field("private_key", "of an API member"),
        field("client_id", "of the integration, from developer.connectwise.com"),
    ],
};
const AUTOTASK: Facts = Facts {
    name: "autotask",
    display_name: "Datto Autotask",
    organization_term: "company",
    site_term: Some("location"),
    // The company 0 is the one that Autotask is run by.
    organization_id: IdFormat { min: 0, max: i64::MAX as u64 },
    site_id: ID_64,
    base_url_example: "https://webservices.autotask.net/atservicesrest",
    credentials: &[
        field("user_name", "of an API user"),
        field("secret", "of an API user"),
        field("integration_code", "the API tracking identifier of the API user"),
    ],
};
const SYNCRO: Facts = Facts {
    name: "syncro",
    display_name: "Syncro",
    organization_term: "customer",
    site_term: None,
    organization_id: ID_64,
    site_id: ID_64,
    base_url_example: "https://example.syncromsp.com/api/v1",
    credentials: &[field("api_token", "from Admin, API Tokens; it may see customers")],
};
const ZENDESK: Facts = Facts {
    name: "zendesk",
    display_name: "Zendesk",
    organization_term: "organization",
    site_term: None,
    organization_id: ID_64,
    site_id: ID_64,
    base_url_example: "https://example.zendesk.com",
    credentials: &[field("email", "of an agent"), field("api_token", "from Admin Center, Apps and integrations")],
};
const FRESHSERVICE: Facts = Facts {
    name: "freshservice",
    display_name: "Freshservice",
    organization_term: "department (in MSP mode: company)",
    site_term: Some("location"),
    organization_id: ID_64,
    site_id: ID_64,
    base_url_example: "https://example.freshservice.com",
    credentials: &[field("api_key", "from the profile settings of an agent")],
};
const FRESHDESK: Facts = Facts {
    name: "freshdesk",
    display_name: "Freshdesk",
    organization_term: "company",
    site_term: None,
    organization_id: ID_64,
    site_id: ID_64,
    base_url_example: "https://example.freshdesk.com",
    credentials: &[field("api_key", "from the profile settings of an agent")],
};

impl System {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::ConnectWise, Self::Autotask, Self::Syncro, Self::Zendesk, Self::Freshservice, Self::Freshdesk];

    /// What is known of it beforehand.
    #[must_use]
    pub fn facts(self) -> &'static Facts {
        match self {
            Self::ConnectWise => &CONNECTWISE,
            Self::Autotask => &AUTOTASK,
            Self::Syncro => &SYNCRO,
            Self::Zendesk => &ZENDESK,
            Self::Freshservice => &FRESHSERVICE,
            Self::Freshdesk => &FRESHDESK,
        }
    }

    /// The system of this name or display name, without regard to case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let name = fold(name);
        Self::ALL.into_iter().find(|system| {
            let facts = system.facts();
            name == facts.name || name == fold(facts.display_name)
        })
    }
}

impl IdFormat {
    /// Whether the text is such an id, written in the one way in which it can be.
    #[must_use]
    pub fn fits(self, id: &str) -> bool {
        let is_plain = id == "0" || (id.bytes().all(|byte| byte.is_ascii_digit()) && !id.starts_with('0'));
        is_plain && id.parse::<u64>().is_ok_and(|number| (self.min..=self.max).contains(&number))
    }

    /// What such an id is, for people.
    #[must_use]
    pub fn about(self) -> String {
        format!("a whole number from {} to {}", self.min, self.max)
    }
}

/// The name by which links keep a system: that of a known one, or the text in small letters.
#[must_use]
pub fn system_name(text: &str) -> String {
    System::parse(text).map_or_else(|| text.to_lowercase(), |system| system.facts().name.to_owned())
}

/// Refuses ids that the link's system does not give. Those of systems that are not known are free texts.
pub fn check_ids(link: &TicketingLink) -> Result<(), Invalid> {
    let Some(system) = System::parse(&link.system) else { return Ok(()) };
    let facts = system.facts();
    if !facts.organization_id.fits(&link.organization_id) {
        let (name, term) = (facts.display_name, facts.organization_term);
        let (about, got) = (facts.organization_id.about(), shown(&link.organization_id));
        return Err(Invalid::new("organization_id", format!("the id of a {name} {term} is {about}, got {got}")));
    }
    let got = shown(&link.external_site_id);
    match facts.site_term {
        _ if link.external_site_id.is_empty() => Ok(()),
        None => {
            let why = format!("a {} {} has no sites: leave it empty", facts.display_name, facts.organization_term);
            Err(Invalid::new("external_site_id", why))
        }
        Some(_) if facts.site_id.fits(&link.external_site_id) => Ok(()),
        Some(term) => {
            let (name, about) = (facts.display_name, facts.site_id.about());
            Err(Invalid::new("external_site_id", format!("the id of a {name} {term} is {about}, or empty, got {got}")))
        }
    }
}

/// What is known of the far end of a link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// Linked by hand, and never checked.
    #[default]
    Unverified,
    /// Found, under the names that the link has.
    Verified,
    /// Found, the organisation or the site under another name.
    Drifted,
    /// Gone.
    Broken,
}

/// What the last check of a link found. Machines write it; it is no part of what people say of a site.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LinkCheck {
    /// What it came to.
    pub state: LinkState,
    /// When it was made; `None` for never.
    pub checked_at: Option<Timestamp>,
    /// Since when checks come to this state.
    pub since: Option<Timestamp>,
    /// The name of the organisation there; empty where it is gone.
    pub organization_name: String,
    /// The name of the site there; empty where it is gone, or none is named.
    pub site_name: String,
}

/// What a system says of the far end of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FarEnd {
    /// There is no such organisation.
    Gone,
    /// The organisation is there, and its site is not.
    SiteGone {
        /// The organisation's name.
        organization: String,
    },
    /// All that the link names is there.
    Found {
        /// The organisation's name.
        organization: String,
        /// The site's name; empty where the link names none.
        site: String,
    },
}

impl TicketingLink {
    /// Whether both links are to the same far end under the same names: then what a check found of one holds of the other.
    #[must_use]
    pub fn is_of_same_end(&self, other: &Self) -> bool {
        self.system == other.system
            && self.organization_id == other.organization_id
            && self.organization_name == other.organization_name
            && self.external_site_id == other.external_site_id
            && self.external_site_name == other.external_site_name
    }

    /// What a check that found this comes to. A name, of the organisation or of the site, differs where it differs by more than
    /// case, width and spaces; a link without one agrees with any.
    #[must_use]
    pub fn judged(&self, found: &FarEnd, now: Timestamp) -> LinkCheck {
        let (state, organization_name, site_name) = match found {
            FarEnd::Gone => (LinkState::Broken, "", ""),
            FarEnd::SiteGone { organization } => (LinkState::Broken, organization.as_str(), ""),
            FarEnd::Found { organization, site } => {
                let is_called = |stated: &str, found: &str| stated.is_empty() || fold(stated) == fold(found);
                let agrees =
                    is_called(&self.organization_name, organization) && is_called(&self.external_site_name, site);
                (if agrees { LinkState::Verified } else { LinkState::Drifted }, organization.as_str(), site.as_str())
            }
        };
        let since = if self.check.state == state { self.check.since } else { None };
        LinkCheck {
            state,
            checked_at: Some(now),
            since: since.or(Some(now)),
            organization_name: organization_name.to_owned(),
            site_name: site_name.to_owned(),
        }
    }
}

/// Gives links that people set what is known of the same far ends already. A link to another id, of another system or by
/// another name begins unverified.
pub fn keep_checks(before: &[TicketingLink], after: &mut [TicketingLink]) {
    for link in after {
        link.check = before
            .iter()
            .find(|known| known.is_of_same_end(link))
            .map_or_else(Default::default, |known| known.check.clone());
    }
}

/// A name as a system tells it, made fit to be kept: one line, without control characters, cut at a limit.
#[must_use]
pub fn told_name(raw: &str) -> String {
    let plain: String = raw.chars().map(|c| if text::is_forbidden(c) { ' ' } else { c }).collect();
    let mut name = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    let end = (0..=text::LINE_BYTES_MAX.min(name.len())).rev().find(|at| name.is_char_boundary(*at)).unwrap_or(0);
    name.truncate(end);
    name
}

#[cfg(test)]
mod tests;
