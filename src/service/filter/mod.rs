//! The filter language of lists and maps: AIP-160 over the fields of a site, parsed once, then asked of each site.
//!
//! `AND`, `OR`, `NOT`, `-`, parentheses, `=`, `!=`, `:`, `<`, `<=`, `>`, `>=`, and bare words. As in AIP-160, `OR` binds
//! tighter than `AND`, and two terms side by side are joined by `AND`. Texts compare without case; `*` at either end
//! of a text stands for anything. A bare word may stand in any text but the note. A condition on a field that a site has
//! several of, such as phones and links, holds where one of them meets it, and two such conditions may be met by two of them.

mod assigned;
mod evaluate;
mod field;
#[cfg(test)]
mod fuzz;
mod lexer;
mod on_map;
mod parser;

use super::Error;
use crate::model::Invalid;
use crate::model::access::Sight;
use crate::model::attention::{Attention, AttentionReason};
use crate::model::gist::Gist;
use crate::model::id::SiteId;
use crate::model::site::Site;
use evaluate::Candidate;
use field::Test;

#[cfg(test)]
pub(in crate::service) use field::names as field_names;
pub use on_map::MapFilter;

/// Longest filter, in bytes.
pub const FILTER_BYTES_MAX: usize = 2_048;
/// Most terms of a filter: bounds the work for each site.
pub const TERMS_MAX: usize = 100;
/// Deepest nesting: bounds the parser's stack.
pub const DEPTH_MAX: usize = 20;

/// Bytes of a usual site's texts without its note.
const OTHER_TEXT_BYTES: usize = 512;

/// What a filter may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// All fields: whole records are looked at.
    Records,
    /// What memory holds: all but the note.
    Map,
}

/// A parsed filter of lists.
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
        Ok(Self { root: parse(text, Scope::Records)? })
    }

    /// The filter as somebody may ask it who sees so much of sites: of those that are assigned to them, where not all are. One that
    /// names a contact or the note is refused where they are masked, and one that names where sites are where that is not shown.
    pub(super) fn within(self, sight: &Sight) -> Result<Self, Error> {
        Ok(Self { root: within(self.root, sight)? })
    }

    /// The name, folded, that every match has, where the filter says one: names are unique, so there is one match at most.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.root.as_ref()?.name()
    }

    /// Whether everything matches.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// Whether the site matches. `attention` is asked, where the filter asks for it, what the map knows of the site beyond
    /// its record: whether its spot is crowded.
    #[must_use]
    pub fn matches(&self, site: &Site, attention: impl FnOnce(SiteId) -> Attention) -> bool {
        let Some(root) = &self.root else { return true };
        root.matches_record(site, &Gist::of(site), attention)
    }

    /// The same of a site whose gist is known already, or is worked out where there is a filter.
    #[must_use]
    pub fn matches_gist<'g>(
        &self,
        site: &Site,
        gist: impl FnOnce() -> &'g Gist,
        attention: impl FnOnce(SiteId) -> Attention,
    ) -> bool {
        let Some(root) = &self.root else { return true };
        root.matches_record(site, gist(), attention)
    }

    /// About how many bytes of text a look at the site costs: each term may go through all of it.
    #[must_use]
    pub fn cost_of(&self, site: &Site) -> usize {
        let texts = site.note.len() + OTHER_TEXT_BYTES;
        self.root.as_ref().map_or(0, Node::terms) * texts
    }
}

/// The tree of a filter; `None` for an empty one.
fn parse(text: &str, scope: Scope) -> Result<Option<Node>, Invalid> {
    if text.len() > FILTER_BYTES_MAX {
        return Err(fault(
            FILTER_BYTES_MAX,
            format!("a filter has at most {FILTER_BYTES_MAX} bytes, this one {}", text.len()),
        ));
    }
    parser::parse(&lexer::tokens(text)?, text.len(), scope)
}

/// The tree as somebody may ask it who sees so much of sites.
fn within(mut root: Option<Node>, sight: &Sight) -> Result<Option<Node>, Error> {
    root.as_mut().map_or(Ok(()), |root| root.limit_to(sight))?;
    match &sight.assigned {
        None => Ok(root),
        Some(assignment) => assigned::within(root, assignment).map(Some),
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

    /// Looks at sites no further than somebody may who sees so much of them.
    fn limit_to(&mut self, sight: &Sight) -> Result<(), Error> {
        match self {
            _ if sight.is_whole() => Ok(()),
            Self::All(nodes) | Self::Any(nodes) => nodes.iter_mut().try_for_each(|node| node.limit_to(sight)),
            Self::Not(node) => node.limit_to(sight),
            Self::Test(test) if sight.contacts.are_masked() && test.names_private() => Err(Error::ContactsMasked),
            Self::Test(test) if test.names_place(sight.positions) => Err(Error::PositionsWithheld),
            Self::Test(test) => {
                test.look_within(sight);
                Ok(())
            }
        }
    }

    fn name(&self) -> Option<&str> {
        match self {
            Self::All(nodes) => nodes.iter().find_map(Self::name),
            Self::Test(test) => test.name(),
            Self::Any(_) | Self::Not(_) => None,
        }
    }

    /// Whether it looks at more of sites than their status, where their position is from and what needs attention.
    fn looks_at_texts(&self) -> bool {
        match self {
            Self::All(nodes) | Self::Any(nodes) => nodes.iter().any(Self::looks_at_texts),
            Self::Not(node) => node.looks_at_texts(),
            Self::Test(test) => matches!(test, Test::Text { .. } | Test::Link { .. } | Test::Time { .. }),
        }
    }

    /// Whether it looks at what other sites make of one.
    fn looks_around(&self) -> bool {
        match self {
            Self::All(nodes) | Self::Any(nodes) => nodes.iter().any(Self::looks_around),
            Self::Not(node) => node.looks_around(),
            Self::Test(test) => test.asks_for_company(),
        }
    }

    fn asks_for_attention(&self) -> bool {
        match self {
            Self::All(nodes) | Self::Any(nodes) => nodes.iter().any(Self::asks_for_attention),
            Self::Not(node) => node.asks_for_attention(),
            Self::Test(test) => test.asks_for_attention(),
        }
    }

    fn matches_record(&self, site: &Site, gist: &Gist, attention: impl FnOnce(SiteId) -> Attention) -> bool {
        let needs = if self.asks_for_attention() {
            // Of all else the record itself knows better: the map may still be of an older one.
            let is_crowded = attention(site.id).has(AttentionReason::Crowded);
            gist.attention.with(AttentionReason::Crowded, is_crowded)
        } else {
            Attention::NONE
        };
        self.matches(&Candidate::of_record(site, gist, needs))
    }

    fn matches(&self, site: &Candidate<'_>) -> bool {
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
