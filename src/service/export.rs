//! Exporting what is personal: of one site, or of an account's sites, page by page. It is what an erasure takes away.
//!
//! A site's data come first, then its history from the oldest entry on, so that a page may end anywhere in it and what is
//! made meanwhile comes later. Memory holds one page, whatever a history is long.

use serde::{Deserialize, Serialize};

use super::access::{Permission, require_contacts};
use super::paging::{Page, PageRequest, PartialPage, query_purpose};
use super::record::{change_key, past_prefix};
use super::resident::ShownAccess;
use super::site_list::PAGE_BYTES_MAX;
use super::{Error, Versioned, Waymark, site_of};
use crate::model::access::Principal;
use crate::model::history::Change;
use crate::model::id::{AccountId, SiteId};
use crate::model::site::Site;
use crate::model::site_devices::SiteDevices;
use crate::store::{Kind, Range, id_of, scan_on};

/// Entries that are read together: one may hold two notes of 64 KiB.
const ENTRIES_CHUNK: usize = 64;
/// Sites that are read together.
const SITES_CHUNK: usize = 50;
/// About how many bytes a device, or what is allowed with one, takes in a message beside its names.
const DEVICE_BYTES: usize = 192;

/// What is personal of a site now.
#[derive(Debug)]
pub struct PersonalData {
    /// The site, as it is shown.
    pub site: Site,
    /// Its devices.
    pub devices: SiteDevices,
    /// The resident's access.
    pub access: ShownAccess,
}

/// A record of an export.
#[derive(Debug)]
pub enum PersonalRecord {
    /// What is held of a site now.
    Site(Box<PersonalData>),
    /// An entry of a site's history, with its texts whole.
    Change(AccountId, SiteId, Box<Change>),
}

/// Where the next page goes on: behind this entry of the site's history; behind its data for 0, and behind the site for
/// [`BEHIND_ALL`].
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Cursor {
    site: String,
    change: u32,
}

/// More entries than a history has.
const BEHIND_ALL: u32 = u32::MAX;

/// The records of a page that is being gathered.
#[derive(Debug)]
struct Gathered {
    records: Vec<PersonalRecord>,
    bytes: usize,
    limit: usize,
    /// Sites that cannot be read, or not whole.
    unreadable: Vec<SiteId>,
    /// Behind the last record, or the last site that cannot be read.
    end: Option<Cursor>,
}

impl Gathered {
    fn new(limit: usize) -> Self {
        Self { records: Vec::new(), bytes: 0, limit, unreadable: Vec::new(), end: None }
    }

    fn add(&mut self, record: PersonalRecord, bytes: usize, end: Cursor) {
        self.records.push(record);
        self.bytes += bytes;
        self.end = Some(end);
    }

    /// Takes note of a site that cannot be read, under this id.
    fn leave_out(&mut self, site: String) {
        self.unreadable.extend(site.parse::<SiteId>().ok());
        self.end = Some(Cursor { site, change: BEHIND_ALL });
    }

    /// Takes note of a site of which one record could not be read: what there is behind that is left out. Any other failure ends the
    /// page.
    fn go_on_behind(&mut self, site: String, outcome: Result<(), Error>) -> Result<(), Error> {
        match outcome {
            Err(cause) if cause.is_of_one_record() => {
                self.leave_out(site);
                Ok(())
            }
            outcome => outcome,
        }
    }

    fn is_full(&self) -> bool {
        self.records.len() + self.unreadable.len() >= self.limit || self.bytes >= PAGE_BYTES_MAX
    }
}

impl PersonalData {
    /// About how many bytes it takes in a message.
    fn weight(&self) -> usize {
        let devices = self.devices.devices.values();
        let named = devices.map(|it| DEVICE_BYTES + it.id.len() + it.display_name.len() + it.kind.len());
        let permissions = self.access.access.iter().flat_map(|access| access.permissions.keys());
        self.site.weight() + named.chain(permissions.map(|id| DEVICE_BYTES + id.len())).sum::<usize>()
    }
}

impl Waymark {
    /// A page of what is personal of a site, deleted or not.
    ///
    /// Cost: three reads for the site, and one for each 64 entries and each long text.
    pub async fn export_site(
        &self,
        principal: &Principal,
        account: &AccountId,
        site: SiteId,
        page: &PageRequest,
    ) -> Result<Page<PersonalRecord>, Error> {
        self.account_for(principal, account, Permission::Administer)?;
        require_contacts(principal)?;
        let found = self.get_site(principal, account, site).await?;
        let purpose = || query_purpose(principal, "export of a site", &(account, site));
        let mut gathered = Gathered::new(page.limit()?);
        match self.cursor::<Cursor>(&purpose, page)? {
            Some(cursor) => self.gather_changes(&found.value, cursor.change, &mut gathered).await?,
            None => self.gather_site(found, &mut gathered).await?,
        }
        Ok(self.gathered_page(&purpose, gathered).page)
    }

    /// A page of what is personal of an account's sites, in the order of their ids. Sites that cannot be read whole, with
    /// devices, access and history, count as records of it: what was read of such a one before may be there.
    ///
    /// Cost: as of single sites; beside them up to 50 sites that are not on the page any more are read.
    pub async fn export_sites(
        &self,
        principal: &Principal,
        account: &AccountId,
        page: &PageRequest,
    ) -> Result<PartialPage<PersonalRecord>, Error> {
        self.account_for(principal, account, Permission::Administer)?;
        require_contacts(principal)?;
        let purpose = || query_purpose(principal, "export of an account", account);
        let mut gathered = Gathered::new(page.limit()?);
        let cursor: Option<Cursor> = self.cursor(&purpose, page)?;
        let mut after = cursor.as_ref().map(|cursor| cursor.site.clone());
        if let Some(Cursor { site, change }) = cursor
            && change != BEHIND_ALL
            && let Ok(id) = site.parse()
        {
            match self.read_site(account, id).await? {
                Ok(Some(found)) => {
                    let outcome = self.gather_changes(&found.value, change, &mut gathered).await;
                    gathered.go_on_behind(site, outcome)?;
                }
                Ok(None) => {}
                // It was told a moment ago: what is left of its history is not.
                Err(_) => gathered.leave_out(site),
            }
        }
        while !gathered.is_full() {
            let limit = SITES_CHUNK.min(gathered.limit);
            let range = Range { after: after.take(), limit, ..Range::all(Some(account.clone()), Kind::Site) };
            let (records, is_last) = scan_on(&*self.parts.store, range).await?;
            after = records.last().map(|read| id_of(read).to_owned());
            for read in records {
                if gathered.is_full() {
                    break;
                }
                match read {
                    Ok(record) => {
                        let id = record.key.id.clone();
                        let outcome = self.gather_site(site_of(record)?, &mut gathered).await;
                        gathered.go_on_behind(id, outcome)?;
                    }
                    Err(unreadable) => gathered.leave_out(unreadable.id),
                }
            }
            if is_last && !gathered.is_full() {
                break;
            }
        }
        Ok(self.gathered_page(&purpose, gathered))
    }

    /// The page; one that is full may be the last, which the next one then says by being empty.
    fn gathered_page(&self, purpose: &impl Fn() -> String, gathered: Gathered) -> PartialPage<PersonalRecord> {
        let end = gathered.end.as_ref().filter(|_| gathered.is_full());
        let (end, unreadable) = (end.cloned(), gathered.unreadable);
        PartialPage { page: self.page_until(purpose, gathered.records, end.as_ref()), unreadable }
    }

    /// A site's data, and as much of its history as there is room for.
    async fn gather_site(&self, found: Versioned<Site>, gathered: &mut Gathered) -> Result<(), Error> {
        let site = self.shown(found).value;
        let (account, id) = (site.account.clone(), site.id);
        let (devices, _) = self.find_devices(&account, id).await?;
        let access = self.shown_access(&account, id).await?;
        let data = PersonalData { site, devices, access };
        let end = Cursor { site: id.to_string(), change: 0 };
        let bytes = data.weight();
        // The long texts of entries are compared with the note as it is.
        let site = data.site.clone();
        gathered.add(PersonalRecord::Site(Box::new(data)), bytes, end);
        self.gather_changes(&site, 0, gathered).await
    }

    /// The entries of a site's history behind a number, as many as there is room for.
    async fn gather_changes(&self, site: &Site, behind: u32, gathered: &mut Gathered) -> Result<(), Error> {
        let (account, id) = (&site.account, site.id);
        let mut behind = behind;
        while !gathered.is_full() {
            let limit = ENTRIES_CHUNK.min(gathered.limit - gathered.records.len() - gathered.unreadable.len());
            let range = Range {
                prefix: past_prefix(id),
                after: Some(change_key(account, id, behind).id),
                limit,
                ..Range::all(Some(account.clone()), Kind::Change)
            };
            let records = self.parts.store.scan(range).await?;
            let is_last = records.len() < limit;
            for record in records {
                if gathered.is_full() {
                    return Ok(());
                }
                let change = self.whole_change(site, record).await?;
                behind = change.number;
                let (bytes, end) = (change.weight(), Cursor { site: id.to_string(), change: behind });
                gathered.add(PersonalRecord::Change(account.clone(), id, Box::new(change)), bytes, end);
            }
            if is_last {
                return Ok(());
            }
        }
        Ok(())
    }
}
