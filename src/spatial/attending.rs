//! The sites of a roster that need attention: in the order in which they are listed, and counted by reason and class.
//!
//! Follows one site's change at a time, so that a list costs its page, and counts cost nothing, however many sites there
//! are. Costs some 50 bytes for each site that needs attention.

use std::collections::BTreeSet;
use std::ops::Bound;

use serde::{Deserialize, Serialize};

use crate::model::attention::{Attention, AttentionReason};
use crate::model::id::SiteId;
use crate::model::site::Status;

use super::class::{Class, Classes};
use super::roster::Snapshot;

/// Most sites that a page passes over before it ends early: some milliseconds.
pub(super) const LOOKS_MAX: usize = 20_000;
/// Classes of placed sites, and statuses of those without a position.
const GROUPS: usize = Class::COUNT + Status::ALL.len();

/// How many sites need attention for each reason, in the order of [`AttentionReason::ALL`]; and how many need any.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AttentionCounts {
    /// By reason; a site counts for each of its reasons.
    pub by_reason: [u32; AttentionReason::ALL.len()],
    /// Each site once.
    pub sites: u32,
}

/// Where a list goes on: behind this site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttentionCursor {
    /// The worst reason of the site.
    pub reason: AttentionReason,
    /// The site.
    pub site: SiteId,
}

/// The sites of a roster that need attention.
#[derive(Debug, Default)]
pub(super) struct Attending {
    /// By group; none where no site ever needed any: most selections and many accounts.
    counts: Option<Box<[AttentionCounts; GROUPS]>>,
    listed: BTreeSet<(AttentionReason, SiteId)>,
}

impl Attending {
    /// Follows a site from what it was to what it is; `None` for not in the roster.
    pub(super) fn follow(&mut self, old: Option<&Snapshot>, new: Option<&Snapshot>) {
        let of = |snapshot: Option<&Snapshot>| snapshot.map_or(Attention::NONE, |it| it.attention);
        if of(old).is_none() && of(new).is_none() {
            return;
        }
        for (snapshot, is_in) in [(old, false), (new, true)] {
            let Some((snapshot, worst)) = snapshot.and_then(|it| Some((it, it.attention.worst()?))) else { continue };
            let counts = &mut self.counts.get_or_insert_with(Box::default)[group(snapshot)];
            let step = |count: &mut u32| if is_in { *count += 1 } else { *count -= 1 };
            step(&mut counts.sites);
            snapshot.attention.iter().for_each(|reason| step(&mut counts.by_reason[reason as usize]));
            if is_in {
                self.listed.insert((worst, snapshot.site));
            } else {
                self.listed.remove(&(worst, snapshot.site));
            }
        }
    }

    /// The counts of some classes.
    pub(super) fn counts(&self, classes: Classes) -> AttentionCounts {
        let mut total = AttentionCounts::default();
        let Some(counts) = &self.counts else { return total };
        for (group, counts) in counts.iter().enumerate() {
            if !is_within(classes, group) {
                continue;
            }
            total.sites += counts.sites;
            total.by_reason.iter_mut().zip(counts.by_reason).for_each(|(sum, count)| *sum += count);
        }
        total
    }

    /// The next sites of which `look` tells what they need, and where the list goes on.
    pub(super) fn page(
        &self,
        after: Option<AttentionCursor>,
        limit: usize,
        look: impl Fn(SiteId) -> Option<Attention>,
    ) -> (Vec<(SiteId, Attention)>, Option<AttentionCursor>) {
        let behind = after.map_or(Bound::Unbounded, |cursor| Bound::Excluded((cursor.reason, cursor.site)));
        let mut found = Vec::new();
        let mut last = None;
        for (looks, (reason, site)) in self.listed.range((behind, Bound::Unbounded)).enumerate() {
            if found.len() >= limit || looks >= LOOKS_MAX {
                return (found, last);
            }
            found.extend(look(*site).map(|attention| (*site, attention)));
            last = Some(AttentionCursor { reason: *reason, site: *site });
        }
        (found, None)
    }
}

fn group(snapshot: &Snapshot) -> usize {
    match &snapshot.facets {
        Some(facets) => facets.class.index(),
        None => Class::COUNT + snapshot.status as usize,
    }
}

fn is_within(classes: Classes, group: usize) -> bool {
    match group.checked_sub(Class::COUNT) {
        None => classes.has(Class::at(group)),
        Some(status) => classes.has_unplaced(Status::ALL[status]),
    }
}
