//! The parts of a token as they are written (RFC 7515, compact form), before anything in them is believed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::error::Refusal;
use super::jwk::KID_BYTES_MAX;
use crate::http_client;

/// Longest token in bytes: those with the groups of a large directory have some 6 KiB.
pub(super) const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// Depth of claims: roles of a client in a map of clients have four levels.
const DEPTH_MAX: usize = 8;
/// What a token may be, by its `typ` in small letters. Those of other kinds (of a log-out, of an event) look alike.
const KINDS: [&str; 4] = ["jwt", "at+jwt", "application/jwt", "application/at+jwt"];

/// A token taken apart.
pub(super) struct Parts<'token> {
    pub(super) alg: String,
    pub(super) kid: Option<String>,
    pub(super) claims: Map<String, Value>,
    /// What the signature is of.
    pub(super) signed: &'token [u8],
    pub(super) signature: Vec<u8>,
}

/// A header. What of it names a key or an address of one (`jwk`, `jku`, `x5c`, `x5u`) is passed over: keys are the provider's.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<IgnoredAny>,
    b64: Option<IgnoredAny>,
    zip: Option<IgnoredAny>,
}

impl<'token> Parts<'token> {
    /// Takes a token apart. Base64 has to be as an encoder writes it, so that a token has one spelling.
    pub(super) fn of(token: &'token str) -> Result<Self, Refusal> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Refusal::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Refusal::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(Refusal::Malformed)?;
        // Base64 has no dots, so a fourth part fails here.
        let [header, claims, signature] = [header, claims, signature].map(|part| URL_SAFE_NO_PAD.decode(part));
        let [header, claims, signature] = [
            header.map_err(|_| Refusal::Malformed)?,
            claims.map_err(|_| Refusal::Malformed)?,
            signature.map_err(|_| Refusal::Malformed)?,
        ];
        let header: Header = object(&header)?;
        if header.crit.is_some() || header.b64.is_some() || header.zip.is_some() {
            return Err(Refusal::Header);
        }
        if header.typ.is_some_and(|typ| !KINDS.contains(&typ.to_ascii_lowercase().as_str())) {
            return Err(Refusal::Header);
        }
        if header.kid.as_ref().is_some_and(|kid| kid.len() > KID_BYTES_MAX) {
            return Err(Refusal::Key);
        }
        let claims: Map<String, Value> = object(&claims)?;
        Ok(Self { alg: header.alg, kid: header.kid, claims, signed: signed.as_bytes(), signature })
    }

    /// Who it says it is of.
    pub(super) fn issuer(&self) -> Option<&str> {
        self.claims.get("iss")?.as_str()
    }
}

/// A JSON object of a bounded depth.
fn object<'json, T: Deserialize<'json>>(json: &'json [u8]) -> Result<T, Refusal> {
    http_client::check_depth(json, DEPTH_MAX).map_err(|_| Refusal::Malformed)?;
    if json.trim_ascii_start().first() != Some(&b'{') {
        return Err(Refusal::Malformed);
    }
    serde_json::from_slice(json).map_err(|_| Refusal::Malformed)
}
