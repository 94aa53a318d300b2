//! Addresses that persons state: applied, kept for a choice, or kept until a geocoder answers.
//!
//! The same answer makes the same of a site, whether it came at once or after a hundred attempts: `settle` decides.

use std::hash::{BuildHasher, RandomState};

use jiff::{SignedDuration, Timestamp};

use super::access::Permission;
use super::candidates::{Choice, clear_winner, evidence_of, fix_of, state_of};
use super::checks::{Outside, OutsideCountry};
use super::location::drop_pin;
use super::pasted;
use super::record::Author;
use super::sites::ChangeOptions;
use super::{Error, Versioned, Waymark};
use crate::geocode::CANDIDATES_MAX;
use crate::model::Invalid;
use crate::model::access::Principal;
use crate::model::address::{AddressQuery, CountryCode};
use crate::model::geo::LatLng;
use crate::model::history::Cause;
use crate::model::id::{AccountId, SiteId};
use crate::model::site::Site;
use crate::model::site_address::{AddressState, Pace, Retry, SiteAddress, WaitReason};

/// Why coordinates and `keep_pin` do not go together.
pub(super) const NO_ADDRESS: &str =
    "coordinates are a position and no address: there is nothing to keep the pin away from";

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
    /// When it is asked for again, where an answer is still looked for.
    pub wait: Option<Retry>,
    /// The site with it.
    pub site: Versioned<Site>,
    /// The places that it may mean, best first.
    pub choices: Vec<Choice>,
}

/// What geocoders said to an address.
#[derive(Debug)]
pub(super) enum Answer {
    /// The places that it may mean, best first.
    Found(Vec<Choice>),
    /// Nothing yet, and not again before so long.
    Waits(WaitReason, SignedDuration),
}

impl Answer {
    /// Where the coordinates are that were pasted in the place of an address; `None` for an address.
    pub(super) fn pasted_position(&self) -> Option<LatLng> {
        let Self::Found(choices) = self else { return None };
        clear_winner(choices).filter(|choice| choice.is_pasted()).map(|choice| choice.candidate.position)
    }
}

impl Waymark {
    /// States the address of a site: applied if one candidate clearly wins, kept for a choice otherwise. Where no geocoder
    /// answers, it is kept, and asked for again.
    pub async fn set_address(
        &self,
        principal: &Principal,
        account: &AccountId,
        id: SiteId,
        stated: StatedAddress<'_>,
        options: &ChangeOptions,
    ) -> Result<AddressOutcome, Error> {
        self.account_for(principal, account, Permission::Tend)?;
        let StatedAddress { query, country, keep_pin } = stated;
        let is_pasted = pasted::parse(query)?.is_some();
        if keep_pin && is_pasted {
            return Err(Invalid::new("keep_pin", NO_ADDRESS).into());
        }
        let present = self.get_site(principal, account, id).await?;
        if keep_pin && let Some(fix) = present.value.fixes.effective().filter(|fix| fix.source.is_person()) {
            self.refuse_outside("keep_pin", fix.position, country)?;
        }
        let answer = self.ask(account, query, country, Some(&present.value)).await?;
        if is_pasted
            && let Answer::Found(choices) = &answer
            && let Some(outside) = none_inside(choices)
        {
            return Err(OutsideCountry { field: "address_line", outside }.into());
        }
        let site = self
            .change_site(account, id, Author::of(principal, Cause::AddressStated), options, |site, now| {
                let stated_at = site.fixes.next_time(now);
                let stated = SiteAddress::stated(query, country, keep_pin, principal.actor(), stated_at);
                settle(site, stated, &answer, self.pace(), now)
            })
            .await?;
        let is_pin = answer.pasted_position().is_some();
        let choices = if let Answer::Found(choices) = answer { choices } else { Vec::new() };
        let stated = site.value.address.as_ref().filter(|_| !is_pin);
        let state = stated.map_or(AddressState::Applied, |it| it.state);
        let wait = stated.filter(|_| state.is_open()).and_then(|it| it.retry);
        Ok(AddressOutcome { state, wait, site, choices })
    }

    /// What geocoders say to an address, seen from a site. A geocoder that does not answer loses nobody's typing: the address
    /// waits.
    pub(super) async fn ask(
        &self,
        account: &AccountId,
        query: &AddressQuery,
        country: Option<CountryCode>,
        site: Option<&Site>,
    ) -> Result<Answer, Error> {
        match self.choices(account, query, country, site, CANDIDATES_MAX).await {
            Ok(choices) => Ok(Answer::Found(choices)),
            Err(Error::Geocode(cause)) => match cause.waits() {
                Some(reason) => Ok(Answer::Waits(reason, asked_wait(&cause))),
                None => Err(cause.into()),
            },
            Err(cause) => Err(cause),
        }
    }

    /// How long the waits are of an address whose geocoder does not answer.
    pub(super) fn pace(&self) -> Pace {
        let first = SignedDuration::from_secs(self.parts.config.address_retry_s.get().into());
        // Of 53 bits, which a float holds.
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        let chance = (RandomState::new().hash_one(()) >> 11) as f64 / (1_u64 << 53) as f64;
        Pace { first, asked: SignedDuration::ZERO, chance }
    }
}

/// The least wait that a failure asks for.
pub(super) fn asked_wait(cause: &crate::geocode::Error) -> SignedDuration {
    SignedDuration::try_from(cause.wait_asked_for()).unwrap_or(SignedDuration::ZERO)
}

/// Makes of a site what the answer to an address that a person stated makes of it.
///
/// What the person or another one said since then stands: a newer pin stays, and the address is kept beside or below it.
pub(super) fn settle(
    site: &mut Site,
    mut address: SiteAddress,
    answer: &Answer,
    pace: Pace,
    now: Timestamp,
) -> Result<(), Error> {
    let attempts = address.retry.take().map_or(0, |retry| retry.attempts).saturating_add(1);
    let renewal = site.renewal();
    let choices = match answer {
        Answer::Found(choices) => choices,
        Answer::Waits(reason, asked) => {
            address.retry = Some(Retry::behind(attempts, *reason, Pace { asked: *asked, ..pace }, now));
            site.address = Some(address);
            site.keep_renewal(renewal, now);
            return Ok(());
        }
    };
    if let Some(position) = answer.pasted_position() {
        if !is_overtaken(site, &address) {
            drop_pin(site, position, now, address.stated_by.clone())?;
        }
        // An address that waited was this position, and is none.
        site.address.take_if(|known| known.is_statement_of(&address));
        return Ok(());
    }
    let (winner, is_overtaken) = (clear_winner(choices), is_overtaken(site, &address));
    address.state = match winner {
        Some(_) if address.keep_pin || is_overtaken => AddressState::PinKept,
        _ => state_of(choices),
    };
    if let Some(choice) = winner {
        let (query, by) = (address.query(), address.stated_by.clone());
        address.formatted.clone_from(&choice.candidate.formatted_address);
        address.storage = choice.candidate.storage;
        // Below what overtook it, as if the answer had come at once.
        let made_at = if is_overtaken { address.stated_at } else { Some(site.fixes.next_time(now)) };
        match made_at.filter(|_| !address.keep_pin) {
            Some(made_at) => site.fixes.put(fix_of(&choice.candidate, &query, made_at, by)),
            None => address.evidence = Some(Box::new(evidence_of(&choice.candidate, &query))),
        }
    }
    let is_missing = address.state == AddressState::NotFound;
    if is_missing {
        address.retry = Some(Retry::behind(attempts, WaitReason::NotFound, pace, now));
    }
    site.address = Some(address);
    if is_missing {
        site.keep_renewal(renewal, now);
    } else {
        site.plan_renewal(now);
    }
    Ok(())
}

/// Where the best of candidates is, if all of them are outside of the stated country.
fn none_inside(choices: &[Choice]) -> Option<Outside> {
    let outside: Option<Vec<Outside>> = choices.iter().map(|choice| choice.outside).collect();
    outside?.first().copied()
}

/// Whether a person said where the site is after the address was stated.
pub(super) fn is_overtaken(site: &Site, address: &SiteAddress) -> bool {
    let newest = site.fixes.iter().filter(|fix| fix.source.is_person()).map(|fix| fix.made_at).max();
    newest.is_some_and(|newest| address.stated_at.is_none_or(|stated_at| stated_at < newest))
}
