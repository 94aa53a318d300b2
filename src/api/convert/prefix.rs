//! An account's own networks.

use super::location::{granularity, lat_lng, parse_granularity, parse_lat_lng};
use super::timestamp;
use crate::api::names;
use crate::api::proto::waymark::v1 as pb;
use crate::model::Invalid;
use crate::model::id::AccountId;
use crate::model::location::Granularity;
use crate::model::prefix::{Prefix, parse_network};
use crate::service::Versioned;
use crate::service::prefixes::{PrefixFields, etag_of};

/// A network.
pub(in crate::api) fn prefix(account: &AccountId, versioned: Versioned<Prefix>) -> pb::Prefix {
    let Versioned { value: prefix, revision } = versioned;
    let etag = etag_of(&prefix);
    pb::Prefix {
        name: names::of_prefix(account, &prefix.network),
        cidr: prefix.network.to_string(),
        display_name: prefix.display_name,
        position: Some(lat_lng(prefix.position)),
        accuracy_m: prefix.accuracy_m,
        granularity: granularity(prefix.granularity).into(),
        create_time: Some(timestamp(prefix.created_at)),
        update_time: Some(timestamp(prefix.updated_at)),
        revision: revision.0,
        etag,
    }
}

/// What a request says of a network, from its field `prefix`.
pub(in crate::api) fn parse_prefix(message: &pb::Prefix) -> Result<PrefixFields, Invalid> {
    let granularity = match message.granularity {
        0 => Granularity::Door,
        value => parse_granularity("prefix.granularity", value)?,
    };
    Ok(PrefixFields {
        network: parse_network("prefix.cidr", &message.cidr)?,
        display_name: message.display_name.clone(),
        position: parse_lat_lng("prefix.position", message.position.as_ref())?,
        accuracy_m: message.accuracy_m,
        granularity,
    })
}
