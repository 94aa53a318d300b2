//! A request over HTTP/JSON as the message that its method takes: from the path, the parameters and the body.
//!
//! Names of fields are as the caller wrote them, or as the proto does where the path has them.

use std::collections::HashSet;

use prost::Message as _;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, ReflectMessage as _, Value as Dynamic};

use super::rules::{Binding, Mapping};
use super::template::Captured;
use crate::api::json::parse;
use crate::api::json::read::{self, Unreadable};
use crate::api::percent::decoded_form;
use crate::model::Invalid;
use crate::model::text::shown;

/// What faults of a body as a whole are said of.
pub(super) const BODY: &str = "body";
/// Most parameters of an address: as many names as a call takes, with room.
const PARAMETERS_MAX: usize = 1_000;

/// The message's bytes.
pub(super) fn message(
    binding: &Binding,
    captured: &[Captured],
    query: Option<&str>,
    body: &[u8],
) -> Result<Vec<u8>, Invalid> {
    let mut message = of_body(binding, body)?;
    put_query(&mut message, binding, captured, query.unwrap_or_default())?;
    for Captured { field, text } in captured {
        let text = text.as_deref().ok_or_else(|| Invalid::new(*field, "percent-encoded UTF-8 is expected"))?;
        put_captured(&mut message, field, text)?;
    }
    Ok(message.encode_to_vec())
}

fn of_body(binding: &Binding, body: &[u8]) -> Result<DynamicMessage, Invalid> {
    let input = binding.method.input();
    if body.trim_ascii().is_empty() {
        return Ok(DynamicMessage::new(input));
    }
    let parsed = || {
        // Its words are of the form alone, with line and column.
        parse::parse(body).map_err(|fault| Invalid::new(BODY, format!("it is no JSON: {fault}")))
    };
    match &binding.body {
        Mapping::Nothing => Err(Invalid::new(BODY, "this call has none: its fields are parameters of the address")),
        Mapping::Whole => read::message(input, &parsed()?).map_err(invalid),
        Mapping::Field(field) => {
            let value = read::any(field, &parsed()?).map_err(|fault| invalid(fault.within(field.json_name())))?;
            let mut message = DynamicMessage::new(input);
            message.set_field(field, value);
            Ok(message)
        }
    }
}

fn invalid(fault: Unreadable) -> Invalid {
    let at = if fault.at.is_empty() { BODY.to_owned() } else { fault.at };
    Invalid::new(at, fault.why)
}

fn put_query(
    message: &mut DynamicMessage,
    binding: &Binding,
    captured: &[Captured],
    query: &str,
) -> Result<(), Invalid> {
    let mut seen = HashSet::new();
    for (number, pair) in query.split('&').filter(|pair| !pair.is_empty()).enumerate() {
        if number >= PARAMETERS_MAX {
            return Err(Invalid::new("query", format!("at most {PARAMETERS_MAX} parameters")));
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let malformed = || Invalid::new(read::bounded(name), "percent-encoded UTF-8 is expected");
        let name = decoded_form(name).ok_or_else(malformed)?;
        let value = decoded_form(value).ok_or_else(malformed)?;
        let steps = steps(message, &name).map_err(|fault| Invalid::new(read::bounded(&name), fault.why))?;
        let path = steps.iter().map(FieldDescriptor::name).collect::<Vec<_>>().join(".");
        if captured.iter().any(|captured| captured.field == path) {
            return Err(Invalid::new(name, "the path of the address says it"));
        }
        let is_in_body = match &binding.body {
            Mapping::Nothing => false,
            Mapping::Whole => true,
            Mapping::Field(field) => steps.first() == Some(field),
        };
        if is_in_body {
            return Err(Invalid::new(name, "it is a field of the body, and no parameter"));
        }
        let is_list = steps.last().is_some_and(FieldDescriptor::is_list);
        if !seen.insert(path) && !is_list {
            return Err(Invalid::new(name, "stands more than once: name it once"));
        }
        put_text(message, &steps, &value).map_err(|why| Invalid::new(name, why))?;
    }
    Ok(())
}

/// The fields that a path such as `viewport.low.lat` goes by.
fn steps(message: &DynamicMessage, path: &str) -> Result<Vec<FieldDescriptor>, Unreadable> {
    let mut described = Some(message.descriptor());
    let mut steps = Vec::new();
    for name in path.split('.') {
        let Some(within) = &described else {
            return Err(Unreadable {
                at: String::new(),
                why: "it has no fields that a parameter could name".to_owned(),
            });
        };
        let field = read::field_named(within, name)?;
        described = match field.kind() {
            Kind::Message(inner) if !field.is_list() && !field.is_map() => Some(inner),
            _ => None,
        };
        steps.push(field);
    }
    Ok(steps)
}

/// Puts a text where these fields lead; of a list, behind what is there.
fn put_text(message: &mut DynamicMessage, steps: &[FieldDescriptor], text: &str) -> Result<(), String> {
    let Some((field, rest)) = steps.split_first() else { return Ok(()) };
    if !rest.is_empty() {
        let Dynamic::Message(inner) = message.get_field_mut(field) else { return Err("it has no fields".to_owned()) };
        return put_text(inner, rest, text);
    }
    if field.is_map() {
        return Err("a map is no parameter".to_owned());
    }
    let value = read::of_text(field, text).map_err(|fault| fault.why)?;
    match (field.is_list(), message.get_field_mut(field)) {
        (true, Dynamic::List(items)) => items.push(value),
        (_, place) => *place = value,
    }
    Ok(())
}

/// Puts what the path has. A body may say the same of it, or nothing.
fn put_captured(message: &mut DynamicMessage, path: &str, text: &str) -> Result<(), Invalid> {
    let steps = steps(message, path).map_err(|fault| Invalid::new(path, fault.why))?;
    let mut place = &mut *message;
    for field in &steps[..steps.len().saturating_sub(1)] {
        let Dynamic::Message(inner) = place.get_field_mut(field) else {
            return Err(Invalid::new(path, "it has no fields"));
        };
        place = inner;
    }
    let Some(field) = steps.last() else { return Ok(()) };
    let said = place.get_field(field).as_str().unwrap_or_default().to_owned();
    if !said.is_empty() && said != text {
        let why = format!("the path of the address says {}, and the body {}", shown(text), shown(&said));
        return Err(Invalid::new(path, why));
    }
    place.set_field(field, Dynamic::String(text.to_owned()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use http::Method;
    use serde_json::{Value, json};

    use super::super::rules::{Found, Rules};
    use super::*;
    use crate::api::json::of_dynamic;

    /// What a request says, as JSON of its message; or the field at fault, and what is wrong with it.
    fn said(verb: &Method, address: &str, body: &str) -> Result<Value, (String, String)> {
        let (path, query) = address.split_once('?').map_or((address, None), |(path, query)| (path, Some(query)));
        let Found::Binding(binding, captured) = Rules::all().find(verb, path) else { panic!("{verb} {path}") };
        let bytes = message(binding, &captured, query, body.as_bytes()).map_err(|fault| (fault.field, fault.why))?;
        Ok(of_dynamic(&DynamicMessage::decode(binding.method.input(), bytes.as_slice()).unwrap()))
    }

    #[track_caller]
    fn check(verb: &Method, address: &str, body: &str, expect: &Value) {
        assert_eq!(said(verb, address, body).as_ref(), Ok(expect), "{verb} {address} {body}");
    }

    #[track_caller]
    fn refused(verb: &Method, address: &str, body: &str, field: &str, told: &str) {
        let (found, why) = said(verb, address, body).unwrap_err();
        assert_eq!(found, field, "{verb} {address} {body}: {why}");
        assert!(why.contains(told), "{verb} {address} {body}: {why}");
    }

    #[test]
    fn path_parameters_and_body_make_one_message() {
        let sites = "/v1/accounts/a/sites";
        check(&Method::GET, "/v1/accounts/a/sites/s", "", &json!({"name": "accounts/a/sites/s"}));
        let address = format!("{sites}?pageSize=2&filter=status%20%3D+ONLINE&show_deleted=true");
        let list = json!({"parent": "accounts/a", "pageSize": 2, "filter": "status = ONLINE", "showDeleted": true});
        check(&Method::GET, &address, "", &list);
        let batch = json!({"parent": "accounts/a", "names": ["x", "y"]});
        check(&Method::GET, &format!("{sites}:batchGet?names=x&names=y"), "", &batch);
        check(&Method::POST, &format!("{sites}:batchGet"), r#"{"names": ["x", "y"]}"#, &batch);
        let view = "viewport.low.lat=10&viewport.low.lng=-1.5&viewport.high.lat=11&viewport.high.lng=0&zoom=5";
        let viewport = json!({"low": {"lat": 10.0, "lng": -1.5}, "high": {"lat": 11.0}});
        let query = json!({"parent": "accounts/a", "viewport": viewport, "zoom": 5});
        check(&Method::GET, &format!("/v1/accounts/a/map:queryViewport?{view}"), "", &query);
        let made = json!({"parent": "accounts/a", "site": {"displayName": "x"}, "requestId": "r"});
        check(&Method::POST, &format!("{sites}?requestId=r"), r#"{"display_name": "x"}"#, &made);
        let changed = json!({"site": {"name": "accounts/a/sites/s", "note": "x"}, "updateMask": "note,displayName"});
        let address = format!("{sites}/s?updateMask=note,displayName");
        check(&Method::PATCH, &address, r#"{"note": "x"}"#, &changed);
        check(&Method::PATCH, &address, r#"{"note": "x", "name": "accounts/a/sites/s"}"#, &changed);
        let records = "/v1/auditRecords?startTime=2026-06-17T12:00:00Z";
        check(&Method::GET, records, "", &json!({"startTime": "2026-06-17T12:00:00Z"}));
        check(&Method::POST, &format!("{sites}/s:undelete"), " ", &json!({"name": "accounts/a/sites/s"}));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_place() {
        let (get, post, patch) = (&Method::GET, &Method::POST, &Method::PATCH);
        let site = "/v1/accounts/a/sites/s";
        let sites = "/v1/accounts/a/sites";
        refused(get, site, "{}", "body", "has none");
        refused(get, &format!("{site}?colour=1"), "", "colour", "no such field");
        refused(get, &format!("{site}?name=x"), "", "name", "the path");
        refused(get, &format!("{sites}?pageSize=two"), "", "pageSize", "a whole number");
        refused(get, &format!("{sites}?pageSize=1&page_size=0"), "", "page_size", "more than once");
        refused(get, &format!("{sites}?filter=%ff"), "", "filter", "UTF-8");
        refused(get, &format!("{sites}?filter.x=1"), "", "filter.x", "no fields");
        refused(get, "/v1/accounts/a/map:queryViewport?viewport=1", "", "viewport", "name its fields");
        refused(get, "/v1/accounts/a/sites/%ff", "", "name", "UTF-8");
        refused(post, &format!("{site}:undelete?etag=x"), "{}", "etag", "the body");
        refused(post, &format!("{sites}?site.note=x"), "{}", "site.note", "the body");
        refused(post, sites, "{\n \"note\": }", "body", "at line 2 column");
        refused(post, sites, "{} {}", "body", "trailing characters");
        refused(post, sites, r#"{"note": "x", "note": "y"}"#, "body", "\"note\" stands twice");
        refused(post, sites, "[]", "site", "an object is wanted");
        refused(post, sites, r#"{"contact": {"phones": [{"fax": 1}]}}"#, "site.contact.phones[0].fax", "no such field");
        refused(post, &format!("{site}:setPin"), r#"{"position": {"lat": "x"}}"#, "position.lat", "a number");
        refused(patch, site, r#"{"name": "accounts/a/sites/t"}"#, "site.name", "the path of the address says");
        let many = format!("{sites}:batchGet?{}", "names=x&".repeat(PARAMETERS_MAX + 1));
        refused(get, &many, "", "query", "at most");
        let deep = "[".repeat(100_000);
        refused(post, sites, &deep, "body", "recursion limit");
    }
}
