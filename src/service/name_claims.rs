//! Which site has a name, where the claim on it is damaged: a claim says nothing that the site's own record does not, so it is made anew
//! from that. A name that no site is known to have stays claimed: nobody gets it until the operator was there.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tracing::warn;

use super::sites::site_name_key;
use super::{Error, Versioned, Waymark, record, site_of};
use crate::model::id::{AccountId, SiteId};
use crate::model::site::Site;
use crate::model::text;
use crate::store::document::{Document, NameClaim};
use crate::store::{Error as StoreError, Expect, Key, Kind, Mutation, faults};

impl Waymark {
    /// The site that a claim on a name is of; `None` where nobody claims the name. An error where the claim cannot be read, and no site
    /// is known to have the name.
    pub(super) async fn claimant(&self, account: &AccountId, key: &Key) -> Result<Option<SiteId>, Error> {
        match self.parts.store.get(key.clone()).await {
            Ok(None) => Ok(None),
            Ok(Some(record)) => match record.document {
                Document::SiteName(claim) => Ok(Some(claim.site)),
                _ => Err(Error::Mismatched { key: key.clone() }),
            },
            Err(cause @ StoreError::Corrupt { .. }) => {
                let mut owners = self.owners_of(account, vec![key.id.clone()]).await?;
                owners.remove(&key.id).map(Some).ok_or_else(|| cause.into())
            }
            Err(cause) => Err(cause.into()),
        }
    }

    /// The sites that have these folded names, the claims on which cannot be read. Claims of those whose records say so are made anew; a
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
                    if site.value.deleted_at.is_none() && text::fold(&site.value.display_name) == name {
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
