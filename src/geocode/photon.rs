//! Photon: `/api` and `/reverse`, answers in `GeoJSON`.
//!
//! An address in parts is asked on one line: servers before version 1 know no other way, and refuse parameters that
//! they do not know. Made to be asked while somebody types. Has no look-up by id.

use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

use super::confidence::Names;
use super::http::answer::{Fault, Found, candidates, position, text};
use super::http::{Client, Request};
use super::inquiry::told;
use super::terms::Terms;
use super::{Candidate, Error, Geocoder, Inquiry, Subject};
use crate::model::address::{AddressQuery, CountryCode};
use crate::model::location::Granularity;

/// Radius of a search around a position, in kilometres: what lies farther is no address of it.
const REVERSE_RADIUS_KM: u32 = 1;

/// A server that speaks Photon's protocol.
#[derive(Debug)]
pub(super) struct Photon {
    client: Client,
    terms: Terms,
}

impl Photon {
    /// A server behind this client.
    pub(super) fn new(client: Client, terms: Terms) -> Self {
        Self { client, terms }
    }
}

/// The answer, as the protocol has it.
#[derive(Deserialize)]
struct Features {
    features: Vec<Value>,
}

#[async_trait]
impl Geocoder for Photon {
    async fn answer(&self, inquiry: &Inquiry, deadline: Instant) -> Result<Vec<Candidate>, Error> {
        inquiry.check_fineness()?;
        let provider = Arc::clone(self.client.provider());
        let request = request(inquiry).ok_or(Error::Unsupported { provider, what: inquiry.kind() })?;
        let Features { features } = self.client.get(&request, deadline).await?;
        candidates(&self.client, inquiry, &self.terms, features, found)
    }

    fn attributions(&self) -> Vec<String> {
        vec![self.terms.attribution.clone()]
    }
}

/// The request for a question; `None` where the protocol has none.
pub(super) fn request(inquiry: &Inquiry) -> Option<Request> {
    let limit = ("limit", inquiry.limit.to_string());
    let search = |line: String| {
        let mut parameters = vec![("q", line), limit.clone()];
        if let Some(near) = inquiry.bias.near_coarsely() {
            parameters.extend([("lat", near.lat().to_string()), ("lon", near.lng().to_string())]);
        }
        Request { path: &["api"], parameters }
    };
    match &inquiry.subject {
        Subject::Address(AddressQuery::Line(line)) | Subject::Typed(line) => Some(search(line.clone())),
        Subject::Address(AddressQuery::Parts(parts)) => {
            // The code of a country is a word like any other there, and is not found: it is compared afterwards.
            let parts = crate::model::address::PostalAddress { country: None, ..parts.clone() };
            Some(search(AddressQuery::Parts(parts).one_line()))
        }
        Subject::Position(at) => {
            let at = told(*at);
            let (lat, lon) = (("lat", at.lat().to_string()), ("lon", at.lng().to_string()));
            let radius = ("radius", REVERSE_RADIUS_KM.to_string());
            Some(Request { path: &["reverse"], parameters: vec![lat, lon, radius, limit] })
        }
        Subject::Place(_) => None,
    }
}

/// A feature, as the protocol has it.
#[derive(Debug, Deserialize)]
struct Feature {
    properties: Properties,
    geometry: Geometry,
}

#[derive(Debug, Deserialize)]
struct Geometry {
    /// Longitude, latitude.
    coordinates: (f64, f64),
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Properties {
    osm_type: String,
    osm_id: Option<u64>,
    osm_key: String,
    osm_value: String,
    #[serde(rename = "type")]
    kind: String,
    name: String,
    housenumber: String,
    street: String,
    locality: String,
    district: String,
    postcode: String,
    city: String,
    county: String,
    state: String,
    country: String,
    countrycode: String,
}

fn found(Feature { properties: of, geometry }: &Feature) -> Result<Found, Fault> {
    let (lng, lat) = geometry.coordinates;
    let granularity = granularity(of)?;
    let is_named_house = granularity == Granularity::Door && of.housenumber.is_empty();
    let is_occupant = !of.housenumber.is_empty() && !matches!(&*of.osm_key, "" | "place" | "building");
    let stated = |texts: &[&String]| -> Vec<String> {
        texts.iter().filter(|text| !text.is_empty()).map(|text| (*text).clone()).collect()
    };
    let names = Names {
        house: if is_named_house { stated(&[&of.name]) } else { stated(&[&of.housenumber]) },
        own: if is_occupant { stated(&[&of.street]) } else { stated(&[&of.street, &of.name]) },
        occupant: is_occupant.then(|| of.name.clone()),
        context: stated(&[
            &of.locality,
            &of.district,
            &of.postcode,
            &of.city,
            &of.county,
            &of.state,
            &of.country,
            &of.countrycode,
        ]),
    };
    let kind = matches!(of.osm_type.as_str(), "N" | "W" | "R").then_some(of.osm_type.as_str());
    Ok(Found {
        place_id: kind.zip(of.osm_id).map(|(kind, id)| format!("{kind}{id}")).unwrap_or_default(),
        formatted_address: text(&on_one_line(of))?,
        position: position(lat, lng)?,
        granularity,
        country: CountryCode::parse(&of.countrycode),
        names,
    })
}

/// The parts as an address; the protocol has none of its own.
fn on_one_line(of: &Properties) -> String {
    let street = format!("{} {}", of.street, of.housenumber);
    let town = format!("{} {}", of.postcode, of.city);
    let mut parts: Vec<&str> = Vec::new();
    for part in [of.name.as_str(), street.trim(), town.trim(), &of.state, &of.country] {
        if !part.is_empty() && !parts.contains(&part) {
            parts.push(part);
        }
    }
    parts.join(", ")
}

/// How fine a feature is, by its layer; servers before 0.4 tell none, and are judged by the tag.
fn granularity(of: &Properties) -> Result<Granularity, Fault> {
    Ok(match of.kind.as_str() {
        _ if of.osm_value == "postcode" => Granularity::Postcode,
        "house" => Granularity::Door,
        "street" => Granularity::Street,
        "locality" | "district" | "city" => Granularity::City,
        "county" | "state" | "other" => Granularity::Region,
        "country" => Granularity::Country,
        "" if !of.housenumber.is_empty() => Granularity::Door,
        "" if of.osm_key == "highway" => Granularity::Street,
        "" if of.osm_key == "place" => Granularity::City,
        _ => return Err(Fault::Unusable("a feature is of a kind that nobody knows")),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn feature(properties: &Value, coordinates: &Value) -> Result<Found, Fault> {
        let feature = json!({"type": "Feature", "properties": properties, "geometry": {"coordinates": coordinates}});
        found(&Feature::deserialize(feature).map_err(|_| Fault::Damaged("shape"))?)
    }

    #[test]
    fn layers_become_granularities() {
        let check = |properties: Value, expect| {
            assert_eq!(feature(&properties, &json!([1.0, 2.0])).unwrap().granularity, expect, "{properties}");
        };
        check(json!({"name": "a", "type": "house"}), Granularity::Door);
        check(json!({"name": "a", "type": "street"}), Granularity::Street);
        check(json!({"name": "a", "type": "district"}), Granularity::City);
        check(json!({"name": "a", "type": "state"}), Granularity::Region);
        check(json!({"name": "a", "type": "country"}), Granularity::Country);
        check(json!({"postcode": "1", "type": "other", "osm_value": "postcode"}), Granularity::Postcode);
        check(json!({"street": "a", "housenumber": "1"}), Granularity::Door);
        check(json!({"name": "a", "osm_key": "place", "osm_value": "city"}), Granularity::City);
        assert!(feature(&json!({"name": "a", "type": "planet"}), &json!([1.0, 2.0])).is_err());
    }

    #[test]
    fn what_does_not_hold_is_left_out() {
        let good = json!({"name": "a", "type": "city"});
        for bad in [json!(["1", "2"]), json!([1.0]), json!([1.0, 91.0]), json!([0, 0]), json!([1.0, null]), json!(7)] {
            assert!(feature(&good, &bad).is_err(), "{bad}");
        }
        assert!(feature(&json!({"type": "city"}), &json!([1.0, 2.0])).is_err(), "nothing to show");
        assert!(feature(&json!({"name": 7, "type": "city"}), &json!([1.0, 2.0])).is_err());
    }

    #[test]
    fn an_address_is_written_on_one_line() {
        let of = json!({
            "name": "Hótel", "street": "Laugavegur", "housenumber": "1", "postcode": "101", "city": "Reykjavík",
            "country": "Ísland", "countrycode": "IS", "type": "house", "osm_type": "N", "osm_id": 7
        });
        let found = feature(&of, &json!([-21.9, 64.1])).unwrap();
        assert_eq!(found.formatted_address, "Hótel, Laugavegur 1, 101 Reykjavík, Ísland");
        assert_eq!((found.place_id.as_str(), found.country), ("N7", CountryCode::parse("IS")));
        assert!((found.position.lat() - 64.1).abs() < 1e-9);
    }

    #[test]
    fn what_stands_at_an_address_is_told_from_the_address() {
        let of = |key: &str, house: &str| {
            let of = json!({"name": "Bónus", "street": "Gata", "housenumber": house, "type": "house", "osm_key": key});
            let names = feature(&of, &json!([-21.9, 64.1])).unwrap().names;
            (names.own.join("+"), names.occupant)
        };
        assert_eq!(of("shop", "1"), ("Gata".to_owned(), Some("Bónus".to_owned())));
        for (key, house) in [("building", "1"), ("place", "1"), ("", "1"), ("shop", "")] {
            assert_eq!(of(key, house), ("Gata+Bónus".to_owned(), None), "{key} {house}");
        }
    }
}
