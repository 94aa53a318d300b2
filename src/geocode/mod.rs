//! Addresses to positions: one async trait, and the providers that answer it.
//!
//! A geocoder gives ranked candidates and says how sure it is. It never decides: whether one of them is
//! applied to a site is the business of `service`. Knows nothing of sites.

pub mod gazetteer;
pub mod time_zone;

use std::time::Duration;

use async_trait::async_trait;

use crate::error::{Fault, Reason};
use crate::model::address::{AddressQuery, CountryCode};
use crate::model::geo::LatLng;
use crate::model::location::Granularity;

/// Most candidates that one call may ask for.
pub const CANDIDATES_MAX: usize = 20;

/// One place that an address may mean.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The provider's stable id of the place, such as `is/stadfong/1017`.
    pub place_id: String,
    /// The address on one line, as its country writes it.
    pub formatted_address: String,
    /// Where it is.
    pub position: LatLng,
    /// How fine the position is.
    pub granularity: Granularity,
    /// How well the place answers the query, in [0, 1]: 1 when every word was found as written and nothing
    /// else was needed. Comparable within one answer and across answers of one provider.
    pub confidence: f64,
    /// The country that the place is in.
    pub country: Option<CountryCode>,
    /// The provider that answers.
    pub provider: &'static str,
    /// What the licence of the data asks to be shown, as plain text.
    pub attribution: String,
}

/// What is known beside the words of the query. Breaks ties; never hides a candidate.
#[derive(Debug, Clone, Default)]
pub struct Bias {
    /// A position near which the address probably is, such as a GeoIP fix.
    pub near: Option<LatLng>,
    /// The country in which it probably is.
    pub country: Option<CountryCode>,
}

/// Why a geocoder gave no answer. An empty answer is not an error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The index of the gazetteer cannot be opened or read.
    #[error("the gazetteer at {path} cannot be read: {cause}; build it again with `waymark gazetteer build`")]
    Index {
        /// Its directory.
        path: String,
        /// What its library says.
        cause: String,
    },
    /// A source file of the gazetteer is malformed.
    #[error("{path}: {cause}")]
    SourceFile {
        /// The file.
        path: String,
        /// What is wrong with it, with the line where there is one.
        cause: String,
    },
    /// No geocoder is configured.
    #[error("no geocoder is configured: set `geocode.gazetteer` to a directory made by `waymark gazetteer build`")]
    NotConfigured,
}

impl Fault for Error {
    fn reason(&self) -> Reason {
        Reason::GeocoderUnavailable
    }

    fn retry_after(&self) -> Option<Duration> {
        Some(Duration::from_secs(5))
    }
}

/// A provider of positions for addresses.
#[async_trait]
pub trait Geocoder: Send + Sync + std::fmt::Debug {
    /// The best `limit` (at most [`CANDIDATES_MAX`]) candidates, best first; empty where nothing answers.
    ///
    /// Equal confidences are ordered by `bias`, then by the size of the place, then by `place_id`, so that
    /// the same question has the same answer.
    async fn forward(&self, query: &AddressQuery, bias: &Bias, limit: usize) -> Result<Vec<Candidate>, Error>;

    /// What the licences of its data ask to be shown beside its answers, as plain text, each once.
    fn attributions(&self) -> Vec<String>;
}
