//! The program's configuration: the configurations of its parts, read from a TOML file, refined by flags.
//!
//! As written, then resolved: what comes out of here is checked and complete.

mod listen;
pub mod schema;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::api::traffic;
use crate::store::redis;
use crate::telemetry::{self, traces};
use crate::{api, geocode, geoip, identity, mail, service, ticketing};
pub use listen::{ClientCertificates, Listen, Tls};

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
    /// Address and port of a listener of its own for `/metrics` and health, which speaks plain HTTP; with it `/metrics` is there
    /// alone.
    pub metrics_listen: Option<SocketAddr>,
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
    /// Whose tokens are taken beside waymark's own.
    pub auth: identity::config::Config,
    /// How much is done at once, and how often one caller may ask.
    pub traffic: traffic::config::Config,
    /// The dashboard's base map, where it is not its own.
    pub basemap: api::basemap::Config,
    /// Logs.
    pub log: telemetry::Config,
    /// Traces, and the OpenTelemetry collector that takes them; without it there are none.
    pub traces: Option<traces::config::Config>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("waymark-data"),
            admin_token_file: None,
            listen: Listen::default(),
            metrics_listen: None,
            redis: None,
            geoip: geoip::config::Config::default(),
            geocode: geocode::config::Config::default(),
            mail: None,
            ticketing: ticketing::target::Config::default(),
            service: service::Config::default(),
            auth: identity::config::Config::default(),
            traffic: traffic::config::Config::default(),
            basemap: api::basemap::Config::default(),
            log: telemetry::Config::default(),
            traces: None,
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
    /// A plain listener for metrics that others could reach.
    #[error(
        "metrics_listen {0} is reachable by others without TLS, which the operator's token would go over: take a loopback address, or \
         set listen.allow_plaintext"
    )]
    MetricsExposed(SocketAddr),
    /// One address for two listeners.
    #[error("metrics_listen is the address of listen.address: take another port, or leave it out")]
    MetricsOnListener,
    /// Certificates of clients, and nobody who signs them.
    #[error(
        "listen.tls.client_certificates asks for certificates and no authority is trusted: set listen.tls.client_ca_file"
    )]
    NoClientAuthority,
    /// Somebody who signs certificates of clients, and nobody is asked for one.
    #[error(
        "listen.tls.client_ca_file is set and nobody is asked for a certificate: set listen.tls.client_certificates to \
         \"optional\" or \"required\", or to \"off\""
    )]
    NoClientAsked,
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
        if let Some(address) = self.metrics_listen {
            if !address.ip().is_loopback() && !self.listen.allow_plaintext {
                return Err(Error::MetricsExposed(address));
            }
            if address == self.listen.address && address.port() != 0 {
                return Err(Error::MetricsOnListener);
            }
        }
        self.listen.tls.as_ref().map_or(Ok(()), Tls::check)?;
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
            "[listen]\npublic_url = \"waymark.example.com\"",
            "[listen]\npublic_url = \"https://waymark.example.com/?x\"",
            "[listen]\nconnections_per_address_max = 0",
            "[geoip]\nfiles = []",
            "[service]\ntrusted_proxies = [\"x\"]",
            "[listen]\nconnections_max = 0",
            "[listen]\nconnection_idle_s = -1",
            "[listen]\nconnection_age_s = 60",
            "[listen]\nmetrics_listen = \"127.0.0.1:1\"",
            "[listen.tls]\ncertificate = \"c\"\nkey = \"k\"\nclient_certificates = \"maybe\"",
            "metrics_listen = \"9090\"",
            "[traffic]\nreads = 1",
            "[traffic]\ncalls_of_token = 5",
            "[traffic]\ncalls_of_token = { per_s = 5, brust = 1 }",
            "[ticketing]\nkey = \"x\"",
            "[ticketing]\nverify_every_h = -1",
            "[ticketing]\nverify_every_h = 65536",
            "[geocode]\nindex = \"x\"",
            "[basemap]\nurl = \"x\"",
            "[traces]\nendpoint = \"http://127.0.0.1:4317\"\nratio = 1.0",
            "[traces]\nsample_ratio = 1.0",
            "[auth]\njwks_url = \"x\"",
            "[[auth.jwt]]\nissuer = \"x\"",
            "[[auth.jwt]]\nsecret = \"x\"",
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

    #[test]
    fn certificates_of_clients_are_asked_for_where_somebody_signs_them() {
        let check = |lines: &str| {
            let text = format!("[listen.tls]\ncertificate = \"c\"\nkey = \"k\"\n{lines}");
            let config: Config = toml::from_str(&text).unwrap();
            config.check().map(|config| config.listen.tls.unwrap().asks())
        };
        let authority = "client_ca_file = \"a\"\n";
        for (mode, asks) in [
            ("off", ClientCertificates::Off),
            ("optional", ClientCertificates::Optional),
            ("required", ClientCertificates::Required),
        ] {
            let line = format!("client_certificates = \"{mode}\"\n");
            assert_eq!(check(&format!("{authority}{line}")).unwrap(), asks);
            let alone = check(&line);
            assert_eq!(matches!(alone, Err(Error::NoClientAuthority)), asks != ClientCertificates::Off, "{mode}");
        }
        assert_eq!(check("").unwrap(), ClientCertificates::Off);
        assert!(matches!(check(authority), Err(Error::NoClientAsked)), "nobody would be asked, without a word");
    }

    #[test]
    fn metrics_and_reflection_are_for_this_machine_unless_told() {
        let read = |text: &str| toml::from_str::<Config>(text).unwrap().check();
        assert!(read("metrics_listen = \"127.0.0.1:9090\"").is_ok() && read("metrics_listen = \"[::1]:9090\"").is_ok());
        let exposed = "metrics_listen = \"0.0.0.0:9090\"\n";
        assert!(matches!(read(exposed), Err(Error::MetricsExposed(_))));
        assert!(read(&format!("{exposed}[listen]\nallow_plaintext = true")).is_ok());
        assert!(matches!(read("metrics_listen = \"127.0.0.1:8642\""), Err(Error::MetricsOnListener)));
        assert!(read("metrics_listen = \"127.0.0.1:0\"\n[listen]\naddress = \"127.0.0.1:0\"").is_ok());
        for (lines, serves) in [
            ("", true),
            ("reflection = false", false),
            ("address = \"0.0.0.0:1\"\nallow_plaintext = true", false),
            ("address = \"0.0.0.0:1\"\nallow_plaintext = true\nreflection = true", true),
        ] {
            assert_eq!(read(&format!("[listen]\n{lines}")).unwrap().listen.serves_reflection(), serves, "{lines}");
        }
    }
}
