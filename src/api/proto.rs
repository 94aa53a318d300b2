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

/// The descriptors of all protos, for reflection.
pub const DESCRIPTORS: &[u8] = tonic::include_file_descriptor_set!("waymark");
