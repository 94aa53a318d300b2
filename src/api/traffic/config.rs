//! What an operator sets of limits: how much is done at once, and how often one caller may ask.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::Deserialize;

/// Most calls in flight that look at what is in memory, for each core, in units of a short look: some milliseconds of its time. Most of
/// them wait for nothing but a core (histories and exports read the store, too), and whoever comes next waits behind all of them.
const READS_OF_CORE: usize = 32;
/// Most calls in flight that write: their group shares one sync of the disk, and a slow disk holds no more of them.
const WRITES_MAX: NonZeroU32 = NonZeroU32::new(1_024).expect("1024 is not 0");
/// Most calls in flight that ask strangers: each may wait ten seconds for one, and does nothing meanwhile.
const OUTSIDE_MAX: NonZeroU32 = NonZeroU32::new(256).expect("256 is not 0");
/// Most calls that wait for a place, in each of the three kinds. Each has its request in memory, some KiB as a rule.
const WAITING_MAX: u32 = 4_096;
/// Longest wait for a place, in milliseconds: who is refused asks again later, who waits longer has mostly left.
const WAIT_MS: u32 = 1_000;
/// Questions to geocoders from one address: an office that types, or a sheet that is reviewed.
const GEOCODING_OF_ADDRESS: Rate = Rate { per_s: 200.0, burst: 5_000 };
/// Invitations of one account: as many at once as mails of it may wait, and then one a second.
const INVITATIONS_OF_ACCOUNT: Rate = Rate { per_s: 1.0, burst: 2_000 };
/// Calls without a good credential from one address: agents behind one address whose tokens ended, each once a minute.
const STRANGERS_OF_ADDRESS: Rate = Rate { per_s: 50.0, burst: 1_000 };

/// Most calls a second that a limit may name: beyond, it is none.
const PER_S_MAX: f64 = 1_000_000.0;
/// Fewest calls a second that a limit may name: one in some days.
const PER_S_MIN: f64 = 0.000_01;

/// The section `[traffic]`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Traffic")]
pub struct Config {
    /// Most calls in flight that look at what is in memory, in units of a short look; 32 for each core where it is not set.
    pub reads_max: Option<NonZeroU32>,
    /// Most calls in flight that write, in the same units.
    pub writes_max: NonZeroU32,
    /// Most calls in flight that ask geocoders and ticketing systems.
    pub outside_max: NonZeroU32,
    /// Most calls that wait for a place, in each of the three kinds; 0 for none.
    pub waiting_max: u32,
    /// Longest wait for a place, in milliseconds.
    pub wait_ms: u32,
    /// Calls of one token.
    pub calls_of_token: Rate,
    /// Calls of all tokens of one account together.
    pub calls_of_account: Rate,
    /// Activations of agents in one account.
    pub activations_of_account: Rate,
    /// Questions to geocoders of one account.
    pub geocoding_of_account: Rate,
    /// Invitations, first and repeated, of one account.
    pub invitations_of_account: Rate,
    /// Questions to geocoders from one IP address, or one IPv6 /64.
    pub geocoding_of_address: Rate,
    /// Calls without a good credential from one IP address, or one IPv6 /64.
    pub strangers_of_address: Rate,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            reads_max: None,
            writes_max: WRITES_MAX,
            outside_max: OUTSIDE_MAX,
            waiting_max: WAITING_MAX,
            wait_ms: WAIT_MS,
            calls_of_token: Rate::UNLIMITED,
            calls_of_account: Rate::UNLIMITED,
            activations_of_account: Rate::UNLIMITED,
            geocoding_of_account: Rate::UNLIMITED,
            invitations_of_account: INVITATIONS_OF_ACCOUNT,
            geocoding_of_address: GEOCODING_OF_ADDRESS,
            strangers_of_address: STRANGERS_OF_ADDRESS,
        }
    }
}

impl Config {
    /// Places for reads: as set, or [`READS_OF_CORE`] for each core of this machine.
    pub(super) fn reads_max(&self) -> usize {
        let of_cores = || READS_OF_CORE * std::thread::available_parallelism().map_or(1, usize::from);
        self.reads_max.map_or_else(of_cores, |max| super::size(max.get()))
    }
}

/// How often something may happen: so many times at once, and then so many times a second.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(try_from = "RateAsWritten")]
pub struct Rate {
    /// Times a second, on and on; 0 for no limit.
    pub(super) per_s: f64,
    /// Times at once, after a pause; at least 1.
    pub(super) burst: u32,
}

impl Rate {
    /// No limit.
    pub const UNLIMITED: Self = Self { per_s: 0.0, burst: 1 };

    /// Whether there is no limit.
    #[must_use]
    pub fn is_unlimited(self) -> bool {
        self.per_s <= 0.0
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Rate")]
struct RateAsWritten {
    /// Times a second, on and on; 0 for no limit.
    per_s: f64,
    /// Times at once, after a pause; at least 1.
    burst: Option<u32>,
}

impl TryFrom<RateAsWritten> for Rate {
    type Error = String;

    fn try_from(written: RateAsWritten) -> Result<Self, String> {
        let RateAsWritten { per_s, burst } = written;
        if per_s == 0.0 {
            return if burst.is_none() {
                Ok(Self::UNLIMITED)
            } else {
                Err("burst says nothing beside per_s = 0, which is no limit".to_owned())
            };
        }
        if !(PER_S_MIN..=PER_S_MAX).contains(&per_s) {
            return Err(format!("per_s is 0 for no limit, or between {PER_S_MIN} and {PER_S_MAX}, got {per_s}"));
        }
        // A second's worth, where nobody says otherwise.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and a million")]
        let burst = burst.unwrap_or(per_s.ceil().max(1.0) as u32);
        if burst == 0 { Err("burst is at least 1".to_owned()) } else { Ok(Self { per_s, burst }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_checked_where_it_is_read() {
        let rate = |text: &str| {
            toml::from_str::<Config>(&format!("calls_of_token = {text}")).map(|config| config.calls_of_token)
        };
        assert_eq!(rate("{ per_s = 0 }").unwrap(), Rate::UNLIMITED);
        assert_eq!(rate("{ per_s = 20, burst = 100 }").unwrap(), Rate { per_s: 20.0, burst: 100 });
        assert_eq!(rate("{ per_s = 2.5 }").unwrap(), Rate { per_s: 2.5, burst: 3 });
        assert_eq!(rate("{ per_s = 0.01 }").unwrap(), Rate { per_s: 0.01, burst: 1 });
        for bad in [
            "{ per_s = -1 }",
            "{ per_s = nan }",
            "{ per_s = inf }",
            "{ per_s = 2e6 }",
            "{ per_s = 1e-9 }",
            "{ per_s = 1, burst = 0 }",
            "{ per_s = 0, burst = 9 }",
            "{ burst = 9 }",
            "{ per_minute = 1 }",
            "7",
        ] {
            assert!(rate(bad).is_err(), "{bad}");
        }
        for bad in ["reads_max = 0", "wait_ms = -1", "calls = 1"] {
            assert!(toml::from_str::<Config>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn places_of_reads_are_by_cores_unless_they_are_set() {
        let cores = std::thread::available_parallelism().unwrap().get();
        assert_eq!(Config::default().reads_max(), 32 * cores);
        assert_eq!(toml::from_str::<Config>("reads_max = 7").unwrap().reads_max(), 7);
    }

    /// One token of an honest client makes tens of thousands of calls a second, and a whole account activates at once.
    #[test]
    fn nothing_is_limited_by_default_that_a_fast_client_does() {
        let config = Config::default();
        for rate in [config.calls_of_token, config.calls_of_account, config.activations_of_account] {
            assert!(rate.is_unlimited());
        }
    }
}
