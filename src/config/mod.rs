//! The program's configuration: the configurations of its parts, read from a TOML file, refined by flags.
//!
//! As written, then resolved: what comes out of here is checked and complete.

pub mod schema;

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::api::traffic;
use crate::store::redis;
use crate::{api, geocode, geoip, mail, service, telemetry, ticketing};

/// Where the program listens when nobody says otherwise.
pub const LISTEN_DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8642);

/// Certificate and key of the listener.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ListenTls")]
pub struct Tls {
    /// File of the certificate chain, PEM.
    pub certificate: PathBuf,
    /// File of the private key, PEM.
    pub key: PathBuf,
}

/// Where the program listens.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Listen {
    /// Address and port; port 0 for any free one.
    pub address: SocketAddr,
    /// TLS; without it the connection is plain.
    pub tls: Option<Tls>,
    /// Allows plain connections on an address that others can reach.
    pub allow_plaintext: bool,
    /// Whether each connection begins with a PROXY header (version 1 or 2) and comes from a trusted proxy; others are
    /// closed. Without it no such header is looked for.
    pub proxy_protocol: bool,
    /// Most connections at once; fewer where the process may not open as many files.
    pub connections_max: NonZeroU32,
    /// Most of them from one IP address, or one IPv6 /64, that is not a trusted proxy's.
    pub connections_per_address_max: NonZeroU32,
    /// Seconds without a call after which a connection is told to go; 0 for never. HTTP/1 goes after ten at the latest.
    pub connection_idle_s: u32,
    /// Seconds after which a connection is told to go whatever is under way on it, a tenth less or more as it is drawn for
    /// each; 0 for never.
    pub connection_age_max_s: u32,
    /// Seconds that watches and other answers which go on have after that before they are ended.
    pub connection_grace_s: u32,
}

/// Each costs some tens of KiB.
const CONNECTIONS_MAX: NonZeroU32 = NonZeroU32::new(4_096).expect("4096 is not 0");

/// Most offices and data centres stand behind one address, and so does a proxy that nobody named as one; it is a quarter of
/// all, so that no address keeps the others out.
const CONNECTIONS_PER_ADDRESS_MAX: NonZeroU32 = NonZeroU32::new(1_024).expect("1024 is not 0");

/// An agent that reports each minute keeps its connection; a client that comes again later makes one, in two round trips.
const CONNECTION_IDLE_S: u32 = 5 * 60;

/// Who keeps a connection up is spread over the servers anew this often, and no address keeps what it has for good.
const CONNECTION_AGE_MAX_S: u32 = 60 * 60;

/// Far above any call but an erasure, which is waited for.
const CONNECTION_GRACE_S: u32 = 60;

impl Default for Listen {
    fn default() -> Self {
        Self {
            address: LISTEN_DEFAULT,
            tls: None,
            allow_plaintext: false,
            proxy_protocol: false,
            connections_max: CONNECTIONS_MAX,
            connections_per_address_max: CONNECTIONS_PER_ADDRESS_MAX,
            connection_idle_s: CONNECTION_IDLE_S,
            connection_age_max_s: CONNECTION_AGE_MAX_S,
            connection_grace_s: CONNECTION_GRACE_S,
        }
    }
}

/// Everything.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Waymark")]
pub struct Config {
    /// Directory of the embedded store.
    pub data_dir: PathBuf,
    /// File that gets the first start's admin token, mode 0600.
    pub admin_token_file: Option<PathBuf>,
    /// Where the program listens.
    pub listen: Listen,
    /// The Redis that replicas share; without it the store is embedded.
    pub redis: Option<redis::config::Config>,
    /// `GeoIP` databases.
    pub geoip: geoip::config::Config,
    /// The geocoders.
    pub geocode: geocode::config::Config,
    /// The mail server; without it nobody is invited.
    pub mail: Option<mail::config::Config>,
    /// Ticketing systems.
    pub ticketing: ticketing::target::Config,
    /// Use cases.
    pub service: service::Config,
    /// How much is done at once, and how often one caller may ask.
    pub traffic: traffic::config::Config,
    /// The dashboard's base map, where it is not its own.
    pub basemap: api::basemap::Config,
    /// Logs.
    pub log: telemetry::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("waymark-data"),
            admin_token_file: None,
            listen: Listen::default(),
            redis: None,
            geoip: geoip::config::Config::default(),
            geocode: geocode::config::Config::default(),
            mail: None,
            ticketing: ticketing::target::Config::default(),
            service: service::Config::default(),
            traffic: traffic::config::Config::default(),
            basemap: api::basemap::Config::default(),
            log: telemetry::Config::default(),
        }
    }
}

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("{path}: {cause}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// The file is not as it should be. The line itself is not told: it may hold a secret.
    #[error("{path}, line {line}: {cause}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where, counted from 1.
        line: usize,
        /// What is wrong, with the key.
        cause: String,
    },
    /// A plain listener that others could reach.
    #[error(
        "listen.address {0} is reachable by others without TLS: set listen.tls, or --allow-plaintext behind a proxy"
    )]
    Exposed(SocketAddr),
    /// A listener for proxies, and no proxies.
    #[error("listen.proxy_protocol is set and no proxy is trusted: name their networks in service.trusted_proxies")]
    NoProxies,
    /// Replicas that would each make a key of their own.
    #[error(
        "ticketing.key_file or ticketing.key_env is needed with redis: all replicas read credentials with the same key"
    )]
    NoSharedKey,
}

impl Config {
    /// Reads a file; unknown keys are errors.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|cause| Error::Unreadable { path: path.to_owned(), cause })?;
        Self::parse(&text).map_err(|(line, cause)| Error::Malformed { path: path.to_owned(), line, cause })
    }

    /// The configuration of a file's text, or in which line what is wrong with it.
    fn parse(text: &str) -> Result<Self, (usize, String)> {
        toml::from_str(text).map_err(|cause: toml::de::Error| {
            let at = cause.span().map_or(0, |span| span.start);
            let line = text.get(..at).unwrap_or_default().matches('\n').count() + 1;
            (line, cause.message().to_owned())
        })
    }

    /// Refuses what must not be started.
    pub fn check(self) -> Result<Self, Error> {
        let is_plain = self.listen.tls.is_none() && !self.listen.allow_plaintext;
        if is_plain && !self.listen.address.ip().is_loopback() {
            return Err(Error::Exposed(self.listen.address));
        }
        if self.listen.proxy_protocol && self.service.trusted_proxies.is_empty() {
            return Err(Error::NoProxies);
        }
        if self.redis.is_some() && self.ticketing.key_file.is_none() && self.ticketing.key_env.is_none() {
            return Err(Error::NoSharedKey);
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_that_are_shipped_are_taken() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
        let mut files = 0;
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "toml") {
                continue;
            }
            files += 1;
            let config = Config::read(&path).and_then(Config::check);
            assert!(config.is_ok(), "{}: {config:?}", path.display());
            assert_eq!(config.unwrap().redis.is_some(), !path.ends_with("one-machine.toml"));
        }
        assert_eq!(files, 4);
    }

    #[test]
    fn a_file_is_read_and_unknown_keys_are_refused() {
        let parse = |text: &str| toml::from_str::<Config>(text);
        let config = parse(
            "data_dir = \"d\"\n[listen]\naddress = \"127.0.0.1:1\"\n[service]\ntrusted_proxies = [\"10.0.0.0/8\"]",
        );
        assert_eq!(config.unwrap().service.trusted_proxies.len(), 1);
        for text in [
            "colour = 1",
            "[listen]\nport = 1",
            "[listen]\nconnections_per_address_max = 0",
            "[geoip]\nfiles = []",
            "[service]\ntrusted_proxies = [\"x\"]",
            "[listen]\nconnections_max = 0",
            "[listen]\nconnection_idle_s = -1",
            "[listen]\nconnection_age_s = 60",
            "[traffic]\nreads = 1",
            "[traffic]\ncalls_of_token = 5",
            "[traffic]\ncalls_of_token = { per_s = 5, brust = 1 }",
            "[ticketing]\nkey = \"x\"",
            "[ticketing]\nverify_every_h = -1",
            "[ticketing]\nverify_every_h = 65536",
            "[geocode]\nindex = \"x\"",
            "[basemap]\nurl = \"x\"",
            "[[geocode.providers]]\nkind = \"photon\"\nhost = \"x\"",
            "[[geocode.providers]]\nkind = \"phonon\"",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_examples_of_deployments_are_read() {
        use crate::store::redis::config::Mode;
        for (file, mode) in [
            ("waymark.toml", Mode::Single),
            ("waymark-sentinel.toml", Mode::Sentinel),
            ("waymark-cluster.toml", Mode::Cluster),
        ] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(file);
            let config = Config::read(&path).and_then(Config::check).unwrap_or_else(|cause| panic!("{cause}"));
            assert_eq!(config.redis.map(|redis| redis.mode), Some(mode), "{file}");
        }
    }

    #[test]
    fn plain_connections_stay_on_loopback_unless_told() {
        let with = |address: &str, allow_plaintext| {
            let address = address.parse().unwrap();
            Config { listen: Listen { address, allow_plaintext, ..Listen::default() }, ..Config::default() }.check()
        };
        assert!(with("127.0.0.1:8642", false).is_ok() && with("[::1]:8642", false).is_ok());
        assert!(matches!(with("0.0.0.0:8642", false), Err(Error::Exposed(_))));
        assert!(with("0.0.0.0:8642", true).is_ok());
    }
}
