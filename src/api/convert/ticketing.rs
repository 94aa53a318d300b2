//! Ticketing systems, connections, what they tell, and runs that check links.

use std::fmt;

use super::timestamp;
use crate::api::names;
use crate::api::proto::waymark::v1 as pb;
use crate::model::Invalid;
use crate::model::connection::{TicketingConnection, Verification, VerificationState};
use crate::model::id::AccountId;
use crate::model::text::shown;
use crate::model::ticketing::{CredentialField, System};
use crate::service::Versioned;
use crate::service::ticketing::connections::{ConnectionPatch, etag_of};
use crate::service::ticketing::external::FoundOrganization;
use crate::service::ticketing::suggest::{Candidate, Suggestion, Why};
use crate::service::ticketing::{Address, ExternalSite};

/// The fields that a caller may set, as update masks name them.
const SETTABLE: [&str; 3] = ["display_name", "base_url", "credentials"];

impl fmt::Debug for pb::TicketingConnection {
    /// Names the connection; what lets it in is not printed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TicketingConnection").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What is known of a system beforehand.
pub(in crate::api) fn system(system: System) -> pb::TicketingSystem {
    let facts = system.facts();
    let field = |field: &CredentialField| pb::TicketingCredentialField {
        name: field.name.to_owned(),
        description: field.about.to_owned(),
    };
    pb::TicketingSystem {
        system: facts.name.to_owned(),
        display_name: facts.display_name.to_owned(),
        organization_term: facts.organization_term.to_owned(),
        site_term: facts.site_term.unwrap_or_default().to_owned(),
        organization_id_format: facts.organization_id.about(),
        site_id_format: facts.site_term.map(|_| facts.site_id.about()).unwrap_or_default(),
        base_url_example: facts.base_url_example.to_owned(),
        credential_fields: facts.credentials.iter().map(field).collect(),
    }
}

/// A connection, without what lets it in.
pub(in crate::api) fn connection(
    account: &AccountId,
    versioned: Versioned<TicketingConnection>,
) -> pb::TicketingConnection {
    let Versioned { value: connection, revision } = versioned;
    let etag = etag_of(&connection);
    pb::TicketingConnection {
        name: names::of_connection(account, connection.system),
        system: connection.system.facts().name.to_owned(),
        display_name: connection.display_name,
        base_url: connection.base_url,
        credentials: std::collections::HashMap::new(),
        create_time: Some(timestamp(connection.created_at)),
        update_time: Some(timestamp(connection.updated_at)),
        revision: revision.0,
        etag,
    }
}

/// Everything that a connection to be made sets.
pub(in crate::api) fn parse_connection(message: pb::TicketingConnection) -> ConnectionPatch {
    ConnectionPatch {
        display_name: Some(message.display_name),
        base_url: Some(message.base_url),
        credentials: Some(message.credentials.into_iter().collect()),
    }
}

/// The patch that `mask` makes of a connection.
pub(in crate::api) fn parse_patch(
    message: pb::TicketingConnection,
    mask: &[String],
) -> Result<ConnectionPatch, Invalid> {
    if mask.is_empty() {
        return Err(Invalid::new("update_mask", format!("name the fields to change: {}", SETTABLE.join(", "))));
    }
    if let Some(unknown) = mask.iter().find(|path| !SETTABLE.contains(&path.as_str())) {
        let why = format!("{} cannot be changed: a path is one of {}", shown(unknown), SETTABLE.join(", "));
        return Err(Invalid::new("update_mask", why));
    }
    let names = |path: &str| mask.iter().any(|named| named == path);
    let all = parse_connection(message);
    Ok(ConnectionPatch {
        display_name: all.display_name.filter(|_| names("display_name")),
        base_url: all.base_url.filter(|_| names("base_url")),
        credentials: all.credentials.filter(|_| names("credentials")),
    })
}

fn address(address: Address) -> Option<pb::ExternalAddress> {
    let is_told = address != Address::default();
    let Address { street, city, region, postal_code, country } = address;
    is_told.then_some(pb::ExternalAddress { street, city, region, postal_code, country })
}

/// An organisation of a system.
pub(in crate::api) fn organization(found: FoundOrganization) -> pb::ExternalOrganization {
    let FoundOrganization { organization, uri } = found;
    pb::ExternalOrganization {
        id: organization.id,
        display_name: organization.name,
        address: address(organization.address),
        uri,
    }
}

/// A site of a system.
pub(in crate::api) fn external_site(site: ExternalSite) -> pb::ExternalSite {
    pb::ExternalSite { id: site.id, display_name: site.name, address: address(site.address) }
}

/// Why links to a system were not checked.
pub(in crate::api) fn failure(system: &str, reason: &str, message: String) -> pb::TicketingFailure {
    let reason = pb::ErrorReason::from_str_name(&format!("ERROR_REASON_{reason}"));
    let reason = reason.unwrap_or(pb::ErrorReason::Unspecified).into();
    pb::TicketingFailure { system: system.to_owned(), reason, message }
}

/// A run that checks links.
pub(in crate::api) fn verification(run: Verification) -> pb::TicketingVerification {
    let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let found = run.findings;
    let failures = found.failures.into_iter().map(|(system, (reason, message))| failure(&system, &reason, message));
    pb::TicketingVerification {
        name: names::of_verification(&run.account, &run.id),
        state: match run.state {
            VerificationState::Running => pb::ticketing_verification::State::Running,
            VerificationState::Done => pb::ticketing_verification::State::Done,
            VerificationState::Cancelled => pb::ticketing_verification::State::Cancelled,
        }
        .into(),
        total_count: count(run.total),
        seen_count: count(found.seen),
        verified_count: count(found.verified),
        drifted_count: count(found.drifted),
        broken_count: count(found.broken),
        failed_count: count(found.failed),
        unknown_count: count(found.unknown),
        failures: failures.collect(),
        resume_time: run.resumes_at.map(timestamp),
        start_time: Some(timestamp(run.started_at)),
        end_time: run.ended_at.map(timestamp),
        starter: run.started_by,
    }
}

/// The suggestions for a site.
pub(in crate::api) fn suggestion(account: &AccountId, suggestion: Suggestion) -> pb::TicketingSuggestion {
    let candidate = |found: Candidate| pb::TicketingCandidate {
        organization: Some(organization(found.found)),
        score: found.score,
        reasons: found.whys.into_iter().map(|why| reason(why).into()).collect(),
    };
    pb::TicketingSuggestion {
        site: names::of_site(account, suggestion.site),
        display_name: suggestion.display_name,
        candidates: suggestion.candidates.into_iter().map(candidate).collect(),
        clear: suggestion.is_clear,
    }
}

fn reason(why: Why) -> pb::TicketingSuggestionReason {
    match why {
        Why::CustomerId => pb::TicketingSuggestionReason::CustomerId,
        Why::SameName => pb::TicketingSuggestionReason::SameName,
        Why::NameWithin => pb::TicketingSuggestionReason::NameWithin,
        Why::AlikeName => pb::TicketingSuggestionReason::AlikeName,
        Why::SamePostalCode => pb::TicketingSuggestionReason::SamePostalCode,
        Why::SameCity => pb::TicketingSuggestionReason::SameCity,
        Why::SameStreet => pb::TicketingSuggestionReason::SameStreet,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_in_no_debug_output() {
        let credentials = [("api_token".to_owned(), "Canary".to_owned())].into();
        let connection = pb::TicketingConnection { credentials, ..pb::TicketingConnection::default() };
        let request =
            pb::CreateTicketingConnectionRequest { connection: Some(connection.clone()), ..Default::default() };
        let told = format!("{connection:?} {request:?} {:?}", parse_connection(connection.clone()));
        assert!(!told.contains("Canary"), "{told}");
    }
}
