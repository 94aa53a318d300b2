//! The connection of a partition for reads, which all readers share: whatever goes wrong with it, the next one is new.

use std::time::{Duration, Instant};

use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, RedisError, RedisResult};

use super::READ_MAX;
use super::node::Nodes;

/// The connection, and how many there were before it.
type Numbered = (u64, MultiplexedConnection);

/// The connection of a partition for reads.
#[derive(Debug)]
pub(super) struct Reader {
    present: Mutex<Option<Numbered>>,
    /// Held by the one who makes a new connection.
    making: tokio::sync::Mutex<u64>,
}

impl Reader {
    pub(super) fn new(connection: MultiplexedConnection) -> Self {
        Self { present: Mutex::new(Some((0, connection))), making: tokio::sync::Mutex::new(0) }
    }

    fn present(&self) -> Option<Numbered> {
        self.present.lock().clone()
    }

    /// The connection and its number. Where it has to be made one does that, and the others wait until `end`, not each for its turn.
    pub(super) async fn get(&self, nodes: &Nodes, slot: u16, end: Instant) -> RedisResult<Numbered> {
        if let Some(present) = self.present() {
            return Ok(present);
        }
        let make = async {
            let mut number = self.making.lock().await;
            // Somebody may have made it meanwhile.
            if let Some(present) = self.present() {
                return Ok(present);
            }
            let made = nodes.connect(slot, Some(READ_MAX)).await?;
            *number += 1;
            *self.present.lock() = Some((*number, made.clone()));
            Ok((*number, made))
        };
        // The last one who comes still has a moment.
        let left = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        tokio::time::timeout(left, make)
            .await
            .unwrap_or_else(|_| Err(RedisError::from((ErrorKind::Io, "no node of Redis was reached in time"))))
    }

    /// The connection of this number failed.
    pub(super) fn forget(&self, number: u64) {
        let mut present = self.present.lock();
        if present.as_ref().is_some_and(|(at, _)| *at == number) {
            *present = None;
        }
    }
}
