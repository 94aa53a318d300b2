//! Filters of who is assigned some sites: whatever is asked for, no other site matches.

use super::Node;
use super::field::Test;
use crate::model::assignment::{Assignment, Condition};
use crate::service::Error;

/// What is asked for, of the assigned sites alone. Refused is what rests on the sites around: whether a spot is crowded tells of those
/// that stand there and are not assigned.
pub(super) fn within(root: Option<Node>, assignment: &Assignment) -> Result<Node, Error> {
    let mut nodes = vec![node_of(assignment)];
    match root {
        Some(root) if root.looks_around() => return Err(Error::Scope),
        Some(Node::All(others)) => nodes.extend(others),
        other => nodes.extend(other),
    }
    // Also where it is alone: the map knows conditions by how they are written.
    Ok(Node::All(nodes))
}

/// Whether a site is assigned.
pub(super) fn node_of(assignment: &Assignment) -> Node {
    node(assignment.condition())
}

fn node(condition: &Condition) -> Node {
    match condition {
        Condition::All(conditions) => Node::All(conditions.iter().map(node).collect()),
        Condition::Any(conditions) => Node::Any(conditions.iter().map(node).collect()),
        Condition::Label { key, value } => Node::Test(Test::label(key, value)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::access::Sight;
    use crate::model::attention::Attention;
    use crate::model::gist::Gist;
    use crate::model::site::Site;
    use crate::service::filter::evaluate::Candidate;
    use crate::service::filter::{Filter, MapFilter};

    fn sight(assigned: &str) -> Sight {
        Sight { assigned: Some(Assignment::parse(assigned).unwrap()), ..Sight::default() }
    }

    fn site(labels: &[(&str, &str)]) -> Site {
        let mut site = Site::new("acme".parse().unwrap(), "Pump".into(), jiff::Timestamp::UNIX_EPOCH);
        site.labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        site
    }

    #[test]
    fn no_filter_reaches_a_site_that_is_not_assigned() {
        let (own, other) = (site(&[("team", "North")]), site(&[("team", "south")]));
        for (filter, expected) in [
            ("", true),
            ("pump", true),
            ("valve", false),
            ("labels.team = south OR labels.team = north", true),
            ("labels.team = south", false),
            ("NOT (labels.team = north)", false),
            ("pump OR valve OR -pump", true),
            ("status = UNKNOWN AND attention : UNPLACED", true),
        ] {
            let filter = Filter::parse(filter).unwrap().within(&sight("labels.team = north")).unwrap();
            assert!(!filter.is_empty() && !filter.matches(&other, |_| Attention::NONE), "{filter:?}");
            assert_eq!(filter.matches(&own, |_| Attention::NONE), expected, "{filter:?}");
        }
    }

    #[test]
    fn what_rests_on_the_sites_around_is_refused() {
        for filter in ["attention = CROWDED", "pump OR NOT (attention : *)", "-attention != CROWDED"] {
            let sight = &sight("labels.team = north");
            assert!(matches!(Filter::parse(filter).unwrap().within(sight), Err(Error::Scope)), "{filter}");
            assert!(matches!(MapFilter::parse(filter, sight.clone()), Err(Error::Scope)), "{filter}");
        }
    }

    #[test]
    fn the_map_keeps_one_selection_of_all_that_is_assigned() {
        let sight = sight("labels.team = north AND labels.kind = pump");
        let keys = |filter: &str| {
            let filter = MapFilter::parse(filter, sight.clone()).unwrap();
            let selected = filter.selected();
            [&selected.texts, &selected.all].map(|wants| wants.as_ref().unwrap().key().to_string())
        };
        for filter in ["", "status = ONLINE", "location.placed = true AND status != OFFLINE"] {
            let [texts, all] = keys(filter);
            assert_eq!(texts, all, "{filter}");
        }
        let [texts, all] = keys("valve");
        assert!(texts != all && all == keys("")[1]);
    }

    proptest! {
        #[test]
        fn cards_and_records_are_assigned_alike(
            text in prop::sample::select(vec![
                "labels.a = x",
                "labels.a = X AND labels.b = y",
                "labels.a = x OR labels.b = 'y  z'",
                "(labels.a = x AND labels.a/b = y) OR labels.b = \"y\"",
            ]),
            labels in prop::collection::btree_map("a|b|a/b|ab", "x|X| x |y|Y|y z|y  Z|\\PC{0,3}", 0..4),
        ) {
            let assignment = Assignment::parse(text).unwrap();
            let labels: Vec<(&str, &str)> = labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            let site = site(&labels);
            let gist = Gist::of(&site);
            let candidate = Candidate::of_record(&site, &gist, Attention::NONE);
            prop_assert_eq!(node_of(&assignment).matches(&candidate), assignment.holds(&site), "{} {:?}", text, labels);
        }
    }
}
