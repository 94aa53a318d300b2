//! What is kept of a site in memory, borrowed from a [`Site`] or straight from the bytes of its record.
//!
//! A start reads every site there is: this leaves out what lives in the store alone (note, phones, evidence), and
//! allocates nothing for the rest. Whoever adds a field adds it to [`SiteSketch::from`] too; a test compares the two.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use jiff::Timestamp;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::attention::DismissalSketch;
use super::id::SiteId;
use super::site::{Contact, Site, Status, TicketingLink};
use super::site_address::{AddressState, SiteAddress};
use super::stack::StackSketch;
use super::{instant, stack};

/// A text of somebody else's; owned only where its encoding had escapes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

/// A site, as far as memory keeps it: names and texts to search, state, and where it is.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub struct SiteSketch<'a> {
    /// Its id.
    pub id: SiteId,
    /// The account that it belongs to.
    #[serde(borrow)]
    pub account: Text<'a>,
    /// Its name.
    #[serde(borrow)]
    pub display_name: Text<'a>,
    /// The agent that stands on it.
    #[serde(borrow)]
    pub agent: Option<Text<'a>>,
    /// The person responsible.
    #[serde(borrow)]
    pub contact: ContactSketch<'a>,
    /// The customer's id or reference.
    #[serde(borrow)]
    pub customer_id: Text<'a>,
    /// The contract's id.
    #[serde(borrow)]
    pub contract_id: Text<'a>,
    /// Labels, by key.
    #[serde(borrow, deserialize_with = "pairs")]
    pub labels: Vec<(Text<'a>, Text<'a>)>,
    /// Ties to ticketing systems.
    #[serde(borrow)]
    pub ticketing_links: Vec<LinkSketch<'a>>,
    /// Whether it can be reached.
    pub status: Status,
    /// What its fixes come down to.
    #[serde(rename = "fixes", deserialize_with = "stack::deserialize")]
    pub stack: StackSketch,
    /// The address that a person stated.
    #[serde(borrow)]
    pub address: Option<AddressSketch<'a>>,
    /// When it was made.
    #[serde(with = "instant")]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[serde(with = "instant")]
    pub updated_at: Timestamp,
    /// When it was deleted.
    #[serde(default, with = "instant::optional")]
    pub deleted_at: Option<Timestamp>,
    /// What persons said needs no attention.
    #[serde(default)]
    pub dismissals: Vec<DismissalSketch>,
}

/// The person responsible, without phone numbers; every part may be empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct ContactSketch<'a> {
    /// E-mail address.
    #[serde(borrow)]
    pub email: Text<'a>,
    /// First name.
    #[serde(borrow)]
    pub first_name: Text<'a>,
    /// Last name.
    #[serde(borrow)]
    pub last_name: Text<'a>,
}

/// A tie to a customer in a ticketing system: whose it is there.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct LinkSketch<'a> {
    /// The system.
    #[serde(borrow)]
    pub system: Text<'a>,
    /// Id of the customer or organisation there.
    #[serde(borrow)]
    pub organization_id: Text<'a>,
    /// Its display name there.
    #[serde(borrow)]
    pub organization_name: Text<'a>,
}

/// The address that a person stated.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct AddressSketch<'a> {
    /// As typed.
    #[serde(borrow)]
    pub typed: Text<'a>,
    /// As the geocoder writes it; may be empty.
    #[serde(borrow)]
    pub formatted: Text<'a>,
    /// What became of it.
    pub state: AddressState,
    /// When it is asked for again.
    #[serde(default, rename = "retry", with = "next_attempt")]
    pub next_at: Option<Timestamp>,
    /// When the answer to an address before it is renewed.
    #[serde(default, rename = "renewal", with = "next_attempt")]
    pub renewal_at: Option<Timestamp>,
    /// When `formatted` must not be held any more.
    #[serde(default, rename = "storage", with = "end_of_terms")]
    pub kept_until: Option<Timestamp>,
}

impl<'a> From<&'a Site> for SiteSketch<'a> {
    fn from(site: &'a Site) -> Self {
        Self {
            id: site.id,
            account: site.account.as_str().into(),
            display_name: site.display_name.as_str().into(),
            agent: site.agent.as_ref().map(|agent| agent.as_str().into()),
            contact: ContactSketch::from(&site.contact),
            customer_id: site.customer_id.as_str().into(),
            contract_id: site.contract_id.as_str().into(),
            labels: site.labels.iter().map(|(key, value)| (key.as_str().into(), value.as_str().into())).collect(),
            ticketing_links: site.ticketing_links.iter().map(LinkSketch::from).collect(),
            status: site.status,
            stack: StackSketch::from(&site.fixes),
            address: site.address.as_ref().map(AddressSketch::from),
            created_at: site.created_at,
            updated_at: site.updated_at,
            deleted_at: site.deleted_at,
            dismissals: site.dismissals.iter().map(DismissalSketch::from).collect(),
        }
    }
}

impl<'a> From<&'a Contact> for ContactSketch<'a> {
    fn from(contact: &'a Contact) -> Self {
        Self {
            email: contact.email.as_str().into(),
            first_name: contact.first_name.as_str().into(),
            last_name: contact.last_name.as_str().into(),
        }
    }
}

impl<'a> From<&'a TicketingLink> for LinkSketch<'a> {
    fn from(link: &'a TicketingLink) -> Self {
        Self {
            system: link.system.as_str().into(),
            organization_id: link.organization_id.as_str().into(),
            organization_name: link.organization_name.as_str().into(),
        }
    }
}

impl<'a> From<&'a SiteAddress> for AddressSketch<'a> {
    fn from(address: &'a SiteAddress) -> Self {
        Self {
            typed: address.typed.as_str().into(),
            formatted: address.formatted.as_str().into(),
            state: address.state,
            next_at: address.retry.map(|retry| retry.next_at),
            renewal_at: address.renewal.map(|renewal| renewal.next_at),
            kept_until: address.storage.until(),
        }
    }
}

/// The pairs of a map, in its order; packed they are a list.
fn pairs<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(Text<'a>, Text<'a>)>, D::Error> {
    struct Pairs;
    impl<'de> Visitor<'de> for Pairs {
        type Value = Vec<(Text<'de>, Text<'de>)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map of texts")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut pairs = Vec::new();
            while let Some(pair) = map.next_entry()? {
                pairs.push(pair);
            }
            Ok(pairs)
        }
    }
    if deserializer.is_human_readable() { deserializer.deserialize_map(Pairs) } else { Vec::deserialize(deserializer) }
}

/// Of a retry the time; packed it stands alone.
mod next_attempt {
    use super::{Deserialize, Deserializer, Timestamp, instant};
    use crate::model::site_address::Retry;

    pub(super) use instant::optional::serialize;

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        if deserializer.is_human_readable() {
            Ok(Option::<Retry>::deserialize(deserializer)?.map(|retry| retry.next_at))
        } else {
            instant::optional::deserialize(deserializer)
        }
    }
}

/// Of the terms of an answer their end; packed it stands alone.
mod end_of_terms {
    use super::{Deserialize, Deserializer, Timestamp, instant};
    use crate::model::evidence::Storage;

    pub(super) use instant::optional::serialize;

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        if deserializer.is_human_readable() {
            Ok(Storage::deserialize(deserializer)?.until())
        } else {
            instant::optional::deserialize(deserializer)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::model::address::{AddressQuery, CountryCode};
    use crate::model::attention::{AttentionReason, Dismissal};
    use crate::model::evidence::NetworkKind;
    use crate::model::evidence::{GeocodedEvidence, Storage};
    use crate::model::geo::LatLng;
    use crate::model::location::{DatabaseEvidence, Evidence, Fix, Fixes, Granularity, Source};
    use crate::model::site::{Phone, PhoneKind};
    use crate::model::site_address::{Retry, WaitReason};

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
        let retry = || {
            (instant(), 0..9_u32).prop_map(|(next_at, attempts)| Retry { reason: WaitReason::Quota, attempts, next_at })
        };
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

    fn texts_of_a_site() -> impl Strategy<Value = Site> {
        let links = proptest::collection::vec((text(), text(), text(), text()), 0..3);
        let labels: BoxedStrategy<BTreeMap<String, String>> =
            proptest::collection::btree_map(text(), text(), 0..4).boxed();
        let texts = proptest::array::uniform7(text());
        (texts, labels, links, address(), instant()).prop_map(|(texts, labels, links, address, now)| {
            let [name, email, first_name, last_name, customer_id, contract_id, note] = texts;
            let mut site = Site::new("acme".parse().unwrap(), name, now);
            let phones = vec![Phone { number: note.clone(), kind: PhoneKind::Home }];
            site.contact = Contact { email, first_name, last_name, phones };
            (site.customer_id, site.contract_id, site.note, site.labels) = (customer_id, contract_id, note, labels);
            if address.is_some() {
                let (by, at) = (site.note.clone(), now);
                site.dismissals.push(Dismissal { reason: AttentionReason::Crowded, fingerprint: 7, by, at });
            }
            site.address = address;
            let link = |(system, organization_id, organization_name, external_site_id)| TicketingLink {
                system,
                organization_id,
                organization_name,
                external_site_id,
                uri: "https://example.com".to_owned(),
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
}
