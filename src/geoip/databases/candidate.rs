//! A file that is not in use yet, in the place of one that is: to see what it would change.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Databases;
use crate::geoip::GeoIp;
use crate::geoip::database::Database;
use crate::geoip::error::Error;

/// Why a candidate cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum CandidateError {
    /// No configured file has the path whose place it should take.
    #[error("{path} is none of the configured databases")]
    NotConfigured {
        /// The path.
        path: PathBuf,
    },
    /// The candidate is no good file, or one of another kind.
    #[error(transparent)]
    File(#[from] Error),
    /// The thread that read it ended.
    #[error("reading the candidate failed: {0}")]
    Reader(String),
}

impl Databases {
    /// The stack in use with the file at `candidate` in the place of the configured one at `replaced`. Memory holds the
    /// candidate for as long as the answer lives. Checked as a file that takes its place is.
    ///
    /// # Errors
    ///
    /// Why there is no such stack.
    pub async fn with_candidate(&self, candidate: &Path, replaced: &Path) -> Result<GeoIp, CandidateError> {
        let (at, age, old) = {
            let slots = self.slots.lock();
            let at = slots.iter().position(|slot| slot.file.path == replaced);
            let at = at.ok_or_else(|| CandidateError::NotConfigured { path: replaced.to_owned() })?;
            (at, slots[at].file.age, slots[at].in_use.clone())
        };
        let path = candidate.to_owned();
        let opened = tokio::task::spawn_blocking(move || {
            let new = Database::open(&path, age)?;
            if let Some(old) = &old {
                new.check_replaces(old)?;
            }
            Ok::<_, Error>(new)
        });
        let new = opened.await.map_err(|fault| CandidateError::Reader(fault.to_string()))??;
        let new = Arc::new(new);
        let slots = self.slots.lock();
        let databases = slots
            .iter()
            .enumerate()
            .filter_map(|(slot_at, slot)| if slot_at == at { Some(Arc::clone(&new)) } else { slot.in_use.clone() });
        Ok(GeoIp { databases: databases.collect() })
    }
}
