//! Changes protobuf messages by their fields: what comes out is mostly a message still, so that what is behind the decoder
//! is reached. Knows the wire format and no message: which field is what, a target's seeds show.

use super::mutator::{Mutator, TEXTS};
use super::numbers::Numbers;

/// Longest mutant, in bytes: beyond what most methods take.
const MESSAGE_BYTES_MAX: usize = 80 * 1024;
/// Deepest message that is looked into.
const DEPTH_MAX: usize = 6;
/// How deep a field may be put into itself at once: deeper than decoders go.
const NESTING_MAX: usize = 150;
/// How often a field may be repeated at once.
const REPEATS_MAX: usize = 100;
/// Whole numbers that are at the end of some range, signed ones among them.
const VARINTS: [u64; 14] = [0, 1, 2, 22, 23, 99, 127, 128, 1 << 31, (1 << 32) - 1, 1 << 32, 1 << 62, 1 << 63, u64::MAX];
/// Fractions that are at the end of some range, or none at all.
const DOUBLES: [f64; 16] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    90.0,
    -90.0,
    180.0,
    -180.0,
    179.999_999_999_999_97,
    90.000_000_000_000_01,
    f64::MIN_POSITIVE,
    f64::EPSILON,
    f64::MAX,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
];

/// A field of a message, as it is sent.
#[derive(Debug, Clone, PartialEq)]
struct Field {
    number: u64,
    value: Value,
}

#[derive(Debug, Clone, PartialEq)]
enum Value {
    Varint(u64),
    Eight([u8; 8]),
    Bytes(Vec<u8>),
    Four([u8; 4]),
}

/// Changes a message in one to three ways; `other` is another message, to take fields from.
pub(crate) fn mutate_message(bytes: &mut Vec<u8>, other: &[u8], numbers: &mut Numbers) {
    let bytewise = Mutator { words: &TEXTS, bytes_max: MESSAGE_BYTES_MAX };
    let Some(mut fields) = parse(bytes).filter(|_| !numbers.one_in(12)) else {
        return bytewise.mutate(bytes, other, numbers);
    };
    let others = parse(other).unwrap_or_default();
    for _ in 0..=numbers.below(3) {
        change(&mut fields, &others, 0, numbers);
    }
    *bytes = encode(&fields);
    bytes.truncate(MESSAGE_BYTES_MAX);
}

/// Changes one field of a message, or of one within.
fn change(fields: &mut Vec<Field>, others: &[Field], depth: usize, numbers: &mut Numbers) {
    if fields.is_empty() || numbers.one_in(10) {
        let unknown = Field { number: numbers.next() >> numbers.below(64), value: Value::Varint(7) };
        let new = if others.is_empty() || numbers.one_in(3) { unknown } else { numbers.one_of(others).clone() };
        return fields.insert(numbers.below(fields.len() + 1), new);
    }
    let at = numbers.below(fields.len());
    if let Value::Bytes(content) = &mut fields[at].value
        && depth < DEPTH_MAX
        && !numbers.one_in(4)
        && let Some(mut inner) = parse(content).filter(|inner| !inner.is_empty())
    {
        change(&mut inner, others, depth + 1, numbers);
        *content = encode(&inner);
        content.truncate(MESSAGE_BYTES_MAX);
        return;
    }
    match numbers.below(9) {
        0 => drop(fields.remove(at)),
        1 => {
            let again = vec![fields[at].clone(); 1 + numbers.below(REPEATS_MAX)];
            drop(fields.splice(at..at, again));
        }
        2 => {
            let with = numbers.below(fields.len());
            fields.swap(at, with);
        }
        3 => fields[at].number = 1 + numbers.next() % 20,
        4 => {
            let Field { number, value } = &mut fields[at];
            for _ in 0..numbers.below(NESTING_MAX) {
                *value = Value::Bytes(encode(&[Field { number: *number, value: value.clone() }]));
            }
        }
        5 => fields[at].value = other_kind(numbers),
        _ => change_value(&mut fields[at].value, numbers),
    }
}

fn change_value(value: &mut Value, numbers: &mut Numbers) {
    match value {
        Value::Varint(number) if numbers.one_in(3) => {
            *number = number.wrapping_add(numbers.below(5) as u64).wrapping_sub(2);
        }
        Value::Varint(number) => *number = *numbers.one_of(&VARINTS),
        Value::Eight(bytes) if numbers.one_in(3) => {
            // The next number of its kind, or one nearby.
            let bits = u64::from_le_bytes(*bytes).wrapping_add(numbers.below(5) as u64).wrapping_sub(2);
            *bytes = bits.to_le_bytes();
        }
        Value::Eight(bytes) => *bytes = numbers.one_of(&DOUBLES).to_le_bytes(),
        Value::Four(bytes) => *bytes = u32::try_from(numbers.next() >> 32).unwrap().to_le_bytes(),
        Value::Bytes(content) if numbers.one_in(4) => *content = numbers.one_of(&TEXTS).to_vec(),
        Value::Bytes(content) => {
            let copy = content.clone();
            Mutator { words: &TEXTS, bytes_max: MESSAGE_BYTES_MAX }.mutate(content, &copy, numbers);
        }
    }
}

fn other_kind(numbers: &mut Numbers) -> Value {
    match numbers.below(4) {
        0 => Value::Varint(*numbers.one_of(&VARINTS)),
        1 => Value::Eight(numbers.one_of(&DOUBLES).to_le_bytes()),
        2 => Value::Bytes(numbers.one_of(&TEXTS).to_vec()),
        _ => Value::Four([0xff; 4]),
    }
}

/// The fields of a message; `None` for what is none.
fn parse(mut rest: &[u8]) -> Option<Vec<Field>> {
    let mut fields = Vec::new();
    while !rest.is_empty() {
        let key = varint(&mut rest)?;
        let value = match key & 7 {
            0 => Value::Varint(varint(&mut rest)?),
            1 => Value::Eight(*take(&mut rest, 8)?.first_chunk()?),
            2 => {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                Value::Bytes(take(&mut rest, length)?.to_vec())
            }
            5 => Value::Four(*take(&mut rest, 4)?.first_chunk()?),
            _ => return None,
        };
        let number = key >> 3;
        (number > 0).then(|| fields.push(Field { number, value }))?;
    }
    Some(fields)
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, behind) = rest.split_at_checked(length)?;
    *rest = behind;
    Some(taken)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(rest, 1)?[0];
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

fn encode(fields: &[Field]) -> Vec<u8> {
    let mut out = Vec::new();
    for Field { number, value } in fields {
        let mut key = |kind: u64| put_varint(&mut out, number << 3 | kind);
        match value {
            Value::Varint(number) => {
                key(0);
                put_varint(&mut out, *number);
            }
            Value::Eight(bytes) => {
                key(1);
                out.extend_from_slice(bytes);
            }
            Value::Bytes(content) => {
                key(2);
                put_varint(&mut out, content.len() as u64);
                out.extend_from_slice(content);
            }
            Value::Four(bytes) => {
                key(5);
                out.extend_from_slice(bytes);
            }
        }
    }
    out
}

fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).unwrap());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The message {1: "acme", 2: {1: 1.5, 3: -1}, 4: 300}.
    fn message() -> Vec<u8> {
        let inner = [
            Field { number: 1, value: Value::Eight(1.5_f64.to_le_bytes()) },
            Field { number: 3, value: Value::Varint(u64::MAX) },
        ];
        encode(&[
            Field { number: 1, value: Value::Bytes(b"acme".to_vec()) },
            Field { number: 2, value: Value::Bytes(encode(&inner)) },
            Field { number: 4, value: Value::Varint(300) },
        ])
    }

    #[test]
    fn a_message_comes_back_and_anything_else_is_none() {
        let bytes = message();
        assert!(bytes.starts_with(b"\x0a\x04acme\x12") && bytes.ends_with(b"\x20\xac\x02"), "{bytes:02x?}");
        assert_eq!(encode(&parse(&bytes).unwrap()), bytes);
        for none in
            [&b"\x0a\x05acme"[..], b"\x02\x00", b"\x0b", b"\x08", b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"]
        {
            assert_eq!(parse(none), None, "{none:02x?}");
        }
    }

    #[test]
    fn most_mutants_are_messages_and_no_two_alike() {
        let mutant = |seed: u64| {
            let mut bytes = message();
            mutate_message(&mut bytes, &message(), &mut Numbers::new(seed));
            bytes
        };
        let mutants: Vec<Vec<u8>> = (0..1_000).map(mutant).collect();
        let messages = mutants.iter().filter(|bytes| parse(bytes).is_some()).count();
        assert!((700..1_000).contains(&messages), "{messages}");
        let distinct: std::collections::HashSet<&Vec<u8>> = mutants.iter().collect();
        assert!(distinct.len() > 600, "{}", distinct.len());
        assert!(mutants.iter().all(|bytes| bytes.len() <= MESSAGE_BYTES_MAX));
    }
}
