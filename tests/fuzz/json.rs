//! Changes JSON by its values: what comes out is mostly JSON still, so that what is behind the parser is reached. Knows no schema:
//! which names there are, a target's seeds show.

use serde_json::{Map, Value};

use super::mutator::{Mutator, TEXTS};
use super::numbers::Numbers;

/// Longest mutant, in bytes: beyond what most methods take.
const JSON_BYTES_MAX: usize = 160 * 1024;
/// Deepest value that is looked into.
const DEPTH_MAX: usize = 8;
/// How deep a value may be put into lists at once: deeper than parsers go.
const NESTING_MAX: usize = 200;
/// How often an item may be repeated at once.
const REPEATS_MAX: usize = 100;
/// Whole numbers that are at the end of some range.
const WHOLES: [i64; 12] =
    [0, 1, -1, 22, 23, 127, 255, 2_147_483_648, 4_294_967_296, 9_007_199_254_740_993, i64::MAX, i64::MIN];
/// Fractions that are at the end of some range.
const FRACTIONS: [f64; 8] = [-0.0, 0.5, 90.000_000_000_000_01, -180.0, 1e-320, 1e19, f64::MAX, f64::MIN];
/// What means something in JSON, and in how protobuf is written in it.
const WORDS: [&[u8]; 16] = [
    b"{}",
    b"[]",
    b"{\"\":",
    b"\":",
    b",",
    b"null",
    b"true",
    b"\\u0000",
    b"\\ud800",
    b"1e999",
    b"\"NaN\"",
    b"\"-Infinity\"",
    b"\"1970-01-01T00:00:00Z\"",
    b"\"3.5s\"",
    b"\"displayName,contact.email\"",
    b"\"AAECAw==\"",
];

/// Changes JSON in one to three ways; `other` is other JSON, to take values from. What is none is changed by its bytes.
pub(crate) fn mutate_json(bytes: &mut Vec<u8>, other: &[u8], numbers: &mut Numbers) {
    let bytewise = Mutator { words: &WORDS, bytes_max: JSON_BYTES_MAX };
    let parsed = serde_json::from_slice::<Value>(bytes).ok().filter(|_| !numbers.one_in(8));
    let Some(mut value) = parsed else { return bytewise.mutate(bytes, other, numbers) };
    let other = serde_json::from_slice(other).unwrap_or(Value::Null);
    for _ in 0..=numbers.below(3) {
        change(&mut value, &other, 0, numbers);
        *bytes = value.to_string().into_bytes();
        // What is too long is not repeated a hundred times more.
        if bytes.len() > JSON_BYTES_MAX {
            break;
        }
    }
    bytes.truncate(JSON_BYTES_MAX);
}

/// Changes a value, or one within.
fn change(value: &mut Value, other: &Value, depth: usize, numbers: &mut Numbers) {
    let goes_in = depth < DEPTH_MAX && !numbers.one_in(4);
    match value {
        Value::Object(fields) if goes_in && !fields.is_empty() => change_field(fields, other, depth, numbers),
        Value::Array(items) if goes_in && !items.is_empty() => {
            let at = numbers.below(items.len());
            match numbers.below(6) {
                0 => drop(items.remove(at)),
                1 => {
                    let again = vec![items[at].clone(); 1 + numbers.below(REPEATS_MAX)];
                    items.extend(again);
                }
                _ => change(&mut items[at], other, depth + 1, numbers),
            }
        }
        Value::String(text) if goes_in => {
            let mut bytes = text.clone().into_bytes();
            Mutator { words: &TEXTS, bytes_max: JSON_BYTES_MAX }.mutate(&mut bytes, text.as_bytes(), numbers);
            *text = String::from_utf8_lossy(&bytes).into_owned();
        }
        _ => {
            let before = value.take();
            *value = another(before, other, numbers);
        }
    }
}

/// Takes a field away, calls it otherwise, or changes what it holds.
fn change_field(fields: &mut Map<String, Value>, other: &Value, depth: usize, numbers: &mut Numbers) {
    let name = fields.keys().nth(numbers.below(fields.len())).cloned().unwrap_or_default();
    match numbers.below(8) {
        0 => drop(fields.remove(&name)),
        1 => {
            let held = fields.remove(&name).unwrap_or_default();
            fields.insert(renamed(&name, numbers), held);
        }
        2 => {
            fields.insert(renamed(&name, numbers), other.clone());
        }
        _ => {
            if let Some(held) = fields.get_mut(&name) {
                change(held, other, depth + 1, numbers);
            }
        }
    }
}

/// The name as protos write it, a longer one, or any text.
fn renamed(name: &str, numbers: &mut Numbers) -> String {
    match numbers.below(3) {
        0 => name.chars().fold(String::new(), |mut written, letter| {
            if letter.is_ascii_uppercase() {
                written.push('_');
            }
            written.push(letter.to_ascii_lowercase());
            written
        }),
        1 => format!("{name}x"),
        _ => text(numbers),
    }
}

fn text(numbers: &mut Numbers) -> String {
    String::from_utf8_lossy(numbers.one_of::<&[u8]>(&TEXTS)).into_owned()
}

/// A value of any kind, in which the one before may stand.
fn another(before: Value, other: &Value, numbers: &mut Numbers) -> Value {
    match numbers.below(8) {
        0 => Value::Null,
        1 => Value::Bool(numbers.one_in(2)),
        2 => Value::from(*numbers.one_of(&WHOLES)),
        3 => Value::from(*numbers.one_of(&FRACTIONS)),
        4 => Value::String(text(numbers)),
        5 => other.clone(),
        6 => (0..numbers.below(NESTING_MAX)).fold(before, |inner, _| Value::Array(vec![inner])),
        _ => Value::Object(Map::from_iter([(text(numbers), before)])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_mutants_are_json_and_no_two_alike() {
        let json =
            br#"{"displayName":"acme","position":{"lat":1.5,"lng":-21.9},"phones":[{"number":"+354"}],"count":"7"}"#;
        let mutant = |seed: u64| {
            let mut bytes = json.to_vec();
            mutate_json(&mut bytes, br#"{"note":[1,2]}"#, &mut Numbers::new(seed));
            bytes
        };
        let mutants: Vec<Vec<u8>> = (0..1_000).map(mutant).collect();
        let whole = mutants.iter().filter(|bytes| serde_json::from_slice::<Value>(bytes).is_ok()).count();
        assert!((600..1_000).contains(&whole), "{whole}");
        let distinct: std::collections::HashSet<&Vec<u8>> = mutants.iter().collect();
        assert!(distinct.len() > 500, "{}", distinct.len());
        assert!(mutants.iter().all(|bytes| bytes.len() <= JSON_BYTES_MAX));
        let has = |part: &[u8]| mutants.iter().any(|made| made.windows(part.len()).any(|window| window == part));
        for part in [&b"display_name"[..], b"9223372036854775807", b"[[[", b"null"] {
            assert!(has(part), "{} is never made", part.escape_ascii());
        }
        assert_eq!(mutant(7), mutant(7));
    }
}
