//! Ticketing systems (PSA) as they are asked over HTTP: which organisations and sites they know, by id and by list.
//!
//! Reads and never writes there. Decides nothing: what an answer means for a link is the model's to say. What a system
//! answers is a stranger's data until it is checked.

mod autotask;
pub mod build;
pub mod client;
mod connectwise;
pub mod error;
mod freshdesk;
mod freshservice;
pub mod governor;
pub mod matching;
mod syncro;
pub mod target;
pub mod web;
mod zendesk;

#[cfg(test)]
mod contract;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod odd_answers;
#[cfg(test)]
pub(crate) mod worlds;

use async_trait::async_trait;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::ticketing::told_name;
pub use error::Error;

/// Items of one page that a system is asked for: the most that all but one of them give.
pub const PAGE_SIZE: usize = 100;
/// Most pages of one list that are read: beyond, it is searched.
pub const PAGES_MAX: u32 = 500;

/// An address as a system writes it; every part may be empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Address {
    /// Street and number.
    pub street: String,
    /// Town.
    pub city: String,
    /// State, province or region.
    pub region: String,
    /// Postal code.
    pub postal_code: String,
    /// Country, by name or code.
    pub country: String,
}

/// An organisation (company, customer, department) of a system.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Organization {
    /// Its id there.
    pub id: String,
    /// Its name there.
    pub name: String,
    /// Its address there.
    pub address: Address,
}

/// A site (location) of a system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalSite {
    /// Its id there.
    pub id: String,
    /// Its name there.
    pub name: String,
    /// Its address there.
    pub address: Address,
}

/// A page of a list, in the system's own order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    /// What is on it; may be empty before the end.
    pub items: Vec<T>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<String>,
}

/// A system that is asked with the credentials of one connection. Each call is one request there, or two the first time.
///
/// Ids are those of the system's [`Facts`](crate::model::ticketing::Facts).
#[async_trait]
pub trait Connector: Send + Sync + std::fmt::Debug {
    /// That the system is where it is asked, speaks as it should and takes the credentials; and whether it shows any
    /// organisation. Where it shows none, that it does not show a certain one says nothing.
    async fn check(&self) -> Result<bool, Error>;

    /// One organisation; `None` where there is none, or no more, or where the credentials may not see it.
    async fn organization(&self, id: &str) -> Result<Option<Organization>, Error>;

    /// One site of an organisation; `None` where there is none, or no more, or where organisations have no sites.
    async fn site(&self, organization: &str, id: &str) -> Result<Option<ExternalSite>, Error>;

    /// Organisations whose names match a search, all for an empty one. How a search matches is the system's own affair.
    async fn organizations(&self, search: &str, page: Option<&str>) -> Result<Listed<Organization>, Error>;

    /// The sites of an organisation; none where organisations have no sites.
    async fn sites(&self, organization: &str, page: Option<&str>) -> Result<Listed<ExternalSite>, Error>;

    /// The web page of an organisation, where it can be told.
    fn web_page(&self, organization: &str) -> Option<String>;

    /// Where the system itself said that people open its pages, checked as a base URL is; `None` where it says nothing of that,
    /// or was not asked yet.
    fn web_url(&self) -> Option<&Url> {
        None
    }
}

/// What has a name.
trait Named {
    fn name(&self) -> &str;
}

impl Named for Organization {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Named for ExternalSite {
    fn name(&self) -> &str {
        &self.name
    }
}

/// The page number that a cursor of a list by numbers holds: the first one for none.
fn page_number(client: &client::Client, page: Option<&str>) -> Result<u32, Error> {
    let Some(text) = page else { return Ok(1) };
    checked_page(client, text.parse().ok())
}

/// A page that may be read. The one behind the last of them is told as such, so that nobody takes that one for the end.
fn checked_page(client: &client::Client, number: Option<u32>) -> Result<u32, Error> {
    match number {
        Some(number) if (1..=PAGES_MAX).contains(&number) => Ok(number),
        Some(number) if number == PAGES_MAX + 1 => Err(error::Cause::TooManyPages(PAGES_MAX).of(client.system())),
        _ => Err(error::Cause::Cursor.of(client.system())),
    }
}

/// The cursor behind a page, where there is more.
fn next_page(number: u32, has_next: bool) -> Option<String> {
    has_next.then(|| (number + 1).to_string())
}

/// A text of an answer as a name; empty where there is none.
fn text_of(value: &Value, field: &str) -> String {
    match &value[field] {
        Value::String(text) => told_name(text),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

/// What of an answer's things can be used. One without id or name is left out; more than a page are no answer.
fn read_all<T: Named>(
    client: &client::Client,
    values: &[Value],
    read: impl Fn(&Value) -> Option<T>,
) -> Result<Vec<T>, Error> {
    shows_any(client, values)?;
    Ok(values.iter().filter_map(read).filter(|found| !found.name().is_empty()).collect())
}

/// Whether an answer shows anything at all.
fn shows_any(client: &client::Client, values: &[Value]) -> Result<bool, Error> {
    if values.len() > 2 * PAGE_SIZE {
        return Err(client.malformed("it has more things than a page was to have"));
    }
    let has_any = values.iter().any(|value| client::id_of(&value["id"]).is_some());
    if !has_any && !values.is_empty() {
        return Err(client.malformed("its things have no ids"));
    }
    Ok(has_any)
}

/// The one thing that was asked for by its id: an answer that is of another thing, of none or without a name does not mean
/// that it is gone.
fn read_one<T: Named>(
    client: &client::Client,
    id: &str,
    answer: Option<&Value>,
    read: impl Fn(&Value) -> Option<T>,
) -> Result<Option<T>, Error> {
    match answer {
        None => Ok(None),
        Some(value) if client::id_of(&value["id"]).as_deref() == Some(id) => match read(value) {
            Some(found) if found.name().is_empty() => Err(client.malformed("it has no name")),
            found => Ok(found),
        },
        Some(_) => Err(client.malformed("it is not of the thing that was asked for")),
    }
}

/// The list that a field of an answer holds.
fn list_in<'a>(client: &client::Client, answer: &'a Value, field: &str) -> Result<&'a [Value], Error> {
    answer[field].as_array().map(Vec::as_slice).ok_or_else(|| client.malformed("it has no list where there is one"))
}
