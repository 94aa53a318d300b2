//! What sheets of sites look like, for those who write them and those who read them: columns, cells, and features.

pub(super) mod cell;
pub(super) mod column;
pub(super) mod features;
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

/// A status as sheets write it.
pub(super) fn status_word(status: pb::SiteStatus) -> String {
    status.as_str_name().trim_start_matches("SITE_STATUS_").to_lowercase()
}

/// A source as sheets write it; empty for none.
pub(super) fn source_word(source: pb::FixSource) -> String {
    match source {
        pb::FixSource::Unspecified => String::new(),
        _ => source.as_str_name().trim_start_matches("FIX_SOURCE_").to_lowercase(),
    }
}
