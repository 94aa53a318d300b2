//! Of what this program was built: what `waymark version`, the first log line and a metric tell.

use serde::Serialize;

/// What stands where nobody told the build its commit, as in a build from a tarball.
const UNKNOWN: &str = "unknown";

/// Of what a program was built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BuildInfo {
    /// The version of the package.
    pub version: &'static str,
    /// The commit of the sources, with `-dirty` behind it where they were changed; `unknown` where the build was not told.
    pub commit: &'static str,
    /// The compiler.
    pub rustc: &'static str,
    /// The platform that it runs on, such as `x86_64-unknown-linux-gnu`.
    pub target: &'static str,
    /// `optimized` or `debug`.
    pub profile: &'static str,
    /// Cargo features with a comma between them; empty for none.
    pub features: &'static str,
}

/// This program's.
pub const BUILD: BuildInfo = BuildInfo {
    version: env!("CARGO_PKG_VERSION"),
    commit: or_unknown(env!("WAYMARK_BUILD_COMMIT")),
    rustc: env!("WAYMARK_BUILD_RUSTC"),
    target: env!("WAYMARK_BUILD_TARGET"),
    profile: if cfg!(debug_assertions) { "debug" } else { "optimized" },
    features: env!("WAYMARK_BUILD_FEATURES"),
};

const fn or_unknown(commit: &'static str) -> &'static str {
    if commit.is_empty() { UNKNOWN } else { commit }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_knows_what_it_is_of() {
        assert_eq!(BUILD.version, env!("CARGO_PKG_VERSION"));
        assert!(BUILD.rustc.starts_with("rustc 1."), "{BUILD:?}");
        assert!(BUILD.target.contains("linux"), "{BUILD:?}");
        assert_eq!((or_unknown(""), or_unknown("2127f81")), (UNKNOWN, "2127f81"));
    }
}
