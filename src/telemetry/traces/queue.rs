//! Spans on their way out: a bounded queue that never makes a call wait, and the task that sends what is in it, batch by batch.
//!
//! What finds no room, and what a collector does not take, is counted and gone. Nothing is sent twice.

use std::fmt;
use std::mem::take;
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};
use tonic::Code;
use tracing::warn;

use super::counts::{Counts, Loss};
use super::strip::strip;
use crate::telemetry::spans::Names;

/// Most spans that wait: some MiB, and what a collector has to make up for after a pause of a second or so.
const WAITING_MAX: usize = 4_096;
/// Most spans of one export: well below the 4 MiB that collectors take.
const BATCH_MAX: usize = 512;
/// Longest time for which a span waits for others: few exports where little is traced, and soon enough for who looks on.
const GATHER_TIME: Duration = Duration::from_secs(1);
/// The log says at most this often that traces are not taken.
const TELL_EVERY: Duration = Duration::from_mins(1);

/// Whoever takes spans.
pub(super) trait Deliver: Send + Sync + 'static {
    /// Hands over a batch, once; answers how many of its spans were rejected.
    fn deliver(&self, batch: Vec<SpanData>) -> impl Future<Output = Result<usize, NotTaken>> + Send;
}

/// Why a batch was not taken. What else the collector says of it may hold anything, and is not kept.
#[derive(Debug, Clone, Copy)]
pub(super) enum NotTaken {
    /// With this code; the collector that is not reached has one too.
    Refused(Code),
    /// It took too long.
    TimedOut,
}

impl fmt::Display for NotTaken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(code) => write!(formatter, "{code:?}"),
            Self::TimedOut => formatter.write_str("TimedOut"),
        }
    }
}

/// The end of the queue that spans are put into when they end.
#[derive(Debug)]
pub(super) struct Queue {
    spans: mpsc::Sender<SpanData>,
    counts: &'static Counts,
}

impl SpanProcessor for Queue {
    fn on_start(&self, _span: &mut Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() && self.spans.try_send(span).is_err() {
            self.counts.lost(Loss::Full, 1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// The other end.
#[derive(Debug)]
pub(super) struct Sending<D> {
    spans: mpsc::Receiver<SpanData>,
    end: oneshot::Receiver<()>,
    collector: D,
    /// Longest time of one export.
    time_max: Duration,
    counts: &'static Counts,
    told_at: Option<Instant>,
}

/// A queue, and what sends from it until the sender of `end` says so, or is gone.
pub(super) fn queue<D: Deliver>(
    collector: D,
    time_max: Duration,
    end: oneshot::Receiver<()>,
    counts: &'static Counts,
) -> (Queue, Sending<D>) {
    let (sender, spans) = mpsc::channel(WAITING_MAX);
    (Queue { spans: sender, counts }, Sending { spans, end, collector, time_max, counts, told_at: None })
}

impl<D: Deliver> Sending<D> {
    /// Sends until the end, and then what is left.
    pub(super) async fn run(mut self, names: Names) {
        let mut batch = Vec::new();
        let mut due = Instant::now();
        loop {
            let room = BATCH_MAX - batch.len();
            let is_empty = batch.is_empty();
            tokio::select! {
                biased;
                _ = &mut self.end => break,
                () = sleep_until(due), if !is_empty => self.send(&mut batch, &names).await,
                count = self.spans.recv_many(&mut batch, room) => {
                    if count == 0 {
                        break;
                    }
                    if is_empty {
                        due = Instant::now() + GATHER_TIME;
                    }
                    if batch.len() == BATCH_MAX {
                        self.send(&mut batch, &names).await;
                    }
                }
            }
        }
        // What ends from now on finds no room.
        self.spans.close();
        loop {
            while batch.len() < BATCH_MAX
                && let Ok(span) = self.spans.try_recv()
            {
                batch.push(span);
            }
            if batch.is_empty() {
                return;
            }
            self.send(&mut batch, &names).await;
        }
    }

    async fn send(&mut self, batch: &mut Vec<SpanData>, names: &Names) {
        let mut spans = take(batch);
        let found = spans.len();
        spans.retain_mut(|span| strip(span, names));
        let count = spans.len();
        self.counts.lost(Loss::Unlisted, found - count);
        if count == 0 {
            return;
        }
        let delivered = timeout(self.time_max, self.collector.deliver(spans)).await;
        match delivered.unwrap_or(Err(NotTaken::TimedOut)) {
            Ok(rejected) => {
                let rejected = rejected.min(count);
                self.counts.exported(count - rejected);
                self.counts.lost(Loss::Failed, rejected);
            }
            Err(why) => {
                self.counts.export_failed();
                self.counts.lost(Loss::Failed, count);
                self.tell(why);
            }
        }
    }

    fn tell(&mut self, why: NotTaken) {
        let now = Instant::now();
        if self.told_at.is_none_or(|told| now >= told + TELL_EVERY) {
            self.told_at = Some(now);
            warn!(
                %why,
                "the collector of traces takes none: see traces.endpoint and waymark_trace_spans_dropped_total"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Collector, span};
    use super::*;

    /// Longest time of an export here.
    const EXPORT_TIME: Duration = Duration::from_secs(5);

    struct Running {
        queue: Queue,
        collector: Collector,
        counts: &'static Counts,
        end: oneshot::Sender<()>,
        task: tokio::task::JoinHandle<()>,
    }

    fn run(collector: Collector) -> Running {
        let (end, ends) = oneshot::channel();
        let counts: &Counts = Box::leak(Box::default());
        let (queue, sending) = queue(collector.clone(), EXPORT_TIME, ends, counts);
        let task = tokio::spawn(sending.run(Names::default()));
        Running { queue, collector, counts, end, task }
    }

    fn put(queue: &Queue, count: usize) {
        (0..count).for_each(|_| queue.on_end(span("store.commit", "")));
    }

    fn lost(counts: &Counts) -> [u64; 3] {
        Loss::ALL.map(|loss| counts.of(loss))
    }

    #[tokio::test(start_paused = true)]
    async fn spans_go_out_together_and_soon() {
        let Running { queue, collector, counts, end, task } = run(Collector::default());
        put(&queue, 3);
        queue.on_end(span("store.explode", ""));
        tokio::time::sleep(GATHER_TIME * 2).await;
        assert_eq!((collector.sizes(), counts.spans_exported()), (vec![3], 3));
        assert_eq!(lost(counts), [0, 0, 1]);
        put(&queue, BATCH_MAX + 1);
        // No time passes while this yields.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert_eq!(collector.sizes(), [3, BATCH_MAX], "a full batch waits for nothing");
        end.send(()).unwrap();
        task.await.unwrap();
        assert_eq!(collector.sizes(), [3, BATCH_MAX, 1], "the end sends what is left");
        put(&queue, 1);
        assert_eq!(lost(counts), [1, 0, 1], "behind the end there is no room");
    }

    #[tokio::test(start_paused = true)]
    async fn a_collector_that_hangs_or_refuses_costs_spans_and_no_time() {
        for collector in [Collector::hanging(), Collector::refusing()] {
            let Running { queue, counts, end, task, .. } = run(collector);
            put(&queue, 1);
            // It is at the first export, or has failed with it.
            tokio::time::sleep(GATHER_TIME * 2).await;
            let begun = Instant::now();
            put(&queue, WAITING_MAX + BATCH_MAX);
            assert_eq!(begun.elapsed(), Duration::ZERO);
            assert_eq!(counts.of(Loss::Full), BATCH_MAX as u64, "who ends a span waits for nobody");
            end.send(()).unwrap();
            task.await.unwrap();
            let failed = u64::try_from(WAITING_MAX + 1).unwrap();
            assert_eq!((counts.of(Loss::Failed), counts.spans_exported()), (failed, 0));
            assert_eq!(counts.exports_failed(), 1 + u64::try_from(WAITING_MAX.div_ceil(BATCH_MAX)).unwrap());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn of_a_batch_that_is_taken_in_part_the_rest_is_lost() {
        // A collector may say anything.
        for (rejected, expect) in [(1, (2, 1)), (7, (0, 3))] {
            let Running { queue, counts, end, task, .. } = run(Collector::rejecting(rejected));
            put(&queue, 3);
            end.send(()).unwrap();
            task.await.unwrap();
            assert_eq!((counts.spans_exported(), counts.of(Loss::Failed)), expect, "{rejected}");
            assert_eq!(counts.exports_failed(), 0);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_sampled_goes_nowhere() {
        let Running { queue, collector, end, task, .. } = run(Collector::default());
        let mut unsampled = span("store.commit", "");
        unsampled.span_context = opentelemetry::trace::SpanContext::NONE;
        queue.on_end(unsampled);
        drop(end);
        task.await.unwrap();
        assert!(collector.sizes().is_empty());
    }
}
