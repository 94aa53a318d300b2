//! One pace for a whole fleet: processes that share a Redis ask a server as seldom together as one would alone.
//!
//! A turn is taken in Redis, by its clock, in one script. Where Redis does not answer, or too slowly, there are no turns:
//! a limit that is not known to be kept is not kept.

mod answers;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisError, Script};
use tokio::time::{Instant, timeout};
use tracing::warn;

use super::cached::SharedAnswers;
use super::limiter::{Limiter, Limits};
use super::pace::{Outlook, PERIOD_MIN, Pace};
use super::turns::Turns;
use answers::FleetAnswers;

/// Part of a period by which a turn may be late, on its way from Redis to the server that is asked, without coming too
/// close to the next one. Turns are so much farther apart than they need be, and one that was longer on its way is given up.
const ON_THE_WAY_PART: u32 = 10;
/// The least and the most of that.
const ON_THE_WAY: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));
/// After so long Redis counts as silent.
const ANSWER_MAX: Duration = Duration::from_secs(1);
/// After so long a Redis that was silent, or slow, is asked again.
const PAUSE: Duration = Duration::from_secs(1);
/// What the keys begin with.
const PREFIX: &str = "waymark:geocoder-turn:";

/// Takes a turn at `KEYS[1]` where the last one was `ARGV[1]` microseconds ago or more; answers with the microseconds until
/// then, 0 for a turn.
///
/// Where nothing is known of the last one, because nobody asked for an hour or Redis lost it, and where it is in the future,
/// because the clock went back, it counts as having been now.
const TAKE: &str = "\
local time = redis.call('TIME')
local now, period = time[1] * 1000000 + time[2], tonumber(ARGV[1])
local last = tonumber(redis.call('GET', KEYS[1]) or '')
local is_known = last and last <= now
if is_known and last + period > now then return last + period - now end
redis.call('SET', KEYS[1], string.format('%.0f', now), 'PX', 3600000 + math.ceil(period / 1000))
return is_known and 0 or period";

/// Limits that all processes share which have the same Redis.
#[derive(Debug)]
pub struct FleetLimits {
    redis: Arc<Shared>,
    made: Mutex<HashMap<String, Arc<Turns>>>,
}

impl FleetLimits {
    /// Limits in the Redis of this client. Connects when the first turn is taken.
    #[must_use]
    pub fn new(client: Client) -> Self {
        let redis = Shared { client, take: Script::new(TAKE), connection: Mutex::default() };
        Self { redis: Arc::new(redis), made: Mutex::default() }
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

    fn answers(&self) -> Option<Arc<dyn SharedAnswers>> {
        Some(Arc::new(FleetAnswers::new(Arc::clone(&self.redis))))
    }
}

/// The way to Redis.
struct Shared {
    client: Client,
    take: Script,
    /// The connection in use. Whatever goes wrong with it, the next one is new: a time-out may be a peer that is gone.
    connection: Mutex<Option<MultiplexedConnection>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A client shows its password.
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Shared {
    async fn connection(&self) -> Result<MultiplexedConnection, RedisError> {
        let present = self.connection.lock().clone();
        if let Some(connection) = present {
            return Ok(connection);
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(ANSWER_MAX))
            .set_response_timeout(Some(ANSWER_MAX));
        let made = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        *self.connection.lock() = Some(made.clone());
        Ok(made)
    }

    /// How long Redis takes to answer.
    async fn round_trip(&self) -> Result<Duration, RedisError> {
        let mut connection = self.connection().await?;
        let asked = Instant::now();
        redis::cmd("PING").query_async::<()>(&mut connection).await?;
        Ok(asked.elapsed())
    }

    /// Takes a turn at a key, and how long Redis took to give it; otherwise how long until there may be one.
    async fn take(&self, key: &str, period: Duration) -> Result<Result<Duration, Duration>, RedisError> {
        let mut connection = self.connection().await?;
        let asked = Instant::now();
        let micros = u64::try_from(period.as_micros()).unwrap_or(u64::MAX);
        let wait: u64 = self.take.key(key).arg(micros).invoke_async(&mut connection).await?;
        Ok(if wait == 0 { Ok(asked.elapsed()) } else { Err(Duration::from_micros(wait)) })
    }

    /// Does something with Redis within its time; what goes wrong, for people, costs the connection.
    async fn within_time<T>(&self, work: impl Future<Output = Result<T, RedisError>>) -> Result<T, String> {
        let done = timeout(ANSWER_MAX * 2, work).await;
        let done = done.map_or_else(|_| Err("no answer".to_owned()), |done| done.map_err(|cause| cause.to_string()));
        if done.is_err() {
            self.connection.lock().take();
        }
        done
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
    /// The last turn of this process, which it keeps away from whatever Redis says.
    last: Option<Instant>,
    /// Whether Redis was silent, or too slow, when it was asked last.
    is_out: bool,
}

impl Kept {
    /// What a turn may be late by.
    fn on_the_way(self) -> Duration {
        (self.period / ON_THE_WAY_PART).clamp(ON_THE_WAY.0, ON_THE_WAY.1)
    }

    /// How far apart turns are.
    fn apart(self) -> Duration {
        self.period.saturating_add(self.on_the_way())
    }
}

impl FleetPace {
    fn new(redis: Arc<Shared>, server: &str, period: Duration) -> Self {
        let kept = Kept { period: period.max(PERIOD_MIN), next: Instant::now(), last: None, is_out: false };
        Self { redis, key: format!("{PREFIX}{server}"), kept: Mutex::new(kept) }
    }

    /// A turn, or how long until there may be one; what is wrong with Redis where it is out.
    async fn ask(&self, kept: Kept) -> Result<Result<(), Duration>, String> {
        let too_slow = |took: Duration| took > kept.on_the_way();
        let told = |took: Duration| format!("it takes {} ms to answer", took.as_millis());
        // One that was slow is no place to take turns that are given up then: others want them.
        if kept.is_out {
            let took = self.redis.within_time(self.redis.round_trip()).await?;
            if too_slow(took) {
                return Err(told(took));
            }
        }
        match self.redis.within_time(self.redis.take(&self.key, kept.apart())).await? {
            Ok(took) if too_slow(took) => Err(told(took)),
            Ok(_) => Ok(Ok(())),
            Err(wait) => Ok(Err(wait)),
        }
    }

    /// Tells once that Redis is out, and once that it is well again.
    fn tell(&self, was_out: bool, fault: Option<&str>) {
        match fault {
            Some(cause) if !was_out => {
                warn!(cause, key = self.key, "the fleet's limit of requests is unknown: the geocoder is not asked");
            }
            None if was_out => warn!(key = self.key, "the fleet's limit of requests is known again"),
            _ => {}
        }
    }
}

#[async_trait]
impl Pace for FleetPace {
    async fn take(&self) -> Result<(), Duration> {
        let kept = *self.kept.lock();
        let own =
            kept.last.map_or(Duration::ZERO, |last| (last + kept.apart()).saturating_duration_since(Instant::now()));
        if !own.is_zero() {
            return Err(own);
        }
        let answer = self.ask(kept).await;
        let now = Instant::now();
        let turn = answer.as_ref().map_or(Err(PAUSE), |turn| *turn);
        let was_out = {
            let mut kept = self.kept.lock();
            kept.next = now + turn.err().unwrap_or(kept.apart());
            kept.last = if turn.is_ok() { Some(now) } else { kept.last };
            std::mem::replace(&mut kept.is_out, answer.is_err())
        };
        self.tell(was_out, answer.err().as_deref());
        turn
    }

    fn outlook(&self) -> Outlook {
        let kept = *self.kept.lock();
        Outlook { next_in: kept.next.saturating_duration_since(Instant::now()), period: kept.apart() }
    }

    fn set_period(&self, period: Duration) {
        self.kept.lock().period = period.max(PERIOD_MIN);
    }
}

#[cfg(test)]
mod tests;
