//! Makes requests of descriptors: each field as it may be, with names of what there is.

use prost::Message as _;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value};

use crate::fuzzing::{Numbers, TEXTS};

/// Deepest message that is filled.
const DEPTH_MAX: usize = 4;
/// Most items of a list.
const ITEMS_MAX: usize = 3;

/// Texts that some field takes.
const GOOD_TEXTS: [&str; 25] = [
    "x",
    "acme",
    "fw-1",
    "*",
    "note",
    "display_name",
    "contact.email",
    "a@example.org",
    "+354 555 1234",
    "8.8.8.8",
    "2001:db8::1",
    "10.8.0.0/16",
    "IS",
    "Laugavegur 1, 101 Reykjav\u{ed}k",
    "64.1466, -21.9426",
    "9G8F+6X Zurich",
    "status = ONLINE AND labels.tier = gold",
    "contact.phones : '+354 555' OR ticketing_links.state = BROKEN",
    "create_time desc",
    "zendesk",
    "https://localhost",
    "location.fixes.pin",
    "0190b5a0-0000-7000-8000-000000000001",
    "wmi_acme.0190b5a0-0000-7000-8000-000000000001.x",
    "17",
];
const DEGREES: [f64; 8] = [0.0, 10.5, -21.9, 64.1, 90.0, -180.0, 180.0, 91.0];
/// What names hold, by what the messages are called that want them.
const NAMED: [(&str, &str); 9] = [
    ("Prefix", "/prefixes/"),
    ("Access", "/residentAccess"),
    ("Invit", "/residentAccess"),
    ("Connection", "/ticketingConnections/"),
    ("Verification", "/ticketingVerifications/"),
    ("Change", "/changes/"),
    ("Restore", "/changes/"),
    ("Token", "/tokens/"),
    ("Account", "accounts/acme"),
];
const WHOLE_NUMBERS: [i32; 8] = [0, 1, 3, 17, 22, 1_000, -1, i32::MAX];

/// Makes requests.
pub(super) struct Maker {
    /// Names of what there is.
    pub(super) names: Vec<String>,
    /// Where chance comes from.
    pub(super) numbers: Numbers,
}

impl Maker {
    /// A request of this kind, as it is sent.
    pub(super) fn request(&mut self, kind: &MessageDescriptor) -> Vec<u8> {
        self.message(kind, 0).encode_to_vec()
    }

    fn message(&mut self, kind: &MessageDescriptor, depth: usize) -> DynamicMessage {
        let mut message = DynamicMessage::new(kind.clone());
        for field in kind.fields() {
            let is_deep = depth >= DEPTH_MAX && matches!(field.kind(), Kind::Message(_));
            if is_deep || (!is_name(&field) && self.numbers.one_in(2)) {
                continue;
            }
            let value = if let (true, Kind::Message(entry)) = (field.is_map(), field.kind()) {
                let value = self.value(&entry.map_entry_value_field(), depth + 1);
                Value::Map([(MapKey::String("tier".into()), value)].into_iter().collect())
            } else if field.is_list() {
                let items = 1 + self.numbers.below(ITEMS_MAX);
                Value::List((0..items).map(|_| self.value(&field, depth + 1)).collect())
            } else {
                self.value(&field, depth + 1)
            };
            message.set_field(&field, value);
        }
        message
    }

    fn value(&mut self, field: &FieldDescriptor, depth: usize) -> Value {
        let number = *self.numbers.one_of(&WHOLE_NUMBERS);
        match field.kind() {
            Kind::Double => Value::F64(*self.numbers.one_of(&DEGREES)),
            Kind::Float => Value::F32(1.5),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(number),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(number.into()),
            Kind::Uint32 | Kind::Fixed32 => Value::U32(number.unsigned_abs()),
            Kind::Uint64 | Kind::Fixed64 => Value::U64(number.unsigned_abs().into()),
            Kind::Bool => Value::Bool(self.numbers.one_in(2)),
            Kind::String => Value::String(self.text(field)),
            Kind::Bytes => Value::Bytes(vec![7; 32].into()),
            Kind::Message(kind) => Value::Message(self.message(&kind, depth)),
            Kind::Enum(kind) => {
                let known: Vec<i32> = kind.values().map(|value| value.number()).collect();
                Value::EnumNumber(*self.numbers.one_of(&known))
            }
        }
    }

    /// A name that fits the field in three of four.
    fn name(&mut self, field: &FieldDescriptor) -> String {
        let message = field.parent_message().name().to_owned();
        let wanted = match field.name() {
            "parent" if message.contains("Device") || message.contains("Change") => "/sites/",
            "parent" => "accounts/acme",
            "connection" => "/ticketingConnections/",
            "name" => NAMED.into_iter().find(|(part, _)| message.contains(part)).map_or("/sites/", |(_, name)| name),
            _ => "/sites/",
        };
        // The shortest of them: what is under a site holds its name.
        let fitting = self.names.iter().filter(|name| name.contains(wanted)).min_by_key(|name| name.len()).cloned();
        let any = self.numbers.one_of(&self.names).clone();
        fitting.filter(|_| !self.numbers.one_in(4)).unwrap_or(any)
    }

    fn text(&mut self, field: &FieldDescriptor) -> String {
        if is_name(field) {
            return self.name(field);
        }
        match self.numbers.below(8) {
            0 => String::from_utf8_lossy(self.numbers.one_of::<&[u8]>(&TEXTS)).into_owned(),
            1 => self.numbers.one_of(&self.names).clone(),
            2 | 3 => String::new(),
            _ => (*self.numbers.one_of(&GOOD_TEXTS)).to_owned(),
        }
    }
}

/// Whether a field names something.
fn is_name(field: &FieldDescriptor) -> bool {
    matches!(field.name(), "name" | "names" | "parent" | "site" | "sites" | "connection")
        && matches!(field.kind(), Kind::String)
}
