//! Whether Redis keeps what it acknowledges, for as long as it is used: anybody may set it otherwise, and another node take over.
//!
//! What a start refuses is refused later, too: nothing is written while a node may lose it, and reads go on. The node of each new
//! connection for writes is looked at before anything goes there, and all nodes now and then. Where that cannot be asked, what
//! was found last holds: whoever follows says that Redis does not answer.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use parking_lot::Mutex;
use redis::RedisResult;
use redis::aio::MultiplexedConnection;
use tokio::sync::{Notify, oneshot};
use tracing::{error, info, warn};

use super::deployment::{self, Danger, Found};
use super::node::Nodes;

/// Between two looks at all nodes: for so long writes may be acknowledged after somebody set Redis otherwise.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// The same while nothing is written.
const LOOK_AGAIN_EVERY: Duration = Duration::from_secs(1);
/// From a new connection to the look that it brings about: where one was lost, all are made anew.
const LOOK_SOON: Duration = Duration::from_millis(200);
/// After a look that panicked, of which the next one may too.
const PANIC_PAUSE: Duration = Duration::from_secs(30);

/// What is known of the nodes.
#[derive(Debug)]
pub(super) struct Safety {
    state: Mutex<State>,
    wakes: Notify,
    /// Whether the configuration takes it as it is.
    allows_loss: bool,
}

#[derive(Debug, Default)]
struct State {
    found: Found,
    /// How often a danger was found at a connection: a look that began before may not know of it.
    alarms: u64,
}

impl Safety {
    pub(super) fn new(allows_loss: bool) -> Self {
        Self { state: Mutex::default(), wakes: Notify::new(), allows_loss }
    }

    /// What may lose what is acknowledged, the first of it; `None` where nothing does. It names no address.
    pub(super) fn danger(&self) -> Option<String> {
        self.state.lock().found.dangers.first().map(|danger| danger.told.clone())
    }

    /// Why nothing is written, for callers; `None` where writes go on. Which node it is stands in the log.
    pub(super) fn refusal(&self) -> Option<String> {
        let danger = self.danger().filter(|_| !self.allows_loss)?;
        Some(format!("{danger}; nothing is written until then"))
    }

    /// Has all nodes looked at in a moment.
    pub(super) fn look_soon(&self) {
        self.wakes.notify_one();
    }

    /// Looks at the node of a new connection for writes.
    pub(super) async fn check(&self, connection: &mut MultiplexedConnection) -> RedisResult<()> {
        let dangers = deployment::look_at_master(connection).await?;
        if dangers.is_empty() {
            return Ok(());
        }
        let mut news = Vec::new();
        let mut state = self.state.lock();
        state.alarms += 1;
        for danger in dangers {
            if !state.found.dangers.contains(&danger) {
                news.push(danger.clone());
                state.found.dangers.push(danger);
            }
        }
        drop(state);
        self.tell(&news);
        // When it is mended that has to be found soon.
        self.look_soon();
        Ok(())
    }

    /// Takes what a look at all nodes found, and tells what of it is news.
    pub(super) fn take(&self, found: Found) {
        let mut state = self.state.lock();
        let dangers: Vec<Danger> =
            found.dangers.iter().filter(|danger| !state.found.dangers.contains(danger)).cloned().collect();
        let remarks: Vec<String> =
            found.remarks.iter().filter(|remark| !state.found.remarks.contains(remark)).cloned().collect();
        let is_mended = found.dangers.is_empty() && !state.found.dangers.is_empty();
        state.found = found;
        drop(state);
        self.tell(&dangers);
        remarks.iter().for_each(|remark| warn!("{remark}"));
        if is_mended {
            info!("Redis keeps what it acknowledges again: writes go on");
        }
    }

    fn alarms(&self) -> u64 {
        self.state.lock().alarms
    }

    fn tell(&self, dangers: &[Danger]) {
        for Danger { named, .. } in dangers {
            if self.allows_loss {
                warn!("{named}");
            } else {
                error!("{named}; nothing is written until then");
            }
        }
    }
}

/// Looks at all nodes now and then, until the other end of `ends` closes.
pub(super) async fn keep_looking(nodes: Arc<Nodes>, ends: oneshot::Receiver<()>) {
    tokio::select! {
        _ = ends => {}
        () = look_anyway(&nodes) => {}
    }
}

/// Looks on, whatever becomes of a look. Never ends.
async fn look_anyway(nodes: &Nodes) {
    loop {
        // What is shared with it is changed at once or not at all.
        if AssertUnwindSafe(look_on(nodes)).catch_unwind().await.is_err() {
            tokio::time::sleep(PANIC_PAUSE).await;
        }
    }
}

async fn look_on(nodes: &Nodes) {
    let (safety, mut is_known) = (&nodes.safety, true);
    loop {
        let pause = if safety.refusal().is_some() { LOOK_AGAIN_EVERY } else { LOOK_EVERY };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = safety.wakes.notified() => tokio::time::sleep(LOOK_SOON).await,
        }
        let alarms = safety.alarms();
        match deployment::look(nodes).await {
            Ok(found) => {
                is_known = true;
                // What a connection showed meanwhile is looked at once more.
                if safety.alarms() == alarms {
                    safety.take(found);
                }
            }
            Err(cause) => {
                if is_known {
                    info!(%cause, "whether Redis keeps what it acknowledges cannot be asked now");
                }
                is_known = false;
            }
        }
    }
}
