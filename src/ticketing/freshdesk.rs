//! Freshdesk: `companies`, by page, with a `link` to the next page; a search by words of a name has one page. They have
//! neither sites nor addresses.

use async_trait::async_trait;
use serde_json::Value;

use super::client::{Client, Request, id_of};
use super::{
    Address, Connector, Error, ExternalSite, Listed, Organization, PAGE_SIZE, list_in, next_page, page_number,
    read_all, read_one, text_of, web,
};

/// Where companies are.
const COMPANIES: [&str; 3] = ["api", "v2", "companies"];

/// The connector.
#[derive(Debug)]
pub(super) struct Freshdesk(pub(super) Client);

fn company(value: &Value) -> Option<Organization> {
    Some(Organization { id: id_of(&value["id"])?, name: text_of(value, "name"), address: Address::default() })
}

impl Freshdesk {
    fn below(last: &str) -> Request<'_> {
        let [api, version, companies] = COMPANIES;
        Request::get(&[api, version, companies, last])
    }
}

#[async_trait]
impl Connector for Freshdesk {
    async fn check(&self) -> Result<bool, Error> {
        self.organizations("", None).await.map(|listed| !listed.items.is_empty())
    }

    async fn organization(&self, id: &str) -> Result<Option<Organization>, Error> {
        read_one(&self.0, id, self.0.find::<Value>(Self::below(id)).await?.as_ref(), company)
    }

    async fn site(&self, _organization: &str, _id: &str) -> Result<Option<ExternalSite>, Error> {
        Ok(None)
    }

    async fn organizations(&self, search: &str, page: Option<&str>) -> Result<Listed<Organization>, Error> {
        if !search.is_empty() {
            let answer = self.0.list::<Value>(Self::below("autocomplete").with("name", search)).await?.value;
            let items = read_all(&self.0, list_in(&self.0, &answer, "companies")?, company)?;
            return Ok(Listed { items, next: None });
        }
        let number = page_number(&self.0, page)?;
        let request = Request::get(&COMPANIES).with("page", number).with("per_page", PAGE_SIZE);
        let answer = self.0.list::<Vec<Value>>(request).await?;
        let items = read_all(&self.0, &answer.value, company)?;
        Ok(Listed { items, next: next_page(number, answer.has_next) })
    }

    async fn sites(&self, _organization: &str, _page: Option<&str>) -> Result<Listed<ExternalSite>, Error> {
        Ok(Listed { items: Vec::new(), next: None })
    }

    fn web_page(&self, organization: &str) -> Option<String> {
        web::page(self.0.system(), self.0.base(), None, organization)
    }
}
