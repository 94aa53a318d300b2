//! Phone numbers: what people write, as the one form that is kept. Whether a number can be one of its country is asked of
//! the numbering plans of libphonenumber, never of the network.

use rlibphonenumber::{NotANumberError, PHONE_NUMBER_UTIL, ParseError, PhoneNumberFormat, Region, ValidationError};
use serde::{Deserialize, Serialize};

use super::address::CountryCode;
use super::{Invalid, text};

/// Most phone numbers of one contact.
pub const PHONES_MAX: usize = 16;
/// Most digits of an extension: the longest that switchboards give out, with a prefix of the house.
pub const EXTENSION_DIGITS_MAX: usize = 11;
/// Longest number as people write it, in bytes: 15 digits with spaces, brackets and an extension stay far below.
const WRITTEN_BYTES_MAX: usize = 64;
/// What an extension behind a number begins with, in lower case; the longer before what they begin with.
const EXTENSION_MARKS: [&str; 6] = [";ext=", "extension", "extn", "ext", "x", "#"];
/// What may stand between a mark and the digits of an extension.
const EXTENSION_FILL: [char; 3] = ['.', ':', ' '];

/// What kind of line a phone number is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhoneKind {
    /// Anything else.
    #[default]
    Other,
    /// Mobile.
    Mobile,
    /// At work.
    Work,
    /// At home.
    Home,
}

/// A phone number. [`Phone::checked`] gives one in E.164 form: `+`, the country's calling code, and the number there, 15
/// digits at most, valid by the country's numbering plan. One of an older record may have the form alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phone {
    /// The number.
    pub number: String,
    /// The kind of line.
    pub kind: PhoneKind,
    /// The digits to dial behind it; empty for none. An old record has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub extension: String,
}

impl Phone {
    /// The number as people write it, in the form that is kept: a number without `+` is one of `region`, and an extension
    /// may stand behind it (`ext. 12`, `x12`, `#12`, `;ext=12`).
    ///
    /// Refuses letters (`1-800-FLOWERS` is another number where keys bear other letters), what is too short or too long,
    /// and what the country gives to nobody.
    pub fn checked(self, region: Option<CountryCode>) -> Result<Self, Invalid> {
        let written = text::line("number", &self.number, WRITTEN_BYTES_MAX)?;
        let (main, behind) = split(&written)?;
        let extension = checked_extension(&self.extension)?;
        if !(extension.is_empty() || behind.is_empty() || extension == behind) {
            let why = format!("the number says extension {behind}: leave one of the two out");
            return Err(Invalid::new("extension", why));
        }
        let number = e164(main, region).map_err(|why| Invalid::new("number", why))?;
        let extension = if extension.is_empty() { behind.to_owned() } else { extension };
        Ok(Self { number, kind: self.kind, extension })
    }
}

/// A number and the digits of the extension behind it.
fn split(written: &str) -> Result<(&str, &str), Invalid> {
    let written = written.strip_prefix("tel:").unwrap_or(written);
    let Some(at) = written.find(|c: char| c.is_alphabetic() || matches!(c, ';' | '#')) else {
        return Ok((written, ""));
    };
    let (main, rest) = written.split_at(at);
    let lower = rest.to_ascii_lowercase();
    let Some(mark) = EXTENSION_MARKS.into_iter().find(|mark| lower.starts_with(mark)) else {
        let why = "write a phone number in digits, such as +354 545 1000, with an extension as ext. 12";
        return Err(Invalid::new("number", why));
    };
    let digits = rest[mark.len()..].trim_start_matches(EXTENSION_FILL).trim_end_matches('#');
    if !is_extension(digits) {
        let why = format!("behind {mark:?} stand 1 to {EXTENSION_DIGITS_MAX} digits of an extension, and nothing else");
        return Err(Invalid::new("number", why));
    }
    // Some put a comma for the pause before an extension.
    Ok((main.trim_end_matches([' ', ',']), digits))
}

fn checked_extension(written: &str) -> Result<String, Invalid> {
    let extension = text::line("extension", written, WRITTEN_BYTES_MAX)?;
    if extension.is_empty() || is_extension(&extension) {
        return Ok(extension);
    }
    Err(Invalid::new("extension", format!("an extension is 1 to {EXTENSION_DIGITS_MAX} digits, or empty")))
}

fn is_extension(text: &str) -> bool {
    (1..=EXTENSION_DIGITS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The E.164 form of a number that its country may give out; else what is wrong with it.
fn e164(written: &str, region: Option<CountryCode>) -> Result<String, String> {
    let region = region.and_then(|region| Region::from_code(region.as_str()).ok());
    let number = PHONE_NUMBER_UTIL.parse(written, region).map_err(|cause| told(&cause, region.is_some()))?;
    let code = number.country_code;
    match PHONE_NUMBER_UTIL.is_possible_number_with_reason(&number) {
        Ok(_) if PHONE_NUMBER_UTIL.is_valid_number(&number) => {}
        Err(ValidationError::InvalidCountryCode) => return Err(told(&ParseError::InvalidCountryCode, true)),
        Err(ValidationError::TooShort) => return Err(format!("too few digits for a number of +{code}")),
        Err(ValidationError::TooLong) => return Err(format!("too many digits for a number of +{code}")),
        Err(ValidationError::InvalidLength) => return Err(format!("no number of +{code} has so many digits")),
        Ok(_) => return Err(format!("nobody has such a number of +{code}: see whether a digit is wrong")),
    }
    let kept = PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164).into_owned();
    // What is kept means the same to whoever reads it, or it is not kept.
    match PHONE_NUMBER_UTIL.parse(&kept, None) {
        Ok(again) if PHONE_NUMBER_UTIL.format(&again, PhoneNumberFormat::E164) == kept => Ok(kept),
        _ => Err(format!("no number of +{code} is written like this")),
    }
}

/// What a parser's refusal means, and what to do.
fn told(cause: &ParseError, has_region: bool) -> String {
    match cause {
        ParseError::InvalidCountryCode if !has_region => {
            "begin with + and the country's calling code, such as +354 545 1000: the account has no country".to_owned()
        }
        ParseError::InvalidCountryCode => "no country has this calling code behind the +".to_owned(),
        ParseError::TooShortNsn | ParseError::TooShortAfterIdd => "too few digits for a phone number".to_owned(),
        ParseError::TooLongNsn | ParseError::NotANumber(NotANumberError::FailedToParseNumberAsInt(_)) => {
            "too many digits for a phone number: 15 at most".to_owned()
        }
        ParseError::NotANumber(_) => "this is no phone number: write digits, such as +354 545 1000".to_owned(),
    }
}

#[cfg(test)]
mod tests;
