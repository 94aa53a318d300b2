//! Which organisation of a system a site may belong to, by names and addresses: suggestions with their reasons.
//!
//! A pure function of texts. It decides nothing: what is ahead of all others is called so, and a person links it.

use crate::model::text::fold;

use super::{Address, Organization};

/// Least score of a suggestion: below, names have little more in common than some letters.
pub const SCORE_MIN: f64 = 0.55;
/// Least likeness of the name of one that stands out: but for a slip of the pen it is the same.
pub const CLEAR_MIN: f64 = 0.8;
/// The same beside the site's customer id: more than by chance.
const CUSTOMER_CLEAR_MIN: f64 = 0.5;
/// How far its name has to be ahead of any other one that an address does not set apart.
pub const AHEAD_MIN: f64 = 0.1;
/// How much of the score an address has, where the site has one.
const ADDRESS_SHARE: f64 = 0.25;
/// What an address that is not known counts for: less than one that agrees in anything, more than one that agrees in
/// nothing.
const UNKNOWN_ADDRESS: f64 = 0.5;
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
    /// Whether the first stands out: nothing speaks for another one as well.
    pub is_clear: bool,
}

/// One organisation beside a site.
#[derive(Debug)]
struct Compared<'a> {
    found: Match<'a>,
    /// How alike the names are, from 0 to 1.
    likeness: f64,
    /// Whether both addresses are known and agree in nothing.
    is_elsewhere: bool,
}

impl Compared<'_> {
    fn has(&self, why: Why) -> bool {
        self.found.whys.contains(&why)
    }

    /// Whether the addresses agree in what two organisations of one name seldom share. A town is no such thing.
    fn is_near(&self) -> bool {
        self.has(Why::SameStreet) || self.has(Why::SamePostalCode)
    }

    /// Whether this one would stand out if it were alone.
    fn is_good(&self) -> bool {
        // Many organisations have a common word in their names.
        let is_named = !self.has(Why::NameWithin) || self.is_near() || self.has(Why::CustomerId);
        let is_there = !self.is_elsewhere || self.has(Why::CustomerId);
        let likeness_min = if self.has(Why::CustomerId) { CUSTOMER_CLEAR_MIN } else { CLEAR_MIN };
        self.likeness >= likeness_min && is_named && is_there
    }

    /// Whether nothing says that it could be the other one as well. What speaks for the other one never makes this true.
    fn stands_out_against(&self, other: &Self) -> bool {
        let is_ahead = self.likeness - other.likeness > AHEAD_MIN;
        !other.has(Why::CustomerId) && (is_ahead || (self.is_near() && !other.is_near()))
    }
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
        let likeness = 2.0 * f64::from(common) / f64::from(all.max(1));
        // What is suggested for its id or its address alone has some letters in common too.
        (likeness, (likeness >= SCORE_MIN).then_some(Why::AlikeName))
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

    fn compare(&self, site: &SiteTexts) -> Compared<'_> {
        let mut whys = Vec::new();
        let (likeness, why) = self.name.likeness(&site.name);
        whys.extend(why);
        let parts = [
            (&self.address.postal_code, Why::SamePostalCode, 0.4),
            (&self.address.city, Why::SameCity, 0.2),
            (&self.address.street, Why::SameStreet, 0.4),
        ];
        let (mut score, mut is_elsewhere) = (likeness, false);
        if !site.address.is_empty() {
            let told: Vec<_> = parts.into_iter().filter(|(part, ..)| !part.trim().is_empty()).collect();
            let all: f64 = told.iter().map(|(.., weight)| weight).sum();
            let same: Vec<_> = told.iter().filter(|(part, ..)| site.address.contains(part.as_str())).collect();
            is_elsewhere = same.is_empty() && !told.is_empty();
            let nearness = match same.iter().map(|(.., weight)| weight).sum::<f64>() {
                _ if is_elsewhere => 0.0,
                agreeing if agreeing > 0.0 => UNKNOWN_ADDRESS + (1.0 - UNKNOWN_ADDRESS) * agreeing / all,
                _ => UNKNOWN_ADDRESS,
            };
            whys.extend(same.into_iter().map(|(_, why, _)| why));
            score = likeness * (1.0 - ADDRESS_SHARE) + nearness * ADDRESS_SHARE;
        }
        if site.customer_id == self.organization.id {
            // Ids are short: the same number may be another system's.
            score = CUSTOMER_ID_MIN + (1.0 - CUSTOMER_ID_MIN) * score;
            whys.insert(0, Why::CustomerId);
        }
        Compared { found: Match { organization: &self.organization, score, whys }, likeness, is_elsewhere }
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

/// The organisations that a site may belong to, at most `limit`. Looks at each organisation at most twice.
#[must_use]
pub fn suggest<'a>(site: &SiteTexts, organizations: &'a [Prepared], limit: usize) -> Matches<'a> {
    let all = organizations.iter().map(|organization| organization.compare(site));
    let (mut best, far): (Vec<Compared<'a>>, Vec<Compared<'a>>) =
        all.partition(|compared| compared.found.score >= SCORE_MIN);
    best.sort_by(|a, b| {
        let (a, b) = (&a.found, &b.found);
        b.score.total_cmp(&a.score).then_with(|| a.organization.id.cmp(&b.organization.id))
    });
    // Also against those that are not suggested: it may be their addresses alone that keep them from it.
    let is_clear = best.split_first().is_some_and(|(first, others)| {
        first.is_good() && others.iter().chain(&far).all(|other| first.stands_out_against(other))
    });
    let best = best.into_iter().map(|compared| compared.found);
    Matches { best: best.take(limit).collect(), is_clear }
}

#[cfg(test)]
mod tests;
