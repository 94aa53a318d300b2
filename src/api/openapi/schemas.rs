//! Messages and enums as schemas of JSON, each once, by its name in the protos.

use std::collections::BTreeMap;

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use super::PACKAGE;
use super::comments::Comments;
use crate::api::json::{DURATION, FIELD_MASK, TIMESTAMP};

/// The message without a field.
const EMPTY: &str = "google.protobuf.Empty";

/// The schemas that something names.
#[derive(Debug)]
pub(super) struct Schemas<'protos> {
    comments: &'protos Comments,
    by_name: BTreeMap<String, Value>,
}

/// What stands for a schema where it is used.
pub(super) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn name_of(full_name: &str) -> String {
    full_name.strip_prefix(PACKAGE).unwrap_or(full_name).to_owned()
}

impl<'protos> Schemas<'protos> {
    /// None yet.
    pub(super) fn new(comments: &'protos Comments) -> Self {
        Self { comments, by_name: BTreeMap::new() }
    }

    /// All that were named.
    pub(super) fn finish(self) -> Map<String, Value> {
        self.by_name.into_iter().collect()
    }

    /// A message where it is used.
    pub(super) fn name_message(&mut self, message: &MessageDescriptor) -> Value {
        match message.full_name() {
            TIMESTAMP => return json!({ "type": "string", "format": "date-time" }),
            DURATION => return json!({ "type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?s$" }),
            FIELD_MASK => return json!({ "type": "string", "description": "Paths of fields, parted by commas." }),
            EMPTY => return json!({ "type": "object" }),
            _ => {}
        }
        let name = name_of(message.full_name());
        if self.by_name.contains_key(&name) {
            return reference(&name);
        }
        // There already for messages that hold themselves.
        self.by_name.insert(name.clone(), Value::Null);
        let properties = self.properties(message.fields());
        let description = self.comments.of_message(message);
        let schema = json!({ "type": "object", "description": description, "properties": properties });
        self.by_name.insert(name.clone(), schema);
        reference(&name)
    }

    /// An enum where it is used.
    pub(super) fn name_enum(&mut self, described: &EnumDescriptor) -> Value {
        let name = name_of(described.full_name());
        if self.by_name.contains_key(&name) {
            return reference(&name);
        }
        let values: Vec<String> = described.values().map(|value| value.name().to_owned()).collect();
        let told = described.values().map(|value| format!("- `{}`: {}", value.name(), self.comments.of_value(&value)));
        let told = told.collect::<Vec<_>>().join("\n");
        let description = format!("{}\n\n{told}", self.comments.of_enum(described));
        let schema = json!({ "type": "string", "enum": values, "description": description });
        self.by_name.insert(name.clone(), schema);
        reference(&name)
    }

    /// Fields as the properties of an object.
    pub(super) fn properties(&mut self, fields: impl Iterator<Item = FieldDescriptor>) -> Map<String, Value> {
        fields.map(|field| (field.json_name().to_owned(), self.field(&field))).collect()
    }

    /// A field, with its comment.
    pub(super) fn field(&mut self, field: &FieldDescriptor) -> Value {
        let mut schema = if let (true, Kind::Message(entry)) = (field.is_map(), field.kind()) {
            json!({ "type": "object", "additionalProperties": self.one(&entry.map_entry_value_field().kind()) })
        } else if field.is_list() {
            json!({ "type": "array", "items": self.one(&field.kind()) })
        } else {
            self.one(&field.kind())
        };
        let comment = self.comments.of_field(field);
        if !comment.is_empty() {
            schema["description"] = Value::from(comment);
        }
        schema
    }

    fn one(&mut self, kind: &Kind) -> Value {
        match kind {
            Kind::Bool => json!({ "type": "boolean" }),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => json!({ "type": "integer", "format": "int32" }),
            Kind::Uint32 | Kind::Fixed32 => json!({ "type": "integer", "format": "uint32", "minimum": 0 }),
            // As texts, because JSON's readers have 53 bits.
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => json!({ "type": "string", "format": "int64" }),
            Kind::Uint64 | Kind::Fixed64 => json!({ "type": "string", "format": "uint64" }),
            Kind::Float => json!({ "type": "number", "format": "float" }),
            Kind::Double => json!({ "type": "number", "format": "double" }),
            Kind::String => json!({ "type": "string" }),
            Kind::Bytes => json!({ "type": "string", "contentEncoding": "base64" }),
            Kind::Enum(described) => self.name_enum(described),
            Kind::Message(message) => self.name_message(message),
        }
    }
}
