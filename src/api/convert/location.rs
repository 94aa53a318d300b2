//! Positions, fixes, addresses and candidates.

use super::evidence::database_evidence;
use super::{optional_text, timestamp};
use crate::api::names;
use crate::api::proto::waymark::v1 as pb;
use crate::model::Invalid;
use crate::model::address::{AddressQuery, CountryCode, PostalAddress};
use crate::model::device::DevicePosition;
use crate::model::evidence::GeocodedEvidence;
use crate::model::geo::{BoundingBox, LatLng};
use crate::model::location::{Evidence, Fix, Granularity, NoEstimate, Source};
use crate::model::site::Site;
use crate::model::site_address::{AddressState, Retry, SiteAddress, WaitReason};
use crate::service::candidates::Choice;
use crate::service::checks::Warning;
use crate::service::siblings::{Nearness, Suggestion};

/// A position.
pub(in crate::api) fn lat_lng(position: LatLng) -> pb::LatLng {
    pb::LatLng { lat: position.lat(), lng: position.lng() }
}

/// A required position from a request's `field`.
pub(in crate::api) fn parse_lat_lng(field: &str, position: Option<&pb::LatLng>) -> Result<LatLng, Invalid> {
    let position = position.ok_or_else(|| Invalid::new(field, "a position is required"))?;
    LatLng::new(position.lat, position.lng).map_err(|fault| fault.within(field))
}

/// A box.
pub(in crate::api) fn bounding_box(bounds: &BoundingBox) -> pb::BoundingBox {
    pb::BoundingBox { low: Some(lat_lng(bounds.low)), high: Some(lat_lng(bounds.high)) }
}

/// A required box from a request's `field`.
pub(in crate::api) fn parse_bounding_box(
    field: &str,
    bounds: Option<&pb::BoundingBox>,
) -> Result<BoundingBox, Invalid> {
    let bounds = bounds.ok_or_else(|| Invalid::new(field, "a box is required"))?;
    let corner = |name: &str, corner: &Option<pb::LatLng>| parse_lat_lng(&format!("{field}.{name}"), corner.as_ref());
    let (low, high) = (corner("low", &bounds.low)?, corner("high", &bounds.high)?);
    BoundingBox::new(low, high).map_err(|fault| fault.within(field))
}

/// A source.
pub(in crate::api) fn source(source: Source) -> pb::FixSource {
    match source {
        Source::GeoIp => pb::FixSource::Geoip,
        Source::Device => pb::FixSource::Device,
        Source::Address => pb::FixSource::Address,
        Source::Pin => pb::FixSource::Pin,
    }
}

/// A required source from a request.
pub(in crate::api) fn parse_source(field: &str, value: i32) -> Result<Source, Invalid> {
    match pb::FixSource::try_from(value) {
        Ok(pb::FixSource::Geoip) => Ok(Source::GeoIp),
        Ok(pb::FixSource::Device) => Ok(Source::Device),
        Ok(pb::FixSource::Address) => Ok(Source::Address),
        Ok(pb::FixSource::Pin) => Ok(Source::Pin),
        Ok(pb::FixSource::Unspecified) | Err(_) => {
            Err(Invalid::new(field, format!("one of GEOIP, DEVICE, ADDRESS, PIN is required, got {value}")))
        }
    }
}

/// A granularity.
pub(in crate::api) fn granularity(granularity: Granularity) -> pb::Granularity {
    match granularity {
        Granularity::Country => pb::Granularity::Country,
        Granularity::Region => pb::Granularity::Region,
        Granularity::City => pb::Granularity::City,
        Granularity::Postcode => pb::Granularity::Postcode,
        Granularity::Street => pb::Granularity::Street,
        Granularity::Interpolated => pb::Granularity::Interpolated,
        Granularity::Door => pb::Granularity::Door,
    }
}

/// A stated granularity from a request.
pub(in crate::api) fn parse_granularity(field: &str, value: i32) -> Result<Granularity, Invalid> {
    match pb::Granularity::try_from(value) {
        Ok(pb::Granularity::Country) => Ok(Granularity::Country),
        Ok(pb::Granularity::Region) => Ok(Granularity::Region),
        Ok(pb::Granularity::City) => Ok(Granularity::City),
        Ok(pb::Granularity::Postcode) => Ok(Granularity::Postcode),
        Ok(pb::Granularity::Street) => Ok(Granularity::Street),
        Ok(pb::Granularity::Interpolated) => Ok(Granularity::Interpolated),
        Ok(pb::Granularity::Door) => Ok(Granularity::Door),
        Ok(pb::Granularity::Unspecified) | Err(_) => Err(Invalid::new(field, format!("{value} is no Granularity"))),
    }
}

/// A device's measurement from a request's `field`; absent for none.
pub(in crate::api) fn parse_device(
    field: &str,
    stated: Option<&pb::DevicePosition>,
) -> Result<Option<DevicePosition>, Invalid> {
    let Some(stated) = stated else { return Ok(None) };
    let position = parse_lat_lng(&format!("{field}.position"), stated.position.as_ref())?;
    DevicePosition::new(position, stated.accuracy_m).map(Some).map_err(|fault| fault.within(field))
}

/// A device's measurement.
pub(super) fn device_position(measured: &DevicePosition) -> pb::DevicePosition {
    pb::DevicePosition { position: Some(lat_lng(measured.position)), accuracy_m: measured.accuracy_m }
}

/// Positions of siblings.
pub(in crate::api) fn suggestion(suggestion: &Suggestion) -> pb::LocationSuggestion {
    let sibling = &suggestion.sibling;
    let nearness = match suggestion.nearness {
        Nearness::SameAddress => pb::location_suggestion::Nearness::SameAddress,
        Nearness::SameNetwork => pb::location_suggestion::Nearness::SameNetwork,
    };
    pb::LocationSuggestion {
        site: names::of_site(&sibling.account, sibling.id),
        display_name: sibling.display_name.clone(),
        fix: Some(fix(&suggestion.fix)),
        nearness: nearness.into(),
        network: suggestion.network.to_string(),
        address: sibling.address.as_ref().map(|address| address.typed.clone()).unwrap_or_default(),
        distance_m: suggestion.distance_m,
    }
}

/// Why there is no estimate.
pub(in crate::api) fn no_estimate(reason: Option<NoEstimate>) -> pb::NoEstimateReason {
    let Some(reason) = reason else { return pb::NoEstimateReason::Unspecified };
    match reason {
        NoEstimate::Private => pb::NoEstimateReason::Private,
        NoEstimate::CarrierNat => pb::NoEstimateReason::CarrierNat,
        NoEstimate::Loopback => pb::NoEstimateReason::Loopback,
        NoEstimate::LinkLocal => pb::NoEstimateReason::LinkLocal,
        NoEstimate::UniqueLocal => pb::NoEstimateReason::UniqueLocal,
        NoEstimate::Documentation => pb::NoEstimateReason::Documentation,
        NoEstimate::Benchmark => pb::NoEstimateReason::Benchmark,
        NoEstimate::Multicast => pb::NoEstimateReason::Multicast,
        NoEstimate::Reserved => pb::NoEstimateReason::Reserved,
        NoEstimate::NoDatabase => pb::NoEstimateReason::NoDatabase,
        NoEstimate::NotFound => pb::NoEstimateReason::NotFound,
        NoEstimate::NoPosition => pb::NoEstimateReason::NoPosition,
        NoEstimate::UnknownAddress => pb::NoEstimateReason::UnknownAddress,
        NoEstimate::Removed => pb::NoEstimateReason::Removed,
    }
}

/// What became of an address.
pub(in crate::api) fn address_state(state: AddressState) -> pb::AddressState {
    match state {
        AddressState::Applied => pb::AddressState::Applied,
        AddressState::PinKept => pb::AddressState::PinKept,
        AddressState::Ambiguous => pb::AddressState::Ambiguous,
        AddressState::NotFound => pb::AddressState::NotFound,
        AddressState::Pending => pb::AddressState::Pending,
        AddressState::Expired => pb::AddressState::Expired,
    }
}

/// A fix.
pub(in crate::api) fn fix(fix: &Fix) -> pb::Fix {
    let evidence = match &fix.evidence {
        Evidence::Database(found) => Some(pb::fix::Evidence::Database(database_evidence(found))),
        Evidence::Geocoded(found) => Some(pb::fix::Evidence::Geocoded(geocoded_evidence(found))),
        Evidence::Prefix(found) => Some(pb::fix::Evidence::Prefix(pb::PrefixEvidence {
            network: found.network.clone(),
            display_name: found.display_name.clone(),
        })),
        Evidence::Dropped | Evidence::Measured => None,
    };
    pb::Fix {
        source: source(fix.source).into(),
        position: Some(lat_lng(fix.position)),
        accuracy_m: fix.accuracy_m,
        granularity: granularity(fix.granularity).into(),
        make_time: Some(timestamp(fix.made_at)),
        maker: fix.made_by.clone(),
        evidence,
    }
}

/// Where a site is. Warnings are for people: an agent gets none.
pub(in crate::api) fn location(site: &Site) -> pb::Location {
    let effective = site.fixes.effective();
    pb::Location {
        position: effective.map(|fix| lat_lng(fix.position)),
        accuracy_m: effective.and_then(|fix| fix.accuracy_m),
        granularity: effective.map_or(pb::Granularity::Unspecified, |fix| granularity(fix.granularity)).into(),
        source: effective.map_or(pb::FixSource::Unspecified, |fix| source(fix.source)).into(),
        confirmed: effective.is_some_and(|fix| fix.source.is_person()),
        fixes: site.fixes.iter().map(fix).collect(),
        no_estimate_reason: no_estimate(site.no_estimate).into(),
        address: site.address.as_ref().map(site_address),
        warnings: Vec::new(),
    }
}

/// What a person had better look at.
pub(in crate::api) fn warning(warning: Warning) -> i32 {
    let warning = match warning {
        Warning::AtSea => pb::LocationWarning::AtSea,
        Warning::FarFromGeoIp => pb::LocationWarning::FarFromGeoip,
        Warning::OutsideCountry => pb::LocationWarning::OutsideCountry,
    };
    warning.into()
}

/// The country that a site is stated to be in, by an address or by the `country_code` beside it.
pub(in crate::api) fn stated_country(
    address: &AddressQuery,
    country_code: &str,
) -> Result<Option<CountryCode>, Invalid> {
    let beside = parse_country("country_code", country_code)?;
    match (address.country(), beside) {
        (Some(one), Some(other)) if one != other => {
            let why = format!("it says {other}, and the address says {one}: state one of them");
            Err(Invalid::new("country_code", why))
        }
        (one, other) => Ok(one.or(other)),
    }
}

/// A stated address.
pub(super) fn site_address(address: &SiteAddress) -> pb::SiteAddress {
    pb::SiteAddress {
        typed: address.typed.clone(),
        formatted: address.formatted.clone(),
        state: address_state(address.state).into(),
        wait: address.retry.map(wait),
        keep_pin: address.keep_pin,
        stater: address.stated_by.clone(),
        evidence: address.evidence.as_deref().map(geocoded_evidence),
    }
}

/// When an address is asked for again.
pub(in crate::api) fn wait(retry: Retry) -> pb::AddressWait {
    let reason = match retry.reason {
        WaitReason::Unavailable => pb::AddressWaitReason::Unavailable,
        WaitReason::Quota => pb::AddressWaitReason::Quota,
        WaitReason::Busy => pb::AddressWaitReason::Busy,
        WaitReason::Malformed => pb::AddressWaitReason::Malformed,
        WaitReason::Misconfigured => pb::AddressWaitReason::Misconfigured,
        WaitReason::NotFound => pb::AddressWaitReason::NotFound,
        WaitReason::Expiring => pb::AddressWaitReason::Expiring,
        WaitReason::Expired => pb::AddressWaitReason::Expired,
    };
    pb::AddressWait {
        reason: reason.into(),
        attempts: i32::try_from(retry.attempts).unwrap_or(i32::MAX),
        next_attempt_time: Some(timestamp(retry.next_at)),
    }
}

/// A geocoder's answer behind a fix.
pub(super) fn geocoded_evidence(found: &GeocodedEvidence) -> pb::GeocodedEvidence {
    pb::GeocodedEvidence {
        provider: found.provider.clone(),
        place_id: found.place_id.clone(),
        formatted_address: found.formatted_address.clone(),
        query: found.query.clone(),
        attribution: found.attribution.clone(),
        country_code: optional_text(found.country),
        expire_time: found.storage.until().map(timestamp),
    }
}

/// A candidate.
pub(in crate::api) fn candidate(choice: Choice) -> pb::Candidate {
    let candidate = choice.candidate;
    pb::Candidate {
        token: choice.token,
        formatted_address: candidate.formatted_address,
        position: Some(lat_lng(candidate.position)),
        granularity: granularity(candidate.granularity).into(),
        confidence: candidate.confidence,
        country_code: optional_text(candidate.country),
        provider: candidate.provider.to_string(),
        attribution: candidate.attribution,
        distance_to_geoip_m: choice.distance_to_geoip_m,
        distance_to_position_m: choice.distance_to_position_m,
        warnings: choice.warnings.into_iter().map(warning).collect(),
    }
}

/// What a person typed, on one line or in parts.
pub(in crate::api) enum TypedAddress {
    /// On one line.
    Line(String),
    /// In parts.
    Parts(pb::PostalAddress),
}

/// A required address from a request.
pub(in crate::api) fn parse_address(address: Option<TypedAddress>) -> Result<AddressQuery, Invalid> {
    match address {
        Some(TypedAddress::Line(line)) => AddressQuery::line(&line),
        Some(TypedAddress::Parts(parts)) => {
            let country = parse_country("postal_address.country_code", &parts.country_code)?;
            AddressQuery::parts(&PostalAddress {
                street: parts.street,
                postal_code: parts.postal_code,
                locality: parts.locality,
                region: parts.region,
                country,
            })
        }
        None => Err(Invalid::new("address_line", "an address_line or a postal_address is required")),
    }
}

/// A country code from a request's `field`; empty for none.
pub(in crate::api) fn parse_country(field: &str, code: &str) -> Result<Option<CountryCode>, Invalid> {
    if code.is_empty() {
        return Ok(None);
    }
    CountryCode::try_from(code.to_owned()).map(Some).map_err(|fault| Invalid::new(field, fault.why))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use prost::Message as _;

    use super::*;
    use crate::model::attention::{AttentionReason, Dismissal};

    /// Pages of sites that identities had placed were thrice as long as they were thought to be, and no client takes so long ones.
    #[test]
    fn a_site_weighs_the_names_of_who_made_what_it_holds() {
        let (at, by) = (Timestamp::UNIX_EPOCH, format!("identity:{}|{}", "i".repeat(256), "s".repeat(255)));
        let mut site = Site::new("acme".parse().unwrap(), "x".to_owned(), at);
        let before = site.weight();
        for source in Source::ALL {
            site.fixes.put(Fix {
                source,
                position: LatLng::new(1.0, 2.0).unwrap(),
                accuracy_m: None,
                granularity: Granularity::Door,
                evidence: Evidence::Dropped,
                made_at: at,
                made_by: by.clone(),
            });
        }
        let typed = AddressQuery::line("Laugavegur 1").unwrap();
        site.address = Some(SiteAddress::stated(&typed, None, false, by.clone(), at));
        let dismissal = |reason| Dismissal { reason, fingerprint: 0, by: by.clone(), at };
        site.dismissals = AttentionReason::ALL.map(dismissal).to_vec();
        let names = Source::ALL.len() + 1 + AttentionReason::ALL.len();
        assert_eq!(site.weight(), before + names * by.len());
        assert!(location(&site).encoded_len() <= site.weight());
    }
}
