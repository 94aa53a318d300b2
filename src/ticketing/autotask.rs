//! Datto Autotask: the zone is asked for first; then `Companies` and `CompanyLocations`, by queries in JSON.
//!
//! The next page of a query is told as a URL. Its query alone is used, below the zone: nobody is sent elsewhere by an
//! answer.

use std::fmt;

use async_trait::async_trait;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::client::{Client, Request, id_of};
use super::error::Cause;
use super::{
    Address, Connector, Error, ExternalSite, Listed, Named, Organization, PAGE_SIZE, checked_page, list_in, read_all,
    read_one, shows_any, text_of, web,
};

/// Where zones stand, beside the host that is asked first.
const DOMAIN: &str = ".autotask.net";
/// Longest query of a next page that is believed, in bytes.
const NEXT_BYTES_MAX: usize = 2_048;
/// The version of the API.
const VERSION: &str = "v1.0";

/// The connector.
pub(super) struct Autotask {
    first: Client,
    user_name: String,
    zone: OnceCell<Zone>,
}

impl fmt::Debug for Autotask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Autotask").field("first", &self.first).field("zone", &self.zone).finish_non_exhaustive()
    }
}

/// Where the user's data is.
#[derive(Debug)]
struct Zone {
    client: Client,
    web: Option<Url>,
}

/// What tells the zone.
#[derive(Deserialize)]
struct ZoneInformation {
    url: String,
    #[serde(default, rename = "webUrl")]
    web_url: String,
}

impl Autotask {
    pub(super) fn new(first: Client, user_name: String) -> Self {
        Self { first, user_name, zone: OnceCell::new() }
    }

    async fn zone(&self) -> Result<&Zone, Error> {
        self.zone.get_or_try_init(|| self.ask_zone()).await
    }

    async fn ask_zone(&self) -> Result<Zone, Error> {
        let request = Request::get(&[VERSION, "zoneInformation"]).with("user", &self.user_name);
        let told = self.first.list::<ZoneInformation>(request).await?.value;
        let refuse = || self.first.malformed("its zone is not one of Autotask's");
        let is_theirs = |url: &Url| {
            let host = url.host_str().unwrap_or_default();
            let is_same = Some(host) == self.first.base().host_str();
            let domain = |host: &str| host.to_ascii_lowercase().ends_with(DOMAIN);
            is_same || (domain(host) && self.first.base().host_str().is_some_and(domain))
        };
        // The credentials go there: so it is checked as the first one was, and stays within their domain.
        let url = self.first.guard().check(&told.url).ok().filter(is_theirs).ok_or_else(refuse)?;
        // It becomes links that people follow, so it is held to the same rules; without it the zone does all the same.
        let web = self.first.guard().check(&told.web_url).ok().filter(is_theirs);
        Ok(Zone { client: self.first.at(url), web })
    }

    async fn query<T: Named>(
        &self,
        entity: &str,
        filter: Value,
        page: Option<&str>,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Listed<T>, Error> {
        let client = &self.zone().await?.client;
        let mut path = vec![VERSION, entity, "query"];
        let mut parameters = Vec::new();
        let this = page.map(|text| serde_json::from_str::<Place>(text).map_err(|_| Cause::Cursor.of(client.system())));
        let this = this.transpose()?;
        let number = checked_page(client, Some(this.as_ref().map_or(1, |place| place.0)))?;
        if let Some(Place(_, next)) = &this {
            path.push("next");
            parameters.extend(next.iter().map(|(name, value)| (name.as_str(), value.clone())));
        }
        // The next page is asked for with the same query beside it.
        let body = Some(json!({"MaxRecords": PAGE_SIZE, "filter": filter}));
        let answer: Value = client.list(Request { path, parameters, body }).await?.value;
        let values = list_in(client, &answer, "items")?;
        let items = read_all(client, values, read)?;
        let url = answer["pageDetails"]["nextPageUrl"].as_str().filter(|url| !url.is_empty());
        let next =
            url.map(|url| query_of(url).ok_or_else(|| client.malformed("its next page is no URL"))).transpose()?;
        let Some(next) = next else { return Ok(Listed { items, next: None }) };
        // Otherwise the list would be read for ever.
        if values.is_empty() || this.is_some_and(|place| place.1 == next) {
            return Err(client.malformed("its next page leads nowhere"));
        }
        let next = serde_json::to_string(&Place(number + 1, next)).expect("a list of texts is JSON");
        Ok(Listed { items, next: Some(next) })
    }
}

/// Where a list goes on: the number of the page, and the query that asks for it.
#[derive(Serialize, Deserialize)]
struct Place(u32, Vec<(String, String)>);

/// The query of a next page's URL.
fn query_of(url: &str) -> Option<Vec<(String, String)>> {
    let url = Url::parse(url).ok().filter(|url| url.query().is_some_and(|query| query.len() <= NEXT_BYTES_MAX))?;
    Some(url.query_pairs().into_owned().collect())
}

fn company(value: &Value) -> Option<Organization> {
    let name = text_of(value, "companyName");
    Some(Organization { id: id_of(&value["id"])?, name, address: address(value) })
}

fn location(value: &Value) -> Option<ExternalSite> {
    let name = text_of(value, "name");
    Some(ExternalSite { id: id_of(&value["id"])?, name, address: address(value) })
}

/// Countries are told by numbers that only the system itself explains, so they are left out.
fn address(value: &Value) -> Address {
    let lines = [text_of(value, "address1"), text_of(value, "address2")];
    Address {
        street: lines.join(" ").trim().to_owned(),
        city: text_of(value, "city"),
        region: text_of(value, "state"),
        postal_code: text_of(value, "postalCode"),
        country: String::new(),
    }
}

/// An id as a number: it has the form of one.
fn number(id: &str) -> Value {
    id.parse::<u64>().map_or_else(|_| json!(id), |number| json!(number))
}

#[async_trait]
impl Connector for Autotask {
    async fn check(&self) -> Result<bool, Error> {
        let client = &self.zone().await?.client;
        let body =
            json!({"MaxRecords": 1, "IncludeFields": ["id"], "filter": [{"op": "gte", "field": "id", "value": 0}]});
        let request = Request { body: Some(body), ..Request::get(&[VERSION, "Companies", "query"]) };
        let answer: Value = client.list(request).await?.value;
        shows_any(client, list_in(client, &answer, "items")?)
    }

    async fn organization(&self, id: &str) -> Result<Option<Organization>, Error> {
        let client = &self.zone().await?.client;
        let answer: Option<Value> = client.find(Request::get(&[VERSION, "Companies", id])).await?;
        // A company that is not there is told by an item that is nothing.
        let item = answer.as_ref().map(|answer| answer.get("item").unwrap_or(answer)).filter(|item| !item.is_null());
        read_one(client, id, item, company)
    }

    async fn site(&self, organization: &str, id: &str) -> Result<Option<ExternalSite>, Error> {
        let filter = json!([
            {"op": "eq", "field": "id", "value": number(id)},
            {"op": "eq", "field": "companyID", "value": number(organization)},
        ]);
        let client = &self.zone().await?.client;
        let body = Some(json!({"MaxRecords": 2, "filter": filter}));
        let request = Request { body, ..Request::get(&[VERSION, "CompanyLocations", "query"]) };
        let answer: Value = client.list(request).await?.value;
        let items = list_in(client, &answer, "items")?;
        if items.iter().any(|item| id_of(&item["companyID"]).as_deref() != Some(organization)) {
            return Err(client.malformed("it is of another company than was asked for"));
        }
        read_one(client, id, items.first(), location)
    }

    async fn organizations(&self, search: &str, page: Option<&str>) -> Result<Listed<Organization>, Error> {
        let filter = if search.is_empty() {
            json!([{"op": "gte", "field": "id", "value": 0}])
        } else {
            json!([{"op": "contains", "field": "companyName", "value": search}])
        };
        self.query("Companies", filter, page, company).await
    }

    async fn sites(&self, organization: &str, page: Option<&str>) -> Result<Listed<ExternalSite>, Error> {
        let filter = json!([{"op": "eq", "field": "companyID", "value": number(organization)}]);
        self.query("CompanyLocations", filter, page, location).await
    }

    fn web_page(&self, organization: &str) -> Option<String> {
        web::page(self.first.system(), self.first.base(), self.web_url(), organization)
    }

    fn web_url(&self) -> Option<&Url> {
        self.zone.get()?.web.as_ref()
    }
}
