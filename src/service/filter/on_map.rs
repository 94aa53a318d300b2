//! A filter as the map answers it: a set of classes, which costs nothing, and what is left for a selection.

use std::fmt;

use super::evaluate::Candidate;
use super::field::Test;
use super::{Node, Scope, assigned, parse, within};
use crate::live::Selected;
use crate::model::access::Sight;
use crate::service::Error;
use crate::spatial::Wants;
use crate::spatial::class::Classes;
use crate::spatial::entry::Subject;

/// A parsed filter of maps.
#[derive(Clone)]
pub struct MapFilter {
    selected: Selected,
}

impl fmt::Debug for MapFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.selected.fmt(f)
    }
}

impl MapFilter {
    /// Parses a filter; an empty one matches everything. Refuses the note, and says at which byte a fault stands; refuses contacts
    /// where they are masked, and where sites are where that is not shown. To who sees about where sites are, they are shown there. To who
    /// is assigned some, these are all that there are.
    pub fn parse(text: &str, sight: impl Into<Sight>) -> Result<Self, Error> {
        let sight: Sight = sight.into();
        let mut filter = Self::of(within(parse(text, Scope::Map)?, &sight)?);
        filter.selected.is_rough = !sight.positions.are_exact();
        let all = sight.assigned.as_ref().and_then(|of| texts_of(vec![assigned::node_of(of)]));
        filter.selected.all = all.map(Wants::of_assignment);
        Ok(filter)
    }

    /// The same of the exact map, for who looks at nothing of it but whether sites are there.
    pub(in crate::service) fn exactly(mut self) -> Self {
        self.selected.is_rough = false;
        self
    }

    /// The filter of somebody who sees counts and no site. Refuses every condition that looks at a text or a time of sites: the
    /// counts of enough guesses would tell it.
    pub fn parse_for_counts(text: &str) -> Result<Self, Error> {
        let root = parse(text, Scope::Map)?;
        if root.as_ref().is_some_and(Node::looks_at_texts) {
            return Err(Error::Scope);
        }
        Ok(Self::of(root))
    }

    fn of(root: Option<Node>) -> Self {
        let mut classes = Classes::ALL;
        let mut rest = Vec::new();
        let conditions = match root {
            None => Vec::new(),
            Some(Node::All(nodes)) => nodes,
            Some(node) => vec![node],
        };
        for condition in conditions {
            match classes_of(&condition) {
                Some(wanted) => classes = classes.and(wanted),
                None => rest.push(condition),
            }
        }
        Self { selected: Selected { classes, texts: texts_of(rest), all: None, is_rough: false } }
    }

    /// The conditions that classes do not tell, which a selection is made for; `None` where there are none.
    #[must_use]
    pub fn texts(&self) -> Option<&Wants> {
        self.selected.texts.as_ref()
    }

    /// Which sites the map is to show.
    pub(in crate::service) fn selected(&self) -> &Selected {
        &self.selected
    }
}

/// The classes that a condition comes down to; `None` where it looks at more than they tell.
fn classes_of(node: &Node) -> Option<Classes> {
    let either = |wanted: Classes, is_negated: bool| if is_negated { wanted.complement() } else { wanted };
    match node {
        Node::All(nodes) => nodes.iter().try_fold(Classes::ALL, |all, node| Some(all.and(classes_of(node)?))),
        Node::Any(nodes) => nodes.iter().try_fold(Classes::NONE, |any, node| Some(any.or(classes_of(node)?))),
        Node::Not(node) => Some(classes_of(node)?.complement()),
        Node::Test(Test::Status { status, is_negated }) => Some(either(Classes::of_status(*status), *is_negated)),
        Node::Test(Test::Source { source, is_negated }) => Some(either(Classes::of_source(*source), *is_negated)),
        Node::Test(Test::Confirmed(wanted)) => Some(either(Classes::confirmed(), !wanted)),
        Node::Test(Test::Placed(wanted)) => Some(either(Classes::placed(), !wanted)),
        Node::Test(Test::Text { .. } | Test::Time { .. } | Test::Link { .. } | Test::Attention { .. }) => None,
    }
}

/// The conditions that look at more, with a text that is the same for the same conditions.
fn texts_of(rest: Vec<Node>) -> Option<Wants> {
    if rest.is_empty() {
        return None;
    }
    let (key, terms) = (format!("{rest:?}"), rest.iter().map(Node::terms).sum());
    Some(Wants::new(key, terms, move |subject: &Subject<'_>| {
        let candidate = Candidate::of_subject(subject);
        rest.iter().all(|node| node.matches(&candidate))
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::access::{Contacts, Positions};
    use crate::model::attention::{Attention, AttentionReason};
    use crate::model::card::{Card, CardField, CardPacker};
    use crate::model::location::Source;
    use crate::model::site::Status;
    use crate::model::ticketing::LinkState;
    use crate::service::filter::Filter;

    fn parts(filter: &str) -> (Classes, bool) {
        let MapFilter { selected } =
            MapFilter::parse(filter, Contacts::Read).unwrap_or_else(|fault| panic!("{filter}: {fault}"));
        (selected.classes, selected.texts.is_some())
    }

    #[test]
    fn conditions_of_classes_leave_nothing_to_look_for() {
        let offline = Classes::of_status(Status::Offline);
        assert_eq!(parts(""), (Classes::ALL, false));
        assert_eq!(parts("status = OFFLINE"), (offline, false));
        assert_eq!(parts("status = OFFLINE location.confirmed = true"), (offline.and(Classes::confirmed()), false));
        assert_eq!(
            parts("status = OFFLINE OR location.source = PIN"),
            (offline.or(Classes::of_source(Source::Pin)), false)
        );
        assert_eq!(
            parts("NOT (status = OFFLINE OR location.placed = false)").0,
            offline.complement().and(Classes::placed())
        );
        assert_eq!(parts("status = OFFLINE AND customer_id = 7"), (offline, true));
        assert_eq!(parts("status = OFFLINE OR customer_id = 7"), (Classes::ALL, true));
    }

    #[test]
    fn notes_are_refused_where_they_stand() {
        let fault = MapFilter::parse("status = ONLINE AND note : pump", Contacts::Read).unwrap_err();
        assert!(fault.to_string().contains("at byte 20: notes"), "{fault}");
        assert!(Filter::parse("note : pump").is_ok());
    }

    #[test]
    fn who_sees_counts_alone_asks_for_no_text() {
        for filter in
            ["", "status = OFFLINE", "attention : * AND location.placed = true", "NOT (location.source = PIN)"]
        {
            assert!(MapFilter::parse_for_counts(filter).is_ok(), "{filter}");
        }
        for filter in [
            "pump",
            "-pump",
            "display_name = 'Pump*'",
            "status = OFFLINE OR NOT (attention : * AND labels.tier = gold)",
            "create_time > 2026-11-23T12:00:00Z",
            "contact.phones : 354",
            "status = OFFLINE AND ticketing_links.state = BROKEN",
        ] {
            assert!(matches!(MapFilter::parse_for_counts(filter), Err(Error::Scope)), "{filter}");
        }
        assert!(matches!(MapFilter::parse_for_counts("status ="), Err(Error::Invalid(_))), "a fault is told as one");
    }

    #[test]
    fn who_does_not_see_exactly_where_sites_are_asks_for_nothing_that_tells_it() {
        for (filter, approximate, hidden) in [
            ("", true, true),
            ("pump OR customer_id = 7", true, true),
            ("location.source = PIN", true, false),
            ("NOT (location.confirmed = true)", true, false),
            ("status = ONLINE AND -location.placed = true", true, false),
            ("location.address : lane", false, false),
            ("pump AND (status = ONLINE OR NOT (location.address = ''))", false, false),
            ("attention = CROWDED", false, false),
            ("display_name = pump OR -attention : *", false, false),
            ("ticketing_links.state = BROKEN OR contact.phones : 354", true, true),
        ] {
            for (positions, expected) in [(Positions::Approximate, approximate), (Positions::Hidden, hidden)] {
                let outcome = MapFilter::parse(filter, positions);
                assert_eq!(outcome.is_ok(), expected, "{filter} {positions:?}");
                assert!(expected || matches!(outcome, Err(Error::PositionsWithheld)), "{filter} {positions:?}");
            }
        }
        let is_rough = |sight: Positions| MapFilter::parse("pump", sight).unwrap().selected.is_rough;
        assert!(is_rough(Positions::Approximate) && is_rough(Positions::Hidden) && !is_rough(Positions::Exact));
        assert!(!MapFilter::parse("pump", Positions::Approximate).unwrap().exactly().selected.is_rough);
    }

    #[test]
    fn equal_conditions_have_equal_keys() {
        let key =
            |filter: &str| MapFilter::parse(filter, Contacts::Read).unwrap().selected.texts.unwrap().key().to_string();
        assert_eq!(key("customer_id=7 status=ONLINE"), key("status = OFFLINE AND (customer_id = '7')"));
        assert_ne!(key("customer_id = 7"), key("customer_id : 7"));
        let nested =
            MapFilter::parse("(status = OFFLINE AND customer_id = 7) AND pump", Contacts::Read).unwrap().selected;
        assert!(!nested.classes.holds(Status::Online, None), "a status in parentheses is a class still");
        assert_eq!(
            nested.texts.unwrap().key(),
            MapFilter::parse("customer_id = 7 pump", Contacts::Read).unwrap().selected.texts.unwrap().key()
        );
    }

    fn card(is_pump: bool, is_linked: bool, now: jiff::Timestamp) -> Card {
        let mut packer = CardPacker::new(if is_pump { "Pump 1" } else { "Valve" }, now, now);
        if is_linked {
            packer.text(CardField::Phone, "+3545451000");
            packer.text(CardField::TicketingOrganizationName, "Harbour");
            packer.text(CardField::TicketingSite, "22");
            packer.text(CardField::TicketingSiteName, "Quay");
            packer.link_state(LinkState::Broken);
        }
        packer.pack()
    }

    fn any_condition() -> impl Strategy<Value = String> {
        let leaf = prop::sample::select(vec![
            "status = ONLINE",
            "status != OFFLINE",
            "location.source = GEOIP",
            "location.source != PIN",
            "location.confirmed = true",
            "location.confirmed = false",
            "location.placed = true",
            "display_name : pump",
            "attention : *",
            "attention = CROWDED",
            "attention != UNPLACED",
            "contact.phones : \"545 10\"",
            "contact.phones != \"+354 545-1000\"",
            "5451000",
            "ticketing_links.organization_name : harbour",
            "ticketing_links.external_site_id = 22",
            "ticketing_links.external_site_name != quay",
            "ticketing_links.state = BROKEN",
            "ticketing_links.state != DRIFTED",
        ]);
        leaf.prop_map(str::to_owned).prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 1..3).prop_map(|all| format!("({})", all.join(" AND "))),
                prop::collection::vec(inner.clone(), 1..3).prop_map(|any| format!("({})", any.join(" OR "))),
                inner.prop_map(|inner| format!("NOT {inner}")),
            ]
        })
    }

    proptest! {
        #[test]
        fn classes_and_texts_together_are_the_filter(
            conditions in prop::collection::vec(any_condition(), 1..4),
            is_pump: bool,
            is_crowded: bool,
            is_linked: bool,
        ) {
            let attention = Attention::NONE.with(AttentionReason::Crowded, is_crowded);
            let text = conditions.join(" AND ");
            let MapFilter { selected } = MapFilter::parse(&text, Contacts::Read).unwrap();
            let root = parse(&text, Scope::Map).unwrap().unwrap();
            let now = jiff::Timestamp::UNIX_EPOCH;
            let card = card(is_pump, is_linked, now);
            for status in Status::ALL {
                for source in Source::ALL.into_iter().map(Some).chain([None]) {
                    let subject = Subject { status, source, attention, card: card.as_ref() };
                    let expected = root.matches(&Candidate::of_subject(&subject));
                    let by_class = selected.classes.holds(status, source);
                    let by_text = selected.texts.as_ref().is_none_or(|wants| wants.holds(&subject));
                    prop_assert_eq!(by_class && by_text, expected, "{} of {:?} {:?}", text, status, source);
                }
            }
        }
    }
}
