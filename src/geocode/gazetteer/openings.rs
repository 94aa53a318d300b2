//! Openings: the first two and three letters of the names of large places and long streets.
//!
//! Thousands of names begin with any two letters, of which a person who types them means one that many know. Which those
//! are is said when the index is built, so that they need not be looked for among all.

use super::schema::{Kind, Part};

/// Letters of an opening: with one more there are few names enough to look at each.
const LETTERS: std::ops::RangeInclusive<usize> = 2..=3;
/// Fewest people of a place that has one.
const PEOPLE_MIN: u64 = 10_000;
/// Fewest houses of a street that has one.
const HOUSES_MIN: u64 = 20;

/// The key under which names of a part with this beginning stand; `None` where it is shorter or longer than an opening, or
/// the part has none.
pub(super) fn opening_of(part: Part, begun: &str) -> Option<String> {
    LETTERS.contains(&begun.chars().count()).then(|| key(part, begun)).flatten()
}

/// The openings of a document's key; none where the document is too small, or the part has none.
pub(super) fn openings(kind: Kind, size: u64, part: Part, name: &str) -> impl Iterator<Item = String> {
    let is_large = match kind {
        Kind::Place => size >= PEOPLE_MIN,
        Kind::Street => size >= HOUSES_MIN,
        Kind::Area => false,
    };
    let ends = name.char_indices().map(|(at, letter)| at + letter.len_utf8()).enumerate();
    let ends = ends.filter(move |(before, _)| is_large && LETTERS.contains(&(before + 1)));
    ends.filter_map(move |(_, end)| key(part, &name[..end]))
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
        let of = |kind, size, part, name| openings(kind, size, part, name).collect::<Vec<_>>();
        let paris = of(Kind::Place, 2_000_000, Part::Place, "paris");
        assert_eq!(paris, ["ppa", "ppar"]);
        assert_eq!([opening_of(Part::Place, "pa"), opening_of(Part::Place, "par")].map(Option::unwrap), paris[..]);
        assert_eq!(of(Kind::Place, 2_000_000, Part::Alias, "巴黎"), ["a巴黎"]);
        assert!(of(Kind::Street, 20, Part::Street, "x").is_empty(), "one letter");
        for (kind, size, part) in
            [(Kind::Place, 9_999, Part::Place), (Kind::Street, 19, Part::Street), (Kind::Place, 90_000, Part::Town)]
        {
            assert!(of(kind, size, part, "paris").is_empty());
        }
        assert_eq!((opening_of(Part::Place, "p"), opening_of(Part::Place, "pari")), (None, None));
    }
}
