//! Lists of sites: filtered, ordered, page by page.
//!
//! Cost: one pass over the records of the account in the order asked for, some at a time; a filter that few sites match
//! reads up to [`SCANNED_MAX`] records, or looks through [`MATCHED_BYTES_MAX`] of text, and then answers a short page with
//! a token to go on from. Matching is done off the async threads, so that one caller's filter delays nobody else. A record
//! that cannot be read hides no other: its site is named beside them. A damaged claim on a name hides no site at all.
//!
//! Whoever is assigned some sites is listed these, from memory in the order asked for: a pass over the records would tell by where its
//! pages end how many others there are, and a page token by its text which.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::access::Permission;
use super::filter::Filter;
use super::name_claims::{Claimant, is_named};
use super::paging::{PageRequest, PartialPage, query_purpose};
use super::{Error, Versioned, Waymark, site_of};
use crate::live::LiveAccount;
use crate::model::Invalid;
use crate::model::access::Principal;
use crate::model::id::{AccountId, SiteId};
use crate::model::site::Site;
use crate::model::text::{self, shown};
use crate::store::document::Document;
use crate::store::{Key, Kind, Range, Record, Unreadable, faults, scan_on};

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
    /// A page of an account's sites. Those that cannot be read count as on the page, whatever the filter.
    pub async fn list_sites(
        &self,
        principal: &Principal,
        query: &SiteQuery,
        page: &PageRequest,
    ) -> Result<PartialPage<Versioned<Site>>, Error> {
        let live = self.account_for(principal, &query.account, Permission::Find)?;
        if query.show_deleted && query.order.by_name {
            let why = "deleted sites hold no name: list them in the order of create_time";
            return Err(Invalid::new("show_deleted", why).into());
        }
        let query = &SiteQuery {
            filter: query.filter.clone().within(&principal.sight())?,
            // A deleted site is assigned to nobody.
            show_deleted: query.show_deleted && principal.assigned.is_none(),
            ..query.clone()
        };
        let limit = page.limit()?;
        let purpose = || query_purpose(principal, "sites", query);
        let mut after = self.cursor::<Cursor>(&purpose, page)?.map(|cursor| cursor.0);
        let query = Arc::new(query.clone());
        let assigned = self.assigned_places(principal, &query, after.as_deref()).await?;
        if let (Some(name), false, None, None) = (query.filter.name(), query.show_deleted, &after, &assigned) {
            // Where nobody knows whose it is, each record is asked.
            if let Some(found) = self.load_named(&query.account, name).await? {
                let (mut rows, _) = self.wanted_of(&live, Arc::clone(&query), vec![found]).await?;
                let unreadable = rows.iter().filter_map(|row| row.unreadable).collect();
                let items = rows.iter_mut().filter_map(|row| row.site.take()).collect();
                return Ok(PartialPage { page: self.page_until(&purpose, items, None::<&Cursor>), unreadable });
            }
        }
        let (mut items, mut unreadable) = (Vec::new(), Vec::new());
        let (mut scanned, mut matched_bytes, mut page_bytes) = (0, 0, 0);
        loop {
            let (loaded, is_last) = if let Some(places) = &assigned {
                self.load_assigned(&query, &places[scanned..]).await?
            } else {
                let (records, is_last) = self.scan(&query, after.take()).await?;
                (self.load(&query, records).await?, is_last)
            };
            scanned += loaded.len();
            let last_index = loaded.len().saturating_sub(1);
            let (rows, bytes) = self.wanted_of(&live, Arc::clone(&query), loaded).await?;
            matched_bytes += bytes;
            for (index, row) in rows.into_iter().enumerate() {
                page_bytes += row.site.as_ref().map_or(0, |site| site.value.weight());
                items.extend(row.site);
                unreadable.extend(row.unreadable);
                let is_spent = scanned >= SCANNED_MAX || matched_bytes >= MATCHED_BYTES_MAX;
                let is_long = items.len() + unreadable.len() >= limit || page_bytes >= PAGE_BYTES_MAX;
                let is_full = is_long || (is_spent && index == last_index);
                if is_full && !(is_last && index == last_index) {
                    let page = self.page_until(&purpose, items, Some(&Cursor(row.cursor)));
                    return Ok(PartialPage { page, unreadable });
                }
                after = Some(row.cursor);
            }
            if is_last {
                return Ok(PartialPage { page: self.page_until(&purpose, items, None::<&Cursor>), unreadable });
            }
        }
    }

    /// The next sites that are assigned to a principal, in the order of the list, behind `after`: as many as a page looks at, and one
    /// more; `None` for who sees all. Each has its folded name where that is the order.
    ///
    /// Costs a look at each assigned site, and none at others.
    async fn assigned_places(
        &self,
        principal: &Principal,
        query: &SiteQuery,
        after: Option<&str>,
    ) -> Result<Option<Vec<(String, SiteId)>>, Error> {
        if principal.assigned.is_none() {
            return Ok(None);
        }
        let Order { by_name, descending } = query.order;
        let map = self.matching(principal, &query.account, "")?;
        if !by_name {
            let after: Option<SiteId> = after.and_then(|after| after.parse().ok());
            let is_next = |site: &SiteId| after.is_none_or(|after| is_behind(site, &after, descending));
            let sites: Vec<SiteId> = map.look(|view, _| Ok(view.whole().filter(is_next).collect())).await?;
            let next = first(sites.into_iter(), descending, SCANNED_MAX + 1);
            return Ok(Some(next.into_iter().map(|site| (String::new(), site)).collect()));
        }
        // All names in one text: they are folded when others may have the map again.
        let look = map.look(|view, _| {
            let (mut names, mut ends) = (String::new(), Vec::new());
            for (site, name) in view.whole_named() {
                names.push_str(name);
                ends.push((site, names.len()));
            }
            Ok((names, ends))
        });
        let (names, ends) = look.await?;
        let after = after.map(str::to_owned);
        let folding = tokio::task::spawn_blocking(move || {
            let mut begin = 0;
            let places = ends.into_iter().map(|(site, end)| {
                let name = &names[std::mem::replace(&mut begin, end)..end];
                (text::fold(name), site)
            });
            let is_next = |name: &String| after.as_ref().is_none_or(|after| is_behind(name, after, descending));
            first(places.filter(|(name, _)| is_next(name)), descending, SCANNED_MAX + 1)
        });
        Ok(Some(faults::joined(folding.await)?))
    }

    /// The first of these sites, and whether they are the last ones.
    async fn load_assigned(&self, query: &SiteQuery, places: &[(String, SiteId)]) -> Result<(Vec<Row>, bool), Error> {
        let next = &places[..places.len().min(CHUNK)];
        let keys = next.iter().map(|(_, site)| Key::of(&query.account, Kind::Site, site)).collect();
        let read = self.parts.store.get_each(keys).await?;
        let rows = next.iter().zip(read).map(|((name, id), read)| {
            let (site, unreadable) = match read {
                Ok(record) => (record.and_then(|record| site_of(record).ok()), None),
                Err(_) => (None, Some(*id)),
            };
            let cursor = if query.order.by_name { name.clone() } else { id.to_string() };
            Row { cursor, site, unreadable }
        });
        Ok((rows.collect(), places.len() <= CHUNK))
    }

    /// The site of a folded name; `None` where the claim on it is damaged, and no site is known to have it.
    async fn load_named(&self, account: &AccountId, name: &str) -> Result<Option<Row>, Error> {
        let claimant = match self.read_claimant(account, &Key::of(account, Kind::SiteName, name)).await {
            Err(cause) if cause.is_of_one_record() => return Ok(None),
            claimant => claimant?,
        };
        let Some(Claimant { id, record }) = claimant else { return Ok(Some(Row::default())) };
        let read = match record {
            Some(site) => Ok(Some(*site)),
            None => self.read_site(account, id).await?,
        };
        Ok(Some(match read {
            Ok(site) => Row { site, ..Row::default() },
            Err(_) => Row { unreadable: Some(id), ..Row::default() },
        }))
    }

    /// The next records in the order of the list, sites, or the claims on their names; and whether they are the last ones.
    async fn scan(
        &self,
        query: &SiteQuery,
        after: Option<String>,
    ) -> Result<(Vec<Result<Record, Unreadable>>, bool), Error> {
        let kind = if query.order.by_name { Kind::SiteName } else { Kind::Site };
        let range = Range {
            after,
            descending: query.order.descending,
            limit: CHUNK,
            ..Range::all(Some(query.account.clone()), kind)
        };
        Ok(scan_on(&*self.parts.store, range).await?)
    }

    /// The sites behind scanned records, each with the cursor that stands at it. A site may be gone meanwhile.
    async fn load(&self, query: &SiteQuery, records: Vec<Result<Record, Unreadable>>) -> Result<Vec<Row>, Error> {
        if !query.order.by_name {
            return Ok(records.into_iter().map(Row::of).collect());
        }
        let damaged: Vec<String> = records.iter().filter_map(|read| Some(read.as_ref().err()?.id.clone())).collect();
        let owners = if damaged.is_empty() { HashMap::new() } else { self.owners_of(&query.account, damaged).await? };
        let claims: Vec<(String, Option<SiteId>)> = records.into_iter().map(|read| claimed(read, &owners)).collect();
        let mut rows = self.rows_of(&query.account, &claims).await?;
        let doubted = rows.iter().zip(&claims).filter(|(row, _)| !row.is_as_claimed());
        let doubted = doubted.filter_map(|(_, (name, site))| Some((name.clone(), (*site)?))).collect();
        let mended = self.misplaced_of(&query.account, doubted).await?;
        if mended.is_empty() {
            return Ok(rows);
        }
        for (row, (_, owner)) in self.rows_of(&query.account, &mended).await?.into_iter().zip(&mended) {
            let Some(at) = rows.iter().position(|known| known.cursor == row.cursor) else { continue };
            let lost = claims[at].1.filter(|_| owner.is_none() && rows[at].site.is_none());
            let lost = if let Some(site) = lost { self.find_lost(&query.account, site).await? } else { None };
            rows[at] = Row { unreadable: row.unreadable.or(lost), ..row };
        }
        Ok(rows)
    }

    /// The places of names, and the sites that claim them.
    async fn rows_of(&self, account: &AccountId, claims: &[(String, Option<SiteId>)]) -> Result<Vec<Row>, Error> {
        let ids = claims.iter().filter_map(|(_, site)| *site);
        let keys = ids.map(|site| Key::of(account, Kind::Site, site)).collect();
        let mut sites = self.parts.store.get_each(keys).await?.into_iter();
        let row = |(name, site): &(String, Option<SiteId>)| {
            let cursor = name.clone();
            match site.and_then(|_| sites.next()) {
                Some(Ok(record)) => Row { cursor, site: record.and_then(|it| site_of(it).ok()), unreadable: None },
                Some(Err(_)) => Row { cursor, site: None, unreadable: *site },
                None => Row { cursor, site: None, unreadable: None },
            }
        };
        Ok(claims.iter().map(row).collect())
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
            let bytes = rows.iter().filter_map(|row| Some(query.filter.cost_of(&row.site.as_ref()?.value))).sum();
            for Row { site, .. } in &mut rows {
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

/// A place of the list.
#[derive(Debug, Default)]
struct Row {
    /// The cursor that stands at it.
    cursor: String,
    /// The site, if there is one and it can be read.
    site: Option<Versioned<Site>>,
    /// The site that cannot be read.
    unreadable: Option<SiteId>,
}

impl Row {
    /// That of a site's record.
    fn of(read: Result<Record, Unreadable>) -> Self {
        match read {
            Ok(record) => Self { cursor: record.key.id.clone(), site: site_of(record).ok(), unreadable: None },
            // What is no id of a site was never one of ours.
            Err(Unreadable { id, .. }) => Self { unreadable: id.parse().ok(), cursor: id, site: None },
        }
    }

    /// Whether it is the place of a name, and the site there has it or cannot be read.
    fn is_as_claimed(&self) -> bool {
        self.unreadable.is_some() || self.site.as_ref().is_some_and(|site| is_named(&site.value, &self.cursor))
    }
}

/// Whether one stands behind the other in the order of a list.
fn is_behind<T: Ord>(one: &T, other: &T, descending: bool) -> bool {
    if descending { one < other } else { one > other }
}

/// The first `count` of these in order, or backwards; `count` is at least 1. Holds no more than twice as many.
pub(super) fn first<T: Ord>(all: impl Iterator<Item = T>, descending: bool, count: usize) -> Vec<T> {
    let order = |one: &T, other: &T| if descending { other.cmp(one) } else { one.cmp(other) };
    let mut kept = Vec::new();
    for each in all {
        kept.push(each);
        if kept.len() == 2 * count {
            kept.select_nth_unstable_by(count, order);
            kept.truncate(count);
        }
    }
    kept.sort_unstable_by(order);
    kept.truncate(count);
    kept
}

/// The cursor at a claim on a name, and the site that has it. Of a claim that cannot be read it is the site that has the name.
fn claimed(read: Result<Record, Unreadable>, owners: &HashMap<String, SiteId>) -> (String, Option<SiteId>) {
    match read {
        Ok(Record { key, document: Document::SiteName(claim), .. }) => (key.id, Some(claim.site)),
        Ok(Record { key, .. }) => (key.id, None),
        Err(Unreadable { id, .. }) => {
            let site = owners.get(&id).copied();
            (id, site)
        }
    }
}

impl SiteQuery {
    fn wants(&self, site: &Site, live: &LiveAccount) -> bool {
        let is_there = self.show_deleted || site.deleted_at.is_none();
        is_there && self.filter.matches(site, |site| live.attention_of(site))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_many_are_kept_in_order() {
        let mixed = |count: u32| (0..count).map(|number| number * 7 % 1_009);
        for all in [0, 1, 9, 10, 11, 19, 20, 21, 500, 1_009] {
            for (descending, count) in [(false, 1), (true, 1), (false, 10), (true, 10), (false, 2_000)] {
                let mut sorted: Vec<u32> = mixed(all).collect();
                sorted.sort_unstable();
                if descending {
                    sorted.reverse();
                }
                sorted.truncate(count);
                assert_eq!(first(mixed(all), descending, count), sorted, "{count} of {all}");
            }
        }
    }
}
