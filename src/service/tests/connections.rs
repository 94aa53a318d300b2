//! Runs and checks whose connection changes under them, whose system falls silent, and who sees less than before.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::json;

use super::ticketing::{credentials, link};
use super::{World, wait};
use crate::model::connection::VerificationState;
use crate::model::site::TicketingLink;
use crate::model::ticketing::{LinkCheck, LinkState, System};
use crate::service::Error;
use crate::service::ticketing::connections::ConnectionPatch;
use crate::service::ticketing::session::Session;
use crate::store::{Key, Kind, Mutation};
use crate::ticketing::worlds::{Received, Reply, Stub};

/// How often a test looks whether something has come about.
const POLL: Duration = Duration::from_millis(5);
/// Longer than anything of a system is believed without asking again.
const LATER: SignedDuration = SignedDuration::from_hours(1);

/// A Zendesk with organisation 1 on its list, which answers for single ones as `one` says, by their ids.
async fn zendesk(one: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Stub {
    Stub::start(move |received| match received.path().strip_prefix("/api/v2/organizations") {
        Some("") => {
            let all = json!([{"id": 1, "name": "Company 1"}]);
            Reply::Json(json!({"organizations": all, "meta": {"has_more": false}}).to_string())
        }
        Some(below) => one(&below[1..]),
        None => status(404),
    })
    .await
}

fn found(id: &str) -> Reply {
    let organization = json!({"id": id.parse::<u64>().unwrap(), "name": format!("Company {id}")});
    Reply::Json(json!({"organization": organization}).to_string())
}

fn status(status: u16) -> Reply {
    Reply::Whole(status, vec![("content-type", "application/json".to_owned())], b"{}".to_vec())
}

/// How often single organisations were asked for, by id.
fn asked(stub: &Stub) -> BTreeMap<String, usize> {
    let mut asked = BTreeMap::new();
    for path in stub.received().iter().map(Received::path) {
        if let Some(id) = path.strip_prefix("/api/v2/organizations/") {
            *asked.entry(id.to_owned()).or_default() += 1;
        }
    }
    asked
}

/// A run that found the first of three sites, and waits for the second.
async fn waiting(world: &World) -> (Stub, Session) {
    let stub = zendesk(|id| if id == "2" { status(500) } else { found(id) }).await;
    world.connect(&stub.url).await;
    for organization in ["1", "2", "1"] {
        world.linked(organization).await;
    }
    world.waymark.verify_links(&world.operator, &world.account).await.unwrap();
    let mut session = Session::default();
    world.waymark.step(&world.account, &mut session).await.unwrap();
    let run = world.run().await;
    assert!(run.findings.seen == 1 && run.resumes_at.is_some(), "{run:?}");
    (stub, session)
}

/// A run went on for hours with credentials that somebody had taken away.
#[tokio::test]
async fn a_run_asks_nothing_more_with_a_connection_that_is_gone() {
    let world = World::new().await;
    let (stub, mut session) = waiting(&world).await;
    world.waymark.delete_connection(&world.operator, &world.account, System::Zendesk, "").await.unwrap();
    let asked = stub.count();
    let run = world.stepped(&mut session).await;
    assert_eq!((run.findings.seen, run.findings.verified, run.findings.failed), (3, 1, 2));
    assert_eq!(run.findings.failures["zendesk"].0, "TICKETING_NOT_CONNECTED");
    assert_eq!(stub.count(), asked, "nobody asks with what is deleted");
}

/// A run went on at the old host, and believed the names that it had told.
#[tokio::test]
async fn a_run_goes_on_with_the_connection_as_it_is_now() {
    let world = World::new().await;
    let (old, mut session) = waiting(&world).await;
    let (asked_before, new) = (old.count(), zendesk(|id| if id == "1" { status(404) } else { found(id) }).await);
    let patch = ConnectionPatch {
        base_url: Some(new.url.clone()),
        credentials: Some(credentials()),
        ..ConnectionPatch::default()
    };
    world.waymark.update_connection(&world.operator, &world.account, System::Zendesk, patch, "").await.unwrap();
    let run = world.stepped(&mut session).await;
    assert_eq!((run.findings.verified, run.findings.broken, run.findings.failed), (2, 1, 0));
    assert_eq!(old.count(), asked_before, "nobody asks the old host");
    assert_eq!(asked(&new), BTreeMap::from([("1".to_owned(), 1), ("2".to_owned(), 1)]));
}

/// A denial that one run remembered was told by the next one too, without asking.
#[tokio::test]
async fn a_new_run_knows_nothing_of_the_one_before() {
    let (world, is_denied) = (World::new().await, Arc::new(AtomicBool::new(true)));
    let switch = Arc::clone(&is_denied);
    let stub = Stub::start(move |received| match received.path().rsplit('/').next() {
        _ if switch.load(Ordering::SeqCst) => status(401),
        Some("1") => found("1"),
        _ => Reply::Json(json!({"organizations": [{"id": 1, "name": "Company 1"}], "meta": {}}).to_string()),
    });
    let stub = stub.await;
    world.connect(&stub.url).await;
    world.linked("1").await;
    let mut session = Session::default();
    world.waymark.verify_links(&world.operator, &world.account).await.unwrap();
    let run = world.stepped(&mut session).await;
    assert_eq!(run.findings.failures["zendesk"].0, "TICKETING_DENIED");
    is_denied.store(false, Ordering::SeqCst);
    world.waymark.verify_links(&world.operator, &world.account).await.unwrap();
    let run = world.stepped(&mut session).await;
    assert_eq!((run.findings.verified, run.findings.failed), (1, 0), "{run:?}");
}

/// A name that was told at the beginning of a run of hours was written as found at its end.
#[tokio::test]
async fn what_a_system_told_long_ago_is_asked_again() {
    let (world, is_gone, is_down) =
        (World::new().await, Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(true)));
    let (gone, down) = (Arc::clone(&is_gone), Arc::clone(&is_down));
    let stub = zendesk(move |id| match id {
        "1" if gone.load(Ordering::SeqCst) => status(404),
        "2" if down.load(Ordering::SeqCst) => status(500),
        _ => found(id),
    });
    let stub = stub.await;
    world.connect(&stub.url).await;
    for organization in ["1", "2", "1"] {
        world.linked(organization).await;
    }
    world.waymark.verify_links(&world.operator, &world.account).await.unwrap();
    let mut session = Session::default();
    world.waymark.step(&world.account, &mut session).await.unwrap();
    is_gone.store(true, Ordering::SeqCst);
    is_down.store(false, Ordering::SeqCst);
    wait(LATER);
    let run = world.stepped(&mut session).await;
    assert_eq!((run.findings.verified, run.findings.broken), (2, 1), "{run:?}");
    assert_eq!(asked(&stub)["1"], 2);
}

/// A connection that was deleted between reading and using it was used, and kept in memory with its secret.
#[tokio::test]
async fn a_connection_that_is_deleted_meanwhile_is_not_used() {
    let (world, stub) = (World::new().await, zendesk(found).await);
    world.connect(&stub.url).await;
    let key = Key::of(&world.account, Kind::Connection, "zendesk");
    // The first read finds it, the second is the one that a connector is built of.
    world.outdate(key.clone(), 2, vec![Mutation::delete(key)]);
    let failure = world.waymark.check_connection(&world.operator, &world.account, System::Zendesk).await.unwrap_err();
    assert!(matches!(failure, Error::NotConnected(_)), "{failure:?}");
    assert_eq!(stub.count(), 0);
}

/// A credential whose rights were narrowed sees an empty list and no organisation: that broke every link.
#[tokio::test]
async fn a_connection_that_is_shown_nothing_breaks_no_link() {
    let stub = Stub::start(|received| match received.path().as_str() {
        "/api/v2/organizations" => Reply::Json(json!({"organizations": [], "meta": {}}).to_string()),
        _ => status(404),
    });
    let (world, stub) = (World::new().await, stub.await);
    world.connect(&stub.url).await;
    let site = world.linked("1").await;
    let checked = world.waymark.verify_site_links(&world.operator, &world.account, site.value.id).await.unwrap();
    assert_eq!(checked.failures["zendesk"].reason.as_str(), "TICKETING_DENIED");
    assert_eq!(checked.site.value.ticketing_links[0].check, LinkCheck::default());
    assert!(stub.count() > 0, "it was asked");
    let failure = world.waymark.check_connection(&world.operator, &world.account, System::Zendesk).await.unwrap_err();
    assert_eq!(crate::error::Fault::reason(&failure).as_str(), "TICKETING_DENIED");
}

/// Each link of a site waited for a silent system anew: 32 of them took longer than any call.
#[tokio::test]
async fn a_silent_system_is_asked_once_for_a_site() {
    let (world, stub) = (World::impatient(500).await, zendesk(|_| Reply::Silent).await);
    world.connect(&stub.url).await;
    let site = world.linked_by(["1", "2", "3"].map(link).into()).await;
    let checked = world.waymark.verify_site_links(&world.operator, &world.account, site.value.id).await.unwrap();
    assert_eq!((checked.failed, checked.states.len()), (3, 0));
    assert_eq!(asked(&stub).values().sum::<usize>(), 1, "{:?}", asked(&stub));
}

/// What one organisation does wrong says nothing of the others.
#[tokio::test]
async fn an_answer_that_is_none_keeps_no_other_link_from_its_check() {
    let (world, stub) = (World::new().await, zendesk(|id| if id == "1" { found("9") } else { found(id) }).await);
    world.connect(&stub.url).await;
    let site = world.linked_by(["1", "2"].map(link).into()).await;
    let checked = world.waymark.verify_site_links(&world.operator, &world.account, site.value.id).await.unwrap();
    assert_eq!((checked.failed, checked.states), (1, vec![LinkState::Verified]));
}

/// All accounts of a batch waited for the slowest one.
#[tokio::test]
async fn an_account_whose_system_is_silent_keeps_no_other_waiting() {
    let (mut world, healthy) = (World::new().await, zendesk(found).await);
    let silent = zendesk(|_| Reply::Silent).await;
    world.connect(&healthy.url).await;
    // More than a step has.
    for _ in 0..120 {
        world.linked("1").await;
    }
    world.waymark.verify_links(&world.operator, &world.account).await.unwrap();
    let healthy_account = std::mem::replace(&mut world.account, "silent".parse().unwrap());
    world.waymark.create_account(&world.operator, world.account.clone(), "Silent", None).await.unwrap();
    world.connect(&silent.url).await;
    world.linked("1").await;
    world.waymark.verify_links(&world.operator, &world.account).await.unwrap();
    let is_done = async {
        let run = async || world.waymark.list_verifications(&world.operator, &healthy_account).await.unwrap().remove(0);
        while asked(&silent).is_empty() || run().await.state != VerificationState::Done {
            tokio::time::sleep(POLL).await;
        }
        (run().await, world.run().await, silent.open())
    };
    let (run, waiting, open) = tokio::select! {
        found = is_done => found,
        () = world.waymark.work_on_verifications() => panic!("the work never ends"),
    };
    assert_eq!(run.findings.verified, 120);
    assert!(open > 0 && waiting.resumes_at.is_none() && waiting.findings.seen == 0, "it is asked yet: {waiting:?}");
}

/// Two calls at once began two runs, one of which nobody was told of.
#[tokio::test]
async fn calls_at_once_begin_one_run() {
    let world = World::new().await;
    world.linked("1").await;
    let calls = (0..8).map(|_| world.waymark.verify_links(&world.operator, &world.account));
    let begun = futures_util::future::join_all(calls).await;
    let ids: Vec<String> = begun.into_iter().map(|run| run.unwrap().id).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(world.waymark.list_verifications(&world.operator, &world.account).await.unwrap().len(), 1);
}

/// A call was cut while it waited for a silent system, and what a healthy one had told was lost.
#[tokio::test]
async fn what_is_told_in_time_is_written_down() {
    let (world, healthy) = (World::new().await, zendesk(found).await);
    let silent = Stub::always(Reply::Silent).await;
    world.connect(&healthy.url).await;
    let key = [("api_key".to_owned(), "x".to_owned())].into();
    // Asked before Zendesk, were they asked one after the other.
    world.connect_to(System::Syncro, &silent.url, [("api_token".to_owned(), "x".to_owned())].into()).await;
    world.connect_to(System::Freshdesk, &silent.url, key).await;
    let to = |system: &str| TicketingLink { system: system.to_owned(), ..link("1") };
    let site = world.linked_by(vec![to("syncro"), to("zendesk"), to("freshdesk")]).await;
    let (session, time) = (&mut Session::default(), Duration::from_secs(2));
    let checked = world.waymark.check_links(&world.account, site.value.id, session, time).await.unwrap();
    assert_eq!((checked.states.as_slice(), checked.failed), ([LinkState::Verified].as_slice(), 2));
    assert_eq!(checked.failures.keys().collect::<Vec<_>>(), [&"freshdesk", &"syncro"]);
    assert_eq!(silent.count(), 2, "both were asked at once");
    let kept = world.sites().await.remove(0);
    assert_eq!(kept.ticketing_links[1].check.state, LinkState::Verified);
}

/// A run that began earlier than somebody's own check wrote its older answer over the newer one.
#[tokio::test]
async fn an_older_answer_replaces_no_newer_one() {
    let (world, is_gone) = (World::new().await, Arc::new(AtomicBool::new(false)));
    let gone = Arc::clone(&is_gone);
    let stub = zendesk(move |id| if gone.load(Ordering::SeqCst) { status(404) } else { found(id) }).await;
    world.connect(&stub.url).await;
    let (first, second) = (world.linked("1").await.value.id, world.linked("1").await.value.id);
    let mut session = Session::default();
    let time = Duration::from_secs(5);
    world.waymark.check_links(&world.account, first, &mut session, time).await.unwrap();
    is_gone.store(true, Ordering::SeqCst);
    wait(SignedDuration::from_secs(60));
    let checked = world.waymark.verify_site_links(&world.operator, &world.account, second).await.unwrap();
    assert_eq!(checked.states, [LinkState::Broken]);
    let checked = world.waymark.check_links(&world.account, second, &mut session, time).await.unwrap();
    assert_eq!(checked.states, [LinkState::Broken]);
    assert_eq!(asked(&stub)["1"], 2, "the run remembers");
}
