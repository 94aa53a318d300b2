//! Metrics for Prometheus: what the operator's own questions answer, in its text format.
//!
//! Values are read where they are kept when somebody asks; nothing is counted twice. Paths of files are in the labels, so the
//! page is for the operator's token alone. No label is of an account, a site or a person. `families` lists all there are.

mod calls;
mod families;
mod geocoders;
mod process;

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use metrics::{counter, gauge};
use metrics_exporter_prometheus::PrometheusBuilder;

use crate::api::caller;
use crate::api::status::Failure;
use crate::api::traffic::Traffic;
use crate::service::Waymark;
use crate::service::databases::{DatabaseStatus, Freshness};
use crate::service::sizes::Sizes;
use crate::telemetry;
use crate::telemetry::build_info::BUILD;
use crate::telemetry::traces::{self, Loss};

/// The media type of the text format, version 0.0.4.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Where the values are kept.
#[derive(Debug, Clone)]
pub(super) struct Sources {
    waymark: Arc<Waymark>,
    traffic: Arc<Traffic>,
}

impl Sources {
    pub(super) fn of(waymark: &Arc<Waymark>, traffic: &Arc<Traffic>) -> Self {
        Self { waymark: Arc::clone(waymark), traffic: Arc::clone(traffic) }
    }
}

/// `GET /metrics`.
pub(super) async fn metrics(State(sources): State<Sources>, headers: HeaderMap) -> Result<Response, Failure> {
    let Sources { waymark, traffic } = sources;
    let principal = caller::principal(&waymark, &headers)?;
    let statuses = waymark.list_databases(&principal)?;
    let sizes = waymark.sizes(&principal)?;
    // One of its own for each answer: it holds what is true now, and no file that is configured no more.
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    metrics::with_local_recorder(&recorder, || {
        families::describe();
        record_build();
        statuses.iter().for_each(record);
        record_lag(&waymark);
        counter!("waymark_panics_total").absolute(telemetry::panics());
        counter!("waymark_store_corrupt_reads_total").absolute(waymark.corrupt_reads());
        gauge!("waymark_store_safe").set(if waymark.store_danger().is_none() { 1.0 } else { 0.0 });
        record_sizes(sizes);
        calls::record(&traffic);
        process::record();
        counter!("waymark_audit_lost_total").absolute(waymark.audit_lost());
        record_identities(&waymark);
        geocoders::record();
        record_traces();
    });
    let mut page = handle.render();
    calls::write_durations(&traffic, &mut page);
    geocoders::write_times(&mut page);
    Ok(([(header::CONTENT_TYPE, TEXT_FORMAT)], page).into_response())
}

/// What this program was built of: always 1, for a query to join.
fn record_build() {
    let labels =
        [("version", BUILD.version), ("commit", BUILD.commit), ("rustc", BUILD.rustc), ("target", BUILD.target)];
    gauge!("waymark_build_info", &labels).set(1.0);
}

fn record_sizes(sizes: Sizes) {
    gauge!("waymark_accounts").set(number(sizes.accounts));
    gauge!("waymark_sites").set(number(sizes.sites));
    gauge!("waymark_watches_open").set(number(sizes.watches));
    gauge!("waymark_mails_waiting").set(number(sizes.mails));
}

/// How far this replica may be behind the others; zero where there are none.
fn record_lag(waymark: &Waymark) {
    let lag = waymark.lag();
    gauge!("waymark_replica_lag_seconds").set(lag.behind.as_secs_f64());
    gauge!("waymark_replica_following").set(if lag.trouble.is_none() { 1.0 } else { 0.0 });
    counter!("waymark_replica_resyncs_total").absolute(lag.resyncs);
}

/// What is known of identity providers. Their names are the operator's own settings.
fn record_identities(waymark: &Waymark) {
    for provider in waymark.identity_providers() {
        let issuer = provider.issuer;
        counter!("waymark_jwt_verified_total", "issuer" => issuer.clone()).absolute(provider.verified);
        gauge!("waymark_jwks_keys", "issuer" => issuer.clone()).set(number(provider.keys));
        counter!("waymark_jwks_failures_total", "issuer" => issuer.clone()).absolute(provider.failures);
        if let Some(age) = provider.keys_age {
            gauge!("waymark_jwks_age_seconds", "issuer" => issuer).set(age.as_secs_f64());
        }
    }
    for (cause, count) in waymark.refused_identities() {
        counter!("waymark_jwt_refused_total", "cause" => cause).absolute(count);
    }
}

/// What became of spans; zero of all where no collector is configured.
fn record_traces() {
    let counts = traces::counts();
    counter!("waymark_trace_spans_exported_total").absolute(counts.spans_exported());
    counter!("waymark_trace_exports_failed_total").absolute(counts.exports_failed());
    for loss in Loss::ALL {
        counter!("waymark_trace_spans_dropped_total", "reason" => loss.name()).absolute(counts.of(loss));
    }
}

fn record(status: &DatabaseStatus) {
    let path = status.path.display().to_string();
    let set = |name: &'static str, value: f64| gauge!(name, "path" => path.clone()).set(value);
    let count = |name: &'static str, value: u64| counter!(name, "path" => path.clone()).absolute(value);
    let truth = |truth: bool| if truth { 1.0 } else { 0.0 };
    set("waymark_geoip_database_up", truth(status.in_use.is_some()));
    set("waymark_geoip_database_failed", truth(status.failure.is_some()));
    set("waymark_geoip_database_refused", truth(status.freshness == Some(Freshness::Refused)));
    if let Some(info) = &status.in_use {
        set("waymark_geoip_database_build_timestamp_seconds", seconds(info.build_time.as_second()));
        set("waymark_geoip_database_size_bytes", seconds(i64::try_from(info.bytes).unwrap_or(i64::MAX)));
    }
    if let Some(loaded_at) = status.loaded_at {
        set("waymark_geoip_database_load_timestamp_seconds", seconds(loaded_at.as_second()));
    }
    if let Some(age) = status.age {
        set("waymark_geoip_database_age_seconds", seconds(age.as_secs()));
    }
    count("waymark_geoip_loads_total", status.loads);
    count("waymark_geoip_failures_total", status.failures);
    count("waymark_geoip_look_ups_total", status.look_ups);
    count("waymark_geoip_misses_total", status.misses);
    count("waymark_geoip_damaged_total", status.damaged);
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53, which no time and no file reaches")]
fn seconds(value: i64) -> f64 {
    value as f64
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53, which nothing that is counted here reaches")]
fn number(value: usize) -> f64 {
    value as f64
}
