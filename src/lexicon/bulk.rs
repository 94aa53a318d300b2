//! Many sites that are put in at once, when an account is read.

use std::hash::RandomState;
use std::sync::Arc;

use super::entry::{Entry, mark_of};
use super::merge::{Merge, Merged, Source};
use super::segment::Segment;
use crate::model::site::Site;

/// Sites of one of its segments.
const SEGMENT_SITES: usize = 32_768;

/// The sites, each once.
#[derive(Debug)]
pub struct Bulk {
    entries: Vec<Entry>,
    sources: Vec<Source>,
    hashes: RandomState,
}

impl Bulk {
    /// Of no sites yet, for a lexicon that makes marks with these.
    pub(super) fn new(hashes: RandomState) -> Self {
        Self { entries: Vec::new(), sources: Vec::new(), hashes }
    }

    /// Puts a site in that is not in yet. Costs some microseconds.
    pub fn push(&mut self, site: &Site) {
        self.entries.push(Entry::of(site, mark_of(site, &self.hashes)));
        if self.entries.len() >= SEGMENT_SITES {
            self.end_segment();
        }
    }

    fn end_segment(&mut self) {
        let segment = Segment::of(std::mem::take(&mut self.entries));
        let alive = segment.all();
        self.sources.push((Arc::new(segment), alive));
    }

    /// All of them, as one segment. Costs some microseconds a site.
    #[must_use]
    pub fn finish(mut self) -> Merged {
        self.end_segment();
        Merge { serials: Vec::new(), sources: self.sources }.run()
    }
}
