//! Request ids: repeats of a call change nothing more, and answer with the site of the first.

use jiff::Timestamp;
use serde::Serialize;

use super::sites::hash_of;
use super::{ATTEMPTS_MAX, Error, Versioned, Waymark};
use crate::model::Invalid;
use crate::model::id::{AccountId, SiteId};
use crate::model::site::Site;
use crate::store::document::{AnsweredRequest, Document};
use crate::store::{Error as StoreError, Key, Kind, Mutation};

/// A request id together with what it was used for.
pub(super) struct RequestId {
    pub(super) key: Key,
    hash: [u8; 32],
}

impl RequestId {
    /// The request id, `None` for an empty one; refuses what is no UUID.
    pub(super) fn parse(account: &AccountId, text: &str, request: &impl Serialize) -> Result<Option<Self>, Invalid> {
        if text.is_empty() {
            return Ok(None);
        }
        let uuid =
            uuid::Uuid::try_parse(text).map_err(|_| Invalid::new("request_id", "a request id is a UUID, or empty"))?;
        Ok(Some(Self { key: Key::of(account, Kind::Request, uuid), hash: hash_of(request) }))
    }

    /// What keeps that it was answered with a site.
    pub(super) fn answered(&self, site: SiteId, at: Timestamp) -> Mutation {
        let answer = AnsweredRequest { request_hash: self.hash, site, answered_at: at };
        Mutation::create(self.key.clone(), Document::Request(answer))
    }
}

impl Waymark {
    /// The site that an earlier call with this request id made or changed.
    pub(super) async fn find_answer(
        &self,
        account: &AccountId,
        request: &RequestId,
    ) -> Result<Option<Versioned<Site>>, Error> {
        match self.find_answered(request).await? {
            Some(answer) => self.find_site(account, answer.site).await,
            None => Ok(None),
        }
    }

    /// Whether this very request was answered already.
    pub(super) async fn is_answered(&self, request: &RequestId) -> Result<bool, Error> {
        Ok(self.find_answered(request).await?.is_some())
    }

    /// The answer, as safe as the call that had it was promised to be: that one may have heard that its outcome is unknown.
    async fn find_answered(&self, request: &RequestId) -> Result<Option<AnsweredRequest>, Error> {
        for _ in 0..ATTEMPTS_MAX {
            let Some(record) = self.parts.store.get(request.key.clone()).await? else { return Ok(None) };
            let Document::Request(answer) = &record.document else { return Err(Error::Mismatched { key: record.key }) };
            if answer.request_hash != request.hash {
                return Err(Error::RequestIdReused);
            }
            let answer = answer.clone();
            match self.parts.store.settle(record).await {
                Ok(()) => return Ok(Some(answer)),
                // Another repeat was faster, or the call was undone.
                Err(StoreError::Conflict { .. }) => {}
                Err(cause) => return Err(cause.into()),
            }
        }
        Err(Error::Contention(format!("request id {}", request.key.id)))
    }
}
