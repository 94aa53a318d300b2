//! What a check knows already of the systems that it asks: for one run, for one version of each connection, and not for
//! long. So no answer outlives the credentials or the host that it was got with.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::verify::LinkFailure;
use crate::model::id::Revision;
use crate::model::ticketing::System;
use crate::ticketing::{self, Connector};

/// Most answers of a system that are remembered, so that an organisation of many sites is asked for once.
const REMEMBERED_MAX: usize = 10_000;
/// For how long an answer is believed: what is deleted there is not told as found for longer.
const KEPT: SignedDuration = SignedDuration::from_mins(5);

/// An organisation, by its id, and a site of it; empty for the organisation itself.
pub(super) type Named = (String, String);

/// What one run knows of all systems of its account.
#[derive(Debug, Default)]
pub(in crate::service) struct Session {
    run: String,
    systems: HashMap<System, Known>,
}

/// What is known of one system.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The version of the connection that all of it was got with; `None` for no connection.
    pub(super) revision: Option<Revision>,
    trusted: Option<Trusted>,
    /// Why it is asked no more.
    failure: Option<LinkFailure>,
    /// Names of organisations and sites that were asked for, and when; `None` for what is not there.
    names: HashMap<Named, (Option<String>, Timestamp)>,
}

/// A system that has shown that it is one.
#[derive(Debug, Clone)]
pub(super) struct Trusted {
    /// What asks it.
    pub(super) connector: Arc<dyn Connector>,
    /// Whether it shows the connection any organisation.
    pub(super) shows_any: bool,
    /// When.
    pub(super) at: Timestamp,
}

/// Whether what was told then still holds. A clock that was set back makes it old too.
fn is_fresh(at: Timestamp, now: Timestamp) -> bool {
    (SignedDuration::ZERO..KEPT).contains(&now.duration_since(at))
}

impl Session {
    /// Makes it that of a run: forgets all where it was another one's.
    pub(super) fn begin(&mut self, run: &str) {
        if self.run != run {
            *self = Self { run: run.to_owned(), systems: HashMap::new() };
        }
    }

    /// Takes out what is known of a system by this version of its connection.
    pub(super) fn take(&mut self, system: System, revision: Option<Revision>) -> Known {
        let known = self.systems.remove(&system).filter(|known| known.revision == revision);
        known.unwrap_or_else(|| Known { revision, ..Known::default() })
    }

    /// Puts it back.
    pub(super) fn put(&mut self, system: System, known: Known) {
        self.systems.insert(system, known);
    }

    /// Asks systems no more that failed for longer than anybody waits.
    pub(super) fn give_up(&mut self, failures: &BTreeMap<&'static str, LinkFailure>) {
        for (system, failure) in failures.iter().filter(|(_, failure)| failure.retry_after_s.is_some()) {
            if let Some(known) = System::parse(system).and_then(|system| self.systems.get_mut(&system)) {
                known.failure = Some(failure.lasting());
            }
        }
    }
}

impl Known {
    /// What is known of whether it can be asked; `None` for nothing.
    pub(super) fn trust(&self, now: Timestamp) -> Option<Result<Trusted, LinkFailure>> {
        let trusted = || self.trusted.clone().filter(|trusted| is_fresh(trusted.at, now));
        self.failure.clone().map(Err).or_else(|| trusted().map(Ok))
    }

    /// Remembers that it can be asked, or why not, where that lasts.
    pub(super) fn remember(&mut self, tried: &Result<Trusted, LinkFailure>) {
        match tried {
            Ok(trusted) => self.trusted = Some(trusted.clone()),
            Err(failure) if failure.retry_after_s.is_none() => self.failure = Some(failure.clone()),
            Err(_) => {}
        }
    }

    /// A name that is known, or that `asking` tells, which is remembered; and when it was asked for.
    pub(super) async fn name(
        &mut self,
        key: Named,
        now: Timestamp,
        asking: impl Future<Output = Result<Option<String>, ticketing::Error>>,
    ) -> Result<(Option<String>, Timestamp), ticketing::Error> {
        if let Some(known) = self.names.get(&key).filter(|(_, at)| is_fresh(*at, now)) {
            return Ok(known.clone());
        }
        let name = asking.await?;
        if self.names.len() >= REMEMBERED_MAX {
            self.names.clear();
        }
        self.names.insert(key, (name.clone(), now));
        Ok((name, now))
    }
}
