//! A search of the whole index: the ways of a query one after another, each asked of all segments and of the last sites.

use std::borrow::Cow;
use std::collections::HashSet;

use super::bits::Bits;
use super::entry::Entry;
use super::field::{self, Classes};
use super::query::{self, Query, Rank};
use super::search::Question;
use super::{Held, Hits, Lexicon};
use crate::model::id::SiteId;

impl Lexicon {
    /// The best `limit` hits of a query among the sites that are `wanted`, looking at fields of some classes alone. A filter is
    /// asked about [`EXAMINED_MAX`](super::EXAMINED_MAX) sites at most, best first, and of the largest segment last; `None` wants all.
    #[must_use]
    pub fn search(
        &self,
        query: &Query,
        classes: Classes,
        limit: usize,
        wanted: Option<&mut dyn FnMut(SiteId) -> bool>,
    ) -> Hits {
        self.search_among(None, query, classes, limit, wanted)
    }

    /// The same as if no other sites were in than these, if some are named: which way of the query is taken, and how many hits are
    /// counted, tells nothing of the others. Costs a look for each of them besides.
    #[must_use]
    pub fn search_among(
        &self,
        among: Option<&HashSet<SiteId>>,
        query: &Query,
        classes: Classes,
        limit: usize,
        mut wanted: Option<&mut dyn FnMut(SiteId) -> bool>,
    ) -> Hits {
        // Where a segment stops for having enough tells what else is in it: of some sites all are counted.
        let counts_all = among.is_some() && wanted.is_some();
        for (way, words) in query.ways.iter().enumerate() {
            let mut question = Question {
                way: words,
                classes,
                limit: if counts_all { usize::MAX } else { limit },
                wanted: wanted.as_mut().map(|wanted| &mut **wanted as &mut dyn FnMut(SiteId) -> bool),
                examined_max: self.examined_max,
                is_among: among.is_some(),
            };
            let (mut hits, is_any) = self.ask(&mut question, among);
            if is_any || way + 1 == query.ways.len() {
                hits.sites.truncate(limit);
                return hits;
            }
        }
        Hits { is_exact: true, ..Hits::default() }
    }

    /// Asks all segments and the last ones; whether any site has the words, wanted or not.
    fn ask(&self, question: &mut Question<'_, '_>, among: Option<&HashSet<SiteId>>) -> (Hits, bool) {
        let (mut total, mut is_exact, mut is_any) = (0, true, false);
        let mut hits: Vec<(Rank, Vec<u8>, SiteId)> = Vec::new();
        // The large ones last: it is they of which a filter is not asked about all, and not what changed of late.
        let mut segments: Vec<&Held> = self.segments.iter().collect();
        segments.sort_by_key(|held| held.count);
        for held in segments {
            let found = question.ask(&held.segment, &held.alive_among(among));
            total += found.total;
            is_exact &= found.is_exact;
            is_any |= found.is_any;
            let named = |(rank, number)| (rank, held.segment.names.get(number), held.segment.site(number));
            hits.extend(found.hits.into_iter().map(named));
        }
        for entry in self.last.iter().filter(|entry| among.is_none_or(|among| among.contains(&entry.site))) {
            let Some(rank) = question.rank_of(entry) else { continue };
            is_any = true;
            if question.wanted.as_mut().is_none_or(|wanted| wanted(entry.site)) {
                total += 1;
                hits.push((rank, entry.name.as_bytes().to_vec(), entry.site));
            }
        }
        hits.sort_unstable();
        hits.truncate(question.limit);
        (Hits { sites: hits.into_iter().map(|(.., site)| site).collect(), total, is_exact }, is_any)
    }
}

impl Held {
    /// Which of its sites are still so, of these alone where some are given.
    fn alive_among(&self, among: Option<&HashSet<SiteId>>) -> Cow<'_, Bits> {
        let Some(among) = among else { return Cow::Borrowed(&self.alive) };
        let mut bits = Bits::none(self.segment.len());
        among.iter().filter_map(|site| self.segment.find(*site)).for_each(|number| bits.set(number));
        bits.and(&self.alive);
        Cow::Owned(bits)
    }
}

impl Question<'_, '_> {
    /// The rank of an entry that has all words.
    fn rank_of(&self, entry: &Entry) -> Option<Rank> {
        self.way.iter().try_fold(0, |sum, word| {
            let fits = |text: &str, ends: bool| {
                let found =
                    entry.beginning_with(text).filter(move |(_, column)| (*column == field::PHONE_ENDS) == ends);
                let allowed = found.filter(|(_, column)| self.classes.allow(*column));
                allowed.map(|(is_exact, column)| query::rank(column, is_exact)).min()
            };
            let ends = word.phone_end.as_deref().and_then(|end| fits(end, true));
            Some(sum + fits(&word.text, false).into_iter().chain(ends).min()?)
        })
    }
}
