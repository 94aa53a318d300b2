//! What operators are told of the databases: each file's state, and what a reload did.

use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

use crate::geoip::age::Freshness;
use crate::geoip::database::DatabaseInfo;
use crate::geoip::error::FailureReason;

/// What is known of one configured file. Holds its path: for operators alone.
#[derive(Debug, Clone, PartialEq)]
pub struct DatabaseStatus {
    /// The file.
    pub path: PathBuf,
    /// The version of it that is in use; `None` where there was never a good one.
    pub in_use: Option<DatabaseInfo>,
    /// When that was put to use.
    pub loaded_at: Option<Timestamp>,
    /// Time since its build; negative where the file's maker or this machine has the wrong time.
    pub age: Option<SignedDuration>,
    /// What its age means.
    pub freshness: Option<Freshness>,
    /// Why what is at the path now is not in use; `None` where it is.
    pub failure: Option<Failure>,
    /// Look-ups of addresses of a family that it holds, since the start.
    pub look_ups: u64,
    /// Those of them without a record.
    pub misses: u64,
    /// Those of them whose record is damaged.
    pub damaged: u64,
    /// Versions that were put to use since the start, the first included.
    pub loads: u64,
    /// Attempts that failed since the start.
    pub failures: u64,
}

/// Why a file was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// When.
    pub at: Timestamp,
    /// Why, from a closed list.
    pub reason: FailureReason,
    /// Why, in a sentence, with the path in it.
    pub message: String,
}

/// What a reload did with one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reloaded {
    /// The file.
    pub path: PathBuf,
    /// Whether a new version of it was put to use.
    pub is_taken: bool,
    /// Why not, where it should have been; `None` where it was taken, and where nothing changed.
    pub failure: Option<Failure>,
}

impl Reloaded {
    pub(super) fn unchanged(path: &Path) -> Self {
        Self { path: path.to_owned(), is_taken: false, failure: None }
    }

    pub(super) fn taken(path: &Path) -> Self {
        Self { is_taken: true, ..Self::unchanged(path) }
    }

    pub(super) fn failed(path: &Path, failure: &Failure) -> Self {
        Self { failure: Some(failure.clone()), ..Self::unchanged(path) }
    }
}
