//! The records of runs: read, and written over the version that was read.

use super::super::error::Resource;
use super::super::{Error, Versioned, Waymark};
use crate::model::id::Revision;
use crate::model::reestimation::Reestimation;
use crate::store::document::Document;
use crate::store::{Error as StoreError, Key, Kind, Mutation, Range, Record};

/// Runs that are read together where the last ones are looked for.
const RUNS_AT_ONCE: usize = 50;

impl Waymark {
    /// All runs that are kept, the oldest first.
    pub(super) async fn runs(&self) -> Result<Vec<Versioned<Reestimation>>, Error> {
        let records = self.parts.store.scan(Range::all(None, Kind::Reestimation)).await?;
        records.into_iter().map(run_in).collect()
    }

    /// The last runs that are such, at most `max`, the newest first. Reads no more of the others than there are before them.
    pub(in crate::service) async fn last_runs(
        &self,
        max: usize,
        is_such: impl Fn(&Reestimation) -> bool,
    ) -> Result<Vec<Reestimation>, Error> {
        let (mut last, mut after) = (Vec::new(), None);
        while last.len() < max {
            let range = Range { after, descending: true, limit: RUNS_AT_ONCE, ..Range::all(None, Kind::Reestimation) };
            let records = self.parts.store.scan(range).await?;
            let is_end = records.len() < RUNS_AT_ONCE;
            after = records.last().map(|record| record.key.id.clone());
            // Ids are in the order in which runs began.
            for record in records {
                last.push(run_in(record)?.value);
            }
            last.retain(&is_such);
            if is_end {
                break;
            }
        }
        last.truncate(max);
        Ok(last)
    }

    /// The run of this id.
    pub(super) async fn find_run(&self, id: &str) -> Result<Versioned<Reestimation>, Error> {
        let missing = || Error::NotFound(Resource::Reestimation(id.to_owned()));
        run_in(self.parts.store.get(key_of(id)).await?.ok_or_else(missing)?)
    }

    /// Writes a run down, unless somebody else did meanwhile.
    pub(super) async fn put_run(&self, run: Reestimation, revision: Revision) -> Result<(), Error> {
        let note = Document::Reestimation(Box::new(run.clone()));
        match self.parts.store.commit(vec![Mutation::replace(key_of(&run.id), revision, note)]).await {
            Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
            Err(cause) => Err(cause.into()),
        }
    }
}

fn run_in(record: Record) -> Result<Versioned<Reestimation>, Error> {
    match record.document {
        Document::Reestimation(run) => Ok(Versioned { value: *run, revision: record.revision }),
        _ => Err(Error::Mismatched { key: record.key }),
    }
}

/// The key under which a run is kept.
pub(super) fn key_of(id: &str) -> Key {
    Key::operator(Kind::Reestimation, id)
}
