//! An identity provider of tests: keys of its own, and tokens that it signs, good and bad.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Issuers;
use super::config::Config;

/// What the provider calls itself.
pub(crate) const ISSUER: &str = "https://id.example.com";

/// A key that tokens are signed with.
pub(crate) struct Pair {
    kid: &'static str,
    secret: Secret,
}

enum Secret {
    Es256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Pair {
    pub(crate) fn es256(kid: &'static str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self { kid, secret: Secret::Es256(pair) }
    }

    pub(crate) fn ed25519(kid: &'static str) -> Self {
        Self { kid, secret: Secret::Ed25519(Ed25519KeyPair::generate().unwrap()) }
    }

    pub(crate) fn rsa(kid: &'static str) -> Self {
        Self { kid, secret: Secret::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()) }
    }

    /// Its public half.
    pub(crate) fn jwk(&self) -> Value {
        match &self.secret {
            Secret::Es256(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({ "kty": "EC", "crv": "P-256", "kid": self.kid, "x": encode(x), "y": encode(y) })
            }
            Secret::Ed25519(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "kid": self.kid, "x": encode(pair.public_key().as_ref()) })
            }
            Secret::Rsa(pair) => {
                let n = modulus(pair.public_key().as_ref());
                json!({ "kty": "RSA", "kid": self.kid, "n": encode(&n), "e": "AQAB" })
            }
        }
    }

    /// The algorithm that it signs with by default.
    fn alg(&self) -> &'static str {
        match &self.secret {
            Secret::Es256(_) => "ES256",
            Secret::Ed25519(_) => "EdDSA",
            Secret::Rsa(_) => "RS256",
        }
    }

    /// A token with these claims and its usual header.
    pub(crate) fn token(&self, claims: &Value) -> String {
        self.token_with(&json!({ "alg": self.alg(), "kid": self.kid, "typ": "JWT" }), claims)
    }

    /// A token with these header and claims, signed with this key whatever the header says.
    pub(crate) fn token_with(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
        let random = SystemRandom::new();
        let signature = match &self.secret {
            Secret::Es256(pair) => pair.sign(&random, signed.as_bytes()).unwrap().as_ref().to_vec(),
            Secret::Ed25519(pair) => pair.sign(signed.as_bytes()).as_ref().to_vec(),
            Secret::Rsa(pair) => {
                let padding = if header["alg"] == "PS256" { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &random, signed.as_bytes(), &mut signature).unwrap();
                signature
            }
        };
        format!("{signed}.{}", encode(&signature))
    }
}

/// The modulus of an RSA key of 2,048 bits in DER: a zero, the number, and behind it the exponent's five bytes.
fn modulus(der: &[u8]) -> Vec<u8> {
    let end = der.len() - 5;
    der[end - 256..end].to_vec()
}

/// The set of some keys.
pub(crate) fn jwks<'pair>(pairs: impl IntoIterator<Item = &'pair Pair>) -> Value {
    json!({ "keys": pairs.into_iter().map(Pair::jwk).collect::<Vec<_>>() })
}

/// Good claims at a time.
pub(crate) fn claims(now: Timestamp) -> Value {
    let now = now.as_second();
    json!({
        "iss": ISSUER, "aud": "waymark", "sub": "anna", "iat": now, "exp": now + 300,
        "account": "acme", "roles": ["guest", "tech"],
    })
}

/// The roles of [`issuers`].
const ROLES: &str = "\
    { value = 'tech', role = 'editor' },\n\
    { value = 'desk', role = 'viewer', mask_contacts = true },\n\
    { value = 'root', role = 'operator' },\n\
    { value = 'hall', role = 'wallboard' },\n\
    { value = 'partner', role = 'viewer', positions = 'approximate' },\n\
    { value = 'crew', role = 'field', assigned = 'labels.team = north' },\n";

/// Providers whose keys are in a file of a directory. `more` are further lines of the table.
pub(crate) fn issuers(directory: &std::path::Path, keys: &Value, more: &str) -> Issuers {
    issuers_with(directory, keys, ROLES, more)
}

/// The same with other roles.
pub(crate) fn issuers_with(directory: &std::path::Path, keys: &Value, roles: &str, more: &str) -> Issuers {
    let path = directory.join("keys.json");
    std::fs::write(&path, keys.to_string()).unwrap();
    let text = format!(
        "[[jwt]]\nissuer = '{ISSUER}'\naudience = 'waymark'\njwks_file = '{}'\n\
         algorithms = ['ES256', 'EdDSA', 'RS256', 'PS256']\naccount_claim = 'account'\nrole_claim = 'roles'\n\
         roles = [\n{roles}]\n{more}",
        path.display()
    );
    Issuers::open(&toml::from_str::<Config>(&text).unwrap()).unwrap()
}
