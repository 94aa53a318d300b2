//! What is searched for: a line as typed, as words, in the ways in which it may be meant.

use super::field::{COLUMNS, Column, PHONE_ENDS};
use super::words::each_word;
use crate::model::Invalid;

/// Longest query, in bytes.
pub const QUERY_BYTES_MAX: usize = 256;
/// Most words of a query, as parted by spaces.
pub const QUERY_WORDS_MAX: usize = 8;
/// Most words of a query whose words are taken apart at punctuation: an address of IPv6 or a MAC address has fewer.
const QUERY_PARTS_MAX: usize = 16;
/// Fewest digits that are looked for at the end of phone numbers: fewer would be the end of every tenth.
const PHONE_END_DIGITS_MIN: usize = 4;
/// Fewest digits, written in groups, that are taken for a phone number.
const PHONE_DIGITS_MIN: usize = 7;

/// What a word that is only the beginning of another weighs more: more than the columns of all words together.
const PREFIX_RANK: Rank = 256;
const _: () = assert!(PREFIX_RANK as usize > QUERY_PARTS_MAX * (COLUMNS - 1));

/// How good a word fits: the lower the better.
pub(super) type Rank = u16;

/// A query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The ways in which it may be meant: the first of them is taken that any site answers to.
    pub(super) ways: Vec<Vec<QueryWord>>,
}

/// A word that a site has to have, or another that begins with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct QueryWord {
    pub(super) text: String,
    /// The same as the end of a phone number, backwards.
    pub(super) phone_end: Option<String>,
}

impl Query {
    /// Parses a query as typed; refuses one that is too long, has too many words, or none.
    pub fn parse(typed: &str) -> Result<Self, Invalid> {
        let fault = |why: String| Err(Invalid::new("query", why));
        if typed.len() > QUERY_BYTES_MAX {
            return fault(format!("a query has at most {QUERY_BYTES_MAX} bytes, this one {}", typed.len()));
        }
        let (mut chunks, mut parts) = (Vec::new(), Vec::new());
        for chunk in typed.split_whitespace() {
            let mut whole = None;
            each_word(chunk, |word| {
                if !word.is_joined {
                    parts.push(word.text.to_owned());
                }
                whole = Some(word.text.to_owned());
            });
            chunks.extend(whole);
        }
        if chunks.is_empty() {
            return fault("a query has letters or digits".to_owned());
        }
        if chunks.len() > QUERY_WORDS_MAX {
            return fault(format!("a query has at most {QUERY_WORDS_MAX} words, this one {}", chunks.len()));
        }
        let mut ways: Vec<Vec<QueryWord>> = Vec::new();
        let phone = phone_of(typed).filter(|_| chunks.len() > 1);
        let parts = (parts.len() <= QUERY_PARTS_MAX).then_some(parts);
        for words in phone.map(|digits| vec![digits]).into_iter().chain([chunks]).chain(parts) {
            let mut way: Vec<QueryWord> = Vec::new();
            for word in words.into_iter().map(QueryWord::of) {
                if !way.contains(&word) {
                    way.push(word);
                }
            }
            if !ways.contains(&way) {
                ways.push(way);
            }
        }
        Ok(Self { ways })
    }
}

impl QueryWord {
    fn of(text: String) -> Self {
        // Within a country numbers begin with zeros that the international form does not have.
        let digits = text.trim_start_matches('0');
        let is_end = digits.len() >= PHONE_END_DIGITS_MIN && text.bytes().all(|byte| byte.is_ascii_digit());
        let phone_end = is_end.then(|| digits.chars().rev().collect());
        Self { text, phone_end }
    }
}

/// How well a word fits that is found in a column.
pub(super) fn rank(column: Column, is_exact: bool) -> Rank {
    if column == PHONE_ENDS {
        // As any other part of the contact.
        return PREFIX_RANK + 5;
    }
    Rank::from(column) + if is_exact { 0 } else { PREFIX_RANK }
}

/// The digits of a text that reads as a phone number.
fn phone_of(typed: &str) -> Option<String> {
    let is_phone = typed.chars().all(|c| c.is_ascii_digit() || c.is_whitespace() || "+-()./".contains(c));
    let digits: String = typed.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.trim_start_matches('0');
    (is_phone && digits.len() >= PHONE_DIGITS_MIN).then(|| digits.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_read_in_the_ways_they_may_be_meant() {
        let check = |typed: &str, expect: &[&[&str]]| {
            let ways = Query::parse(typed).unwrap().ways;
            let found: Vec<Vec<&str>> =
                ways.iter().map(|way| way.iter().map(|word| word.text.as_str()).collect()).collect();
            assert_eq!(found, expect, "{typed}");
        };
        check(" Malmö  malmo Nord", &[&["malmo", "nord"]]);
        check("C-17/b", &[&["c17b"], &["c", "17", "b"]]);
        check("+354 555 1234", &[&["3545551234"], &["354", "555", "1234"]]);
        check("(0354) 555-12", &[&["35455512"], &["0354", "55512"], &["0354", "555", "12"]]);
        check("1:2:3:4:5:6:7:8:9:a:b:c:d:e:f:a:b", &[&["123456789abcdefab"]]);
        check("00 3545551234", &[&["3545551234"], &["00", "3545551234"]]);
    }

    #[test]
    fn digits_are_looked_for_at_the_end_of_phone_numbers() {
        let end = |typed: &str| Query::parse(typed).unwrap().ways[0][0].phone_end.clone();
        assert_eq!(end("1234"), Some("4321".to_owned()));
        assert_eq!(end("001234"), Some("4321".to_owned()));
        assert_eq!(end("123"), None);
        assert_eq!(end("123a4"), None);
    }

    #[test]
    fn bad_queries_are_refused() {
        for typed in ["", "  ", "-!?", &"x".repeat(QUERY_BYTES_MAX + 1), "a b c d e f g h i"] {
            assert_eq!(Query::parse(typed).unwrap_err().field, "query", "{typed}");
        }
        assert!(Query::parse("a b c d e f g h").is_ok());
    }
}
