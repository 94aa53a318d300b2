//! Looks the words of a query up in the index: which documents they name, and what of each.
//!
//! Finds and does not judge: how well a document answers is told by `explain`. Queries reach the index as terms
//! only, never through a query language, so that no query can be malformed.

use std::sync::Arc;

use tantivy::postings::TermInfo;
use tantivy::query::FuzzyTermQuery;
use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, DocSet, InvertedIndexReader, SegmentReader, TERMINATED, Term};

use super::question::{Question, Run, WordSet};
use super::schema::{Fields, Part};
use super::{codes, fold};

/// Most documents that one query looks at. The commonest name of a place has some hundreds, of a street some ten thousands:
/// of those, the ones in a town and postcode of the query come first.
const DOCUMENTS_MAX: usize = 8_192;
/// Most misspelt keys that one run of words may stand for in one part, the nearest first.
const MISSPELT_MAX: usize = 32;
/// Most words of a run that may be misspelt: longer names are rare, and each run is a search of its own.
const MISSPELT_WORDS_MAX: usize = 3;
/// Most runs that are searched as misspelt: with the words of an address, all of them.
const MISSPELT_RUNS_MAX: usize = 24;
/// Most runs that are searched as misspelt among the places of the world, of which each search takes milliseconds.
const MISSPELT_WORLD_RUNS_MAX: usize = 6;
/// Most edits of an alias: aliases are many spellings as it is, and a second edit takes ten times as long.
const ALIAS_EDITS_MAX: u8 = 1;
/// Most characters of a run that may be misspelt: the automaton grows with it, and the longest names have 40.
const MISSPELT_CHARS_MAX: usize = 48;

/// The first key that begins with a plain Latin letter may be.
const LATIN_FIRST: &str = "a";
/// The least text behind all keys that begin with a plain Latin letter: `{` follows on `z`.
const LATIN_END: &str = "{";

/// Most documents in the towns and postcodes of a query that are told apart from others: a capital has some ten thousand.
const QUALIFIED_MAX: usize = 65_536;

/// What some words of a query name in a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Match {
    /// The part of the document.
    pub(super) part: Part,
    /// The words.
    pub(super) words: WordSet,
    /// Edits between the words and the key: 0 where it is as written.
    pub(super) edits: u8,
    /// Whether the words are misspelt here, but a name of the same kind as written.
    pub(super) is_another_name: bool,
}

/// A key of the index that words of the query stand for.
#[derive(Debug, Clone)]
pub(super) struct Hit {
    pub(super) what: Match,
    /// The list in which the key stands.
    pub(super) list: List,
    pub(super) term: TermInfo,
    /// Whether the words are but the beginning of the key.
    pub(super) is_begun: bool,
}

/// A list of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    /// The keys of a part.
    Of(Part),
    /// The first letters of names; see [`openings`](super::openings).
    Openings,
}

/// The lists of keys: one a part, and one of openings.
pub(super) struct Lists {
    fields: Fields,
    parts: [Arc<InvertedIndexReader>; Part::ALL.len()],
    openings: Arc<InvertedIndexReader>,
}

impl Lists {
    /// The lists of a segment.
    pub(super) fn open(segment: &SegmentReader, fields: &Fields) -> tantivy::Result<Self> {
        let mut parts = Vec::with_capacity(Part::ALL.len());
        for part in Part::ALL {
            parts.push(segment.inverted_index(fields.part(part))?);
        }
        let parts = parts.try_into().ok().expect("there is one list for each part");
        Ok(Self { fields: fields.clone(), parts, openings: segment.inverted_index(fields.openings())? })
    }

    /// The keys that runs of words are, as written. Cost: some dozen look-ups.
    pub(super) fn exact(&self, question: &Question) -> tantivy::Result<Vec<Hit>> {
        let mut hits = Vec::new();
        for run in &question.runs {
            for part in Part::ALL {
                self.as_written(part, &run.key, run.words, &mut hits)?;
            }
            for key in &run.alike_keys {
                // The street may be written out in the source, or be short in another way.
                self.add(Part::Alike, Part::Street, key, run.words, &mut hits)?;
                self.as_written(Part::Alike, key, run.words, &mut hits)?;
            }
            for key in codes::wider_keys(&run.key) {
                for part in [Part::Wider, Part::Postcode, Part::CodeAround] {
                    self.as_written(part, &key, run.words, &mut hits)?;
                }
            }
        }
        Ok(hits)
    }

    /// The documents of which a part has this very key.
    pub(super) fn named(&self, part: Part, key: &str) -> tantivy::Result<Vec<DocId>> {
        let mut hits = Vec::new();
        self.as_written(part, key, WordSet { from: 0, to: 0 }, &mut hits)?;
        let found = self.documents(&hits)?;
        Ok(found.into_iter().map(|(document, _)| document).collect())
    }

    /// Adds the key of a part, where the index has it.
    fn as_written(&self, part: Part, key: &str, words: WordSet, hits: &mut Vec<Hit>) -> tantivy::Result<()> {
        self.add(part, part, key, words, hits)
    }

    /// Adds the key, where the list of `list` has it, as a name of `part`.
    fn add(&self, part: Part, list: Part, key: &str, words: WordSet, hits: &mut Vec<Hit>) -> tantivy::Result<()> {
        let term = Term::from_field_text(self.fields.part(list), key);
        if let Some(term) = self.list(List::Of(list)).get_term_info(&term)? {
            let what = Match { part, words, edits: 0, is_another_name: false };
            hits.push(Hit { what, list: List::Of(list), term, is_begun: false });
        }
        Ok(())
    }

    /// The keys that runs of words may stand for if they are misspelt; `exact` is what they are as written.
    ///
    /// Streets, towns, regions and countries are searched for all runs. Places and their aliases are a thousand
    /// times as many, and are searched for runs with a word that is nothing as written. Cost: some milliseconds.
    pub(super) fn misspelt(&self, question: &Question, exact: &[Hit]) -> tantivy::Result<Vec<Hit>> {
        const SHORT: [Part; 5] = [Part::Street, Part::Alike, Part::Town, Part::Region, Part::Country];
        const ALL: [Part; 7] =
            [Part::Street, Part::Alike, Part::Town, Part::Region, Part::Country, Part::Place, Part::Alias];
        let is_same_kind = |one: Part, other: Part| {
            one == other || (one.is_place() && other.is_place()) || (one.is_street() && other.is_street())
        };
        let known = exact.iter().fold(0, |known, hit| known | hit.what.words.bits());
        let mut hits = Vec::new();
        let may_be = |run: &&Run| {
            run.words.to - run.words.from <= MISSPELT_WORDS_MAX
                && run.edits_max > 0
                && run.key.chars().count() <= MISSPELT_CHARS_MAX
        };
        let mut world_runs = 0;
        for run in question.runs.iter().rev().filter(may_be).take(MISSPELT_RUNS_MAX) {
            let is_world = run.words.bits() & !known != 0 && world_runs < MISSPELT_WORLD_RUNS_MAX;
            world_runs += usize::from(is_world);
            for &part in if is_world { ALL.as_slice() } else { SHORT.as_slice() } {
                let is_same = |hit: &Hit| hit.what.words == run.words && is_same_kind(hit.what.part, part);
                self.near(part, run, exact.iter().any(is_same), &mut hits)?;
            }
        }
        Ok(hits)
    }

    /// What the hits name in each document that one of them makes an answer; the matches of a document together.
    pub(super) fn documents(&self, hits: &[Hit]) -> tantivy::Result<Vec<(DocId, Match)>> {
        let mut found = self.qualified(hits)?;
        for hit in hits.iter().filter(|hit| hit.what.part.is_anchor()) {
            let mut list = self.postings(hit)?;
            while list.doc() != TERMINATED && found.len() < DOCUMENTS_MAX {
                found.push((list.doc(), hit.what));
                list.advance();
            }
        }
        let documents = sorted(found.iter().map(|(document, _)| *document));
        // What is being typed stands at the end, so it qualifies what other words name, and nothing that begins with it.
        let begun = hits.iter().any(|hit| hit.is_begun && !hit.what.part.is_anchor());
        let named = hits.iter().filter(|hit| begun && !hit.is_begun && hit.what.part.is_anchor());
        let mut settled = Vec::new();
        for hit in named {
            self.each_shared(hit, &documents, |document| settled.push(document))?;
        }
        let settled = sorted(settled.into_iter());
        for hit in hits.iter().filter(|hit| !hit.what.part.is_anchor()) {
            let among = if hit.is_begun { &settled } else { &documents };
            self.each_shared(hit, among, |document| found.push((document, hit.what)))?;
        }
        // Stable: the matches of a document stay in the order of the hits, longest and nearest first. One that was found
        // twice counts once where it is judged.
        found.sort_by_key(|(document, _)| *document);
        Ok(found)
    }

    /// What the hits name in documents of which others name the town or postcode, where there are more documents than are
    /// looked at; none where there are not.
    fn qualified(&self, hits: &[Hit]) -> tantivy::Result<Vec<(DocId, Match)>> {
        let mut found = Vec::new();
        let anchors = || hits.iter().filter(|hit| hit.what.part.is_anchor());
        let documents: u64 = anchors().map(|hit| u64::from(hit.term.doc_freq)).sum();
        if documents <= DOCUMENTS_MAX as u64 {
            return Ok(found);
        }
        let is_town = |hit: &Hit| matches!(hit.what.part, Part::Postcode | Part::Town);
        // Towns that are being typed count where none is typed to its end; for the names before them, that is.
        let is_typed = hits.iter().any(|hit| is_town(hit) && !hit.is_begun);
        let is_qualifying = |hit: &&Hit| is_town(hit) && hit.is_begun != is_typed;
        let mut qualified = Vec::new();
        for qualifier in hits.iter().filter(is_qualifying) {
            let mut list = self.postings(qualifier)?;
            while list.doc() != TERMINATED && qualified.len() < QUALIFIED_MAX {
                qualified.push(list.doc());
                list.advance();
            }
        }
        let qualified = sorted(qualified.into_iter());
        for anchor in anchors().filter(|anchor| is_typed || !anchor.is_begun) {
            self.each_shared(anchor, &qualified, |document| {
                if found.len() < DOCUMENTS_MAX / 2 {
                    found.push((document, anchor.what));
                }
            })?;
        }
        Ok(found)
    }

    /// Calls `f` with the documents of a hit that are among these, which are sorted. Costs the shorter of both.
    fn each_shared(&self, hit: &Hit, among: &[DocId], mut f: impl FnMut(DocId)) -> tantivy::Result<()> {
        if among.is_empty() {
            return Ok(());
        }
        let mut list = self.postings(hit)?;
        if (hit.term.doc_freq as usize) < among.len() {
            while list.doc() != TERMINATED {
                if among.binary_search(&list.doc()).is_ok() {
                    f(list.doc());
                }
                list.advance();
            }
            return Ok(());
        }
        for &document in among {
            if list.doc() < document {
                list.seek(document);
            }
            if list.doc() == document {
                f(document);
            }
        }
        Ok(())
    }

    pub(super) fn list(&self, list: List) -> &InvertedIndexReader {
        match list {
            List::Of(part) => &self.parts[part as usize],
            List::Openings => &self.openings,
        }
    }

    /// The key in the list of openings, if it is there.
    pub(super) fn opening(&self, key: &str) -> tantivy::Result<Option<TermInfo>> {
        Ok(self.openings.get_term_info(&Term::from_field_text(self.fields.openings(), key))?)
    }

    fn postings(&self, hit: &Hit) -> tantivy::Result<impl DocSet + use<>> {
        let list = self.list(hit.list);
        Ok(list.read_postings_from_terminfo(&hit.term, IndexRecordOption::Basic)?)
    }

    /// Adds the keys of `part` that are one or two edits away from a run, as its length allows.
    fn near(&self, part: Part, run: &Run, is_another_name: bool, hits: &mut Vec<Hit>) -> tantivy::Result<()> {
        let term = Term::from_field_text(self.fields.part(part), &run.key);
        let edits_max = if part == Part::Alias { run.edits_max.min(ALIAS_EDITS_MAX) } else { run.edits_max };
        let automaton = FuzzyTermQuery::new(term, edits_max, true).automaton()?;
        // A misspelt name stays in its script. The names in plain Latin letters stand together in the list, and to
        // walk the others as well takes ten times as long.
        let keys = self.list(List::Of(part)).terms().search(automaton);
        let keys = if run.key.is_ascii() { keys.ge(LATIN_FIRST).lt(LATIN_END) } else { keys.ge(LATIN_END) };
        let mut stream = keys.into_stream()?;
        let mut near = Vec::new();
        while stream.advance() {
            let key = String::from_utf8_lossy(stream.key());
            let edits = u8::try_from(fold::edits(&run.key, &key)).unwrap_or(u8::MAX);
            let is_kept = key.starts_with(&run.head) && key.ends_with(&run.tail);
            // A number is never a misspelt letter; what is as written was found before.
            if edits > 0 && is_kept && !key.contains(char::is_numeric) {
                near.push(Hit {
                    what: Match { part, words: run.words, edits, is_another_name },
                    list: List::Of(part),
                    term: stream.value().clone(),
                    is_begun: false,
                });
            }
        }
        near.sort_by_key(|hit| hit.what.edits);
        near.truncate(MISSPELT_MAX);
        hits.append(&mut near);
        Ok(())
    }
}

/// Each once, in order.
fn sorted(documents: impl Iterator<Item = DocId>) -> Vec<DocId> {
    let mut documents: Vec<DocId> = documents.collect();
    documents.sort_unstable();
    documents.dedup();
    documents
}
