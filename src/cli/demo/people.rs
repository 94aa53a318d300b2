//! What happens to the demo's sites after activation: some go offline, some people say where their site is.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::super::client::explain;
use super::super::progress::Progress;
use super::CALLS_MAX;
use super::agents::Activated;
use crate::api::proto::waymark::v1 as pb;
use crate::api::proto::waymark::v1::location_service_client::LocationServiceClient;
use crate::api::proto::waymark::v1::site_service_client::SiteServiceClient;
use crate::client::Connection;

/// Street addresses that the people of the first sites, which are in Iceland, state.
const ADDRESSES: [&str; 8] = [
    "Laugavegur 22, Reykjavík",
    "Austurstræti 9, Reykjavík",
    "Skólavörðustígur 12, Reykjavík",
    "Borgartún 30, Reykjavík",
    "Hafnarstræti 91, Akureyri",
    "Strandgata 30, Hafnarfjörður",
    "Hamraborg 10, Kópavogur",
    "Hafnargata 29, Keflavík",
];
/// One site in so many has its pin dropped by a person.
const PINNED_EACH: usize = 40;
/// One site in so many is offline; every third of those is in maintenance instead.
const OFFLINE_EACH: usize = 13;

/// What is to be done to one site.
enum Act {
    Status(pb::SiteStatus),
    Address(&'static str),
    Pin(pb::LatLng),
}

/// Lets some sites go offline, and some people confirm where their site is.
pub(super) async fn report_and_confirm(activated: &[Activated], connection: &Connection) -> anyhow::Result<()> {
    let sites = SiteServiceClient::new(connection.clone());
    let locations = LocationServiceClient::new(connection.clone());
    let acts: Vec<(&str, Act)> = activated.iter().flat_map(acts_on).collect();
    let mut progress = Progress::of(acts.len() as u64, "reports, confirmations");
    let calls = acts.into_iter().map(|(site, act)| {
        let (sites, locations) = (sites.clone(), locations.clone());
        async move {
            match act {
                Act::Status(status) => set_status(sites, site, status).await?,
                Act::Address(address) => set_address(locations, site, address).await?,
                Act::Pin(position) => set_pin(locations, site, position).await?,
            }
            Ok::<_, anyhow::Error>(())
        }
    });
    let mut done = stream::iter(calls).buffer_unordered(CALLS_MAX);
    while done.try_next().await?.is_some() {
        progress.add(1);
    }
    progress.finish();
    Ok(())
}

/// A function of the site's place in the row, so that a repeated demo looks the same.
fn acts_on(site: &Activated) -> Vec<(&str, Act)> {
    let mut acts = Vec::new();
    if site.index % OFFLINE_EACH == OFFLINE_EACH - 1 {
        let is_worked_on = (site.index / OFFLINE_EACH).is_multiple_of(3);
        acts.push(Act::Status(if is_worked_on { pb::SiteStatus::Maintenance } else { pb::SiteStatus::Offline }));
    }
    match &site.position {
        Some(_) if site.index < ADDRESSES.len() && site.country_code == "IS" => {
            acts.push(Act::Address(ADDRESSES[site.index]));
        }
        Some(position) if site.index % PINNED_EACH == PINNED_EACH - 1 => acts.push(Act::Pin(nudged(site, position))),
        _ => {}
    }
    acts.into_iter().map(|act| (site.site.as_str(), act)).collect()
}

/// A spot up to three kilometres from the estimate: where a person would say that the site is.
fn nudged(site: &Activated, position: &pb::LatLng) -> pb::LatLng {
    const DEGREES: f64 = 0.03;
    #[expect(clippy::cast_precision_loss, reason = "an index below 2^52")]
    let turn = site.index as f64;
    pb::LatLng {
        lat: (position.lat + DEGREES * turn.sin()).clamp(-90.0, 90.0),
        lng: (position.lng + DEGREES * turn.cos()).clamp(-180.0, 180.0),
    }
}

type Sites = SiteServiceClient<Connection>;
type Locations = LocationServiceClient<Connection>;

async fn set_status(mut sites: Sites, site: &str, status: pb::SiteStatus) -> anyhow::Result<()> {
    let request = pb::UpdateSiteRequest {
        site: Some(pb::Site { name: site.to_owned(), status: status.into(), ..pb::Site::default() }),
        update_mask: Some(prost_types::FieldMask { paths: vec!["status".into()] }),
        validate_only: false,
    };
    sites.update_site(request).await.map(drop).map_err(|status| explain(&status))
}

/// States an address. One that is ambiguous stays in question, as it would for a person.
async fn set_address(mut locations: Locations, site: &str, address: &str) -> anyhow::Result<()> {
    let request = pb::SetAddressRequest {
        site: site.to_owned(),
        address: Some(pb::set_address_request::Address::AddressLine(address.to_owned())),
        ..pb::SetAddressRequest::default()
    };
    locations.set_address(request).await.map(drop).map_err(|status| explain(&status))
}

async fn set_pin(mut locations: Locations, site: &str, position: pb::LatLng) -> anyhow::Result<()> {
    let request = pb::SetPinRequest { site: site.to_owned(), position: Some(position), ..pb::SetPinRequest::default() };
    locations.set_pin(request).await.map(drop).map_err(|status| explain(&status))
}
