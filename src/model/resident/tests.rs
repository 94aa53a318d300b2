//! The steps of an access against a model that is nothing but its states.

use proptest::prelude::*;

use super::*;
use crate::model::site_devices::{DEVICES_MAX, SiteDevice};

/// What is done, in a random order.
#[derive(Debug, Clone)]
enum Step {
    Enable(bool),
    Owner(u8),
    Invite,
    Resend,
    Revoke,
    /// With the secret that was drawn so many invitations ago.
    Redeem(usize),
    WaitHours(i64),
}

/// The states as DESIGN.md names them, with no more than they need.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    Ready,
    Out { secret: u8, until: i64 },
    In,
    Revoked,
}

#[derive(Debug)]
struct Model {
    place: Place,
    enabled: bool,
    owner: u8,
    sent: Vec<i64>,
}

impl Model {
    fn state(&self, now: i64) -> State {
        match self.place {
            Place::Ready => State::Ready,
            Place::Out { until, .. } if now < until => State::Invited,
            Place::Out { .. } => State::Expired,
            Place::In => State::Accepted,
            Place::Revoked => State::Revoked,
        }
    }

    /// Whether an invitation goes out.
    fn send(&mut self, secret: u8, now: i64) -> bool {
        let lately = self.sent.iter().filter(|at| now - **at < 24).count();
        if !self.enabled || lately >= SENT_MAX {
            return false;
        }
        self.sent.push(now);
        self.place = Place::Out { secret, until: now + 7 * 24 };
        true
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        1 => any::<bool>().prop_map(Step::Enable),
        1 => Just(Step::Enable(true)),
        1 => (0..3_u8).prop_map(Step::Owner),
        3 => Just(Step::Invite),
        3 => Just(Step::Resend),
        2 => Just(Step::Revoke),
        3 => (0..3_usize).prop_map(Step::Redeem),
        2 => (1..200_i64).prop_map(Step::WaitHours),
    ];
    prop::collection::vec(step, 1..60)
}

fn hash(secret: u8) -> [u8; 32] {
    [secret; 32]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn an_access_steps_as_its_states_do(steps in steps()) {
        let mut access = ResidentAccess::new(SiteId::MIN, Timestamp::UNIX_EPOCH);
        let mut model = Model { place: Place::Ready, enabled: false, owner: 0, sent: Vec::new() };
        access.set_owner("owner0@example.org".into(), Timestamp::UNIX_EPOCH).unwrap();
        let (mut hour, mut drawn) = (1_i64, 0_u8);
        for step in steps {
            let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hour);
            let state = model.state(hour);
            match step {
                Step::Enable(on) => {
                    access.enabled = on;
                    model.enabled = on;
                }
                Step::Owner(owner) => {
                    let done = access.set_owner(format!("owner{owner}@example.org"), now).is_ok();
                    let bound = matches!(state, State::Invited | State::Accepted);
                    prop_assert_eq!(done, owner == model.owner || !bound);
                    if done && owner != model.owner {
                        model.owner = owner;
                        model.place = Place::Ready;
                    }
                }
                Step::Invite | Step::Resend => {
                    drawn += 1;
                    let may = match step {
                        Step::Invite => matches!(state, State::Ready | State::Expired | State::Revoked),
                        _ => matches!(state, State::Invited | State::Expired),
                    };
                    let done = match step {
                        Step::Invite => access.invite(hash(drawn), now),
                        _ => access.resend(hash(drawn), now),
                    };
                    prop_assert_eq!(done.is_ok(), may && model.send(drawn, hour));
                }
                Step::Revoke => {
                    let done = access.revoke(now);
                    prop_assert_eq!(done.is_ok(), state != State::Ready);
                    prop_assert_eq!(done.ok().flatten().is_some(), state == State::Accepted);
                    if state != State::Ready {
                        model.place = Place::Revoked;
                    }
                }
                Step::Redeem(ago) => {
                    let secret = drawn.saturating_sub(u8::try_from(ago).unwrap());
                    let opens = matches!(model.place, Place::Out { secret: right, until } if right == secret && hour < until);
                    let let_in = access.accept(&hash(secret), TokenId::MIN, now);
                    prop_assert_eq!(let_in, opens && model.enabled);
                    if let_in {
                        model.place = Place::In;
                    }
                }
                Step::WaitHours(hours) => hour += hours,
            }
            let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hour);
            prop_assert_eq!(access.state(now), model.state(hour));
            prop_assert_eq!(access.admits(TokenId::MIN), model.place == Place::In && model.enabled);
        }
    }
}

fn device(id: &str, can_power: bool, can_block: bool) -> SiteDevice {
    SiteDevice { id: id.into(), display_name: id.into(), kind: String::new(), can_power, can_block }
}

#[test]
fn no_secret_opens_a_door_without_invitation() {
    let mut access = ResidentAccess::new(SiteId::MIN, Timestamp::UNIX_EPOCH);
    access.enabled = true;
    assert!(!access.accept(&[0; 32], TokenId::MIN, Timestamp::UNIX_EPOCH), "the hash that stands for none");
}

#[test]
fn what_a_site_cannot_is_not_allowed() {
    let mut devices = SiteDevices::none(SiteId::MIN);
    let now = Timestamp::UNIX_EPOCH;
    devices.report(vec![device("cam", true, false), device("tv", false, true)], false, now).unwrap();
    let mut access = ResidentAccess::new(SiteId::MIN, now);
    let mut allow = |id: &str, power, block| {
        access.set_permissions([(id.into(), DevicePermission { visible: true, power, block })].into(), &devices)
    };
    assert!(allow("cam", true, false).is_ok());
    assert_eq!(allow("cam", false, true).unwrap_err().field, "device_permissions[cam].block");
    assert_eq!(allow("tv", true, true).unwrap_err().field, "device_permissions[tv].power");
    assert_eq!(allow("fridge", false, false).unwrap_err().field, "device_permissions[fridge].device_id");
    assert!(allow("tv", false, true).is_ok());
    // It can less now: the permission stands, and is worth nothing.
    devices.report(vec![device("tv", false, false)], true, now).unwrap();
    access.set_permissions(access.permissions.clone(), &devices).unwrap();
    assert!(!devices.get("tv").unwrap().within(access.permissions["tv"]).block);
    // It can be taken away in part, but not be given back, nor can more be given.
    let mut allow = |visible, power, block| {
        access.set_permissions([("tv".into(), DevicePermission { visible, power, block })].into(), &devices)
    };
    assert_eq!(allow(true, true, true).unwrap_err().field, "device_permissions[tv].power");
    assert!(allow(false, false, true).is_ok() && allow(false, false, false).is_ok());
    assert_eq!(allow(true, false, true).unwrap_err().field, "device_permissions[tv].block");
    assert_eq!(devices.devices.len(), 2, "merged");
    devices.report(Vec::new(), false, now).unwrap();
    assert_eq!(devices.devices.len(), 0, "replaced");
}

#[test]
fn reports_are_bounded_and_plain() {
    let mut devices = SiteDevices::none(SiteId::MIN);
    let many = |count: usize| (0..count).map(|at| device(&format!("d{at}"), false, false)).collect::<Vec<_>>();
    let now = Timestamp::UNIX_EPOCH;
    assert!(devices.report(many(DEVICES_MAX), false, now).is_ok());
    assert!(devices.report(vec![device("one-more", false, false)], true, now).is_err());
    assert!(devices.report(vec![device("a", true, true), device("a", true, true)], false, now).is_err());
    assert!(devices.report(vec![device("a\r\nb", true, true)], false, now).is_err());
    assert_eq!(devices.devices.len(), DEVICES_MAX, "a refused report changes nothing");
}

#[test]
fn owners_have_one_address() {
    for bad in ["", "  ", "a", "a@b>\r\nBcc: c@d", "a@b\nc", "\"x\"@y", "a@b,c@d"] {
        assert_eq!(owner_email(bad).unwrap_err().field, "owner_email", "{bad:?}");
    }
    assert_eq!(owner_email(" jo@example.org ").unwrap(), "jo@example.org");
    assert!(is_same_email("Jo@Example.org", "jo@example.ORG"));
}
