//! Public keys of a provider: read from a JSON Web Key Set (RFC 7517), and what signatures are checked with.
//!
//! A key is good for the algorithms of its own kind and no other, so that no header of a token turns it into something else.
//! Keys that are not for signatures, or of a kind that is not taken, are passed over; a secret that stands there is a fault.

use std::fmt;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ED25519_PUBLIC_KEY_LEN, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::config::Algorithm;
use crate::http_client;

/// Longest set in bytes: some hundred keys with their certificates.
pub(super) const SET_BYTES_MAX: usize = 256 * 1024;
/// Most keys of a set: providers have two or three.
const KEYS_MAX: usize = 128;
/// Depth of a set: the keys in a list in an object, and lists of certificates in them.
const DEPTH_MAX: usize = 8;
/// Longest `kid` in bytes.
pub(super) const KID_BYTES_MAX: usize = 256;
/// Sizes of RSA keys in bits: a smaller one can be broken, a larger one costs too much for each token.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2_048..=8_192;
/// Bytes of a coordinate of P-256.
const P256_BYTES: usize = 32;
/// What an uncompressed point begins with (SEC 1, 2.3.3).
const UNCOMPRESSED: u8 = 4;

/// Why a set is not taken. Tells nothing of what stands in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum SetFault {
    /// Longer than any real one.
    #[error("the key set is longer than {SET_BYTES_MAX} bytes")]
    TooLong,
    /// Not what RFC 7517 says.
    #[error("it is no JSON Web Key Set: write an object with a list `keys`")]
    Malformed,
    /// More keys than any real one.
    #[error("the key set has more than {KEYS_MAX} keys")]
    TooMany,
    /// A private key, which everybody who reads the set can sign with.
    #[error("the key set holds a private key: publish public ones alone, and make another key")]
    Private,
    /// Two keys of one name.
    #[error("two keys of the set have the same kid")]
    SameName,
    /// None that could be used.
    #[error("no key of the set can be used: RSA of 2048 bits or more, EC on P-256 and Ed25519 are, for signatures")]
    Empty,
}

/// The keys of a provider.
#[derive(Debug, Default)]
pub(super) struct KeySet(Vec<Key>);

/// One of them, for each algorithm that it is good for.
struct Key {
    kid: Option<String>,
    parsed: Vec<(Algorithm, ParsedPublicKey)>,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("kid", &self.kid).finish_non_exhaustive()
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        let bytes = |key: &Self| -> Vec<(Algorithm, Vec<u8>)> {
            key.parsed.iter().map(|(algorithm, parsed)| (*algorithm, parsed.as_ref().to_vec())).collect()
        };
        self.kid == other.kid && bytes(self) == bytes(other)
    }
}

/// A set as it is written.
#[derive(Deserialize)]
struct Jwks {
    keys: Vec<Value>,
}

/// A key as it is written; members that say nothing about it here are passed over.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    d: Option<IgnoredAny>,
}

impl KeySet {
    /// Reads a set.
    pub(super) fn parse(json: &[u8]) -> Result<Self, SetFault> {
        if json.len() > SET_BYTES_MAX {
            return Err(SetFault::TooLong);
        }
        http_client::check_depth(json, DEPTH_MAX).map_err(|_| SetFault::Malformed)?;
        let set: Jwks = serde_json::from_slice(json).map_err(|_| SetFault::Malformed)?;
        if set.keys.len() > KEYS_MAX {
            return Err(SetFault::TooMany);
        }
        let mut keys: Vec<Key> = Vec::new();
        for value in set.keys {
            // One of a kind that nobody knows yet hides no other.
            let Ok(jwk) = Jwk::deserialize(value) else { continue };
            if jwk.d.is_some() {
                return Err(SetFault::Private);
            }
            let Some(key) = jwk.key() else { continue };
            if keys.iter().any(|other| other.kid.is_some() && other.kid == key.kid) {
                return Err(SetFault::SameName);
            }
            keys.push(key);
        }
        if keys.is_empty() { Err(SetFault::Empty) } else { Ok(Self(keys)) }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether two sets hold the same keys.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    /// The key that a token names, as far as it is good for the algorithm. A token that names none is of the one key that
    /// is, and of no key where there are several.
    pub(super) fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<&ParsedPublicKey> {
        let named = self.0.iter().filter(|key| kid.is_none() || key.kid.as_deref() == kid);
        let mut good = named.filter_map(|key| key.parsed.iter().find(|(of, _)| *of == algorithm));
        let (_, found) = good.next()?;
        if good.next().is_some() { None } else { Some(found) }
    }
}

impl Jwk {
    /// The key, if it is one that signatures are checked with here.
    fn key(&self) -> Option<Key> {
        let is_for_signatures = self.usage.as_deref().is_none_or(|usage| usage == "sig")
            && self.key_ops.as_ref().is_none_or(|all| all.iter().any(|one| one == "verify"));
        if !is_for_signatures || self.kid.as_ref().is_some_and(|kid| kid.len() > KID_BYTES_MAX) {
            return None;
        }
        let mut parsed = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => self.rsa()?,
            ("EC", Some("P-256")) => self.p256()?,
            ("OKP", Some("Ed25519")) => self.ed25519()?,
            _ => return None,
        };
        if let Some(alg) = &self.alg {
            let only = Algorithm::of(alg)?;
            parsed.retain(|(algorithm, _)| *algorithm == only);
        }
        (!parsed.is_empty()).then(|| Key { kid: self.kid.clone(), parsed })
    }

    fn rsa(&self) -> Option<Vec<(Algorithm, ParsedPublicKey)>> {
        let (n, e) = (number(self.n.as_ref()?)?, number(self.e.as_ref()?)?);
        let bits = n.len() * 8 - usize::try_from(n.first()?.leading_zeros()).ok()?;
        // An exponent of 1 signs everything; those of more than four bytes make each check slow.
        let is_exponent_good = e.len() <= 4 && e.last()? % 2 == 1 && e != [1];
        if !RSA_BITS.contains(&bits) || !is_exponent_good {
            return None;
        }
        let key = RsaPublicKeyComponents { n, e };
        let rs256 = key.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).ok()?;
        let ps256 = key.to_parsed_public_key(&RSA_PSS_2048_8192_SHA256).ok()?;
        Some(vec![(Algorithm::Rs256, rs256), (Algorithm::Ps256, ps256)])
    }

    fn p256(&self) -> Option<Vec<(Algorithm, ParsedPublicKey)>> {
        let (x, y) = (decode(self.x.as_ref()?)?, decode(self.y.as_ref()?)?);
        if x.len() != P256_BYTES || y.len() != P256_BYTES {
            return None;
        }
        let point = [&[UNCOMPRESSED][..], &x, &y].concat();
        // Refuses what is not on the curve.
        let es256 = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).ok()?;
        Some(vec![(Algorithm::Es256, es256)])
    }

    fn ed25519(&self) -> Option<Vec<(Algorithm, ParsedPublicKey)>> {
        let x = decode(self.x.as_ref()?)?;
        if x.len() != ED25519_PUBLIC_KEY_LEN {
            return None;
        }
        Some(vec![(Algorithm::EdDsa, ParsedPublicKey::new(&ED25519, x).ok()?)])
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// A number without the zeros before it.
fn number(text: &str) -> Option<Vec<u8>> {
    let bytes = decode(text)?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    Some(bytes[zeros..].to_vec())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::identity::fixture::{Pair, jwks};

    fn parse(set: &Value) -> Result<KeySet, SetFault> {
        KeySet::parse(set.to_string().as_bytes())
    }

    /// Which algorithms a lone key is good for.
    #[track_caller]
    fn check(jwk: &Value, expect: &[Algorithm]) {
        let set = parse(&json!({ "keys": [jwk] }));
        let all = [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa];
        let good = |set: &KeySet| -> Vec<Algorithm> {
            all.into_iter().filter(|algorithm| set.find(None, *algorithm).is_some()).collect()
        };
        match set {
            Ok(set) => assert_eq!(good(&set), expect, "{jwk}"),
            Err(fault) => assert!(expect.is_empty() && fault == SetFault::Empty, "{fault}: {jwk}"),
        }
    }

    fn with(mut jwk: Value, key: &str, value: Value) -> Value {
        jwk[key] = value;
        jwk
    }

    #[test]
    fn a_key_is_good_for_its_own_kind_and_use_alone() {
        let (ec, ed, rsa) = (Pair::es256("a").jwk(), Pair::ed25519("a").jwk(), Pair::rsa("a").jwk());
        check(&ec, &[Algorithm::Es256]);
        check(&ed, &[Algorithm::EdDsa]);
        check(&rsa, &[Algorithm::Rs256, Algorithm::Ps256]);
        check(&with(rsa.clone(), "alg", json!("PS256")), &[Algorithm::Ps256]);
        check(&with(rsa.clone(), "alg", json!("HS256")), &[]);
        check(&with(rsa.clone(), "alg", json!("ES256")), &[]);
        check(&with(ec.clone(), "use", json!("sig")), &[Algorithm::Es256]);
        check(&with(ec.clone(), "use", json!("enc")), &[]);
        check(&with(ec.clone(), "key_ops", json!(["sign"])), &[]);
        check(&with(ec.clone(), "crv", json!("P-384")), &[]);
        check(&with(ec.clone(), "y", ec["x"].clone()), &[]);
        check(&with(ec, "x", json!("AA")), &[]);
        check(&with(ed, "x", json!("AAAA")), &[]);
        check(&with(rsa.clone(), "e", json!("AQ")), &[]);
        check(&with(rsa.clone(), "e", json!("Ag")), &[]);
        let small = URL_SAFE_NO_PAD.encode([0xff; 128]);
        check(&with(rsa, "n", json!(small)), &[]);
        check(&json!({ "kty": "oct", "k": "c2VjcmV0", "alg": "HS256" }), &[]);
        check(&json!({ "kty": "novel" }), &[]);
        check(&json!("a text"), &[]);
    }

    #[test]
    fn sets_that_are_not_to_be_trusted_are_refused_whole() {
        let (one, two) = (Pair::es256("a"), Pair::es256("b"));
        let set = parse(&jwks([&one, &two])).unwrap();
        assert_eq!(set.len(), 2);
        assert!(set.find(Some("a"), Algorithm::Es256).is_some() && set.find(Some("c"), Algorithm::Es256).is_none());
        assert!(set.find(None, Algorithm::Es256).is_none(), "which of the two is not told");
        assert!(set.is_same(&parse(&jwks([&one, &two])).unwrap()));
        assert!(!set.is_same(&parse(&jwks([&one])).unwrap()));
        let fault = |set: Value| parse(&set).err();
        assert_eq!(fault(jwks([&one, &Pair::es256("a")])), Some(SetFault::SameName));
        assert_eq!(fault(json!({ "keys": [with(one.jwk(), "d", json!("AA"))] })), Some(SetFault::Private));
        assert_eq!(fault(json!({ "keys": [] })), Some(SetFault::Empty));
        assert_eq!(fault(json!({ "keys": vec![json!({}); KEYS_MAX + 1] })), Some(SetFault::TooMany));
        assert_eq!(fault(json!({ "key": [] })), Some(SetFault::Malformed));
        assert_eq!(fault(json!([])), Some(SetFault::Malformed));
        let long = json!({ "keys": [], "x": "x".repeat(SET_BYTES_MAX) });
        assert_eq!(fault(long), Some(SetFault::TooLong));
        assert_eq!(KeySet::parse(&[b'['; 1_000]).err(), Some(SetFault::Malformed));
    }
}
