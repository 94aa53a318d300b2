//! Which calls are traced: a part of them, drawn for each by itself, and never more because a caller says so, unless that is wanted.
//!
//! Nothing of a call counts but whether its caller traces its own side. A trace's id does not: callers choose it, so a part of all
//! ids would be as large as they like.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use opentelemetry::trace::{Link, SpanKind, TraceContextExt as _, TraceId, TraceState};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult, ShouldSample};

/// How many values a draw has.
const VALUES: f64 = 4_294_967_296.0;

/// Draws.
#[derive(Debug, Clone)]
pub(super) struct Draw {
    /// Part of the calls, in [0, 1].
    ratio: f64,
    trusts_callers: bool,
    /// Makes draws of numbers that nobody can guess.
    seed: RandomState,
    drawn: Arc<AtomicU64>,
}

/// What a span stands below.
#[derive(Debug, Clone, Copy)]
enum Parent {
    /// Nothing that is known of.
    None,
    /// A span of the caller's, which is traced there or not.
    Caller { is_traced: bool },
    /// A span of ours.
    Ours { is_traced: bool },
}

impl Draw {
    pub(super) fn new(ratio: f64, trusts_callers: bool) -> Self {
        Self { ratio, trusts_callers, seed: RandomState::new(), drawn: Arc::default() }
    }

    fn draw(&self) -> bool {
        let number = self.seed.hash_one(self.drawn.fetch_add(1, Relaxed));
        let number = u32::try_from(number >> 32).unwrap_or(u32::MAX);
        f64::from(number) / VALUES < self.ratio
    }

    /// Whether a span is traced. What begins a trace is a call, or a question to others; work of the store beside calls is none.
    fn takes(&self, parent: Parent, kind: &SpanKind) -> bool {
        match parent {
            Parent::Ours { is_traced } => is_traced,
            Parent::Caller { is_traced: false } => false,
            Parent::Caller { is_traced: true } => self.trusts_callers || self.draw(),
            Parent::None => *kind != SpanKind::Internal && self.draw(),
        }
    }
}

impl Parent {
    fn of(context: Option<&Context>) -> Self {
        let Some(context) = context.filter(|context| context.has_active_span()) else { return Self::None };
        let span = context.span();
        let found = span.span_context();
        let is_traced = found.is_sampled();
        if found.is_remote() { Self::Caller { is_traced } } else { Self::Ours { is_traced } }
    }
}

impl ShouldSample for Draw {
    fn should_sample(
        &self,
        parent_context: Option<&Context>,
        _trace_id: TraceId,
        _name: &str,
        span_kind: &SpanKind,
        _attributes: &[KeyValue],
        _links: &[Link],
    ) -> SamplingResult {
        let is_taken = self.takes(Parent::of(parent_context), span_kind);
        let decision = if is_taken { SamplingDecision::RecordAndSample } else { SamplingDecision::Drop };
        // What the caller's side says of itself beside the ids is its own text, and goes no further.
        SamplingResult { decision, attributes: Vec::new(), trace_state: TraceState::default() }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanContext, SpanId, TraceFlags};

    use super::*;

    const TRACED: bool = true;

    fn share(draw: &Draw, parent: Parent, kind: &SpanKind) -> f64 {
        let taken = (0..20_000_u32).filter(|_| draw.takes(parent, kind)).count();
        f64::from(u32::try_from(taken).unwrap()) / 20_000.0
    }

    #[test]
    fn a_caller_gets_no_more_than_the_ratio_unless_it_is_trusted() {
        let (asks, server) = (Parent::Caller { is_traced: TRACED }, SpanKind::Server);
        for ratio in [0.0, 0.25, 1.0] {
            let draw = Draw::new(ratio, false);
            for parent in [asks, Parent::None] {
                let share = share(&draw, parent, &server);
                // Some twenty deviations of 20,000 draws.
                assert!((share - ratio).abs() < 0.06, "{parent:?} {ratio}: {share}");
            }
            let never = Parent::Caller { is_traced: !TRACED };
            for draw in [draw, Draw::new(ratio, true)] {
                assert!(!draw.takes(never, &server), "a caller that does not trace is not traced");
            }
            assert!(Draw::new(ratio, true).takes(asks, &server));
        }
    }

    #[test]
    fn what_is_within_a_call_is_traced_with_it() {
        for kind in [SpanKind::Internal, SpanKind::Client] {
            assert!(Draw::new(0.0, false).takes(Parent::Ours { is_traced: TRACED }, &kind));
            assert!(!Draw::new(1.0, true).takes(Parent::Ours { is_traced: !TRACED }, &kind));
        }
        let all = Draw::new(1.0, false);
        assert!(!all.takes(Parent::None, &SpanKind::Internal), "the store's work beside calls is no trace");
        assert!(all.takes(Parent::None, &SpanKind::Client));
    }

    #[test]
    fn a_parent_is_known_by_its_context() {
        let of = |is_remote: bool, flags: TraceFlags| {
            let ids = (TraceId::from(7_u128), SpanId::from(7_u64));
            let context = SpanContext::new(ids.0, ids.1, flags, is_remote, TraceState::default());
            Parent::of(Some(&Context::new().with_remote_span_context(context)))
        };
        assert!(matches!(of(true, TraceFlags::SAMPLED), Parent::Caller { is_traced: TRACED }));
        assert!(matches!(of(true, TraceFlags::default()), Parent::Caller { is_traced: false }));
        assert!(matches!(of(false, TraceFlags::SAMPLED), Parent::Ours { is_traced: TRACED }));
        assert!(matches!(Parent::of(None), Parent::None));
        assert!(matches!(Parent::of(Some(&Context::new())), Parent::None));
    }
}
