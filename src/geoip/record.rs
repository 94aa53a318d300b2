//! What a record of a database says, whichever way it is written: nested (`GeoIP2`, `GeoLite2`, DB-IP) or flat (the
//! `@ip-location-db` packages).
//!
//! Lenient: a field of the wrong type is a missing field, and numbers come in any width. Knows nothing of files and
//! networks.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::model::address::CountryCode;
use crate::model::geo::{DISTANCE_M_MAX, LatLng};
use crate::model::text::LINE_BYTES_MAX;

/// The fields of one record that waymark uses, borrowed from the database. Decoded in one pass.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Record<'a> {
    /// Where the record puts its addresses; `None` where it does not say, says nonsense, or says 0°N 0°E, which is
    /// open sea and how a missing position is often written.
    pub(super) position: Option<LatLng>,
    /// The radius that the record states, in metres, in (0, half the circumference of the Earth].
    pub(super) accuracy_m: Option<f64>,
    /// City; empty where none is named.
    pub(super) city: &'a str,
    /// First-level region; empty where none is named.
    pub(super) region: &'a str,
    /// Country.
    pub(super) country: Option<CountryCode>,
    /// Whether the position stands in a map of its own, as `MaxMind` and DB-IP write it.
    pub(super) is_nested: bool,
}

impl<'de> Deserialize<'de> for Record<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        lenient(deserializer)
    }
}

impl<'de> Lenient<'de> for Record<'de> {
    fn of_map<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut record = Self::default();
        let (mut latitude, mut longitude) = (None, None);
        while let Some(key) = map.next_key::<&str>()? {
            match key {
                "city" => record.city = next::<Named<'_>, _>(&mut map)?.0,
                "subdivisions" => record.region = next::<First<'_>, _>(&mut map)?.0,
                "state1" => record.region = name(next(&mut map)?),
                "country_code" => record.country = CountryCode::parse(next(&mut map)?),
                "latitude" => latitude = next(&mut map)?,
                "longitude" => longitude = next(&mut map)?,
                "country" => record.country = record.country.or(next::<Country, _>(&mut map)?.0),
                "location" => {
                    let location: Location = next(&mut map)?;
                    (latitude, longitude) = (location.latitude, location.longitude);
                    record.accuracy_m = location.accuracy_radius_km.and_then(accuracy_m);
                    record.is_nested = true;
                }
                _ => skip(&mut map)?,
            }
        }
        record.position = position(latitude, longitude);
        Ok(record)
    }
}

/// A position that can be meant: both numbers there, finite, in range, and not 0, 0.
fn position(latitude: Option<f64>, longitude: Option<f64>) -> Option<LatLng> {
    LatLng::new(latitude?, longitude?).ok().filter(|position| !position.is_null_island())
}

/// Metres of a radius in kilometres that can be meant.
fn accuracy_m(radius_km: f64) -> Option<f64> {
    let metres = radius_km * 1_000.0;
    (metres > 0.0 && metres <= DISTANCE_M_MAX).then_some(metres)
}

/// A name that can be shown on one line; anything else is no name.
fn name(text: &str) -> &str {
    let text = text.trim();
    if text.len() > LINE_BYTES_MAX || text.chars().any(char::is_control) { "" } else { text }
}

/// `{"latitude": …, "longitude": …, "accuracy_radius": …}`.
#[derive(Default)]
struct Location {
    latitude: Option<f64>,
    longitude: Option<f64>,
    accuracy_radius_km: Option<f64>,
}

impl<'de> Lenient<'de> for Location {
    fn of_map<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut location = Self::default();
        while let Some(key) = map.next_key::<&str>()? {
            match key {
                "latitude" => location.latitude = next(&mut map)?,
                "longitude" => location.longitude = next(&mut map)?,
                "accuracy_radius" => location.accuracy_radius_km = next(&mut map)?,
                _ => skip(&mut map)?,
            }
        }
        Ok(location)
    }
}

/// `{"iso_code": "IS", …}`; a plain text is a code too.
#[derive(Default)]
struct Country(Option<CountryCode>);

impl<'de> Lenient<'de> for Country {
    fn of_text(text: &'de str) -> Self {
        Self(CountryCode::parse(text))
    }

    fn of_map<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut country = Self::default();
        while let Some(key) = map.next_key::<&str>()? {
            match key {
                "iso_code" => country = Self(CountryCode::parse(next(&mut map)?)),
                _ => skip(&mut map)?,
            }
        }
        Ok(country)
    }
}

/// `{"names": {"en": "Milan", …}, …}`, or the plain name.
#[derive(Default)]
struct Named<'a>(&'a str);

impl<'de> Lenient<'de> for Named<'de> {
    fn of_text(text: &'de str) -> Self {
        Self(name(text))
    }

    fn of_map<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut named = Self::default();
        while let Some(key) = map.next_key::<&str>()? {
            match key {
                "names" => named = Self(next::<Names<'_>, _>(&mut map)?.0),
                _ => skip(&mut map)?,
            }
        }
        Ok(named)
    }
}

/// Names by language: the English one, else the first.
#[derive(Default)]
struct Names<'a>(&'a str);

impl<'de> Lenient<'de> for Names<'de> {
    fn of_map<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut names = Self::default();
        while let Some(language) = map.next_key::<&str>()? {
            if language == "en" || names.0.is_empty() {
                let chosen = name(next(&mut map)?);
                if !chosen.is_empty() {
                    names = Self(chosen);
                }
            } else {
                skip(&mut map)?;
            }
        }
        Ok(names)
    }
}

/// The first of a list of [`Named`]: subdivisions are listed from the largest to the smallest.
#[derive(Default)]
struct First<'a>(&'a str);

impl<'de> Lenient<'de> for First<'de> {
    fn of_list<A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        let first = list.next_element::<Wrapped<Named<'de>>>()?;
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self(first.map_or("", |named| named.0.0)))
    }
}

impl<'de> Lenient<'de> for &'de str {
    fn of_text(text: &'de str) -> Self {
        text
    }
}

impl Lenient<'_> for Option<f64> {
    fn of_number(number: f64) -> Self {
        Some(number)
    }
}

/// A type that takes what it understands and is empty for everything else.
trait Lenient<'de>: Default {
    fn of_text(_text: &'de str) -> Self {
        Self::default()
    }

    fn of_number(_number: f64) -> Self {
        Self::default()
    }

    fn of_map<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        // What follows is only found after the whole map was read.
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }

    fn of_list<A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }
}

fn lenient<'de, T: Lenient<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_any(LenientVisitor(PhantomData))
}

/// The next value of a map.
fn next<'de, T: Lenient<'de>, A: MapAccess<'de>>(map: &mut A) -> Result<T, A::Error> {
    map.next_value::<Wrapped<T>>().map(|wrapped| wrapped.0)
}

fn skip<'de, A: MapAccess<'de>>(map: &mut A) -> Result<(), A::Error> {
    map.next_value::<IgnoredAny>().map(|_| ())
}

struct Wrapped<T>(T);

impl<'de, T: Lenient<'de>> Deserialize<'de> for Wrapped<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        lenient(deserializer).map(Self)
    }
}

struct LenientVisitor<T>(PhantomData<T>);

/// One visitor for all: every kind of value of the format comes in here, and none is refused.
impl<'de, T: Lenient<'de>> Visitor<'de> for LenientVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<T, E> {
        Ok(T::of_text(text))
    }

    fn visit_f64<E>(self, number: f64) -> Result<T, E> {
        Ok(T::of_number(number))
    }

    fn visit_f32<E>(self, number: f32) -> Result<T, E> {
        Ok(T::of_number(f64::from(number)))
    }

    fn visit_i32<E>(self, number: i32) -> Result<T, E> {
        Ok(T::of_number(f64::from(number)))
    }

    fn visit_u16<E>(self, number: u16) -> Result<T, E> {
        Ok(T::of_number(f64::from(number)))
    }

    fn visit_u32<E>(self, number: u32) -> Result<T, E> {
        Ok(T::of_number(f64::from(number)))
    }

    // Degrees and kilometres fit into 32 bits: a wider number is none of them.
    fn visit_u64<E>(self, _number: u64) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_u128<E>(self, _number: u128) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_bool<E>(self, _truth: bool) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_borrowed_bytes<E>(self, _bytes: &'de [u8]) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::of_map(map)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<T, A::Error> {
        T::of_list(list)
    }
}
