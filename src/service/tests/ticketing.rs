//! Runs that check links where a system stays down, where the store fails in between, and where others are faster.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::{World, now, setup, wait};
use crate::geoip::databases::Databases;
use crate::model::connection::{Verification, VerificationState};
use crate::model::site::{Site, TicketingLink};
use crate::model::ticketing::{LinkCheck, LinkState, System};
use crate::service::Versioned;
use crate::service::patch::SitePatch;
use crate::service::ticketing::again::Plan;
use crate::service::ticketing::connections::ConnectionPatch;
use crate::service::ticketing::session::Session;
use crate::store::document::Document;
use crate::store::{Key, Kind, Mutation};
use crate::ticketing::target::Config;
use crate::ticketing::worlds::{down, world};

/// More steps than any run here takes.
const STEPS_MAX: usize = 50;
/// Between two looks at what is due, as the clock of a test goes.
const LOOK: SignedDuration = SignedDuration::from_secs(30);
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// Over so long a time what comes due together is spread.
const SPREAD: SignedDuration = SignedDuration::from_hours(3);
/// So much later than it is due a run begins at most: a look, and how long the test itself takes.
const LATE: SignedDuration = SignedDuration::from_mins(2);

/// A link to an organisation of Zendesk.
pub(super) fn link(organization: &str) -> TicketingLink {
    TicketingLink {
        system: "zendesk".to_owned(),
        organization_id: organization.to_owned(),
        organization_name: String::new(),
        external_site_id: String::new(),
        external_site_name: String::new(),
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

    /// How many runs of the account are kept.
    async fn runs(&self) -> usize {
        self.waymark.list_verifications(&self.operator, &self.account).await.unwrap().len()
    }

    /// Looks at what is due for a while, until there are so many runs; whether there are.
    async fn begins(&self, plan: &mut Plan, count: usize, time: SignedDuration) -> bool {
        let end = now() + time;
        while now() < end {
            self.waymark.look_for_due(plan).await;
            if self.runs().await >= count {
                return true;
            }
            wait(LOOK);
        }
        false
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

/// A link that broke was told when somebody asked, and nobody did.
#[tokio::test]
async fn links_are_checked_again_each_day_at_the_accounts_time() {
    let (world, stub) = (World::new().await, world(System::Zendesk).await);
    world.connect(&stub.url).await;
    world.linked("1").await;
    let (mut plan, connected_at) = (Plan::default(), now());
    let mut started = Vec::new();
    for count in 1..=3 {
        assert!(world.begins(&mut plan, count, DAY + SPREAD).await, "run {count}");
        let run = world.stepped(&mut Session::default()).await;
        assert_eq!((run.started_by.as_str(), run.findings.verified), ("system", 1));
        started.push(run.started_at);
    }
    assert!(started[0].duration_since(connected_at) <= SPREAD + LATE);
    for pair in started.windows(2) {
        let between = pair[1].duration_since(pair[0]);
        assert!((DAY - LATE..DAY + LATE).contains(&between), "{between}");
    }
}

#[tokio::test]
async fn restarts_begin_no_run_early_and_forget_none() {
    let (world, stub) = (World::new().await, world(System::Zendesk).await);
    world.connect(&stub.url).await;
    world.linked("1").await;
    let begun = world.waymark.verify_links(&world.operator, &world.account).await.unwrap();
    world.stepped(&mut Session::default()).await;
    // A process that starts again every ten minutes knows nothing of what the last one knew.
    let is_due = |run: &Verification| now().duration_since(run.started_at) >= DAY;
    while !is_due(&begun) {
        let mut plan = Plan::default();
        world.waymark.look_for_due(&mut plan).await;
        wait(LOOK);
        world.waymark.look_for_due(&mut plan).await;
        assert!(world.runs().await == 1 || is_due(&begun), "what a person began is not a day old");
        wait(LOOK * 20);
    }
    // It was away for days: what came due is begun, at a time of the account, and once.
    wait(DAY * 3);
    let mut plan = Plan::default();
    let up_at = now();
    assert!(world.begins(&mut plan, 2, SPREAD + LATE).await);
    world.stepped(&mut Session::default()).await;
    assert!(!world.begins(&mut Plan::default(), 3, DAY - SPREAD).await);
    assert!(world.run().await.started_at.duration_since(up_at) <= SPREAD + LATE);
}

#[tokio::test]
async fn there_is_one_run_of_an_account_however_long_it_takes() {
    let (world, stub) = (World::new().await, down().await);
    world.connect(&stub.url).await;
    world.linked("1").await;
    let mut plan = Plan::default();
    assert!(world.begins(&mut plan, 1, SPREAD + LATE).await);
    world.waymark.step(&world.account, &mut Session::default()).await.unwrap();
    assert_eq!(world.run().await.state, VerificationState::Running);
    assert!(!world.begins(&mut plan, 2, DAY * 2).await, "the first one still waits for its system");
    let asked = world.waymark.verify_links(&world.operator, &world.account).await.unwrap();
    assert_eq!((asked.started_by.as_str(), world.runs().await), ("system", 1));
}

#[tokio::test]
async fn a_run_that_could_not_be_written_is_begun_later() {
    let (world, stub) = (World::new().await, world(System::Zendesk).await);
    world.connect(&stub.url).await;
    world.linked("1").await;
    let mut plan = Plan::default();
    world.fail_after(0);
    assert!(!world.begins(&mut plan, 1, SPREAD + LATE).await);
    world.fail_after(usize::MAX);
    // What is due since then is begun at the next look, and that is at most ten minutes away.
    assert!(world.begins(&mut plan, 1, SignedDuration::from_mins(11)).await);
}

#[tokio::test]
async fn nothing_is_begun_where_nothing_can_be_checked_or_nobody_wants_it() {
    let stub = world(System::Zendesk).await;
    let never = Config { verify_every_h: 0, ..Config::default() };
    let never = World::set_up(Databases::empty(), None, setup(never)).await;
    never.connect(&stub.url).await;
    never.linked("1").await;
    let (unlinked, unconnected) = (World::new().await, World::new().await);
    unlinked.connect(&stub.url).await;
    unconnected.linked("1").await;
    for world in [&never, &unlinked, &unconnected] {
        assert!(!world.begins(&mut Plan::default(), 1, DAY).await);
    }
    // What is connected later is looked at within ten minutes, and due within the spread.
    let mut plan = Plan::default();
    unconnected.waymark.look_for_due(&mut plan).await;
    unconnected.connect(&stub.url).await;
    assert!(unconnected.begins(&mut plan, 1, SPREAD + SignedDuration::from_mins(11)).await);
}

/// All accounts that were connected while the server was an older one would have been checked at its first start.
#[tokio::test]
async fn what_comes_due_together_does_not_begin_together() {
    const ACCOUNTS: usize = 40;
    let mut world = World::new().await;
    for number in 0..ACCOUNTS {
        world.account = format!("account-{number}").parse().unwrap();
        world.waymark.create_account(&world.operator, world.account.clone(), "", None).await.unwrap();
        world.connect("https://acme.zendesk.com").await;
        world.linked("1").await;
    }
    wait(DAY * 3);
    let (mut plan, mut before, mut most) = (Plan::default(), 0, 0);
    // Five minutes each.
    for _ in 0..=SPREAD.as_secs() / 300 {
        for _ in 0..10 {
            world.waymark.look_for_due(&mut plan).await;
            wait(LOOK);
        }
        let mut begun = 0;
        for number in 0..ACCOUNTS {
            world.account = format!("account-{number}").parse().unwrap();
            begun += world.runs().await;
        }
        (before, most) = (begun, most.max(begun - before));
    }
    assert_eq!(before, ACCOUNTS);
    assert!(most <= 8, "{most} of them begin within five minutes");
}
