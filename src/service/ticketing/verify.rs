//! Whether the far ends of a site's links are still there, and under which names.
//!
//! Only what a system surely says changes a state: a failure of any kind leaves it as it was. Before a system's "not there"
//! is believed, it has to show that it is the system, and any organisation at all.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};

use super::key_of;
use super::session::{Known, Session, Trusted};
use crate::error::{Fault as _, Reason};
use crate::model::access::Principal;
use crate::model::history::Cause;
use crate::model::id::{AccountId, Revision, SiteId};
use crate::model::site::{Site, TicketingLink};
use crate::model::ticketing::{FarEnd, LinkState, System, check_ids};
use crate::service::access::Permission;
use crate::service::error::Resource;
use crate::service::record::Author;
use crate::service::sites::{Draft, Step};
use crate::service::{Error, Versioned, Waymark};
use crate::ticketing::error::{Cause as Why, seconds};
use crate::ticketing::{self, Connector};

/// Longest time that the systems of a site are asked: a call has ten seconds, and writes down what they said.
pub(super) const SITE_TIME: Duration = Duration::from_secs(8);

/// Why links to a system were not checked.
#[derive(Debug, Clone)]
pub struct LinkFailure {
    /// Its reason.
    pub reason: Reason,
    /// The same for people.
    pub message: String,
    /// After how many seconds it may be over by itself; `None` where it is not.
    pub(super) retry_after_s: Option<u64>,
    /// Whether another link to the system may be told of all the same.
    is_of_one_link: bool,
}

impl LinkFailure {
    fn of(cause: &Error) -> Self {
        let is = |holds: fn(&ticketing::Error) -> bool| matches!(cause, Error::Ticketing(cause) if holds(cause));
        let wait = cause.retry_after().filter(|_| is(ticketing::Error::is_passing)).map(seconds);
        let is_of_one_link = is(ticketing::Error::is_of_one_thing);
        Self { reason: cause.reason(), message: cause.told(), retry_after_s: wait, is_of_one_link }
    }

    /// The same, once nobody waits for its end any more.
    pub(super) fn lasting(&self) -> Self {
        Self { retry_after_s: None, ..self.clone() }
    }

    /// The connection was changed while it was asked with.
    fn outdated(system: System) -> Self {
        let message = format!("{}: its connection was changed meanwhile: check again", system.facts().name);
        Self { reason: Reason::TicketingUnavailable, message, retry_after_s: Some(1), is_of_one_link: false }
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

/// What a system said of a site's links to it.
#[derive(Debug, Default)]
struct Answers {
    /// Links, their far ends, and when they were asked for.
    found: Vec<(TicketingLink, FarEnd, Timestamp)>,
    failed: u64,
    failure: Option<LinkFailure>,
}

impl Waymark {
    /// Checks the links of one site now. The etag of the site does not change, and its time of change only where a state does.
    /// Takes eight seconds at most, and writes down what was told by then.
    pub async fn verify_site_links(
        &self,
        principal: &Principal,
        account: &AccountId,
        site: SiteId,
    ) -> Result<CheckedLinks, Error> {
        self.account_for(principal, account, Permission::Change)?;
        self.check_links(account, site, &mut Session::default(), SITE_TIME).await
    }

    /// Checks the links of a site, all systems at once for at most `time`, and writes down what was found. `SiteDeleted` for a
    /// deleted one.
    pub(in crate::service) async fn check_links(
        &self,
        account: &AccountId,
        id: SiteId,
        session: &mut Session,
        time: Duration,
    ) -> Result<CheckedLinks, Error> {
        let deadline = Instant::now() + time;
        let missing = || Error::NotFound(Resource::Site(account.clone(), id));
        let site = self.find_site(account, id).await?.ok_or_else(missing)?;
        if site.value.deleted_at.is_some() {
            return Err(Error::SiteDeleted(Resource::Site(account.clone(), id)));
        }
        let mut checked = CheckedLinks { site, states: Vec::new(), failures: BTreeMap::new(), failed: 0, unknown: 0 };
        let mut by_system: BTreeMap<System, Vec<TicketingLink>> = BTreeMap::new();
        for link in &checked.site.value.ticketing_links {
            match System::parse(&link.system) {
                Some(system) => by_system.entry(system).or_default().push(link.clone()),
                None => checked.unknown += 1,
            }
        }
        let revisions = self.revisions_of(account, by_system.keys().copied().collect()).await?;
        let asking = by_system.into_iter().zip(revisions).map(|((system, links), revision)| {
            self.ask_system(account, system, links, session.take(system, revision), deadline)
        });
        let asking: Vec<_> = asking.collect();
        let mut found = Vec::new();
        for asked in join_all(asking).await {
            let (system, known, answers) = asked?;
            session.put(system, known);
            found.extend(answers.found);
            checked.failed += answers.failed;
            checked.failures.extend(answers.failure.map(|failure| (system.facts().name, failure)));
        }
        if !found.is_empty() {
            checked.site = self.write_found(account, id, &found).await?;
            let links = checked.site.value.ticketing_links.iter();
            let is_found = |link: &&TicketingLink| found.iter().any(|(known, ..)| known.is_of_same_end(link));
            checked.states = links.filter(is_found).map(|link| link.check.state).collect();
        }
        Ok(checked)
    }

    /// Writes down what was found of a site's links.
    async fn write_found(
        &self,
        account: &AccountId,
        id: SiteId,
        found: &[(TicketingLink, FarEnd, Timestamp)],
    ) -> Result<Versioned<Site>, Error> {
        let change = |mut site: Site, now| async move {
            for link in &mut site.ticketing_links {
                // One that was changed meanwhile is another link.
                let Some((_, end, at)) = found.iter().find(|(known, ..)| known.is_of_same_end(link)) else { continue };
                // Somebody else may have asked later, and was faster.
                if link.check.checked_at.is_none_or(|known| known <= *at || known > now) {
                    link.check = link.judged(end, *at);
                }
            }
            let step = if site.deleted_at.is_some() { Step::Leave } else { Step::Write(Vec::new()) };
            Ok(Draft { site, step })
        };
        // The site's history has an entry where a state is another one; a check that finds what the last one found is none.
        self.commit_over(account, id, Author::system(Cause::TicketingChecked), change).await
    }

    /// The versions of the account's connections to systems, in their order; `None` where there is none. One read.
    async fn revisions_of(&self, account: &AccountId, systems: Vec<System>) -> Result<Vec<Option<Revision>>, Error> {
        let keys = systems.into_iter().map(|system| key_of(account, system)).collect();
        let records = self.parts.store.get_many(keys).await?;
        Ok(records.into_iter().map(|record| record.map(|record| record.revision)).collect())
    }

    /// Asks one system for the far ends of links until the deadline. What concerns the system is not asked again for each of
    /// them. The outer error is of ours.
    async fn ask_system(
        &self,
        account: &AccountId,
        system: System,
        links: Vec<TicketingLink>,
        mut known: Known,
        deadline: Instant,
    ) -> Result<(System, Known, Answers), Error> {
        let (all, mut answers) = (links.len(), Answers::default());
        for link in links {
            let asked = timeout_at(deadline, self.far_end(account, system, &link, &mut known)).await;
            let late = || Ok(Err(LinkFailure::of(&Why::TimedOut.of(system).into())));
            match asked.unwrap_or_else(|_| late())? {
                Ok((end, at)) => answers.found.push((link, end, at)),
                Err(failure) => {
                    let goes_on = failure.is_of_one_link;
                    answers.failure = Some(failure);
                    if !goes_on {
                        break;
                    }
                }
            }
        }
        if !answers.found.is_empty() {
            let revision = self.revisions_of(account, vec![system]).await?.into_iter().next().flatten();
            if revision != known.revision {
                // It was told to somebody who is no more let in, or elsewhere.
                let gone = || LinkFailure::of(&Error::NotConnected(system));
                let failure = revision.map_or_else(gone, |_| LinkFailure::outdated(system));
                (answers.found, answers.failure) = (Vec::new(), Some(failure));
            }
        }
        answers.failed = (all - answers.found.len()) as u64;
        Ok((system, known, answers))
    }

    /// What a system says of the far end of a link, and when it was asked for it. The outer error is of ours.
    async fn far_end(
        &self,
        account: &AccountId,
        system: System,
        link: &TicketingLink,
        known: &mut Known,
    ) -> Result<Result<(FarEnd, Timestamp), LinkFailure>, Error> {
        let trusted = match self.trusted(account, system, known).await? {
            Ok(trusted) => trusted,
            Err(failure) => return Ok(Err(failure)),
        };
        let now = self.now();
        // Written before ids were checked: no system has such a one, and it would be asked for something else.
        let asked = match check_ids(link) {
            Ok(()) => ask(&*trusted.connector, link, now, known).await,
            Err(_) => Ok((FarEnd::Gone, now)),
        };
        let asked = match asked {
            Ok((FarEnd::Gone, _)) if !trusted.shows_any => Err(Why::ShowsNone.of(system)),
            asked => asked,
        };
        Ok(asked.map_err(|cause| LinkFailure::of(&Error::Ticketing(cause))))
    }

    /// The connector to a system that has shown that it is one. A failure that lasts is remembered, one that passes is not.
    async fn trusted(
        &self,
        account: &AccountId,
        system: System,
        known: &mut Known,
    ) -> Result<Result<Trusted, LinkFailure>, Error> {
        let at = self.now();
        if let Some(trust) = known.trust(at) {
            return Ok(trust);
        }
        let tried = match self.connector(account, system).await {
            Ok(connector) => match connector.check().await {
                Ok(shows_any) => Ok(Trusted { connector, shows_any, at }),
                Err(cause) => Err(Error::Ticketing(cause)),
            },
            Err(cause) => Err(cause),
        };
        if let (Ok(trusted), Some(revision)) = (&tried, known.revision) {
            known.revision = Some(self.keep_web_url(account, system, revision, &*trusted.connector).await?);
        }
        let tried = match tried {
            Err(cause @ (Error::Store(_) | Error::Mismatched { .. })) => return Err(cause),
            tried => tried.map_err(|cause| LinkFailure::of(&cause)),
        };
        known.remember(&tried);
        Ok(tried)
    }
}

/// Asks for the organisation, and for the site where the link names one; tells when the older of both answers is from.
async fn ask(
    connector: &dyn Connector,
    link: &TicketingLink,
    now: Timestamp,
    known: &mut Known,
) -> Result<(FarEnd, Timestamp), ticketing::Error> {
    let (id, site_id) = (&link.organization_id, &link.external_site_id);
    let asking = async { Ok(connector.organization(id).await?.map(|found| found.name)) };
    let (organization, at) = known.name((id.clone(), String::new()), now, asking).await?;
    let Some(organization) = organization else { return Ok((FarEnd::Gone, at)) };
    if site_id.is_empty() {
        return Ok((FarEnd::Found { organization, site: String::new() }, at));
    }
    let asking = async { Ok(connector.site(id, site_id).await?.map(|found| found.name)) };
    let (site, site_at) = known.name((id.clone(), site_id.clone()), now, asking).await?;
    let end = match site {
        Some(site) => FarEnd::Found { organization, site },
        None => FarEnd::SiteGone { organization },
    };
    Ok((end, at.min(site_at)))
}
