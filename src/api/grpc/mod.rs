//! The gRPC services, one a file, and the router that carries them with health and reflection.

mod activation;
mod admin;
mod admission;
mod attention;
mod audited;
mod audits;
mod geoip;
pub(super) mod health;
mod history;
mod imports;
mod leaving;
mod location;
mod map;
mod prefixes;
mod residents;
mod shares;
mod sites;
mod ticketing;
mod tiles;
mod watches;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use tonic::service::Routes;
use tonic::{Code, Status};
use tonic_web::GrpcWebLayer;

use super::Offered;
use super::proto::waymark::v1::activation_service_server::ActivationServiceServer;
use super::proto::waymark::v1::admin_service_server::AdminServiceServer;
use super::proto::waymark::v1::attention_service_server::AttentionServiceServer;
use super::proto::waymark::v1::audit_service_server::AuditServiceServer;
use super::proto::waymark::v1::geo_ip_service_server::GeoIpServiceServer;
use super::proto::waymark::v1::history_service_server::HistoryServiceServer;
use super::proto::waymark::v1::import_service_server::ImportServiceServer;
use super::proto::waymark::v1::location_service_server::LocationServiceServer;
use super::proto::waymark::v1::map_service_server::MapServiceServer;
use super::proto::waymark::v1::prefix_service_server::PrefixServiceServer;
use super::proto::waymark::v1::resident_access_service_server::ResidentAccessServiceServer;
use super::proto::waymark::v1::share_service_server::ShareServiceServer;
use super::proto::waymark::v1::site_service_server::SiteServiceServer;
use super::proto::waymark::v1::ticketing_service_server::TicketingServiceServer;
use super::traffic::Traffic;
use super::{panics, proto, protocol, replica, status};
use crate::model::polygon::POINTS_MAX;
use crate::service::Waymark;
use health::Health;

/// Longest message that a caller may send, in bytes: a note of 64 KiB, labels and links, or 10,000 points of polygons, with
/// room.
const REQUEST_BYTES_MAX: usize = 256 * 1024;
/// Longest message of rows to import, in bytes: a hundred rows of some kilobytes, or some with long notes.
const IMPORT_BYTES_MAX: usize = 1024 * 1024;
/// Longest message of a small request, in bytes.
const SMALL_REQUEST_BYTES_MAX: usize = 64 * 1024;
/// Longest message of a call to health or reflection, in bytes: tonic's own limit.
const FOREIGN_REQUEST_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Longest time of a call: what a geocoder may take, and far above anything else.
const CALL_TIME_MAX: Duration = Duration::from_secs(10);
/// Longest time of an erasure, which writes the store's file anew: some tens of seconds a gigabyte.
const ERASURE_TIME_MAX: Duration = Duration::from_mins(10);
/// The paths of erasures.
const ERASURES: [&str; 2] =
    ["/waymark.v1.AdminService/EraseSitePersonalData", "/waymark.v1.AdminService/EraseAccountPersonalData"];

/// All services, for gRPC and gRPC-Web alike.
pub(super) fn router(
    waymark: &Arc<Waymark>,
    health: &Health,
    traffic: &Arc<Traffic>,
    offered: Offered,
) -> Result<Router, tonic_reflection::server::Error> {
    let of = || Arc::clone(waymark);
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(&health::DESCRIPTORS)
    };
    let max = message_bytes_max;
    let mut routes = Routes::new(health.server());
    if offered.reflection {
        routes = routes.add_service(reflection().build_v1()?).add_service(reflection().build_v1alpha()?);
    }
    let routes = routes
        .add_service(
            ActivationServiceServer::new(activation::Activations(of())).max_decoding_message_size(max("Activation")),
        )
        .add_service(AdminServiceServer::new(admin::Admin(of())).max_decoding_message_size(max("Admin")))
        .add_service(
            AttentionServiceServer::new(attention::Attentions(of())).max_decoding_message_size(max("Attention")),
        )
        .add_service(AuditServiceServer::new(audits::Audits(of())).max_decoding_message_size(max("Audit")))
        .add_service(GeoIpServiceServer::new(geoip::GeoIp(of())).max_decoding_message_size(max("GeoIp")))
        .add_service(HistoryServiceServer::new(history::Histories(of())).max_decoding_message_size(max("History")))
        .add_service(ImportServiceServer::new(imports::Imports(of())).max_decoding_message_size(max("Import")))
        .add_service(LocationServiceServer::new(location::Locations(of())).max_decoding_message_size(max("Location")))
        .add_service(MapServiceServer::new(map::Maps(of())).max_decoding_message_size(max("Map")))
        .add_service(PrefixServiceServer::new(prefixes::Prefixes(of())).max_decoding_message_size(max("Prefix")))
        .add_service(
            ResidentAccessServiceServer::new(residents::Residents(of()))
                .max_decoding_message_size(max("ResidentAccess")),
        )
        .add_service(ShareServiceServer::new(shares::Shares(of())).max_decoding_message_size(max("Share")))
        .add_service(SiteServiceServer::new(sites::Sites(of())).max_decoding_message_size(max("Site")))
        .add_service(
            TicketingServiceServer::new(ticketing::Ticketing(of())).max_decoding_message_size(max("Ticketing")),
        );
    // The fallback is the HTTP side's, which knows a method that nobody has from a page that nobody has.
    let router = routes.prepare().into_axum_router().reset_fallback().merge(health.listing());
    let telling = from_fn_with_state(of(), audited::tell);
    let keeper = admission::Gatekeeper { traffic: Arc::clone(traffic), waymark: Arc::clone(waymark) };
    // From the inside: a deadline ends the wait for a place too, and what is told and counted is the code that the caller gets,
    // that of a panic too. The form for browsers stands above all, and puts a status where they read it.
    Ok(router
        .layer(from_fn_with_state(keeper, admission::admit))
        .layer(from_fn(keep_deadline))
        .layer(from_fn(name_the_fault))
        .layer(from_fn(leaving::end_with_connection))
        .layer(from_fn(panics::contain_messages))
        .layer(telling)
        .layer(from_fn(replica::refuse))
        .layer(from_fn_with_state(Arc::clone(traffic), admission::count))
        .layer(GrpcWebLayer::new()))
}

/// Health alone, for the operator's own listener.
pub(super) fn health_router(health: &Health, traffic: &Arc<Traffic>) -> Router {
    let router = Routes::new(health.server()).prepare().into_axum_router().reset_fallback();
    router
        .merge(health.listing())
        .layer(from_fn(keep_deadline))
        .layer(from_fn(leaving::end_with_connection))
        .layer(from_fn_with_state(Arc::clone(traffic), admission::count))
}

/// Longest message of a call to a service, in bytes; of its name without what all end with.
pub(super) fn message_bytes_max(service: &str) -> usize {
    match service {
        "Activation" | "Map" | "ResidentAccess" | "Site" => REQUEST_BYTES_MAX,
        "Import" => IMPORT_BYTES_MAX,
        _ => SMALL_REQUEST_BYTES_MAX,
    }
}

/// Ends a call that takes longer than its caller waits, or than any call may take. A stream that has begun goes on.
async fn keep_deadline(request: Request, next: Next) -> Response {
    let asked = protocol::timeout(request.headers());
    let longest = time_max(request.uri().path());
    let limit = asked.map_or(longest, |asked| asked.min(longest));
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => status::too_late(limit).into_http(),
    }
}

/// The longest time of a call of the method with this path.
fn time_max(path: &str) -> Duration {
    if ERASURES.contains(&path) { ERASURE_TIME_MAX } else { CALL_TIME_MAX }
}

/// Gives the reason to what tonic refuses on its own, before any method of ours is asked: a message over the limit, which it
/// calls `OUT_OF_RANGE` and gRPC `RESOURCE_EXHAUSTED`, and one that is no message of the method. Nothing of ours answers
/// `OUT_OF_RANGE`.
async fn name_the_fault(request: Request, next: Next) -> Response {
    let asked = request.uri().clone();
    let response = next.run(request).await;
    let Some(found) = Status::from_header_map(response.headers()) else { return response };
    match found.code() {
        Code::OutOfRange => too_long(asked.path()).into_http(),
        _ => status::undecodable(&found).map_or(response, Status::into_http),
    }
}

/// What a message that is too long is told by the method with this path.
fn too_long(path: &str) -> Status {
    let own = path.strip_prefix("/waymark.v1.").and_then(|rest| rest.split_once("Service/"));
    match own {
        // All else that it takes is short.
        Some(("Map", method @ "ListPolygonSites")) => {
            let why =
                format!("at most {POINTS_MAX} points in all rings: simplify them, or ask for some rings at a time");
            status::message_too_long(method, message_bytes_max("Map"), Some(("polygons", &why)))
        }
        Some((service, method)) => status::message_too_long(method, message_bytes_max(service), None),
        None => status::message_too_long("the method", FOREIGN_REQUEST_BYTES_MAX, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An erasure was cut off by the time of a call in a store of a gigabyte, again with each repeat.
    #[test]
    fn erasures_alone_may_take_long() {
        let admin = super::super::proto::waymark::v1::admin_service_server::SERVICE_NAME;
        for method in ["EraseSitePersonalData", "EraseAccountPersonalData"] {
            assert_eq!(time_max(&format!("/{admin}/{method}")), ERASURE_TIME_MAX, "{method}");
        }
        for path in [format!("/{admin}/ExportSitePersonalData"), "/x/EraseSitePersonalData".into(), String::new()] {
            assert_eq!(time_max(&path), CALL_TIME_MAX, "{path}");
        }
    }

    /// Each was told that no method takes more than 262144 bytes, that of imports too, which takes four times as many.
    #[test]
    fn a_message_that_is_too_long_is_told_what_its_own_method_takes() {
        for (path, expected) in [
            ("/waymark.v1.SiteService/UpdateSite", "UpdateSite takes at most 262144 bytes"),
            ("/waymark.v1.ImportService/ImportSites", "ImportSites takes at most 1048576 bytes"),
            ("/waymark.v1.AdminService/ListTokens", "ListTokens takes at most 65536 bytes"),
            ("/grpc.health.v1.Health/Check", "the method takes at most 4194304 bytes"),
            ("/waymark.v1.MapService/ListPolygonSites", "262144 bytes; polygons: at most 10000 points in all rings"),
        ] {
            let told = too_long(path);
            assert!(told.message().contains(expected), "{path}: {}", told.message());
        }
    }
}
