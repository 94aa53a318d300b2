//! Writing what waits, every few seconds and at the end: audit records, and when tokens were used; and taking away audit
//! records after their time.

use std::time::Duration;

use jiff::SignedDuration;
use tracing::{info, warn};

use super::{CHUNK, prefix_of};
use crate::model::audit::stamp;
use crate::model::id::AccountId;
use crate::service::advancing::advance;
use crate::service::{Error, Waymark};
use crate::store::{Kind, Mutation, Range, scan_past};

/// Between two writes: so much of what is only noted a crash takes along.
const WRITE_EVERY: Duration = Duration::from_secs(10);
/// Records of one batch.
const BATCH: usize = 256;
/// Between two sweeps for records whose time is over.
const SWEEP_EVERY: Duration = Duration::from_hours(6);
/// Between two accounts of a sweep, so that nobody notices one.
const ACCOUNT_PAUSE: Duration = Duration::from_millis(10);
/// After a failure of the store.
const FAILURE_PAUSE: Duration = Duration::from_mins(1);

impl Waymark {
    /// Writes what waits, for ever. Every replica writes its own.
    pub async fn work_on_notes(&self) {
        let mut is_failing = false;
        loop {
            tokio::time::sleep(WRITE_EVERY).await;
            match self.write_notes().await {
                Ok(()) => is_failing = false,
                // Once for each time that the store is out of service: what waits is kept, up to its limits.
                Err(cause) if !is_failing => {
                    warn!(%cause, "audit records and uses of tokens wait to be written");
                    is_failing = true;
                }
                Err(_) => {}
            }
        }
    }

    /// Writes what waits, as far as there is `time` for. For the end.
    pub async fn write_last_notes(&self, time: Duration) {
        match tokio::time::timeout(time, self.write_notes()).await {
            Ok(Ok(())) => {}
            Ok(Err(cause)) => warn!(%cause, "the store took no more audit records and uses of tokens"),
            Err(_) => warn!("there was no time to write all audit records and uses of tokens"),
        }
    }

    /// Writes what waits.
    pub(in crate::service) async fn write_notes(&self) -> Result<(), Error> {
        loop {
            let batch = self.audit.unwritten(BATCH);
            advance(&*self.parts.store, &batch).await?;
            // Those that are written and over are forgotten by it, too: the last batch may be empty.
            self.audit.are_written(&batch, self.now());
            if batch.len() < BATCH {
                break;
            }
        }
        loop {
            let batch = self.uses.unwritten(BATCH);
            advance(&*self.parts.store, &batch).await?;
            self.uses.are_written(&batch, self.now());
            if batch.len() < BATCH {
                return Ok(());
            }
        }
    }

    /// Takes away records whose time is over, for ever; at once where they are kept for ever.
    pub(in crate::service) async fn work_on_audit(&self) {
        if self.parts.config.audit_days == 0 {
            return;
        }
        loop {
            match self.sweep_audit(ACCOUNT_PAUSE).await {
                Ok(0) => {}
                Ok(records) => info!(records, "audit records whose time is over are gone"),
                Err(cause) => {
                    warn!(%cause, "audit records whose time is over wait");
                    tokio::time::sleep(FAILURE_PAUSE).await;
                    continue;
                }
            }
            tokio::time::sleep(SWEEP_EVERY).await;
        }
    }

    /// One sweep over the operator's own records and those of all accounts; gives how many went.
    pub(in crate::service) async fn sweep_audit(&self, pause: Duration) -> Result<usize, Error> {
        let kept = SignedDuration::from_hours(i64::from(self.parts.config.audit_days) * 24);
        let Ok(end) = self.now().checked_sub(kept) else { return Ok(0) };
        let end = stamp(end);
        let mut gone = self.sweep_range(None, prefix_of(None), &end).await?;
        for live in self.parts.live.lives() {
            let account = live.account().id.clone();
            gone += self.sweep_range(None, prefix_of(Some(&account)), &end).await?;
            gone += self.sweep_range(Some(account), String::new(), &end).await?;
            tokio::time::sleep(pause).await;
        }
        Ok(gone)
    }

    /// Takes away the records of a range whose ids are below `end`: the oldest come first.
    async fn sweep_range(&self, partition: Option<AccountId>, prefix: String, end: &str) -> Result<usize, Error> {
        let (mut gone, begin) = (0, prefix.len());
        let mut range = Range { prefix, limit: CHUNK, ..Range::all(partition, Kind::Audit) };
        loop {
            let told = |cause: &crate::store::Error| warn!(%cause, "an audit record stays");
            let (records, is_end) = scan_past(&*self.parts.store, range.clone(), told).await?;
            range.after = records.last().map(|record| record.key.id.clone()).or(range.after);
            let looked = records.len();
            let over = records.into_iter().filter(|record| record.key.id.get(begin..).is_some_and(|id| id < end));
            let batch: Vec<Mutation> = over.map(|record| Mutation::delete(record.key)).collect();
            let is_all = batch.len() == looked;
            if !batch.is_empty() {
                gone += batch.len();
                self.parts.store.commit(batch).await?;
            }
            if is_end || !is_all {
                return Ok(gone);
            }
        }
    }
}
