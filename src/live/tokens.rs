//! All tokens in memory: by id for credentials, and by account in the order of lists.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use crate::model::access::Token;
use crate::model::id::{AccountId, TokenId};
use crate::store::PackedToken;

/// A token as it is kept.
#[derive(Debug)]
pub(super) enum Kept {
    /// Ready to be given out.
    Open(Arc<Token>),
    /// An agent's, opened each time that it is asked for.
    Packed(PackedToken),
}

impl Kept {
    pub(super) fn of(token: &Token) -> Self {
        PackedToken::of(token).map_or_else(|| Self::Open(Arc::new(token.clone())), Self::Packed)
    }

    fn open(&self) -> Option<Arc<Token>> {
        match self {
            Self::Open(token) => Some(Arc::clone(token)),
            Self::Packed(token) => token.open().map(Arc::new),
        }
    }
}

/// Tokens, good or not.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    by_id: HashMap<TokenId, Kept>,
    /// The operator's are those of no account.
    listed: HashMap<Option<AccountId>, BTreeSet<TokenId>>,
}

impl Tokens {
    pub(super) fn put(&mut self, token: &Token) {
        self.listed.entry(token.account.clone()).or_default().insert(token.id);
        self.by_id.insert(token.id, Kept::of(token));
    }

    /// Brings in many of one account at once: sorted first, which is much faster than one by one.
    pub(super) fn extend(&mut self, account: Option<AccountId>, tokens: Vec<(TokenId, Kept)>) {
        self.listed.entry(account).or_default().append(&mut tokens.iter().map(|(id, _)| *id).collect());
        self.by_id.extend(tokens);
    }

    /// Forgets those of an account, or the operator's, that are not to stay.
    pub(super) fn retain_of(&mut self, account: Option<&AccountId>, stays: impl Fn(TokenId) -> bool) {
        let Some(listed) = self.listed.get_mut(&account.cloned()) else { return };
        let by_id = &mut self.by_id;
        listed.retain(|token| {
            let stays = stays(*token);
            if !stays {
                by_id.remove(token);
            }
            stays
        });
    }

    pub(super) fn get(&self, token: TokenId) -> Option<Arc<Token>> {
        self.by_id.get(&token)?.open()
    }

    /// The first `limit` tokens of an account, or the operator's, behind `after`, ordered by id.
    pub(super) fn list(&self, account: Option<&AccountId>, after: Option<TokenId>, limit: usize) -> Vec<Arc<Token>> {
        let behind = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let Some(listed) = self.listed.get(&account.cloned()) else { return Vec::new() };
        listed.range(behind).take(limit).filter_map(|token| self.get(*token)).collect()
    }
}
