//! Who of Redis' own replicas has to have a batch before it is acknowledged.

use std::sync::atomic::{AtomicBool, Ordering};

use redis::{Value, cmd};

use super::super::{Error, Mutation};
use super::Redis;
use super::config::Mode;
use super::lane::Lane;

/// Whether a master that a lease was written to ever had a replica. One that had keeps to it: cut off from all of them it looks
/// just as one that never had any.
#[derive(Debug, Default)]
pub(super) struct Followed(AtomicBool);

impl Redis {
    /// How many replicas of Redis have to have a batch. With a lease in it one, where another node may take over: a master that is
    /// cut off must not renew what the other side cannot see.
    pub(super) async fn replicas_for(&self, lane: &Lane, batch: &[Mutation]) -> Result<u32, Error> {
        let settings = &self.nodes.settings;
        let is_exclusive = batch.iter().any(|mutation| mutation.key.kind.is_exclusive());
        if settings.wait_replicas > 0 || settings.mode == Mode::Single || !is_exclusive {
            return Ok(settings.wait_replicas);
        }
        self.look_for_replicas(lane).await?;
        Ok(u32::from(self.followed.0.load(Ordering::Relaxed)))
    }

    /// Takes note of the replicas that a partition's master has now.
    pub(super) async fn look_for_replicas(&self, lane: &Lane) -> Result<(), Error> {
        if self.nodes.settings.mode != Mode::Single && !self.followed.0.load(Ordering::Relaxed) {
            let role: Vec<Value> = self.ask(lane, &cmd("ROLE")).await?;
            let is_followed = matches!(role.get(2), Some(Value::Array(replicas)) if !replicas.is_empty());
            self.followed.0.fetch_or(is_followed, Ordering::Relaxed);
        }
        Ok(())
    }
}
