//! Strong entity tags (RFC 9110, 8.8.3): equal tags promise equal bytes.

use sha2::{Digest, Sha256};

use crate::model::id::AccountId;

/// Bytes of a hash that a tag shows: 128 bits, more than chance or malice can meet.
const HASH_BYTES: usize = 16;

/// The hash that all tags of one tile come from, whatever it is encoded in.
#[derive(Debug)]
pub(super) struct TileTag(String);

impl TileTag {
    /// Of an account's tile. Keyed by account: equal tiles of two accounts have different tags, so that no tag of one
    /// gets a "not modified" for the other.
    pub(super) fn of(account: &AccountId, bytes: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(account.as_str());
        hash.update([0]);
        hash.update(bytes);
        Self(hex(&hash.finalize()[..HASH_BYTES]))
    }

    /// The tag of the bytes as they are.
    pub(super) fn identity(&self) -> String {
        format!("\"{}\"", self.0)
    }

    /// The tag of the bytes in a content coding: other bytes, so another tag.
    pub(super) fn encoded(&self, coding: &str) -> String {
        format!("\"{}-{coding}\"", self.0)
    }
}

/// The tag of bytes that are no account's.
pub(super) fn of_bytes(bytes: &[u8]) -> String {
    of_sha256(&Sha256::digest(bytes).into())
}

/// The tag of bytes whose SHA-256 is known.
pub(super) fn of_sha256(hash: &[u8; 32]) -> String {
    format!("\"{}\"", hex(&hash[..HASH_BYTES]))
}

/// Bytes as lowercase hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_differ_by_account_bytes_and_coding_and_by_nothing_else() {
        let (one, other): (AccountId, AccountId) = ("one".parse().unwrap(), "other".parse().unwrap());
        let tag = TileTag::of(&one, b"tile");
        assert_eq!(tag.identity(), TileTag::of(&one, b"tile").identity());
        let tags = [
            tag.identity(),
            tag.encoded("gzip"),
            tag.encoded("br"),
            TileTag::of(&other, b"tile").identity(),
            TileTag::of(&one, b"tiles").identity(),
        ];
        assert_eq!(tags.iter().collect::<std::collections::BTreeSet<_>>().len(), tags.len(), "{tags:?}");
        for tag in tags {
            let inside = tag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap();
            assert!(
                inside.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'),
                "strong and quoted: {tag}"
            );
        }
        assert_eq!(hex(&[0, 0x0f, 0xff]), "000fff");
    }
}
