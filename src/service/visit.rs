//! What a call from a site's network says of it: that it is up, where it comes from, and where its device measures itself.

use std::net::IpAddr;

use jiff::Timestamp;

use super::Waymark;
use super::record::Author;
use super::whereabouts::Whereabouts;
use crate::geoip::special;
use crate::live::LiveAccount;
use crate::model::device::DevicePosition;
use crate::model::history::{Actor, Cause};
use crate::model::location::{Evidence, Fix, NoEstimate, Source};
use crate::model::site::{Site, Status};
use crate::model::uplink::{Seen, Sight};

/// A call from a site.
#[derive(Debug, Clone)]
pub(super) struct Visit {
    /// When.
    pub(super) at: Timestamp,
    /// The state that it reports.
    pub(super) status: Status,
    /// The address that it comes from, or why that is not known; `None` where it says nothing of it.
    pub(super) ip: Option<Result<IpAddr, NoEstimate>>,
    /// The address by which the agent knows itself.
    pub(super) claimed_ip: Option<IpAddr>,
    /// Where the device measures itself.
    pub(super) device: Option<DevicePosition>,
    /// Who says it, as fixes name their makers.
    pub(super) made_by: String,
    /// Who says it, as histories do.
    pub(super) actor: Actor,
}

impl Visit {
    /// Who changes the site by it.
    pub(super) fn author(&self, cause: Cause) -> Author {
        Author::by(self.actor.clone(), cause)
    }
}

impl Waymark {
    /// Writes into the site what a call says of it.
    pub(super) fn note_visit(&self, account: &LiveAccount, site: &mut Site, visit: &Visit) {
        // An address of before this was written down was seen by the last report at the latest.
        if site.public_ip.is_some() {
            site.uplinks.seen_at = site.uplinks.seen_at.or(site.last_seen_at);
        }
        site.last_seen_at = site.last_seen_at.max(Some(visit.at));
        // Whatever reports, maintenance ends by a person alone.
        if site.status != Status::Maintenance {
            site.status = visit.status;
        }
        site.claimed_ip = visit.claimed_ip.or(site.claimed_ip);
        if let Some(device) = &visit.device {
            note_device(site, device, visit);
        }
        match visit.ip {
            Some(Ok(ip)) => self.note_address(account, site, ip, visit.at),
            Some(Err(reason)) if site.fixes.get(Source::GeoIp).is_none() => site.no_estimate = Some(reason),
            Some(Err(_)) | None => {}
        }
    }

    /// Notes where a call comes from, and lets the estimate follow where that is more than another uplink.
    pub(super) fn note_address(&self, account: &LiveAccount, site: &mut Site, ip: IpAddr, now: Timestamp) {
        if special::why_no_estimate(special::canonical(ip)).is_none() {
            site.uplinks.seen_at = site.uplinks.seen_at.max(Some(now));
        }
        let has_estimate = site.fixes.get(Source::GeoIp).is_some();
        let is_settled = site.uplinks.last == Some(ip)
            && site.uplinks.home.is_some_and(|home| home.ip == ip)
            && site.uplinks.away.is_none();
        if has_estimate && is_settled {
            return;
        }
        let found = self.whereabouts(account, ip, now);
        let left = (site.public_ip.unwrap_or(found.ip), site.network.carrier());
        let was_home = site.uplinks.away.is_none();
        if found.is_public() {
            (site.public_ip, site.public_network) = (Some(found.ip), None);
            site.network = found.facts.clone();
        }
        match found.fix {
            // An address that is nowhere says nothing against the one that the site was seen at.
            Err(reason) if !reason.is_of_public_address() => {
                site.uplinks.last = Some(found.ip);
                if !has_estimate && site.estimate_removed_for.is_none() {
                    site.no_estimate = Some(reason);
                }
            }
            // Nor does one of which the databases know nothing, or of which none can be asked just now.
            Err(_) if has_estimate => site.uplinks.last = Some(found.ip),
            _ => self.follow_address(account, site, found, now),
        }
        if was_home {
            site.uplinks.note_left(left.0, left.1);
        }
    }

    fn follow_address(&self, account: &LiveAccount, site: &mut Site, found: Whereabouts, now: Timestamp) {
        let seen = found.seen();
        self.renew_home(account, site, seen, now);
        let is_removed = site.estimate_removed_for.is_some();
        let has_estimate = site.fixes.get(Source::GeoIp).is_some();
        let sight = site.uplinks.see(seen, now, self.parts.config.move_after());
        // Where there is nothing that could flap, nothing is waited for.
        let is_free = !has_estimate && !is_removed && (found.fix.is_ok() || sight == Sight::Home);
        let is_removed_here = site.estimate_removed_for.is_some_and(|of| of.contains(&found.ip));
        if sight == Sight::Moved && !is_removed_here || is_free {
            site.uplinks.settle(seen);
            place(site, found.fix);
        } else if is_removed {
            site.no_estimate = Some(NoEstimate::Removed);
        }
    }

    /// Notes the present network of a site's home where `seen` is in it. A newer file may hold another network as one
    /// than the file that the estimate is of, and its other addresses are home all the same. Asked, and not computed from
    /// the two networks: an own network may lie inside of one that is elsewhere.
    fn renew_home(&self, account: &LiveAccount, site: &mut Site, seen: Seen, now: Timestamp) {
        let Some(home) = site.uplinks.home.filter(|home| home.ip.is_ipv4() == seen.ip.is_ipv4()) else { return };
        if site.uplinks.is_home(seen) || !seen.network.contains(&home.ip) {
            return;
        }
        let present = self.whereabouts(account, home.ip, now).seen();
        if present.network == seen.network {
            site.uplinks.home = Some(present);
        }
    }

    /// Brings an estimate up to the account's own networks. While a person's fix stood above it, nobody did.
    pub(super) fn follow_prefixes(&self, account: &LiveAccount, site: &mut Site, now: Timestamp) {
        let (Some(home), Some(old)) = (site.uplinks.home, site.fixes.get(Source::GeoIp)) else { return };
        let is_of_prefix = |fix: &Fix| matches!(fix.evidence, Evidence::Prefix(_));
        let found = self.whereabouts(account, home.ip, now);
        if is_of_prefix(old) || found.fix.as_ref().is_ok_and(is_of_prefix) {
            site.uplinks.home = Some(found.seen());
            place(site, found.fix);
        }
    }
}

/// Gives a site the estimate, or the reason why there is none.
pub(super) fn place(site: &mut Site, estimate: Result<Fix, NoEstimate>) {
    site.fixes.remove(Source::GeoIp);
    site.estimate_removed_for = None;
    match estimate {
        Ok(fix) => {
            site.no_estimate = None;
            site.fixes.put(fix);
        }
        Err(reason) => site.no_estimate = Some(reason),
    }
}

fn note_device(site: &mut Site, device: &DevicePosition, visit: &Visit) {
    let known = site.fixes.get(Source::Device).and_then(DevicePosition::of_fix);
    let is_news = known.or(site.device_removed).is_none_or(|known| device.is_news_beside(&known));
    if is_news {
        site.device_removed = None;
        site.fixes.remove(Source::Device);
        site.fixes.put(Fix {
            source: Source::Device,
            position: device.position,
            accuracy_m: Some(device.accuracy_m),
            granularity: device.granularity(),
            evidence: Evidence::Measured,
            made_at: visit.at,
            made_by: visit.made_by.clone(),
        });
    }
}
