//! Where a connection may lead: to public addresses over TLS, and to others as far as the operator allows it.
//!
//! The base URL is an account's word, so it must not become a way into the operator's network. What is checked is the
//! address that is connected to, at each connection, and not only the one that a name had once.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::Invalid;

/// Longest base URL, in bytes.
const URL_BYTES_MAX: usize = 512;
/// Longest time of one request, in milliseconds: a call has ten seconds.
const TIMEOUT_MS_MAX: u64 = 8_000;
/// Hours between two checks of all links: who works with tickets hears of a link that broke on the day after.
const VERIFY_EVERY_H: u16 = 24;
/// What a refused address is told by, within the client's own error.
const REFUSED: &str = "not a public address";

/// Where connections may lead, as configured.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Ticketing")]
pub struct Config {
    /// Networks that connections may lead to although their addresses are not public.
    #[schemars(with = "Vec<String>")]
    pub private_networks: Vec<IpNet>,
    /// Ports of base URLs; a loopback address that is allowed may have any.
    pub ports: Vec<u16>,
    /// Longest time of one request, in milliseconds; at most 8,000, because a call has ten seconds.
    pub timeout_ms: u64,
    /// Hours after which all links of an account that has connections are checked again; 0 for never.
    pub verify_every_h: u16,
    /// File with the key that credentials are encrypted with: 32 bytes in base64. Without `key_file` and `key_env` a key
    /// is made beside the store.
    pub key_file: Option<std::path::PathBuf>,
    /// Environment variable with that key.
    pub key_env: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            private_networks: Vec::new(),
            ports: vec![443],
            timeout_ms: TIMEOUT_MS_MAX,
            verify_every_h: VERIFY_EVERY_H,
            key_file: None,
            key_env: None,
        }
    }
}

impl Config {
    /// Longest time of one request.
    #[must_use]
    pub fn time_max(&self) -> Duration {
        Duration::from_millis(self.timeout_ms.clamp(1, TIMEOUT_MS_MAX))
    }
}

/// The rule of where connections may lead.
#[derive(Clone)]
pub struct Guard {
    is_public: fn(IpAddr) -> bool,
    private_networks: Arc<[IpNet]>,
    ports: Arc<[u16]>,
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard").field("private_networks", &self.private_networks).finish_non_exhaustive()
    }
}

impl Guard {
    /// The rule of a configuration; `is_public` knows the ranges of addresses.
    #[must_use]
    pub fn new(config: &Config, is_public: fn(IpAddr) -> bool) -> Self {
        Self { is_public, private_networks: config.private_networks.clone().into(), ports: config.ports.clone().into() }
    }

    /// Whether an address may be connected to.
    fn allows(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        (self.is_public)(ip) || self.private_networks.iter().any(|network| network.contains(&ip))
    }

    /// The base URL that a text says, without a slash at its end.
    ///
    /// # Errors
    /// One that is not `https://`, or leads where it must not; `http://` is for a loopback address that is allowed.
    pub fn check(&self, text: &str) -> Result<Url, Invalid> {
        let refuse = |why: String| Err(Invalid::new("base_url", why));
        if text.len() > URL_BYTES_MAX {
            return refuse(format!("at most {URL_BYTES_MAX} bytes, got {}", text.len()));
        }
        let Ok(mut url) = Url::parse(text) else {
            return refuse("a base URL has the form https://host/path".to_owned());
        };
        // A password in it would come back with every answer.
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            return refuse("a base URL has no user, password, query or fragment: https://host/path".to_owned());
        }
        let literal = literal(&url);
        if url.host_str().is_none_or(str::is_empty) {
            return refuse("a base URL names a host: https://host/path".to_owned());
        }
        if literal.is_some_and(|ip| !self.allows(ip)) {
            return refuse("the address is not a public one, and the operator has not allowed it".to_owned());
        }
        let is_loopback = literal.is_some_and(|ip| ip.is_loopback());
        match url.scheme() {
            "https" => {}
            "http" if is_loopback => {}
            _ => return refuse("credentials travel encrypted alone: a base URL begins with https://".to_owned()),
        }
        let port = url.port_or_known_default().unwrap_or_default();
        if !is_loopback && !self.ports.contains(&port) {
            return refuse(format!("port {port} is not one that the operator allows: {:?}", self.ports));
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(url)
    }

    /// The resolver of names that gives allowed addresses alone.
    pub(super) fn resolver(&self) -> Arc<Guarded> {
        Arc::new(Guarded(self.clone()))
    }
}

/// The address that a URL's host is, where it is one and no name.
fn literal(url: &Url) -> Option<IpAddr> {
    url.host_str()?.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Resolves names, and refuses those with an address that is not allowed. What it gives is connected to, so a name
/// that changes its address afterwards changes nothing.
#[derive(Debug)]
pub(super) struct Guarded(Guard);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.0.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            // One address that is not allowed is enough: whoever mixes them means to be reached by chance.
            if found.iter().any(|address| !guard.allows(address.ip())) {
                return Err(REFUSED.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Whether an error of the client is the refusal of an address.
pub(super) fn is_refusal(told: &str) -> bool {
    told.contains(REFUSED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(networks: &[&str]) -> Guard {
        let private_networks = networks.iter().map(|network| network.parse().unwrap()).collect();
        let is_public = |ip: IpAddr| match ip {
            IpAddr::V4(ip) => !ip.is_private() && !ip.is_loopback() && !ip.is_link_local(),
            IpAddr::V6(ip) => !ip.is_loopback(),
        };
        Guard::new(&Config { private_networks, ..Config::default() }, is_public)
    }

    #[test]
    fn base_urls_lead_to_public_hosts_over_tls() {
        let check = |text: &str, expect: bool| assert_eq!(guard(&[]).check(text).is_ok(), expect, "{text}");
        check("https://example.zendesk.com", true);
        check("https://example.zendesk.com/", true);
        check("https://1.1.1.1/api", true);
        for bad in [
            "",
            "example.zendesk.com",
            "http://example.zendesk.com",
            "ftp://example.com",
            "file:///etc/passwd",
            "https://user@example.com",
            "https://user:password@example.com",
            "https://example.com/?key=1",
            "https://example.com/#x",
            "https://example.com:8443",
            "https://example.com:22",
            "https://127.0.0.1",
            "http://127.0.0.1",
            "https://0x7f.1",
            "https://2130706433",
            "https://[::1]",
            "https://[::ffff:127.0.0.1]",
            "https://10.0.0.1",
            "https://169.254.169.254/latest/meta-data",
        ] {
            check(bad, false);
        }
        check(&format!("https://example.com/{}", "x".repeat(URL_BYTES_MAX)), false);
        assert_eq!(guard(&[]).check("https://example.com/a/b//").unwrap().as_str(), "https://example.com/a/b");
    }

    #[test]
    fn the_operator_may_allow_more() {
        let guard = guard(&["127.0.0.0/8", "10.1.0.0/16"]);
        for good in ["http://127.0.0.1:8080/x", "https://10.1.2.3", "https://[::ffff:10.1.2.3]"] {
            assert!(guard.check(good).is_ok(), "{good}");
        }
        for bad in ["http://10.1.2.3", "https://10.2.0.1", "https://10.1.2.3:8443", "http://localhost:8080"] {
            assert!(guard.check(bad).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn names_of_addresses_that_are_not_allowed_are_refused_at_each_connection() {
        for (networks, expect) in [(&[][..], true), (&["127.0.0.0/8", "::1/128"][..], false)] {
            let client = crate::http_client::builder("waymark", std::time::Duration::from_secs(3));
            let client = client.dns_resolver(guard(networks).resolver()).build().unwrap();
            let failure = client.get("http://localhost:1/").send().await.unwrap_err();
            let told = crate::http_client::causes(failure);
            assert_eq!(is_refusal(&told), expect, "{told}");
        }
    }
}
