//! The devices of a site: reported by services and the site's agent, seen by the account, and by the resident in part.

use super::super::access::Permission;
use super::super::error::Resource;
use super::super::record::Author;
use super::super::{ATTEMPTS_MAX, Error, Waymark};
use crate::model::access::{Principal, Scope};
use crate::model::history::{Cause, diff_devices};
use crate::model::id::{AccountId, Revision, SiteId};
use crate::model::resident::{DevicePermission, ResidentAccess};
use crate::model::site_devices::{SiteDevice, SiteDevices};
use crate::store::document::Document;
use crate::store::{Error as StoreError, Expect, Key, Kind, Mutation};

/// What a resident sees of a site: nothing that is not here.
#[derive(Debug, Clone)]
pub struct ResidentSite {
    /// The site.
    pub site: SiteId,
    /// Its name.
    pub display_name: String,
}

/// A device and what the resident may do with it.
#[derive(Debug, Clone)]
pub struct ResidentDevice {
    /// The device.
    pub device: SiteDevice,
    /// What is allowed, as far as the device can do it.
    pub allowed: DevicePermission,
}

impl Waymark {
    /// The devices of a site, by their ids.
    pub async fn list_devices(
        &self,
        principal: &Principal,
        account: &AccountId,
        site: SiteId,
    ) -> Result<SiteDevices, Error> {
        self.account_for(principal, account, Permission::See)?;
        self.standing_site(account, site).await?;
        Ok(self.find_devices(account, site).await?.0)
    }

    /// Takes a report of a site's devices: all of them, or with `merge` some. A service may report any site's, an agent
    /// those of its own site. What it changes is in the site's history, reports of an hour in one entry.
    pub async fn report_devices(
        &self,
        principal: &Principal,
        account: &AccountId,
        site: SiteId,
        (devices, merge): (Vec<SiteDevice>, bool),
    ) -> Result<SiteDevices, Error> {
        match &principal.agent {
            Some((own, _)) => {
                self.visible_account(principal, account)?;
                if *own != site {
                    return Err(Error::NotFound(Resource::Site(account.clone(), site)));
                }
            }
            None => self.account_for(principal, account, Permission::Report).map(drop)?,
        }
        let author = Author::of(principal, Cause::Reported);
        for _ in 0..ATTEMPTS_MAX {
            let found = self.standing_site(account, site).await?;
            let (before, expect) = self.find_devices(account, site).await?;
            let (mut known, now) = (before.clone(), self.now());
            known.report(devices.clone(), merge, now)?;
            let mut batch = self.note_report(&found, diff_devices(&before, &known), &author, now).await;
            let document = Some(Document::SiteDevices(known.clone()));
            batch.push(Mutation { key: key_of(account, site), expect, document });
            match self.parts.store.commit(batch).await {
                Ok(_) => return Ok(known),
                Err(StoreError::Conflict { .. }) => {}
                Err(cause) => return Err(cause.into()),
            }
        }
        Err(Error::Contention(Resource::Site(account.clone(), site).to_string()))
    }

    /// What the resident behind a token sees of their site.
    pub async fn resident_site(
        &self,
        principal: &Principal,
        account: &AccountId,
        site: SiteId,
    ) -> Result<ResidentSite, Error> {
        self.resident_entry(principal, account, site).await.map(|(site, _)| site)
    }

    /// The devices that the resident behind a token may see.
    pub async fn list_resident_devices(
        &self,
        principal: &Principal,
        account: &AccountId,
        site: SiteId,
    ) -> Result<Vec<ResidentDevice>, Error> {
        let (_, access) = self.resident_entry(principal, account, site).await?;
        let (devices, _) = self.find_devices(account, site).await?;
        Ok(visible(devices, &access))
    }

    /// The door of a resident: their own site, while they have access to it. Anything else does not exist.
    async fn resident_entry(
        &self,
        principal: &Principal,
        account: &AccountId,
        site: SiteId,
    ) -> Result<(ResidentSite, ResidentAccess), Error> {
        self.visible_account(principal, account)?;
        if principal.scope != Scope::Resident {
            return Err(Error::Scope);
        }
        let missing = || Error::NotFound(Resource::Site(account.clone(), site));
        let access = self.find_access(account, site).await?.map(|found| found.value);
        let access = access.filter(|access| access.admits(principal.token)).ok_or_else(missing)?;
        if self.is_user(account, &access.owner_email) {
            return Err(missing());
        }
        let found = self.find_site(account, site).await?.filter(|found| found.value.deleted_at.is_none());
        let display_name = found.ok_or_else(missing)?.value.display_name;
        Ok((ResidentSite { site, display_name }, access))
    }

    /// The devices of a site, and what their record has to be for a write over them.
    pub(in super::super) async fn find_devices(
        &self,
        account: &AccountId,
        site: SiteId,
    ) -> Result<(SiteDevices, Expect), Error> {
        let Some(record) = self.parts.store.get(key_of(account, site)).await? else {
            return Ok((SiteDevices::none(site), Expect::Absent));
        };
        let revision: Revision = record.revision;
        match record.document {
            Document::SiteDevices(devices) => Ok((devices, Expect::Revision(revision))),
            _ => Err(Error::Mismatched { key: record.key }),
        }
    }
}

/// What is left of a site's devices for its resident.
pub(super) fn visible(devices: SiteDevices, access: &ResidentAccess) -> Vec<ResidentDevice> {
    let allowed = |device: SiteDevice| {
        let allowed = access.permissions.get(&device.id).filter(|allowed| allowed.visible)?;
        Some(ResidentDevice { allowed: device.within(*allowed), device })
    };
    devices.devices.into_values().filter_map(allowed).collect()
}

pub(super) fn key_of(account: &AccountId, site: SiteId) -> Key {
    Key::of(account, Kind::SiteDevices, site)
}
