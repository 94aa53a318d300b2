//! The address that a person stated for a site: what was typed, what became of it, and when it is asked for again.
//!
//! A failure of a geocoder loses nobody's typing: the question stays here, with all that is needed to ask it again as if
//! the person had asked then. Knows nothing of geocoders.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::address::{AddressQuery, CountryCode, PostalAddress};
use super::evidence::{GeocodedEvidence, Storage};
use super::location::{Evidence, Source};
use super::site::Site;

/// Longest wait between two attempts, without its share of chance: four attempts a day cost nobody anything.
pub const RETRY_MAX: SignedDuration = SignedDuration::from_hours(6);
/// After so long an address that nothing answered to is asked for again: somebody may have mapped it.
pub const NOT_FOUND_RETRY: SignedDuration = SignedDuration::from_hours(7 * 24);
/// A wait is longer by up to this share of it, by chance, so that what failed together is not asked for together.
const RETRY_CHANCE: f64 = 0.25;
/// Answers whose terms end are asked for again at most so long before their end.
const RENEWAL_LEAD_MAX: SignedDuration = SignedDuration::from_hours(3 * 24);
/// And no earlier than when this part of their time is left.
const RENEWAL_LEAD_PART: i32 = 4;

/// What became of the address that a person stated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AddressState {
    /// The pin stands at it.
    Applied,
    /// Kept beside a pin that stays where it was.
    PinKept,
    /// Several places answer to it, or only a coarse one: a person has to choose.
    Ambiguous,
    /// No place answers to it.
    NotFound,
    /// The geocoder could not be asked yet.
    Pending,
    /// The terms of its answer ended, so that the answer is gone; what was typed is kept.
    Expired,
}

impl AddressState {
    /// Whether an answer is still looked for.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::NotFound | Self::Pending | Self::Expired)
    }
}

/// Why an address is asked for again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitReason {
    /// The provider could not be reached, or is out of service.
    Unavailable,
    /// The provider's quota is used up.
    Quota,
    /// Our own limit of requests gave no turn, or the provider is left alone for a while.
    Busy,
    /// The provider answered with something else than its protocol says.
    Malformed,
    /// The operator has to do something: there is no geocoder, or its settings are refused.
    Misconfigured,
    /// Nothing answered to it.
    NotFound,
    /// The terms of its answer end soon.
    Expiring,
    /// The terms of its answer ended.
    Expired,
}

/// When an address is asked for again, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// Why.
    pub reason: WaitReason,
    /// Attempts that were made in vain, the first one included.
    pub attempts: u32,
    /// When the next one is due.
    pub next_at: Timestamp,
}

/// How long the waits between attempts are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// The wait behind the first attempt; the next ones double it, up to [`RETRY_MAX`].
    pub first: SignedDuration,
    /// The least wait that the provider asked for.
    pub asked: SignedDuration,
    /// A number in [0, 1) that chance gives.
    pub chance: f64,
}

impl Retry {
    /// The retry behind the `attempts`th attempt, which was made in vain at `now`.
    #[must_use]
    pub fn behind(attempts: u32, reason: WaitReason, pace: Pace, now: Timestamp) -> Self {
        let doubled = pace.first.checked_mul(1_i32.checked_shl(attempts.saturating_sub(1).min(30)).unwrap_or(i32::MAX));
        let wait = if reason == WaitReason::NotFound {
            NOT_FOUND_RETRY
        } else {
            doubled.unwrap_or(RETRY_MAX).min(RETRY_MAX.max(pace.first))
        };
        let wait = wait.max(pace.asked);
        let more = SignedDuration::try_from_secs_f64(wait.as_secs_f64() * RETRY_CHANCE * pace.chance);
        let next_at = now.checked_add(wait.saturating_add(more.unwrap_or_default()));
        Self { reason, attempts, next_at: next_at.unwrap_or(Timestamp::MAX) }
    }

    /// The first attempt to renew an answer of `now` whose terms end at `until`.
    #[must_use]
    pub fn renewal(until: Timestamp, now: Timestamp) -> Self {
        Self { reason: WaitReason::Expiring, attempts: 0, next_at: renewal_at(until, now) }
    }
}

/// When an answer of `now` is asked for again whose terms end at `until`.
fn renewal_at(until: Timestamp, now: Timestamp) -> Timestamp {
    let lead = (until.duration_since(now) / RENEWAL_LEAD_PART).min(RENEWAL_LEAD_MAX).max(SignedDuration::ZERO);
    until.checked_sub(lead).unwrap_or(until)
}

/// When an address of this state is asked for (again), by what its record says; `None` for never.
///
/// Records of before there were retries say nothing of the time: what is pending is due at once, and what has terms is
/// renewed before their end.
#[must_use]
pub fn due_at(state: AddressState, next_at: Option<Timestamp>, kept_until: Option<Timestamp>) -> Option<Timestamp> {
    next_at.or(match state {
        AddressState::Pending => Some(Timestamp::UNIX_EPOCH),
        AddressState::Applied | AddressState::PinKept => {
            kept_until.map(|until| until.checked_sub(RENEWAL_LEAD_MAX).unwrap_or(until))
        }
        AddressState::Ambiguous | AddressState::NotFound | AddressState::Expired => None,
    })
}

/// The street address of a site, as a person stated it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteAddress {
    /// As typed, on one line; empty where nobody typed it.
    pub typed: String,
    /// As typed, where it was typed in parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<Box<PostalAddress>>,
    /// As the geocoder writes it; empty until one answered, and when its terms ended.
    pub formatted: String,
    /// Whether `formatted` may be kept, and until when.
    #[serde(default, skip_serializing_if = "is_unlimited")]
    pub storage: Storage,
    /// What `formatted` rests on where no fix says it: the site does not stand at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Box<GeocodedEvidence>>,
    /// The country that the site is in, where that was stated besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<CountryCode>,
    /// What became of it.
    pub state: AddressState,
    /// Whether the position was to stay as it was.
    #[serde(default, skip_serializing_if = "is_false")]
    pub keep_pin: bool,
    /// Whether a person chose the answer among candidates: no machine chooses another one.
    #[serde(default, skip_serializing_if = "is_false")]
    pub chosen: bool,
    /// The actor that stated it; empty where that was not written down.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stated_by: String,
    /// When it was stated; `None` where that was not written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stated_at: Option<Timestamp>,
    /// When it is asked for again; `None` for never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// While it is open: when the answer to an address before it is renewed, at which the site stands; `None` where that does
    /// not end. Of an address that is not open the answers are renewed by `retry`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewal: Option<Retry>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(truth: &bool) -> bool {
    !truth
}

fn is_unlimited(storage: &Storage) -> bool {
    *storage == Storage::Unlimited
}

impl SiteAddress {
    /// An address that nobody has asked for yet.
    #[must_use]
    pub fn stated(
        query: &AddressQuery,
        country: Option<CountryCode>,
        keep_pin: bool,
        by: String,
        at: Timestamp,
    ) -> Self {
        let parts = match query {
            AddressQuery::Line(_) => None,
            AddressQuery::Parts(parts) => Some(Box::new(parts.clone())),
        };
        Self {
            typed: query.one_line(),
            parts,
            formatted: String::new(),
            storage: Storage::Unlimited,
            evidence: None,
            country,
            state: AddressState::Pending,
            keep_pin,
            chosen: false,
            stated_by: by,
            stated_at: Some(at),
            retry: None,
            renewal: None,
        }
    }

    /// The question, as it was stated.
    #[must_use]
    pub fn query(&self) -> AddressQuery {
        match &self.parts {
            Some(parts) => AddressQuery::Parts(PostalAddress::clone(parts)),
            None => AddressQuery::Line(self.typed.clone()),
        }
    }

    /// Whether it is the same statement as `other`, whatever became of it meanwhile.
    #[must_use]
    pub fn is_statement_of(&self, other: &Self) -> bool {
        let words = |address: &Self| (address.typed.clone(), address.parts.clone(), address.stated_at);
        words(self) == words(other)
    }

    /// The end of the terms of what a provider wrote, if they end.
    #[must_use]
    pub fn until(&self) -> Option<Timestamp> {
        let of_text = if self.formatted.is_empty() { None } else { self.storage.until() };
        let of_evidence = self.evidence.as_ref().and_then(|evidence| evidence.storage.until());
        of_text.into_iter().chain(of_evidence).min()
    }

    /// Forgets the answer, and plans to ask again where that decides nothing for a person: not what one has to choose or
    /// chose, nor what nobody typed, nor to move a site that stood elsewhere.
    fn lose_answer(&mut self, stood_at_it: bool, now: Timestamp) {
        let is_choice = self.state == AddressState::Ambiguous || self.chosen;
        let may_ask = !is_choice && !self.typed.is_empty() && (stood_at_it || self.keep_pin);
        let attempts = self.retry.map_or(0, |retry| retry.attempts);
        self.formatted.clear();
        self.storage = Storage::Unlimited;
        self.evidence = None;
        self.state = AddressState::Expired;
        self.retry = may_ask.then_some(Retry { reason: WaitReason::Expired, attempts, next_at: now });
    }
}

impl Site {
    /// The geocoder's answer behind the address fix.
    #[must_use]
    pub fn answer(&self) -> Option<&GeocodedEvidence> {
        match &self.fixes.get(Source::Address)?.evidence {
            Evidence::Geocoded(answer) => Some(answer),
            _ => None,
        }
    }

    /// When the first of what a provider answered must not be held any more; `None` where nothing ends.
    #[must_use]
    pub fn kept_until(&self) -> Option<Timestamp> {
        let of_fix = self.answer().and_then(|answer| answer.storage.until());
        let of_address = self.address.as_ref().and_then(SiteAddress::until);
        of_fix.into_iter().chain(of_address).min()
    }

    /// When and why what providers answered to it is renewed.
    #[must_use]
    pub fn renewal(&self) -> Option<Retry> {
        self.address.as_ref().and_then(|address| if address.state.is_open() { address.renewal } else { address.retry })
    }

    /// When its address is asked for (again); `None` for never.
    #[must_use]
    pub fn asked_at(&self) -> Option<Timestamp> {
        let address = self.address.as_ref().filter(|address| address.state.is_open())?;
        due_at(address.state, address.retry.map(|retry| retry.next_at), None)
    }

    /// When what providers answered to it is renewed; `None` for never.
    #[must_use]
    pub fn renewed_at(&self) -> Option<Timestamp> {
        let state = self.address.as_ref()?.state;
        let next_at = self.renewal().map(|renewal| renewal.next_at);
        if state.is_open() { next_at } else { due_at(state, next_at, self.kept_until()) }
    }

    /// Plans anew when the answers of `now` are renewed, where their terms end.
    pub fn plan_renewal(&mut self, now: Timestamp) {
        let renewal = self.kept_until().map(|until| Retry::renewal(until, now));
        self.put_renewal(renewal);
    }

    /// Leaves the renewal of what stays of the answers as it was planned, for an address that has no answer yet.
    pub fn keep_renewal(&mut self, planned: Option<Retry>, now: Timestamp) {
        let ending = self.kept_until();
        self.put_renewal(ending.map(|until| planned.unwrap_or_else(|| Retry::renewal(until, now))));
    }

    /// Plans the next renewal of its answers: beside the next attempt at an address that has no answer yet.
    pub fn put_renewal(&mut self, renewal: Option<Retry>) {
        let Some(address) = &mut self.address else { return };
        if address.state.is_open() {
            address.renewal = renewal;
        } else {
            (address.retry, address.renewal) = (renewal, None);
        }
    }

    /// Takes away what the terms of providers do not allow to be held at `now`: positions, their addresses, ids. What the
    /// person typed stays, and is asked for again at once where the answer to it is gone and nobody chose it. Says whether
    /// there was anything.
    pub fn drop_expired(&mut self, now: Timestamp) -> bool {
        let gone = self.answer().filter(|answer| !answer.storage.allows(now)).cloned();
        if gone.is_some() {
            self.fixes.remove(Source::Address);
        }
        let Some(address) = &mut self.address else { return gone.is_some() };
        let is_over = address.until().is_some_and(|until| until <= now);
        if gone.is_none() && !is_over {
            return false;
        }
        // What the fix answered may be another question, to which this one is the next: that goes on as it was.
        let of_fix = gone.is_some_and(|answer| {
            let rests_on_it = address.evidence.is_none() && address.formatted == answer.formatted_address;
            rests_on_it || address.state == AddressState::Applied
        });
        if is_over || of_fix {
            address.lose_answer(of_fix, now);
        }
        if address.state.is_open() {
            self.plan_renewal(now);
        }
        true
    }
}

#[cfg(test)]
mod tests;
