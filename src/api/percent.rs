//! Texts in addresses: `%XX`, and back (RFC 3986, 2.1).

use std::fmt::Write as _;

/// The text behind `%XX`; `None` where it is malformed or not UTF-8.
pub(super) fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        bytes.push(match first {
            b'%' => {
                let (digits, behind) = rest.split_at_checked(2)?;
                rest = behind;
                let digit = |at: usize| char::from(digits[at]).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                digit(0)? << 4 | digit(1)?
            }
            other => *other,
        });
    }
    String::from_utf8(bytes).ok()
}

/// The text behind `%XX` and `+`, as forms write it; `None` where it is malformed or not UTF-8.
pub(super) fn decoded_form(text: &str) -> Option<String> {
    // A plus that is meant is `%2B`.
    if text.contains('+') { decoded(&text.replace('+', " ")) } else { decoded(text) }
}

/// A text as a parameter's value: all but unreserved characters (RFC 3986, 2.3) as `%XX`.
pub(super) fn encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_whatever_is_in_them() {
        let every: String = (0..0x250_u32).filter_map(char::from_u32).chain("{z}🗺&+%".chars()).collect();
        let address = encoded(&every);
        assert!(address.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte)));
        assert_eq!(decoded_form(&address).as_deref(), Some(every.as_str()));
        assert_eq!(decoded(&address), Some(every));
    }

    #[test]
    fn a_plus_is_a_space_in_forms_alone() {
        assert_eq!(decoded("a+b%20c").as_deref(), Some("a+b c"));
        assert_eq!(decoded_form("a+b%20c%2B").as_deref(), Some("a b c+"));
        for bad in ["%", "%4", "%+4", "%4 ", "%ff", "%C3", "%zz"] {
            assert_eq!(decoded(bad), None, "{bad}");
            assert_eq!(decoded_form(bad), None, "{bad}");
        }
    }
}
