//! Closed loops: each of some connections makes its next call when the last one is answered, in alternating rounds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::measure::{Figure, nanoseconds, percentile, settings};
use crate::wire::{Call, Connection, Target};

/// Connections of a loop where nothing else is said: DESIGN.md, section 9.
pub(crate) const CONNECTIONS: usize = 8;
/// For so long a loop runs before its first round, unmeasured.
const WARM_UP: Duration = Duration::from_millis(150);

/// After so long without a call connections of HTTP are made anew: servers close what idles, and others' rounds take long.
const IDLE_MAX: Duration = Duration::from_secs(5);

/// How a loop calls.
#[derive(Debug, Clone, Copy)]
pub(crate) struct How {
    pub(crate) connections: usize,
    /// For so long it runs before its first round, unmeasured.
    pub(crate) warm_up: Duration,
    /// Whether each call is made once at most: calls that make something. There have to be enough of them.
    pub(crate) is_once: bool,
}

impl Default for How {
    fn default() -> Self {
        Self { connections: CONNECTIONS, warm_up: WARM_UP, is_once: false }
    }
}

/// Calls of one kind, and the connections that make them.
#[derive(Debug)]
pub(crate) struct Loop {
    pub(crate) what: String,
    calls: Arc<Vec<Call>>,
    connections: Vec<Connection>,
    target: Target,
    /// When the last round ended.
    used_at: Instant,
    /// Calls of each connection's share that were made, where each is made once.
    spent: Option<Vec<usize>>,
    rates: Vec<f64>,
    times: Vec<u32>,
    answer_bytes: u64,
    /// Seconds of all cores that the server and the generator took.
    cpu_s: Option<(f64, f64)>,
}

impl Loop {
    /// Connects, and makes each connection's first call, so that a call that fails fails here.
    pub(crate) async fn open(what: impl Into<String>, target: &Target, calls: Vec<Call>) -> Result<Self> {
        Self::open_as(How::default(), what, target, calls).await
    }

    /// The same in another way.
    pub(crate) async fn open_as(how: How, what: impl Into<String>, target: &Target, calls: Vec<Call>) -> Result<Self> {
        let what = what.into();
        let first = calls.first().with_context(|| format!("{what}: there is nothing to call"))?.clone();
        let mut connections = Vec::with_capacity(how.connections);
        for _ in 0..how.connections {
            let mut connection = target.connect().await.with_context(|| what.clone())?;
            connection.call(&first).await.with_context(|| what.clone())?;
            connections.push(connection);
        }
        let mut made = Self {
            what,
            calls: Arc::new(calls),
            connections,
            target: target.clone(),
            used_at: Instant::now(),
            spent: how.is_once.then(|| vec![0; how.connections]),
            rates: Vec::new(),
            times: Vec::new(),
            answer_bytes: 0,
            cpu_s: None,
        };
        made.run(how.warm_up).await?;
        (made.rates, made.times, made.answer_bytes) = (Vec::new(), Vec::new(), 0);
        Ok(made)
    }

    /// One round beside a server's process, whose time is counted.
    async fn run_beside(&mut self, slice: Duration, server: u32) -> Result<()> {
        let before = (cpu_seconds(server)?, cpu_seconds(std::process::id())?);
        self.run(slice).await?;
        let after = (cpu_seconds(server)?, cpu_seconds(std::process::id())?);
        let all = self.cpu_s.get_or_insert_default();
        *all = (all.0 + after.0 - before.0, all.1 + after.1 - before.1);
        Ok(())
    }

    /// One round; the time that 99 of 100 of its own calls stay within, in microseconds.
    pub(crate) async fn round(&mut self) -> Result<Option<f64>> {
        let before = self.times.len();
        self.run(settings::slice()).await?;
        let mut own = self.times[before..].to_vec();
        own.sort_unstable();
        Ok(percentile(&own, 99))
    }

    /// One round.
    #[expect(clippy::cast_precision_loss, reason = "counts of calls")]
    async fn run(&mut self, slice: Duration) -> Result<()> {
        if self.used_at.elapsed() >= IDLE_MAX && matches!(self.target, Target::Http1(_) | Target::Http2(_)) {
            for connection in &mut self.connections {
                *connection = self.target.connect().await.with_context(|| self.what.clone())?;
            }
        }
        let start = Instant::now();
        let mut running = tokio::task::JoinSet::new();
        let of = self.connections.len();
        for (number, mut connection) in std::mem::take(&mut self.connections).into_iter().enumerate() {
            let calls = Arc::clone(&self.calls);
            // Each connection begins elsewhere in the pool, and elsewhere in each round.
            let share = number * calls.len() / of..(number + 1) * calls.len() / of;
            let (first, most) = match &self.spent {
                Some(spent) => (share.start + spent[number], share.len() - spent[number]),
                None => ((share.start + self.times.len()) % calls.len(), usize::MAX),
            };
            running.spawn(async move {
                let (mut times, mut bytes) = (Vec::with_capacity(16 * 1024), 0);
                for call in calls[first..].iter().chain(calls.iter().cycle()).take(most) {
                    let began = Instant::now();
                    bytes += connection.call(call).await? as u64;
                    times.push(nanoseconds(began));
                    if start.elapsed() >= slice {
                        break;
                    }
                }
                ensure!(times.len() < most, "there are too few calls to make each once");
                Ok::<_, anyhow::Error>((number, connection, times, bytes))
            });
        }
        let mut made = 0;
        while let Some(done) = running.join_next().await {
            let (number, connection, times, bytes) = done?.with_context(|| self.what.clone())?;
            made += times.len();
            if let Some(spent) = &mut self.spent {
                spent[number] += times.len();
            }
            self.times.extend(times);
            self.answer_bytes += bytes;
            self.connections.push(connection);
        }
        self.rates.push(made as f64 / start.elapsed().as_secs_f64());
        self.used_at = Instant::now();
        Ok(())
    }

    /// All rounds.
    #[expect(clippy::cast_precision_loss, reason = "a count of calls")]
    pub(crate) fn figure(mut self) -> Figure {
        let calls = self.times.len().max(1);
        let note = format!("{} bytes an answer", self.answer_bytes / calls as u64);
        let mut figure = Figure::of(self.what, "/s", self.rates).with_times(&mut self.times).with_note(note);
        let a_call = |seconds: f64| seconds * 1e6 / calls as f64;
        figure.server_us = self.cpu_s.map(|(server, _)| a_call(server));
        figure.generator_us = self.cpu_s.map(|(_, generator)| a_call(generator));
        figure.spent = self.spent.map(|spent| spent.iter().sum());
        figure
    }
}

/// Runs the loops in turn, round by round, and holds each against the first. Counts the time of the server's process,
/// where one is named.
///
/// So a disturbance of the machine meets all of them, and a ratio says more than two rates. Each round begins with
/// another one, so that none has the same neighbour's heat, or the first place, each time.
pub(crate) async fn alternate(mut loops: Vec<Loop>, server: Option<u32>) -> Result<Vec<Figure>> {
    let count = loops.len().max(1);
    for round in 0..settings::socket_rounds() {
        for place in 0..loops.len() {
            let each = &mut loops[(round + place) % count];
            match server {
                Some(server) => each.run_beside(settings::slice(), server).await?,
                None => each.run(settings::slice()).await?,
            }
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

/// Runs both loops at once, round by round, without holding one against the other.
pub(crate) async fn together(mut one: Loop, mut other: Loop) -> Result<[Figure; 2]> {
    for _ in 0..settings::socket_rounds() {
        tokio::try_join!(one.run(settings::slice()), other.run(settings::slice()))?;
    }
    Ok([one.figure(), other.figure()])
}

/// Seconds of all cores that a process has taken, its threads included; counted in hundredths.
fn cpu_seconds(process: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name stands in parentheses and may hold anything. User and system time are the 12th and 13th after it.
    let after = stat.rsplit_once(')').context("a process has a name")?.1;
    let ticks = |at: usize| -> Result<f64> { Ok(after.split_whitespace().nth(at).context("a field")?.parse()?) };
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}
