//! One test asked of one site.

use std::cell::OnceCell;

use super::field::{Pattern, Test, TextField, TimeField};
use crate::model::id::AgentId;
use crate::model::site::Site;
use crate::model::text::fold;

/// A site whose texts are folded when a test first asks for them, and then no more.
pub(super) struct FoldedSite<'s> {
    site: &'s Site,
    folded: [OnceCell<Vec<String>>; TextField::FIXED.len()],
}

impl<'s> FoldedSite<'s> {
    pub(super) fn new(site: &'s Site) -> Self {
        Self { site, folded: Default::default() }
    }

    /// Whether a text of the field is as the pattern says.
    fn has(&self, field: &TextField, pattern: &Pattern) -> bool {
        let fold_all = || texts(field, self.site).into_iter().map(fold).collect();
        match (field, TextField::FIXED.iter().position(|fixed| fixed == field)) {
            (TextField::Anywhere, _) => {
                let labels = self.site.labels.values().map(|value| fold(value));
                TextField::FIXED.iter().any(|field| self.has(field, pattern))
                    || labels.into_iter().any(|text| fits(pattern, &text))
            }
            (_, Some(index)) => self.folded[index].get_or_init(fold_all).iter().any(|text| fits(pattern, text)),
            (_, None) => fold_all().iter().any(|text: &String| fits(pattern, text)),
        }
    }
}

/// Whether `test` holds for the site.
pub(super) fn holds(test: &Test, folded: &FoldedSite<'_>) -> bool {
    let site = folded.site;
    match test {
        Test::Text { field, pattern, is_negated } => folded.has(field, pattern) != *is_negated,
        Test::Status { status, is_negated } => (site.status == *status) != *is_negated,
        Test::Source { source, is_negated } => {
            (site.fixes.effective().map(|fix| fix.source) == Some(*source)) != *is_negated
        }
        Test::Confirmed(wanted) => site.fixes.effective().is_some_and(|fix| fix.source.is_person()) == *wanted,
        Test::Placed(wanted) => site.fixes.effective().is_some() == *wanted,
        Test::Time { field, comparison, time } => {
            let present = match field {
                TimeField::Created => site.created_at,
                TimeField::Updated => site.updated_at,
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

/// Whether a folded text is as the pattern says.
fn fits(pattern: &Pattern, text: &str) -> bool {
    match (pattern.is_open_left, pattern.is_open_right) {
        (false, false) => text == pattern.text,
        (true, false) => text.ends_with(&pattern.text),
        (false, true) => text.starts_with(&pattern.text),
        (true, true) => text.contains(&pattern.text),
    }
}

/// The texts that a field holds.
fn texts<'s>(field: &TextField, site: &'s Site) -> Vec<&'s str> {
    let contact = &site.contact;
    match field {
        TextField::DisplayName => vec![&site.display_name],
        TextField::AgentId => site.agent.iter().map(AgentId::as_str).collect(),
        TextField::CustomerId => vec![&site.customer_id],
        TextField::ContractId => vec![&site.contract_id],
        TextField::Note => vec![&site.note],
        TextField::Email => vec![&contact.email],
        TextField::FirstName => vec![&contact.first_name],
        TextField::LastName => vec![&contact.last_name],
        TextField::Address => {
            site.address.iter().flat_map(|address| [address.typed.as_str(), address.formatted.as_str()]).collect()
        }
        TextField::Label(key) => site.labels.get(key).map(String::as_str).into_iter().collect(),
        TextField::TicketingSystem => site.ticketing_links.iter().map(|link| link.system.as_str()).collect(),
        TextField::TicketingOrganization => {
            site.ticketing_links.iter().map(|link| link.organization_id.as_str()).collect()
        }
        TextField::TicketingName => site.ticketing_links.iter().map(|link| link.organization_name.as_str()).collect(),
        // Made of the others.
        TextField::Anywhere => Vec::new(),
    }
}
