//! Copies of the store of a data directory, for the command line: a server may run on it.

use std::path::Path;

use super::credentials_key;
use crate::store::embedded::backup as copies;

/// What a copy holds, and what it does not.
#[derive(Debug)]
pub struct Copied {
    /// Records of all kinds.
    pub records: u64,
    /// The last revision of each account, by its id, the operator's by the empty text.
    pub revisions: Vec<(String, u64)>,
    /// Whether the directory has a key for credentials, which is in no copy.
    pub has_key: bool,
}

/// Copies the store in `data_dir` to a new file. Blocking.
pub fn backup(data_dir: &Path, to: &Path) -> Result<Copied, copies::Failure> {
    copies::backup(data_dir, to).map(|contents| told(contents, data_dir))
}

/// Puts a copy into a directory without a store. Blocking.
pub fn restore(from: &Path, data_dir: &Path) -> Result<Copied, copies::Failure> {
    copies::restore(from, data_dir).map(|contents| told(contents, data_dir))
}

fn told(contents: copies::Contents, data_dir: &Path) -> Copied {
    let revisions = contents.revisions.into_iter().map(|(account, revision)| (account, revision.0)).collect();
    Copied { records: contents.records, revisions, has_key: data_dir.join(credentials_key::FILE).exists() }
}
