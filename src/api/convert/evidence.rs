//! What `GeoIP` databases say, how an answer comes about, and what state they are in.

use super::{optional_text, timestamp};
use crate::api::names;
use crate::api::proto::waymark::v1 as pb;
use crate::model::evidence::{Agreement, NetworkFacts, NetworkKind, OtherRecord, Part};
use crate::model::geo::LatLng;
use crate::model::id::AccountId;
use crate::model::location::DatabaseEvidence;
use crate::service::databases::{
    DatabaseInfo, DatabaseStatus, Failure, FailureReason, Freshness, Said, Stated, Step, Way, Wrapping,
};

/// The record behind a fix.
pub(super) fn database_evidence(found: &DatabaseEvidence) -> pb::DatabaseEvidence {
    pb::DatabaseEvidence {
        database_type: found.database_type.clone(),
        build_time: Some(timestamp(found.build_time)),
        network: found.network.clone(),
        city: found.city.clone(),
        region: found.region.clone(),
        country_code: optional_text(found.country),
        attribution: found.attribution.clone(),
        region_code: found.region_code.clone(),
        postcode: found.postcode.clone(),
        time_zone: found.time_zone.clone(),
        outdated: found.is_outdated,
        lowered_by: network_kind(found.lowered_by),
        agreement: agreement(found.agreement()).into(),
        others: found.others.iter().map(other_record).collect(),
    }
}

fn other_record(other: &OtherRecord) -> pb::OtherRecord {
    pb::OtherRecord {
        database_type: other.database_type.clone(),
        build_time: Some(timestamp(other.build_time)),
        network: other.network.clone(),
        gave: parts(&other.gave),
        distance_m: other.distance_m,
        witness: other.is_witness,
    }
}

fn network_kind(kind: NetworkKind) -> Option<pb::NetworkKind> {
    let NetworkKind { anycast, hosting, satellite, mobile } = kind;
    (!kind.is_plain()).then_some(pb::NetworkKind { anycast, hosting, satellite, mobile })
}

fn agreement(agreement: Option<Agreement>) -> pb::DatabaseAgreement {
    match agreement {
        None => pb::DatabaseAgreement::Unspecified,
        Some(Agreement::Agree) => pb::DatabaseAgreement::Agree,
        Some(Agreement::Near) => pb::DatabaseAgreement::Near,
        Some(Agreement::Differ) => pb::DatabaseAgreement::Differ,
    }
}

fn parts(parts: &[Part]) -> Vec<i32> {
    let part = |part: &Part| match part {
        Part::Position => pb::DatabasePart::Position,
        Part::Country => pb::DatabasePart::Country,
        Part::Region => pb::DatabasePart::Region,
        Part::RegionCode => pb::DatabasePart::RegionCode,
        Part::City => pb::DatabasePart::City,
        Part::Postcode => pb::DatabasePart::Postcode,
        Part::TimeZone => pb::DatabasePart::TimeZone,
        Part::Asn => pb::DatabasePart::Asn,
        Part::Isp => pb::DatabasePart::Isp,
        Part::Anycast => pb::DatabasePart::Anycast,
        Part::Hosting => pb::DatabasePart::Hosting,
        Part::Satellite => pb::DatabasePart::Satellite,
        Part::Mobile => pb::DatabasePart::Mobile,
    };
    parts.iter().map(|each| part(each).into()).collect()
}

/// An address's network; `None` where nothing is known of it.
pub(in crate::api) fn network_facts(facts: &NetworkFacts) -> Option<pb::NetworkFacts> {
    (*facts != NetworkFacts::default()).then(|| pb::NetworkFacts {
        network: facts.network.clone(),
        asn: facts.asn,
        isp: facts.isp.clone(),
        kind: network_kind(facts.kind),
        database_type: facts.database_type.clone(),
        build_time: facts.build_time.map(timestamp),
        attribution: facts.attribution.clone(),
    })
}

/// The way to an answer.
pub(in crate::api) fn explanation(account: &AccountId, way: &Way) -> pb::IpExplanation {
    let Way { own, explanation } = way;
    let wrapping = explanation.wrapping.map(|wrapping| match wrapping {
        Wrapping::Mapped => "mapped",
        Wrapping::Nat64 => "nat64",
        Wrapping::Nat64Local => "nat64_local",
        Wrapping::SixToFour => "six_to_four",
        Wrapping::Teredo => "teredo",
    });
    let block = explanation.block.as_ref();
    pb::IpExplanation {
        wrapping: wrapping.unwrap_or_default().to_owned(),
        block: block.map(|block| block.network.to_string()).unwrap_or_default(),
        block_name: block.map(|block| block.name.to_owned()).unwrap_or_default(),
        block_source: block.map(|block| block.source.to_owned()).unwrap_or_default(),
        steps: explanation.steps.iter().map(step).collect(),
        own_network: own.as_ref().map(|own| pb::OwnNetworkStep {
            name: own.network.parse().map(|network| names::of_prefix(account, &network)).unwrap_or_default(),
            network: own.network.clone(),
            display_name: own.display_name.clone(),
        }),
    }
}

fn step(step: &Step) -> pb::IpExplanationStep {
    use pb::ip_explanation_step::Said as Answered;
    let (said, record) = match &step.said {
        Said::NotCovered => (Answered::NotCovered, None),
        Said::Refused => (Answered::Refused, None),
        Said::NotFound => (Answered::NotFound, None),
        Said::Damaged => (Answered::Damaged, None),
        Said::Record(stated) => (Answered::Record, Some(record(stated))),
    };
    pb::IpExplanationStep {
        database_type: step.database_type.clone(),
        build_time: Some(timestamp(step.build_time)),
        freshness: freshness(step.freshness).into(),
        said: said.into(),
        gave: parts(&step.gave),
        record,
    }
}

fn record(stated: &Stated) -> pb::DatabaseRecord {
    pb::DatabaseRecord {
        network: stated.network.clone(),
        lat: stated.position.map(LatLng::lat),
        lng: stated.position.map(LatLng::lng),
        accuracy_m: stated.accuracy_m,
        city: stated.city.clone(),
        region: stated.region.clone(),
        region_code: stated.region_code.clone(),
        country_code: optional_text(stated.country),
        postcode: stated.postcode.clone(),
        time_zone: stated.time_zone.clone(),
        asn: stated.asn,
        isp: stated.isp.clone(),
        anycast: stated.anycast,
        hosting: stated.hosting,
        satellite: stated.satellite,
        mobile: stated.mobile,
        distance_m: stated.distance_m,
    }
}

fn freshness(freshness: Freshness) -> pb::DatabaseFreshness {
    match freshness {
        Freshness::Fresh => pb::DatabaseFreshness::Fresh,
        Freshness::Old => pb::DatabaseFreshness::Old,
        Freshness::Outdated => pb::DatabaseFreshness::Outdated,
        Freshness::Refused => pb::DatabaseFreshness::Refused,
    }
}

/// A file's state.
pub(in crate::api) fn database(status: &DatabaseStatus) -> pb::GeoIpDatabase {
    let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    pb::GeoIpDatabase {
        path: status.path.display().to_string(),
        in_use: status.in_use.as_ref().map(version),
        load_time: status.loaded_at.map(timestamp),
        freshness: status.freshness.map_or(pb::DatabaseFreshness::Unspecified, freshness).into(),
        failure: status.failure.as_ref().map(failure),
        look_up_count: count(status.look_ups),
        miss_count: count(status.misses),
        damaged_count: count(status.damaged),
        load_count: count(status.loads),
        failure_count: count(status.failures),
    }
}

fn version(info: &DatabaseInfo) -> pb::DatabaseVersion {
    let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    pb::DatabaseVersion {
        database_type: info.database_type.clone(),
        build_time: Some(timestamp(info.build_time)),
        kind: info.schema.kind().to_owned(),
        ip_version: info.ip_version.into(),
        ipv4_network_count: count(info.ipv4_networks),
        ipv6_network_count: count(info.ipv6_networks),
        size_bytes: count(info.bytes),
        sha256: info.sha256.clone(),
        attribution: info.attribution.text.clone(),
    }
}

fn failure(failure: &Failure) -> pb::DatabaseFailure {
    let reason = match failure.reason {
        FailureReason::Missing => pb::DatabaseFailureReason::Missing,
        FailureReason::Unreadable => pb::DatabaseFailureReason::Unreadable,
        FailureReason::Changing => pb::DatabaseFailureReason::Changing,
        FailureReason::TooLarge => pb::DatabaseFailureReason::TooLarge,
        FailureReason::NotMmdb => pb::DatabaseFailureReason::NotMmdb,
        FailureReason::Damaged => pb::DatabaseFailureReason::Damaged,
        FailureReason::UnusableSchema => pb::DatabaseFailureReason::UnusableSchema,
        FailureReason::WrongKind => pb::DatabaseFailureReason::WrongKind,
    };
    let message = failure.message.clone();
    pb::DatabaseFailure { time: Some(timestamp(failure.at)), reason: reason.into(), message }
}
