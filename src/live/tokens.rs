//! All tokens in memory: by id for credentials, and by account in the order of lists.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use crate::model::access::Token;
use crate::model::id::{AccountId, TokenId};

/// Tokens, good or not.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    by_id: HashMap<TokenId, Arc<Token>>,
    /// The operator's are those of no account.
    listed: HashMap<Option<AccountId>, BTreeSet<TokenId>>,
}

impl Tokens {
    pub(super) fn put(&mut self, token: Token) {
        self.listed.entry(token.account.clone()).or_default().insert(token.id);
        self.by_id.insert(token.id, Arc::new(token));
    }

    pub(super) fn get(&self, token: TokenId) -> Option<Arc<Token>> {
        self.by_id.get(&token).map(Arc::clone)
    }

    /// The first `limit` tokens of an account, or the operator's, behind `after`, ordered by id.
    pub(super) fn list(&self, account: Option<&AccountId>, after: Option<TokenId>, limit: usize) -> Vec<Arc<Token>> {
        let behind = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let Some(listed) = self.listed.get(&account.cloned()) else { return Vec::new() };
        listed.range(behind).take(limit).filter_map(|token| self.get(*token)).collect()
    }
}

impl FromIterator<Arc<Token>> for Tokens {
    /// Many at once: each account's are sorted first, which is much faster than one by one.
    fn from_iter<T: IntoIterator<Item = Arc<Token>>>(tokens: T) -> Self {
        let mut by_account: HashMap<Option<AccountId>, Vec<TokenId>> = HashMap::new();
        let note = |token: Arc<Token>| {
            by_account.entry(token.account.clone()).or_default().push(token.id);
            (token.id, token)
        };
        let by_id = tokens.into_iter().map(note).collect();
        let listed = by_account.into_iter().map(|(account, ids)| (account, ids.into_iter().collect())).collect();
        Self { by_id, listed }
    }
}
