//! What an update may change of a site, checked field by field before anything is read or written.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::access::MASK;
use crate::model::address::CountryCode;
use crate::model::phone::Phone;
use crate::model::site::{Contact, Site, Status, TicketingLink, checked_labels};
use crate::model::ticketing::keep_checks;
use crate::model::{Invalid, text};

/// A change of a site: each field that is `Some` is set.
///
/// Its JSON is hashed for request ids: absent fields leave no trace, so a field that is added changes no old hash.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct SitePatch {
    /// New name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// New status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// New e-mail address of the contact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// New first name of the contact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// New last name of the contact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// New phone numbers of the contact, all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phones: Option<Vec<Phone>>,
    /// New customer id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<String>,
    /// New contract id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contract_id: Option<String>,
    /// New note.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// New labels, all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    /// New ticketing links, all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticketing_links: Option<Vec<TicketingLink>>,
}

impl SitePatch {
    /// The patch with every value checked; faults name the field as it is seen in a `Site`. A phone number without `+` is
    /// one of `region`.
    pub fn checked(self, region: Option<CountryCode>) -> Result<Self, Invalid> {
        let line = |field: &'static str, value: Option<String>| {
            value.map(|value| text::line(field, &value, text::LINE_BYTES_MAX)).transpose()
        };
        // Checked together, then taken apart: the contact knows its own rules.
        let contact = Contact {
            email: self.email.clone().unwrap_or_default(),
            first_name: self.first_name.clone().unwrap_or_default(),
            last_name: self.last_name.clone().unwrap_or_default(),
            phones: self.phones.clone().unwrap_or_default(),
        };
        let contact = contact.checked(region).map_err(|fault| fault.within("contact"))?;
        Ok(Self {
            display_name: self.display_name.map(|name| text::display_name(&name)).transpose()?,
            status: self.status,
            email: self.email.map(|_| contact.email),
            first_name: self.first_name.map(|_| contact.first_name),
            last_name: self.last_name.map(|_| contact.last_name),
            phones: self.phones.map(|_| contact.phones),
            customer_id: line("customer_id", self.customer_id)?,
            contract_id: line("contract_id", self.contract_id)?,
            note: self.note.map(|note| checked_note(&note)).transpose()?,
            labels: self.labels.map(checked_labels).transpose()?,
            ticketing_links: self.ticketing_links.map(checked_links).transpose()?,
        })
    }

    /// Whether it names a field of the contact, or the note: what tokens that mask contacts do not write.
    pub(super) fn names_private(&self) -> bool {
        self.phones.is_some() || self.private_texts().next().is_some()
    }

    /// Whether it says something of the contact, or has a note.
    pub(super) fn holds_private(&self) -> bool {
        self.phones.as_ref().is_some_and(|phones| !phones.is_empty()) || self.private_texts().any(|it| !it.is_empty())
    }

    fn private_texts(&self) -> impl Iterator<Item = &String> {
        [&self.email, &self.first_name, &self.last_name, &self.note].into_iter().flatten()
    }

    /// Writes the patch into a site.
    pub(super) fn apply(&self, site: &mut Site) {
        fn set<T: Clone>(target: &mut T, value: Option<&T>) {
            if let Some(value) = value {
                target.clone_from(value);
            }
        }
        set(&mut site.display_name, self.display_name.as_ref());
        set(&mut site.status, self.status.as_ref());
        set(&mut site.contact.email, self.email.as_ref());
        set(&mut site.contact.first_name, self.first_name.as_ref());
        set(&mut site.contact.last_name, self.last_name.as_ref());
        set(&mut site.contact.phones, self.phones.as_ref());
        set(&mut site.customer_id, self.customer_id.as_ref());
        set(&mut site.contract_id, self.contract_id.as_ref());
        set(&mut site.note, self.note.as_ref());
        set(&mut site.labels, self.labels.as_ref());
        if let Some(links) = &self.ticketing_links {
            let before = std::mem::replace(&mut site.ticketing_links, links.clone());
            keep_checks(&before, &mut site.ticketing_links);
        }
    }
}

fn checked_links(links: Vec<TicketingLink>) -> Result<Vec<TicketingLink>, Invalid> {
    use crate::model::site::TICKETING_LINKS_MAX;
    if links.len() > TICKETING_LINKS_MAX {
        return Err(Invalid::new("ticketing_links", format!("at most {TICKETING_LINKS_MAX}, got {}", links.len())));
    }
    let check = |(index, link): (usize, TicketingLink)| {
        link.checked().map_err(|fault| fault.within(&format!("ticketing_links[{index}]")))
    };
    links.into_iter().enumerate().map(check).collect()
}

fn checked_note(note: &str) -> Result<String, Invalid> {
    match text::note("note", note)? {
        mask if mask.trim() == MASK => Err(Invalid::new("note", "it is masked: say the note, or leave it as it is")),
        note => Ok(note),
    }
}
