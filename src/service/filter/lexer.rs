//! Words, quoted texts and signs of a filter.

use super::fault;
use crate::model::Invalid;

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lexeme {
    /// A bare word: a field, a keyword or a value.
    Word(String),
    /// A text in quotes: always a value.
    Quoted(String),
    /// A sign: `( ) - = != : < <= > >=`.
    Sign(&'static str),
}

/// A token and the byte at which it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) at: usize,
    pub(super) lexeme: Lexeme,
}

/// Signs, longer ones before their beginnings.
const SIGNS: [&str; 9] = ["<=", ">=", "!=", "=", ":", "<", ">", "(", ")"];

/// Cuts a filter into tokens.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Invalid> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        if c.is_whitespace() {
            at += c.len_utf8();
        } else if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            tokens.push(Token { at, lexeme: Lexeme::Sign(sign) });
            at += sign.len();
        } else if c == '-' && is_negation(&tokens) {
            tokens.push(Token { at, lexeme: Lexeme::Sign("-") });
            at += 1;
        } else if c == '"' || c == '\'' {
            let (value, length) = quoted(rest, c).ok_or_else(|| fault(at, "a quoted text does not end"))?;
            tokens.push(Token { at, lexeme: Lexeme::Quoted(value) });
            at += length;
        } else {
            let ends = if is_value_next(&tokens) { ends_value } else { ends_word };
            let length = rest.find(ends).unwrap_or(rest.len());
            if length == 0 {
                return Err(fault(at, format!("{c:?} is not understood here")));
            }
            tokens.push(Token { at, lexeme: Lexeme::Word(rest[..length].to_owned()) });
            at += length;
        }
    }
    Ok(tokens)
}

/// A minus negates where a term may begin; behind a sign it belongs to the value.
fn is_negation(tokens: &[Token]) -> bool {
    !is_value_next(tokens)
}

/// Whether a value is due: a comparison stands last.
fn is_value_next(tokens: &[Token]) -> bool {
    matches!(tokens.last(), Some(Token { lexeme: Lexeme::Sign(sign), .. }) if !matches!(*sign, "(" | ")" | "-"))
}

/// Values are texts like `2026-11-23T12:00:00Z`: signs do not end them.
fn ends_value(c: char) -> bool {
    c.is_whitespace() || "()\"'".contains(c)
}

fn ends_word(c: char) -> bool {
    c.is_whitespace() || "=!:<>()\"'".contains(c)
}

/// The text in quotes at the beginning of `rest` and its length with the quotes; `\` takes the next character as it is.
fn quoted(rest: &str, quote: char) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut characters = rest.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => value.push(characters.next()?.1),
            c if c == quote => return Some((value, at + c.len_utf8())),
            c => value.push(c),
        }
    }
    None
}
