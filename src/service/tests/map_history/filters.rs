//! Random filters over every field and comparison, and a matcher for them that is written plainly.
//!
//! The fields are those that filters know: one that is not known here fails. What sites and times there are is known when a
//! filter is asked, so it is drawn as a shape first.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::sample::Index;

use super::model::{Fleet, Known};
use crate::model::attention::AttentionReason;
use crate::service::filter::{Filter, field_names};

/// All comparisons of the language; which of them a field takes is asked of the parser.
const SIGNS: [&str; 7] = ["=", "!=", ":", "<", "<=", ">", ">="];
/// What is looked for in texts, as sites have it or a part of that.
const WORDS: [&str; 23] = [
    "acme",
    "acme two",
    "two",
    "globex",
    "k-7",
    "k-17",
    "7",
    "anna@example.net",
    "example",
    "anna",
    "björn",
    "north",
    "south east",
    "gold",
    "desk one",
    "harbour",
    "engine room",
    "pump 3",
    "pump",
    "fw-1",
    "lane",
    "pier",
    "s-17",
];
/// What is looked for in phone numbers.
const NUMBERS: [&str; 5] = ["+3545451000", "+4722070017", "4722070017", "+354", "1000"];
/// Keys of labels; no site has the last one.
const LABELS: [&str; 3] = ["region", "tier", "none"];
/// Ways to write a text: each of [`Draw::written`].
const FORMS: u8 = 8;
/// The fields that a map answers by its sums, without a look at sites.
const SUMMED: [&str; 4] = ["status", "location.source", "location.confirmed", "location.placed"];

/// A filter, before it is known which sites there are.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    Test(Draw),
    Word(Index),
    All(Vec<Shape>),
    Any(Vec<Shape>),
    /// Whether it is written with a minus.
    Not(Box<Shape>, bool),
}

/// A test of a field: which, by which of the comparisons that it takes, and with which value in which form.
#[derive(Debug, Clone)]
pub(super) struct Draw {
    field: &'static str,
    sign: Pick,
    value: Pick,
    form: u8,
}

/// One of so many, drawn before it is known how many there are, or told.
#[derive(Debug, Clone, Copy)]
enum Pick {
    Drawn(Index),
    Told(usize),
}

impl Pick {
    fn of(self, count: usize) -> usize {
        match self {
            Self::Drawn(index) => index.index(count),
            Self::Told(number) => number % count,
        }
    }
}

pub(super) fn any_shape() -> impl Strategy<Value = Shape> {
    let fields: Vec<&'static str> = field_names().collect();
    let draw = (prop::sample::select(fields), any::<Index>(), any::<Index>(), 0..FORMS);
    let test = draw.prop_map(|(field, sign, value, form)| {
        Shape::Test(Draw { field, sign: Pick::Drawn(sign), value: Pick::Drawn(value), form })
    });
    let leaf = prop_oneof![8 => test, 1 => any::<Index>().prop_map(Shape::Word)];
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(Shape::All),
            prop::collection::vec(inner.clone(), 1..3).prop_map(Shape::Any),
            (inner, any::<bool>()).prop_map(|(inner, is_minus)| Shape::Not(Box::new(inner), is_minus)),
        ]
    })
}

/// Every field with every comparison that it takes, each with all values, in one of the forms.
pub(super) fn all_tests(fleet: &Fleet<'_>) -> Vec<Shape> {
    let mut tests = Vec::new();
    for field in field_names() {
        for value in 0..WORDS.len() {
            let form = u8::try_from(value).unwrap() % FORMS;
            let draw = |sign| Draw { field, sign: Pick::Told(sign), value: Pick::Told(value), form };
            let count = draw(0).taken(fleet).len();
            tests.extend((0..count).map(|sign| Shape::Test(draw(sign))));
        }
    }
    tests
}

/// The comparisons of a field, as `ListSitesRequest.filter` promises them.
fn comparisons_of(field: &str) -> &'static [&'static str] {
    match field {
        "create_time" | "update_time" => &["=", "!=", "<", "<=", ">", ">="],
        _ => &["=", "!=", ":"],
    }
}

/// A test as it is asked.
struct Test {
    field: String,
    sign: &'static str,
    value: String,
}

impl Draw {
    fn field(&self) -> String {
        let key = if self.field == "labels." { LABELS[self.value.of(LABELS.len())] } else { "" };
        format!("{}{key}", self.field)
    }

    fn value(&self, fleet: &Fleet<'_>) -> String {
        let one_of = |values: &[&str]| values[self.value.of(values.len())].to_owned();
        let word = match self.field {
            "status" => one_of(&["UNKNOWN", "ONLINE", "OFFLINE", "MAINTENANCE"]),
            "location.source" => one_of(&["GEOIP", "DEVICE", "ADDRESS", "PIN"]),
            "location.confirmed" | "location.placed" => one_of(&["TRUE", "FALSE"]),
            "attention" => {
                let reasons = AttentionReason::ALL.map(AttentionReason::as_str);
                one_of(&[&reasons[..], &["*"][..]].concat())
            }
            "create_time" | "update_time" => return self.time(fleet).to_string(),
            "display_name"
            | "agent_id"
            | "customer_id"
            | "contract_id"
            | "note"
            | "contact.email"
            | "contact.first_name"
            | "contact.last_name"
            | "location.address"
            | "ticketing_links.system"
            | "ticketing_links.organization_id"
            | "ticketing_links.organization_name"
            | "ticketing_links.external_site_id"
            | "ticketing_links.external_site_name"
            | "labels." => self.written(&one_of(&WORDS)),
            "contact.phones" => self.written(&one_of(&NUMBERS)),
            "ticketing_links.state" => one_of(&["UNVERIFIED", "VERIFIED", "DRIFTED", "BROKEN"]),
            other => panic!("a filter may name {other}, and no values are drawn for it: add them, and a matcher"),
        };
        // Nothing depends on the case of letters.
        if self.form.is_multiple_of(2) { word } else { word.to_lowercase() }
    }

    /// A text as a whole, as a part of one, or none.
    fn written(&self, word: &str) -> String {
        match self.form {
            0 => word.to_uppercase(),
            1 => format!("{word}*"),
            2 => format!("*{word}"),
            3 => format!("*{word}*"),
            4 => String::new(),
            5 => "*".to_owned(),
            _ => word.to_owned(),
        }
    }

    /// The time of a site, or just beside it.
    fn time(&self, fleet: &Fleet<'_>) -> Timestamp {
        let times: Vec<Timestamp> = fleet.sites.iter().flat_map(|site| [site.created_at, site.updated_at]).collect();
        let time = if times.is_empty() { Timestamp::UNIX_EPOCH } else { times[self.value.of(times.len())] };
        time + SignedDuration::from_nanos(i64::from(self.form % 3) - 1)
    }

    /// The comparisons that the field takes, and the parser no others.
    fn taken(&self, fleet: &Fleet<'_>) -> &'static [&'static str] {
        let (field, value) = (self.field(), self.value(fleet));
        let wanted = comparisons_of(self.field);
        for sign in SIGNS {
            let is_taken = Filter::parse(&format!("{field} {sign} \"{value}\"")).is_ok();
            assert_eq!(is_taken, wanted.contains(&sign), "{field} {sign} {value:?}");
        }
        wanted
    }

    fn test(&self, fleet: &Fleet<'_>) -> Test {
        let taken = self.taken(fleet);
        Test { field: self.field(), sign: taken[self.sign.of(taken.len())], value: self.value(fleet) }
    }
}

impl Test {
    fn holds(&self, site: &Known, fleet: &Fleet<'_>) -> bool {
        let wanted = self.value.to_uppercase();
        let is_truth = |truth: bool| truth == (wanted == "TRUE");
        let name = |value: &dyn std::fmt::Debug| format!("{value:?}").to_uppercase();
        let is_so = match self.field.as_str() {
            "status" => name(&site.status) == wanted,
            "location.source" => site.summary().is_some_and(|placed| name(&placed.source) == wanted),
            "location.confirmed" => is_truth(site.is_confirmed()),
            "location.placed" => is_truth(site.summary().is_some()),
            "attention" => {
                let needs = fleet.attention(site);
                (wanted == "*" && !needs.is_empty()) || needs.contains(&wanted.as_str())
            }
            "create_time" => return self.holds_of(site.created_at),
            "update_time" => return self.holds_of(site.updated_at),
            "ticketing_links.state" => site.texts_of("ticketing_links.state").contains(&wanted),
            text => {
                let texts = site.texts_of(text);
                if self.sign != ":" && self.value.is_empty() {
                    texts.iter().all(String::is_empty)
                } else {
                    texts.iter().any(|text| self.fits(text))
                }
            }
        };
        match self.sign {
            "=" | ":" => is_so,
            "!=" => !is_so,
            other => panic!("{} takes {other}, and nothing is known of that here", self.field),
        }
    }

    fn holds_of(&self, time: Timestamp) -> bool {
        let other: Timestamp = self.value.parse().unwrap();
        match self.sign {
            "=" => time == other,
            "!=" => time != other,
            "<" => time < other,
            "<=" => time <= other,
            ">" => time > other,
            ">=" => time >= other,
            other => panic!("times take {other}, and nothing is known of that here"),
        }
    }

    fn fits(&self, text: &str) -> bool {
        let (text, mut value) = (text.to_lowercase(), self.value.to_lowercase());
        // Where a whole number is meant, its plus may be left out.
        if self.field == "contact.phones" && self.sign != ":" && value.starts_with(|c: char| c.is_ascii_digit()) {
            value.insert(0, '+');
        }
        if self.sign == ":" {
            return text.contains(value.trim_matches('*'));
        }
        match (value.strip_prefix('*'), value.strip_suffix('*')) {
            (Some(_), Some(_)) => text.contains(value.trim_matches('*')),
            (Some(end), None) => text.ends_with(end),
            (None, Some(begin)) => text.starts_with(begin),
            (None, None) => text == value,
        }
    }
}

impl Shape {
    /// The filter of all sites.
    pub(super) fn everything() -> Self {
        Self::All(Vec::new())
    }

    /// As it is written.
    pub(super) fn text(&self, fleet: &Fleet<'_>) -> String {
        let joined = |shapes: &[Self], by: &str| match shapes {
            [] => String::new(),
            shapes => format!("({})", shapes.iter().map(|shape| shape.text(fleet)).collect::<Vec<_>>().join(by)),
        };
        match self {
            Self::Test(draw) => {
                let Test { field, sign, value } = draw.test(fleet);
                format!("{field} {sign} \"{value}\"")
            }
            Self::Word(word) => format!("\"{}\"", word.get(&WORDS)),
            Self::All(shapes) => joined(shapes, " AND "),
            Self::Any(shapes) => joined(shapes, " OR "),
            Self::Not(shape, true) => format!("-({})", shape.text(fleet)),
            Self::Not(shape, false) => format!("NOT ({})", shape.text(fleet)),
        }
    }

    /// Whether it is to hold for a site.
    pub(super) fn matches(&self, site: &Known, fleet: &Fleet<'_>) -> bool {
        match self {
            Self::Test(draw) => draw.test(fleet).holds(site, fleet),
            Self::Word(word) => {
                let word = word.get(&WORDS).to_lowercase();
                site.texts().iter().any(|text| text.to_lowercase().contains(&word))
            }
            Self::All(shapes) => shapes.iter().all(|shape| shape.matches(site, fleet)),
            Self::Any(shapes) => shapes.iter().any(|shape| shape.matches(site, fleet)),
            Self::Not(shape, _) => !shape.matches(site, fleet),
        }
    }

    /// Whether it holds for a site but for the conditions whose counts a legend shows: those that stand beside all others and
    /// look at nothing but what is summed.
    pub(super) fn matches_legend(&self, site: &Known, fleet: &Fleet<'_>) -> bool {
        let mut conditions = self.conditions().into_iter();
        conditions.all(|condition| condition.is_summed() || condition.matches(site, fleet))
    }

    /// Whether any test is of the field.
    pub(super) fn names(&self, field: &str) -> bool {
        match self {
            Self::Test(draw) => draw.field == field,
            Self::Word(_) => false,
            Self::All(shapes) | Self::Any(shapes) => shapes.iter().any(|shape| shape.names(field)),
            Self::Not(shape, _) => shape.names(field),
        }
    }

    /// What must all hold.
    fn conditions(&self) -> Vec<&Self> {
        match self {
            Self::All(shapes) => shapes.iter().flat_map(Self::conditions).collect(),
            Self::Any(shapes) if shapes.len() == 1 => shapes[0].conditions(),
            other => vec![other],
        }
    }

    fn is_summed(&self) -> bool {
        match self {
            Self::Test(draw) => SUMMED.contains(&draw.field),
            Self::Word(_) => false,
            Self::All(shapes) | Self::Any(shapes) => shapes.iter().all(Self::is_summed),
            Self::Not(shape, _) => shape.is_summed(),
        }
    }
}
