//! Why a token of an identity provider is not taken: a closed list, each with what to do about it.
//!
//! Holds nothing of a token: what it says is a stranger's word, and it is a secret.

use std::time::Duration;

use crate::error::{Fault, Reason};

/// Why a token is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Longer than any real one.
    #[error("the token is longer than 8192 bytes: have the identity provider put less into it")]
    TooLong,
    /// Not three parts of base64url with JSON in the first two, or a claim of another type.
    #[error("the token is no well-formed JWT: send the one that the identity provider gave, to the letter")]
    Malformed,
    /// A header that changes what the signature is of, or a token of another kind.
    #[error("the token's header asks for what is not taken here (crit, b64, zip, or a typ other than JWT or at+jwt)")]
    Header,
    /// Not one of the provider's algorithms, or none at all.
    #[error(
        "the token is not signed with an algorithm that is allowed for its issuer: the operator sets auth.jwt.algorithms"
    )]
    Algorithm,
    /// Nobody whom the operator trusts.
    #[error("the token's issuer is not trusted here: get one of an issuer that the operator has set in auth.jwt")]
    Issuer,
    /// Signed with a key that the provider does not publish.
    #[error(
        "the token is signed with a key that its issuer does not publish: get a new one, or try again in half a minute"
    )]
    Key,
    /// The provider's keys were not read yet, or too long ago.
    #[error("the keys of the token's issuer cannot be read: try again in a moment; the operator finds why in the log")]
    KeysAway,
    /// The signature is another's.
    #[error("the token's signature is not good: send the one that the identity provider gave, to the letter")]
    Signature,
    /// For another service.
    #[error("the token is not for this service: ask the identity provider for one with the audience that is set here")]
    Audience,
    /// It has no end, no time of making, or no subject that can be told from others.
    #[error(
        "the token lacks sub, exp or iat, or its sub has more than 255 bytes or characters that nobody sees: the identity provider has to set them"
    )]
    Incomplete,
    /// Its time is over.
    #[error("the token has expired: get a new one from the identity provider")]
    Expired,
    /// It was made too long ago.
    #[error("the token is older than is allowed here: get a new one from the identity provider")]
    TooOld,
    /// Its time has not come.
    #[error("the token is not good yet: wait, or set the clocks of the identity provider and of this server right")]
    NotYet,
    /// It names no account that its provider speaks for.
    #[error(
        "the token names no account that its issuer speaks for here: the identity provider sets the claim, the operator its name"
    )]
    Account,
    /// It has no role that is mapped.
    #[error(
        "the token has no role that is mapped here: the identity provider gives one, or the operator maps it in auth.jwt.roles"
    )]
    Role,
}

impl Refusal {
    /// All of them, in the order of their numbers.
    pub(super) const ALL: [Self; 15] = [
        Self::TooLong,
        Self::Malformed,
        Self::Header,
        Self::Algorithm,
        Self::Issuer,
        Self::Key,
        Self::KeysAway,
        Self::Signature,
        Self::Audience,
        Self::Incomplete,
        Self::Expired,
        Self::TooOld,
        Self::NotYet,
        Self::Account,
        Self::Role,
    ];

    /// Its name where refusals are counted.
    #[must_use]
    pub fn cause(self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::Malformed => "malformed",
            Self::Header => "header",
            Self::Algorithm => "algorithm",
            Self::Issuer => "issuer",
            Self::Key => "key",
            Self::KeysAway => "keys_away",
            Self::Signature => "signature",
            Self::Audience => "audience",
            Self::Incomplete => "incomplete",
            Self::Expired => "expired",
            Self::TooOld => "too_old",
            Self::NotYet => "not_yet",
            Self::Account => "account",
            Self::Role => "role",
        }
    }
}

impl Fault for Refusal {
    fn reason(&self) -> Reason {
        match self {
            Self::TooLong
            | Self::Malformed
            | Self::Header
            | Self::Algorithm
            | Self::Issuer
            | Self::Key
            | Self::Signature
            | Self::Audience
            | Self::Incomplete => Reason::JwtInvalid,
            Self::Expired | Self::TooOld | Self::NotYet => Reason::JwtExpired,
            Self::Account | Self::Role => Reason::JwtUnmapped,
            Self::KeysAway => Reason::NotReady,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        // Keys that are not here by then are best asked for as much later.
        (*self == Self::KeysAway).then_some(super::WAIT_MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn refusals_stand_where_their_numbers_say_and_tell_what_to_do() {
        for (number, refusal) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(refusal as usize, number);
            let text = refusal.to_string();
            assert!(text.starts_with("the ") && !text.ends_with('.') && text.len() > 40, "{text}");
        }
        let causes: BTreeSet<_> = Refusal::ALL.into_iter().map(Refusal::cause).collect();
        assert_eq!(causes.len(), Refusal::ALL.len());
    }
}
