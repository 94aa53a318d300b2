//! What sheets of sites look like, for those who write them and those who read them: columns, cells, and features.

pub(super) mod cell;
pub(super) mod column;
pub(super) mod features;
pub(super) mod json;
pub(super) mod phones;

use std::path::Path;

use crate::api::proto::waymark::v1 as pb;

/// How a file holds sites.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// RFC 4180, in UTF-8, with a heading
    Csv,
    /// One `FeatureCollection` of RFC 7946
    Geojson,
    /// A `Feature` a line
    Geojsonl,
}

impl Format {
    /// The format that a file's name speaks of; CSV where it says nothing.
    pub(super) fn of(path: &Path) -> Self {
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        match ending.as_str() {
            "geojson" | "json" => Self::Geojson,
            "geojsonl" | "geojsons" | "ndjson" | "jsonl" => Self::Geojsonl,
            _ => Self::Csv,
        }
    }
}

/// An enum's value as people read it: its name without what all names of the enum begin with, in lower case.
pub(super) fn word(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_lowercase()
}

/// A status as sheets write it.
pub(super) fn status_word(status: pb::SiteStatus) -> String {
    word(status.as_str_name(), "SITE_STATUS_")
}

/// A source as sheets write it; empty for none.
pub(super) fn source_word(source: pb::FixSource) -> String {
    match source {
        pb::FixSource::Unspecified => String::new(),
        _ => word(source.as_str_name(), "FIX_SOURCE_"),
    }
}
