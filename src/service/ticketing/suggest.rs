//! Suggestions which organisations sites may belong to: all organisations of a system, read there once and kept for a while,
//! compared with names and addresses.
//!
//! Nothing here changes a site. What ties is told as such.

use serde::{Deserialize, Serialize};

use super::catalogue::Read;
use super::external::FoundOrganization;
use crate::model::Invalid;
use crate::model::access::Principal;
use crate::model::id::{AccountId, SiteId};
use crate::model::site::Site;
use crate::model::ticketing::System;
use crate::service::access::Permission;
use crate::service::paging::{Page, PageRequest, page_size, query_purpose};
use crate::service::site_batch::BATCH_MAX;
use crate::service::{Error, Waymark, site_of};
use crate::store::{Kind, Range, faults, scan_past};
use crate::ticketing::matching::{Matches, SiteTexts, suggest};

pub use crate::ticketing::matching::Why;

/// Sites of a page where the caller does not say.
const SITES_DEFAULT: usize = 50;
/// Most sites of a page.
const SITES_MAX: usize = 200;
/// Most records that a page reads: most sites may have links already.
const SCANNED_MAX: usize = 2_000;
/// Candidates of a site.
const CANDIDATES_MAX: usize = 5;

/// An organisation that a site may belong to.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The organisation.
    pub found: FoundOrganization,
    /// From 0 to 1.
    pub score: f64,
    /// Why, the strongest first.
    pub whys: Vec<Why>,
}

/// The suggestions for a site.
#[derive(Debug, Clone)]
pub struct Suggestion {
    /// The site.
    pub site: SiteId,
    /// Its name.
    pub display_name: String,
    /// The best first.
    pub candidates: Vec<Candidate>,
    /// Whether the first stands out, of all organisations.
    pub is_clear: bool,
}

/// A page of suggestions.
#[derive(Debug, Clone)]
pub struct SuggestionPage {
    /// The page.
    pub page: Page<Suggestion>,
    /// Organisations that were compared.
    pub organizations: usize,
    /// Whether these are all.
    pub is_complete: bool,
}

/// Where the next page goes on.
#[derive(Debug, Serialize, Deserialize)]
struct Cursor(String);

impl Waymark {
    /// Suggestions for these sites; or for a page of all that have no link to the system, where none is named.
    pub async fn suggest_links(
        &self,
        principal: &Principal,
        account: &AccountId,
        system: System,
        sites: &[SiteId],
        page: &PageRequest,
    ) -> Result<SuggestionPage, Error> {
        self.account_for(principal, account, Permission::Change)?;
        let revision = self.found_connection(account, system).await?.revision;
        if sites.len() > BATCH_MAX {
            return Err(Invalid::new("sites", format!("at most {BATCH_MAX} sites, got more")).into());
        }
        let purpose = || query_purpose(principal, "ticketing-suggestions", &(account, system, sites));
        let limit = page_size("page_size", page.size, SITES_DEFAULT, SITES_MAX)?;
        let after: Option<Cursor> = self.cursor(&purpose, page)?;
        let (asked, next) = if sites.is_empty() {
            self.unlinked_sites(account, system, after, limit).await?
        } else {
            let found = self.batch_get_sites(principal, account, sites).await?;
            (found.into_iter().map(|site| site.value).collect(), None)
        };
        let connector = self.connector(account, system).await?;
        let Read { organizations, is_complete } = self.catalogue(account, system, revision, &*connector).await?;
        let count = organizations.len();
        let compared = tokio::task::spawn_blocking(move || {
            let suggestions = asked.iter().map(|site| {
                let Matches { best, is_clear } = suggest(&texts_of(site), &organizations, CANDIDATES_MAX);
                let candidates = best.into_iter().map(|found| Candidate {
                    found: FoundOrganization {
                        uri: connector.web_page(&found.organization.id).unwrap_or_default(),
                        organization: found.organization.clone(),
                    },
                    score: found.score,
                    whys: found.whys,
                });
                Suggestion {
                    site: site.id,
                    display_name: site.display_name.clone(),
                    candidates: candidates.collect(),
                    // Among those that are not read yet there may be a better one.
                    is_clear: is_clear && is_complete,
                }
            });
            suggestions.filter(|suggestion| !suggestion.candidates.is_empty()).collect::<Vec<_>>()
        });
        let suggestions = faults::joined(compared.await)?;
        Ok(SuggestionPage {
            page: self.page_until(&purpose, suggestions, next.as_ref()),
            organizations: count,
            is_complete,
        })
    }

    /// The next sites without a link to the system, and where the rest begins.
    async fn unlinked_sites(
        &self,
        account: &AccountId,
        system: System,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<(Vec<Site>, Option<Cursor>), Error> {
        let (mut found, mut after, mut scanned) = (Vec::new(), after.map(|cursor| cursor.0), 0);
        loop {
            let (partition, kind) = (Some(account.clone()), Kind::Site);
            let range = Range {
                partition,
                kind,
                prefix: String::new(),
                after: after.clone(),
                descending: false,
                limit: SITES_MAX,
            };
            let (records, is_last) = scan_past(&*self.parts.store, range, |_| {}).await?;
            scanned += records.len();
            for record in records {
                after = Some(record.key.id.clone());
                let site = site_of(record)?.value;
                let is_linked = site.ticketing_links.iter().any(|link| link.system == system.facts().name);
                if site.deleted_at.is_none() && !is_linked {
                    found.push(site);
                }
                if found.len() >= limit {
                    return Ok((found, after.map(Cursor)));
                }
            }
            if is_last {
                return Ok((found, None));
            }
            if scanned >= SCANNED_MAX {
                return Ok((found, after.map(Cursor)));
            }
        }
    }
}

fn texts_of(site: &Site) -> SiteTexts {
    let mut lines = Vec::new();
    if let Some(address) = &site.address {
        lines.extend([address.typed.as_str(), address.formatted.as_str()]);
    }
    SiteTexts::new(&site.display_name, &site.customer_id, &lines)
}
