//! Raw addresses after their time: the background work that leaves their networks alone, in sites and in histories.
//!
//! A sweep goes over all sites, some at a time, and writes what it changes and nothing else. It keeps no place of its own: what
//! is cut stays cut, and how far a history is cut stands in its site, so after a restart a sweep costs reads.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tracing::{info, warn};

use super::{Error, Versioned, Waymark, record, site_of};
use crate::model::history::{Change, TURNS_TOGETHER};
use crate::model::id::Revision;
use crate::model::site::Site;
use crate::store::document::Document;
use crate::store::{Error as StoreError, Kind, Range, Record, scan_past};

/// Between two sweeps.
const SWEEP_EVERY: Duration = Duration::from_hours(6);
/// An address goes so much earlier, so that none stays for longer than was said: the next sweep begins some hours later,
/// takes its time, and leaves a site that is written meanwhile to the one behind it.
const EARLIER: SignedDuration = SignedDuration::from_hours(13);
/// Sites that are read together.
const SITES_CHUNK: usize = 100;
/// Between two reads of sites: half a million of them take ten minutes, and nobody notices. Where each of 300,000 sites and an
/// entry of its history are to be cut, that takes as long again, and other writes are at 24 ms where they were at 10 (p99).
const CHUNK_PAUSE: Duration = Duration::from_millis(100);
/// Entries that are read together.
const ENTRIES_CHUNK: usize = 256;
/// So many entries without an address are noted as looked through; fewer are read again by the next sweep.
const ENTRIES_NOTED: usize = 32;
/// After a failure of the store.
const FAILURE_PAUSE: Duration = Duration::from_mins(1);

/// What a sweep cut.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cut {
    /// Sites whose records held addresses.
    pub sites: usize,
    /// Entries of histories that did.
    pub entries: usize,
}

/// What is to be written of a site and its history.
struct Step {
    site: Site,
    entries: Vec<(Change, Revision)>,
    is_site_cut: bool,
    /// Whether there are further entries that are old enough.
    has_more: bool,
}

impl Waymark {
    /// Cuts addresses after their time, for ever. Ends when it is dropped; at once where they are kept for ever.
    pub async fn work_on_retention(&self) {
        if self.parts.config.raw_ip_days == 0 {
            return;
        }
        loop {
            match self.sweep(CHUNK_PAUSE).await {
                Ok(Cut { sites: 0, entries: 0 }) => {}
                Ok(Cut { sites, entries }) => info!(sites, entries, "addresses whose time is over are cut"),
                Err(cause) => {
                    warn!(%cause, "cutting of addresses waits");
                    tokio::time::sleep(FAILURE_PAUSE).await;
                    continue;
                }
            }
            tokio::time::sleep(SWEEP_EVERY).await;
        }
    }

    /// One sweep over all accounts, which rests between two reads.
    pub(super) async fn sweep(&self, pause: Duration) -> Result<Cut, Error> {
        let mut cut = Cut::default();
        for live in self.parts.live.lives() {
            let account = &live.account().id;
            let mut after = None;
            loop {
                let range = Range { after, limit: SITES_CHUNK, ..Range::all(Some(account.clone()), Kind::Site) };
                let told = |cause: &StoreError| warn!(%cause, "the addresses of a site stay");
                let (records, is_last) = scan_past(&*self.parts.store, range, told).await?;
                after = records.last().map(|record| record.key.id.clone());
                for record in records {
                    let site = record.key.id.clone();
                    match self.cut_site(record, &mut cut).await {
                        Err(Error::Mismatched { .. } | Error::Store(StoreError::Corrupt { .. })) => {
                            warn!(site, "the addresses in a history that cannot be read stay");
                        }
                        outcome => outcome?,
                    }
                }
                tokio::time::sleep(pause).await;
                if is_last {
                    break;
                }
            }
        }
        Ok(cut)
    }

    /// Until when an address must have been seen to be kept; `None` where all are.
    fn raw_ips_end(&self) -> Option<Timestamp> {
        let days = i64::from(self.parts.config.raw_ip_days);
        let kept = SignedDuration::from_hours(days * 24).checked_sub(EARLIER).filter(|_| days > 0)?;
        self.now().checked_sub(kept).ok()
    }

    /// Cuts what is to be cut in a site and its history. Where others are faster, the next sweep does: they wrote it just now.
    async fn cut_site(&self, record: Record, cut: &mut Cut) -> Result<(), Error> {
        let Some(end) = self.raw_ips_end() else { return Ok(()) };
        let key = record.key.clone();
        let mut found = site_of(record)?;
        while let Some(step) = self.cut_step(&found, end).await? {
            let Step { site, entries, is_site_cut, has_more } = step;
            let told = entries.len();
            match self.parts.store.commit(record::cut(&found, site, entries)).await {
                Ok(_) => {}
                Err(StoreError::Conflict { .. }) => return Ok(()),
                Err(cause) => return Err(cause.into()),
            }
            cut.sites += usize::from(is_site_cut);
            cut.entries += told;
            if !has_more {
                return Ok(());
            }
            let Some(record) = self.parts.store.get(key.clone()).await? else { return Ok(()) };
            found = site_of(record)?;
        }
        Ok(())
    }

    /// What is to be cut in a site and in the next entries of its history; `None` where that is nothing.
    async fn cut_step(&self, found: &Versioned<Site>, end: Timestamp) -> Result<Option<Step>, Error> {
        let mut site = found.value.clone();
        site.cut_addresses(end);
        let is_site_cut = site != found.value;
        // What may still take a report in is not over.
        let end = end.min(self.now() - TURNS_TOGETHER);
        let mut limit = ENTRIES_CHUNK;
        let old = loop {
            match self.entries_behind(&site, end, limit).await {
                Err(Error::Mismatched { .. } | Error::Store(StoreError::Corrupt { .. })) if limit > 1 => limit /= 2,
                Err(Error::Mismatched { .. } | Error::Store(StoreError::Corrupt { .. })) => {
                    warn!(site = %site.id, "the addresses in an entry that cannot be read stay");
                    site.changes_cut += 1;
                    return Ok(Some(Step { site, entries: Vec::new(), is_site_cut, has_more: true }));
                }
                found => break found?,
            }
        };
        let (looked, last) = (old.len(), old.last().map(|(change, _)| change.number));
        let is_cut = |(change, _): &mut (Change, Revision)| change.cut_addresses();
        let entries: Vec<_> = old.into_iter().filter_map(|mut entry| is_cut(&mut entry).then_some(entry)).collect();
        if !is_site_cut && entries.is_empty() && looked < ENTRIES_NOTED {
            return Ok(None);
        }
        site.changes_cut = last.unwrap_or(site.changes_cut);
        Ok(Some(Step { site, entries, is_site_cut, has_more: looked == limit }))
    }

    /// The next entries of a site's history that are not cut yet, the oldest first, as far as they were made at `end` or before.
    async fn entries_behind(
        &self,
        site: &Site,
        end: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Change, Revision)>, Error> {
        if site.changes <= site.changes_cut {
            return Ok(Vec::new());
        }
        let range = Range {
            prefix: record::past_prefix(site.id),
            after: Some(record::change_key(&site.account, site.id, site.changes_cut).id),
            limit,
            ..Range::all(Some(site.account.clone()), Kind::Change)
        };
        let mut entries = Vec::new();
        for record in self.parts.store.scan(range).await? {
            let Document::Change(change) = record.document else { return Err(Error::Mismatched { key: record.key }) };
            if change.made_at > end {
                break;
            }
            entries.push((*change, record.revision));
        }
        Ok(entries)
    }
}
