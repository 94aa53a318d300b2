//! Lists of sites: filtered, ordered, page by page.
//!
//! Cost: one pass over the records of the account in the order asked for, some at a time; a filter that few sites match
//! reads up to [`SCANNED_MAX`] records, or looks through [`MATCHED_BYTES_MAX`] of text, and then answers a short page with
//! a token to go on from. Matching is done off the async threads, so that one caller's filter delays nobody else.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::access::Permission;
use super::filter::Filter;
use super::paging::{Page, PageRequest, query_purpose};
use super::{Error, Versioned, Waymark, site_of};
use crate::live::LiveAccount;
use crate::model::Invalid;
use crate::model::access::Principal;
use crate::model::id::AccountId;
use crate::model::site::Site;
use crate::model::text::shown;
use crate::store::document::Document;
use crate::store::{Key, Kind, Range, Record, faults};

/// Most records that one call reads: bounds its time to some tens of milliseconds.
pub const SCANNED_MAX: usize = 10_000;
/// Most bytes of text that one call looks through, each term for itself: some tenths of a second.
pub const MATCHED_BYTES_MAX: usize = 256 * 1024 * 1024;
/// About how many bytes a page may hold: gRPC clients take messages of 4 MiB where nobody says otherwise.
pub const PAGE_BYTES_MAX: usize = 3 * 1024 * 1024;
/// Records of one read.
const CHUNK: usize = 100;

/// The order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// By name, rather than by the time at which sites were made.
    pub by_name: bool,
    /// Backwards.
    pub descending: bool,
}

impl Order {
    /// Parses `create_time` or `display_name`, each perhaps with ` desc`; empty for `create_time`.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (field, descending) = match words.as_slice() {
            [] => ("create_time", false),
            [field] | [field, "asc"] => (*field, false),
            [field, "desc"] => (*field, true),
            _ => ("", false),
        };
        match field {
            "create_time" => Ok(Self { by_name: false, descending }),
            "display_name" => Ok(Self { by_name: true, descending }),
            _ => Err(Invalid::new(
                "order_by",
                format!("`create_time` or `display_name`, each perhaps with ` desc`, got {}", shown(text)),
            )),
        }
    }
}

/// What a list shall hold.
#[derive(Debug, Clone)]
pub struct SiteQuery {
    /// The account.
    pub account: AccountId,
    /// Which of its sites.
    pub filter: Filter,
    /// In which order.
    pub order: Order,
    /// Whether deleted sites are listed too.
    pub show_deleted: bool,
}

/// Where the next page goes on: behind this id of the scanned records.
#[derive(Debug, Serialize, Deserialize)]
struct Cursor(String);

impl Waymark {
    /// A page of an account's sites.
    pub async fn list_sites(
        &self,
        principal: &Principal,
        query: &SiteQuery,
        page: &PageRequest,
    ) -> Result<Page<Versioned<Site>>, Error> {
        let live = self.account_for(principal, &query.account, Permission::Read)?;
        if query.show_deleted && query.order.by_name {
            let why = "deleted sites hold no name: list them in the order of create_time";
            return Err(Invalid::new("show_deleted", why).into());
        }
        let query = &SiteQuery { filter: query.filter.clone().for_contacts(principal.contacts)?, ..query.clone() };
        let limit = page.limit()?;
        let purpose = || query_purpose(principal, "sites", query);
        let mut after = self.cursor::<Cursor>(&purpose, page)?.map(|cursor| cursor.0);
        let query = Arc::new(query.clone());
        if let (Some(name), false, None) = (query.filter.name(), query.show_deleted, &after) {
            let found = self.load_named(&query.account, name).await?;
            let (rows, _) = self.wanted_of(&live, Arc::clone(&query), vec![(String::new(), found)]).await?;
            let items = rows.into_iter().filter_map(|(_, site)| site).collect();
            return Ok(Page { items, next_token: String::new() });
        }
        let mut items = Vec::new();
        let (mut scanned, mut matched_bytes, mut page_bytes) = (0, 0, 0);
        loop {
            let records = self.scan(&query, after.take()).await?;
            let is_last = records.len() < CHUNK;
            scanned += records.len();
            let last_index = records.len().saturating_sub(1);
            let loaded = self.load(&query, records).await?;
            let (rows, bytes) = self.wanted_of(&live, Arc::clone(&query), loaded).await?;
            matched_bytes += bytes;
            for (index, (cursor, site)) in rows.into_iter().enumerate() {
                page_bytes += site.as_ref().map_or(0, |site| site.value.weight());
                items.extend(site);
                let is_spent = scanned >= SCANNED_MAX || matched_bytes >= MATCHED_BYTES_MAX;
                let is_long = items.len() >= limit || page_bytes >= PAGE_BYTES_MAX;
                let is_full = is_long || (is_spent && index == last_index);
                if is_full && !(is_last && index == last_index) {
                    return Ok(Page { items, next_token: self.sealer.seal(&purpose(), &Cursor(cursor)) });
                }
                after = Some(cursor);
            }
            if is_last {
                return Ok(Page { items, next_token: String::new() });
            }
        }
    }

    /// The site of a folded name.
    async fn load_named(&self, account: &AccountId, name: &str) -> Result<Option<Versioned<Site>>, Error> {
        let claim = self.parts.store.get(Key::of(account, Kind::SiteName, name.to_owned())).await?;
        let Some(Document::SiteName(claim)) = claim.map(|record| record.document) else { return Ok(None) };
        self.find_site(account, claim.site).await
    }

    /// The next records in the order of the list: sites, or the claims on their names.
    async fn scan(&self, query: &SiteQuery, after: Option<String>) -> Result<Vec<Record>, Error> {
        let kind = if query.order.by_name { Kind::SiteName } else { Kind::Site };
        let range = Range {
            after,
            descending: query.order.descending,
            limit: CHUNK,
            ..Range::all(Some(query.account.clone()), kind)
        };
        Ok(self.parts.store.scan(range).await?)
    }

    /// The sites behind scanned records, each with the cursor that stands at it. A site may be gone meanwhile.
    async fn load(&self, query: &SiteQuery, records: Vec<Record>) -> Result<Vec<Row>, Error> {
        let cursors: Vec<String> = records.iter().map(|record| record.key.id.clone()).collect();
        let sites = if query.order.by_name {
            let keys = records.iter().filter_map(|record| match &record.document {
                Document::SiteName(claim) => Some(Key::of(&query.account, Kind::Site, claim.site)),
                _ => None,
            });
            self.parts.store.get_many(keys.collect()).await?
        } else {
            records.into_iter().map(Some).collect()
        };
        Ok(cursors
            .into_iter()
            .zip(sites.into_iter().map(|record| record.and_then(|record| site_of(record).ok())))
            .collect())
    }

    /// The rows with the wanted sites alone, as they are shown, and how many bytes of text were looked through.
    async fn wanted_of(
        &self,
        live: &Arc<LiveAccount>,
        query: Arc<SiteQuery>,
        mut rows: Vec<Row>,
    ) -> Result<(Vec<Row>, usize), Error> {
        let (live, now) = (Arc::clone(live), self.now());
        let matching = tokio::task::spawn_blocking(move || {
            let bytes = rows.iter().filter_map(|(_, site)| Some(query.filter.cost_of(&site.as_ref()?.value))).sum();
            for (_, site) in &mut rows {
                if let Some(site) = site {
                    site.value.drop_expired(now);
                }
                *site = site.take().filter(|site| query.wants(&site.value, &live));
            }
            (rows, bytes)
        });
        Ok(faults::joined(matching.await)?)
    }
}

/// A cursor, and the site that stands at it.
type Row = (String, Option<Versioned<Site>>);

impl SiteQuery {
    fn wants(&self, site: &Site, live: &LiveAccount) -> bool {
        let is_there = self.show_deleted || site.deleted_at.is_none();
        is_there && self.filter.matches(site, |site| live.attention_of(site))
    }
}
