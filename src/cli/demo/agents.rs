//! The demo's agents: where they come from, what they are called, and how they come in.

use std::net::{IpAddr, Ipv4Addr};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tonic::Request;

use super::super::client::explain;
use super::super::progress::Progress;
use super::CALLS_MAX;
use crate::api::proto::waymark::v1 as pb;
use crate::api::proto::waymark::v1::activation_service_client::ActivationServiceClient;
use crate::client::Connection;
use crate::geoip::GeoIp;

/// What stands on the demo's networks.
const KINDS: [&str; 8] = ["office", "depot", "clinic", "store", "plant", "school", "hotel", "workshop"];

/// Addresses inside large networks of Iceland, whose street addresses the demo's gazetteer knows: the sites whose
/// people confirm them.
const ICELANDIC: [Ipv4Addr; 8] = [
    Ipv4Addr::new(157, 157, 40, 17),
    Ipv4Addr::new(194, 144, 12, 9),
    Ipv4Addr::new(130, 208, 165, 186),
    Ipv4Addr::new(85, 220, 90, 33),
    Ipv4Addr::new(213, 167, 140, 5),
    Ipv4Addr::new(82, 148, 70, 21),
    Ipv4Addr::new(46, 22, 101, 77),
    Ipv4Addr::new(89, 17, 140, 60),
];

/// An agent that is to come in.
#[derive(Debug, Clone)]
pub(super) struct Agent {
    id: String,
    key: Vec<u8>,
    display_name: String,
    public_ip: IpAddr,
}

/// An agent that came in.
#[derive(Debug, Clone)]
pub(super) struct Activated {
    /// Its place in the row of agents.
    pub(super) index: usize,
    /// Its site's name.
    pub(super) site: String,
    /// Where the databases put it.
    pub(super) position: Option<pb::LatLng>,
    /// The country that they name.
    pub(super) country_code: String,
}

/// `count` agents from networks of the files, the same ones for the same seed.
pub(super) fn of_networks(geoip: &GeoIp, count: usize, seed: u64) -> Vec<Agent> {
    let now = Timestamp::now();
    let icelandic = ICELANDIC.into_iter().map(IpAddr::from).take(count);
    let sampled = geoip.sample(count.saturating_sub(ICELANDIC.len()), seed).into_iter().map(|(_, ip)| ip);
    let agent = |(index, public_ip): (usize, IpAddr)| {
        let city = geoip.estimate(public_ip, now).map(|estimate| estimate.evidence.city).unwrap_or_default();
        let city = if city.is_empty() { "Remote" } else { &city };
        Agent {
            id: format!("demo-{seed}-{index:06}"),
            // Derived, so that an interrupted demo finds its own agents again. Nothing of value hangs on it.
            key: Sha256::digest(format!("waymark demo {seed} {index}")).to_vec(),
            display_name: format!("{city} {} {}", KINDS[index % KINDS.len()], index + 1),
            public_ip,
        }
    };
    icelandic.chain(sampled).enumerate().map(agent).collect()
}

/// Activates the agents, many at once.
pub(super) async fn activate(
    agents: &[Agent],
    connection: &Connection,
    parent: &str,
) -> anyhow::Result<Vec<Activated>> {
    let mut progress = Progress::of(agents.len() as u64, "agents activated");
    let client = ActivationServiceClient::new(connection.clone());
    let calls = agents.iter().enumerate().map(|(index, agent)| {
        let mut client = client.clone();
        async move {
            let answer = client.activate_agent(request_of(agent, parent)).await;
            let answer = answer.map_err(|status| explain(&status))?.into_inner();
            Ok::<_, anyhow::Error>(activated(index, answer))
        }
    });
    let mut done = stream::iter(calls).buffer_unordered(CALLS_MAX);
    let mut activated = Vec::with_capacity(agents.len());
    while let Some(agent) = done.try_next().await? {
        activated.push(agent);
        progress.add(1);
    }
    progress.finish();
    Ok(activated)
}

fn request_of(agent: &Agent, parent: &str) -> Request<pb::ActivateAgentRequest> {
    let mut request = Request::new(pb::ActivateAgentRequest {
        parent: parent.to_owned(),
        agent_id: agent.id.clone(),
        agent_key: agent.key.clone(),
        display_name: agent.display_name.clone(),
        ..Default::default()
    });
    if let Ok(address) = agent.public_ip.to_string().parse() {
        request.metadata_mut().insert("x-forwarded-for", address);
    }
    request
}

fn activated(index: usize, answer: pb::ActivateAgentResponse) -> Activated {
    let location = answer.location.unwrap_or_default();
    let country = location.fixes.iter().find_map(|fix| match &fix.evidence {
        Some(pb::fix::Evidence::Database(found)) => Some(found.country_code.clone()),
        _ => None,
    });
    Activated { index, site: answer.site, position: location.position, country_code: country.unwrap_or_default() }
}
