//! What the tags of an element say of addresses, streets and places.
//!
//! Source: <https://wiki.openstreetmap.org/wiki/Key:addr>, Key:highway and Key:place.

use super::super::areas::reach_m;
use super::super::doors::Door;
use super::super::fold;
use super::super::imports::{LeftOut, check_text};
use super::super::record::{Source, osm_house};
use super::super::towns::Town;
use super::block::Tags;
use crate::model::address::CountryCode;
use crate::model::geo::LatLng;

/// Most numbers of one element: a house on a corner has two, and a list is written with semicolons.
const NUMBERS_MAX: usize = 8;
/// How far places of a kind reach where nobody counted their people, in metres.
const PLACES: [(&str, f64); 4] = [("city", 15_000.0), ("town", 6_000.0), ("village", 3_000.0), ("hamlet", 1_000.0)];

/// What an element is to a gazetteer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Means {
    /// Something with a house number.
    Address,
    /// A part of a street with a name.
    Street,
    /// Something else.
    Nothing,
}

/// The value of a tag; empty where there is none.
fn value<'a>(tags: &Tags<'a>, key: &str) -> &'a str {
    tags.iter().find(|(own, _)| *own == key).map_or("", |(_, value)| value.trim())
}

/// What an element with these tags is; `is_way` because a street is never a point.
pub(super) fn means(tags: &Tags<'_>, is_way: bool) -> Means {
    if !value(tags, "addr:housenumber").is_empty() {
        Means::Address
    } else if is_way && !value(tags, "highway").is_empty() && !value(tags, "name").is_empty() {
        Means::Street
    } else {
        Means::Nothing
    }
}

/// The place that a node with these tags is.
pub(super) fn town(tags: &Tags<'_>, position: LatLng, country: Option<CountryCode>) -> Option<Town> {
    let kind = value(tags, "place");
    let name = value(tags, "name");
    let reach = PLACES.iter().find(|(of, _)| *of == kind).map(|(_, reach)| *reach);
    let people = value(tags, "population").parse().map_or(0.0, reach_m);
    let reach_m = reach?.max(if people > 0.0 && kind == "city" { people } else { 0.0 });
    let is_name = !fold::key(name).is_empty() && check_text(name).is_ok();
    is_name.then(|| Town { name: name.to_owned(), country, position, reach_m })
}

/// The doors of an address, one a number, or what is wrong with it.
pub(super) fn doors(
    tags: &Tags<'_>,
    id: i64,
    position: Option<LatLng>,
    source: Source,
    country: Option<CountryCode>,
) -> Result<Vec<Door>, LeftOut> {
    // Where streets have no names, houses are numbered by the village or block.
    let street = Some(value(tags, "addr:street")).filter(|street| !street.is_empty());
    let street = street.unwrap_or_else(|| value(tags, "addr:place"));
    if fold::key(street).is_empty() {
        return Err(LeftOut::NoStreet);
    }
    let mut door = Door::new(source, street, position.ok_or(LeftOut::NoPosition)?);
    door.country = CountryCode::parse(value(tags, "addr:country")).or(country);
    value(tags, "addr:state").clone_into(&mut door.region);
    value(tags, "addr:district").clone_into(&mut door.district);
    value(tags, "addr:city").clone_into(&mut door.town);
    value(tags, "addr:postcode").clone_into(&mut door.postcode);
    let numbers = value(tags, "addr:housenumber").split(';').map(str::trim);
    let numbers = numbers.filter(|number| !fold::key(number).is_empty()).take(NUMBERS_MAX);
    let doors = numbers.zip(0..).map(|(number, index)| door.numbered(number, osm_house(id, index)).checked());
    let doors: Vec<Door> = doors.collect::<Result<_, _>>()?;
    if doors.is_empty() { Err(LeftOut::NoNumber) } else { Ok(doors) }
}

/// A part of a street, or what is wrong with it.
pub(super) fn street(
    tags: &Tags<'_>,
    id: i64,
    position: Option<LatLng>,
    source: Source,
    country: Option<CountryCode>,
) -> Result<Vec<Door>, LeftOut> {
    let name = value(tags, "name");
    if fold::key(name).is_empty() {
        return Err(LeftOut::NoStreet);
    }
    let mut door = Door::new(source, name, position.ok_or(LeftOut::NoPosition)?);
    door.country = country;
    door.id = id;
    Ok(vec![door.checked()?])
}
