//! Histories of random sites, read backwards; and what makes no difference.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

mod merging;

use proptest::prelude::*;

use super::*;
use crate::model::attention::{AttentionReason, Dismissal};
use crate::model::evidence::{GeocodedEvidence, NetworkFacts, Storage};
use crate::model::geo::LatLng;
use crate::model::location::{DatabaseEvidence, Evidence, Fix, Granularity, NoEstimate, Source};
use crate::model::phone::{Phone, PhoneKind};
use crate::model::site::{Replacement, Site, Status, TicketingLink};
use crate::model::site_address::{AddressState, Retry, SiteAddress, WaitReason};
use crate::model::ticketing::{LinkCheck, LinkState};
use crate::model::uplink::{Away, Seen};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn blank() -> Site {
    Site { id: crate::model::id::SiteId::MIN, ..Site::new("acme".parse().unwrap(), String::new(), at(0)) }
}

fn answer(storage: Storage, formatted: &str) -> GeocodedEvidence {
    GeocodedEvidence {
        provider: "test".into(),
        place_id: "place 7".into(),
        formatted_address: formatted.into(),
        query: "the question".into(),
        attribution: "Test".into(),
        country: None,
        storage,
    }
}

fn fix(source: Source, second: i64, lat: f64, storage: Storage) -> Fix {
    let evidence = match source {
        Source::GeoIp => Evidence::Database(database(second)),
        Source::Device => Evidence::Measured,
        Source::Address => Evidence::Geocoded(answer(storage, &format!("Street {lat}"))),
        Source::Pin => Evidence::Dropped,
    };
    let (made_at, made_by) = (at(second), format!("token:{second}"));
    let position = LatLng::new(lat, 10.0).unwrap();
    Fix { source, position, accuracy_m: None, granularity: Granularity::City, evidence, made_at, made_by }
}

fn database(build: i64) -> DatabaseEvidence {
    DatabaseEvidence {
        database_type: "Test-City".into(),
        build_time: at(build),
        network: format!("192.0.2.{build}/32"),
        city: "Zürich".into(),
        region: String::new(),
        country: None,
        region_code: String::new(),
        postcode: String::new(),
        time_zone: String::new(),
        lowered_by: crate::model::evidence::NetworkKind::default(),
        is_outdated: false,
        others: Vec::new(),
        attribution: String::new(),
    }
}

fn address(typed: &str, state: AddressState, storage: Storage) -> SiteAddress {
    SiteAddress {
        typed: typed.into(),
        parts: None,
        formatted: format!("{typed}, as the provider writes it"),
        storage,
        evidence: Some(Box::new(answer(storage, typed))),
        country: None,
        state,
        keep_pin: false,
        chosen: false,
        stated_by: "token:1".into(),
        stated_at: Some(at(1)),
        retry: None,
        renewal: None,
    }
}

/// One of few values, so that neighbours in a history are often the same.
fn one_of<T: Clone + std::fmt::Debug + 'static>(values: impl Into<Vec<T>>) -> impl Strategy<Value = T> {
    prop::sample::select(values.into())
}

fn any_storage() -> impl Strategy<Value = Storage> {
    one_of([Storage::Unlimited, Storage::Until(at(90))])
}

fn any_text() -> impl Strategy<Value = String> {
    one_of([
        String::new(),
        "a".to_owned(),
        "ä\nb".to_owned(),
        "é".repeat(700),
        "x".repeat(1_024),
        "y".repeat(64 * 1024),
    ])
}

fn link(system: &str, organization_id: &str, organization_name: &str) -> TicketingLink {
    TicketingLink {
        system: system.into(),
        organization_id: organization_id.into(),
        organization_name: organization_name.into(),
        external_site_id: String::new(),
        external_site_name: String::new(),
        uri: String::new(),
        check: LinkCheck::default(),
    }
}

fn any_link() -> impl Strategy<Value = TicketingLink> {
    let state = one_of([LinkState::Unverified, LinkState::Drifted, LinkState::Broken]);
    (one_of(["autotask", "a/b"]), one_of(["1", "2"]), one_of(["", "Acme"]), state).prop_map(
        |(system, id, name, state)| {
            let check = LinkCheck { state, ..LinkCheck::default() };
            TicketingLink { check, ..link(system, id, name) }
        },
    )
}

prop_compose! {
    fn any_texts()(
        name in one_of(["One", "Two"]),
        texts in [any_text(), any_text()],
        status in one_of(Status::ALL),
        phones in prop::collection::vec(one_of(["+3541234567", "+3547654321"]), 0..3),
        labels in prop::collection::btree_map(one_of(["a", "b.c"]), one_of(["", "x"]), 0..3),
        links in prop::collection::vec(any_link(), 0..3),
        reasons in prop::collection::btree_map(one_of(AttentionReason::ALL), 0..2_i64, 0..2),
    ) -> Site {
        let mut site = Site { display_name: name.into(), status, ticketing_links: links, ..blank() };
        [site.note, site.customer_id] = texts;
        site.contact.email = site.customer_id.clone();
        let phone = |number: &str| Phone { number: number.into(), kind: PhoneKind::Work, extension: String::new() };
        site.contact.phones = phones.into_iter().map(phone).collect();
        site.labels = labels.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        let dismissal = |(reason, second)| Dismissal { reason, fingerprint: 7, by: "token:1".into(), at: at(second) };
        site.dismissals = reasons.into_iter().map(dismissal).collect();
        site
    }
}

prop_compose! {
    fn any_site()(
        site in any_texts(),
        fixes in prop::collection::vec((one_of(Source::ALL), 0..3_i64, 0..2_i32, any_storage()), 0..4),
        stated in prop::option::of((one_of(["x", "y"]), one_of([AddressState::Applied, AddressState::Pending]), any_storage())),
        no_estimate in prop::option::of(one_of([NoEstimate::Private, NoEstimate::NotFound])),
        (ip, asn, isp) in (prop::option::of(one_of([1_u8, 2])), prop::option::of(one_of([64_500_u32, 64_501])), one_of(["", "Alpha"])),
        (agent, is_deleted, consent) in (prop::option::of(one_of(["fw-1", "fw-2"])), any::<bool>(), any::<bool>()),
    ) -> Site {
        let agent: Option<AgentId> = agent.map(|agent| agent.parse().unwrap());
        let fixes = fixes.into_iter().map(|(source, second, lat, storage)| fix(source, second, lat.into(), storage));
        Site {
            fixes: fixes.collect::<Vec<_>>().into(),
            address: stated.map(|(typed, state, storage)| address(typed, state, storage)),
            no_estimate,
            public_ip: ip.map(|last| IpAddr::from([192, 0, 2, last])),
            network: NetworkFacts { asn, isp: isp.into(), ..NetworkFacts::default() },
            replacement: agent.clone().filter(|_| consent).map(|agent| Replacement { agent, until: at(9) }),
            activated_at: agent.is_some().then(|| at(3)),
            agent,
            deleted_at: is_deleted.then(|| at(4)),
            ..site
        }
    }
}

/// All that a history knows of a site.
fn facts(site: &Site) -> BTreeMap<Field, Value> {
    let edits = diff(&blank(), site).into_iter();
    let status = (Field::Status, Value::Status(site.status));
    edits.filter_map(|edit| Some((edit.field, edit.to?))).chain([status]).collect()
}

fn set(facts: &mut BTreeMap<Field, Value>, field: Field, value: Option<Value>) {
    match value {
        Some(value) => facts.insert(field, value),
        None => facts.remove(&field),
    };
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_history_read_backwards_gives_the_first_version(versions in prop::collection::vec(any_site(), 2..6)) {
        let changes: Vec<Vec<Edit>> = versions.windows(2).map(|pair| diff(&pair[0], &pair[1])).collect();
        let mut past = facts(versions.last().unwrap());
        for (edits, version) in changes.iter().zip(&versions).rev() {
            for edit in edits {
                prop_assert_eq!(past.get(&edit.field), edit.to.as_ref(), "{} is not what the next entry says", edit.field);
                set(&mut past, edit.field.clone(), edit.from.clone());
            }
            prop_assert_eq!(&past, &facts(version));
        }
    }

    #[test]
    fn an_entry_names_each_field_once_and_comes_back_from_its_record(before in any_site(), after in any_site()) {
        let edits = diff(&before, &after);
        prop_assert_eq!(edits.iter().map(|edit| &edit.field).collect::<BTreeSet<_>>().len(), edits.len());
        prop_assert!(edits.iter().all(|edit| edit.from != edit.to));
        prop_assert!(diff(&after, &after).is_empty());
        let actor = Actor::Token { id: "0123456789abcdef".parse().unwrap(), scope: Scope::Editor };
        let change = Change { number: 7, made_at: at(5), actor, cause: Cause::Restored { change: 3 }, edits, merged: None };
        let record = serde_json::to_string(&change).unwrap();
        prop_assert_eq!(serde_json::from_str::<Change>(&record).unwrap(), change);
        prop_assert!(record.len() < 40_000, "long texts stand beside the entry: {} bytes", record.len());
    }

    #[test]
    fn no_entry_holds_what_terms_do_not_allow_to_keep(before in any_site(), after in any_site()) {
        let limited = |site: &Site| {
            let mut site = site.clone();
            site.fixes.put(fix(Source::Address, 99, 55.5, Storage::Until(at(90))));
            site.address = Some(SiteAddress { formatted: "Secret Street".into(), ..address("z", AddressState::Applied, Storage::Until(at(90))) });
            site
        };
        for edits in [diff(&before, &limited(&after)), diff(&limited(&before), &after)] {
            let record = serde_json::to_string(&edits).unwrap();
            for kept in ["55.5", "Secret Street", "Street 55", r#""place 7","formatted_address":"z""#] {
                prop_assert!(!record.contains(kept), "{kept} in {record}");
            }
        }
    }
}

#[test]
fn what_makes_no_difference_to_people_is_no_edit() {
    let mut before = Site { fixes: vec![fix(Source::GeoIp, 1, 1.0, Storage::Unlimited)].into(), ..blank() };
    before.address = Some(address("x", AddressState::Pending, Storage::Until(at(50))));
    before.ticketing_links = vec![link("zendesk", "7", "Acme")];
    before.ticketing_links[0].check.state = LinkState::Drifted;
    let mut after = before.clone();
    let (checked_at, organization_name, site_name) = (Some(at(9)), "Acme Ltd".to_owned(), "Depot".to_owned());
    after.ticketing_links[0].check =
        LinkCheck { state: LinkState::Drifted, checked_at, since: Some(at(3)), organization_name, site_name };
    after.last_seen_at = Some(at(9));
    after.updated_at = at(9);
    after.claimed_ip = Some([10, 0, 0, 1].into());
    (after.network.network, after.network.build_time) = ("192.0.2.0/25".into(), Some(at(8)));
    after.fixes = vec![fix(Source::GeoIp, 2, 1.0, Storage::Unlimited)].into();
    let stated = after.address.as_mut().unwrap();
    stated.retry = Some(Retry { reason: WaitReason::Busy, attempts: 3, next_at: at(20) });
    stated.renewal = Some(Retry { reason: WaitReason::Expiring, attempts: 0, next_at: at(40) });
    stated.storage = Storage::Until(at(70));
    assert_eq!(diff(&before, &after), Vec::new());
    after.fixes = vec![fix(Source::GeoIp, 2, 1.5, Storage::Unlimited)].into();
    assert_eq!(diff(&before, &after).len(), 1, "an estimate that moved");
}

#[test]
fn a_check_that_comes_to_another_state_is_an_edit_that_nobody_puts_back() {
    let with = |state, checked_at| {
        let mut site = blank();
        site.ticketing_links = vec![link("zendesk", "7", "Acme"), link("zendesk", "8", "Apex")];
        let organization_name = "Acme International".to_owned();
        site.ticketing_links[0].check = LinkCheck { state, checked_at, organization_name, ..LinkCheck::default() };
        site
    };
    let edits = diff(&with(LinkState::Verified, Some(at(1))), &with(LinkState::Drifted, Some(at(2))));
    let told = |state| {
        let check = LinkCheck { state, ..LinkCheck::default() };
        Some(Value::Links(vec![TicketingLink { check, ..link("zendesk", "7", "Acme") }]))
    };
    let field = Field::TicketingLink(LinkId::from(&link("zendesk", "7", "Acme")));
    let edit = Edit { field, from: told(LinkState::Verified), to: told(LinkState::Drifted) };
    assert_eq!(edits, std::slice::from_ref(&edit));
    let by =
        |cause| Change { number: 2, made_at: at(2), actor: Actor::System, cause, edits: edits.clone(), merged: None };
    assert!(!by(Cause::TicketingChecked).can_restore(&edit) && by(Cause::Updated).can_restore(&edit));
}

#[test]
fn turns_to_a_second_uplink_are_no_edit_and_a_move_is_one() {
    let ip = |last: u8| IpAddr::from([192, 0, 2, last]);
    let mut home = Site { public_ip: Some(ip(1)), ..blank() };
    home.uplinks.home = Some(Seen { ip: ip(1), network: ip(1).into() });
    let mut away = Site { public_ip: Some(ip(2)), ..home.clone() };
    (home.network.asn, home.network.isp) = (Some(64500), "Alpha".into());
    (away.network.asn, away.network.isp) = (Some(64501), "Beta".into());
    away.uplinks.away = Some(Away { since: at(1), unknown_since: None, network: ip(2).into(), left: None });
    away.uplinks.note_left(ip(1), home.network.carrier());
    assert_eq!((diff(&home, &away), diff(&away, &home)), (Vec::new(), Vec::new()));
    let mut moved = away.clone();
    moved.uplinks.settle(Seen { ip: ip(2), network: ip(2).into() });
    let edit = |field, from, to| Edit { field, from: Some(from), to: Some(to) };
    let text = |text: &str| Value::Text(text.into());
    let told = [
        edit(Field::PublicIp, Value::Ip(ip(1)), Value::Ip(ip(2))),
        edit(Field::Asn, text("64500"), text("64501")),
        edit(Field::Isp, text("Alpha"), text("Beta")),
    ];
    assert_eq!(diff(&away, &moved), told);
    assert_eq!(diff(&home, &moved), told);
    let back = away.uplinks.see(home.uplinks.home.unwrap(), at(2), jiff::SignedDuration::from_hours(1));
    assert_eq!((back, &away.uplinks.left), (crate::model::uplink::Sight::Home, &None), "nothing is kept of who it was");
}

#[test]
fn a_long_text_is_named_by_its_digest_and_found_in_the_version_before() {
    let version = |note: String| Site { note, ..blank() };
    let (short, long) = (version("short".into()), version("é".repeat(600)));
    let edits = diff(&short, &long);
    let Some(Value::LongText(past)) = &edits[0].to else { panic!("{edits:?}") };
    assert_eq!((past.bytes, past.beginning.len(), past.digest.len()), (1_200, 256, 32));
    assert_eq!(replaced_text(&short, &edits), None, "what was there is in the entry");
    assert_eq!(replaced_text(&long, &diff(&long, &short)), Some((past.clone(), long.note.as_str())));
    // Of SHA-256, as any tool tells it.
    assert_eq!(PastText::of("abc").digest, "ba7816bf8f01cfea414140de5dae2223");
}
