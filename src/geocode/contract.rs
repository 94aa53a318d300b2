//! What every geocoder holds, whoever answers and whatever stands around them.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::breaker::Breaker;
use super::build::{Built, build, provider};
use super::cached::{Cached, Times};
use super::chain::{Chain, Link};
use super::coalesced::Coalesced;
use super::config::{Config, Kind, Plan, ProviderConfig};
use super::counted::Counted;
use super::fake::{Fake, SOON};
use super::gazetteer::{Gazetteer, fixture};
use super::limiter::{Limits as _, LocalLimits};
use super::reloadable::Reloadable;
use super::retried::Retried;
use super::terms::Keep;
use super::throttled::Throttled;
use super::timed::Timed;
use super::traced::Traced;
use super::worlds::{KINDS, provider_at, world};
use super::{Bias, Candidate, Error, Geocoder, Inquiry, PlaceId, Subject};
use crate::model::address::{AddressQuery, CountryCode, PostalAddress};
use crate::model::geo::LatLng;
use crate::model::location::Granularity;

/// The parts of the contract that a provider may leave out, by saying so.
#[derive(Debug, Clone, Copy)]
struct Abilities {
    suggests: bool,
    looks_up: bool,
}

const ALL: Abilities = Abilities { suggests: true, looks_up: true };

fn door() -> LatLng {
    LatLng::new(64.102, -21.9).unwrap()
}

async fn ask(geocoder: &dyn Geocoder, subject: Subject) -> Result<Vec<Candidate>, Error> {
    geocoder.answer(&Inquiry::new(subject, &Bias::default(), 5), Instant::now() + SOON).await
}

/// That an answer is one: in order, in bounds, with its provider and its licence.
fn check_answer(geocoder: &dyn Geocoder, name: &str, candidates: &[Candidate]) {
    assert!(candidates.len() <= 5);
    assert!(candidates.is_sorted_by(|a, b| a.confidence >= b.confidence), "{candidates:?}");
    for candidate in candidates {
        assert!((0.0..=1.0).contains(&candidate.confidence), "{candidate:?}");
        assert_eq!(&*candidate.provider, name);
        assert!(!candidate.formatted_address.is_empty() && !candidate.position.is_null_island(), "{candidate:?}");
        assert!(geocoder.attributions().contains(&candidate.attribution), "{candidate:?}");
    }
}

fn check_door(geocoder: &dyn Geocoder, name: &str, candidates: &[Candidate]) {
    check_answer(geocoder, name, candidates);
    let best = candidates.first().expect("the door is found");
    assert!(best.position.distance_m(door()) < 5.0 && best.granularity == Granularity::Door, "{best:?}");
    assert!(best.confidence >= 0.85, "{best:?}");
    assert_eq!(best.country, CountryCode::parse("IS"));
}

/// The contract.
async fn holds(geocoder: &dyn Geocoder, name: &str, can: Abilities) {
    let line = |text: &str| Subject::Address(AddressQuery::line(text).unwrap());
    let found = ask(geocoder, line(Fake::QUERY)).await.unwrap();
    check_door(geocoder, name, &found);
    assert_eq!(ask(geocoder, line(Fake::QUERY)).await.unwrap(), found, "the same question has the same answer");

    let parts = PostalAddress {
        street: "Laugavegur 1".into(),
        postal_code: "101".into(),
        locality: "Reykjavík".into(),
        ..PostalAddress::default()
    };
    check_door(geocoder, name, &ask(geocoder, Subject::Address(AddressQuery::Parts(parts))).await.unwrap());

    assert_eq!(ask(geocoder, line("Qwxyzzz 99 Xyzzyville")).await, Ok(Vec::new()), "nothing found is no error");
    let one = Inquiry::new(line(Fake::QUERY), &Bias { near: Some(door()), country: CountryCode::parse("IS") }, 1);
    assert_eq!(geocoder.answer(&one, Instant::now() + SOON).await.unwrap().len(), 1);

    check_door(geocoder, name, &ask(geocoder, Subject::Position(door())).await.unwrap());
    let sea = Subject::Position(LatLng::new(-40.0, -120.0).unwrap());
    assert_eq!(ask(geocoder, sea).await, Ok(Vec::new()), "nothing is at sea");

    let typed = ask(geocoder, Subject::Typed("Laugav".into())).await;
    if can.suggests {
        check_answer(geocoder, name, &typed.clone().unwrap());
        assert!(typed.unwrap()[0].formatted_address.contains("Laugavegur"));
    } else {
        assert!(matches!(typed, Err(Error::Unsupported { .. })), "{typed:?}");
    }

    let place = |provider: &str, id: &str| Subject::Place(PlaceId { provider: provider.into(), id: id.into() });
    let looked_up = ask(geocoder, place(name, &found[0].place_id)).await;
    if can.looks_up {
        let again = looked_up.unwrap();
        check_door(geocoder, name, &again);
        assert_eq!((&again[0].place_id, again.len()), (&found[0].place_id, 1));
        for id in ["N999", "", "is/stadfong/999", "../N1", "N1&osm_ids=N2"] {
            assert_eq!(ask(geocoder, place(name, id)).await, Ok(Vec::new()), "{id:?}");
        }
    } else {
        assert!(matches!(looked_up, Err(Error::Unsupported { .. })), "{looked_up:?}");
    }
}

/// A provider over HTTP with nothing around it.
fn bare(config: ProviderConfig) -> Arc<dyn Geocoder> {
    let config = Config { providers: vec![config], ..Config::default() };
    match config.plans().unwrap().remove(0) {
        Plan::Remote(remote) => provider(*remote, Timestamp::now).unwrap(),
        Plan::Gazetteer(_) => panic!("the gazetteer is not asked over HTTP"),
    }
}

fn abilities(kind: Kind) -> Abilities {
    Abilities { suggests: kind != Kind::OpenCage, looks_up: kind == Kind::Nominatim }
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Nominatim => "nominatim",
        Kind::Photon => "photon",
        Kind::OpenCage => "opencage",
        Kind::Gazetteer => "gazetteer",
    }
}

#[tokio::test]
async fn the_gazetteer_holds_it() {
    let directory = tempfile::tempdir().unwrap();
    let gazetteer = Gazetteer::open(&fixture::built(directory.path())).unwrap();
    holds(&gazetteer, "gazetteer", ALL).await;
}

#[tokio::test]
async fn providers_over_http_hold_it() {
    for kind in KINDS {
        let stub = world(kind).await;
        let config =
            ProviderConfig { suggest: (kind == Kind::Nominatim).then_some(true), ..provider_at(kind, &stub.url) };
        holds(&*bare(config), name(kind), abilities(kind)).await;
        assert!(stub.count() >= 5, "{}", stub.count());
        let agents =
            stub.received().iter().filter(|received| received.headers.contains("user-agent: waymark/")).count();
        assert_eq!(agents, stub.count(), "each request says who asks");
    }
}

#[tokio::test]
async fn nominatim_is_not_asked_while_somebody_types_unless_told() {
    let stub = world(Kind::Nominatim).await;
    let can = Abilities { suggests: false, looks_up: true };
    holds(&*bare(provider_at(Kind::Nominatim, &stub.url)), "nominatim", can).await;
}

#[tokio::test]
async fn a_base_with_a_path_is_kept() {
    let stub = world(Kind::Nominatim).await;
    let geocoder = bare(provider_at(Kind::Nominatim, &format!("{}/maps/nominatim/", stub.url)));
    geocoder.reverse(door(), 1).await.unwrap_err();
    assert_eq!(stub.received()[0].path(), "/maps/nominatim/reverse");
}

#[tokio::test(start_paused = true)]
async fn what_stands_around_a_geocoder_holds_it() {
    let fake = || Arc::new(Fake::default()) as Arc<dyn Geocoder>;
    let name: Arc<str> = Fake::PROVIDER.into();
    let times = Times { found: SOON, empty: SOON };
    let limiter = LocalLimits::default().limiter("fake", Duration::from_millis(10));
    let link = || Link { provider: Fake::PROVIDER.into(), geocoder: fake() };
    let around: [Arc<dyn Geocoder>; 10] = [
        Arc::new(Timed::new(fake(), Arc::clone(&name), SOON)),
        Arc::new(Traced::new(fake(), Fake::PROVIDER)),
        Arc::new(Counted::new(fake(), None)),
        Arc::new(Throttled::new(fake(), Arc::clone(&name), limiter)),
        Arc::new(Breaker::new(fake(), Arc::clone(&name))),
        Arc::new(Retried::new(fake())),
        Arc::new(Coalesced::new(fake(), Arc::clone(&name))),
        Arc::new(Cached::new(fake(), times, Keep::Unlimited, None)),
        Arc::new(Chain::new(vec![link()], 0.6)),
        Arc::new(Reloadable::new(Some(fake()))),
    ];
    for geocoder in around {
        holds(&*geocoder, Fake::PROVIDER, ALL).await;
    }
}

#[tokio::test]
async fn all_of_it_together_holds_it() {
    let directory = tempfile::tempdir().unwrap();
    let gazetteer = fixture::built(directory.path());
    let limits = LocalLimits::default();
    for kind in KINDS {
        let stub = world(kind).await;
        let config = Config { providers: vec![provider_at(kind, &stub.url)], ..Config::default() };
        let geocoder = build(&config, &limits, Timestamp::now, &Built::default()).unwrap().geocoder().unwrap();
        let can = Abilities { suggests: kind == Kind::Photon, ..abilities(kind) };
        holds(&*geocoder, name(kind), can).await;
    }
    // With the gazetteer first, everything is answered, and the other is asked for what it does not find.
    let stub = world(Kind::OpenCage).await;
    let own = ProviderConfig { key_env: None, url: None, ..provider_at(Kind::Gazetteer, "") };
    let providers = vec![own, provider_at(Kind::OpenCage, &stub.url)];
    let config = Config { gazetteer: Some(gazetteer), providers, ..Config::default() };
    let geocoder = build(&config, &limits, Timestamp::now, &Built::default()).unwrap().geocoder().unwrap();
    holds(&*geocoder, "gazetteer", ALL).await;
    assert!(stub.count() >= 1);
    assert!(geocoder.attributions().len() >= 2);
}
