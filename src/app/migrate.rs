//! Moving all data between the embedded store and a Redis: which is which, and whether anybody still serves from it.

use std::path::Path;

use super::{Error, credentials_key};
use crate::config::Config;
use crate::service::leading;
use crate::store::embedded::transfer::Directory;
use crate::store::redis::transfer::Deployment;
use crate::store::transfer::{self, Summary, Tell, Transfer};
use crate::store::{self, Kind};

/// Why nothing was migrated, or not all of it.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// Both sides are of the same kind.
    #[error(
        "one of the two configurations has [redis], and the other one has not: data moves between the two kinds of store"
    )]
    SameKind,
    /// Replicas renew their lease.
    #[error("a replica runs on the Redis that is to be read: stop all replicas, and start the migration again")]
    ReplicasRun,
    /// The target would not read what the source encrypted.
    #[error(
        "the target has another key for credentials than the source, or none: copy the source's, which is {0}, and name the copy in \
         ticketing.key_file"
    )]
    OtherKey(String),
    /// One of the configurations is refused, or one of the stores fails.
    #[error(transparent)]
    Program(#[from] Error),
}

impl From<store::Error> for MigrationError {
    fn from(cause: store::Error) -> Self {
        Self::Program(Error::Store(cause))
    }
}

/// Moves everything from the store of one configuration into that of another, and answers what each partition holds.
///
/// The source stays as it is. The target has to be empty, or left by an attempt that did not end; until the end of this one it
/// refuses to serve. Where the source is a Redis, looks some seconds whether replicas run.
pub async fn migrate(from: &Config, to: &Config, tell: Tell<'_>) -> Result<Vec<Summary>, MigrationError> {
    let (source, target): (Box<dyn Transfer>, Box<dyn Transfer>) = match (&from.redis, &to.redis) {
        (Some(redis), None) => {
            check_key(from, to)?;
            let source = Deployment::source(redis).await?;
            if are_replicas_at_work(&source).await? {
                return Err(MigrationError::ReplicasRun);
            }
            (Box::new(source), Box::new(Directory::target(&to.data_dir)?))
        }
        (None, Some(redis)) => {
            check_key(from, to)?;
            (Box::new(Directory::source(&from.data_dir)?), Box::new(Deployment::target(redis).await?))
        }
        _ => return Err(MigrationError::SameKind),
    };
    Ok(transfer::migrate(&*source, &*target, tell).await?)
}

/// Refuses a target that could not open the credentials that come with the data.
fn check_key(from: &Config, to: &Config) -> Result<(), MigrationError> {
    let find =
        |config: &Config| credentials_key::find(&config.ticketing, &config.data_dir).map_err(Error::CredentialsKey);
    let Some(source) = find(from)? else { return Ok(()) };
    if find(to)? == Some(source) {
        return Ok(());
    }
    let place = |path: &Path| path.display().to_string();
    let (file, variable) = (from.ticketing.key_file.as_deref().map(place), from.ticketing.key_env.clone());
    let beside = || place(&from.data_dir.join(credentials_key::FILE));
    Err(MigrationError::OtherKey(file.or(variable).unwrap_or_else(beside)))
}

async fn are_replicas_at_work(source: &Deployment) -> Result<bool, store::Error> {
    leading::are_replicas_at_work(async || {
        let lease = source.page(None, Kind::Lease, None).await?.pop();
        Ok(lease.map(|row| (row.record.revision, row.record.document)))
    })
    .await
}
