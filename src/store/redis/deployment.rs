//! Before anything is served: whether this Redis keeps what it acknowledges, and whether its data is ours.

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{RedisResult, cmd};
use tracing::warn;

use super::super::Error;
use super::config::Settings;
use super::keys::{self, Names};
use super::trouble::Trouble;

/// How keys and values are laid out; another number is another waymark's.
pub(super) const FORMAT: &str = "1";
/// The format of a deployment that a migration did not finish: no waymark serves it, those that know nothing of migrations
/// neither.
pub(super) const UNFINISHED: &str = "unfinished migration";
/// The first Redis with scripts that refuse before they write.
const MAJOR_MIN: u32 = 7;

/// Refuses a Redis that may lose what it acknowledged, unless the configuration allows that.
pub(super) async fn check_safety(settings: &Settings, connection: &mut MultiplexedConnection) -> Result<(), Error> {
    let unsafe_is = dangers(settings, connection).await.map_err(|cause| Trouble::of_read(&cause))?;
    let Some(danger) = unsafe_is.first() else { return Ok(()) };
    if settings.allow_data_loss {
        unsafe_is.iter().for_each(|danger| warn!(danger, "this Redis may lose what it acknowledged"));
        return Ok(());
    }
    let cause = format!("this Redis may lose what it acknowledged: {danger}; or set redis.allow_data_loss = true");
    Err(Error::Configuration { cause })
}

async fn dangers(settings: &Settings, connection: &mut MultiplexedConnection) -> RedisResult<Vec<String>> {
    let mut dangers = Vec::new();
    let server: String = cmd("INFO").arg("server").query_async(connection).await?;
    // Valkey, which went on from Redis 7.2, says so in a line of the same name.
    let version = server.lines().find_map(|line| line.strip_prefix("redis_version:")).unwrap_or_default();
    let major = version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0_u32);
    if major < MAJOR_MIN {
        dangers.push(format!("it is version {version:?}, and scripts are safe from Redis {MAJOR_MIN} on"));
    }
    let mut setting = async |name: &str| -> RedisResult<Option<String>> {
        let told: RedisResult<Vec<String>> = cmd("CONFIG").arg("GET").arg(name).query_async(connection).await;
        Ok(told.map(|told| told.get(1).cloned()).unwrap_or_default())
    };
    match setting("appendonly").await?.as_deref() {
        Some("yes") => {}
        Some(_) => dangers.push("it writes no append-only file: set appendonly yes".to_owned()),
        None => dangers.push("its configuration cannot be read: allow CONFIG GET to the user".to_owned()),
    }
    if setting("appendfsync").await?.as_deref() == Some("no") {
        dangers.push("it never syncs its append-only file: set appendfsync always, or everysec".to_owned());
    }
    let is_bounded = setting("maxmemory").await?.is_some_and(|bytes| bytes != "0");
    let policy = setting("maxmemory-policy").await?.unwrap_or_default();
    if is_bounded && policy.starts_with("allkeys-") {
        dangers.push(format!("it evicts records when memory is short ({policy}): set maxmemory-policy noeviction"));
    }
    if settings.wait_replicas > 0 {
        let replication: String = cmd("INFO").arg("replication").query_async(connection).await?;
        let there = replication.lines().find_map(|line| line.strip_prefix("connected_slaves:"));
        let there = there.and_then(|count| count.trim().parse().ok()).unwrap_or(0_u32);
        if there < settings.wait_replicas {
            dangers.push(format!("redis.wait_replicas is {}, and it has {there} replicas", settings.wait_replicas));
        }
    }
    Ok(dangers)
}

/// Whether each write is on the disk before it is answered. One that does not tell is taken for one that syncs later.
pub(super) async fn syncs_each_write(connection: &mut MultiplexedConnection) -> bool {
    let told: RedisResult<Vec<String>> = cmd("CONFIG").arg("GET").arg("appendfsync").query_async(connection).await;
    told.is_ok_and(|told| told.get(1).is_some_and(|value| value == "always"))
}

/// Takes part in the deployment of this prefix, or begins it. Answers its id.
pub(super) async fn join(
    settings: &Settings,
    new_id: &str,
    connection: &mut impl ConnectionLike,
) -> Result<String, Error> {
    let key = Names::deployment(&settings.prefix);
    let partitions = settings.partitions.to_string();
    let joined: RedisResult<(String, String, String)> = async {
        let mut begin = redis::pipe();
        begin.atomic();
        for (field, value) in [("id", new_id), ("format", FORMAT), ("partitions", &partitions)] {
            begin.cmd("HSETNX").arg(&key).arg(field).arg(value).ignore();
        }
        begin.cmd("HMGET").arg(&key).arg("id").arg("format").arg("partitions");
        let (found,): ((String, String, String),) = begin.query_async(connection).await?;
        Ok(found)
    }
    .await;
    let (id, format, found) = joined.map_err(|cause| Trouble::of_read(&cause))?;
    check_format(&key, &format)?;
    check_partitions(&key, &found, settings.partitions)?;
    Ok(id)
}

/// Refuses data that this waymark does not read.
pub(super) fn check_format(key: &str, format: &str) -> Result<(), Error> {
    let cause = match format {
        FORMAT => return Ok(()),
        UNFINISHED => format!(
            "{key} in Redis is of a migration that did not come to its end: run `waymark migrate` again, or choose another \
             redis.prefix"
        ),
        _ => format!(
            "{key} in Redis has format {format:?}, and this waymark reads {FORMAT:?}: run the waymark that wrote it"
        ),
    };
    Err(Error::Configuration { cause })
}

/// Refuses another number of partitions than the deployment began with.
pub(super) fn check_partitions(key: &str, found: &str, partitions: u16) -> Result<(), Error> {
    if found == partitions.to_string() {
        return Ok(());
    }
    let cause = format!(
        "{key} in Redis has {found} partitions, and redis.partitions is {partitions}: the number of a deployment never changes"
    );
    Err(Error::Configuration { cause })
}

/// The slot of the deployment's own key.
pub(super) fn slot(settings: &Settings) -> u16 {
    keys::slot(&Names::deployment(&settings.prefix))
}
