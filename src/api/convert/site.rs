//! The site record, and the patches that update masks name.

use super::evidence::network_facts;
use super::{location, optional_text, timestamp};
use crate::api::names;
use crate::api::proto::waymark::v1 as pb;
use crate::model::Invalid;
use crate::model::access::{Contacts, MASK, Principal};
use crate::model::phone::{Phone, PhoneKind};
use crate::model::site::{Contact, Replacement, Site, Status, TicketingLink};
use crate::model::text::shown;
use crate::model::ticketing::{LinkCheck, LinkState};
use crate::service::patch::SitePatch;
use crate::service::shown::Shown;
use crate::service::{Versioned, Waymark, time_zone};

/// A site, as it is shown to a principal now.
pub(in crate::api) fn site(waymark: &Waymark, principal: &Principal, versioned: Versioned<Site>) -> pb::Site {
    let Shown { site: Versioned { value: site, revision }, etag } = waymark.shown_to(principal, versioned);
    let public_ip = public_ip(&site);
    let time_zone = time_zone::of(&site).unwrap_or_default().to_owned();
    pb::Site {
        name: names::of_site(&site.account, site.id),
        etag,
        revision: revision.0,
        location: Some(pb::Location {
            warnings: waymark.warnings(&site).into_iter().map(location::warning).collect(),
            ..location::location(&site)
        }),
        status: status(site.status).into(),
        contact: Some(contact(site.contact, principal.contacts)),
        ticketing_links: site.ticketing_links.into_iter().map(ticketing_link).collect(),
        display_name: site.display_name,
        customer_id: site.customer_id,
        contract_id: site.contract_id,
        note: shown_to(principal.contacts, site.note),
        labels: site.labels.into_iter().collect(),
        agent_id: optional_text(site.agent),
        public_ip,
        claimed_ip: optional_text(site.claimed_ip),
        activate_time: site.activated_at.map(timestamp),
        last_seen_time: site.last_seen_at.map(timestamp),
        create_time: Some(timestamp(site.created_at)),
        update_time: Some(timestamp(site.updated_at)),
        delete_time: site.deleted_at.map(timestamp),
        network: network_facts(&site.network),
        time_zone,
        replacement: site.replacement.as_ref().map(replacement),
        contact_masked: principal.contacts.are_masked(),
        positions: super::access::positions(principal.positions).into(),
    }
}

/// The public address, or the network that is left of it.
pub(super) fn public_ip(site: &Site) -> String {
    let network = site.public_network.map(|network| network.to_string());
    site.public_ip.map(|ip| ip.to_string()).or(network).unwrap_or_default()
}

/// A consent.
pub(super) fn replacement(consent: &Replacement) -> pb::Replacement {
    pb::Replacement { agent_id: consent.agent.to_string(), expire_time: Some(timestamp(consent.until)) }
}

/// A status.
pub(in crate::api) fn status(status: Status) -> pb::SiteStatus {
    match status {
        Status::Unknown => pb::SiteStatus::Unknown,
        Status::Online => pb::SiteStatus::Online,
        Status::Offline => pb::SiteStatus::Offline,
        Status::Maintenance => pb::SiteStatus::Maintenance,
    }
}

/// A phone number.
pub(super) fn phone(phone: Phone) -> pb::Phone {
    let kind = match phone.kind {
        PhoneKind::Other => pb::PhoneKind::Other,
        PhoneKind::Mobile => pb::PhoneKind::Mobile,
        PhoneKind::Work => pb::PhoneKind::Work,
        PhoneKind::Home => pb::PhoneKind::Home,
    };
    pb::Phone { number: phone.number, kind: kind.into(), extension: phone.extension }
}

/// A text of a contact, or a note, as a caller may see it.
pub(super) fn shown_to(contacts: Contacts, text: String) -> String {
    if contacts.are_masked() && !text.is_empty() { MASK.to_owned() } else { text }
}

/// Phone numbers, as a caller may see them: masked, not even how many there are.
pub(super) fn phones_shown_to(contacts: Contacts, phones: Vec<Phone>) -> Vec<pb::Phone> {
    if contacts.are_masked() && !phones.is_empty() {
        return vec![phone(Phone { number: MASK.to_owned(), ..Phone::default() })];
    }
    phones.into_iter().map(phone).collect()
}

/// A contact, as a caller may see it.
pub(super) fn contact(contact: Contact, contacts: Contacts) -> pb::Contact {
    pb::Contact {
        email: shown_to(contacts, contact.email),
        first_name: shown_to(contacts, contact.first_name),
        last_name: shown_to(contacts, contact.last_name),
        phones: phones_shown_to(contacts, contact.phones),
    }
}

/// A ticketing link.
pub(super) fn ticketing_link(link: TicketingLink) -> pb::TicketingLink {
    pb::TicketingLink {
        system: link.system,
        organization_id: link.organization_id,
        organization_name: link.organization_name,
        external_site_id: link.external_site_id,
        external_site_name: link.external_site_name,
        uri: link.uri,
        state: link_state(link.check.state).into(),
        verify_time: link.check.checked_at.map(timestamp),
        found_organization_name: link.check.organization_name,
        found_site_name: link.check.site_name,
        state_time: link.check.since.map(timestamp),
    }
}

fn link_state(state: LinkState) -> pb::TicketingLinkState {
    match state {
        LinkState::Unverified => pb::TicketingLinkState::Unverified,
        LinkState::Verified => pb::TicketingLinkState::Verified,
        LinkState::Drifted => pb::TicketingLinkState::Drifted,
        LinkState::Broken => pb::TicketingLinkState::Broken,
    }
}

/// The fields that a caller may set, as update masks name them.
const SETTABLE: [&str; 12] = [
    "display_name",
    "status",
    "contact",
    "contact.email",
    "contact.first_name",
    "contact.last_name",
    "contact.phones",
    "customer_id",
    "contract_id",
    "note",
    "labels",
    "ticketing_links",
];

/// Refuses a site in which output-only fields are set; faults name them as they are seen in a request with a `Site`.
pub(super) fn refuse_output_only(site: &pb::Site) -> Result<(), Invalid> {
    let output_only = [
        ("site.name", !site.name.is_empty()),
        ("site.location", site.location.is_some()),
        ("site.agent_id", !site.agent_id.is_empty()),
        ("site.public_ip", !site.public_ip.is_empty()),
        ("site.revision", site.revision != 0),
        ("site.claimed_ip", !site.claimed_ip.is_empty()),
        ("site.activate_time", site.activate_time.is_some()),
        ("site.last_seen_time", site.last_seen_time.is_some()),
        ("site.create_time", site.create_time.is_some()),
        ("site.update_time", site.update_time.is_some()),
        ("site.delete_time", site.delete_time.is_some()),
        ("site.network", site.network.is_some()),
        ("site.time_zone", !site.time_zone.is_empty()),
        ("site.replacement", site.replacement.is_some()),
        ("site.contact_masked", site.contact_masked),
        ("site.positions", site.positions != 0),
    ];
    match output_only.into_iter().find(|(_, is_set)| *is_set) {
        Some((field, _)) => Err(Invalid::new(field, "output only: leave it empty")),
        None => Ok(()),
    }
}

/// The patch of a site that is to be made: every field that is set in `site`. Output-only fields must not be.
pub(in crate::api) fn parse_new_site(site: pb::Site) -> Result<SitePatch, Invalid> {
    refuse_output_only(&site)?;
    let has_status = site.status != i32::from(pb::SiteStatus::Unspecified);
    let is_set = |path: &&str| !path.contains('.') && (*path != "status" || has_status);
    let mask: Vec<String> = SETTABLE.into_iter().filter(is_set).map(str::to_owned).collect();
    parse_patch(site, &mask)
}

/// The patch that `mask` makes of `site`.
pub(in crate::api) fn parse_patch(site: pb::Site, mask: &[String]) -> Result<SitePatch, Invalid> {
    let names = |path: &str| mask.iter().any(|named| named == path);
    if mask.is_empty() {
        return Err(Invalid::new("update_mask", format!("name the fields to change: {}", SETTABLE.join(", "))));
    }
    if let Some(unknown) = mask.iter().find(|path| !SETTABLE.contains(&path.as_str())) {
        let why = format!("{} cannot be changed: a path is one of {}", shown(unknown), SETTABLE.join(", "));
        return Err(Invalid::new("update_mask", why));
    }
    let contact = site.contact.unwrap_or_default();
    let names_in_contact = |part: &str| names("contact") || names(&format!("contact.{part}"));
    let status = names("status").then(|| parse_status(site.status)).transpose()?;
    Ok(SitePatch {
        display_name: names("display_name").then_some(site.display_name),
        status,
        email: names_in_contact("email").then_some(contact.email),
        first_name: names_in_contact("first_name").then_some(contact.first_name),
        last_name: names_in_contact("last_name").then_some(contact.last_name),
        phones: names_in_contact("phones").then(|| parse_phones(contact.phones)).transpose()?,
        customer_id: names("customer_id").then_some(site.customer_id),
        contract_id: names("contract_id").then_some(site.contract_id),
        note: names("note").then_some(site.note),
        labels: names("labels").then(|| site.labels.into_iter().collect()),
        ticketing_links: names("ticketing_links")
            .then(|| site.ticketing_links.into_iter().map(parse_ticketing_link).collect()),
    })
}

/// A reported state; unspecified for online.
pub(in crate::api) fn parse_reported_status(field: &str, value: i32) -> Result<Status, Invalid> {
    match pb::SiteStatus::try_from(value) {
        Ok(pb::SiteStatus::Unspecified | pb::SiteStatus::Online) => Ok(Status::Online),
        Ok(pb::SiteStatus::Offline) => Ok(Status::Offline),
        Ok(pb::SiteStatus::Unknown) => Ok(Status::Unknown),
        Ok(pb::SiteStatus::Maintenance) | Err(_) => {
            let allowed = "one of UNKNOWN, ONLINE, OFFLINE is reported; maintenance is for people to begin and end";
            Err(Invalid::new(field, format!("{allowed}, got {value}")))
        }
    }
}

fn parse_status(value: i32) -> Result<Status, Invalid> {
    match pb::SiteStatus::try_from(value) {
        Ok(pb::SiteStatus::Unknown) => Ok(Status::Unknown),
        Ok(pb::SiteStatus::Online) => Ok(Status::Online),
        Ok(pb::SiteStatus::Offline) => Ok(Status::Offline),
        Ok(pb::SiteStatus::Maintenance) => Ok(Status::Maintenance),
        Ok(pb::SiteStatus::Unspecified) | Err(_) => {
            let allowed = "one of UNKNOWN, ONLINE, OFFLINE, MAINTENANCE is required";
            Err(Invalid::new("site.status", format!("{allowed}, got {value}")))
        }
    }
}

/// Phones of a request; faults name the field as it is seen in a request with a `Site`.
pub(super) fn parse_phones(phones: Vec<pb::Phone>) -> Result<Vec<Phone>, Invalid> {
    let parse = |(index, phone): (usize, pb::Phone)| {
        let kind = match pb::PhoneKind::try_from(phone.kind) {
            Ok(pb::PhoneKind::Unspecified | pb::PhoneKind::Other) => PhoneKind::Other,
            Ok(pb::PhoneKind::Mobile) => PhoneKind::Mobile,
            Ok(pb::PhoneKind::Work) => PhoneKind::Work,
            Ok(pb::PhoneKind::Home) => PhoneKind::Home,
            Err(_) => {
                let field = format!("site.contact.phones[{index}].kind");
                return Err(Invalid::new(field, format!("{} is no PhoneKind", phone.kind)));
            }
        };
        Ok(Phone { number: phone.number, kind, extension: phone.extension })
    };
    phones.into_iter().enumerate().map(parse).collect()
}

fn parse_ticketing_link(link: pb::TicketingLink) -> TicketingLink {
    TicketingLink {
        system: link.system,
        organization_id: link.organization_id,
        organization_name: link.organization_name,
        external_site_id: link.external_site_id,
        external_site_name: link.external_site_name,
        uri: link.uri,
        // What checks found is output only, and kept where the link stays the same.
        check: LinkCheck::default(),
    }
}
