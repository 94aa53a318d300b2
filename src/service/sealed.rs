//! Values handed to callers that come back unchanged: page tokens, candidate tokens, addresses of tiles, agents'
//! credentials.
//!
//! A sealed value is readable, not secret, and carries a MAC over its purpose, so that a token of one query, site or
//! account is worth nothing for another.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::Sha256;

/// Bytes of the MAC: 128 bits of HMAC-SHA-256.
const MAC_BYTES: usize = 16;
/// Longest sealed text that is looked at.
pub(super) const SEALED_BYTES_MAX: usize = 8 * 1024;

/// Seals and opens values with the deployment's secret.
pub(super) struct Sealer {
    key: Hmac<Sha256>,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer")
    }
}

impl Sealer {
    pub(super) fn new(secret: &[u8; 32]) -> Self {
        Self { key: Hmac::new_from_slice(secret).expect("HMAC takes a key of any length") }
    }

    /// 32 bytes that nobody else can know, the same each time for the same purpose and parts.
    pub(super) fn derive(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.key.clone();
        absorb(&mut mac, purpose.as_bytes());
        parts.iter().for_each(|part| absorb(&mut mac, part));
        mac.finalize().into_bytes().into()
    }

    /// The value as a text that [`Self::open`] takes back for the same purpose.
    pub(super) fn seal(&self, purpose: &str, value: &impl Serialize) -> String {
        let mut bytes = serde_json::to_vec(value).expect("sealed values are plain structs with text keys");
        let mac = self.derive(purpose, &[&bytes]);
        bytes.extend_from_slice(&mac[..MAC_BYTES]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The value, if `text` was sealed for this very purpose.
    pub(super) fn open<T: DeserializeOwned>(&self, purpose: &str, text: &str) -> Option<T> {
        if text.len() > SEALED_BYTES_MAX {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (value, mac) = bytes.split_at_checked(bytes.len().checked_sub(MAC_BYTES)?)?;
        let expected = self.derive(purpose, &[value]);
        let is_ours = subtle::ConstantTimeEq::ct_eq(&expected[..MAC_BYTES], mac);
        if bool::from(is_ours) { serde_json::from_slice(value).ok() } else { None }
    }
}

/// Length first, so that no two lists of parts read the same.
fn absorb(mac: &mut Hmac<Sha256>, part: &[u8]) {
    mac.update(&(part.len() as u64).to_be_bytes());
    mac.update(part);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_value_opens_for_its_purpose_alone() {
        let sealer = Sealer::new(&[7; 32]);
        let sealed = sealer.seal("page:a", &("cursor", 5));
        assert_eq!(sealer.open::<(String, u8)>("page:a", &sealed), Some(("cursor".into(), 5)));
        assert_eq!(sealer.open::<(String, u8)>("page:b", &sealed), None);
        assert_eq!(Sealer::new(&[8; 32]).open::<(String, u8)>("page:a", &sealed), None);
        for at in 0..sealed.len() {
            let mut forged = sealed.clone().into_bytes();
            forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(forged).unwrap();
            assert_eq!(sealer.open::<(String, u8)>("page:a", &forged), None, "byte {at}");
        }
        assert_eq!(sealer.open::<(String, u8)>("page:a", ""), None);
        assert_ne!(sealer.derive("x", &[b"ab", b"c"]), sealer.derive("x", &[b"a", b"bc"]));
    }
}
