//! Words that most of some hundreds of sites have, against a look at every site.

use super::*;

/// Texts of few words, the first of them in most.
fn common() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        6 => Just("site"),
        4 => Just("number"),
        2 => Just("numbers"),
        1 => prop::sample::select(vec!["north", "sit", "n", "s-1", "5551234", "nothing"]),
    ];
    prop::collection::vec(word, 0..3).prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]
    /// A failure prints its seed.
    #[test]
    fn the_best_of_many_are_those_of_a_look_at_every_site(
        texts in prop::collection::vec([common(), common(), common(), common(), common()], 120..250),
    ) {
        let (mut lexicon, mut oracle) = (Lexicon { last_max: texts.len() - 3, ..Lexicon::default() }, Oracle::default());
        for (number, texts) in (0..).zip(texts) {
            let site = site(number, &Texts(texts));
            put(&mut lexicon, &site);
            oracle.0.insert(site.id, site);
        }
        for number in [3, 70, 110] {
            let id = SiteId::from_u128(number + 1);
            lexicon.remove(id);
            oracle.0.remove(&id);
        }
        for typed in ["site number", "s n", "number site n", "nu numbers", "site 1234", "s-1 n", "s n nothing", "sit s x"] {
            oracle.compare(&lexicon, typed);
        }
    }
}

#[test]
fn a_filter_is_asked_about_the_best_of_many() {
    let mut lexicon = Lexicon { last_max: 40, examined_max: 5, ..Lexicon::default() };
    for number in 0..40 {
        // The whole words of the last ones are better than the beginnings of the others.
        let name = if number < 36 { "nordic points" } else { "nord point" };
        put(&mut lexicon, &named(number, name));
    }
    let query = Query::parse("nord point").unwrap();
    let mut asked = Vec::new();
    let mut wanted = |site: SiteId| {
        asked.push(site.as_u128());
        site.as_u128() == 40
    };
    let found = lexicon.search(&query, Classes::ALL, 3, Some(&mut wanted));
    assert_eq!((found.sites, found.total, found.is_exact), (vec![SiteId::from_u128(40)], 1, false));
    assert_eq!(asked, [37, 38, 39, 40, 1]);
    let all = lexicon.search(&query, Classes::ALL, 2, None);
    assert_eq!((all.sites.len(), all.total, all.is_exact), (2, 40, true));
}
