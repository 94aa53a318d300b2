//! How postcodes are written: the keys by which one is found, and the wider code that a finer one lies in.
//!
//! The sources and people part the same code in different places, or not at all, and put the country before it. Where
//! the world's list has wider codes only (the outward ones of Britain), the finer ones are led to them.
//! Knows nothing of the index.

use super::fold;
use crate::model::address::CountryCode;

/// What is written before the code, beside the country's own two letters: the letters of its cars.
const CAR_LETTERS: &[(&str, &str)] = &[
    ("AT", "a"),
    ("BE", "b"),
    ("DE", "d"),
    ("ES", "e"),
    ("FI", "fin"),
    ("FR", "f"),
    ("HU", "h"),
    ("IT", "i"),
    ("LU", "l"),
    ("NO", "n"),
    ("PT", "p"),
    ("SE", "s"),
];
/// Digits after which people part a code that the list has in one piece.
const PARTED_AFTER: &[(&str, usize)] = &[("IN", 3)];
/// What France writes behind the codes of large recipients.
const LARGE_RECIPIENT: &str = "cedex";
/// Longest code, in bytes of its solid key: the longest real ones have ten, with their country.
const CODE_BYTES_MAX: usize = 12;

/// The code without anything between its parts: `SW1A 1AA` and `sw1a1aa` are one.
pub(super) fn solid(code: &str) -> String {
    fold::words(code).concat()
}

/// The keys by which a code of this country is found; none for what is no code.
pub(super) fn keys(country: Option<CountryCode>, code: &str) -> Vec<String> {
    let words = fold::words(code);
    let country = country.as_ref().map_or("", CountryCode::as_str);
    let mut forms = vec![words.clone()];
    let letters = CAR_LETTERS.iter().find(|(of, _)| *of == country).map(|(_, letters)| *letters);
    // Where the code begins with its country (`LV-1010`, `L-4968`), people write it without, too.
    if words.len() > 1 && (words[0].eq_ignore_ascii_case(country) || letters == Some(words[0].as_str())) {
        forms.push(words[1..].to_vec());
    }
    if words.len() > 1 && words[words.len() - 1] == LARGE_RECIPIENT {
        forms.push(words[..words.len() - 1].to_vec());
    }
    let parted = PARTED_AFTER.iter().find(|(of, _)| *of == country).map(|(_, after)| *after);
    if let (Some(after), [digits]) = (parted, words.as_slice())
        && after < digits.len()
        && digits.is_ascii()
    {
        forms.push(vec![digits[..after].to_owned(), digits[after..].to_owned()]);
    }
    let mut keys = Vec::new();
    for form in &forms {
        for key in [fold::join(form), form.concat()] {
            if let Some(letters) = letters {
                keys.push(format!("{letters}{key}"));
            }
            keys.push(key);
        }
    }
    keys.retain(|key| !key.is_empty() && key.len() <= CODE_BYTES_MAX);
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// The key under which the area of a code is found by the finer codes in it; `None` where a country has none.
pub(super) fn wide_key(country: Option<CountryCode>, code: &str) -> Option<String> {
    let scheme = Scheme::of(country?)?;
    let code = solid(code);
    // Where a source has the fine code, the wide one is a part of it.
    let wide = scheme.wide(&code).unwrap_or(&code);
    Some(scheme.key(wide))
}

/// Whether a code of this country is finer than the key that [`wide_key`] makes of it.
pub(super) fn is_fine(country: Option<CountryCode>, code: &str) -> bool {
    let scheme = country.and_then(Scheme::of);
    let code = solid(code);
    scheme.and_then(|scheme| Some((scheme, scheme.wide(&code)?))).is_some_and(|(scheme, wide)| {
        // The letter of an Argentine province says nothing that the digits do not.
        let province = usize::from(matches!(scheme, Scheme::Argentina));
        code.len() > wide.len() + province
    })
}

/// The keys under which the areas are found that the words of a key may be a finer code in. The same words may be
/// one in two countries.
pub(super) fn wider_keys(key: &str) -> Vec<String> {
    let has_digit = key.bytes().any(|byte| byte.is_ascii_digit());
    if !has_digit || key.len() > CODE_BYTES_MAX || !key.is_ascii() {
        return Vec::new();
    }
    let solid = key.replace('-', "");
    Scheme::ALL.iter().filter_map(|scheme| Some(scheme.key(scheme.wide(&solid)?))).collect()
}

/// Whose codes have a wider part.
#[derive(Debug, Clone, Copy)]
enum Scheme {
    /// A letter for the province, four digits, and three letters for the side of a street: `C1425ABC`.
    Argentina,
    /// Outward and inward code: `SW1A 1AA`.
    Britain,
    /// Forward sortation area and local delivery unit: `K1A 0B1`.
    Canada,
    /// Routing key and unique identifier: `D02 X285`.
    Ireland,
    /// Three letters for the place, and four digits: `VLT 1117`.
    Malta,
    /// Four digits, and two letters for a part of a street: `1012 JS`.
    Netherlands,
    /// ZIP and ZIP+4: `90210-1234`.
    UnitedStates,
}

impl Scheme {
    const ALL: [Self; 7] = [
        Self::Argentina,
        Self::Britain,
        Self::Canada,
        Self::Ireland,
        Self::Malta,
        Self::Netherlands,
        Self::UnitedStates,
    ];

    /// The scheme of a country; `None` where its codes have no wider part.
    fn of(country: CountryCode) -> Option<Self> {
        Some(match country.as_str() {
            "GB" | "GG" | "IM" | "JE" => Self::Britain,
            "CA" => Self::Canada,
            "AR" => Self::Argentina,
            "IE" => Self::Ireland,
            "MT" => Self::Malta,
            "NL" => Self::Netherlands,
            "US" | "PR" | "VI" | "GU" | "AS" | "MP" => Self::UnitedStates,
            _ => return None,
        })
    }

    /// The key of a wide code: no fold makes a text with this sign, so that it is found by finer codes alone.
    fn key(self, wide: &str) -> String {
        let name = match self {
            Self::Argentina => "ar",
            Self::Britain => "gb",
            Self::Canada => "ca",
            Self::Ireland => "ie",
            Self::Malta => "mt",
            Self::Netherlands => "nl",
            Self::UnitedStates => "us",
        };
        format!("{name}+{wide}")
    }

    /// The wide part of a fine code; `None` for what is none of this scheme.
    fn wide(self, solid: &str) -> Option<&str> {
        let shape: String = solid.bytes().map(|byte| if byte.is_ascii_digit() { '9' } else { 'a' }).collect();
        let wide_length = match self {
            Self::Argentina if shape == "a9999aaa" || shape == "a9999" => return Some(&solid[1..5]),
            Self::Britain => shape.len().checked_sub(3).filter(|wide| {
                const OUTWARD: [&str; 6] = ["a9", "a99", "aa9", "aa99", "a9a", "aa9a"];
                shape.ends_with("9aa") && OUTWARD.contains(&&shape[..*wide])
            })?,
            Self::Canada if shape == "a9a9a9" => 3,
            // The identifier is any four signs, of which not all may be letters of a word.
            Self::Ireland if shape.len() == 7 && (shape.starts_with("a99") || solid.starts_with("d6w")) => 3,
            Self::Malta if shape == "aaa9999" => 3,
            Self::Netherlands if shape == "9999aa" => 4,
            Self::UnitedStates if shape == "999999999" => 5,
            _ => return None,
        };
        Some(&solid[..wide_length])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Whether people who write it like this find the code.
    #[track_caller]
    fn check(country: &str, code: &str, written: &[&str]) {
        let keys = keys(CountryCode::parse(country), code);
        for written in written {
            assert!(keys.contains(&fold::key(written)), "{written}: {keys:?}");
        }
    }

    #[test]
    fn a_code_is_found_however_it_is_parted() {
        check("JP", "123-4567", &["123-4567", "123 4567", "1234567"]);
        check("PL", "00-950", &["00-950", "00950", "00 950"]);
        check("SE", "111 22", &["11122", "111 22", "S-111 22"]);
        check("GB", "SW1A", &["SW1A", "sw1a"]);
        check("IN", "110001", &["110001", "110 001"]);
        check("LV", "LV-1010", &["LV-1010", "LV1010", "1010"]);
        check("DE", "10115", &["10115", "D-10115"]);
        check("LU", "L-4968", &["4968", "L-4968", "L4968"]);
        check("GP", "97001 CEDEX", &["97001", "97001 Cedex"]);
        check("NL", "1234 AB", &["1234 AB", "1234ab"]);
        assert!(keys(None, "-").is_empty() && keys(None, "an address, not a code").is_empty());
    }

    #[test]
    fn a_finer_code_leads_to_the_area_that_it_lies_in() {
        let check = |written: &str, country: &str, code: &str| {
            let wide = wide_key(CountryCode::parse(country), code).unwrap();
            assert!(
                wider_keys(&fold::key(written)).contains(&wide),
                "{written}: {:?}",
                wider_keys(&fold::key(written))
            );
        };
        check("SW1A 1AA", "GB", "SW1A");
        check("sw1a1aa", "GB", "SW1A");
        check("M1 1AE", "GB", "M1");
        check("EC1A 1BB", "GB", "EC1A");
        check("JE2 3AB", "JE", "JE2");
        check("K1A 0B1", "CA", "K1A");
        check("C1425ABC", "AR", "1425");
        check("VLT 1117", "MT", "VLT");
        check("D02 X285", "IE", "D02");
        check("1012 JS", "NL", "1012");
        check("90210-1234", "US", "90210");
        // A source with fine codes meets questions with fine codes of the same wide one.
        check("SW1A 2AA", "GB", "SW1A 1AA");
        for other in ["sw1a", "90210", "1012", "laugavegur", "12 b", "1", ""] {
            assert_eq!(wider_keys(&fold::key(other)), [] as [String; 0], "{other}");
        }
        assert_eq!(wide_key(CountryCode::parse("FR"), "75001"), None);
        for (country, fine, wide) in [
            ("GB", "SA62 5AB", "SA62"),
            ("NL", "1012 JS", "1012"),
            ("US", "94704-1234", "94704"),
            ("AR", "C1425ABC", "C1425"),
            ("FR", "", "75001"),
        ] {
            let is_fine = |code| is_fine(CountryCode::parse(country), code);
            assert_eq!((is_fine(fine), is_fine(wide)), (!fine.is_empty(), false), "{country}");
        }
    }

    proptest! {
        #[test]
        fn any_text_has_keys(text in "\\PC{0,20}") {
            let _ = (keys(CountryCode::parse("DE"), &text), wide_key(CountryCode::parse("GB"), &text));
            let _ = wider_keys(&fold::key(&text));
        }
    }
}
