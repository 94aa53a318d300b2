//! What an operator configures of traces: where they go, how many of them, and whose word counts.

use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Url;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use schemars::JsonSchema;
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use tonic::metadata::{AsciiMetadataKey, AsciiMetadataValue, MetadataMap};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};

use crate::model::host::is_this_machine;
use crate::secret_file;

/// Part of the calls that is traced where nothing is said: enough to see what is slow, and little beside the calls themselves.
const SAMPLE_RATIO: f64 = 0.1;
/// Longest time of one export where nothing is said, in milliseconds.
const TIMEOUT_MS: NonZeroU32 = NonZeroU32::new(5_000).expect("5000 is not 0");
/// Longest time of one export that may be stated, in milliseconds: what comes meanwhile waits in memory.
const TIMEOUT_MS_MAX: u32 = 60_000;
/// What an endpoint is.
const FORM: &str = "an address such as http://127.0.0.1:4317 or https://collector.example.com, with nothing more";

/// The `[traces]` table.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Traces")]
pub struct Config {
    /// Where a collector takes OTLP over gRPC: `http://127.0.0.1:4317`, or `https://` and its name.
    pub endpoint: String,
    /// Whether traces may travel unencrypted to another machine; never with headers.
    #[serde(default)]
    pub plain_http: bool,
    /// Certificates that are trusted in the place of the system's, PEM.
    pub ca_file: Option<PathBuf>,
    /// Headers of each export.
    #[serde(default)]
    pub headers: Vec<Header>,
    /// Part of the calls that is traced, in [0, 1].
    #[serde(default = "sample_ratio")]
    pub sample_ratio: f64,
    /// Whether a call is traced, whatever the ratio, where its caller traces its own side. Whoever reaches the server can say so.
    #[serde(default)]
    pub trust_callers: bool,
    /// Longest time of one export, in milliseconds; at most 60,000.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: NonZeroU32,
}

/// A header of each export, whose value is a secret.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TracesHeader")]
pub struct Header {
    /// Its name, such as `authorization`.
    pub name: String,
    /// File of its value, which not everybody can read.
    pub value_file: PathBuf,
}

fn sample_ratio() -> f64 {
    SAMPLE_RATIO
}

fn timeout_ms() -> NonZeroU32 {
    TIMEOUT_MS
}

/// Why traces are not sent as they are configured. Holds no text of a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("traces.{key}: {why}")]
pub struct Error {
    /// The key.
    pub key: &'static str,
    /// What is wrong, and what is allowed.
    pub why: String,
}

impl Error {
    pub(super) fn of(key: &'static str, why: impl Into<String>) -> Self {
        Self { key, why: why.into() }
    }
}

/// The settings, checked, with their files read.
pub(super) struct Checked {
    /// With its TLS, where it has any.
    pub(super) endpoint: Endpoint,
    pub(super) headers: MetadataMap,
}

impl Config {
    /// Whether traces could be sent so. Reads the files, connects to nobody.
    pub fn check(&self) -> Result<(), Error> {
        self.resolve().map(drop)
    }

    pub(super) fn resolve(&self) -> Result<Checked, Error> {
        let is_secure = self.is_secure()?;
        if !(0.0..=1.0).contains(&self.sample_ratio) {
            return Err(Error::of("sample_ratio", format!("a part of the calls in [0, 1], got {}", self.sample_ratio)));
        }
        if self.timeout_ms.get() > TIMEOUT_MS_MAX {
            return Err(Error::of("timeout_ms", format!("at most {TIMEOUT_MS_MAX}, got {}", self.timeout_ms)));
        }
        Ok(Checked { endpoint: self.reach(is_secure)?, headers: self.read_headers()? })
    }

    /// The way to the collector. Connects to nobody.
    fn reach(&self, is_secure: bool) -> Result<Endpoint, Error> {
        let endpoint = Endpoint::from_shared(self.endpoint.clone());
        let endpoint = endpoint.map_err(|cause| Error::of("endpoint", cause.to_string()))?;
        // How long an export takes is looked at where it is sent from.
        let endpoint = endpoint.connect_timeout(Duration::from_millis(self.timeout_ms.get().into()));
        let authorities = self.ca_file.as_deref().map(authorities).transpose()?;
        if !is_secure {
            return Ok(endpoint);
        }
        let (key, tls) = match authorities {
            Some(authorities) => ("ca_file", ClientTlsConfig::new().ca_certificate(authorities)),
            None => ("endpoint", ClientTlsConfig::new().with_native_roots()),
        };
        endpoint.tls_config(tls).map_err(|cause| Error::of(key, format!("TLS: {}", causes(&cause))))
    }

    /// Whether the way to the collector is encrypted; refused where it is not and has to be.
    fn is_secure(&self) -> Result<bool, Error> {
        let refuse = |why: &str| Err(Error::of("endpoint", why));
        let Ok(url) = Url::parse(&self.endpoint) else { return refuse(FORM) };
        let is_bare = url.username().is_empty() && url.password().is_none() && url.path() == "/";
        let Some(host) = url.host_str().filter(|_| is_bare && url.query().is_none() && url.fragment().is_none()) else {
            return refuse(FORM);
        };
        match url.scheme() {
            "https" => Ok(true),
            "http" if is_this_machine(host) => Ok(false),
            "http" if !self.plain_http => refuse("http:// is for this machine alone: use https://, or set plain_http"),
            "http" if !self.headers.is_empty() => refuse("headers hold secrets, and http:// shows them: use https://"),
            "http" => Ok(false),
            _ => refuse(FORM),
        }
    }

    fn read_headers(&self) -> Result<MetadataMap, Error> {
        let mut read = MetadataMap::new();
        for Header { name, value_file } in &self.headers {
            let fault = |why: String| Error::of("headers", why);
            let key: AsciiMetadataKey =
                name.parse().map_err(|_| fault(format!("{name:?} is no name of a header with a text")))?;
            let secret = secret_file::read(value_file).map_err(fault)?;
            let value = AsciiMetadataValue::try_from(secret.expose_secret().trim());
            let mut value =
                value.map_err(|_| fault(format!("{} has characters that no header may have", value_file.display())))?;
            value.set_sensitive(true);
            read.insert(key, value);
        }
        Ok(read)
    }
}

fn authorities(path: &Path) -> Result<Certificate, Error> {
    let fault = |why: &str| Error::of("ca_file", format!("{}: {why}", path.display()));
    let pem = fs::read(path).map_err(|cause| fault(&cause.to_string()))?;
    let found = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|_| fault("it is no PEM"))?;
    let mut roots = RootCertStore::empty();
    if found.is_empty() || found.into_iter().any(|certificate| roots.add(certificate).is_err()) {
        return Err(fault("certificates of authorities are expected, in PEM, at least one"));
    }
    Ok(Certificate::from_pem(pem))
}

/// An error with what it comes from, which says more than itself.
fn causes(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(below) = cause {
        told = format!("{told}: {below}");
        cause = below.source();
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key that a configuration is refused for; `None` where it is good.
    fn refused(lines: &str) -> Option<&'static str> {
        let config: Config = toml::from_str(lines).unwrap();
        config.check().err().map(|fault| fault.key)
    }

    /// A header whose file is not there.
    fn header(name: &str) -> String {
        format!("headers = [{{ name = '{name}', value_file = 'nowhere' }}]")
    }

    #[test]
    fn traces_go_where_nobody_reads_them_on_the_way() {
        for (endpoint, expect) in [
            ("http://127.0.0.1:4317", None),
            ("http://localhost:4317/", None),
            ("http://[::1]:4317", None),
            ("https://collector.example.com:4317", None),
            ("http://collector.example.com:4317", Some("endpoint")),
            ("http://10.0.0.1:4317", Some("endpoint")),
            ("https://collector.example.com/v1/traces", Some("endpoint")),
            ("https://user:secret@collector.example.com", Some("endpoint")),
            ("https://collector.example.com?key=secret", Some("endpoint")),
            ("grpc://127.0.0.1:4317", Some("endpoint")),
            ("127.0.0.1:4317", Some("endpoint")),
            ("", Some("endpoint")),
        ] {
            assert_eq!(refused(&format!("endpoint = {endpoint:?}")), expect, "{endpoint}");
        }
        let plain = "endpoint = 'http://10.0.0.1:4317'\nplain_http = true";
        assert_eq!(refused(plain), None);
        assert_eq!(refused(&format!("{plain}\n{}", header("authorization"))), Some("endpoint"));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let with = |line: &str| refused(&format!("endpoint = 'http://127.0.0.1:4317'\n{line}"));
        for name in ["authorization", "no header", "key-bin"] {
            assert_eq!(with(&header(name)), Some("headers"), "{name}");
        }
        for (line, expect) in [
            ("", None),
            ("sample_ratio = 0.0", None),
            ("sample_ratio = 1", None),
            ("sample_ratio = 1.5", Some("sample_ratio")),
            ("sample_ratio = -0.1", Some("sample_ratio")),
            ("sample_ratio = nan", Some("sample_ratio")),
            ("timeout_ms = 60000", None),
            ("timeout_ms = 60001", Some("timeout_ms")),
            ("ca_file = 'nowhere'", Some("ca_file")),
        ] {
            assert_eq!(with(line), expect, "{line}");
        }
        for line in ["timeout_ms = 0", "ratio = 1", "headers = ['x']"] {
            let text = format!("endpoint = 'http://127.0.0.1:4317'\n{line}");
            assert!(toml::from_str::<Config>(&text).is_err(), "{line}");
        }
        assert!(toml::from_str::<Config>("sample_ratio = 1.0").is_err(), "without a collector");
    }

    #[test]
    fn authorities_are_certificates() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("ca.pem");
        let lines = format!("endpoint = 'https://collector.example.com'\nca_file = '{}'", file.display());
        for pem in [
            "",
            "not PEM at all",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE-----\nno end",
        ] {
            fs::write(&file, pem).unwrap();
            assert_eq!(refused(&lines), Some("ca_file"), "{pem}");
        }
    }

    #[test]
    fn a_header_is_read_from_its_file_and_shown_nowhere() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("token");
        secret_file::write(&file, "Bearer Canary").unwrap();
        let header = header("authorization").replace("nowhere", file.to_str().unwrap());
        let lines = format!("endpoint = 'http://127.0.0.1:4317'\n{header}");
        let config: Config = toml::from_str(&lines).unwrap();
        let checked = config.resolve().unwrap();
        assert_eq!(checked.headers.get("authorization").unwrap(), "Bearer Canary");
        assert!(!format!("{:?} {config:?}", checked.headers).contains("Canary"));
        secret_file::write(&file, "Canary\u{e9}\u{7}").unwrap();
        let told = config.check().unwrap_err().to_string();
        assert!(told.contains("characters") && !told.contains("Canary"), "{told}");
    }
}
