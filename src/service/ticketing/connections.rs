//! An account's connections: one a system at most, because a link names a system and no connection.

use std::collections::BTreeMap;

use reqwest::Url;

use super::{key_of, purpose};
use crate::model::access::Principal;
use crate::model::connection::{Sealed, TicketingConnection};
use crate::model::id::AccountId;
use crate::model::text::{LINE_BYTES_MAX, line};
use crate::model::ticketing::System;
use crate::model::{Invalid, text::shown};
use crate::service::access::Permission;
use crate::service::error::Resource;
use crate::service::sites::etag;
use crate::service::{ATTEMPTS_MAX, Error, Versioned, Waymark};
use crate::store::document::Document;
use crate::store::{Error as StoreError, Expect, Kind, Mutation, Range};
use crate::ticketing::build::Credentials;
use crate::ticketing::error::Cause;

/// What a change sets of a connection: each field that is `Some`. Credentials stand by the names of the system's facts.
#[derive(Default)]
pub struct ConnectionPatch {
    /// What people call it.
    pub display_name: Option<String>,
    /// The URL below which the system's methods are.
    pub base_url: Option<String>,
    /// What lets it in.
    pub credentials: Option<BTreeMap<String, String>>,
}

impl std::fmt::Debug for ConnectionPatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnectionPatch").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

/// A version of what people say of a connection.
#[must_use]
pub fn etag_of(connection: &TicketingConnection) -> String {
    etag(&(&connection.display_name, &connection.base_url, &connection.sealed))
}

/// The system that a text names, if it can be asked.
pub fn parse_system(field: &str, name: &str) -> Result<System, Invalid> {
    System::parse(name).ok_or_else(|| {
        let names = System::ALL.map(|system| system.facts().name).join(", ");
        Invalid::new(field, format!("one of {names} can be asked, got {}", shown(name)))
    })
}

impl Waymark {
    /// Makes the account's connection to a system. Asks nothing there.
    pub async fn create_connection(
        &self,
        principal: &Principal,
        account: &AccountId,
        system: System,
        patch: ConnectionPatch,
    ) -> Result<Versioned<TicketingConnection>, Error> {
        self.account_for(principal, account, Permission::Administer)?;
        let base_url = self.checked_base(patch.base_url.as_deref().unwrap_or_default())?.into();
        let sealed = self.sealed(account, system, patch.credentials.unwrap_or_default())?;
        let display_name = checked_name(&patch.display_name.unwrap_or_default())?;
        let now = self.now();
        let (web_url, created_at, updated_at) = (None, now, now);
        let value = TicketingConnection { system, display_name, base_url, sealed, web_url, created_at, updated_at };
        let document = Document::Connection(Box::new(value.clone()));
        match self.parts.store.commit(vec![Mutation::create(key_of(account, system), document)]).await {
            Ok(revision) => Ok(Versioned { value, revision }),
            Err(StoreError::Conflict { .. }) => Err(Error::Exists(Resource::Connection(account.clone(), system))),
            Err(cause) => Err(cause.into()),
        }
    }

    /// One connection.
    pub async fn connection(
        &self,
        principal: &Principal,
        account: &AccountId,
        system: System,
    ) -> Result<Versioned<TicketingConnection>, Error> {
        self.account_for(principal, account, Permission::See)?;
        self.found_connection(account, system).await
    }

    /// All connections of an account, in the order of their systems' names.
    pub async fn list_connections(
        &self,
        principal: &Principal,
        account: &AccountId,
    ) -> Result<Vec<Versioned<TicketingConnection>>, Error> {
        self.account_for(principal, account, Permission::See)?;
        self.connections_of(account).await
    }

    /// The same, whoever asks.
    pub(super) async fn connections_of(
        &self,
        account: &AccountId,
    ) -> Result<Vec<Versioned<TicketingConnection>>, Error> {
        let range = Range { limit: System::ALL.len(), ..Range::all(Some(account.clone()), Kind::Connection) };
        let records = self.parts.store.scan(range).await?.into_iter().map(|record| match record.document {
            Document::Connection(value) => Ok(Versioned { value: *value, revision: record.revision }),
            _ => Err(Error::Mismatched { key: record.key }),
        });
        records.collect()
    }

    /// Changes what the patch names, in the version of `etag`; empty for any.
    pub async fn update_connection(
        &self,
        principal: &Principal,
        account: &AccountId,
        system: System,
        patch: ConnectionPatch,
        etag: &str,
    ) -> Result<Versioned<TicketingConnection>, Error> {
        self.account_for(principal, account, Permission::Administer)?;
        let base = patch.base_url.as_deref().map(|url| self.checked_base(url)).transpose()?;
        let display_name = patch.display_name.as_deref().map(checked_name).transpose()?;
        let sealed = patch.credentials.map(|parts| self.sealed(account, system, parts)).transpose()?;
        self.commit_over_connection(account, system, etag, |before| {
            let mut after = before.clone();
            if let Some(base) = &base {
                let is_elsewhere = Url::parse(&before.base_url).map(|known| known.origin()) != Ok(base.origin());
                // Otherwise whoever may change a connection could have its secrets sent to a server of their own.
                if is_elsewhere && sealed.is_none() {
                    let why = "another host, port or scheme needs the credentials anew: name them in the mask too";
                    return Err(Invalid::new("connection.credentials", why).into());
                }
                after.base_url = base.to_string();
            }
            after.display_name = display_name.clone().unwrap_or(after.display_name);
            after.sealed = sealed.clone().unwrap_or(after.sealed);
            if after.base_url != before.base_url || after.sealed != before.sealed {
                // It was told there, to whoever had those credentials.
                after.web_url = None;
            }
            after.updated_at = self.now();
            Ok(Some(after))
        })
        .await
    }

    /// Deletes a connection and its credentials, in the version of `etag`; empty for any.
    pub async fn delete_connection(
        &self,
        principal: &Principal,
        account: &AccountId,
        system: System,
        etag: &str,
    ) -> Result<(), Error> {
        self.account_for(principal, account, Permission::Administer)?;
        self.commit_over_connection(account, system, etag, |_| Ok(None)).await.map(drop)
    }

    /// Asks the system whether it takes the credentials, and shows any organisation. Where it says where its pages are, that is
    /// kept.
    pub async fn check_connection(
        &self,
        principal: &Principal,
        account: &AccountId,
        system: System,
    ) -> Result<(), Error> {
        self.account_for(principal, account, Permission::Change)?;
        let revision = self.found_connection(account, system).await?.revision;
        let connector = self.connector(account, system).await?;
        let shows_any = connector.check().await?;
        self.keep_web_url(account, system, revision, &*connector).await?;
        if shows_any { Ok(()) } else { Err(Cause::ShowsNone.of(system).into()) }
    }

    /// The connection; what is missing is told by its name.
    pub(super) async fn found_connection(
        &self,
        account: &AccountId,
        system: System,
    ) -> Result<Versioned<TicketingConnection>, Error> {
        let missing = || Error::NotFound(Resource::Connection(account.clone(), system));
        self.find_connection(account, system).await?.ok_or_else(missing)
    }

    /// Reads a connection, and commits what `change` makes of it (`None` deletes it) over what was read: again and again
    /// while others are faster.
    async fn commit_over_connection(
        &self,
        account: &AccountId,
        system: System,
        etag: &str,
        change: impl Fn(&TicketingConnection) -> Result<Option<TicketingConnection>, Error>,
    ) -> Result<Versioned<TicketingConnection>, Error> {
        let resource = || Resource::Connection(account.clone(), system);
        for _ in 0..ATTEMPTS_MAX {
            let Versioned { value: before, revision } = self.found_connection(account, system).await?;
            if !etag.is_empty() && etag != etag_of(&before) {
                return Err(Error::EtagMismatch(resource()));
            }
            let after = change(&before)?;
            let document = after.clone().map(|after| Document::Connection(Box::new(after)));
            let (key, expect) = (key_of(account, system), Expect::Revision(revision));
            match self.parts.store.commit(vec![Mutation { key, expect, document }]).await {
                Ok(revision) => {
                    self.ticketing.forget(account, system);
                    return Ok(Versioned { value: after.unwrap_or(before), revision });
                }
                Err(StoreError::Conflict { .. }) => {}
                Err(cause) => return Err(cause.into()),
            }
        }
        Err(Error::Contention(resource().to_string()))
    }

    fn checked_base(&self, url: &str) -> Result<Url, Error> {
        Ok(self.setup()?.guard.check(url).map_err(|fault| fault.within("connection"))?)
    }

    /// The credentials, checked and encrypted.
    fn sealed(&self, account: &AccountId, system: System, parts: BTreeMap<String, String>) -> Result<Sealed, Error> {
        let credentials = Credentials::new(system, parts).map_err(|fault| fault.within("connection"))?;
        let text = serde_json::to_vec(&credentials.expose()).expect("a map of texts is JSON");
        let sealed = self.setup()?.vault.seal(&purpose(account, system), &text);
        sealed.ok_or_else(|| Error::Random("nothing could be encrypted".to_owned()))
    }
}

fn checked_name(name: &str) -> Result<String, Invalid> {
    line("connection.display_name", name, LINE_BYTES_MAX)
}
