//! Doubles for tests: a span with a caller's texts in all its places, and a collector that does as it is told.

use std::future::pending;
use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry::trace::{Event, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use parking_lot::Mutex;
use tonic::Code;

use super::queue::{Deliver, NotTaken};

/// A span within a call that ended, with a text wherever one may be.
pub(super) fn span(name: &str, text: &str) -> SpanData {
    let mut events = SpanEvents::default();
    events.events.push(Event::new(text.to_owned(), SystemTime::UNIX_EPOCH, Vec::new(), 0));
    SpanData {
        span_context: SpanContext::new(
            TraceId::from(7_u128),
            SpanId::from(7_u64),
            TraceFlags::SAMPLED,
            false,
            TraceState::default(),
        ),
        parent_span_id: SpanId::INVALID,
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name: name.to_owned().into(),
        start_time: SystemTime::UNIX_EPOCH,
        end_time: SystemTime::UNIX_EPOCH,
        attributes: vec![
            KeyValue::new("waymark.store.count", 7),
            KeyValue::new("note", text.to_owned()),
            KeyValue::new(text.to_owned(), 7),
        ],
        dropped_attributes_count: 0,
        events,
        links: SpanLinks::default(),
        status: Status::error(text.to_owned()),
        instrumentation_scope: InstrumentationScope::builder("test").build(),
    }
}

/// Takes what it gets, unless it is told otherwise.
#[derive(Debug, Clone, Default)]
pub(super) struct Collector {
    mood: Mood,
    taken: Arc<Mutex<Vec<Vec<SpanData>>>>,
}

#[derive(Debug, Clone, Copy, Default)]
enum Mood {
    #[default]
    Takes,
    Hangs,
    Refuses,
    /// So many of each batch.
    Rejects(usize),
}

impl Collector {
    pub(super) fn hanging() -> Self {
        Self { mood: Mood::Hangs, ..Self::default() }
    }

    pub(super) fn refusing() -> Self {
        Self { mood: Mood::Refuses, ..Self::default() }
    }

    pub(super) fn rejecting(spans: usize) -> Self {
        Self { mood: Mood::Rejects(spans), ..Self::default() }
    }

    /// How large the batches are that it took.
    pub(super) fn sizes(&self) -> Vec<usize> {
        self.taken.lock().iter().map(Vec::len).collect()
    }

    /// All that it took.
    pub(super) fn spans(&self) -> Vec<SpanData> {
        self.taken.lock().concat()
    }
}

impl Deliver for Collector {
    async fn deliver(&self, batch: Vec<SpanData>) -> Result<usize, NotTaken> {
        match self.mood {
            Mood::Takes => {
                self.taken.lock().push(batch);
                Ok(0)
            }
            Mood::Hangs => pending().await,
            Mood::Refuses => Err(NotTaken::Refused(Code::Unavailable)),
            Mood::Rejects(spans) => Ok(spans),
        }
    }
}
