//! Sites as a watch finds them, in the store or in commits, and what its client is told of each.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::live::{Change, Commit, LiveAccount};
use crate::model::id::{Revision, SiteId};
use crate::model::site::Site;
use crate::service::Error;
use crate::service::filter::Filter;
use crate::store::Record;
use crate::store::document::Document;

/// What a client is told of a site.
#[derive(Debug)]
pub(super) enum Item {
    Changed(Arc<Site>, Revision),
    Removed(SiteId),
}

/// A site as it was found.
#[derive(Debug)]
pub(super) enum Found {
    Put(Arc<Site>, Revision),
    Purged(SiteId),
}

impl Found {
    pub(super) fn of(record: Record) -> Result<Self, Error> {
        let Document::Site(value) = record.document else { return Err(Error::Mismatched { key: record.key }) };
        Ok(Self::Put(Arc::from(value), record.revision))
    }

    pub(super) fn site(&self) -> SiteId {
        match self {
            Self::Put(site, _) => site.id,
            Self::Purged(site) => *site,
        }
    }

    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Put(site, _) => site.weight(),
            Self::Purged(_) => size_of::<Self>(),
        }
    }

    pub(super) fn cost(&self, filter: &Filter) -> usize {
        match self {
            Self::Put(site, _) => filter.cost_of(site),
            Self::Purged(_) => 0,
        }
    }

    pub(super) fn judge(self, filter: &Filter, live: &LiveAccount) -> Item {
        let attention = |site| live.attention_of(site);
        match self {
            Self::Put(site, revision) if site.deleted_at.is_none() && filter.matches(&site, attention) => {
                Item::Changed(site, revision)
            }
            Self::Put(site, _) => Item::Removed(site.id),
            Self::Purged(site) => Item::Removed(site),
        }
    }
}

/// The last change of each site of some commits.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    by_site: BTreeMap<SiteId, (Change, Revision)>,
    /// Of all commits together.
    pub(super) bytes: usize,
}

impl Gathered {
    pub(super) fn is_empty(&self) -> bool {
        self.by_site.is_empty()
    }

    pub(super) fn put(&mut self, commit: &Commit) {
        self.bytes += commit.bytes();
        self.by_site.extend(commit.changes.iter().map(|change| (change.site(), (change.clone(), commit.revision))));
    }

    pub(super) fn found(self) -> Vec<Found> {
        let found = |(change, revision)| match change {
            Change::Put(site) => Found::Put(site, revision),
            Change::Purged(site) => Found::Purged(site),
        };
        self.by_site.into_values().map(found).collect()
    }
}
