//! The devices of a site, as a service or the site's agent reports them, and what can be done with each.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::id::{AgentId, SiteId};
use super::resident::DevicePermission;
use super::{Invalid, text};

/// Most devices of a site: a large home has a hundred.
pub const DEVICES_MAX: usize = 512;

/// One device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteDevice {
    /// Its id, unique at its site.
    pub id: String,
    /// Its name, for people.
    pub display_name: String,
    /// What it is, such as `camera`; may be empty.
    pub kind: String,
    /// Whether its power can be switched.
    pub can_power: bool,
    /// Whether its internet can be blocked.
    pub can_block: bool,
}

impl SiteDevice {
    /// The device with every field checked.
    pub fn checked(self) -> Result<Self, Invalid> {
        device_id("id", &self.id)?;
        let line = |field: &str, value: &str| text::line(field, value, text::LINE_BYTES_MAX);
        Ok(Self { display_name: line("display_name", &self.display_name)?, kind: line("kind", &self.kind)?, ..self })
    }

    /// What is left of a permission where the device can do less.
    #[must_use]
    pub fn within(&self, allowed: DevicePermission) -> DevicePermission {
        DevicePermission { power: allowed.power && self.can_power, block: allowed.block && self.can_block, ..allowed }
    }
}

/// Checks a device's id: 1 to 128 of `A-Z a-z 0-9 . _ : -`, as those of agents.
pub fn device_id(field: &str, text: &str) -> Result<(), Invalid> {
    let why = "a device id is 1 to 128 of A-Z, a-z, 0-9, '.', '_', ':' and '-'";
    text.parse::<AgentId>().map(drop).map_err(|_| Invalid::new(field, why))
}

/// All devices of a site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteDevices {
    /// The site.
    pub site: SiteId,
    /// By id.
    pub devices: BTreeMap<String, SiteDevice>,
    /// When they were last reported; `None` for never.
    pub reported_at: Option<Timestamp>,
}

impl SiteDevices {
    /// Of a site that nobody reported any of.
    #[must_use]
    pub fn none(site: SiteId) -> Self {
        Self { site, devices: BTreeMap::new(), reported_at: None }
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&SiteDevice> {
        self.devices.get(id)
    }

    /// Takes a report in: the devices that there are, or with `merge` some of them, which leaves the others.
    pub fn report(&mut self, reported: Vec<SiteDevice>, merge: bool, now: Timestamp) -> Result<(), Invalid> {
        let mut devices = if merge { self.devices.clone() } else { BTreeMap::new() };
        let mut named = std::collections::BTreeSet::new();
        for (at, device) in reported.into_iter().enumerate() {
            let device = device.checked().map_err(|fault| fault.within(&format!("devices[{at}]")))?;
            if !named.insert(device.id.clone()) {
                return Err(Invalid::new(format!("devices[{at}].id"), "each device is reported once"));
            }
            devices.insert(device.id.clone(), device);
        }
        if devices.len() > DEVICES_MAX {
            let why = format!("a site has at most {DEVICES_MAX} devices, these would be {}", devices.len());
            return Err(Invalid::new("devices", why));
        }
        self.devices = devices;
        self.reported_at = Some(now);
        Ok(())
    }
}
