//! Syncro: `customers`, by page, with the number of pages in `meta`. Customers have no sites of their own.

use async_trait::async_trait;
use serde_json::Value;

use super::client::{Client, Request, id_of};
use super::{
    Address, Connector, Error, ExternalSite, Listed, Organization, list_in, next_page, page_number, read_all, read_one,
    text_of, web,
};

/// The connector.
#[derive(Debug)]
pub(super) struct Syncro(pub(super) Client);

/// A customer is called by its business, and where it has none by its person.
fn customer(value: &Value) -> Option<Organization> {
    let person = [text_of(value, "firstname"), text_of(value, "lastname")].join(" ");
    let names = [text_of(value, "business_name"), text_of(value, "fullname"), person.trim().to_owned()];
    let lines = [text_of(value, "address"), text_of(value, "address_2")];
    let address = Address {
        street: lines.join(" ").trim().to_owned(),
        city: text_of(value, "city"),
        region: text_of(value, "state"),
        postal_code: text_of(value, "zip"),
        country: String::new(),
    };
    let name = names.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
    Some(Organization { id: id_of(&value["id"])?, name, address })
}

#[async_trait]
impl Connector for Syncro {
    async fn check(&self) -> Result<bool, Error> {
        self.organizations("", None).await.map(|listed| !listed.items.is_empty())
    }

    async fn organization(&self, id: &str) -> Result<Option<Organization>, Error> {
        let answer: Option<Value> = self.0.find(Request::get(&["customers", id])).await?;
        read_one(&self.0, id, answer.as_ref().map(|answer| &answer["customer"]), customer)
    }

    async fn site(&self, _organization: &str, _id: &str) -> Result<Option<ExternalSite>, Error> {
        Ok(None)
    }

    async fn organizations(&self, search: &str, page: Option<&str>) -> Result<Listed<Organization>, Error> {
        let number = page_number(&self.0, page)?;
        let mut request = Request::get(&["customers"]).with("page", number);
        if !search.is_empty() {
            request = request.with("query", search);
        }
        let answer: Value = self.0.list(request).await?.value;
        let items = read_all(&self.0, list_in(&self.0, &answer, "customers")?, customer)?;
        let pages = answer["meta"]["total_pages"].as_u64().unwrap_or(0);
        Ok(Listed { items, next: next_page(number, u64::from(number) < pages) })
    }

    async fn sites(&self, _organization: &str, _page: Option<&str>) -> Result<Listed<ExternalSite>, Error> {
        Ok(Listed { items: Vec::new(), next: None })
    }

    fn web_page(&self, organization: &str) -> Option<String> {
        web::page(self.0.system(), self.0.base(), None, organization)
    }
}
