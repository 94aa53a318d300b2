//! Taking what was overwritten and deleted out of Redis' files: the streams' entries, then each node's files anew.

use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{RedisResult, Value, cmd};

use super::super::Error;
use super::config::Mode;
use super::trouble::Trouble;
use super::{Redis, script};

/// The longest that one node may take to write a file anew.
const REWRITE_MAX: Duration = Duration::from_mins(10);
/// The longest that a replica of Redis may be behind its master.
const BEHIND_MAX: Duration = Duration::from_secs(30);
/// Time between two looks at how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// For so long followers may read what is cut then: those that keep up notice nothing.
const GRACE: Duration = Duration::from_secs(2);

/// Cuts all streams up to where they stand, and has every node write its files anew, replicas too. A follower that had not read
/// what is cut reads everything anew. Fails where a node is not reached.
pub(super) async fn scrub(store: &Redis) -> Result<(), Error> {
    let mut ends = Vec::with_capacity(store.lanes.len());
    for lane in &store.lanes {
        ends.push(store.head(lane).await?.map_or(0, |head| head.position.sequence));
    }
    tokio::time::sleep(GRACE).await;
    for (lane, end) in store.lanes.iter().zip(ends) {
        let mut cut = script::call(&script::CUT);
        cut.arg(1).arg(store.names.stream(lane.partition)).arg(format!("{}-0", end + 1));
        store.ask::<()>(lane, &cut).await?;
    }
    for mut master in store.nodes.masters().await.map_err(told)? {
        let written = offset(&mut master, 1).await.map_err(told)?;
        let replicas = store.nodes.replicas_of(&mut master).await.map_err(told)?;
        // Who was a replica may be master now, and the other way round.
        let is_copied = store.nodes.settings.mode != Mode::Single || !replicas.is_empty();
        for mut replica in replicas {
            catch_up(&mut replica, written).await?;
            rewrite(&mut replica, is_copied).await?;
        }
        rewrite(&mut master, is_copied).await?;
    }
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "an error that was made for it")]
fn told(cause: redis::RedisError) -> Error {
    Trouble::of_read(&cause)
}

/// How far a node's data goes, as `ROLE` says it at `place`: second of a master, fifth of a replica.
async fn offset(node: &mut MultiplexedConnection, place: usize) -> RedisResult<i64> {
    let role: Vec<Value> = cmd("ROLE").query_async(node).await?;
    role.get(place).cloned().map_or(Ok(0), redis::from_redis_value).map_err(Into::into)
}

/// Waits until a replica has everything up to an offset.
async fn catch_up(replica: &mut MultiplexedConnection, written: i64) -> Result<(), Error> {
    let end = Instant::now() + BEHIND_MAX;
    while offset(replica, 4).await.map_err(told)? < written {
        if Instant::now() > end {
            return Err(Error::Unavailable { cause: "a replica of Redis does not catch up with its master".into() });
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// Has a node write its append-only file anew, and its snapshot, if it has one: whoever makes none by itself still has the one by
/// which it began to copy its master, or was copied, and Redis never takes it away.
async fn rewrite(node: &mut MultiplexedConnection, is_copied: bool) -> Result<(), Error> {
    let end = Instant::now() + REWRITE_MAX;
    let save: Vec<String> = cmd("CONFIG").arg("GET").arg("save").query_async(node).await.map_err(told)?;
    let has_snapshot = is_copied || save.get(1).is_some_and(|save| !save.is_empty());
    for command in ["BGREWRITEAOF", "BGSAVE"].into_iter().take(1 + usize::from(has_snapshot)) {
        // One that runs began before the records went.
        wait(node, end).await?;
        while let Err(cause) = cmd(command).query_async::<()>(node).await {
            // Redis may have begun something of its own meanwhile.
            if Instant::now() > end || !cause.to_string().contains("child process is active") {
                return Err(told(cause));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
    let persistence = wait(node, end).await?;
    let is_bad = |line: &str| !persistence.contains(line);
    if persistence.contains("aof_enabled:1") && is_bad("aof_last_bgrewrite_status:ok")
        || has_snapshot && is_bad("rdb_last_bgsave_status:ok")
    {
        return Err(Error::Unavailable { cause: "Redis could not write its files anew: see its log".into() });
    }
    Ok(())
}

/// Waits until no file is being written anew, or about to be; what `INFO` says then.
async fn wait(node: &mut MultiplexedConnection, end: Instant) -> Result<String, Error> {
    const RUNNING: [&str; 3] = ["aof_rewrite_in_progress:1", "aof_rewrite_scheduled:1", "rdb_bgsave_in_progress:1"];
    loop {
        let text: String = cmd("INFO").arg("persistence").query_async(node).await.map_err(told)?;
        if !RUNNING.iter().any(|line| text.contains(line)) {
            return Ok(text);
        }
        if Instant::now() > end {
            return Err(Error::Unavailable { cause: "Redis takes too long to write its files anew".into() });
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
