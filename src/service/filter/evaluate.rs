//! One test asked of one site.

use std::borrow::Cow;
use std::cell::OnceCell;

use super::field::{Pattern, Test, TextField, TimeField};
use crate::model::access::{Contacts, Positions};
use crate::model::attention::Attention;
use crate::model::card::{CardField, CardRef};
use crate::model::gist::Gist;
use crate::model::location::Source;
use crate::model::site::{Site, Status};
use crate::model::text::{fold, folded};
use crate::spatial::entry::Subject;

/// A site that tests are asked of: its card, and what is not on it.
pub(super) struct Candidate<'s> {
    status: Status,
    source: Option<Source>,
    attention: Attention,
    card: CardRef<'s>,
    /// The note; none where memory alone is asked, which holds no notes.
    note: Option<&'s str>,
    /// Name and note folded, once a test has asked for them.
    folded_name: OnceCell<Cow<'s, str>>,
    folded_note: OnceCell<String>,
}

impl<'s> Candidate<'s> {
    /// A record, of which `attention` tells what needs attention: more than it can tell itself.
    pub(super) fn of_record(site: &'s Site, gist: &'s Gist, attention: Attention) -> Self {
        let card = gist.card.as_ref();
        Self { status: site.status, source: gist.source, note: Some(&site.note), ..Self::of_card(card, attention) }
    }

    pub(super) fn of_subject(subject: &Subject<'s>) -> Self {
        let Subject { status, source, attention, card } = *subject;
        Self { status, source, ..Self::of_card(card, attention) }
    }

    fn of_card(card: CardRef<'s>, attention: Attention) -> Self {
        Self {
            status: Status::Unknown,
            source: None,
            attention,
            card,
            note: None,
            folded_name: OnceCell::new(),
            folded_note: OnceCell::new(),
        }
    }

    /// Whether a text of the field is as the pattern says.
    fn has(&self, field: &TextField, pattern: &Pattern) -> bool {
        let fits = |text: &str| pattern.fits(text);
        match field {
            TextField::DisplayName => fits(self.name()),
            TextField::Note => self.note.is_some_and(|note| fits(self.folded_note.get_or_init(|| fold(note)))),
            TextField::OnCard(field) if pattern.is_of_nothing() => !self.card.any(*field, is_some_text),
            TextField::OnCard(field) => self.card.any(*field, fits),
            TextField::Label(key) if pattern.is_of_nothing() => !self.card.label(key, is_some_text),
            TextField::Label(key) => self.card.label(key, fits),
            TextField::Anywhere => fits(self.name()) || self.card.contains(&pattern.text),
            TextField::AnywhereSeen(contacts, positions) => {
                let is_seen = |field| is_seen(*contacts, *positions, field);
                fits(self.name()) || self.card.contains_in(&pattern.text, is_seen)
            }
        }
    }

    fn name(&self) -> &str {
        self.folded_name.get_or_init(|| folded(self.card.display_name()))
    }
}

/// Whether a field is shown to who sees so much.
fn is_seen(contacts: Contacts, positions: Positions, field: CardField) -> bool {
    !(contacts.are_masked() && field.is_contact()) && (positions.are_exact() || field != CardField::Address)
}

/// A label may have an empty value, and folding may leave nothing of a text: both are no text.
fn is_some_text(text: &str) -> bool {
    !text.is_empty()
}

/// Whether `test` holds for the site.
pub(super) fn holds(test: &Test, site: &Candidate<'_>) -> bool {
    match test {
        Test::Text { field, pattern, is_negated } => site.has(field, pattern) != *is_negated,
        Test::Status { status, is_negated } => (site.status == *status) != *is_negated,
        Test::Source { source, is_negated } => (site.source == Some(*source)) != *is_negated,
        Test::Confirmed(wanted) => site.source.is_some_and(Source::is_person) == *wanted,
        Test::Placed(wanted) => site.source.is_some() == *wanted,
        Test::Link { state, is_negated } => site.card.has_link(*state) != *is_negated,
        Test::Attention { wanted, is_negated } => site.attention.meets(*wanted) != *is_negated,
        Test::Time { field, comparison, time } => {
            let present = match field {
                TimeField::Created => site.card.created_at(),
                TimeField::Updated => site.card.updated_at(),
            };
            match *comparison {
                "=" => present == *time,
                "!=" => present != *time,
                "<" => present < *time,
                "<=" => present <= *time,
                ">" => present > *time,
                _ => present >= *time,
            }
        }
    }
}
