//! The gRPC services, one a file, and the router that carries them with health and reflection.

mod activation;
mod admin;
pub(super) mod health;
mod location;
mod map;
mod sites;

use std::sync::Arc;

use axum::Router;
use axum::middleware::map_response;
use axum::response::Response;
use tonic::Status;
use tonic::service::Routes;
use tonic_web::GrpcWebLayer;

use super::proto::waymark::v1::activation_service_server::ActivationServiceServer;
use super::proto::waymark::v1::admin_service_server::AdminServiceServer;
use super::proto::waymark::v1::location_service_server::LocationServiceServer;
use super::proto::waymark::v1::map_service_server::MapServiceServer;
use super::proto::waymark::v1::site_service_server::SiteServiceServer;
use super::{proto, status};
use crate::service::Waymark;
use health::Health;

/// Longest message that a caller may send, in bytes: a note of 64 KiB, labels and links, with room.
const REQUEST_BYTES_MAX: usize = 256 * 1024;
/// Longest message of a small request, in bytes.
const SMALL_REQUEST_BYTES_MAX: usize = 64 * 1024;

/// All services, for gRPC and gRPC-Web alike.
pub(super) fn router(waymark: &Arc<Waymark>, health: &Health) -> Result<Router, tonic_reflection::server::Error> {
    let of = || Arc::clone(waymark);
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let small = SMALL_REQUEST_BYTES_MAX;
    let routes = Routes::new(health.server())
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?)
        .add_service(ActivationServiceServer::new(activation::Activations(of())).max_decoding_message_size(small))
        .add_service(AdminServiceServer::new(admin::Admin(of())).max_decoding_message_size(small))
        .add_service(LocationServiceServer::new(location::Locations(of())).max_decoding_message_size(small))
        .add_service(MapServiceServer::new(map::Maps(of())).max_decoding_message_size(small))
        .add_service(SiteServiceServer::new(sites::Sites(of())).max_decoding_message_size(REQUEST_BYTES_MAX));
    // The fallback is the HTTP side's, which knows a method that nobody has from a page that nobody has.
    let router = routes.prepare().into_axum_router().reset_fallback();
    Ok(router.layer(map_response(name_the_limit)).layer(GrpcWebLayer::new()))
}

/// tonic answers `OUT_OF_RANGE` to a message over the limit; gRPC's own word for it is `RESOURCE_EXHAUSTED`. Nothing of
/// ours answers `OUT_OF_RANGE`.
async fn name_the_limit(response: Response) -> Response {
    let is_over = response.headers().get(Status::GRPC_STATUS).is_some_and(|code| code.as_bytes() == b"11");
    if is_over { status::message_too_long(REQUEST_BYTES_MAX).into_http() } else { response }
}
