//! What a record says of the network: its number, who runs it, and what kind of network it is.
//!
//! The fields have the same names in `traits` of a city file and bare in the files of ASN, ISP, connection types and
//! anonymous addresses. Knows nothing of places.

use serde::de::MapAccess;

use super::lenient::{Lenient, next, skip};
use super::name;

/// Kinds of network, of which each may be stated to hold, stated not to hold, or not be stated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::geoip) struct Flags {
    /// The same addresses are announced from many places at once.
    pub(in crate::geoip) anycast: Option<bool>,
    /// A data centre's, a content network's or a tunnel's.
    pub(in crate::geoip) hosting: Option<bool>,
    /// Behind a satellite.
    pub(in crate::geoip) satellite: Option<bool>,
    /// Of mobile phones.
    pub(in crate::geoip) mobile: Option<bool>,
}

/// The fields as they are met, in whatever order.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct NetworkFields<'a> {
    pub(super) asn: Option<u32>,
    isp: &'a str,
    organization: &'a str,
    asn_organization: &'a str,
    stated: Flags,
    connection: Flags,
    user: Flags,
}

impl<'de> NetworkFields<'de> {
    /// Takes the value of `key`, or passes over it where it says nothing of networks.
    pub(super) fn take<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "autonomous_system_number" | "asn" => self.asn = next::<Asn, _>(map)?.0,
            "autonomous_system_organization" | "as_name" => self.asn_organization = name(next(map)?),
            "isp" => self.isp = name(next(map)?),
            "organization" => self.organization = name(next(map)?),
            "is_anycast" => self.stated.anycast = next(map)?,
            "is_hosting_provider" | "is_hosting" => self.stated.hosting = next(map)?,
            "is_satellite_provider" | "is_satellite" => self.stated.satellite = next(map)?,
            "is_mobile" => self.stated.mobile = next(map)?,
            "connection_type" => self.connection = connection(next(map)?),
            "user_type" => self.user = user(next(map)?),
            _ => skip(map)?,
        }
        Ok(())
    }

    /// Takes what a map of its own states; what was met bare stays where that states nothing.
    pub(super) fn take_all(&mut self, inner: Self) {
        let text = |inner: &'de str, outer: &'de str| if inner.is_empty() { outer } else { inner };
        *self = Self {
            asn: inner.asn.or(self.asn),
            isp: text(inner.isp, self.isp),
            organization: text(inner.organization, self.organization),
            asn_organization: text(inner.asn_organization, self.asn_organization),
            stated: inner.stated.or(self.stated),
            connection: inner.connection.or(self.connection),
            user: inner.user.or(self.user),
        };
    }

    /// Who runs the network: the provider, else who announces it, else who it is registered for.
    pub(super) fn isp(&self) -> &'de str {
        [self.isp, self.asn_organization, self.organization].into_iter().find(|name| !name.is_empty()).unwrap_or("")
    }

    /// What kind it is: what is said in so many words, else what follows from the type of connection or of user.
    pub(super) fn flags(&self) -> Flags {
        self.stated.or(self.connection).or(self.user)
    }
}

impl<'de> Lenient<'de> for NetworkFields<'de> {
    fn of_map<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut fields = Self::default();
        while let Some(key) = map.next_key::<&str>()? {
            fields.take(key, &mut map)?;
        }
        Ok(fields)
    }
}

impl Flags {
    /// These, and where they state nothing, the other ones.
    pub(in crate::geoip) fn or(self, other: Self) -> Self {
        Self {
            anycast: self.anycast.or(other.anycast),
            hosting: self.hosting.or(other.hosting),
            satellite: self.satellite.or(other.satellite),
            mobile: self.mobile.or(other.mobile),
        }
    }
}

/// The types of `MaxMind`'s and DB-IP's connection fields. A type that is not known states nothing.
fn connection(text: &str) -> Flags {
    let of = |satellite, mobile| Flags { satellite: Some(satellite), mobile: Some(mobile), ..Flags::default() };
    match text.to_ascii_lowercase().as_str() {
        "cellular" | "wireless" | "mobile" => of(false, true),
        "satellite" => of(true, false),
        "cable/dsl" | "cable" | "dsl" | "corporate" | "dialup" | "fiber" => of(false, false),
        _ => Flags::default(),
    }
}

/// The types of `MaxMind`'s and DB-IP's user fields. Only what they state to hold counts: they are one word for many
/// kinds.
fn user(text: &str) -> Flags {
    match text.to_ascii_lowercase().as_str() {
        "hosting" | "content_delivery_network" | "cdn" => Flags { hosting: Some(true), ..Flags::default() },
        "cellular" => Flags { mobile: Some(true), ..Flags::default() },
        _ => Flags::default(),
    }
}

/// A number, or a text such as `AS64496`; 0 is reserved and no network's number (RFC 7607).
#[derive(Default)]
struct Asn(Option<u32>);

impl<'de> Lenient<'de> for Asn {
    fn of_text(text: &'de str) -> Self {
        let digits = text.trim().trim_start_matches(['A', 'a', 'S', 's']);
        Self(digits.parse().ok().filter(|number| *number != 0))
    }

    fn of_number(number: f64) -> Self {
        let is_asn = number >= 1.0 && number <= f64::from(u32::MAX) && number.fract() == 0.0;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be a whole u32")]
        Self(is_asn.then_some(number as u32))
    }
}
