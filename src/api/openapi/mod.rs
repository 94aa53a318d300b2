//! The API over HTTP/JSON as an OpenAPI 3.1 document, made of the protos: what is served, and the comments there.
//!
//! The same program writes the same bytes: everything comes in the order of the protos, or of names.

mod comments;
mod operations;
mod schemas;

use std::sync::OnceLock;

use prost_reflect::DescriptorPool;
use serde_json::{Map, Value, json};

use super::json::{Error, pool};
use super::rest::rules::Rules;
use crate::telemetry::build_info::BUILD;
use comments::Comments;
use schemas::Schemas;

/// The package of all that is described.
const PACKAGE: &str = "waymark.v1.";
/// The enum that errors name their reasons by.
const REASONS: &str = "waymark.v1.ErrorReason";
/// What the document says of the whole.
const ABOUT: &str = "Where every site is, and all of them on one map. The same methods as over gRPC, with the same rights, limits and \
                     errors; docs/http-json.md says how they are called.";

/// The document.
pub(crate) fn document() -> Result<&'static str, Error> {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    if let Some(document) = DOCUMENT.get() {
        return Ok(document);
    }
    let made = format!("{:#}", describe(pool()?, Rules::all()));
    Ok(DOCUMENT.get_or_init(|| made))
}

fn describe(pool: &DescriptorPool, rules: &Rules) -> Value {
    let comments = Comments::of(pool);
    let mut schemas = Schemas::new(&comments);
    let mut paths = Map::new();
    for binding in rules.bindings().iter().filter(|binding| !binding.method.is_client_streaming()) {
        let (path, operation) = operations::of(binding, &comments, &mut schemas);
        let item = paths.entry(path).or_insert_with(|| json!({}));
        item[binding.verb.as_str().to_lowercase()] = operation;
    }
    if let Some(reasons) = pool.get_enum_by_name(REASONS) {
        schemas.name_enum(&reasons);
    }
    let tags: Vec<Value> = pool
        .services()
        .map(|service| json!({ "name": service.name(), "description": comments.of_service(&service) }))
        .collect();
    let mut described = schemas.finish();
    described.insert("Error".to_owned(), error());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "waymark",
            "version": BUILD.version,
            "description": ABOUT,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "token": [] }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": described,
            "responses": { "Error": response_of_error() },
            "securitySchemes": { "token": {
                "type": "http",
                "scheme": "bearer",
                "description": "A token of waymark (`wmk_…`), or the credential of an agent or a resident. Nothing else counts: no cookie.",
            }},
        },
    })
}

/// What an error says.
fn error() -> Value {
    json!({
        "type": "object",
        "description": "A google.rpc.Status as Google's APIs write it.",
        "required": ["code", "message", "status", "details"],
        "properties": {
            "code": { "type": "integer", "format": "int32", "description": "The HTTP status." },
            "message": { "type": "string", "description": "For people." },
            "status": { "type": "string", "description": "The code of gRPC, such as NOT_FOUND." },
            "details": {
                "type": "array",
                "description": "google.rpc.ErrorInfo, whose `reason` is one of ErrorReason without its prefix, and where they apply \
                    BadRequest, ResourceInfo and RetryInfo.",
                "items": {
                    "type": "object",
                    "required": ["@type"],
                    "properties": { "@type": { "type": "string" } },
                    "additionalProperties": true,
                },
            },
        },
    })
}

fn response_of_error() -> Value {
    json!({
        "description": "An error.",
        "headers": {
            "Retry-After": {
                "description": "Seconds after which to ask again, where the error has a RetryInfo.",
                "schema": { "type": "integer" },
            },
        },
        "content": { "application/json": { "schema": {
            "type": "object",
            "required": ["error"],
            "properties": { "error": schemas::reference("Error") },
        }}},
    })
}

#[cfg(test)]
mod tests;
