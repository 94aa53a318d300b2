//! The operator's own base map: how it is configured, and what the page may reach for it. Without one the page draws its own.
//!
//! Says where things are and checks that; serves nothing.

use std::io;
use std::path::{Component, Path, PathBuf};

use http::Uri;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Under which path the files of `basemap.directory` are served.
pub(super) const FILES: &str = "/basemap/";
/// Most other servers that a map may take its parts from: each stands in a header of every page.
const ORIGINS_MAX: usize = 8;
/// Longest address in bytes: as long as browsers and proxies take one without a thought.
const ADDRESS_BYTES_MAX: usize = 2_048;
/// Longest attribution in bytes: it stands on the map, in a corner.
const ATTRIBUTION_BYTES_MAX: usize = 500;

/// The base map that the operator wishes for. Nothing set means the page's own one.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Basemap")]
pub struct Config {
    /// Address of a MapLibre style: `https://…`, or `/basemap/…` for a file of `directory`.
    pub style: Option<String>,
    /// The same for dark screens; `style` where it is absent.
    pub style_dark: Option<String>,
    /// Address of a `PMTiles` archive, likewise, drawn in the page's own colours, over the page's own base map.
    pub pmtiles: Option<String>,
    /// Directory whose files are served below `/basemap/`, to everybody who reaches the server.
    pub directory: Option<PathBuf>,
    /// Other servers that the style names, such as `https://fonts.example.org`.
    pub origins: Vec<String>,
    /// What is to be shown on the map beside what style and archive say themselves, as plain text.
    pub attribution: Option<String>,
}

/// Why a base map is refused. Tells no address: it may hold a key.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Two base maps.
    #[error("basemap.style and basemap.pmtiles are both set: name one base map")]
    Two,
    /// Something of a base map, and none.
    #[error("basemap.{0} is set, and no base map: name one in basemap.style or basemap.pmtiles")]
    None(&'static str),
    /// Not the address of something that a page can load.
    #[error(
        "basemap.{0} is no address for a page: write https://host/path without a user, http:// on this machine alone, \
         or {FILES}file for a file of basemap.directory"
    )]
    Address(&'static str),
    /// Not an origin.
    #[error("basemap.origins: write at most {ORIGINS_MAX} of them, each https://host or https://host:port")]
    Origins,
    /// A file that cannot be served.
    #[error("basemap.{key}: {path}: {cause}")]
    File {
        /// The setting.
        key: &'static str,
        /// The file or the directory.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// A file without a directory.
    #[error("basemap.{0} is a file of basemap.directory, which is not set")]
    NoDirectory(&'static str),
    /// A long attribution.
    #[error("basemap.attribution has more than {ATTRIBUTION_BYTES_MAX} bytes")]
    Attribution,
}

/// A base map that was checked, as the page is told of it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Basemap {
    #[serde(skip_serializing_if = "Option::is_none")]
    style: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    style_dark: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pmtiles: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attribution: Option<String>,
    /// The servers that the page may reach for it, each once: `scheme://host[:port]`, and nothing that a header could
    /// take for more.
    origins: Vec<String>,
    #[serde(skip)]
    directory: Option<PathBuf>,
}

impl Basemap {
    /// Checks what is configured; the files that it names are there.
    pub fn resolve(config: &Config) -> Result<Self, Error> {
        let Config { style, style_dark, pmtiles, directory, origins, attribution } = config.clone();
        if style.is_some() && pmtiles.is_some() {
            return Err(Error::Two);
        }
        let idle = [
            ("style_dark", style_dark.is_some() && style.is_none()),
            ("directory", directory.is_some() && style.is_none() && pmtiles.is_none()),
            ("origins", !origins.is_empty() && style.is_none() && pmtiles.is_none()),
            ("attribution", attribution.is_some() && style.is_none() && pmtiles.is_none()),
        ];
        if let Some((key, _)) = idle.into_iter().find(|(_, is_idle)| *is_idle) {
            return Err(Error::None(key));
        }
        if attribution.as_ref().is_some_and(|text| text.len() > ATTRIBUTION_BYTES_MAX) {
            return Err(Error::Attribution);
        }
        let mut reached = origins.iter().map(|origin| lone_origin(origin)).collect::<Result<Vec<_>, _>>()?;
        for (key, address) in [("style", &style), ("style_dark", &style_dark), ("pmtiles", &pmtiles)] {
            let Some(address) = address else { continue };
            match address.strip_prefix(FILES) {
                Some(file) => check_file(key, file, directory.as_deref())?,
                None => reached.push(origin_of(address).ok_or(Error::Address(key))?),
            }
        }
        reached.sort();
        reached.dedup();
        if reached.len() > ORIGINS_MAX {
            return Err(Error::Origins);
        }
        Ok(Self { style, style_dark, pmtiles, attribution, origins: reached, directory })
    }

    /// The servers that the page may reach for it.
    pub(super) fn origins(&self) -> &[String] {
        &self.origins
    }

    /// The file below `/basemap/` of this path; absent where none is served, or the path leads out of the directory.
    pub(super) fn file(&self, path: &str) -> Option<PathBuf> {
        file_in(self.directory.as_deref()?, path)
    }

    /// Where a file of the directory is when all links are followed; not there where they lead out of it, or to something
    /// hidden. Looks at the disk.
    pub(super) fn real(&self, path: &Path) -> io::Result<PathBuf> {
        let not_there = |_| io::Error::from(io::ErrorKind::NotFound);
        let root = self.directory.as_deref().unwrap_or(Path::new("")).canonicalize().map_err(not_there)?;
        let real = path.canonicalize().map_err(not_there)?;
        let is_within = real.strip_prefix(&root).is_ok_and(|rest| rest.components().all(is_plain));
        if is_within { Ok(real) } else { Err(io::ErrorKind::NotFound.into()) }
    }
}

/// A file of a directory by a path that has nothing but names in it, none of them hidden.
fn file_in(directory: &Path, path: &str) -> Option<PathBuf> {
    let is_name = !path.is_empty() && !path.contains(['\0', '\\']) && Path::new(path).components().all(is_plain);
    is_name.then(|| directory.join(path))
}

fn is_plain(part: Component<'_>) -> bool {
    matches!(part, Component::Normal(name) if !name.as_encoded_bytes().starts_with(b"."))
}

/// Refuses a setting whose file cannot be opened.
fn check_file(key: &'static str, file: &str, directory: Option<&Path>) -> Result<(), Error> {
    let directory = directory.ok_or(Error::NoDirectory(key))?;
    let path = file_in(directory, file).ok_or(Error::Address(key))?;
    match std::fs::File::open(&path) {
        Ok(_) => Ok(()),
        Err(cause) => Err(Error::File { key, path, cause }),
    }
}

/// An origin, written without anything behind it.
fn lone_origin(text: &str) -> Result<String, Error> {
    let origin = origin_of(text).ok_or(Error::Origins)?;
    if origin == text.trim_end_matches('/').to_ascii_lowercase() { Ok(origin) } else { Err(Error::Origins) }
}

/// The origin of an address that a page may load from; absent for any other text.
fn origin_of(address: &str) -> Option<String> {
    if address.len() > ADDRESS_BYTES_MAX {
        return None;
    }
    let uri: Uri = address.parse().ok()?;
    let authority = uri.authority()?.as_str().to_ascii_lowercase();
    let host = uri.host()?.to_ascii_lowercase();
    // What stands here goes into a header in which `;` and `,` mean something. Policies know no addresses of IPv6.
    let is_named = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    let is_bare = authority == host || uri.port_u16().is_some_and(|port| authority == format!("{host}:{port}"));
    let is_here = host == "localhost" || host.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback());
    let scheme = uri.scheme_str()?;
    let is_safe = scheme == "https" || (scheme == "http" && is_here);
    (is_named && is_bare && is_safe).then(|| format!("{scheme}://{authority}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(text: &str) -> Result<Basemap, Error> {
        Basemap::resolve(&toml::from_str(text).unwrap())
    }

    #[test]
    fn nothing_configured_reaches_nothing() {
        let basemap = resolve("").unwrap();
        assert!(basemap.origins().is_empty() && basemap.file("style.json").is_none());
        assert_eq!(serde_json::to_string(&basemap).unwrap(), r#"{"origins":[]}"#);
    }

    #[test]
    fn the_origins_of_all_parts_are_reached_once_each() {
        let basemap = resolve(
            "style = \"https://Maps.example.org:8443/a/style.json?key=k\"\n\
             style_dark = \"https://maps.example.org:8443/b/style.json\"\n\
             origins = [\"https://fonts.example.org/\", \"http://127.0.0.1:9000\"]",
        )
        .unwrap();
        let origins = ["http://127.0.0.1:9000", "https://fonts.example.org", "https://maps.example.org:8443"];
        assert_eq!(basemap.origins(), origins);
    }

    #[test]
    fn addresses_that_no_page_may_load_are_refused() {
        for address in [
            "maps.example.org/style.json",
            "/style.json",
            "http://maps.example.org/style.json",
            "ftp://maps.example.org/style.json",
            "https://user:word@maps.example.org/style.json",
            "https://maps.example.org;script-src/style.json",
            "https://maps.example.org,x/style.json",
            "https://*/style.json",
            "https://[2001:db8::1]/style.json",
            "https://maps.example.org:99999/style.json",
            "https:///style.json",
            "javascript:alert(1)",
            "",
        ] {
            let found = resolve(&format!("style = {address:?}"));
            assert!(matches!(found, Err(Error::Address("style"))), "{address}: {found:?}");
        }
        for origin in
            ["https://fonts.example.org/path", "fonts.example.org", "https://a.example https://b.example", "*"]
        {
            let found = resolve(&format!("style = \"https://maps.example.org/s\"\norigins = [{origin:?}]"));
            assert!(matches!(found, Err(Error::Origins)), "{origin}: {found:?}");
        }
    }

    #[test]
    fn half_a_base_map_and_two_of_them_are_refused() {
        let style = "style = \"https://maps.example.org/s\"\n";
        assert!(matches!(resolve(&format!("{style}pmtiles = \"https://maps.example.org/p\"")), Err(Error::Two)));
        for (key, value) in [
            ("style_dark", "\"https://maps.example.org/s\""),
            ("directory", "\"/srv\""),
            ("origins", "[\"https://maps.example.org\"]"),
            ("attribution", "\"words\""),
        ] {
            let found = resolve(&format!("{key} = {value}"));
            assert!(matches!(found, Err(Error::None(of)) if of == key), "{key}: {found:?}");
        }
        let long = format!("{style}attribution = \"{}\"", "x".repeat(ATTRIBUTION_BYTES_MAX + 1));
        assert!(matches!(resolve(&long), Err(Error::Attribution)));
        let many: Vec<_> = (0..ORIGINS_MAX).map(|at| format!("\"https://{at}.example.org\"")).collect();
        assert!(matches!(resolve(&format!("{style}origins = [{}]", many.join(","))), Err(Error::Origins)));
    }

    #[test]
    fn files_are_those_of_the_directory_and_are_there() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("fonts")).unwrap();
        std::fs::write(directory.path().join("style.json"), "{}").unwrap();
        let with = |style: &str| {
            let directory = Some(directory.path().to_owned());
            Basemap::resolve(&Config { style: Some(style.to_owned()), directory, ..Config::default() })
        };
        let basemap = with("/basemap/style.json").unwrap();
        assert!(basemap.origins().is_empty());
        assert_eq!(basemap.file("style.json"), Some(directory.path().join("style.json")));
        assert_eq!(basemap.file("fonts/0-255.pbf"), Some(directory.path().join("fonts/0-255.pbf")));
        for path in ["", "../x", "a/../x", "/etc/passwd", ".hidden", "a/.git/config", "a\\b", "a\0b", "./x"] {
            assert_eq!(basemap.file(path), None, "{path:?}");
        }
        assert!(matches!(with("/basemap/none.json"), Err(Error::File { key: "style", .. })));
        assert!(matches!(with("/basemap/../style.json"), Err(Error::Address("style"))));
        assert!(matches!(resolve("style = \"/basemap/style.json\""), Err(Error::NoDirectory("style"))));
    }
}
