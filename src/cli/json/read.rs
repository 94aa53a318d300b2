//! JSON to messages, as protobuf maps them: by their descriptors. The other way is in the module above.
//!
//! Unknown fields are errors, and each error says where in the JSON it is.

use std::collections::HashMap;

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value as Dynamic};
use serde_json::{Map, Value};

use super::{DURATION, FIELD_MASK, TIMESTAMP};

/// Nanoseconds of a second.
const SECOND_NS: i128 = 1_000_000_000;

/// The message that an object describes.
pub(in crate::cli) fn message(described: MessageDescriptor, value: &Value) -> anyhow::Result<DynamicMessage> {
    match described.full_name() {
        TIMESTAMP => return timestamp(described, text(value)?),
        DURATION => return duration(described, text(value)?),
        FIELD_MASK => return Ok(mask(described, text(value)?)),
        _ => {}
    }
    let Value::Object(fields) = value else { bail!("an object is wanted, got {value}") };
    let mut message = DynamicMessage::new(described.clone());
    let mut choices = HashMap::new();
    for (name, value) in fields {
        let field = described.get_field_by_json_name(name).or_else(|| described.get_field_by_name(name));
        let field = field.with_context(|| format!("{name}: {} has no such field", described.name()))?;
        if value.is_null() {
            continue;
        }
        if let Some(choice) = field.containing_oneof()
            && let Some(other) = choices.insert(choice.full_name().to_owned(), name)
        {
            bail!("{name}: {other} is set, and one of the two can be");
        }
        let value = any(&field, value).with_context(|| name.clone())?;
        message.set_field(&field, value);
    }
    Ok(message)
}

/// A field's value: a list, a map, or one.
fn any(field: &FieldDescriptor, value: &Value) -> anyhow::Result<Dynamic> {
    if field.is_map() {
        let Value::Object(entries) = value else { bail!("an object is wanted, got {value}") };
        return map(field, entries);
    }
    if !field.is_list() {
        return one(&field.kind(), value);
    }
    let Value::Array(items) = value else { bail!("a list is wanted, got {value}") };
    let items = items.iter().enumerate();
    let items = items.map(|(at, item)| one(&field.kind(), item).with_context(|| format!("[{at}]")));
    Ok(Dynamic::List(items.collect::<anyhow::Result<_>>()?))
}

fn map(field: &FieldDescriptor, entries: &Map<String, Value>) -> anyhow::Result<Dynamic> {
    let Kind::Message(entry) = field.kind() else { bail!("its map has no entries") };
    let (key_kind, value_kind) = (entry.map_entry_key_field().kind(), entry.map_entry_value_field().kind());
    let entries = entries.iter().map(|(key, value)| {
        let value = one(&value_kind, value).with_context(|| key.clone())?;
        Ok((map_key(&key_kind, key).with_context(|| key.clone())?, value))
    });
    Ok(Dynamic::Map(entries.collect::<anyhow::Result<_>>()?))
}

fn map_key(kind: &Kind, key: &str) -> anyhow::Result<MapKey> {
    Ok(match kind {
        Kind::String => MapKey::String(key.to_owned()),
        Kind::Bool => MapKey::Bool(key.parse()?),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => MapKey::I32(key.parse()?),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => MapKey::I64(key.parse()?),
        Kind::Uint32 | Kind::Fixed32 => MapKey::U32(key.parse()?),
        Kind::Uint64 | Kind::Fixed64 => MapKey::U64(key.parse()?),
        _ => bail!("no key of a map"),
    })
}

fn one(kind: &Kind, value: &Value) -> anyhow::Result<Dynamic> {
    Ok(match kind {
        Kind::Bool => Dynamic::Bool(value.as_bool().with_context(|| format!("true or false, got {value}"))?),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Dynamic::I32(whole(value)?),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Dynamic::I64(whole(value)?),
        Kind::Uint32 | Kind::Fixed32 => Dynamic::U32(whole(value)?),
        Kind::Uint64 | Kind::Fixed64 => Dynamic::U64(whole(value)?),
        #[expect(clippy::cast_possible_truncation, reason = "the field holds no more")]
        Kind::Float => Dynamic::F32(fraction(value)? as f32),
        Kind::Double => Dynamic::F64(fraction(value)?),
        Kind::String => Dynamic::String(text(value)?.to_owned()),
        Kind::Bytes => Dynamic::Bytes(bytes(text(value)?)?.into()),
        Kind::Enum(described) => {
            if let Some(number) = value.as_i64() {
                return Ok(Dynamic::EnumNumber(number.try_into()?));
            }
            let name = text(value)?;
            let found = described.get_value_by_name(name);
            let names = || described.values().map(|value| value.name().to_owned()).collect::<Vec<_>>().join(", ");
            Dynamic::EnumNumber(found.with_context(|| format!("one of {}, got {name:?}", names()))?.number())
        }
        Kind::Message(described) => Dynamic::Message(message(described.clone(), value)?),
    })
}

/// A whole number, or a text of one: JSON's writers have 53 bits.
fn whole<T: TryFrom<i128>>(value: &Value) -> anyhow::Result<T> {
    let number = match value {
        Value::Number(number) => number.to_string().parse::<i128>().ok(),
        Value::String(text) => text.parse::<i128>().ok(),
        _ => None,
    };
    let fitting = number.and_then(|number| T::try_from(number).ok());
    fitting.with_context(|| format!("a whole number that fits is wanted, got {value}"))
}

/// A number, or one of the texts that stand for what JSON has no number for.
fn fraction(value: &Value) -> anyhow::Result<f64> {
    let number = match value {
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            text => text.parse().ok().filter(|number: &f64| number.is_finite()),
        },
        _ => value.as_f64(),
    };
    number.with_context(|| format!("a number is wanted, got {value}"))
}

fn text(value: &Value) -> anyhow::Result<&str> {
    value.as_str().with_context(|| format!("a text is wanted, got {value}"))
}

/// Base64 of either alphabet, with padding or without.
fn bytes(text: &str) -> anyhow::Result<Vec<u8>> {
    let engines = [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD];
    engines.iter().find_map(|engine| engine.decode(text).ok()).context("it is no base64")
}

fn timestamp(described: MessageDescriptor, text: &str) -> anyhow::Result<DynamicMessage> {
    let time: jiff::Timestamp =
        text.parse().with_context(|| format!("a time like 2026-06-17T12:00:00Z, got {text:?}"))?;
    Ok(seconds_and_nanos(described, time.as_nanosecond()))
}

fn duration(described: MessageDescriptor, text: &str) -> anyhow::Result<DynamicMessage> {
    let wanted = || format!("a duration like 90s or 0.5s, got {text:?}");
    let number = text.strip_suffix('s').with_context(wanted)?;
    let (is_negative, number) = number.strip_prefix('-').map_or((false, number), |number| (true, number));
    let (seconds, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let is_plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    ensure!(is_plain(seconds) && is_plain(decimals) && seconds.len() <= 12 && decimals.len() <= 9, wanted());
    let nanos = seconds.parse::<i128>()? * SECOND_NS + format!("{decimals:0<9}").parse::<i128>()?;
    Ok(seconds_and_nanos(described, if is_negative { -nanos } else { nanos }))
}

/// A timestamp counts nanoseconds forward from its second; a duration has one sign for both.
fn seconds_and_nanos(described: MessageDescriptor, nanos: i128) -> DynamicMessage {
    let is_time = described.full_name() == TIMESTAMP;
    let (seconds, rest) = if is_time {
        (nanos.div_euclid(SECOND_NS), nanos.rem_euclid(SECOND_NS))
    } else {
        (nanos / SECOND_NS, nanos % SECOND_NS)
    };
    let mut message = DynamicMessage::new(described);
    message.set_field_by_name("seconds", Dynamic::I64(i64::try_from(seconds).unwrap_or_default()));
    message.set_field_by_name("nanos", Dynamic::I32(i32::try_from(rest).unwrap_or_default()));
    message
}

fn mask(described: MessageDescriptor, text: &str) -> DynamicMessage {
    let paths = text.split(',').filter(|path| !path.is_empty()).map(|path| Dynamic::String(snake(path)));
    let mut message = DynamicMessage::new(described);
    message.set_field_by_name("paths", Dynamic::List(paths.collect()));
    message
}

/// `displayName` as `display_name`.
fn snake(path: &str) -> String {
    path.chars().fold(String::new(), |mut text, letter| {
        if letter.is_ascii_uppercase() {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
        text
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::{of_dynamic, pool};
    use super::*;

    fn read(name: &str, value: &Value) -> anyhow::Result<DynamicMessage> {
        let described = pool().unwrap().get_message_by_name(&format!("waymark.v1.{name}")).unwrap();
        message(described, value)
    }

    /// What is read is written as it stood there.
    fn check(name: &str, value: &Value) {
        assert_eq!(of_dynamic(&read(name, value).unwrap()), *value);
    }

    #[test]
    fn what_is_read_is_written_again() {
        check("GetSiteRequest", &json!({}));
        check(
            "Site",
            &json!({
                "name": "accounts/acme/sites/1",
                "revision": "9007199254740993",
                "status": "SITE_STATUS_ONLINE",
                "labels": {"floor": "2", "wing": "north"},
                "contact": {"phones": [{"number": "+354", "kind": "PHONE_KIND_HOME"}]},
                "createTime": "2023-11-14T22:13:20.5Z",
                "location": {"position": {"lat": 64.1, "lng": -21.9}},
            }),
        );
        check("UpdateSiteRequest", &json!({"site": {"note": "x"}, "updateMask": "note,displayName"}));
        check("SignTileUrlRequest", &json!({"parent": "accounts/acme", "ttl": "3600s"}));
        check("SignTileUrlRequest", &json!({"ttl": "0.25s"}));
        check("SignTileUrlRequest", &json!({"ttl": "-1.5s"}));
        check("ActivateAgentRequest", &json!({"agentKey": "AAECAw=="}));
    }

    #[test]
    fn other_spellings_are_read_too() {
        for (name, other, as_written) in [
            ("Site", json!({"display_name": "x"}), json!({"displayName": "x"})),
            ("Site", json!({"revision": 7}), json!({"revision": "7"})),
            ("Site", json!({"status": 2}), json!({"status": "SITE_STATUS_ONLINE"})),
            ("Site", json!({"note": null}), json!({})),
            ("Site", json!({"createTime": "2023-11-15T00:13:20+02:00"}), json!({"createTime": "2023-11-14T22:13:20Z"})),
            ("ActivateAgentRequest", json!({"agentKey": "_-8"}), json!({"agentKey": "/+8="})),
            ("LatLng", json!({"lat": "64.5"}), json!({"lat": 64.5})),
        ] {
            assert_eq!(of_dynamic(&read(name, &other).unwrap()), as_written, "{other}");
        }
    }

    #[test]
    fn faults_say_where_they_are() {
        for (name, value, told) in [
            ("Site", json!({"colour": 1}), "colour: Site has no such field"),
            ("Site", json!([]), "an object is wanted"),
            ("Site", json!({"note": 7}), "note: a text is wanted, got 7"),
            (
                "Site",
                json!({"contact": {"phones": [{"kind": "FAX"}]}}),
                "contact: phones: [0]: kind: one of PHONE_KIND_",
            ),
            ("Site", json!({"status": 1.5}), "status: a text is wanted"),
            ("Site", json!({"revision": 1e30}), "revision: a whole number that fits"),
            ("Site", json!({"createTime": "yesterday"}), "createTime: a time like"),
            ("SignTileUrlRequest", json!({"ttl": "1h"}), "ttl: a duration like"),
            ("SignTileUrlRequest", json!({"ttl": "1e3s"}), "ttl: a duration like"),
            ("ActivateAgentRequest", json!({"agentKey": "%"}), "agentKey: it is no base64"),
            (
                "GeocodeAddressRequest",
                json!({"addressLine": "x", "postalAddress": {}}),
                "postalAddress: addressLine is set",
            ),
        ] {
            let fault = format!("{:#}", read(name, &value).unwrap_err());
            assert!(fault.contains(told), "{value}: {fault}");
        }
    }

    proptest! {
        #[test]
        fn times_and_durations_come_back(nanos in -60_000_000_000_000_000_000_i128..60_000_000_000_000_000_000) {
            for name in [TIMESTAMP, DURATION] {
                let described = pool().unwrap().get_message_by_name(name).unwrap();
                let first = seconds_and_nanos(described.clone(), nanos);
                let again = message(described, &of_dynamic(&first)).unwrap();
                prop_assert_eq!(&again, &first);
            }
        }
    }
}
