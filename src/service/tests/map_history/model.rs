//! The sites of an account as a test knows them: a list, and what is to be true of each in it.
//!
//! Positions lie far from the antimeridian. Those that are known coarsely are some hundred kilometres apart, so that from zoom 4
//! on an area holds sites of one position and is drawn there.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;

use super::super::{World, now};
use crate::model::geo::LatLng;
use crate::model::id::{AccountId, SiteId};
use crate::model::location::{Granularity, Source};
use crate::model::phone::Phone;
use crate::model::prefix::Prefix;
use crate::model::site::{Status, TicketingLink};
use crate::model::site_address::AddressState;
use crate::model::ticketing::LinkCheck;
use crate::service::patch::SitePatch;
use crate::service::symbols::SiteSummary;
use crate::store::document::Document;
use crate::store::{Key, Kind, Mutation, Store as _};

/// Where the account's own networks are, 10.0.0.0/16 and on: position, accuracy in metres, granularity.
const NETWORKS: [((f64, f64), Option<f64>, Granularity); 4] = [
    ((47.0, 8.0), None, Granularity::City),
    ((60.0, 10.0), None, Granularity::Region),
    ((38.0, -5.0), None, Granularity::Country),
    ((52.0, 21.0), Some(5_000.0), Granularity::Postcode),
];
/// So many sites that persons put on one spot are a crowd.
const CROWD: usize = 10;

/// What people say of a site beside its name.
#[derive(Debug, Clone, Default)]
pub(super) struct Texts {
    customer_id: &'static str,
    contract_id: &'static str,
    email: &'static str,
    first_name: &'static str,
    last_name: &'static str,
    /// In E.164; empty for none.
    phone: &'static str,
    note: &'static str,
    labels: BTreeMap<String, String>,
    /// System, organisation, and the site there, which may be none.
    link: Option<(&'static str, &'static str, &'static str)>,
}

/// The name of every organisation, and of every site there.
const ORGANIZATION: &str = "Harbour Trust";
const EXTERNAL_SITE: &str = "East Pier";

impl Texts {
    /// Some in every field.
    pub(super) fn full() -> Self {
        let labels = [("region", ""), ("tier", "gold")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        Self {
            customer_id: "Acme Two",
            contract_id: "K-7",
            email: "anna@example.net",
            first_name: "Björn",
            last_name: "Two",
            phone: "+3545451000",
            note: "Engine room",
            labels: labels.into_iter().collect(),
            link: Some(("desk one", "7", "s-17")),
        }
    }

    pub(super) fn any() -> impl Strategy<Value = Self> {
        let one_of = |values: &'static [&'static str]| prop::sample::select(values);
        let ids = (one_of(&["", "acme", "Acme Two", "globex"]), one_of(&["", "K-7", "k-17"]));
        let email = one_of(&["", "anna@example.net", "Desk@example.org"]);
        let phone = one_of(&["", "+3545451000", "+4722070017"]);
        let person = (email, one_of(&["", "Anna", "Björn"]), one_of(&["", "Two", "Norther"]), phone);
        let note = one_of(&["", "Engine room", "call Anna first"]);
        let region = prop::option::of(one_of(&["", "north", "South East"]));
        let tier = prop::option::of(one_of(&["gold", "Golden"]));
        let link = (one_of(&["desk one", "desk two"]), one_of(&["7", "17"]), one_of(&["", "s-7", "s-17"]));
        let link = prop::option::of(link);
        (ids, person, note, (region, tier), link).prop_map(|(ids, person, note, (region, tier), link)| {
            let labels = [("region", region), ("tier", tier)];
            let labels = labels.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned())));
            let ((customer_id, contract_id), (email, first_name, last_name, phone)) = (ids, person);
            Self { customer_id, contract_id, email, first_name, last_name, phone, note, labels: labels.collect(), link }
        })
    }

    pub(super) fn patch(&self) -> SitePatch {
        let link = |(system, organization_id, external_site_id): (&str, &str, &str)| TicketingLink {
            system: system.to_owned(),
            organization_id: organization_id.to_owned(),
            organization_name: ORGANIZATION.to_owned(),
            external_site_id: external_site_id.to_owned(),
            external_site_name: if external_site_id.is_empty() { "" } else { EXTERNAL_SITE }.to_owned(),
            uri: String::new(),
            check: LinkCheck::default(),
        };
        let numbers = [self.phone].into_iter().filter(|number| !number.is_empty());
        let phones = numbers.map(|number| Phone { number: number.to_owned(), ..Phone::default() });
        SitePatch {
            email: Some(self.email.to_owned()),
            first_name: Some(self.first_name.to_owned()),
            last_name: Some(self.last_name.to_owned()),
            phones: Some(phones.collect()),
            customer_id: Some(self.customer_id.to_owned()),
            contract_id: Some(self.contract_id.to_owned()),
            note: Some(self.note.to_owned()),
            labels: Some(self.labels.clone()),
            ticketing_links: Some(self.link.map(link).into_iter().collect()),
            ..SitePatch::default()
        }
    }
}

/// Where something puts a site.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot {
    pub(super) position: LatLng,
    pub(super) accuracy_m: Option<f64>,
    pub(super) granularity: Granularity,
}

/// A site as it is to be.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) id: SiteId,
    pub(super) display_name: String,
    pub(super) status: Status,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) is_deleted: bool,
    pub(super) agent: Option<String>,
    pub(super) texts: Option<Texts>,
    /// As typed and as written, and what became of it.
    pub(super) address: Option<(String, String, AddressState)>,
    pub(super) estimate: Option<Spot>,
    pub(super) measured: Option<Spot>,
    /// Where a person put it last.
    pub(super) person: Option<(Source, LatLng)>,
}

impl Known {
    pub(super) fn new(id: SiteId, display_name: String) -> Self {
        Self {
            id,
            display_name,
            status: Status::Unknown,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
            is_deleted: false,
            agent: None,
            texts: None,
            address: None,
            estimate: None,
            measured: None,
            person: None,
        }
    }

    pub(super) fn is_confirmed(&self) -> bool {
        self.person.is_some()
    }

    /// As the map shows it; `None` where it has no position.
    pub(super) fn summary(&self) -> Option<SiteSummary> {
        let at_door = |position| Spot { position, accuracy_m: None, granularity: Granularity::Door };
        let of_person = self.person.map(|(source, position)| (source, at_door(position)));
        let of_device = self.measured.map(|spot| (Source::Device, spot));
        let (source, spot) = of_person.or(of_device).or(self.estimate.map(|spot| (Source::GeoIp, spot)))?;
        Some(SiteSummary {
            site: self.id,
            display_name: self.display_name.clone(),
            status: self.status,
            position: spot.position,
            accuracy_m: spot.accuracy_m,
            granularity: spot.granularity,
            source,
        })
    }

    /// The texts of a field of filters. Name and note are there even where they are empty, and so are values of labels.
    pub(super) fn texts_of(&self, field: &str) -> Vec<String> {
        let of = |read: fn(&Texts) -> &'static str| self.texts.as_ref().map_or("", read);
        let link = self.texts.as_ref().and_then(|texts| texts.link);
        let texts: Vec<&str> = match field {
            "display_name" => return vec![self.display_name.clone()],
            "note" => return vec![of(|texts| texts.note).to_owned()],
            "agent_id" => self.agent.iter().map(String::as_str).collect(),
            "customer_id" => vec![of(|texts| texts.customer_id)],
            "contract_id" => vec![of(|texts| texts.contract_id)],
            "contact.email" => vec![of(|texts| texts.email)],
            "contact.first_name" => vec![of(|texts| texts.first_name)],
            "contact.last_name" => vec![of(|texts| texts.last_name)],
            "contact.phones" => vec![of(|texts| texts.phone)],
            "location.address" => {
                self.address.iter().flat_map(|(typed, written, _)| [typed.as_str(), written.as_str()]).collect()
            }
            "ticketing_links.system" => link.iter().map(|(system, ..)| *system).collect(),
            "ticketing_links.organization_id" => link.iter().map(|(_, organization, _)| *organization).collect(),
            "ticketing_links.organization_name" => link.iter().map(|_| ORGANIZATION).collect(),
            "ticketing_links.external_site_id" => link.iter().map(|(.., site)| *site).collect(),
            "ticketing_links.external_site_name" => {
                link.iter().filter(|(.., site)| !site.is_empty()).map(|_| EXTERNAL_SITE).collect()
            }
            // Nobody checks links here.
            "ticketing_links.state" => link.iter().map(|_| "UNVERIFIED").collect(),
            label => {
                let Some(key) = label.strip_prefix("labels.") else { panic!("no site here has the field {label}") };
                return self.texts.iter().filter_map(|texts| texts.labels.get(key)).cloned().collect();
            }
        };
        texts.into_iter().filter(|text| !text.is_empty()).map(str::to_owned).collect()
    }

    /// All texts that a bare word is looked for in: the note is not one of them.
    pub(super) fn texts(&self) -> Vec<String> {
        let fields = [
            "display_name",
            "agent_id",
            "customer_id",
            "contract_id",
            "contact.email",
            "contact.first_name",
            "contact.last_name",
            "contact.phones",
            "location.address",
            "ticketing_links.system",
            "ticketing_links.organization_id",
            "ticketing_links.organization_name",
            "ticketing_links.external_site_id",
            "ticketing_links.external_site_name",
            "labels.region",
            "labels.tier",
        ];
        fields.into_iter().flat_map(|field| self.texts_of(field)).collect()
    }
}

/// The sites of one account, in the store and as they are to be.
pub(super) struct Fleet<'w> {
    pub(super) world: &'w World,
    pub(super) account: AccountId,
    pub(super) sites: Vec<Known>,
}

/// Where the addresses of 10.`number`.0.0/16 are; `None` where the account has no such network.
pub(super) fn estimate_of(number: u8) -> Option<Spot> {
    let (at, accuracy_m, granularity) = *NETWORKS.get(usize::from(number))?;
    Some(Spot { position: position(at), accuracy_m, granularity })
}

pub(super) fn position((lat, lng): (f64, f64)) -> LatLng {
    LatLng::new(lat, lng).unwrap()
}

impl<'w> Fleet<'w> {
    /// That of an account without sites, whose networks it places.
    pub(super) async fn of(world: &'w World, account: &AccountId) -> Self {
        let prefix = |number: u8| {
            let Spot { position, accuracy_m, granularity } = estimate_of(number)?;
            let network = format!("10.{number}.0.0/16").parse().unwrap();
            let (display_name, created_at, updated_at) = (String::new(), now(), now());
            let prefix = Prefix { network, display_name, position, accuracy_m, granularity, created_at, updated_at };
            Some(Mutation::create(Key::of(account, Kind::Prefix, network), Document::Prefix(prefix)))
        };
        world.store.commit((0..).map_while(prefix).collect()).await.unwrap();
        Self { world, account: account.clone(), sites: Vec::new() }
    }

    /// The sites that are not deleted.
    pub(super) fn live(&self) -> impl Iterator<Item = &Known> {
        self.sites.iter().filter(|site| !site.is_deleted)
    }

    /// Why a site needs attention.
    pub(super) fn attention(&self, site: &Known) -> Vec<&'static str> {
        let mut reasons = Vec::new();
        if site.summary().is_none() {
            reasons.push("UNPLACED");
        }
        match site.address.as_ref().map(|(.., state)| *state) {
            Some(AddressState::Expired) => reasons.push("ADDRESS_EXPIRED"),
            Some(AddressState::NotFound) => reasons.push("ADDRESS_FAILED"),
            Some(AddressState::Ambiguous) => reasons.push("ADDRESS_AMBIGUOUS"),
            Some(AddressState::Pending) => reasons.push("ADDRESS_PENDING"),
            Some(AddressState::Applied | AddressState::PinKept) | None => {}
        }
        let Some((_, at)) = site.person else { return reasons };
        if let Some(estimate) = site.estimate {
            let limit_m = match estimate.granularity {
                Granularity::Country => 3_000_000.0,
                Granularity::Region => 1_000_000.0,
                _ => 300_000.0,
            };
            if at.distance_m(estimate.position) > limit_m {
                reasons.push("PIN_FAR_FROM_GEOIP");
            }
        }
        if self.live().filter(|other| other.person.is_some_and(|(_, there)| there == at)).count() >= CROWD {
            reasons.push("CROWDED");
        }
        reasons
    }
}
