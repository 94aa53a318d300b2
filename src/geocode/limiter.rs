//! How often a server may be asked: behind small traits, so that a limit can be shared by a whole fleet.
//!
//! A limit belongs to a server and not to a configuration: it lives as long as the process. `turns` shares it out
//! between those who wait, `pace` keeps requests apart; a fleet needs another pace and nothing else.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::cached::SharedAnswers;
use super::inquiry::Asker;
use super::pace::LocalPace;
use super::turns::Turns;

/// There is no turn in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoTurn {
    /// When there may be one.
    pub retry_after: Duration,
}

/// A limit of requests to one server.
#[async_trait]
pub trait Limiter: Send + Sync + std::fmt::Debug {
    /// Waits for a turn, which goes round between askers, and among equals first come first served. Whoever cannot have
    /// one until `latest` is told so at once, as far as can be foreseen, and at `latest` at the latest. Whoever stops
    /// waiting takes none.
    async fn turn(&self, asker: Asker, latest: Instant) -> Result<(), NoTurn>;
}

/// Where limiters come from. The same server has the same limiter for ever.
pub trait Limits: Send + Sync + std::fmt::Debug {
    /// The limiter of a server. A server that was not known gives one turn each `period`; one that was keeps to its own.
    fn limiter(&self, server: &str, period: Duration) -> Arc<dyn Limiter>;

    /// From now on a server that is known gives one turn each `period`, counted from its last one.
    fn keep_to(&self, server: &str, period: Duration);

    /// The answers of all who share the limits; `None` where nobody does.
    fn answers(&self) -> Option<Arc<dyn SharedAnswers>> {
        None
    }
}

/// Limits of this process alone: one for each server that was ever configured.
#[derive(Debug, Default)]
pub struct LocalLimits {
    made: Mutex<HashMap<String, Arc<Turns>>>,
}

impl Limits for LocalLimits {
    fn limiter(&self, server: &str, period: Duration) -> Arc<dyn Limiter> {
        let mut made = self.made.lock();
        let new = || Arc::new(Turns::new(Arc::new(LocalPace::new(period))));
        Arc::clone(made.entry(server.to_owned()).or_insert_with(new)) as _
    }

    fn keep_to(&self, server: &str, period: Duration) {
        if let Some(turns) = self.made.lock().get(server) {
            turns.set_period(period);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    const PERIOD: Duration = Duration::from_secs(1);

    #[test]
    fn the_same_server_has_the_same_limiter() {
        let limits = LocalLimits::default();
        let of = |server, period| Arc::as_ptr(&limits.limiter(server, period)).cast::<()>();
        assert_eq!(of("a", PERIOD), of("a", PERIOD * 2));
        assert_ne!(of("a", PERIOD), of("b", PERIOD));
    }

    /// A reload that changed the rate, or was refused, made a limiter that knew nothing of the turns before it.
    #[tokio::test(start_paused = true)]
    async fn another_period_forgets_no_turn() {
        let limits = LocalLimits::default();
        let turn = |period| {
            let limiter = limits.limiter("a", period);
            async move { limiter.turn(Asker::default(), Instant::now()).await }
        };
        assert_eq!(turn(PERIOD).now_or_never(), Some(Ok(())));
        let refused = Some(Err(NoTurn { retry_after: PERIOD }));
        assert_eq!(turn(PERIOD * 60).now_or_never(), refused, "asking for a limiter changes nothing");
        limits.keep_to("a", PERIOD * 60);
        assert_eq!(turn(PERIOD).now_or_never(), Some(Err(NoTurn { retry_after: PERIOD * 60 })));
        limits.keep_to("a", PERIOD);
        tokio::time::advance(PERIOD).await;
        assert_eq!(turn(PERIOD).now_or_never(), Some(Ok(())));
    }
}
