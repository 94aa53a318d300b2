//! The filter language of lists: AIP-160 over the fields of a site, parsed once, then asked of each site.
//!
//! `AND`, `OR`, `NOT`, `-`, parentheses, `=`, `!=`, `:`, `<`, `<=`, `>`, `>=`, and bare words. As in AIP-160, `OR` binds
//! tighter than `AND`, and two terms side by side are joined by `AND`. Texts compare without case; `*` at either end
//! of a text stands for anything.

mod evaluate;
mod field;
mod lexer;
mod parser;

use crate::model::Invalid;
use crate::model::site::Site;
use evaluate::FoldedSite;
use field::Test;

/// Longest filter, in bytes.
pub const FILTER_BYTES_MAX: usize = 2_048;
/// Most terms of a filter: bounds the work for each site.
pub const TERMS_MAX: usize = 100;
/// Deepest nesting: bounds the parser's stack.
pub const DEPTH_MAX: usize = 20;

/// Bytes of a usual site's texts without its note.
const OTHER_TEXT_BYTES: usize = 512;

/// A parsed filter.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    root: Option<Node>,
}

/// A node of the filter's tree.
#[derive(Debug, Clone, PartialEq)]
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Test(Test),
}

impl Filter {
    /// Parses a filter; an empty one matches everything. A fault says at which byte it stands.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if text.len() > FILTER_BYTES_MAX {
            return Err(Invalid::new("filter", format!("at most {FILTER_BYTES_MAX} bytes, got {}", text.len())));
        }
        let tokens = lexer::tokens(text)?;
        Ok(Self { root: parser::parse(&tokens)? })
    }

    /// Whether everything matches.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// Whether the site matches.
    #[must_use]
    pub fn matches(&self, site: &Site) -> bool {
        let Some(root) = &self.root else { return true };
        root.matches(&FoldedSite::new(site))
    }

    /// About how many bytes of text a look at the site costs: each term may go through all of it.
    #[must_use]
    pub fn cost_of(&self, site: &Site) -> usize {
        let texts = site.note.len() + OTHER_TEXT_BYTES;
        self.root.as_ref().map_or(0, Node::terms) * texts
    }
}

impl Node {
    fn terms(&self) -> usize {
        match self {
            Self::All(nodes) | Self::Any(nodes) => nodes.iter().map(Self::terms).sum(),
            Self::Not(node) => node.terms(),
            Self::Test(_) => 1,
        }
    }

    fn matches(&self, site: &FoldedSite<'_>) -> bool {
        match self {
            Self::All(nodes) => nodes.iter().all(|node| node.matches(site)),
            Self::Any(nodes) => nodes.iter().any(|node| node.matches(site)),
            Self::Not(node) => !node.matches(site),
            Self::Test(test) => evaluate::holds(test, site),
        }
    }
}

/// A fault of the filter at a byte.
fn fault(at: usize, why: impl std::fmt::Display) -> Invalid {
    Invalid::new("filter", format!("at byte {at}: {why}"))
}

#[cfg(test)]
mod tests;
