//! Tokens whose bearer is known by a certificate: made by the operator, whose authorities sign those, and used by whoever connects
//! with one and brings no token.

use super::access::is_past;
use super::accounts::require_operator;
use super::error::Resource;
use super::tokens::NewToken;
use super::{Error, Waymark, call};
use crate::model::Invalid;
use crate::model::access::{Principal, Scope, Token};
use crate::model::certificate::{Binding, ClientCertificate};

/// What a caller shows of who they are. Nothing prints it.
#[derive(Clone, Copy)]
pub enum Credential<'a> {
    /// The secret of a token, or a token of an identity provider.
    Secret(&'a str),
    /// The certificate of the connection, which its listener found good.
    Certificate(&'a ClientCertificate),
}

impl std::fmt::Debug for Credential<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Secret(_) => "Secret",
            Self::Certificate(_) => "Certificate",
        })
    }
}

impl Waymark {
    /// Makes a token that has no secret: its bearer is whoever connects with such a certificate. The operator alone, because a
    /// name means what the operator's authorities mean by it; and for machines alone, because a browser shows a certificate
    /// without being told to.
    pub async fn create_certified_token(
        &self,
        principal: &Principal,
        new: NewToken,
        binding: Binding,
    ) -> Result<Token, Error> {
        // Nobody gets to know the secret that its hash is of.
        let (token, _) = self.new_token(principal, new)?;
        require_operator(principal)?;
        if !matches!(token.scope, Scope::Enrollment | Scope::Service) {
            return Err(
                Invalid::new("token.scope", "a token of a certificate has the scope ENROLLMENT or SERVICE").into()
            );
        }
        // Two that are made at once may both come through: then nobody is let in by either.
        let now = self.now();
        let is_good = |other: &Token| other.revoked_at.is_none() && !is_past(other.expires_at, now);
        let others = self.parts.live.tokens_known_by(std::slice::from_ref(&binding));
        if let Some(other) = others.iter().find(|other| is_good(other)) {
            return Err(Error::Exists(Resource::Token(other.account.clone(), other.id)));
        }
        let token = Token { certificate: Some(binding), ..token };
        self.put_token(&token).await?;
        Ok(token)
    }

    /// Who shows this. One answer for unknown, expired and revoked ones.
    pub fn identify(&self, credential: Credential<'_>) -> Result<Principal, Error> {
        match credential {
            Credential::Secret(secret) => self.authenticate(secret),
            Credential::Certificate(certificate) => self.authenticate_certificate(certificate),
        }
    }

    /// Who connects with this certificate. Nobody where several good tokens know it: none of them is meant more than another.
    pub fn authenticate_certificate(&self, shown: &ClientCertificate) -> Result<Principal, Error> {
        let known = self.parts.live.tokens_known_by(shown.known_by());
        let mut good = known.iter().filter_map(|token| self.principal_of(token.id, token.secret_number()).ok());
        let (Some(principal), None) = (good.next(), good.next()) else { return Err(Error::Certificate) };
        self.uses.note(principal.token, principal.scope, self.now());
        call::is_by(&principal);
        Ok(principal)
    }
}
