//! Phones and ticketing links as JSON, in a cell or a property: one form for what is written and for what is read.

use serde::{Deserialize, Serialize};

use super::phones;
use crate::api::proto::waymark::v1 as pb;
use crate::model::text::shown;

/// A phone.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct PhoneJson {
    number: String,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    extension: String,
}

/// What people may set of a ticketing link.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::cli) struct LinkJson {
    system: String,
    organization_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    organization_name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    external_site_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    external_site_name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    uri: String,
}

impl From<&pb::Phone> for PhoneJson {
    fn from(phone: &pb::Phone) -> Self {
        let pb::Phone { number, extension, .. } = phone.clone();
        Self { number, kind: phones::kind_word(phone.kind()).to_owned(), extension }
    }
}

impl TryFrom<PhoneJson> for pb::Phone {
    type Error = String;

    fn try_from(phone: PhoneJson) -> Result<Self, String> {
        let kind = match phone.kind.as_str() {
            "" => pb::PhoneKind::Other,
            word => phones::kind_of(word)
                .ok_or_else(|| format!("a phone's type is mobile, work, home or other, not {}", shown(word)))?,
        };
        Ok(Self { number: phone.number, kind: kind.into(), extension: phone.extension })
    }
}

impl From<&pb::TicketingLink> for LinkJson {
    fn from(link: &pb::TicketingLink) -> Self {
        let pb::TicketingLink { system, organization_id, organization_name, uri, .. } = link.clone();
        let (external_site_id, external_site_name) = (link.external_site_id.clone(), link.external_site_name.clone());
        Self { system, organization_id, organization_name, external_site_id, external_site_name, uri }
    }
}

impl From<LinkJson> for pb::TicketingLink {
    fn from(link: LinkJson) -> Self {
        let LinkJson { system, organization_id, organization_name, external_site_id, external_site_name, uri } = link;
        let names = Self { organization_name, external_site_name, ..Self::default() };
        Self { system, organization_id, external_site_id, uri, ..names }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let link = pb::TicketingLink { system: "zendesk".into(), organization_id: "17".into(), ..Default::default() };
        let text = serde_json::to_string(&LinkJson::from(&link)).unwrap();
        assert_eq!(text, r#"{"system":"zendesk","organization_id":"17"}"#);
        assert_eq!(pb::TicketingLink::from(serde_json::from_str::<LinkJson>(&text).unwrap()), link);
        let (external_site_id, external_site_name) = ("22".into(), "Warehouse".into());
        let link = pb::TicketingLink { external_site_id, external_site_name, ..link };
        let text = serde_json::to_string(&LinkJson::from(&link)).unwrap();
        assert!(text.ends_with(r#""external_site_id":"22","external_site_name":"Warehouse"}"#), "{text}");
        assert_eq!(pb::TicketingLink::from(serde_json::from_str::<LinkJson>(&text).unwrap()), link);
        let phone =
            pb::Phone { number: "+3545451000".into(), kind: pb::PhoneKind::Work.into(), extension: "12".into() };
        let text = serde_json::to_string(&PhoneJson::from(&phone)).unwrap();
        assert_eq!(text, r#"{"number":"+3545451000","type":"work","extension":"12"}"#);
        assert_eq!(pb::Phone::try_from(serde_json::from_str::<PhoneJson>(&text).unwrap()), Ok(phone));
    }
}
