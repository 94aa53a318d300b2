//! One call while it is answered: who makes it, what it is about, and which commits it made.
//!
//! It goes along with the task that answers the call. What is done in other tasks, or for nobody, has none; so no use case
//! has to hand it on, and none can forget it. Knows nothing of what is then made of it.

use std::sync::Arc;

use parking_lot::Mutex;

use super::audit::Class;
use crate::identity::error::Refusal;
use crate::model::access::Principal;
use crate::model::audit::AuditRecord;
use crate::model::id::{AccountId, Revision};
use crate::store::{Error as StoreError, Key};

tokio::task_local! {
    static CALL: Arc<Call>;
}

/// Partitions that one call may write to and tell of: an account's and the operator's.
const WRITTEN_MAX: usize = 4;

/// A call that is being answered.
#[derive(Debug, Default)]
pub(super) struct Call(Mutex<State>);

/// What is known of it by now.
#[derive(Debug, Default, Clone)]
pub(super) struct State {
    /// Who makes it.
    pub(super) principal: Option<Principal>,
    /// The token of an identity provider that was refused, by its hash, and why: it is judged once.
    pub(super) refused: Option<([u8; 32], Refusal)>,
    /// The method, where it is told of.
    pub(super) method: Option<(&'static str, Class)>,
    /// The name of what it is about: the first that its request gives.
    pub(super) resource: String,
    /// The last commit to each partition.
    pub(super) written: Vec<Written>,
    /// The record that goes with its batches until one of them is through.
    pub(super) record: Option<(Key, AuditRecord)>,
    /// Batches that a record went with and that may still be written, for all that is known.
    pub(super) carrying: usize,
    /// Whether a batch that a record went with is through.
    pub(super) is_recorded: bool,
    /// Whether it wrote.
    pub(super) is_changed: bool,
    /// Whether it is not known of one of its batches if it was written.
    pub(super) is_unsure: bool,
}

/// A commit: of an account, or of what is the operator's own.
pub type Written = (Option<AccountId>, Revision);

impl Call {
    /// The call that this task answers.
    pub(super) fn current() -> Option<Arc<Self>> {
        CALL.try_with(Arc::clone).ok()
    }

    /// Changes what is known of it.
    pub(super) fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock())
    }
}

impl State {
    /// Takes note of how a commit ended, which a record went with or not. One that is never answered is not heard of here.
    pub(super) fn committed(
        &mut self,
        partition: Option<AccountId>,
        has_record: bool,
        done: &Result<Revision, StoreError>,
    ) {
        match done {
            Ok(revision) => {
                self.is_changed = true;
                self.is_recorded |= has_record;
                self.wrote(partition, *revision);
            }
            Err(StoreError::Unknown { .. }) => self.is_unsure = true,
            Err(_) => {}
        }
        // A disk that failed may hold what it did not say to have.
        if has_record && matches!(done, Ok(_) | Err(StoreError::Conflict { .. })) {
            self.carrying = self.carrying.saturating_sub(1);
        }
    }

    /// Takes note of a commit.
    pub(super) fn wrote(&mut self, partition: Option<AccountId>, revision: Revision) {
        let is_full = self.written.len() >= WRITTEN_MAX;
        match self.written.iter_mut().find(|(known, _)| *known == partition) {
            // Commits that are made side by side end in any order.
            Some((_, last)) => *last = revision.max(*last),
            None if is_full => {}
            None => self.written.push((partition, revision)),
        }
    }
}

/// Answers a call, and gives with the answer the last commit that it made to each partition, or found made by an earlier one
/// that it repeats; as far as it may know of them: how often others write is not told, and a network that an account places
/// begins a run of the operator's.
pub async fn answer<T>(answering: impl Future<Output = T>) -> (T, Vec<Written>) {
    let call = Arc::new(Call::default());
    let answer = CALL.scope(Arc::clone(&call), answering).await;
    let State { principal, mut written, .. } = call.with(std::mem::take);
    let knows = |account: &Option<AccountId>, principal: &Principal| match account {
        Some(account) => principal.belongs_to(account),
        None => principal.account.is_none(),
    };
    written.retain(|(account, _)| principal.as_ref().is_some_and(|principal| knows(account, principal)));
    (answer, written)
}

/// Says what the call is about, unless that was said before.
pub fn is_about(name: impl FnOnce() -> String) {
    if let Some(call) = Call::current() {
        call.with(|state| {
            if state.method.is_some() && state.resource.is_empty() {
                state.resource = name();
            }
        });
    }
}

/// Says who makes the call.
pub(super) fn is_by(principal: &Principal) {
    if let Some(call) = Call::current() {
        call.with(|state| state.principal = Some(principal.clone()));
    }
}

/// Which token of an identity provider was refused in this call, by its hash, and why.
pub(super) fn refused() -> Option<([u8; 32], Refusal)> {
    Call::current()?.with(|state| state.refused)
}

/// Says that such a token was refused.
pub(super) fn refuses(token_hash: [u8; 32], why: Refusal) {
    if let Some(call) = Call::current() {
        call.with(|state| state.refused = Some((token_hash, why)));
    }
}

/// Says which method it is, where that is told of.
pub(super) fn is_of(method: &'static str, class: Class) {
    if let Some(call) = Call::current() {
        call.with(|state| state.method = Some((method, class)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::access::{Contacts, Positions, Scope};
    use crate::model::id::TokenId;

    fn principal(account: Option<&AccountId>) -> Principal {
        Principal {
            token: TokenId::MIN,
            scope: Scope::Admin,
            account: account.cloned(),
            agent: None,
            contacts: Contacts::Read,
            positions: Positions::default(),
            assigned: None,
            secret_number: 0,
            identity: None,
            guest: None,
        }
    }

    #[tokio::test]
    async fn a_call_tells_its_last_commit_to_each_partition_and_nothing_of_other_tasks() {
        let acme: AccountId = "acme".parse().unwrap();
        let wrote = |partition: Option<&AccountId>, revision| {
            if let Some(call) = Call::current() {
                call.with(|state| state.wrote(partition.cloned(), Revision(revision)));
            }
        };
        wrote(None, 1);
        let other = "other".parse().unwrap();
        for (by, expected) in [
            (Some(principal(None)), vec![(Some(acme.clone()), Revision(3)), (None, Revision(7))]),
            (Some(principal(Some(&acme))), vec![(Some(acme.clone()), Revision(3))]),
            (Some(principal(Some(&other))), vec![]),
            (None, vec![]),
        ] {
            let ((), written) = answer(async {
                by.iter().for_each(is_by);
                wrote(Some(&acme), 3);
                wrote(Some(&acme), 2);
                wrote(None, 7);
                tokio::spawn(async { assert!(Call::current().is_none()) }).await.unwrap();
            })
            .await;
            assert_eq!(written, expected, "{by:?}");
        }
        assert!(answer(async {}).await.1.is_empty());
    }

    #[tokio::test]
    async fn a_call_is_about_the_first_name_that_it_gives_where_it_is_told_of() {
        let ((), _) = answer(async {
            is_about(|| "accounts/before".into());
            is_of("AdminService.CreateToken", Class::Write);
            is_about(|| "accounts/acme".into());
            is_about(|| "accounts/acme/tokens/7".into());
            assert_eq!(Call::current().unwrap().with(|state| state.resource.clone()), "accounts/acme");
        })
        .await;
    }
}
