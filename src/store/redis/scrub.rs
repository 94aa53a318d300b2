//! Taking what was overwritten and deleted out of Redis' files: the streams' entries, and then the append-only file anew.

use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{RedisResult, cmd};

use super::super::Error;
use super::trouble::Trouble;
use super::{Call, Redis};

/// The longest that a rewrite may take.
const REWRITE_MAX: Duration = Duration::from_mins(10);
/// Time between two looks at how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Cuts all streams, and has every master write its file anew. A replica that had not read what is cut reads everything anew.
pub(super) async fn scrub(store: &Redis) -> Result<(), Error> {
    for lane in &store.lanes {
        let mut cut = cmd("XTRIM");
        cut.arg(store.names.stream(lane.partition)).arg("MAXLEN").arg(0);
        store.ask::<u64>(lane, Call::One(&cut)).await?;
    }
    for mut master in store.nodes.masters().await.map_err(|cause| Trouble::of_read(&cause))? {
        rewrite(&mut master).await?;
    }
    Ok(())
}

async fn rewrite(master: &mut MultiplexedConnection) -> Result<(), Error> {
    let told = |cause| Trouble::of_read(&cause);
    let end = Instant::now() + REWRITE_MAX;
    // One that runs began before the records went.
    wait(master, end).await?;
    cmd("BGREWRITEAOF").query_async::<()>(master).await.map_err(told)?;
    wait(master, end).await?;
    let persistence = persistence(master).await.map_err(told)?;
    if persistence.contains("aof_enabled:1") && !persistence.contains("aof_last_bgrewrite_status:ok") {
        return Err(Error::Unavailable {
            cause: "Redis could not write its append-only file anew: see its log".into(),
        });
    }
    Ok(())
}

/// Waits until no rewrite runs or is about to.
async fn wait(master: &mut MultiplexedConnection, end: Instant) -> Result<(), Error> {
    loop {
        let text = persistence(master).await.map_err(|cause| Trouble::of_read(&cause))?;
        if !text.contains("aof_rewrite_in_progress:1") && !text.contains("aof_rewrite_scheduled:1") {
            return Ok(());
        }
        if Instant::now() > end {
            return Err(Error::Unavailable { cause: "Redis takes too long to write its append-only file anew".into() });
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn persistence(master: &mut MultiplexedConnection) -> RedisResult<String> {
    cmd("INFO").arg("persistence").query_async(master).await
}
