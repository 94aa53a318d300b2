//! What became of questions to geocoders, counted by protocol for as long as the process runs: nothing that an operator or a caller
//! writes is a name here.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// How a question to a geocoder ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It has an answer.
    Answered,
    /// Nothing answers to it.
    Empty,
    /// It is not for this geocoder, or is not taken as it is.
    Refused,
    /// The geocoder wants fewer of them.
    Quota,
    /// The geocoder does not let us in, or is not where it is asked.
    Misconfigured,
    /// What came was no answer.
    Malformed,
    /// The geocoder is out of service.
    Failed,
    /// There was no connection, or it broke off.
    Unreachable,
    /// The geocoder took too long.
    TimedOut,
    /// Its caller's time ended before the geocoder had a fair share of it.
    OutOfTime,
}

impl Outcome {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 10] = [
        Self::Answered,
        Self::Empty,
        Self::Refused,
        Self::Quota,
        Self::Misconfigured,
        Self::Malformed,
        Self::Failed,
        Self::Unreachable,
        Self::TimedOut,
        Self::OutOfTime,
    ];

    /// Its name as a label.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Empty => "empty",
            Self::Refused => "refused",
            Self::Quota => "quota",
            Self::Misconfigured => "misconfigured",
            Self::Malformed => "malformed",
            Self::Failed => "failed",
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed_out",
            Self::OutOfTime => "out_of_time",
        }
    }
}

/// Questions to the geocoders of one protocol.
#[derive(Debug)]
pub struct Counts {
    protocol: &'static str,
    ended: [AtomicU64; Outcome::ALL.len()],
    spent_ns: AtomicU64,
}

/// Those of all protocols.
static ALL: [Counts; 4] =
    [Counts::new("gazetteer"), Counts::new("nominatim"), Counts::new("photon"), Counts::new("opencage")];

/// Those of all protocols.
#[must_use]
pub fn all() -> &'static [Counts] {
    &ALL
}

/// Those of a protocol, by the name that `geocode` gives it; `None` for what is none.
#[must_use]
pub fn of(protocol: &str) -> Option<&'static Counts> {
    ALL.iter().find(|counts| counts.protocol == protocol)
}

impl Counts {
    /// Nothing was counted yet.
    #[must_use]
    pub const fn new(protocol: &'static str) -> Self {
        Self { protocol, ended: [const { AtomicU64::new(0) }; Outcome::ALL.len()], spent_ns: AtomicU64::new(0) }
    }

    /// The protocol's name.
    #[must_use]
    pub fn protocol(&self) -> &'static str {
        self.protocol
    }

    /// Counts a question that took so long.
    pub fn ended(&self, outcome: Outcome, spent: Duration) {
        self.ended[outcome as usize].fetch_add(1, Relaxed);
        self.spent_ns.fetch_add(u64::try_from(spent.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    /// Questions that ended so.
    #[must_use]
    pub fn with(&self, outcome: Outcome) -> u64 {
        self.ended[outcome as usize].load(Relaxed)
    }

    /// How long all of them took together.
    #[must_use]
    pub fn spent(&self) -> Duration {
        Duration::from_nanos(self.spent_ns.load(Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_stand_where_their_numbers_say() {
        for (number, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, number, "{}", outcome.name());
        }
    }
}
