//! What waymark says of a site, in columns and properties behind `info.`: for people and their sheets, never read back.

use serde::Serialize;
use serde_json::Value;

use crate::api::proto::waymark::v1 as pb;
use crate::cli::sheet::{source_word, word};

/// How many there are.
const INFOS: usize = 18;
/// What the checks of ticketing links found.
const LINKS: &str = "ticketing_links";

/// What waymark says of one thing.
pub(super) enum Said {
    /// A text; empty for nothing.
    Text(String),
    /// A list; JSON, in a cell as text.
    List(Vec<Value>),
}

impl Said {
    /// Whether nothing is said.
    pub(super) fn is_nothing(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::List(list) => list.is_empty(),
        }
    }

    /// As it stands in a cell.
    pub(super) fn into_cell(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::List(list) if list.is_empty() => String::new(),
            Self::List(list) => Value::Array(list).to_string(),
        }
    }
}

/// How a ticketing link stands.
#[derive(Debug, Serialize)]
struct LinkStanding<'a> {
    system: &'a str,
    organization_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    external_site_id: &'a str,
    state: String,
    /// When the system was last asked.
    #[serde(skip_serializing_if = "String::is_empty")]
    verify_time: String,
}

/// How each ticketing link of a site stands, in the order of the links.
fn checks_of(site: &pb::Site) -> Vec<Value> {
    let check = |link: &pb::TicketingLink| {
        let check = LinkStanding {
            system: &link.system,
            organization_id: &link.organization_id,
            external_site_id: &link.external_site_id,
            state: word(link.state().as_str_name(), "TICKETING_LINK_STATE_"),
            verify_time: time_text(link.verify_time.as_ref()),
        };
        serde_json::to_value(check).unwrap_or_default()
    };
    site.ticketing_links.iter().map(check).collect()
}

/// A time as sheets write it: RFC 3339 in UTC.
fn time_text(time: Option<&prost_types::Timestamp>) -> String {
    let time = time.and_then(|time| jiff::Timestamp::new(time.seconds, time.nanos).ok());
    time.map(|time| time.to_string()).unwrap_or_default()
}

/// What waymark says of a site, by the names behind `info.`.
pub(super) fn info_of(site: &pb::Site) -> [(&'static str, Said); INFOS] {
    let location = site.location.clone().unwrap_or_default();
    let number = |number: Option<f64>| number.map(|number| number.to_string()).unwrap_or_default();
    let known = |name: &str, prefix: &str| match word(name, prefix).as_str() {
        "unspecified" => String::new(),
        known => known.to_owned(),
    };
    let address = location.address.clone().unwrap_or_default();
    let network = site.network.clone().unwrap_or_default();
    let texts = [
        ("lat", number(location.position.map(|position| position.lat))),
        ("lng", number(location.position.map(|position| position.lng))),
        ("source", source_word(location.source())),
        ("accuracy_m", number(location.accuracy_m)),
        ("granularity", known(location.granularity().as_str_name(), "GRANULARITY_")),
        ("address", address.formatted.clone()),
        ("address_state", known(address.state().as_str_name(), "ADDRESS_STATE_")),
        ("time_zone", site.time_zone.clone()),
        ("public_ip", site.public_ip.clone()),
        ("network", network.network),
        ("asn", network.asn.map(|number| number.to_string()).unwrap_or_default()),
        ("isp", network.isp),
        (LINKS, String::new()),
        ("activate_time", time_text(site.activate_time.as_ref())),
        ("last_seen_time", time_text(site.last_seen_time.as_ref())),
        ("create_time", time_text(site.create_time.as_ref())),
        ("update_time", time_text(site.update_time.as_ref())),
        ("revision", site.revision.to_string()),
    ];
    texts.map(|(name, text)| (name, if name == LINKS { Said::List(checks_of(site)) } else { Said::Text(text) }))
}
