//! One row of a sheet, cell by cell, as what the server takes.

use std::collections::HashMap;

use prost::Message as _;
use serde_json::Value;

use crate::api::proto::waymark::v1 as pb;
use crate::cli::sheet::column::Column;
use crate::cli::sheet::json::{LinkJson, PhoneJson};
use crate::cli::sheet::{phones, status_word};
use crate::model::address::{AddressQuery, CountryCode, PostalAddress};
use crate::model::text::{NOTE_BYTES_MAX, shown};

/// Longest list in a cell, in bytes: all labels or links that a site may have, as JSON.
const LIST_BYTES_MAX: usize = 256 * 1024;
/// Longest row as a message, in bytes: half of what the server takes in a call, and twice the most that a site holds.
pub(super) const ROW_BYTES_MAX: usize = 512 * 1024;
/// A site's statuses.
const STATUSES: [pb::SiteStatus; 4] =
    [pb::SiteStatus::Online, pb::SiteStatus::Offline, pb::SiteStatus::Unknown, pb::SiteStatus::Maintenance];

/// By what a row's site is found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Match {
    /// Its name, without regard to case; made where there is none
    #[default]
    Name,
    /// The column `site_id`; made by its name where that is empty
    SiteId,
    /// The column `agent_id`
    AgentId,
}

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// The column at fault, or the field as the server names it; empty for the row as a whole.
    pub(super) field: String,
    /// What is wrong, and what to do.
    pub(super) why: String,
}

impl Fault {
    pub(super) fn new(field: impl Into<String>, why: impl Into<String>) -> Self {
        Self { field: field.into(), why: why.into() }
    }
}

/// What a cell or a property gives.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Given {
    /// That the field is to be empty.
    Clear,
    /// A text that is not empty.
    Text(String),
    /// A list or an object.
    List(Value),
}

/// The address of a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Stated {
    /// On one line.
    Line(String),
    /// In parts.
    Parts(pb::PostalAddress),
}

impl Stated {
    /// The address on one line, as the server keeps what was typed; `None` where the server will refuse it.
    pub(super) fn one_line(&self) -> Option<String> {
        let query = match self {
            Self::Line(line) => AddressQuery::line(line),
            Self::Parts(_) => AddressQuery::parts(&self.parts()?),
        };
        query.ok().map(|query| query.one_line())
    }

    /// The address in parts, where it is so.
    pub(super) fn parts(&self) -> Option<PostalAddress> {
        let Self::Parts(parts) = self else { return None };
        Some(PostalAddress {
            street: parts.street.clone(),
            postal_code: parts.postal_code.clone(),
            locality: parts.locality.clone(),
            region: parts.region.clone(),
            country: CountryCode::parse(&parts.country_code),
        })
    }
}

/// What one row says of a site.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    /// The site's name as the row has it; may be empty where something else finds the site.
    pub(super) name: String,
    /// Its address.
    pub(super) address: Option<Stated>,
    /// All of it, for the server.
    pub(super) message: pb::SiteRow,
}

/// A degree of a position: a number, or none.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Degrees {
    Clear,
    Given(f64),
}

/// A row that is being read.
#[derive(Debug, Default)]
pub(super) struct Reading {
    site: pb::Site,
    fields: Vec<&'static str>,
    set_labels: HashMap<String, String>,
    add_phones: Vec<pb::Phone>,
    parts: pb::PostalAddress,
    line: String,
    clear_address: bool,
    lat: Option<Degrees>,
    lng: Option<Degrees>,
    site_id: String,
    agent_id: String,
}

impl Reading {
    /// Takes what stands in a column.
    pub(super) fn put(&mut self, column: &Column, given: Given) -> Result<(), Fault> {
        if matches!(column, Column::Info(_)) {
            return Ok(());
        }
        let fault = |why: String| Fault::new(column.heading(), why);
        let (bytes, bytes_max) = match &given {
            Given::Text(text) if is_list(column) => (text.len(), LIST_BYTES_MAX),
            Given::Text(text) => (text.len(), NOTE_BYTES_MAX),
            Given::Clear | Given::List(_) => (0, 0),
        };
        if bytes > bytes_max {
            return Err(fault(format!("at most {bytes_max} bytes, got {bytes}")));
        }
        match given {
            Given::Clear => self.clear(column),
            Given::List(value) if is_list(column) => self.put_list(column, value).map_err(fault),
            Given::List(_) => Err(fault("a text, not a list or an object".to_owned())),
            Given::Text(text) => self.put_text(column, text).map_err(fault),
        }
    }

    fn set(&mut self, field: &'static str) {
        if !self.fields.contains(&field) {
            self.fields.push(field);
        }
    }

    fn clear(&mut self, column: &Column) -> Result<(), Fault> {
        match column {
            Column::Email => self.set("contact.email"),
            Column::FirstName => self.set("contact.first_name"),
            Column::LastName => self.set("contact.last_name"),
            Column::CustomerId => self.set("customer_id"),
            Column::ContractId => self.set("contract_id"),
            Column::Note => self.set("note"),
            Column::Phones => self.set("contact.phones"),
            Column::Labels => self.set("labels"),
            Column::TicketingLinks => self.set("ticketing_links"),
            Column::Address => self.clear_address = true,
            Column::Lat => self.lat = Some(Degrees::Clear),
            Column::Lng => self.lng = Some(Degrees::Clear),
            Column::Info(_) => {}
            Column::Phone | Column::Label(_) => {
                let why = "it adds to what is there: to take something away, give all in `phones` or `labels`";
                return Err(Fault::new(column.heading(), why));
            }
            _ => return Err(Fault::new(column.heading(), "it cannot be cleared")),
        }
        Ok(())
    }

    fn put_text(&mut self, column: &Column, text: String) -> Result<(), String> {
        let site = &mut self.site;
        let contact = site.contact.get_or_insert_default();
        let (field, place) = match column {
            Column::Name => return put(&mut site.display_name, text),
            Column::SiteId => return put(&mut self.site_id, text),
            Column::AgentId => return put(&mut self.agent_id, text),
            Column::Address => return put(&mut self.line, text),
            Column::Street => return put(&mut self.parts.street, text),
            Column::PostalCode => return put(&mut self.parts.postal_code, text),
            Column::Locality => return put(&mut self.parts.locality, text),
            Column::Region => return put(&mut self.parts.region, text),
            Column::Country => return put(&mut self.parts.country_code, text),
            Column::Label(key) => return put(self.set_labels.entry(key.clone()).or_default(), text),
            Column::Lat => return put(&mut self.lat, Some(Degrees::Given(degrees(&text)?))),
            Column::Lng => return put(&mut self.lng, Some(Degrees::Given(degrees(&text)?))),
            Column::Info(_) => return Ok(()),
            Column::Phone => return put(&mut self.add_phones, phones::read(&text)),
            Column::Phones => {
                contact.phones = phones::read(&text);
                self.set("contact.phones");
                return Ok(());
            }
            Column::Labels | Column::TicketingLinks => {
                let value = serde_json::from_str(&text).map_err(|cause| format!("it is no JSON: {cause}"))?;
                return self.put_list(column, value);
            }
            Column::Status => {
                site.status = status_of(&text)?.into();
                self.set("status");
                return Ok(());
            }
            Column::Email => ("contact.email", &mut contact.email),
            Column::FirstName => ("contact.first_name", &mut contact.first_name),
            Column::LastName => ("contact.last_name", &mut contact.last_name),
            Column::CustomerId => ("customer_id", &mut site.customer_id),
            Column::ContractId => ("contract_id", &mut site.contract_id),
            Column::Note => ("note", &mut site.note),
        };
        *place = text;
        self.set(field);
        Ok(())
    }

    fn put_list(&mut self, column: &Column, value: Value) -> Result<(), String> {
        let told = |cause: serde_json::Error| format!("{cause}");
        match column {
            Column::Labels => {
                self.site.labels = serde_json::from_value(value)
                    .map_err(|cause| format!("an object of texts, such as {{\"tier\":\"gold\"}}: {cause}"))?;
                self.set("labels");
            }
            Column::TicketingLinks => {
                let links: Vec<LinkJson> = serde_json::from_value(value).map_err(told)?;
                self.site.ticketing_links = links.into_iter().map(Into::into).collect();
                self.set("ticketing_links");
            }
            _ => {
                let phones: Vec<PhoneJson> = serde_json::from_value(value).map_err(told)?;
                let phones = phones.into_iter().map(pb::Phone::try_from).collect::<Result<Vec<_>, _>>()?;
                self.site.contact.get_or_insert_default().phones = phones;
                self.set("contact.phones");
            }
        }
        Ok(())
    }

    /// Takes a position.
    pub(super) fn put_position(&mut self, lat: f64, lng: f64) {
        (self.lat, self.lng) = (Some(Degrees::Given(lat)), Some(Degrees::Given(lng)));
    }

    /// The row, whose site is found in `parent` by `by`.
    pub(super) fn finish(self, by: Match, parent: &str) -> Result<Row, Fault> {
        let key = match by {
            Match::AgentId if self.agent_id.is_empty() => return Err(Fault::new("agent_id", "it is empty")),
            Match::AgentId => Some(pb::site_row::Key::AgentId(self.agent_id)),
            Match::SiteId if !self.site_id.is_empty() => {
                Some(pb::site_row::Key::Name(format!("{parent}/sites/{}", site_id(&self.site_id, parent))))
            }
            Match::Name | Match::SiteId => None,
        };
        if key.is_none() && self.site.display_name.is_empty() {
            return Err(Fault::new("name", "the name is empty"));
        }
        let (position, clear_position) = match (self.lat, self.lng) {
            (Some(Degrees::Given(lat)), Some(Degrees::Given(lng))) => (Some(pb::LatLng { lat, lng }), false),
            (None, None) => (None, false),
            (None | Some(Degrees::Clear), None | Some(Degrees::Clear)) => (None, true),
            _ => return Err(Fault::new("lat", "a position needs both lat and lng")),
        };
        let is_in_parts = self.parts != pb::PostalAddress::default();
        let address = match (self.line.is_empty(), is_in_parts) {
            (false, true) => {
                return Err(Fault::new("address", "an address is on one line (`address`) or in parts, not both"));
            }
            (false, false) => Some(Stated::Line(self.line)),
            (true, true) => Some(Stated::Parts(self.parts)),
            (true, false) => None,
        };
        let message = pb::SiteRow {
            key,
            update_mask: Some(prost_types::FieldMask { paths: self.fields.iter().map(ToString::to_string).collect() }),
            set_labels: self.set_labels,
            add_phones: self.add_phones,
            position,
            clear_position,
            address: address.clone().map(|address| match address {
                Stated::Line(line) => pb::site_row::Address::AddressLine(line),
                Stated::Parts(parts) => pb::site_row::Address::PostalAddress(parts),
            }),
            clear_address: self.clear_address && address.is_none(),
            request_id: String::new(),
            site: Some(self.site),
        };
        let bytes = message.encoded_len();
        if bytes > ROW_BYTES_MAX {
            return Err(Fault::new("", format!("a row has at most {ROW_BYTES_MAX} bytes in all, got {bytes}")));
        }
        let name = message.site.as_ref().map(|site| site.display_name.clone()).unwrap_or_default();
        Ok(Row { name, address, message })
    }
}

/// The id of a site of `parent` that is given by its id, or by its name with that of the account.
pub(super) fn site_id<'a>(given: &'a str, parent: &str) -> &'a str {
    given.strip_prefix(parent).and_then(|rest| rest.strip_prefix("/sites/")).unwrap_or(given)
}

/// Whether a column holds several values.
fn is_list(column: &Column) -> bool {
    matches!(column, Column::Phones | Column::Labels | Column::TicketingLinks)
}

#[expect(clippy::unnecessary_wraps, reason = "one form for all arms of a match")]
fn put<T>(place: &mut T, value: T) -> Result<(), String> {
    *place = value;
    Ok(())
}

fn status_of(text: &str) -> Result<pb::SiteStatus, String> {
    let found = STATUSES.into_iter().find(|status| status_word(*status) == text.to_lowercase());
    found.ok_or_else(|| format!("a status is online, offline, unknown or maintenance, not {}", shown(text)))
}

fn degrees(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| format!("decimal degrees such as 64.1466, not {}", shown(text)))
}
