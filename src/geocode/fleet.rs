//! One pace for a whole fleet: processes that share a Redis ask a server as seldom together as one would alone.
//!
//! A turn is taken in Redis, by its clock, in one script. Where Redis does not answer there are no turns: a limit that
//! is not known to be kept is not kept.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, ConnectionInfo, Script};
use tokio::time::{Instant, timeout};
use tracing::warn;

use super::limiter::{Limiter, Limits};
use super::pace::{Outlook, PERIOD_MIN, Pace};
use super::turns::Turns;

/// What a turn may be late by, on its way from Redis to the server that is asked, without coming too close to the next one.
/// Turns are so much farther apart than they need be, and one that was longer on its way is given up.
const ON_THE_WAY_MAX: Duration = Duration::from_millis(100);
/// After so long Redis counts as silent.
const ANSWER_MAX: Duration = Duration::from_secs(1);
/// After so long a Redis that was silent, or unreachable, is asked again.
const PAUSE: Duration = Duration::from_secs(1);
/// What the keys begin with.
const PREFIX: &str = "waymark:geocoder-turn:";

/// Takes a turn at `KEYS[1]` where the last one was `ARGV[1]` microseconds ago or more; answers with the microseconds until
/// then. A clock that went back makes nobody wait longer than a period.
const TAKE: &str = "\
local time = redis.call('TIME')
local now, period = time[1] * 1000000 + time[2], tonumber(ARGV[1])
local last = tonumber(redis.call('GET', KEYS[1]) or '')
if last and last + period > now then return math.min(last + period - now, period) end
redis.call('SET', KEYS[1], string.format('%.0f', now), 'PX', math.ceil(period / 1000) + 1000)
return 0";

/// Limits that all processes share which have the same Redis.
#[derive(Debug)]
pub struct FleetLimits {
    redis: Arc<Shared>,
    made: Mutex<HashMap<String, Arc<Turns>>>,
}

impl FleetLimits {
    /// Limits in the Redis of this address. Connects when the first turn is taken.
    ///
    /// # Errors
    /// An address that is none.
    pub fn new(info: ConnectionInfo) -> Result<Self, redis::RedisError> {
        let redis = Shared { client: Client::open(info)?, take: Script::new(TAKE), connection: OnceLock::new() };
        Ok(Self { redis: Arc::new(redis), made: Mutex::default() })
    }
}

impl Limits for FleetLimits {
    fn limiter(&self, server: &str, period: Duration) -> Arc<dyn Limiter> {
        let mut made = self.made.lock();
        let new = || Arc::new(Turns::new(Arc::new(FleetPace::new(Arc::clone(&self.redis), server, period))));
        Arc::clone(made.entry(server.to_owned()).or_insert_with(new)) as _
    }

    fn keep_to(&self, server: &str, period: Duration) {
        if let Some(turns) = self.made.lock().get(server) {
            turns.set_period(period);
        }
    }
}

/// The way to Redis.
struct Shared {
    client: Client,
    take: Script,
    connection: OnceLock<ConnectionManager>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A client shows its password.
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Shared {
    /// A connection that is made when it is first used, and anew where it is lost.
    fn connect(&self) -> Result<ConnectionManager, redis::RedisError> {
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(ANSWER_MAX))
            .set_response_timeout(Some(ANSWER_MAX));
        let made = ConnectionManager::new_lazy_with_config(self.client.clone(), config)?;
        Ok(self.connection.get_or_init(|| made).clone())
    }

    /// Takes a turn at a key; otherwise how long until there may be one.
    async fn take(&self, key: &str, period: Duration) -> Result<Option<Duration>, redis::RedisError> {
        let mut connection = match self.connection.get() {
            Some(connection) => connection.clone(),
            None => self.connect()?,
        };
        let micros = u64::try_from(period.as_micros()).unwrap_or(u64::MAX);
        let wait: u64 = self.take.key(key).arg(micros).invoke_async(&mut connection).await?;
        Ok((wait > 0).then(|| Duration::from_micros(wait)))
    }
}

/// The pace of all processes that share a Redis.
#[derive(Debug)]
struct FleetPace {
    redis: Arc<Shared>,
    key: String,
    kept: Mutex<Kept>,
}

#[derive(Debug, Clone, Copy)]
struct Kept {
    period: Duration,
    /// When a turn may be due, as far as this process was told.
    next: Instant,
    is_silent: bool,
}

impl FleetPace {
    fn new(redis: Arc<Shared>, server: &str, period: Duration) -> Self {
        let kept = Kept { period: period.max(PERIOD_MIN), next: Instant::now(), is_silent: false };
        Self { redis, key: format!("{PREFIX}{server}"), kept: Mutex::new(kept) }
    }

    /// Tells once that Redis is silent, and once that it answers again.
    fn heard(&self, answer: Result<(), &dyn std::fmt::Display>) {
        let mut kept = self.kept.lock();
        let was_silent = std::mem::replace(&mut kept.is_silent, answer.is_err());
        drop(kept);
        match answer {
            Err(cause) if !was_silent => {
                warn!(%cause, key = self.key, "the fleet's limit of requests is unknown: the geocoder is not asked");
            }
            Ok(()) if was_silent => warn!(key = self.key, "the fleet's limit of requests is known again"),
            _ => {}
        }
    }
}

#[async_trait]
impl Pace for FleetPace {
    async fn take(&self) -> Result<(), Duration> {
        let period = self.kept.lock().period.saturating_add(ON_THE_WAY_MAX);
        let asked = Instant::now();
        // The manager has time-outs of its own, but not for all that it does.
        let answer = timeout(ANSWER_MAX * 2, self.redis.take(&self.key, period)).await;
        let wait = match answer {
            Ok(Ok(wait)) => {
                self.heard(Ok(()));
                wait
            }
            Ok(Err(cause)) => {
                self.heard(Err(&cause));
                Some(PAUSE)
            }
            Err(_) => {
                self.heard(Err(&"no answer"));
                Some(PAUSE)
            }
        };
        // A turn that was too long on its way may be too close to the next one's.
        let wait = wait.or_else(|| (asked.elapsed() > ON_THE_WAY_MAX).then_some(period));
        self.kept.lock().next = Instant::now() + wait.unwrap_or(period);
        wait.map_or(Ok(()), Err)
    }

    fn outlook(&self) -> Outlook {
        let kept = *self.kept.lock();
        let next_in = kept.next.saturating_duration_since(Instant::now());
        Outlook { next_in, period: kept.period.saturating_add(ON_THE_WAY_MAX) }
    }

    fn set_period(&self, period: Duration) {
        self.kept.lock().period = period.max(PERIOD_MIN);
    }
}
