//! Texts in cells, such that no spreadsheet takes one for a formula, and each comes back as it was.
//!
//! A cell that a spreadsheet would take for a formula gets an apostrophe before it, which spreadsheets read as "text". So
//! does one that means something else to an import: the sign that clears a field, and a text that already begins with such
//! an apostrophe. An import takes exactly that apostrophe away, and leaves others (`'s-Hertogenbosch`).

/// What a cell begins with that a spreadsheet takes for a formula, in any language (OWASP, CSV injection).
const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];
/// The cell that clears a field.
pub(in crate::cli) const CLEAR: &str = "<clear>";

/// The text as a cell holds it.
pub(in crate::cli) fn guard(text: &str) -> String {
    if needs_guard(text) { format!("'{text}") } else { text.to_owned() }
}

/// The text that a cell holds.
pub(in crate::cli) fn unguard(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|text| needs_guard(text)).unwrap_or(cell)
}

fn needs_guard(text: &str) -> bool {
    // Of apostrophes before such a text each is one more guard.
    let bare = text.trim_start_matches('\'');
    bare.starts_with(FORMULA) || bare == CLEAR
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn formulas_are_texts_and_other_texts_are_left_alone() {
        for (text, cell) in [
            ("=1+1", "'=1+1"),
            ("+354", "'+354"),
            ("-", "'-"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("'=1", "''=1"),
            ("<clear>", "'<clear>"),
            ("'s-Hertogenbosch", "'s-Hertogenbosch"),
            ("O'Brien", "O'Brien"),
            ("", ""),
            ("'", "'"),
        ] {
            assert_eq!(guard(text), cell);
            assert_eq!(unguard(cell), text);
        }
    }

    proptest! {
        #[test]
        fn each_text_comes_back_and_none_is_a_formula(text in "['=+@\t-]{0,4}.{0,6}|'{0,3}<clear>|\\PC{0,12}") {
            let cell = guard(&text);
            prop_assert_eq!(unguard(&cell), &text);
            prop_assert!(!cell.starts_with(FORMULA) && cell != CLEAR, "{:?}", cell);
        }
    }
}
