//! What a report of a site's devices says in the history of the site.

use std::collections::BTreeSet;

use super::{Edit, Field, Value};
use crate::model::site_devices::SiteDevices;

/// Most devices that one entry tells of: nobody reads a longer list, and what reports by the hour shall not fill a store.
pub(super) const DEVICES_TOLD_MAX: usize = 64;

/// The edits between two reports: how many devices there are, where that changed, and each device that came, went or is
/// another now, in the order of their ids and at most 64 of them.
#[must_use]
pub fn diff_devices(before: &SiteDevices, after: &SiteDevices) -> Vec<Edit> {
    let mut edits = Vec::new();
    let count = |of: &SiteDevices| (!of.devices.is_empty()).then(|| Value::Text(of.devices.len().to_string()));
    let (from, to) = (count(before), count(after));
    if from != to {
        edits.push(Edit { field: Field::DeviceCount, from, to });
    }
    let ids: BTreeSet<&String> = before.devices.keys().chain(after.devices.keys()).collect();
    let device = |of: &SiteDevices, id: &str| of.get(id).map(|device| Value::Device(Box::new(device.clone())));
    let changed = ids.into_iter().filter(|id| before.get(id) != after.get(id));
    edits.extend(changed.take(DEVICES_TOLD_MAX).map(|id| {
        let (from, to) = (device(before, id), device(after, id));
        Edit { field: Field::Device(id.clone()), from, to }
    }));
    edits
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::history::{Actor, Cause, Change};
    use crate::model::id::SiteId;
    use crate::model::site_devices::SiteDevice;

    fn device(id: &str, can_block: bool) -> SiteDevice {
        SiteDevice { id: id.into(), display_name: format!("The {id}"), kind: String::new(), can_power: true, can_block }
    }

    fn devices(all: impl IntoIterator<Item = SiteDevice>) -> SiteDevices {
        let mut devices = SiteDevices::none(SiteId::from_u128(1));
        devices.report(all.into_iter().collect(), false, Timestamp::UNIX_EPOCH).unwrap();
        devices
    }

    fn numbered(ids: std::ops::Range<u32>) -> SiteDevices {
        devices(ids.map(|id| device(&format!("d{id:03}"), false)))
    }

    #[test]
    fn a_device_that_comes_goes_or_can_do_something_else_is_told() {
        let before = devices([device("cam", false), device("nas", false), device("tv", false)]);
        let after = devices([device("cam", false), device("hub", false), device("tv", true)]);
        let told: Vec<_> = diff_devices(&before, &after).into_iter().map(|edit| edit.field.to_string()).collect();
        assert_eq!(told, ["devices.hub", "devices.nas", "devices.tv"]);
        let none = SiteDevices::none(before.site);
        let edits = diff_devices(&none, &before);
        assert_eq!((edits[0].field.to_string(), &edits[0].from), ("device_count".to_owned(), &None));
        assert_eq!(edits[0].to, Some(Value::Text("3".into())));
        assert_eq!(edits.len(), 4);
        let again = SiteDevices { reported_at: Some(Timestamp::MAX), ..before.clone() };
        assert!(diff_devices(&before, &again).is_empty(), "the time alone");
    }

    #[test]
    fn an_entry_tells_of_so_many_devices_however_often_others_are_reported() {
        let entry = |before: &SiteDevices, after: &SiteDevices| Change {
            number: 2,
            made_at: Timestamp::UNIX_EPOCH,
            actor: Actor::System,
            cause: Cause::Reported,
            edits: diff_devices(before, after),
            merged: None,
        };
        let of_devices = |change: &Change| change.edits.iter().filter(|edit| edit.field.is_device()).count();
        let (none, many) = (SiteDevices::none(SiteId::from_u128(1)), numbered(0..400));
        let mut change = entry(&none, &many);
        assert_eq!((of_devices(&change), change.edits.len()), (DEVICES_TOLD_MAX, DEVICES_TOLD_MAX + 1));
        assert!(change.merge(&entry(&many, &numbered(500..900))));
        assert!(change.merge(&entry(&numbered(500..900), &numbered(0..100))));
        assert_eq!(of_devices(&change), DEVICES_TOLD_MAX);
        let count = change.edits.iter().find(|edit| edit.field == Field::DeviceCount).unwrap();
        assert_eq!((&count.from, &count.to), (&None, &Some(Value::Text("100".into()))));
        let record = serde_json::to_string(&change).unwrap();
        assert_eq!(serde_json::from_str::<Change>(&record).unwrap(), change);
    }
}
