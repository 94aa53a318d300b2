//! Files of addresses that an operator names: what is said of them, and what came of their rows.
//!
//! Knows nothing of their shapes.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::countries::Countries;
use crate::model::address::CountryCode;
use crate::model::{Invalid, text};

/// Longest text of an imported row, in characters: what OpenStreetMap allows, and several times the longest real ones.
const TEXT_CHARS_MAX: usize = 255;

/// A file to import, as it is named: `FILE[,country=XX][,attribution=TEXT]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// The file.
    pub path: PathBuf,
    /// The country of its addresses.
    pub country: Option<CountryCode>,
    /// What its licence asks to be shown, in place of what is known of files of its kind.
    pub attribution: Option<String>,
}

impl FromStr for Import {
    type Err = Invalid;

    /// The text may hold commas in the attribution, which is the last, and not in the name of the file.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (text, attribution) = match text.split_once(",attribution=") {
            Some((text, attribution)) => (text, Some(attribution.trim().to_owned())),
            None => (text, None),
        };
        let (path, options) = text.split_once(',').map_or((text, None), |(path, options)| (path, Some(options)));
        let country = match options.map(|options| options.strip_prefix("country=").unwrap_or(options)) {
            None => None,
            Some(code) => Some(CountryCode::parse(code).ok_or_else(|| {
                Invalid::new(
                    "import",
                    format!("behind the file stands `country=` with an ISO 3166-1 code, got {code:?}"),
                )
            })?),
        };
        if path.is_empty() || attribution.as_ref().is_some_and(String::is_empty) {
            return Err(Invalid::new("import", "FILE[,country=XX][,attribution=TEXT], none of them empty"));
        }
        Ok(Self { path: path.into(), country, attribution })
    }
}

/// Why a row of a file of addresses was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftOut {
    /// It is not of the form of its file.
    Malformed,
    /// It names no street.
    NoStreet,
    /// It has no house number.
    NoNumber,
    /// It has no position, or none on the globe, or 0, 0.
    NoPosition,
    /// One of its texts is longer than any part of an address.
    TooLong,
    /// One of its texts holds control or direction-override characters.
    ControlCharacters,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "malformed",
            Self::NoStreet => "without a street",
            Self::NoNumber => "without a house number",
            Self::NoPosition => "without a position",
            Self::TooLong => "with a text that is too long",
            Self::ControlCharacters => "with control characters",
        })
    }
}

/// A text of a row, where it may be one of an address.
pub(super) fn check_text(raw: &str) -> Result<(), LeftOut> {
    if raw.chars().nth(TEXT_CHARS_MAX).is_some() {
        return Err(LeftOut::TooLong);
    }
    text::line("text", raw, usize::MAX).map(drop).map_err(|_| LeftOut::ControlCharacters)
}

/// What came of the rows of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Rows that are addresses or streets.
    pub kept: u64,
    /// Rows that are not, by what is wrong with them.
    pub left_out: BTreeMap<LeftOut, u64>,
}

impl Report {
    /// Counts a row.
    pub(super) fn count<T>(&mut self, row: Result<T, LeftOut>) -> Option<T> {
        match row {
            Ok(kept) => {
                self.kept += 1;
                Some(kept)
            }
            Err(why) => {
                *self.left_out.entry(why).or_default() += 1;
                None
            }
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} kept", self.kept)?;
        for (why, count) in &self.left_out {
            write!(f, ", {count} {why}")?;
        }
        Ok(())
    }
}

/// The country and region that the directories of a file are named by, as in `us/ca/berkeley.csv`: the topmost of
/// those right above the file that is a country, and the one in it.
pub(super) fn place_of_path(path: &Path, countries: &Countries) -> Option<(CountryCode, String)> {
    /// Directories above the file that may be named otherwise: a county or town of its own.
    const OTHERS_MAX: usize = 1;
    let directories: Vec<&str> = path.parent()?.iter().map(|name| name.to_str().unwrap_or_default()).collect();
    let is_short = |name: &&&str| (2..=3).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric());
    let others = directories.iter().rev().take(OTHERS_MAX).take_while(|name| !is_short(name)).count();
    let above: Vec<&&str> = directories.iter().rev().skip(others).take_while(is_short).collect();
    let is_country = |name: &&&str| CountryCode::parse(name).filter(|code| countries.is_known(*code));
    let topmost = above.iter().rposition(|name| is_country(name).is_some())?;
    let region = topmost.checked_sub(1).map(|index| above[index].to_ascii_uppercase()).unwrap_or_default();
    Some((is_country(&above[topmost])?, region))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_with_what_is_said_of_it() {
        let check = |text: &str, path: &str, country: &str, attribution: Option<&str>| {
            let expect = Import {
                path: path.into(),
                country: CountryCode::parse(country),
                attribution: attribution.map(str::to_owned),
            };
            assert_eq!(text.parse::<Import>().unwrap(), expect, "{text}");
        };
        check("us/ca.csv", "us/ca.csv", "", None);
        check("a.csv,country=is", "a.csv", "IS", None);
        check("a.csv,country=IS,attribution=A, B and C", "a.csv", "IS", Some("A, B and C"));
        check("a.csv,attribution=A", "a.csv", "", Some("A"));
        for wrong in ["", ",country=IS", "a.csv,country=Iceland", "a.csv,land=IS", "a.csv,attribution="] {
            assert!(wrong.parse::<Import>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_path_says_country_and_region() {
        let countries = Countries::default();
        let check = |path: &str, expect: Option<(&str, &str)>| {
            let found = place_of_path(Path::new(path), &countries);
            let found = found.as_ref().map(|(code, region)| (code.as_str(), region.as_str()));
            assert_eq!(found, expect, "{path}");
        };
        check("us/ca/berkeley.csv", Some(("US", "CA")));
        check("/data/us/ca/san_francisco/all.csv", Some(("US", "CA")));
        check("ch/zurich.geojson", Some(("CH", "")));
        check("/mnt/zz/au/countrywide.csv", Some(("AU", "")));
        check("berkeley.csv", None);
        check("some/where/else/berkeley.csv", None);
    }
}
