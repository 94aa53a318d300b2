//! `ConnectWise` Manage: `company/companies` and their `sites`, by page and page size, with a `link` to the next page.

use async_trait::async_trait;
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use serde_json::Value;

use super::client::{Client, Request, id_of};
use super::{
    Address, Connector, Error, ExternalSite, Listed, Named, Organization, PAGE_SIZE, next_page, page_number, read_all,
    read_one, shows_any, text_of, web,
};

/// The version of the API whose documentation this follows.
const ACCEPTED: &str = "application/vnd.connectwise.com+json; version=2022.1";
/// What is asked of a company, so that a page stays small.
const COMPANY_FIELDS: &str = "id,name,addressLine1,addressLine2,city,state,zip,country/name,deletedFlag";
/// What is asked of a site.
const SITE_FIELDS: &str = "id,name,addressLine1,addressLine2,city,stateReference/name,zip,country/name,inactiveFlag";

/// The connector.
#[derive(Debug)]
pub(super) struct ConnectWise(Client);

impl ConnectWise {
    pub(super) fn new(client: Client) -> Self {
        Self(client)
    }

    /// The headers of every request: those of the login, and the version that is spoken.
    pub(super) fn headers(mut login: HeaderMap) -> HeaderMap {
        login.insert(ACCEPT, HeaderValue::from_static(ACCEPTED));
        login
    }

    async fn list<T: Named>(
        &self,
        request: Request<'_>,
        page: Option<&str>,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Listed<T>, Error> {
        let number = page_number(&self.0, page)?;
        let request = request.with("page", number).with("pageSize", PAGE_SIZE).with("orderBy", "id asc");
        let answer = self.0.list::<Vec<Value>>(request).await?;
        let items = read_all(&self.0, &answer.value, read)?;
        Ok(Listed { items, next: next_page(number, answer.has_next) })
    }
}

fn company(value: &Value) -> Option<Organization> {
    if value["deletedFlag"] == true {
        return None;
    }
    let name = text_of(value, "name");
    Some(Organization { id: id_of(&value["id"])?, name, address: address(value, &text_of(value, "state")) })
}

fn site(value: &Value) -> Option<ExternalSite> {
    let region = text_of(&value["stateReference"], "name");
    let name = text_of(value, "name");
    Some(ExternalSite { id: id_of(&value["id"])?, name, address: address(value, &region) })
}

fn address(value: &Value, region: &str) -> Address {
    let lines = [text_of(value, "addressLine1"), text_of(value, "addressLine2")];
    Address {
        street: lines.join(" ").trim().to_owned(),
        city: text_of(value, "city"),
        region: region.to_owned(),
        postal_code: text_of(value, "zip"),
        country: text_of(&value["country"], "name"),
    }
}

/// A condition on names. Quotes and wildcards of the search are left out: they would end the text or match anything.
fn condition(search: &str) -> String {
    let plain: String = search.chars().filter(|c| !c.is_control() && !"\"'\\%*".contains(*c)).collect();
    let named = if plain.trim().is_empty() { String::new() } else { format!(" and name like \"%{}%\"", plain.trim()) };
    format!("deletedFlag = false{named}")
}

#[async_trait]
impl Connector for ConnectWise {
    async fn check(&self) -> Result<bool, Error> {
        let request = Request::get(&["company", "companies"]).with("pageSize", 1).with("fields", "id");
        let answer = self.0.list::<Vec<Value>>(request).await?;
        shows_any(&self.0, &answer.value)
    }

    async fn organization(&self, id: &str) -> Result<Option<Organization>, Error> {
        let request = Request::get(&["company", "companies", id]).with("fields", COMPANY_FIELDS);
        read_one(&self.0, id, self.0.find::<Value>(request).await?.as_ref(), company)
    }

    async fn site(&self, organization: &str, id: &str) -> Result<Option<ExternalSite>, Error> {
        let request = Request::get(&["company", "companies", organization, "sites", id]).with("fields", SITE_FIELDS);
        read_one(&self.0, id, self.0.find::<Value>(request).await?.as_ref(), site)
    }

    async fn organizations(&self, search: &str, page: Option<&str>) -> Result<Listed<Organization>, Error> {
        let request = Request::get(&["company", "companies"]).with("fields", COMPANY_FIELDS);
        self.list(request.with("conditions", condition(search)), page, company).await
    }

    async fn sites(&self, organization: &str, page: Option<&str>) -> Result<Listed<ExternalSite>, Error> {
        let request = Request::get(&["company", "companies", organization, "sites"]).with("fields", SITE_FIELDS);
        self.list(request, page, site).await
    }

    fn web_page(&self, organization: &str) -> Option<String> {
        web::page(self.0.system(), self.0.base(), None, organization)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_search_stays_within_its_text() {
        for (search, expect) in [
            ("", "deletedFlag = false"),
            ("Acme", "deletedFlag = false and name like \"%Acme%\""),
            ("x\" or id > 0 or name=\"", "deletedFlag = false and name like \"%x or id > 0 or name=%\""),
            ("%\\*'", "deletedFlag = false"),
        ] {
            assert_eq!(super::condition(search), expect, "{search}");
        }
    }
}
