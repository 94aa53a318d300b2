//! The fields that a filter may name, and which comparisons each of them takes.

use std::borrow::Cow;

use jiff::Timestamp;

use crate::model::access::{Contacts, Positions, Sight};
use crate::model::attention::{Attention, AttentionReason};
use crate::model::card::CardField;
use crate::model::location::Source;
use crate::model::site::Status;
use crate::model::text::{fold, shown};
use crate::model::ticketing::LinkState;

/// A field that holds text; some hold several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TextField {
    DisplayName,
    Note,
    /// A field of the card.
    OnCard(CardField),
    /// The label of this key.
    Label(String),
    /// The name, and every text of the card.
    Anywhere,
    /// The same, without what is not shown to who asks.
    AnywhereSeen(Contacts, Positions),
}

/// A field that holds a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeField {
    Created,
    Updated,
}

/// The fields that hold text, but for labels.
const TEXTS: [(&str, TextField); 15] = [
    ("display_name", TextField::DisplayName),
    ("agent_id", TextField::OnCard(CardField::AgentId)),
    ("customer_id", TextField::OnCard(CardField::CustomerId)),
    ("contract_id", TextField::OnCard(CardField::ContractId)),
    ("note", TextField::Note),
    ("contact.email", TextField::OnCard(CardField::Email)),
    ("contact.first_name", TextField::OnCard(CardField::FirstName)),
    ("contact.last_name", TextField::OnCard(CardField::LastName)),
    ("contact.phones", TextField::OnCard(CardField::Phone)),
    ("location.address", TextField::OnCard(CardField::Address)),
    ("ticketing_links.system", TextField::OnCard(CardField::TicketingSystem)),
    ("ticketing_links.organization_id", TextField::OnCard(CardField::TicketingOrganization)),
    ("ticketing_links.organization_name", TextField::OnCard(CardField::TicketingOrganizationName)),
    ("ticketing_links.external_site_id", TextField::OnCard(CardField::TicketingSite)),
    ("ticketing_links.external_site_name", TextField::OnCard(CardField::TicketingSiteName)),
];
/// What the key of a label stands behind.
const LABEL: &str = "labels.";
/// The fields that hold a time.
const TIMES: [(&str, TimeField); 2] = [("create_time", TimeField::Created), ("update_time", TimeField::Updated)];
/// The fields that hold one of a few values.
const CHOICES: [&str; 6] =
    ["status", "location.source", "location.confirmed", "location.placed", "attention", "ticketing_links.state"];

/// Every field that a filter may name; of labels what stands before the key.
#[cfg(test)]
pub(in crate::service) fn names() -> impl Iterator<Item = &'static str> {
    let texts = TEXTS.into_iter().map(|(name, _)| name).chain([LABEL]);
    texts.chain(TIMES.map(|(name, _)| name)).chain(CHOICES)
}

/// How a text is compared: folded, with `*` at either end for anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    pub(super) text: String,
    pub(super) is_open_left: bool,
    pub(super) is_open_right: bool,
}

impl Pattern {
    /// Whether a folded text is as the pattern says.
    pub(super) fn fits(&self, text: &str) -> bool {
        match (self.is_open_left, self.is_open_right) {
            (false, false) => text == self.text,
            (true, false) => text.ends_with(&self.text),
            (false, true) => text.starts_with(&self.text),
            (true, true) => text.contains(&self.text),
        }
    }

    /// Whether it is that of no text at all: a field without one has it, though nothing is kept of an empty text.
    pub(super) fn is_of_nothing(&self) -> bool {
        self.text.is_empty() && !self.is_open_left && !self.is_open_right
    }

    fn exact(value: &str) -> Self {
        let inner = value.strip_prefix('*').unwrap_or(value);
        let is_open_left = inner.len() < value.len();
        let inner_right = inner.strip_suffix('*').unwrap_or(inner);
        let is_open_right = inner_right.len() < inner.len();
        let mut text = fold(inner_right);
        // Folding takes blanks away at both ends. Beside a star one is meant: `head *` is not `header`.
        if is_open_right && !text.is_empty() && inner_right.ends_with(char::is_whitespace) {
            text.push(' ');
        }
        if is_open_left && !text.is_empty() && inner_right.starts_with(char::is_whitespace) {
            text.insert(0, ' ');
        }
        Self { text, is_open_left, is_open_right }
    }

    fn inside(value: &str) -> Self {
        Self { text: fold(value.trim_matches('*')), is_open_left: true, is_open_right: true }
    }
}

/// What of `field sign value` makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Field,
    Sign,
    Value,
}

/// One test of a site.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test {
    Text {
        field: TextField,
        pattern: Pattern,
        is_negated: bool,
    },
    Status {
        status: Status,
        is_negated: bool,
    },
    Source {
        source: Source,
        is_negated: bool,
    },
    Confirmed(bool),
    Placed(bool),
    Attention {
        wanted: Attention,
        is_negated: bool,
    },
    /// Whether some ticketing link is in this state.
    Link {
        state: LinkState,
        is_negated: bool,
    },
    Time {
        field: TimeField,
        comparison: &'static str,
        time: Timestamp,
    },
}

impl Test {
    /// The whole name that the test asks for, folded.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Text { field: TextField::DisplayName, pattern, is_negated: false } => {
                let is_whole = !pattern.is_open_left && !pattern.is_open_right && !pattern.text.is_empty();
                is_whole.then_some(pattern.text.as_str())
            }
            _ => None,
        }
    }

    /// Whether the test asks for the note, which memory does not hold.
    pub(super) fn asks_for_note(&self) -> bool {
        matches!(self, Self::Text { field: TextField::Note, .. })
    }

    /// Whether the test names a field of contacts, or the note: what tokens that mask contacts do not ask for.
    pub(super) fn names_private(&self) -> bool {
        match self {
            Self::Text { field: TextField::OnCard(field), .. } => field.is_contact(),
            other => other.asks_for_note(),
        }
    }

    /// Whether the test tells more of where sites are than is shown so: the address, and what needs attention, which rests on exact
    /// positions; and where nothing is shown, whether and by whom they are located.
    pub(super) fn names_place(&self, positions: Positions) -> bool {
        match self {
            Self::Text { field: TextField::OnCard(CardField::Address), .. } | Self::Attention { .. } => {
                !positions.are_exact()
            }
            Self::Source { .. } | Self::Confirmed(_) | Self::Placed(_) => positions == Positions::Hidden,
            Self::Text { .. } | Self::Status { .. } | Self::Link { .. } | Self::Time { .. } => false,
        }
    }

    /// Keeps a text that may stand anywhere from what is not shown.
    pub(super) fn look_within(&mut self, sight: &Sight) {
        if let Self::Text { field: field @ TextField::Anywhere, .. } = self {
            *field = TextField::AnywhereSeen(sight.contacts, sight.positions);
        }
    }

    /// Whether the test asks for what needs attention, of which the map knows more than records.
    pub(super) fn asks_for_attention(&self) -> bool {
        matches!(self, Self::Attention { .. })
    }

    /// Whether the test asks for a reason that other sites are, those on the same spot.
    pub(super) fn asks_for_company(&self) -> bool {
        matches!(self, Self::Attention { wanted, .. } if wanted.has(AttentionReason::Crowded))
    }

    /// A label of this value, which has no star at either end.
    pub(super) fn label(key: &str, value: &str) -> Self {
        Self::Text { field: TextField::Label(key.to_owned()), pattern: Pattern::exact(value), is_negated: false }
    }

    /// A text that may stand in any text field.
    pub(super) fn anywhere(text: &str) -> Self {
        Self::Text { field: TextField::Anywhere, pattern: Pattern::inside(text), is_negated: false }
    }

    /// `field sign value`, or what of it makes no sense and why.
    pub(super) fn new(field: &str, sign: &'static str, value: &str) -> Result<Self, (Fault, String)> {
        if let Some(field) = text_field(field) {
            if !["=", "!=", ":"].contains(&sign) {
                return Err((Fault::Sign, format!("texts compare by =, != and :, not by {sign}")));
            }
            let (is_part, is_negated) = (sign == ":", sign == "!=");
            let value = match field {
                TextField::OnCard(CardField::Phone) => {
                    Cow::Owned(phone_number(value, is_part).map_err(|why| (Fault::Value, why))?)
                }
                _ => Cow::Borrowed(value),
            };
            let pattern = if is_part { Pattern::inside(&value) } else { Pattern::exact(&value) };
            return Ok(Self::Text { field, pattern, is_negated });
        }
        if let Some(field) = time_field(field) {
            let why = || format!("a time is like 2026-11-23T12:00:00Z, got {}", shown(value));
            let time = value.parse().map_err(|_| (Fault::Value, why()))?;
            return match sign {
                ":" => Err((Fault::Sign, "times compare by =, !=, <, <=, > and >=, not by :".into())),
                comparison => Ok(Self::Time { field, comparison, time }),
            };
        }
        if !CHOICES.contains(&field) {
            return Err((Fault::Field, format!("{} is no field that a filter can name", shown(field))));
        }
        let is_negated = match sign {
            "=" | ":" => false,
            "!=" => true,
            _ => return Err((Fault::Sign, format!("{field} compares by = and !=, not by {sign}"))),
        };
        let truth = || match value.to_lowercase().as_str() {
            "true" => Ok(!is_negated),
            "false" => Ok(is_negated),
            _ => Err(format!("{field} is true or false, got {}", shown(value))),
        };
        let test = match field {
            "status" => status(value).map(|status| Self::Status { status, is_negated }),
            "location.source" => source(value).map(|source| Self::Source { source, is_negated }),
            "location.confirmed" => truth().map(Self::Confirmed),
            "ticketing_links.state" => link_state(value).map(|state| Self::Link { state, is_negated }),
            "attention" => attention(value).map(|wanted| Self::Attention { wanted, is_negated }),
            _ => truth().map(Self::Placed),
        };
        test.map_err(|why| (Fault::Value, why))
    }
}

fn text_field(name: &str) -> Option<TextField> {
    let found = TEXTS.into_iter().find_map(|(known, field)| (known == name).then_some(field));
    let label = || name.strip_prefix(LABEL).filter(|key| !key.is_empty()).map(|key| TextField::Label(key.to_owned()));
    found.or_else(label)
}

/// Most digits of a phone number (E.164).
const PHONE_DIGITS_MAX: usize = 15;

/// A phone number, or a part of one, as numbers are kept: without what people put between digits, and where the whole
/// number is meant, with the `+` in front. Stars at its ends stay. What no number can be is refused, instead of a filter that finds
/// nothing. The fault does not tell a person's number back.
fn phone_number(value: &str, is_part: bool) -> Result<String, String> {
    let kept: String = fold(value).chars().filter(|c| !is_between_digits(*c)).collect();
    // Of a whole number a star at each end is for anything, and no other one.
    let (is_open_left, inner) = match kept.strip_prefix('*') {
        _ if is_part => (true, kept.trim_matches('*')),
        Some(rest) => (true, rest.strip_suffix('*').unwrap_or(rest)),
        None => (false, kept.strip_suffix('*').unwrap_or(&kept)),
    };
    let digits = inner.strip_prefix('+').unwrap_or(inner);
    // Punctuation alone is no number, and would be the pattern of none.
    let is_empty = value.trim_matches(|c: char| c == '*' || c.is_whitespace()).is_empty();
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) || (inner.is_empty() && !is_empty) {
        return Err("a phone number is written in digits, such as +354 545 1000, or a part of them".to_owned());
    }
    if !is_open_left && (digits.starts_with('0') || digits.len() > PHONE_DIGITS_MAX) {
        let why = "begin with + and the country's calling code, such as +354 545 1000; a number has at most";
        return Err(format!("{why} {PHONE_DIGITS_MAX} digits"));
    }
    let is_without_plus = kept.starts_with(|c: char| c.is_ascii_digit());
    Ok(if is_without_plus && !is_part { format!("+{kept}") } else { kept })
}

/// Blanks, and what else people put between the digits of a phone number.
fn is_between_digits(c: char) -> bool {
    c.is_whitespace() || matches!(c, '-' | '.' | '/' | '(' | ')' | '\u{2010}'..='\u{2015}')
}

fn time_field(name: &str) -> Option<TimeField> {
    TIMES.into_iter().find_map(|(known, field)| (known == name).then_some(field))
}

fn status(value: &str) -> Result<Status, String> {
    Ok(match value.to_uppercase().trim_start_matches("SITE_STATUS_") {
        "UNKNOWN" => Status::Unknown,
        "ONLINE" => Status::Online,
        "OFFLINE" => Status::Offline,
        "MAINTENANCE" => Status::Maintenance,
        _ => return Err(format!("a status is UNKNOWN, ONLINE, OFFLINE or MAINTENANCE, got {}", shown(value))),
    })
}

fn source(value: &str) -> Result<Source, String> {
    Ok(match value.to_uppercase().trim_start_matches("FIX_SOURCE_") {
        "GEOIP" => Source::GeoIp,
        "DEVICE" => Source::Device,
        "ADDRESS" => Source::Address,
        "PIN" => Source::Pin,
        _ => return Err(format!("a source is GEOIP, DEVICE, ADDRESS or PIN, got {}", shown(value))),
    })
}

fn link_state(value: &str) -> Result<LinkState, String> {
    Ok(match value.to_uppercase().trim_start_matches("TICKETING_LINK_STATE_") {
        "UNVERIFIED" => LinkState::Unverified,
        "VERIFIED" => LinkState::Verified,
        "DRIFTED" => LinkState::Drifted,
        "BROKEN" => LinkState::Broken,
        _ => {
            let got = shown(value);
            return Err(format!("the state of a link is UNVERIFIED, VERIFIED, DRIFTED or BROKEN, got {got}"));
        }
    })
}

/// One reason, or all of them for a star.
fn attention(value: &str) -> Result<Attention, String> {
    let reasons = AttentionReason::ALL;
    if value == "*" {
        return Ok(reasons.into_iter().collect());
    }
    let name = value.to_uppercase();
    let found = AttentionReason::parse(name.trim_start_matches("ATTENTION_REASON_"));
    found.map(|reason| [reason].into_iter().collect()).ok_or_else(|| {
        let names = reasons.map(AttentionReason::as_str).join(", ");
        format!("attention is one of {names}, or * for any, got {}", shown(value))
    })
}
