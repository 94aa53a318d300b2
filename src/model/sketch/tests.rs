//! A site's sketch is the same from its record, from the site in it, and from the packed copy.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::model::address::{AddressQuery, CountryCode};
use crate::model::attention::{AttentionReason, Dismissal};
use crate::model::evidence::NetworkKind;
use crate::model::evidence::{GeocodedEvidence, Storage};
use crate::model::geo::LatLng;
use crate::model::location::{DatabaseEvidence, Evidence, Fix, Fixes, Granularity, Source};
use crate::model::phone::{Phone, PhoneKind};
use crate::model::site_address::{Retry, WaitReason};
use crate::model::ticketing::LinkCheck;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), Just("x \"y\" \\ \n \u{1} þ 🦀".to_owned()), ".{0,12}"]
}

fn instant() -> impl Strategy<Value = Timestamp> {
    (-4_000_000_000..4_000_000_000_i64, 0..3_i32).prop_map(|(second, nano)| Timestamp::new(second, nano).unwrap())
}

fn storage() -> impl Strategy<Value = Storage> {
    prop_oneof![Just(Storage::Never), Just(Storage::Unlimited), instant().prop_map(Storage::Until)]
}

fn address() -> impl Strategy<Value = Option<SiteAddress>> {
    let retry =
        || (instant(), 0..9_u32).prop_map(|(next_at, attempts)| Retry { reason: WaitReason::Quota, attempts, next_at });
    let retries = [proptest::option::of(retry()), proptest::option::of(retry())];
    let address = (text(), storage(), retries, instant()).prop_map(|(typed, storage, [retry, renewal], at)| {
        let query = AddressQuery::Line(typed.clone());
        let stated = SiteAddress::stated(&query, None, false, typed.clone(), at);
        SiteAddress { formatted: typed.to_uppercase(), storage, retry, renewal, ..stated }
    });
    proptest::option::of(address)
}

fn fix() -> impl Strategy<Value = Fix> {
    let evidence = prop_oneof![
        Just(Evidence::Dropped),
        (text(), storage(), any::<bool>()).prop_map(|(text, storage, is_told)| {
            Evidence::Geocoded(GeocodedEvidence {
                provider: text.clone(),
                place_id: text.clone(),
                formatted_address: text.clone(),
                query: text.clone(),
                attribution: text,
                country: is_told.then(|| CountryCode::parse("IS").unwrap()),
                storage,
            })
        }),
        (text(), instant()).prop_map(|(text, build_time)| Evidence::Database(DatabaseEvidence {
            database_type: text.clone(),
            build_time,
            network: text.clone(),
            city: text.clone(),
            region: text.clone(),
            country: None,
            region_code: text.clone(),
            postcode: text.clone(),
            time_zone: text.clone(),
            lowered_by: NetworkKind { mobile: !text.is_empty(), ..NetworkKind::default() },
            is_outdated: text.is_empty(),
            others: Vec::new(),
            attribution: text,
        })),
    ];
    let place = (-90.0..=90.0, -180.0..=180.0, proptest::option::of(0.0..1e7));
    (0..4_usize, place, evidence, instant(), text()).prop_map(|(source, place, evidence, made_at, made_by)| Fix {
        source: Source::ALL[source],
        position: LatLng::new(place.0, place.1).unwrap(),
        accuracy_m: place.2,
        granularity: Granularity::Street,
        evidence,
        made_at,
        made_by,
    })
}

fn state() -> impl Strategy<Value = LinkState> {
    use LinkState::{Broken, Drifted, Unverified, Verified};
    proptest::sample::select(vec![Unverified, Verified, Drifted, Broken])
}

fn texts_of_a_site() -> impl Strategy<Value = Site> {
    let links = proptest::collection::vec((text(), text(), text(), text(), text(), state()), 0..3);
    let labels: BoxedStrategy<BTreeMap<String, String>> = proptest::collection::btree_map(text(), text(), 0..4).boxed();
    let texts = proptest::array::uniform7(text());
    (texts, labels, links, address(), instant()).prop_map(|(texts, labels, links, address, now)| {
        let [name, email, first_name, last_name, customer_id, contract_id, note] = texts;
        let mut site = Site::new("acme".parse().unwrap(), name, now);
        let phones = vec![Phone { number: note.clone(), kind: PhoneKind::Home, extension: note.clone() }];
        site.contact = Contact { email, first_name, last_name, phones };
        (site.customer_id, site.contract_id, site.note, site.labels) = (customer_id, contract_id, note, labels);
        if address.is_some() {
            let (by, at) = (site.note.clone(), now);
            site.dismissals.push(Dismissal { reason: AttentionReason::Crowded, fingerprint: 7, by, at });
        }
        site.address = address;
        let link = |(system, organization_id, organization_name, id, name, state)| TicketingLink {
            system,
            organization_id,
            organization_name,
            external_site_id: id,
            external_site_name: name,
            uri: "https://example.com".to_owned(),
            check: LinkCheck { state, ..LinkCheck::default() },
        };
        site.ticketing_links = links.into_iter().map(link).collect();
        site
    })
}

fn site() -> impl Strategy<Value = Site> {
    let times = (instant(), proptest::option::of(instant()));
    let fixes = proptest::collection::vec(fix(), 0..6);
    (texts_of_a_site(), fixes, times, 0..4_usize, any::<bool>()).prop_map(
        |(site, fixes, (updated_at, deleted_at), status, has_agent)| Site {
            agent: has_agent.then(|| "fw:1".parse().unwrap()),
            fixes: Fixes::from(fixes),
            status: Status::ALL[status],
            updated_at,
            deleted_at,
            ..site
        },
    )
}

proptest! {
    #[test]
    fn a_record_and_the_site_in_it_have_one_sketch(site in site()) {
        let bytes = serde_json::to_vec(&site).unwrap();
        let sketch = SiteSketch::from(&site);
        prop_assert_eq!(&serde_json::from_slice::<SiteSketch<'_>>(&bytes).unwrap(), &sketch);
        let packed = postcard::to_allocvec(&sketch).unwrap();
        prop_assert_eq!(&postcard::from_bytes::<SiteSketch<'_>>(&packed).unwrap(), &sketch);
    }
}

#[test]
fn texts_without_escapes_are_borrowed() {
    let site = Site::new("acme".parse().unwrap(), "Malmö".to_owned(), Timestamp::UNIX_EPOCH);
    let bytes = serde_json::to_vec(&site).unwrap();
    let sketch: SiteSketch<'_> = serde_json::from_slice(&bytes).unwrap();
    assert!(matches!((&sketch.display_name.0, &sketch.account.0), (Cow::Borrowed(_), Cow::Borrowed(_))));
}
