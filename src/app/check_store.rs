//! A look at each record of the configured store, for the command line: what of it is damaged. Changes no record.

use super::Error;
use crate::config::Config;
use crate::store;
use crate::store::embedded::transfer::Directory;
use crate::store::redis::transfer::Deployment;
use crate::store::transfer::{self, Transfer};

/// What a look at a store found.
#[derive(Debug, Default)]
pub struct Checked {
    /// How many records there are.
    pub records: u64,
    /// What is damaged.
    pub damaged: Vec<Damage>,
}

/// A record that is not what was written, or a part of the store in which records are to be found.
#[derive(Debug)]
pub struct Damage {
    /// The account that it is of, or the operator.
    pub partition: String,
    /// What kind of record it is; `None` for what is no record.
    pub kind: Option<String>,
    /// The record's id, as logs have it; empty for what is no record.
    pub id: String,
    /// Where it is, and what to do.
    pub cause: String,
}

/// Looks at each record, leases apart. No server may run on an embedded store; replicas may work on a Redis meanwhile.
///
/// Fails where the store does not open, or where nobody can tell which accounts there are.
pub async fn check(config: &Config) -> Result<Checked, Error> {
    let source: Box<dyn Transfer> = match &config.redis {
        Some(redis) => Box::new(Deployment::source(redis).await?),
        None => Box::new(Directory::source(&config.data_dir)?),
    };
    let mut damaged = Vec::new();
    let records = transfer::look(&*source, &mut |partition, cause| {
        let partition = partition.map_or_else(|| "the operator".to_owned(), ToString::to_string);
        let (kind, id) = match cause {
            store::Error::Corrupt { kind, id, .. } => (Some(format!("{kind:?}")), kind.shown_id(id)),
            _ => (None, String::new()),
        };
        damaged.push(Damage { partition, kind, id, cause: cause.to_string() });
    })
    .await?;
    Ok(Checked { records, damaged })
}
