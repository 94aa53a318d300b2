//! Limits, at the limit, and what ends by itself.

use std::num::NonZeroU32;

use futures_util::future::join_all;
use jiff::SignedDuration;

use super::{World, network, now, wait};
use crate::error::{Fault as _, Reason};
use crate::model::Invalid;
use crate::model::id::AgentId;
use crate::model::prefix::{PREFIXES_MAX, Prefix};
use crate::model::reestimation::{Findings, Mode, Reach, Reestimation, State};
use crate::service::Error;
use crate::service::activation::Activation;
use crate::service::patch::SitePatch;
use crate::service::reestimation::{RUNS_MAX, WAITING_MAX};
use crate::service::replacement::{CONSENT_DEFAULT, CONSENT_MAX};
use crate::spatial::refusal::Refusal;
use crate::store::document::Document;
use crate::store::{Key, Kind, Mutation, Store as _};

impl World {
    /// Puts runs of networks of other accounts into the store, as they are after a time, and as `set` changes them.
    pub(super) async fn put_runs(&self, count: usize, state: State, set: impl Fn(&mut Reestimation)) {
        let run = |number: usize| {
            let mut run = Reestimation {
                id: format!("{number:012x}-0000000000000000"),
                mode: Mode::Apply,
                reach: Reach::Networks(format!("other-{number}").parse().unwrap(), Vec::new()),
                candidate: None,
                state,
                failure: String::new(),
                cursor: None,
                unwritten: None,
                total: 0,
                findings: Findings::default(),
                started_at: now(),
                ended_at: (state != State::Running).then(now),
                started_by: "test".to_owned(),
            };
            set(&mut run);
            Mutation::create(Key::operator(Kind::Reestimation, &run.id), Document::Reestimation(Box::new(run)))
        };
        self.store.commit((0..count).map(run).collect()).await.unwrap();
    }

    async fn put_prefixes(&self, count: usize) {
        let prefix = |number: usize| {
            let [.., second, third] = number.to_be_bytes();
            let prefix = Prefix {
                network: format!("10.{second}.{third}.0/24").parse().unwrap(),
                display_name: String::new(),
                position: network("10.0.0.0/8", 47.0).position,
                accuracy_m: None,
                granularity: network("10.0.0.0/8", 47.0).granularity,
                created_at: now(),
                updated_at: now(),
            };
            Mutation::create(Key::of(&self.account, Kind::Prefix, prefix.network), Document::Prefix(prefix))
        };
        self.store.commit((0..count).map(prefix).collect()).await.unwrap();
    }

    pub(super) fn activation(&self, agent: &AgentId) -> Activation {
        Activation {
            account: self.account.clone(),
            agent: agent.clone(),
            agent_key: b"k".repeat(32),
            display_name: String::new(),
            claimed_ip: None,
            public_ip: Ok([10, 0, 0, 1].into()),
            device: None,
        }
    }
}

#[tokio::test]
async fn runs_that_wait_are_bounded() {
    let world = World::new().await;
    world.put_runs(WAITING_MAX - 1, State::Running, |_| {}).await;
    world.waymark.apply_database(&world.operator).await.unwrap();
    let refused = world.waymark.apply_database(&world.operator).await;
    assert!(matches!(refused, Err(Error::TooMany("re-estimations that wait", WAITING_MAX))), "{refused:?}");
    let made = world.waymark.create_prefix(&world.operator, &world.account, network("10.0.0.0/8", 47.0)).await;
    assert!(matches!(made, Err(Error::TooMany(..))), "{made:?}");
    let prefix = world.waymark.prefix(&world.operator, &world.account, "10.0.0.0/8".parse().unwrap()).await;
    assert!(matches!(prefix, Err(Error::NotFound(_))), "no network changes without its run: {prefix:?}");
}

#[tokio::test]
async fn the_oldest_runs_that_ended_go() {
    let world = World::new().await;
    world.put_runs(RUNS_MAX + 3, State::Done, |_| {}).await;
    let kept = world.waymark.apply_database(&world.operator).await.unwrap();
    world.waymark.cancel_reestimation(&world.operator, &kept.id).await.unwrap();
    world.waymark.create_prefix(&world.operator, &world.account, network("10.0.0.0/8", 47.0)).await.unwrap();
    let runs = world.waymark.list_reestimations(&world.operator).await.unwrap();
    let of_networks: Vec<_> = runs.iter().filter(|run| run.reach != Reach::All).collect();
    assert_eq!(of_networks.len(), RUNS_MAX, "the new one is one of them");
    assert!(of_networks.iter().all(|run| run.id.as_str() > "000000000003"), "the oldest went");
    assert!(runs.iter().any(|run| run.id == kept.id), "those of all accounts are counted apart");
}

/// The limit was looked at before the write: calls that raced went beyond it together.
#[tokio::test]
async fn networks_of_an_account_are_bounded_however_calls_race() {
    let world = World::new().await;
    world.put_prefixes(PREFIXES_MAX - 1).await;
    let fields = (0..8).map(|number| network(&format!("192.168.{number}.0/24"), 47.0));
    let make = |fields| world.waymark.create_prefix(&world.operator, &world.account, fields);
    let made = join_all(fields.map(make)).await;
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 1);
    for refused in made.iter().filter_map(|made| made.as_ref().err()) {
        assert!(matches!(refused, Error::TooMany(_, PREFIXES_MAX)), "{refused:?}");
    }
    // One that goes makes room for one.
    let gone = "10.0.0.0/24".parse().unwrap();
    world.waymark.delete_prefix(&world.operator, &world.account, gone, "").await.unwrap();
    assert!(make(network("10.0.0.0/24", 47.0)).await.is_ok());
    assert!(make(network("172.16.0.0/24", 47.0)).await.is_err());
}

#[tokio::test]
async fn a_consent_ends_by_itself() {
    let world = World::new().await;
    world.create_sites(1).await;
    let (site, agent) = (world.sites().await[0].id, "fw-2".parse::<AgentId>().unwrap());
    let allow =
        async |until| world.waymark.allow_replacement(&world.operator, &world.account, site, &agent, until).await;
    for until in [now() - SignedDuration::from_secs(1), now() + CONSENT_MAX + SignedDuration::from_mins(1)] {
        let refused = allow(Some(until)).await;
        assert!(matches!(&refused, Err(Error::Invalid(fault)) if fault.field == "expire_time"), "{refused:?}");
    }
    let allowed = allow(None).await.unwrap();
    wait(CONSENT_DEFAULT - SignedDuration::from_mins(1));
    assert!(world.waymark.shown(allowed.clone()).value.replacement.is_some());
    wait(SignedDuration::from_mins(2));
    assert!(world.waymark.shown(allowed).value.replacement.is_none(), "what ended is not shown");
    let activated = world.waymark.activate_agent(&world.operator, world.activation(&agent)).await.unwrap();
    assert!(activated.created && !activated.replaced && activated.site.value.id != site, "it holds nobody up");
}

/// The agent's id went on to another site, and its first credential stayed good on the site that was deleted: when that
/// came back, two devices spoke for it.
#[tokio::test]
async fn the_credential_of_a_deleted_site_ends_when_its_agent_goes_on() {
    let world = World::new().await;
    world.create_sites(1).await;
    let (next, agent) = (world.sites().await[0].id, "fw-1".parse::<AgentId>().unwrap());
    let first = world.waymark.activate_agent(&world.operator, world.activation(&agent)).await.unwrap();
    let (old, credential) = (first.site.value.id, first.credential.unwrap());
    assert!(world.waymark.authenticate(&credential).is_ok());
    world.waymark.delete_site(&world.operator, &world.account, old, String::new()).await.unwrap();
    assert!(world.waymark.authenticate(&credential).is_ok(), "the site may come back with its agent");
    world.waymark.allow_replacement(&world.operator, &world.account, next, &agent, None).await.unwrap();
    assert!(matches!(world.waymark.authenticate(&credential), Err(Error::Credential)));
}

/// The deleted site kept the name of the agent that had gone on, and came back with it: two sites named one agent.
#[tokio::test]
async fn a_deleted_site_comes_back_without_the_agent_that_went_on() {
    let world = World::new().await;
    world.create_sites(2).await;
    let (next, third, agent) =
        (world.sites().await[0].id, world.sites().await[1].id, "fw-1".parse::<AgentId>().unwrap());
    let allow = async |site| world.waymark.allow_replacement(&world.operator, &world.account, site, &agent, None).await;
    let delete = async |site| {
        world.waymark.delete_site(&world.operator, &world.account, site, String::new()).await.unwrap();
    };
    let restore = async |site| {
        let restored = world.waymark.undelete_site(&world.operator, &world.account, site, String::new(), "").await;
        restored.unwrap().value
    };
    let first = world.waymark.activate_agent(&world.operator, world.activation(&agent)).await.unwrap();
    let old = first.site.value.id;
    delete(old).await;
    allow(next).await.unwrap();
    assert_eq!(restore(old).await.agent, None);
    let refused = allow(old).await;
    assert!(matches!(refused, Err(Error::AgentElsewhere(..))), "it is awaited at the next site: {refused:?}");
    delete(next).await;
    allow(third).await.unwrap();
    assert_eq!(restore(next).await.replacement, None, "nor is it awaited at two sites");
}

/// The consent looked at the deleted site, and did not hold on to what it saw.
#[tokio::test]
async fn a_site_that_is_restored_meanwhile_keeps_its_agent() {
    let world = World::new().await;
    world.create_sites(1).await;
    let (next, agent) = (world.sites().await[0].id, "fw-1".parse::<AgentId>().unwrap());
    let first = world.waymark.activate_agent(&world.operator, world.activation(&agent)).await.unwrap();
    let (site, credential) = (first.site.value, first.credential.unwrap());
    world.waymark.delete_site(&world.operator, &world.account, site.id, String::new()).await.unwrap();
    let key = Key::of(&world.account, Kind::Site, site.id);
    let restored = Some(Document::Site(Box::new(site.clone())));
    world.overtake(vec![Mutation { document: restored, ..Mutation::delete(key) }]);
    let refused = world.waymark.allow_replacement(&world.operator, &world.account, next, &agent, None).await;
    assert!(matches!(refused, Err(Error::AgentElsewhere(..))), "{refused:?}");
    let found = world.waymark.get_site(&world.operator, &world.account, site.id).await.unwrap();
    assert_eq!(found.value.agent, Some(agent));
    assert!(world.waymark.authenticate(&credential).is_ok());
}

/// A site that goes makes room for one, however it comes.
#[tokio::test]
async fn sites_of_an_account_are_bounded() {
    let mut world = World::new().await;
    world.waymark.parts.config.sites_max = NonZeroU32::new(3).unwrap();
    world.create_sites(2).await;
    let (waymark, operator, account) = (&world.waymark, &world.operator, &world.account);
    let patch = |name: &str| SitePatch { display_name: Some(name.to_owned()), ..SitePatch::default() };
    let once = "c86ebf0e-6a33-4a5a-9d0c-2f0b8b3a3d10";
    let last = waymark.create_site(operator, account, patch("last"), once).await.unwrap().value;
    let again = waymark.create_site(operator, account, patch("last"), once).await.unwrap().value;
    assert_eq!(again.id, last.id, "a repeat makes no site");
    let agent: AgentId = "agent-1".parse().unwrap();
    let refused = [
        waymark.create_site(operator, account, patch("more"), "").await.err(),
        waymark.preview_site(operator, account, patch("more")).await.err(),
        waymark.activate_agent(operator, world.activation(&agent)).await.err(),
    ];
    for refused in refused {
        assert!(matches!(refused, Some(Error::TooManySites(3))), "{refused:?}");
    }
    waymark.delete_site(operator, account, last.id, String::new()).await.unwrap();
    waymark.activate_agent(operator, world.activation(&agent)).await.unwrap();
    let undeleted = waymark.undelete_site(operator, account, last.id, String::new(), "").await;
    assert!(matches!(undeleted, Err(Error::TooManySites(3))), "{undeleted:?}");
}

#[test]
fn what_a_map_refuses_is_a_limit_or_a_fault_of_the_question() {
    let limits = [Refusal::TooManyNear, Refusal::TooManyToFit, Refusal::TooManyToCount, Refusal::TooFarReaching];
    for refusal in limits {
        let told = refusal.to_string();
        let error = Error::from(refusal);
        assert_eq!((error.reason(), error.told()), (Reason::LimitReached, told));
    }
    assert_eq!(Error::from(Refusal::from(Invalid::new("zoom", "no"))).reason(), Reason::FieldInvalid);
}
