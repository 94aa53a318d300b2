//! Search over all sites of an account, as somebody types: ranked, from memory, and each hit from its record.
//!
//! Memory says which sites and in which order, the store what they are. A site that was written between the two looks is
//! asked again whether it is a hit, so that an answer shows no site for words that it does not have. Who is assigned some sites searches
//! these as if the account had no others.

use std::collections::HashSet;
use std::time::Duration;

use super::access::Permission;
use super::filter::Filter;
use super::paging::page_size;
use super::{Error, Versioned, Waymark, site_of};
use crate::lexicon::{Class, Classes, Query, matches};
use crate::model::access::Principal;
use crate::model::id::{AccountId, Revision, SiteId};
use crate::model::site::Site;
use crate::spatial::map_view::MapView;
use crate::store::{Key, Kind};

pub use crate::lexicon::{Field, Match};

/// Hits where the caller does not say how many.
pub const HITS_DEFAULT: usize = 10;
/// Most hits: whoever has not found it among so many types another word.
pub const HITS_MAX: usize = 50;
/// How long a search waits after a start until the account's records are read.
const WHOLE_TIME_MAX: Duration = Duration::from_secs(2);
/// How often a search is made anew whose hits are written meanwhile, before those that are none any more are left out.
const ATTEMPTS_MAX: usize = 3;
/// How long the work rests behind a failure of the store.
const PAUSE: Duration = Duration::from_secs(1);

/// What is searched for.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    /// As typed.
    pub typed: &'a str,
    /// Which sites alone; empty for all.
    pub filter: &'a str,
    /// Hits wanted; 0 for the default.
    pub page_size: i32,
}

/// A hit.
#[derive(Debug, Clone)]
pub struct SearchHit {
    /// The site.
    pub site: Versioned<Site>,
    /// Where the words were found.
    pub matches: Vec<Match>,
}

/// The answer to a search.
#[derive(Debug, Clone)]
pub struct SearchFound {
    /// The best hits.
    pub hits: Vec<SearchHit>,
    /// How many hits there are, at least.
    pub total: u64,
    /// Whether that is all.
    pub is_exact: bool,
    /// Every write to the account up to this one is in.
    pub revision: Revision,
}

/// The fields that a principal may search: a hit tells that a field holds a word, so who may not read a field may not
/// search it either. The one place where that is decided.
fn searched_classes(principal: &Principal) -> Classes {
    let open = if principal.positions.are_exact() { Classes::ALL } else { Classes::ALL.without(Class::Surroundings) };
    if principal.contacts.are_masked() { open.without(Class::Contact).without(Class::Note) } else { open }
}

impl Waymark {
    /// The best hits of a query. Costs some microseconds to some milliseconds in memory, and a read of each hit.
    pub async fn search_sites(
        &self,
        principal: &Principal,
        account: &AccountId,
        search: &Search<'_>,
    ) -> Result<SearchFound, Error> {
        let live = self.account_for(principal, account, Permission::Find)?;
        let query = Query::parse(search.typed)?;
        let limit = page_size("page_size", search.page_size, HITS_DEFAULT, HITS_MAX)?;
        let (filter, is_filtered) = (Filter::parse(search.filter)?, !search.filter.trim().is_empty());
        let (filter, classes) = (filter.within(&principal.sight())?, searched_classes(principal));
        if !live.search.is_whole_within(WHOLE_TIME_MAX).await {
            return Err(Error::SearchNotReady);
        }
        let filtered = if filter.is_empty() { None } else { Some(self.matching(principal, account, search.filter)?) };
        let mut attempt = 1;
        loop {
            let (hits, revision) = if let Some(map) = filtered.as_ref().filter(|_| is_filtered) {
                let matching = |view: MapView<'_>, revision| {
                    let mut is_in = |site: SiteId| view.get(site).is_some();
                    let among: Option<HashSet<SiteId>> = principal.assigned.is_some().then(|| view.whole().collect());
                    let hits = live.search.search(among.as_ref(), &query, classes, limit, Some(&mut is_in));
                    Ok((hits, revision))
                };
                map.look(matching).await?
            } else if let Some(map) = &filtered {
                // Of the assigned ones all are wanted: the map is not looked at for longer than it takes to name them.
                let named = map.look(|view, revision| Ok((view.whole().collect::<HashSet<_>>(), revision)));
                let (among, revision) = named.await?;
                (live.search.search(Some(&among), &query, classes, limit, None), revision)
            } else {
                // Read first: what is committed meanwhile may be in, what was committed before is.
                let revision = live.revision();
                (live.search.search(None, &query, classes, limit, None), revision)
            };
            let read = self.read_hits(account, &hits.sites, |site| {
                let is_wanted = site.deleted_at.is_none() && filter.matches(site, |id| live.attention_of(id));
                if is_wanted { matches(&query, classes, site) } else { Vec::new() }
            });
            let read = read.await?;
            let are_all = read.len() == hits.sites.len();
            if are_all || attempt == ATTEMPTS_MAX {
                // Those that are left out are counted no more.
                let total = (hits.total - (hits.sites.len() - read.len())) as u64;
                return Ok(SearchFound { hits: read, total, is_exact: hits.is_exact && are_all, revision });
            }
            attempt += 1;
        }
    }

    /// The hits' records, without those that `found` finds nothing in.
    async fn read_hits(
        &self,
        account: &AccountId,
        sites: &[SiteId],
        found: impl Fn(&Site) -> Vec<Match>,
    ) -> Result<Vec<SearchHit>, Error> {
        let keys = sites.iter().map(|site| Key::of(account, Kind::Site, site)).collect();
        let now = self.now();
        let mut hits = Vec::with_capacity(sites.len());
        let read = self.parts.store.get_each(keys).await?;
        for record in read.into_iter().filter_map(|read| read.ok().flatten()) {
            let mut site = site_of(record)?;
            site.value.drop_expired(now);
            let matches = found(&site.value);
            if !matches.is_empty() {
                hits.push(SearchHit { site, matches });
            }
        }
        Ok(hits)
    }

    /// Reads the records of the start for the search, until it is done. Ends when it is dropped.
    pub async fn read_for_search(&self) {
        while let Err(cause) = self.parts.live.read_for_search(&*self.parts.store).await {
            tracing::warn!(%cause, "the search waits for the store");
            tokio::time::sleep(PAUSE).await;
        }
    }
}
