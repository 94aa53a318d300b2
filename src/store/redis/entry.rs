//! An entry of a partition's stream: one commit, as the script writes it.

use super::super::Revision;

/// An entry of the stream.
pub(super) struct Entry {
    pub(super) sequence: u64,
    /// The tag of the entry before it.
    pub(super) before: String,
    pub(super) tag: String,
    pub(super) account: String,
    pub(super) revision: Revision,
    pub(super) told: Vec<u8>,
}

/// Ids and fields of entries, as Redis gives them.
pub(super) type Raw = Vec<(String, Vec<Vec<u8>>)>;

/// An entry of a stream; `None` for what the script never writes.
pub(super) fn entry(id: &str, fields: Vec<Vec<u8>>) -> Option<Entry> {
    let sequence = id.strip_suffix("-0")?.parse().ok()?;
    let is_named = fields.iter().step_by(2).eq([b"p", b"t", b"a", b"r", b"m"].iter());
    let [_, before, _, tag, _, account, _, revision, _, told] = <[Vec<u8>; 10]>::try_from(fields).ok()?;
    let text = |bytes| String::from_utf8(bytes).ok();
    let revision = Revision(text(revision)?.parse().ok()?);
    let (before, tag, account) = (text(before)?, text(tag)?, text(account)?);
    is_named.then_some(Entry { sequence, before, tag, account, revision, told })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(parts: [&[u8]; 10]) -> Vec<Vec<u8>> {
        parts.iter().map(|part| part.to_vec()).collect()
    }

    #[test]
    fn texts_that_are_none_make_no_entry() {
        let whole: [&[u8]; 10] = [b"p", b"", b"t", b"tag", b"a", b"acme", b"r", b"7", b"m", b"\xff"];
        let found = entry("3-0", fields(whole)).unwrap();
        assert_eq!((found.sequence, found.account.as_str(), found.revision), (3, "acme", Revision(7)));
        assert_eq!(found.told, b"\xff", "what is told is bytes");
        for at in [0, 1, 2, 3, 4, 5, 6, 7, 8] {
            let mut junk = whole;
            junk[at] = b"\xff";
            assert!(entry("3-0", fields(junk)).is_none(), "field {at}");
        }
        for id in ["3-1", "-0", "x-0", "3"] {
            assert!(entry(id, fields(whole)).is_none(), "{id}");
        }
    }
}
