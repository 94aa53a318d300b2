//! What goes out of a span: its listed name and attributes, its times, ids and whether it failed. Nothing else, whatever is in it.

use opentelemetry::trace::{SpanKind, Status};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use crate::telemetry::spans::Names;

/// Leaves what may go out; false where nothing may.
pub(super) fn strip(span: &mut SpanData, names: &Names) -> bool {
    let is_of_call = span.span_kind == SpanKind::Server;
    let Some(allowed) = names.attributes_of(is_of_call, &span.name) else { return false };
    span.attributes.retain(|attribute| allowed.contains(&attribute.key.as_str()));
    span.dropped_attributes_count = 0;
    span.events = SpanEvents::default();
    span.links = SpanLinks::default();
    if let Status::Error { description } = &mut span.status {
        *description = "".into();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::traces::fake::span;

    #[test]
    fn what_is_not_listed_stays_here() {
        let (names, canary) = (Names::default(), "jane.roe@example.com");
        let mut listed = span("store.commit", canary);
        assert!(strip(&mut listed, &names));
        let keys: Vec<&str> = listed.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
        assert_eq!(keys, ["waymark.store.count"]);
        assert!(matches!(listed.status, Status::Error { .. }) && listed.events.events.is_empty());
        assert!(!format!("{listed:?}").contains(canary), "{listed:?}");
        for unlisted in ["store.explode", canary, "GET"] {
            assert!(!strip(&mut span(unlisted, canary), &names), "{unlisted}");
        }
    }
}
