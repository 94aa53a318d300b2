//! The site record: everything that waymark knows of one network and its owner.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::access::MASK;
use super::address::CountryCode;
use super::attention::Dismissal;
use super::device::DevicePosition;
use super::evidence::NetworkFacts;
use super::id::{AccountId, AgentId, SiteId};
use super::location::{Fixes, NoEstimate};
use super::phone::{PHONES_MAX, Phone};
use super::site_address::SiteAddress;
use super::ticketing::{LinkCheck, check_ids, system_name};
use super::uplink::Uplinks;
use super::{Invalid, retention, text};

/// Most labels of one site.
pub const LABELS_MAX: usize = 64;
/// Most ticketing links of one site.
pub const TICKETING_LINKS_MAX: usize = 32;
/// Longest label key, in bytes: as in Kubernetes.
pub const LABEL_KEY_BYTES_MAX: usize = 63;
/// What is wrong with a key that is none.
pub(super) const LABEL_KEY_RULE: &str = "a label's key is 1 to 63 of a-z, 0-9, '.', '_', '/' and '-'";
/// Longest e-mail address, in bytes (RFC 5321, 4.5.3.1.3).
const EMAIL_BYTES_MAX: usize = 254;
/// Longest link, in bytes: what browsers and proxies carry without trouble.
const URI_BYTES_MAX: usize = 2_048;

/// Whether the site can be reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nothing is known.
    #[default]
    Unknown,
    /// It reports.
    Online,
    /// It does not report.
    Offline,
    /// Somebody works on it; nobody shall be alarmed.
    Maintenance,
}

impl Status {
    /// All statuses, in the order of their discriminants.
    pub const ALL: [Self; 4] = [Self::Unknown, Self::Online, Self::Offline, Self::Maintenance];
}

/// The person responsible for a site; every part may be empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Contact {
    /// E-mail address.
    pub email: String,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Phone numbers, most important first.
    pub phones: Vec<Phone>,
}

/// A tie to a customer in a ticketing system (PSA), by that system's stable ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketingLink {
    /// The system: one of the known names (`connectwise`, `autotask`, …) or any other.
    pub system: String,
    /// Id of the customer or organisation there.
    pub organization_id: String,
    /// Its display name there.
    pub organization_name: String,
    /// Id of the site or location there; may be empty.
    pub external_site_id: String,
    /// Its display name there; empty where it is not stated.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub external_site_name: String,
    /// Web page of the far end; `http`/`https`, may be empty.
    pub uri: String,
    /// What the last check of it found.
    #[serde(default, skip_serializing_if = "is_default")]
    pub check: LinkCheck,
}

/// The consent of an account that another agent, or the same one with a new key, takes a site over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replacement {
    /// The agent.
    pub agent: AgentId,
    /// When the consent ends.
    pub until: Timestamp,
}

/// A site.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Site {
    /// Its id.
    pub id: SiteId,
    /// The account that it belongs to.
    pub account: AccountId,
    /// Its name, unique in the account by [`text::fold`].
    pub display_name: String,
    /// The agent that stands on it.
    pub agent: Option<AgentId>,
    /// The person responsible.
    pub contact: Contact,
    /// The customer's id or reference.
    pub customer_id: String,
    /// The contract's id.
    pub contract_id: String,
    /// Free text.
    pub note: String,
    /// Labels, by key.
    pub labels: BTreeMap<String, String>,
    /// Ties to ticketing systems.
    pub ticketing_links: Vec<TicketingLink>,
    /// Whether it can be reached.
    pub status: Status,
    /// When its agent first activated.
    pub activated_at: Option<Timestamp>,
    /// When its agent was last heard of.
    pub last_seen_at: Option<Timestamp>,
    /// The public address that its agent comes from.
    pub public_ip: Option<IpAddr>,
    /// What is left of a public address that was not seen for long; `None` beside `public_ip`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_network: Option<IpNet>,
    /// The address by which the agent knows itself: a note, never evidence.
    pub claimed_ip: Option<IpAddr>,
    /// What databases say of the network of the public address.
    #[serde(default, skip_serializing_if = "is_default")]
    pub network: NetworkFacts,
    /// Where its calls come from, and which address the estimate is of.
    #[serde(default, skip_serializing_if = "is_default")]
    pub uplinks: Uplinks,
    /// The agent that may take the site over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replacement: Option<Replacement>,
    /// What sources say of its position.
    pub fixes: Fixes,
    /// Why there is no GeoIP fix, where there is none.
    pub no_estimate: Option<NoEstimate>,
    /// The address whose estimate a person removed, as a network of one, or the network that is left of it: it makes none
    /// again.
    #[serde(default, deserialize_with = "retention::network_or_address")]
    pub estimate_removed_for: Option<IpNet>,
    /// The device's position that a person removed: the device says the same in vain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_removed: Option<DevicePosition>,
    /// The address that a person stated.
    pub address: Option<SiteAddress>,
    /// What persons said needs no attention, one a reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dismissals: Vec<Dismissal>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When it was deleted; a deleted site can be restored.
    pub deleted_at: Option<Timestamp>,
    /// Entries that its history has: the number of the last one. Those of a record of before there were histories begin
    /// with its next change.
    #[serde(default, skip_serializing_if = "is_default")]
    pub changes: u32,
    /// The number of the last entry of its history in which addresses were cut, or looked for.
    #[serde(default, skip_serializing_if = "is_default")]
    pub changes_cut: u32,
}

/// About how many bytes a site takes beside its long texts.
const OTHER_BYTES: usize = 2 * 1024;

impl Site {
    /// About how many bytes the site takes, in memory and in a message: what pages are cut by.
    #[must_use]
    pub fn weight(&self) -> usize {
        let labels: usize = self.labels.iter().map(|(key, value)| key.len() + value.len()).sum();
        let link = |link: &TicketingLink| {
            let names = link.organization_name.len() + link.external_site_name.len();
            let ids = link.system.len() + link.organization_id.len() + link.external_site_id.len();
            names + ids + link.uri.len()
        };
        let links: usize = self.ticketing_links.iter().map(link).sum();
        // The name of an identity has up to half a kilobyte, and stands in each.
        let made = self.fixes.iter().map(|fix| fix.made_by.len());
        let stated = self.address.iter().map(|address| address.stated_by.len());
        let dismissed = self.dismissals.iter().map(|dismissal| dismissal.by.len());
        OTHER_BYTES + self.note.len() + labels + links + made.chain(stated).chain(dismissed).sum::<usize>()
    }

    /// The addresses that the record holds beside the public and the claimed one, each once.
    #[must_use]
    pub fn other_ips(&self) -> Vec<IpAddr> {
        let home = self.uplinks.home.map(|home| home.ip);
        let left = self.uplinks.away.and_then(|away| away.left);
        let mut others = Vec::new();
        let removed = self.estimate_removed_for.filter(|of| of.prefix_len() == of.max_prefix_len()).map(|of| of.addr());
        for ip in [self.uplinks.last, home, left, removed].into_iter().flatten() {
            if Some(ip) != self.public_ip && Some(ip) != self.claimed_ip && !others.contains(&ip) {
                others.push(ip);
            }
        }
        others
    }

    /// A new site with a name and nothing else.
    #[must_use]
    pub fn new(account: AccountId, display_name: String, now: Timestamp) -> Self {
        Self {
            id: SiteId::generate(),
            account,
            display_name,
            agent: None,
            contact: Contact::default(),
            customer_id: String::new(),
            contract_id: String::new(),
            note: String::new(),
            labels: BTreeMap::new(),
            ticketing_links: Vec::new(),
            status: Status::Unknown,
            activated_at: None,
            last_seen_at: None,
            public_ip: None,
            public_network: None,
            claimed_ip: None,
            network: NetworkFacts::default(),
            uplinks: Uplinks::default(),
            replacement: None,
            fixes: Fixes::default(),
            no_estimate: None,
            estimate_removed_for: None,
            device_removed: None,
            address: None,
            dismissals: Vec::new(),
            created_at: now,
            updated_at: now,
            deleted_at: None,
            changes: 0,
            changes_cut: 0,
        }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Contact {
    /// The contact with every field checked; a phone number without `+` is one of `region`.
    pub fn checked(self, region: Option<CountryCode>) -> Result<Self, Invalid> {
        let email = text::line("email", &self.email, EMAIL_BYTES_MAX)?;
        if !email.is_empty() && !is_email(&email) {
            return Err(Invalid::new("email", "an e-mail address has the form name@domain"));
        }
        if self.phones.len() > PHONES_MAX {
            return Err(Invalid::new("phones", format!("at most {PHONES_MAX}, got {}", self.phones.len())));
        }
        let name = |field: &str, value: &str| match text::line(field, value, text::LINE_BYTES_MAX)? {
            mask if mask == MASK => Err(Invalid::new(field, "it is masked: say the name, or leave it as it is")),
            name => Ok(name),
        };
        let check = |(index, phone): (usize, Phone)| {
            phone.checked(region).map_err(|fault| fault.within(&format!("phones[{index}]")))
        };
        Ok(Self {
            email,
            first_name: name("first_name", &self.first_name)?,
            last_name: name("last_name", &self.last_name)?,
            phones: self.phones.into_iter().enumerate().map(check).collect::<Result<_, _>>()?,
        })
    }
}

impl TicketingLink {
    /// The link with every field checked.
    pub fn checked(self) -> Result<Self, Invalid> {
        let line = |field: &str, value: &str| text::line(field, value, text::LINE_BYTES_MAX);
        let uri = text::line("uri", &self.uri, URI_BYTES_MAX)?;
        if !(uri.is_empty() || uri.starts_with("https://") || uri.starts_with("http://")) {
            return Err(Invalid::new("uri", "a link begins with https:// or http://"));
        }
        let link = Self {
            system: system_name(&line("system", &self.system)?),
            organization_id: line("organization_id", &self.organization_id)?,
            organization_name: line("organization_name", &self.organization_name)?,
            external_site_id: line("external_site_id", &self.external_site_id)?,
            external_site_name: line("external_site_name", &self.external_site_name)?,
            uri,
            check: self.check,
        };
        for (field, value) in [("system", &link.system), ("organization_id", &link.organization_id)] {
            if value.is_empty() {
                return Err(Invalid::new(field, "a ticketing link names its system and its organization_id"));
            }
        }
        if link.external_site_id.is_empty() && !link.external_site_name.is_empty() {
            return Err(Invalid::new("external_site_name", "the name of a site stands beside its external_site_id"));
        }
        check_ids(&link)?;
        Ok(link)
    }
}

/// Labels with every key and value checked.
pub fn checked_labels(labels: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Invalid> {
    if labels.len() > LABELS_MAX {
        return Err(Invalid::new("labels", format!("at most {LABELS_MAX}, got {}", labels.len())));
    }
    for (key, value) in &labels {
        if !is_label_key(key) {
            return Err(Invalid::new("labels", LABEL_KEY_RULE));
        }
        text::line("labels", value, text::LINE_BYTES_MAX)?;
    }
    Ok(labels)
}

/// Whether a text is as [`LABEL_KEY_RULE`] says.
pub(super) fn is_label_key(key: &str) -> bool {
    let allowed = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._/-".contains(b);
    (1..=LABEL_KEY_BYTES_MAX).contains(&key.len()) && key.as_bytes().iter().all(allowed)
}

/// Whether the text has the shape of an address that mail can be sent to; the mail server has the last word.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let clean =
        |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || "<>,;:\"()[]\\".contains(c));
    clean(local) && clean(domain) && !local.contains('@') && !domain.starts_with('.') && !domain.ends_with('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contacts_are_checked_field_by_field() {
        let contact = |email: &str, number: &str| Contact {
            email: email.into(),
            phones: vec![Phone { number: number.into(), ..Phone::default() }],
            ..Contact::default()
        };
        assert!(contact("anna@example.is", "+3545551234").checked(None).is_ok());
        for email in ["anna", "a b@example.is", "@example.is", "a@", "a@b@c", "a@x\r\nBcc: y@z"] {
            assert_eq!(contact(email, "+3545551234").checked(None).unwrap_err().field, "email", "{email}");
        }
        for number in ["5551234", "+0545551234", "+354 55", "+1", ""] {
            assert_eq!(contact("", number).checked(None).unwrap_err().field, "phones[0].number", "{number}");
        }
        assert!(contact("", "5551234").checked(CountryCode::parse("IS")).is_ok());
    }

    #[test]
    fn labels_and_links_are_checked() {
        assert!(checked_labels(BTreeMap::from([("region/eu".into(), "north".into())])).is_ok());
        assert!(checked_labels(BTreeMap::from([("Region".into(), "north".into())])).is_err());
        let link = TicketingLink {
            system: "Autotask".into(),
            organization_id: "17".into(),
            organization_name: "Acme".into(),
            external_site_id: String::new(),
            external_site_name: String::new(),
            uri: "javascript:alert(1)".into(),
            check: LinkCheck::default(),
        };
        assert_eq!(link.clone().checked().unwrap_err().field, "uri");
        let link = TicketingLink { uri: String::new(), ..link };
        assert_eq!(link.clone().checked().unwrap().system, "autotask");
        let named = |id: &str, name: &str| {
            let (external_site_id, external_site_name) = (id.to_owned(), name.to_owned());
            TicketingLink { external_site_id, external_site_name, ..link.clone() }.checked()
        };
        assert_eq!(named("22", "Warehouse").unwrap().external_site_name, "Warehouse");
        let long = "é".repeat(129);
        for (id, name) in [("", "Warehouse"), ("22", "Ware\nhouse"), ("22", long.as_str())] {
            assert_eq!(named(id, name).unwrap_err().field, "external_site_name", "{id} {name}");
        }
    }

    /// Links of before have no name of the site there, and one without is written, and so hashed, as they were.
    #[test]
    fn links_of_before_are_read() {
        let before = concat!(
            r#"{"system":"autotask","organization_id":"17","organization_name":"Acme","#,
            r#""external_site_id":"22","uri":""}"#,
        );
        let read: TicketingLink = serde_json::from_str(before).unwrap();
        assert_eq!(read.external_site_name, "");
        assert_eq!(serde_json::to_string(&read).unwrap(), before);
    }
}
