//! What memory keeps of a record, packed besides, so that a start reads no JSON: it took half of the time.
//!
//! Only ever a copy of what the document says: where there is none, or one of another layout, the document is read.

use serde::{Deserialize, Serialize};

use super::document::Document;
use super::{Kind, Loaded};
use crate::model::access::{Scope, Token};
use crate::model::sketch::SiteSketch;

/// Stands first in what is packed. To be raised whenever a packed type changes: fields are told apart by their
/// order alone. A test holds the bytes.
pub(super) const LAYOUT: u8 = 13;

/// The copy for a document, where memory keeps something of it and reading that from JSON would be slow: there are as
/// many sites and tokens as there are agents, and few accounts.
pub(super) fn pack(document: &Document) -> Option<Vec<u8>> {
    match document {
        Document::Token(token) => packed(token),
        Document::Site(site) => packed(&SiteSketch::from(&**site)),
        Document::Account(_)
        | Document::SiteName(_)
        | Document::Agent(_)
        | Document::Request(_)
        | Document::Secret(_)
        | Document::Prefix(_)
        | Document::Located(_)
        | Document::Reestimation(_)
        | Document::Change(_)
        | Document::PastText(_)
        | Document::Connection(_)
        | Document::Verification(_)
        | Document::Lease(_)
        | Document::ResidentAccess(_)
        | Document::SiteDevices(_)
        | Document::Mail(_)
        | Document::Audit(_)
        | Document::TokenUse(_)
        | Document::Share(_) => None,
    }
}

/// A record without its copy is whole: it is only slower to read.
fn packed<T: Serialize>(kept: &T) -> Option<Vec<u8>> {
    postcard::to_allocvec(&(LAYOUT, kept)).ok()
}

/// An agent's token in one piece. There are as many as sites, and few are asked for: a third of the room, and one
/// allocation instead of five.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedToken(Box<[u8]>);

impl PackedToken {
    /// The token, packed; `None` for one that is no agent's.
    #[must_use]
    pub fn of(token: &Token) -> Option<Self> {
        (token.scope == Scope::Agent).then(|| packed(token)).flatten().map(|bytes| Self(bytes.into()))
    }

    /// The token.
    #[must_use]
    pub fn open(&self) -> Option<Token> {
        let (_, kept) = self.0.split_first()?;
        postcard::from_bytes(kept).ok()
    }
}

/// The first fields of a token, borrowed.
#[derive(Deserialize)]
struct TokenHead<'a> {
    id: &'a str,
    _secret_hash: [u8; 32],
    _display_name: &'a str,
    scope: Scope,
    account: Option<&'a str>,
}

fn unpack_token<'row>(bytes: &'row [u8], kept: &'row [u8]) -> Option<Loaded<'row>> {
    let (head, _) = postcard::take_from_bytes::<TokenHead<'_>>(kept).ok()?;
    match (head.scope, head.account) {
        (Scope::Agent, Some(account)) => {
            Some(Loaded::AgentToken { id: head.id.parse().ok()?, account, token: PackedToken(bytes.into()) })
        }
        _ => postcard::from_bytes(kept).ok().map(Loaded::Token),
    }
}

/// What `bytes` hold; `None` where only the document can tell.
pub(super) fn unpack(kind: Kind, bytes: &[u8]) -> Option<Loaded<'_>> {
    let (&LAYOUT, kept) = bytes.split_first()? else { return None };
    match kind {
        Kind::Token => unpack_token(bytes, kept),
        Kind::Site => postcard::from_bytes(kept).ok().map(Loaded::Site),
        Kind::Account
        | Kind::SiteName
        | Kind::Agent
        | Kind::Request
        | Kind::Secret
        | Kind::Prefix
        | Kind::Located
        | Kind::Reestimation
        | Kind::Change
        | Kind::PastText
        | Kind::Connection
        | Kind::Verification
        | Kind::Lease
        | Kind::ResidentAccess
        | Kind::SiteDevices
        | Kind::Mail
        | Kind::Audit
        | Kind::TokenUse
        | Kind::Share => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::access::{Contacts, Positions};
    use crate::model::assignment::Assignment;
    use crate::model::id::{AccountId, SiteId, TokenId};
    use crate::model::site::Site;
    use jiff::Timestamp;

    fn token() -> Token {
        Token {
            id: TokenId::MIN,
            secret_hash: std::array::from_fn(|at| u8::try_from(at).unwrap()),
            display_name: "dashboard".to_owned(),
            scope: Scope::Viewer,
            account: Some("acme".parse().unwrap()),
            agent: Some((SiteId::from_u128(7), "fw:1".parse().unwrap())),
            created_at: Timestamp::UNIX_EPOCH,
            expires_at: None,
            revoked_at: Some(Timestamp::new(1_700_000_000, 5).unwrap()),
            contacts: Contacts::Masked,
            rotation: None,
            certificate: None,
            positions: Positions::Approximate,
            assigned: Some(Assignment::parse("labels.a = b").unwrap()),
        }
    }

    #[test]
    fn what_is_packed_comes_back() {
        let packed = pack(&Document::Token(token())).unwrap();
        let Some(Loaded::Token(found)) = unpack(Kind::Token, &packed) else { panic!("{packed:?}") };
        assert_eq!(found, token());
        assert!(unpack(Kind::Site, &packed).is_none(), "a token is no site");
    }

    #[test]
    fn an_agents_token_stays_packed() {
        let agents = Token { scope: Scope::Agent, ..token() };
        let packed = pack(&Document::Token(agents.clone())).unwrap();
        let Some(Loaded::AgentToken { id, account, token: found }) = unpack(Kind::Token, &packed) else {
            panic!("{packed:?}")
        };
        assert_eq!((id, Some(account)), (agents.id, agents.account.as_ref().map(AccountId::as_str)));
        assert_eq!(found.open(), Some(agents.clone()));
        assert_eq!(PackedToken::of(&agents), Some(found));
        assert_eq!(PackedToken::of(&token()), None);
    }

    /// Files out there hold these bytes: whoever has to change them here raises [`LAYOUT`].
    #[test]
    fn the_layout_is_the_one_that_files_hold() {
        let now = Timestamp::new(1_700_000_000, 5).unwrap();
        let site = Site { id: SiteId::from_u128(7), ..Site::new("acme".parse().unwrap(), "Malmö".to_owned(), now) };
        let hex = |document| {
            let digits = pack(&document).unwrap().into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
            digits.map(|digit| char::from_digit(digit.into(), 16).unwrap()).collect::<String>()
        };
        assert_eq!(
            hex(Document::Site(Box::new(site))),
            concat!(
                "0d10000000000000000000000000000000070461636d65064d616c6dc3b6000000000000000000000000000000",
                "80c49fd50c0a80c49fd50c0a0000",
            )
        );
        assert_eq!(
            hex(Document::Token(token())),
            concat!(
                "0d1030303030303030303030303030303030000102030405060708090a0b0c0d0e0f101112131415161718191a",
                "1b1c1d1e1f0964617368626f61726402010461636d650110000000000000000000000000000000070466773a31",
                "0000000180c49fd50c0a01000001010e6c6162656c732e61203d20226222",
            )
        );
    }
}
