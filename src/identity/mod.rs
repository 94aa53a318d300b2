//! Identity providers: whose tokens (JWT, RFC 7519) are taken beside waymark's own, and who their bearers are.
//!
//! A token is looked at in an order that costs little before it is worth much: its size, its form, its issuer, its algorithm,
//! its key, its signature, and only then what it claims. One that is good is known by its hash until it ends or the
//! provider's keys change. Knows no account but by name, and nothing of what a principal may do.

mod claims;
pub mod config;
pub mod error;
#[cfg(test)]
pub(crate) mod fixture;
mod jwk;
mod keys;
pub mod role;
mod source;
#[cfg(test)]
mod tests;
mod token;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use quick_cache::sync::Cache;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::model::access::Principal;
use config::{Algorithm, Config, Error, Place, Rules};
use error::Refusal;
use keys::Ring;
use source::Source;
use token::Parts;

/// Most good tokens that are known by their hashes, some 400 bytes each: 6 MiB. Others are checked each time.
const KNOWN_MAX: usize = 16_384;
/// Longest time that a call waits for a provider's keys.
const WAIT_MAX: Duration = Duration::from_secs(2);
/// Calls that wait at once: anybody can make up a token with a key that nobody has.
const WAITING_MAX: usize = 256;

/// All providers.
#[derive(Debug)]
pub struct Issuers {
    all: Vec<Provider>,
    by_name: HashMap<Arc<str>, usize>,
    known: Cache<[u8; 32], Known>,
    waiting: Semaphore,
    refused: [AtomicU64; Refusal::ALL.len()],
}

/// One of them.
#[derive(Debug)]
struct Provider {
    rules: Rules,
    ring: Ring,
    verified: AtomicU64,
}

/// A token that was good.
#[derive(Debug, Clone)]
struct Known {
    provider: usize,
    /// Of the keys that it was checked with.
    generation: u64,
    principal: Principal,
}

/// What is known of a provider, for metrics.
#[derive(Debug, Clone, PartialEq)]
pub struct ProviderState {
    /// Its `iss`.
    pub issuer: String,
    /// Tokens whose signature was checked and that were good.
    pub verified: u64,
    /// Keys that tokens are checked with.
    pub keys: usize,
    /// Time since they were read; `None` where they never were.
    pub keys_age: Option<Duration>,
    /// Looks at its keys that failed.
    pub failures: u64,
}

impl Default for Issuers {
    /// None.
    fn default() -> Self {
        Self::of(Vec::new())
    }
}

impl Issuers {
    /// Checks what is configured, and reads the files of keys. Asks nobody. Blocking.
    pub fn open(config: &Config) -> Result<Self, Error> {
        let checked = config.check()?;
        let opened = config.jwt.iter().zip(checked).map(|(settings, (rules, place))| -> Result<Provider, Error> {
            let refuse = |why: String| settings.refusal(why);
            let ring = Ring::new(settings, Source::of(&place).map_err(refuse)?);
            if let Place::File(path) = &place {
                ring.put(source::read_file(path).map_err(refuse)?);
            }
            Ok(Provider { rules, ring, verified: AtomicU64::new(0) })
        });
        Ok(Self::of(opened.collect::<Result<_, Error>>()?))
    }

    fn of(all: Vec<Provider>) -> Self {
        let by_name = all.iter().enumerate().map(|(at, provider)| (Arc::clone(&provider.rules.issuer), at)).collect();
        // Nobody's tokens need no room.
        let known_max = if all.is_empty() { 1 } else { KNOWN_MAX };
        Self {
            all,
            by_name,
            known: Cache::new(known_max),
            waiting: Semaphore::new(WAITING_MAX),
            refused: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// Whether a credential is for providers to vouch for: none of waymark's own has a dot.
    #[must_use]
    pub fn are_asked(&self, credential: &str) -> bool {
        !self.all.is_empty() && credential.contains('.')
    }

    /// Whether a provider is still configured, with a role by which its tokens make principals that may do, and see, what this one may.
    #[must_use]
    pub fn give(&self, issuer: &str, principal: &Principal) -> bool {
        self.by_name.get(issuer).is_some_and(|at| self.all[*at].rules.give(principal))
    }

    /// Who the bearer of a token is. Asks nobody, and waits for nobody.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Principal, Refusal> {
        self.check(token, now).inspect_err(|refusal| {
            self.refused[*refusal as usize].fetch_add(1, Ordering::Relaxed);
        })
    }

    fn check(&self, token: &str, now: Timestamp) -> Result<Principal, Refusal> {
        if token.len() > token::TOKEN_BYTES_MAX {
            return Err(Refusal::TooLong);
        }
        let hash: [u8; 32] = Sha256::digest(token).into();
        if let Some(principal) = self.recall(&hash) {
            let ends = principal.identity.as_ref().map(|identity| identity.expires_at);
            if ends.is_some_and(|end| now < end) {
                return Ok(principal);
            }
            self.known.remove(&hash);
        }
        let parts = Parts::of(token)?;
        let (at, algorithm) = self.issuer_of(&parts)?;
        let provider = &self.all[at];
        let checked = provider.ring.with(|held| -> Result<u64, Refusal> {
            let key = held.set.find(parts.kid.as_deref(), algorithm).ok_or(Refusal::Key)?;
            key.verify_sig(parts.signed, &parts.signature).map_err(|_| Refusal::Signature)?;
            Ok(held.generation)
        });
        let generation = checked.ok_or(Refusal::KeysAway)??;
        let principal = provider.rules.principal(&parts.claims, now)?;
        provider.verified.fetch_add(1, Ordering::Relaxed);
        self.known.insert(hash, Known { provider: at, generation, principal: principal.clone() });
        Ok(principal)
    }

    /// The principal of a token that was good, if its provider's keys are still those that it was checked with.
    fn recall(&self, hash: &[u8; 32]) -> Option<Principal> {
        if self.known.is_empty() {
            return None;
        }
        let known = self.known.get(hash)?;
        let generation = self.all.get(known.provider)?.ring.with(|held| held.generation)?;
        (generation == known.generation).then_some(known.principal)
    }

    /// The provider that a token says it is of, and its algorithm, if that is one that the provider uses.
    fn issuer_of(&self, parts: &Parts<'_>) -> Result<(usize, Algorithm), Refusal> {
        let at = parts.issuer().and_then(|issuer| self.by_name.get(issuer)).copied().ok_or(Refusal::Issuer)?;
        let allowed = Algorithm::of(&parts.alg).filter(|algorithm| self.all[at].rules.algorithms.contains(algorithm));
        Ok((at, allowed.ok_or(Refusal::Algorithm)?))
    }

    /// The provider whose keys a token has to wait for.
    fn lacking(&self, token: &str) -> Option<&Ring> {
        if !self.are_asked(token) || token.len() > token::TOKEN_BYTES_MAX {
            return None;
        }
        if self.recall(&Sha256::digest(token).into()).is_some() {
            return None;
        }
        let parts = Parts::of(token).ok()?;
        let (at, algorithm) = self.issuer_of(&parts).ok()?;
        let ring = &self.all[at].ring;
        (!ring.has(parts.kid.as_deref(), algorithm)).then_some(ring)
    }

    /// Whether a token names a key that is not here.
    #[must_use]
    pub fn lacks_key(&self, token: &str) -> bool {
        self.lacking(token).is_some()
    }

    /// Has the provider's keys looked at where a token names one that is not here, and waits for it, two seconds at most.
    pub async fn wait_for_key(&self, token: &str) {
        let until = Instant::now() + WAIT_MAX;
        let (Some(ring), Ok(_place)) = (self.lacking(token), self.waiting.try_acquire()) else { return };
        ring.look_again(until).await;
    }

    /// Looks at the keys of all providers, for ever.
    pub async fn work(&self) {
        join_all(self.all.iter().map(|provider| provider.ring.follow())).await;
        // There are none.
        std::future::pending::<()>().await;
    }

    /// Has all keys looked at soon.
    pub fn look_again(&self) {
        self.all.iter().for_each(|provider| provider.ring.want());
    }

    /// What is known of each provider.
    #[must_use]
    pub fn states(&self) -> Vec<ProviderState> {
        let state = |provider: &Provider| {
            let keys = provider.ring.state();
            ProviderState {
                issuer: provider.rules.issuer.to_string(),
                verified: provider.verified.load(Ordering::Relaxed),
                keys: keys.count,
                keys_age: keys.age,
                failures: keys.failures,
            }
        };
        self.all.iter().map(state).collect()
    }

    /// How often tokens were refused, by cause; none where there are no providers.
    #[must_use]
    pub fn refused(&self) -> Vec<(&'static str, u64)> {
        let count = |refusal: Refusal| (refusal.cause(), self.refused[refusal as usize].load(Ordering::Relaxed));
        let all = Refusal::ALL.into_iter().filter(|_| !self.all.is_empty());
        all.map(count).collect()
    }
}
