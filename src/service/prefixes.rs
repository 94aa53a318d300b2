//! An account's own networks: kept by its people, believed before any database.

use ipnet::IpNet;
use jiff::Timestamp;

use super::access::Permission;
use super::error::Resource;
use super::paging::{Page, PageRequest, query_purpose};
use super::sites::etag;
use super::{ATTEMPTS_MAX, Error, Versioned, Waymark};
use crate::geoip::special;
use crate::model::Invalid;
use crate::model::access::Principal;
use crate::model::geo::LatLng;
use crate::model::id::{AccountId, Revision};
use crate::model::location::Granularity;
use crate::model::prefix::{PREFIXES_MAX, Prefix};
use crate::model::reestimation::{Reach, Reestimation};
use crate::store::document::Document;
use crate::store::{Error as StoreError, Expect, Key, Kind, Mutation, Range};

/// Most runs that an account is told of: one goes on, one waits, and what matters of the others is whether the last ones
/// ended well. The proto tells it.
pub(super) const RUNS_TOLD_MAX: usize = 20;
/// What an account hears of a run of its that failed.
pub(super) const FAILURE_TOLD: &str = "the run cannot go on: the operator of this server sees why";

/// What people say of a network.
#[derive(Debug, Clone)]
pub struct PrefixFields {
    /// The network.
    pub network: IpNet,
    /// What they call it.
    pub display_name: String,
    /// Where it is.
    pub position: LatLng,
    /// Radius in metres.
    pub accuracy_m: Option<f64>,
    /// How fine the position is.
    pub granularity: Granularity,
}

impl PrefixFields {
    fn prefix(self, created_at: Timestamp, now: Timestamp) -> Result<Prefix, Error> {
        let Self { network, display_name, position, accuracy_m, granularity } = self;
        refuse_wrapped(network)?;
        let prefix = Prefix { network, display_name, position, accuracy_m, granularity, created_at, updated_at: now };
        Ok(prefix.checked().map_err(|fault| fault.within("prefix"))?)
    }
}

impl Waymark {
    /// Places a network. Sites that come from it are estimated again, in the background.
    pub async fn create_prefix(
        &self,
        principal: &Principal,
        account: &AccountId,
        fields: PrefixFields,
    ) -> Result<Versioned<Prefix>, Error> {
        let live = self.account_for(principal, account, Permission::Change)?;
        let now = self.now();
        let prefix = fields.prefix(now, now)?;
        // Counting and making are one step, so that calls that race do not go beyond the limit together.
        let _alone = live.placing().await;
        if live.prefix_count() >= PREFIXES_MAX {
            return Err(Error::TooMany("prefixes of an account", PREFIXES_MAX));
        }
        let change = Mutation::create(key_of(account, prefix.network), Document::Prefix(prefix.clone()));
        match self.commit_prefix(principal, account, prefix.network, change).await {
            Ok(revision) => Ok(Versioned { value: prefix, revision }),
            Err(Error::Store(StoreError::Conflict { .. })) => {
                Err(Error::Exists(Resource::Prefix(account.clone(), prefix.network)))
            }
            Err(cause) => Err(cause),
        }
    }

    /// Changes all that is said of a network, in the version of `etag`; empty for any. Sites that come from it are
    /// estimated again, in the background.
    pub async fn update_prefix(
        &self,
        principal: &Principal,
        account: &AccountId,
        fields: PrefixFields,
        etag: &str,
    ) -> Result<Versioned<Prefix>, Error> {
        self.account_for(principal, account, Permission::Change)?;
        let network = fields.network;
        let change = |before: &Prefix| fields.clone().prefix(before.created_at, self.now());
        self.commit_over_prefix(principal, account, network, etag, |before| {
            let prefix = change(before)?;
            Ok((Some(Document::Prefix(prefix.clone())), prefix))
        })
        .await
    }

    /// Leaves a network to the databases again, in the version of `etag`; empty for any. Sites that come from it are
    /// estimated again, in the background.
    pub async fn delete_prefix(
        &self,
        principal: &Principal,
        account: &AccountId,
        network: IpNet,
        etag: &str,
    ) -> Result<(), Error> {
        self.account_for(principal, account, Permission::Change)?;
        self.commit_over_prefix(principal, account, network, etag, |_| Ok((None, ()))).await.map(drop)
    }

    /// Reads a network in the version of `etag`, and commits what `change` makes of it over what was read: again and again
    /// while others are faster. What is gone by then, or says something else than the version asked for, is refused.
    async fn commit_over_prefix<T>(
        &self,
        principal: &Principal,
        account: &AccountId,
        network: IpNet,
        etag: &str,
        change: impl Fn(&Prefix) -> Result<(Option<Document>, T), Error>,
    ) -> Result<Versioned<T>, Error> {
        for _ in 0..ATTEMPTS_MAX {
            let before = self.find_version(account, network, etag).await?;
            let (document, value) = change(&before.value)?;
            let (key, expect) = (key_of(account, network), Expect::Revision(before.revision));
            match self.commit_prefix(principal, account, network, Mutation { key, expect, document }).await {
                Ok(revision) => return Ok(Versioned { value, revision }),
                Err(Error::Store(StoreError::Conflict { .. })) => {}
                Err(cause) => return Err(cause),
            }
        }
        Err(Error::Contention(Resource::Prefix(account.clone(), network).to_string()))
    }

    /// Changes a network and has its sites estimated again. The run is noted before the change, so that none is lost
    /// whatever ends in between; and once more behind it, because that run may be over by then.
    async fn commit_prefix(
        &self,
        principal: &Principal,
        account: &AccountId,
        network: IpNet,
        change: Mutation,
    ) -> Result<Revision, Error> {
        let reach = || Reach::Networks(account.clone(), vec![network]);
        self.begin_reestimation(principal, reach()).await?;
        let revision = self.parts.store.commit(vec![change]).await?;
        if let Err(cause) = self.begin_reestimation(principal, reach()).await {
            tracing::warn!(%cause, %network, "sites behind a network that changed may be estimated again late");
        }
        Ok(revision)
    }

    /// One network.
    pub async fn prefix(
        &self,
        principal: &Principal,
        account: &AccountId,
        network: IpNet,
    ) -> Result<Versioned<Prefix>, Error> {
        self.account_for(principal, account, Permission::Read)?;
        self.find_prefix(account, network).await
    }

    /// The last runs (20 at most) that the account's networks began and that are kept, the newest first.
    pub async fn list_prefix_reestimations(
        &self,
        principal: &Principal,
        account: &AccountId,
    ) -> Result<Vec<Reestimation>, Error> {
        self.account_for(principal, account, Permission::Read)?;
        let is_own = |run: &Reestimation| matches!(&run.reach, Reach::Networks(of, _) if of == account);
        let mut runs = self.last_runs(RUNS_TOLD_MAX, is_own).await?;
        for run in runs.iter_mut().filter(|run| !run.failure.is_empty()) {
            // It may name files of the server, which are the operator's business.
            FAILURE_TOLD.clone_into(&mut run.failure);
        }
        Ok(runs)
    }

    /// The networks of an account, in the order of their texts.
    pub async fn list_prefixes(
        &self,
        principal: &Principal,
        account: &AccountId,
        page: &PageRequest,
    ) -> Result<Page<Versioned<Prefix>>, Error> {
        self.account_for(principal, account, Permission::Read)?;
        let limit = page.limit()?;
        let purpose = || query_purpose(principal, "prefixes", account);
        let after: Option<String> = self.cursor(&purpose, page)?;
        let range = Range { after, limit: limit + 1, ..Range::all(Some(account.clone()), Kind::Prefix) };
        let records = self.parts.store.scan(range).await?;
        let prefixes = records.into_iter().map(|record| match record.document {
            Document::Prefix(value) => Ok(Versioned { value, revision: record.revision }),
            _ => Err(Error::Mismatched { key: record.key }),
        });
        let prefixes = prefixes.collect::<Result<Vec<_>, _>>()?;
        Ok(self.page(&purpose, prefixes, limit, |prefix| prefix.value.network.to_string()))
    }

    /// The network, if it is in the version that its caller has seen.
    async fn find_version(&self, account: &AccountId, network: IpNet, etag: &str) -> Result<Versioned<Prefix>, Error> {
        let found = self.find_prefix(account, network).await?;
        if etag.is_empty() || etag == etag_of(&found.value) {
            return Ok(found);
        }
        Err(Error::EtagMismatch(Resource::Prefix(account.clone(), network)))
    }

    async fn find_prefix(&self, account: &AccountId, network: IpNet) -> Result<Versioned<Prefix>, Error> {
        let missing = || Error::NotFound(Resource::Prefix(account.clone(), network));
        let record = self.parts.store.get(key_of(account, network)).await?.ok_or_else(missing)?;
        match record.document {
            Document::Prefix(value) => Ok(Versioned { value, revision: record.revision }),
            _ => Err(Error::Mismatched { key: record.key }),
        }
    }
}

/// Refuses a network of addresses that hold IPv4 ones: these are looked up as IPv4, so it would never be asked.
fn refuse_wrapped(network: IpNet) -> Result<(), Invalid> {
    let ((first, way), (last, last_way)) = (special::unwrap(network.network()), special::unwrap(network.broadcast()));
    if way.is_none() || way != last_way {
        return Ok(());
    }
    let why =
        format!("an IPv4 network is written as one: this one holds {first} to {last}, which are asked for as such");
    Err(Invalid::new("prefix.cidr", why))
}

/// A version of what people say of a network.
#[must_use]
pub fn etag_of(prefix: &Prefix) -> String {
    etag(&(&prefix.display_name, prefix.position, prefix.accuracy_m, prefix.granularity))
}

fn key_of(account: &AccountId, network: IpNet) -> Key {
    Key::of(account, Kind::Prefix, network)
}
