//! The gazetteer: a geocoder of its own, over an index that is built once from files and needs no network.
//!
//! `builder` makes the index out of `places` (the world) and `iceland` (street addresses); here it is opened and
//! asked. A query is folded into words (`question`), the words are looked up (`retrieve`), and each document that
//! they name is judged (`explain`). Knows nothing of sites, and decides nothing.

mod builder;
mod countries;
mod explain;
#[cfg(test)]
mod fixture;
mod fold;
mod iceland;
mod index;
mod manifest;
mod places;
mod question;
mod record;
mod retrieve;
mod schema;
mod sources;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Semaphore;

pub use self::builder::build;
use self::index::OpenIndex;
pub use self::manifest::{MANIFEST_FILE, Manifest, Origin, SourceNote, Summary};
pub use self::sources::{Progress, Sources};
use super::{Bias, CANDIDATES_MAX, Candidate, Error, Geocoder};
use crate::model::address::AddressQuery;

/// The name by which candidates and fixes call this provider.
pub const PROVIDER: &str = "gazetteer";
/// Questions that are worked on at once, for each processor: the work is computing, and more of it at a time makes
/// each of them slower. The others wait their turn.
const QUESTIONS_PER_PROCESSOR: usize = 2;

/// An open gazetteer. Cheap to clone; the index is shared.
#[derive(Debug, Clone)]
pub struct Gazetteer {
    index: Arc<OpenIndex>,
    turns: Arc<Semaphore>,
}

impl Gazetteer {
    /// Opens the gazetteer that [`build`] put into `directory`.
    ///
    /// Blocking; some milliseconds: the files are mapped, and read as they are needed. They must not be written in
    /// place, which `build` never does. The directory may be read-only.
    ///
    /// # Errors
    /// `Index` where there is none, or one of another format; the message says which.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            index: Arc::new(OpenIndex::open(directory)?),
            turns: Arc::new(Semaphore::new(processors * QUESTIONS_PER_PROCESSOR)),
        })
    }

    /// What the gazetteer was built from, and what the licences ask for.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        self.index.manifest()
    }
}

#[async_trait]
impl Geocoder for Gazetteer {
    async fn forward(&self, query: &AddressQuery, bias: &Bias, limit: usize) -> Result<Vec<Candidate>, Error> {
        let _turn = self.turns.acquire().await.expect("the semaphore is never closed");
        let (index, query, bias) = (Arc::clone(&self.index), query.clone(), bias.clone());
        let answer = move || index.answer(&query, &bias, limit.min(CANDIDATES_MAX));
        let answered = tokio::task::spawn_blocking(answer).await;
        answered.unwrap_or_else(|cause| Err(self.index.fault(&cause)))
    }

    fn attributions(&self) -> Vec<String> {
        let mut distinct: Vec<String> = Vec::new();
        for note in &self.manifest().sources {
            if !distinct.contains(&note.attribution) {
                distinct.push(note.attribution.clone());
            }
        }
        distinct
    }
}
