//! Moving everything from one engine to another: every record with its revision, and each partition's last one.
//!
//! The target is marked as unfinished before its first record, and the mark goes last, once all was read back and found
//! equal; an engine serves nothing that is marked. So an attempt that ended in between is never taken for whole, and the
//! next one begins anew. Leases are of the replicas that run, and stay behind.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};

use super::{Error, Kind, Record, Revision};
use crate::model::id::AccountId;

/// Records that are read in one piece.
pub(super) const PAGE: usize = 1_000;
/// Bytes of documents that are written in one piece, about: a Redis does nothing else meanwhile.
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Partitions with their last revisions; the operator's has no account and comes first.
pub type Partitions = BTreeMap<Option<AccountId>, Revision>;

/// A record and the bytes of its document, which are carried over as they are.
#[derive(Debug, Clone)]
pub struct Row {
    /// The record, checked against its checksum.
    pub record: Record,
    /// Its document's bytes.
    pub bytes: Vec<u8>,
}

/// What a look at records found.
#[derive(Debug, Default)]
pub struct Looked {
    /// How many there are, those that cannot be read among them.
    pub records: u64,
    /// Each that cannot be read, and each part of the store in which records are to be found and that is damaged itself.
    pub damaged: Vec<Error>,
}

/// An engine without its writers, observers and use cases: whole records in, whole records out.
///
/// The records of a source are never changed; a file of an older format becomes one of the present. Nobody else writes to either side meanwhile: the embedded engine holds its directory; whether
/// replicas write to a Redis is for the caller to find out.
#[async_trait]
pub trait Transfer: Send + Sync + std::fmt::Debug {
    /// Every partition that ever wrote.
    async fn partitions(&self) -> Result<Partitions, Error>;

    /// How many records there are, leases apart. Cost: the keys are read, and no document.
    async fn count(&self) -> Result<u64, Error>;

    /// The next records of a partition and kind in the order of their ids' bytes; none at the end.
    async fn page(&self, partition: Option<&AccountId>, kind: Kind, after: Option<&str>) -> Result<Vec<Row>, Error>;

    /// Looks at each record of a partition and kind, and changes nothing. Others may write meanwhile.
    async fn look(&self, partition: Option<&AccountId>, kind: Kind) -> Result<Looked, Error>;

    /// Marks an empty store as unfinished and notes the partitions; takes away what an unfinished attempt left.
    ///
    /// Refuses a store that holds anything else, and leaves it as it is.
    async fn begin(&self, partitions: &Partitions) -> Result<(), Error>;

    /// Writes rows of one partition and kind as they are.
    async fn put(&self, rows: &[Row]) -> Result<(), Error>;

    /// Takes the mark away, after everything before is as durable as the store makes it.
    async fn seal(&self) -> Result<(), Error>;
}

/// What a partition holds: equal where all records, their revisions and documents, and the last revision are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The account; `None` for the operator's.
    pub partition: Option<AccountId>,
    /// Its last revision.
    pub revision: Revision,
    /// Records in it, leases apart.
    pub records: u64,
    /// SHA-256 over all of them in the order of kinds and ids.
    pub digest: [u8; 32],
}

impl Summary {
    /// The partition as it is called in messages.
    #[must_use]
    pub fn name(&self) -> &str {
        self.partition.as_ref().map_or("the operator", AccountId::as_str)
    }
}

/// How far a migration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// What is done with records, as it is called in messages.
    pub what: &'static str,
    /// Records with which it is done.
    pub done: u64,
    /// Records that there are.
    pub total: u64,
}

/// Who is told how far it is.
pub type Tell<'a> = &'a mut (dyn FnMut(Step) + Send);

/// Copies everything, reads it back, and makes the target good to serve; what each partition holds.
///
/// Memory holds two pages. Fails where the target is not empty, where a record of the source cannot be read, and where the source
/// changed meanwhile; the target is left unfinished then, and refuses to serve.
pub async fn migrate(from: &dyn Transfer, to: &dyn Transfer, tell: Tell<'_>) -> Result<Vec<Summary>, Error> {
    let (partitions, count) = (from.partitions().await?, from.count().await?);
    if partitions.is_empty() && count == 0 {
        return Err(Error::Configuration { cause: "the source holds nothing".into() });
    }
    to.begin(&partitions).await?;
    let mut step = Step { what: "records copied", done: 0, total: count };
    let copied = summaries(from, &partitions, Some(to), &mut step, tell).await?;
    let found: u64 = copied.iter().map(|summary| summary.records).sum();
    if found != count {
        let cause = format!("the source counts {count} records, and {found} of them can be found: {SOURCE_BAD}");
        return Err(Error::Unavailable { cause });
    }
    let mut step = Step { what: "records verified", done: 0, total: count };
    let kept = to.partitions().await?;
    let verified = summaries(to, &kept, None, &mut step, tell).await?;
    if verified != copied || to.count().await? != count {
        let differs = copied.iter().find(|summary| !verified.contains(summary));
        let name = differs.map_or("a partition", Summary::name);
        let cause = format!("what was written of {name} is not what is read back: start the migration again");
        return Err(Error::Unavailable { cause });
    }
    if from.partitions().await? != partitions {
        let cause = "the source changed meanwhile: stop every server on it, and start the migration again".into();
        return Err(Error::Unavailable { cause });
    }
    to.seal().await?;
    Ok(verified)
}

/// Looks at each record of a store, leases apart, and gives how many there are; `tell` hears of what is damaged, with the partition that
/// it is of. Goes on past it, but where it cannot be read which partitions there are.
pub async fn look(
    store: &dyn Transfer,
    tell: &mut (dyn FnMut(Option<&AccountId>, &Error) + Send),
) -> Result<u64, Error> {
    let mut records = 0;
    for partition in store.partitions().await?.into_keys() {
        for kind in moved() {
            let looked = store.look(partition.as_ref(), kind).await?;
            records += looked.records;
            looked.damaged.iter().for_each(|cause| tell(partition.as_ref(), cause));
        }
    }
    Ok(records)
}

/// What to do about a source whose numbers do not agree.
const SOURCE_BAD: &str = "something writes to it, or it holds what no waymark of this version wrote";

/// Reads all records of some partitions, writes them where there is a target, and sums up each partition.
async fn summaries(
    from: &dyn Transfer,
    partitions: &Partitions,
    to: Option<&dyn Transfer>,
    step: &mut Step,
    tell: &mut (dyn FnMut(Step) + Send),
) -> Result<Vec<Summary>, Error> {
    let mut all = Vec::with_capacity(partitions.len());
    tell(*step);
    for (partition, revision) in partitions {
        let (mut hasher, mut records) = (Sha256::new(), 0);
        hasher.update(revision.0.to_be_bytes());
        for kind in moved() {
            let mut page = from.page(partition.as_ref(), kind, None).await?;
            while let Some(last) = page.last() {
                let after = last.record.key.id.clone();
                let count = page.len() as u64;
                page.iter().for_each(|row| digest(&mut hasher, row));
                // The next page is read while this one is written.
                let next = from.page(partition.as_ref(), kind, Some(&after));
                (page, ()) = tokio::try_join!(next, put(to, &page))?;
                records += count;
                step.done += count;
                tell(*step);
            }
        }
        all.push(Summary {
            partition: partition.clone(),
            revision: *revision,
            records,
            digest: hasher.finalize().into(),
        });
    }
    Ok(all)
}

/// The kinds that are carried over.
pub(super) fn moved() -> impl Iterator<Item = Kind> {
    Kind::ALL.into_iter().filter(|kind| *kind != Kind::Lease)
}

async fn put(to: Option<&dyn Transfer>, page: &[Row]) -> Result<(), Error> {
    let Some(to) = to else { return Ok(()) };
    let mut rest = page;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = rest.iter().take_while(|row| {
            let is_first = bytes == 0;
            bytes += row.bytes.len();
            is_first || bytes <= BATCH_BYTES_MAX
        });
        let (batch, behind) = rest.split_at(fits.count());
        to.put(batch).await?;
        rest = behind;
    }
    Ok(())
}

/// Each part with its length before it, so that no two rows have the same bytes.
fn digest(hasher: &mut Sha256, Row { record, bytes }: &Row) {
    hasher.update([record.key.kind as u8]);
    hasher.update(record.revision.0.to_be_bytes());
    for part in [record.key.id.as_bytes(), bytes] {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
}
