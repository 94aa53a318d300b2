//! A reload that was asked for: takes every file that changed, once all of them have come to rest.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{sleep, timeout};
use tracing::error;

use super::{Databases, Reloaded};
use crate::geoip::database::Fingerprint;
use crate::geoip::error::Error;

/// For so long a file must not have changed before it is read. Copies and downloads write more often than that.
pub(super) const SETTLE: Duration = Duration::from_secs(2);
/// For so long a reload waits for the files to come to rest; after that watching goes on with them. Three times
/// [`SETTLE`], and of the 10 s that a call of the API has it leaves some for reading.
const SETTLE_TIME_MAX: Duration = Duration::from_secs(7);

impl Databases {
    /// Takes every file that changed, now, and says what became of each. Files that are still being written are waited
    /// for, all at the same time, up to some seconds. Look-ups go on meanwhile. A second reload waits for the first.
    ///
    /// What has begun goes on when its caller goes away, so that no file is left half read; who still waits for another
    /// reload leaves nothing behind.
    pub async fn reload(self: &Arc<Self>) -> Vec<Reloaded> {
        let alone = Arc::clone(&self.reloading).lock_owned().await;
        let databases = Arc::clone(self);
        let reloading = tokio::spawn(async move {
            let outcomes = databases.reload_each().await;
            drop(alone);
            outcomes
        });
        reloading.await.unwrap_or_else(|fault| {
            error!("the reload of the GeoIP databases broke off: {fault}");
            Vec::new()
        })
    }

    /// One file after the other is taken, so that one of them at most is in memory twice.
    async fn reload_each(&self) -> Vec<Reloaded> {
        let count = self.slots.lock().len();
        let settled = join_all((0..count).map(|at| self.settled(at))).await;
        let mut outcomes = Vec::with_capacity(count);
        for (at, settled) in settled.into_iter().enumerate() {
            let outcome = match settled {
                Ok(state) => self.take(at, state).await,
                Err(fault) => self.fail(at, None, &fault),
            };
            self.tell_age(at);
            outcomes.push(outcome);
        }
        outcomes
    }

    /// The state of a slot's file, once it has come to rest.
    async fn settled(&self, at: usize) -> Result<Fingerprint, Error> {
        let resting = async {
            let mut state = self.look_at(at).await?;
            loop {
                let rested_s = (self.clock)().as_second().saturating_sub(state.changed_at_s());
                if u64::try_from(rested_s).is_ok_and(|rested_s| rested_s > self.settle.as_secs()) {
                    return Ok(state);
                }
                // The file's clock may be another machine's, so that it is not trusted to say that a file is fresh.
                sleep(self.settle).await;
                let later = self.look_at(at).await?;
                if later == state {
                    return Ok(state);
                }
                state = later;
            }
        };
        let changing = || Error::Changing { path: self.slots.lock()[at].file.path.clone() };
        timeout(SETTLE_TIME_MAX, resting).await.unwrap_or_else(|_| Err(changing()))
    }
}
