//! What is told of calls that administer, and of those that read of persons: who, when, which method, on what, how it ended.
//!
//! Nothing of what a request said is in it beside the name of what it was about, and nothing of an answer.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::access::Scope;
use super::id::{AccountId, TokenId};
use super::instant;

/// When a token was used last is kept in steps of this: enough to find those that nobody uses, and a write for each step at most.
pub const USE_STEP: SignedDuration = SignedDuration::from_mins(15);

/// The method of a record that stands for calls of which there is no other.
pub const LOST: &str = "lost";

/// One call, or several like ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// When the first was made.
    #[serde(with = "instant")]
    pub at: Timestamp,
    /// When the last was.
    #[serde(with = "instant")]
    pub last_at: Timestamp,
    /// How many they are.
    pub calls: u64,
    /// Who made them: a token by its account and id, and what it may do. `None` for calls that were lost.
    pub actor: Option<(Option<AccountId>, TokenId, Scope)>,
    /// Whom an identity provider vouches for, where one does: `issuer|subject`. The actor's number is then no token's.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub identity: String,
    /// The method: `AdminService.CreateToken`.
    pub method: String,
    /// The name of what the request was about; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub resource: String,
    /// Why it was refused or failed; empty for a call that was answered.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Whether it wrote.
    #[serde(default)]
    pub changed: bool,
}

/// The start of the step that `at` is in.
#[must_use]
pub fn use_step(at: Timestamp) -> Timestamp {
    let step = USE_STEP.as_secs();
    Timestamp::from_second(at.as_second().div_euclid(step) * step).unwrap_or(at)
}

/// The beginning of the ids of records of `at`: 16 hexadecimal digits, so that ids stand in the order of time.
#[must_use]
pub fn stamp(at: Timestamp) -> String {
    format!("{:016x}", u64::try_from(at.as_microsecond()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uses_are_cut_down_to_their_step_and_stamps_stand_in_the_order_of_time() {
        let at = |second| Timestamp::from_second(second).unwrap();
        for (used, step) in [(0, 0), (899, 0), (900, 900), (1_700_000_099, 1_699_999_200), (-1, -900)] {
            assert_eq!(use_step(at(used)), at(step), "{used}");
        }
        let stamps: Vec<String> = [0, 1, 255, 4_096, 253_402_207_200].map(|second| stamp(at(second))).into();
        assert!(stamps.is_sorted_by(|a, b| a < b) && stamps.iter().all(|stamp| stamp.len() == 16), "{stamps:?}");
    }
}
