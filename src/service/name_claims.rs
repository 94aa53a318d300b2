//! Which site has a name, where the claim on it is damaged: a claim says nothing that the site's own record does not, so it is made anew
//! from that. A name that no site is known to have stays claimed: nobody gets it until the operator was there.
//!
//! Damaged is a claim that cannot be read, and one that can and is of a site which has not that name: another program wrote it, or took
//! the site away.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use tracing::warn;

use super::error::Resource;
use super::sites::site_name_key;
use super::{ATTEMPTS_MAX, Error, Versioned, Waymark, record, site_of};
use crate::model::id::{AccountId, Revision, SiteId};
use crate::model::site::Site;
use crate::model::text;
use crate::store::document::{Document, NameClaim};
use crate::store::{Expect, Key, Kind, Mutation, Range, Record, Unreadable, faults};

/// Where a claim is that can be read and is misplaced: no use case knows of files.
const PLACE: &str = "the store";

/// Whose a name is.
#[derive(Debug)]
pub(super) struct Claimant {
    /// The site.
    pub(super) id: SiteId,
    /// Its record, by which the claim was found to be right; `None` where that cannot be read, or was not needed.
    pub(super) record: Option<Box<Versioned<Site>>>,
}

impl Waymark {
    /// The site that a claim on a name is of; `None` where nobody claims the name. An error where the claim is damaged, and no site is
    /// known to have the name.
    pub(super) async fn claimant(&self, account: &AccountId, key: &Key) -> Result<Option<SiteId>, Error> {
        Ok(self.read_claimant(account, key).await?.map(|claimant| claimant.id))
    }

    /// The same, with the site's record, for whoever goes on with that.
    pub(super) async fn read_claimant(&self, account: &AccountId, key: &Key) -> Result<Option<Claimant>, Error> {
        for _ in 0..ATTEMPTS_MAX {
            let claim = match self.claim(key).await {
                Ok(None) => return Ok(None),
                Ok(Some(claim)) => claim,
                Err(cause) if cause.is_of_one_record() => {
                    return self.owner_instead(account, key, cause).await.map(Some);
                }
                Err(cause) => return Err(cause),
            };
            let (id, _) = claim;
            match self.read_site(account, id).await? {
                Ok(Some(site)) if is_named(&site.value, &key.id) => {
                    return Ok(Some(Claimant { id, record: Some(Box::new(site)) }));
                }
                Ok(_) => {}
                // It has whatever is claimed for it.
                Err(_) => return Ok(Some(Claimant { id, record: None })),
            }
            // A site that left the name since its claim was read took the claim along.
            if self.claim(key).await? == Some(claim) {
                let cause = misplaced(account, &key.id).into();
                return self.owner_instead(account, key, Error::Store(cause)).await.map(Some);
            }
        }
        Err(Error::Contention(Resource::Account(account.clone()).to_string()))
    }

    /// What a claim on a name says, and the write that made it.
    async fn claim(&self, key: &Key) -> Result<Option<(SiteId, Revision)>, Error> {
        let Some(record) = self.parts.store.get(key.clone()).await? else { return Ok(None) };
        match record.document {
            Document::SiteName(claim) => Ok(Some((claim.site, record.revision))),
            _ => Err(Error::Mismatched { key: record.key }),
        }
    }

    /// The site that has the name of a damaged claim; `cause` where none is known to.
    async fn owner_instead(&self, account: &AccountId, key: &Key, cause: Error) -> Result<Claimant, Error> {
        let mut owners = self.owners_of(account, vec![key.id.clone()]).await?;
        owners.remove(&key.id).map(|id| Claimant { id, record: None }).ok_or(cause)
    }

    /// Of claims whose sites were found to have other names, or not to be there, those that are misplaced, by name, with the site that
    /// has the name where one is known to. The others went with their sites since they were read.
    pub(super) async fn misplaced_of(
        &self,
        account: &AccountId,
        claims: Vec<(String, SiteId)>,
    ) -> Result<Vec<(String, Option<SiteId>)>, Error> {
        if claims.is_empty() {
            return Ok(Vec::new());
        }
        let keys = claims.iter().map(|(name, _)| Key::of(account, Kind::SiteName, name)).collect();
        let read = self.parts.store.get_each(keys).await?;
        let says = |record: &Record, site: SiteId| match &record.document {
            Document::SiteName(claim) => claim.site == site,
            _ => false,
        };
        let mut names = Vec::new();
        for ((name, site), read) in claims.into_iter().zip(read) {
            if read.is_ok_and(|record| record.is_some_and(|record| says(&record, site))) {
                // It is counted, and the log tells of it.
                misplaced(account, &name);
                names.push(name);
            }
        }
        let mut owners = if names.is_empty() { HashMap::new() } else { self.owners_of(account, names.clone()).await? };
        let owned = |name: String| {
            let owner = owners.remove(&name);
            (name, owner)
        };
        Ok(names.into_iter().map(owned).collect())
    }

    /// The site, if its record alone is gone and its id still there, as where another program took the record away: lists by time name it.
    pub(super) async fn find_lost(&self, account: &AccountId, site: SiteId) -> Result<Option<SiteId>, Error> {
        let own = Range { prefix: site.to_string(), limit: 1, ..Range::all(Some(account.clone()), Kind::Site) };
        let is_lost = self.parts.store.scan_each(own).await?.iter().any(Result::is_err);
        Ok(is_lost.then_some(site))
    }

    /// The sites that have these folded names, the claims on which are damaged. Claims of those whose records say so are made anew; a
    /// site whose record cannot be read either has the name by which memory knows it.
    ///
    /// Costs a look at each site of the account in memory.
    pub(super) async fn owners_of(
        &self,
        account: &AccountId,
        names: Vec<String>,
    ) -> Result<HashMap<String, SiteId>, Error> {
        let Some(live) = self.parts.live.account(account) else { return Ok(HashMap::new()) };
        let known = live.sites_named(&HashSet::from_iter(names)).await;
        let keys = known.iter().map(|(_, site)| Key::of(account, Kind::Site, site)).collect();
        let read = self.parts.store.get_each(keys).await?;
        let (mut owners, mut whole) = (HashMap::new(), Vec::new());
        for ((name, id), read) in known.into_iter().zip(read) {
            match read {
                Ok(Some(record)) => {
                    let site = site_of(record)?;
                    // Memory may be behind.
                    if is_named(&site.value, &name) {
                        owners.insert(name, id);
                        whole.push(site);
                    }
                }
                Ok(None) => {}
                Err(_) => {
                    owners.insert(name, id);
                }
            }
        }
        self.claim_anew(whole).await;
        Ok(owners)
    }

    /// Makes the claims of sites on their names anew. Where that fails, whoever meets one of them next does it.
    async fn claim_anew(&self, sites: Vec<Versioned<Site>>) {
        if sites.is_empty() {
            return;
        }
        let (count, mut batch) = (sites.len(), Vec::with_capacity(2 * sites.len()));
        for site in sites {
            let claim = Document::SiteName(NameClaim { site: site.value.id });
            batch.push(Mutation { key: site_name_key(&site.value), expect: Expect::Any, document: Some(claim) });
            // The name is the site's for as long as this is its record.
            batch.push(record::unchanged(site));
        }
        let store = Arc::clone(&self.parts.store);
        // No write of the call that met them, which may do nothing else, or be refused.
        let done = tokio::spawn(async move { store.commit(batch).await }).await;
        match faults::joined(done).and_then(|done| done) {
            Ok(_) => warn!(count, "claims of sites on their names were damaged, and are made anew from the sites"),
            Err(cause) => warn!(count, %cause, "claims of sites on their names are damaged, and not made anew yet"),
        }
    }
}

/// Whether a site has a folded name. A deleted one has none.
pub(super) fn is_named(site: &Site, name: &str) -> bool {
    site.deleted_at.is_none() && *text::folded(&site.display_name) == *name
}

/// Takes note of a claim on a name that is of a site without that name.
fn misplaced(account: &AccountId, name: &str) -> Unreadable {
    faults::unreadable(account.as_str(), Kind::SiteName, name, Path::new(PLACE))
}
