//! The gRPC services, one a file, and the router that carries them with health and reflection.

mod activation;
mod admin;
pub(super) mod health;
mod location;
mod map;
mod sites;

use std::sync::Arc;

use axum::Router;
use tonic::service::Routes;
use tonic_web::GrpcWebLayer;

use super::proto;
use super::proto::waymark::v1::activation_service_server::ActivationServiceServer;
use super::proto::waymark::v1::admin_service_server::AdminServiceServer;
use super::proto::waymark::v1::location_service_server::LocationServiceServer;
use super::proto::waymark::v1::map_service_server::MapServiceServer;
use super::proto::waymark::v1::site_service_server::SiteServiceServer;
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
    Ok(routes.prepare().into_axum_router().reset_fallback().layer(GrpcWebLayer::new()))
}
