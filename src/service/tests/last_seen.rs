//! Times that are in memory alone, at the end: what is lost beside others that write, and beside records that are gone.

use std::time::Duration;

use jiff::SignedDuration;

use super::{World, network, wait};
use crate::model::access::{Principal, Scope};
use crate::model::id::AccountId;
use crate::model::site::{Site, Status};
use crate::service::last_seen::LastSeen;
use crate::service::patch::SitePatch;
use crate::service::reports::{Report, Reported};
use crate::store::document::Document;
use crate::store::{Key, Kind, Mutation};

fn named(name: &str) -> SitePatch {
    SitePatch { display_name: Some(name.to_owned()), ..SitePatch::default() }
}

/// Time enough for some sites.
const TIME: Duration = Duration::from_mins(1);

impl World {
    /// Lets all sites of the account report, after so many minutes.
    async fn report(&self, minutes: i64, expect: impl Fn(&Reported) -> bool) {
        wait(SignedDuration::from_mins(minutes));
        let service = Principal { scope: Scope::Service, account: Some(self.account.clone()), ..self.operator.clone() };
        let report = |site: &Site| Report {
            site: site.id,
            status: Status::Online,
            seen_at: None,
            public_ip: None,
            device: None,
        };
        let reports = self.sites().await.iter().map(report).collect();
        let reported = self.waymark.batch_report_status(&service, &self.account, reports).await.unwrap();
        assert!(reported.iter().all(|outcome| expect(outcome.as_ref().unwrap())), "{reported:?}");
    }

    /// Sites whose last reports are in memory alone.
    async fn heard_of(sites: u32) -> Self {
        let world = Self::new().await;
        world.create_sites(sites).await;
        world.report(0, |outcome| matches!(outcome, Reported::Written(_))).await;
        world.report(1, |outcome| *outcome == Reported::Noted).await;
        world
    }

    /// A write of somebody else to a site.
    fn renamed(&self, site: &Site, name: &str) -> Vec<Mutation> {
        let renamed = Site { display_name: name.to_owned(), ..site.clone() };
        let key = Key::of(&self.account, Kind::Site, site.id);
        vec![Mutation { document: Some(Document::Site(Box::new(renamed))), ..Mutation::delete(key) }]
    }
}

/// Another write to one site took the times of all others of its batch away, and nothing told of it.
#[tokio::test]
async fn others_that_write_cost_no_other_site_its_time() {
    let world = World::heard_of(300).await;
    let sites = world.sites().await;
    // One that is faster once; one that is faster at each attempt, together and alone.
    world.overtake(world.renamed(&sites[7], "once"));
    for attempt in 0..5 {
        world.overtake(world.renamed(&sites[9], &format!("attempt {attempt}")));
    }
    let said = world.waymark.write_last_seen(TIME).await;
    assert_eq!(said, LastSeen { due: 300, written: 299, contended: 1, ..LastSeen::default() });
    assert_eq!(said.lost(), 1);
    for (before, after) in sites.iter().zip(world.sites().await) {
        assert_eq!(after.last_seen_at > before.last_seen_at, before.id != sites[9].id, "{}", after.display_name);
    }
    assert_eq!(world.sites().await[7].display_name, "once", "what the other wrote stays");
    let again = world.waymark.write_last_seen(TIME).await;
    assert_eq!(again, LastSeen { due: 1, written: 1, ..LastSeen::default() });
}

/// A record that cannot be read ended the writing for its account and all behind it.
#[tokio::test]
async fn a_record_that_cannot_be_read_costs_no_other_site_its_time() {
    let world = World::heard_of(5).await;
    let sites = world.sites().await;
    let behind: AccountId = "zulu".parse().unwrap();
    world.waymark.create_account(&world.operator, behind.clone(), "Behind", None).await.unwrap();
    let world = World { account: behind, ..world };
    world.create_sites(2).await;
    world.report(0, |outcome| matches!(outcome, Reported::Written(_))).await;
    world.report(1, |outcome| *outcome == Reported::Noted).await;
    world.store.corrupt.lock().push(sites[2].id.to_string());
    let said = world.waymark.write_last_seen(TIME).await;
    assert_eq!(said, LastSeen { due: 7, written: 6, unreadable: 1, ..LastSeen::default() });
    assert_eq!(said.lost(), 1);
}

#[tokio::test]
async fn what_a_store_out_of_service_does_not_take_is_counted() {
    let world = World::heard_of(300).await;
    world.fail_after(1);
    let said = world.waymark.write_last_seen(TIME).await;
    assert_eq!((said.due, said.written, said.lost()), (300, 256, 44));
}

/// The time was written without the address: after a restart the new time stood beside the address before.
#[tokio::test]
async fn the_address_of_the_last_report_is_written_with_its_time() {
    let world = World::new().await;
    let (first, second) = ("213.167.128.1", "8.8.8.8");
    for (cidr, lat) in [("213.167.128.0/24", 64.0), ("8.8.8.0/24", 37.0)] {
        world.waymark.create_prefix(&world.operator, &world.account, network(cidr, lat)).await.unwrap();
    }
    world.waymark.create_site(&world.operator, &world.account, named("behind two lines"), "").await.unwrap();
    let service = Principal { scope: Scope::Service, account: Some(world.account.clone()), ..world.operator.clone() };
    let site = world.sites().await[0].id;
    let report = async |ip: &str| {
        wait(SignedDuration::from_secs(10));
        let report =
            Report { site, status: Status::Online, seen_at: None, public_ip: Some(ip.parse().unwrap()), device: None };
        let reported = world.waymark.batch_report_status(&service, &world.account, vec![report]).await.unwrap();
        *reported[0].as_ref().unwrap()
    };
    let mut noted = Reported::Late;
    for _ in 0..6 {
        for ip in [first, second] {
            noted = report(ip).await;
        }
    }
    assert_eq!(noted, Reported::Noted, "the second line, while the record has the first");
    assert_eq!(world.sites().await[0].public_ip, Some(first.parse().unwrap()));
    let shown = world.waymark.get_site(&world.operator, &world.account, site).await.unwrap();
    let shown = world.waymark.shown(shown).value;
    let said = world.waymark.write_last_seen(TIME).await;
    assert_eq!(said, LastSeen { due: 1, written: 1, ..LastSeen::default() });
    let site = world.sites().await.remove(0);
    assert_eq!((site.public_ip, site.last_seen_at), (shown.public_ip, shown.last_seen_at));
    assert_eq!((site.uplinks.last, &site.network), (shown.public_ip, &shown.network));
}
