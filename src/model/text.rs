//! Rules for texts that people type: what is refused, and when two of them are the same.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};

use super::Invalid;

/// Longest one-line text (name, customer id, contract id, label value), in bytes.
pub const LINE_BYTES_MAX: usize = 256;
/// Longest note, in bytes: 64 KiB.
pub const NOTE_BYTES_MAX: usize = 64 * 1024;

/// Most characters of a caller's own text that an error tells back: messages travel in headers, which have little room.
const SHOWN_CHARS_MAX: usize = 60;

/// The beginning of a caller's text, quoted and escaped, for a message that says what is wrong with it.
#[must_use]
pub fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// One trimmed line of at most `bytes_max` bytes without control characters; may be empty.
pub fn line(field: &str, text: &str, bytes_max: usize) -> Result<String, Invalid> {
    let text: String = text.trim().nfc().collect();
    if text.len() > bytes_max {
        return Err(Invalid::new(field, format!("at most {bytes_max} bytes, got {}", text.len())));
    }
    if text.chars().any(is_forbidden) {
        return Err(Invalid::new(field, "control and direction-override characters are not allowed"));
    }
    Ok(text)
}

/// A free text of several lines, at most [`NOTE_BYTES_MAX`]; tabs and line feeds are kept.
pub fn note(field: &str, text: &str) -> Result<String, Invalid> {
    if text.len() > NOTE_BYTES_MAX {
        return Err(Invalid::new(field, format!("at most {NOTE_BYTES_MAX} bytes, got {}", text.len())));
    }
    let text = text.replace("\r\n", "\n");
    if text.chars().any(|c| is_forbidden(c) && !matches!(c, '\n' | '\t')) {
        return Err(Invalid::new(field, "control and direction-override characters are not allowed"));
    }
    Ok(text)
}

/// A site's display name: a non-empty [`line()`].
pub fn display_name(text: &str) -> Result<String, Invalid> {
    let name = line("display_name", text, LINE_BYTES_MAX)?;
    if name.is_empty() {
        return Err(Invalid::new("display_name", "a site's name is not empty"));
    }
    Ok(name)
}

/// The form in which two names are the same: compatibility-composed, without case, inner spaces single.
#[must_use]
pub fn fold(name: &str) -> String {
    folded(name).into_owned()
}

/// What [`fold`] makes, without a copy where the text is in that form already. Most texts need no more than small letters.
#[must_use]
pub fn folded(text: &str) -> Cow<'_, str> {
    if is_plain(text) {
        return if text.contains(|c: char| c.is_ascii_uppercase()) {
            text.to_ascii_lowercase().into()
        } else {
            text.into()
        };
    }
    let composed: Cow<'_, str> =
        if is_nfkc_quick(text.chars()) == IsNormalized::Yes { text.into() } else { text.nfkc().collect() };
    let lower = composed.to_lowercase();
    let mut folded = String::with_capacity(lower.len());
    for word in lower.split_whitespace() {
        if !folded.is_empty() {
            folded.push(' ');
        }
        folded.push_str(word);
    }
    folded.into()
}

/// Whether the text is printable ASCII, with single spaces inside alone.
fn is_plain(text: &str) -> bool {
    let mut before = b' ';
    let is_plain = text.bytes().all(|byte| {
        let is_second_space = byte == b' ' && before == b' ';
        before = byte;
        (b' '..=b'~').contains(&byte) && !is_second_space
    });
    is_plain && (before != b' ' || text.is_empty())
}

/// Whether a character is seen by nobody, or moves others about: two texts that differ by such alone look the same. Names of
/// people and places may need some of them, which join letters or keep them apart; ids do not.
#[must_use]
pub fn is_unseen(c: char) -> bool {
    let is_of_no_width = matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}');
    is_of_no_width || is_forbidden(c)
}

/// Control characters, and the marks that reorder a line so that it reads as something else.
#[must_use]
pub fn is_forbidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn the_short_ways_fold_as_the_long_one(text in "[ -~]{0,12}|\\PC{0,12}|[\\pL\\pM\\pZ]{0,8}|[ a-zA-Z\t\u{e9}\u{301}\u{130}\u{212b}]{0,8}") {
            let lower = text.nfkc().collect::<String>().to_lowercase();
            proptest::prop_assert_eq!(fold(&text), lower.split_whitespace().collect::<Vec<_>>().join(" "));
        }
    }

    #[test]
    fn names_fold_case_width_and_spaces() {
        assert_eq!(fold("Head  Office"), fold("head office"));
        assert_eq!(fold("ＡＢＣ"), "abc");
        assert_eq!(fold("Malmö"), fold("MALMO\u{308}"));
        assert_ne!(fold("Malmö"), fold("Malmo"));
    }

    #[test]
    fn control_characters_and_overlong_lines_are_refused() {
        assert!(display_name("  ").is_err());
        assert!(display_name("a\u{0}b").is_err());
        assert!(display_name("a\u{202e}b").is_err());
        assert!(display_name(&"x".repeat(LINE_BYTES_MAX + 1)).is_err());
        assert_eq!(display_name(" Malmö ").unwrap(), "Malmö");
        assert_eq!(note("note", "one\r\n\ttwo").unwrap(), "one\n\ttwo");
        assert!(note("note", "bell\u{7}").is_err());
    }

    #[test]
    fn what_nobody_sees_is_known() {
        for c in
            "\0\n\u{7f}\u{85}\u{61c}\u{200b}\u{200d}\u{200f}\u{2028}\u{202a}\u{202e}\u{2060}\u{2066}\u{2069}\u{feff}"
                .chars()
        {
            assert!(is_unseen(c), "{c:?}");
        }
        assert!(!"anna|Malmö 北京 \u{200a}\u{2010}\u{202f}".chars().any(is_unseen));
        assert!(display_name("می\u{200c}خواهم").is_ok(), "a name needs what keeps letters apart");
    }
}
