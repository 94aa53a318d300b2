//! Identifiers: checked on the way in, cheap to copy and compare afterwards.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use uuid::fmt::Hyphenated;

use super::Invalid;

/// Longest account id, in bytes: fits a DNS label, so an account can become a host name.
pub const ACCOUNT_ID_BYTES_MAX: usize = 63;
/// Longest agent id, in bytes: room for a UUID, a serial number or a host name with a suffix.
pub const AGENT_ID_BYTES_MAX: usize = 128;

/// An account's id: the tenant every site belongs to. `[a-z]([a-z0-9-]{0,61}[a-z0-9])?`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId(Arc<str>);

impl AccountId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccountId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let bytes = text.as_bytes();
        let well_formed = (1..=ACCOUNT_ID_BYTES_MAX).contains(&bytes.len())
            && bytes[0].is_ascii_lowercase()
            && bytes[bytes.len() - 1] != b'-'
            && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-');
        if well_formed {
            return Ok(Self(Arc::from(text)));
        }
        Err(Invalid::new(
            "account",
            "an account id is 1 to 63 of a-z, 0-9 and '-', begins with a letter and does not end with '-'",
        ))
    }
}

impl TryFrom<String> for AccountId {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<AccountId> for String {
    fn from(id: AccountId) -> Self {
        id.0.as_ref().to_owned()
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// So that a map by account is asked with a text that is not an id yet. Hash and order are the text's.
impl Borrow<str> for AccountId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// A site's id: a UUID version 7, so ids sort by the time at which sites were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SiteId(Uuid);

impl SiteId {
    /// The least id, which no site has.
    pub const MIN: Self = Self(Uuid::nil());

    /// A new id, later than all ids that this process made before.
    #[must_use]
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }

    /// The id with these bits; for tests and for reading back what `as_u128` gave.
    #[must_use]
    pub fn from_u128(bits: u128) -> Self {
        Self(Uuid::from_u128(bits))
    }

    /// Bytes of an id's text.
    pub const TEXT_BYTES: usize = Hyphenated::LENGTH;

    /// The id's text, appended to another.
    pub fn push_to(self, text: &mut String) {
        text.push_str(self.0.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
    }

    /// The id's 128 bits.
    #[must_use]
    pub fn as_u128(self) -> u128 {
        self.0.as_u128()
    }
}

impl FromStr for SiteId {
    type Err = Invalid;

    /// Accepts the hyphenated lowercase form alone, so that a site has one name.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let parsed = Uuid::try_parse(text).ok().filter(|uuid| uuid.hyphenated().to_string() == text);
        parsed.map(Self).ok_or_else(|| Invalid::new("site", "a site id is a lowercase hyphenated UUID"))
    }
}

impl fmt::Display for SiteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// The id under which an agent knows itself, unique in its account. 1 to 128 of `A-Z a-z 0-9 . _ : -`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AgentId(Arc<str>);

impl AgentId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AgentId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let allowed = |b: &u8| b.is_ascii_alphanumeric() || b"._:-".contains(b);
        if (1..=AGENT_ID_BYTES_MAX).contains(&text.len()) && text.as_bytes().iter().all(allowed) {
            return Ok(Self(Arc::from(text)));
        }
        Err(Invalid::new("agent_id", "an agent id is 1 to 128 of A-Z, a-z, 0-9, '.', '_', ':' and '-'"))
    }
}

impl TryFrom<String> for AgentId {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<AgentId> for String {
    fn from(id: AgentId) -> Self {
        id.0.as_ref().to_owned()
    }
}

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A token's public id: what a list shows and a revocation names. Never the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenId(u64);

impl TokenId {
    /// The least id.
    pub const MIN: Self = Self(0);
    /// Bytes of an id's text: 16 of `0-9a-f`.
    pub const BYTES: usize = 16;

    /// An id from the first 64 of these random bits.
    #[must_use]
    pub fn from_random(random: &[u8; 32]) -> Self {
        Self(random[..8].iter().fold(0, |bits, byte| bits << 8 | u64::from(*byte)))
    }
}

impl FromStr for TokenId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let allowed = |b: &u8| b.is_ascii_digit() || (b'a'..=b'f').contains(b);
        let well_formed = text.len() == Self::BYTES && text.as_bytes().iter().all(allowed);
        let bits = u64::from_str_radix(text, 16).ok().filter(|_| well_formed);
        bits.map(Self).ok_or_else(|| Invalid::new("token", "a token id is 16 of 0-9 and a-f"))
    }
}

impl TryFrom<String> for TokenId {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<TokenId> for String {
    fn from(id: TokenId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A share's id, the same in both of its accounts. It opens nothing: what is handed over is a secret besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShareId(TokenId);

impl ShareId {
    /// An id from the first 64 of these random bits.
    #[must_use]
    pub fn from_random(random: &[u8; 32]) -> Self {
        Self(TokenId::from_random(random))
    }
}

impl FromStr for ShareId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let refuse = |_| Invalid::new("share", "a share id is 16 of 0-9 and a-f");
        text.parse().map(Self).map_err(refuse)
    }
}

impl fmt::Display for ShareId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of a committed write, ever growing within a store. 0 is the empty store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(pub u64);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
