//! Searches of each kind, as they are typed.

use std::hint::black_box;

use waymark::lexicon::{Classes, Lexicon, Query};
use waymark::model::site::Site;

use crate::data::Plan;
use crate::data::random::Random;
use crate::data::typed::beginning;
use crate::measure::{Figure, Sheet, time};

/// Calls of a round.
const CALLS: usize = 2_000;
/// Calls of a round where each may take milliseconds.
const SLOW_CALLS: usize = 200;
/// Different queries of each kind.
const POOL: usize = 2_000;
/// Hits of an answer.
const HITS: usize = 10;

/// Measures every kind.
pub(crate) fn measure(sheet: &mut Sheet, plan: &Plan, lexicon: &Lexicon) {
    let mut random = Random::new(11);
    let mut sites = || crate::full(plan, random.below(plan.len()));
    let mut kind = |what: &str, calls, typed: &mut dyn FnMut(&Site) -> String| {
        let pool: Vec<Query> = (0..POOL).map(|_| Query::parse(&typed(&sites())).unwrap()).collect();
        sheet.add(kind_of(lexicon, what, calls, &pool));
    };
    kind("a whole id", CALLS, &mut |site| site.customer_id.clone());
    kind("a whole agent id", CALLS, &mut |site| site.agent.as_ref().unwrap().to_string());
    kind("a whole e-mail address", CALLS, &mut |site| site.contact.email.clone());
    kind("the last five digits of a phone", CALLS, &mut |site| end(&site.contact.phones[0].number, 5));
    let mut letters = Random::new(13);
    for count in [1, 2, 3, 5] {
        kind(&format!("the first {count} of any word"), SLOW_CALLS, &mut |site| beginning(site, &mut letters, count));
    }
    kind("two names", CALLS, &mut |site| format!("{} {}", site.contact.first_name, site.contact.last_name));
    kind("a name and the first letter of another", CALLS, &mut |site| {
        format!("{} {}", site.contact.first_name, &site.contact.last_name[..1])
    });
    kind("an id and the first letter of a name", CALLS, &mut |site| {
        format!("{} {}", site.customer_id, &site.contact.first_name[..1])
    });
    kind("nothing has it", CALLS, &mut |site| format!("qq{}", site.contact.last_name));
    kind("a word that all sites have", SLOW_CALLS, &mut |_| "site".to_owned());
    kind("two words that all sites have", SLOW_CALLS, &mut |_| "site number".to_owned());
    kind("the first letters of two words that all have", SLOW_CALLS, &mut |_| "s n".to_owned());
    kind("one digit", SLOW_CALLS, &mut |site| end(&site.customer_id, 1));
}

fn kind_of(lexicon: &Lexicon, what: &str, calls: usize, pool: &[Query]) -> Figure {
    let hits: usize = pool.iter().take(100).map(|query| search(lexicon, query)).sum::<usize>() / pool.len().min(100);
    let figure = time(what, calls, |call| {
        black_box(search(lexicon, &pool[call % pool.len()]));
    });
    figure.with_note(format!("{hits} hits counted in the middle, the best {HITS} answered"))
}

fn search(lexicon: &Lexicon, query: &Query) -> usize {
    lexicon.search(query, Classes::ALL, HITS, None).total
}

fn end(text: &str, count: usize) -> String {
    text[text.len() - count..].to_owned()
}
