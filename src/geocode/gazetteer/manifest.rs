//! The manifest beside the index: its format version, what it was built from, and what the licences ask for.
//!
//! A directory without a manifest of the present version is no gazetteer. Knows nothing of the index itself.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::imports::{Import, Report};
use super::record::Source;
use super::schema::FORMAT;

/// Name of the manifest's file within the directory of the index.
pub const MANIFEST_FILE: &str = "waymark-gazetteer.json";

/// Where records come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// `GeoNames`: places and postcodes of the world.
    Geonames,
    /// The register of addresses of Iceland.
    Iceland,
    /// A file of OpenAddresses: addresses of an authority under its own licence.
    OpenAddresses,
    /// An extract of `OpenStreetMap`.
    Osm,
}

impl Origin {
    /// What the licence asks to be shown, as plain text.
    #[must_use]
    pub fn attribution(self) -> &'static str {
        match self {
            Self::Geonames => "GeoNames (CC BY 4.0)",
            Self::Iceland => "Staðfangaskrá, Registers Iceland (Þjóðskrá)",
            Self::OpenAddresses => "OpenAddresses",
            Self::Osm => "© OpenStreetMap contributors",
        }
    }

    /// The licence, by name.
    #[must_use]
    pub fn licence(self) -> &'static str {
        match self {
            Self::Geonames => "CC BY 4.0, https://creativecommons.org/licenses/by/4.0/",
            Self::Iceland => "open register, https://opingogn.is/dataset/stadfangaskra",
            Self::OpenAddresses => "the licence of the file's own source, see https://openaddresses.io",
            Self::Osm => "ODbL 1.0, https://opendatacommons.org/licenses/odbl/1-0/",
        }
    }
}

/// One file that went into the index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceNote {
    /// Whose data it is.
    pub origin: Origin,
    /// The file's name, without its directory.
    pub file: String,
    /// What the licence asks to be shown, as plain text.
    pub attribution: String,
    /// The licence.
    pub licence: String,
    /// When the data was made: as the file says, else when the file was written.
    pub data_date: Option<Timestamp>,
    /// What came of its rows, where it is a file of addresses that an operator named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Report>,
}

/// How much went into the index.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Cities, towns and villages.
    pub places: u64,
    /// Streets and farms, one for each postcode that they run through.
    pub streets: u64,
    /// Addresses on them.
    pub addresses: u64,
    /// Areas of postcodes.
    pub postcodes: u64,
    /// Rows left out: without a name, or with a position outside the ranges.
    pub skipped: u64,
}

/// What is written beside the index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the index; another one is refused.
    pub format: u32,
    /// When it was built.
    pub built_at: Timestamp,
    /// How much went into it.
    pub summary: Summary,
    /// What it was built from.
    pub sources: Vec<SourceNote>,
}

impl Manifest {
    /// Writes the manifest into the directory of the index, and waits until it is on the disk.
    pub(super) fn write(&self, directory: &Path) -> io::Result<()> {
        let mut file = fs::File::create(directory.join(MANIFEST_FILE))?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.sync_all()
    }

    /// Reads the manifest of the index in `directory`; the error says why it cannot be used.
    pub(super) fn read(directory: &Path) -> Result<Self, String> {
        /// The one field that every version has.
        #[derive(Deserialize)]
        struct Versioned {
            format: u32,
        }
        let path = directory.join(MANIFEST_FILE);
        let bytes = fs::read(path).map_err(|cause| format!("{MANIFEST_FILE}: {cause}"))?;
        let malformed = |cause: serde_json::Error| format!("{MANIFEST_FILE} is malformed: {cause}");
        let Versioned { format } = serde_json::from_slice(&bytes).map_err(malformed)?;
        if format != FORMAT {
            return Err(format!("its format is {format}, this version of waymark reads {FORMAT}"));
        }
        serde_json::from_slice(&bytes).map_err(malformed)
    }

    /// What the licence of the records of a source asks to be shown.
    pub(super) fn attribution(&self, source: Source) -> &str {
        let note = self.sources.get(usize::from(source.file));
        note.map_or(source.origin.attribution(), |note| note.attribution.as_str())
    }
}

impl SourceNote {
    /// A note of the file at `path`, dated as given or else by the file's own time.
    pub(super) fn new(origin: Origin, path: &Path, data_date: Option<Timestamp>) -> Self {
        let written = || fs::metadata(path).ok()?.modified().ok().and_then(|time| Timestamp::try_from(time).ok());
        Self {
            origin,
            file: path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
            attribution: origin.attribution().to_owned(),
            licence: origin.licence().to_owned(),
            data_date: data_date.or_else(written),
            report: None,
        }
    }

    /// A note of a file of addresses that an operator named.
    pub(super) fn imported(origin: Origin, import: &Import) -> Self {
        let mut note = Self::new(origin, &import.path, None);
        note.attribution = match &import.attribution {
            Some(attribution) => attribution.clone(),
            // Each file has a source of its own, by which it can be told.
            None if origin == Origin::OpenAddresses => format!("{} ({})", origin.attribution(), note.file),
            None => note.attribution,
        };
        note
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_read_back_and_another_version_refused() {
        let directory = tempfile::tempdir().unwrap();
        assert!(Manifest::read(directory.path()).unwrap_err().starts_with(MANIFEST_FILE));
        let note = SourceNote::new(Origin::Geonames, Path::new("data/cities.json"), None);
        let mut manifest = Manifest {
            format: FORMAT,
            built_at: Timestamp::UNIX_EPOCH,
            summary: Summary { places: 7, ..Summary::default() },
            sources: vec![note],
        };
        manifest.write(directory.path()).unwrap();
        assert_eq!(Manifest::read(directory.path()).unwrap(), manifest);
        assert_eq!(manifest.sources[0].file, "cities.json");

        manifest.format = FORMAT + 1;
        manifest.write(directory.path()).unwrap();
        let refusal = Manifest::read(directory.path()).unwrap_err();
        assert!(refusal.contains(&format!("format is {}", FORMAT + 1)), "{refusal}");

        fs::write(directory.path().join(MANIFEST_FILE), "{").unwrap();
        assert!(Manifest::read(directory.path()).unwrap_err().contains("malformed"));
    }
}
