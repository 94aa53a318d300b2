//! Whether an answer is the right one, and if not, in which way it is wrong.

use std::collections::BTreeMap;

use futures_util::StreamExt as _;
use waymark::geocode::{Bias, Candidate, Geocoder as _};
use waymark::model::address::AddressQuery;
use waymark::model::geo::LatLng;
use waymark::model::location::Granularity;

use super::Asked;
use super::measure::{Figure, Sheet, nanoseconds};

/// Candidates that are asked for: what a person at a form is shown.
const LIMIT: usize = 5;
/// Misses of each class that are printed.
const SHOWN_MAX: usize = 5;

/// A question, and what answers it.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) question: String,
    /// What was meant, for people.
    pub(crate) meant: String,
    /// The street or town that was meant.
    pub(crate) name: String,
    /// Ids and positions that are right: more than one where the words name several alike.
    pub(crate) right: Vec<(String, LatLng)>,
    /// Metres within which a position is the right one.
    pub(crate) within_m: f64,
}

/// How an answer is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Miss {
    /// The right one is in the list, and not first.
    Lower,
    /// The right name, and no finer than a street or postcode.
    Coarser,
    /// The right name, another house or another place of that name.
    SameName,
    /// Another name.
    OtherName,
    /// No candidate at all.
    Nothing,
}

impl Miss {
    fn told(self) -> &'static str {
        match self {
            Self::Lower => "not first",
            Self::Coarser => "too coarse",
            Self::SameName => "another of the name",
            Self::OtherName => "another name",
            Self::Nothing => "nothing",
        }
    }
}

/// How many answers were right.
pub(crate) struct Shares {
    asked: usize,
    /// Right ones that stood first.
    first: usize,
    /// Those of them that are told as a street: a farm with many houses, shown at the right one.
    as_street: usize,
    misses: BTreeMap<Miss, Vec<String>>,
    times: Vec<u32>,
}

/// Asks and judges.
pub(crate) fn shares(asked: &Asked, cases: &[Case]) -> Shares {
    let at_once = std::thread::available_parallelism().map_or(1, usize::from);
    let answers = asked.runtime.block_on(async {
        let ask = |case: &Case| {
            let (gazetteer, query) = (&asked.gazetteer, AddressQuery::line(&case.question).unwrap());
            async move {
                let start = std::time::Instant::now();
                let found = gazetteer.forward(&query, &Bias::default(), LIMIT).await.unwrap();
                (found, nanoseconds(start))
            }
        };
        futures_util::stream::iter(cases.iter().map(ask)).buffered(at_once).collect::<Vec<_>>().await
    });
    let mut shares = Shares { asked: cases.len(), first: 0, as_street: 0, misses: BTreeMap::new(), times: Vec::new() };
    for (case, (found, time)) in cases.iter().zip(answers) {
        shares.times.push(time);
        match case.miss(&found) {
            None => {
                shares.first += 1;
                shares.as_street += usize::from(found[0].granularity == Granularity::Street);
            }
            Some(miss) => {
                let answer = found.first().map_or("", |best| &best.formatted_address);
                let told = format!("{:?}, meant {:?}, found {answer:?}", case.question, case.meant);
                shares.misses.entry(miss).or_default().push(told);
            }
        }
    }
    shares
}

impl Case {
    fn is_right(&self, candidate: &Candidate) -> bool {
        let is_it = |(id, at): &(String, LatLng)| {
            *id == candidate.place_id || at.distance_m(candidate.position) <= self.within_m
        };
        self.right.iter().any(is_it)
    }

    fn miss(&self, found: &[Candidate]) -> Option<Miss> {
        let Some(best) = found.first() else { return Some(Miss::Nothing) };
        if self.is_right(best) {
            return None;
        }
        if found.iter().any(|other| self.is_right(other)) {
            return Some(Miss::Lower);
        }
        let is_door = self.right.iter().any(|(id, _)| id.starts_with("is/stadfong/"));
        let is_coarse = is_door && best.granularity < Granularity::Interpolated;
        let has_name = best.formatted_address.to_lowercase().starts_with(&self.name.to_lowercase());
        Some(match has_name {
            true if is_coarse => Miss::Coarser,
            true => Miss::SameName,
            false => Miss::OtherName,
        })
    }
}

impl Shares {
    /// The share of right doors, in percent.
    pub(crate) fn of_doors(self, what: &str, sheet: &mut Sheet) {
        let share = percent(self.first, self.asked);
        self.add(what, share, sheet);
    }

    /// The share of right places that stood first, and of those among the first five.
    pub(crate) fn of_places(self, what: &str, sheet: &mut Sheet) {
        let lower = self.misses.get(&Miss::Lower).map_or(0, Vec::len);
        let among = percent(self.first + lower, self.asked);
        let first = percent(self.first, self.asked);
        self.add(&format!("{what}: first"), first, sheet);
        sheet.add(Figure::of(format!("{what}: among the first {LIMIT}"), "%", vec![among]));
    }

    fn add(mut self, what: &str, share: f64, sheet: &mut Sheet) {
        let classes = self.misses.iter().map(|(miss, cases)| format!("{} {}", cases.len(), miss.told()));
        let classes: Vec<String> = classes.collect();
        let street = if self.as_street == 0 { String::new() } else { format!(", {} as a street", self.as_street) };
        let note = format!("{} asked{street}; missed: {}", self.asked, classes.join(", "));
        sheet.add(Figure::of(what, "%", vec![share]).with_times(&mut self.times).with_note(note));
        for (miss, cases) in &self.misses {
            println!("  {}: {}", miss.told(), cases.len());
            cases.iter().take(SHOWN_MAX).for_each(|case| println!("    {case}"));
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of questions")]
fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}
