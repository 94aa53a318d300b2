//! Entries of histories and the values in them.

use super::access::scope;
use super::location::{geocoded_evidence, granularity, lat_lng, no_estimate, site_address, source};
use super::resident::device;
use super::site::{phones_shown_to, replacement, shown_to, status, ticketing_link};
use super::timestamp;
use crate::api::names;
use crate::api::proto::waymark::v1 as pb;
use crate::model::access::{Contacts, Principal};
use crate::model::history::{Actor, Cause, Change, Edit, Origin, PastFix, Value};
use crate::model::id::{AccountId, SiteId};
use crate::service::Waymark;

/// An entry, as it is shown to a principal.
pub(in crate::api) fn change(
    waymark: &Waymark,
    principal: &Principal,
    (account, site): (&AccountId, SiteId),
    change: Change,
) -> pb::SiteChange {
    let restored = if let Cause::Restored { change } = change.cause { Some(change) } else { None };
    let run = if let Cause::Reestimated { run } = &change.cause { Some(run.as_str()) } else { None };
    pb::SiteChange {
        name: names::of_change(account, site, change.number),
        make_time: Some(timestamp(change.made_at)),
        actor: Some(actor(waymark, account, &change.actor)),
        restored_change: restored.map(|number| names::of_change(account, site, number)).unwrap_or_default(),
        reestimation: run.map(names::of_reestimation).unwrap_or_default(),
        cause: cause(&change.cause).into(),
        merged_changes: change.merged.map_or(0, |merged| i32::try_from(merged.count).unwrap_or(i32::MAX)),
        first_make_time: change.merged.map(|merged| timestamp(merged.since)),
        edits: edits(change, principal.contacts),
    }
}

fn actor(waymark: &Waymark, account: &AccountId, actor: &Actor) -> pb::ChangeActor {
    let (kind, able) = match actor {
        Actor::Token { id, scope } => {
            let own = (!waymark.is_operators(actor)).then_some(account);
            (Some(pb::change_actor::Kind::Token(names::of_token(own, *id))), Some(*scope))
        }
        Actor::Identity { name, scope } => (Some(pb::change_actor::Kind::Identity(name.clone())), Some(*scope)),
        Actor::Agent { id } => (Some(pb::change_actor::Kind::AgentId(id.to_string())), None),
        Actor::System => (None, None),
    };
    let scope = able.map_or(pb::TokenScope::Unspecified, scope).into();
    pb::ChangeActor { kind, scope, display_name: waymark.actor_name(account, actor) }
}

fn cause(cause: &Cause) -> pb::ChangeCause {
    match cause {
        Cause::Created => pb::ChangeCause::Created,
        Cause::Updated => pb::ChangeCause::Updated,
        Cause::Deleted => pb::ChangeCause::Deleted,
        Cause::Undeleted => pb::ChangeCause::Undeleted,
        Cause::Activated => pb::ChangeCause::Activated,
        Cause::TakenOver => pb::ChangeCause::TakenOver,
        Cause::AgentLeft => pb::ChangeCause::AgentLeft,
        Cause::ReplacementAllowed => pb::ChangeCause::ReplacementAllowed,
        Cause::ReplacementCancelled => pb::ChangeCause::ReplacementCancelled,
        Cause::Reported => pb::ChangeCause::Reported,
        Cause::AddressStated => pb::ChangeCause::AddressStated,
        Cause::CandidateApplied => pb::ChangeCause::CandidateApplied,
        Cause::PinDropped => pb::ChangeCause::PinDropped,
        Cause::LocationReset => pb::ChangeCause::LocationReset,
        Cause::FixDeleted => pb::ChangeCause::FixDeleted,
        Cause::AddressAnswered => pb::ChangeCause::AddressAnswered,
        Cause::AddressRenewed => pb::ChangeCause::AddressRenewed,
        Cause::AddressExpired => pb::ChangeCause::AddressExpired,
        Cause::Reestimated { .. } => pb::ChangeCause::Reestimated,
        Cause::AttentionDismissed => pb::ChangeCause::AttentionDismissed,
        Cause::AttentionRestored => pb::ChangeCause::AttentionRestored,
        Cause::ResidentAccessChanged => pb::ChangeCause::ResidentAccessChanged,
        Cause::ResidentInvited => pb::ChangeCause::ResidentInvited,
        Cause::ResidentAccessRevoked => pb::ChangeCause::ResidentAccessRevoked,
        Cause::InvitationRedeemed => pb::ChangeCause::InvitationRedeemed,
        Cause::TicketingChecked => pb::ChangeCause::TicketingChecked,
        Cause::Restored { .. } => pb::ChangeCause::Restored,
    }
}

fn edits(mut change: Change, contacts: Contacts) -> Vec<pb::FieldEdit> {
    let edits = std::mem::take(&mut change.edits).into_iter();
    edits.map(|made| edit(change.can_restore(&made), made, contacts)).collect()
}

fn edit(can_restore: bool, edit: Edit, contacts: Contacts) -> pb::FieldEdit {
    let masked = contacts.are_masked() && edit.field.is_private();
    let shown = if masked { contacts } else { Contacts::Read };
    pb::FieldEdit {
        restorable: !masked && can_restore && edit.from.as_ref().is_none_or(Value::is_kept),
        field: edit.field.to_string(),
        old_value: edit.from.map(|from| value(from, shown)),
        new_value: edit.to.map(|to| value(to, shown)),
        masked,
    }
}

/// A value, masked as `contacts` says: every text and every list of phone numbers.
fn value(value: Value, contacts: Contacts) -> pb::PastValue {
    use pb::past_value::Kind;
    let (mut text_bytes, mut shortened) = (0, false);
    let kind = match value {
        Value::Text(text) => {
            let text = shown_to(contacts, text);
            text_bytes = text.len();
            Kind::Text(text)
        }
        Value::LongText(text) => {
            let beginning = shown_to(contacts, text.beginning);
            // Of what is masked nobody is told how long it was.
            (text_bytes, shortened) = if contacts.are_masked() { (beginning.len(), false) } else { (text.bytes, true) };
            Kind::Text(beginning)
        }
        Value::Status(found) => Kind::Status(status(found).into()),
        Value::Phones(phones) => Kind::Phones(pb::PhoneList { phones: phones_shown_to(contacts, phones) }),
        Value::Links(links) => {
            Kind::TicketingLinks(pb::TicketingLinkList { links: links.into_iter().map(ticketing_link).collect() })
        }
        Value::Fix(fix) => Kind::Fix(past_fix(&fix)),
        Value::Source(found) => Kind::Source(source(found).into()),
        Value::NoEstimate(reason) => Kind::NoEstimateReason(no_estimate(Some(reason)).into()),
        Value::Address(address) => Kind::Address(site_address(&address)),
        Value::Replacement(consent) => Kind::Replacement(replacement(&consent)),
        Value::Ip(ip) => {
            let ip = ip.to_string();
            text_bytes = ip.len();
            Kind::Text(ip)
        }
        Value::Network(network) => {
            let network = network.to_string();
            text_bytes = network.len();
            Kind::Text(network)
        }
        Value::Time(time) => Kind::Time(timestamp(time)),
        Value::Device(found) => Kind::Device(device(*found)),
    };
    pb::PastValue { kind: Some(kind), shortened, text_bytes: i64::try_from(text_bytes).unwrap_or(i64::MAX) }
}

fn past_fix(fix: &PastFix) -> pb::Fix {
    let evidence = match &fix.origin {
        Origin::Database { database_type } => Some(pb::fix::Evidence::Database(pb::DatabaseEvidence {
            database_type: database_type.clone(),
            ..pb::DatabaseEvidence::default()
        })),
        Origin::Prefix { network } => Some(pb::fix::Evidence::Prefix(pb::PrefixEvidence {
            network: network.clone(),
            ..pb::PrefixEvidence::default()
        })),
        Origin::Geocoded(answer) => Some(pb::fix::Evidence::Geocoded(pb::GeocodedEvidence {
            // What is here has no end.
            expire_time: None,
            ..geocoded_evidence(answer)
        })),
        Origin::Dropped | Origin::Measured => None,
    };
    pb::Fix {
        source: source(fix.source).into(),
        position: fix.position.map(lat_lng),
        accuracy_m: fix.accuracy_m,
        granularity: granularity(fix.granularity).into(),
        make_time: fix.made_at.map(timestamp),
        maker: fix.made_by.clone(),
        evidence,
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::model::access::MASK;
    use crate::model::evidence::{GeocodedEvidence, Storage};
    use crate::model::geo::LatLng;
    use crate::model::history::{Field, LinkId};
    use crate::model::location::{Granularity, Source};
    use crate::model::phone::{Phone, PhoneKind};
    use crate::model::site::TicketingLink;
    use crate::model::site_address::{AddressState, SiteAddress};
    use crate::model::site_devices::SiteDevice;
    use crate::model::ticketing::LinkCheck;

    fn answer() -> GeocodedEvidence {
        GeocodedEvidence {
            provider: "p".repeat(60),
            place_id: "i".repeat(400),
            formatted_address: "f".repeat(900),
            query: "q".repeat(500),
            attribution: "a".repeat(300),
            country: None,
            storage: Storage::Unlimited,
        }
    }

    fn link() -> TicketingLink {
        TicketingLink {
            system: "autotask".into(),
            organization_id: "o".repeat(256),
            organization_name: "n".repeat(256),
            external_site_id: "e".repeat(256),
            external_site_name: "s".repeat(256),
            uri: "u".repeat(2_048),
            check: LinkCheck::default(),
        }
    }

    /// A value of each kind, of the longest that there may be.
    fn longest() -> Vec<(Field, Value)> {
        let phone = Phone { number: format!("+{}", "3".repeat(15)), kind: PhoneKind::Work, extension: "9".repeat(11) };
        let fix = PastFix {
            source: Source::Address,
            position: Some(LatLng::new(64.1, -21.9).unwrap()),
            accuracy_m: Some(12.5),
            granularity: Granularity::Door,
            origin: Origin::Geocoded(answer()),
            made_at: Some(jiff::Timestamp::MAX),
            made_by: format!("agent:{}", "x".repeat(128)),
        };
        let address = SiteAddress {
            typed: "t".repeat(500),
            parts: None,
            formatted: "f".repeat(900),
            storage: Storage::Unlimited,
            evidence: Some(Box::new(answer())),
            country: None,
            state: AddressState::PinKept,
            keep_pin: true,
            chosen: true,
            stated_by: "token:0123456789abcdef".into(),
            stated_at: None,
            retry: None,
            renewal: None,
        };
        let device = SiteDevice {
            id: "i".repeat(128),
            display_name: "d".repeat(256),
            kind: "k".repeat(256),
            can_power: true,
            can_block: true,
        };
        vec![
            (Field::Device(device.id.clone()), Value::Device(Box::new(device))),
            (Field::Phones, Value::Phones(vec![phone; 16])),
            (Field::TicketingLink(LinkId::from(&link())), Value::Links(vec![link(); 32])),
            (Field::Fix(Source::Address), Value::Fix(Box::new(fix))),
            (Field::Address, Value::Address(Box::new(address))),
            (Field::Note, Value::of_text(&"n".repeat(64 * 1024)).unwrap()),
            (Field::DeleteTime, Value::Time(jiff::Timestamp::MAX)),
            (Field::PublicIp, Value::Ip("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff".parse().unwrap())),
        ]
    }

    fn edits_of(all: impl IntoIterator<Item = (Field, Value)>) -> Vec<Edit> {
        all.into_iter().map(|(field, value)| Edit { field, from: Some(value.clone()), to: Some(value) }).collect()
    }

    /// Pages of entries of many labels were four times as long as they were thought to be, and no client takes so long ones.
    #[test]
    fn an_entry_is_no_longer_than_its_weight() {
        let labels = (0..64).map(|number| (Field::Label(format!("{number:063}")), Value::Text(String::new())));
        let mut all = vec![edits_of(labels), edits_of(longest()), Vec::new()];
        all.extend(longest().into_iter().map(|one| edits_of([one])));
        for made in all {
            let change = Change {
                number: u32::MAX,
                made_at: jiff::Timestamp::MAX,
                actor: Actor::System,
                cause: Cause::Updated,
                edits: made,
                merged: None,
            };
            let weight = change.weight();
            // Longer than the longest name of a token with what its account calls it.
            let actor = pb::ChangeActor {
                kind: Some(pb::change_actor::Kind::Identity("i".repeat(256 + 1 + 255))),
                ..pb::ChangeActor::default()
            };
            let message = pb::SiteChange {
                name: "n".repeat(136),
                make_time: Some(timestamp(jiff::Timestamp::MAX)),
                actor: Some(actor),
                restored_change: "n".repeat(136),
                merged_changes: i32::MAX,
                first_make_time: Some(timestamp(jiff::Timestamp::MAX)),
                edits: edits(change, Contacts::Read),
                ..pb::SiteChange::default()
            };
            let bytes = message.encoded_len();
            assert!(bytes <= weight && weight <= bytes * 2 + 1_024, "{bytes} bytes, weight {weight}");
        }
    }

    fn seen(field: Field, from: Value, contacts: Contacts) -> pb::FieldEdit {
        edit(true, Edit { field, from: Some(from), to: None }, contacts)
    }

    #[test]
    fn private_values_are_masked_for_tokens_that_mask_contacts() {
        let email = || Value::Text("anna@example.org".to_owned());
        let phone = |digit| Phone { number: format!("+41440000{digit}"), kind: PhoneKind::Work, ..Phone::default() };
        let phones = || Value::Phones(vec![phone(1), phone(2)]);
        let long = || Value::of_text(&"anna ".repeat(1_000)).unwrap();
        assert!(matches!(long(), Value::LongText(_)));
        for (field, from) in [
            (Field::Email, email()),
            (Field::ResidentEmail, email()),
            (Field::Phones, phones()),
            (Field::Note, email()),
            (Field::Note, long()),
        ] {
            let masked = seen(field.clone(), from.clone(), Contacts::Masked);
            let text = format!("{masked:?}");
            assert!(text.contains(MASK) && !text.contains("anna") && !text.contains("+41"), "{text}");
            assert!(masked.masked && !masked.restorable && masked.new_value.is_none(), "{text}");
            let open = seen(field, from, Contacts::Read);
            assert!(!open.masked && !format!("{open:?}").contains(MASK), "{open:?}");
        }
        let masked = seen(Field::Note, long(), Contacts::Masked);
        let short = seen(Field::Note, email(), Contacts::Masked);
        assert_eq!(masked.old_value, short.old_value, "nor is it told that it was long");
        let open = seen(Field::CustomerId, email(), Contacts::Masked);
        assert!(!open.masked && format!("{open:?}").contains("anna"), "{open:?}");
    }
}
