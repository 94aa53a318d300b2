//! The fields that are searched, the classes that they are ranked and allowed by, and the columns of the index.

use crate::model::site::Site;

/// A field of a site. Its texts are searched one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    /// The name.
    DisplayName,
    /// The agent's id.
    AgentId,
    /// The customer's id or reference.
    CustomerId,
    /// The contract's id.
    ContractId,
    /// The contact's e-mail address.
    Email,
    /// The contact's first name.
    FirstName,
    /// The contact's last name.
    LastName,
    /// A phone number of the contact.
    Phone,
    /// The address as typed.
    AddressTyped,
    /// The address as the geocoder writes it.
    AddressFormatted,
    /// A label, as `key=value`.
    Label,
    /// The system of a ticketing link.
    TicketingSystem,
    /// The id of the organisation of a ticketing link.
    OrganizationId,
    /// The name of the organisation of a ticketing link.
    OrganizationName,
    /// The name of the site there of a ticketing link.
    ExternalSiteName,
    /// The note.
    Note,
}

/// What fields are ranked by, the best first, and what a caller may be kept from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Class {
    /// The name.
    Name,
    /// Ids of agent, customer and contract.
    Ids,
    /// The person responsible.
    Contact,
    /// Address, labels and ticketing links.
    Surroundings,
    /// The note.
    Note,
}

/// Some of the classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Classes(u8);

/// A column of the index: a class, and whether a word begins its text; and the ends of phone numbers, backwards.
pub(super) type Column = u8;

/// How many columns there are.
pub(super) const COLUMNS: usize = 11;
/// Phone numbers backwards: people know the last digits.
pub(super) const PHONE_ENDS: Column = 10;

impl Classes {
    /// All of them.
    pub const ALL: Self = Self(0b1_1111);

    /// These without one.
    #[must_use]
    pub fn without(self, class: Class) -> Self {
        Self(self.0 & !(1 << class as u8))
    }

    /// Whether a class is among them.
    #[must_use]
    pub fn has(self, class: Class) -> bool {
        self.0 & 1 << class as u8 != 0
    }

    /// Whether the words of a column may be looked at.
    pub(super) fn allow(self, column: Column) -> bool {
        let class = if column == PHONE_ENDS { Class::Contact as u8 } else { column / 2 };
        self.0 & 1 << class != 0
    }
}

impl Field {
    /// The class that the field is of.
    #[must_use]
    pub fn class(self) -> Class {
        match self {
            Self::DisplayName => Class::Name,
            Self::AgentId | Self::CustomerId | Self::ContractId => Class::Ids,
            Self::Email | Self::FirstName | Self::LastName | Self::Phone => Class::Contact,
            Self::AddressTyped
            | Self::AddressFormatted
            | Self::Label
            | Self::TicketingSystem
            | Self::OrganizationId
            | Self::OrganizationName
            | Self::ExternalSiteName => Class::Surroundings,
            Self::Note => Class::Note,
        }
    }

    /// The column of a word of the field.
    pub(super) fn column(self, is_first: bool) -> Column {
        self.class() as u8 * 2 + u8::from(!is_first)
    }
}

/// A text of a site.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<'a> {
    pub(super) field: Field,
    /// The key of a label; else empty.
    pub(super) key: &'a str,
    /// The text; of a label the value.
    pub(super) value: &'a str,
}

impl Text<'_> {
    /// The text as it is searched: a label with its key.
    pub(super) fn shown(&self) -> std::borrow::Cow<'_, str> {
        if self.field == Field::Label { format!("{}={}", self.key, self.value).into() } else { self.value.into() }
    }
}

/// Visits all texts of a site that are not empty, in the order of the fields.
pub(super) fn each_text<'a>(site: &'a Site, mut visit: impl FnMut(Text<'a>)) {
    let mut text = |field, key, value: &'a str| {
        if !value.is_empty() {
            visit(Text { field, key, value });
        }
    };
    text(Field::DisplayName, "", &site.display_name);
    text(Field::AgentId, "", site.agent.as_ref().map_or("", |agent| agent.as_str()));
    text(Field::CustomerId, "", &site.customer_id);
    text(Field::ContractId, "", &site.contract_id);
    text(Field::Email, "", &site.contact.email);
    text(Field::FirstName, "", &site.contact.first_name);
    text(Field::LastName, "", &site.contact.last_name);
    site.contact.phones.iter().for_each(|phone| text(Field::Phone, "", &phone.number));
    if let Some(address) = &site.address {
        text(Field::AddressTyped, "", &address.typed);
        if address.formatted != address.typed {
            text(Field::AddressFormatted, "", &address.formatted);
        }
    }
    site.labels.iter().for_each(|(key, value)| text(Field::Label, key, value));
    for link in &site.ticketing_links {
        text(Field::TicketingSystem, "", &link.system);
        text(Field::OrganizationId, "", &link.organization_id);
        text(Field::OrganizationName, "", &link.organization_name);
        text(Field::ExternalSiteName, "", &link.external_site_name);
    }
    text(Field::Note, "", &site.note);
}
