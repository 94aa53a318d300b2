//! Which sites changed last, for those who watch and were away for a while.

use std::collections::{HashMap, VecDeque};

use crate::model::id::{Revision, SiteId};

/// Least and most sites that are remembered to have changed, and one for so many sites between them: to read a quarter
/// of the sites costs about what a snapshot does. Some 100 bytes each, so at most 25 a site, or 6 KiB an account.
pub(super) const CHANGED_KEPT: (usize, usize) = (64, 65_536);
const SITES_A_CHANGED_ONE: usize = 4;

/// The sites that changed last, each at its last change.
#[derive(Debug, Default)]
pub(super) struct Recent {
    last: HashMap<SiteId, Revision>,
    /// Every change, oldest first; those that are not a site's last one any more are passed over.
    order: VecDeque<(Revision, SiteId)>,
    /// Changes up to this revision may be missing; those after it are all there.
    forgotten: Revision,
}

impl Recent {
    /// Nothing, from a revision on.
    pub(super) fn from(revision: Revision) -> Self {
        Self { forgotten: revision, ..Self::default() }
    }

    /// Takes note of a commit, in an account of so many sites.
    pub(super) fn remember(&mut self, revision: Revision, ids: &[SiteId], sites: usize) {
        for id in ids {
            self.last.insert(*id, revision);
            self.order.push_back((revision, *id));
        }
        let kept = (sites / SITES_A_CHANGED_ONE).clamp(CHANGED_KEPT.0, CHANGED_KEPT.1);
        while self.last.len() > kept {
            let Some((revision, site)) = self.order.pop_front() else { break };
            if self.last.get(&site) == Some(&revision) {
                self.last.remove(&site);
                self.forgotten = revision;
            }
        }
        // Half of it or more is passed over: each change pays for one of them.
        if self.order.len() > 2 * self.last.len().max(CHANGED_KEPT.0) {
            let last = &self.last;
            self.order.retain(|(revision, site)| last.get(site) == Some(revision));
        }
    }

    /// The sites that changed after `since`, each once; `None` where that is not known any more.
    pub(super) fn since(&self, since: Revision) -> Option<Vec<SiteId>> {
        if since < self.forgotten {
            return None;
        }
        let from = self.order.partition_point(|(revision, _)| *revision <= since);
        let is_last = |(revision, site): &&(Revision, SiteId)| self.last.get(site) == Some(revision);
        Some(self.order.range(from..).filter(is_last).map(|(_, site)| *site).collect())
    }
}

#[cfg(test)]
impl Recent {
    /// Changes that are kept, passed over or not.
    pub(super) fn kept(&self) -> usize {
        self.order.len()
    }
}
