//! What a system has: organisations and sites, asked for there; and which of ours are tied to them, from memory.

use crate::model::Invalid;
use crate::model::access::Principal;
use crate::model::id::{AccountId, SiteId};
use crate::model::site::Site;
use crate::model::text::{LINE_BYTES_MAX, line, shown};
use crate::model::ticketing::{System, system_name};
use crate::service::access::Permission;
use crate::service::paging::{Page, PageRequest, query_purpose};
use crate::service::site_list::PAGE_BYTES_MAX;
use crate::service::{Error, Versioned, Waymark, site_of};
use crate::store::{Key, Kind};
use crate::ticketing::{ExternalSite, Listed, Organization};

/// Shortest search, in characters: what Zendesk asks for.
const SEARCH_CHARS_MIN: usize = 2;
/// Longest search, in characters: names are not longer.
const SEARCH_CHARS_MAX: usize = 100;
/// Records that are read together.
const CHUNK: usize = 100;

/// An organisation of a system, with its web page; empty where that is not known.
#[derive(Debug, Clone)]
pub struct FoundOrganization {
    /// The organisation.
    pub organization: Organization,
    /// Its page.
    pub uri: String,
}

/// Sites that are tied to an organisation.
#[derive(Debug, Clone)]
pub struct LinkedPage {
    /// The page.
    pub page: Page<Versioned<Site>>,
    /// All of them.
    pub total: usize,
}

impl Waymark {
    /// The systems that are known and can be asked.
    pub fn ticketing_systems(
        &self,
        principal: &Principal,
        account: &AccountId,
    ) -> Result<[System; System::ALL.len()], Error> {
        self.account_for(principal, account, Permission::See)?;
        Ok(System::ALL)
    }

    /// A page of a system's organisations, asked for there.
    pub async fn list_external_organizations(
        &self,
        principal: &Principal,
        account: &AccountId,
        system: System,
        search: &str,
        token: &str,
    ) -> Result<Page<FoundOrganization>, Error> {
        self.account_for(principal, account, Permission::Change)?;
        self.found_connection(account, system).await?;
        let search = checked_search(search)?;
        let purpose = || query_purpose(principal, "external-organizations", &(account, system, &search));
        let page = PageRequest { size: 0, token: token.to_owned() };
        let cursor: Option<String> = self.cursor(&purpose, &page)?;
        let connector = self.connector(account, system).await?;
        let Listed { items, next } = connector.organizations(&search, cursor.as_deref()).await?;
        let found = items.into_iter().map(|organization| FoundOrganization {
            uri: connector.web_page(&organization.id).unwrap_or_default(),
            organization,
        });
        Ok(self.page_until(&purpose, found.collect(), next.as_ref()))
    }

    /// A page of the sites of a system's organisation, asked for there.
    pub async fn list_external_sites(
        &self,
        principal: &Principal,
        account: &AccountId,
        system: System,
        organization: &str,
        token: &str,
    ) -> Result<Page<ExternalSite>, Error> {
        self.account_for(principal, account, Permission::Change)?;
        self.found_connection(account, system).await?;
        let facts = system.facts();
        if !facts.organization_id.fits(organization) {
            let (about, got) = (facts.organization_id.about(), shown(organization));
            let why = format!("the id of a {} {} is {about}, got {got}", facts.display_name, facts.organization_term);
            return Err(Invalid::new("organization_id", why).into());
        }
        let purpose = || query_purpose(principal, "external-sites", &(account, system, organization));
        let page = PageRequest { size: 0, token: token.to_owned() };
        let cursor: Option<String> = self.cursor(&purpose, &page)?;
        let connector = self.connector(account, system).await?;
        let Listed { items, next } = connector.sites(organization, cursor.as_deref()).await?;
        Ok(self.page_until(&purpose, items, next.as_ref()))
    }

    /// The sites that are tied to an organisation of a system, or to any for an empty id, in the order in which they were
    /// made. Costs what is on the page.
    pub async fn list_linked_sites(
        &self,
        principal: &Principal,
        account: &AccountId,
        (system, organization): (&str, &str),
        page: &PageRequest,
    ) -> Result<LinkedPage, Error> {
        let live = self.account_for(principal, account, Permission::See)?;
        let system = system_name(&line("system", system, LINE_BYTES_MAX)?);
        let organization = line("organization_id", organization, LINE_BYTES_MAX)?;
        if system.is_empty() {
            return Err(Invalid::new("system", "a system is required").into());
        }
        let limit = page.limit()?;
        let purpose = || query_purpose(principal, "linked-sites", &(account, &system, &organization));
        let after: Option<SiteId> = self.cursor(&purpose, page)?;
        let (mut ids, total) = live.links.tied(&system, &organization, after, limit + 1);
        let has_more = ids.len() > limit;
        ids.truncate(limit);
        let (mut items, mut bytes, mut next) = (Vec::with_capacity(ids.len()), 0, None);
        'chunks: for chunk in ids.chunks(CHUNK) {
            let keys = chunk.iter().map(|id| Key::of(account, Kind::Site, id)).collect();
            for (id, read) in chunk.iter().zip(self.parts.store.get_each(keys).await?) {
                // One that is deleted meanwhile is left out, and one that cannot be read.
                let site = read.ok().flatten().map(site_of).transpose()?.filter(|site| site.value.deleted_at.is_none());
                bytes += site.as_ref().map_or(0, |site| site.value.weight());
                items.extend(site);
                if bytes >= PAGE_BYTES_MAX {
                    next = Some(*id);
                    break 'chunks;
                }
            }
        }
        let next = next.or_else(|| ids.last().copied().filter(|_| has_more));
        Ok(LinkedPage { page: self.page_until(&purpose, items, next.as_ref()), total })
    }
}

fn checked_search(search: &str) -> Result<String, Invalid> {
    let search = line("search", search, LINE_BYTES_MAX)?;
    let chars = search.chars().count();
    if chars == 0 || (SEARCH_CHARS_MIN..=SEARCH_CHARS_MAX).contains(&chars) {
        return Ok(search);
    }
    let why = format!("empty, or {SEARCH_CHARS_MIN} to {SEARCH_CHARS_MAX} characters, got {chars}");
    Err(Invalid::new("search", why))
}
