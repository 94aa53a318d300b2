//! Sites as `GeoJSON` (RFC 7946): a feature is a site, its point is where the site is shown, longitude first, and null for one
//! that is unplaced. `info.source` says whose word the point is: an import makes a pin of a pin's alone.

use std::collections::BTreeMap;
use std::io::Write;

use serde::Serialize;
use serde_json::{Map, Value};

use super::info::{Said, info_of};
use super::{Extent, SiteWriter, contact_of, id_of, is_exact, note_of, pin_of};
use crate::api::proto::waymark::v1 as pb;
use crate::cli::sheet::column::INFO;
use crate::cli::sheet::json::{LinkJson, PhoneJson};
use crate::cli::sheet::status_word;

#[derive(Debug, Serialize)]
struct Feature<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    geometry: Option<Point>,
    properties: Properties<'a>,
}

#[derive(Debug, Serialize)]
struct Point {
    #[serde(rename = "type")]
    kind: &'static str,
    coordinates: [f64; 2],
}

/// What is not set is not there.
#[derive(Debug, Serialize)]
struct Properties<'a> {
    name: &'a str,
    status: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    email: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    first_name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    last_name: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    phones: Vec<PhoneJson>,
    #[serde(skip_serializing_if = "str::is_empty")]
    customer_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    contract_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    note: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ticketing_links: Vec<LinkJson>,
    #[serde(skip_serializing_if = "str::is_empty")]
    address: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    site_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    agent_id: &'a str,
    #[serde(flatten)]
    info: Map<String, Value>,
}

/// A file of features that is being written.
pub(super) struct FeatureSheet<W: Write> {
    out: W,
    extent: Extent,
    /// Whether it is one collection, rather than a feature a line.
    is_collection: bool,
    is_first: bool,
}

impl<W: Write> FeatureSheet<W> {
    /// Writes what stands before the first feature.
    pub(super) fn begin(mut out: W, extent: Extent, is_collection: bool) -> anyhow::Result<Self> {
        if is_collection {
            out.write_all(b"{\"type\":\"FeatureCollection\",\"features\":[")?;
        }
        Ok(Self { out, extent, is_collection, is_first: true })
    }
}

impl<W: Write> SiteWriter for FeatureSheet<W> {
    fn write(&mut self, site: &pb::Site, attention: Option<&str>) -> anyhow::Result<()> {
        let before: &[u8] = match (self.is_collection, self.is_first) {
            (true, true) => b"\n",
            (true, false) => b",\n",
            (false, _) => b"",
        };
        self.out.write_all(before)?;
        self.is_first = false;
        serde_json::to_writer(&mut self.out, &feature(site, self.extent, attention))?;
        Ok(self.out.write_all(if self.is_collection { b"" } else { b"\n" })?)
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        if self.is_collection {
            self.out.write_all(b"\n]}\n")?;
        }
        Ok(self.out.flush()?)
    }
}

fn feature<'a>(site: &'a pb::Site, extent: Extent, attention: Option<&str>) -> Feature<'a> {
    let is_all = extent == Extent::All;
    let shown = site.location.as_ref().and_then(|location| location.position);
    let position = if is_all { shown.filter(|_| is_exact(site)) } else { pin_of(site) };
    Feature {
        kind: "Feature",
        id: is_all.then(|| id_of(site)),
        geometry: position.map(|at| Point { kind: "Point", coordinates: [at.lng, at.lat] }),
        properties: Properties {
            site_id: if is_all { id_of(site) } else { "" },
            agent_id: if is_all { &site.agent_id } else { "" },
            info: if is_all { info(site, attention) } else { Map::new() },
            ..settable(site)
        },
    }
}

fn settable(site: &pb::Site) -> Properties<'_> {
    let contact = contact_of(site);
    let phones: &[pb::Phone] = contact.map_or(&[], |contact| &contact.phones);
    let address = site.location.as_ref().and_then(|location| location.address.as_ref());
    Properties {
        name: &site.display_name,
        status: status_word(site.status()),
        email: contact.map_or("", |contact| &contact.email),
        first_name: contact.map_or("", |contact| &contact.first_name),
        last_name: contact.map_or("", |contact| &contact.last_name),
        phones: phones.iter().map(PhoneJson::from).collect(),
        customer_id: &site.customer_id,
        contract_id: &site.contract_id,
        note: note_of(site),
        labels: site.labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect(),
        ticketing_links: site.ticketing_links.iter().map(LinkJson::from).collect(),
        address: address.map_or("", |address| &address.typed),
        site_id: "",
        agent_id: "",
        info: Map::new(),
    }
}

/// What waymark says of a site; the position is the geometry, where it is exact.
fn info(site: &pb::Site, attention: Option<&str>) -> Map<String, Value> {
    let location = site.location.clone().unwrap_or_default();
    let mut info = Map::new();
    for (name, said) in info_of(site) {
        let value = match (name, said) {
            ("lat" | "lng", _) if is_exact(site) => continue,
            ("lat", _) => location.position.map_or(Value::Null, |position| Value::from(position.lat)),
            ("lng", _) => location.position.map_or(Value::Null, |position| Value::from(position.lng)),
            ("accuracy_m", _) => location.accuracy_m.map_or(Value::Null, Value::from),
            ("revision", _) => Value::from(site.revision),
            (_, said) if said.is_nothing() => continue,
            ("asn", _) => site.network.as_ref().and_then(|network| network.asn).map_or(Value::Null, Value::from),
            (_, Said::List(list)) => Value::Array(list),
            (_, Said::Text(text)) => Value::from(text),
        };
        if !value.is_null() {
            info.insert(format!("{INFO}{name}"), value);
        }
    }
    if let Some(reasons) = attention {
        let reasons = reasons.split_whitespace().map(Value::from).collect();
        info.insert(format!("{INFO}attention"), Value::Array(reasons));
    }
    info
}
