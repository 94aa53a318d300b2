//! Protocol buffers as bytes, read where they lie: no message is copied, so that no file can ask for memory.
//!
//! Source: the encoding of Protocol Buffers, <https://protobuf.dev/programming-guides/encoding>.

/// Longest varint, in bytes.
const VARINT_BYTES_MAX: u32 = 10;
/// The bits of a varint's byte that are its value.
const VALUE_BITS: u32 = 7;

/// What is wrong with bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Damaged(pub(super) &'static str);

/// A field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// A varint, or a number of fixed length.
    Number(u64),
    /// A text, a message, or packed numbers.
    Bytes(&'a [u8]),
}

/// A message, field by field.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'a>(pub(super) &'a [u8]);

/// Packed varints.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packed<'a>(pub(super) &'a [u8]);

impl<'a> Message<'a> {
    /// The next field and its value; `None` behind the last.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Value<'a>)>, Damaged> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let tag = varint(&mut self.0)?;
        let value = match tag & 7 {
            0 => Value::Number(varint(&mut self.0)?),
            1 => Value::Number(fixed(self.take(8)?)),
            2 => {
                let length = varint(&mut self.0)?;
                Value::Bytes(self.take(usize::try_from(length).unwrap_or(usize::MAX))?)
            }
            5 => Value::Number(fixed(self.take(4)?)),
            _ => return Err(Damaged("a field of no known kind")),
        };
        Ok(Some((tag >> 3, value)))
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Damaged> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Damaged("a field is longer than its message"))?;
        self.0 = rest;
        Ok(taken)
    }
}

impl<'a> Value<'a> {
    /// The number.
    pub(super) fn number(self) -> Result<u64, Damaged> {
        match self {
            Self::Number(number) => Ok(number),
            Self::Bytes(_) => Err(Damaged("bytes where a number should be")),
        }
    }

    /// The bytes.
    pub(super) fn bytes(self) -> Result<&'a [u8], Damaged> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Number(_) => Err(Damaged("a number where bytes should be")),
        }
    }
}

impl Packed<'_> {
    /// The next number; `None` behind the last.
    pub(super) fn next(&mut self) -> Result<Option<u64>, Damaged> {
        if self.0.is_empty() { Ok(None) } else { varint(&mut self.0).map(Some) }
    }

    /// The next number of those that are written as differences, which `sum` adds up.
    pub(super) fn next_difference(&mut self, sum: &mut i64) -> Result<Option<i64>, Damaged> {
        let Some(number) = self.next()? else { return Ok(None) };
        *sum = sum.checked_add(zigzag(number)).ok_or(Damaged("a sum of differences beyond 64 bits"))?;
        Ok(Some(*sum))
    }
}

/// A signed number from its zigzag form.
pub(super) fn zigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

fn varint(bytes: &mut &[u8]) -> Result<u64, Damaged> {
    let mut number = 0;
    for index in 0..VARINT_BYTES_MAX {
        let (byte, rest) = bytes.split_first().ok_or(Damaged("it ends within a number"))?;
        *bytes = rest;
        let value = u64::from(byte & 0x7f);
        // Of the tenth byte one bit is left to be told.
        if index == VARINT_BYTES_MAX - 1 && value > 1 {
            break;
        }
        number |= value << (index * VALUE_BITS);
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(Damaged("a number beyond 64 bits"))
}

/// A number of fixed length, little-endian.
fn fixed(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::encoding::{encode_varint, int64, sint64};

    use super::*;

    proptest! {
        /// The oracle is another library's writer.
        #[test]
        fn numbers_are_read_as_they_were_written(numbers in proptest::collection::vec(any::<i64>(), 0..20)) {
            let (mut bytes, mut packed) = (Vec::new(), Vec::new());
            for number in &numbers {
                sint64::encode(7, number, &mut bytes);
                int64::encode(8, number, &mut bytes);
                encode_varint(number.cast_unsigned(), &mut packed);
            }
            let mut message = Message(&bytes);
            for number in &numbers {
                let (tag, value) = message.next().unwrap().unwrap();
                prop_assert_eq!((tag, zigzag(value.number().unwrap())), (7, *number));
                let (tag, value) = message.next().unwrap().unwrap();
                prop_assert_eq!((tag, value.number().unwrap().cast_signed()), (8, *number));
            }
            prop_assert_eq!(message.next(), Ok(None));
            let mut read = Packed(&packed);
            for number in &numbers {
                prop_assert_eq!(read.next().unwrap(), Some(number.cast_unsigned()));
            }
        }

        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let mut message = Message(&bytes);
            while let Ok(Some(_)) = message.next() {}
        }
    }
}
