//! The tokens of candidates: what a person saw, sealed, so that what they choose is just that.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::candidates::{address_fix, evidence_of};
use super::checks::{Outside, OutsideCountry};
use super::{Error, Waymark, pasted};
use crate::geocode::{self, Candidate};
use crate::model::Invalid;
use crate::model::access::Principal;
use crate::model::address::{AddressQuery, CountryCode, PostalAddress};
use crate::model::evidence::GeocodedEvidence;
use crate::model::geo::LatLng;
use crate::model::id::{AccountId, SiteId};
use crate::model::location::{Fix, Granularity};

/// How long a candidate's token is good.
const TOKEN_LIFE: SignedDuration = SignedDuration::from_hours(1);

/// What a candidate token holds.
#[derive(Debug, Serialize, Deserialize)]
struct Ticket {
    position: LatLng,
    granularity: Granularity,
    evidence: GeocodedEvidence,
    /// The question in parts, where it was asked so.
    parts: Option<PostalAddress>,
    /// The country that was stated with the question.
    country: Option<CountryCode>,
    /// Where it is, if that is not the country that was stated.
    outside: Option<Outside>,
    ends_at: Timestamp,
}

/// What a candidate's token stands for.
#[derive(Debug)]
pub(super) struct Chosen {
    /// The fix that it makes.
    pub(super) fix: Fix,
    /// The question in parts, where it was asked so.
    pub(super) parts: Option<PostalAddress>,
    /// The country that was stated with the question.
    pub(super) country: Option<CountryCode>,
}

impl Waymark {
    /// The token by which a person chooses a candidate for a site.
    pub(super) fn issue(
        &self,
        account: &AccountId,
        site: SiteId,
        (query, country): (&AddressQuery, Option<CountryCode>),
        candidate: &Candidate,
        outside: Option<Outside>,
    ) -> String {
        let ticket = Ticket {
            position: candidate.position,
            granularity: candidate.granularity,
            evidence: evidence_of(candidate, query),
            parts: if let AddressQuery::Parts(parts) = query { Some(parts.clone()) } else { None },
            country,
            outside,
            ends_at: self.now() + TOKEN_LIFE,
        };
        self.sealer.seal(&purpose(account, site), &ticket)
    }

    /// What a candidate's token stands for.
    pub(super) fn redeem(
        &self,
        principal: &Principal,
        account: &AccountId,
        site: SiteId,
        token: &str,
    ) -> Result<Chosen, Error> {
        if token.is_empty() {
            return Err(Invalid::new("candidate_token", "the token of a candidate is required").into());
        }
        let ticket: Ticket = self.sealer.open(&purpose(account, site), token).ok_or(Error::CandidateToken)?;
        let now = self.now();
        if ticket.ends_at <= now {
            return Err(Error::CandidateToken);
        }
        if let Some(outside) = ticket.outside {
            return Err(Error::OutsideCountry(OutsideCountry { field: "candidate_token", outside }));
        }
        if ticket.evidence.provider == geocode::COORDINATES {
            return Ok(Chosen {
                fix: pasted::pin(ticket.position, now, principal.actor()),
                parts: None,
                country: None,
            });
        }
        if !ticket.evidence.storage.allows(now) {
            let why = "the terms of its provider do not allow to keep it: drop a pin there instead";
            return Err(Invalid::new("candidate_token", why).into());
        }
        let fix = address_fix(ticket.position, ticket.granularity, ticket.evidence, now, principal.actor());
        Ok(Chosen { fix, parts: ticket.parts, country: ticket.country })
    }
}

fn purpose(account: &AccountId, site: SiteId) -> String {
    format!("candidate:{account}/{site}")
}
