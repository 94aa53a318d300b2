//! Sites as a watch finds them, in the store or in commits, and what its client is told of each.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::live::{Change, Commit, Left, LiveAccount};
use crate::model::id::{Revision, SiteId};
use crate::model::site::Site;
use crate::service::Error;
use crate::service::filter::Filter;
use crate::store::document::Document;
use crate::store::{Record, faults};

/// Most text that is looked through for a filter without leaving the thread: some tens of microseconds.
const MATCHED_HERE_MAX: usize = 64 * 1024;

/// What a client is told of a site.
#[derive(Debug)]
pub(super) enum Item {
    Changed(Arc<Site>, Revision),
    Removed(SiteId),
}

/// A site as it was found.
#[derive(Debug)]
pub(super) enum Found {
    Put(Arc<Left>, Revision),
    Purged(SiteId),
}

impl Found {
    pub(super) fn of(record: Record) -> Result<Self, Error> {
        let Document::Site(value) = record.document else { return Err(Error::Mismatched { key: record.key }) };
        Ok(Self::Put(Arc::new(Left::of(*value)), record.revision))
    }

    /// A site as a commit of this revision left it.
    pub(super) fn left((revision, change): (Revision, Change)) -> Self {
        match change {
            Change::Put(left) => Self::Put(left, revision),
            Change::Purged(site) => Self::Purged(site),
        }
    }

    pub(super) fn site(&self) -> SiteId {
        match self {
            Self::Put(left, _) => left.site.id,
            Self::Purged(site) => *site,
        }
    }

    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Put(left, _) => left.site.weight(),
            Self::Purged(_) => size_of::<Self>(),
        }
    }

    pub(super) fn cost(&self, filter: &Filter) -> usize {
        match self {
            Self::Put(left, _) => filter.cost_of(&left.site),
            Self::Purged(_) => 0,
        }
    }

    pub(super) fn judge(self, filter: &Filter, live: &LiveAccount) -> Item {
        let attention = |site| live.attention_of(site);
        match self {
            Self::Put(left, revision)
                if left.site.deleted_at.is_none() && filter.matches_gist(&left.site, || left.gist(), attention) =>
            {
                Item::Changed(Arc::clone(&left.site), revision)
            }
            Self::Put(left, _) => Item::Removed(left.site.id),
            Self::Purged(site) => Item::Removed(site),
        }
    }
}

/// What a client of this filter is told of each.
pub(super) async fn judge(
    found: Vec<Found>,
    filter: &Arc<Filter>,
    live: &Arc<LiveAccount>,
) -> Result<Vec<Item>, Error> {
    let cost: usize = found.iter().map(|each| each.cost(filter)).sum();
    if cost <= MATCHED_HERE_MAX {
        return Ok(found.into_iter().map(|each| each.judge(filter, live)).collect());
    }
    let (filter, live) = (Arc::clone(filter), Arc::clone(live));
    let judge = move || found.into_iter().map(|each| each.judge(&filter, &live)).collect();
    let judging = tokio::task::spawn_blocking(judge);
    Ok(faults::joined(judging.await)?)
}

/// The last change of each site of some commits.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    by_site: BTreeMap<SiteId, (Revision, Change)>,
    /// Of all that is told of commits together.
    pub(super) bytes: usize,
}

impl Gathered {
    pub(super) fn is_empty(&self) -> bool {
        self.by_site.is_empty()
    }

    /// Takes in what a client hears of a commit, all where it is not said what it minds: of other sites it does not hear by where a message
    /// ends either.
    pub(super) fn put(&mut self, commit: &Commit, minds: Option<impl Fn(&Change) -> bool>) {
        if let Some(minds) = minds {
            for change in &commit.changes {
                let site = change.site();
                // One that was taken in and left again in the next commit is not told as it was.
                if minds(change) || self.by_site.contains_key(&site) {
                    self.bytes += change.bytes();
                    self.by_site.insert(site, (commit.revision, change.clone()));
                }
            }
            return;
        }
        self.bytes += commit.bytes();
        self.by_site.extend(commit.changes.iter().map(|change| (change.site(), (commit.revision, change.clone()))));
    }

    pub(super) fn found(self) -> Vec<Found> {
        self.by_site.into_values().map(Found::left).collect()
    }
}
