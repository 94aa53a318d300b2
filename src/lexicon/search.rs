//! A way of a query asked of one segment.
//!
//! One word: its columns are walked in the order of ranks, and the walk ends when the answer is full. Several: the word
//! that costs least makes the candidates, and all others are read past them; every candidate gets its rank, so the
//! count is exact. Few candidates get it one by one, many all at once ([`Ranks`]).

use super::bits::{Bits, Ranked};
use super::column::{Numbers, Part};
use super::field::{Classes, Column, PHONE_ENDS};
use super::query::{QueryWord, Rank, rank};
use super::ranks::Ranks;
use super::segment::Segment;

/// Bytes of lists that are read beyond a full answer, to count what else there is.
const COUNT_BYTES_MAX: usize = 32 * 1024;
/// Most sites that a filter is asked about: bounds a search by some tens of milliseconds.
pub const EXAMINED_MAX: usize = 100_000;
/// A level of more bytes than one for so many sites is gathered in a set, a smaller one in a list that is sorted.
const SET_ONE_IN: usize = 64;
/// More candidates than one for so many sites get their ranks all at once: that costs what one by one costs so many.
const MANY_ONE_IN: usize = if cfg!(test) { 4 } else { 64 };
/// The rank of who lacks a word.
const NONE: Rank = Rank::MAX;

/// What of a segment has one rank for one word.
struct Level<'a> {
    rank: Rank,
    parts: Vec<Part<'a>>,
}

impl Level<'_> {
    fn cost(&self) -> usize {
        self.parts.iter().map(Part::cost).sum()
    }

    /// All numbers that it has, of a segment of `len`.
    fn set(&self, len: usize) -> Bits {
        let mut set = Bits::none(len);
        self.parts.iter().for_each(|part| add(part, &mut set));
        set
    }
}

/// What a segment answers.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Hits by rank, then number: the best, up to a limit.
    pub(super) hits: Vec<(Rank, u32)>,
    /// All hits that were counted,
    pub(super) total: usize,
    /// whether these are all,
    pub(super) is_exact: bool,
    /// and whether any site has the words, before it was asked whether it is wanted.
    pub(super) is_any: bool,
}

/// The question that is asked of each segment.
pub(super) struct Question<'a, 'w> {
    pub(super) way: &'a [QueryWord],
    pub(super) classes: Classes,
    /// Most hits.
    pub(super) limit: usize,
    /// Whether a site is wanted; `None` for all of them.
    pub(super) wanted: Option<&'w mut dyn FnMut(crate::model::id::SiteId) -> bool>,
    /// How many more may be asked about.
    pub(super) examined_max: usize,
    /// Whether the alive ones are some sites alone: then nothing that is told may rest on the others, of which lists tell too.
    pub(super) is_among: bool,
}

impl Question<'_, '_> {
    /// Asks a segment, of which some sites are alive.
    pub(super) fn ask(&mut self, segment: &Segment, alive: &Bits) -> Found {
        match self.way {
            [word] => self.walk(segment, alive, &levels(segment, word, self.classes)),
            _ => self.meet(segment, alive),
        }
    }

    fn wants(&mut self, segment: &Segment, number: u32) -> bool {
        self.examined_max = self.examined_max.saturating_sub(1);
        self.wanted.as_mut().is_none_or(|wanted| wanted(segment.site(number)))
    }

    fn is_spent(&self) -> bool {
        self.wanted.is_some() && self.examined_max == 0
    }

    fn walk(&mut self, segment: &Segment, alive: &Bits, levels: &[Level<'_>]) -> Found {
        let mut found = Found { is_exact: true, ..Found::default() };
        let mut seen = Bits::none(segment.len());
        let mut count_bytes = COUNT_BYTES_MAX;
        for level in levels {
            let is_full = found.hits.len() >= self.limit;
            if is_full && !self.is_among {
                let cost = level.cost();
                if self.wanted.is_some() || cost > count_bytes {
                    found.is_exact = false;
                    break;
                }
                count_bytes -= cost;
            }
            let mut new = gathered(segment, level);
            new.leave(alive, &seen);
            let mut examined = 0;
            for number in new.iter() {
                if found.hits.len() >= self.limit || self.is_spent() {
                    break;
                }
                examined += 1;
                if self.wants(segment, number) {
                    found.hits.push((level.rank, number));
                }
            }
            let count = new.count();
            found.is_any |= count > 0;
            if self.wanted.is_some() {
                found.total = found.hits.len();
                found.is_exact &= examined == count;
            } else {
                found.total += count;
            }
            new.add_to(&mut seen);
        }
        found
    }

    fn meet(&mut self, segment: &Segment, alive: &Bits) -> Found {
        let nothing = Found { is_exact: true, ..Found::default() };
        let mut words: Vec<(usize, Vec<Level<'_>>)> = self
            .way
            .iter()
            .map(|word| levels(segment, word, self.classes))
            .map(|levels| (levels.iter().map(Level::cost).sum(), levels))
            .collect();
        words.sort_by_key(|(cost, _)| *cost);
        let Some((_, first)) = words.first() else { return nothing };
        let mut candidates = Bits::none(segment.len());
        first.iter().flat_map(|level| &level.parts).for_each(|part| add(part, &mut candidates));
        candidates.and(alive);
        if candidates.count() > segment.len() / MANY_ONE_IN {
            return self.meet_many(segment, candidates, &words);
        }
        let candidates = Ranked::new(candidates);
        let mut ranks: Vec<Rank> = vec![0; candidates.len()];
        let mut best = vec![NONE; candidates.len()];
        for (_, levels) in &words {
            if ranks.iter().all(|rank| *rank == NONE) {
                return nothing;
            }
            best.fill(NONE);
            levels.iter().for_each(|level| rate(level, &candidates, &mut best));
            ranks.iter_mut().zip(&best).for_each(|(rank, best)| *rank = rank.checked_add(*best).unwrap_or(NONE));
        }
        let rated = candidates.bits().iter().zip(ranks).filter(|(_, rank)| *rank != NONE);
        let hits: Vec<_> = rated.map(|(number, rank)| (rank, number)).collect();
        let total = hits.len();
        self.best_of(segment, hits, total)
    }

    /// The same of so many candidates that sets of them cost less than they: a word takes some passes over a bit for each
    /// site of the segment, however many have it.
    fn meet_many(&mut self, segment: &Segment, mut candidates: Bits, words: &[(usize, Vec<Level<'_>>)]) -> Found {
        let mut ranks = Ranks::default();
        for (_, levels) in words {
            // Those that no level so far has: each takes the rank of its best.
            let mut rest = candidates.clone();
            for level in levels {
                if rest.is_empty() {
                    break;
                }
                let mut found = level.set(segment.len());
                found.and(&rest);
                rest.and_not(&found);
                ranks.add(&found, level.rank, segment.len());
            }
            candidates.and_not(&rest);
        }
        let total = candidates.count();
        let most = if self.wanted.is_some() { self.examined_max } else { self.limit };
        self.best_of(segment, ranks.best(candidates, most), total)
    }

    /// The best of `total` hits, of which all are given that may be among them.
    fn best_of(&mut self, segment: &Segment, mut hits: Vec<(Rank, u32)>, total: usize) -> Found {
        let is_any = total > 0;
        if self.wanted.is_none() {
            if hits.len() > self.limit {
                hits.select_nth_unstable(self.limit);
                hits.truncate(self.limit);
            }
            hits.sort_unstable();
            return Found { hits, total, is_exact: true, is_any };
        }
        hits.sort_unstable();
        let (mut wanted, mut examined) = (Vec::new(), 0);
        for hit in hits {
            if wanted.len() >= self.limit || self.is_spent() {
                break;
            }
            examined += 1;
            if self.wants(segment, hit.1) {
                wanted.push(hit);
            }
        }
        Found { total: wanted.len(), is_exact: examined == total, hits: wanted, is_any }
    }
}

/// Where a segment has a word, the best rank first.
fn levels<'a>(segment: &'a Segment, word: &QueryWord, classes: Classes) -> Vec<Level<'a>> {
    let mut levels: Vec<Level<'_>> = Vec::new();
    let mut put = |rank, part| match levels.iter_mut().find(|level| level.rank == rank) {
        Some(level) => level.parts.push(part),
        None => levels.push(Level { rank, parts: vec![part] }),
    };
    for (index, column) in (0..).zip(&segment.columns) {
        let index: Column = index;
        let text = if index == PHONE_ENDS { word.phone_end.as_deref() } else { Some(word.text.as_str()) };
        let Some(text) = text.filter(|_| classes.allow(index)) else { continue };
        let (mut words, is_exact) = column.find(text.as_bytes());
        if is_exact && index != PHONE_ENDS {
            put(rank(index, true), Part::Lists(column, words.start..words.start + 1));
            words.start += 1;
        }
        if let Some(bits) = column.union(text.as_bytes()) {
            put(rank(index, false), Part::Union(bits));
        } else if !words.is_empty() {
            put(rank(index, false), Part::Lists(column, words));
        }
    }
    levels.sort_by_key(|level| level.rank);
    levels
}

/// Some numbers, ascending.
enum Gathered {
    List(Vec<u32>),
    Set(Bits),
}

fn gathered(segment: &Segment, level: &Level<'_>) -> Gathered {
    if level.cost() > segment.len() / SET_ONE_IN {
        return Gathered::Set(level.set(segment.len()));
    }
    let mut list = Vec::new();
    for part in &level.parts {
        part.each(|numbers| match numbers {
            Numbers::Dense(bits) => list.extend(bits.iter()),
            Numbers::One(number) => list.push(number),
        });
    }
    list.sort_unstable();
    list.dedup();
    Gathered::List(list)
}

impl Gathered {
    /// Leaves those that are alive and not seen before.
    fn leave(&mut self, alive: &Bits, seen: &Bits) {
        match self {
            Self::List(list) => list.retain(|number| alive.get(*number) && !seen.get(*number)),
            Self::Set(set) => {
                set.and(alive);
                set.and_not(seen);
            }
        }
    }

    fn iter(&self) -> Box<dyn Iterator<Item = u32> + '_> {
        match self {
            Self::List(list) => Box::new(list.iter().copied()),
            Self::Set(set) => Box::new(set.iter()),
        }
    }

    fn count(&self) -> usize {
        match self {
            Self::List(list) => list.len(),
            Self::Set(set) => set.count(),
        }
    }

    fn add_to(&self, seen: &mut Bits) {
        match self {
            Self::List(list) => list.iter().for_each(|number| seen.set(*number)),
            Self::Set(set) => seen.or(set),
        }
    }
}

fn add(part: &Part<'_>, set: &mut Bits) {
    part.each(|numbers| match numbers {
        Numbers::Dense(bits) => set.or(bits),
        Numbers::One(number) => set.set(number),
    });
}

/// Gives the candidates of a level its rank, unless they have a better one.
fn rate(level: &Level<'_>, candidates: &Ranked, best: &mut [Rank]) {
    let mut give = |number| {
        if let Some(place) = candidates.place(number) {
            best[place] = best[place].min(level.rank);
        }
    };
    for part in &level.parts {
        part.each(|numbers| match numbers {
            Numbers::One(number) => give(number),
            Numbers::Dense(bits) => candidates.bits().both(bits).for_each(&mut give),
        });
    }
}
