//! Ties to ticketing systems: connections, what they tell, and whether links still hold.
//!
//! `connections` keeps them, `pages` knows where people open what is there, `external` lists it, `verify` checks links, `runs`
//! and `worker` do so for a whole account, `again` begins that from time to time as `rhythm` says, `suggest` compares names.
//! None of them sets a link.

pub(in crate::service) mod again;
mod catalogue;
pub mod connections;
pub mod external;
mod pages;
mod public;
mod rhythm;
pub mod runs;
pub(in crate::service) mod session;
pub mod suggest;
pub mod verify;
mod worker;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::error::Resource;
use super::vault::{KEY_BYTES, Vault};
use super::{ATTEMPTS_MAX, Error, Versioned, Waymark};
use crate::model::connection::TicketingConnection;
use crate::model::id::{AccountId, Revision};
use crate::model::ticketing::System;
use crate::store::document::Document;
use crate::store::{Key, Kind};
use crate::ticketing::Connector;
use crate::ticketing::build::{Credentials, connector};
use crate::ticketing::client::Setting;
use crate::ticketing::governor::{Governor, Shared};
use crate::ticketing::target::{Config, Guard};
use rhythm::Rhythm;

pub use crate::ticketing::{Address, ExternalSite};

/// How ticketing systems are connected to.
#[derive(Debug)]
pub struct Setup {
    guard: Guard,
    time_max: Duration,
    vault: Vault,
    /// How often links are checked again by themselves; `None` for never.
    rhythm: Option<Rhythm>,
}

impl Setup {
    /// As configured, with the key that credentials are encrypted with.
    #[must_use]
    pub fn new(config: &Config, key: &[u8; KEY_BYTES]) -> Self {
        Self {
            guard: Guard::new(config, public::is_public),
            time_max: config.time_max(),
            vault: Vault::new(key),
            rhythm: Rhythm::of_hours(config.verify_every_h),
        }
    }
}

/// A connector, and the version of the connection that it was built of.
type Pooled = (Revision, Arc<dyn Connector>);

/// What is kept of connections while they are used: never more than there are, but for catalogues.
#[derive(Debug, Default)]
pub(super) struct Pool {
    connectors: Mutex<HashMap<(AccountId, System), Pooled>>,
    /// Outlive connectors, so that changing a connection is no way around its limits.
    governors: Mutex<HashMap<(AccountId, System), Arc<Governor>>>,
    /// Limits by IP address, which is ours.
    shared: Arc<Shared>,
    catalogues: catalogue::Catalogues,
    /// Accounts with a run that goes on, and when it is their turn.
    verifying: Mutex<BTreeMap<AccountId, Timestamp>>,
    /// Told when an account joins them.
    wake: Notify,
}

impl Pool {
    /// Forgets all that was made of a connection, or told by it.
    fn forget(&self, account: &AccountId, system: System) {
        self.connectors.lock().remove(&(account.clone(), system));
        self.catalogues.forget(account, system);
    }

    /// Takes what was made of a version of a connection for the one behind it, by which the system is asked in the same way.
    fn carry_over(&self, account: &AccountId, system: System, from: Revision, to: Revision) {
        let key = (account.clone(), system);
        if let Some((revision, _)) = self.connectors.lock().get_mut(&key).filter(|(revision, _)| *revision == from) {
            *revision = to;
        }
        self.catalogues.carry_over(&key, from, to);
    }
}

fn key_of(account: &AccountId, system: System) -> Key {
    Key::of(account, Kind::Connection, system.facts().name)
}

/// What credentials are encrypted for.
fn purpose(account: &AccountId, system: System) -> String {
    format!("ticketing:{account}/{}", system.facts().name)
}

impl Waymark {
    fn setup(&self) -> Result<&Setup, Error> {
        self.parts.ticketing.as_ref().ok_or(Error::TicketingOff)
    }

    async fn find_connection(
        &self,
        account: &AccountId,
        system: System,
    ) -> Result<Option<Versioned<TicketingConnection>>, Error> {
        let Some(record) = self.parts.store.get(key_of(account, system)).await? else { return Ok(None) };
        match record.document {
            Document::Connection(value) => Ok(Some(Versioned { value: *value, revision: record.revision })),
            _ => Err(Error::Mismatched { key: record.key }),
        }
    }

    /// The account's connector to a system, as the connection is now.
    async fn connector(&self, account: &AccountId, system: System) -> Result<Arc<dyn Connector>, Error> {
        let (pool, at) = (&self.ticketing, (account.clone(), system));
        for _ in 0..ATTEMPTS_MAX {
            let Some(found) = self.find_connection(account, system).await? else {
                // Another process may have deleted it.
                pool.forget(account, system);
                return Err(Error::NotConnected(system));
            };
            if let Some((revision, known)) = pool.connectors.lock().get(&at)
                && *revision == found.revision
            {
                return Ok(Arc::clone(known));
            }
            let made = self.built(&at, &found.value)?;
            pool.connectors.lock().insert(at.clone(), (found.revision, Arc::clone(&made)));
            // Whoever deleted or changed it meanwhile may have looked for what to forget before this was there.
            if self.find_connection(account, system).await?.is_some_and(|now| now.revision == found.revision) {
                return Ok(made);
            }
            pool.forget(account, system);
        }
        Err(Error::Contention(Resource::Connection(account.clone(), system).to_string()))
    }

    /// Builds the connector of a connection.
    fn built(&self, at: &(AccountId, System), connection: &TicketingConnection) -> Result<Arc<dyn Connector>, Error> {
        let (setup, (account, system)) = (self.setup()?, at);
        let unreadable = || Error::CredentialsUnreadable(*system);
        let text = setup.vault.open(&purpose(account, *system), &connection.sealed).ok_or_else(unreadable)?;
        let parts = serde_json::from_slice(&text).map_err(|_| unreadable())?;
        let credentials = Credentials::new(*system, parts).map_err(|_| unreadable())?;
        // The operator may allow less than when it was made.
        let base = setup.guard.check(&connection.base_url).map_err(|fault| fault.within("connection"))?;
        let governor = {
            let mut governors = self.ticketing.governors.lock();
            Arc::clone(governors.entry(at.clone()).or_insert_with(|| Arc::new(Governor::new(*system))))
        };
        let shared = Arc::clone(&self.ticketing.shared);
        let setting = Setting { guard: setup.guard.clone(), time_max: setup.time_max, governor, shared };
        Ok(connector(*system, base, &credentials, setting)?)
    }
}
