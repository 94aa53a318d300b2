//! Where an address is, for an account: its own networks first, then the databases.

use std::net::IpAddr;

use ipnet::IpNet;
use jiff::Timestamp;

use super::Waymark;
use crate::geoip::GeoIp;
use crate::geoip::special;
use crate::live::LiveAccount;
use crate::model::evidence::NetworkFacts;
use crate::model::evidence::PrefixEvidence;
use crate::model::location::{Evidence, Fix, NoEstimate, Source};
use crate::model::prefix::Prefix;
use crate::model::uplink::Seen;

/// The actor of estimates that rest on an account's own networks.
const PREFIX_ACTOR: &str = "prefix";

/// What is known of an address.
#[derive(Debug, Clone, PartialEq)]
pub struct Whereabouts {
    /// The address: IPv4 where one was inside an IPv6 one.
    pub ip: IpAddr,
    /// Where it seems to be, or why there is no telling.
    pub fix: Result<Fix, NoEstimate>,
    /// Its network, by the databases; also where there is no estimate.
    pub facts: NetworkFacts,
}

impl Whereabouts {
    /// The address with the network whose addresses are all at that place.
    #[must_use]
    pub fn seen(&self) -> Seen {
        let network = match self.fix.as_ref().map(|fix| &fix.evidence) {
            Ok(Evidence::Prefix(found)) => found.network.parse().ok(),
            Ok(Evidence::Database(found)) => found.network.parse().ok(),
            _ => self.facts.network.parse().ok(),
        };
        Seen { ip: self.ip, network: network.unwrap_or_else(|| IpNet::from(self.ip)) }
    }

    /// Whether the address is one by which the world reaches the site.
    #[must_use]
    pub fn is_public(&self) -> bool {
        special::why_no_estimate(self.ip).is_none()
    }
}

/// The estimate of an own network.
pub(super) fn fix_of_prefix(prefix: &Prefix, now: Timestamp) -> Fix {
    Fix {
        source: Source::GeoIp,
        position: prefix.position,
        accuracy_m: prefix.accuracy_m,
        granularity: prefix.granularity,
        evidence: Evidence::Prefix(PrefixEvidence {
            network: prefix.network.to_string(),
            display_name: prefix.display_name.clone(),
        }),
        made_at: now,
        made_by: PREFIX_ACTOR.to_owned(),
    }
}

impl Waymark {
    /// Where `ip` is, by the databases in use.
    pub(super) fn whereabouts(&self, account: &LiveAccount, ip: IpAddr, now: Timestamp) -> Whereabouts {
        whereabouts_in(&self.parts.geoip.current(), account, ip, now)
    }
}

/// Where `ip` is, by the account's own networks and these databases. Costs some probes of a table, and one look-up in each
/// database of the address's family.
pub(super) fn whereabouts_in(databases: &GeoIp, account: &LiveAccount, ip: IpAddr, now: Timestamp) -> Whereabouts {
    let findings = databases.ask(ip, now);
    let fix = match account.prefix_of(findings.ip) {
        Some(prefix) => Ok(fix_of_prefix(&prefix, now)),
        None => findings.estimate.map(crate::geoip::estimate::Estimate::into_fix),
    };
    Whereabouts { ip: findings.ip, fix, facts: findings.network }
}
