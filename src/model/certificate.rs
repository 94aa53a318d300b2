//! Certificates of clients: what one says of its bearer, and by what of it a token knows its bearer.

use serde::{Deserialize, Serialize};

use super::Invalid;
use super::text::shown;

/// Longest URI, in bytes: what SPIFFE allows.
const URI_BYTES_MAX: usize = 2_048;
/// Longest DNS name, in bytes.
const DNS_NAME_BYTES_MAX: usize = 253;
/// Most names of each kind that are read of one certificate: each call looks for all of them.
const NAMES_MAX: usize = 32;

/// By what a certificate is known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Binding {
    /// SHA-256 of its `SubjectPublicKeyInfo`, DER: this key and no other, whoever signs it.
    Key([u8; 32]),
    /// A URI among its subject alternative names, to the letter.
    Uri(String),
    /// A DNS name among its subject alternative names, in lower case.
    DnsName(String),
}

impl Binding {
    /// A key by its hash.
    pub fn key(field: &str, sha256: &[u8]) -> Result<Self, Invalid> {
        let hash = sha256.try_into();
        hash.map(Self::Key).map_err(|_| Invalid::new(field, format!("32 bytes of SHA-256, got {}", sha256.len())))
    }

    /// A URI, such as `spiffe://example.org/agent/7`.
    pub fn uri(field: &str, uri: &str) -> Result<Self, Invalid> {
        let is_scheme = |scheme: &str| {
            scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        };
        let is_whole = uri.split_once(':').is_some_and(|(scheme, rest)| is_scheme(scheme) && !rest.is_empty());
        if is_whole && uri.len() <= URI_BYTES_MAX && uri.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Ok(Self::Uri(uri.to_owned()));
        }
        let allowed =
            format!("a URI with its scheme, at most {URI_BYTES_MAX} bytes, such as spiffe://example.org/agent/7");
        Err(Invalid::new(field, format!("{allowed}, got {}", shown(uri))))
    }

    /// A DNS name, without wildcards.
    pub fn dns_name(field: &str, name: &str) -> Result<Self, Invalid> {
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        if name.len() <= DNS_NAME_BYTES_MAX && name.split('.').all(is_label) {
            return Ok(Self::DnsName(name.to_ascii_lowercase()));
        }
        let allowed = "a DNS name of letters, digits, - and _, without wildcards";
        Err(Invalid::new(field, format!("{allowed}, got {}", shown(name))))
    }
}

/// What a certificate says of its bearer, once it was found good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate(Vec<Binding>);

impl ClientCertificate {
    /// The certificate of a key, by its hash, with these alternative names; those beyond the limit are not looked at.
    #[must_use]
    pub fn new<'a>(
        key_sha256: [u8; 32],
        uris: impl Iterator<Item = &'a str>,
        dns_names: impl Iterator<Item = &'a str>,
    ) -> Self {
        let uris = uris.take(NAMES_MAX).map(|uri| Binding::Uri(uri.to_owned()));
        let names = dns_names.take(NAMES_MAX).map(|name| Binding::DnsName(name.to_ascii_lowercase()));
        let mut known_by: Vec<Binding> = uris.chain(names).chain([Binding::Key(key_sha256)]).collect();
        known_by.sort_unstable();
        known_by.dedup();
        Self(known_by)
    }

    /// All by which it is known, each once.
    #[must_use]
    pub fn known_by(&self) -> &[Binding] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_no_certificate_is_refused() {
        for uri in ["spiffe://example.org/agent/7", "urn:uuid:6f2b1c1e", "https://a.example/?x=1"] {
            assert_eq!(Binding::uri("uri", uri), Ok(Binding::Uri(uri.to_owned())));
        }
        let long = format!("spiffe://{}", "a".repeat(URI_BYTES_MAX));
        for uri in ["", "agent", ":x", "spiffe:", "1x:y", "spiffe://a b", "spiffe://\u{e9}", "a\n:b", &long] {
            assert!(Binding::uri("uri", uri).is_err(), "{uri:?}");
        }
        assert_eq!(Binding::dns_name("dns", "FW-1.example"), Ok(Binding::DnsName("fw-1.example".to_owned())));
        let long = ["a"; 128].join(".");
        for name in ["", ".", "a..b", "*.example", "a.", "a b", "\u{e9}.example", &"a".repeat(64), &long] {
            assert!(Binding::dns_name("dns", name).is_err(), "{name:?}");
        }
        assert_eq!(Binding::key("key", &[7; 32]), Ok(Binding::Key([7; 32])));
        for length in [0, 20, 31, 33] {
            assert!(Binding::key("key", &vec![7; length]).is_err(), "{length}");
        }
    }

    #[test]
    fn a_certificate_is_known_by_its_key_and_by_each_of_its_names_once() {
        let names = ["FW-1.example", "fw-1.example", "*.example"];
        let certificate = ClientCertificate::new([1; 32], ["spiffe://x/1"].into_iter(), names.into_iter());
        let known = [
            Binding::Key([1; 32]),
            Binding::Uri("spiffe://x/1".to_owned()),
            Binding::DnsName("*.example".to_owned()),
            Binding::DnsName("fw-1.example".to_owned()),
        ];
        assert_eq!(certificate.known_by(), known);
        let many: Vec<String> = (0..NAMES_MAX * 2).map(|number| format!("x:{number}")).collect();
        let many = ClientCertificate::new([1; 32], many.iter().map(String::as_str), std::iter::empty());
        assert_eq!(many.known_by().len(), NAMES_MAX + 1);
    }
}
