//! Where a site is, by a person's word: a choice, a pin, or back to the machines. Addresses are in `addresses`.

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};

use super::access::Permission;
use super::addresses::NO_ADDRESS;
use super::pasted::{pin, refuse_null_island};
use super::record::Author;
use super::sites::ChangeOptions;
use super::tickets::Chosen;
use super::{Error, Versioned, Waymark};
use crate::model::Invalid;
use crate::model::access::Principal;
use crate::model::address::{AddressQuery, CountryCode};
use crate::model::coordinates::{self, Pasted};
use crate::model::device::DevicePosition;
use crate::model::evidence::GeocodedEvidence;
use crate::model::geo::LatLng;
use crate::model::history::Cause;
use crate::model::id::{AccountId, SiteId};
use crate::model::location::{Evidence, Fix, NoEstimate, Source};
use crate::model::site::Site;
use crate::model::site_address::{AddressState, SiteAddress};

impl Waymark {
    /// Applies the candidate that a person chose; with `keep_pin` its address alone, and the position stays.
    pub async fn apply_candidate(
        &self,
        principal: &Principal,
        account: &AccountId,
        id: SiteId,
        token: &str,
        keep_pin: bool,
        options: &ChangeOptions,
    ) -> Result<Versioned<Site>, Error> {
        self.account_for(principal, account, Permission::Tend)?;
        self.get_site(principal, account, id).await?;
        let choice = self.redeem(principal, account, id, token)?;
        let fix = &choice.fix;
        if keep_pin && fix.source == Source::Pin {
            return Err(Invalid::new("keep_pin", NO_ADDRESS).into());
        }
        self.change_site(account, id, Author::of(principal, Cause::CandidateApplied), options, |site, now| {
            let Evidence::Geocoded(evidence) = &fix.evidence else {
                return drop_pin(site, fix.position, now, principal.actor());
            };
            let made_at = site.fixes.next_time(now);
            site.address = Some(chosen(evidence, &choice, keep_pin, principal.actor(), made_at));
            if !keep_pin {
                site.fixes.put(Fix { made_at, ..fix.clone() });
            }
            site.plan_renewal(now);
            Ok(())
        })
        .await
    }

    /// Drops a pin, in the stated country if there is one.
    pub async fn set_pin(
        &self,
        principal: &Principal,
        account: &AccountId,
        id: SiteId,
        position: LatLng,
        country: Option<CountryCode>,
        options: &ChangeOptions,
    ) -> Result<Versioned<Site>, Error> {
        self.account_for(principal, account, Permission::Tend)?;
        refuse_null_island("position", position)?;
        self.refuse_outside("position", position, country)?;
        let author = Author::of(principal, Cause::PinDropped);
        self.change_site(account, id, author, options, |site, now| drop_pin(site, position, now, principal.actor()))
            .await
    }

    /// Takes away what persons said of a site's position.
    pub async fn reset_location(
        &self,
        principal: &Principal,
        account: &AccountId,
        id: SiteId,
        options: &ChangeOptions,
    ) -> Result<Versioned<Site>, Error> {
        let live = self.account_for(principal, account, Permission::Tend)?;
        self.change_site(account, id, Author::of(principal, Cause::LocationReset), options, |site, now| {
            site.fixes.reset_to_automatic();
            site.address = None;
            self.follow_prefixes(&live, site, now);
            Ok(())
        })
        .await
    }

    /// Takes the fix of one source away.
    pub async fn delete_fix(
        &self,
        principal: &Principal,
        account: &AccountId,
        id: SiteId,
        source: Source,
        options: &ChangeOptions,
    ) -> Result<Versioned<Site>, Error> {
        self.account_for(principal, account, Permission::Tend)?;
        self.change_site(account, id, Author::of(principal, Cause::FixDeleted), options, |site, _| {
            let removed = site.fixes.remove(source).ok_or(Error::FixMissing)?;
            match source {
                Source::Address => site.address = None,
                Source::GeoIp => {
                    let of = site.uplinks.home.map(|home| home.ip).or(site.public_ip);
                    site.estimate_removed_for = of.map(IpNet::from).or(site.public_network);
                    site.no_estimate = Some(NoEstimate::Removed);
                }
                Source::Device => {
                    site.device_removed = DevicePosition::of_fix(&removed);
                    settle_address(site);
                }
                Source::Pin => settle_address(site),
            }
            Ok(())
        })
        .await
    }
}

/// The address of a candidate that a person chose. Of one that was found at a position nobody typed a word.
fn chosen(evidence: &GeocodedEvidence, choice: &Chosen, keep_pin: bool, by: String, at: Timestamp) -> SiteAddress {
    let is_of_position = matches!(coordinates::parse(&evidence.query), Ok(Some(Pasted::Position(_))));
    let query = AddressQuery::Line(evidence.query.clone());
    let stated = SiteAddress::stated(&query, choice.country, keep_pin, by, at);
    SiteAddress {
        typed: if is_of_position { String::new() } else { stated.typed.clone() },
        parts: choice.parts.clone().map(Box::new),
        formatted: evidence.formatted_address.clone(),
        storage: evidence.storage,
        state: if keep_pin { AddressState::PinKept } else { AddressState::Applied },
        evidence: keep_pin.then(|| Box::new(evidence.clone())),
        chosen: true,
        ..stated
    }
}

/// Puts a pin where a person says.
pub(super) fn drop_pin(site: &mut Site, position: LatLng, now: Timestamp, by: String) -> Result<(), Error> {
    refuse_swapped(site, position)?;
    put_pin(site, position, now, by);
    Ok(())
}

/// The same for a position that was found good once.
pub(super) fn put_pin(site: &mut Site, position: LatLng, now: Timestamp, by: String) {
    // Behind an address that waits, too, so that it never moves the site away from a pin that was dropped later.
    let stated_at = site.address.as_ref().and_then(|address| address.stated_at);
    let behind = stated_at.and_then(|at| at.checked_add(SignedDuration::from_nanos(1)).ok());
    let made_at = site.fixes.next_time(behind.map_or(now, |behind| behind.max(now)));
    site.fixes.put(pin(position, made_at, by));
    settle_address(site);
}

/// Says of an applied address whether the site still stands at it, after the stack of fixes changed.
pub(super) fn settle_address(site: &mut Site) {
    let Some(address) = &mut site.address else { return };
    if !matches!(address.state, AddressState::Applied | AddressState::PinKept) {
        return;
    }
    let is_there = site.fixes.effective().is_some_and(|fix| match &fix.evidence {
        Evidence::Geocoded(evidence) => evidence.formatted_address == address.formatted,
        _ => false,
    });
    address.state = if is_there { AddressState::Applied } else { AddressState::PinKept };
}

/// How near the GeoIP fix a swapped position must be to look like what was meant, in metres.
const SWAPPED_NEAR_M: f64 = 300_000.0;
/// How far from the GeoIP fix a position must be to look like a mistake, in metres.
const SWAPPED_FAR_M: f64 = 2_000_000.0;

/// Refuses a position that is a continent away from the GeoIP fix, and close to it with its coordinates swapped.
fn refuse_swapped(site: &Site, position: LatLng) -> Result<(), Invalid> {
    let Some(estimate) = site.fixes.get(Source::GeoIp) else { return Ok(()) };
    let Ok(swapped) = LatLng::new(position.lng(), position.lat()) else { return Ok(()) };
    let is_meant = swapped.distance_m(estimate.position) <= SWAPPED_NEAR_M;
    if !is_meant || position.distance_m(estimate.position) < SWAPPED_FAR_M {
        return Ok(());
    }
    let (lat, lng) = (position.lat(), position.lng());
    let why =
        format!("latitude {lat} and longitude {lng} look swapped: the other way round they are near the estimate");
    Err(Invalid::new("position", why))
}
