//! The times of reports that are in memory alone, written down when the program ends.

use std::time::Duration;

use tracing::{info, warn};

use super::sites::key_of as site_key;
use super::{Error, Waymark};
use crate::live::LiveAccount;
use crate::model::id::SiteId;
use crate::model::site::Site;
use crate::store::document::Document;
use crate::store::{Error as StoreError, Key, Kind, Mutation};

/// Sites of one batch: their records are in memory together, up to 64 KiB each.
const BATCH: usize = 256;

impl Waymark {
    /// Writes when sites were heard of, as many of them as there is `time` for. For the end: a restart then loses nothing of
    /// it, where after a crash some minutes are missing until the next reports.
    ///
    /// Cost: a read and a write for each site that reported within the last minutes; some 10,000 a second.
    pub async fn write_last_seen(&self, time: Duration) {
        let mut written = 0;
        let writing = async {
            for account in self.parts.live.accounts() {
                let Some(live) = self.parts.live.account(&account.id) else { continue };
                for sites in live.unwritten().chunks(BATCH) {
                    written += self.write_last_seen_of(&live, sites).await?;
                }
            }
            Ok::<_, Error>(())
        };
        match tokio::time::timeout(time, writing).await {
            Ok(Ok(())) if written == 0 => {}
            Ok(Ok(())) => info!(sites = written, "wrote when sites were heard of last"),
            Ok(Err(cause)) => warn!(%cause, sites = written, "not all times at which sites were heard of are written"),
            Err(_) => warn!(sites = written, "there was no time to write when all sites were heard of last"),
        }
    }

    async fn write_last_seen_of(&self, live: &LiveAccount, sites: &[SiteId]) -> Result<usize, Error> {
        let account = &live.account().id;
        let keys = sites.iter().map(|site| Key::of(account, Kind::Site, site)).collect();
        let mut batch = Vec::with_capacity(sites.len());
        for record in self.parts.store.get_many(keys).await?.into_iter().flatten() {
            let Document::Site(site) = record.document else { return Err(Error::Mismatched { key: record.key }) };
            let last_seen_at = site.last_seen_at.max(live.heard_at(site.id));
            if site.deleted_at.is_none() && last_seen_at != site.last_seen_at {
                let site = Site { last_seen_at, ..*site };
                batch.push(Mutation::replace(site_key(&site), record.revision, Document::Site(Box::new(site))));
            }
        }
        let count = batch.len();
        if count == 0 {
            return Ok(0);
        }
        match self.parts.store.commit(batch).await {
            Ok(_) => Ok(count),
            // A request that was cut off is still being written: its site's time is in it, and those beside it are lost.
            Err(StoreError::Conflict { .. }) => Ok(0),
            Err(cause) => Err(cause.into()),
        }
    }
}
