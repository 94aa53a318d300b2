//! Sites by their names, in steps.

use std::collections::HashSet;

use super::world::{at, card, entry};
use crate::model::id::SiteId;
use crate::spatial::AccountMap;

#[test]
fn names_are_found_in_steps_of_any_size_and_without_regard_to_case() {
    let mut map = AccountMap::new();
    for bits in 0..20 {
        map.upsert(&entry(bits, at(1.0, 2.0)));
    }
    let mut unplaced = entry(3, at(1.0, 2.0));
    (unplaced.place, unplaced.card) = (None, card("HÄUSER am  See", ""));
    map.upsert(&unplaced);
    assert!(map.remove(SiteId::from_u128(5)));
    let wanted = ["häuser am see", "site 3", "site 5", "site 7", "site 19", "Site 8", "nobody"];
    let wanted: HashSet<String> = wanted.map(str::to_owned).into();
    for count in [1, 2, 7, 20, 1_000] {
        let (mut found, mut from) = (Vec::new(), Some(0));
        while let Some(number) = from {
            let (some, next) = map.named(&wanted, number, count);
            found.extend(some);
            from = next;
        }
        found.sort();
        let expected = [("häuser am see", 3), ("site 19", 19), ("site 7", 7)];
        assert_eq!(found, expected.map(|(name, bits)| (name.to_owned(), SiteId::from_u128(bits))), "{count} at once");
    }
    assert_eq!(AccountMap::new().named(&wanted, 0, 9), (Vec::new(), None));
}
