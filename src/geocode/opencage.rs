//! `OpenCage`: `/geocode/v1/json` for addresses and positions, with a key.
//!
//! Its `confidence` is the size of the result's box, in ten steps, and says nothing of whether it is what was asked
//! for: it bounds the granularity. Its terms leave suggestions to another product, and it has no lasting ids. It is
//! told not to log what it is asked.

use std::collections::BTreeMap;
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
use crate::model::address::{AddressQuery, CountryCode, PostalAddress};
use crate::model::location::Granularity;

/// The service, or a server that speaks its protocol.
#[derive(Debug)]
pub(super) struct OpenCage {
    client: Client,
    terms: Terms,
}

impl OpenCage {
    /// The service behind this client, which holds the key.
    pub(super) fn new(client: Client, terms: Terms) -> Self {
        Self { client, terms }
    }
}

/// The answer, as the protocol has it.
#[derive(Deserialize)]
struct Answer {
    status: Status,
    results: Vec<Value>,
}

#[derive(Deserialize)]
struct Status {
    code: u16,
}

#[async_trait]
impl Geocoder for OpenCage {
    async fn answer(&self, inquiry: &Inquiry, deadline: Instant) -> Result<Vec<Candidate>, Error> {
        inquiry.check_fineness()?;
        let provider = Arc::clone(self.client.provider());
        let request = request(inquiry).ok_or(Error::Unsupported { provider, what: inquiry.kind() })?;
        let Answer { status, results } = self.client.get(&request, deadline).await?;
        if status.code != 200 {
            return Err(self.client.refusal(status.code, None));
        }
        candidates(&self.client, inquiry, &self.terms, results, found)
    }

    fn attributions(&self) -> Vec<String> {
        vec![self.terms.attribution.clone()]
    }
}

/// The request for a question, without the key; `None` where the terms or the protocol have none.
pub(super) fn request(inquiry: &Inquiry) -> Option<Request> {
    let query = match &inquiry.subject {
        Subject::Address(AddressQuery::Line(line)) => line.clone(),
        Subject::Address(AddressQuery::Parts(parts)) => {
            AddressQuery::Parts(PostalAddress { country: None, ..parts.clone() }).one_line()
        }
        Subject::Position(at) => format!("{},{}", told(*at).lat(), told(*at).lng()),
        Subject::Typed(_) | Subject::Place(_) => return None,
    };
    let mut parameters = vec![
        ("q", query),
        ("limit", inquiry.limit.to_string()),
        ("no_annotations", "1".to_owned()),
        ("no_record", "1".to_owned()),
    ];
    if let Subject::Address(query) = &inquiry.subject {
        parameters.extend(query.country().map(|country| ("countrycode", country.as_str().to_ascii_lowercase())));
        let near = inquiry.bias.near_coarsely();
        parameters.extend(near.map(|near| ("proximity", format!("{},{}", near.lat(), near.lng()))));
    }
    Some(Request { path: &["geocode", "v1", "json"], parameters })
}

/// A result, as the protocol has it.
#[derive(Debug, Deserialize)]
struct Place {
    formatted: String,
    geometry: Geometry,
    confidence: u8,
    components: BTreeMap<String, Value>,
}

#[derive(Debug, Deserialize)]
struct Geometry {
    lat: f64,
    lng: f64,
}

fn found(place: &Place) -> Result<Found, Fault> {
    let of = |key: &str| place.components.get(key).and_then(Value::as_str).unwrap_or_default();
    let granularity = granularity(of("_type"), place.confidence)?;
    let stated = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let kind = of("_type");
    // A thing that is no part of an address has its name under its own type.
    let own_name = place.components.get(kind).and_then(Value::as_str).and_then(stated);
    let house = stated(of("house_number"));
    let is_named_house = granularity == Granularity::Door && house.is_none();
    let is_context = |key: &str| !key.starts_with('_') && !matches!(key, "house_number" | "road") && key != kind;
    let context = place.components.iter().filter(|(key, _)| is_context(key)).filter_map(|(_, value)| value.as_str());
    let names = Names {
        house: if is_named_house { own_name.clone().into_iter().collect() } else { house.into_iter().collect() },
        own: stated(of("road")).into_iter().chain(own_name).collect(),
        occupant: None,
        context: context.map(str::to_owned).collect(),
    };
    Ok(Found {
        place_id: String::new(),
        formatted_address: text(&place.formatted)?,
        position: position(place.geometry.lat, place.geometry.lng)?,
        granularity,
        country: CountryCode::parse(of("country_code")),
        names,
    })
}

/// How fine a result is: by its type, and never finer than its box, which `confidence` tells the size of: 10 for less
/// than 250 m, 9 for 500 m, 8 for 1 km, 7 for 5 km, and so on to 1 for 25 km and more; 0 for unknown.
fn granularity(kind: &str, confidence: u8) -> Result<Granularity, Fault> {
    let finest = match confidence {
        9..=10 => Granularity::Door,
        7..=8 => Granularity::Street,
        2..=6 => Granularity::City,
        0..=1 => Granularity::Region,
        _ => return Err(Fault::Damaged("a confidence is not in its range")),
    };
    let stated = match kind {
        "road" => Granularity::Street,
        "postcode" => Granularity::Postcode,
        "city" | "town" | "village" | "hamlet" | "locality" | "municipality" | "neighbourhood" | "suburb"
        | "city_district" | "quarter" | "place" => Granularity::City,
        "county" | "state" | "state_district" | "region" | "island" | "partial" | "unknown" => Granularity::Region,
        "country" => Granularity::Country,
        "" | "continent" | "fictitious" | "body_of_water" => {
            return Err(Fault::Unusable("a result is no place to be at"));
        }
        // Buildings, and everything that has a door: shops, schools, offices.
        _ => Granularity::Door,
    };
    // A large box around a city or a country is what one expects.
    Ok(if stated >= Granularity::Street { stated.min(finest) } else { stated })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn place(components: &Value, confidence: u8, geometry: &Value) -> Result<Found, Fault> {
        let place = json!({
            "components": components, "confidence": confidence, "geometry": geometry, "formatted": "Gata 1, Bær"
        });
        found(&Place::deserialize(place).map_err(|_| Fault::Damaged("shape"))?)
    }

    #[test]
    fn types_and_boxes_become_granularities() {
        let check = |kind, confidence, expect| {
            assert_eq!(granularity(kind, confidence).ok(), expect, "{kind} {confidence}");
        };
        check("building", 10, Some(Granularity::Door));
        check("school", 9, Some(Granularity::Door));
        check("building", 7, Some(Granularity::Street));
        check("building", 1, Some(Granularity::Region));
        check("road", 10, Some(Granularity::Street));
        check("postcode", 7, Some(Granularity::Postcode));
        check("city", 4, Some(Granularity::City));
        check("city", 1, Some(Granularity::City));
        check("state", 1, Some(Granularity::Region));
        check("country", 1, Some(Granularity::Country));
        check("continent", 1, None);
        check("building", 11, None);
    }

    #[test]
    fn what_does_not_hold_is_left_out() {
        let good = json!({"_type": "building", "house_number": "1", "road": "Gata", "country_code": "is"});
        assert!(place(&good, 10, &json!({"lat": 64.1, "lng": -21.9})).is_ok());
        for bad in [
            json!({"lat": "64.1", "lng": "-21.9"}),
            json!({"lat": 64.1}),
            json!({"lat": null, "lng": 1.0}),
            json!({"lat": 0, "lng": 0}),
            json!({"lat": 164.1, "lng": 1.0}),
        ] {
            assert!(place(&good, 10, &bad).is_err(), "{bad}");
        }
        assert!(place(&json!({}), 10, &json!({"lat": 64.1, "lng": -21.9})).is_err(), "no type");
    }
}
