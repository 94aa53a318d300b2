//! Sites one by one: get, make, change, delete, restore.
//!
//! A change reads the site, works on the copy, and commits it over the version that it read; who was overtaken
//! tries again, unless the caller named the version.

use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::access::{Permission, require_contacts};
use super::assigned::require_tended;
use super::error::Resource;
use super::patch::SitePatch;
use super::record::Author;
use super::requests::RequestId;
use super::{ATTEMPTS_MAX, Error, Versioned, Waymark, record};
use crate::live::LiveAccount;
use crate::model::access::Principal;
use crate::model::evidence::Storage;
use crate::model::history::Cause;
use crate::model::id::{AccountId, SiteId};
use crate::model::location::{Evidence, Fix};
use crate::model::site::{Site, TicketingLink};
use crate::model::ticketing::LinkCheck;
use crate::model::{Invalid, text};
use crate::store::document::{Document, NameClaim};
use crate::store::{Error as StoreError, Key, Kind, Mutation};

/// How a change shall be made.
#[derive(Debug, Clone, Default)]
pub struct ChangeOptions {
    /// The version that the caller has seen; empty for any.
    pub etag: String,
    /// Whether everything is checked and nothing is written.
    pub validate_only: bool,
}

/// A site that changes: as it shall be, and what becomes of that.
pub(super) struct Draft {
    pub(super) site: Site,
    pub(super) step: Step,
}

/// What becomes of a change.
pub(super) enum Step {
    /// It is written, together with these.
    Write(Vec<Mutation>),
    /// Nothing is written.
    Leave,
    /// What was read beside the site is newer than it: everything is read again.
    Again,
}

impl Waymark {
    /// One site, deleted ones too where the principal sees all.
    pub async fn get_site(
        &self,
        principal: &Principal,
        account: &AccountId,
        site: SiteId,
    ) -> Result<Versioned<Site>, Error> {
        self.account_for(principal, account, Permission::Find)?;
        let found = self.find_assigned(account, site, principal.assigned.as_ref()).await?;
        found.ok_or_else(|| missing(account, site))
    }

    /// Makes a site without an agent. A repeat with the same `request_id` gives the site of the first call.
    pub async fn create_site(
        &self,
        principal: &Principal,
        account: &AccountId,
        patch: SitePatch,
        request_id: &str,
    ) -> Result<Versioned<Site>, Error> {
        let live = self.account_for(principal, account, Permission::Change)?;
        if patch.holds_private() {
            require_contacts(principal)?;
        }
        let (mut site, patch) = self.new_site(&live, patch).await?;
        let now = site.created_at;
        let name_claim = Document::SiteName(NameClaim { site: site.id });
        let mut batch = vec![Mutation::create(site_name_key(&site), name_claim)];
        batch.extend(record::create(&mut site, &Author::of(principal, Cause::Created), now));
        let request = RequestId::parse(account, request_id, &patch)?;
        if let Some(request) = &request {
            if let Some(first) = self.find_answer(account, request).await? {
                return Ok(first);
            }
            batch.push(request.answered(site.id, now));
        }
        self.require_room(&live)?;
        match self.parts.store.commit(batch).await {
            Ok(revision) => Ok(Versioned { value: site, revision }),
            Err(StoreError::Conflict { key }) => {
                // A call with the same request id may have been faster, and then holds the name too.
                let raced = match &request {
                    Some(request) => self.find_answer(account, request).await?,
                    None => None,
                };
                match raced {
                    Some(first) => Ok(first),
                    None => Err(self.taken(key, &site).await),
                }
            }
            Err(cause) => Err(cause.into()),
        }
    }

    /// The site that `create_site` would make; refused where it would be, and nothing is made.
    pub async fn preview_site(
        &self,
        principal: &Principal,
        account: &AccountId,
        patch: SitePatch,
    ) -> Result<Versioned<Site>, Error> {
        let live = self.account_for(principal, account, Permission::Change)?;
        if patch.holds_private() {
            require_contacts(principal)?;
        }
        let (value, _) = self.new_site(&live, patch).await?;
        let key = site_name_key(&value);
        if self.claimant(account, &key).await?.is_some() {
            return Err(Error::SiteNameTaken(value.display_name));
        }
        self.require_room(&live)?;
        Ok(Versioned { value, revision: live.revision() })
    }

    /// A site of an account as a patch says, not kept yet, with the patch, checked.
    pub(super) async fn new_site(&self, live: &LiveAccount, patch: SitePatch) -> Result<(Site, SitePatch), Error> {
        let owner = live.account();
        let patch = patch.checked(owner.country).map_err(|fault| fault.within("site"))?;
        Ok((self.site_as(&owner.id, &patch).await?, patch))
    }

    /// The same of a patch that is checked already.
    pub(super) async fn site_as(&self, account: &AccountId, patch: &SitePatch) -> Result<Site, Error> {
        let Some(display_name) = patch.display_name.clone() else {
            return Err(Invalid::new("site.display_name", "a site's name is not empty").into());
        };
        let mut site = Site::new(account.clone(), display_name, self.now());
        patch.apply(&mut site);
        let pages = self.link_pages(account, &site.ticketing_links).await?;
        pages.fill(&mut site.ticketing_links);
        Ok(site)
    }

    /// Changes what the patch names.
    pub async fn update_site(
        &self,
        principal: &Principal,
        account: &AccountId,
        site: SiteId,
        patch: SitePatch,
        options: &ChangeOptions,
    ) -> Result<Versioned<Site>, Error> {
        let live = self.account_for(principal, account, Permission::Tend)?;
        require_tended(principal, &patch)?;
        if patch.names_private() {
            require_contacts(principal)?;
        }
        let patch = patch.checked(live.account().country).map_err(|fault| fault.within("site"))?;
        let pages = self.link_pages(account, patch.ticketing_links.as_deref().unwrap_or_default()).await?;
        self.change_site(account, site, Author::of(principal, Cause::Updated), options, |site, _| {
            patch.apply(site);
            pages.fill(&mut site.ticketing_links);
            Ok(())
        })
        .await
    }

    /// Deletes a site: it leaves map and lists, and its name becomes free.
    pub async fn delete_site(
        &self,
        principal: &Principal,
        account: &AccountId,
        site: SiteId,
        etag: String,
    ) -> Result<Versioned<Site>, Error> {
        let live = self.account_for(principal, account, Permission::Change)?;
        let options = ChangeOptions { etag, validate_only: false };
        self.change_site(account, site, Author::of(principal, Cause::Deleted), &options, |site, now| {
            // Memory forgets it, so the record has to know.
            site.last_seen_at = site.last_seen_at.max(live.heard_at(site.id));
            site.deleted_at = Some(now);
            Ok(())
        })
        .await
    }

    /// Restores a deleted site, under its own name or a new one.
    pub async fn undelete_site(
        &self,
        principal: &Principal,
        account: &AccountId,
        site: SiteId,
        etag: String,
        display_name: &str,
    ) -> Result<Versioned<Site>, Error> {
        let live = self.account_for(principal, account, Permission::Change)?;
        let new_name = if display_name.is_empty() { None } else { Some(text::display_name(display_name)?) };
        let options = ChangeOptions { etag, validate_only: false };
        self.commit_change(account, site, Author::of(principal, Cause::Undeleted), &options, |site, _| {
            if site.deleted_at.take().is_none() {
                return Err(Error::SiteNotDeleted(Resource::Site(account.clone(), site.id)));
            }
            self.require_room(&live)?;
            if let Some(name) = &new_name {
                site.display_name.clone_from(name);
            }
            Ok(())
        })
        .await
    }

    /// Changes a live site by `change`.
    pub(super) async fn change_site(
        &self,
        account: &AccountId,
        id: SiteId,
        author: Author,
        options: &ChangeOptions,
        change: impl Fn(&mut Site, Timestamp) -> Result<(), Error>,
    ) -> Result<Versioned<Site>, Error> {
        self.commit_change(account, id, author, options, |site, now| {
            if site.deleted_at.is_some() {
                return Err(Error::SiteDeleted(Resource::Site(account.clone(), id)));
            }
            change(site, now)
        })
        .await
    }

    /// Reads, changes and commits a site with its claims, again and again while others are faster.
    pub(super) async fn commit_change(
        &self,
        account: &AccountId,
        id: SiteId,
        author: Author,
        options: &ChangeOptions,
        change: impl Fn(&mut Site, Timestamp) -> Result<(), Error>,
    ) -> Result<Versioned<Site>, Error> {
        let change = &change;
        self.commit_over(account, id, author, |before, now| self.draft(before, now, options, change)).await
    }

    /// A site of the caller's version, changed, with its claims.
    pub(super) async fn draft(
        &self,
        before: Site,
        now: Timestamp,
        options: &ChangeOptions,
        change: impl Fn(&mut Site, Timestamp) -> Result<(), Error>,
    ) -> Result<Draft, Error> {
        if !options.etag.is_empty() && options.etag != self.etag_of(&before) {
            return Err(Error::EtagMismatch(Resource::Site(before.account, before.id)));
        }
        let mut site = before.clone();
        change(&mut site, now)?;
        site.updated_at = now;
        let step = match self.name_mutations(&before, &site).await? {
            None => Step::Again,
            Some(_) if options.validate_only => Step::Leave,
            Some(claims) => Step::Write(claims),
        };
        Ok(Draft { site, step })
    }

    /// Reads a site, lets `change` make another version of it, and commits that over what was read, together with what
    /// `change` adds: again and again while others are faster.
    pub(super) async fn commit_over<Changing: Future<Output = Result<Draft, Error>>>(
        &self,
        account: &AccountId,
        id: SiteId,
        author: Author,
        change: impl Fn(Site, Timestamp) -> Changing,
    ) -> Result<Versioned<Site>, Error> {
        for _ in 0..ATTEMPTS_MAX {
            let found = self.find_assigned(account, id, author.assigned.as_ref()).await?;
            let Versioned { value: before, revision } = found.ok_or_else(|| missing(account, id))?;
            let now = self.now();
            // Whoever changes the site has seen it without what must not be held any more.
            let mut seen = before.clone();
            seen.drop_expired(now);
            let Draft { mut site, step } = change(seen, now).await?;
            let mut batch = match step {
                Step::Write(batch) => batch,
                Step::Leave => return Ok(Versioned { value: site, revision }),
                Step::Again => continue,
            };
            batch.extend(record::replace(&before, revision, &mut site, &author, now));
            match self.parts.store.commit(batch).await {
                Ok(revision) => return Ok(Versioned { value: site, revision }),
                // Another write to this site or to what goes with it: read again, and the records say whose it is.
                Err(StoreError::Conflict { .. }) => {}
                Err(cause) => return Err(cause.into()),
            }
        }
        Err(Error::Contention(Resource::Site(account.clone(), id).to_string()))
    }

    /// The version of a site that callers are told.
    #[must_use]
    pub fn etag_of(&self, site: &Site) -> String {
        self.guarded_etag(&etag_of(site))
    }

    /// An etag behind the deployment's secret: without, who is shown no contact could try contacts against its hash.
    pub(super) fn guarded_etag(&self, etag: &str) -> String {
        let guarded = self.sealer.derive("etag", &[etag.as_bytes()]);
        guarded.first_chunk().map(|first| format!("{:016x}", u64::from_be_bytes(*first))).unwrap_or_default()
    }

    /// What a change does to the claims on names: the new one is claimed, the old one let go. `None` where the site
    /// itself claimed the new name after `before` was read.
    async fn name_mutations(&self, before: &Site, after: &Site) -> Result<Option<Vec<Mutation>>, Error> {
        let claim_of = |site: &Site| site.deleted_at.is_none().then(|| site_name_key(site));
        let (old, new) = (claim_of(before), claim_of(after));
        if old == new {
            return Ok(Some(Vec::new()));
        }
        let mut mutations: Vec<Mutation> = old.into_iter().map(Mutation::delete).collect();
        if let Some(key) = new {
            // Looked up first, so that `validate_only` notices too.
            match self.claimant(&after.account, &key).await? {
                Some(claimant) if claimant == after.id => return Ok(None),
                Some(_) => return Err(Error::SiteNameTaken(after.display_name.clone())),
                None => {}
            }
            mutations.push(Mutation::create(key, Document::SiteName(NameClaim { site: after.id })));
        }
        Ok(Some(mutations))
    }

    /// Why a record that is there keeps a site from being made.
    async fn taken(&self, key: Key, site: &Site) -> Error {
        if key.kind != Kind::SiteName {
            return Error::Store(StoreError::Conflict { key });
        }
        match self.claimant(&site.account, &key).await {
            Ok(_) => Error::SiteNameTaken(site.display_name.clone()),
            Err(cause) => cause,
        }
    }
}

/// A version of what people say of a site. An agent's hello and a machine's estimate leave it as it is, so that they
/// take nobody's edit away; the store's own revision guards every write besides.
#[must_use]
pub fn etag_of(site: &Site) -> String {
    let fixes: Vec<Fix> = site.fixes.iter().filter(|fix| fix.source.is_person()).map(without_terms).collect();
    // What machines found at the other end is not said by people.
    let said = |link: &TicketingLink| TicketingLink { check: LinkCheck::default(), ..link.clone() };
    let (contact, links) = (&site.contact, site.ticketing_links.iter().map(said).collect::<Vec<_>>());
    let texts = (&site.display_name, &site.customer_id, &site.contract_id, &site.note, &site.labels);
    // When it is asked for again is a machine's business.
    let address = site.address.as_ref();
    let address = address.map(|it| (&it.typed, &it.parts, it.country, &it.formatted, it.state, it.keep_pin));
    etag(&(texts, contact, links, fixes, address, site.deleted_at, &site.dismissals))
}

/// The fix without the end of its provider's terms, which machines put off.
fn without_terms(fix: &Fix) -> Fix {
    let mut fix = fix.clone();
    if let Evidence::Geocoded(answer) = &mut fix.evidence {
        answer.storage = Storage::Unlimited;
    }
    fix
}

/// The etag of what people say of something: one for the same words, whenever they were written.
pub(super) fn etag(said: &impl Serialize) -> String {
    let hash = hash_of(said);
    hash.first_chunk().map(|first| format!("{:016x}", u64::from_be_bytes(*first))).unwrap_or_default()
}

/// SHA-256 of a value's JSON, which does not change with the program.
pub(super) fn hash_of(value: &impl Serialize) -> [u8; 32] {
    Sha256::digest(serde_json::to_vec(value).expect("plain structs with text keys")).into()
}

pub(super) fn site_name_key(site: &Site) -> Key {
    Key::of(&site.account, Kind::SiteName, text::fold(&site.display_name))
}

pub(super) fn missing(account: &AccountId, site: SiteId) -> Error {
    Error::NotFound(Resource::Site(account.clone(), site))
}
