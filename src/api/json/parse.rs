//! JSON texts as values. An object with a name twice is refused: who looked at the text before may have taken the other one.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::model::text::shown;

/// The value of a text. What is wrong with it is said with line and column.
pub(in crate::api) fn parse(text: &[u8]) -> serde_json::Result<Value> {
    serde_json::from_slice::<Once>(text).map(|once| once.0)
}

/// A value in whose objects each name stands once.
struct Once(Value);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader).map(Self)
    }
}

/// Takes a value apart.
struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Once(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            if object.contains_key(&name) {
                return Err(A::Error::custom(format!("{} stands twice", shown(&name))));
            }
            let Once(value) = fields.next_value()?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_what_others_make_of_them() {
        for text in [
            "null",
            "true",
            "-7",
            "18446744073709551615",
            "0.1",
            "1e300",
            r#""\u00e9\n""#,
            "[]",
            "{}",
            r#"{"b": [1, "x", {"a": null}], "a": {"b": false}}"#,
        ] {
            assert_eq!(parse(text.as_bytes()).unwrap(), serde_json::from_str::<Value>(text).unwrap(), "{text}");
        }
    }

    #[test]
    fn a_name_that_stands_twice_is_told_with_its_place() {
        for text in [r#"{"a": 1, "a": 1}"#, r#"{"a": 1, "\u0061": 2}"#, r#"{"b": [{"a": 1, "c": {}, "a": null}]}"#] {
            let told = parse(text.as_bytes()).unwrap_err().to_string();
            assert!(told.starts_with("\"a\" stands twice at line 1 column "), "{text}: {told}");
        }
    }

    #[test]
    fn what_is_no_json_or_nested_without_end_is_refused() {
        let deep = "[".repeat(100_000);
        for text in ["", "{", "{} {}", "1e999", "NaN", "{\"a\"}", &deep] {
            assert!(parse(text.as_bytes()).is_err(), "{text:.20}");
        }
    }
}
