//! What a row says of a site, checked before anything is read or written.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::model::address::{AddressQuery, CountryCode};
use crate::model::geo::LatLng;
use crate::model::id::{AgentId, SiteId};
use crate::model::phone::Phone;
use crate::model::site::{Site, checked_labels};
use crate::model::{Invalid, text};
use crate::service::patch::SitePatch;

/// Which site a row is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowKey {
    /// The one with the row's name, made where there is none.
    Name,
    /// The one with this id.
    Site(SiteId),
    /// The one that this agent stands on.
    Agent(AgentId),
}

/// What a row says of something that it may say nothing of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Said<T> {
    /// Nothing.
    #[default]
    Nothing,
    /// That there is none.
    None,
    /// This.
    Some(T),
}

impl<T> Said<T> {
    fn as_ref(&self) -> Said<&T> {
        match self {
            Self::Nothing => Said::Nothing,
            Self::None => Said::None,
            Self::Some(value) => Said::Some(value),
        }
    }

    fn map<Mapped>(self, map: impl FnOnce(T) -> Mapped) -> Said<Mapped> {
        match self {
            Self::Nothing => Said::Nothing,
            Self::None => Said::None,
            Self::Some(value) => Said::Some(map(value)),
        }
    }
}

impl<T: Serialize> Serialize for Said<T> {
    /// As an `Option`, so that a request id stands for the same as ever; that there is none is `false`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nothing => serializer.serialize_none(),
            Self::None => serializer.serialize_bool(false),
            Self::Some(value) => serializer.serialize_some(value),
        }
    }
}

/// What a row says of one site.
#[derive(Debug, Clone)]
pub struct SiteRow {
    /// Which site.
    pub key: RowKey,
    /// Name and fields; of a row without a key the name is required.
    pub patch: SitePatch,
    /// Labels to set beside those that are there.
    pub set_labels: BTreeMap<String, String>,
    /// Phones to add to those that are there.
    pub add_phones: Vec<Phone>,
    /// Its pin.
    pub position: Said<LatLng>,
    /// Its address.
    pub address: Said<AddressQuery>,
    /// Makes a repeat that made a site answer as the first; empty for none.
    pub request_id: String,
}

impl SiteRow {
    /// Whether it says anything of the contact or the note, be it that there is none.
    pub(super) fn names_private(&self) -> bool {
        self.patch.names_private() || !self.add_phones.is_empty()
    }

    /// The row with every value checked; a phone number without `+` is one of `region`.
    pub(super) fn checked(self, region: Option<CountryCode>) -> Result<Self, Invalid> {
        let patch = self.patch.checked(region)?;
        if self.key == RowKey::Name && patch.display_name.is_none() {
            return Err(Invalid::new("display_name", "a site's name is not empty"));
        }
        if patch.labels.is_some() && !self.set_labels.is_empty() {
            return Err(Invalid::new("labels", "all labels, or some beside those that are there: not both"));
        }
        if patch.phones.is_some() && !self.add_phones.is_empty() {
            return Err(Invalid::new("contact.phones", "all phones, or some beside those that are there: not both"));
        }
        let check = |(index, phone): (usize, Phone)| {
            phone.checked(region).map_err(|fault| fault.within(&format!("contact.phones[{index}]")))
        };
        let add_phones = self.add_phones.into_iter().enumerate().map(check).collect::<Result<_, _>>()?;
        Ok(Self { patch, add_phones, set_labels: checked_labels(self.set_labels)?, ..self })
    }

    /// The name that it gives; empty for none.
    pub(super) fn name(&self) -> &str {
        self.patch.display_name.as_deref().unwrap_or_default()
    }

    /// The patch for a site that is there: one that was found by its name is written as it writes itself.
    pub(super) fn known(&self) -> SitePatch {
        let display_name = self.patch.display_name.clone().filter(|_| self.key != RowKey::Name);
        SitePatch { display_name, ..self.patch.clone() }
    }

    /// Whether a site that was found by its name has another one.
    pub(super) fn is_of_another(&self, site: &Site) -> bool {
        self.key == RowKey::Name && text::fold(&site.display_name) != text::fold(self.name())
    }

    /// What a request id stands for: everything that the row says.
    pub(super) fn said(&self) -> impl Serialize + use<> {
        let position = self.position.map(|at| (at.lat(), at.lng()));
        let address = self.address.as_ref().map(AddressQuery::one_line);
        (self.patch.clone(), self.set_labels.clone(), self.add_phones.clone(), position, address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row that takes something away passed for a repeat of one that leaves it.
    #[test]
    fn a_request_id_stands_for_what_is_taken_away_too() {
        let leaves = SiteRow {
            key: RowKey::Name,
            patch: SitePatch::default(),
            set_labels: BTreeMap::new(),
            add_phones: Vec::new(),
            position: Said::Nothing,
            address: Said::Nothing,
            request_id: String::new(),
        };
        let said = |row: &SiteRow| serde_json::to_string(&row.said()).unwrap();
        assert_eq!(said(&leaves), "[{},{},[],null,null]");
        let bare = SiteRow { position: Said::None, ..leaves.clone() };
        let unaddressed = SiteRow { address: Said::None, ..leaves.clone() };
        let at = SiteRow { position: Said::Some(LatLng::new(1.0, 2.0).unwrap()), ..leaves };
        assert_eq!(said(&bare), "[{},{},[],false,null]");
        assert_eq!(said(&unaddressed), "[{},{},[],null,false]");
        assert_eq!(said(&at), "[{},{},[],[1.0,2.0],null]");
    }
}
