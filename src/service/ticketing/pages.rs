//! The web pages that links lead to: made of the connections of their systems, and of what those systems said of their pages
//! when they were checked.

use std::collections::BTreeSet;

use reqwest::Url;

use super::key_of;
use crate::model::id::{AccountId, Revision};
use crate::model::site::TicketingLink;
use crate::model::ticketing::System;
use crate::service::{Error, Versioned, Waymark};
use crate::store::document::Document;
use crate::store::{Error as StoreError, Mutation};
use crate::ticketing::{Connector, web};

/// What tells the pages of one system.
#[derive(Debug)]
struct Pages {
    system: System,
    base: Url,
    /// Where the system itself says that they are.
    told: Option<Url>,
}

/// What links without a web page get theirs from.
#[derive(Debug, Default)]
pub(in crate::service) struct LinkPages(Vec<Pages>);

impl LinkPages {
    /// Gives links without a page theirs, where it is known.
    pub(in crate::service) fn fill(&self, links: &mut [TicketingLink]) {
        for link in links.iter_mut().filter(|link| link.uri.is_empty()) {
            let known = self.0.iter().find(|known| link.system == known.system.facts().name);
            let page = |known: &Pages| web::page(known.system, &known.base, known.told.as_ref(), &link.organization_id);
            link.uri = known.and_then(page).unwrap_or_default();
        }
    }
}

impl Waymark {
    /// What tells the pages of those of the links that have none.
    pub(in crate::service) async fn link_pages(
        &self,
        account: &AccountId,
        links: &[TicketingLink],
    ) -> Result<LinkPages, Error> {
        let bare = links.iter().filter(|link| link.uri.is_empty());
        let systems: BTreeSet<System> = bare.filter_map(|link| System::parse(&link.system)).collect();
        let mut pages = Vec::new();
        for system in systems {
            let Some(Versioned { value: found, .. }) = self.find_connection(account, system).await? else { continue };
            let told = found.web_url.as_deref().and_then(|url| Url::parse(url).ok());
            pages.extend(Url::parse(&found.base_url).ok().map(|base| Pages { system, base, told }));
        }
        Ok(LinkPages(pages))
    }

    /// Keeps with a connection where its system says that its pages are, once that was asked, and where it is news. Gives the
    /// version of the connection that the connector is of then. It was got when the connection was of this version, or later.
    pub(super) async fn keep_web_url(
        &self,
        account: &AccountId,
        system: System,
        revision: Revision,
        connector: &dyn Connector,
    ) -> Result<Revision, Error> {
        let Some(told) = connector.web_url() else { return Ok(revision) };
        // One that was changed meanwhile has another connector, which is told anew.
        let found = self.find_connection(account, system).await?.filter(|found| found.revision == revision);
        let Some(Versioned { value: mut connection, .. }) = found else { return Ok(revision) };
        if connection.web_url.as_deref() == Some(told.as_str()) {
            return Ok(revision);
        }
        connection.web_url = Some(told.to_string());
        let document = Document::Connection(Box::new(connection));
        match self.parts.store.commit(vec![Mutation::replace(key_of(account, system), revision, document)]).await {
            Ok(kept) => {
                self.ticketing.carry_over(account, system, revision, kept);
                Ok(kept)
            }
            Err(StoreError::Conflict { .. }) => Ok(revision),
            Err(cause) => Err(cause.into()),
        }
    }
}
