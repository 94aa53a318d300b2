//! Messages as JSON, as protobuf maps them: by their descriptors, so that a new field is written without a word here.
//!
//! Knows what the API is made of: no `Any`, no wrappers, no structs. (The serializer of `prost-reflect` would bring crates that
//! nobody keeps up.)

pub(super) mod parse;
pub(crate) mod read;

use std::sync::OnceLock;

use prost::Message;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, ReflectMessage as _, Value as Dynamic,
};
use serde_json::{Map, Value};

use super::proto::DESCRIPTORS;

/// Messages that JSON has as a text.
pub(crate) const TIMESTAMP: &str = "google.protobuf.Timestamp";
pub(crate) const DURATION: &str = "google.protobuf.Duration";
pub(crate) const FIELD_MASK: &str = "google.protobuf.FieldMask";

/// Why there is no JSON of a message.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The descriptors in the program cannot be read.
    #[error("the descriptors of the API are malformed")]
    Descriptors,
    /// No message has this name.
    #[error("the API has no message {0}")]
    Unknown(String),
    /// Its bytes are of another message.
    #[error("a message cannot be read by its descriptor: {0}")]
    Undecodable(#[from] prost::DecodeError),
}

/// All that the API is made of.
pub(crate) fn pool() -> Result<&'static DescriptorPool, Error> {
    static POOL: OnceLock<Option<DescriptorPool>> = OnceLock::new();
    let pool = POOL.get_or_init(|| DescriptorPool::decode(DESCRIPTORS).ok());
    pool.as_ref().ok_or(Error::Descriptors)
}

/// A message of the API by its name, such as `Site`. What is not set or empty is left out.
pub(crate) fn of_message(name: &str, message: &impl Message) -> Result<Value, Error> {
    let pool = pool()?;
    let name = format!("waymark.v1.{name}");
    let described = pool.get_message_by_name(&name).ok_or(Error::Unknown(name))?;
    let message = DynamicMessage::decode(described, message.encode_to_vec().as_slice())?;
    Ok(of_dynamic(&message))
}

/// The same of a message that brings its descriptor.
pub(crate) fn of_dynamic(message: &DynamicMessage) -> Value {
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
    let whole = jiff::Timestamp::new(seconds, 0).ok()?.to_string();
    Some(format!("{}{}Z", whole.strip_suffix('Z')?, decimals(u32::try_from(nanos).ok()?)))
}

/// A duration in seconds.
fn of_duration(message: &DynamicMessage) -> Option<String> {
    let seconds = message.get_field_by_name("seconds")?.as_i64()?;
    let nanos = message.get_field_by_name("nanos")?.as_i32()?;
    let sign = if seconds < 0 || nanos < 0 { "-" } else { "" };
    Some(format!("{sign}{}{}s", seconds.unsigned_abs(), decimals(nanos.unsigned_abs())))
}

/// What stands behind the second: nothing, or 3, 6 or 9 digits, as protobuf has it.
fn decimals(nanos: u32) -> String {
    if nanos == 0 {
        String::new()
    } else if nanos.is_multiple_of(1_000_000) {
        format!(".{:03}", nanos / 1_000_000)
    } else if nanos.is_multiple_of(1_000) {
        format!(".{:06}", nanos / 1_000)
    } else {
        format!(".{nanos:09}")
    }
}

/// Paths as JSON names fields.
fn of_mask(message: &DynamicMessage) -> Option<String> {
    let paths = message.get_field_by_name("paths")?.into_owned();
    let paths: Vec<String> = paths.as_list()?.iter().map(|path| camel(path.as_str().unwrap_or_default())).collect();
    Some(paths.join(","))
}

/// `display_name` as `displayName`.
pub(crate) fn camel(name: &str) -> String {
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
        Dynamic::F32(value) => of_fraction(f64::from(*value)),
        Dynamic::F64(value) => of_fraction(*value),
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

/// A number, or the text that stands for what JSON has no number for.
fn of_fraction(value: f64) -> Value {
    if value.is_nan() {
        Value::from("NaN")
    } else if value.is_infinite() {
        Value::from(if value > 0.0 { "Infinity" } else { "-Infinity" })
    } else {
        Value::from(value)
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
            "createTime": "2023-11-14T22:13:20.500Z",
            "location": {"position": {"lat": 64.1, "lng": -21.9}},
        });
        assert_eq!(of_message("Site", &site).unwrap(), expect);
        let unknown = pb::Site { status: 99, ..pb::Site::default() };
        assert_eq!(of_message("Site", &unknown).unwrap(), json!({"status": 99}));
        assert!(of_message("Nothing", &unknown).is_err());
    }

    #[test]
    fn what_json_has_no_number_for_is_a_text() {
        let written = |lat: f64| of_message("LatLng", &pb::LatLng { lat, lng: 0.5 }).unwrap()["lat"].clone();
        assert_eq!(written(f64::NAN), json!("NaN"));
        assert_eq!(written(f64::NEG_INFINITY), json!("-Infinity"));
        assert_eq!(written(0.1), json!(0.1));
    }

    #[test]
    fn times_have_as_many_digits_as_protobuf_gives_them() {
        for (nanos, digits) in [(0, ""), (500_000_000, ".500"), (1_000, ".000001"), (1, ".000000001")] {
            assert_eq!(decimals(nanos), digits);
        }
    }
}
