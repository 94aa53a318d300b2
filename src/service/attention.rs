//! What needs attention: a list, the worst first, with counts; and persons' word that something needs none.

use super::access::Permission;
use super::paging::{Page, PageRequest, query_purpose};
use super::record::Author;
use super::site_list::PAGE_BYTES_MAX;
use super::sites::ChangeOptions;
use super::{Error, Versioned, Waymark, site_of};
use crate::model::Invalid;
use crate::model::access::Principal;
use crate::model::attention::{Attention, AttentionReason, Dismissal, fingerprint, is_dismissed, is_raised};
use crate::model::history::Cause;
use crate::model::id::{AccountId, Revision, SiteId};
use crate::model::site::Site;
use crate::model::sketch::SiteSketch;
use crate::spatial::AttentionCursor;
use crate::store::{Key, Kind};

pub use crate::spatial::AttentionCounts;

/// Records that are read together.
const CHUNK: usize = 100;

/// A site that needs attention.
#[derive(Debug, Clone)]
pub struct AttentionItem {
    /// The site.
    pub site: Versioned<Site>,
    /// Why.
    pub attention: Attention,
    /// How many sites that persons located are on its spot; `None` where no person located it.
    pub company: Option<u32>,
}

/// A page of the list.
#[derive(Debug, Clone)]
pub struct AttentionPage {
    /// The sites.
    pub page: Page<AttentionItem>,
    /// Those of this page whose records cannot be read.
    pub unreadable: Vec<SiteId>,
    /// Those of all sites that match, whatever reasons were asked for.
    pub counts: AttentionCounts,
    /// Every write to the account up to this one is in the counts and in the choice of the sites.
    pub revision: Revision,
}

impl Waymark {
    /// The matching sites that need attention for one of the reasons (all for none), the worst first.
    ///
    /// Costs what is on the page, and a look at each site in need that is passed over, at most 20,000 a page; where the
    /// filter asks for texts that nobody asked for lately, a look at each site of the account once.
    pub async fn list_attention(
        &self,
        principal: &Principal,
        account: &AccountId,
        reasons: &[AttentionReason],
        filter: &str,
        page: &PageRequest,
    ) -> Result<AttentionPage, Error> {
        self.account_for(principal, account, Permission::Read)?;
        let map = self.map_of(principal, account, filter)?;
        let limit = page.limit()?;
        let purpose = || query_purpose(principal, "attention", &(account, reasons, filter));
        let after: Option<AttentionCursor> = self.cursor(&purpose, page)?;
        let wanted = if reasons.is_empty() { &AttentionReason::ALL[..] } else { reasons };
        let wanted: Attention = wanted.iter().copied().collect();
        let look = map.look(|view, revision| {
            let (found, next) = view.attending(wanted, after, limit);
            let company = |(site, attention)| Found { site, attention, company: view.company_of(site) };
            let found: Vec<Found> = found.into_iter().map(company).collect();
            Ok((found, next, view.attention_counts(), revision))
        });
        let (found, mut next, counts, revision) = look.await?;
        let Records { items, unreadable, cut } = self.read_found(account, found).await?;
        next = cut.or(next);
        let page = self.page_until(&purpose, items, next.as_ref());
        Ok(AttentionPage { page, unreadable, counts, revision })
    }

    /// The records of what was found, as many as a message holds. A site that is gone meanwhile is left out.
    async fn read_found(&self, account: &AccountId, found: Vec<Found>) -> Result<Records, Error> {
        let (mut records, mut bytes) = (Records::default(), 0);
        for part in found.chunks(CHUNK) {
            let keys = part.iter().map(|found| Key::of(account, Kind::Site, found.site)).collect();
            let read = self.parts.store.get_each(keys).await?;
            for (found, read) in part.iter().zip(read) {
                let Ok(record) = read else {
                    records.unreadable.push(found.site);
                    continue;
                };
                let site = record.map(site_of).transpose()?.filter(|site| site.value.deleted_at.is_none());
                bytes += site.as_ref().map_or(0, |site| site.value.weight());
                let (attention, company) = (found.attention, found.company);
                records.items.extend(site.map(|site| AttentionItem { site: self.shown(site), attention, company }));
                if bytes >= PAGE_BYTES_MAX {
                    let reason = found.attention.worst();
                    records.cut = reason.map(|reason| AttentionCursor { reason, site: found.site });
                    return Ok(records);
                }
            }
        }
        Ok(records)
    }

    /// Says that a reason is none for a site, for as long as what it rests on is the same.
    pub async fn dismiss_attention(
        &self,
        principal: &Principal,
        account: &AccountId,
        id: SiteId,
        reason: AttentionReason,
        etag: String,
    ) -> Result<Versioned<Site>, Error> {
        let live = self.account_for(principal, account, Permission::Change)?;
        let options = ChangeOptions { etag, validate_only: false };
        self.change_site(account, id, Author::of(principal, Cause::AttentionDismissed), &options, |site, now| {
            let sketch = SiteSketch::from(&*site);
            if is_dismissed(reason, &sketch) {
                return Ok(());
            }
            let is_crowded = reason == AttentionReason::Crowded && live.attention_of(id).has(reason);
            if !is_crowded && !is_raised(reason, &sketch) {
                let why = format!("the site does not need attention for {}: list it again", reason.as_str());
                return Err(Invalid::new("reason", why).into());
            }
            let fingerprint = fingerprint(reason, &sketch);
            // What rested on other facts says nothing any more.
            let known = site.dismissals.iter().map(|known| known.reason);
            let stale: Vec<_> = known.filter(|known| *known == reason || !is_dismissed(*known, &sketch)).collect();
            site.dismissals.retain(|known| !stale.contains(&known.reason));
            let dismissal = Dismissal { reason, fingerprint, by: principal.actor(), at: now };
            site.dismissals.push(dismissal);
            Ok(())
        })
        .await
    }

    /// Takes a dismissal back.
    pub async fn restore_attention(
        &self,
        principal: &Principal,
        account: &AccountId,
        id: SiteId,
        reason: AttentionReason,
        etag: String,
    ) -> Result<Versioned<Site>, Error> {
        self.account_for(principal, account, Permission::Change)?;
        let options = ChangeOptions { etag, validate_only: false };
        self.change_site(account, id, Author::of(principal, Cause::AttentionRestored), &options, |site, _| {
            site.dismissals.retain(|dismissal| dismissal.reason != reason);
            Ok(())
        })
        .await
    }
}

/// What became of found sites when their records were read.
#[derive(Debug, Default)]
struct Records {
    items: Vec<AttentionItem>,
    /// Those whose records cannot be read.
    unreadable: Vec<SiteId>,
    /// Where the rest goes on, where a message holds no more.
    cut: Option<AttentionCursor>,
}

/// A site of the list, as the map has it.
#[derive(Debug)]
struct Found {
    site: SiteId,
    attention: Attention,
    company: Option<u32>,
}
