//! What a geocoder is asked: an address, a position, a text that is being typed, or a place by its id.
//!
//! Checked values; knows nothing of providers.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::{Arc, LazyLock};

use super::Error;
use crate::model::address::{AddressQuery, CountryCode};
use crate::model::geo::LatLng;
use crate::model::text;

/// Most candidates that one call may ask for.
pub const CANDIDATES_MAX: usize = 20;
/// Steps of a degree in which a position is told to others, and in which two questions count as equal: about a
/// kilometre. Finer would tell a provider more than it needs, and would make every site's question another one.
const BIAS_STEPS_PER_DEGREE: f64 = 100.0;

/// Steps of a degree in which a position that is asked about is told to others, and in which two such questions count as
/// equal: about a metre, less than a door is wide.
const POSITION_STEPS_PER_DEGREE: f64 = 100_000.0;

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
        self.near.map(|near| rounded(near, BIAS_STEPS_PER_DEGREE))
    }
}

/// A position that is asked about, as it is told to others: within a metre.
pub(super) fn told(position: LatLng) -> LatLng {
    rounded(position, POSITION_STEPS_PER_DEGREE)
}

fn rounded(position: LatLng, steps_per_degree: f64) -> LatLng {
    let round = |degrees: f64| (degrees * steps_per_degree).round() / steps_per_degree;
    LatLng::new(round(position.lat()), round(position.lng())).unwrap_or(position)
}

/// On whose behalf a question is asked: turns are shared out by it. Opaque, and another one in each process, so that it
/// tells nobody who it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Asker(u64);

impl Asker {
    /// The asker of whoever is known by `tenant`; the default is the process itself.
    #[must_use]
    pub fn of(tenant: &impl Hash) -> Self {
        static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        Self(KEYS.hash_one(tenant))
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
    /// On whose behalf. Makes no difference to the answer, and is told to nobody.
    pub asker: Asker,
}

impl Inquiry {
    /// A question; `limit` is brought into its range.
    #[must_use]
    pub fn new(subject: Subject, bias: &Bias, limit: usize) -> Self {
        Self { subject, bias: bias.clone(), limit: limit.clamp(1, CANDIDATES_MAX), asker: Asker::default() }
    }

    /// Refuses a question that no provider can answer: they would call it a bad request.
    pub(super) fn check_fineness(&self) -> Result<(), Error> {
        match &self.subject {
            Subject::Address(AddressQuery::Parts(parts)) if parts.is_country_alone() => Err(Error::TooCoarse),
            _ => Ok(()),
        }
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

    /// A text that two questions share exactly when they may share an answer: case, width and spaces do not count, nor
    /// who asks; a bias within a kilometre is the same, and so is a position within a metre.
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
            Subject::Position(position) => format!("at {:?} {:?}", told(*position).lat(), told(*position).lng()),
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
        let at = |lat: f64, lng: f64| key(Subject::Position(LatLng::new(lat, lng).unwrap()), None, 5);
        assert_eq!(at(64.102_000_1, -0.000_001), at(64.102, 0.0));
        assert_ne!(at(64.102_01, 0.0), at(64.102, 0.0));
    }

    #[test]
    fn askers_are_told_apart_and_share_answers() {
        assert_eq!(Asker::of(&"a"), Asker::of(&"a"));
        assert_ne!(Asker::of(&"a"), Asker::of(&"b"));
        let of =
            |tenant: &str| Inquiry { asker: Asker::of(&tenant), ..Inquiry::new(line("gata"), &Bias::default(), 5) };
        assert_eq!(of("a").key(), of("b").key());
    }

    #[test]
    fn a_country_alone_is_no_address() {
        let of = |subject| Inquiry::new(subject, &Bias::default(), 5).check_fineness();
        let parts = |parts| Subject::Address(AddressQuery::Parts(parts));
        let country = PostalAddress { country: CountryCode::parse("IS"), ..PostalAddress::default() };
        assert_eq!(of(parts(country.clone())), Err(Error::TooCoarse));
        assert_eq!(of(parts(PostalAddress { region: "Suðurland".into(), ..country })), Ok(()));
        assert_eq!(of(line("Iceland")), Ok(()));
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
