//! One test asked of one site.

use super::field::{Pattern, Test, TextField, TimeField};
use crate::model::id::AgentId;
use crate::model::site::Site;
use crate::model::text::fold;

/// Whether `test` holds for `site`.
pub(super) fn holds(test: &Test, site: &Site) -> bool {
    match test {
        Test::Text { field, pattern, is_negated } => {
            texts(field, site).into_iter().any(|text| fits(pattern, text)) != *is_negated
        }
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

/// Whether a text is as the pattern says.
fn fits(pattern: &Pattern, text: &str) -> bool {
    let text = fold(text);
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
        TextField::Anywhere => anywhere(site),
    }
}

fn anywhere(site: &Site) -> Vec<&str> {
    let single = [
        TextField::DisplayName,
        TextField::AgentId,
        TextField::CustomerId,
        TextField::ContractId,
        TextField::Note,
        TextField::Email,
        TextField::FirstName,
        TextField::LastName,
        TextField::Address,
    ];
    let labels = site.labels.values().map(String::as_str);
    let links = site.ticketing_links.iter().map(|link| link.organization_name.as_str());
    single.iter().flat_map(|field| texts(field, site)).chain(labels).chain(links).collect()
}
