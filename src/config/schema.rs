//! The configuration's JSON schema, made of the types that read it: no key can be in one and not in the other.
//!
//! Draft 7, which editors of TOML understand. What a schema cannot say (a key needs another, a file is there) is said by
//! [`crate::app::verdict`].

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::Config;

/// The schema of a configuration file.
#[must_use]
pub fn schema() -> Value {
    let mut schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<Config>();
    schema.insert("title".to_owned(), Value::from("waymark.toml"));
    schema.insert("description".to_owned(), Value::from("The configuration of waymark serve."));
    schema.to_value()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The part of the schema that a path of keys leads to, behind all references.
    fn at(schema: &Value, keys: &[&str]) -> Value {
        keys.iter().fold(schema.clone(), |part, key| behind(schema, &part)["properties"][key].clone())
    }

    /// What a reference stands for, or an optional table.
    fn behind(schema: &Value, part: &Value) -> Value {
        let options = part["anyOf"].as_array().or(part["allOf"].as_array()).cloned().unwrap_or_default();
        let named = options.iter().chain([part]).find_map(|option| option["$ref"].as_str());
        match named {
            Some(name) => schema.pointer(name.trim_start_matches('#')).cloned().unwrap(),
            None => part.clone(),
        }
    }

    #[test]
    fn every_table_is_described_and_closed() {
        let schema = schema();
        let definitions = schema["definitions"].as_object().unwrap();
        let tables = definitions.iter().map(|(name, table)| (name.as_str(), table)).chain([("", &schema)]);
        let mut count = 0;
        for (name, table) in tables.filter(|(_, table)| table["type"] == "object") {
            count += 1;
            assert_eq!(table["additionalProperties"], json!(false), "{name}");
            for (key, part) in table["properties"].as_object().unwrap() {
                let told = part["description"].as_str().unwrap_or_default();
                assert!(!told.is_empty(), "{name}.{key}");
            }
        }
        assert!(count >= 13, "{count}");
        // No name that the generator had to make up.
        assert!(definitions.keys().all(|name| !name.ends_with(|c: char| c.is_ascii_digit())), "{definitions:?}");
    }

    #[test]
    fn types_bounds_and_defaults_are_in_it() {
        let schema = schema();
        assert_eq!(at(&schema, &["listen", "address"])["default"], "127.0.0.1:8642");
        assert_eq!(at(&schema, &["service", "trusted_proxies"])["items"]["type"], "string");
        assert_eq!(at(&schema, &["service", "address_retry_s"])["minimum"], 1);
        assert_eq!(at(&schema, &["redis", "partitions"])["default"], 16);
        let redis = behind(&schema, &at(&schema, &["redis"]));
        assert_eq!(redis["required"], json!(["nodes"]));
        let database = behind(&schema, &at(&schema, &["geoip", "databases"])["items"]);
        assert_eq!(database["anyOf"][0]["type"], "string");
        let table = behind(&schema, &database["anyOf"][1]);
        assert_eq!((&table["required"], &table["additionalProperties"]), (&json!(["path"]), &json!(false)));
    }
}
