//! Whether the far ends of a site's links are still there, and under which names.
//!
//! Only what a system surely says changes a state: a failure of any kind leaves it as it was. Before a system's "not there"
//! is believed, it has to show that it is the system, and lets the connection see organisations.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::error::{Fault as _, Reason};
use crate::model::access::Principal;
use crate::model::history::Cause;
use crate::model::id::{AccountId, SiteId};
use crate::model::site::{Site, TicketingLink};
use crate::model::ticketing::{FarEnd, LinkState, System, check_ids};
use crate::service::access::Permission;
use crate::service::error::Resource;
use crate::service::record::Author;
use crate::service::sites::{Draft, Step};
use crate::service::{Error, Versioned, Waymark};
use crate::ticketing::{self, Connector};

/// Most answers that a run remembers, so that an organisation of many sites is asked for once.
const REMEMBERED_MAX: usize = 10_000;

/// Why links to a system were not checked.
#[derive(Debug, Clone)]
pub struct LinkFailure {
    /// Its reason.
    pub reason: Reason,
    /// The same for people.
    pub message: String,
    /// After how many seconds it may be over by itself; `None` where it is not.
    pub(super) retry_after_s: Option<u64>,
}

impl LinkFailure {
    fn of(cause: &Error) -> Self {
        let is_passing = matches!(cause, Error::Ticketing(cause) if cause.is_passing());
        let wait = cause.retry_after().filter(|_| is_passing).map(|wait| wait.as_secs().max(1));
        Self { reason: cause.reason(), message: cause.told(), retry_after_s: wait }
    }
}

/// What a check of a site's links came to.
#[derive(Debug, Clone)]
pub struct CheckedLinks {
    /// The site with its links.
    pub site: Versioned<Site>,
    /// The states of the links that were checked.
    pub states: Vec<LinkState>,
    /// Why others were not, by system.
    pub failures: BTreeMap<&'static str, LinkFailure>,
    /// How many were not.
    pub failed: u64,
    /// Links to systems that are not known.
    pub unknown: u64,
}

/// An organisation of a system, by its id, and a site of it; empty for the organisation itself.
type Named = (System, String, String);

/// What a run knows already of the systems that it asks.
#[derive(Debug, Default)]
pub(in crate::service) struct Session {
    connectors: HashMap<System, Result<Arc<dyn Connector>, LinkFailure>>,
    /// Names of organisations and sites that were asked for; `None` for what is not there.
    names: HashMap<Named, Option<String>>,
}

impl Session {
    /// Asks systems no more that failed for longer than anybody waits.
    pub(super) fn give_up(&mut self, failures: &BTreeMap<&'static str, LinkFailure>) {
        for (system, failure) in failures {
            if let Some(system) = System::parse(system) {
                self.connectors.insert(system, Err(LinkFailure { retry_after_s: None, ..failure.clone() }));
            }
        }
    }

    /// A name that is known, or that `asking` tells, which is remembered.
    async fn name(
        &mut self,
        key: Named,
        asking: impl Future<Output = Result<Option<String>, ticketing::Error>>,
    ) -> Result<Option<String>, ticketing::Error> {
        if let Some(known) = self.names.get(&key) {
            return Ok(known.clone());
        }
        let name = asking.await?;
        if self.names.len() >= REMEMBERED_MAX {
            self.names.clear();
        }
        self.names.insert(key, name.clone());
        Ok(name)
    }
}

impl Waymark {
    /// Checks the links of one site now. Neither etag nor time of change of the site change.
    pub async fn verify_site_links(
        &self,
        principal: &Principal,
        account: &AccountId,
        site: SiteId,
    ) -> Result<CheckedLinks, Error> {
        self.account_for(principal, account, Permission::Change)?;
        self.check_links(account, site, &mut Session::default()).await
    }

    /// Checks the links of a site, and writes down what was found. `SiteDeleted` for a deleted one.
    pub(super) async fn check_links(
        &self,
        account: &AccountId,
        id: SiteId,
        session: &mut Session,
    ) -> Result<CheckedLinks, Error> {
        let missing = || Error::NotFound(Resource::Site(account.clone(), id));
        let site = self.find_site(account, id).await?.ok_or_else(missing)?;
        if site.value.deleted_at.is_some() {
            return Err(Error::SiteDeleted(Resource::Site(account.clone(), id)));
        }
        let mut checked = CheckedLinks { site, states: Vec::new(), failures: BTreeMap::new(), failed: 0, unknown: 0 };
        let mut found: Vec<(TicketingLink, FarEnd)> = Vec::new();
        for link in checked.site.value.ticketing_links.clone() {
            let Some(system) = System::parse(&link.system) else {
                checked.unknown += 1;
                continue;
            };
            match self.far_end(account, system, &link, session).await? {
                Ok(end) => found.push((link, end)),
                Err(failure) => {
                    checked.failed += 1;
                    checked.failures.insert(system.facts().name, failure);
                }
            }
        }
        if found.is_empty() {
            return Ok(checked);
        }
        let found = &found;
        let change = |mut site: Site, now| async move {
            for link in &mut site.ticketing_links {
                // One that was changed meanwhile is another link.
                if let Some((_, end)) = found.iter().find(|(known, _)| known.is_of_same_end(link)) {
                    link.check = link.judged(end, now);
                }
            }
            let step = if site.deleted_at.is_some() { Step::Leave } else { Step::Write(Vec::new()) };
            Ok(Draft { site, step })
        };
        // Nothing that people said changes, so there is no entry of it in the site's history.
        let author = Author::system(Cause::Updated);
        checked.site = self.commit_over(account, id, author, change).await?;
        let links = checked.site.value.ticketing_links.iter();
        let is_found = |link: &&TicketingLink| found.iter().any(|(known, _)| known.is_of_same_end(link));
        checked.states = links.filter(is_found).map(|link| link.check.state).collect();
        Ok(checked)
    }

    /// What a system says of the far end of a link. The outer error is of ours.
    async fn far_end(
        &self,
        account: &AccountId,
        system: System,
        link: &TicketingLink,
        session: &mut Session,
    ) -> Result<Result<FarEnd, LinkFailure>, Error> {
        let connector = match self.trusted(account, system, session).await? {
            Ok(connector) => connector,
            Err(failure) => return Ok(Err(failure)),
        };
        // Written before ids were checked: no system has such a one, and it would be asked for something else.
        if check_ids(link).is_err() {
            return Ok(Ok(FarEnd::Gone));
        }
        let asked = ask(&*connector, system, link, session).await;
        Ok(asked.map_err(|cause| LinkFailure::of(&Error::Ticketing(cause))))
    }

    /// The connector to a system that has shown that it is one. A failure that lasts is remembered, one that passes is not.
    async fn trusted(
        &self,
        account: &AccountId,
        system: System,
        session: &mut Session,
    ) -> Result<Result<Arc<dyn Connector>, LinkFailure>, Error> {
        if let Some(known) = session.connectors.get(&system) {
            return Ok(known.clone());
        }
        let tried = match self.connector(account, system).await {
            Ok(connector) => connector.check().await.map(|()| connector).map_err(Error::Ticketing),
            Err(cause) => Err(cause),
        };
        let tried = match tried {
            Err(cause @ (Error::Store(_) | Error::Mismatched { .. })) => return Err(cause),
            tried => tried.map_err(|cause| LinkFailure::of(&cause)),
        };
        if tried.as_ref().err().is_none_or(|failure| failure.retry_after_s.is_none()) {
            session.connectors.insert(system, tried.clone());
        }
        Ok(tried)
    }
}

/// Asks for the organisation, and for the site where the link names one.
async fn ask(
    connector: &dyn Connector,
    system: System,
    link: &TicketingLink,
    session: &mut Session,
) -> Result<FarEnd, ticketing::Error> {
    let (id, site_id) = (&link.organization_id, &link.external_site_id);
    let asking = async { Ok(connector.organization(id).await?.map(|found| found.name)) };
    let Some(organization) = session.name((system, id.clone(), String::new()), asking).await? else {
        return Ok(FarEnd::Gone);
    };
    if site_id.is_empty() {
        return Ok(FarEnd::Found { organization, site: String::new() });
    }
    let asking = async { Ok(connector.site(id, site_id).await?.map(|found| found.name)) };
    Ok(match session.name((system, id.clone(), site_id.clone()), asking).await? {
        Some(site) => FarEnd::Found { organization, site },
        None => FarEnd::SiteGone { organization },
    })
}
