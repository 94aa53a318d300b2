//! Coordinates that stand where an address is asked for: a position that a person states, so it makes a pin.
//!
//! They go the way of addresses as candidates of a provider of their own, so that a choice is shown and taken alike.

use jiff::Timestamp;

use super::{Error, Waymark};
use crate::geocode::{self, Bias, Candidate};
use crate::model::Invalid;
use crate::model::address::AddressQuery;
use crate::model::coordinates::{self, Pasted};
use crate::model::evidence::Storage;
use crate::model::geo::LatLng;
use crate::model::id::AccountId;
use crate::model::location::{Evidence, Fix, Granularity, Source};

/// The confidence of a position that is near what was meant, and may not be it: too little to be applied unasked.
const GUESSED: f64 = 0.5;

/// The coordinates that an address holds; `None` for one that is an address.
pub(super) fn parse(query: &AddressQuery) -> Result<Option<Pasted>, Invalid> {
    match query {
        AddressQuery::Line(line) => coordinates::parse(line),
        AddressQuery::Parts(_) => Ok(None),
    }
}

impl Waymark {
    /// What was pasted, as candidates: one, or for a short plus code one for each place that its words may mean.
    pub(super) async fn candidates_of_pasted(
        &self,
        account: &AccountId,
        pasted: Pasted,
        query: &AddressQuery,
        bias: &Bias,
        limit: usize,
    ) -> Result<Vec<Candidate>, Error> {
        let (code, place) = match pasted {
            Pasted::Position(position) => {
                refuse_null_island("address_line", position)?;
                return Ok(vec![candidate(position, format!("{}, {}", position.lat(), position.lng()))]);
            }
            Pasted::Shown(position) => {
                refuse_null_island("address_line", position)?;
                let shown = candidate(position, format!("{}, {}", position.lat(), position.lng()));
                return Ok(vec![Candidate { confidence: GUESSED, ..shown }]);
            }
            Pasted::Near(code, place) if place.is_empty() => {
                let why = "a short plus code is near some place: write it beside the code, as in `9G8F+6X Zurich`";
                let near = bias.near.ok_or_else(|| Invalid::new("address_line", why))?;
                let near = candidate(code.nearest(near), query.one_line());
                return Ok(vec![Candidate { confidence: GUESSED, ..near }]);
            }
            Pasted::Near(code, place) => (code, AddressQuery::line(&place)?),
        };
        let geocoder = self.geocoder_for(account)?;
        let near = geocoder.forward(&place, bias, limit).await?;
        let written = query.one_line();
        let written = written.split([' ', ',']).next().unwrap_or_default().to_uppercase();
        // The code comes again some hundred kilometres on: a place that is larger tells nothing of which one is meant.
        let near = near.into_iter().filter(|place| place.granularity >= Granularity::City);
        let found = near.map(|place| Candidate {
            confidence: place.confidence,
            country: place.country,
            attribution: place.attribution,
            ..candidate(code.nearest(place.position), format!("{written} {}", place.formatted_address))
        });
        Ok(found.collect())
    }
}

fn candidate(position: LatLng, formatted_address: String) -> Candidate {
    Candidate {
        place_id: String::new(),
        formatted_address,
        position,
        granularity: Granularity::Door,
        confidence: 1.0,
        country: None,
        provider: geocode::COORDINATES.into(),
        attribution: String::new(),
        storage: Storage::Unlimited,
    }
}

/// The fix of a position that a person states.
pub(super) fn pin(position: LatLng, made_at: Timestamp, made_by: String) -> Fix {
    Fix {
        source: Source::Pin,
        position,
        accuracy_m: None,
        granularity: Granularity::Door,
        evidence: Evidence::Dropped,
        made_at,
        made_by,
    }
}

/// Refuses the position that a missing value has.
pub(super) fn refuse_null_island(field: &str, position: LatLng) -> Result<(), Invalid> {
    if position.is_null_island() {
        return Err(Invalid::new(field, "0,0 is open sea and mostly a missing value: state where the site is"));
    }
    Ok(())
}
