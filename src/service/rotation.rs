//! New secrets for tokens: good at once, with the one before for an overlap, so that whoever bears it is changed without a gap.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::access::{hash_secret, is_past, random_bytes, require_contacts, secret};
use super::error::Resource;
use super::tokens::{key_of, token_in};
use super::{ATTEMPTS_MAX, Error, Waymark};
use crate::model::Invalid;
use crate::model::access::{Principal, Rotation, Scope, Token};
use crate::model::id::{AccountId, TokenId};
use crate::store::document::Document;
use crate::store::{Error as StoreError, Mutation};

/// How long the secret before stays good where the caller does not say: a day's work of changing it.
const OVERLAP_DEFAULT: SignedDuration = SignedDuration::from_hours(24);
/// Longest overlap: who needs longer makes another token.
const OVERLAP_MAX: SignedDuration = SignedDuration::from_hours(30 * 24);

/// How a token is to get its new secret.
#[derive(Debug, Clone, Default)]
pub struct NewSecret {
    /// For how long the present one stays good; `None` for a day.
    pub overlap: Option<SignedDuration>,
    /// A UUID by which a repeat is known; empty for none.
    pub request_id: String,
}

impl NewSecret {
    fn checked(&self) -> Result<(SignedDuration, Option<Uuid>), Invalid> {
        let overlap = self.overlap.unwrap_or(OVERLAP_DEFAULT);
        if overlap.is_negative() || overlap > OVERLAP_MAX {
            let most = OVERLAP_MAX.as_secs();
            return Err(Invalid::new("overlap", format!("0 to {most} s, got {overlap:#}")));
        }
        let refuse = |_| Invalid::new("request_id", "a request id is a UUID, or empty");
        let request_id = (!self.request_id.is_empty()).then(|| Uuid::try_parse(&self.request_id).map_err(refuse));
        Ok((overlap, request_id.transpose()?))
    }
}

impl Waymark {
    /// Gives a token a new secret, and the secret once. Its administrators, or the operator.
    pub async fn rotate_token(
        &self,
        principal: &Principal,
        account: Option<&AccountId>,
        id: TokenId,
        new: &NewSecret,
    ) -> Result<(Token, String), Error> {
        self.administered(principal, account)?;
        let (overlap, request_id) = new.checked()?;
        let resource = Resource::Token(account.cloned(), id);
        let known = self.parts.live.token(id).filter(|token| token.account.as_ref() == account);
        let known = known.ok_or_else(|| Error::NotFound(resource.clone()))?;
        for _ in 0..ATTEMPTS_MAX {
            let record = self.parts.store.get(key_of(&known)).await?;
            let record = record.ok_or_else(|| Error::NotFound(resource.clone()))?;
            let token = token_in(&record)?;
            check(principal, &token, &resource, self.now())?;
            let (rotated, random) = self.rotated(&token, overlap, request_id)?;
            let done = match rotated {
                None => self.parts.store.settle(record).await.map(|()| token),
                Some(rotated) => {
                    let write = Mutation::replace(record.key, record.revision, Document::Token(rotated.clone()));
                    self.parts.store.commit(vec![write]).await.map(|_| rotated)
                }
            };
            match done {
                Ok(token) => return Ok((token, secret::format(id, &random))),
                Err(StoreError::Conflict { .. }) => {}
                Err(cause) => return Err(cause.into()),
            }
        }
        Err(Error::Contention(resource.to_string()))
    }

    /// The token with its next secret, `None` where it has it already and the call is a repeat; and the secret.
    fn rotated(
        &self,
        token: &Token,
        overlap: SignedDuration,
        request_id: Option<Uuid>,
    ) -> Result<(Option<Token>, [u8; 32]), Error> {
        let now = self.now();
        // Derived from the secret before, so that a request id which is used again later brings no former secret back.
        let derive = |id: Uuid, before: &[u8; 32]| {
            let name = token.id.to_string();
            self.sealer.derive("rotated-token-secret", &[name.as_bytes(), id.as_bytes(), before])
        };
        if let (Some(id), Some(last)) = (request_id, &token.rotation) {
            let random = derive(id, &last.previous_hash);
            if hash_secret(&random) == token.secret_hash {
                return Ok((None, random));
            }
        }
        if let Some(last) = token.rotation.as_ref().filter(|last| now < last.previous_ends_at)
            && !overlap.is_zero()
        {
            // A third secret would end the first, which may be the only one that somebody has.
            return Err(Error::TokenRotating(last.previous_ends_at));
        }
        let random = match request_id {
            Some(id) => derive(id, &token.secret_hash),
            None => random_bytes()?,
        };
        let rotation = Rotation {
            number: token.secret_number().saturating_add(1),
            previous_hash: token.secret_hash,
            previous_ends_at: now.checked_add(overlap).unwrap_or(Timestamp::MAX),
        };
        let token = Token { secret_hash: hash_secret(&random), rotation: Some(rotation), ..token.clone() };
        Ok((Some(token), random))
    }
}

/// Refuses what gets no new secret here.
fn check(principal: &Principal, token: &Token, resource: &Resource, now: Timestamp) -> Result<(), Error> {
    let refuse = |why: &str| Err(Invalid::new("name", why).into());
    match token.scope {
        Scope::Agent => return refuse("an agent's credential is made by its activation alone"),
        Scope::Resident => return refuse("a resident's token is made by accepting an invitation alone"),
        Scope::Admin
        | Scope::Editor
        | Scope::Viewer
        | Scope::Enrollment
        | Scope::Service
        | Scope::Wallboard
        | Scope::Field => {}
    }
    if token.certificate.is_some() {
        return refuse("its bearer has a certificate and no secret: renew the certificate, or make another token");
    }
    if token.revoked_at.is_some() || is_past(token.expires_at, now) {
        return Err(Error::TokenEnded(resource.clone()));
    }
    // The secret would be one that reads contacts, in the hands of who does not.
    if token.contacts.are_masked() { Ok(()) } else { require_contacts(principal) }
}
