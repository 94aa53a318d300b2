//! Answers of geocoders whose terms end: asked for again before that, and renewed where the same place answers.
//!
//! A place that answers elsewhere now is not moved to: a person chooses. What cannot be renewed is dropped at the end.

use jiff::{SignedDuration, Timestamp};

use super::addresses::asked_wait;
use super::candidates::{Choice, clear_winner, evidence_of};
use super::{Error, Waymark, pasted};
use crate::geocode::{self, CANDIDATES_MAX, Candidate, Geocoder, PlaceId};
use crate::model::address::AddressQuery;
use crate::model::coordinates::Pasted;
use crate::model::evidence::{GeocodedEvidence, Storage};
use crate::model::geo::LatLng;
use crate::model::history::Cause;
use crate::model::id::AccountId;
use crate::model::location::{Evidence, Fix, Source};
use crate::model::site::Site;
use crate::model::site_address::{AddressState, Pace, Retry, SiteAddress, WaitReason};

/// So far, in metres, a place may have moved at its provider and still be the same: another point of one building.
const SAME_PLACE_M: f64 = 100.0;

/// What a provider says now of an answer that it gave.
#[derive(Debug)]
enum Fresh {
    /// The same place answers.
    Same(Box<Candidate>),
    /// It is elsewhere.
    Moved,
    /// Nothing answers that may be kept.
    Gone,
    /// It could not be asked.
    Waits(WaitReason, SignedDuration),
}

impl Waymark {
    /// Renews what geocoders answered to a site, as far as their terms end.
    pub(super) async fn renew(&self, account: &AccountId, site: &Site, address: &SiteAddress) -> Result<(), Error> {
        let ending = site.answer().filter(|answer| answer.storage.until().is_some());
        let fix = match site.fixes.get(Source::Address).zip(ending) {
            Some((fix, answer)) => Some((fix.clone(), self.fresh(account, site, answer, fix.position).await?)),
            None => None,
        };
        let is_copy = site.answer().is_some_and(|answer| answer.formatted_address == address.formatted);
        let text = match address.until() {
            Some(_) if !is_copy => Some(self.fresh_text(account, site, address).await?),
            _ => None,
        };
        let pace = self.pace();
        let renewed = |site: &mut Site, _: SiteAddress, now| {
            let until = site.kept_until();
            let attempts = site.renewal().map_or(0, |retry| retry.attempts).saturating_add(1);
            if let Some((asked, fresh)) =
                fix.as_ref().filter(|(asked, _)| site.fixes.get(Source::Address) == Some(asked))
            {
                put_fix(site, asked, fresh);
            }
            if let Some(Fresh::Same(candidate)) = &text {
                put_text(site, candidate);
            }
            let outcomes = fix.iter().map(|(_, fresh)| fresh).chain(&text);
            plan(site, until, attempts, outcomes, pace, now);
            Ok(())
        };
        self.change_unless_restated(account, site.id, address, Cause::AddressRenewed, renewed).await
    }

    /// Asks for a place again: by its id, else by the question that it answered.
    async fn fresh(
        &self,
        account: &AccountId,
        site: &Site,
        answer: &GeocodedEvidence,
        position: LatLng,
    ) -> Result<Fresh, Error> {
        let geocoder = match self.geocoder_for(account) {
            Ok(geocoder) => geocoder,
            Err(cause) => return Ok(unasked(&cause)),
        };
        match look_up(&*geocoder, answer).await {
            Ok(Some(candidate)) => return Ok(judged(candidate, position)),
            Ok(None) => {}
            Err(cause) => return Ok(unasked(&cause)),
        }
        let stated = site.address.as_ref().filter(|address| address.typed == answer.query).map(SiteAddress::query);
        let query = stated.unwrap_or_else(|| AddressQuery::Line(answer.query.clone()));
        self.ask_by_words(&*geocoder, account, site, (&query, position), answer).await
    }

    /// Asks for the words of a place's address again, or for what is at its position where it was found by that.
    async fn ask_by_words(
        &self,
        geocoder: &dyn Geocoder,
        account: &AccountId,
        site: &Site,
        (query, position): (&AddressQuery, LatLng),
        answer: &GeocodedEvidence,
    ) -> Result<Fresh, Error> {
        let is_known = |candidate: &Candidate| is_same_place(answer, candidate);
        if pasted::parse(query).ok().flatten().is_some() {
            let found = match geocoder.reverse(position, CANDIDATES_MAX).await {
                Ok(found) => found,
                Err(cause) => return Ok(unasked(&cause)),
            };
            return Ok(found.into_iter().find(is_known).map_or(Fresh::Gone, |found| judged(found, position)));
        }
        // What was stated of another address is nothing of this one: that was in the country where it was found.
        let stated = site.address.as_ref().filter(|address| address.typed == answer.query);
        let country = stated.map_or(answer.country, |address| address.country);
        let choices = match self.choices(account, query, country, Some(site), CANDIDATES_MAX).await {
            Ok(choices) => choices,
            Err(Error::Geocode(cause)) => return Ok(unasked(&cause)),
            Err(Error::Invalid(_)) => return Ok(Fresh::Gone),
            Err(cause) => return Err(cause),
        };
        // Which one a person chose is nothing that a machine guesses: it has to be where that was.
        let is_chosen = stated.is_none_or(|address| address.chosen);
        let is_near = |choice: &&Choice| choice.candidate.position.distance_m(position) <= SAME_PLACE_M;
        let winner = || clear_winner(&choices).filter(|choice| !is_chosen || is_near(choice));
        let found = choices.iter().find(|choice| is_known(&choice.candidate)).or_else(winner);
        Ok(found.map_or(Fresh::Gone, |found| judged(found.candidate.clone(), position)))
    }

    /// Asks how the geocoder writes an address that is kept beside a position: the same place, or the same words of it.
    async fn fresh_text(&self, account: &AccountId, site: &Site, address: &SiteAddress) -> Result<Fresh, Error> {
        let geocoder = match self.geocoder_for(account) {
            Ok(geocoder) => geocoder,
            Err(cause) => return Ok(unasked(&cause)),
        };
        let known = address.evidence.as_deref();
        if let Some(known) = known {
            match look_up(&*geocoder, known).await {
                Ok(Some(candidate)) => return Ok(kept(candidate)),
                Ok(None) => {}
                Err(cause) => return Ok(unasked(&cause)),
            }
        }
        let found = match self.ask_for_text(&*geocoder, account, site, address).await {
            Ok(found) => found,
            Err(Error::Geocode(cause)) => return Ok(unasked(&cause)),
            Err(Error::Invalid(_)) => return Ok(Fresh::Gone),
            Err(cause) => return Err(cause),
        };
        let is_same = |candidate: &Candidate| match known {
            Some(known) => is_same_place(known, candidate),
            None => candidate.formatted_address == address.formatted,
        };
        Ok(found.into_iter().find(is_same).map_or(Fresh::Gone, kept))
    }

    /// The places that the words of an address mean; of one that nobody typed, those at the position where it was found.
    async fn ask_for_text(
        &self,
        geocoder: &dyn Geocoder,
        account: &AccountId,
        site: &Site,
        address: &SiteAddress,
    ) -> Result<Vec<Candidate>, Error> {
        if !address.typed.is_empty() {
            let choices = self.choices(account, &address.query(), address.country, Some(site), CANDIDATES_MAX).await?;
            return Ok(choices.into_iter().map(|choice| choice.candidate).collect());
        }
        let found_at = address.evidence.as_ref().map(|evidence| AddressQuery::Line(evidence.query.clone()));
        match found_at.as_ref().map(pasted::parse).transpose()?.flatten() {
            Some(Pasted::Position(position)) => Ok(geocoder.reverse(position, CANDIDATES_MAX).await?),
            _ => Ok(Vec::new()),
        }
    }
}

/// Whether a candidate is the place of an answer: by its id, or by its name.
fn is_same_place(answer: &GeocodedEvidence, candidate: &Candidate) -> bool {
    let is_same_id = *answer.provider == *candidate.provider && answer.place_id == candidate.place_id;
    is_same_id && !answer.place_id.is_empty() || answer.formatted_address == candidate.formatted_address
}

/// What an answer says of a text.
fn kept(candidate: Candidate) -> Fresh {
    if candidate.storage == Storage::Never { Fresh::Gone } else { Fresh::Same(Box::new(candidate)) }
}

/// The place of an answer by its id; `None` where it has none, is gone under it, or such questions are not answered: then the
/// words are asked for.
async fn look_up(geocoder: &dyn Geocoder, answer: &GeocodedEvidence) -> Result<Option<Candidate>, geocode::Error> {
    if answer.place_id.is_empty() {
        return Ok(None);
    }
    let place = PlaceId { provider: answer.provider.as_str().into(), id: answer.place_id.clone() };
    match geocoder.look_up(&place).await {
        Err(geocode::Error::Unsupported { .. }) => Ok(None),
        found => found,
    }
}

fn unasked(cause: &geocode::Error) -> Fresh {
    Fresh::Waits(cause.waits().unwrap_or(WaitReason::Misconfigured), asked_wait(cause))
}

/// What an answer says of a place that was at `position`.
fn judged(candidate: Candidate, position: LatLng) -> Fresh {
    if candidate.storage == Storage::Never {
        Fresh::Gone
    } else if candidate.position.distance_m(position) <= SAME_PLACE_M {
        Fresh::Same(Box::new(candidate))
    } else {
        Fresh::Moved
    }
}

/// Renews the fix, or leaves the choice to a person.
fn put_fix(site: &mut Site, asked: &Fix, fresh: &Fresh) {
    let Evidence::Geocoded(old) = &asked.evidence else { return };
    match fresh {
        Fresh::Same(candidate) => {
            let evidence = evidence_of(candidate, &AddressQuery::Line(old.query.clone()));
            if let Some(address) = site.address.as_mut().filter(|it| it.formatted == old.formatted_address) {
                address.formatted.clone_from(&candidate.formatted_address);
                address.storage = candidate.storage;
                if let Some(kept) = &mut address.evidence {
                    **kept = GeocodedEvidence { query: kept.query.clone(), ..evidence.clone() };
                }
            }
            let (position, granularity) = (candidate.position, candidate.granularity);
            // It was made when a person made it: only what it rests on is newer.
            let renewed = Fix { position, granularity, evidence: Evidence::Geocoded(evidence), ..asked.clone() };
            site.fixes.remove(Source::Address);
            site.fixes.put(renewed);
        }
        Fresh::Moved => {
            // Of a site that stands at the answer to its address alone: nothing else has anything to choose.
            let stands_at_it = site.fixes.effective().is_some_and(|fix| fix.source == Source::Address);
            if let Some(address) = site.address.as_mut().filter(|it| stands_at_it && it.typed == old.query) {
                address.state = AddressState::Ambiguous;
            }
        }
        Fresh::Gone | Fresh::Waits(..) => {}
    }
}

fn put_text(site: &mut Site, candidate: &Candidate) {
    if let Some(address) = &mut site.address {
        address.formatted.clone_from(&candidate.formatted_address);
        address.storage = candidate.storage;
        if let Some(known) = &mut address.evidence {
            // The position where it was found, of one that nobody typed.
            let query = known.query.clone();
            **known = GeocodedEvidence { query, ..evidence_of(candidate, &AddressQuery::Line(String::new())) };
        }
    }
}

/// Plans the next renewal: as far before the end as usual where the end moved, with a pause between attempts where it did
/// not. Where a person has to choose, nothing is asked any more.
fn plan<'fresh>(
    site: &mut Site,
    until: Option<Timestamp>,
    attempts: u32,
    outcomes: impl Iterator<Item = &'fresh Fresh>,
    pace: Pace,
    now: Timestamp,
) {
    let is_later = match (until, site.kept_until()) {
        (_, None) => true,
        (Some(before), Some(after)) => after > before,
        (None, Some(_)) => false,
    };
    let (mut reason, mut asked) = (WaitReason::Expiring, SignedDuration::ZERO);
    for outcome in outcomes {
        if let Fresh::Waits(why, wait) = outcome {
            (reason, asked) = (*why, asked.max(*wait));
        }
    }
    let is_choice = site.address.as_ref().is_some_and(|address| address.state == AddressState::Ambiguous);
    if is_later {
        site.plan_renewal(now);
        return;
    }
    site.put_renewal((!is_choice).then(|| Retry::behind(attempts, reason, Pace { asked, ..pace }, now)));
}
