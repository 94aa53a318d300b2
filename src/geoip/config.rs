//! What an operator configures of `GeoIP`: the files in their order, how old they may be, how often they are looked at.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, de};

use super::age::AgePolicy;

/// Seconds between two looks at the files where nobody says otherwise: a look costs one `stat` a file.
const WATCH_INTERVAL_S: u64 = 5;

/// What an operator configures.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "GeoIp")]
pub struct Config {
    /// MMDB files, the most trusted first. Files of one family of addresses (an IPv4 and an IPv6 one) are both listed.
    /// Empty: every site starts unplaced.
    pub databases: Vec<DatabaseConfig>,
    /// How old a file may be that says nothing of its own.
    pub age: AgePolicy,
    /// Seconds between two looks at whether a file changed and how old it is; 0 for never, then a reload alone that was
    /// asked for does both.
    pub watch_interval_s: u64,
}

/// One file: a path, or a table of a path and an age policy of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DatabaseConfig {
    /// The file.
    pub path: PathBuf,
    /// How old it may be; what is left open is answered by [`Config::age`], then by its maker's licence.
    pub age: AgePolicy,
}

impl Default for Config {
    fn default() -> Self {
        Self { databases: Vec::new(), age: AgePolicy::default(), watch_interval_s: WATCH_INTERVAL_S }
    }
}

impl Config {
    /// These files in their order, and nothing else configured.
    #[must_use]
    pub fn of_files(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        Self { databases: paths.into_iter().map(DatabaseConfig::from).collect(), ..Self::default() }
    }

    /// Time between two looks; `None` for never.
    pub(super) fn watch_interval(&self) -> Option<Duration> {
        (self.watch_interval_s > 0).then(|| Duration::from_secs(self.watch_interval_s))
    }

    /// Each file with the policy that holds for it, as far as it is configured.
    pub(super) fn files(&self) -> impl ExactSizeIterator<Item = DatabaseConfig> {
        self.databases.iter().map(|file| DatabaseConfig { path: file.path.clone(), age: file.age.or(self.age) })
    }
}

impl From<PathBuf> for DatabaseConfig {
    fn from(path: PathBuf) -> Self {
        Self { path, age: AgePolicy::default() }
    }
}

impl<'de> Deserialize<'de> for DatabaseConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not an untagged enum, whose errors do not name the key at fault.
        deserializer.deserialize_any(PathOrTable)
    }
}

impl JsonSchema for DatabaseConfig {
    fn schema_name() -> Cow<'static, str> {
        "GeoIpDatabase".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let table = generator.subschema_for::<Table>();
        json_schema!({ "anyOf": [{ "type": "string" }, table] })
    }
}

struct PathOrTable;

/// A file with an age policy of its own.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "GeoIpDatabaseTable")]
struct Table {
    /// The file.
    path: PathBuf,
    /// Days from which on operators are warned; 0 for never.
    warn_after_days: Option<u32>,
    /// Days from which on fixes that are made from it say so; 0 for never.
    mark_after_days: Option<u32>,
    /// Days from which on it is not asked any more; 0 for never.
    refuse_after_days: Option<u32>,
}

impl<'de> Visitor<'de> for PathOrTable {
    type Value = DatabaseConfig;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a path, or a table with `path`")
    }

    fn visit_str<E: de::Error>(self, path: &str) -> Result<DatabaseConfig, E> {
        Ok(PathBuf::from(path).into())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<DatabaseConfig, A::Error> {
        let Table { path, warn_after_days, mark_after_days, refuse_after_days } =
            Table::deserialize(MapAccessDeserializer::new(map))?;
        Ok(DatabaseConfig { path, age: AgePolicy { warn_after_days, mark_after_days, refuse_after_days } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn a_file_is_a_path_or_a_table() {
        assert_eq!(parse("").unwrap(), Config::default());
        let config = parse(
            "databases = ['a.mmdb', { path = 'b.mmdb', refuse_after_days = 45, mark_after_days = 0 }]
            watch_interval_s = 0
            [age]
            mark_after_days = 40",
        )
        .unwrap();
        assert_eq!(config.watch_interval(), None);
        let files: Vec<_> = config.files().collect();
        let told: Vec<_> = files.iter().map(|file| (file.path.to_str().unwrap(), file.age)).collect();
        let of =
            |mark, refuse| AgePolicy { warn_after_days: None, mark_after_days: Some(mark), refuse_after_days: refuse };
        assert_eq!(told, [("a.mmdb", of(40, None)), ("b.mmdb", of(0, Some(45)))]);
    }

    #[test]
    fn faults_name_the_key() {
        for (text, expect) in [
            ("databases = [7]", "a path, or a table with `path`"),
            ("databases = [{ warn_after_days = 7 }]", "missing field `path`"),
            ("databases = [{ path = 'a', days = 7 }]", "unknown field `days`"),
            ("databases = [{ path = 'a', warn_after_days = -1 }]", "invalid value"),
            ("database = ['a.mmdb']", "unknown field `database`"),
            ("[age]\nwarn = 7", "unknown field `warn`"),
        ] {
            let message = parse(text).unwrap_err().to_string();
            assert!(message.contains(expect), "{text}: {message}");
        }
    }
}
