//! What a caller says of its own trace, W3C Trace Context: the ids that a call's span goes on from, and whether the caller traces.
//!
//! Two ids of fixed length are taken and nothing else. They are the caller's to choose, and decide nothing but what `sampler` says.

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The version of the header that is known; a later one begins alike.
const VERSION: &str = "00";
/// No version.
const NO_VERSION: &str = "ff";
/// The bit of the flags that says that the caller traces.
const SAMPLED: u8 = 1;

/// Goes on from the caller's span where the header is well-formed; a trace of its own begins where it is not. For a span that was just
/// made.
pub fn follow(span: &Span, traceparent: &str) {
    if let Some(parent) = parse(traceparent) {
        // A span that has not begun takes a parent, and one that is not looked at needs none.
        let _ = span.set_parent(Context::new().with_remote_span_context(parent));
    }
}

fn parse(text: &str) -> Option<SpanContext> {
    let mut parts = text.split('-');
    let version = hex(parts.next()?, 2).filter(|version| *version != NO_VERSION)?;
    let trace_id = TraceId::from_hex(hex(parts.next()?, 32)?).ok()?;
    let span_id = SpanId::from_hex(hex(parts.next()?, 16)?).ok()?;
    let flags = u8::from_str_radix(hex(parts.next()?, 2)?, 16).ok()?;
    if version == VERSION && parts.next().is_some() {
        return None;
    }
    let flags = if flags & SAMPLED == 0 { TraceFlags::default() } else { TraceFlags::SAMPLED };
    Some(SpanContext::new(trace_id, span_id, flags, true, TraceState::default())).filter(SpanContext::is_valid)
}

/// A text that is so many hexadecimal digits, the letters small.
fn hex(text: &str, length: usize) -> Option<&str> {
    let is_hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (text.len() == length && is_hex).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    #[test]
    fn a_good_header_is_taken_and_any_other_is_none() {
        let read = |text: &str| {
            let context = parse(text)?;
            Some((context.trace_id().to_string(), context.span_id().to_string(), context.is_sampled()))
        };
        let ids = |is_sampled| Some((TRACE.to_owned(), SPAN.to_owned(), is_sampled));
        assert_eq!(read(&format!("00-{TRACE}-{SPAN}-01")), ids(true));
        assert_eq!(read(&format!("00-{TRACE}-{SPAN}-00")), ids(false));
        assert_eq!(read(&format!("00-{TRACE}-{SPAN}-02")), ids(false));
        assert_eq!(read(&format!("cc-{TRACE}-{SPAN}-03-what-comes")), ids(true), "of a later version");
        let (no_trace, no_span) = ("0".repeat(32), "0".repeat(16));
        for bad in [
            String::new(),
            "00".to_owned(),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("0-{TRACE}-{SPAN}-01"),
            format!("00-{no_trace}-{SPAN}-01"),
            format!("00-{TRACE}-{no_span}-01"),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-+{}-{SPAN}-01", &TRACE[1..]),
            format!("00-{TRACE}-{SPAN}-1"),
            format!(" 00-{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}\u{e9}-{SPAN}-01"),
        ] {
            assert_eq!(read(&bad), None, "{bad}");
        }
    }
}
