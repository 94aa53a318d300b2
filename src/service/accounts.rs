//! Accounts: made by the operator, seen by their own administrators.

use std::sync::Arc;

use super::access::{Permission, require_contacts};
use super::error::Resource;
use super::paging::{Page, PageRequest, query_purpose};
use super::{ATTEMPTS_MAX, Error, Waymark};
use crate::model::access::{Account, Principal, Scope};
use crate::model::address::CountryCode;
use crate::model::id::AccountId;
use crate::model::resident::owner_email;
use crate::model::{Invalid, text};
use crate::store::document::Document;
use crate::store::{Error as StoreError, Key, Kind, Mutation};

/// Most addresses of users that are kept of an account.
const USER_EMAILS_MAX: usize = 1_000;

impl Waymark {
    /// Makes an account. The operator alone.
    pub async fn create_account(
        &self,
        principal: &Principal,
        id: AccountId,
        display_name: &str,
        country: Option<CountryCode>,
    ) -> Result<Account, Error> {
        self.create_account_with(principal, id, AccountFields::new(display_name, country)).await
    }

    /// The same, with all that is said of it.
    pub async fn create_account_with(
        &self,
        principal: &Principal,
        id: AccountId,
        fields: AccountFields,
    ) -> Result<Account, Error> {
        require_operator(principal)?;
        let now = self.now();
        let AccountFields { display_name, country, user_emails, support_contact } = fields.checked()?;
        let account = Account {
            id: id.clone(),
            display_name,
            country,
            user_emails,
            support_contact,
            created_at: now,
            updated_at: now,
        };
        let key = Key::of(&id, Kind::Account, &id);
        match self.parts.store.commit(vec![Mutation::create(key, Document::Account(account.clone()))]).await {
            Ok(_) => Ok(account),
            Err(StoreError::Conflict { .. }) => Err(Error::Exists(Resource::Account(id))),
            Err(cause) => Err(cause.into()),
        }
    }

    /// Changes what the patch names. The account's administrators, or the operator.
    pub async fn update_account(
        &self,
        principal: &Principal,
        id: &AccountId,
        patch: AccountPatch,
    ) -> Result<Account, Error> {
        self.administered(principal, Some(id))?;
        if patch.user_emails.is_some() {
            // A resident's address is refused where it is a user's: whoever names users could try addresses.
            require_contacts(principal)?;
        }
        for _ in 0..ATTEMPTS_MAX {
            let key = Key::of(id, Kind::Account, id);
            let record = self.parts.store.get(key.clone()).await?;
            let record = record.ok_or_else(|| Error::NotFound(Resource::Account(id.clone())))?;
            let Document::Account(before) = record.document else { return Err(Error::Mismatched { key }) };
            let AccountFields { display_name, country, user_emails, support_contact } =
                patch.clone().over(&before).checked()?;
            self.refuse_residents(id, &before.user_emails, &user_emails).await?;
            let updated_at = self.now();
            let account = Account { display_name, country, user_emails, support_contact, updated_at, ..before };
            let write = Mutation::replace(key, record.revision, Document::Account(account.clone()));
            match self.parts.store.commit(vec![write]).await {
                Ok(_) => return Ok(account),
                Err(StoreError::Conflict { .. }) => {}
                Err(cause) => return Err(cause.into()),
            }
        }
        Err(Error::Contention(Resource::Account(id.clone()).to_string()))
    }

    /// One account. Whoever belongs to it may see its record, its residents apart.
    pub fn account(&self, principal: &Principal, id: &AccountId) -> Result<Arc<Account>, Error> {
        let live = self.visible_account(principal, id)?;
        refuse_resident(principal)?;
        Ok(live.account())
    }

    /// The accounts that the principal sees, those of which it sees sites by shares among them, ordered by id.
    pub fn list_accounts(&self, principal: &Principal, page: &PageRequest) -> Result<Page<Arc<Account>>, Error> {
        let limit = page.limit()?;
        let purpose = || query_purpose(principal, "accounts", &());
        let after: Option<AccountId> = self.cursor(&purpose, page)?;
        let accounts = match &principal.account {
            Some(own) => {
                let mut accounts = vec![self.account(principal, own)?];
                accounts.extend(self.shared_accounts(principal));
                accounts.sort_unstable_by(|one, other| one.id.cmp(&other.id));
                accounts
            }
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

/// What is said of an account.
#[derive(Debug, Clone, Default)]
pub struct AccountFields {
    /// Its name for people.
    pub display_name: String,
    /// Where most of its sites are.
    pub country: Option<CountryCode>,
    /// Addresses of its users.
    pub user_emails: Vec<String>,
    /// Whom its residents ask.
    pub support_contact: String,
}

impl AccountFields {
    /// The least that is said of one.
    #[must_use]
    pub fn new(display_name: &str, country: Option<CountryCode>) -> Self {
        Self { display_name: display_name.to_owned(), country, ..Self::default() }
    }

    fn checked(self) -> Result<Self, Invalid> {
        if self.user_emails.len() > USER_EMAILS_MAX {
            let why = format!("at most {USER_EMAILS_MAX}, got {}", self.user_emails.len());
            return Err(Invalid::new("account.user_emails", why));
        }
        let email = |(at, text): (usize, &String)| {
            owner_email(text).map_err(|fault| Invalid::new(format!("account.user_emails[{at}]"), fault.why))
        };
        let line = |field: &str, value: &str| text::line(field, value, text::LINE_BYTES_MAX);
        Ok(Self {
            display_name: line("account.display_name", &self.display_name)?,
            country: self.country,
            user_emails: self.user_emails.iter().enumerate().map(email).collect::<Result<_, _>>()?,
            support_contact: line("account.support_contact", &self.support_contact)?,
        })
    }
}

/// A change of an account: each field that is `Some` is set.
#[derive(Debug, Clone, Default)]
pub struct AccountPatch {
    /// New name for people.
    pub display_name: Option<String>,
    /// Where most of its sites are; `Some(None)` for nowhere in particular.
    pub country: Option<Option<CountryCode>>,
    /// Addresses of its users, all of them.
    pub user_emails: Option<Vec<String>>,
    /// Whom its residents ask.
    pub support_contact: Option<String>,
}

impl AccountPatch {
    fn over(self, before: &Account) -> AccountFields {
        AccountFields {
            display_name: self.display_name.unwrap_or_else(|| before.display_name.clone()),
            country: self.country.unwrap_or(before.country),
            user_emails: self.user_emails.unwrap_or_else(|| before.user_emails.clone()),
            support_contact: self.support_contact.unwrap_or_else(|| before.support_contact.clone()),
        }
    }
}

/// A resident is a guest of one site: neither the account nor who they are to it is theirs to ask.
pub fn refuse_resident(principal: &Principal) -> Result<(), Error> {
    if principal.scope == Scope::Resident { Err(Error::Scope) } else { Ok(()) }
}

/// The operator holds an admin token without an account.
pub(super) fn require_operator(principal: &Principal) -> Result<(), Error> {
    if principal.account.is_none() && principal.scope == Scope::Admin { Ok(()) } else { Err(Error::Scope) }
}
