//! Messages as JSON, as protobuf maps them: by their descriptors, so that a new field is written without a word here.
//!
//! Knows what the API is made of: no `Any`, no wrappers, no structs. (The serializer of `prost-reflect` would bring crates that
//! nobody keeps up.)

pub(super) mod read;

use std::sync::OnceLock;

use anyhow::Context as _;
use prost::Message;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, ReflectMessage as _, Value as Dynamic,
};
use serde_json::{Map, Value};

use crate::api::proto::DESCRIPTORS;

/// Messages that JSON has as a text.
const TIMESTAMP: &str = "google.protobuf.Timestamp";
const DURATION: &str = "google.protobuf.Duration";
const FIELD_MASK: &str = "google.protobuf.FieldMask";

/// All that the API is made of.
pub(super) fn pool() -> anyhow::Result<&'static DescriptorPool> {
    static POOL: OnceLock<Option<DescriptorPool>> = OnceLock::new();
    let pool = POOL.get_or_init(|| DescriptorPool::decode(DESCRIPTORS).ok());
    pool.as_ref().context("the descriptors of the API are malformed")
}

/// A message of the API by its name, such as `Site`. What is not set or empty is left out.
pub(super) fn of_message(name: &str, message: &impl Message) -> anyhow::Result<Value> {
    let pool = pool()?;
    let name = format!("waymark.v1.{name}");
    let described = pool.get_message_by_name(&name).with_context(|| format!("the API has no message {name}"))?;
    let message = DynamicMessage::decode(described, message.encode_to_vec().as_slice())?;
    Ok(of_dynamic(&message))
}

/// The same of a message that brings its descriptor.
pub(super) fn of_dynamic(message: &DynamicMessage) -> Value {
    let text = match message.descriptor().full_name() {
        TIMESTAMP => of_time(message),
        DURATION => of_duration(message),
        FIELD_MASK => of_mask(message),
        _ => None,
    };
    if let Some(text) = text {
        return Value::String(text);
    }
    let fields = message.fields().map(|(field, value)| (field.json_name().to_owned(), of_value(&field, value)));
    Value::Object(fields.collect())
}

/// A time as RFC 3339 has it, in UTC.
fn of_time(message: &DynamicMessage) -> Option<String> {
    let seconds = message.get_field_by_name("seconds")?.as_i64()?;
    let nanos = message.get_field_by_name("nanos")?.as_i32()?;
    jiff::Timestamp::new(seconds, nanos).ok().map(|time| time.to_string())
}

/// A duration in seconds, with as many decimals as it has.
fn of_duration(message: &DynamicMessage) -> Option<String> {
    let seconds = message.get_field_by_name("seconds")?.as_i64()?;
    let nanos = message.get_field_by_name("nanos")?.as_i32()?;
    let sign = if seconds < 0 || nanos < 0 { "-" } else { "" };
    let decimals = format!("{:09}", nanos.unsigned_abs());
    let text = format!("{sign}{}.{decimals}", seconds.unsigned_abs());
    Some(format!("{}s", text.trim_end_matches('0').trim_end_matches('.')))
}

/// Paths as JSON names fields.
fn of_mask(message: &DynamicMessage) -> Option<String> {
    let paths = message.get_field_by_name("paths")?.into_owned();
    let paths: Vec<String> = paths.as_list()?.iter().map(|path| camel(path.as_str().unwrap_or_default())).collect();
    Some(paths.join(","))
}

/// `display_name` as `displayName`.
fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let mut letters = part.chars();
        let initial = letters.next().map(|letter| letter.to_ascii_uppercase());
        text + &initial.into_iter().chain(letters).collect::<String>()
    })
}

fn of_value(field: &FieldDescriptor, value: &Dynamic) -> Value {
    match value {
        Dynamic::Bool(value) => Value::Bool(*value),
        Dynamic::I32(value) => Value::from(*value),
        Dynamic::U32(value) => Value::from(*value),
        // JSON's readers have 53 bits.
        Dynamic::I64(value) => Value::String(value.to_string()),
        Dynamic::U64(value) => Value::String(value.to_string()),
        Dynamic::F32(value) => Value::from(*value),
        Dynamic::F64(value) => Value::from(*value),
        Dynamic::String(value) => Value::String(value.clone()),
        Dynamic::Bytes(value) => {
            Value::String(base64::Engine::encode(&base64::engine::general_purpose::STANDARD, value))
        }
        Dynamic::EnumNumber(number) => of_enum(field, *number),
        Dynamic::Message(message) => of_dynamic(message),
        Dynamic::List(items) => Value::Array(items.iter().map(|item| of_value(field, item)).collect()),
        Dynamic::Map(entries) => {
            let Kind::Message(entry) = field.kind() else { return Value::Null };
            let described = entry.map_entry_value_field();
            let entries = entries.iter().map(|(key, value)| (of_key(key), of_value(&described, value)));
            // In the order of their keys, so that two exports of one record are one text.
            Value::Object(entries.collect::<Map<_, _>>())
        }
    }
}

/// The value's name; the number of one that this version does not know.
fn of_enum(field: &FieldDescriptor, number: i32) -> Value {
    let Kind::Enum(described) = field.kind() else { return Value::from(number) };
    described.get_value(number).map_or_else(|| Value::from(number), |value| Value::from(value.name()))
}

fn of_key(key: &MapKey) -> String {
    match key {
        MapKey::Bool(key) => key.to_string(),
        MapKey::I32(key) => key.to_string(),
        MapKey::I64(key) => key.to_string(),
        MapKey::U32(key) => key.to_string(),
        MapKey::U64(key) => key.to_string(),
        MapKey::String(key) => key.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::proto::waymark::v1 as pb;

    #[test]
    fn messages_are_written_as_protobuf_maps_them() {
        let site = pb::Site {
            name: "accounts/acme/sites/1".into(),
            revision: 7,
            status: pb::SiteStatus::Online.into(),
            labels: [("floor".to_owned(), "2".to_owned())].into(),
            contact: Some(pb::Contact {
                phones: vec![pb::Phone {
                    number: "+354".into(),
                    kind: pb::PhoneKind::Home.into(),
                    ..pb::Phone::default()
                }],
                ..pb::Contact::default()
            }),
            create_time: Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 500_000_000 }),
            location: Some(pb::Location {
                position: Some(pb::LatLng { lat: 64.1, lng: -21.9 }),
                ..pb::Location::default()
            }),
            ..pb::Site::default()
        };
        let expect = json!({
            "name": "accounts/acme/sites/1",
            "revision": "7",
            "status": "SITE_STATUS_ONLINE",
            "labels": {"floor": "2"},
            "contact": {"phones": [{"number": "+354", "kind": "PHONE_KIND_HOME"}]},
            "createTime": "2023-11-14T22:13:20.5Z",
            "location": {"position": {"lat": 64.1, "lng": -21.9}},
        });
        assert_eq!(of_message("Site", &site).unwrap(), expect);
        let unknown = pb::Site { status: 99, ..pb::Site::default() };
        assert_eq!(of_message("Site", &unknown).unwrap(), json!({"status": 99}));
        assert!(of_message("Nothing", &unknown).is_err());
    }
}
