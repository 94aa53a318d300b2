//! The store that is configured: embedded, or shared by a fleet; and whether this replica keeps up with the fleet.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use super::{Error, credentials_key};
use crate::api::Health;
use crate::config::Config;
use crate::secret_file;
use crate::service::vault::{self, KEY_BYTES};
use crate::store::document::Document;
use crate::store::embedded::Embedded;
use crate::store::redis::Redis;
use crate::store::{self, Key, Kind, Mutation, Store, Traced};

/// Which deployment a replica belongs to: a Redis that holds another one is not taken for ours after a restart.
const DEPLOYMENT_FILE: &str = "deployment.id";
/// Time between two looks at the lag.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Opens it. Where traces are configured it tells them of its work.
pub(super) async fn open(config: &Config) -> Result<Arc<dyn Store>, Error> {
    let store = open_engine(config).await?;
    if config.traces.is_none() {
        return Ok(store);
    }
    Ok(Arc::new(Traced::new(store)))
}

async fn open_engine(config: &Config) -> Result<Arc<dyn Store>, Error> {
    let Some(redis) = &config.redis else { return Ok(Arc::new(Embedded::open(&config.data_dir)?)) };
    let known = known(&config.data_dir)?;
    let store = Redis::open_if(redis, |found| match &known {
        Some(known) if found != Some(known) => Err(foreign(&config.data_dir, known, found)),
        _ => Ok(()),
    })
    .await?;
    if known.is_none() && takes_part(config, &store).await? {
        remember(&config.data_dir, store.deployment())?;
    }
    info!(deployment = store.deployment(), "the store is a Redis that replicas share");
    Ok(Arc::new(store))
}

#[expect(clippy::needless_pass_by_value, reason = "texts and errors that were made for it")]
fn refuse(data_dir: &Path, cause: impl ToString) -> store::Error {
    store::Error::Directory { path: data_dir.to_owned(), cause: cause.to_string() }
}

/// Which deployment this was the last time.
fn known(data_dir: &Path) -> Result<Option<String>, store::Error> {
    match std::fs::read_to_string(data_dir.join(DEPLOYMENT_FILE)) {
        Ok(known) => Ok(Some(known.trim().to_owned())),
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(refuse(data_dir, format!("{DEPLOYMENT_FILE}: {cause}"))),
    }
}

fn foreign(data_dir: &Path, known: &str, found: Option<&str>) -> store::Error {
    refuse(
        data_dir,
        format!(
            "it belongs to deployment {known}, and Redis holds {} under redis.prefix: restore that Redis, choose another prefix, or \
             remove {DEPLOYMENT_FILE} to go on with what is there",
            found.unwrap_or("none")
        ),
    )
}

/// Where the mark of the key stands that a shared store's credentials are encrypted with.
fn key_mark() -> Key {
    Key::operator(Kind::Secret, "credentials-key")
}

/// Whether a server that never took part in a deployment does from now on. One whose key for credentials is another one than the deployment's
/// is refused: it was to begin a deployment of its own, and the prefix is taken. Nothing was written until then.
async fn takes_part(config: &Config, store: &Redis) -> Result<bool, Error> {
    let found = match store.get(key_mark()).await {
        // The log names it, and nobody's key can be told from it.
        Err(store::Error::Corrupt { .. }) => None,
        found => found?,
    };
    let Some(Document::Secret(mark)) = found.map(|record| record.document) else { return Ok(true) };
    // A command may do without a key: nobody serves without one.
    let Ok(Some(own)) = credentials_key::find(&config.ticketing, &config.data_dir) else { return Ok(false) };
    if mark == vault::mark_of(&own) {
        return Ok(true);
    }
    let cause = format!(
        "redis.prefix is that of deployment {}, in which this server never took part, and whose credentials another key encrypts: choose \
         another prefix for a deployment of its own, or give it the key that the other servers have; where nobody has that one any more, write \
         the deployment's id to {DEPLOYMENT_FILE} in data_dir, and set the credentials again",
        store.deployment()
    );
    Err(store::Error::Configuration { cause }.into())
}

/// Notes which key the credentials of a shared store are encrypted with: another one's servers are told by it. Says so where it was another
/// one before. An embedded store has a mark where it was moved there from a shared one, and may be moved back with another key.
pub(super) async fn note_key(store: &dyn Store, key: &[u8; KEY_BYTES]) {
    let mark = vault::mark_of(key);
    let mut noted = note_mark(store, mark).await;
    if matches!(noted, Err(store::Error::Conflict { .. })) {
        // Another replica was faster, and its key may be another one.
        noted = note_mark(store, mark).await;
    }
    match noted {
        Ok(()) | Err(store::Error::Conflict { .. }) => {}
        Err(cause) => warn!(%cause, "it is not noted which key credentials are encrypted with"),
    }
}

async fn note_mark(store: &dyn Store, mark: [u8; 32]) -> Result<(), store::Error> {
    let noted = match store.get(key_mark()).await? {
        None if !store.is_shared() => return Ok(()),
        None => Mutation::create(key_mark(), Document::Secret(mark)),
        Some(record) if matches!(&record.document, Document::Secret(found) if *found == mark) => return Ok(()),
        Some(record) => {
            warn!(
                "the key for credentials is another one than this deployment's servers had: what was encrypted with that one is not read; \
                 give all of them the same"
            );
            Mutation::replace(key_mark(), record.revision, Document::Secret(mark))
        }
    };
    store.commit(vec![noted]).await.map(drop)
}

/// Writes down which deployment this is.
fn remember(data_dir: &Path, deployment: &str) -> Result<(), store::Error> {
    std::fs::create_dir_all(data_dir).map_err(|cause| refuse(data_dir, cause))?;
    secret_file::write(&data_dir.join(DEPLOYMENT_FILE), deployment).map_err(|cause| refuse(data_dir, cause))
}

/// Says that this replica is not ready while it is further behind than it may be. For ever; a store that nobody shares is
/// never behind.
pub(super) async fn watch_lag(store: Arc<dyn Store>, health: Health, stale_max: Duration) {
    if !store.is_shared() {
        return;
    }
    loop {
        let lag = store.lag();
        let keeps_up = lag.behind <= stale_max;
        if health.set_keeping_up(keeps_up) {
            if keeps_up {
                info!("this replica keeps up again");
            } else {
                warn!(
                    behind_s = lag.behind.as_secs(),
                    trouble = lag.trouble.as_deref(),
                    "this replica is behind and not ready"
                );
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
