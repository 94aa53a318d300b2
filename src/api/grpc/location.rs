//! `LocationService`.

use std::net::IpAddr;
use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::sites::answer;
use crate::api::convert::evidence::{explanation, network_facts};
use crate::api::convert::location::{
    TypedAddress, candidate, fix, no_estimate, parse_address, parse_country, parse_lat_lng, parse_source,
    stated_country, suggestion,
};
use crate::api::convert::{location, site::site};
use crate::api::proto::waymark::v1 as pb;
use crate::api::proto::waymark::v1::location_service_server::LocationService;
use crate::api::status::Failure;
use crate::api::{caller, names};
use crate::model::Invalid;
use crate::model::id::{AccountId, SiteId};
use crate::service::Waymark;
use crate::service::addresses::StatedAddress;
use crate::service::databases::LookUp;
use crate::service::sites::ChangeOptions;

/// The service.
#[derive(Debug)]
pub(super) struct Locations(pub(super) Arc<Waymark>);

#[tonic::async_trait]
impl LocationService for Locations {
    async fn geocode_address(
        &self,
        request: Request<pb::GeocodeAddressRequest>,
    ) -> Result<Response<pb::GeocodeAddressResponse>, Status> {
        use pb::geocode_address_request::Address;
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let account = names::account("parent", &message.parent).map_err(Failure::from)?;
        let query = parse_address(message.address.map(|address| match address {
            Address::AddressLine(line) => TypedAddress::Line(line),
            Address::PostalAddress(parts) => TypedAddress::Parts(parts),
        }))
        .map_err(Failure::from)?;
        let near = site_of(&account, &message.site).map_err(Failure::from)?;
        let found = self.0.geocode_address(&principal, &account, &query, near, message.candidates_max).await;
        let (state, choices) = found.map_err(Failure)?;
        let candidates = choices.into_iter().map(candidate).collect();
        Ok(Response::new(pb::GeocodeAddressResponse { candidates, state: location::address_state(state).into() }))
    }

    async fn suggest_addresses(
        &self,
        request: Request<pb::SuggestAddressesRequest>,
    ) -> Result<Response<pb::SuggestAddressesResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let account = names::account("parent", &message.parent).map_err(Failure::from)?;
        let near = site_of(&account, &message.site).map_err(Failure::from)?;
        let (typed, limit) = (&message.typed, message.candidates_max);
        let choices = self.0.suggest_addresses(&principal, &account, typed, near, limit).await.map_err(Failure)?;
        let candidates = choices.into_iter().map(candidate).collect();
        Ok(Response::new(pb::SuggestAddressesResponse { candidates }))
    }

    async fn reverse_geocode(
        &self,
        request: Request<pb::ReverseGeocodeRequest>,
    ) -> Result<Response<pb::ReverseGeocodeResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let account = names::account("parent", &message.parent).map_err(Failure::from)?;
        let position = parse_lat_lng("position", message.position.as_ref()).map_err(Failure::from)?;
        let site = site_of(&account, &message.site).map_err(Failure::from)?;
        let choices = self.0.reverse_geocode(&principal, &account, position, site, message.candidates_max).await;
        let candidates = choices.map_err(Failure)?.into_iter().map(candidate).collect();
        Ok(Response::new(pb::ReverseGeocodeResponse { candidates }))
    }

    async fn set_address(
        &self,
        request: Request<pb::SetAddressRequest>,
    ) -> Result<Response<pb::SetAddressResponse>, Status> {
        use pb::set_address_request::Address;
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let (account, id) = names::site("site", &message.site).map_err(Failure::from)?;
        let query = parse_address(message.address.map(|address| match address {
            Address::AddressLine(line) => TypedAddress::Line(line),
            Address::PostalAddress(parts) => TypedAddress::Parts(parts),
        }))
        .map_err(Failure::from)?;
        let country = stated_country(&query, &message.country_code).map_err(Failure::from)?;
        let options = ChangeOptions { etag: message.etag, validate_only: message.validate_only };
        let stated = StatedAddress { query: &query, country, keep_pin: message.keep_pin };
        let outcome = self.0.set_address(&principal, &account, id, stated, &options).await;
        let outcome = outcome.map_err(Failure)?;
        Ok(Response::new(pb::SetAddressResponse {
            wait: outcome.wait.map(location::wait),
            state: location::address_state(outcome.state).into(),
            site: Some(site(&self.0, &principal, outcome.site)),
            candidates: outcome.choices.into_iter().map(candidate).collect(),
        }))
    }

    async fn apply_candidate(&self, request: Request<pb::ApplyCandidateRequest>) -> Result<Response<pb::Site>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let (account, id) = names::site("site", &message.site).map_err(Failure::from)?;
        let options = ChangeOptions { etag: message.etag, validate_only: message.validate_only };
        let (token, keep_pin) = (&message.candidate_token, message.keep_pin);
        answer(&self.0, &principal, self.0.apply_candidate(&principal, &account, id, token, keep_pin, &options).await)
    }

    async fn set_pin(&self, request: Request<pb::SetPinRequest>) -> Result<Response<pb::Site>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let (account, id) = names::site("site", &message.site).map_err(Failure::from)?;
        let position = parse_lat_lng("position", message.position.as_ref()).map_err(Failure::from)?;
        let country = parse_country("country_code", &message.country_code).map_err(Failure::from)?;
        let options = ChangeOptions { etag: message.etag, validate_only: message.validate_only };
        answer(&self.0, &principal, self.0.set_pin(&principal, &account, id, position, country, &options).await)
    }

    async fn reset_location(&self, request: Request<pb::ResetLocationRequest>) -> Result<Response<pb::Site>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let (account, id) = names::site("site", &message.site).map_err(Failure::from)?;
        let options = ChangeOptions { etag: message.etag, validate_only: message.validate_only };
        answer(&self.0, &principal, self.0.reset_location(&principal, &account, id, &options).await)
    }

    async fn delete_fix(&self, request: Request<pb::DeleteFixRequest>) -> Result<Response<pb::Site>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let (account, id) = names::site("site", &message.site).map_err(Failure::from)?;
        let source = parse_source("source", message.source).map_err(Failure::from)?;
        let options = ChangeOptions { etag: message.etag, validate_only: message.validate_only };
        answer(&self.0, &principal, self.0.delete_fix(&principal, &account, id, source, &options).await)
    }

    async fn lookup_ip(&self, request: Request<pb::LookupIpRequest>) -> Result<Response<pb::LookupIpResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let account = names::account("parent", &message.parent).map_err(Failure::from)?;
        let ip: IpAddr = parse_ip("ip", &message.ip).map_err(Failure::from)?;
        let answer = self.0.lookup_ip(&principal, &account, ip, message.explain).map_err(Failure)?;
        Ok(Response::new(look_up(&account, answer)))
    }

    async fn batch_lookup_ip(
        &self,
        request: Request<pb::BatchLookupIpRequest>,
    ) -> Result<Response<pb::BatchLookupIpResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let message = request.into_inner();
        let account = names::account("parent", &message.parent).map_err(Failure::from)?;
        let ips = message.ips.iter().enumerate().map(|(at, ip)| parse_ip(&format!("ips[{at}]"), ip));
        let ips: Vec<IpAddr> = ips.collect::<Result<_, _>>().map_err(Failure::from)?;
        let answers = self.0.lookup_ips(&principal, &account, &ips, message.explain).map_err(Failure)?;
        Ok(Response::new(pb::BatchLookupIpResponse {
            results: answers.into_iter().map(|answer| look_up(&account, answer)).collect(),
        }))
    }

    async fn suggest_locations(
        &self,
        request: Request<pb::SuggestLocationsRequest>,
    ) -> Result<Response<pb::SuggestLocationsResponse>, Status> {
        let principal = caller::of(&self.0, &request)?;
        let (account, id) = names::site("site", &request.get_ref().site).map_err(Failure::from)?;
        let found = self.0.suggest_locations(&principal, &account, id).await.map_err(Failure)?;
        Ok(Response::new(pb::SuggestLocationsResponse { suggestions: found.iter().map(suggestion).collect() }))
    }
}

fn look_up(account: &AccountId, LookUp { whereabouts, explanation: way }: LookUp) -> pb::LookupIpResponse {
    pb::LookupIpResponse {
        canonical_ip: whereabouts.ip.to_string(),
        no_estimate_reason: no_estimate(whereabouts.fix.as_ref().err().copied()).into(),
        fix: whereabouts.fix.as_ref().ok().map(fix),
        network: network_facts(&whereabouts.facts),
        explanation: way.as_ref().map(|way| explanation(account, way)),
    }
}

/// An address from a request's `field`, in its one full form.
pub(super) fn parse_ip(field: &str, text: &str) -> Result<IpAddr, Invalid> {
    text.parse().map_err(|_| Invalid::new(field, "an address is IPv4 in dotted decimal or IPv6 without a zone"))
}

/// An address from a request's `field`; empty for none.
pub(super) fn parse_optional_ip(field: &str, text: &str) -> Result<Option<IpAddr>, Invalid> {
    if text.is_empty() { Ok(None) } else { parse_ip(field, text).map(Some) }
}

/// The site that an address is for, of this account; `None` where none is named.
fn site_of(account: &AccountId, name: &str) -> Result<Option<SiteId>, Invalid> {
    if name.is_empty() {
        return Ok(None);
    }
    match names::site("site", name)? {
        (parent, id) if parent == *account => Ok(Some(id)),
        _ => Err(Invalid::new("site", "the site is not one of `parent`")),
    }
}
