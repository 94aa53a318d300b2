//! Reading of values that may be anything: what is understood is taken, and everything else is empty.
//!
//! Knows nothing of what the fields mean.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A type that takes what it understands and is empty for everything else.
pub(super) trait Lenient<'de>: Default {
    fn of_text(_text: &'de str) -> Self {
        Self::default()
    }

    fn of_number(_number: f64) -> Self {
        Self::default()
    }

    fn of_bool(_truth: bool) -> Self {
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

impl Lenient<'_> for Option<bool> {
    fn of_bool(truth: bool) -> Self {
        Some(truth)
    }
}

/// Any value as a `T`.
pub(super) fn lenient<'de, T: Lenient<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_any(LenientVisitor(PhantomData))
}

/// The next value of a map.
pub(super) fn next<'de, T: Lenient<'de>, A: MapAccess<'de>>(map: &mut A) -> Result<T, A::Error> {
    map.next_value::<Wrapped<T>>().map(|wrapped| wrapped.0)
}

/// Passes over the next value of a map.
pub(super) fn skip<'de, A: MapAccess<'de>>(map: &mut A) -> Result<(), A::Error> {
    map.next_value::<IgnoredAny>().map(|_| ())
}

/// A value that is read leniently wherever serde asks for it.
pub(super) struct Wrapped<T>(pub(super) T);

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

    // Degrees, kilometres and numbers of networks fit into 32 bits: a wider number is none of them.
    fn visit_u64<E>(self, _number: u64) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_u128<E>(self, _number: u128) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_bool<E>(self, truth: bool) -> Result<T, E> {
        Ok(T::of_bool(truth))
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
