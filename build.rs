//! Compiles `proto/` to Rust with a compiler of pure Rust: no `protoc` is needed.

use std::path::{Path, PathBuf};

use protox::prost::Message as _;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto");
    println!("cargo::rerun-if-changed=dashboard/dist");
    let root = Path::new("proto");
    let mut files: Vec<PathBuf> = std::fs::read_dir(root.join("waymark/v1"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.sort();
    let descriptors = protox::compile(&files, [root])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("waymark.bin"), descriptors.encode_to_vec())?;
    // It carries credentials, which nothing prints: `src/api/convert/ticketing.rs` says what is shown of it.
    tonic_prost_build::configure().skip_debug(["waymark.v1.TicketingConnection"]).compile_fds(descriptors)?;
    Ok(())
}
