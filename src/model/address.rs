//! Postal addresses as people state them.

use serde::{Deserialize, Serialize};

use super::{Invalid, text};

/// Longest address line, in bytes: the longest real ones stay below 300.
pub const ADDRESS_LINE_BYTES_MAX: usize = 500;

/// An ISO 3166-1 alpha-2 country code, upper case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CountryCode([u8; 2]);

impl CountryCode {
    /// The code of two ASCII letters in either case; `None` for anything else.
    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        match code.as_bytes() {
            [a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
                Some(Self([a.to_ascii_uppercase(), b.to_ascii_uppercase()]))
            }
            _ => None,
        }
    }

    /// The code as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("two ASCII letters are UTF-8")
    }
}

impl TryFrom<String> for CountryCode {
    type Error = Invalid;

    fn try_from(code: String) -> Result<Self, Invalid> {
        Self::parse(&code).ok_or_else(|| {
            Invalid::new(
                "country_code",
                format!("an ISO 3166-1 code is two letters, got {}", super::text::shown(&code)),
            )
        })
    }
}

impl From<CountryCode> for String {
    fn from(code: CountryCode) -> Self {
        code.as_str().to_owned()
    }
}

impl std::fmt::Display for CountryCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An address in parts; every part may be empty, not all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PostalAddress {
    /// Street with house number, and whatever else stands above the town.
    pub street: String,
    /// Postal code, as written in its country.
    pub postal_code: String,
    /// Town or city.
    pub locality: String,
    /// State, province or region: name or code.
    pub region: String,
    /// Country, where it is stated.
    pub country: Option<CountryCode>,
}

impl PostalAddress {
    /// Whether nothing is stated, or a country and nothing in it.
    #[must_use]
    pub fn is_country_alone(&self) -> bool {
        *self == Self { country: self.country, ..Self::default() }
    }
}

/// What a person typed: one line, or an address in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressQuery {
    /// One line, trimmed, not empty.
    Line(String),
    /// In parts, at least one of them beside the country not empty.
    Parts(PostalAddress),
}

impl AddressQuery {
    /// One line as typed; refuses an empty one, an overlong one and control characters.
    pub fn line(typed: &str) -> Result<Self, Invalid> {
        let line = text::line("address_line", typed, ADDRESS_LINE_BYTES_MAX)?;
        if line.is_empty() {
            return Err(Invalid::new("address_line", "an address is not empty"));
        }
        Ok(Self::Line(line))
    }

    /// An address in parts; each part is checked like a line.
    pub fn parts(parts: &PostalAddress) -> Result<Self, Invalid> {
        let check = |field: &str, part: &str| {
            text::line(field, part, ADDRESS_LINE_BYTES_MAX).map_err(|fault| fault.within("postal_address"))
        };
        let checked = PostalAddress {
            street: check("street", &parts.street)?,
            postal_code: check("postal_code", &parts.postal_code)?,
            locality: check("locality", &parts.locality)?,
            region: check("region", &parts.region)?,
            country: parts.country,
        };
        if checked.is_country_alone() {
            let why = "a country alone is not an address: state a town, a postal code, a region or a street in it";
            return Err(Invalid::new("postal_address", why));
        }
        Ok(Self::Parts(checked))
    }

    /// The address on one line, parts joined as `street, postcode locality, region, country`.
    #[must_use]
    pub fn one_line(&self) -> String {
        match self {
            Self::Line(line) => line.clone(),
            Self::Parts(parts) => {
                let town = format!("{} {}", parts.postal_code, parts.locality);
                let country = parts.country.map(String::from).unwrap_or_default();
                [parts.street.as_str(), town.trim(), parts.region.as_str(), country.as_str()]
                    .into_iter()
                    .filter(|part| !part.is_empty())
                    .collect::<Vec<_>>()
                    .join(", ")
            }
        }
    }

    /// The country that was stated in so many words, if any.
    #[must_use]
    pub fn country(&self) -> Option<CountryCode> {
        match self {
            Self::Line(_) => None,
            Self::Parts(parts) => parts.country,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_join_to_one_line() {
        let parts = PostalAddress {
            street: "Laugavegur 1".into(),
            postal_code: "101".into(),
            locality: "Reykjavík".into(),
            country: CountryCode::parse("is"),
            ..PostalAddress::default()
        };
        assert_eq!(AddressQuery::parts(&parts).unwrap().one_line(), "Laugavegur 1, 101 Reykjavík, IS");
    }

    #[test]
    fn empty_addresses_are_refused() {
        assert!(AddressQuery::line("  ").is_err());
        assert!(AddressQuery::line(&"x".repeat(501)).is_err());
        assert!(AddressQuery::parts(&PostalAddress::default()).is_err());
    }

    #[test]
    fn a_country_alone_is_no_address() {
        let country = PostalAddress { country: CountryCode::parse("IS"), ..PostalAddress::default() };
        let fault = AddressQuery::parts(&country).unwrap_err();
        assert!(fault.to_string().contains("a country alone is not an address"), "{fault}");
        let spaces = PostalAddress { locality: "  ".into(), ..country.clone() };
        assert!(AddressQuery::parts(&spaces).is_err());
        assert!(AddressQuery::parts(&PostalAddress { region: "Suðurland".into(), ..country }).is_ok());
    }
}
