//! Tokens to a tree, by AIP-160's grammar.

use super::field::{Fault, Test};
use super::lexer::{Lexeme, Token};
use super::{DEPTH_MAX, Node, Scope, TERMS_MAX, fault};
use crate::model::Invalid;

/// The tree of a filter that has so many bytes; `None` for an empty one.
pub(super) fn parse(tokens: &[Token], end: usize, scope: Scope) -> Result<Option<Node>, Invalid> {
    if tokens.is_empty() {
        return Ok(None);
    }
    let mut parser = Parser { tokens, end, scope, next: 0, terms: 0 };
    let root = parser.conjunction(0)?;
    match parser.peek() {
        None => Ok(Some(root)),
        Some(token) => Err(fault(token.at, "a closing parenthesis without an opening one")),
    }
}

struct Parser<'t> {
    tokens: &'t [Token],
    end: usize,
    scope: Scope,
    next: usize,
    terms: usize,
}

impl<'t> Parser<'t> {
    /// Terms joined by `AND`, or standing side by side.
    fn conjunction(&mut self, depth: usize) -> Result<Node, Invalid> {
        let mut nodes = vec![self.disjunction(depth)?];
        loop {
            match self.peek() {
                None => break,
                Some(token) if token.lexeme == Lexeme::Sign(")") => break,
                Some(token) if is_word(token, "AND") => self.next += 1,
                Some(_) => {}
            }
            nodes.push(self.disjunction(depth)?);
        }
        Ok(single_or(nodes, all_of))
    }

    /// Terms joined by `OR`, which binds tighter than `AND`.
    fn disjunction(&mut self, depth: usize) -> Result<Node, Invalid> {
        let mut nodes = vec![self.term(depth)?];
        while self.peek().is_some_and(|token| is_word(token, "OR")) {
            self.next += 1;
            nodes.push(self.term(depth)?);
        }
        Ok(single_or(nodes, Node::Any))
    }

    /// A test or a group, perhaps negated.
    fn term(&mut self, depth: usize) -> Result<Node, Invalid> {
        let token = self.take()?;
        if depth > DEPTH_MAX {
            return Err(fault(token.at, format!("nested deeper than {DEPTH_MAX} levels")));
        }
        self.terms += 1;
        if self.terms > TERMS_MAX {
            return Err(fault(token.at, format!("more than {TERMS_MAX} terms")));
        }
        if token.lexeme == Lexeme::Sign("-") || is_word(token, "NOT") {
            return Ok(Node::Not(Box::new(self.term(depth + 1)?)));
        }
        if token.lexeme == Lexeme::Sign("(") {
            let inner = self.conjunction(depth + 1)?;
            // What is within ends at a closing parenthesis, or where the filter does.
            self.peek().ok_or_else(|| fault(token.at, "this parenthesis is never closed"))?;
            self.next += 1;
            return Ok(inner);
        }
        self.test(token)
    }

    /// `field sign value`, or a bare word or text.
    fn test(&mut self, first: &'t Token) -> Result<Node, Invalid> {
        let name = match &first.lexeme {
            Lexeme::Quoted(text) => return Ok(Node::Test(Test::anywhere(text))),
            Lexeme::Word(word) if ["AND", "OR"].contains(&word.as_str()) => {
                return Err(fault(first.at, format!("a term is missing before {word}")));
            }
            Lexeme::Word(word) => word,
            Lexeme::Sign(sign) => return Err(fault(first.at, format!("{sign:?} where a field or a text should be"))),
        };
        let (sign_at, sign) = match self.peek() {
            Some(Token { at, lexeme: Lexeme::Sign(sign @ ("=" | "!=" | ":" | "<" | "<=" | ">" | ">=")) }) => {
                (*at, *sign)
            }
            _ => return Ok(Node::Test(Test::anywhere(name))),
        };
        self.next += 1;
        let value = self.take()?;
        let text = match &value.lexeme {
            Lexeme::Word(text) | Lexeme::Quoted(text) => text,
            Lexeme::Sign(other) => return Err(fault(value.at, format!("{other:?} where a value should be"))),
        };
        let test = Test::new(name, sign, text).map_err(|(what, why)| {
            let at = match what {
                Fault::Field => first.at,
                Fault::Sign => sign_at,
                Fault::Value => value.at,
            };
            fault(at, why)
        })?;
        if self.scope == Scope::Map && test.asks_for_note() {
            return Err(fault(first.at, "notes are too long for the map to hold: filter by note with ListSites"));
        }
        Ok(Node::Test(test))
    }

    fn peek(&self) -> Option<&'t Token> {
        self.tokens.get(self.next)
    }

    fn take(&mut self) -> Result<&'t Token, Invalid> {
        let token = self.peek().ok_or_else(|| fault(self.end, "the filter ends where a term or a value should be"))?;
        self.next += 1;
        Ok(token)
    }
}

fn is_word(token: &Token, word: &str) -> bool {
    matches!(&token.lexeme, Lexeme::Word(text) if text == word)
}

fn single_or(mut nodes: Vec<Node>, many: impl FnOnce(Vec<Node>) -> Node) -> Node {
    if nodes.len() == 1 { nodes.remove(0) } else { many(nodes) }
}

/// All of the nodes; what stands in parentheses without need stands beside the others.
fn all_of(nodes: Vec<Node>) -> Node {
    let flat = nodes.into_iter().flat_map(|node| match node {
        Node::All(inner) => inner,
        other => vec![other],
    });
    Node::All(flat.collect())
}
