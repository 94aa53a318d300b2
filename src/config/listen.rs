//! Where and how the program listens: address, TLS, and how many connections it keeps for how long.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Error;
use crate::api::public_url::PublicUrl;

/// Where the program listens when nobody says otherwise.
const LISTEN_DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8642);

/// Certificate and key of the listener.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ListenTls")]
pub struct Tls {
    /// File of the certificate chain, PEM.
    pub certificate: PathBuf,
    /// File of the private key, PEM.
    pub key: PathBuf,
    /// File of the authorities that sign certificates of clients, PEM. Whatever they sign is taken, so they are authorities of
    /// one's own, and not those that sign for the world.
    #[serde(default)]
    pub client_ca_file: Option<PathBuf>,
    /// Whether clients show a certificate; `off` without it.
    #[serde(default)]
    pub client_certificates: Option<ClientCertificates>,
}

/// Whether clients show a certificate when they connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientCertificates {
    /// Nobody is asked for one.
    Off,
    /// Who has none may connect; one that is shown has to be good.
    Optional,
    /// Who has no good one does not connect.
    Required,
}

impl Tls {
    /// Whether clients show a certificate.
    #[must_use]
    pub fn asks(&self) -> ClientCertificates {
        self.client_certificates.unwrap_or(ClientCertificates::Off)
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        match (&self.client_ca_file, self.client_certificates) {
            (None, Some(ClientCertificates::Optional | ClientCertificates::Required)) => Err(Error::NoClientAuthority),
            (Some(_), None) => Err(Error::NoClientAsked),
            _ => Ok(()),
        }
    }
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
    /// Whether gRPC reflection tells which methods there are; without it where the address is a loopback one.
    pub reflection: Option<bool>,
    /// The address at which callers reach this server, such as `https://waymark.example.com`: `TileJSON` names its tiles by it. Without
    /// it by the host that each request names, with `https` where `tls` is set; and where proxies are trusted, or plaintext is allowed,
    /// relative to itself.
    #[schemars(with = "Option<String>")]
    pub public_url: Option<PublicUrl>,
}

/// Each costs some tens of KiB.
const CONNECTIONS_MAX: NonZeroU32 = NonZeroU32::new(4_096).expect("4096 is not 0");

/// Most offices and data centres stand behind one address, and so does a proxy that nobody named as one; it is a quarter of
/// all, so that no address keeps the others out.
const CONNECTIONS_PER_ADDRESS_MAX: NonZeroU32 = NonZeroU32::new(1_024).expect("1024 is not 0");

/// Those who scrape and probe are few, and come from one address as a rule.
const METRICS_CONNECTIONS_MAX: NonZeroU32 = NonZeroU32::new(64).expect("64 is not 0");

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
            reflection: None,
            public_url: None,
        }
    }
}

impl Listen {
    /// Whether gRPC reflection tells which methods there are.
    #[must_use]
    pub fn serves_reflection(&self) -> bool {
        self.reflection.unwrap_or_else(|| self.address.ip().is_loopback())
    }

    /// How the operator's own listener at `address` takes connections: plain, and few.
    #[must_use]
    pub fn for_metrics(&self, address: SocketAddr) -> Self {
        Self {
            address,
            tls: None,
            proxy_protocol: false,
            connections_max: METRICS_CONNECTIONS_MAX,
            connections_per_address_max: METRICS_CONNECTIONS_MAX,
            ..self.clone()
        }
    }
}
