//! Answers that a fleet shares: what one process was told, the others need not ask.
//!
//! A question is kept as its digest, since it is an address. Redis forgets an answer when its time is over. Where Redis is silent,
//! slow or holds something else, there is no answer, and the provider is asked.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, timeout};

use super::super::Candidate;
use super::super::cached::SharedAnswers;
use super::{PAUSE, Shared};
use crate::model::geo::LatLng;

/// What the keys begin with.
const PREFIX: &str = "waymark:geocoder-answer:";
/// A Redis that takes longer is no help: most providers answer in less than a second.
const LOOK_MAX: Duration = Duration::from_millis(150);
/// Longest answer that is taken, in bytes: five candidates take some 2 KiB.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// The answers in a Redis.
#[derive(Debug)]
pub(super) struct FleetAnswers {
    redis: Arc<Shared>,
    /// Until then it is not asked: it was silent.
    rests_until: Mutex<Option<Instant>>,
}

impl FleetAnswers {
    pub(super) fn new(redis: Arc<Shared>) -> Self {
        Self { redis, rests_until: Mutex::default() }
    }

    /// Does something with Redis, unless it was silent just now.
    async fn with<T>(&self, work: impl Future<Output = redis::RedisResult<T>>) -> Option<T> {
        if self.rests_until.lock().is_some_and(|until| Instant::now() < until) {
            return None;
        }
        let done = timeout(LOOK_MAX, work).await;
        let done = done.ok().and_then(Result::ok);
        *self.rests_until.lock() = if done.is_none() { Some(Instant::now() + PAUSE) } else { None };
        done
    }
}

#[async_trait]
impl SharedAnswers for FleetAnswers {
    async fn get(&self, provider: &str, question: &str) -> Option<(Vec<Candidate>, Duration)> {
        let key = key(provider, question);
        let look = async {
            let mut connection = self.redis.connection().await?;
            let mut look = redis::pipe();
            look.cmd("GET").arg(&key).cmd("PTTL").arg(&key);
            look.query_async::<(Option<Vec<u8>>, i64)>(&mut connection).await
        };
        let (answer, left_ms) = self.with(look).await?;
        let candidates = decode(&answer?)?;
        Some((candidates, Duration::from_millis(u64::try_from(left_ms).ok()?)))
    }

    async fn put(&self, provider: &str, question: &str, candidates: &[Candidate], time: Duration) {
        let Ok(answer) = serde_json::to_vec(candidates) else { return };
        let Ok(time_ms) = u64::try_from(time.as_millis()) else { return };
        if answer.len() > ANSWER_BYTES_MAX || time_ms == 0 {
            return;
        }
        let key = key(provider, question);
        let keep = async {
            let mut connection = self.redis.connection().await?;
            let mut keep = redis::cmd("SET");
            keep.arg(&key).arg(answer).arg("PX").arg(time_ms).exec_async(&mut connection).await
        };
        // Without it the next process asks anew.
        let _ = self.with(keep).await;
    }
}

fn key(provider: &str, question: &str) -> String {
    let digest = Sha256::new().chain_update(provider).chain_update([0]).chain_update(question).finalize();
    digest.iter().fold(PREFIX.to_owned(), |mut key, byte| {
        // Writing to a text does not fail.
        let _ = write!(key, "{byte:02x}");
        key
    })
}

/// The candidates of an answer, if it is one: another program may have written it.
fn decode(answer: &[u8]) -> Option<Vec<Candidate>> {
    if answer.len() > ANSWER_BYTES_MAX {
        return None;
    }
    let candidates: Vec<Candidate> = serde_json::from_slice(answer).ok()?;
    let is_good = |candidate: &Candidate| {
        let position = candidate.position;
        LatLng::new(position.lat(), position.lng()).is_ok() && (0.0..=1.0).contains(&candidate.confidence)
    };
    candidates.iter().all(is_good).then_some(candidates)
}
