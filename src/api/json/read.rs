//! JSON to messages, as protobuf maps them: by their descriptors. The other way is in the module above.
//!
//! Unknown fields are errors, and each error says where in the JSON it is.

use std::collections::{HashMap, HashSet};
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value as Dynamic};
use serde_json::{Map, Value};

use super::{DURATION, FIELD_MASK, TIMESTAMP};
use crate::model::text::shown;

/// Nanoseconds of a second.
const SECOND_NS: i128 = 1_000_000_000;
/// Most seconds of a duration, of either sign: some ten thousand years, as protobuf has it.
const DURATION_SECONDS_DIGITS_MAX: usize = 12;

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unreadable {
    /// Where it stands, such as `contact.phones[0].kind`; empty for the whole.
    pub(crate) at: String,
    /// What is wanted, and what was found.
    pub(crate) why: String,
}

impl Unreadable {
    fn new(why: impl Into<String>) -> Self {
        Self { at: String::new(), why: why.into() }
    }

    /// The same, seen from what holds the value at `place`.
    pub(crate) fn within(mut self, place: &str) -> Self {
        let separator = if self.at.is_empty() || self.at.starts_with('[') { "" } else { "." };
        self.at = format!("{place}{separator}{}", self.at);
        self
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if self.at.is_empty() { "" } else { ": " };
        write!(f, "{}{separator}{}", self.at, self.why)
    }
}

impl std::error::Error for Unreadable {}

type Read<T> = Result<T, Unreadable>;

/// What is wanted, and of what kind that is which was found. No value is told back: it may be of a person, or a secret.
fn wanted<T>(what: &str, value: &Value) -> Read<T> {
    Err(Unreadable::new(format!("{what}, got {}", kind_of(value))))
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The field of a name as JSON or the proto writes it.
pub(crate) fn field_named(described: &MessageDescriptor, name: &str) -> Read<FieldDescriptor> {
    let field = described.get_field_by_json_name(name).or_else(|| described.get_field_by_name(name));
    field.ok_or_else(|| Unreadable::new(format!("{} has no such field", described.name())).within(&bounded(name)))
}

/// A caller's own name of a field, no longer than a message may tell back.
pub(crate) fn bounded(name: &str) -> String {
    let is_plain = name.len() <= 60 && name.chars().all(|letter| letter.is_ascii_graphic());
    if is_plain { name.to_owned() } else { shown(name) }
}

/// The message that an object describes.
pub(crate) fn message(described: MessageDescriptor, value: &Value) -> Read<DynamicMessage> {
    match described.full_name() {
        TIMESTAMP => return timestamp(described, text(value)?),
        DURATION => return duration(described, text(value)?),
        FIELD_MASK => return Ok(mask(described, text(value)?)),
        _ => {}
    }
    let Value::Object(fields) = value else { return wanted("an object is wanted", value) };
    let mut message = DynamicMessage::new(described.clone());
    let (mut choices, mut seen) = (HashMap::new(), HashSet::new());
    for (name, value) in fields {
        let field = field_named(&described, name)?;
        if !seen.insert(field.number()) {
            return Err(Unreadable::new("it stands under its other name too").within(name));
        }
        if value.is_null() {
            continue;
        }
        if let Some(choice) = field.containing_oneof()
            && let Some(other) = choices.insert(choice.full_name().to_owned(), name)
        {
            return Err(Unreadable::new(format!("{other} is set, and one of the two can be")).within(name));
        }
        let value = any(&field, value).map_err(|fault| fault.within(name))?;
        message.set_field(&field, value);
    }
    Ok(message)
}

/// A field's value: a list, a map, or one.
pub(crate) fn any(field: &FieldDescriptor, value: &Value) -> Read<Dynamic> {
    if field.is_map() {
        let Value::Object(entries) = value else { return wanted("an object is wanted", value) };
        return map(field, entries);
    }
    if !field.is_list() {
        return one(&field.kind(), value);
    }
    let Value::Array(items) = value else { return wanted("a list is wanted", value) };
    let items = items.iter().enumerate();
    let items = items.map(|(at, item)| one(&field.kind(), item).map_err(|fault| fault.within(&format!("[{at}]"))));
    Ok(Dynamic::List(items.collect::<Read<_>>()?))
}

/// One value of a field from a text, as parameters of addresses have it; of a list, one item.
pub(crate) fn of_text(field: &FieldDescriptor, text: &str) -> Read<Dynamic> {
    let value = Value::from(text);
    match field.kind() {
        Kind::Bool => match text {
            "true" => Ok(Dynamic::Bool(true)),
            "false" => Ok(Dynamic::Bool(false)),
            _ => wanted("true or false", &value),
        },
        Kind::Enum(_) if text.parse::<i32>().is_ok() => Ok(Dynamic::EnumNumber(whole(&value)?)),
        Kind::Message(described) if ![TIMESTAMP, DURATION, FIELD_MASK].contains(&described.full_name()) => {
            Err(Unreadable::new("a message is no parameter: name its fields, as in position.lat"))
        }
        kind => one(&kind, &value),
    }
}

fn map(field: &FieldDescriptor, entries: &Map<String, Value>) -> Read<Dynamic> {
    let Kind::Message(entry) = field.kind() else { return Err(Unreadable::new("its map has no entries")) };
    let (key_kind, value_kind) = (entry.map_entry_key_field().kind(), entry.map_entry_value_field().kind());
    let entries = entries.iter().map(|(key, value)| {
        let within = |fault: Unreadable| fault.within(&bounded(key));
        let value = one(&value_kind, value).map_err(within)?;
        Ok((map_key(&key_kind, key).map_err(within)?, value))
    });
    Ok(Dynamic::Map(entries.collect::<Read<_>>()?))
}

fn map_key(kind: &Kind, key: &str) -> Read<MapKey> {
    let number = Value::from(key);
    Ok(match kind {
        Kind::String => MapKey::String(key.to_owned()),
        Kind::Bool => MapKey::Bool(key.parse().or_else(|_| wanted("true or false", &number))?),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => MapKey::I32(whole(&number)?),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => MapKey::I64(whole(&number)?),
        Kind::Uint32 | Kind::Fixed32 => MapKey::U32(whole(&number)?),
        Kind::Uint64 | Kind::Fixed64 => MapKey::U64(whole(&number)?),
        _ => return Err(Unreadable::new("no key of a map")),
    })
}

fn one(kind: &Kind, value: &Value) -> Read<Dynamic> {
    Ok(match kind {
        Kind::Bool => match value {
            Value::Bool(value) => Dynamic::Bool(*value),
            _ => return wanted("true or false", value),
        },
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
            if value.is_i64() {
                return Ok(Dynamic::EnumNumber(whole(value)?));
            }
            let name = text(value)?;
            let names = || described.values().map(|value| value.name().to_owned()).collect::<Vec<_>>().join(", ");
            match described.get_value_by_name(name) {
                Some(found) => Dynamic::EnumNumber(found.number()),
                None => return Err(Unreadable::new(format!("one of {}, got {}", names(), shown(name)))),
            }
        }
        Kind::Message(described) => Dynamic::Message(message(described.clone(), value)?),
    })
}

/// A whole number, or a text of one: JSON's writers have 53 bits.
fn whole<T: TryFrom<i128>>(value: &Value) -> Read<T> {
    let number = match value {
        Value::Number(number) => number.to_string().parse::<i128>().ok(),
        Value::String(text) => text.parse::<i128>().ok(),
        _ => None,
    };
    let fitting = number.and_then(|number| T::try_from(number).ok());
    fitting.map_or_else(|| wanted("a whole number that fits is wanted", value), Ok)
}

/// A number, or one of the texts that stand for what JSON has no number for.
fn fraction(value: &Value) -> Read<f64> {
    let number = match value {
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            text => text.parse().ok().filter(|number: &f64| number.is_finite()),
        },
        _ => value.as_f64(),
    };
    number.map_or_else(|| wanted("a number is wanted", value), Ok)
}

fn text(value: &Value) -> Read<&str> {
    match value {
        Value::String(text) => Ok(text),
        _ => wanted("a text is wanted", value),
    }
}

/// Base64 of either alphabet, with padding or without.
fn bytes(text: &str) -> Read<Vec<u8>> {
    let engines = [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD];
    let decoded = engines.iter().find_map(|engine| engine.decode(text).ok());
    decoded.ok_or_else(|| Unreadable::new("it is no base64"))
}

fn timestamp(described: MessageDescriptor, text: &str) -> Read<DynamicMessage> {
    let unread = |_| Unreadable::new(format!("a time like 2026-06-17T12:00:00Z, got {}", shown(text)));
    let time: jiff::Timestamp = text.parse().map_err(unread)?;
    Ok(seconds_and_nanos(described, time.as_nanosecond()))
}

fn duration(described: MessageDescriptor, text: &str) -> Read<DynamicMessage> {
    let nanos = duration_ns(text);
    let nanos = nanos.ok_or_else(|| Unreadable::new(format!("a duration like 90s or 0.5s, got {}", shown(text))))?;
    Ok(seconds_and_nanos(described, nanos))
}

fn duration_ns(text: &str) -> Option<i128> {
    let number = text.strip_suffix('s')?;
    let (is_negative, number) = number.strip_prefix('-').map_or((false, number), |number| (true, number));
    let (seconds, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let is_plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let fits = seconds.len() <= DURATION_SECONDS_DIGITS_MAX && decimals.len() <= 9;
    if !(is_plain(seconds) && is_plain(decimals) && fits) {
        return None;
    }
    let nanos = seconds.parse::<i128>().ok()? * SECOND_NS + format!("{decimals:0<9}").parse::<i128>().ok()?;
    Some(if is_negative { -nanos } else { nanos })
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
mod tests;
