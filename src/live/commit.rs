//! A commit as those who watch are told of it: what it made of the sites that it touched.

use std::sync::{Arc, OnceLock};

use crate::model::gist::Gist;
use crate::model::id::{Revision, SiteId};
use crate::model::site::Site;
use crate::store::Mutation;
use crate::store::document::Document;

/// What a commit made of the sites that it touched.
#[derive(Debug)]
pub struct Commit {
    /// Its revision.
    pub revision: Revision,
    /// The sites, each once.
    pub changes: Vec<Change>,
}

/// What became of a site.
#[derive(Debug, Clone)]
pub enum Change {
    /// It is this now; deleted perhaps.
    Put(Arc<Left>),
    /// Its record is no more.
    Purged(SiteId),
}

/// A site as a commit left it.
#[derive(Debug)]
pub struct Left {
    /// The site.
    pub site: Arc<Site>,
    gist: OnceLock<Gist>,
}

impl Left {
    /// This site.
    #[must_use]
    pub fn of(site: Site) -> Self {
        Self { site: Arc::new(site), gist: OnceLock::new() }
    }

    /// What filters ask of it: worked out when the first one does, for all who watch.
    #[must_use]
    pub fn gist(&self) -> &Gist {
        self.gist.get_or_init(|| Gist::of(&self.site))
    }
}

impl Change {
    /// What a mutation of a site makes of it.
    pub(super) fn of(mutation: &Mutation) -> Option<Self> {
        match &mutation.document {
            Some(Document::Site(site)) => Some(Self::Put(Arc::new(Left::of(Site::clone(site))))),
            Some(_) => None,
            None => mutation.key.id.parse().ok().map(Self::Purged),
        }
    }

    /// About how many bytes it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Put(left) => left.site.weight(),
            Self::Purged(_) => size_of::<Self>(),
        }
    }

    /// The site.
    #[must_use]
    pub fn site(&self) -> SiteId {
        match self {
            Self::Put(left) => left.site.id,
            Self::Purged(site) => *site,
        }
    }
}

impl Commit {
    /// About how many bytes its sites take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.changes.iter().map(Change::bytes).sum()
    }
}
