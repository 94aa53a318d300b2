//! What the fixes of a site come down to: the effective one, the estimate below it, and the end of a provider's terms.
//!
//! A function of the set of fixes. Made of a record's JSON without its evidence, which is most of it.

use std::fmt;

use jiff::Timestamp;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::address::CountryCode;
use super::evidence::Storage;
use super::geo::LatLng;
use super::instant;
use super::location::{Evidence, Fix, Fixes, Granularity, Placement, Source};

/// The stack of a site, as far as memory and what needs attention go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct StackSketch {
    /// Where the effective fix puts the site; `None` where it has no fix.
    pub placement: Option<Placement>,
    /// The country that the effective fix is in, where its evidence says it.
    pub country: Option<CountryCode>,
    /// The estimate from the address, where a person's fix stands above it.
    pub estimate: Option<EstimateSketch>,
    /// When the address fix must not be held any more.
    #[serde(with = "instant::optional")]
    pub kept_until: Option<Timestamp>,
}

/// A `GeoIP` fix below a person's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EstimateSketch {
    /// Where it puts the site.
    pub position: LatLng,
    /// Radius in metres that holds the truth; `None` where unknown.
    pub accuracy_m: Option<f64>,
    /// How fine it is.
    pub granularity: Granularity,
    /// The country that the database names.
    pub country: Option<CountryCode>,
}

/// What of one fix counts here.
#[derive(Debug, Clone, Copy)]
struct Facts {
    placement: Placement,
    country: Option<CountryCode>,
    storage: Storage,
}

impl From<&Fix> for Facts {
    fn from(fix: &Fix) -> Self {
        let (country, storage) = match &fix.evidence {
            Evidence::Database(found) => (found.country, Storage::Unlimited),
            Evidence::Geocoded(answer) => (answer.country, answer.storage),
            Evidence::Dropped | Evidence::Measured | Evidence::Prefix(_) => (None, Storage::Unlimited),
        };
        Self { placement: fix.placement(), country, storage }
    }
}

impl StackSketch {
    fn of(all: impl IntoIterator<Item = Facts>) -> Self {
        let (mut effective, mut estimate, mut kept_until) = (None::<Facts>, None, None);
        for facts in all {
            match facts.placement.source {
                Source::GeoIp => estimate = Some(facts),
                Source::Address => kept_until = facts.storage.until(),
                Source::Device | Source::Pin => {}
            }
            let placements = effective.map(|known| known.placement).into_iter().chain([facts.placement]);
            if Placement::effective(placements) == Some(facts.placement) {
                effective = Some(facts);
            }
        }
        let is_person = effective.is_some_and(|facts| facts.placement.source.is_person());
        let sketch = |facts: Facts| EstimateSketch {
            position: facts.placement.position,
            accuracy_m: facts.placement.accuracy_m,
            granularity: facts.placement.granularity,
            country: facts.country,
        };
        Self {
            placement: effective.map(|facts| facts.placement),
            country: effective.filter(|_| is_person).and_then(|facts| facts.country),
            estimate: estimate.filter(|_| is_person).map(sketch),
            kept_until,
        }
    }
}

impl From<&Fixes> for StackSketch {
    fn from(fixes: &Fixes) -> Self {
        Self::of(fixes.iter().map(Facts::from))
    }
}

/// A fix as it is written, without what is not looked at.
#[derive(Deserialize)]
struct WrittenFix {
    source: Source,
    position: LatLng,
    accuracy_m: Option<f64>,
    granularity: Granularity,
    evidence: WrittenEvidence,
    made_at: Timestamp,
}

/// Of all kinds of evidence what is looked at; no two of them mean different things by one name.
#[derive(Default, Deserialize)]
#[serde(default)]
struct WrittenEvidence {
    country: Option<CountryCode>,
    storage: Storage,
}

/// The stack out of a list of fixes; packed it is as it is.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<StackSketch, D::Error> {
    struct Written;
    impl<'de> Visitor<'de> for Written {
        type Value = StackSketch;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of fixes")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut fixes: A) -> Result<Self::Value, A::Error> {
            let mut all = Vec::with_capacity(Source::ALL.len());
            while let Some(WrittenFix { source, position, accuracy_m, granularity, evidence, made_at }) =
                fixes.next_element()?
            {
                let placement = Placement { source, position, accuracy_m, granularity, made_at };
                all.push(Facts { placement, country: evidence.country, storage: evidence.storage });
            }
            Ok(StackSketch::of(all))
        }
    }
    if deserializer.is_human_readable() {
        deserializer.deserialize_seq(Written)
    } else {
        StackSketch::deserialize(deserializer)
    }
}
