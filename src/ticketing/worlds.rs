//! Stub servers for tests that speak the documented APIs of the six systems, over a world of 250 organisations.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Connector;
use super::build::{Credentials, connector};
use super::client::Setting;
use super::governor::Governor;
use super::target::{Config, Guard};
pub(crate) use crate::http_client::stub::{Received, Reply, Stub};
use crate::model::ticketing::System;

/// Organisations of each world: ids from 1 on.
pub(super) const ORGANIZATIONS: usize = 250;
/// The one that has a name and sites of its own.
pub(super) const ACME: usize = 17;
/// Sites, where the system has any: those of the organisation, with ids from 1 on.
pub(super) const SITES: usize = 130;
/// What stands in every part of the credentials.
pub(super) const CANARY: &str = "Canary";

/// A connector to a base URL, with requests of at most so many milliseconds.
pub(super) fn connector_at(system: System, url: &str, timeout_ms: u64) -> Arc<dyn Connector> {
    connector_with(system, url, timeout_ms, CANARY)
}

/// The same with these credentials.
pub(super) fn connector_with(system: System, url: &str, timeout_ms: u64, credential: &str) -> Arc<dyn Connector> {
    let config = Config { private_networks: vec!["127.0.0.0/8".parse().unwrap()], ..Config::default() };
    let setting = Setting {
        guard: Guard::new(&config, |_| false),
        time_max: Duration::from_millis(timeout_ms),
        governor: Arc::new(Governor::new(system)),
        shared: Arc::default(),
    };
    let parts: BTreeMap<String, String> = system
        .facts()
        .credentials
        .iter()
        .map(|part| (part.name.to_owned(), format!("{credential}-{}", part.name)))
        .collect();
    let base = setting.guard.check(&format!("{url}{}", root(system))).unwrap();
    connector(system, base, &Credentials::new(system, parts).unwrap(), setting).unwrap()
}

/// The path of a base URL.
fn root(system: System) -> &'static str {
    match system {
        System::ConnectWise => "/v4_6_release/apis/3.0",
        System::Autotask => "/atservicesrest",
        System::Syncro => "/api/v1",
        System::Zendesk | System::Freshservice | System::Freshdesk => "",
    }
}

/// A server of a system.
pub(crate) async fn world(system: System) -> Stub {
    Stub::start(move |received| if is_let_in(system, received) { answer(system, received) } else { denied(system) })
        .await
}

/// A server that is out of service.
pub(crate) async fn down() -> Stub {
    Stub::always(Reply::Whole(500, Vec::new(), Vec::new())).await
}

/// Whether the request has the login that the documentation asks for.
fn is_let_in(system: System, received: &Received) -> bool {
    let header = |name: &str| received.header(name).unwrap_or_default().to_owned();
    let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
    match system {
        System::ConnectWise => {
            header("authorization") == basic("Canary-company+Canary-public_key:Canary-private_key")
                && header("clientid") == "Canary-client_id"
        }
        System::Autotask => {
            header("username") == "Canary-user_name"
                && header("secret") == "Canary-secret"
                && header("apiintegrationcode") == "Canary-integration_code"
        }
        System::Syncro => header("authorization") == "Bearer Canary-api_token",
        System::Zendesk => header("authorization") == basic("Canary-email/token:Canary-api_token"),
        System::Freshservice | System::Freshdesk => header("authorization") == basic("Canary-api_key:X"),
    }
}

fn status(status: u16, body: &Value) -> Reply {
    Reply::Whole(status, vec![("content-type", "application/json".to_owned())], body.to_string().into_bytes())
}

/// How the system says that it does not know the credentials.
fn denied(system: System) -> Reply {
    let body = match system {
        System::ConnectWise => json!({"code": "Unauthorized", "message": "Invalid credentials", "errors": null}),
        System::Autotask => json!({"errors": ["The API user is not known."]}),
        System::Syncro => json!({"error": "Not authorized"}),
        System::Zendesk => json!({"error": "Couldn't authenticate you"}),
        System::Freshservice | System::Freshdesk => {
            json!({"code": "invalid_credentials", "message": "You have to be logged in to perform this action."})
        }
    };
    status(401, &body)
}

/// How the system says that there is no such thing.
fn missing(system: System) -> Reply {
    match system {
        System::ConnectWise => status(404, &json!({"code": "NotFound", "message": "not found", "errors": null})),
        System::Zendesk => status(404, &json!({"error": "RecordNotFound", "description": "Not found"})),
        System::Syncro => status(404, &json!({"error": "not found"})),
        System::Autotask => Reply::Json(json!({"item": null}).to_string()),
        // Says nothing more.
        System::Freshservice | System::Freshdesk => Reply::Whole(404, Vec::new(), Vec::new()),
    }
}

fn name(id: usize) -> String {
    if id == ACME { "Acme Ltd".to_owned() } else { format!("Company {id:03}") }
}

/// An organisation as the system writes it.
fn organization(system: System, id: usize) -> Value {
    match system {
        System::ConnectWise => json!({
            "id": id, "identifier": format!("C{id}"), "name": name(id), "addressLine1": "Laugavegur 1", "addressLine2": null,
            "city": "Reykjavík", "state": "", "zip": "101", "country": {"id": 1, "name": "Iceland"}, "deletedFlag": false,
        }),
        System::Autotask => json!({
            "id": id, "companyName": name(id), "address1": "Laugavegur 1", "address2": null, "city": "Reykjavík",
            "state": null, "postalCode": "101", "countryID": 99, "isActive": true,
        }),
        System::Syncro => json!({
            "id": id, "firstname": "Anna", "lastname": "Jónsdóttir", "fullname": "Anna Jónsdóttir",
            "business_name": name(id), "address": "Laugavegur 1", "address_2": null, "city": "Reykjavík", "state": null,
            "zip": "101",
        }),
        System::Zendesk | System::Freshservice | System::Freshdesk => {
            json!({"id": id, "name": name(id), "description": null, "created_at": "2024-01-01T00:00:00Z"})
        }
    }
}

fn site(system: System, id: usize) -> Value {
    let (street, city) = ("Hafnarstræti 5", "Akureyri");
    match system {
        System::ConnectWise => json!({
            "id": id, "name": format!("Site {id}"), "addressLine1": street, "addressLine2": null, "city": city,
            "stateReference": null, "zip": "600", "country": {"id": 1, "name": "Iceland"}, "inactiveFlag": false,
        }),
        System::Autotask => json!({
            "id": id, "companyID": ACME, "name": format!("Site {id}"), "address1": street, "address2": null, "city": city,
            "state": null, "postalCode": "600", "isActive": true,
        }),
        _ => json!({
            "id": id, "name": format!("Site {id}"), "parent_location_id": null, "address": {"line1": street, "line2": null,
            "city": city, "state": null, "country": "Iceland", "zipcode": "600"},
        }),
    }
}

fn answer(system: System, received: &Received) -> Reply {
    match system {
        System::ConnectWise => connectwise(received),
        System::Autotask => autotask(received),
        System::Syncro => syncro(received),
        System::Zendesk => zendesk(received),
        System::Freshservice => freshservice(received),
        System::Freshdesk => freshdesk(received),
    }
}

/// The things of a page, and whether there are more.
fn paged(all: &[usize], number: usize, size: usize) -> (&[usize], bool) {
    let begin = ((number - 1) * size).min(all.len());
    let end = (begin + size).min(all.len());
    (&all[begin..end], end < all.len())
}

fn ids(count: usize, holds: impl Fn(usize) -> bool) -> Vec<usize> {
    (1..=count).filter(|id| holds(*id)).collect()
}

fn parameter(received: &Received, name: &str, default: &str) -> String {
    received.parameters().get(name).cloned().unwrap_or_else(|| default.to_owned())
}

fn number(received: &Received, name: &str, default: &str) -> usize {
    parameter(received, name, default).parse().unwrap()
}

/// A page with a `link` header.
fn linked(received: &Received, body: &Value, number: usize, has_more: bool) -> Reply {
    let mut headers = vec![("content-type", "application/json; charset=utf-8".to_owned())];
    if has_more {
        let next = format!("<https://elsewhere.example{}?page={}>; rel=\"next\"", received.path(), number + 1);
        headers.push(("link", next));
    }
    Reply::Whole(200, headers, body.to_string().into_bytes())
}

fn listed(system: System, found: &[usize], make: fn(System, usize) -> Value) -> Vec<Value> {
    found.iter().map(|id| make(system, *id)).collect()
}

fn connectwise(received: &Received) -> Reply {
    const SYSTEM: System = System::ConnectWise;
    let (path, size, page) = (received.path(), number(received, "pageSize", "25"), number(received, "page", "1"));
    let below = path.strip_prefix("/v4_6_release/apis/3.0/company/companies").unwrap_or("/nowhere");
    let parts: Vec<&str> = below.split('/').skip(1).collect();
    let conditions = parameter(received, "conditions", "");
    let part = conditions.split('%').nth(1).unwrap_or_default().to_owned();
    match parts.as_slice() {
        [] => {
            let all = ids(ORGANIZATIONS, |id| name(id).contains(&part));
            let (found, has_more) = paged(&all, page, size);
            linked(received, &json!(listed(SYSTEM, found, organization)), page, has_more)
        }
        [id] => one(SYSTEM, id, ORGANIZATIONS, |id| organization(SYSTEM, id)),
        [id, "sites"] if *id == ACME.to_string() => {
            let all = ids(SITES, |_| true);
            let (found, has_more) = paged(&all, page, size);
            linked(received, &json!(listed(SYSTEM, found, site)), page, has_more)
        }
        [id, "sites", site_id] if *id == ACME.to_string() => one(SYSTEM, site_id, SITES, |id| site(SYSTEM, id)),
        _ => missing(SYSTEM),
    }
}

fn one(system: System, id: &str, count: usize, make: impl Fn(usize) -> Value) -> Reply {
    match id.parse() {
        Ok(id) if (1..=count).contains(&id) => Reply::Json(make(id).to_string()),
        _ => missing(system),
    }
}

fn autotask(received: &Received) -> Reply {
    const SYSTEM: System = System::Autotask;
    let path = received.path();
    let host = received.header("host").unwrap_or_default();
    if path == "/atservicesrest/v1.0/zoneInformation" {
        let url = format!("http://{host}/zone3/ATServicesRest/");
        return Reply::Json(
            json!({"zoneName": "America East", "url": url, "webUrl": "http://127.0.0.1:9/", "ci": 1}).to_string(),
        );
    }
    let Some(below) = path.strip_prefix("/zone3/ATServicesRest/v1.0/") else {
        return status(404, &json!({"errors": []}));
    };
    let parts: Vec<&str> = below.split('/').collect();
    if let (["Companies", id], "GET") = (parts.as_slice(), received.method.as_str()) {
        let answer = |id| json!({"item": organization(SYSTEM, id)});
        return one(SYSTEM, id, ORGANIZATIONS, answer);
    }
    let Ok(query) = serde_json::from_str::<Value>(&received.body) else {
        return status(500, &json!({"errors": ["a query has a body"]}));
    };
    let (is_companies, number) = match parts.as_slice() {
        ["Companies", "query"] => (true, 1),
        ["CompanyLocations", "query"] => (false, 1),
        [entity, "query", "next"] => (*entity == "Companies", number(received, "paging", "0")),
        _ => return status(404, &json!({"errors": []})),
    };
    let wanted = |field: &str| query["filter"].as_array().unwrap().iter().find(|one| one["field"] == field).cloned();
    let size = usize::try_from(query["MaxRecords"].as_u64().unwrap()).unwrap();
    let all = if is_companies {
        let part = wanted("companyName").map_or_else(String::new, |one| one["value"].as_str().unwrap().to_owned());
        ids(ORGANIZATIONS, |id| name(id).contains(&part))
    } else {
        let of = wanted("companyID").unwrap()["value"] == ACME;
        let only = wanted("id").map(|one| one["value"].as_u64().unwrap());
        ids(SITES, |id| of && only.is_none_or(|only| only == id as u64))
    };
    let (found, has_more) = paged(&all, number, size);
    let next = has_more.then(|| format!("https://elsewhere.example/x/query/next?paging={}", number + 1));
    let make = if is_companies { organization } else { site };
    let details = json!({"count": found.len(), "requestCount": size, "prevPageUrl": null, "nextPageUrl": next});
    Reply::Json(json!({"items": listed(SYSTEM, found, make), "pageDetails": details}).to_string())
}

fn syncro(received: &Received) -> Reply {
    const SYSTEM: System = System::Syncro;
    let path = received.path();
    if let Some(id) = path.strip_prefix("/api/v1/customers/") {
        return one(SYSTEM, id, ORGANIZATIONS, |id| json!({"customer": organization(SYSTEM, id)}));
    }
    let part = parameter(received, "query", "");
    let all = ids(ORGANIZATIONS, |id| name(id).contains(&part));
    let page = number(received, "page", "1");
    // Syncro alone says how long a page is.
    let (found, _) = paged(&all, page, 50);
    let meta = json!({"total_pages": all.len().div_ceil(50), "total_entries": all.len(), "per_page": 50, "page": page});
    Reply::Json(json!({"customers": listed(SYSTEM, found, organization), "meta": meta}).to_string())
}

fn zendesk(received: &Received) -> Reply {
    const SYSTEM: System = System::Zendesk;
    let path = received.path();
    let below = path.strip_prefix("/api/v2/organizations").unwrap_or("/nowhere");
    match below {
        "" => {
            let cursor = parameter(received, "page[after]", "MA==");
            let Some(after) = STANDARD.decode(&cursor).ok().and_then(|text| String::from_utf8(text).ok()?.parse().ok())
            else {
                return status(
                    400,
                    &json!({"errors": [{"code": "InvalidPaginationParameter", "title": "page[after] is not valid"}]}),
                );
            };
            let all = ids(ORGANIZATIONS, |id| id > after);
            let (found, has_more) = paged(&all, 1, number(received, "page[size]", "100"));
            let last = STANDARD.encode(found.last().copied().unwrap_or(after).to_string());
            let meta = json!({"has_more": has_more, "after_cursor": last, "before_cursor": null});
            Reply::Json(
                json!({"organizations": listed(SYSTEM, found, organization), "meta": meta, "links": {}}).to_string(),
            )
        }
        "/autocomplete" => {
            let begin = parameter(received, "name", "");
            let all = ids(ORGANIZATIONS, |id| name(id).starts_with(&begin));
            let page = number(received, "page", "1");
            let (found, has_more) = paged(&all, page, number(received, "per_page", "100"));
            let next = has_more.then_some("https://elsewhere.example/next");
            let organizations = listed(SYSTEM, found, organization);
            Reply::Json(json!({"organizations": organizations, "count": all.len(), "next_page": next}).to_string())
        }
        id => one(SYSTEM, &id[1..], ORGANIZATIONS, |id| json!({"organization": organization(SYSTEM, id)})),
    }
}

fn freshservice(received: &Received) -> Reply {
    const SYSTEM: System = System::Freshservice;
    let path = received.path();
    let parts: Vec<&str> = path.trim_start_matches("/api/v2/").split('/').collect();
    let (page, size) = (number(received, "page", "1"), number(received, "per_page", "30"));
    match parts.as_slice() {
        ["departments", id] => one(SYSTEM, id, ORGANIZATIONS, |id| json!({"department": organization(SYSTEM, id)})),
        ["locations", id] => one(SYSTEM, id, SITES, |id| json!({"location": site(SYSTEM, id)})),
        ["departments"] => {
            let all = ids(ORGANIZATIONS, |_| true);
            let (found, has_more) = paged(&all, page, size);
            linked(received, &json!({"departments": listed(SYSTEM, found, organization)}), page, has_more)
        }
        ["locations"] => {
            let all = ids(SITES, |_| true);
            let (found, has_more) = paged(&all, page, size);
            linked(received, &json!({"locations": listed(SYSTEM, found, site)}), page, has_more)
        }
        _ => missing(SYSTEM),
    }
}

fn freshdesk(received: &Received) -> Reply {
    const SYSTEM: System = System::Freshdesk;
    let path = received.path();
    match path.strip_prefix("/api/v2/companies").unwrap_or("/nowhere") {
        "" => {
            let (page, size) = (number(received, "page", "1"), number(received, "per_page", "30"));
            let all = ids(ORGANIZATIONS, |_| true);
            let (found, has_more) = paged(&all, page, size);
            linked(received, &json!(listed(SYSTEM, found, organization)), page, has_more)
        }
        "/autocomplete" => {
            let part = parameter(received, "name", "");
            let found = ids(ORGANIZATIONS, |id| name(id).contains(&part));
            Reply::Json(json!({"companies": listed(SYSTEM, &found, organization)}).to_string())
        }
        id => one(SYSTEM, &id[1..], ORGANIZATIONS, |id| organization(SYSTEM, id)),
    }
}
