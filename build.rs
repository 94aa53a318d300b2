//! Compiles `proto/` to Rust with a compiler of pure Rust: no `protoc` is needed. Notes what the build is of.

use std::env::{self, VarError};
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto");
    println!("cargo::rerun-if-changed=dashboard/dist");
    note_build()?;
    let root = Path::new("proto");
    let mut files: Vec<PathBuf> = std::fs::read_dir(root.join("waymark/v1"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.sort();
    let mut compiler = protox::Compiler::new([root])?;
    compiler.include_source_info(true).include_imports(true).open_files(&files)?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    // With the options of methods that say how each is called over HTTP, which the types of the descriptors do not hold.
    std::fs::write(out.join("waymark.bin"), compiler.encode_file_descriptor_set())?;
    // It carries credentials, which nothing prints: `src/api/convert/ticketing.rs` says what is shown of it.
    tonic_prost_build::configure()
        .skip_debug(["waymark.v1.TicketingConnection"])
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}

/// Tells the program of what it is built, for `src/telemetry/build_info.rs`.
///
/// The commit is what `WAYMARK_COMMIT` says, which `scripts/package` sets: a tarball has no git, and a build that looked for
/// commits would begin anew at each.
fn note_build() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-env-changed=WAYMARK_COMMIT");
    let commit = match env::var("WAYMARK_COMMIT") {
        Err(VarError::NotPresent) => String::new(),
        given => given?,
    };
    let is_commit = commit.strip_suffix("-dirty").unwrap_or(&commit).bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_commit || commit.len() > 70 {
        return Err(
            format!("WAYMARK_COMMIT is hexadecimal digits, perhaps with -dirty behind them, got {commit:?}").into()
        );
    }
    let told = Command::new(env::var("RUSTC")?).arg("--version").output()?;
    let rustc = String::from_utf8(told.stdout)?;
    let mut features: Vec<String> = env::vars()
        .filter_map(|(name, _)| Some(name.strip_prefix("CARGO_FEATURE_")?.to_lowercase().replace('_', "-")))
        .filter(|name| name != "default")
        .collect();
    features.sort();
    println!("cargo::rustc-env=WAYMARK_BUILD_COMMIT={commit}");
    println!("cargo::rustc-env=WAYMARK_BUILD_RUSTC={}", rustc.trim());
    println!("cargo::rustc-env=WAYMARK_BUILD_TARGET={}", env::var("TARGET")?);
    println!("cargo::rustc-env=WAYMARK_BUILD_FEATURES={}", features.join(","));
    Ok(())
}
