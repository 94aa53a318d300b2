//! An account's connection to a ticketing system, and the runs that check its links.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::id::{AccountId, SiteId};
use super::ticketing::{LinkState, System};

/// Most runs of an account that are kept.
pub const VERIFICATIONS_MAX: usize = 20;

/// A connection. What lets it in is encrypted, and opens with the deployment's key alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketingConnection {
    /// The system.
    pub system: System,
    /// What people call it.
    pub display_name: String,
    /// The URL below which the system's methods are.
    pub base_url: String,
    /// The credentials, encrypted.
    pub sealed: Sealed,
    /// Where the system says that people open its pages, as it was told with these credentials at that base URL; `None` where
    /// it says nothing of that, or was not asked yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub web_url: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// Something encrypted with the deployment's key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// Which key it was: the beginning of its hash.
    pub key_id: String,
    /// Drawn for this text alone; base64.
    pub nonce: String,
    /// The text and its tag; base64.
    pub text: String,
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealed").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerificationState {
    /// It goes on, and goes on after a restart.
    Running,
    /// All sites were looked at.
    Done,
    /// Somebody ended it.
    Cancelled,
}

/// A run over the sites of an account that have links.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// Its id.
    pub id: String,
    /// The account.
    pub account: AccountId,
    /// How far it is.
    pub state: VerificationState,
    /// The last site that was looked at and counted.
    pub cursor: Option<SiteId>,
    /// Sites with links when it began.
    pub total: u64,
    /// What was found so far.
    pub findings: LinkFindings,
    /// When it goes on, where it waits.
    pub resumes_at: Option<Timestamp>,
    /// How often it waited for one and the same site.
    #[serde(default)]
    pub waits: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// The actor that began it.
    pub started_by: String,
}

/// What a run found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LinkFindings {
    /// Sites that were looked at.
    pub seen: u64,
    /// Links that were found under their names.
    pub verified: u64,
    /// Links that were found under other names.
    pub drifted: u64,
    /// Links whose far end is gone.
    pub broken: u64,
    /// Links that were not checked.
    pub failed: u64,
    /// Links to systems that are not known.
    pub unknown: u64,
    /// Why links were not checked: reason and message, by system.
    pub failures: BTreeMap<String, (String, String)>,
}

impl LinkFindings {
    /// Counts a link that was checked.
    pub fn count(&mut self, state: LinkState) {
        match state {
            LinkState::Verified => self.verified += 1,
            LinkState::Drifted => self.drifted += 1,
            LinkState::Broken => self.broken += 1,
            LinkState::Unverified => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Connections of before have no `web_url`, and one that was told none is written as they were.
    #[test]
    fn connections_of_before_are_read() {
        let before = concat!(
            r#"{"system":"autotask","display_name":"","base_url":"https://webservices.autotask.net/atservicesrest","#,
            r#""sealed":{"key_id":"k","nonce":"n","text":"t"},"#,
            r#""created_at":"2026-11-01T00:00:00Z","updated_at":"2026-11-01T00:00:00Z"}"#,
        );
        let read: TicketingConnection = serde_json::from_str(before).unwrap();
        assert_eq!(read.web_url, None);
        assert_eq!(serde_json::to_string(&read).unwrap(), before);
        let told = TicketingConnection { web_url: Some("https://ww3.autotask.net/".to_owned()), ..read };
        let text = serde_json::to_string(&told).unwrap();
        assert_eq!(serde_json::from_str::<TicketingConnection>(&text).unwrap(), told);
    }
}
