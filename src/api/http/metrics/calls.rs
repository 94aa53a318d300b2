//! What was counted of calls, places and connections, in the text format.

use std::fmt::Write as _;

use metrics::{counter, gauge};

use super::families::{Family, GRPC_DURATION, HTTP_DURATION};
use super::number;
use crate::api::traffic::{
    CertificateFault, DURATION_CLASSES_S, Durations, End, Lane, Limit, Method, Route, Traffic, code_of_end,
    status_of_end,
};

/// The lanes, and their names as labels.
const LANES: [(Lane, &str); 4] =
    [(Lane::Reads, "reads"), (Lane::Writes, "writes"), (Lane::Outside, "outside"), (Lane::Strangers, "strangers")];

/// Counters and gauges.
pub(super) fn record(traffic: &Traffic) {
    record_grpc(traffic);
    for route in Route::ALL {
        let counts = traffic.calls().of_route(route);
        for (end, count) in counts.ends() {
            let code = status_of_end(end).to_string();
            counter!("waymark_http_requests_total", "route" => route.name(), "code" => code).absolute(count);
        }
        gauge!("waymark_http_requests_in_flight", "route" => route.name()).set(number(counts.in_flight()));
    }
    for (lane, name) in LANES {
        let gate = traffic.gate(lane);
        gauge!("waymark_places_in_use", "lane" => name).set(number(gate.in_use()));
        gauge!("waymark_places_max", "lane" => name).set(number(gate.units_max()));
        gauge!("waymark_calls_waiting", "lane" => name).set(number(gate.waiting()));
        counter!("waymark_calls_shed_total", "lane" => name).absolute(gate.refused());
    }
    for limit in Limit::ALL {
        counter!("waymark_calls_limited_total", "limit" => limit.name()).absolute(traffic.refused_by(limit));
    }
    let connections = traffic.connections();
    gauge!("waymark_connections_open").set(number(connections.open()));
    gauge!("waymark_connections_max").set(number(connections.max()));
    counter!("waymark_connections_accepted_total").absolute(connections.accepted());
    counter!("waymark_connections_refused_total").absolute(connections.refused());
    for end in End::ALL {
        counter!("waymark_connections_closed_total", "reason" => end.name()).absolute(connections.ended(end));
    }
    for fault in CertificateFault::ALL {
        let refused = connections.certificates_refused(fault);
        counter!("waymark_client_certificates_refused_total", "reason" => fault.name()).absolute(refused);
    }
    counter!("waymark_connections_failed_total").absolute(connections.failed());
    gauge!("waymark_answer_bytes_untaken").set(number(traffic.untaken().bytes()));
}

fn record_grpc(traffic: &Traffic) {
    for (at, method) in traffic.methods().iter().enumerate() {
        let counts = traffic.calls().of_method(at);
        for (end, count) in counts.ends() {
            let labels = [
                ("service", method.service.clone()),
                ("method", method.name.clone()),
                ("code", code_of_end(end).to_owned()),
            ];
            counter!("waymark_grpc_calls_total", &labels).absolute(count);
        }
        // Methods of one service share a gauge: hundreds of zeroes would say no more.
        gauge!("waymark_grpc_calls_in_flight", "service" => method.service.clone())
            .increment(number(counts.in_flight()));
    }
}

/// The histograms, which the recorder would have to be told call by call.
pub(super) fn write_durations(traffic: &Traffic, page: &mut String) {
    begin(&GRPC_DURATION, page);
    for (at, Method { service, name, .. }) in traffic.methods().iter().enumerate() {
        // Nothing in them is a caller's word, so nothing has to be escaped.
        let labels = format!("service=\"{service}\",method=\"{name}\"");
        write_histogram(&GRPC_DURATION, &labels, traffic.calls().of_method(at).durations(), page);
    }
    begin(&HTTP_DURATION, page);
    for route in Route::ALL {
        let labels = format!("route=\"{}\"", route.name());
        write_histogram(&HTTP_DURATION, &labels, traffic.calls().of_route(route).durations(), page);
    }
}

fn begin(Family { name, help, .. }: &Family, page: &mut String) {
    push(page, format_args!("# HELP {name} {help}\n# TYPE {name} histogram\n"));
}

/// One histogram, where anything is in it.
fn write_histogram(Family { name, .. }: &Family, labels: &str, durations: &Durations, page: &mut String) {
    let (cumulated, sum_s) = durations.read();
    let count = cumulated.last().copied().unwrap_or_default();
    if count == 0 {
        return;
    }
    for (end, up_to) in DURATION_CLASSES_S.iter().zip(cumulated) {
        push(page, format_args!("{name}_bucket{{{labels},le=\"{end}\"}} {up_to}\n"));
    }
    push(page, format_args!("{name}_bucket{{{labels},le=\"+Inf\"}} {count}\n"));
    push(page, format_args!("{name}_sum{{{labels}}} {sum_s}\n{name}_count{{{labels}}} {count}\n"));
}

pub(super) fn push(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.write_fmt(text).expect("a text takes any text");
}
