//! An assignment: which of an account's sites somebody who works on site has, by their labels.
//!
//! A filter of labels alone, `labels.team = "north" AND (labels.kind = "pump" OR labels.kind = "valve")`, parsed once. As in
//! filters, `OR` binds tighter than `AND`, terms side by side are joined by `AND`, and texts compare without case. Whoever sets a
//! label of a site assigns it: nothing else is kept.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Invalid;
use super::site::{LABEL_KEY_RULE, Site, is_label_key};
use super::text::{LINE_BYTES_MAX, folded, line, shown};

/// Longest assignment, in bytes, as it is told: it stands in tokens, of which a list has a thousand on a page.
pub const BYTES_MAX: usize = 1_024;
/// Most labels of one: each change of a site is held against all of them.
pub const TERMS_MAX: usize = 20;
/// Most different ones of an account's tokens that are good and its shares that are not over, and of the roles of an identity provider: for each the map keeps its sites,
/// and holds each change of a site against it.
pub const ASSIGNMENTS_MAX: usize = 128;
/// Deepest nesting: bounds the parser's stack.
const DEPTH_MAX: usize = 4;

/// The field of the API that holds it.
const FIELD: &str = "assigned";

/// Which sites are assigned. A clone shares it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Assignment(Arc<Parsed>);

/// An assignment as it is told, and as it is asked.
#[derive(PartialEq, Eq)]
struct Parsed {
    text: String,
    condition: Condition,
}

/// A condition on the labels of a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// All of these hold; two or more, none of them itself an `All`.
    All(Vec<Self>),
    /// One of these holds; two or more, none of them itself an `Any`.
    Any(Vec<Self>),
    /// The site has this label.
    Label {
        /// Its key.
        key: String,
        /// Its value, as it is told: case, width and spaces make no other one of it. Never empty, without a star at either end.
        value: String,
    },
}

impl Assignment {
    /// Parses one. A fault says at which byte it stands.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let too_long = |bytes: usize| Invalid::new(FIELD, format!("at most {BYTES_MAX} bytes, got {bytes}"));
        if text.len() > BYTES_MAX {
            return Err(too_long(text.len()));
        }
        let condition = Parser::of(text).whole()?;
        let text = condition.to_string();
        // Records hold it as it is told, which has to be readable again: it has more quotes and parentheses than what was typed.
        if text.len() > BYTES_MAX {
            return Err(too_long(text.len()));
        }
        Parser::of(&text).whole()?;
        Ok(Self(Arc::new(Parsed { text, condition })))
    }

    /// It, written in one way.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// What it asks.
    #[must_use]
    pub fn condition(&self) -> &Condition {
        &self.0.condition
    }

    /// Whether a site with these labels is assigned.
    #[must_use]
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.0.condition.holds(labels)
    }

    /// Whether the site is assigned. A deleted one is nobody's.
    #[must_use]
    pub fn holds(&self, site: &Site) -> bool {
        site.deleted_at.is_none() && self.matches(&site.labels)
    }
}

impl fmt::Debug for Assignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Assignment").field(&self.0.text).finish()
    }
}

impl TryFrom<String> for Assignment {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        Self::parse(&text)
    }
}

impl From<Assignment> for String {
    fn from(assignment: Assignment) -> Self {
        assignment.as_str().to_owned()
    }
}

impl Condition {
    fn holds(&self, labels: &BTreeMap<String, String>) -> bool {
        match self {
            Self::All(conditions) => conditions.iter().all(|condition| condition.holds(labels)),
            Self::Any(conditions) => conditions.iter().any(|condition| condition.holds(labels)),
            Self::Label { key, value } => labels.get(key).is_some_and(|has| folded(has) == folded(value)),
        }
    }

    /// All of the conditions.
    fn all(conditions: Vec<Self>) -> Self {
        let flat = conditions.into_iter().flat_map(|condition| match condition {
            Self::All(inner) => inner,
            other => vec![other],
        });
        single_or(flat.collect(), Self::All)
    }

    /// Any of the conditions.
    fn any(conditions: Vec<Self>) -> Self {
        let flat = conditions.into_iter().flat_map(|condition| match condition {
            Self::Any(inner) => inner,
            other => vec![other],
        });
        single_or(flat.collect(), Self::Any)
    }
}

fn single_or(mut conditions: Vec<Condition>, many: impl FnOnce(Vec<Condition>) -> Condition) -> Condition {
    if conditions.len() == 1 { conditions.remove(0) } else { many(conditions) }
}

impl fmt::Display for Condition {
    /// As [`Assignment::parse`] takes it; groups within others stand in parentheses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (conditions, word) = match self {
            Self::All(conditions) => (conditions, " AND "),
            Self::Any(conditions) => (conditions, " OR "),
            Self::Label { key, value } => {
                let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
                return write!(f, "labels.{key} = \"{escaped}\"");
            }
        };
        for (at, condition) in conditions.iter().enumerate() {
            let word = if at == 0 { "" } else { word };
            match condition {
                Self::Label { .. } => write!(f, "{word}{condition}")?,
                Self::All(_) | Self::Any(_) => write!(f, "{word}({condition})")?,
            }
        }
        Ok(())
    }
}

/// Reads an assignment from left to right.
struct Parser<'t> {
    text: &'t str,
    /// The byte that comes next.
    at: usize,
    terms: usize,
}

impl<'t> Parser<'t> {
    fn of(text: &'t str) -> Self {
        Self { text, at: 0, terms: 0 }
    }

    fn whole(mut self) -> Result<Condition, Invalid> {
        let condition = self.conjunction(0)?;
        if !self.rest().is_empty() {
            return Err(self.fault("a closing parenthesis without an opening one"));
        }
        Ok(condition)
    }

    /// Terms joined by `AND`, or standing side by side.
    fn conjunction(&mut self, depth: usize) -> Result<Condition, Invalid> {
        let mut conditions = vec![self.disjunction(depth)?];
        while !self.rest().is_empty() && !self.rest().starts_with(')') {
            self.eat_word("AND");
            conditions.push(self.disjunction(depth)?);
        }
        Ok(Condition::all(conditions))
    }

    /// Terms joined by `OR`, which binds tighter than `AND`.
    fn disjunction(&mut self, depth: usize) -> Result<Condition, Invalid> {
        let mut conditions = vec![self.term(depth)?];
        while self.eat_word("OR") {
            conditions.push(self.term(depth)?);
        }
        Ok(Condition::any(conditions))
    }

    /// A label or a group.
    fn term(&mut self, depth: usize) -> Result<Condition, Invalid> {
        if !self.eat("(") {
            return self.label();
        }
        if depth == DEPTH_MAX {
            return Err(self.fault(format!("nested deeper than {DEPTH_MAX} levels")));
        }
        let inner = self.conjunction(depth + 1)?;
        if self.eat(")") { Ok(inner) } else { Err(self.fault("a parenthesis is never closed")) }
    }

    /// `labels.KEY = "VALUE"`.
    fn label(&mut self) -> Result<Condition, Invalid> {
        self.terms += 1;
        if self.terms > TERMS_MAX {
            return Err(self.fault(format!("more than {TERMS_MAX} labels")));
        }
        let rest = self.rest();
        let name = &rest[..rest.find(ends_word).unwrap_or(rest.len())];
        let Some(key) = name.strip_prefix("labels.") else {
            let such = "sites are assigned by labels, such as labels.team = \"north\"";
            return Err(self.fault(format!("{such}, got {}", shown(rest))));
        };
        if !is_label_key(key) {
            return Err(self.fault(LABEL_KEY_RULE));
        }
        self.at += name.len();
        if !self.eat("=") {
            return Err(self.fault("`=` is missing: nothing else compares a label here"));
        }
        let (at, value) = (self.skipped(), self.value()?);
        let fault = |why: String| Invalid::new(FIELD, format!("at byte {at}: {why}"));
        let value = line(FIELD, &value, LINE_BYTES_MAX).map_err(|invalid| fault(invalid.why))?;
        if folded(&value).is_empty() {
            return Err(fault("an empty value is that of all sites without the label: say one that some have".into()));
        }
        if value.starts_with('*') || value.ends_with('*') {
            return Err(fault("a star stands for anything in filters, and for nothing here: say the value".into()));
        }
        Ok(Condition::Label { key: key.to_owned(), value })
    }

    /// A text in quotes, in which `\` takes the next character as it is, or a bare one.
    fn value(&mut self) -> Result<String, Invalid> {
        let rest = self.rest();
        let Some(quote) = rest.chars().next().filter(|c| "\"'".contains(*c)) else {
            let length = rest.find(ends_value).unwrap_or(rest.len());
            if length == 0 {
                return Err(self.fault("a value is missing behind `=`"));
            }
            self.at += length;
            return Ok(rest[..length].to_owned());
        };
        let mut value = String::new();
        let mut characters = rest.char_indices().skip(1);
        while let Some((at, c)) = characters.next() {
            match c {
                '\\' => value.extend(characters.next().map(|(_, c)| c)),
                c if c == quote => {
                    self.at += at + c.len_utf8();
                    return Ok(value);
                }
                c => value.push(c),
            }
        }
        Err(self.fault("a quoted text does not end"))
    }

    /// The byte at which what comes next begins.
    fn skipped(&mut self) -> usize {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
        self.at
    }

    /// What is not read yet, without the blanks before it.
    fn rest(&mut self) -> &'t str {
        let at = self.skipped();
        &self.text[at..]
    }

    /// Reads a sign, if it comes next.
    fn eat(&mut self, sign: &str) -> bool {
        let is_next = self.rest().starts_with(sign);
        self.at += if is_next { sign.len() } else { 0 };
        is_next
    }

    /// Reads a word, if it comes next.
    fn eat_word(&mut self, word: &str) -> bool {
        let ends = |rest: &str| rest.is_empty() || rest.starts_with(ends_word);
        let is_next = self.rest().strip_prefix(word).is_some_and(ends);
        self.at += if is_next { word.len() } else { 0 };
        is_next
    }

    fn fault(&self, why: impl fmt::Display) -> Invalid {
        Invalid::new(FIELD, format!("at byte {}: {why}", self.at))
    }
}

/// Values are texts like `2026-11-23T12:00:00Z`: signs do not end them.
fn ends_value(c: char) -> bool {
    c.is_whitespace() || "()\"'".contains(c)
}

fn ends_word(c: char) -> bool {
    c.is_whitespace() || "=!:<>()\"'".contains(c)
}

#[cfg(test)]
mod tests;
