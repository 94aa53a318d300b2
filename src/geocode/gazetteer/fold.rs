//! The form in which texts are compared: words without case and accents, and the keys that words join to.
//!
//! Source files and queries pass through the same functions, so that they meet in the index.
//! Knows nothing of addresses.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Fewest characters of a key that may be misspelt: below this, one edit makes half of the short names equal.
const ONE_EDIT_CHARS_MIN: usize = 4;
/// Fewest characters of a key that may be misspelt twice: at this length two edits rarely lead to another name.
const TWO_EDITS_CHARS_MIN: usize = 9;

/// The words of a text, folded: lower case, Latin letters without accents, runs of letters and runs of digits apart.
///
/// `Þórsgata 12B` gives `thorsgata`, `12`, `b`. Empty where the text holds neither letters nor digits.
pub(in crate::geocode) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut word_is_number = false;
    for c in text.chars().filter(|c| !is_apostrophe(*c)).nfkd().flat_map(char::to_lowercase) {
        // Some letters fall apart into an apostrophe and another one.
        if is_accent(c) || is_apostrophe(c) {
            continue;
        }
        let is_number = c.is_numeric();
        let ends = !(c.is_alphanumeric() || is_combining_mark(c)) || is_number != word_is_number;
        if ends && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() || is_combining_mark(c) {
            word_is_number = is_number;
            push_plain(&mut word, c);
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Words as one key: nothing between them but a hyphen where two numbers meet, so that `1 10` is not `110`.
pub(in crate::geocode) fn join<W: AsRef<str>>(words: &[W]) -> String {
    let mut key = String::new();
    for word in words {
        let word = word.as_ref();
        if key.ends_with(char::is_numeric) && word.starts_with(char::is_numeric) {
            key.push('-');
        }
        key.push_str(word);
    }
    key
}

/// The key of a whole name: `San José`, `san-jose` and `SanJose` are one.
pub(in crate::geocode) fn key(text: &str) -> String {
    join(&words(text))
}

/// How many edits a key may be away from what was meant, in [0, 2]; 0 for all that holds digits.
pub(in crate::geocode) fn edits_max(key: &str) -> u8 {
    match key.chars().count() {
        _ if key.contains(char::is_numeric) => 0,
        ..ONE_EDIT_CHARS_MIN => 0,
        ONE_EDIT_CHARS_MIN..TWO_EDITS_CHARS_MIN => 1,
        _ => 2,
    }
}

/// Edits from one key to the other: insertions, deletions, substitutions and swaps of neighbours, each counted once.
///
/// The restricted form (optimal string alignment), as the automata of the index count. Cost: the product of lengths.
pub(in crate::geocode) fn edits(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut before = Vec::new();
    let mut above: Vec<usize> = (0..=other.len()).collect();
    for i in 1..=one.len() {
        let mut row = vec![i; other.len() + 1];
        for j in 1..=other.len() {
            let substituted = above[j - 1] + usize::from(one[i - 1] != other[j - 1]);
            row[j] = substituted.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1] {
                let swapped: &Vec<usize> = &before;
                row[j] = row[j].min(swapped[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[other.len()]
}

/// Appends a letter, spelt with plain Latin letters where it is a Latin one that no decomposition reaches.
fn push_plain(word: &mut String, c: char) {
    match c {
        'þ' => word.push_str("th"),
        'ð' | 'đ' => word.push('d'),
        'æ' => word.push_str("ae"),
        'œ' => word.push_str("oe"),
        'ø' => word.push('o'),
        'ß' => word.push_str("ss"),
        'ł' => word.push('l'),
        'ħ' => word.push('h'),
        'ŧ' => word.push('t'),
        'ı' => word.push('i'),
        'ŋ' => word.push('n'),
        'ς' => word.push('σ'),
        _ => word.push(c),
    }
}

/// Marks that people leave out: Latin, Greek and Cyrillic accents, Hebrew points, Arabic short vowels and the tatweel.
///
/// Vowel signs of Indic scripts stay: without them the names would fall together.
fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{591}'..='\u{5c7}' | '\u{640}' | '\u{64b}'..='\u{652}' | '\u{670}')
}

/// Signs within a word that do not part it, as in `N'Djamena`.
fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '`' | '´' | '‘' | '’' | 'ʻ' | 'ʼ' | 'ʹ' | '′')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_fold_to_the_same_key() {
        for (one, other) in [
            ("Reykjavík", "REYKJAVIK"),
            ("Þórsgata", "thorsgata"),
            ("Vatnsmýri", "vatnsmy\u{301}ri"),
            ("Seyðisfjörður", "seydisfjordur"),
            ("Æsufell", "aesufell"),
            ("Tórshavn København", "torshavn kobenhavn"),
            ("Straße", "STRASSE"),
            ("İstanbul Diyarbakır", "istanbul diyarbakir"),
            ("Łódź", "lodz"),
            ("N’Djamena", "n'djamena"),
            ("San-José", "san jose"),
            ("ＡＢＣ １２", "abc 12"),
            ("U.S.A.", "usa"),
            ("Αθήνας", "ΑΘΗΝΑΣ"),
            ("القَاهِرَة", "القاهرة"),
        ] {
            assert_eq!(key(one), key(other), "{one} and {other}");
        }
        assert_ne!(key("पेरिस"), key("परस"), "vowel signs are letters");
    }

    #[test]
    fn numbers_and_letters_part() {
        let check = |text: &str, expect: &[&str]| assert_eq!(words(text), expect, "{text}");
        check("12B", &["12", "b"]);
        check("Laugavegur1,101 Rvk.", &["laugavegur", "1", "101", "rvk"]);
        check("45-47", &["45", "47"]);
        check("🏠 -- ,", &[]);
        assert_eq!(key("12 B"), "12b");
        assert_eq!(key("45–47"), "45-47");
        assert_ne!(key("1 10"), key("110"));
    }

    #[test]
    fn short_keys_and_numbers_are_taken_as_written() {
        assert_eq!(["ass", "vik1", "hella", "laugavegur"].map(edits_max), [0, 0, 1, 2]);
    }

    /// The definition, without a table: what [`edits`] must agree with.
    fn edits_by_definition(one: &[char], other: &[char]) -> usize {
        let (Some(a), Some(b)) = (one.first(), other.first()) else { return one.len() + other.len() };
        let mut fewest = edits_by_definition(&one[1..], &other[1..]) + usize::from(a != b);
        fewest = fewest.min(edits_by_definition(&one[1..], other) + 1).min(edits_by_definition(one, &other[1..]) + 1);
        if one.len() > 1 && other.len() > 1 && a == &other[1] && b == &one[1] {
            fewest = fewest.min(edits_by_definition(&one[2..], &other[2..]) + 1);
        }
        fewest
    }

    proptest! {
        #[test]
        fn edits_agree_with_their_definition(one in "[abc]{0,5}", other in "[abc]{0,5}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(edits(&one, &other), edits_by_definition(&chars(&one), &chars(&other)));
        }

        // Not only by chance: letters that fall apart into apostrophes.
        #[test]
        fn apostrophes_within_letters_are_none(letter in "[\u{374}\u{149}]") {
            prop_assert!(words(&letter).len() <= 1);
            prop_assert_eq!(words(&words(&letter).join(" ")), words(&letter));
        }

        #[test]
        fn folding_twice_changes_nothing(text in "\\PC{0,40}") {
            let once = words(&text);
            prop_assert_eq!(words(&once.join(" ")), once);
        }
    }
}
