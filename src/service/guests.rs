//! Guests: people of one account who see sites of another one by a share, confined to these.
//!
//! The one place where a share becomes sight. Whoever answers a call asks it once for the principal as it is in the account that the call
//! names; a use case that nobody made ask meets a principal of another account, to whom the account does not exist.

use std::sync::Arc;

use super::access::sees_shares;
use super::error::Resource;
use super::{Error, Waymark, call};
use crate::model::access::{Account, Guest, Principal};
use crate::model::id::AccountId;

impl Waymark {
    /// The principal as it is in an account: who belongs there as they came, and who sees some of its sites by a share that is in effect as
    /// somebody to whom these are assigned. Everybody else stays who they are, to whom it does not exist.
    ///
    /// Costs a look at the shares of the principal's own account, whichever account is named.
    #[must_use]
    pub fn within(&self, principal: &Principal, account: &AccountId) -> Principal {
        let Some(home) = principal.account.as_ref().filter(|home| *home != account) else { return principal.clone() };
        if principal.guest.is_some() || !sees_shares(principal.scope) {
            return principal.clone();
        }
        let Some(share) = self.parts.live.shares.received(home, self.now()).remove(account) else {
            return principal.clone();
        };
        let guest = Principal {
            account: Some(account.clone()),
            contacts: principal.contacts.and(share.contacts),
            positions: principal.positions.and(share.positions),
            assigned: Some(share.sites.clone()),
            guest: Some(Guest { home: home.clone(), share: share.id }),
            ..principal.clone()
        };
        // So that the account is told who read of persons in it.
        call::is_by(&guest);
        guest
    }

    /// A guest as they are now, `at_home` being who they are in their own account now. What began by a share ends with that share,
    /// whatever others there are.
    pub(super) fn present_guest(&self, principal: &Principal, at_home: Principal) -> Result<Principal, Error> {
        let (Some(guest), Some(account)) = (&principal.guest, &principal.account) else { return Ok(at_home) };
        let present = self.within(&at_home, account);
        if present.guest.as_ref() == Some(guest) {
            Ok(present)
        } else {
            Err(Error::NotFound(Resource::Account(account.clone())))
        }
    }

    /// The accounts of which the principal sees sites by shares.
    pub(super) fn shared_accounts(&self, principal: &Principal) -> Vec<Arc<Account>> {
        let Some(home) = principal.account.as_ref().filter(|_| sees_shares(principal.scope)) else { return Vec::new() };
        let received = self.parts.live.shares.received(home, self.now());
        received.keys().filter_map(|owner| Some(self.parts.live.account(owner)?.account())).collect()
    }
}
