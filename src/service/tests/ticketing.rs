//! Runs that check links where a system stays down, where the store fails in between, and where others are faster.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::{World, wait};
use crate::model::connection::{Verification, VerificationState};
use crate::model::site::{Site, TicketingLink};
use crate::model::ticketing::{LinkCheck, LinkState, System};
use crate::service::Versioned;
use crate::service::patch::SitePatch;
use crate::service::ticketing::connections::ConnectionPatch;
use crate::service::ticketing::session::Session;
use crate::store::document::Document;
use crate::store::{Key, Kind, Mutation};
use crate::ticketing::worlds::{down, world};

/// More steps than any run here takes.
const STEPS_MAX: usize = 50;

/// A link to an organisation of Zendesk.
pub(super) fn link(organization: &str) -> TicketingLink {
    TicketingLink {
        system: "zendesk".to_owned(),
        organization_id: organization.to_owned(),
        organization_name: String::new(),
        external_site_id: String::new(),
        uri: String::new(),
        check: LinkCheck::default(),
    }
}

/// What the stub servers of the six systems know.
pub(super) fn credentials() -> BTreeMap<String, String> {
    let parts = [("email", "Canary-email"), ("api_token", "Canary-api_token")];
    parts.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

impl World {
    /// Connects the account to a Zendesk.
    pub(super) async fn connect(&self, url: &str) {
        self.connect_to(System::Zendesk, url, credentials()).await;
    }

    /// Connects the account to a system.
    pub(super) async fn connect_to(&self, system: System, url: &str, credentials: BTreeMap<String, String>) {
        let patch = ConnectionPatch {
            base_url: Some(url.to_owned()),
            credentials: Some(credentials),
            ..ConnectionPatch::default()
        };
        self.waymark.create_connection(&self.operator, &self.account, system, patch).await.unwrap();
    }

    /// A site that is linked to an organisation of Zendesk.
    pub(super) async fn linked(&self, organization: &str) -> Versioned<Site> {
        self.linked_by(vec![link(organization)]).await
    }

    /// A site with these links.
    pub(super) async fn linked_by(&self, links: Vec<TicketingLink>) -> Versioned<Site> {
        let patch = SitePatch {
            display_name: Some(format!("site {}", self.sites().await.len())),
            ticketing_links: Some(links),
            ..SitePatch::default()
        };
        self.waymark.create_site(&self.operator, &self.account, patch, "").await.unwrap()
    }

    /// The account's newest run.
    pub(super) async fn run(&self) -> Verification {
        self.waymark.list_verifications(&self.operator, &self.account).await.unwrap().remove(0)
    }

    /// The run, after steps until it is over.
    pub(super) async fn stepped(&self, session: &mut Session) -> Verification {
        for _ in 0..STEPS_MAX {
            self.waymark.step(&self.account, session).await.unwrap();
            let run = self.run().await;
            if run.state != VerificationState::Running {
                return run;
            }
            // As long as the worker would wait, and more.
            wait(SignedDuration::from_secs(10));
        }
        panic!("the run does not end: {:?}", self.run().await)
    }
}

/// A run waited for a system that was down at each of its sites anew: of a thousand sites it would have taken a day.
#[tokio::test]
async fn a_system_that_stays_down_ends_a_run_and_breaks_nothing() {
    let (world, stub) = (World::new().await, down().await);
    world.connect(&stub.url).await;
    for _ in 0..3 {
        world.linked("1").await;
    }
    world.waymark.verify_links(&world.operator, &world.account).await.unwrap();
    let run = world.stepped(&mut Session::default()).await;
    assert_eq!((run.state, run.findings.seen, run.findings.failed), (VerificationState::Done, 3, 3));
    assert_eq!(run.findings.failures["zendesk"].0, "TICKETING_UNAVAILABLE");
    assert!((2..=25).contains(&stub.count()), "it was waited for, and then given up: {}", stub.count());
    let links = world.sites().await.into_iter().flat_map(|site| site.ticketing_links);
    assert!(links.into_iter().all(|link| link.check == LinkCheck::default()));
}

#[tokio::test]
async fn a_store_that_fails_in_between_makes_a_run_count_nothing_twice() {
    let stub = world(System::Zendesk).await;
    for commits in 0..4 {
        let world = World::new().await;
        world.connect(&stub.url).await;
        for organization in ["1", "999", "1"] {
            world.linked(organization).await;
        }
        world.waymark.verify_links(&world.operator, &world.account).await.unwrap();
        let mut session = Session::default();
        world.fail_after(commits);
        let failed = world.waymark.step(&world.account, &mut session).await;
        assert!(failed.is_err(), "three sites and the note are four commits: {commits}");
        world.fail_after(usize::MAX);
        let run = world.stepped(&mut session).await;
        let found = run.findings;
        assert_eq!((found.seen, found.verified, found.broken, found.failed), (3, 2, 1, 0), "after {commits} commits");
    }
}

#[tokio::test]
async fn a_link_that_changes_meanwhile_gets_nothing_of_the_old_one() {
    let (world, stub) = (World::new().await, world(System::Zendesk).await);
    world.connect(&stub.url).await;
    let site = world.linked("1").await;
    let changed = Site { ticketing_links: vec![link("777")], ..site.value.clone() };
    let key = Key::of(&world.account, Kind::Site, site.value.id);
    world.overtake(vec![Mutation::replace(key, site.revision, Document::Site(Box::new(changed)))]);
    let checked = world.waymark.verify_site_links(&world.operator, &world.account, site.value.id).await.unwrap();
    let kept = &checked.site.value.ticketing_links[0];
    assert_eq!((kept.organization_id.as_str(), kept.check.state), ("777", LinkState::Unverified));
    let again = world.waymark.verify_site_links(&world.operator, &world.account, site.value.id).await.unwrap();
    assert_eq!(again.states, [LinkState::Broken]);
}
