//! Candidates of the geocoder, and when one clearly wins. The tokens by which a person chooses another are in `tickets`.

use jiff::Timestamp;

use super::access::Permission;
use super::checks::{Outside, Warning};
use super::{Error, Waymark, pasted};
use crate::geocode::{self, Bias, CANDIDATES_MAX, Candidate};
use crate::model::access::Principal;
use crate::model::address::{ADDRESS_LINE_BYTES_MAX, AddressQuery, CountryCode};
use crate::model::evidence::{GeocodedEvidence, Storage};
use crate::model::geo::LatLng;
use crate::model::id::{AccountId, SiteId};
use crate::model::location::{Evidence, Fix, Granularity, Source};
use crate::model::site::Site;
use crate::model::site_address::AddressState;
use crate::model::text;

/// Candidates of an answer where the caller does not say.
const CANDIDATES_DEFAULT: usize = 5;
/// Least confidence of a candidate that is applied without a question: every word but a small typo explained.
const CONFIDENCE_MIN: f64 = 0.85;
/// Least lead of such a candidate over the next one elsewhere.
const LEAD_MIN: f64 = 0.1;
/// Candidates nearer than this to the winner are the same door under another name, in metres.
const SAME_DOOR_M: f64 = 30.0;
/// A candidate as a caller gets it.
#[derive(Debug, Clone)]
pub struct Choice {
    /// What the geocoder says.
    pub candidate: Candidate,
    /// What `apply_candidate` takes; empty without a site.
    pub token: String,
    /// Metres to the site's `GeoIP` fix.
    pub distance_to_geoip_m: Option<f64>,
    /// Metres to the site's present position.
    pub distance_to_position_m: Option<f64>,
    /// Where it is, if that is not the country that was stated: it is shown, and never applied.
    pub outside: Option<Outside>,
    /// What a person had better look at.
    pub warnings: Vec<Warning>,
}

impl Choice {
    /// Whether it is coordinates that the person pasted.
    pub(super) fn is_pasted(&self) -> bool {
        &*self.candidate.provider == geocode::COORDINATES
    }
}

/// The candidate that is applied without a question: confident, a street or finer, and well ahead of any other place. Those
/// outside of the stated country are out of the race.
pub(super) fn clear_winner(choices: &[Choice]) -> Option<&Choice> {
    let mut choices = choices.iter().filter(|choice| choice.outside.is_none());
    let best = choices.next()?;
    let is_sure = best.candidate.confidence >= CONFIDENCE_MIN && best.candidate.granularity >= Granularity::Street;
    // What may not be kept cannot be applied: a person is shown it, and may drop a pin there.
    let is_sure = is_sure && best.candidate.storage != Storage::Never;
    let rival = choices
        .find(|other| other.candidate.position.distance_m(best.candidate.position) > SAME_DOOR_M)
        .map_or(0.0, |other| other.candidate.confidence);
    (is_sure && best.candidate.confidence - rival >= LEAD_MIN).then_some(best)
}

/// What becomes of an address that these candidates answer to.
pub(super) fn state_of(choices: &[Choice]) -> AddressState {
    match clear_winner(choices) {
        Some(_) => AddressState::Applied,
        None if choices.iter().all(|choice| choice.outside.is_some()) => AddressState::NotFound,
        None => AddressState::Ambiguous,
    }
}

/// The fix that a candidate makes.
pub(super) fn fix_of(candidate: &Candidate, query: &AddressQuery, made_at: Timestamp, made_by: String) -> Fix {
    address_fix(candidate.position, candidate.granularity, evidence_of(candidate, query), made_at, made_by)
}

/// What a candidate's fix rests on.
pub(super) fn evidence_of(candidate: &Candidate, query: &AddressQuery) -> GeocodedEvidence {
    GeocodedEvidence {
        provider: candidate.provider.to_string(),
        place_id: candidate.place_id.clone(),
        formatted_address: candidate.formatted_address.clone(),
        query: query.one_line(),
        attribution: candidate.attribution.clone(),
        country: candidate.country,
        storage: candidate.storage,
    }
}

pub(super) fn address_fix(
    position: LatLng,
    granularity: Granularity,
    evidence: GeocodedEvidence,
    made_at: Timestamp,
    made_by: String,
) -> Fix {
    let evidence = Evidence::Geocoded(evidence);
    Fix { source: Source::Address, position, accuracy_m: None, granularity, evidence, made_at, made_by }
}

impl Waymark {
    /// The places that an address may mean, best first, and what would become of it; with a site, near it first and with
    /// tokens.
    pub async fn geocode_address(
        &self,
        principal: &Principal,
        account: &AccountId,
        query: &AddressQuery,
        site: Option<SiteId>,
        candidates_max: i32,
    ) -> Result<(AddressState, Vec<Choice>), Error> {
        self.account_for(principal, account, Permission::Study)?;
        let limit = super::paging::page_size("candidates_max", candidates_max, CANDIDATES_DEFAULT, CANDIDATES_MAX)?;
        let site = self.seen_site(principal, account, site).await?;
        // Whether one wins is seen beside all others.
        let mut choices = self.choices(account, query, query.country(), site.as_ref(), CANDIDATES_MAX).await?;
        let state = state_of(&choices);
        choices.truncate(limit);
        Ok((state, choices))
    }

    /// The places that a text may become while it is typed; with a site, near it first and with tokens.
    pub async fn suggest_addresses(
        &self,
        principal: &Principal,
        account: &AccountId,
        typed: &str,
        site: Option<SiteId>,
        candidates_max: i32,
    ) -> Result<Vec<Choice>, Error> {
        self.account_for(principal, account, Permission::Study)?;
        let limit = super::paging::page_size("candidates_max", candidates_max, CANDIDATES_DEFAULT, CANDIDATES_MAX)?;
        let typed = text::line("typed", typed, ADDRESS_LINE_BYTES_MAX)?;
        let site = self.seen_site(principal, account, site).await?;
        if typed.is_empty() {
            return Ok(Vec::new());
        }
        let query = AddressQuery::Line(typed.clone());
        let outlook = self.outlook(account, query.country(), site.as_ref());
        let geocoder = self.geocoder_for(account)?;
        let candidates = geocoder.suggest(&typed, &outlook.bias(), limit).await?;
        let choices = self.seen_from(account, &query, site.as_ref(), &outlook, candidates);
        // Half a word is no question that could be asked later: the address is. But what must be forgotten is no question.
        let named = |choice: Choice| match site.as_ref().filter(|_| choice.candidate.storage == Storage::Unlimited) {
            Some(site) => {
                let query = AddressQuery::Line(choice.candidate.formatted_address.clone());
                let token = self.issue(account, site.id, (&query, None), &choice.candidate, choice.outside);
                Choice { token, ..choice }
            }
            None => choice,
        };
        Ok(choices.into_iter().map(named).collect())
    }

    /// The addresses at a position, nearest first; with a site, with tokens.
    pub async fn reverse_geocode(
        &self,
        principal: &Principal,
        account: &AccountId,
        position: LatLng,
        site: Option<SiteId>,
        candidates_max: i32,
    ) -> Result<Vec<Choice>, Error> {
        self.account_for(principal, account, Permission::Study)?;
        let limit = super::paging::page_size("candidates_max", candidates_max, CANDIDATES_DEFAULT, CANDIDATES_MAX)?;
        pasted::refuse_null_island("position", position)?;
        let site = self.seen_site(principal, account, site).await?;
        let geocoder = self.geocoder_for(account)?;
        let candidates = geocoder.reverse(position, limit).await?;
        let query = AddressQuery::Line(format!("{}, {}", position.lat(), position.lng()));
        let outlook = self.outlook(account, None, site.as_ref());
        Ok(self.seen_from(account, &query, site.as_ref(), &outlook, candidates))
    }

    async fn seen_site(
        &self,
        principal: &Principal,
        account: &AccountId,
        site: Option<SiteId>,
    ) -> Result<Option<Site>, Error> {
        match site {
            Some(site) => Ok(Some(self.get_site(principal, account, site).await?.value)),
            None => Ok(None),
        }
    }

    /// The geocoder's candidates, seen from a site, whose country may be stated.
    pub(super) async fn choices(
        &self,
        account: &AccountId,
        query: &AddressQuery,
        stated: Option<CountryCode>,
        site: Option<&Site>,
        limit: usize,
    ) -> Result<Vec<Choice>, Error> {
        let outlook = self.outlook(account, stated, site);
        let candidates = if let Some(pasted) = pasted::parse(query)? {
            self.candidates_of_pasted(account, pasted, query, &outlook.bias(), limit).await?
        } else {
            let geocoder = self.geocoder_for(account)?;
            geocoder.forward(query, &outlook.bias(), limit).await?
        };
        Ok(self.seen_from(account, query, site, &outlook, candidates))
    }

    fn outlook(&self, account: &AccountId, stated: Option<CountryCode>, site: Option<&Site>) -> Outlook {
        Outlook {
            estimate: site.and_then(|site| site.fixes.get(Source::GeoIp)).cloned(),
            at_present: site.and_then(|site| site.fixes.effective()).map(|fix| fix.position),
            stated,
            country: stated.or_else(|| self.parts.live.account(account)?.account().country),
        }
    }

    /// Candidates as they are seen from a site.
    fn seen_from(
        &self,
        account: &AccountId,
        query: &AddressQuery,
        site: Option<&Site>,
        outlook: &Outlook,
        candidates: Vec<Candidate>,
    ) -> Vec<Choice> {
        let choice = |candidate: Candidate| {
            let outside = self.candidate_outside(&candidate, outlook.stated);
            let mut warnings = self.warnings_at(candidate.position, outlook.estimate.as_ref());
            warnings.extend(outside.map(|_| Warning::OutsideCountry));
            Choice {
                token: site
                    .map(|site| self.issue(account, site.id, (query, outlook.stated), &candidate, outside))
                    .unwrap_or_default(),
                distance_to_geoip_m: outlook.at_geoip().map(|at| at.distance_m(candidate.position)),
                distance_to_position_m: outlook.at_present.map(|at| at.distance_m(candidate.position)),
                outside,
                warnings,
                candidate,
            }
        };
        candidates.into_iter().map(choice).collect()
    }
}

/// From where an account, and perhaps a site, looks at candidates.
struct Outlook {
    estimate: Option<Fix>,
    at_present: Option<LatLng>,
    /// The country that was stated with the question.
    stated: Option<CountryCode>,
    /// The same, or the account's own: what is asked for first.
    country: Option<CountryCode>,
}

impl Outlook {
    fn at_geoip(&self) -> Option<LatLng> {
        self.estimate.as_ref().map(|fix| fix.position)
    }

    fn bias(&self) -> Bias {
        Bias { near: self.at_geoip().or(self.at_present), country: self.country }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(lat: f64, confidence: f64, granularity: Granularity) -> Choice {
        let candidate = Candidate {
            place_id: String::new(),
            formatted_address: String::new(),
            position: LatLng::new(lat, 0.0).unwrap(),
            granularity,
            confidence,
            country: None,
            provider: "test".into(),
            attribution: String::new(),
            storage: crate::model::evidence::Storage::Unlimited,
        };
        Choice {
            candidate,
            token: String::new(),
            distance_to_geoip_m: None,
            distance_to_position_m: None,
            outside: None,
            warnings: Vec::new(),
        }
    }

    #[test]
    fn a_candidate_outside_of_the_stated_country_is_out_of_the_race() {
        let stated = CountryCode::parse("IS").unwrap();
        let outside = Outside { stated, found: CountryCode::parse("FR"), is_swapped: false };
        let abroad = Choice { outside: Some(outside), ..choice(1.0, 1.0, Granularity::Door) };
        let home = choice(2.0, 0.95, Granularity::Door);
        assert!(clear_winner(std::slice::from_ref(&abroad)).is_none());
        let choices = [abroad, home.clone()];
        let winner = clear_winner(&choices).map(|choice| choice.candidate.position);
        assert_eq!(winner, Some(home.candidate.position), "it is no rival of the one at home either");
    }

    #[test]
    fn only_a_sure_fine_and_leading_candidate_wins() {
        use Granularity::{City, Door, Street};
        let wins = |choices: &[Choice]| clear_winner(choices).is_some();
        assert!(!wins(&[]));
        assert!(wins(&[choice(1.0, 1.0, Door)]));
        assert!(wins(&[choice(1.0, 0.9, Street), choice(2.0, 0.7, Street)]));
        assert!(!wins(&[choice(1.0, 1.0, City)]), "a city is too coarse");
        assert!(!wins(&[choice(1.0, 0.8, Door)]), "too unsure");
        assert!(!wins(&[choice(1.0, 1.0, Door), choice(2.0, 0.95, Door)]), "two doors answer");
        assert!(wins(&[choice(1.0, 1.0, Door), choice(1.000_1, 1.0, Door)]), "one door under two names");
    }
}
