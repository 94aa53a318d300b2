//! Tokens: made, listed and ended by administrators. A secret is shown once, and only its hash is kept.

#[cfg(test)]
mod fuzz;

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;

use super::access::{hash_secret, is_past, random_bytes, require_contacts, secret};
use super::error::Resource;
use super::paging::{Page, PageRequest, query_purpose};
use super::{ATTEMPTS_MAX, Error, Waymark};
use crate::model::access::{Contacts, Positions, Principal, Scope, Token};
use crate::model::assignment::{ASSIGNMENTS_MAX, Assignment};
use crate::model::id::{AccountId, AgentId, SiteId, TokenId};
use crate::model::{Invalid, text};
use crate::store::document::Document;
use crate::store::{Error as StoreError, Key, Kind, Mutation, Record};

/// A token to make.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// The account it shall be good in; `None` for an operator's.
    pub account: Option<AccountId>,
    /// What it shall be allowed.
    pub scope: Scope,
    /// What it is for.
    pub display_name: String,
    /// When it shall end; `None` for never.
    pub expires_at: Option<Timestamp>,
    /// Whether its bearer shall read contacts; `None` for as its maker does.
    pub contacts: Option<Contacts>,
    /// How exactly its bearer shall be shown where sites are; `None` for as its scope is by nature.
    pub positions: Option<Positions>,
    /// Which sites it shall be good for; `None` for every scope but [`Scope::Field`].
    pub assigned: Option<Assignment>,
}

#[cfg(test)]
impl NewToken {
    /// One of nothing but a name and a scope.
    pub(super) fn of(account: Option<&AccountId>, scope: Scope, display_name: &str) -> Self {
        let account = account.cloned();
        let display_name = display_name.to_owned();
        Self { account, scope, display_name, expires_at: None, contacts: None, positions: None, assigned: None }
    }
}

impl Waymark {
    /// Makes a token and gives its secret, once.
    pub async fn create_token(&self, principal: &Principal, new: NewToken) -> Result<(Token, String), Error> {
        let (token, secret) = self.new_token(principal, new)?;
        self.put_token(&token).await?;
        Ok((token, secret))
    }

    /// A token that a principal may make, and its secret; it is nowhere yet.
    pub(super) fn new_token(&self, principal: &Principal, new: NewToken) -> Result<(Token, String), Error> {
        self.administered(principal, new.account.as_ref())?;
        if new.scope == Scope::Agent {
            return Err(Invalid::new("token.scope", "an agent's credential is made by its activation alone").into());
        }
        if new.scope == Scope::Resident {
            return Err(
                Invalid::new("token.scope", "a resident's token is made by accepting an invitation alone").into()
            );
        }
        if new.account.is_none() && new.scope != Scope::Admin {
            return Err(Invalid::new("token.scope", "an operator's token has the scope ADMIN").into());
        }
        if new.expires_at.is_some_and(|end| end <= self.now()) {
            return Err(Invalid::new("token.expire_time", "the end of a token is in the future").into());
        }
        check_assigned(&new)?;
        if let (Some(account), Some(assigned)) = (&new.account, &new.assigned) {
            self.require_room_for(account, assigned)?;
        }
        let (contacts, positions) = (contacts_of(principal, &new)?, positions_of(&new)?);
        // Who does not read contacts gets no token that does by making one.
        if !contacts.are_masked() {
            require_contacts(principal)?;
        }
        self.draw_token(NewToken { contacts: Some(contacts), positions: Some(positions), ..new })
    }

    /// Refuses a token or a share of other sites than all that are good, where these are of as many different ones as there may be.
    pub(super) fn require_room_for(&self, account: &AccountId, assigned: &Assignment) -> Result<(), Error> {
        let (live, now) = (&self.parts.live, self.now());
        let (tokens, shares) = (live.assigned_tokens_of(account), live.shares.made_by(account));
        let are_good = tokens.iter().filter(|token| token.revoked_at.is_none() && !is_past(token.expires_at, now));
        let of_tokens = are_good.filter_map(|token| Some(token.assigned.as_ref()?.as_str()));
        let of_shares = shares.iter().filter(|share| !share.state(now).is_over()).map(|share| share.sites.as_str());
        let known: HashSet<&str> = of_tokens.chain(of_shares).collect();
        if known.len() >= ASSIGNMENTS_MAX && !known.contains(assigned.as_str()) {
            return Err(Error::TooMany("different assignments of tokens and shares", ASSIGNMENTS_MAX));
        }
        Ok(())
    }

    /// Whether the operator has a token, good or not.
    #[must_use]
    pub fn has_operator(&self) -> bool {
        !self.parts.live.tokens_of(None, None, 1).is_empty()
    }

    /// Makes a token for the operator. `hand_over` gets the secret before the token is good, so that a secret that
    /// cannot be handed over leaves no token that nobody knows.
    pub async fn create_operator_token<E: From<Error>>(
        &self,
        display_name: &str,
        hand_over: impl FnOnce(&str) -> Result<(), E>,
    ) -> Result<String, E> {
        let new = NewToken {
            account: None,
            scope: Scope::Admin,
            display_name: display_name.to_owned(),
            expires_at: None,
            contacts: None,
            positions: None,
            assigned: None,
        };
        let (token, secret) = self.draw_token(new)?;
        hand_over(&secret)?;
        self.put_token(&token).await?;
        Ok(secret)
    }

    pub(super) async fn put_token(&self, token: &Token) -> Result<(), Error> {
        let mutation = Mutation::create(key_of(token), Document::Token(token.clone()));
        self.parts.store.commit(vec![mutation]).await?;
        Ok(())
    }

    /// A token that is nowhere yet, and its secret.
    pub(super) fn draw_token(&self, new: NewToken) -> Result<(Token, String), Error> {
        self.token_with(new, TokenId::from_random(&random_bytes()?), &random_bytes()?)
    }

    /// A resident's token for one invitation and the key that its page drew, the same for the same ones.
    ///
    /// Derived, so that whoever did not hear the answer can be given it again, and nothing is kept for that.
    pub(super) fn derive_resident_token(
        &self,
        new: NewToken,
        invitation: &[u8; 32],
        key: &[u8],
    ) -> Result<(Token, String), Error> {
        let id = TokenId::from_random(&self.sealer.derive("resident-token-id", &[invitation, key]));
        self.token_with(new, id, &self.sealer.derive("resident-token-secret", &[invitation, key]))
    }

    fn token_with(&self, new: NewToken, id: TokenId, random: &[u8; 32]) -> Result<(Token, String), Error> {
        let token = Token {
            id,
            secret_hash: hash_secret(random),
            display_name: text::line("token.display_name", &new.display_name, text::LINE_BYTES_MAX)?,
            scope: new.scope,
            account: new.account,
            agent: None,
            created_at: self.now(),
            expires_at: new.expires_at,
            revoked_at: None,
            contacts: new.contacts.unwrap_or_default(),
            rotation: None,
            certificate: None,
            positions: new.positions.unwrap_or_default(),
            assigned: new.assigned,
        };
        Ok((token, secret::format(id, random)))
    }

    /// The tokens of an account, or the operator's, ordered by id, each with when it was used last.
    pub async fn list_tokens(
        &self,
        principal: &Principal,
        account: Option<&AccountId>,
        page: &PageRequest,
    ) -> Result<Page<(Arc<Token>, Option<Timestamp>)>, Error> {
        self.administered(principal, account)?;
        let limit = page.limit()?;
        let purpose = || query_purpose(principal, "tokens", &account);
        let after: Option<TokenId> = self.cursor(&purpose, page)?;
        let tokens = self.parts.live.tokens_of(account, after, limit + 1);
        let Page { items, next_token } = self.page(&purpose, tokens, limit, |token| token.id);
        let uses = self.last_uses(&items).await?;
        Ok(Page { items: items.into_iter().zip(uses).collect(), next_token })
    }

    /// Ends a token at once; ending it again changes nothing.
    pub async fn revoke_token(
        &self,
        principal: &Principal,
        account: Option<&AccountId>,
        id: TokenId,
    ) -> Result<Token, Error> {
        self.administered(principal, account)?;
        let resource = Resource::Token(account.cloned(), id);
        let known = self.parts.live.token(id).filter(|token| token.account.as_ref() == account);
        let known = known.ok_or_else(|| Error::NotFound(resource.clone()))?;
        for _ in 0..ATTEMPTS_MAX {
            let record = self.parts.store.get(key_of(&known)).await?;
            let record = record.ok_or_else(|| Error::NotFound(resource.clone()))?;
            let token = token_in(&record)?;
            let done = if token.revoked_at.is_some() {
                self.parts.store.settle(record).await.map(|()| token)
            } else {
                // Of an operator's, another one stays good: who ends that one meanwhile meets a record that changed.
                let mut batch =
                    if account.is_none() { vec![self.keep_another_operator(id).await?] } else { Vec::new() };
                let revoked = Token { revoked_at: Some(self.now()), ..token };
                batch.push(Mutation::replace(record.key, record.revision, Document::Token(revoked.clone())));
                self.parts.store.commit(batch).await.map(|_| revoked)
            };
            match done {
                Ok(token) => return Ok(token),
                Err(StoreError::Conflict { .. }) => {}
                Err(cause) => return Err(cause.into()),
            }
        }
        Err(Error::Contention(resource.to_string()))
    }

    /// An agent's credential: the token to keep and the secret to hand out, the same for the same agent and key.
    ///
    /// Derived, not drawn, so that a repeated activation answers exactly as the first one did.
    pub(super) fn agent_credential(
        &self,
        account: &AccountId,
        agent: &AgentId,
        site: SiteId,
        key_hash: &[u8; 32],
    ) -> (Token, String) {
        let parts = [account.as_str().as_bytes(), agent.as_str().as_bytes(), &site.as_u128().to_be_bytes(), key_hash];
        let id = TokenId::from_random(&self.sealer.derive("agent-token-id", &parts));
        let random = self.sealer.derive("agent-token-secret", &parts);
        let token = Token {
            id,
            secret_hash: hash_secret(&random),
            display_name: format!("agent {agent}"),
            scope: Scope::Agent,
            account: Some(account.clone()),
            agent: Some((site, agent.clone())),
            created_at: self.now(),
            expires_at: None,
            revoked_at: None,
            contacts: Contacts::default(),
            rotation: None,
            certificate: None,
            positions: Positions::default(),
            assigned: None,
        };
        (token, secret::format(id, &random))
    }

    /// Another good token of the operator, put as it is. The store says whether it is good: memory may be behind.
    async fn keep_another_operator(&self, id: TokenId) -> Result<Mutation, Error> {
        let is_good = |token: &Token| token.revoked_at.is_none() && token.expires_at.is_none_or(|end| end > self.now());
        let operators = self.parts.live.tokens_of(None, None, usize::MAX);
        for token in operators.iter().filter(|token| token.id != id && is_good(token)) {
            if let Some(record) = self.parts.store.get(key_of(token)).await?
                && is_good(&token_in(&record)?)
            {
                return Ok(Mutation::replace(record.key, record.revision, record.document));
            }
        }
        Err(Error::LastOperatorToken)
    }
}

/// Whether a token to make reads contacts: where nobody says, as its maker does, and a wallboard's never.
fn contacts_of(principal: &Principal, new: &NewToken) -> Result<Contacts, Invalid> {
    match (new.scope, new.contacts) {
        (Scope::Wallboard, Some(Contacts::Read)) => {
            Err(Invalid::new("token.contacts", "a wallboard's token masks contacts: leave it unspecified"))
        }
        (Scope::Wallboard, _) => Ok(Contacts::Masked),
        (_, wanted) => Ok(wanted.unwrap_or(principal.contacts)),
    }
}

/// How exactly a token to make shows where sites are: exactly where nobody says, and a wallboard's never. Whoever changes sites sees
/// what they change.
fn positions_of(new: &NewToken) -> Result<Positions, Invalid> {
    let refuse = |why: &str| Err(Invalid::new("token.positions", why));
    match (new.scope, new.positions) {
        (Scope::Wallboard, None | Some(Positions::Approximate)) => Ok(Positions::Approximate),
        (Scope::Wallboard, Some(_)) => refuse("a wallboard's token shows about where sites are: leave it unspecified"),
        (Scope::Viewer, wanted) => Ok(wanted.unwrap_or_default()),
        (_, None | Some(Positions::Exact)) => Ok(Positions::Exact),
        (_, Some(_)) => refuse("a VIEWER's token alone is APPROXIMATE or HIDDEN: others act on what they see"),
    }
}

/// Whether a token to make says which sites it is good for, if it is of those that do.
fn check_assigned(new: &NewToken) -> Result<(), Invalid> {
    let refuse = |why: &str| Err(Invalid::new("token.assigned", why));
    match (new.scope, &new.assigned) {
        (Scope::Field, None) => {
            refuse("a FIELD token is good for sites of some labels alone: say which, such as labels.team = \"north\"")
        }
        (Scope::Field, Some(_)) | (_, None) => Ok(()),
        (_, Some(_)) => refuse("a FIELD token alone is assigned sites: leave it empty, or choose that scope"),
    }
}

/// The token that a record holds.
pub(super) fn token_in(record: &Record) -> Result<Token, Error> {
    match &record.document {
        Document::Token(token) => Ok(token.clone()),
        _ => Err(Error::Mismatched { key: record.key.clone() }),
    }
}

/// The key under which a token is kept.
pub(super) fn key_of(token: &Token) -> Key {
    Key { partition: token.account.clone(), kind: Kind::Token, id: token.id.to_string() }
}
