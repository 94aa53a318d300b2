//! Mutants of filters: parsed and asked of a site within their limits, and a fault says where in the text it stands.

use super::tests::{on_the_map, site};
use super::*;
use crate::fuzzing::{Mutator, Target, sketch};
use crate::model::access::Contacts;

/// Mutants of a run of the tests.
const RUNS: u64 = 40_000;
/// Longest mutant, in bytes: a filter that is too long is among them.
const TEXT_BYTES_MAX: usize = FILTER_BYTES_MAX + 64;
/// Longest fault, in bytes: what a caller typed is not told back whole.
const WHY_BYTES_MAX: usize = 1_024;
/// Deepest tree: a level of parentheses makes up to three of nodes.
const TREE_DEPTH_MAX: usize = 3 * (DEPTH_MAX + 1);
/// Longest sketch of a tree, in bytes.
const SHAPE_BYTES_MAX: usize = 24;

/// Filters of every field, sign and way to join.
const SEEDS: [&str; 16] = [
    "",
    "status = ONLINE AND location.source != PIN",
    "(status = OFFLINE OR status=UNKNOWN) -customer_id:\"C-17\"",
    "NOT (display_name = \"head*\" OR display_name = '* malm\u{f6}')",
    "labels.region = nordics labels.other != ''",
    "create_time >= 2026-11-01T00:00:00Z AND update_time < \"2026-12-01T00:00:00+01:00\"",
    "location.placed = true location.confirmed = false",
    "location.address : gata attention : ADDRESS_FAILED OR attention = attention_reason_unplaced",
    "contact.email : example contact.first_name = a* contact.last_name != x",
    "note : \"a \\\"quoted\\\" word\"",
    "\"office malm\u{f6}\" fw-1",
    "agent_id = fw-1 contract_id = '' ticketing_links.system = zendesk ticketing_links.organization_id != 17",
    "contact.phones : \"+354 (545) 10\" OR contact.phones != 3545451000 contact.phones = *00",
    "ticketing_links.state = BROKEN ticketing_links.organization_name : x ticketing_links.external_site_id = 22",
    "((((a OR b) c) OR NOT -d) e)",
    "a OR b AND c OR d",
];
const WORDS: [&[u8]; 36] = [
    b" AND ",
    b" OR ",
    b" NOT ",
    b"-",
    b"(",
    b")",
    b"=",
    b"!=",
    b":",
    b"<=",
    b">=",
    b"<",
    b">",
    b"\"",
    b"'",
    b"*",
    b"\\",
    b"status",
    b"note",
    b"display_name",
    b"labels.",
    b"create_time",
    b"location.source",
    b"location.placed",
    b"attention",
    b"contact.email",
    b"contact.phones",
    b"ticketing_links.state",
    b"+354",
    b"agent_id",
    b"ONLINE",
    b"PIN",
    b"true",
    b"2026-11-01T00:00:00Z",
    b"UNPLACED",
    b"''",
];

#[test]
fn no_mutant_of_a_filter_panics_or_passes_its_limits() {
    let mutate = Mutator { words: &WORDS, bytes_max: TEXT_BYTES_MAX }.changes();
    let seeds = SEEDS.map(|text| text.as_bytes().to_vec()).to_vec();
    let target = Target { name: "filters", seeds, mutate, runs: RUNS, cost: 2 };
    let site = site();
    let outcomes = target.run(|mutant| outcome_of(&String::from_utf8_lossy(mutant), &site));
    let parsed = outcomes.iter().filter(|outcome| outcome.starts_with('+')).count();
    assert!(parsed > 50 && outcomes.len() > parsed + 10, "the mutants do not get far: {parsed} of {}", outcomes.len());
}

fn outcome_of(text: &str, site: &Site) -> String {
    let on_map = MapFilter::parse(text, Contacts::Read);
    let masked = MapFilter::parse(text, Contacts::Masked);
    let filter = match Filter::parse(text) {
        Ok(filter) => filter,
        Err(fault) => {
            assert!(on_map.is_err() && masked.is_err(), "the map takes what lists refuse");
            assert_eq!(fault.field, "filter");
            assert!(fault.why.len() <= WHY_BYTES_MAX, "{}", fault.why);
            let at = fault.why.strip_prefix("at byte ").and_then(|rest| rest.split_once(':')?.0.parse::<usize>().ok());
            assert!(at.is_some_and(|at| at <= text.len()), "{}", fault.why);
            return sketch(&fault.why);
        }
    };
    assert!(masked.is_err() || on_map.is_ok(), "who sees less may ask more");
    assert!(MapFilter::parse_for_counts(text).is_err() || masked.is_ok(), "who sees least may ask more");
    let (terms, depth) = filter.root.as_ref().map_or((0, 0), |root| (root.terms(), depth_of(root)));
    assert!(
        text.len() <= FILTER_BYTES_MAX && terms <= TERMS_MAX && depth <= TREE_DEPTH_MAX,
        "{terms} terms, {depth} deep"
    );
    assert!(filter.cost_of(site) <= TERMS_MAX * (site.note.len() + OTHER_TEXT_BYTES));
    let is_match = filter.matches(site, |_| on_the_map());
    let mut shape = String::from(if is_match { "+" } else { "+!" });
    filter.root.iter().for_each(|root| draw(root, &mut shape));
    shape
}

fn depth_of(node: &Node) -> usize {
    match node {
        Node::All(nodes) | Node::Any(nodes) => 1 + nodes.iter().map(depth_of).max().unwrap_or(0),
        Node::Not(node) => 1 + depth_of(node),
        Node::Test(_) => 1,
    }
}

/// The beginning of a tree's shape, with the kinds of its tests.
fn draw(node: &Node, out: &mut String) {
    if out.len() >= SHAPE_BYTES_MAX {
        return;
    }
    let (sign, nodes) = match node {
        Node::All(nodes) => ("&", nodes.as_slice()),
        Node::Any(nodes) => ("|", nodes.as_slice()),
        Node::Not(node) => ("-", std::slice::from_ref(&**node)),
        Node::Test(Test::Text { .. }) => return out.push('t'),
        Node::Test(Test::Time { .. }) => return out.push('d'),
        Node::Test(Test::Attention { .. }) => return out.push('a'),
        Node::Test(_) => return out.push('c'),
    };
    out.push_str(sign);
    nodes.iter().for_each(|node| draw(node, out));
    out.push('.');
}
