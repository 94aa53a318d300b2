//! Openings: the first two letters of the names of large places and long streets.
//!
//! Thousands of names begin with any two letters, of which a person who types them means one that many know. Which those
//! are is said when the index is built, so that they need not be looked for among all.

use super::schema::{Kind, Part};

/// Letters of an opening.
const LETTERS: usize = 2;
/// Fewest people of a place that has one.
const PEOPLE_MIN: u64 = 10_000;
/// Fewest houses of a street that has one.
const HOUSES_MIN: u64 = 20;

/// The key under which names of a part with this beginning stand; `None` where it is shorter or longer than an opening, or
/// the part has none.
pub(super) fn opening_of(part: Part, begun: &str) -> Option<String> {
    (begun.chars().count() == LETTERS).then(|| key(part, begun)).flatten()
}

/// The opening of a document's key; `None` where the document is too small, or the part has none.
pub(super) fn opening(kind: Kind, size: u64, part: Part, name: &str) -> Option<String> {
    let is_large = match kind {
        Kind::Place => size >= PEOPLE_MIN,
        Kind::Street => size >= HOUSES_MIN,
        Kind::Area => false,
    };
    let end = name.char_indices().nth(LETTERS).map_or(name.len(), |(end, _)| end);
    is_large.then(|| key(part, &name[..end])).flatten()
}

fn key(part: Part, letters: &str) -> Option<String> {
    let mark = match part {
        Part::Place => 'p',
        Part::Alias => 'a',
        Part::Street => 's',
        Part::Alike => 'l',
        _ => return None,
    };
    Some(format!("{mark}{letters}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_large_is_found_by_its_first_letters() {
        let paris = opening(Kind::Place, 2_000_000, Part::Place, "paris");
        assert_eq!(paris.as_deref(), Some("ppa"));
        assert_eq!(opening_of(Part::Place, "pa"), paris);
        assert_eq!(opening(Kind::Place, 2_000_000, Part::Alias, "巴黎").as_deref(), Some("a巴黎"));
        assert_eq!(opening(Kind::Street, 20, Part::Street, "æ").as_deref(), Some("sæ"));
        for (kind, size, part) in
            [(Kind::Place, 9_999, Part::Place), (Kind::Street, 19, Part::Street), (Kind::Place, 90_000, Part::Town)]
        {
            assert_eq!(opening(kind, size, part, "paris"), None);
        }
        assert_eq!((opening_of(Part::Place, "p"), opening_of(Part::Place, "par")), (None, None));
    }
}
