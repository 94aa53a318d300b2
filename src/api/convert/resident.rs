//! Resident access and devices.

use std::collections::BTreeMap;

use super::site::shown_to;
use super::{check_mask, timestamp};
use crate::api::names;
use crate::api::proto::waymark::v1 as pb;
use crate::model::Invalid;
use crate::model::access::Principal;
use crate::model::id::AccountId;
use crate::model::resident::{Delivery, DevicePermission, State};
use crate::model::site_devices::{DEVICES_MAX, SiteDevice, SiteDevices};
use crate::service::Waymark;
use crate::service::resident::devices::{ResidentDevice, ResidentSite};
use crate::service::resident::{AccessPatch, ShownAccess};

/// An access, or that there is none.
pub(in crate::api) fn access(
    waymark: &Waymark,
    principal: &Principal,
    account: &AccountId,
    shown: ShownAccess,
) -> pb::ResidentAccess {
    let name = names::of_resident_access(account, shown.site);
    let Some(access) = shown.access else {
        let state = pb::ResidentAccessState::None.into();
        return pb::ResidentAccess {
            name,
            state,
            etag: waymark.resident_etag_of(None),
            ..pb::ResidentAccess::default()
        };
    };
    let etag = waymark.resident_etag_of(Some(&access));
    let invitation = access.invitation.as_ref();
    let permission = |(device_id, allowed): (String, DevicePermission)| pb::ResidentDevicePermission {
        device_id,
        visible: allowed.visible,
        power: allowed.power,
        block: allowed.block,
    };
    pb::ResidentAccess {
        name,
        owner_email: shown_to(principal.contacts, access.owner_email),
        owner_email_masked: principal.contacts.are_masked(),
        enabled: access.enabled,
        state: state(shown.state).into(),
        invitation_expire_time: invitation.map(|invitation| timestamp(invitation.expires_at)),
        invite_time: invitation.map(|invitation| timestamp(invitation.invited_at)),
        invitation_delivery: delivery(invitation.map(|invitation| invitation.delivery)).into(),
        accept_time: access.accepted.map(|accepted| timestamp(accepted.at)),
        revoke_time: access.revoked_at.map(timestamp),
        device_permissions: access.permissions.into_iter().map(permission).collect(),
        etag,
    }
}

fn state(state: Option<State>) -> pb::ResidentAccessState {
    match state {
        None => pb::ResidentAccessState::None,
        Some(State::Ready) => pb::ResidentAccessState::Ready,
        Some(State::Invited) => pb::ResidentAccessState::Invited,
        Some(State::Accepted) => pb::ResidentAccessState::Accepted,
        Some(State::Expired) => pb::ResidentAccessState::Expired,
        Some(State::Revoked) => pb::ResidentAccessState::Revoked,
    }
}

fn delivery(delivery: Option<Delivery>) -> pb::InvitationDelivery {
    match delivery {
        None => pb::InvitationDelivery::Unspecified,
        Some(Delivery::Queued) => pb::InvitationDelivery::Queued,
        Some(Delivery::Sent) => pb::InvitationDelivery::Sent,
        Some(Delivery::Refused) => pb::InvitationDelivery::Refused,
    }
}

/// The fields that an update mask may name.
const SETTABLE: [&str; 3] = ["owner_email", "enabled", "device_permissions"];

/// The patch that `mask` makes of an access.
pub(in crate::api) fn parse_access(access: pb::ResidentAccess, mask: &[String]) -> Result<AccessPatch, Invalid> {
    let names = |path: &str| mask.iter().any(|named| named == path || named == "*");
    check_mask(mask, &SETTABLE)?;
    Ok(AccessPatch {
        owner_email: names("owner_email").then_some(access.owner_email),
        enabled: names("enabled").then_some(access.enabled),
        permissions: names("device_permissions").then(|| parse_permissions(access.device_permissions)).transpose()?,
    })
}

fn parse_permissions(
    permissions: Vec<pb::ResidentDevicePermission>,
) -> Result<BTreeMap<String, DevicePermission>, Invalid> {
    let field = "resident_access.device_permissions";
    if permissions.len() > DEVICES_MAX {
        return Err(Invalid::new(field, format!("at most {DEVICES_MAX}, got {}", permissions.len())));
    }
    let count = permissions.len();
    let parsed: BTreeMap<_, _> = permissions
        .into_iter()
        .map(|it| (it.device_id, DevicePermission { visible: it.visible, power: it.power, block: it.block }))
        .collect();
    if parsed.len() < count { Err(Invalid::new(field, "each device is named once")) } else { Ok(parsed) }
}

/// All devices of a site.
pub(in crate::api) fn devices(devices: SiteDevices) -> pb::ListDevicesResponse {
    pb::ListDevicesResponse { devices: devices.devices.into_values().map(device).collect() }
}

/// A device.
pub(super) fn device(device: SiteDevice) -> pb::Device {
    let SiteDevice { id, display_name, kind, can_power, can_block } = device;
    pb::Device { id, display_name, kind, can_power, can_block }
}

/// A reported device, unchecked.
pub(in crate::api) fn parse_device(device: pb::Device) -> SiteDevice {
    let pb::Device { id, display_name, kind, can_power, can_block } = device;
    SiteDevice { id, display_name, kind, can_power, can_block }
}

/// A resident's site.
pub(in crate::api) fn resident_site(account: &AccountId, site: ResidentSite) -> pb::ResidentSite {
    pb::ResidentSite { name: names::of_site(account, site.site), display_name: site.display_name }
}

/// A resident's device.
pub(in crate::api) fn resident_device(shown: ResidentDevice) -> pb::ResidentDevice {
    let ResidentDevice { device, allowed } = shown;
    pb::ResidentDevice {
        id: device.id,
        display_name: device.display_name,
        kind: device.kind,
        may_power: allowed.power,
        may_block: allowed.block,
    }
}
