//! Pages: how long they are, and the tokens that lead from one to the next.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::{Error, Waymark};
use crate::model::Invalid;
use crate::model::access::Principal;
use crate::model::id::SiteId;

/// Length of a page where the caller does not say.
pub const PAGE_SIZE_DEFAULT: usize = 50;
/// Longest page.
pub const PAGE_SIZE_MAX: usize = 1_000;

/// The page that a caller asks for.
#[derive(Debug, Clone, Default)]
pub struct PageRequest {
    /// Items wanted; 0 for the default.
    pub size: i32,
    /// Token of the page before; empty for the first page.
    pub token: String,
}

/// A page of items.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Token of the next page; empty at the end.
    pub next_token: String,
}

/// A page of what is made of sites, as far as they can be read.
#[derive(Debug, Clone)]
pub struct PartialPage<T> {
    /// The page.
    pub page: Page<T>,
    /// The sites of this part of the account whose records cannot be read: nobody knows whether they belong to it.
    pub unreadable: Vec<SiteId>,
}

/// Items on a page of the asked `size`: `default` for 0, cut to `max`; a negative one is refused.
pub fn page_size(field: &str, size: i32, default: usize, max: usize) -> Result<usize, Invalid> {
    match usize::try_from(size) {
        Ok(0) => Ok(default),
        Ok(size) => Ok(size.min(max)),
        Err(_) => Err(Invalid::new(field, format!("0 for {default}, or up to {max}, got {size}"))),
    }
}

impl PageRequest {
    /// Items on the page.
    pub(super) fn limit(&self) -> Result<usize, Error> {
        Ok(page_size("page_size", self.size, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)?)
    }
}

/// The query that a page belongs to: all that must not change from page to page.
///
/// Writes the query out, which costs much beside a short answer: it is asked for only where a token comes or goes.
pub(super) fn query_purpose(principal: &Principal, method: &str, query: &impl std::fmt::Debug) -> String {
    let mut hash = Sha256::new();
    // Debug output is stable within a build, and a token from before an upgrade is refused, not misread.
    let (account, scope, sight) = (&principal.account, principal.scope, principal.sight());
    hash.update(format!("{method}\0{account:?}\0{scope:?}\0{sight:?}\0{query:?}"));
    let hash = hash.finalize();
    format!("page:{}", base64::Engine::encode(&base64::engine::general_purpose::STANDARD_NO_PAD, hash))
}

impl Waymark {
    /// The cursor inside a page token of this query; `None` for the first page.
    pub(super) fn cursor<C: DeserializeOwned>(
        &self,
        purpose: &impl Fn() -> String,
        page: &PageRequest,
    ) -> Result<Option<C>, Error> {
        if page.token.is_empty() {
            return Ok(None);
        }
        self.sealer.open(&purpose(), &page.token).map(Some).ok_or(Error::PageToken)
    }

    /// A page of `items`, of which `limit` + 1 were looked for: the one too many says that there is a next page.
    pub(super) fn page<T, C: Serialize>(
        &self,
        purpose: &impl Fn() -> String,
        mut items: Vec<T>,
        limit: usize,
        cursor_of: impl Fn(&T) -> C,
    ) -> Page<T> {
        let has_more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| has_more).map(cursor_of);
        self.page_until(purpose, items, next.as_ref())
    }

    /// A page of `items` behind which the next page begins at a cursor; `None` where there is none.
    pub(super) fn page_until<T, C: Serialize>(
        &self,
        purpose: &impl Fn() -> String,
        items: Vec<T>,
        next: Option<&C>,
    ) -> Page<T> {
        let next_token = next.map_or_else(String::new, |cursor| self.sealer.seal(&purpose(), cursor));
        Page { items, next_token }
    }
}
