//! A share: sites of one account that another one sees too, for as long as both want it.
//!
//! It is proposed, and then accepted or declined by who was handed its code; accepted, it is ended by either side. Each step goes one way,
//! so whoever is overtaken by another finds it over and loses nothing. Which sites they are is told by labels, as for those who
//! work on site: nothing is kept of single sites.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::access::{Contacts, Positions};
use super::assignment::Assignment;
use super::id::{AccountId, ShareId};

/// Most shares of an account that are proposed or accepted, and not over: the map keeps the sites of each.
pub const OPEN_MAX: usize = 32;
/// Most accounts whose sites one account sees by shares: a list of accounts looks at all of them.
pub const RECEIVED_MAX: usize = 64;
/// Most shares that an account made and that are kept: behind that a proposal takes the place of the one that was proposed first of those
/// that are over.
pub const KEPT_MAX: usize = 256;
/// For how long a proposal can be accepted: a code that is found later in a mailbox opens nothing.
pub const OFFER: SignedDuration = SignedDuration::from_hours(14 * 24);

/// A share. What it shows is never changed: whoever accepted it accepted this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Its id.
    pub id: ShareId,
    /// Whose sites they are.
    pub owner: AccountId,
    /// What it is for, for people of both sides.
    pub display_name: String,
    /// Which sites, as they are now.
    pub sites: Assignment,
    /// What at most is shown of contacts and notes.
    pub contacts: Contacts,
    /// How exactly at most is shown where they are.
    pub positions: Positions,
    /// SHA-256 of what the code holds besides names.
    pub code_hash: [u8; 32],
    /// When it was proposed.
    pub proposed_at: Timestamp,
    /// Until when it can be accepted.
    pub offered_until: Timestamp,
    /// When it ends by itself; `None` for never.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// Who accepted it.
    #[serde(default)]
    pub accepted: Option<Act>,
    /// When it was declined. By whom is nothing to its owner, who knows whom the code was handed to.
    #[serde(default)]
    pub declined_at: Option<Timestamp>,
    /// Which of the two ended it.
    #[serde(default)]
    pub ended: Option<Act>,
}

/// What an account did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// The account.
    pub by: AccountId,
    /// When.
    pub at: Timestamp,
}

/// How far a share is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShareState {
    /// It can be accepted.
    Proposed,
    /// The other account sees the sites.
    Active,
    /// It was declined.
    Declined,
    /// It was ended by one of the two, or taken back before it was accepted.
    Ended,
    /// It was not accepted in time, or its time is over.
    Expired,
}

impl ShareState {
    /// Whether nothing becomes of it any more.
    #[must_use]
    pub fn is_over(self) -> bool {
        match self {
            Self::Proposed | Self::Active => false,
            Self::Declined | Self::Ended | Self::Expired => true,
        }
    }
}

/// What a step makes of a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Another one: it is to be written.
    Done,
    /// What it is already.
    Already,
}

impl Share {
    /// How far it is.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> ShareState {
        let is_past = |end: Timestamp| end <= now;
        if self.declined_at.is_some() {
            ShareState::Declined
        } else if self.ended.is_some() {
            ShareState::Ended
        } else if self.expires_at.is_some_and(is_past) {
            ShareState::Expired
        } else if self.accepted.is_some() {
            ShareState::Active
        } else if is_past(self.offered_until) {
            ShareState::Expired
        } else {
            ShareState::Proposed
        }
    }

    /// The account that accepted it, if one did.
    #[must_use]
    pub fn recipient(&self) -> Option<&AccountId> {
        self.accepted.as_ref().map(|accepted| &accepted.by)
    }

    /// Whether it is a matter of this account: whoever only was handed the code has no name for it.
    #[must_use]
    pub fn is_of(&self, account: &AccountId) -> bool {
        self.owner == *account || self.recipient() == Some(account)
    }

    /// Accepts it for an account; `None` where that is too late, or another account was faster.
    pub fn accept(&mut self, by: &AccountId, now: Timestamp) -> Option<Step> {
        match self.state(now) {
            ShareState::Active if self.recipient() == Some(by) => Some(Step::Already),
            ShareState::Proposed => {
                self.accepted = Some(Act { by: by.clone(), at: now });
                Some(Step::Done)
            }
            _ => None,
        }
    }

    /// Declines it; `None` where it is accepted or over.
    pub fn decline(&mut self, now: Timestamp) -> Option<Step> {
        match self.state(now) {
            ShareState::Declined => Some(Step::Already),
            ShareState::Proposed => {
                self.declined_at = Some(now);
                Some(Step::Done)
            }
            _ => None,
        }
    }

    /// Ends it, whichever of the two wants that; what is over stays as it was.
    pub fn end(&mut self, by: &AccountId, now: Timestamp) -> Step {
        if self.state(now).is_over() {
            return Step::Already;
        }
        self.ended = Some(Act { by: by.clone(), at: now });
        Step::Done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(name: &str) -> AccountId {
        name.parse().unwrap()
    }

    fn at(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
    }

    fn share() -> Share {
        Share {
            id: ShareId::from_random(&[1; 32]),
            owner: account("acme"),
            display_name: String::new(),
            sites: Assignment::parse("labels.team = north").unwrap(),
            contacts: Contacts::Masked,
            positions: Positions::Exact,
            code_hash: [2; 32],
            proposed_at: at(0),
            offered_until: at(10),
            expires_at: Some(at(20)),
            accepted: None,
            declined_at: None,
            ended: None,
        }
    }

    #[test]
    fn it_is_accepted_once_and_in_time() {
        let (one, other) = (account("one"), account("other"));
        let mut accepted = share();
        assert_eq!(accepted.accept(&one, at(9)), Some(Step::Done));
        assert_eq!(accepted.accept(&one, at(19)), Some(Step::Already), "whoever did not hear the answer is told again");
        assert_eq!(accepted.accept(&other, at(9)), None);
        assert_eq!(accepted.decline(at(9)), None);
        assert_eq!((accepted.state(at(19)), accepted.state(at(20))), (ShareState::Active, ShareState::Expired));
        assert_eq!(accepted.accept(&one, at(20)), None);
        assert!(accepted.is_of(&one) && accepted.is_of(&account("acme")) && !accepted.is_of(&other));
        let mut late = share();
        assert_eq!((late.state(at(9)), late.state(at(10))), (ShareState::Proposed, ShareState::Expired));
        assert_eq!(late.accept(&one, at(10)), None);
        assert_eq!(late.decline(at(10)), None);
    }

    #[test]
    fn what_is_over_stays_as_it_is() {
        let (owner, one) = (account("acme"), account("one"));
        let mut declined = share();
        assert_eq!([declined.decline(at(1)), declined.decline(at(2))], [Some(Step::Done), Some(Step::Already)]);
        assert_eq!((declined.accept(&one, at(3)), declined.end(&owner, at(3))), (None, Step::Already));
        assert_eq!((declined.declined_at, declined.state(at(30))), (Some(at(1)), ShareState::Declined));
        for by in [&owner, &one] {
            let mut ended = share();
            ended.accept(&one, at(1));
            assert_eq!([ended.end(by, at(2)), ended.end(&owner, at(3))], [Step::Done, Step::Already]);
            assert_eq!(ended.ended, Some(Act { by: by.clone(), at: at(2) }));
            assert_eq!((ended.state(at(30)), ended.accept(&one, at(3))), (ShareState::Ended, None));
        }
        let mut withdrawn = share();
        assert_eq!((withdrawn.end(&owner, at(1)), withdrawn.accept(&one, at(2))), (Step::Done, None));
        let mut expired = share();
        assert_eq!((expired.end(&owner, at(10)), expired.ended), (Step::Already, None));
    }
}
