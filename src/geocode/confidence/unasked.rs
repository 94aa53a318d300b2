//! What the name of an answer holds that nobody asked for: `Pieni Roobertinkatu` is not the Roobertinkatu of a question.
//!
//! A provider that has the number on one of two such streets answers with that street alone, so that nothing else tells
//! that the address is ambiguous. Kinds of streets and directions count as all words do: Oak Street is not Oak Avenue, nor
//! North Main Street the southern one. What tells no two streets apart does not: articles, and what stands in brackets.

use super::{Part, Text, words};

/// Words that people leave out of a name, folded: articles, and what joins two words. No prepositions of place: the street
/// Am Markt is beside the square Markt.
const LEFT_OUT: &[&str] = &[
    // English, French.
    "the", "of", "and", "a", "de", "du", "des", "d", "la", "le", "les", "l", "et", //
    // Spanish, Portuguese, Italian.
    "del", "el", "los", "las", "y", "do", "da", "dos", "das", "e", "di", "della", "delle", "dello", "dei", "degli",
    "dell", // Dutch, German.
    "van", "het", "t", "den", "der", "die", "dem", "des", "en", "und",
];
/// Between the names that a street has in two languages, as in `Rue Neuve - Nieuwstraat`.
const BETWEEN_NAMES: &[&str] = &[" - ", " – ", "/", ";"];

/// The names in a text of an answer, one or one for each language; brackets are left as they are.
pub(super) fn names(text: &str) -> Vec<&str> {
    let mut names = vec![text];
    for between in BETWEEN_NAMES {
        names = names.into_iter().flat_map(|name| name.split(between)).collect();
    }
    names
}

/// Words of the name of a street or house that nobody asked for: of the name that fits best, and of one that explains nothing
/// of the question, all. A street that is not in the question counts only where the name of a house is not either.
pub(super) fn words_of(texts: &[Text]) -> i32 {
    let least = |part: Part, is_asked: bool| {
        let of = texts.iter().filter(|text| text.part == part && (is_used(text) || !is_asked));
        of.map(|text| count(&text.written, text.words.iter().flatten())).min()
    };
    let house = least(Part::House, true);
    let own = least(Part::Own, true).or_else(|| if house.is_none() { least(Part::Own, false) } else { None });
    i32::try_from(house.unwrap_or(0) + own.unwrap_or(0)).unwrap_or(i32::MAX)
}

/// Whether a text explains something of the question.
fn is_used(text: &Text) -> bool {
    text.words.iter().flatten().count() < text.whole.len()
}

/// How many of the words that are left of a name are a part of it that a question must have.
fn count<'a>(name: &str, left: impl Iterator<Item = &'a String>) -> usize {
    let mut aside = words(&in_brackets(name));
    left.filter(|word| {
        let beside = aside.iter().position(|other| other == *word).map(|at| aside.swap_remove(at));
        beside.is_none() && !LEFT_OUT.contains(&word.as_str())
    })
    .count()
}

/// What stands in round brackets, where something stands before them.
fn in_brackets(name: &str) -> String {
    let Some((_, mut rest)) = name.split_once('(').filter(|(before, _)| !before.trim().is_empty()) else {
        return String::new();
    };
    let mut all = String::new();
    loop {
        let (inside, behind) = rest.split_once(')').unwrap_or((rest, ""));
        all.push_str(inside);
        all.push(' ');
        match behind.split_once('(') {
            Some((_, next)) => rest = next,
            None => return all,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expect: usize) {
        assert_eq!(count(name, words(name).iter()), expect, "{name}");
    }

    #[test]
    fn articles_and_brackets_are_no_part_that_must_be_asked_for() {
        check("Pieni Roobertinkatu", 2);
        check("Rue de la Paix", 2);
        check("The Strand", 1);
        check("Hauptstraße (Altstadt)", 1);
        check("Hauptstraße (Alt) Nord (Stadt", 2);
        check("(Altstadt)", 1);
        check("Am Markt", 2);
        check("", 0);
    }

    #[test]
    fn a_street_may_have_two_names() {
        assert_eq!(names("Rue Neuve - Nieuwstraat"), ["Rue Neuve", "Nieuwstraat"]);
        assert_eq!(names("Via Dante/Dantestraße"), ["Via Dante", "Dantestraße"]);
        assert_eq!(names("Rue Saint-Michel"), ["Rue Saint-Michel"]);
    }
}
