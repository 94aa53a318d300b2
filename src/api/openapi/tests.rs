//! The document holds every method that is served, names nothing that is not there, and is the same each time.

use std::collections::BTreeSet;

use super::*;

fn parsed() -> Value {
    serde_json::from_str(document().unwrap()).unwrap()
}

/// All operations: path, verb, operation.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let items = document["paths"].as_object().unwrap().iter();
    let each = items.flat_map(|(path, item)| {
        let verbs = item.as_object().unwrap().iter();
        verbs.map(move |(verb, operation)| (path.clone(), verb.clone(), operation.clone()))
    });
    each.collect()
}

/// Where a value names another one.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(target) if name == "$ref" => {
                        found.insert(target.clone());
                    }
                    value => references(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn every_method_that_is_served_is_there_once_for_each_way() {
    let document = parsed();
    let operations = operations(&document);
    let ids: BTreeSet<&str> = operations.iter().map(|(_, _, told)| told["operationId"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), operations.len(), "ids are unique");
    let served = Rules::all().bindings().iter().filter(|binding| !binding.method.is_client_streaming());
    assert_eq!(operations.len(), served.clone().count());
    for binding in served.filter(|binding| binding.number == 0) {
        let id = format!("{}_{}", binding.method.parent_service().name(), binding.method.name());
        assert!(ids.contains(id.as_str()), "{id}");
    }
}

#[test]
fn what_is_named_is_there_and_what_is_there_is_named() {
    let document = parsed();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    for target in &found {
        let pointer = target.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some_and(Value::is_object), "{target}");
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        let is_named = found.contains(&format!("#/components/schemas/{name}"));
        assert!(is_named || name == "ErrorReason", "{name}");
    }
}

#[test]
fn the_variables_of_a_path_are_its_parameters() {
    let document = parsed();
    for (path, verb, operation) in operations(&document) {
        let of_path: BTreeSet<&str> = path.split('{').skip(1).map(|behind| behind.split_once('}').unwrap().0).collect();
        let parameters = operation["parameters"].as_array().unwrap();
        let named = parameters.iter().filter(|parameter| parameter["in"] == "path");
        assert_eq!(named.map(|parameter| parameter["name"].as_str().unwrap()).collect::<BTreeSet<_>>(), of_path);
        let all: BTreeSet<_> =
            parameters.iter().map(|parameter| (parameter["in"].as_str(), parameter["name"].as_str())).collect();
        assert_eq!(all.len(), parameters.len(), "{verb} {path}");
        assert!(!operation["description"].as_str().unwrap().is_empty(), "{verb} {path}");
        assert!(!operation["summary"].as_str().unwrap().is_empty(), "{verb} {path}");
    }
}

#[test]
fn operations_are_as_they_are_called() {
    let document = parsed();
    let list = &document["paths"]["/v1/accounts/{account}/sites"]["get"];
    let names: Vec<&str> =
        list["parameters"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["account", "pageSize", "pageToken", "filter", "orderBy", "showDeleted"]);
    let site = json!({"$ref": "#/components/schemas/Site"});
    let get = &document["paths"]["/v1/accounts/{account}/sites/{site}"]["get"];
    assert_eq!(get["responses"]["200"]["content"]["application/json"]["schema"], site);
    let create = &document["paths"]["/v1/accounts/{account}/sites"]["post"]["requestBody"];
    assert_eq!(create["content"]["application/json"]["schema"]["$ref"], site["$ref"]);
    let watch = &document["paths"]["/v1/accounts/{account}/sites:watch"]["get"];
    assert!(watch["responses"]["200"]["content"]["application/x-ndjson"].is_object());
    let query = &document["paths"]["/v1/accounts/{account}/map:queryViewport"]["get"]["parameters"];
    assert!(query.as_array().unwrap().iter().any(|parameter| parameter["name"] == "viewport.low.lat"));
    assert_eq!(document["paths"]["/v1/invitations:redeem"]["post"]["security"], json!([]));
    assert!(document["paths"].get("/v1/accounts/{account}/map:watch").is_none(), "it takes a stream");
    let revision = &document["components"]["schemas"]["Site"]["properties"]["revision"];
    assert_eq!((&revision["type"], &revision["format"]), (&json!("string"), &json!("uint64")));
}

#[test]
fn it_is_the_same_each_time() {
    let again = format!("{:#}", describe(pool().unwrap(), Rules::all()));
    assert_eq!(document().unwrap(), again);
}
