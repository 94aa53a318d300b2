//! All tokens in memory: by id for credentials, by what certificates are known by, and by account in the order of lists.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use crate::model::access::Token;
use crate::model::certificate::Binding;
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
    /// Those whose bearers have certificates. No agent's is among them.
    certified: HashMap<Binding, BTreeSet<TokenId>>,
    /// Those that are good for some sites, by account.
    assigned: HashMap<AccountId, BTreeSet<TokenId>>,
}

impl Tokens {
    pub(super) fn put(&mut self, token: &Token) {
        self.listed.entry(token.account.clone()).or_default().insert(token.id);
        let kept = Kept::of(token);
        self.note(&kept);
        self.by_id.insert(token.id, kept);
    }

    /// Takes note of by what else it is looked for.
    fn note(&mut self, kept: &Kept) {
        let Kept::Open(token) = kept else { return };
        if let Some(binding) = &token.certificate {
            self.certified.entry(binding.clone()).or_default().insert(token.id);
        }
        if let Some(account) = token.account.as_ref().filter(|_| token.assigned.is_some()) {
            self.assigned.entry(account.clone()).or_default().insert(token.id);
        }
    }

    /// Brings in many of one account at once: sorted first, which is much faster than one by one.
    pub(super) fn extend(&mut self, account: Option<AccountId>, tokens: Vec<(TokenId, Kept)>) {
        self.listed.entry(account).or_default().append(&mut tokens.iter().map(|(id, _)| *id).collect());
        tokens.iter().for_each(|(_, kept)| self.note(kept));
        self.by_id.extend(tokens);
    }

    /// The ids of those of an account, or the operator's.
    pub(super) fn ids_of(&self, account: Option<&AccountId>) -> Vec<TokenId> {
        self.listed.get(&account.cloned()).into_iter().flatten().copied().collect()
    }

    /// Forgets some of an account, or the operator's.
    pub(super) fn forget(&mut self, account: Option<&AccountId>, gone: &[TokenId]) {
        let Some(listed) = self.listed.get_mut(&account.cloned()) else { return };
        for token in gone {
            if listed.remove(token) {
                self.by_id.remove(token);
            }
        }
        let by_id = &self.by_id;
        self.certified.retain(|_, tokens| {
            tokens.retain(|token| by_id.contains_key(token));
            !tokens.is_empty()
        });
        if let Some(tokens) = account.and_then(|account| self.assigned.get_mut(account)) {
            tokens.retain(|token| by_id.contains_key(token));
        }
    }

    pub(super) fn get(&self, token: TokenId) -> Option<Arc<Token>> {
        self.by_id.get(&token)?.open()
    }

    /// The tokens, good or not, that know a certificate by any of this.
    pub(super) fn known_by(&self, bindings: &[Binding]) -> Vec<Arc<Token>> {
        let named = bindings.iter().filter_map(|binding| self.certified.get(binding)).flatten();
        named.filter_map(|token| self.get(*token)).collect()
    }

    /// The tokens of an account, good or not, that are good for some of its sites.
    pub(super) fn assigned_of(&self, account: &AccountId) -> Vec<Arc<Token>> {
        let ids = self.assigned.get(account).into_iter().flatten();
        ids.filter_map(|token| self.get(*token)).collect()
    }

    /// The first `limit` tokens of an account, or the operator's, behind `after`, ordered by id.
    pub(super) fn list(&self, account: Option<&AccountId>, after: Option<TokenId>, limit: usize) -> Vec<Arc<Token>> {
        let behind = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let Some(listed) = self.listed.get(&account.cloned()) else { return Vec::new() };
        listed.range(behind).take(limit).filter_map(|token| self.get(*token)).collect()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::access::{Contacts, Positions, Scope};

    fn token(number: u8, binding: Option<Binding>) -> Token {
        Token {
            id: TokenId::from_random(&[number; 32]),
            secret_hash: [number; 32],
            display_name: String::new(),
            scope: Scope::Enrollment,
            account: Some("acme".parse().unwrap()),
            agent: None,
            created_at: Timestamp::UNIX_EPOCH,
            expires_at: None,
            revoked_at: None,
            contacts: Contacts::default(),
            rotation: None,
            certificate: binding,
            positions: Positions::default(),
            assigned: None,
        }
    }

    #[test]
    fn certificates_are_found_by_what_they_are_known_by_for_as_long_as_their_tokens_are_there() {
        let names = ["a", "b"].map(|name| Binding::DnsName(name.to_owned()));
        let mut tokens = Tokens::default();
        let numbers = |tokens: &Tokens, bindings: &[Binding]| {
            let mut found: Vec<u8> = tokens.known_by(bindings).iter().map(|token| token.secret_hash[0]).collect();
            found.sort_unstable();
            found
        };
        tokens.put(&token(1, Some(names[0].clone())));
        // As a change of it, such as its end, is put.
        tokens.put(&token(1, Some(names[0].clone())));
        tokens.put(&token(2, None));
        let third = token(3, Some(names[1].clone()));
        tokens.extend(third.account.clone(), vec![(third.id, Kept::of(&third))]);
        assert_eq!(numbers(&tokens, &names), [1, 3]);
        assert_eq!(numbers(&tokens, &names[1..]), [3]);
        assert_eq!(numbers(&tokens, &[Binding::Uri("x:a".to_owned())]), [0; 0]);
        assert_eq!(tokens.ids_of(third.account.as_ref()).len(), 3);
        tokens.forget(None, &[third.id]);
        assert_eq!(numbers(&tokens, &names), [1, 3], "it is no token of the operator's");
        tokens.forget(third.account.as_ref(), &[third.id]);
        assert_eq!(tokens.ids_of(third.account.as_ref()).len(), 2);
        assert_eq!(numbers(&tokens, &names), [1]);
        assert_eq!(tokens.certified.len(), 1, "what is gone is held");
    }
}
