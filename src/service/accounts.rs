//! Accounts: made by the operator, seen by their own administrators.

use std::sync::Arc;

use super::access::Permission;
use super::error::Resource;
use super::paging::{Page, PageRequest, query_purpose};
use super::{Error, Waymark};
use crate::model::access::{Account, Principal, Scope};
use crate::model::address::CountryCode;
use crate::model::id::AccountId;
use crate::model::text;
use crate::store::document::Document;
use crate::store::{Error as StoreError, Key, Kind, Mutation};

impl Waymark {
    /// Makes an account. The operator alone.
    pub async fn create_account(
        &self,
        principal: &Principal,
        id: AccountId,
        display_name: &str,
        country: Option<CountryCode>,
    ) -> Result<Account, Error> {
        require_operator(principal)?;
        let now = self.now();
        let display_name = text::line("account.display_name", display_name, text::LINE_BYTES_MAX)?;
        let account = Account { id: id.clone(), display_name, country, created_at: now, updated_at: now };
        let key = Key::of(&id, Kind::Account, &id);
        match self.parts.store.commit(vec![Mutation::create(key, Document::Account(account.clone()))]).await {
            Ok(_) => Ok(account),
            Err(StoreError::Conflict { .. }) => Err(Error::Exists(Resource::Account(id))),
            Err(cause) => Err(cause.into()),
        }
    }

    /// One account. Whoever belongs to it may see its record.
    pub fn account(&self, principal: &Principal, id: &AccountId) -> Result<Arc<Account>, Error> {
        Ok(self.visible_account(principal, id)?.account())
    }

    /// The accounts that the principal sees, ordered by id.
    pub fn list_accounts(&self, principal: &Principal, page: &PageRequest) -> Result<Page<Arc<Account>>, Error> {
        let limit = page.limit()?;
        let purpose = || query_purpose(principal, "accounts", &());
        let after: Option<AccountId> = self.cursor(&purpose, page)?;
        let accounts = match &principal.account {
            Some(own) => vec![self.account(principal, own)?],
            None => self.parts.live.accounts(),
        };
        let behind = accounts.into_iter().filter(|account| after.as_ref().is_none_or(|after| account.id > *after));
        Ok(self.page(&purpose, behind.take(limit + 1).collect(), limit, |account| account.id.clone()))
    }

    /// The account whose tokens the principal may keep: `None` for the operator's own tokens.
    pub(super) fn administered(&self, principal: &Principal, account: Option<&AccountId>) -> Result<(), Error> {
        match account {
            Some(account) => self.account_for(principal, account, Permission::Administer).map(|_| ()),
            None => require_operator(principal),
        }
    }
}

/// The operator holds an admin token without an account.
pub(super) fn require_operator(principal: &Principal) -> Result<(), Error> {
    if principal.account.is_none() && principal.scope == Scope::Admin { Ok(()) } else { Err(Error::Scope) }
}
