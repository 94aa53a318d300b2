//! All organisations of a system, read there page by page over several calls, and kept for a while.
//!
//! A page that was read stays read whatever becomes of the call, and one call at a time reads.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, timeout_at};

use crate::model::id::{AccountId, Revision};
use crate::model::ticketing::System;
use crate::service::{Error, Waymark};
use crate::ticketing::error::Cause;
use crate::ticketing::matching::Prepared;
use crate::ticketing::{Connector, Listed, Organization};

/// Most organisations that are compared.
const ORGANIZATIONS_MAX: usize = 10_000;
/// For how long they are kept.
const KEPT: Duration = Duration::from_mins(10);
/// Catalogues that are kept: some 5 MB each at most.
const CATALOGUES_MAX: usize = 16;
/// Longest time that a call reads organisations, its last request included: it has ten seconds, and compares them too.
const READ_TIME: Duration = Duration::from_secs(6);

type Key = (AccountId, System);

/// The organisations of a system, as far as they are read.
#[derive(Debug)]
struct Catalogue {
    revision: Revision,
    begun: Instant,
    organizations: Arc<Vec<Prepared>>,
    /// Those that are in it: while pages are read an organisation may move to the next one.
    ids: HashSet<String>,
    /// Where reading goes on; `None` where it is over.
    next: Option<String>,
}

impl Catalogue {
    fn is_good(&self, revision: Revision) -> bool {
        self.revision == revision && self.begun.elapsed() < KEPT
    }

    fn extend(&mut self, page: Listed<Organization>) {
        // Copied only while a call compares what was read before.
        let organizations = Arc::make_mut(&mut self.organizations);
        let new = page.items.into_iter().filter(|organization| self.ids.insert(organization.id.clone()));
        organizations.extend(new.map(Prepared::new));
        self.next = page.next;
    }
}

/// How far a catalogue is.
#[derive(Debug, Default)]
struct Place {
    /// Organisations in it.
    count: usize,
    /// Where it goes on; `None` at the beginning.
    next: Option<String>,
    /// Whether these are all.
    is_complete: bool,
}

/// The organisations to compare with.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) organizations: Arc<Vec<Prepared>>,
    /// Whether these are all.
    pub(super) is_complete: bool,
}

/// The catalogues that are kept.
#[derive(Debug, Default)]
pub(super) struct Catalogues {
    all: Mutex<HashMap<Key, Catalogue>>,
    /// Held by the one call that reads each; there are as many as calls.
    readers: Mutex<HashMap<Key, Arc<tokio::sync::Mutex<()>>>>,
}

impl Catalogues {
    pub(super) fn forget(&self, account: &AccountId, system: System) {
        self.all.lock().remove(&(account.clone(), system));
    }

    /// Takes a catalogue that was read by one version of a connection for one of another, which leads to the same things.
    pub(super) fn carry_over(&self, key: &Key, from: Revision, to: Revision) {
        if let Some(known) = self.all.lock().get_mut(key).filter(|known| known.revision == from) {
            known.revision = to;
        }
    }

    /// What is held by whoever reads this one.
    fn reader(&self, key: &Key) -> Arc<tokio::sync::Mutex<()>> {
        let mut readers = self.readers.lock();
        readers.retain(|_, reader| Arc::strong_count(reader) > 1);
        Arc::clone(readers.entry(key.clone()).or_default())
    }

    fn place(&self, key: &Key, revision: Revision) -> Place {
        let all = self.all.lock();
        let known = all.get(key).filter(|known| known.is_good(revision));
        known.map_or_else(Place::default, |known| Place {
            count: known.organizations.len(),
            next: known.next.clone(),
            is_complete: known.next.is_none(),
        })
    }

    fn get(&self, key: &Key, revision: Revision) -> Read {
        let all = self.all.lock();
        let known = all.get(key).filter(|known| known.is_good(revision));
        known.map_or_else(Read::default, |known| Read {
            organizations: Arc::clone(&known.organizations),
            is_complete: known.next.is_none(),
        })
    }

    /// Adds the page that begins at `from`, where it goes on there or begins; where there are too many catalogues, the oldest
    /// goes. Nothing is put over what a newer version of the connection told.
    fn add(&self, key: &Key, revision: Revision, from: Option<&str>, page: Listed<Organization>) {
        let mut all = self.all.lock();
        all.retain(|_, known| known.begun.elapsed() < KEPT);
        if let Some(known) = all.get_mut(key)
            && known.revision >= revision
        {
            if known.revision == revision && from.is_some() && known.next.as_deref() == from {
                known.extend(page);
            }
            return;
        }
        if from.is_some() {
            return;
        }
        if all.len() >= CATALOGUES_MAX && !all.contains_key(key) {
            let oldest = all.iter().min_by_key(|(_, known)| known.begun).map(|(key, _)| key.clone());
            oldest.map(|oldest| all.remove(&oldest));
        }
        let (organizations, ids, next) = (Arc::default(), HashSet::new(), None);
        let mut begun = Catalogue { revision, begun: Instant::now(), organizations, ids, next };
        begun.extend(page);
        all.insert(key.clone(), begun);
    }
}

impl Waymark {
    /// The organisations of a system: those that are kept, read on for six seconds at most where they are not all. One call
    /// reads; others wait for it as long, and take what is there by then.
    pub(super) async fn catalogue(
        &self,
        account: &AccountId,
        system: System,
        revision: Revision,
        connector: &dyn Connector,
    ) -> Result<Read, Error> {
        let (catalogues, key) = (&self.ticketing.catalogues, (account.clone(), system));
        let deadline = Instant::now() + READ_TIME;
        let reader = catalogues.reader(&key);
        let turn = timeout_at(deadline, reader.lock()).await;
        let mut failure = turn.as_ref().err().map(|_| Cause::TimedOut.of(system));
        while failure.is_none() {
            let place = catalogues.place(&key, revision);
            if place.is_complete || place.count >= ORGANIZATIONS_MAX {
                break;
            }
            match timeout_at(deadline, connector.organizations("", place.next.as_deref())).await {
                Ok(Ok(page)) => catalogues.add(&key, revision, place.next.as_deref(), page),
                Ok(Err(cause)) => failure = Some(cause),
                Err(_) => failure = Some(Cause::TimedOut.of(system)),
            }
        }
        let read = catalogues.get(&key, revision);
        match failure {
            Some(cause) if read.organizations.is_empty() => Err(cause.into()),
            // What is read already is of use.
            _ => Ok(read),
        }
    }
}
