//! Three times too much: what one account still gets done when it offers three times what the server can do, what the rest is told, and
//! what another account waits that asks a little meanwhile.
//!
//! `cargo bench --bench load -- overload`: the shape of many accounts, at the largest of `BENCH_SITES`, up to a million. The largest account
//! offers at a pace, whether it is answered or not, from a thread and a runtime of its own; the other one is the second largest.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use tokio::runtime::Builder;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::calls::Caller;
use crate::closed_loop::{How, Loop};
use crate::data::queries::{In, Queries};
use crate::data::{Plan, Shape};
use crate::measure::{Figure, Sheet, median, nanoseconds, percentile, settings};
use crate::server::Server;
use crate::wire::http2::End;
use crate::wire::{Call, Connection, Target};
use crate::{QUERIES, data, fill, searchable};

/// How much is offered of what can be done.
const TIMES: f64 = 3.0;
/// Connections in closed loops that find out what can be done.
const CLOSED: usize = 32;
/// Connections that offer, and calls under way on each at most: one carries 128. Together more than may wait for a place (4,096), or who
/// offers would wait, too.
const CONNECTIONS: usize = 64;
const CALLS_EACH: usize = 100;
/// From one look at what is due to the next.
const TICK: Duration = Duration::from_millis(2);
/// Calls a second of the other account.
const ASKED_PER_S: u32 = 50;
/// For so long it asks in each round, alone and then beside the overload: some hundred calls, so that there is a p99.
const ASKING: Duration = Duration::from_secs(8);
/// For so long it is offered too much before anything is counted: twice the longest wait for a place.
const WARM_UP: Duration = Duration::from_secs(2);
/// Accounts by their size: who offers too much, and who asks a little.
const NOISY: usize = 0;
const QUIET: usize = 1;

/// What became of calls that were offered.
#[derive(Debug, Default)]
struct Counts {
    sent: AtomicU64,
    answered: AtomicU64,
    refused: AtomicU64,
    /// Those among the refused that were told when to come again.
    advised: AtomicU64,
    failed: AtomicU64,
    /// Not sent, because as many as may be were under way.
    held: AtomicU64,
}

/// The counts at one moment, or of a time.
#[derive(Debug, Clone, Copy)]
struct Counted {
    sent: f64,
    answered: f64,
    refused: f64,
    advised: f64,
    failed: f64,
    held: f64,
}

impl Counts {
    #[expect(clippy::cast_precision_loss, reason = "counts of calls")]
    fn now(&self) -> Counted {
        let of = |count: &AtomicU64| count.load(Relaxed) as f64;
        Counted {
            sent: of(&self.sent),
            answered: of(&self.answered),
            refused: of(&self.refused),
            advised: of(&self.advised),
            failed: of(&self.failed),
            held: of(&self.held),
        }
    }

    fn count(&self, end: &Result<End>) {
        let count = match end {
            Ok(End::Answered) => &self.answered,
            Ok(End::Refused { advises }) => {
                self.advised.fetch_add(u64::from(*advises), Relaxed);
                &self.refused
            }
            Ok(End::Failed { .. }) | Err(_) => &self.failed,
        };
        count.fetch_add(1, Relaxed);
    }
}

impl Counted {
    fn since(self, before: Self) -> Self {
        Self {
            sent: self.sent - before.sent,
            answered: self.answered - before.answered,
            refused: self.refused - before.refused,
            advised: self.advised - before.advised,
            failed: self.failed - before.failed,
            held: self.held - before.held,
        }
    }

    /// Those that ended.
    fn ended(self) -> f64 {
        self.answered + self.refused + self.failed
    }
}

/// Measures an overload.
pub(crate) async fn measure() -> Result<()> {
    let sites = settings::sites_of_many(&settings::sites());
    let plan = Plan::new(Shape::Many, sites);
    let filled = fill::directory(Shape::Many, &plan).await?;
    let queries = Queries::new(&plan, &data::entry::maps(&plan, data::entry::of_name).0, QUERIES, 3);
    let server = Server::start(&filled.path)?;
    searchable::wait(&server, &filled).await?;
    let caller = Caller { address: server.address, filled: &filled };
    let noisy = caller.boxes(&of_account(&queries.boxes[1], NOISY)).context("boxes")?;
    let quiet = caller.nearest(&of_account(&queries.spots, QUIET)).context("spots")?;
    ensure!(!noisy.is_empty() && !quiet.is_empty(), "the accounts are too small: BENCH_SITES names more sites");
    let mut sheet = Sheet::new("overload", Shape::Many.name(), plan.len(), plan.accounts());
    let target = Target::Http2(server.address);
    let capacity = capacity(&target, noisy.clone()).await?;
    let (name, rate) = (capacity.what.clone(), capacity.value);
    sheet.add(capacity);
    let mut rounds = Vec::new();
    for _ in 0..settings::rounds() {
        rounds.push(Round::of(&target, &noisy, &quiet, rate * TIMES).await?);
    }
    tell(&mut sheet, &rounds, &name, rate);
    tell_other(&mut sheet, &rounds);
    sheet.write()?;
    server.end()
}

/// Those of one account.
fn of_account<T: Clone>(queries: &[In<T>], account: usize) -> Vec<In<T>> {
    queries.iter().filter(|query| query.0 == account).cloned().collect()
}

/// What can be done of these calls: by closed loops, which ask for no more.
async fn capacity(target: &Target, calls: Vec<Call>) -> Result<Figure> {
    let how = How { connections: CLOSED, ..How::default() };
    let what = format!("gRPC box, ~1,000 sites, of one account, {CLOSED} closed loops");
    let mut closed = Loop::open_as(how, what, target, calls).await?;
    for _ in 0..settings::socket_rounds() {
        closed.round().await?;
    }
    Ok(closed.figure())
}

/// What a round had.
#[derive(Debug)]
struct Round {
    counted: Counted,
    seconds: f64,
    alone: Vec<Asked>,
    beside: Vec<Asked>,
}

/// A call of the other account; times in nanoseconds.
#[derive(Debug, Clone, Copy)]
struct Asked {
    /// From when it was due to its sending: what the generator is behind.
    late: u32,
    /// From its sending to its answer; none where it was refused.
    answered: Option<u32>,
}

impl Round {
    async fn of(target: &Target, noisy: &[Call], quiet: &[Call], rate: f64) -> Result<Self> {
        let connection = target.connect().await?;
        let alone = ask(&connection, quiet).await?;
        let flood = Flood::start(target.clone(), noisy.to_vec(), rate)?;
        tokio::time::sleep(WARM_UP).await;
        let (before, begun) = (flood.counts.now(), Instant::now());
        let beside = ask(&connection, quiet).await?;
        let (counted, seconds) = (flood.counts.now().since(before), begun.elapsed().as_secs_f64());
        flood.end()?;
        Ok(Self { counted, seconds, alone, beside })
    }
}

/// Asks at its pace, whether it is answered or not.
async fn ask(connection: &Connection, calls: &[Call]) -> Result<Vec<Asked>> {
    let begun = Instant::now();
    let (period, mut number) = (Duration::from_secs(1) / ASKED_PER_S, 0);
    let mut running = JoinSet::new();
    while period * number < ASKING {
        let due = begun + period * number;
        tokio::time::sleep_until(due.into()).await;
        let (mut connection, call) = (connection.beside()?, calls[number as usize % calls.len()].clone());
        running.spawn(async move {
            let (late, sent) = (nanoseconds(due), Instant::now());
            let answered = match connection.end(&call).await? {
                End::Answered => Some(nanoseconds(sent)),
                End::Refused { .. } => None,
                End::Failed { code } => bail!("a call of the other account ended with {code}"),
            };
            Ok::<_, anyhow::Error>(Asked { late, answered })
        });
        number += 1;
    }
    let mut asked = Vec::new();
    while let Some(done) = running.join_next().await {
        asked.push(done??);
    }
    Ok(asked)
}

/// Who offers too much: on a thread and a runtime of its own, so that the other account's calls do not wait behind its.
#[derive(Debug)]
struct Flood {
    counts: Arc<Counts>,
    ends: Arc<AtomicBool>,
    thread: JoinHandle<Result<()>>,
}

impl Flood {
    /// Offers these calls in turn, so many a second.
    fn start(target: Target, calls: Vec<Call>, rate: f64) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (counts, ends) = (Arc::<Counts>::default(), Arc::<AtomicBool>::default());
        let (counted, ended) = (Arc::clone(&counts), Arc::clone(&ends));
        let thread = std::thread::spawn(move || runtime.block_on(offer(&target, &calls, rate, &counted, &ended)));
        Ok(Self { counts, ends, thread })
    }

    /// Ends it when the last call is answered.
    fn end(self) -> Result<()> {
        self.ends.store(true, Relaxed);
        self.thread.join().map_err(|_| anyhow!("who offers too much panicked"))?
    }
}

/// A connection of who offers, and room for calls under way.
#[derive(Debug)]
struct Lane {
    connection: Connection,
    room: Arc<Semaphore>,
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of calls")]
async fn offer(target: &Target, calls: &[Call], rate: f64, counts: &Arc<Counts>, ends: &Arc<AtomicBool>) -> Result<()> {
    let mut lanes = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        lanes.push(Lane { connection: target.connect().await?, room: Arc::new(Semaphore::new(CALLS_EACH)) });
    }
    let (begun, mut offered) = (Instant::now(), 0_usize);
    let mut ticks = tokio::time::interval(TICK);
    while !ends.load(Relaxed) {
        ticks.tick().await;
        let due = (begun.elapsed().as_secs_f64() * rate) as usize;
        while offered < due {
            let lane = &lanes[offered % lanes.len()];
            let call = calls[offered % calls.len()].clone();
            offered += 1;
            let Ok(place) = Arc::clone(&lane.room).try_acquire_owned() else {
                counts.held.fetch_add(1, Relaxed);
                continue;
            };
            counts.sent.fetch_add(1, Relaxed);
            let (mut connection, counts) = (lane.connection.beside()?, Arc::clone(counts));
            tokio::spawn(async move {
                counts.count(&connection.end(&call).await);
                drop(place);
            });
        }
    }
    for lane in &lanes {
        // All of it is there when nothing is under way.
        lane.room.acquire_many(u32::try_from(CALLS_EACH)?).await.context("nobody closes it")?.forget();
    }
    Ok(())
}

/// What became of what was offered.
fn tell(sheet: &mut Sheet, rounds: &[Round], capacity: &str, rate: f64) {
    let of = |value: &dyn Fn(&Counted, f64) -> f64| -> Vec<f64> {
        rounds.iter().map(|round| value(&round.counted, round.seconds)).collect()
    };
    let offered = median(&of(&|counted, seconds| (counted.sent + counted.held) / seconds));
    let held = median(&of(&|counted, seconds| counted.held / seconds));
    let failed: f64 = rounds.iter().map(|round| round.counted.failed).sum();
    let most = CONNECTIONS * CALLS_EACH;
    let note = format!(
        "answered with success; {offered:.0}/s were due, of which {held:.0}/s were not sent because {most} were under way; \
         {failed} failed otherwise; generator and server share the cores"
    );
    let answered = of(&|counted, seconds| counted.answered / seconds);
    let mut goodput = Figure::of("goodput at three times that", "/s", answered);
    goodput.ratios = goodput.runs.iter().map(|answered| answered / rate).collect();
    goodput.ratio = Some(median(&goodput.ratios));
    goodput.compared_with = Some(capacity.to_owned());
    sheet.add(goodput.with_note(note));
    let refused = of(&|counted, _| 100.0 * counted.refused / counted.ended());
    let note = "with RESOURCE_EXHAUSTED or UNAVAILABLE, before any work";
    sheet.add(Figure::of("refused of what ended", "%", refused).with_note(note));
    let advised = of(&|counted, _| 100.0 * counted.advised / counted.refused);
    sheet.add(Figure::of("of these told when to come again", "%", advised).with_note("google.rpc.RetryInfo"));
}

/// What the other account had, before and meanwhile.
#[expect(clippy::cast_precision_loss, reason = "counts of calls")]
fn tell_other(sheet: &mut Sheet, rounds: &[Round]) {
    let note = "gRPC nearest 10, at this pace whether it is answered or not; times from the sendings";
    let mut p99s = [Vec::new(), Vec::new()];
    for (place, what) in ["alone", "beside the overload"].into_iter().enumerate() {
        let (mut all, mut late, mut rates, mut refused) = (Vec::new(), Vec::new(), Vec::new(), 0);
        for round in rounds {
            let asked = if place == 0 { &round.alone } else { &round.beside };
            let mut answered: Vec<u32> = asked.iter().filter_map(|call| call.answered).collect();
            answered.sort_unstable();
            refused += asked.len() - answered.len();
            rates.push(answered.len() as f64 / ASKING.as_secs_f64());
            p99s[place].push(percentile(&answered, 99).unwrap_or(f64::NAN));
            all.extend(answered);
            late.extend(asked.iter().map(|call| call.late));
        }
        late.sort_unstable();
        let late = percentile(&late, 99).unwrap_or_default();
        let what = format!("another account, {ASKED_PER_S} a second, {what}");
        let figure = Figure::of(what, "/s", rates).with_times(&mut all);
        sheet.add(figure.with_note(format!("{note}, which were up to {late:.0} µs late (p99); {refused} refused")));
    }
    let [alone, beside] = p99s;
    let growth = beside.iter().zip(&alone).map(|(beside, alone)| beside / alone).collect();
    let note = "p99 beside the overload, divided by that alone, within each round";
    sheet.add(Figure::of("p99 growth of another account", "×", growth).with_note(note));
}
