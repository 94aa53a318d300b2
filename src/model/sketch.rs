//! What is kept of a site in memory, borrowed from a [`Site`] or straight from the bytes of its record.
//!
//! A start reads every site there is: this leaves out what lives in the store alone (note, kinds of phones, evidence), and
//! allocates nothing for the rest. Whoever adds a field adds it to [`SiteSketch::from`] too; a test compares the two.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use jiff::Timestamp;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::attention::DismissalSketch;
use super::id::SiteId;
use super::phone::Phone;
use super::site::{Contact, Site, Status, TicketingLink};
use super::site_address::{AddressState, SiteAddress};
use super::stack::StackSketch;
use super::ticketing::LinkState;
use super::{instant, stack};

/// A text of somebody else's; owned only where its encoding had escapes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

/// A site, as far as memory keeps it: names and texts to search, state, and where it is.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub struct SiteSketch<'a> {
    /// Its id.
    pub id: SiteId,
    /// The account that it belongs to.
    #[serde(borrow)]
    pub account: Text<'a>,
    /// Its name.
    #[serde(borrow)]
    pub display_name: Text<'a>,
    /// The agent that stands on it.
    #[serde(borrow)]
    pub agent: Option<Text<'a>>,
    /// The person responsible.
    #[serde(borrow)]
    pub contact: ContactSketch<'a>,
    /// The customer's id or reference.
    #[serde(borrow)]
    pub customer_id: Text<'a>,
    /// The contract's id.
    #[serde(borrow)]
    pub contract_id: Text<'a>,
    /// Labels, by key.
    #[serde(borrow, deserialize_with = "pairs")]
    pub labels: Vec<(Text<'a>, Text<'a>)>,
    /// Ties to ticketing systems.
    #[serde(borrow)]
    pub ticketing_links: Vec<LinkSketch<'a>>,
    /// Whether it can be reached.
    pub status: Status,
    /// What its fixes come down to.
    #[serde(rename = "fixes", deserialize_with = "stack::deserialize")]
    pub stack: StackSketch,
    /// The address that a person stated.
    #[serde(borrow)]
    pub address: Option<AddressSketch<'a>>,
    /// When it was made.
    #[serde(with = "instant")]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[serde(with = "instant")]
    pub updated_at: Timestamp,
    /// When it was deleted.
    #[serde(default, with = "instant::optional")]
    pub deleted_at: Option<Timestamp>,
    /// What persons said needs no attention.
    #[serde(default)]
    pub dismissals: Vec<DismissalSketch>,
}

/// The person responsible; every part may be empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct ContactSketch<'a> {
    /// E-mail address.
    #[serde(borrow)]
    pub email: Text<'a>,
    /// First name.
    #[serde(borrow)]
    pub first_name: Text<'a>,
    /// Last name.
    #[serde(borrow)]
    pub last_name: Text<'a>,
    /// Phone numbers.
    #[serde(borrow)]
    pub phones: Vec<PhoneSketch<'a>>,
}

/// A phone, without kind and extension.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct PhoneSketch<'a> {
    /// The number, in E.164 form.
    #[serde(borrow)]
    pub number: Text<'a>,
}

/// A tie to a customer in a ticketing system: whose it is there.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct LinkSketch<'a> {
    /// The system.
    #[serde(borrow)]
    pub system: Text<'a>,
    /// Id of the customer or organisation there.
    #[serde(borrow)]
    pub organization_id: Text<'a>,
    /// Its display name there.
    #[serde(borrow)]
    pub organization_name: Text<'a>,
    /// Id of the site there; may be empty.
    #[serde(borrow)]
    pub external_site_id: Text<'a>,
    /// The display name of the site there.
    #[serde(borrow, default)]
    pub external_site_name: Text<'a>,
    /// What the last check of its far end came to.
    #[serde(default, rename = "check", deserialize_with = "state_of_check")]
    pub state: LinkState,
}

impl LinkSketch<'_> {
    /// Whether its far end is gone.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.state == LinkState::Broken
    }
}

/// The address that a person stated.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct AddressSketch<'a> {
    /// As typed.
    #[serde(borrow)]
    pub typed: Text<'a>,
    /// As the geocoder writes it; may be empty.
    #[serde(borrow)]
    pub formatted: Text<'a>,
    /// What became of it.
    pub state: AddressState,
    /// When it is asked for again.
    #[serde(default, rename = "retry", with = "next_attempt")]
    pub next_at: Option<Timestamp>,
    /// When the answer to an address before it is renewed.
    #[serde(default, rename = "renewal", with = "next_attempt")]
    pub renewal_at: Option<Timestamp>,
    /// When `formatted` must not be held any more.
    #[serde(default, rename = "storage", with = "end_of_terms")]
    pub kept_until: Option<Timestamp>,
}

impl<'a> From<&'a Site> for SiteSketch<'a> {
    fn from(site: &'a Site) -> Self {
        Self {
            id: site.id,
            account: site.account.as_str().into(),
            display_name: site.display_name.as_str().into(),
            agent: site.agent.as_ref().map(|agent| agent.as_str().into()),
            contact: ContactSketch::from(&site.contact),
            customer_id: site.customer_id.as_str().into(),
            contract_id: site.contract_id.as_str().into(),
            labels: site.labels.iter().map(|(key, value)| (key.as_str().into(), value.as_str().into())).collect(),
            ticketing_links: site.ticketing_links.iter().map(LinkSketch::from).collect(),
            status: site.status,
            stack: StackSketch::from(&site.fixes),
            address: site.address.as_ref().map(AddressSketch::from),
            created_at: site.created_at,
            updated_at: site.updated_at,
            deleted_at: site.deleted_at,
            dismissals: site.dismissals.iter().map(DismissalSketch::from).collect(),
        }
    }
}

impl<'a> From<&'a Contact> for ContactSketch<'a> {
    fn from(contact: &'a Contact) -> Self {
        Self {
            email: contact.email.as_str().into(),
            first_name: contact.first_name.as_str().into(),
            last_name: contact.last_name.as_str().into(),
            phones: contact.phones.iter().map(PhoneSketch::from).collect(),
        }
    }
}

impl<'a> From<&'a Phone> for PhoneSketch<'a> {
    fn from(phone: &'a Phone) -> Self {
        Self { number: phone.number.as_str().into() }
    }
}

impl<'a> From<&'a TicketingLink> for LinkSketch<'a> {
    fn from(link: &'a TicketingLink) -> Self {
        Self {
            system: link.system.as_str().into(),
            organization_id: link.organization_id.as_str().into(),
            organization_name: link.organization_name.as_str().into(),
            external_site_id: link.external_site_id.as_str().into(),
            external_site_name: link.external_site_name.as_str().into(),
            state: link.check.state,
        }
    }
}

impl<'a> From<&'a SiteAddress> for AddressSketch<'a> {
    fn from(address: &'a SiteAddress) -> Self {
        Self {
            typed: address.typed.as_str().into(),
            formatted: address.formatted.as_str().into(),
            state: address.state,
            next_at: address.retry.map(|retry| retry.next_at),
            renewal_at: address.renewal.map(|renewal| renewal.next_at),
            kept_until: address.storage.until(),
        }
    }
}

/// The pairs of a map, in its order; packed they are a list.
fn pairs<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(Text<'a>, Text<'a>)>, D::Error> {
    struct Pairs;
    impl<'de> Visitor<'de> for Pairs {
        type Value = Vec<(Text<'de>, Text<'de>)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map of texts")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut pairs = Vec::new();
            while let Some(pair) = map.next_entry()? {
                pairs.push(pair);
            }
            Ok(pairs)
        }
    }
    if deserializer.is_human_readable() { deserializer.deserialize_map(Pairs) } else { Vec::deserialize(deserializer) }
}

/// Of a check what it came to; packed it stands alone.
fn state_of_check<'de, D: Deserializer<'de>>(deserializer: D) -> Result<LinkState, D::Error> {
    #[derive(Deserialize)]
    struct Check {
        state: LinkState,
    }
    if deserializer.is_human_readable() {
        Ok(Check::deserialize(deserializer)?.state)
    } else {
        LinkState::deserialize(deserializer)
    }
}

/// Of a retry the time; packed it stands alone.
mod next_attempt {
    use super::{Deserialize, Deserializer, Timestamp, instant};
    use crate::model::site_address::Retry;

    pub(super) use instant::optional::serialize;

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        if deserializer.is_human_readable() {
            Ok(Option::<Retry>::deserialize(deserializer)?.map(|retry| retry.next_at))
        } else {
            instant::optional::deserialize(deserializer)
        }
    }
}

/// Of the terms of an answer their end; packed it stands alone.
mod end_of_terms {
    use super::{Deserialize, Deserializer, Timestamp, instant};
    use crate::model::evidence::Storage;

    pub(super) use instant::optional::serialize;

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        if deserializer.is_human_readable() {
            Ok(Storage::deserialize(deserializer)?.until())
        } else {
            instant::optional::deserialize(deserializer)
        }
    }
}

#[cfg(test)]
mod tests;
