//! A geocoder for tests that does what it is told, one act after the other, and then knows one door.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use super::{Bias, Candidate, Error, Geocoder, Inquiry, Subject};
use crate::model::address::{AddressQuery, CountryCode};
use crate::model::evidence::Storage;
use crate::model::geo::LatLng;
use crate::model::location::Granularity;

/// A time in which a question should be answered.
pub(super) const SOON: Duration = Duration::from_secs(20);

/// What the fake does with a question.
#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    /// Answers one door with full confidence.
    Answer,
    /// The same, after a time.
    AnswerAfter(Duration),
    /// Answers with so little confidence.
    Doubt(f64),
    /// Finds nothing.
    Empty,
    /// Fails with this status, and perhaps a time to wait.
    Fail(u16, Option<Duration>),
    /// Fails with this status, after a time.
    FailAfter(u16, Duration),
    /// Answers something that is no answer.
    Garbage,
    /// Does not answer such questions.
    Unsupported,
    /// Has no turn.
    Busy,
    /// Had not enough time.
    OutOfTime,
    /// Never answers.
    Silence,
}

/// The fake. When its acts are used up it knows one door, by all its names.
#[derive(Debug, Default)]
pub(super) struct Fake {
    acts: Mutex<VecDeque<Act>>,
    count: AtomicUsize,
    running: Arc<AtomicUsize>,
}

/// A question about the door of [`Fake`].
pub(super) fn gata() -> Inquiry {
    line(Fake::QUERY)
}

/// A question about a line.
pub(super) fn line(text: &str) -> Inquiry {
    Inquiry::new(Subject::Address(AddressQuery::Line(text.to_owned())), &Bias::default(), 5)
}

impl Fake {
    /// The door.
    pub(super) const QUERY: &str = "Laugavegur 1, 101 Reykjavík";
    /// Its id.
    pub(super) const ID: &str = "N1";
    /// Its provider.
    pub(super) const PROVIDER: &str = "fake";

    /// Does these things first.
    pub(super) fn of(acts: impl IntoIterator<Item = Act>) -> Self {
        Self { acts: Mutex::new(acts.into_iter().collect()), ..Self::default() }
    }

    /// How often it was asked.
    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// How many questions it is working on.
    pub(super) fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }

    /// Whether a question is about its door.
    fn knows(subject: &Subject) -> bool {
        let is_begun = |text: &str| Self::QUERY.to_lowercase().starts_with(&text.trim().to_lowercase());
        match subject {
            Subject::Address(query) => query.one_line().eq_ignore_ascii_case(Self::QUERY),
            Subject::Typed(text) => is_begun(text),
            Subject::Position(at) => at.distance_m(position()) < 250.0,
            Subject::Place(place) => place.id == Self::ID,
        }
    }
}

fn position() -> LatLng {
    LatLng::new(64.102, -21.9).unwrap()
}

/// The door of the fake.
pub(super) fn door(confidence: f64) -> Candidate {
    Candidate {
        place_id: Fake::ID.into(),
        formatted_address: Fake::QUERY.into(),
        position: position(),
        granularity: Granularity::Door,
        confidence,
        country: CountryCode::parse("IS"),
        provider: Fake::PROVIDER.into(),
        attribution: "the fake".into(),
        storage: Storage::Unlimited,
    }
}

/// Counts a question as running until it is dropped.
struct Running(Arc<AtomicUsize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Geocoder for Fake {
    async fn answer(&self, inquiry: &Inquiry, _deadline: Instant) -> Result<Vec<Candidate>, Error> {
        self.count.fetch_add(1, Ordering::SeqCst);
        self.running.fetch_add(1, Ordering::SeqCst);
        let _running = Running(Arc::clone(&self.running));
        let act = self.acts.lock().pop_front();
        let provider: Arc<str> = Self::PROVIDER.into();
        match act {
            None if Self::knows(&inquiry.subject) => Ok(vec![door(1.0)]),
            None | Some(Act::Empty) => Ok(Vec::new()),
            Some(Act::Answer) => Ok(vec![door(1.0)]),
            Some(Act::AnswerAfter(time)) => {
                sleep(time).await;
                Ok(vec![door(1.0)])
            }
            Some(Act::Doubt(confidence)) => Ok(vec![door(confidence)]),
            Some(Act::Fail(status @ (402 | 429), retry_after)) => {
                Err(Error::QuotaUsed { provider, status, retry_after })
            }
            Some(Act::Fail(status @ (401 | 403), _)) => Err(Error::Denied { provider, status }),
            Some(Act::Fail(status @ 400, _)) => Err(Error::Refused { provider, status }),
            Some(Act::Fail(status, retry_after)) => Err(Error::Failed { provider, status, retry_after }),
            Some(Act::FailAfter(status, time)) => {
                sleep(time).await;
                Err(Error::Failed { provider, status, retry_after: None })
            }
            Some(Act::Garbage) => Err(Error::Malformed { provider, why: "garbage".into() }),
            Some(Act::Unsupported) => Err(Error::Unsupported { provider, what: inquiry.kind() }),
            Some(Act::Busy) => Err(Error::Busy { provider, retry_after: SOON }),
            Some(Act::OutOfTime) => Err(Error::OutOfTime { provider }),
            Some(Act::Silence) => std::future::pending().await,
        }
    }

    fn attributions(&self) -> Vec<String> {
        vec!["the fake".into()]
    }
}
