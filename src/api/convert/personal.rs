//! What is personal of sites, as it is exported.

use super::evidence::network_facts;
use super::history::change;
use super::location::{device_position, fix, site_address};
use super::resident::{access, device};
use super::site::{contact, public_ip};
use super::{optional_text, timestamp};
use crate::api::names;
use crate::api::proto::waymark::v1 as pb;
use crate::model::access::Principal;
use crate::service::Waymark;
use crate::service::export::{PersonalData, PersonalRecord};

/// A record of an export, as it is shown to a principal.
pub(in crate::api) fn personal_record(
    waymark: &Waymark,
    principal: &Principal,
    record: PersonalRecord,
) -> pb::PersonalRecord {
    use pb::personal_record::Kind;
    let kind = match record {
        PersonalRecord::Site(data) => Kind::Site(site_data(waymark, principal, *data)),
        PersonalRecord::Change(account, site, made) => {
            Kind::Change(change(waymark, principal, (&account, site), *made))
        }
    };
    pb::PersonalRecord { kind: Some(kind) }
}

fn site_data(waymark: &Waymark, principal: &Principal, data: PersonalData) -> pb::SitePersonalData {
    let PersonalData { site, devices, access: shown } = data;
    let other_ips = site.other_ips().into_iter().map(|ip| ip.to_string()).collect();
    let networks = site.uplinks.networks().into_iter().map(|network| network.to_string()).collect();
    let is_set_up = shown.access.is_some();
    pb::SitePersonalData {
        name: names::of_site(&site.account, site.id),
        delete_time: site.deleted_at.map(timestamp),
        public_ip: public_ip(&site),
        claimed_ip: optional_text(site.claimed_ip),
        network: network_facts(&site.network),
        other_ips,
        networks,
        devices: devices.devices.into_values().map(device).collect(),
        resident_access: is_set_up.then(|| access(waymark, principal, &site.account, shown)),
        address: site.address.as_ref().map(site_address),
        fixes: site.personal_fixes().map(fix).collect(),
        removed_device_position: site.device_removed.as_ref().map(device_position),
        contact: Some(contact(site.contact, principal.contacts)),
        display_name: site.display_name,
        note: site.note,
    }
}
