//! Holds `clients/policy.json` to the protos, and docs/clients.md to it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use prost_reflect::{DescriptorPool, MessageDescriptor, MethodDescriptor};
use tonic::Status;
use tonic_types::{ErrorDetails, StatusExt as _};

use super::*;
use crate::api::proto::DESCRIPTORS;
use crate::api::proto::waymark::v1 as pb;

const ALL: [Kind; 4] = [Kind::Read, Kind::State, Kind::Keyed, Kind::Once];
/// How the names of methods begin that change nothing.
const READING: [&str; 14] = [
    "Get",
    "List",
    "Lookup",
    "BatchGet",
    "BatchLookup",
    "Search",
    "Query",
    "Locate",
    "Fit",
    "Watch",
    "Stream",
    "Sign",
    "Export",
    "WhoAmI",
];

fn methods() -> BTreeMap<String, MethodDescriptor> {
    let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
    let services: Vec<_> = pool.services().collect();
    let named = |method: MethodDescriptor| (format!("{}/{}", method.parent_service().name(), method.name()), method);
    services.iter().flat_map(|service| service.methods().map(named).collect::<Vec<_>>()).collect()
}

fn has_field(message: &MessageDescriptor, path: &str) -> bool {
    let (field, rest) = path.split_once('.').map_or((path, None), |(field, rest)| (field, Some(rest)));
    let Some(field) = message.get_field_by_name(field) else { return false };
    let inner = field.kind();
    rest.is_none_or(|rest| inner.as_message().is_some_and(|inner| has_field(inner, rest)))
}

#[test]
fn every_method_has_its_rules_and_no_other_has() {
    let there: BTreeSet<String> = methods().into_keys().collect();
    let ruled: BTreeSet<String> = policy().methods.keys().cloned().collect();
    let missing: Vec<_> = there.difference(&ruled).collect();
    assert!(missing.is_empty(), "say in clients/policy.json what a repeat does of {missing:?}");
    let unknown: Vec<_> = ruled.difference(&there).collect();
    assert!(unknown.is_empty(), "the protos have no {unknown:?}");
}

#[test]
fn rules_fit_what_methods_are() {
    for (name, method) in methods() {
        let rule = policy().method(&format!("{PACKAGE}{name}"));
        let streams = match (method.is_client_streaming(), method.is_server_streaming()) {
            (true, _) => Some(Streams::Both),
            (false, true) => Some(Streams::Answers),
            (false, false) => None,
        };
        assert_eq!(rule.streams, streams, "{name}");
        assert!(policy().deadlines_ms.contains_key(&rule.deadline), "{name}: {}", rule.deadline);
        assert_eq!(policy().time(rule).is_none(), method.name().starts_with("Watch"), "{name}: a deadline");
        let reads = READING.iter().any(|verb| method.name().starts_with(verb));
        assert!(!reads || rule.kind == Kind::Read, "{name} reads");
        let keys = ["request_id", "retry_key", "rows.request_id"];
        let key = keys.into_iter().find(|key| has_field(&method.input(), key));
        assert_eq!(rule.key.as_deref(), key, "{name}: the field of its key");
        assert_eq!(rule.kind == Kind::Keyed, key.is_some(), "{name}");
    }
    assert_eq!(policy().method("/grpc.health.v1.Health/Check").streams, Some(Streams::Both), "handed on as it is");
}

/// A server that takes ten seconds at most has told its end by then; a client that gave up before would not hear it.
#[test]
fn clients_wait_longer_than_servers_take() {
    assert!(policy().deadlines_ms["call"] >= Some(20_000));
    assert!(policy().deadlines_ms["erasure"] > Some(600_000));
    // A message comes every ten seconds: two may be late.
    assert!(policy().silence() > Duration::from_secs(20));
}

#[test]
fn rules_name_codes_and_reasons_that_are() {
    let repeats = policy().repeats.iter().flat_map(|rule| &rule.reasons);
    let advice = policy().advice.iter().flat_map(|rule| &rule.reasons);
    for reason in repeats.chain(advice) {
        assert!(pb::ErrorReason::from_str_name(&format!("ERROR_REASON_{reason}")).is_some(), "{reason}");
    }
    let codes = policy().repeats.iter().map(|rule| &rule.code).chain(&policy().watch.codes).chain(&policy().lost_codes);
    for code in codes {
        assert!(CODES.contains(&code.as_str()), "{code}");
    }
    for code in &CODES[1..] {
        let advised = policy().advice.iter().filter(|rule| rule.codes.iter().any(|of| of == code)).count();
        assert_eq!(advised, 1, "what to do about {code}");
    }
    assert!(policy().advice.iter().all(|rule| !rule.text.is_empty() && !rule.text.ends_with('.')));
}

fn answered(code: Code, reason: &str, asked: bool) -> Error {
    let mut details = ErrorDetails::with_error_info(reason, "waymark", HashMap::new());
    details.set_retry_info(asked.then_some(Duration::from_millis(250)));
    Error::from(&Status::with_error_details(code, "told", details))
}

#[test]
fn what_did_nothing_is_repeated_and_what_may_be_done_only_where_a_repeat_does_no_more() {
    let repeated = |error: &Error| ALL.map(|kind| policy().repeats(kind, error));
    let (all, safe, none) = ([true; 4], [true, true, true, false], [false; 4]);
    for (error, expected) in [
        (answered(Code::Unavailable, "SERVER_BUSY", true), all),
        (answered(Code::Unavailable, "SEARCH_NOT_READY", true), all),
        (answered(Code::ResourceExhausted, "RATE_LIMITED", true), all),
        (answered(Code::Aborted, "CONTENTION", true), all),
        (answered(Code::Unavailable, "OUTCOME_UNKNOWN", true), safe),
        // What was refused was not written; an earlier write of the same call may be.
        (answered(Code::Unavailable, "STORAGE_UNAVAILABLE", true), safe),
        (answered(Code::Unavailable, "GEOCODER_UNAVAILABLE", true), safe),
        (answered(Code::ResourceExhausted, "GEOCODER_BUSY", true), safe),
        (Error::from(&Status::unavailable("connection refused")), safe),
        (Error::from(&Status::unknown("reset")), safe),
        (answered(Code::ResourceExhausted, "STORAGE_FULL", false), none),
        (answered(Code::ResourceExhausted, "LIMIT_REACHED", false), none),
        (answered(Code::Aborted, "ETAG_MISMATCH", false), none),
        (answered(Code::Internal, "INTERNAL", false), none),
        (answered(Code::DeadlineExceeded, "DEADLINE_EXCEEDED", true), safe),
        (answered(Code::DeadlineExceeded, "DEADLINE_EXCEEDED", false), none),
        (Error::from(&Status::deadline_exceeded("the time for the call is over")), none),
        (answered(Code::Unauthenticated, "CREDENTIAL_INVALID", false), none),
    ] {
        assert_eq!(repeated(&error), expected, "{error} {}", error.reason_name());
    }
}

#[test]
fn a_watch_goes_on_where_that_helps() {
    for (error, expected) in [
        (answered(Code::Unavailable, "NOT_READY", true), true),
        (answered(Code::ResourceExhausted, "LIMIT_REACHED", false), true),
        (Error::from(&Status::internal("h2 protocol error")), true),
        (answered(Code::Unauthenticated, "CREDENTIAL_INVALID", false), false),
        (answered(Code::InvalidArgument, "FIELD_INVALID", false), false),
        (answered(Code::Internal, "INTERNAL", false), false),
    ] {
        assert_eq!(policy().resumes(&error), expected, "{error}");
    }
}

/// The table of methods in docs/clients.md, one row a kind.
fn table() -> String {
    ALL.map(row).concat()
}

fn row(kind: Kind) -> String {
    let mut by_service: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let ruled: BTreeMap<&String, &Method> = policy().methods.iter().collect();
    for (name, _) in ruled.into_iter().filter(|(_, rule)| rule.kind == kind) {
        let (service, method) = name.split_once('/').unwrap();
        by_service.entry(service.trim_end_matches("Service")).or_default().push(method);
    }
    let services = by_service.into_iter().map(|(service, methods)| format!("{service}: {}", methods.join(", ")));
    let (kind, services) = (format!("{kind:?}").to_lowercase(), services.collect::<Vec<_>>().join("; "));
    format!("| `{kind}` | {services} |\n")
}

#[test]
fn the_page_shows_the_rules() {
    let page = include_str!("../../../docs/clients.md");
    assert!(page.contains(&table()), "docs/clients.md lacks this table:\n{}", table());
    for rule in &policy().repeats {
        for reason in &rule.reasons {
            assert!(page.contains(&format!("`{reason}`")), "docs/clients.md says nothing of {reason}");
        }
    }
    let shown: String = page.split_whitespace().collect::<Vec<_>>().join(" ");
    for rule in &policy().advice {
        assert!(shown.contains(&rule.text), "docs/clients.md lacks: {}", rule.text);
    }
}
