//! The fields of a site as its history names them: the paths of the API, and whether a former value can be put back.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::model::attention::AttentionReason;
use crate::model::location::Source;
use crate::model::site::TicketingLink;

/// What tells the ticketing links of one site apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkId {
    /// The system.
    pub system: String,
    /// Id of the customer or organisation there.
    pub organization_id: String,
    /// Id of the site there; may be empty.
    pub external_site_id: String,
}

impl From<&TicketingLink> for LinkId {
    fn from(link: &TicketingLink) -> Self {
        Self {
            system: link.system.clone(),
            organization_id: link.organization_id.clone(),
            external_site_id: link.external_site_id.clone(),
        }
    }
}

/// A field of a site. Its text is its path in the API; records hold it too.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Field {
    /// The name.
    DisplayName,
    /// Whether it can be reached.
    Status,
    /// The contact's e-mail address.
    Email,
    /// The contact's first name.
    FirstName,
    /// The contact's last name.
    LastName,
    /// The contact's phone numbers, all of them: their order counts.
    Phones,
    /// The customer's id.
    CustomerId,
    /// The contract's id.
    ContractId,
    /// The note.
    Note,
    /// The label of a key.
    Label(String),
    /// A ticketing link.
    TicketingLink(LinkId),
    /// The fix of a source.
    Fix(Source),
    /// The source of the fix that the site is shown at.
    EffectiveSource,
    /// Why there is no estimate.
    NoEstimate,
    /// The address that a person stated, and what became of it.
    Address,
    /// The agent.
    Agent,
    /// The consent that an agent takes the site over.
    Replacement,
    /// The public address.
    PublicIp,
    /// The number of the network that it is in.
    Asn,
    /// Who runs that network.
    Isp,
    /// How many devices there are.
    DeviceCount,
    /// The device of an id.
    Device(String),
    /// When the first agent activated.
    ActivateTime,
    /// When the site was deleted.
    DeleteTime,
    /// The address of the resident.
    ResidentEmail,
    /// Whether the resident's access is on.
    ResidentEnabled,
    /// Where the resident's access stands.
    ResidentState,
    /// When the resident was invited again.
    ResidentInviteTime,
    /// What the resident may do with the device of an id.
    ResidentPermission(String),
    /// When a reason for attention was dismissed.
    Attention(AttentionReason),
}

/// Paths of fields without a key.
const PLAIN: [(&str, Field); 28] = [
    ("display_name", Field::DisplayName),
    ("status", Field::Status),
    ("contact.email", Field::Email),
    ("contact.first_name", Field::FirstName),
    ("contact.last_name", Field::LastName),
    ("contact.phones", Field::Phones),
    ("customer_id", Field::CustomerId),
    ("contract_id", Field::ContractId),
    ("note", Field::Note),
    ("location.fixes.geoip", Field::Fix(Source::GeoIp)),
    ("location.fixes.device", Field::Fix(Source::Device)),
    ("location.fixes.address", Field::Fix(Source::Address)),
    ("location.fixes.pin", Field::Fix(Source::Pin)),
    ("location.source", Field::EffectiveSource),
    ("location.no_estimate_reason", Field::NoEstimate),
    ("location.address", Field::Address),
    ("agent_id", Field::Agent),
    ("replacement", Field::Replacement),
    ("public_ip", Field::PublicIp),
    ("network.asn", Field::Asn),
    ("network.isp", Field::Isp),
    ("device_count", Field::DeviceCount),
    ("activate_time", Field::ActivateTime),
    ("delete_time", Field::DeleteTime),
    ("resident_access.owner_email", Field::ResidentEmail),
    ("resident_access.enabled", Field::ResidentEnabled),
    ("resident_access.state", Field::ResidentState),
    ("resident_access.invite_time", Field::ResidentInviteTime),
];
/// Paths that hold several fields.
const GROUPS: [&str; 11] = [
    "",
    "contact",
    "labels",
    "ticketing_links",
    "location",
    "location.fixes",
    "network",
    "devices",
    "attention",
    "resident_access",
    "resident_access.device_permissions",
];
/// Longest path, in bytes: a link's three ids of 256 bytes, each byte written as three, with room.
const PATH_BYTES_MAX: usize = 2_400;
const LABEL: &str = "labels.";
const LINK: &str = "ticketing_links.";
const DEVICE: &str = "devices.";
const ATTENTION: &str = "attention.";
const PERMISSION: &str = "resident_access.device_permissions.";
/// Stands between the parts of a link's path. In the parts it is written as in a URI, and so is what that is written with.
const SEPARATOR: char = '/';

impl Field {
    /// Whether a former value can be put back: it was a person's word, and a person's word alone can make it again.
    #[must_use]
    pub fn is_restorable(&self) -> bool {
        match self {
            Self::DisplayName
            | Self::Status
            | Self::Email
            | Self::FirstName
            | Self::LastName
            | Self::Phones
            | Self::CustomerId
            | Self::ContractId
            | Self::Note
            | Self::Label(_)
            | Self::TicketingLink(_)
            | Self::Address => true,
            Self::Fix(source) => source.is_person(),
            Self::EffectiveSource
            | Self::NoEstimate
            | Self::Agent
            | Self::Replacement
            | Self::PublicIp
            | Self::Asn
            | Self::Isp
            | Self::DeviceCount
            | Self::Device(_)
            | Self::ActivateTime
            | Self::DeleteTime
            | Self::ResidentEmail
            | Self::ResidentEnabled
            | Self::ResidentState
            | Self::ResidentInviteTime
            | Self::ResidentPermission(_)
            | Self::Attention(_) => false,
        }
    }

    /// Whether `path` is a field's, one that holds several, or empty.
    #[must_use]
    pub fn is_path(path: &str) -> bool {
        path.len() <= PATH_BYTES_MAX && (GROUPS.contains(&path) || path.parse::<Self>().is_ok())
    }

    /// Whether it is of a contact, a resident's address, or the note: what tokens that mask contacts do not see.
    #[must_use]
    pub fn is_private(&self) -> bool {
        use Field::{Email, FirstName, LastName, Note, Phones, ResidentEmail};
        matches!(self, Email | FirstName | LastName | Phones | ResidentEmail | Note)
    }

    /// Whether it is a device.
    pub(super) fn is_device(&self) -> bool {
        matches!(self, Self::Device(_))
    }

    /// Whether it is the field of `path`, or one in it: `contact` and `labels` hold several.
    #[must_use]
    pub fn is_within(&self, path: &str) -> bool {
        let own = self.to_string();
        match self {
            // Keys have dots of their own.
            Self::Label(_) | Self::TicketingLink(_) | Self::Device(_) | Self::Attention(_) => {
                own == path || own.split_once('.').is_some_and(|(group, _)| group == path)
            }
            Self::ResidentPermission(_) => own == path || GROUPS.contains(&path) && own.starts_with(path),
            _ => own.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label(key) => write!(f, "{LABEL}{key}"),
            Self::TicketingLink(link) => {
                let parts = [&link.system, &link.organization_id, &link.external_site_id];
                write!(f, "{LINK}{}", parts.map(|part| escaped(part)).join("/"))
            }
            Self::Device(device) => write!(f, "{DEVICE}{device}"),
            Self::ResidentPermission(device) => write!(f, "{PERMISSION}{device}"),
            Self::Attention(reason) => write!(f, "{ATTENTION}{}", reason.as_str()),
            plain => f.write_str(PLAIN.iter().find(|(_, field)| field == plain).map_or("", |(path, _)| path)),
        }
    }
}

fn escaped(part: &str) -> String {
    part.replace('%', "%25").replace(SEPARATOR, "%2F")
}

fn unescaped(part: &str) -> String {
    part.replace("%2F", "/").replace("%25", "%")
}

/// A text that is the path of no field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no field of a site's history has this path")]
pub struct NoField;

impl FromStr for Field {
    type Err = NoField;

    fn from_str(path: &str) -> Result<Self, NoField> {
        if let Some((_, field)) = PLAIN.iter().find(|(plain, _)| *plain == path) {
            return Ok(field.clone());
        }
        if let Some(key) = path.strip_prefix(LABEL) {
            return Ok(Self::Label(key.to_owned()));
        }
        if let Some(device) = path.strip_prefix(DEVICE) {
            return Ok(Self::Device(device.to_owned()));
        }
        if let Some(device) = path.strip_prefix(PERMISSION) {
            return Ok(Self::ResidentPermission(device.to_owned()));
        }
        if let Some(reason) = path.strip_prefix(ATTENTION).and_then(AttentionReason::parse) {
            return Ok(Self::Attention(reason));
        }
        let parts: Vec<String> = path.strip_prefix(LINK).ok_or(NoField)?.split(SEPARATOR).map(unescaped).collect();
        let [system, organization_id, external_site_id] = parts.try_into().map_err(|_| NoField)?;
        Ok(Self::TicketingLink(LinkId { system, organization_id, external_site_id }))
    }
}

impl TryFrom<String> for Field {
    type Error = NoField;

    fn try_from(path: String) -> Result<Self, NoField> {
        path.parse()
    }
}

impl From<Field> for String {
    fn from(field: Field) -> Self {
        field.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_come_back() {
        let link = |organization_id: &str| {
            let (system, external_site_id) = ("autotask".to_owned(), String::new());
            Field::TicketingLink(LinkId { system, organization_id: organization_id.to_owned(), external_site_id })
        };
        let keyed = [
            Field::Label("region/eu.north".into()),
            link("17"),
            link("a/b%2F%25c"),
            Field::ResidentPermission("router.1".into()),
            Field::Device("router.1".into()),
            Field::Attention(AttentionReason::Crowded),
        ];
        let fields: Vec<Field> = PLAIN.into_iter().map(|(_, field)| field).chain(keyed).collect();
        for field in &fields {
            let path = field.to_string();
            assert_eq!(path.parse::<Field>().as_ref(), Ok(field), "{path}");
            assert_eq!(fields.iter().filter(|other| other.to_string() == path).count(), 1, "{path}");
        }
        assert_eq!(link("17").to_string(), "ticketing_links.autotask/17/");
        for path in ["", "contact", "labels", "location.fixes", "devices", "ticketing_links.a/b", "attention.NONE"] {
            assert!(path.parse::<Field>().is_err(), "{path}");
        }
        for path in ["", "contact", "labels", "labels.x", "location.fixes", "network", "devices", "devices.a.b", "note"]
        {
            assert!(Field::is_path(path), "{path}");
        }
        for path in ["contacts", "location.fixes.", "Note", &"labels.x".repeat(400)] {
            assert!(!Field::is_path(path), "{path}");
        }
    }

    #[test]
    fn a_path_holds_the_fields_in_it() {
        assert!(Field::Email.is_within("contact") && Field::Email.is_within("contact.email"));
        assert!(!Field::Email.is_within("con") && !Field::Email.is_within("contact.email.x"));
        assert!(Field::Fix(Source::Pin).is_within("location") && Field::Label("a".into()).is_within("labels"));
        let device = Field::ResidentPermission("a.b".into());
        let (own, others) = (device.to_string(), "resident_access.device_permissions.a");
        for path in ["", "resident_access", "resident_access.device_permissions", &own] {
            assert!(device.is_within(path), "{path}");
        }
        assert!(!device.is_within(others) && !device.is_within("resident"));
        let known = Field::Device("a.b".into());
        assert!(known.is_within("devices") && known.is_within("devices.a.b") && !known.is_within("devices.a"));
        assert!(Field::Isp.is_within("network") && !Field::DeviceCount.is_within("devices"));
        let dotted = Field::Label("a.b".into());
        assert!(dotted.is_within("labels") && dotted.is_within("labels.a.b") && !dotted.is_within("labels.a"));
    }
}
