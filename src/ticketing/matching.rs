//! Which organisation of a system a site may belong to, by names and addresses: suggestions with their reasons.
//!
//! A pure function of texts. It decides nothing: what is ahead of all others is called so, and a person links it.

use crate::model::text::fold;

use super::{Address, Organization};

/// Least score of a suggestion: below, names have little more in common than some letters.
pub const SCORE_MIN: f64 = 0.55;
/// Least score of one that stands out: the name, but for a legal form or a place beside it.
pub const CLEAR_MIN: f64 = 0.8;
/// How far the best has to be ahead of the next one to stand out.
pub const AHEAD_MIN: f64 = 0.1;
/// How much of the score an address has, where both sides have one.
const ADDRESS_SHARE: f64 = 0.25;
/// Score of a name that has the whole other name in it.
const CONTAINED: f64 = 0.9;

/// Score of one whose id is the site's customer id, whatever the names.
const CUSTOMER_ID_MIN: f64 = 0.6;

/// Words that say what form a company has, and not which one it is.
const LEGAL_FORMS: [&str; 34] = [
    "ab",
    "ag",
    "aps",
    "as",
    "bv",
    "co",
    "company",
    "corp",
    "corporation",
    "ehf",
    "gmbh",
    "group",
    "hf",
    "holding",
    "inc",
    "incorporated",
    "kg",
    "limited",
    "llc",
    "llp",
    "ltd",
    "nv",
    "oy",
    "oyj",
    "plc",
    "pte",
    "pty",
    "sa",
    "sarl",
    "sl",
    "spa",
    "srl",
    "the",
    "ug",
];

/// Why an organisation is suggested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Why {
    /// The site's customer id is the organisation's id.
    CustomerId,
    /// The names are the same, but for case, punctuation and legal forms.
    SameName,
    /// One name has all words of the other.
    NameWithin,
    /// The names are alike.
    AlikeName,
    /// The postal codes are the same.
    SamePostalCode,
    /// The towns are the same.
    SameCity,
    /// The streets are the same.
    SameStreet,
}

/// What is compared of a site.
#[derive(Debug, Clone, Default)]
pub struct SiteTexts {
    name: Words,
    customer_id: String,
    /// All that its address says, folded, with blanks around each word.
    address: String,
}

/// An organisation that is ready to be compared.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The organisation.
    pub organization: Organization,
    name: Words,
    address: Address,
}

/// A suggestion.
#[derive(Debug, Clone)]
pub struct Match<'a> {
    /// The organisation.
    pub organization: &'a Organization,
    /// From 0 to 1.
    pub score: f64,
    /// Why, the strongest first.
    pub whys: Vec<Why>,
}

/// The suggestions for a site.
#[derive(Debug, Clone)]
pub struct Matches<'a> {
    /// The best first; equal ones in the order of their ids.
    pub best: Vec<Match<'a>>,
    /// Whether the first stands out: good enough, and well ahead of the second.
    pub is_clear: bool,
}

/// A name, taken apart.
#[derive(Debug, Clone, Default)]
struct Words {
    words: Vec<String>,
    /// Neighbouring letters, sorted, each pair once.
    pairs: Box<[[char; 2]]>,
}

impl Words {
    fn of(name: &str) -> Self {
        let folded = fold(name);
        let all: Vec<&str> = folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
        let named: Vec<&str> = all.iter().copied().filter(|word| !LEGAL_FORMS.contains(word)).collect();
        // A company may be called by such words alone.
        let words: Vec<String> = if named.is_empty() { all } else { named }.into_iter().map(str::to_owned).collect();
        let letters: Vec<char> = format!(" {} ", words.join(" ")).chars().collect();
        let mut pairs: Vec<[char; 2]> = letters.windows(2).filter_map(|pair| pair.try_into().ok()).collect();
        pairs.sort_unstable();
        pairs.dedup();
        Self { words, pairs: pairs.into() }
    }

    fn likeness(&self, other: &Self) -> (f64, Option<Why>) {
        if self.words.is_empty() || other.words.is_empty() {
            return (0.0, None);
        }
        if self.words == other.words {
            return (1.0, Some(Why::SameName));
        }
        let holds = |all: &[String], some: &[String]| some.iter().all(|word| all.contains(word));
        let shorter = self.words.iter().map(String::len).sum::<usize>().min(other.words.iter().map(String::len).sum());
        // A word of two letters stands in many names.
        if shorter > 2 && (holds(&self.words, &other.words) || holds(&other.words, &self.words)) {
            return (CONTAINED, Some(Why::NameWithin));
        }
        let common = u32::try_from(common(&self.pairs, &other.pairs)).unwrap_or(u32::MAX);
        let all = u32::try_from(self.pairs.len() + other.pairs.len()).unwrap_or(u32::MAX);
        (2.0 * f64::from(common) / f64::from(all.max(1)), Some(Why::AlikeName))
    }
}

impl SiteTexts {
    /// The texts of a site: its name, the customer's id, and all lines of its address.
    #[must_use]
    pub fn new(name: &str, customer_id: &str, address: &[&str]) -> Self {
        let address: Vec<String> = address.iter().map(|line| spaced(line)).collect();
        Self { name: Words::of(name), customer_id: customer_id.to_owned(), address: address.concat() }
    }
}

impl Prepared {
    /// An organisation, taken apart once for many sites.
    #[must_use]
    pub fn new(organization: Organization) -> Self {
        let address = Address {
            street: spaced(&organization.address.street),
            city: spaced(&organization.address.city),
            postal_code: spaced(&organization.address.postal_code),
            ..Address::default()
        };
        Self { name: Words::of(&organization.name), address, organization }
    }

    fn compare(&self, site: &SiteTexts) -> Match<'_> {
        let mut whys = Vec::new();
        let (mut score, why) = self.name.likeness(&site.name);
        whys.extend(why);
        let parts = [
            (&self.address.postal_code, Why::SamePostalCode, 0.4),
            (&self.address.city, Why::SameCity, 0.2),
            (&self.address.street, Why::SameStreet, 0.4),
        ];
        let told: Vec<_> = parts.into_iter().filter(|(part, ..)| !part.trim().is_empty()).collect();
        if !told.is_empty() && !site.address.is_empty() {
            let all: f64 = told.iter().map(|(.., weight)| weight).sum();
            let same: Vec<_> = told.into_iter().filter(|(part, ..)| site.address.contains(part.as_str())).collect();
            let nearness = same.iter().map(|(.., weight)| weight).sum::<f64>() / all;
            whys.extend(same.into_iter().map(|(_, why, _)| why));
            score = score * (1.0 - ADDRESS_SHARE) + nearness * ADDRESS_SHARE;
        }
        if site.customer_id == self.organization.id {
            // Ids are short: the same number may be another system's.
            score = CUSTOMER_ID_MIN + (1.0 - CUSTOMER_ID_MIN) * score;
            whys.insert(0, Why::CustomerId);
        }
        Match { organization: &self.organization, score, whys }
    }
}

/// How many pairs stand in both, which are sorted.
fn common(one: &[[char; 2]], other: &[[char; 2]]) -> usize {
    let (mut at, mut count) = (0, 0);
    for pair in one {
        while other.get(at).is_some_and(|known| known < pair) {
            at += 1;
        }
        count += usize::from(other.get(at) == Some(pair));
    }
    count
}

/// The text folded, its words with single blanks around them, so that whole words are found in it.
fn spaced(text: &str) -> String {
    let folded = fold(text);
    let words: Vec<&str> = folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    if words.is_empty() { String::new() } else { format!(" {} ", words.join(" ")) }
}

/// The organisations that a site may belong to, at most `limit`. Looks at each organisation once.
#[must_use]
pub fn suggest<'a>(site: &SiteTexts, organizations: &'a [Prepared], limit: usize) -> Matches<'a> {
    let all = organizations.iter().map(|organization| organization.compare(site));
    let mut best: Vec<Match<'a>> = all.filter(|found| found.score >= SCORE_MIN).collect();
    best.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.organization.id.cmp(&b.organization.id)));
    let is_clear = match best.as_slice() {
        [] => false,
        [only] => only.score >= CLEAR_MIN,
        [first, second, ..] => first.score >= CLEAR_MIN && first.score - second.score >= AHEAD_MIN,
    };
    best.truncate(limit);
    Matches { best, is_clear }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn organization(id: &str, name: &str, address: [&str; 3]) -> Prepared {
        let [street, postal_code, city] = address.map(str::to_owned);
        let address = Address { street, city, postal_code, ..Address::default() };
        Prepared::new(Organization { id: id.to_owned(), name: name.to_owned(), address })
    }

    fn check(site: &SiteTexts, organizations: &[Prepared], expect: &str, is_clear: bool) {
        let found = suggest(site, organizations, 5);
        let ids: Vec<&str> = found.best.iter().map(|found| found.organization.id.as_str()).collect();
        assert_eq!(ids.join(" "), expect, "{:?}", found.best);
        assert_eq!(found.is_clear, is_clear, "{:?}", found.best);
    }

    #[test]
    fn names_are_compared_without_legal_forms_and_places() {
        let none = ["", "", ""];
        let all = [
            organization("1", "ACME, Inc.", none),
            organization("2", "Apex Holding GmbH", none),
            organization("3", "Northern Lights ehf", none),
            organization("4", "Zenith", none),
        ];
        check(&SiteTexts::new("Acme Ltd", "", &[]), &all, "1", true);
        check(&SiteTexts::new("Acme Reykjavík", "", &[]), &all, "1", true);
        check(&SiteTexts::new("Norhtern Lights", "", &[]), &all, "3", true);
        check(&SiteTexts::new("Completely else", "", &[]), &all, "", false);
        check(&SiteTexts::new("Something", "4", &[]), &all, "4", false);
        check(&SiteTexts::new("Zenit", "4", &[]), &all, "4", true);
        check(&SiteTexts::new("", "", &[]), &all, "", false);
    }

    #[test]
    fn ties_are_told_and_never_clear() {
        let twins = [organization("1", "Acme", ["", "", ""]), organization("2", "ACME Ltd", ["", "", ""])];
        check(&SiteTexts::new("Acme", "", &[]), &twins, "1 2", false);
    }

    #[test]
    fn an_address_tells_twins_apart() {
        let twins = [
            organization("1", "Acme", ["Laugavegur 1", "101", "Reykjavík"]),
            organization("2", "Acme", ["Hafnarstræti 5", "600", "Akureyri"]),
        ];
        let site = SiteTexts::new("Acme", "", &["Hafnarstræti 5, 600 Akureyri"]);
        check(&site, &twins, "2 1", true);
        let found = suggest(&site, &twins, 1);
        assert_eq!(found.best[0].whys, [Why::SameName, Why::SamePostalCode, Why::SameCity, Why::SameStreet]);
        // A number within another one is none.
        check(&SiteTexts::new("Acme", "", &["1600 Akureyrarvegur 55"]), &twins, "1 2", false);
    }

    proptest::proptest! {
        #[test]
        fn a_score_is_a_share_and_no_order_of_organisations_matters(
            name in "\\PC{0,20}",
            names in proptest::collection::vec("\\PC{0,12}|acme( ltd)?", 0..6),
        ) {
            let of = |(at, name): (usize, &String)| organization(&at.to_string(), name, ["", "", ""]);
            let all: Vec<_> = names.iter().enumerate().map(of).collect();
            let site = SiteTexts::new(&name, "", &[]);
            let found = suggest(&site, &all, 10);
            let told = |found: &Matches<'_>| -> Vec<(String, u64)> {
                found.best.iter().map(|one| (one.organization.id.clone(), one.score.to_bits())).collect()
            };
            proptest::prop_assert!(found.best.iter().all(|one| (SCORE_MIN..=1.0).contains(&one.score)));
            let turned: Vec<_> = all.iter().rev().cloned().collect();
            let other = suggest(&site, &turned, 10);
            proptest::prop_assert_eq!((told(&found), found.is_clear), (told(&other), other.is_clear));
        }
    }
}
