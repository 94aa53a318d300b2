//! What is believed of an answer that has been parsed: positions on the globe, texts that are texts, a bounded number.
//!
//! An answer is a stranger's data. What does not hold is left out with a reason. An answer of which nothing is left is
//! an error where it was damaged, and empty where it was an honest one without a place. Nothing of it is ever told in a
//! message.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tracing::warn;

use super::super::confidence::{Names, likeness, nearness};
use super::super::terms::Terms;
use super::super::{Candidate, Error, Inquiry, Subject};
use super::Client;
use crate::model::address::{AddressQuery, CountryCode};
use crate::model::geo::LatLng;
use crate::model::location::Granularity;

/// Most results of an answer: several times what is asked for. More is not an answer to the question.
pub(in crate::geocode) const RESULTS_MAX: usize = 100;
/// Longest text of an answer, in bytes: the longest addresses stay below 500.
const TEXT_BYTES_MAX: usize = 1_024;

/// Why a result is left out; holds nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::geocode) enum Fault {
    /// It is what the protocol says, and no place to be at.
    Unusable(&'static str),
    /// It is not what the protocol says.
    Damaged(&'static str),
}

impl Fault {
    /// What is wrong.
    fn why(self) -> &'static str {
        match self {
            Self::Unusable(why) | Self::Damaged(why) => why,
        }
    }
}

/// One result of a provider, checked.
#[derive(Debug)]
pub(in crate::geocode) struct Found {
    /// The provider's id of the place; may be empty.
    pub(in crate::geocode) place_id: String,
    /// The address on one line.
    pub(in crate::geocode) formatted_address: String,
    /// Where it is.
    pub(in crate::geocode) position: LatLng,
    /// How fine that is.
    pub(in crate::geocode) granularity: Granularity,
    /// The country that it is in.
    pub(in crate::geocode) country: Option<CountryCode>,
    /// What its parts are called.
    pub(in crate::geocode) names: Names,
}

impl Found {
    /// The same, as a street where it is called a door and has neither a number nor a name: whose door it is nobody knows.
    fn no_finer_than_named(self) -> Self {
        let is_unnamed = self.names.house.is_empty() && self.granularity > Granularity::Street;
        Self { granularity: if is_unnamed { Granularity::Street } else { self.granularity }, ..self }
    }
}

/// What an answer held so far.
#[derive(Debug, Default)]
struct Seen {
    ids: HashSet<String>,
    /// Where the parts of streets are, by how they are written.
    streets: HashMap<String, Vec<LatLng>>,
}

/// How far a part of a street may be from the next one, in metres. Farther apart two of one name are two streets.
const PARTS_M_MAX: f64 = 1_000.0;

impl Seen {
    /// Whether it is neither the same place again, as a shop that is a gallery too, nor another part of the same street.
    /// Everything else that is written alike is two: doors, towns, and streets that are far apart. Then the address is
    /// ambiguous.
    fn is_new(&mut self, found: &Found) -> bool {
        if !found.place_id.is_empty() && !self.ids.insert(found.place_id.clone()) {
            return false;
        }
        if found.granularity != Granularity::Street {
            return true;
        }
        let parts = self.streets.entry(found.formatted_address.clone()).or_default();
        let is_new = !parts.iter().any(|part| part.distance_m(found.position) <= PARTS_M_MAX);
        parts.push(found.position);
        is_new
    }
}

/// A position of an answer. 0,0 is what a missing value looks like.
pub(in crate::geocode) fn position(lat: f64, lng: f64) -> Result<LatLng, Fault> {
    let position = LatLng::new(lat, lng).map_err(|_| Fault::Unusable("a position is outside the globe"))?;
    if position.is_null_island() { Err(Fault::Unusable("a position is 0,0")) } else { Ok(position) }
}

/// A number that a protocol writes as a text: plain decimal notation and nothing else.
pub(in crate::geocode) fn decimal(text: &str) -> Result<f64, Fault> {
    const FAULT: Fault = Fault::Damaged("a number is not written as one");
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_plain = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && text.len() <= 32;
    if is_plain { text.parse().map_err(|_| FAULT) } else { Err(FAULT) }
}

/// A text of an answer: one line, neither empty nor endless. Markup stays as it is, because it is text.
pub(in crate::geocode) fn text(raw: &str) -> Result<String, Fault> {
    if raw.len() > TEXT_BYTES_MAX {
        return Err(Fault::Unusable("a text is longer than any address"));
    }
    let plain = crate::model::text::line("address", raw, TEXT_BYTES_MAX)
        .map_err(|_| Fault::Unusable("a text holds control characters"))?;
    if plain.is_empty() { Err(Fault::Unusable("a text is empty")) } else { Ok(plain) }
}

/// The candidates of an answer, best first; none where it names no place that can be used.
///
/// # Errors
/// `Malformed` where there are too many results, or all are left out and one of them is damaged.
pub(in crate::geocode) fn candidates<R: DeserializeOwned>(
    client: &Client,
    inquiry: &Inquiry,
    terms: &Terms,
    results: Vec<Value>,
    read: impl Fn(&R) -> Result<Found, Fault>,
) -> Result<Vec<Candidate>, Error> {
    if results.len() > RESULTS_MAX {
        return Err(client.malformed(format!("it has more than {RESULTS_MAX} results")));
    }
    let mut candidates: Vec<Candidate> = Vec::new();
    let mut seen = Seen::default();
    let mut left_out: BTreeMap<Fault, usize> = BTreeMap::new();
    for result in results {
        let result = R::deserialize(result).map_err(|_| Fault::Damaged("a field is missing or of another type"));
        match result.and_then(|result| read(&result)) {
            Ok(found) => {
                let found = found.no_finer_than_named();
                if seen.is_new(&found) {
                    candidates.push(candidate(client, inquiry, terms, found));
                }
            }
            Err(fault) => *left_out.entry(fault).or_default() += 1,
        }
    }
    let damage = left_out.keys().find(|fault| matches!(fault, Fault::Damaged(_)));
    if let (Some(damage), true) = (damage, candidates.is_empty()) {
        return Err(client.malformed(damage.why()));
    }
    tell(client.provider(), &left_out);
    // The provider's own order decides between equals: it knows the bias and the size of places.
    candidates.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    candidates.truncate(inquiry.limit);
    Ok(candidates)
}

/// Says once for an answer how many of its results were left out, and why.
fn tell(provider: &str, left_out: &BTreeMap<Fault, usize>) {
    if !left_out.is_empty() {
        let count: usize = left_out.values().sum();
        let whys: Vec<String> = left_out.iter().map(|(fault, count)| format!("{count}: {}", fault.why())).collect();
        warn!(provider, count, why = whys.join("; "), "results of a geocoder are left out");
    }
}

fn candidate(client: &Client, inquiry: &Inquiry, terms: &Terms, found: Found) -> Candidate {
    let Found { names, granularity, country, position, .. } = &found;
    let confidence = match &inquiry.subject {
        Subject::Address(query) => likeness(query, false, names, *granularity, *country),
        Subject::Typed(typed) => likeness(&AddressQuery::Line(typed.clone()), true, names, *granularity, *country),
        Subject::Position(at) => nearness(position.distance_m(*at), *granularity),
        Subject::Place(_) => 1.0,
    };
    Candidate {
        place_id: found.place_id,
        formatted_address: found.formatted_address,
        position: found.position,
        granularity: found.granularity,
        confidence,
        country: found.country,
        provider: Arc::clone(client.provider()),
        attribution: terms.attribution.clone(),
        storage: terms.keep.from(client.now()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::terms::Keep;
    use super::super::Endpoint;
    use super::*;

    #[test]
    fn only_positions_on_the_globe_are_taken() {
        for (lat, lng) in
            [(f64::NAN, 0.0), (90.1, 0.0), (0.0, -180.1), (f64::INFINITY, 1.0), (0.0, 0.0), (-0.0, 0.0), (1e300, 1.0)]
        {
            assert!(position(lat, lng).is_err(), "{lat}, {lng}");
        }
        assert!(position(-90.0, 180.0).is_ok() && position(0.0, 1.0).is_ok());
    }

    #[test]
    fn a_door_without_number_and_name_is_its_street() {
        let of = |house: &[&str], granularity| {
            let names = Names { house: house.iter().map(|text| (*text).to_owned()).collect(), ..Names::default() };
            let (place_id, formatted_address, position) = (String::new(), String::new(), LatLng::ORIGIN);
            let found = Found { place_id, formatted_address, position, granularity, country: None, names };
            found.no_finer_than_named().granularity
        };
        assert_eq!(of(&["1"], Granularity::Door), Granularity::Door);
        assert_eq!(of(&[], Granularity::Door), Granularity::Street);
        assert_eq!(of(&[], Granularity::Interpolated), Granularity::Street);
        assert_eq!(of(&[], Granularity::City), Granularity::City);
    }

    /// A real Nominatim had two doors `7, Unioninkatu`, 184 metres apart, and a dozen parts of each street.
    #[test]
    fn parts_of_a_street_are_one_and_doors_are_not() {
        let mut seen = Seen::default();
        let mut is_new = |place_id: &str, address: &str, granularity, lat: f64| {
            let (place_id, formatted_address) = (place_id.to_owned(), address.to_owned());
            let (position, names) = (LatLng::new(lat, 25.0).unwrap(), Names::default());
            seen.is_new(&Found { place_id, formatted_address, position, granularity, country: None, names })
        };
        let (street, door, city) = (Granularity::Street, Granularity::Door, Granularity::City);
        assert!(is_new("W1", "Unioninkatu", street, 60.160) && is_new("N3", "7, Unioninkatu", door, 60.160));
        assert!(is_new("N4", "7, Unioninkatu", door, 60.160), "doors are two");
        assert!(!is_new("W2", "Unioninkatu", street, 60.168) && !is_new("", "Unioninkatu", street, 60.176), "parts");
        assert!(is_new("W3", "Unioninkatu", street, 60.300), "a street of another quarter");
        assert!(is_new("", "Franklin, New Jersey", city, 40.1) && is_new("", "Franklin, New Jersey", city, 40.1));
        assert!(!is_new("N4", "gallery", door, 60.160), "the same object");
    }

    #[test]
    fn only_plain_decimals_are_numbers() {
        for bad in ["", "-", "abc", "NaN", "inf", "1e400", "1e3", "+1", " 1", "1 ", "0x1", "1.2.3", ".5", "--1", "١"] {
            assert!(decimal(bad).is_err(), "{bad}");
        }
        assert!(decimal(&"1".repeat(33)).is_err());
        for (good, expect) in [("64.1", 64.1), ("-0.5", -0.5), ("7", 7.0), ("180.0000000", 180.0)] {
            assert!((decimal(good).unwrap() - expect).abs() < 1e-12, "{good}");
        }
    }

    #[test]
    fn markup_stays_text_and_control_characters_do_not_come_in() {
        assert_eq!(text(" <b onclick=x>Gata</b> ").unwrap(), "<b onclick=x>Gata</b>");
        for bad in ["", "  ", "a\u{0}b", "a\nb", "a\u{202e}b", &"x".repeat(TEXT_BYTES_MAX + 1)] {
            assert!(text(bad).is_err(), "{bad:?}");
        }
    }

    /// Reads an answer whose results are faults, `null` for good ones: how many candidates, and what the log says.
    fn read(faults: &[Option<Fault>]) -> (Result<usize, Error>, String) {
        let endpoint = Endpoint {
            provider: "fake".into(),
            base: reqwest::Url::parse("http://127.0.0.1").unwrap(),
            user_agent: "waymark".into(),
            key: None,
            time_max: std::time::Duration::from_secs(1),
            clock: jiff::Timestamp::now,
        };
        let client = Client::new(endpoint).unwrap();
        let terms = Terms { attribution: "the fake".into(), keep: Keep::Unlimited };
        let log = tempfile::NamedTempFile::new().unwrap();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(log.reopen().unwrap()).finish();
        let results = (0..faults.len()).map(Value::from).collect();
        let read = |index: &usize| match faults[*index] {
            Some(fault) => Err(fault),
            None => Ok(Found {
                place_id: String::new(),
                formatted_address: "Canary 1".into(),
                position: LatLng::new(1.0, 1.0).unwrap(),
                granularity: Granularity::Door,
                country: None,
                names: Names::default(),
            }),
        };
        let found = tracing::subscriber::with_default(subscriber, || {
            candidates(&client, &crate::geocode::fake::gata(), &terms, results, read)
        });
        let log = std::fs::read_to_string(log.path()).unwrap();
        (found.map(|found| found.len()), log)
    }

    const SEA: Option<Fault> = Some(Fault::Unusable("a position is 0,0"));
    const SHAPE: Option<Fault> = Some(Fault::Damaged("a field is missing"));

    #[tokio::test]
    async fn an_answer_without_a_place_is_empty_and_a_damaged_one_an_error() {
        assert_eq!(read(&[]).0, Ok(0));
        assert_eq!(read(&[SEA, SEA]).0, Ok(0));
        assert_eq!(read(&[SEA, None, SHAPE]).0, Ok(1));
        for damaged in [&[SHAPE][..], &[SEA, SHAPE]] {
            assert!(matches!(read(damaged).0, Err(Error::Malformed { why, .. }) if why == "a field is missing"));
        }
    }

    /// An answer with forty results at sea wrote forty lines.
    #[tokio::test]
    async fn what_is_left_out_is_told_once_and_counted() {
        assert_eq!(read(&[None, None]).1, "");
        let (_, log) = read(&[SEA, None, SHAPE, SEA, SEA]);
        assert_eq!(log.lines().count(), 1, "{log}");
        assert!(log.contains("3: a position is 0,0; 1: a field is missing") && log.contains("WARN"), "{log}");
        assert!(!log.contains("Canary") && !log.contains("Laugavegur"), "{log}");
    }
}
