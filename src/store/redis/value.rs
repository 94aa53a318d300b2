//! Bytes in Redis: a record's value, and what a stream's entry tells of a batch.
//!
//! A value is `revision | CRC-32 | length of the document | document | packed copy`, numbers big-endian. The revision is put
//! in by Redis, which alone knows it when it writes; the checksum is over everything else, and over the record's name, so
//! that junk of another program, or a value under another's name, is noticed.

use super::super::document::Document;
use super::super::{Key, Kind, Mutation, Record, packed};
use crate::model::Invalid;
use crate::model::id::{AccountId, Revision};

/// Bytes of a value before its document.
const HEAD: usize = 8 + 4 + 4;
/// Length that stands for a record that is taken away.
const GONE: u32 = u32::MAX;

/// The text under which a partition is kept.
pub(super) fn account_text(partition: Option<&AccountId>) -> &str {
    partition.map_or("", AccountId::as_str)
}

/// The partition of a text.
pub(super) fn partition_of(text: &str) -> Result<Option<AccountId>, Invalid> {
    if text.is_empty() { Ok(None) } else { text.parse().map(Some) }
}

/// A mutation's value without its revision; `None` for a record that is taken away.
pub(super) fn encode(mutation: &Mutation) -> Result<Option<Vec<u8>>, serde_json::Error> {
    let Some(document) = &mutation.document else { return Ok(None) };
    Ok(Some(of_bytes(&mutation.key, document, &document.encode()?)))
}

/// The value without its revision of a document that these bytes encode.
pub(super) fn of_bytes(key: &Key, document: &Document, bytes: &[u8]) -> Vec<u8> {
    let copy = packed::pack(document).unwrap_or_default();
    let mut value = Vec::with_capacity(HEAD + bytes.len() + copy.len());
    let account = account_text(key.partition.as_ref());
    value.extend(checksum(account, key.kind, key.id.as_bytes(), bytes, &copy).to_be_bytes());
    // A document is some kilobytes; the longest that any use case writes is a megabyte.
    value.extend(u32::try_from(bytes.len()).unwrap_or(GONE - 1).to_be_bytes());
    value.extend(bytes);
    value.extend(copy);
    value
}

/// A value, taken apart; nothing of it is copied.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    pub(super) revision: Revision,
    pub(super) document: &'a [u8],
    /// The packed copy; empty where there is none.
    pub(super) copy: &'a [u8],
}

/// The parts of a value that is what was written under this name.
pub(super) fn parts<'a>(account: &str, kind: Kind, id: &[u8], value: &'a [u8]) -> Option<Parts<'a>> {
    let (revision, body) = value.split_first_chunk::<8>()?;
    let (document, copy) = body_of(account, kind, id, body)?;
    Some(Parts { revision: Revision(u64::from_be_bytes(*revision)), document, copy })
}

/// Document and packed copy of a value without its revision.
fn body_of<'a>(account: &str, kind: Kind, id: &[u8], body: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let (sum, rest) = body.split_first_chunk::<4>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (document, copy) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    let is_whole = u32::from_be_bytes(*sum) == checksum(account, kind, id, document, copy);
    is_whole.then_some((document, copy))
}

/// The record of a value; `None` where it is not what was written.
pub(super) fn record(key: Key, value: &[u8]) -> Option<Record> {
    let account = account_text(key.partition.as_ref());
    let found = parts(account, key.kind, key.id.as_bytes(), value)?;
    let (revision, document) = (found.revision, Document::decode(key.kind, found.document).ok()?);
    Some(Record { key, revision, document })
}

fn checksum(account: &str, kind: Kind, id: &[u8], document: &[u8], copy: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for part in [account.as_bytes(), &[0, kind as u8], id, &[0], document, copy] {
        hasher.update(part);
    }
    hasher.finalize()
}

/// What a stream's entry says of a batch: each mutation's `kind | length of the id | id | length of the value | value`. What is
/// past is left out: nobody keeps it in memory.
pub(super) fn told(batch: &[(Mutation, Option<Vec<u8>>)]) -> Vec<u8> {
    let mut told = Vec::new();
    for (Mutation { key, .. }, value) in batch.iter().filter(|(mutation, _)| !mutation.key.kind.is_past()) {
        told.push(key.kind as u8);
        told.extend(u32::try_from(key.id.len()).unwrap_or(u32::MAX).to_be_bytes());
        told.extend(key.id.as_bytes());
        let length = value.as_ref().map_or(GONE, |value| u32::try_from(value.len()).unwrap_or(GONE - 1));
        told.extend(length.to_be_bytes());
        told.extend(value.iter().flatten());
    }
    told
}

/// The mutations of an entry that an account's writer told; `None` where it is not what [`told`] writes.
pub(super) fn heard(account: &str, mut told: &[u8]) -> Option<Vec<Mutation>> {
    let partition = partition_of(account).ok()?;
    let mut mutations = Vec::new();
    while let Some((kind, rest)) = told.split_first() {
        let kind = Kind::of(*kind)?;
        let (id, rest) = counted(rest)?;
        let id = std::str::from_utf8(id?).ok()?.to_owned();
        let (body, rest) = counted(rest)?;
        let document = match body {
            None => None,
            Some(body) => {
                let (document, _) = body_of(account, kind, id.as_bytes(), body)?;
                Some(Document::decode(kind, document).ok()?)
            }
        };
        let key = Key { partition: partition.clone(), kind, id };
        mutations.push(match document {
            Some(document) => Mutation { key, expect: super::super::Expect::Any, document: Some(document) },
            None => Mutation::delete(key),
        });
        told = rest;
    }
    if mutations.is_empty() {
        // A batch of the past alone. A record that nobody keeps stands for it, so that its revision is heard of.
        mutations.push(Mutation::delete(Key { partition, kind: Kind::PastText, id: String::new() }));
    }
    Some(mutations)
}

/// Bytes with their length before them, `None` in them where they stand for nothing, and what is behind.
fn counted(bytes: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    match u32::from_be_bytes(*length) {
        GONE => Some((None, rest)),
        length => {
            let (counted, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            Some((Some(counted), rest))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::SiteId;
    use crate::store::document::NameClaim;
    use proptest::prelude::*;

    fn batch() -> Vec<Mutation> {
        let key = |id: &str| Key::of(&"acme".parse().unwrap(), Kind::SiteName, id);
        let claim = Document::SiteName(NameClaim { site: SiteId::from_u128(7) });
        let past = Key { kind: Kind::PastText, ..key("t") };
        vec![
            Mutation::create(key("häuser"), claim),
            Mutation::create(past, Document::PastText("old".into())),
            Mutation::delete(key("")),
        ]
    }

    fn encoded() -> Vec<(Mutation, Option<Vec<u8>>)> {
        batch().into_iter().map(|mutation| (mutation.clone(), encode(&mutation).unwrap())).collect()
    }

    fn stored(body: &[u8]) -> Vec<u8> {
        [&7_u64.to_be_bytes(), body].concat()
    }

    #[test]
    fn a_value_comes_back_under_its_own_name_alone() {
        let (mutation, value) = encoded().swap_remove(0);
        let value = stored(&value.unwrap());
        let found = record(mutation.key.clone(), &value).unwrap();
        assert_eq!((found.revision, Some(found.document)), (Revision(7), mutation.document));
        assert!(record(Key { id: "hauser".into(), ..mutation.key.clone() }, &value).is_none());
        assert!(record(Key { partition: None, ..mutation.key.clone() }, &value).is_none());
        assert!(record(mutation.key, b"junk").is_none());
    }

    #[test]
    fn what_is_told_is_heard_without_the_past() {
        let heard = heard("acme", &told(&encoded())).unwrap();
        let heard: Vec<_> = heard.into_iter().map(|mutation| (mutation.key, mutation.document)).collect();
        let mut expected: Vec<_> = batch().into_iter().map(|mutation| (mutation.key, mutation.document)).collect();
        expected.remove(1);
        assert_eq!(heard, expected);
    }

    /// Nobody heard of the revision of an erasure's last batch, and whoever waited for it waited in vain.
    #[test]
    fn a_batch_of_the_past_alone_is_heard_of() {
        let past = encoded().swap_remove(1);
        let heard = heard("acme", &told(&[past])).unwrap();
        let [Mutation { key, document: None, .. }] = &heard[..] else { panic!("{heard:?}") };
        assert_eq!(key.partition.as_ref().map(AccountId::as_str), Some("acme"));
    }

    proptest! {
        #[test]
        fn changed_bytes_are_noticed(at in 0_usize..10_000, bit in 0_u8..8, cut in any::<bool>()) {
            let (mutation, value) = encoded().swap_remove(0);
            let mut value = stored(&value.unwrap());
            // The revision is Redis's own.
            let at = 8 + at % (value.len() - 8);
            if cut { value.truncate(at) } else { value[at] ^= 1 << bit }
            prop_assert!(record(mutation.key, &value).is_none());
        }

        #[test]
        fn junk_is_no_entry(junk in proptest::collection::vec(any::<u8>(), 1..200)) {
            prop_assert!(heard("acme", &junk).is_none());
        }
    }
}
