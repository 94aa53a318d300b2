//! Ways to call methods as operations of paths.

use std::collections::BTreeSet;

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use super::comments::Comments;
use super::schemas::{Schemas, reference};
use crate::api::json::{DURATION, FIELD_MASK, TIMESTAMP, camel};
use crate::api::rest::rules::{Binding, Mapping};
use crate::api::rest::template::{Part, Template};
use crate::api::traffic::is_open;

/// Deepest field that is a parameter: `viewport.low.lat`.
const DEPTH_MAX: usize = 3;

/// The path of a way to call a method, and what it is there.
pub(super) fn of(binding: &Binding, comments: &Comments, schemas: &mut Schemas<'_>) -> (String, Value) {
    let method = &binding.method;
    let (path, names) = path(&binding.template);
    let mut parameters: Vec<Value> = names.iter().map(|name| in_path(name)).collect();
    parameters.extend(in_query(binding, schemas));
    let service = method.parent_service().name();
    let number = if binding.number == 0 { String::new() } else { format!("_{}", binding.number + 1) };
    let comment = comments.of_method(method);
    let mut operation = json!({
        "operationId": format!("{service}_{}{number}", method.name()),
        "tags": [service],
        "summary": comment.split_inclusive(['.', ':']).next().unwrap_or_default().trim_end_matches(['.', ':']),
        "description": comment,
        "parameters": parameters,
        "responses": { "200": answer(binding, schemas), "default": { "$ref": "#/components/responses/Error" } },
    });
    if let Some(body) = body(binding, schemas) {
        operation["requestBody"] = body;
    }
    if is_open(method.name()) {
        operation["security"] = json!([]);
    }
    (path, operation)
}

/// A path with a name for each part that is free, and those names.
fn path(template: &Template) -> (String, Vec<String>) {
    let mut names = Vec::new();
    let mut path = String::new();
    let mut before = "";
    for (at, part) in template.parts().iter().enumerate() {
        path.push('/');
        match part {
            Part::Literal(literal) => {
                path.push_str(literal);
                before = literal;
            }
            Part::Any => {
                let variable = template.variables().iter().find(|variable| variable.parts.contains(&at));
                let name = match variable {
                    // It is the field.
                    Some(variable) if variable.parts.len() == 1 => camel(&variable.field),
                    _ => singular(before),
                };
                path.push('{');
                path.push_str(&name);
                path.push('}');
                names.push(name);
            }
        }
    }
    if let Some(verb) = template.verb() {
        path.push(':');
        path.push_str(verb);
    }
    (path, names)
}

/// `sites` as `site`, `prefixes` as `prefix`.
fn singular(collection: &str) -> String {
    let one = collection.strip_suffix("xes").map(|stem| format!("{stem}x"));
    one.unwrap_or_else(|| collection.strip_suffix('s').unwrap_or(collection).to_owned())
}

fn in_path(name: &str) -> Value {
    json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
}

/// Names of fields, at the top, that stand in the path.
fn captured(binding: &Binding) -> BTreeSet<&str> {
    binding.template.variables().iter().map(|variable| variable.field.as_str()).collect()
}

/// What is neither in the path nor in the body.
fn in_query(binding: &Binding, schemas: &mut Schemas<'_>) -> Vec<Value> {
    let mut parameters = Vec::new();
    let is_free = |field: &FieldDescriptor| match &binding.body {
        Mapping::Nothing => !captured(binding).contains(field.name()),
        Mapping::Whole => false,
        Mapping::Field(body) => body != field && !captured(binding).contains(field.name()),
    };
    for field in binding.method.input().fields().filter(is_free) {
        push_parameters(&field, "", 1, schemas, &mut parameters);
    }
    parameters
}

/// A field as a parameter, or the fields of a message as parameters.
fn push_parameters(
    field: &FieldDescriptor,
    before: &str,
    depth: usize,
    schemas: &mut Schemas<'_>,
    parameters: &mut Vec<Value>,
) {
    let name = format!("{before}{}", field.json_name());
    match fields_of(field) {
        None if field.is_map() || is_list_of_messages(field) => {}
        None => {
            let mut schema = schemas.field(field);
            let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
            let description = description.unwrap_or_else(|| Value::from(""));
            parameters.push(json!({ "name": name, "in": "query", "description": description, "schema": schema }));
        }
        Some(message) if depth < DEPTH_MAX => {
            for inner in message.fields() {
                push_parameters(&inner, &format!("{name}."), depth + 1, schemas, parameters);
            }
        }
        Some(_) => {}
    }
}

/// The message of a field that is one, and has no text of its own.
fn fields_of(field: &FieldDescriptor) -> Option<MessageDescriptor> {
    let Kind::Message(message) = field.kind() else { return None };
    let is_text = [TIMESTAMP, DURATION, FIELD_MASK].contains(&message.full_name());
    (!is_text && !field.is_list() && !field.is_map()).then_some(message)
}

fn is_list_of_messages(field: &FieldDescriptor) -> bool {
    field.is_list() && matches!(field.kind(), Kind::Message(_))
}

fn body(binding: &Binding, schemas: &mut Schemas<'_>) -> Option<Value> {
    let schema = match &binding.body {
        Mapping::Nothing => return None,
        Mapping::Field(field) => schemas.field(field),
        Mapping::Whole => {
            let captured = captured(binding);
            let input = binding.method.input();
            let rest = input.fields().filter(|field| !captured.contains(field.name()));
            json!({ "type": "object", "properties": schemas.properties(rest), "additionalProperties": false })
        }
    };
    Some(json!({ "content": { "application/json": { "schema": schema } } }))
}

fn answer(binding: &Binding, schemas: &mut Schemas<'_>) -> Value {
    let output = binding.method.output();
    let schema = schemas.name_message(&output);
    let content = if binding.method.is_server_streaming() {
        let mut line = Map::new();
        line.insert("result".to_owned(), schema);
        line.insert("error".to_owned(), reference("Error"));
        let line = json!({
            "type": "object", "description": "A line: a message, or at the end an error.", "properties": line,
        });
        json!({ "application/x-ndjson": { "schema": line } })
    } else {
        json!({ "application/json": { "schema": schema } })
    };
    json!({ "description": "It was done.", "content": content })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_parts_have_the_names_of_what_they_are() {
        for (template, expect) in [
            ("/v1/{name=accounts/*/sites/*}:undelete", "/v1/accounts/{account}/sites/{site}:undelete"),
            ("/v1/{name=accounts/*/prefixes/*}", "/v1/accounts/{account}/prefixes/{prefix}"),
            ("/v1/{connection=accounts/*}/organizations/{organization_id}/sites", {
                "/v1/accounts/{account}/organizations/{organizationId}/sites"
            }),
            ("/v1:whoAmI", "/v1:whoAmI"),
        ] {
            assert_eq!(path(&Template::parse(template).unwrap()).0, expect);
        }
    }
}
