//! The times of reports that are in memory alone, written down when the program ends, with the addresses that belong
//! to them.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tracing::{info, warn};

use super::record::Author;
use super::{Error, Versioned, Waymark};
use crate::live::LiveAccount;
use crate::model::history::Cause;
use crate::model::id::SiteId;
use crate::model::site::Site;
use crate::store::document::Document;
use crate::store::{Error as StoreError, Key, Kind, Record};

/// Sites of one batch: their records are in memory together, up to 64 KiB each.
const BATCH: usize = 256;
/// Attempts at a batch, and then at each of its sites. Only what was begun before the end is written beside it, and
/// that is soon over.
const ATTEMPTS: usize = 2;

/// What became of the times that were in memory alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LastSeen {
    /// Sites that were heard of later than their records said.
    pub due: usize,
    /// Those whose records say it now.
    pub written: usize,
    /// Those that need it no more: others wrote it meanwhile, or the site is deleted.
    pub settled: usize,
    /// Those whose records cannot be read: restore them from a backup.
    pub unreadable: usize,
    /// Those that others wrote again and again.
    pub contended: usize,
}

impl LastSeen {
    /// Sites whose records do not say when they were heard of; also those that there was no time for.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.due.saturating_sub(self.written + self.settled)
    }

    fn add(&mut self, part: Self) {
        self.written += part.written;
        self.settled += part.settled;
        self.unreadable += part.unreadable;
        self.contended += part.contended;
    }
}

impl Waymark {
    /// Writes when sites were heard of, as many of them as there is `time` for. For the end: a restart then loses nothing of
    /// it, where after a crash some minutes are missing until the next reports. Says what it did, and tells it in the log.
    ///
    /// Cost: a read and a write for each site that reported within the last minutes; some 10,000 a second.
    pub async fn write_last_seen(&self, time: Duration) -> LastSeen {
        let lives = self.parts.live.lives().into_iter();
        let due: Vec<(Arc<LiveAccount>, Vec<SiteId>)> =
            lives.map(|live| (Arc::clone(&live), live.unwritten())).collect();
        let mut said = LastSeen { due: due.iter().map(|(_, sites)| sites.len()).sum(), ..LastSeen::default() };
        let writing = async {
            for (live, sites) in &due {
                for sites in sites.chunks(BATCH) {
                    self.write_last_seen_of(live, sites, &mut said).await?;
                }
            }
            Ok::<_, Error>(())
        };
        let ended = tokio::time::timeout(time, writing).await;
        let (sites, lost, unreadable, contended) = (said.written, said.lost(), said.unreadable, said.contended);
        match ended {
            Ok(Ok(())) if said.due == 0 => {}
            Ok(Ok(())) if lost == 0 => info!(sites, "wrote when sites were heard of last"),
            Ok(Ok(())) => {
                warn!(sites, lost, unreadable, contended, "not all times at which sites were heard of are written");
            }
            Ok(Err(cause)) => {
                warn!(%cause, sites, lost, unreadable, contended, "the store took no more times of sites");
            }
            Err(_) => {
                warn!(
                    sites,
                    lost, unreadable, contended, "there was no time to write when all sites were heard of last"
                );
            }
        }
        said
    }

    /// Writes the times of some sites: together, and one by one where others write one of them again and again, so that
    /// it costs the others nothing.
    async fn write_last_seen_of(&self, live: &LiveAccount, sites: &[SiteId], said: &mut LastSeen) -> Result<(), Error> {
        for _ in 0..ATTEMPTS {
            if let Some(part) = self.try_last_seen(live, sites).await? {
                said.add(part);
                return Ok(());
            }
        }
        let alone = sites.iter().map(|site| async move {
            for _ in 0..ATTEMPTS {
                if let Some(part) = self.try_last_seen(live, std::slice::from_ref(site)).await? {
                    return Ok(part);
                }
            }
            Ok(LastSeen { contended: 1, ..LastSeen::default() })
        });
        // All at once: they share a sync of the disk.
        let mut ended = Ok(());
        for part in join_all(alone).await {
            match part {
                Ok(part) => said.add(part),
                Err(cause) => ended = Err(cause),
            }
        }
        ended
    }

    /// Writes the times of some sites in one batch; `None` where others wrote one of them meanwhile.
    async fn try_last_seen(&self, live: &LiveAccount, sites: &[SiteId]) -> Result<Option<LastSeen>, Error> {
        let (known, unreadable) = self.readable_sites(live, sites).await?;
        let (mut batch, mut written) = (Vec::with_capacity(sites.len()), 0);
        // Who said it is not in memory. Mostly it is nothing but a time, and no entry.
        let author = Author::system(Cause::Reported);
        for Versioned { value: before, revision } in known {
            let Some(mut site) = self.with_last_seen(live, &before) else { continue };
            batch.extend(self.replace_by_report(&before, revision, &mut site, &author, self.now()).await);
            written += 1;
        }
        let settled = sites.len() - unreadable - written;
        let said = LastSeen { written, settled, unreadable, ..LastSeen::default() };
        if batch.is_empty() {
            return Ok(Some(said));
        }
        match self.parts.store.commit(batch).await {
            Ok(_) => Ok(Some(said)),
            Err(StoreError::Conflict { .. }) => Ok(None),
            Err(cause) => Err(cause.into()),
        }
    }

    /// A site with the time and the address of its last report, as a report that is written has them; `None` where its
    /// record says no less.
    fn with_last_seen(&self, live: &LiveAccount, before: &Site) -> Option<Site> {
        let heard_at = live.heard_at(before.id).filter(|at| Some(*at) > before.last_seen_at)?;
        if before.deleted_at.is_some() {
            return None;
        }
        let mut site = before.clone();
        if let Some(ip) = live.noted_ip(site.id) {
            self.note_address(live, &mut site, ip, heard_at);
        }
        if site != *before {
            site.updated_at = heard_at.max(before.updated_at);
        }
        site.last_seen_at = Some(heard_at);
        Some(site)
    }

    /// Those of some sites that are there and can be read, and how many cannot be read.
    async fn readable_sites(
        &self,
        live: &LiveAccount,
        sites: &[SiteId],
    ) -> Result<(Vec<Versioned<Site>>, usize), Error> {
        let account = &live.account().id;
        let keys: Vec<Key> = sites.iter().map(|site| Key::of(account, Kind::Site, site)).collect();
        let (mut found, mut unreadable) = (Vec::with_capacity(sites.len()), 0);
        for read in self.parts.store.get_each(keys).await? {
            match read {
                Ok(None) => {}
                Ok(Some(Record { document: Document::Site(site), revision, .. })) => {
                    found.push(Versioned { value: *site, revision });
                }
                Ok(Some(_)) | Err(_) => unreadable += 1,
            }
        }
        Ok((found, unreadable))
    }
}
