//! Where a site is, by a person's word: an address, a choice, a pin, or back to the machines.

use jiff::Timestamp;

use super::access::Permission;
use super::candidates::{Choice, clear_winner, evidence_of, fix_of};
use super::checks::{Outside, OutsideCountry};
use super::pasted::{self, pin, refuse_null_island};
use super::sites::ChangeOptions;
use super::{Error, Versioned, Waymark};
use crate::geocode::{self, CANDIDATES_MAX};
use crate::model::Invalid;
use crate::model::access::Principal;
use crate::model::address::{AddressQuery, CountryCode};
use crate::model::coordinates::{self, Pasted};
use crate::model::device::DevicePosition;
use crate::model::evidence::GeocodedEvidence;
use crate::model::geo::LatLng;
use crate::model::id::{AccountId, SiteId};
use crate::model::location::{Evidence, Fix, NoEstimate, Source};
use crate::model::site::{AddressState, Site, SiteAddress};

/// Why coordinates and `keep_pin` do not go together.
const NO_ADDRESS: &str = "coordinates are a position and no address: there is nothing to keep the pin away from";

/// An address that a person states of a site.
#[derive(Debug, Clone, Copy)]
pub struct StatedAddress<'a> {
    /// As typed.
    pub query: &'a AddressQuery,
    /// The country that the site is in, where that is stated.
    pub country: Option<CountryCode>,
    /// Whether the position stays as it is.
    pub keep_pin: bool,
}

/// What became of an address.
#[derive(Debug, Clone)]
pub struct AddressOutcome {
    /// What became of it.
    pub state: AddressState,
    /// The site with it.
    pub site: Versioned<Site>,
    /// The places that it may mean, best first.
    pub choices: Vec<Choice>,
}

impl Waymark {
    /// States the address of a site: applied if one candidate clearly wins, kept for a choice otherwise.
    pub async fn set_address(
        &self,
        principal: &Principal,
        account: &AccountId,
        id: SiteId,
        stated: StatedAddress<'_>,
        options: &ChangeOptions,
    ) -> Result<AddressOutcome, Error> {
        self.account_for(principal, account, Permission::Change)?;
        let StatedAddress { query, country, keep_pin } = stated;
        let is_pasted = pasted::parse(query)?.is_some();
        if keep_pin && is_pasted {
            return Err(Invalid::new("keep_pin", NO_ADDRESS).into());
        }
        let present = self.get_site(principal, account, id).await?;
        if keep_pin && let Some(fix) = present.value.fixes.effective().filter(|fix| fix.source.is_person()) {
            self.refuse_outside("keep_pin", fix.position, country)?;
        }
        let asked = self.choices(account, query, country, Some(&present.value), CANDIDATES_MAX).await;
        let (choices, is_answered) = match asked {
            Ok(choices) => (choices, true),
            Err(cause @ Error::Geocode(geocode::Error::NotConfigured)) => return Err(cause),
            // A geocoder that does not answer loses nobody's typing: the address waits.
            Err(Error::Geocode(_)) => (Vec::new(), false),
            Err(cause) => return Err(cause),
        };
        if let Some(outside) = none_inside(&choices).filter(|_| is_pasted) {
            return Err(OutsideCountry { field: "address_line", outside }.into());
        }
        let winner = clear_winner(&choices).cloned();
        let state = match &winner {
            _ if !is_answered => AddressState::Pending,
            _ if keep_pin => AddressState::PinKept,
            Some(_) => AddressState::Applied,
            None if choices.iter().all(|choice| choice.outside.is_some()) => AddressState::NotFound,
            None => AddressState::Ambiguous,
        };
        let site = self
            .change_site(account, id, options, |site, now| {
                if let (Some(choice), AddressState::Applied) = (&winner, state)
                    && choice.is_pasted()
                {
                    return drop_pin(site, choice.candidate.position, now, principal);
                }
                let evidence = winner.as_ref().map(|choice| evidence_of(&choice.candidate, query));
                site.address = Some(SiteAddress {
                    typed: query.one_line(),
                    formatted: evidence.as_ref().map(|found| found.formatted_address.clone()).unwrap_or_default(),
                    state,
                    evidence: evidence.filter(|_| keep_pin),
                });
                if let (Some(choice), AddressState::Applied) = (&winner, state) {
                    let made_at = site.fixes.next_time(now);
                    site.fixes.put(fix_of(&choice.candidate, query, made_at, principal.actor()));
                }
                Ok(())
            })
            .await?;
        Ok(AddressOutcome { state, site, choices })
    }

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
        self.account_for(principal, account, Permission::Change)?;
        self.get_site(principal, account, id).await?;
        let fix = self.redeem(principal, account, id, token)?;
        if keep_pin && fix.source == Source::Pin {
            return Err(Invalid::new("keep_pin", NO_ADDRESS).into());
        }
        self.change_site(account, id, options, |site, now| {
            let Evidence::Geocoded(evidence) = &fix.evidence else {
                return drop_pin(site, fix.position, now, principal);
            };
            site.address = Some(chosen(evidence, keep_pin));
            if !keep_pin {
                site.fixes.put(Fix { made_at: site.fixes.next_time(now), ..fix.clone() });
            }
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
        self.account_for(principal, account, Permission::Change)?;
        refuse_null_island("position", position)?;
        self.refuse_outside("position", position, country)?;
        self.change_site(account, id, options, |site, now| drop_pin(site, position, now, principal)).await
    }

    /// Takes away what persons said of a site's position.
    pub async fn reset_location(
        &self,
        principal: &Principal,
        account: &AccountId,
        id: SiteId,
        options: &ChangeOptions,
    ) -> Result<Versioned<Site>, Error> {
        let live = self.account_for(principal, account, Permission::Change)?;
        self.change_site(account, id, options, |site, now| {
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
        self.account_for(principal, account, Permission::Change)?;
        self.change_site(account, id, options, |site, _| {
            let removed = site.fixes.remove(source).ok_or(Error::FixMissing)?;
            match source {
                Source::Address => site.address = None,
                Source::GeoIp => {
                    site.estimate_removed_for = site.uplinks.home.map(|home| home.ip).or(site.public_ip);
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

/// Where the best of candidates is, if all of them are outside of the stated country.
fn none_inside(choices: &[Choice]) -> Option<Outside> {
    let outside: Option<Vec<Outside>> = choices.iter().map(|choice| choice.outside).collect();
    outside?.first().copied()
}

/// The address of a candidate that a person chose. Of one that was found at a position nobody typed a word.
fn chosen(evidence: &GeocodedEvidence, keep_pin: bool) -> SiteAddress {
    let is_of_position = matches!(coordinates::parse(&evidence.query), Ok(Some(Pasted::Position(_))));
    SiteAddress {
        typed: if is_of_position { String::new() } else { evidence.query.clone() },
        formatted: evidence.formatted_address.clone(),
        state: if keep_pin { AddressState::PinKept } else { AddressState::Applied },
        evidence: keep_pin.then(|| evidence.clone()),
    }
}

/// Puts a pin where a person says.
fn drop_pin(site: &mut Site, position: LatLng, now: Timestamp, principal: &Principal) -> Result<(), Error> {
    refuse_swapped(site, position)?;
    let made_at = site.fixes.next_time(now);
    site.fixes.put(pin(position, made_at, principal.actor()));
    settle_address(site);
    Ok(())
}

/// Says of an applied address whether the site still stands at it, after the stack of fixes changed.
fn settle_address(site: &mut Site) {
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
