//! Reports: agents say that they are up, and services say it of many sites at once, at a high rate.
//!
//! A report that tells nothing but the time is noted in memory, and its time is written down now and then. A report that
//! changes the site's status, address or position is durable before it is answered; of addresses that take turns, one
//! turn in some minutes is.

use std::collections::HashSet;
use std::net::IpAddr;

use futures_util::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};

use super::access::Permission;
use super::error::Resource;
use super::visit::Visit;
use super::{ATTEMPTS_MAX, Error, Versioned, Waymark};
use crate::geoip::special;
use crate::live::{Heard, LiveAccount, Presence, WRITTEN_EVERY};
use crate::model::Invalid;
use crate::model::access::Principal;
use crate::model::device::DevicePosition;
use crate::model::history::Cause;
use crate::model::id::{AccountId, Revision, SiteId};
use crate::model::location::NoEstimate;
use crate::model::site::Status;
use crate::store::Error as StoreError;

/// Most reports of one batch.
pub const REPORTS_MAX: usize = 1_000;
/// Reports of a batch that are written at the same time: they share a sync of the disk.
const WRITTEN_AT_ONCE: usize = 256;
/// How far the clocks of two machines may differ.
const CLOCK_SKEW_MAX: SignedDuration = SignedDuration::from_mins(5);

/// What is reported of a site.
#[derive(Debug, Clone)]
pub struct Report {
    /// The site.
    pub site: SiteId,
    /// Its state.
    pub status: Status,
    /// When that was seen; `None` for now.
    pub seen_at: Option<Timestamp>,
    /// The public address that the site comes from, where the reporter knows it.
    pub public_ip: Option<IpAddr>,
    /// Where the site's device measures itself.
    pub device: Option<DevicePosition>,
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reported {
    /// It told nothing but the time.
    Noted,
    /// It changed the site's record, by this write.
    Written(Revision),
    /// A later report of the site is known: it changed nothing.
    Late,
}

impl Waymark {
    /// An agent's report of its own site. Gives the account and the site with what became of it.
    ///
    /// Cost: a look into a table; a durable write where it changes something, and every fifteen minutes.
    pub async fn report_status(
        &self,
        principal: &Principal,
        status: Status,
        public_ip: Result<IpAddr, NoEstimate>,
        claimed_ip: Option<IpAddr>,
        device: Option<DevicePosition>,
    ) -> Result<(AccountId, SiteId, Reported), Error> {
        let (Some((site, _)), Some(account)) = (&principal.agent, &principal.account) else { return Err(Error::Scope) };
        let live = self.visible_account(principal, account)?;
        let (at, made_by, actor) = (self.now(), principal.actor(), principal.into());
        let visit = Visit { at, status, ip: Some(public_ip), claimed_ip, device, made_by, actor };
        Ok((account.clone(), *site, self.take_report(&live, account, *site, &visit).await?))
    }

    /// Reports of up to [`REPORTS_MAX`] sites, each of another site; what became of each, in their order.
    ///
    /// One that fails leaves the others as they are. Cost: as of single ones; writes share syncs of the disk.
    pub async fn batch_report_status(
        &self,
        principal: &Principal,
        account: &AccountId,
        reports: Vec<Report>,
    ) -> Result<Vec<Result<Reported, Error>>, Error> {
        let live = self.account_for(principal, account, Permission::Report)?;
        if !(1..=REPORTS_MAX).contains(&reports.len()) {
            return Err(Invalid::new("reports", format!("1 to {REPORTS_MAX} reports, got {}", reports.len())).into());
        }
        let mut sites = HashSet::with_capacity(reports.len());
        if let Some(at) = reports.iter().position(|report| !sites.insert(report.site)) {
            let why = "each report of a batch is of another site: send the latest of each";
            return Err(Invalid::new(format!("reports[{at}].site"), why).into());
        }
        let now = self.now();
        let visits = reports.into_iter().enumerate().map(|(at, report)| {
            let visit = visit_of(&report, now, principal).map_err(|why| why.within(&format!("reports[{at}]")));
            (report.site, visit)
        });
        let visits: Vec<(SiteId, Result<Visit, Invalid>)> = visits.collect();
        let outcomes = stream::iter(visits)
            .map(|(site, visit)| {
                let live = &live;
                async move { self.take_report(live, account, site, &visit?).await }
            })
            .buffered(WRITTEN_AT_ONCE);
        Ok(outcomes.collect().await)
    }

    async fn take_report(
        &self,
        live: &LiveAccount,
        account: &AccountId,
        id: SiteId,
        visit: &Visit,
    ) -> Result<Reported, Error> {
        let ip = visit.ip.and_then(Result::ok).map(special::canonical);
        if visit.device.is_none() {
            let report = Presence { at: visit.at, status: visit.status, ip, claimed_ip: visit.claimed_ip };
            // No longer than an estimate waits: where it waits for nothing, each address is looked at.
            match live.hear(id, &report, WRITTEN_EVERY.min(self.parts.config.move_after())) {
                Heard::Noted => return Ok(Reported::Noted),
                Heard::Late => return Ok(Reported::Late),
                Heard::News => {}
            }
        }
        // A record that is written has the last address that is known, also where this report does not say one.
        let noted = if visit.ip.is_none() { live.noted_ip(id) } else { None };
        let visit = &Visit { ip: visit.ip.or(noted.map(Ok)), ..visit.clone() };
        for _ in 0..ATTEMPTS_MAX {
            let Versioned { value: before, revision } = self.standing_site(account, id).await?;
            if before.last_seen_at.max(live.heard_at(id)) > Some(visit.at) {
                return Ok(Reported::Late);
            }
            let mut site = before.clone();
            self.note_visit(live, &mut site, visit);
            let mut rest = site.clone();
            (rest.last_seen_at, rest.uplinks.seen_at) = (before.last_seen_at, before.uplinks.seen_at);
            let tells_time_alone = rest == before;
            let is_written =
                before.last_seen_at.is_some_and(|seen_at| visit.at.duration_since(seen_at) < WRITTEN_EVERY);
            if tells_time_alone && is_written {
                live.learn(&before, visit.at, ip);
                return Ok(Reported::Noted);
            }
            if !tells_time_alone {
                site.updated_at = visit.at.max(before.updated_at);
            }
            let author = visit.author(Cause::Reported);
            let batch = self.replace_by_report(&before, revision, &mut site, &author, self.now()).await;
            match self.parts.store.commit(batch).await {
                Ok(revision) => return Ok(Reported::Written(revision)),
                Err(StoreError::Conflict { .. }) => {}
                Err(cause) => return Err(cause.into()),
            }
        }
        Err(Error::Contention(Resource::Site(account.clone(), id).to_string()))
    }
}

/// A service's report as a visit. Its word on the address is evidence, as our own look at a connection is.
fn visit_of(report: &Report, now: Timestamp, principal: &Principal) -> Result<Visit, Invalid> {
    let at = report.seen_at.unwrap_or(now);
    if at.duration_since(now) > CLOCK_SKEW_MAX {
        let why = format!("a report is of the past, or at most {} min ahead", CLOCK_SKEW_MAX.as_mins());
        return Err(Invalid::new("seen_time", why));
    }
    Ok(Visit {
        at: at.min(now),
        status: report.status,
        ip: report.public_ip.map(Ok),
        claimed_ip: None,
        device: report.device,
        made_by: principal.actor(),
        actor: principal.into(),
    })
}
