//! All spans there are and what each may say: names and attributes that are fixed when waymark is built. docs/traces.md holds the
//! same list; a test compares them, and `traces` hands on nothing else.
//!
//! Spans are made here alone. None says who calls, what was sent or answered, or which account, site or record it is about.

use std::collections::HashSet;
use std::fmt::Debug;

use tracing::field::Empty;
use tracing::{Span, info_span};

/// The target of all spans: none of any other is looked at, and no event.
pub const TARGET: &str = "waymark::spans";

/// The methods of HTTP that are told by their names: any other may be a caller's word.
const VERBS: [&str; 9] = ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];
/// What stands for a method of HTTP that is none of those.
const OTHER_VERB: &str = "_OTHER";
/// The name of the span of a request with such a method.
const OTHER_NAME: &str = "HTTP";
/// Codes of gRPC that are a fault of the server's: `UNKNOWN`, `DEADLINE_EXCEEDED`, `UNIMPLEMENTED`, `INTERNAL`, `UNAVAILABLE`,
/// `DATA_LOSS`.
const SERVER_FAULTS: [i32; 6] = [2, 4, 12, 13, 14, 15];
/// The least status of HTTP that is a fault of the server's.
const SERVER_FAULT_MIN: u16 = 500;

/// A span that there is.
#[derive(Debug)]
pub(super) struct Listed {
    /// Its name, or of a call what stands for all of them.
    pub(super) name: &'static str,
    /// What OpenTelemetry calls its kind.
    #[cfg_attr(not(test), expect(dead_code, reason = "docs/traces.md is held to it"))]
    pub(super) kind: &'static str,
    /// What it may say.
    pub(super) attributes: &'static [&'static str],
    #[cfg_attr(not(test), expect(dead_code, reason = "docs/traces.md is held to it"))]
    pub(super) help: &'static str,
}

/// A call of gRPC or gRPC-Web.
pub(super) static RPC: Listed = Listed {
    name: "SERVICE/METHOD",
    kind: "server",
    attributes: &["rpc.system", "rpc.service", "rpc.method", "rpc.grpc.status_code", "http.response.status_code"],
    help: "A call over gRPC or gRPC-Web, to the end of its answer.",
};

/// A request over HTTP.
pub(super) static HTTP: Listed = Listed {
    name: "VERB ROUTE",
    kind: "server",
    attributes: &[
        "http.request.method",
        "http.route",
        "http.response.status_code",
        "rpc.system",
        "rpc.service",
        "rpc.method",
        "rpc.grpc.status_code",
    ],
    help: "A request over HTTP, to the beginning of its answer; one of HTTP/JSON has its method, and goes to the end.",
};

/// What is done within calls, or beside them.
pub(super) static WITHIN: [Listed; 8] = [
    Listed {
        name: "store.commit",
        kind: "internal",
        attributes: &["waymark.store.kind", "waymark.store.count", "error.type"],
        help: "A batch, until it is durable and in memory.",
    },
    Listed {
        name: "store.get",
        kind: "internal",
        attributes: &["waymark.store.kind", "waymark.store.count", "error.type"],
        help: "Records that are read by their names.",
    },
    Listed {
        name: "store.scan",
        kind: "internal",
        attributes: &["waymark.store.kind", "waymark.store.count", "error.type"],
        help: "Records that are read in their order.",
    },
    Listed {
        name: "store.settle",
        kind: "internal",
        attributes: &["waymark.store.kind", "waymark.store.count", "error.type"],
        help: "The wait until a record that was read is as safe as a commit.",
    },
    Listed {
        name: "store.scrub",
        kind: "internal",
        attributes: &["error.type"],
        help: "The rewriting that leaves nothing of what was erased.",
    },
    Listed {
        name: "geocode.ask",
        kind: "client",
        attributes: &["waymark.geocode.provider", "waymark.geocode.question", "error.type"],
        help: "A request to a geocoder of others, each attempt by itself.",
    },
    Listed {
        name: "ticketing.ask",
        kind: "client",
        attributes: &["waymark.ticketing.system", "http.request.method", "http.response.status_code", "error.type"],
        help: "A request to a ticketing system.",
    },
    Listed {
        name: "mail.send",
        kind: "client",
        attributes: &["error.type"],
        help: "A message that is handed to the mail server.",
    },
];

/// What the names of calls are made of: what is served.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// Methods of gRPC, such as `waymark.v1.SiteService/GetSite`.
    pub methods: HashSet<String>,
    /// Templates of paths over HTTP, such as `/v1/{name=accounts/*/sites/*}`.
    pub routes: HashSet<String>,
}

impl Names {
    /// What a span may say, by its name; `None` where there is no such span. `is_of_call` is of those that stand for a whole call.
    pub(super) fn attributes_of(&self, is_of_call: bool, name: &str) -> Option<&'static [&'static str]> {
        if !is_of_call {
            return WITHIN.iter().find(|listed| listed.name == name).map(|listed| listed.attributes);
        }
        if self.methods.contains(name) {
            return Some(RPC.attributes);
        }
        let (verb, route) = name.split_once(' ').map_or((name, None), |(verb, route)| (verb, Some(route)));
        let is_known = VERBS.contains(&verb) || verb == OTHER_NAME;
        (is_known && route.is_none_or(|route| self.routes.contains(route))).then_some(HTTP.attributes)
    }
}

/// A call of a method.
#[must_use]
pub fn rpc(service: &str, method: &str) -> Span {
    let name = format!("{service}/{method}");
    info_span!(
        target: TARGET,
        "rpc",
        otel.name = name.as_str(),
        otel.kind = "server",
        otel.status_code = Empty,
        rpc.system = "grpc",
        rpc.service = service,
        rpc.method = method,
        rpc.grpc.status_code = Empty,
        http.response.status_code = Empty,
    )
}

/// A request over HTTP: its method, the template of its path where one is known, and the service and method of gRPC that it calls.
#[must_use]
pub fn http(verb: &str, route: Option<&str>, called: Option<(&str, &str)>) -> Span {
    let known = VERBS.into_iter().find(|known| *known == verb);
    let begins = known.unwrap_or(OTHER_NAME);
    let name = route.map_or_else(|| begins.to_owned(), |route| format!("{begins} {route}"));
    info_span!(
        target: TARGET,
        "http",
        otel.name = name.as_str(),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = known.unwrap_or(OTHER_VERB),
        http.route = route,
        http.response.status_code = Empty,
        rpc.system = called.map(|_| "grpc"),
        rpc.service = called.map(|(service, _)| service),
        rpc.method = called.map(|(_, method)| method),
        rpc.grpc.status_code = Empty,
    )
}

/// Says with which code of gRPC a call ended, and that it ended now: a streamed answer ends long after the last work on its beginning.
pub fn ended_rpc(span: &Span, code: i32) {
    span.record("rpc.grpc.status_code", i64::from(code));
    if SERVER_FAULTS.contains(&code) {
        span.record("otel.status_code", "ERROR");
    }
    // A span's end is when it was left last.
    span.in_scope(|| ());
}

/// Says with which status a request over HTTP was answered, or a call that was answered in HTTP alone.
pub fn answered_http(span: &Span, status: u16) {
    span.record("http.response.status_code", i64::from(status));
    if status >= SERVER_FAULT_MIN {
        span.record("otel.status_code", "ERROR");
    }
}

/// Work of the store, by the name that it is listed under: on records of which kind, the first one's where they are several, and how
/// many they are, where that is known before.
#[must_use]
pub fn store(name: &'static str, kind: &dyn Debug, count: Option<usize>) -> Span {
    info_span!(
        target: TARGET,
        "store",
        otel.name = name,
        otel.kind = "internal",
        otel.status_code = Empty,
        waymark.store.kind = ?kind,
        waymark.store.count = count.map(number),
        "error.type" = Empty,
    )
}

/// The rewriting of the store after an erasure.
#[must_use]
pub fn scrub() -> Span {
    info_span!(
        target: TARGET,
        "scrub",
        otel.name = "store.scrub",
        otel.kind = "internal",
        otel.status_code = Empty,
        "error.type" = Empty,
    )
}

/// Says how many records there were, once, where that is known at the end alone.
pub fn counted(span: &Span, count: usize) {
    span.record("waymark.store.count", number(count));
}

/// A request to a geocoder: its protocol, and the kind of question.
#[must_use]
pub fn geocode(provider: &'static str, question: &'static str) -> Span {
    info_span!(
        target: TARGET,
        "geocode",
        otel.name = "geocode.ask",
        otel.kind = "client",
        otel.status_code = Empty,
        waymark.geocode.provider = provider,
        waymark.geocode.question = question,
        "error.type" = Empty,
    )
}

/// A request to a ticketing system, by the name that links have, with a method of HTTP.
#[must_use]
pub fn ticketing(system: &'static str, verb: &'static str) -> Span {
    info_span!(
        target: TARGET,
        "ticketing",
        otel.name = "ticketing.ask",
        otel.kind = "client",
        otel.status_code = Empty,
        waymark.ticketing.system = system,
        http.request.method = verb,
        http.response.status_code = Empty,
        "error.type" = Empty,
    )
}

/// Says with which status a ticketing system answered.
pub fn heard(span: &Span, status: u16) {
    span.record("http.response.status_code", i64::from(status));
}

/// A message on its way to the mail server.
#[must_use]
pub fn mail() -> Span {
    info_span!(
        target: TARGET,
        "mail",
        otel.name = "mail.send",
        otel.kind = "client",
        otel.status_code = Empty,
        "error.type" = Empty,
    )
}

/// Says that it failed: the reason, out of a closed list.
pub fn failed(span: &Span, reason: &'static str) {
    span.record("error.type", reason);
    span.record("otel.status_code", "ERROR");
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// The rows of the page's first table as they should be.
    fn rows() -> BTreeSet<String> {
        let row = |listed: &Listed| {
            let attributes: Vec<String> = listed.attributes.iter().map(|name| format!("`{name}`")).collect();
            format!("| `{}` | {} | {} | {} |", listed.name, listed.kind, attributes.join(", "), listed.help)
        };
        [&RPC, &HTTP].into_iter().chain(&WITHIN).map(row).collect()
    }

    fn page() -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/traces.md");
        std::fs::read_to_string(&path).unwrap_or_else(|cause| panic!("{}: {cause}", path.display()))
    }

    /// The lines of a section of the page that are rows with something in code at their beginning.
    fn table(page: &str, heading: &str) -> BTreeSet<String> {
        let section = page.split("\n## ").find(|section| section.starts_with(heading)).unwrap_or_default();
        section.lines().filter(|line| line.starts_with("| `")).map(str::to_owned).collect()
    }

    #[test]
    fn the_documented_list_is_the_list() {
        let page = page();
        let documented = table(&page, "Spans");
        let missing: Vec<_> = rows().difference(&documented).cloned().collect();
        let unknown: Vec<_> = documented.difference(&rows()).cloned().collect();
        assert!(missing.is_empty(), "docs/traces.md lacks:\n{}", missing.join("\n"));
        assert!(unknown.is_empty(), "docs/traces.md says of what is not there:\n{}", unknown.join("\n"));
        let said: BTreeSet<&str> =
            [&RPC, &HTTP].into_iter().chain(&WITHIN).flat_map(|listed| listed.attributes).copied().collect();
        let explained = table(&page, "Attributes");
        let explained: BTreeSet<&str> = explained.iter().filter_map(|row| row.split('`').nth(1)).collect();
        assert_eq!(explained, said, "docs/traces.md explains each attribute, and no other");
    }

    #[test]
    fn only_what_is_served_has_the_name_of_a_call() {
        let names = Names {
            methods: HashSet::from(["waymark.v1.SiteService/GetSite".to_owned()]),
            routes: HashSet::from(["/invitation".to_owned()]),
        };
        let of_call = |name: &str| names.attributes_of(true, name);
        assert_eq!(of_call("waymark.v1.SiteService/GetSite"), Some(RPC.attributes));
        for name in ["GET", "GET /invitation", "HTTP", "HTTP /invitation"] {
            assert_eq!(of_call(name), Some(HTTP.attributes), "{name}");
        }
        for name in ["", "store.commit", "JANE", "GET /v1/accounts/acme", "get /invitation", "x/GetSite"] {
            assert_eq!(of_call(name), None, "{name}");
        }
        assert_eq!(names.attributes_of(false, "mail.send"), Some(&["error.type"][..]));
        for name in ["GET", "waymark.v1.SiteService/GetSite", "store.commit ", ""] {
            assert_eq!(names.attributes_of(false, name), None, "{name}");
        }
    }
}
