//! Zendesk: `organizations`, by cursor; a search by the beginning of a name has pages by number. They have neither sites
//! nor addresses.

use async_trait::async_trait;
use serde_json::Value;

use super::client::{Client, Request, id_of};
use super::error::Cause;
use super::{
    Address, Connector, Error, ExternalSite, Listed, Organization, PAGE_SIZE, list_in, next_page, page_number,
    read_all, read_one, text_of, web,
};

/// Longest cursor that is believed, in bytes.
const CURSOR_BYTES_MAX: usize = 1_024;
/// Where all methods are.
const ROOT: [&str; 2] = ["api", "v2"];

/// The connector.
#[derive(Debug)]
pub(super) struct Zendesk(pub(super) Client);

fn organization(value: &Value) -> Option<Organization> {
    // A deleted one is told for a while, with the time at which it went.
    if value["deleted_at"].is_string() {
        return None;
    }
    Some(Organization { id: id_of(&value["id"])?, name: text_of(value, "name"), address: Address::default() })
}

impl Zendesk {
    async fn search(&self, search: &str, page: Option<&str>) -> Result<Listed<Organization>, Error> {
        let number = page_number(&self.0, page)?;
        let path = [ROOT[0], ROOT[1], "organizations", "autocomplete"];
        let request = Request::get(&path).with("name", search).with("page", number).with("per_page", PAGE_SIZE);
        let answer: Value = self.0.list(request).await?.value;
        let items = read_all(&self.0, list_in(&self.0, &answer, "organizations")?, organization)?;
        Ok(Listed { items, next: next_page(number, answer["next_page"].is_string()) })
    }
}

#[async_trait]
impl Connector for Zendesk {
    async fn check(&self) -> Result<bool, Error> {
        self.organizations("", None).await.map(|listed| !listed.items.is_empty())
    }

    async fn organization(&self, id: &str) -> Result<Option<Organization>, Error> {
        let request = Request::get(&[ROOT[0], ROOT[1], "organizations", id]);
        let answer: Option<Value> = self.0.find(request).await?;
        read_one(&self.0, id, answer.as_ref().map(|answer| &answer["organization"]), organization)
    }

    async fn site(&self, _organization: &str, _id: &str) -> Result<Option<ExternalSite>, Error> {
        Ok(None)
    }

    async fn organizations(&self, search: &str, page: Option<&str>) -> Result<Listed<Organization>, Error> {
        if !search.is_empty() {
            return self.search(search, page).await;
        }
        let mut request = Request::get(&[ROOT[0], ROOT[1], "organizations"]).with("page[size]", PAGE_SIZE);
        if let Some(cursor) = page {
            request = request.with("page[after]", cursor);
        }
        let answer: Value = self.0.list(request).await?.value;
        let items = read_all(&self.0, list_in(&self.0, &answer, "organizations")?, organization)?;
        let next = answer["meta"]["after_cursor"].as_str().filter(|_| answer["meta"]["has_more"] == true);
        if next.is_some_and(|cursor| cursor.len() > CURSOR_BYTES_MAX || Some(cursor) == page) {
            return Err(Cause::Malformed("its next page is none").of(self.0.system()));
        }
        Ok(Listed { items, next: next.map(str::to_owned) })
    }

    async fn sites(&self, _organization: &str, _page: Option<&str>) -> Result<Listed<ExternalSite>, Error> {
        Ok(Listed { items: Vec::new(), next: None })
    }

    fn web_page(&self, organization: &str) -> Option<String> {
        web::page(self.0.system(), self.0.base(), None, organization)
    }
}
