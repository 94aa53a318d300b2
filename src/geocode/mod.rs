//! Addresses to positions and back: one async trait, and the providers that answer it.
//!
//! A geocoder gives ranked candidates and says how sure it is. It never decides: whether one of them is
//! applied to a site is the business of `service`. Knows nothing of sites.
//!
//! Providers are `gazetteer`, which needs no network, and `nominatim`, `photon` and `opencage` over `http`. Around them
//! stand geocoders that are named by what they add: `timed`, `traced`, `counted`, `throttled`, `breaker`, `retried`, `coalesced`, `cached`,
//! `chain`, `reloadable`, `on_behalf`. `build` puts all together as `config` says. `borders` stands apart: it knows where
//! countries end.

pub mod borders;
mod breaker;
pub mod build;
mod cached;
mod chain;
mod coalesced;
mod confidence;
pub mod config;
#[cfg(test)]
mod contract;
mod counted;
mod country_names;
mod error;
#[cfg(test)]
mod fake;
#[cfg(test)]
mod faults;
pub mod fleet;
#[cfg(test)]
mod fuzz;
pub mod gazetteer;
mod http;
mod inquiry;
pub mod limiter;
mod nominatim;
pub mod on_behalf;
mod opencage;
pub mod pace;
mod photon;
pub mod reloadable;
mod retried;
mod terms;
mod throttled;
pub mod time_zone;
mod timed;
mod traced;
mod turns;
#[cfg(test)]
mod worlds;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

pub use self::error::{Error, Rest};
pub use self::inquiry::{Asker, Bias, CANDIDATES_MAX, Inquiry, PlaceId, Subject};
use crate::model::address::{AddressQuery, CountryCode};
use crate::model::evidence::Storage;
use crate::model::geo::LatLng;
use crate::model::location::Granularity;

/// The provider's name of positions that a person states as coordinates: no geocoder may have it.
pub const COORDINATES: &str = "coordinates";
/// How long an answer may take where the caller states no deadline: what a person at a form waits for.
pub const ANSWER_TIME: Duration = Duration::from_secs(10);

/// One place that an address may mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// The provider's stable id of the place, such as `is/stadfong/1017`; empty where it has none.
    pub place_id: String,
    /// The address on one line, as its country writes it. Plain text, whatever it looks like.
    pub formatted_address: String,
    /// Where it is.
    pub position: LatLng,
    /// How fine the position is.
    pub granularity: Granularity,
    /// How well the place answers the question, in [0, 1]. Of an address: 1 when every word was found as written and
    /// nothing else was needed. Of a position: the nearer, for a thing of its kind, the closer to 1. Of an id: 1.
    pub confidence: f64,
    /// The country that the place is in.
    pub country: Option<CountryCode>,
    /// The provider that answers, by the name that it is configured under.
    pub provider: Arc<str>,
    /// What the licence of the data asks to be shown, as plain text.
    pub attribution: String,
    /// Whether the answer may be kept, and until when.
    pub storage: Storage,
}

/// A provider of positions for addresses, and of addresses for positions.
///
/// One method answers all kinds of questions, so that what is put around a provider is written once.
#[async_trait]
pub trait Geocoder: Send + Sync + std::fmt::Debug {
    /// The best candidates, at most [`Inquiry::limit`], best first; empty where nothing answers.
    ///
    /// Equal confidences are ordered by the bias, then by the size of the place, then by `place_id`, so that
    /// the same question has the same answer. Answers or fails before `deadline`, or soon after it.
    ///
    /// # Errors
    /// `Unsupported` where the provider does not answer such questions at all.
    async fn answer(&self, inquiry: &Inquiry, deadline: Instant) -> Result<Vec<Candidate>, Error>;

    /// What the licences of its data ask to be shown beside its answers, as plain text, each once.
    fn attributions(&self) -> Vec<String>;

    /// The places that an address may mean.
    async fn forward(&self, query: &AddressQuery, bias: &Bias, limit: usize) -> Result<Vec<Candidate>, Error> {
        self.answer(&Inquiry::new(Subject::Address(query.clone()), bias, limit), Instant::now() + ANSWER_TIME).await
    }

    /// The addresses at a position, and the place that it is in.
    async fn reverse(&self, position: LatLng, limit: usize) -> Result<Vec<Candidate>, Error> {
        let inquiry = Inquiry::new(Subject::Position(position), &Bias::default(), limit);
        self.answer(&inquiry, Instant::now() + ANSWER_TIME).await
    }

    /// The places that a text may become while it is typed; its last word may be the beginning of one.
    async fn suggest(&self, typed: &str, bias: &Bias, limit: usize) -> Result<Vec<Candidate>, Error> {
        self.answer(&Inquiry::new(Subject::Typed(typed.to_owned()), bias, limit), Instant::now() + ANSWER_TIME).await
    }

    /// The place that a provider knows under an id; none where it is gone.
    async fn look_up(&self, place: &PlaceId) -> Result<Option<Candidate>, Error> {
        let inquiry = Inquiry::new(Subject::Place(place.clone()), &Bias::default(), 1);
        Ok(self.answer(&inquiry, Instant::now() + ANSWER_TIME).await?.into_iter().next())
    }
}
