//! Several sites by their names, as far as they go into one answer.

use super::access::Permission;
use super::assigned::is_for;
use super::site_list::PAGE_BYTES_MAX;
use super::sites::missing;
use super::{Error, Versioned, Waymark, site_of};
use crate::model::Invalid;
use crate::model::access::Principal;
use crate::model::id::{AccountId, SiteId};
use crate::model::site::Site;
use crate::store::{Key, Kind, Record};

/// Most sites of one batch get.
pub const BATCH_MAX: usize = 100;

impl Waymark {
    /// Several sites of one account, in the order asked for. `Invalid` where they are longer than [`PAGE_BYTES_MAX`] together.
    pub async fn batch_get_sites(
        &self,
        principal: &Principal,
        account: &AccountId,
        sites: &[SiteId],
    ) -> Result<Vec<Versioned<Site>>, Error> {
        self.account_for(principal, account, Permission::Find)?;
        if !(1..=BATCH_MAX).contains(&sites.len()) {
            return Err(Invalid::new("names", format!("1 to {BATCH_MAX} names, got {}", sites.len())).into());
        }
        let keys = sites.iter().map(|site| Key::of(account, Kind::Site, site)).collect();
        let records: Vec<Option<Record>> = match principal.assigned {
            None => self.parts.store.get_many(keys).await?,
            // One that cannot be read is nobody's.
            Some(_) => self.parts.store.get_each(keys).await?.into_iter().map(|read| read.ok().flatten()).collect(),
        };
        let mut found: Vec<Versioned<Site>> = Vec::with_capacity(sites.len());
        let mut bytes = 0;
        for (record, id) in records.into_iter().zip(sites) {
            let site = record.map(site_of).transpose()?.filter(|site| is_for(principal, &site.value));
            let site = site.ok_or_else(|| missing(account, *id))?;
            bytes += site.value.weight();
            if bytes > PAGE_BYTES_MAX {
                let fit = found.len();
                let told = format!("these sites are longer than {PAGE_BYTES_MAX} bytes: ask for {fit} of them at once");
                return Err(Invalid::new("names", told).into());
            }
            found.push(site);
        }
        Ok(found)
    }
}
