//! A look at some sites of a run: where their addresses are now, how far that is from where they were, and the write.

use std::net::IpAddr;

use super::super::record::Author;
use super::super::visit::place;
use super::super::whereabouts::whereabouts_in;
use super::super::{ATTEMPTS_MAX, Error, Versioned, Waymark, record};
use crate::geoip::GeoIp;
use crate::live::LiveAccount;
use crate::model::evidence::NetworkFacts;
use crate::model::history::Cause;
use crate::model::location::{Fix, NoEstimate, Source};
use crate::model::reestimation::{Findings, Move, Reach};
use crate::model::site::Site;
use crate::store::document::Document;
use crate::store::{Error as StoreError, Record};

/// A position that moved less than that, in metres, is the same one, written with other digits.
const SAME_M_MAX: f64 = 1.0;
/// What a look at one site found.
enum Found {
    Kept,
    Unknown,
    Unchanged,
    Regraded,
    Placed,
    Unplaced,
    Moved(Move),
}

/// The address that a site's estimate is of. Of one that was cut nothing is left to ask for: where an address that is not
/// public is still known, that one says nothing of it.
fn estimated_ip(site: &Site) -> Option<IpAddr> {
    let uplinks = &site.uplinks;
    let last = uplinks.last.filter(|_| uplinks.home_network.is_none());
    uplinks.home.map(|home| home.ip).or(site.public_ip).or(last)
}

impl Waymark {
    /// Looks at some sites, counts what it finds, and gives those of them that are to be written.
    pub(super) fn look_at(
        &self,
        databases: &GeoIp,
        live: &LiveAccount,
        reach: &Reach,
        records: Vec<Record>,
        findings: &mut Findings,
    ) -> Result<Vec<Versioned<Site>>, Error> {
        let mut changed = Vec::new();
        for record in records {
            let Document::Site(site) = record.document else { return Err(Error::Mismatched { key: record.key }) };
            if site.deleted_at.is_some() || !is_within(reach, &site) {
                continue;
            }
            let (found, estimate) = self.compare(databases, live, &site);
            if estimate.is_some() {
                changed.push(Versioned { value: *site, revision: record.revision });
            }
            count(findings, found);
        }
        Ok(changed)
    }

    /// Writes the new estimates of some sites; gives how many could not be written.
    pub(super) async fn rewrite_all(
        &self,
        databases: &GeoIp,
        live: &LiveAccount,
        sites: Vec<Versioned<Site>>,
        run: &str,
    ) -> Result<u64, Error> {
        let author = &Author::system(Cause::Reestimated { run: run.to_owned() });
        let writes = sites.into_iter().map(|site| self.rewrite(databases, live, site, author));
        let mut contended = 0;
        // All of a page at once: they share a sync of the disk.
        for written in futures_util::future::join_all(writes).await {
            contended += u64::from(!written?);
        }
        Ok(contended)
    }

    /// What a new look at a site's address finds, and the estimate to write where it differs.
    fn compare(&self, databases: &GeoIp, live: &LiveAccount, site: &Site) -> (Found, Option<Result<Fix, NoEstimate>>) {
        let is_confirmed = site.fixes.effective().is_some_and(|fix| fix.source.is_person());
        if is_confirmed || site.estimate_removed_for.is_some() {
            return (Found::Kept, None);
        }
        let Some(ip) = estimated_ip(site) else { return (Found::Unknown, None) };
        let whereabouts = whereabouts_in(databases, live, ip, self.now());
        let (estimate, facts) = (whereabouts.fix, whereabouts.facts);
        // An address's network alone is written too, and is no change of the estimate. All that is said of it: also
        // which file says so, and when that was built.
        let is_same_network = site.public_ip != Some(whereabouts.ip) || facts == site.network;
        let old = site.fixes.get(Source::GeoIp);
        let found = match (old, &estimate) {
            (None, Err(reason)) if site.no_estimate == Some(*reason) => {
                // Where no file can be asked just now, nothing is known anew of the network either.
                let is_unasked = *reason == NoEstimate::NoDatabase && facts == NetworkFacts::default();
                return (Found::Unchanged, (!is_same_network && !is_unasked).then_some(Err(*reason)));
            }
            (None, Err(_)) => Found::Unchanged,
            (None, Ok(_)) => Found::Placed,
            // No file can be asked just now: that says nothing of the site.
            (Some(_), Err(NoEstimate::NoDatabase)) => return (Found::Unknown, None),
            (Some(_), Err(_)) => Found::Unplaced,
            (Some(old), Ok(new)) => {
                let distance_m = old.position.distance_m(new.position);
                let is_same_grade = old.granularity == new.granularity && old.accuracy_m == new.accuracy_m;
                if distance_m > SAME_M_MAX {
                    let (account, site) = (site.account.clone(), site.id);
                    Found::Moved(Move { account, site, from: old.position, to: new.position, distance_m })
                } else if is_same_grade && old.made_by == new.made_by {
                    // What it rests on is brought up to date, so that nobody takes it for the word of an old file.
                    // It was made when it was made, where it was made.
                    let renewed = Fix { position: old.position, made_at: old.made_at, ..new.clone() };
                    let is_same = old.evidence == new.evidence && is_same_network;
                    return (Found::Unchanged, (!is_same).then_some(Ok(renewed)));
                } else {
                    Found::Regraded
                }
            }
        };
        (found, Some(estimate))
    }

    /// Writes a site's new estimate; looks anew where others were faster. Says whether that ended well.
    async fn rewrite(
        &self,
        databases: &GeoIp,
        live: &LiveAccount,
        first: Versioned<Site>,
        author: &Author,
    ) -> Result<bool, Error> {
        let (account, id) = (first.value.account.clone(), first.value.id);
        let mut before = first;
        for _ in 0..ATTEMPTS_MAX {
            let (found, Some(estimate)) = self.compare(databases, live, &before.value) else { return Ok(true) };
            let is_same_reason = |reason: &NoEstimate| before.value.no_estimate == Some(*reason);
            let is_renewed = matches!(found, Found::Unchanged) && estimate.as_ref().err().is_none_or(is_same_reason);
            let mut site = before.value.clone();
            if let Some(ip) = estimated_ip(&site) {
                let found = whereabouts_in(databases, live, ip, self.now());
                // Only what the network is held for: whether the site is away from it stays as it is.
                (site.uplinks.home, site.uplinks.home_network) = (Some(found.seen()), None);
                if found.is_public() && site.public_ip == Some(found.ip) {
                    site.network = found.facts;
                }
            }
            place(&mut site, estimate);
            // Evidence that is brought up to date is no change that anybody has to look at.
            if !is_renewed {
                site.updated_at = self.now();
            }
            let batch = record::replace(&before.value, before.revision, &mut site, author, self.now());
            match self.parts.store.commit(batch).await {
                Ok(_) => return Ok(true),
                Err(StoreError::Conflict { .. }) => {}
                Err(cause) => return Err(cause.into()),
            }
            match self.find_site(&account, id).await? {
                Some(now) if now.value.deleted_at.is_none() => before = now,
                _ => return Ok(true),
            }
        }
        Ok(false)
    }
}

/// Whether a run looks at a site of one of its accounts.
fn is_within(reach: &Reach, site: &Site) -> bool {
    match reach {
        Reach::All => true,
        Reach::Networks(_, networks) => {
            let home = site.uplinks.home.map(|home| home.ip);
            [home, site.uplinks.last, site.public_ip]
                .into_iter()
                .flatten()
                .any(|ip| networks.iter().any(|network| network.contains(&ip)))
        }
    }
}

fn count(findings: &mut Findings, found: Found) {
    findings.seen += 1;
    match found {
        Found::Kept => findings.kept += 1,
        Found::Unknown => findings.unknown += 1,
        Found::Unchanged => findings.unchanged += 1,
        Found::Regraded => findings.regraded += 1,
        Found::Placed => findings.placed += 1,
        Found::Unplaced => findings.unplaced += 1,
        Found::Moved(found) => findings.add_move(found),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn of_a_site_that_was_cut_no_other_address_is_asked_for() {
        let mut site = Site::new("acme".parse().unwrap(), "Pump".to_owned(), Timestamp::UNIX_EPOCH);
        site.uplinks.last = Some("10.0.0.7".parse().unwrap());
        assert_eq!(estimated_ip(&site), site.uplinks.last);
        site.uplinks.home_network = Some("203.0.113.0/24".parse().unwrap());
        assert_eq!(estimated_ip(&site), None, "what is not public says nothing of the estimate");
        site.public_ip = Some("203.0.113.9".parse().unwrap());
        assert_eq!(estimated_ip(&site), site.public_ip);
    }
}
