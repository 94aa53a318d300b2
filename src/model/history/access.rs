//! What changes of a resident's access say in the history of their site.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Edit, Field, Value};
use crate::model::resident::{DevicePermission, ResidentAccess, State};

/// The edits between two versions of an access at a time, each field at most once; `None` for an access that is not set up.
#[must_use]
pub fn diff_access(before: Option<&ResidentAccess>, after: Option<&ResidentAccess>, now: Timestamp) -> Vec<Edit> {
    let set_up = |access: &&ResidentAccess| access.is_set_up();
    let (before, after) = (before.filter(set_up), after.filter(set_up));
    let mut edits = Vec::new();
    let mut note = |field: Field, value: &dyn Fn(&ResidentAccess) -> Option<Value>| {
        let (from, to) = (before.and_then(value), after.and_then(value));
        if from != to {
            edits.push(Edit { field, from, to });
        }
    };
    note(Field::ResidentEmail, &|access| Value::of_text(&access.owner_email));
    note(Field::ResidentEnabled, &|access| Some(word(if access.enabled { "on" } else { "off" })));
    note(Field::ResidentState, &|access| Some(word(state_word(access.state(now)))));
    let devices = [before, after].into_iter().flatten().flat_map(|access| access.permissions.keys());
    for device in devices.collect::<BTreeSet<_>>() {
        let allowed = |access: &ResidentAccess| access.permissions.get(device).map(|known| word(&rights(*known)));
        note(Field::ResidentPermission(device.clone()), &allowed);
    }
    // The first invitation is told by the state, and so is the end of the last: this tells of another one between.
    let invited_at = |access: Option<&ResidentAccess>| Some(access?.invitation.as_ref()?.invited_at);
    if let Some((from, to)) = invited_at(before).zip(invited_at(after)).filter(|(from, to)| from != to) {
        let (from, to) = (Some(Value::Time(from)), Some(Value::Time(to)));
        edits.push(Edit { field: Field::ResidentInviteTime, from, to });
    }
    edits
}

fn word(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn state_word(state: State) -> &'static str {
    match state {
        State::Ready => "ready",
        State::Invited => "invited",
        State::Accepted => "accepted",
        State::Expired => "expired",
        State::Revoked => "revoked",
    }
}

/// What is allowed, in words.
fn rights(permission: DevicePermission) -> String {
    let all = [(permission.visible, "see"), (permission.power, "power"), (permission.block, "block")];
    let allowed: Vec<&str> = all.into_iter().filter(|(is_allowed, _)| *is_allowed).map(|(_, word)| word).collect();
    if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::SiteId;

    #[test]
    fn an_access_that_is_set_up_and_invited_is_told_field_by_field() {
        let now = Timestamp::UNIX_EPOCH;
        let mut access = ResidentAccess::new(SiteId::from_u128(1), now);
        access.set_owner("jo@example.org".into(), now).unwrap();
        access.enabled = true;
        let see = DevicePermission { visible: true, power: true, block: false };
        access.permissions.insert("a.b".into(), see);
        let told = |edits: Vec<Edit>| -> Vec<(String, Option<Value>, Option<Value>)> {
            edits.into_iter().map(|edit| (edit.field.to_string(), edit.from, edit.to)).collect()
        };
        let text = |text: &str| Some(word(text));
        let set_up = vec![
            ("resident_access.owner_email".into(), None, text("jo@example.org")),
            ("resident_access.enabled".into(), None, text("on")),
            ("resident_access.state".into(), None, text("ready")),
            ("resident_access.device_permissions.a.b".into(), None, text("see, power")),
        ];
        assert_eq!(told(diff_access(None, Some(&access), now)), set_up);
        let mut invited = access.clone();
        invited.invite([1; 32], now).unwrap();
        let states = vec![("resident_access.state".into(), text("ready"), text("invited"))];
        assert_eq!(told(diff_access(Some(&access), Some(&invited), now)), states);
        assert!(diff_access(Some(&invited), Some(&invited), now).is_empty());
        assert_eq!(diff_access(Some(&invited), None, now).len(), 4);
        let (mut resent, later) = (invited.clone(), now + jiff::SignedDuration::from_secs(1));
        resent.resend([2; 32], later).unwrap();
        let edits = diff_access(Some(&invited), Some(&resent), later);
        let (from, to) = (Some(Value::Time(now)), Some(Value::Time(later)));
        assert_eq!(edits, [Edit { field: Field::ResidentInviteTime, from, to }]);
    }
}
