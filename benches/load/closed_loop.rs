//! Closed loops: each of some connections makes its next call when the last one is answered, in alternating rounds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::measure::{Figure, nanoseconds, settings};
use crate::wire::{Call, Connection, Target};

/// Connections of a loop: DESIGN.md, section 9.
pub(crate) const CONNECTIONS: usize = 8;
/// For so long a loop runs before its first round, unmeasured.
const WARM_UP: Duration = Duration::from_millis(150);

/// Calls of one kind, and the connections that make them.
#[derive(Debug)]
pub(crate) struct Loop {
    pub(crate) what: String,
    calls: Arc<Vec<Call>>,
    connections: Vec<Connection>,
    rates: Vec<f64>,
    times: Vec<u32>,
    answer_bytes: u64,
}

impl Loop {
    /// Connects, and makes each connection's first call, so that a call that fails fails here.
    pub(crate) async fn open(what: impl Into<String>, target: &Target, calls: Vec<Call>) -> Result<Self> {
        let what = what.into();
        let first = calls.first().with_context(|| format!("{what}: there is nothing to call"))?.clone();
        let mut connections = Vec::with_capacity(CONNECTIONS);
        for _ in 0..CONNECTIONS {
            let mut connection = target.connect().await.with_context(|| what.clone())?;
            connection.call(&first).await.with_context(|| what.clone())?;
            connections.push(connection);
        }
        let mut made =
            Self { what, calls: Arc::new(calls), connections, rates: Vec::new(), times: Vec::new(), answer_bytes: 0 };
        made.run(WARM_UP).await?;
        (made.rates, made.times, made.answer_bytes) = (Vec::new(), Vec::new(), 0);
        Ok(made)
    }

    /// One round.
    #[expect(clippy::cast_precision_loss, reason = "counts of calls")]
    async fn run(&mut self, slice: Duration) -> Result<()> {
        let start = Instant::now();
        let mut running = tokio::task::JoinSet::new();
        for (number, mut connection) in std::mem::take(&mut self.connections).into_iter().enumerate() {
            let calls = Arc::clone(&self.calls);
            // Each connection begins elsewhere in the pool, and elsewhere in each round.
            let first = (number * calls.len() / CONNECTIONS + self.times.len()) % calls.len();
            running.spawn(async move {
                let (mut times, mut bytes) = (Vec::with_capacity(16 * 1024), 0);
                for call in calls[first..].iter().chain(calls.iter().cycle()) {
                    let began = Instant::now();
                    bytes += connection.call(call).await? as u64;
                    times.push(nanoseconds(began));
                    if start.elapsed() >= slice {
                        break;
                    }
                }
                Ok::<_, anyhow::Error>((connection, times, bytes))
            });
        }
        let mut made = 0;
        while let Some(done) = running.join_next().await {
            let (connection, times, bytes) = done?.with_context(|| self.what.clone())?;
            made += times.len();
            self.times.extend(times);
            self.answer_bytes += bytes;
            self.connections.push(connection);
        }
        self.rates.push(made as f64 / start.elapsed().as_secs_f64());
        Ok(())
    }

    fn figure(mut self) -> Figure {
        let mean = self.answer_bytes / self.times.len().max(1) as u64;
        Figure::of(self.what, "/s", self.rates).with_times(&mut self.times).with_note(format!("{mean} bytes an answer"))
    }
}

/// Runs the loops in turn, round by round, and holds each against the first.
///
/// So a disturbance of the machine meets all of them, and a ratio says more than two rates.
pub(crate) async fn alternate(mut loops: Vec<Loop>) -> Result<Vec<Figure>> {
    for _ in 0..settings::rounds() {
        for each in &mut loops {
            each.run(settings::slice()).await?;
        }
    }
    let mut figures: Vec<Figure> = loops.into_iter().map(Loop::figure).collect();
    if let Some((first, others)) = figures.split_first_mut() {
        for figure in others {
            *figure = figure.clone().against(first);
        }
    }
    Ok(figures)
}
