//! Erasing what is personal: of one site, or of an account's sites page by page. The sites stay on the map.
//!
//! An erasure is done when it is answered, that of an account with its last page: nothing of it can be read, and the store's
//! files hold none of it, because they are written anew. One that is cut off is repeated: what is erased already stays erased.

use serde::{Deserialize, Serialize};

use super::access::Permission;
use super::paging::{PageRequest, PartialPage, query_purpose};
use super::record::Author;
use super::sites::ChangeOptions;
use super::{Error, Waymark};
use crate::model::access::Principal;
use crate::model::evidence::NetworkFacts;
use crate::model::history::Cause;
use crate::model::id::{AccountId, SiteId};
use crate::model::site::{Contact, Site};
use crate::model::uplink::Uplinks;
use crate::store::{Kind, Range, id_of, scan_on};

/// Most sites of one page of an account's erasure: some writes for each.
pub const PAGE_MAX: usize = 100;

/// How far an erasure goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ErasureOptions {
    /// Whether it takes away where people live, too: the stated address, the pin, and what else is not a database's estimate.
    pub include_location: bool,
    /// Whether it is looked if the caller may, and nothing is erased.
    pub validate_only: bool,
}

/// Where the next page goes on: behind this site.
#[derive(Debug, Serialize, Deserialize)]
struct Cursor(String);

impl Waymark {
    /// Erases what is personal of a site, deleted or not: contact, note, addresses that its agent came from, devices, the
    /// resident's access with their token, and the whole history; with `include_location` also where its people live. Gives
    /// how many records of the history that were.
    ///
    /// Name, agent, customer, contract, labels, ticketing links and what a database estimated stay, and without
    /// `include_location` all of its location. An agent that goes on reporting brings its addresses, devices and measured
    /// position back.
    pub async fn erase_site(
        &self,
        principal: &Principal,
        account: &AccountId,
        site: SiteId,
        options: ErasureOptions,
    ) -> Result<usize, Error> {
        self.account_for(principal, account, Permission::Administer)?;
        self.get_site(principal, account, site).await?;
        if options.validate_only {
            return Ok(0);
        }
        let erased = self.erase_person(principal, account, site, options.include_location).await?;
        self.parts.store.scrub().await?;
        Ok(erased)
    }

    /// Erases a page of an account's sites as [`Self::erase_site`] does, in the order of their ids; gives those of the page. A site
    /// that cannot be read is left as it is: what it holds of persons nobody knows. One of whose access or history a record cannot be
    /// read is not among those either: some of it may be erased, and that record is not.
    pub async fn erase_sites(
        &self,
        principal: &Principal,
        account: &AccountId,
        page: &PageRequest,
        options: ErasureOptions,
    ) -> Result<PartialPage<SiteId>, Error> {
        self.account_for(principal, account, Permission::Administer)?;
        let limit = page.limit()?.min(PAGE_MAX);
        // All pages of an erasure go as far as its first one.
        let method = if options.include_location { "erasure with locations" } else { "erasure" };
        let purpose = || query_purpose(principal, method, account);
        let after = self.cursor::<Cursor>(&purpose, page)?.map(|cursor| cursor.0);
        if options.validate_only {
            let page = self.page_until(&purpose, Vec::new(), None::<&Cursor>);
            return Ok(PartialPage { page, unreadable: Vec::new() });
        }
        let range = Range { after, limit, ..Range::all(Some(account.clone()), Kind::Site) };
        let (records, is_last) = scan_on(&*self.parts.store, range).await?;
        let last = records.last().filter(|_| !is_last).map(|read| Cursor(id_of(read).to_owned()));
        let (mut erased, mut unreadable) = (Vec::new(), Vec::new());
        for read in &records {
            let Ok(site) = id_of(read).parse() else { continue };
            if read.is_err() {
                unreadable.push(site);
                continue;
            }
            match self.erase_person(principal, account, site, options.include_location).await {
                Ok(_) => erased.push(site),
                Err(cause) if cause.is_of_one_record() => unreadable.push(site),
                Err(cause) => return Err(cause),
            }
        }
        if last.is_none() {
            self.parts.store.scrub().await?;
        }
        Ok(PartialPage { page: self.page_until(&purpose, erased, last.as_ref()), unreadable })
    }

    /// The history last: changes of the record are entries of it.
    async fn erase_person(
        &self,
        principal: &Principal,
        account: &AccountId,
        site: SiteId,
        include_location: bool,
    ) -> Result<usize, Error> {
        self.erase_access(account, site).await?;
        let author = Author::of(principal, Cause::Updated);
        self.commit_change(account, site, author, &ChangeOptions::default(), |site, _| {
            forget_person(site);
            if include_location {
                site.forget_personal_location();
            }
            Ok(())
        })
        .await?;
        self.forget_history(principal, account, site).await
    }
}

/// Takes what is of people out of a record.
fn forget_person(site: &mut Site) {
    site.contact = Contact::default();
    site.note = String::new();
    (site.public_ip, site.public_network) = (None, None);
    (site.claimed_ip, site.estimate_removed_for) = (None, None);
    (site.network, site.uplinks) = (NetworkFacts::default(), Uplinks::default());
}
