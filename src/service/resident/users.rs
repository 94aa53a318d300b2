//! Users of an account and residents of its sites are never the same people: whichever of the two an address became first.

use super::super::{Error, Waymark};
use super::access_of;
use crate::model::Invalid;
use crate::model::id::AccountId;
use crate::model::resident::is_same_email;
use crate::model::text;
use crate::store::{Kind, Range};

impl Waymark {
    /// Refuses the address of one of the account's users: who manages the site is no resident of it, and a token by mail
    /// would be a second way in beside their own.
    pub(super) fn refuse_user(&self, account: &AccountId, email: &str) -> Result<(), Error> {
        if self.is_user(account, email) {
            let why = "this is the address of a user of the account: name the resident's own";
            return Err(Invalid::new("resident_access.owner_email", why).into());
        }
        Ok(())
    }

    /// Whether an address is that of one of the account's users now.
    pub(super) fn is_user(&self, account: &AccountId, email: &str) -> bool {
        let users = self.parts.live.account(account).map(|live| live.account());
        users.is_some_and(|known| known.user_emails.iter().any(|user| is_same_email(user, email)))
    }

    /// Refuses among `users` those that the account did not have `before`, if one of them is a resident of a site that
    /// stands: the resident would be out without a word. Reads every access of the account.
    ///
    /// An access that is set up at this very moment, or comes back with its site, may be missed: it lets nobody in, because
    /// the door asks [`is_user`](Self::is_user) too.
    pub(in super::super) async fn refuse_residents(
        &self,
        account: &AccountId,
        before: &[String],
        users: &[String],
    ) -> Result<(), Error> {
        let folded: Vec<_> = users.iter().map(|user| text::fold(user)).collect();
        let known: Vec<_> = before.iter().map(|user| text::fold(user)).collect();
        if folded.iter().all(|user| known.contains(user)) {
            return Ok(());
        }
        let mut range = Range::all(Some(account.clone()), Kind::ResidentAccess);
        loop {
            let records = self.parts.store.scan(range.clone()).await?;
            let is_last = records.len() < range.limit;
            range.after = records.last().map(|record| record.key.id.clone());
            for record in records {
                let access = access_of(record)?.value;
                let owner = text::fold(&access.owner_email);
                let Some(at) = folded.iter().position(|user| *user == owner && !known.contains(user)) else { continue };
                // One that cannot be read may well stand.
                let read = self.read_site(account, access.site).await?;
                let is_gone = read.is_ok_and(|site| site.is_none_or(|site| site.value.deleted_at.is_some()));
                if !is_gone {
                    let why = format!(
                        "this is the address of the resident of accounts/{account}/sites/{}: delete that resident access, \
                         or name another address",
                        access.site
                    );
                    return Err(Invalid::new(format!("account.user_emails[{at}]"), why).into());
                }
            }
            if is_last {
                return Ok(());
            }
        }
    }
}
