//! Limits and places as calls meet them: who is counted where, and what refuses whom.

use std::time::Duration;

use super::*;
use crate::model::access::{Contacts, Positions, Scope};

const IP: &str = "192.0.2.1";

fn traffic(config: &str) -> Traffic {
    Traffic::new(&toml::from_str(config).unwrap())
}

fn principal(token: &str, account: Option<&str>) -> Principal {
    let account = account.map(|id| id.parse().unwrap());
    Principal {
        token: token.parse().unwrap(),
        secret_number: 0,
        scope: Scope::Admin,
        account,
        agent: None,
        contacts: Contacts::Read,
        positions: Positions::default(),
        assigned: None,
        identity: None,
        guest: None,
    }
}

const ONE: &str = "0000000000000001";
const TWO: &str = "0000000000000002";

fn wanted(traffic: &Traffic, path: &str) -> Wanted {
    Wanted::of(traffic.method(traffic.methods.find(path).unwrap_or_else(|| panic!("{path}"))))
}

/// How many of ten calls go through.
fn through(traffic: &Traffic, principal: &Principal, path: &str, ip: &str) -> usize {
    let ip = || Some(ip.parse().unwrap());
    (0..10).filter(|_| traffic.ticket_of(principal, wanted(traffic, path), ip).is_ok()).count()
}

const READ: &str = "/waymark.v1.SiteService/GetSite";
const GEOCODE: &str = "/waymark.v1.LocationService/GeocodeAddress";
const ACTIVATE: &str = "/waymark.v1.ActivationService/ActivateAgent";
const INVITE: &str = "/waymark.v1.ResidentAccessService/InviteResident";

#[tokio::test(start_paused = true)]
async fn each_token_has_its_own_limit() {
    let traffic = traffic("calls_of_token = { per_s = 2, burst = 4 }");
    let (one, two) = (principal(ONE, Some("acme")), principal(TWO, Some("acme")));
    assert_eq!(through(&traffic, &one, READ, IP), 4);
    assert_eq!(through(&traffic, &two, READ, IP), 4);
    let refused = traffic.ticket_of(&one, wanted(&traffic, READ), || None).unwrap_err();
    assert_eq!(refused, Refusal::TooOften { limit: Limit::Token, wait: Duration::from_millis(500) });
    assert_eq!(traffic.refused_by(Limit::Token), 13);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(through(&traffic, &one, READ, IP), 2);
}

#[tokio::test(start_paused = true)]
async fn tokens_of_an_account_share_its_limit_and_the_operator_has_none() {
    let traffic = traffic("calls_of_account = { per_s = 1, burst = 5 }");
    assert_eq!(through(&traffic, &principal(ONE, Some("acme")), READ, IP), 5);
    assert_eq!(through(&traffic, &principal(TWO, Some("acme")), READ, IP), 0);
    assert_eq!(through(&traffic, &principal(TWO, Some("beta")), READ, IP), 5);
    assert_eq!(through(&traffic, &principal(ONE, None), READ, IP), 10);
}

#[tokio::test(start_paused = true)]
async fn classes_of_methods_have_limits_of_their_own() {
    let config = "geocoding_of_account = { per_s = 1, burst = 3 }\nactivations_of_account = { per_s = 1, burst = 2 }\n\
                  invitations_of_account = { per_s = 1, burst = 1 }\n";
    let traffic = traffic(config);
    let acme = principal(ONE, Some("acme"));
    for (path, burst) in [(GEOCODE, 3), (ACTIVATE, 2), (INVITE, 1), (READ, 10)] {
        assert_eq!(through(&traffic, &acme, path, IP), burst, "{path}");
        assert_eq!(through(&traffic, &principal(TWO, Some("beta")), path, IP), burst, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn addresses_are_counted_by_their_network() {
    let traffic =
        traffic("geocoding_of_address = { per_s = 1, burst = 4 }\nstrangers_of_address = { per_s = 1, burst = 2 }");
    let (acme, beta) = (principal(ONE, Some("acme")), principal(TWO, Some("beta")));
    assert_eq!(through(&traffic, &acme, GEOCODE, "2001:db8::1"), 4);
    assert_eq!(through(&traffic, &beta, GEOCODE, "2001:db8::2"), 0, "one network");
    assert_eq!(through(&traffic, &beta, GEOCODE, "2001:db8:0:1::1"), 4);
    assert_eq!(through(&traffic, &acme, READ, "2001:db8::1"), 10, "of other calls addresses are not counted");
    let stranger = |ip: &str| traffic.count_stranger(Some(ip.parse().unwrap()));
    assert!(stranger(IP).is_ok() && stranger(IP).is_ok());
    assert!(matches!(stranger(IP), Err(Refusal::TooOften { limit: Limit::StrangersOfAddress, .. })));
    assert!(stranger("192.0.2.2").is_ok());
    assert!(traffic.count_stranger(None).is_ok(), "whose address is not known is one more");
}

/// An account whose calls wait for the disk keeps nobody from reading, nor from geocoding, and strangers keep nobody.
#[tokio::test(start_paused = true)]
async fn lanes_take_no_places_of_each_other() {
    let traffic = traffic("reads_max = 4\nwrites_max = 4\noutside_max = 4\nwaiting_max = 0");
    let acme = principal(ONE, Some("acme"));
    let mut held = Vec::new();
    for (path, cost) in [(ACTIVATE, 3), (READ, 3), (GEOCODE, 3)] {
        for number in 0..=cost {
            let arrived = traffic.arrival(path).place.unwrap();
            let ticket = traffic.ticket_of(&acme, wanted(&traffic, path), || None).unwrap();
            let entered = traffic.enter(ticket, arrived).await;
            assert_eq!(entered.is_ok(), number < cost, "{path} {number}");
            held.extend(entered);
        }
    }
    let arrived = traffic.arrival("/invitation").place.unwrap();
    held.push(traffic.enter(traffic.ticket_of_stranger(None), arrived).await.unwrap());
    assert_eq!(traffic.gate(Lane::Reads).refused(), 1);
    drop(held);
    for lane in [Lane::Reads, Lane::Writes, Lane::Outside, Lane::Strangers] {
        assert_eq!(traffic.gate(lane).in_use(), 0, "{lane:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_watches_the_server_takes_no_place() {
    let traffic = traffic("");
    let probes = ["Check", "List", "Watch"].map(|method| format!("/grpc.health.v1.Health/{method}"));
    for path in ["/healthz", "/readyz", "/metrics"].into_iter().chain(probes.iter().map(String::as_str)) {
        assert!(traffic.arrival(path).place.is_none(), "{path}");
    }
    for path in ["/", "/invitation", "/v1/accounts/acme/tiles/0/0/0.mvt", READ, "/waymark.v1.SiteService/Explode"] {
        assert!(traffic.arrival(path).place.is_some(), "{path}");
    }
}

/// What the listener noted is taken once, and is made anew where there was no listener.
#[tokio::test(start_paused = true)]
async fn a_request_is_counted_once() {
    let traffic = traffic("");
    let mut request = Request::builder().uri(READ).body(Body::empty()).unwrap();
    request.extensions_mut().insert(traffic.arrive(READ));
    let gate = traffic.gate(Lane::Reads);
    assert_eq!(gate.in_use(), 1);
    assert!(matches!(traffic.noted_of(&request).0, Target::Method(_)));
    assert_eq!(gate.in_use(), 1);
    drop(traffic.take_arrival(&mut request));
    assert_eq!(gate.in_use(), 0);
    assert!(matches!(traffic.take_arrival(&mut request).target, Target::Method(_)));
    assert_eq!(gate.in_use(), 0);
}
