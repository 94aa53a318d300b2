//! Freshservice: `departments` (companies in MSP mode) and `locations`, by page, with a `link` to the next page.
//!
//! Locations are the account's and belong to no department, so those of any department are all of them. Departments are
//! found by whole names alone, so a search looks through a page at a time.

use async_trait::async_trait;
use serde_json::Value;

use super::client::{Client, Request, id_of};
use super::{
    Address, Connector, Error, ExternalSite, Listed, Named, Organization, PAGE_SIZE, list_in, next_page, page_number,
    read_all, read_one, text_of, web,
};
use crate::model::text::fold;

/// Where all methods are.
const ROOT: [&str; 2] = ["api", "v2"];

/// The connector.
#[derive(Debug)]
pub(super) struct Freshservice(pub(super) Client);

fn department(value: &Value) -> Option<Organization> {
    Some(Organization { id: id_of(&value["id"])?, name: text_of(value, "name"), address: Address::default() })
}

fn location(value: &Value) -> Option<ExternalSite> {
    let parts = &value["address"];
    let lines = [text_of(parts, "line1"), text_of(parts, "line2")];
    let address = Address {
        street: lines.join(" ").trim().to_owned(),
        city: text_of(parts, "city"),
        region: text_of(parts, "state"),
        postal_code: text_of(parts, "zipcode"),
        country: text_of(parts, "country"),
    };
    Some(ExternalSite { id: id_of(&value["id"])?, name: text_of(value, "name"), address })
}

impl Freshservice {
    async fn list<T: Named>(
        &self,
        things: &str,
        page: Option<&str>,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Listed<T>, Error> {
        let number = page_number(&self.0, page)?;
        let request = Request::get(&[ROOT[0], ROOT[1], things]).with("page", number).with("per_page", PAGE_SIZE);
        let answer = self.0.list::<Value>(request).await?;
        let items = read_all(&self.0, list_in(&self.0, &answer.value, things)?, read)?;
        Ok(Listed { items, next: next_page(number, answer.has_next) })
    }
}

#[async_trait]
impl Connector for Freshservice {
    async fn check(&self) -> Result<bool, Error> {
        self.list("departments", None, department).await.map(|listed| !listed.items.is_empty())
    }

    async fn organization(&self, id: &str) -> Result<Option<Organization>, Error> {
        let request = Request::get(&[ROOT[0], ROOT[1], "departments", id]);
        let answer: Option<Value> = self.0.find(request).await?;
        read_one(&self.0, id, answer.as_ref().map(|answer| &answer["department"]), department)
    }

    async fn site(&self, _organization: &str, id: &str) -> Result<Option<ExternalSite>, Error> {
        let request = Request::get(&[ROOT[0], ROOT[1], "locations", id]);
        let answer: Option<Value> = self.0.find(request).await?;
        read_one(&self.0, id, answer.as_ref().map(|answer| &answer["location"]), location)
    }

    async fn organizations(&self, search: &str, page: Option<&str>) -> Result<Listed<Organization>, Error> {
        let mut listed = self.list("departments", page, department).await?;
        let part = fold(search);
        listed.items.retain(|found| fold(&found.name).contains(&part));
        Ok(listed)
    }

    async fn sites(&self, _organization: &str, page: Option<&str>) -> Result<Listed<ExternalSite>, Error> {
        self.list("locations", page, location).await
    }

    fn web_page(&self, organization: &str) -> Option<String> {
        web::page(self.0.system(), self.0.base(), None, organization)
    }
}
