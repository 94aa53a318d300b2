//! Nominatim: `/search`, `/reverse` and `/lookup` in the format `jsonv2`. Numbers of positions are texts there.
//!
//! An address in parts is asked in parts; a stated country restricts, a likely one does not. Ids are those of
//! `OpenStreetMap`, such as `N107775`: the server's own change when it imports again.
//!
//! The server is told to leave out nothing that is written like something else (`dedupe=0`): of two doors with one
//! address, far apart, it gives one by chance, and then nobody sees that the address is ambiguous. `http::answer` leaves
//! out the parts of one street.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

use super::confidence::Names;
use super::http::answer::{Fault, Found, candidates, decimal, position, text};
use super::http::{Client, Request};
use super::inquiry::told;
use super::terms::Terms;
use super::{Candidate, Error, Geocoder, Inquiry, Subject};
use crate::model::address::{AddressQuery, CountryCode};
use crate::model::location::Granularity;

/// Half the edge of the box in which results are preferred, in degrees: a region around a GeoIP fix.
const PREFERRED_DEGREES: f64 = 0.5;

/// A server that speaks Nominatim's protocol.
#[derive(Debug)]
pub(super) struct Nominatim {
    client: Client,
    terms: Terms,
    /// Whether its terms allow to ask while somebody types. Those of the public server do not.
    may_suggest: bool,
}

impl Nominatim {
    /// A server behind this client.
    pub(super) fn new(client: Client, terms: Terms, may_suggest: bool) -> Self {
        Self { client, terms, may_suggest }
    }
}

/// Results that are asked for, for each that is wanted: a street has many parts. The servers give at most 50.
const PARTS: usize = 2;
/// The rank of houses and of what stands in them.
const HOUSE_RANK: u8 = 30;

/// What the answer of a reverse look-up says where nothing is.
const NOTHING_THERE: &str = "Unable to geocode";

#[async_trait]
impl Geocoder for Nominatim {
    async fn answer(&self, inquiry: &Inquiry, deadline: Instant) -> Result<Vec<Candidate>, Error> {
        if !self.may_suggest && matches!(inquiry.subject, Subject::Typed(_)) {
            return Err(Error::Unsupported { provider: Arc::clone(self.client.provider()), what: inquiry.kind() });
        }
        inquiry.check_fineness()?;
        let Some(request) = request(inquiry, self.client.provider()) else { return Ok(Vec::new()) };
        let results = if let Subject::Position(_) = inquiry.subject {
            let place: Value = self.client.get(&request, deadline).await?;
            // Where nothing is, the answer is an object that says so; other errors are none of "nothing".
            let is_nothing = place.get("error").and_then(Value::as_str) == Some(NOTHING_THERE);
            if is_nothing { Vec::new() } else { vec![place] }
        } else {
            self.client.get(&request, deadline).await?
        };
        candidates(&self.client, inquiry, &self.terms, results, found)
    }

    fn attributions(&self) -> Vec<String> {
        vec![self.terms.attribution.clone()]
    }
}

/// The request for a question; `None` where no request can answer it.
pub(super) fn request(inquiry: &Inquiry, provider: &str) -> Option<Request> {
    let mut parameters = vec![("format", "jsonv2".to_owned()), ("addressdetails", "1".to_owned())];
    let path: &[&str] = match &inquiry.subject {
        Subject::Address(AddressQuery::Line(line)) | Subject::Typed(line) => {
            parameters.push(("q", line.clone()));
            &["search"]
        }
        Subject::Address(AddressQuery::Parts(parts)) => {
            let texts = [
                ("street", &parts.street),
                ("postalcode", &parts.postal_code),
                ("city", &parts.locality),
                ("state", &parts.region),
            ];
            let stated = texts.into_iter().filter(|(_, text)| !text.is_empty());
            parameters.extend(stated.map(|(name, text)| (name, text.clone())));
            parameters.extend(parts.country.map(|country| ("countrycodes", country.as_str().to_ascii_lowercase())));
            &["search"]
        }
        Subject::Position(at) => {
            let at = told(*at);
            parameters.extend([("lat", at.lat().to_string()), ("lon", at.lng().to_string())]);
            &["reverse"]
        }
        Subject::Place(place) => {
            if *place.provider != *provider || !is_osm_id(&place.id) {
                return None;
            }
            parameters.push(("osm_ids", place.id.clone()));
            &["lookup"]
        }
    };
    if path == ["search"] {
        parameters.push(("limit", (PARTS * inquiry.limit).to_string()));
        parameters.push(("dedupe", "0".to_owned()));
        if let Some(near) = inquiry.bias.near_coarsely() {
            let edge = |degrees: f64, limit: f64| degrees.clamp(-limit, limit);
            let (west, east) =
                (edge(near.lng() - PREFERRED_DEGREES, 180.0), edge(near.lng() + PREFERRED_DEGREES, 180.0));
            let (south, north) =
                (edge(near.lat() - PREFERRED_DEGREES, 90.0), edge(near.lat() + PREFERRED_DEGREES, 90.0));
            parameters.push(("viewbox", format!("{west},{south},{east},{north}")));
        }
    }
    Some(Request { path, parameters })
}

/// Whether a text is an id of `OpenStreetMap`: its kind, and a number.
fn is_osm_id(id: &str) -> bool {
    id.strip_prefix(['N', 'W', 'R'])
        .is_some_and(|number| (1..=19).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A place, as the protocol has it.
#[derive(Debug, Deserialize)]
struct Place {
    lat: String,
    lon: String,
    display_name: String,
    #[serde(rename = "place_rank")]
    rank: u8,
    #[serde(default)]
    osm_type: String,
    #[serde(default)]
    osm_id: Option<u64>,
    #[serde(default)]
    category: String,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    address: BTreeMap<String, String>,
}

fn found(place: &Place) -> Result<Found, Fault> {
    let of = |key: &str| place.address.get(key).cloned();
    let (house, road) = (of("house_number"), of("road"));
    let granularity = granularity(place)?;
    let name = place.name.clone().filter(|name| !name.is_empty());
    let is_named_house = granularity >= Granularity::Interpolated && house.is_none();
    let is_occupant = place.rank == HOUSE_RANK && house.is_some() && !matches!(&*place.category, "place" | "building");
    // What stands at an address may be called like its town.
    let is_own = |key: &str, value: &String| {
        let is_name = Some(value) == name.as_ref() && (!is_occupant || key == place.category);
        matches!(key, "house_number" | "road") || is_name
    };
    let context = place.address.iter().filter(|(key, value)| !is_own(key, value));
    // Of the code of a region, such as `US-TN` or `IS-1`, people write the letters behind the country's. Its digits are no
    // number of an address.
    let context = context.filter_map(|(key, value)| match value.split_once('-') {
        Some((_, code)) if key.starts_with("ISO3166-2") => code.parse::<u32>().is_err().then(|| code.to_owned()),
        _ => Some(value.clone()),
    });
    let names = Names {
        context: context.collect(),
        house: if is_named_house { name.clone().into_iter().collect() } else { house.into_iter().collect() },
        own: road.into_iter().chain(name.clone().filter(|_| !is_occupant)).collect(),
        occupant: is_occupant.then(|| name.unwrap_or_default()),
    };
    Ok(Found {
        // The object of a house that was counted off is its whole row, and asked for it the server tells the middle of that.
        place_id: if granularity == Granularity::Interpolated { String::new() } else { osm_id(place) },
        formatted_address: text(&place.display_name)?,
        position: position(decimal(&place.lat)?, decimal(&place.lon)?)?,
        granularity,
        country: of("country_code").and_then(|code| CountryCode::parse(&code)),
        names,
    })
}

/// The id of a place's object; empty where it has none.
fn osm_id(place: &Place) -> String {
    let kind = match place.osm_type.as_str() {
        "node" => "N",
        "way" => "W",
        "relation" => "R",
        _ => return String::new(),
    };
    place.osm_id.map(|id| format!("{kind}{id}")).unwrap_or_default()
}

/// How fine a place is, by its rank. A house on a way without a building is one that was counted off along the street.
/// A square is a street that is wide, and not the quarter that its rank makes of it.
fn granularity(place: &Place) -> Result<Granularity, Fault> {
    let is_place = |kind: &str| place.category == "place" && place.kind == kind;
    Ok(match place.rank {
        _ if place.kind == "postcode" || place.kind == "postal_code" => Granularity::Postcode,
        _ if is_place("square") => Granularity::Street,
        _ if is_place("houses") => return Err(Fault::Unusable("a row of houses is none of them")),
        HOUSE_RANK if is_place("house") && place.osm_type == "way" => Granularity::Interpolated,
        HOUSE_RANK => Granularity::Door,
        26..=29 => Granularity::Street,
        13..=25 => Granularity::City,
        5..=12 => Granularity::Region,
        4 => Granularity::Country,
        _ => return Err(Fault::Unusable("a place is larger than a country")),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SHAPE: Fault = Fault::Damaged("shape");

    fn place(changes: &Value) -> Result<Found, Fault> {
        let mut place = json!({
            "place_id": 100_149, "osm_type": "node", "osm_id": 107_775, "lat": "51.5", "lon": "-0.1", "category": "place",
            "type": "house", "place_rank": 30, "importance": 0.1, "addresstype": "place", "name": "",
            "display_name": "1, Laugavegur, Reykjavík, 101, Ísland",
            "address": {"house_number": "1", "road": "Laugavegur", "city": "Reykjavík", "country_code": "is"}
        });
        for (key, value) in changes.as_object().unwrap() {
            place[key] = value.clone();
        }
        found(&Place::deserialize(place).map_err(|_| SHAPE)?)
    }

    #[test]
    fn kinds_become_granularities() {
        let check = |changes: Value, expect| assert_eq!(place(&changes).unwrap().granularity, expect, "{changes}");
        check(json!({}), Granularity::Door);
        check(json!({"osm_type": "way"}), Granularity::Interpolated);
        check(json!({"osm_type": "way", "category": "building", "type": "yes"}), Granularity::Door);
        check(json!({"place_rank": 26, "category": "highway", "type": "residential"}), Granularity::Street);
        check(json!({"place_rank": 25, "type": "square", "osm_type": "relation"}), Granularity::Street);
        check(json!({"place_rank": 21, "type": "postcode"}), Granularity::Postcode);
        check(json!({"place_rank": 16, "type": "city"}), Granularity::City);
        check(json!({"place_rank": 8, "type": "administrative"}), Granularity::Region);
        check(json!({"place_rank": 4, "type": "administrative"}), Granularity::Country);
        assert!(place(&json!({"place_rank": 2})).is_err(), "a continent is no answer");
    }

    #[test]
    fn what_does_not_hold_is_left_out() {
        for changes in [
            json!({"lat": "abc"}),
            json!({"lat": 51.5}),
            json!({"lat": "1e400"}),
            json!({"lat": "91"}),
            json!({"lat": "0", "lon": "0.0"}),
            json!({"lon": null}),
            json!({"display_name": ""}),
            json!({"place_rank": "30"}),
            json!({"address": {"city": 7}}),
        ] {
            assert!(place(&changes).is_err(), "{changes}");
        }
    }

    #[test]
    fn a_place_without_an_osm_object_has_no_id() {
        assert_eq!(place(&json!({})).unwrap().place_id, "N107775");
        assert_eq!(place(&json!({"osm_type": null, "osm_id": null})).map(|found| found.place_id), Err(SHAPE));
        let mut postcode = json!({"lat": "51.5", "lon": "-0.1", "display_name": "101", "place_rank": 21});
        postcode["type"] = "postcode".into();
        assert_eq!(found(&Place::deserialize(postcode).unwrap()).unwrap().place_id, "");
    }

    /// `Mannerheimintie 5` was answered by a dozen shops beside the house, each as sure as the house itself, so that no
    /// address of a busy street was ever applied.
    #[test]
    fn what_stands_at_an_address_is_told_from_the_address() {
        let of = |category: &str, name: &str| {
            let names = place(&json!({"category": category, "name": name})).unwrap().names;
            (names.own.join("+"), names.occupant)
        };
        assert_eq!(of("place", ""), ("Laugavegur".to_owned(), None));
        assert_eq!(of("building", "Perlan"), ("Laugavegur+Perlan".to_owned(), None));
        assert_eq!(of("shop", "Bónus"), ("Laugavegur".to_owned(), Some("Bónus".to_owned())));
        assert_eq!(of("amenity", ""), ("Laugavegur".to_owned(), Some(String::new())));
    }

    /// Renewed by the id of its row, a house that was counted off lost its number, and stood in the middle of the row.
    #[test]
    fn a_house_of_a_row_is_not_its_row() {
        assert_eq!(place(&json!({"osm_type": "way"})).unwrap().place_id, "");
        assert_eq!(place(&json!({"osm_type": "way", "category": "building"})).unwrap().place_id, "W107775");
        let row = json!({"osm_type": "way", "type": "houses", "address": {"road": "Laugavegur"}});
        assert!(matches!(place(&row), Err(Fault::Unusable(_))));
    }

    #[test]
    fn the_number_of_a_region_is_no_number_of_an_address() {
        let of = |code: &str| {
            let address = json!({"road": "Gata", "country_code": "is", "ISO3166-2-lvl4": code});
            place(&json!({"address": address})).unwrap().names.context
        };
        assert_eq!((of("IS-1"), of("US-TN")), (vec!["is".to_owned()], vec!["TN".to_owned(), "is".to_owned()]));
    }

    #[test]
    fn ids_are_those_of_openstreetmap() {
        for bad in ["", "N", "X1", "N1,W2", "n1", "N-1", "N 1", &format!("N{}", "1".repeat(20))] {
            assert!(!is_osm_id(bad), "{bad}");
        }
        assert!(is_osm_id("N107775") && is_osm_id("W1") && is_osm_id("R1"));
    }
}
