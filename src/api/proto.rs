//! The Rust side of `proto/`: messages, servers and clients, made by the build script.

#![allow(
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    clippy::pedantic,
    clippy::clone_on_ref_ptr,
    clippy::large_enum_variant
)]

pub mod waymark {
    pub mod v1 {
        tonic::include_proto!("waymark.v1");
    }
}

/// The names of all services, such as `waymark.v1.SiteService`.
pub fn service_names() -> Vec<String> {
    use prost::Message as _;
    // Malformed descriptors end the start by reflection's own refusal.
    let files = prost_types::FileDescriptorSet::decode(DESCRIPTORS).unwrap_or_default().file;
    let named = |file: prost_types::FileDescriptorProto| {
        let package = file.package().to_owned();
        file.service.into_iter().map(move |service| format!("{package}.{}", service.name()))
    };
    files.into_iter().flat_map(named).collect()
}

/// The descriptors of all protos, for reflection.
pub const DESCRIPTORS: &[u8] = tonic::include_file_descriptor_set!("waymark");
