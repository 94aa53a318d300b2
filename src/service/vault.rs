//! Encrypts what lets connections in, so that the store's file alone opens nothing.
//!
//! AES-256-GCM-SIV with a nonce drawn for each text. What is encrypted for one connection opens for no other one: its name
//! is authenticated with it.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::model::connection::Sealed;

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;
/// Bytes of a key's hash that tell which key it is: enough to tell a handful apart, and of no use to guess it.
const KEY_ID_BYTES: usize = 4;

/// Tells a key from all others: a hash of it, by which nobody finds it.
#[must_use]
pub fn mark_of(key: &[u8; KEY_BYTES]) -> [u8; 32] {
    Sha256::digest([&b"waymark mark of a credentials key\0"[..], key].concat()).into()
}

/// The deployment's key.
pub struct Vault {
    key: RandomizedNonceKey,
    key_id: String,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

impl Vault {
    /// A vault with this key.
    #[must_use]
    pub fn new(key: &[u8; KEY_BYTES]) -> Self {
        let hash = Sha256::digest([&b"waymark credentials key\0"[..], key].concat());
        let key_id = STANDARD.encode(&hash[..KEY_ID_BYTES]);
        let key = RandomizedNonceKey::new(&AES_256_GCM_SIV, key).expect("the key has the length of the algorithm's");
        Self { key, key_id }
    }

    /// The text, encrypted for a purpose. `None` where the system has no randomness to give.
    pub(super) fn seal(&self, purpose: &str, text: &[u8]) -> Option<Sealed> {
        let mut bytes = text.to_vec();
        let nonce = self.key.seal_in_place_append_tag(Aad::from(purpose.as_bytes()), &mut bytes).ok()?;
        Some(Sealed {
            key_id: self.key_id.clone(),
            nonce: STANDARD.encode(nonce.as_ref()),
            text: STANDARD.encode(bytes),
        })
    }

    /// The text; `None` where it was encrypted with another key or for another purpose, or is damaged.
    pub(super) fn open(&self, purpose: &str, sealed: &Sealed) -> Option<Vec<u8>> {
        let nonce: [u8; 12] = STANDARD.decode(&sealed.nonce).ok()?.try_into().ok()?;
        let mut bytes = STANDARD.decode(&sealed.text).ok()?;
        let nonce = Nonce::assume_unique_for_key(nonce);
        let text = self.key.open_in_place(nonce, Aad::from(purpose.as_bytes()), &mut bytes).ok()?;
        Some(text.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_text_opens_with_its_key_and_for_its_purpose_alone() {
        let vault = Vault::new(&[7; KEY_BYTES]);
        let sealed = vault.seal("acme/zendesk", b"Canary").unwrap();
        assert_eq!(vault.open("acme/zendesk", &sealed).as_deref(), Some(&b"Canary"[..]));
        assert_eq!(vault.open("acme/syncro", &sealed), None);
        assert_eq!(vault.open("other/zendesk", &sealed), None);
        assert_eq!(Vault::new(&[8; KEY_BYTES]).open("acme/zendesk", &sealed), None);
        let again = vault.seal("acme/zendesk", b"Canary").unwrap();
        assert_ne!((&again.nonce, &again.text), (&sealed.nonce, &sealed.text), "a nonce is drawn for each");
        let raw = STANDARD.decode(&sealed.text).unwrap();
        for at in 0..raw.len() {
            let mut forged = raw.clone();
            forged[at] ^= 1;
            let forged = Sealed { text: STANDARD.encode(forged), ..sealed.clone() };
            assert_eq!(vault.open("acme/zendesk", &forged), None, "byte {at}");
        }
        assert_eq!(mark_of(&[7; KEY_BYTES]), mark_of(&[7; KEY_BYTES]));
        assert_ne!(mark_of(&[7; KEY_BYTES]), mark_of(&[8; KEY_BYTES]));
        let told = format!("{vault:?} {sealed:?}");
        assert!(!told.contains(&sealed.text) && !told.contains("7, 7"), "{told}");
    }
}
