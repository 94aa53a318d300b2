//! All metrics there are, by name: what each is, and which labels its values have. docs/metrics.md holds the same list, and a
//! dashboard of deploy/ asks for no other; tests compare them.

use metrics::{describe_counter, describe_gauge};

/// What the values of a metric are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It grows from the start of the process on.
    Counter,
    /// It is what it is now.
    Gauge,
    /// How many took no longer than each of some times; written in `calls`.
    Histogram,
}

/// A metric.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// Its labels, with commas between them: what docs/metrics.md says is held to it.
    #[cfg_attr(not(test), expect(dead_code))]
    pub(super) labels: &'static str,
    pub(super) help: &'static str,
}

const fn counter(name: &'static str, labels: &'static str, help: &'static str) -> Family {
    Family { name, kind: Kind::Counter, labels, help }
}

const fn gauge(name: &'static str, labels: &'static str, help: &'static str) -> Family {
    Family { name, kind: Kind::Gauge, labels, help }
}

/// How long gRPC calls took.
pub(super) const GRPC_DURATION: Family = Family {
    name: "waymark_grpc_call_duration_seconds",
    kind: Kind::Histogram,
    labels: "service, method",
    help: "Time from a call's arrival to the beginning of its answer; a stream goes on after it.",
};
/// How long requests over plain HTTP took.
pub(super) const HTTP_DURATION: Family = Family {
    name: "waymark_http_request_duration_seconds",
    kind: Kind::Histogram,
    labels: "route",
    help: "Time from a request's arrival to the beginning of its answer.",
};

/// How long geocoders took.
pub(super) const GEOCODER_TIME: Family =
    counter("waymark_geocoder_seconds_total", "provider", "Time that geocoders took over them, all together.");

/// All of them, ordered by subject.
pub(super) const FAMILIES: [Family; 57] = [
    gauge(
        "waymark_build_info",
        "version, commit, rustc, target",
        "Always 1; the labels say what this program was built of.",
    ),
    counter(
        "waymark_grpc_calls_total",
        "service, method, code",
        "Calls that ended, with the code that their callers got.",
    ),
    GRPC_DURATION,
    gauge("waymark_grpc_calls_in_flight", "service", "Calls that began and did not end, streams included."),
    counter("waymark_http_requests_total", "route, code", "Answers over plain HTTP; 499 where the client left before."),
    HTTP_DURATION,
    gauge("waymark_http_requests_in_flight", "route", "Requests whose answer did not begin."),
    gauge("waymark_places_in_use", "lane", "Places taken by calls in flight, in units of a short look in memory."),
    gauge("waymark_places_max", "lane", "Most places."),
    gauge("waymark_calls_waiting", "lane", "Calls that wait for a place."),
    counter("waymark_calls_shed_total", "lane", "Calls refused with SERVER_BUSY, because there was no place in time."),
    counter(
        "waymark_calls_limited_total",
        "limit",
        "Calls refused because their caller makes too many, by the setting that says so.",
    ),
    gauge("waymark_connections_open", "", "Connections, those of watches included."),
    gauge(
        "waymark_connections_max",
        "",
        "Most connections; beyond, a newcomer gets the place of one that nobody needs.",
    ),
    counter("waymark_connections_accepted_total", "", "Connections that were accepted."),
    counter(
        "waymark_connections_refused_total",
        "",
        "Connections closed without a place: their address had as many as one may, or all were needed.",
    ),
    counter("waymark_connections_closed_total", "reason", "Connections with a place that ended, by why they did."),
    counter(
        "waymark_connections_failed_total",
        "",
        "Connections that the system did not hand over, as without file descriptors.",
    ),
    counter(
        "waymark_client_certificates_refused_total",
        "reason",
        "Handshakes that ended because the client's certificate is missing, expired, untrusted or unfit.",
    ),
    gauge(
        "waymark_answer_bytes_untaken",
        "",
        "Bytes of answers that were made and wait to be taken; of calls that need a credential, and were not refused.",
    ),
    counter("waymark_panics_total", "", "Faults of waymark itself: each ended a call or some work, and is in the log."),
    counter(
        "waymark_store_corrupt_reads_total",
        "",
        "Reads that met a record, or a key of Redis, which is not what was written: a disk or another program changed it.",
    ),
    gauge(
        "waymark_store_safe",
        "",
        "1 where the store keeps what it acknowledges, as far as its settings tell, else 0: then nothing is written, unless that is allowed.",
    ),
    counter("waymark_audit_lost_total", "", "Calls that the audit log tells of by their number alone."),
    counter(
        "waymark_jwt_verified_total",
        "issuer",
        "Tokens of an identity provider that were checked and good; one that is known is not checked again.",
    ),
    counter(
        "waymark_jwt_refused_total",
        "cause",
        "Calls and requests whose token of an identity provider was refused, by why.",
    ),
    gauge(
        "waymark_jwks_keys",
        "issuer",
        "Keys that tokens of an identity provider are checked with; 0 where they are too old.",
    ),
    gauge("waymark_jwks_age_seconds", "issuer", "Time since the keys of an identity provider were read."),
    counter("waymark_jwks_failures_total", "issuer", "Looks at the keys of an identity provider that failed."),
    gauge("waymark_accounts", "", "Accounts."),
    gauge("waymark_sites", "", "Sites of all accounts, placed or not."),
    gauge("waymark_watches_open", "", "Watches that go on."),
    gauge("waymark_mails_waiting", "", "Mails that wait for the mail server."),
    gauge("waymark_geoip_database_up", "path", "1 where a good version of the file is in use, else 0."),
    gauge("waymark_geoip_database_build_timestamp_seconds", "path", "Build time in the file in use."),
    gauge("waymark_geoip_database_load_timestamp_seconds", "path", "When the version in use was taken."),
    gauge("waymark_geoip_database_age_seconds", "path", "Time since the build of the file in use."),
    gauge("waymark_geoip_database_size_bytes", "path", "Size of the file in use, which it has in memory."),
    gauge("waymark_geoip_database_failed", "path", "1 where the file that is there now is not in use, else 0."),
    gauge("waymark_geoip_database_refused", "path", "1 where the file in use is too old to be asked, else 0."),
    counter("waymark_geoip_loads_total", "path", "Versions that were put to use since the start."),
    counter("waymark_geoip_failures_total", "path", "Versions that were not, and looks at no file."),
    counter("waymark_geoip_look_ups_total", "path", "Look-ups of addresses of a family that it holds."),
    counter("waymark_geoip_misses_total", "path", "Those of them without a record."),
    counter("waymark_geoip_damaged_total", "path", "Those of them whose record cannot be read."),
    counter(
        "waymark_geocoder_questions_total",
        "provider, outcome",
        "Questions that geocoders were asked, each attempt by itself, by how they ended.",
    ),
    GEOCODER_TIME,
    gauge("waymark_replica_lag_seconds", "", "Time for which it is not known what others wrote."),
    gauge("waymark_replica_following", "", "1 where the shared store is followed, else 0."),
    counter("waymark_replica_resyncs_total", "", "Times that a partition was read anew."),
    counter("waymark_trace_spans_exported_total", "", "Spans that the collector of traces took."),
    counter(
        "waymark_trace_spans_dropped_total",
        "reason",
        "Spans that nobody got: too many waited, their export failed, or the list has none such.",
    ),
    counter(
        "waymark_trace_exports_failed_total",
        "",
        "Exports of traces that failed or took too long; the spans in them are dropped.",
    ),
    gauge("process_resident_memory_bytes", "", "Memory that the process has in use."),
    gauge("process_open_fds", "", "File descriptors that the process has open."),
    gauge("process_max_fds", "", "Most file descriptors that it may have open."),
    counter("process_cpu_seconds_total", "", "Time that it ran, on all cores together."),
];

/// Says of each counter and gauge what it is; histograms say it where they are written.
pub(super) fn describe() {
    for family in &FAMILIES {
        match family.kind {
            Kind::Counter => describe_counter!(family.name, family.help),
            Kind::Gauge => describe_gauge!(family.name, family.help),
            Kind::Histogram => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    fn file(path: &str) -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        std::fs::read_to_string(&path).unwrap_or_else(|cause| panic!("{}: {cause}", path.display()))
    }

    /// The rows of the page's tables as they should be.
    fn rows() -> BTreeSet<String> {
        let row = |family: &Family| {
            let kind = format!("{:?}", family.kind).to_lowercase();
            format!("| `{}` | {kind} | {} | {} |", family.name, family.labels, family.help)
        };
        FAMILIES.iter().map(row).collect()
    }

    #[test]
    fn the_documented_list_is_the_list() {
        let page = file("docs/metrics.md");
        let documented: BTreeSet<String> =
            page.lines().filter(|line| line.starts_with("| `")).map(str::to_owned).collect();
        let missing: Vec<_> = rows().difference(&documented).cloned().collect();
        let unknown: Vec<_> = documented.difference(&rows()).cloned().collect();
        assert!(missing.is_empty(), "docs/metrics.md lacks:\n{}", missing.join("\n"));
        assert!(unknown.is_empty(), "docs/metrics.md says of what is not there:\n{}", unknown.join("\n"));
    }

    /// Names of metrics in a text of queries.
    fn asked_in(text: &str) -> BTreeSet<&str> {
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        words.filter(|word| word.starts_with("waymark_") || word.starts_with("process_")).collect()
    }

    #[test]
    fn the_dashboard_and_the_alerts_ask_for_what_there_is() {
        let mut known = BTreeSet::new();
        for Family { name, kind, .. } in &FAMILIES {
            if *kind == Kind::Histogram {
                known.extend(["_bucket", "_sum", "_count"].map(|end| format!("{name}{end}")));
            } else {
                known.insert((*name).to_owned());
            }
        }
        for path in ["deploy/grafana-dashboard.json", "deploy/prometheus-alerts.yaml"] {
            let text = file(path);
            let asked = asked_in(&text);
            assert!(asked.len() > 5, "{path} asks for nothing");
            let unknown: Vec<_> = asked.iter().filter(|name| !known.contains(**name)).collect();
            assert!(unknown.is_empty(), "{path} asks for {unknown:?}");
            // Who is kept out hears it alone, and where that is by mistake the operator has to.
            for refused in ["waymark_client_certificates_refused_total", "waymark_jwt_refused_total"] {
                assert!(asked.contains(refused), "{path} does not ask for {refused}");
            }
        }
        assert_eq!(
            asked_in("sum(rate(waymark_x_total{a=\"b\"}[5m]))").into_iter().collect::<Vec<_>>(),
            ["waymark_x_total"]
        );
    }

    #[test]
    fn the_dashboard_is_json_whose_panels_all_ask() {
        let dashboard: serde_json::Value = serde_json::from_str(&file("deploy/grafana-dashboard.json")).unwrap();
        let panels = dashboard["panels"].as_array().unwrap();
        assert!(panels.len() > 10);
        for panel in panels.iter().filter(|panel| panel["type"] != "row") {
            let targets = panel["targets"].as_array().unwrap_or_else(|| panic!("{panel}"));
            assert!(!targets.is_empty() && targets.iter().all(|target| target["expr"].is_string()), "{panel}");
            assert!(panel["title"].is_string() && panel["description"].is_string(), "{panel}");
        }
        // Two of them in one place hide each other.
        let places: BTreeSet<String> = panels.iter().map(|panel| panel["gridPos"].to_string()).collect();
        assert_eq!(places.len(), panels.len());
    }

    #[test]
    fn names_are_as_prometheus_wants_them() {
        let names: BTreeSet<_> = FAMILIES.iter().map(|family| family.name).collect();
        assert_eq!(names.len(), FAMILIES.len());
        for Family { name, kind, help, .. } in &FAMILIES {
            assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
            assert!(help.ends_with('.') && !help.contains('|'), "{name}");
        }
    }
}
