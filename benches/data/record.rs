//! A site as the records that the server itself makes when its agent activates and a person states its address.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;

use jiff::{SignedDuration, Timestamp};
use waymark::model::access::{Contacts, Positions, Scope, Token};
use waymark::model::address::{AddressQuery, CountryCode};
use waymark::model::evidence::NetworkKind;
use waymark::model::evidence::{GeocodedEvidence, Storage};
use waymark::model::id::{AccountId, AgentId, TokenId};
use waymark::model::location::{DatabaseEvidence, Evidence, Fix, Granularity, Source};
use waymark::model::phone::{Phone, PhoneKind};
use waymark::model::site::{Contact, Site, TicketingLink};
use waymark::model::site_address::{AddressState, SiteAddress};
use waymark::model::ticketing::LinkCheck;
use waymark::model::{geo::LatLng, text};
use waymark::store::document::{AgentClaim, Document, NameClaim};
use waymark::store::{Expect, Key, Kind, Mutation};

use super::random::Random;

/// Decides what is in the records beside the position.
const SEED: u64 = 23;
/// Of so many sites one has labels.
const LABELS_EVERY: usize = 3;
/// Of so many one has a phone.
const PHONE_EVERY: usize = 2;
/// Of so many one has a link to a ticketing system.
const LINK_EVERY: usize = 4;
/// First second of the sites' history; one for each hundred of them follows. So long ago that the last of ten million is none of
/// the future, and too short for a server to cut their raw addresses: it has nothing to write by itself while it is measured.
static FIRST_SECOND: LazyLock<i64> = LazyLock::new(|| (Timestamp::now() - SignedDuration::from_hours(48)).as_second());

/// The records of a site: its agent's claim, its name's claim, its agent's credential, and itself.
pub(crate) fn mutations(account: &AccountId, planned: &super::Site) -> Vec<Mutation> {
    let mut random = Random::of(SEED, planned.number);
    let agent = agent_of(planned);
    let site = site(account, &agent, planned, &mut random);
    let token = credential(account, &agent, &site, &mut random);
    // Nothing else is in the directory: a look at each record before it is written would only take time.
    let put = |kind, id: String, document| Mutation {
        key: Key::of(account, kind, id),
        expect: Expect::Any,
        document: Some(document),
    };
    vec![
        put(
            Kind::Agent,
            agent.to_string(),
            Document::Agent(AgentClaim { site: site.id, key_hash: Some(random.bytes()) }),
        ),
        put(Kind::SiteName, text::fold(&site.display_name), Document::SiteName(NameClaim { site: site.id })),
        put(Kind::Token, token.id.to_string(), Document::Token(token)),
        put(Kind::Site, site.id.to_string(), Document::Site(Box::new(site))),
    ]
}

/// The site's record alone.
pub(crate) fn site_of(account: &AccountId, planned: &super::Site) -> Site {
    site(account, &agent_of(planned), planned, &mut Random::of(SEED, planned.number))
}

fn agent_of(planned: &super::Site) -> AgentId {
    format!("fw-{:08}", planned.number).parse().expect("of the allowed letters")
}

fn site(account: &AccountId, agent: &AgentId, planned: &super::Site, random: &mut Random) -> Site {
    let made_at = Timestamp::from_second(*FIRST_SECOND + (planned.number / 100).cast_signed() as i64);
    let made_at = made_at.expect("a time of this century");
    let mut site = Site::new(account.clone(), planned.name.clone(), made_at);
    site.id = planned.id;
    site.agent = Some(agent.clone());
    site.status = planned.status;
    site.activated_at = Some(made_at);
    site.last_seen_at = Some(made_at);
    let [a, b, c, ..] = random.next().to_le_bytes();
    site.public_ip = Some(IpAddr::V4(Ipv4Addr::new(90 + a % 100, b, c, 7)));
    site.customer_id = format!("C-{:06}", random.below(200_000));
    site.contract_id = format!("K-{:06}", random.below(900_000));
    site.contact = Contact {
        email: format!("owner{}@example.com", planned.number),
        first_name: ["Anna", "Jon", "Maria", "Paul", "Sara", "Tom"][random.below(6)].into(),
        last_name: ["Berg", "Costa", "Dahl", "Evans", "Fischer", "Garcia"][random.below(6)].into(),
        ..Contact::default()
    };
    if planned.number.is_multiple_of(LABELS_EVERY) {
        site.labels.insert("region".into(), ["north", "south", "east", "west"][random.below(4)].into());
        site.labels.insert("tier".into(), ["gold", "silver", "bronze"][random.below(3)].into());
    }
    if planned.number.is_multiple_of(PHONE_EVERY) {
        let number = format!("+354{:07}", planned.number % 10_000_000);
        site.contact.phones = vec![Phone { number, kind: PhoneKind::Work, extension: String::new() }];
    }
    if planned.number.is_multiple_of(LINK_EVERY) {
        site.ticketing_links = vec![link(planned.number)];
    }
    site.fixes.put(estimate(planned.estimate, made_at, agent));
    if !planned.is_estimate {
        let typed = format!("Main Street {}, Springfield", planned.number % 300);
        site.fixes.put(stated(planned.position, made_at, &typed));
        let query = AddressQuery::Line(typed.clone());
        let stated = SiteAddress::stated(&query, None, false, "token:0123456789abcdef".into(), made_at);
        site.address = Some(SiteAddress { formatted: typed, state: AddressState::Applied, ..stated });
    }
    site
}

/// As a ticketing system has it: an organisation of some hundred sites.
fn link(number: usize) -> TicketingLink {
    TicketingLink {
        system: "zendesk".into(),
        organization_id: format!("{}", 36_000 + number / 400),
        organization_name: format!("Customer {}", number / 400),
        external_site_id: format!("{}", 900_000 + number),
        external_site_name: format!("Branch {number}"),
        uri: String::new(),
        check: LinkCheck::default(),
    }
}

fn estimate(position: LatLng, made_at: Timestamp, agent: &AgentId) -> Fix {
    Fix {
        source: Source::GeoIp,
        position,
        accuracy_m: None,
        granularity: Granularity::City,
        evidence: Evidence::Database(DatabaseEvidence {
            database_type: "DBIP-City-Lite (compat=City)".into(),
            build_time: made_at,
            network: "90.0.0.0/20".into(),
            city: "Springfield".into(),
            region: "Somewhere".into(),
            country: CountryCode::parse("US"),
            region_code: String::new(),
            postcode: String::new(),
            time_zone: String::new(),
            lowered_by: NetworkKind::default(),
            is_outdated: false,
            others: Vec::new(),
            attribution: "IP Geolocation by DB-IP".into(),
        }),
        made_at,
        made_by: format!("agent:{agent}"),
    }
}

fn stated(position: LatLng, made_at: Timestamp, address: &str) -> Fix {
    Fix {
        source: Source::Address,
        position,
        accuracy_m: None,
        granularity: Granularity::Door,
        evidence: Evidence::Geocoded(GeocodedEvidence {
            provider: "gazetteer".into(),
            place_id: "is:2000507".into(),
            formatted_address: address.into(),
            query: address.into(),
            attribution: "places by GeoNames".into(),
            country: CountryCode::parse("US"),
            storage: Storage::Unlimited,
        }),
        made_at,
        made_by: "token:0123456789abcdef".into(),
    }
}

fn credential(account: &AccountId, agent: &AgentId, site: &Site, random: &mut Random) -> Token {
    Token {
        id: TokenId::from_random(&random.bytes()),
        secret_hash: random.bytes(),
        display_name: format!("agent {agent}"),
        scope: Scope::Agent,
        account: Some(account.clone()),
        agent: Some((site.id, agent.clone())),
        created_at: site.created_at,
        expires_at: None,
        revoked_at: None,
        rotation: None,
        contacts: Contacts::default(),
        certificate: None,
        positions: Positions::default(),
        assigned: None,
    }
}
