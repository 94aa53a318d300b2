//! The limits by name: which there are, what they refused, and what their callers are told.

use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::config::Config;
use super::limiter::Limiter;
use super::refusal::Refusal;

/// A limit of how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    /// Calls of a token.
    Token,
    /// Calls of an account.
    Account,
    /// Activations of an account.
    Activations,
    /// Questions to geocoders of an account.
    Geocoding,
    /// Invitations of an account.
    Invitations,
    /// Questions to geocoders from an address.
    GeocodingOfAddress,
    /// Calls without a good credential from an address.
    StrangersOfAddress,
}

impl Limit {
    /// All of them, in the order of their numbers.
    pub(crate) const ALL: [Self; 7] = [
        Self::Token,
        Self::Account,
        Self::Activations,
        Self::Geocoding,
        Self::Invitations,
        Self::GeocodingOfAddress,
        Self::StrangersOfAddress,
    ];

    /// Its name: the key of the configuration.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Token => "calls_of_token",
            Self::Account => "calls_of_account",
            Self::Activations => "activations_of_account",
            Self::Geocoding => "geocoding_of_account",
            Self::Invitations => "invitations_of_account",
            Self::GeocodingOfAddress => "geocoding_of_address",
            Self::StrangersOfAddress => "strangers_of_address",
        }
    }

    /// Whether it is of addresses, and not of whoever has a token.
    pub(super) fn is_of_address(self) -> bool {
        matches!(self, Self::GeocodingOfAddress | Self::StrangersOfAddress)
    }
}

/// All limits, by their numbers; `None` where there is none.
#[derive(Debug)]
pub(super) struct Limits {
    limiters: [Option<Limiter>; Limit::ALL.len()],
    refused: [AtomicU64; Limit::ALL.len()],
}

impl Limits {
    pub(super) fn new(config: &Config) -> Self {
        let limiter = |limit| {
            Limiter::of(match limit {
                Limit::Token => config.calls_of_token,
                Limit::Account => config.calls_of_account,
                Limit::Activations => config.activations_of_account,
                Limit::Geocoding => config.geocoding_of_account,
                Limit::Invitations => config.invitations_of_account,
                Limit::GeocodingOfAddress => config.geocoding_of_address,
                Limit::StrangersOfAddress => config.strangers_of_address,
            })
        };
        Self { limiters: Limit::ALL.map(limiter), refused: std::array::from_fn(|_| AtomicU64::new(0)) }
    }

    /// Counts a call of whoever the key names.
    pub(super) fn take(&self, limit: Limit, key: impl Hash, now: Duration) -> Result<(), Refusal> {
        let Some(limiter) = &self.limiters[limit as usize] else { return Ok(()) };
        limiter.take(key, now).map_err(|wait| {
            self.refused[limit as usize].fetch_add(1, Relaxed);
            Refusal::TooOften { limit, wait }
        })
    }

    /// How often it refused.
    pub(super) fn refused_by(&self, limit: Limit) -> u64 {
        self.refused[limit as usize].load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_stand_where_their_numbers_say() {
        for (number, limit) in Limit::ALL.into_iter().enumerate() {
            assert_eq!(limit as usize, number);
            let text = format!("{} = {{ per_s = 1, burst = 1 }}", limit.name());
            let limits = Limits::new(&toml::from_str(&text).unwrap());
            limits.take(limit, "a", Duration::ZERO).unwrap();
            assert!(limits.take(limit, "a", Duration::ZERO).is_err(), "{text}");
            assert_eq!(limits.refused_by(limit), 1);
        }
    }
}
