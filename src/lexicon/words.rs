//! Texts as words: folded, so that case, accents and width make no difference, with the bytes that they stood at.
//!
//! A text is cut at white space into chunks, and a chunk at everything that is neither letter nor digit into parts. Each
//! part is a word, and so is a chunk of several parts, joined: `C-17/b` gives `c`, `17`, `b` and `c17b`. Scripts that
//! write no spaces (Han, kana) give a word for each character, and the joined chunk. Texts and queries pass through the
//! same functions, so that they meet in the index.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Words are compared in their first so many bytes: no id that people type is longer.
pub(super) const WORD_BYTES_MAX: usize = 64;

/// A word where it stands.
#[derive(Debug)]
pub(super) struct Word<'a> {
    /// Folded; not empty.
    pub(super) text: &'a str,
    /// Whether it begins the text.
    pub(super) is_first: bool,
    /// Whether it is a chunk of several parts.
    pub(super) is_joined: bool,
    /// Where it begins in the text, in bytes.
    pub(super) start: usize,
    /// For each of its folded characters, how many folded bytes there are up to its end, and where it ends in the text.
    ends: &'a [(usize, usize)],
}

impl Word<'_> {
    /// Where the first `folded` bytes of it end in the text: at the end of the character that holds the last of them.
    pub(super) fn end_of(&self, folded: usize) -> usize {
        let behind = self.ends.partition_point(|(bytes, _)| *bytes < folded);
        self.ends.get(behind).or(self.ends.last()).map_or(self.start, |(_, end)| *end)
    }
}

/// A run of characters that is being folded.
#[derive(Debug, Default)]
struct Run {
    text: String,
    start: usize,
    ends: Vec<(usize, usize)>,
}

impl Run {
    fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }

    fn push(&mut self, c: char, start: usize) {
        if self.text.len() >= WORD_BYTES_MAX {
            return;
        }
        if self.ends.is_empty() {
            self.start = start;
        }
        let before = self.text.len();
        fold_into(&mut self.text, c);
        if self.text.len() > WORD_BYTES_MAX {
            self.text.truncate(before);
        }
        let end = start + c.len_utf8();
        match self.ends.last_mut() {
            // An accent belongs to the letter before.
            Some((_, last)) if self.text.len() == before => *last = end,
            _ if self.text.len() == before => {}
            _ => self.ends.push((self.text.len(), end)),
        }
    }

    fn word(&self, is_first: bool, is_joined: bool) -> Word<'_> {
        Word { text: &self.text, is_first, is_joined, start: self.start, ends: &self.ends }
    }
}

/// Visits each word of a text in order, a joined one behind its parts.
pub(super) fn each_word(text: &str, mut visit: impl FnMut(Word<'_>)) {
    let (mut part, mut chunk) = (Run::default(), Run::default());
    let (mut parts, mut is_first) = (0, true);
    // Whether the chunk began the text.
    let mut chunk_is_first = true;
    let mut end_part = |part: &mut Run, parts: &mut usize, is_first: &mut bool| {
        if !part.text.is_empty() {
            visit(part.word(*is_first, false));
            *is_first = false;
            *parts += 1;
        }
        part.clear();
    };
    let mut joined: Vec<(Run, bool)> = Vec::new();
    for (at, c) in text.char_indices() {
        let is_alone = is_alone(c);
        if is_alone || !is_of_word(c) {
            end_part(&mut part, &mut parts, &mut is_first);
        }
        if c.is_whitespace() {
            if parts > 1 {
                joined.push((std::mem::take(&mut chunk), chunk_is_first));
            }
            chunk.clear();
            parts = 0;
            chunk_is_first = is_first;
        } else if is_of_word(c) {
            part.push(c, at);
            chunk.push(c, at);
            if is_alone {
                end_part(&mut part, &mut parts, &mut is_first);
            }
        }
    }
    end_part(&mut part, &mut parts, &mut is_first);
    if parts > 1 {
        joined.push((chunk, chunk_is_first));
    }
    for (chunk, is_first) in &joined {
        visit(chunk.word(*is_first, true));
    }
}

fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || !c.is_ascii() && (c.is_alphanumeric() || is_combining_mark(c))
}

/// Characters of scripts without spaces between words.
fn is_alone(c: char) -> bool {
    matches!(c, '\u{3041}'..='\u{30fa}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{ff66}'..='\u{ff9d}' | '\u{20000}'..='\u{3ffff}')
}

/// Appends a character without case, width and accent; Latin letters that no decomposition reaches are spelt out.
fn fold_into(folded: &mut String, c: char) {
    if c.is_ascii() {
        return folded.push(c.to_ascii_lowercase());
    }
    for c in std::iter::once(c).nfkd().flat_map(char::to_lowercase).filter(|c| !is_accent(*c) && is_of_word(*c)) {
        match c {
            'þ' => folded.push_str("th"),
            'ð' | 'đ' => folded.push('d'),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'ø' => folded.push('o'),
            'ß' => folded.push_str("ss"),
            'ł' => folded.push('l'),
            'ħ' => folded.push('h'),
            'ı' => folded.push('i'),
            'ς' => folded.push('σ'),
            _ => folded.push(c),
        }
    }
}

/// Marks that people leave out: Latin, Greek and Cyrillic accents, Hebrew points and Arabic short vowels. Vowel signs of
/// Indic scripts and kana's voicing stay: without them words would fall together.
fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{591}'..='\u{5c7}' | '\u{640}' | '\u{64b}'..='\u{652}' | '\u{670}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let mut words = Vec::new();
        each_word(text, |word| words.push(word.text.to_owned()));
        words
    }

    #[test]
    fn texts_fold_to_words() {
        let check = |text: &str, expect: &[&str]| assert_eq!(words(text), expect, "{text}");
        check("Head  Office", &["head", "office"]);
        check("MALMO\u{308} Ｎord", &["malmo", "nord"]);
        check("Þórsgata Straße Øst Łódź", &["thorsgata", "strasse", "ost", "lodz"]);
        check("C-17/b x", &["c", "17", "b", "x", "c17b"]);
        check("anna@example.is", &["anna", "example", "is", "annaexampleis"]);
        check("+3545551234", &["3545551234"]);
        check("東京本社", &["東", "京", "本", "社", "東京本社"]);
        check("\u{301} -- ½", &["12"]);
        check("", &[]);
        check(&"x".repeat(100), &[&"x".repeat(WORD_BYTES_MAX)]);
    }

    #[test]
    fn the_first_words_are_told() {
        let mut first = Vec::new();
        each_word(" -A-1 b-2", |word| {
            if word.is_first {
                first.push((word.text.to_owned(), word.is_joined));
            }
        });
        assert_eq!(first, [("a".to_owned(), false), ("a1".to_owned(), true)]);
    }

    #[test]
    fn ends_are_those_of_the_text() {
        let text = "x Straßé\u{301}n";
        let mut found = Vec::new();
        each_word(text, |word| found.extend((1..=word.text.len()).map(|n| &text[word.start..word.end_of(n)])));
        assert_eq!(found, ["x", "S", "St", "Str", "Stra", "Straß", "Straß", "Straßé\u{301}", "Straßé\u{301}n"]);
    }

    proptest::proptest! {
        #[test]
        fn any_text_gives_words_within_it(text in "\\PC{0,60}|[\\pL\\pM\\pN\\pZ.-]{0,40}") {
            each_word(&text, |word| {
                assert!(!word.text.is_empty() && word.text.len() <= WORD_BYTES_MAX, "{word:?}");
                for bytes in 1..=word.text.len() {
                    assert!(text.get(word.start..word.end_of(bytes)).is_some_and(|part| !part.is_empty()), "{word:?}");
                }
            });
        }
    }
}
