//! What a geocoder is asked: an address, a position, a text that is being typed, or a place by its id.
//!
//! Checked values; knows nothing of providers.

use std::sync::Arc;

use crate::model::address::{AddressQuery, CountryCode};
use crate::model::geo::LatLng;
use crate::model::text;

/// Most candidates that one call may ask for.
pub const CANDIDATES_MAX: usize = 20;
/// Steps of a degree in which a position is told to others, and in which two questions count as equal: about a
/// kilometre. Finer would tell a provider more than it needs, and would make every site's question another one.
const BIAS_STEPS_PER_DEGREE: f64 = 100.0;

/// What is known beside the words of the query. Breaks ties; never hides a candidate.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bias {
    /// A position near which the address probably is, such as a GeoIP fix.
    pub near: Option<LatLng>,
    /// The country in which it probably is.
    pub country: Option<CountryCode>,
}

impl Bias {
    /// The position as it is told to others: on a grid of about a kilometre, which says nothing of a single house.
    #[must_use]
    pub fn near_coarsely(&self) -> Option<LatLng> {
        let coarse = |degrees: f64| (degrees * BIAS_STEPS_PER_DEGREE).round() / BIAS_STEPS_PER_DEGREE;
        self.near.and_then(|near| LatLng::new(coarse(near.lat()), coarse(near.lng())).ok())
    }
}

/// A place of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceId {
    /// The provider's name, as in its candidates.
    pub provider: Arc<str>,
    /// The provider's id of the place.
    pub id: String,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Subject {
    /// The places that an address may mean.
    Address(AddressQuery),
    /// The addresses at a position.
    Position(LatLng),
    /// The places that a text may become while it is typed; its last word may be the beginning of one.
    Typed(String),
    /// The place with this id.
    Place(PlaceId),
}

/// A question to a geocoder.
#[derive(Debug, Clone, PartialEq)]
pub struct Inquiry {
    /// What is asked for.
    pub subject: Subject,
    /// What is known beside.
    pub bias: Bias,
    /// Most candidates of the answer, in [1, `CANDIDATES_MAX`].
    pub limit: usize,
}

impl Inquiry {
    /// A question; `limit` is brought into its range.
    #[must_use]
    pub fn new(subject: Subject, bias: &Bias, limit: usize) -> Self {
        Self { subject, bias: bias.clone(), limit: limit.clamp(1, CANDIDATES_MAX) }
    }

    /// The kind of question, for messages and metrics.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.subject {
            Subject::Address(_) => "forward",
            Subject::Position(_) => "reverse",
            Subject::Typed(_) => "suggest",
            Subject::Place(_) => "lookup",
        }
    }

    /// A text that two questions share exactly when they may share an answer: case, width and spaces do not count,
    /// and a bias within a kilometre is the same.
    #[must_use]
    pub fn key(&self) -> String {
        let subject = match &self.subject {
            Subject::Address(AddressQuery::Line(line)) => format!("line {:?}", text::fold(line)),
            Subject::Address(AddressQuery::Parts(parts)) => {
                let fold = |part: &str| text::fold(part);
                let (street, code) = (fold(&parts.street), fold(&parts.postal_code));
                format!(
                    "parts {street:?} {code:?} {:?} {:?} {:?}",
                    fold(&parts.locality),
                    fold(&parts.region),
                    parts.country
                )
            }
            Subject::Position(position) => format!("at {:?} {:?}", position.lat(), position.lng()),
            // A space behind the last word says that the word is whole.
            Subject::Typed(typed) => format!("typed {:?} {}", text::fold(typed), typed.ends_with(char::is_whitespace)),
            Subject::Place(place) => format!("place {:?} {:?}", place.provider, place.id),
        };
        let near = self.bias.near_coarsely().map(|near| (near.lat(), near.lng()));
        format!("{subject} {near:?} {:?} {}", self.bias.country, self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::address::PostalAddress;

    fn key(subject: Subject, near: Option<(f64, f64)>, limit: usize) -> String {
        let bias = Bias { near: near.map(|(lat, lng)| LatLng::new(lat, lng).unwrap()), country: None };
        Inquiry::new(subject, &bias, limit).key()
    }

    fn line(text: &str) -> Subject {
        Subject::Address(AddressQuery::Line(text.into()))
    }

    #[test]
    fn equal_questions_have_equal_keys() {
        assert_eq!(key(line("Gata  1"), None, 5), key(line("gata 1"), None, 5));
        let near = |lat| key(line("gata"), Some((lat, 10.0)), 5);
        assert_eq!(near(64.1001), near(64.1));
        assert_ne!(near(64.12), near(64.1));
    }

    #[test]
    fn other_questions_have_other_keys() {
        let parts = |street: &str, code: &str| {
            let parts = PostalAddress { street: street.into(), postal_code: code.into(), ..PostalAddress::default() };
            key(Subject::Address(AddressQuery::Parts(parts)), None, 5)
        };
        let place = |provider: &str, id: &str| {
            key(Subject::Place(PlaceId { provider: provider.into(), id: id.into() }), None, 5)
        };
        let mut keys = vec![
            key(line("gata 1"), None, 5),
            key(line("gata 1"), None, 6),
            key(line("gata 1"), Some((1.0, 1.0)), 5),
            key(Subject::Typed("gata 1".into()), None, 5),
            key(Subject::Typed("gata 1 ".into()), None, 5),
            key(Subject::Position(LatLng::new(1.0, 2.0).unwrap()), None, 5),
            key(Subject::Position(LatLng::new(2.0, 1.0).unwrap()), None, 5),
            parts("a b", ""),
            parts("a", "b"),
            parts("a\" \"b", ""),
            place("a", "b"),
            place("a\" \"b", ""),
        ];
        let count = keys.len();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), count);
    }

    #[test]
    fn limits_come_into_range() {
        let limit = |limit| Inquiry::new(line("gata"), &Bias::default(), limit).limit;
        assert_eq!([limit(0), limit(7), limit(usize::MAX)], [1, 7, CANDIDATES_MAX]);
    }
}
