//! The gazetteer: a geocoder of its own, over an index that is built once from files and needs no network.
//!
//! `builder` makes the index out of `places` and `postcodes` (the world), and of street addresses: `iceland`, and the
//! files that an operator names (`openaddresses`, `osm`), which `doors` gathers into streets. Here it is opened and asked. A query is folded into
//! words (`question`), the words are looked up (`retrieve`; while they are typed `begun`, over the `openings` of names), and
//! each document that they name is judged (`explain`). Positions and ids are looked up in `atlas`. Knows nothing of sites, and decides nothing.

pub(in crate::geocode) mod abbreviations;
mod areas;
mod atlas;
mod begun;
mod builder;
mod codes;
pub(in crate::geocode) mod countries;
mod doors;
mod explain;
#[cfg(test)]
pub(in crate::geocode) mod fixture;
pub(in crate::geocode) mod fold;
mod iceland;
mod imports;
mod index;
mod manifest;
mod openaddresses;
mod openings;
mod osm;
mod places;
mod postcodes;
mod question;
mod record;
mod retrieve;
mod schema;
mod segment;
mod sorter;
mod sources;
mod street;
#[cfg(test)]
mod tests;
mod towns;
mod workshop;
mod writing;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use self::atlas::Ready;
pub use self::builder::build;
pub use self::imports::{Import, LeftOut, Report};
use self::index::OpenIndex;
pub use self::manifest::{MANIFEST_FILE, Manifest, Origin, SourceNote, Summary};
pub use self::sources::{Progress, Sources};
use super::{Candidate, Error, Geocoder, Inquiry, Subject};

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
    /// Whether positions and ids can be looked up.
    ready: Ready,
}

impl Gazetteer {
    /// Opens the gazetteer that [`build`] put into `directory`.
    ///
    /// Blocking; some milliseconds: the files are mapped, and read as they are needed. They must not be written in
    /// place, which `build` never does. The directory may be read-only.
    ///
    /// The tables of positions and ids are made meanwhile on a thread of their own, a second or two on the whole world.
    /// Whoever asks for a position or an id before waits for them, within their deadline; addresses are answered at once.
    ///
    /// # Errors
    /// `Index` where there is none, or one of another format; the message says which.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let index = Arc::new(OpenIndex::open(directory)?);
        let ready = Ready::begin(&index);
        Ok(Self { index, turns: Arc::new(Semaphore::new(processors * QUESTIONS_PER_PROCESSOR)), ready })
    }

    /// What the gazetteer was built from, and what the licences ask for.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        self.index.manifest()
    }
}

#[async_trait]
impl Geocoder for Gazetteer {
    async fn answer(&self, inquiry: &Inquiry, deadline: Instant) -> Result<Vec<Candidate>, Error> {
        let (index, inquiry) = (Arc::clone(&self.index), inquiry.clone());
        let needs_atlas = matches!(inquiry.subject, Subject::Position(_) | Subject::Place(_));
        let (turns, ready) = (Arc::clone(&self.turns), self.ready.clone());
        let answered = timeout_at(deadline, async move {
            // Before it takes a turn, so that addresses are answered meanwhile.
            if needs_atlas {
                ready.wait().await;
            }
            let turn = turns.acquire_owned().await.expect("the semaphore is never closed");
            let answer = move || {
                // Held to the end of the work, which goes on when nobody waits for it any more.
                let _turn = turn;
                index.ask(&inquiry)
            };
            tokio::task::spawn_blocking(answer).await
        });
        match answered.await {
            Ok(done) => done.unwrap_or_else(|cause| Err(self.index.fault(&cause))),
            Err(_) => Err(Error::TimedOut { provider: PROVIDER.into() }),
        }
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

impl OpenIndex {
    /// The candidates for a question. Blocking.
    fn ask(&self, inquiry: &Inquiry) -> Result<Vec<Candidate>, Error> {
        match &inquiry.subject {
            Subject::Address(query) => self.answer(query, &inquiry.bias, inquiry.limit),
            Subject::Position(position) => self.reverse(*position, inquiry.limit),
            Subject::Typed(typed) => self.suggest(typed, &inquiry.bias, inquiry.limit),
            Subject::Place(place) if &*place.provider == PROVIDER => Ok(self.look_up(&place.id)?.into_iter().collect()),
            Subject::Place(_) => Ok(Vec::new()),
        }
    }
}
