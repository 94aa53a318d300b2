//! How much there is, for the operator: sums over everything, and nothing of an account.

use super::accounts::require_operator;
use super::{Error, Waymark};
use crate::model::access::Principal;

/// How much there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Accounts.
    pub accounts: usize,
    /// Sites of all accounts, placed or not; deleted ones are not on a map.
    pub sites: usize,
    /// Watches that go on.
    pub watches: usize,
    /// Mails that wait for the mail server.
    pub mails: usize,
}

impl Waymark {
    /// How much there is. Costs a look at each account. For the operator.
    pub fn sizes(&self, principal: &Principal) -> Result<Sizes, Error> {
        require_operator(principal)?;
        let lives = self.parts.live.lives();
        Ok(Sizes {
            accounts: lives.len(),
            sites: lives.iter().map(|live| live.map.read().len()).sum(),
            watches: self.watchers.open(),
            mails: self.parts.live.mails.count(),
        })
    }
}
