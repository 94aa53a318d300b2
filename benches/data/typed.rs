//! What people type into a search, about sites.

use waymark::model::site::Site;

use super::queries::In;
use super::random::Random;
use super::{Plan, account_id, record};

/// A kind of search by its name in the sheets, and what is typed to find a site.
type Kind = (&'static str, fn(&Site, &mut Random) -> String);

/// The kinds that are asked over sockets.
const KINDS: [Kind; 5] = [
    ("a whole id", |site, _| site.customer_id.clone()),
    ("the first 3 of any word", |site, random| beginning(site, random, 3)),
    ("the first 1 of any word", |site, random| beginning(site, random, 1)),
    ("two names", |site, _| format!("{} {}", site.contact.first_name, site.contact.last_name)),
    ("two words that all sites have", |_, _| "site number".to_owned()),
];

/// `count` searches of each kind, each in the account of the site that it is to find.
pub(crate) fn searches(plan: &Plan, count: usize, seed: u64) -> Vec<(&'static str, Vec<In<String>>)> {
    let mut random = Random::new(seed);
    let mut typed = |kind: &Kind| {
        let planned = plan.any_site(&mut random);
        let site = record::site_of(&account_id(planned.account), &planned);
        (planned.account, kind.1(&site, &mut random))
    };
    KINDS.iter().map(|kind| (kind.0, (0..count).map(|_| typed(kind)).collect())).collect()
}

/// The first letters of some word of the site.
pub(crate) fn beginning(site: &Site, random: &mut Random, count: usize) -> String {
    let texts = [&site.display_name, &site.contact.email, &site.contact.first_name, &site.contact.last_name];
    let words: Vec<&str> = texts.iter().flat_map(|text| text.split([' ', '@', '.'])).collect();
    let word = words[random.below(words.len())];
    word[..word.len().min(count)].to_owned()
}
