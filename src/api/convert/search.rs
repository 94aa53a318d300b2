//! Hits of a search.

use super::site::site;
use crate::api::proto::waymark::v1 as pb;
use crate::model::access::Principal;
use crate::service::Waymark;
use crate::service::search::{Field, Match, SearchFound};

/// The answer to a search.
pub(in crate::api) fn search_answer(
    waymark: &Waymark,
    principal: &Principal,
    found: SearchFound,
) -> pb::SearchSitesResponse {
    let hits = found.hits.into_iter().map(|hit| pb::SearchHit {
        site: Some(site(waymark, principal, hit.site)),
        matches: hit.matches.into_iter().map(search_match).collect(),
    });
    pb::SearchSitesResponse {
        hits: hits.collect(),
        total_size: found.total,
        is_total_exact: found.is_exact,
        revision: found.revision.0,
    }
}

fn search_match(found: Match) -> pb::SearchMatch {
    let bytes = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let range = |(start, end)| pb::TextRange { start: bytes(start), end: bytes(end) };
    pb::SearchMatch {
        field: path(found.field).to_owned(),
        text: found.text,
        ranges: found.ranges.into_iter().map(range).collect(),
    }
}

/// The path of a field, as filters have it.
fn path(field: Field) -> &'static str {
    match field {
        Field::DisplayName => "display_name",
        Field::AgentId => "agent_id",
        Field::CustomerId => "customer_id",
        Field::ContractId => "contract_id",
        Field::Email => "contact.email",
        Field::FirstName => "contact.first_name",
        Field::LastName => "contact.last_name",
        Field::Phone => "contact.phones",
        Field::AddressTyped | Field::AddressFormatted => "location.address",
        Field::Label => "labels",
        Field::TicketingSystem => "ticketing_links.system",
        Field::OrganizationId => "ticketing_links.organization_id",
        Field::OrganizationName => "ticketing_links.organization_name",
        Field::ExternalSiteName => "ticketing_links.external_site_name",
        Field::Note => "note",
    }
}
