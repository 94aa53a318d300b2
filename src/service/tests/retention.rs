//! Raw addresses after their time: gone from sites and histories, while positions stay and nobody seems to have moved.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use super::*;
use crate::model::history::{Cause, Change, Field, Value};
use crate::model::id::SiteId;
use crate::model::location::Source;
use crate::model::site::Status;
use crate::model::uplink::Uplinks;
use crate::service::paging::PageRequest;
use crate::service::patch::SitePatch;
use crate::service::record::{self, Author};
use crate::service::reports::Report;
use crate::service::retention::Cut;
use crate::service::sites::ChangeOptions;

const DAY: SignedDuration = SignedDuration::from_hours(24);
/// Where the site of these tests comes from, in a network that its account placed.
const HOME: &str = "81.2.69.160";
/// Of the same network.
const BESIDE: &str = "81.2.69.77";
/// Of another network that the account placed.
const ELSEWHERE: &str = "89.160.20.112";

impl World {
    /// A site that came from [`HOME`] once.
    async fn at_home() -> (Self, SiteId) {
        let world = Self::new().await;
        for (cidr, lat) in [("81.2.69.0/24", 50.0), ("89.160.20.0/24", 60.0)] {
            world.waymark.create_prefix(&world.operator, &world.account, network(cidr, lat)).await.unwrap();
        }
        let patch = SitePatch { display_name: Some("attic".to_owned()), ..SitePatch::default() };
        let site = world.waymark.create_site(&world.operator, &world.account, patch, "").await.unwrap().value.id;
        world.come_from(site, HOME).await;
        (world, site)
    }

    async fn come_from(&self, site: SiteId, ip: &str) {
        let service = Principal { scope: Scope::Service, account: Some(self.account.clone()), ..self.operator.clone() };
        let public_ip = Some(ip.parse().unwrap());
        let report = Report { site, status: Status::Online, seen_at: None, public_ip, device: None };
        let outcomes = self.waymark.batch_report_status(&service, &self.account, vec![report]).await.unwrap();
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    }

    /// A report as of a service that does not see where the agent comes from.
    async fn say_nothing_of_the_address(&self, site: SiteId) {
        let service = Principal { scope: Scope::Service, account: Some(self.account.clone()), ..self.operator.clone() };
        let report = Report { site, status: Status::Online, seen_at: None, public_ip: None, device: None };
        self.waymark.batch_report_status(&service, &self.account, vec![report]).await.unwrap().remove(0).unwrap();
    }

    async fn swept(&self) -> Cut {
        self.waymark.sweep(Duration::ZERO).await.unwrap()
    }

    async fn site_now(&self, site: SiteId) -> Site {
        self.waymark.get_site(&self.operator, &self.account, site).await.unwrap().value
    }

    async fn entries_of(&self, site: SiteId) -> Vec<Change> {
        let page = PageRequest { size: 1_000, token: String::new() };
        self.waymark.list_changes(&self.operator, &self.account, site, "", &page).await.unwrap().items
    }

    /// All records of sites, histories and siblings as text, with addresses as they are written.
    async fn text(&self) -> String {
        let mut text = String::new();
        for kind in [Kind::Site, Kind::Change, Kind::Located] {
            let records = self.store.scan(Range::all(Some(self.account.clone()), kind)).await.unwrap();
            write!(text, "{records:?}").unwrap();
        }
        text
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn latitude(site: &Site) -> f64 {
    site.fixes.get(Source::GeoIp).unwrap().position.lat()
}

#[tokio::test]
async fn a_silent_site_keeps_its_network_and_its_position() {
    let (world, id) = World::at_home().await;
    let position = LatLng::new(50.5, 8.0).unwrap();
    let options = ChangeOptions::default();
    world.waymark.set_pin(&world.operator, &world.account, id, position, None, &options).await.unwrap();
    wait(DAY * 29);
    assert_eq!(world.swept().await, Cut::default());
    assert!(world.text().await.contains(HOME) && world.text().await.contains("510245a0"), "also among siblings");
    let before = world.site_now(id).await;
    wait(DAY);
    assert_eq!(world.swept().await, Cut { sites: 1, entries: 1 });
    let (site, text) = (world.site_now(id).await, world.text().await);
    assert!(!text.contains(HOME) && !text.contains("510245a0"), "{text}");
    assert_eq!((site.public_ip, site.public_network), (None, Some("81.2.69.0/24".parse().unwrap())));
    assert_eq!((&site.fixes, site.changes, site.updated_at), (&before.fixes, before.changes, before.updated_at));
    let told = world.entries_of(id).await.into_iter().flat_map(|change| change.edits);
    let told: Vec<_> = told.filter(|edit| edit.field == Field::PublicIp).map(|edit| edit.to).collect();
    assert_eq!(told, [Some(Value::Network("81.2.69.0/24".parse().unwrap()))]);
    assert_eq!(world.swept().await, Cut::default(), "what is cut stays cut, and is not written again");
}

#[tokio::test]
async fn an_agent_that_comes_back_has_not_moved() {
    for back_at in [HOME, BESIDE] {
        let (world, id) = World::at_home().await;
        wait(DAY * 40);
        world.swept().await;
        let before = world.site_now(id).await;
        world.come_from(id, back_at).await;
        let site = world.site_now(id).await;
        assert_eq!((site.public_ip, site.public_network), (Some(ip(back_at)), None));
        assert_eq!((&site.fixes, site.changes), (&before.fixes, before.changes), "nobody moved");
        assert!(site.uplinks.away.is_none() && site.uplinks.home_network.is_none(), "{:?}", site.uplinks);
        assert_eq!(site.uplinks.home.map(|home| home.ip), Some(ip(back_at)));
    }
}

#[tokio::test]
async fn an_agent_that_comes_back_from_elsewhere_moves_as_any_other() {
    let (world, id) = World::at_home().await;
    wait(DAY * 40);
    world.swept().await;
    world.come_from(id, ELSEWHERE).await;
    let site = world.site_now(id).await;
    assert!((latitude(&site) - 50.0).abs() < 1e-6, "one call is no move");
    let last = world.entries_of(id).await.remove(0);
    let edit = last.edits.iter().find(|edit| edit.field == Field::PublicIp).unwrap();
    assert_eq!(edit.from, Some(Value::Network("81.2.69.0/24".parse().unwrap())));
    assert_eq!(edit.to, Some(Value::Ip(ip(ELSEWHERE))));
    wait(SignedDuration::from_hours(2));
    world.come_from(id, ELSEWHERE).await;
    let site = world.site_now(id).await;
    assert!((latitude(&site) - 60.0).abs() < 1e-6);
    assert_eq!(site.uplinks.former, Some("81.2.69.0/24".parse().unwrap()));
}

/// The home kept the first address of a pool for ever, however long ago that was.
#[tokio::test]
async fn an_address_that_is_seen_stays_and_those_before_it_go() {
    let (world, id) = World::at_home().await;
    for day in 0..40_u32 {
        wait(DAY);
        world.come_from(id, &format!("81.2.69.{}", 200 + day % 50)).await;
        world.swept().await;
    }
    let site = world.site_now(id).await;
    assert_eq!(site.public_ip, Some(ip("81.2.69.239")));
    let text = world.text().await;
    assert!(!text.contains(HOME) && !text.contains("81.2.69.205"), "addresses of more than a month ago");
    for day in 12..40 {
        assert!(text.contains(&format!("81.2.69.{}", 200 + day)), "of {} days ago", 39 - day);
    }
    assert!(!format!("{site:?}").contains("81.2.69.238"), "the record holds the present one alone: {site:?}");
}

#[tokio::test]
async fn reports_without_an_address_keep_none() {
    let (world, id) = World::at_home().await;
    let service = Principal { scope: Scope::Service, account: Some(world.account.clone()), ..world.operator.clone() };
    for _ in 0..31 {
        wait(DAY);
        let report = Report { site: id, status: Status::Online, seen_at: None, public_ip: None, device: None };
        world.waymark.batch_report_status(&service, &world.account, vec![report]).await.unwrap();
    }
    world.swept().await;
    assert!(!world.text().await.contains(HOME), "the site was heard of, its address was not seen");
}

#[tokio::test]
async fn a_long_history_is_cut_in_steps_that_a_failure_does_not_undo() {
    let (world, id) = World::at_home().await;
    for hour in 0..600_u32 {
        wait(SignedDuration::from_hours(25));
        world.come_from(id, &format!("81.2.69.{}", hour % 250)).await;
    }
    wait(DAY * 31);
    world.fail_after(1);
    world.waymark.sweep(Duration::ZERO).await.unwrap_err();
    let noted = world.site_now(id).await.changes_cut;
    assert!((200..400).contains(&noted), "one step: {noted}");
    world.fail_after(usize::MAX);
    let Cut { entries, .. } = world.swept().await;
    let site = world.site_now(id).await;
    assert_eq!(site.changes_cut, site.changes);
    assert!(entries > 200, "{entries} more");
    let is_cut = |change: &Change| !format!("{:?}", change.edits).contains("Ip(");
    let page = world.entries_of(id).await;
    assert!(page.len() >= 600 && page.iter().all(is_cut));
}

#[tokio::test]
async fn nothing_is_cut_where_addresses_are_kept_for_ever() {
    let (mut world, _) = World::at_home().await;
    world.waymark.parts.config.raw_ip_days = 0;
    wait(DAY * 400);
    assert_eq!(world.swept().await, Cut::default());
    // Ends at once.
    world.waymark.work_on_retention().await;
}

#[tokio::test]
async fn a_site_that_cannot_be_read_keeps_no_other_from_being_cut() {
    let (world, first) = World::at_home().await;
    let mut sites = vec![first];
    for number in 0..3 {
        let patch = SitePatch { display_name: Some(format!("cellar {number}")), ..SitePatch::default() };
        let made = world.waymark.create_site(&world.operator, &world.account, patch, "").await.unwrap();
        world.come_from(made.value.id, BESIDE).await;
        sites.push(made.value.id);
    }
    wait(DAY * 31);
    sites.sort_unstable_by_key(ToString::to_string);
    let corrupt = sites.remove(1);
    world.store.corrupt_in_scans.lock().push(corrupt.to_string());
    assert_eq!(world.swept().await.sites, 3);
    for site in sites {
        assert_eq!(world.site_now(site).await.public_ip, None, "{site}");
    }
    world.store.corrupt_in_scans.lock().clear();
    assert_eq!(world.swept().await.sites, 1);
    assert_eq!(world.site_now(corrupt).await.public_ip, None);
}

#[tokio::test]
async fn an_estimate_that_was_removed_from_a_cut_site_does_not_come_back_from_its_network() {
    let (world, id) = World::at_home().await;
    wait(DAY * 31);
    world.swept().await;
    let (operator, acme, options) = (&world.operator, &world.account, ChangeOptions::default());
    world.waymark.delete_fix(operator, acme, id, Source::GeoIp, &options).await.unwrap();
    world.come_from(id, BESIDE).await;
    assert!(world.site_now(id).await.fixes.get(Source::GeoIp).is_none());
}

#[tokio::test]
async fn an_address_of_before_times_were_written_goes_too() {
    let (world, id) = World::at_home().await;
    let before = world.site_now(id).await;
    let mut old = Site { uplinks: Uplinks { seen_at: None, ..before.uplinks.clone() }, ..before.clone() };
    let key = Key::of(&world.account, Kind::Site, id);
    let revision = world.store.get(key).await.unwrap().unwrap().revision;
    let author = Author::system(Cause::Reported);
    world.store.commit(record::replace(&before, revision, &mut old, &author, now())).await.unwrap();
    for _ in 0..40 {
        wait(DAY);
        world.say_nothing_of_the_address(id).await;
        world.swept().await;
    }
    assert!(!world.text().await.contains(HOME));
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_keeps_neither_the_site_nor_other_entries_from_being_cut() {
    let (world, id) = World::at_home().await;
    for number in 0..4_u32 {
        wait(SignedDuration::from_hours(25));
        world.come_from(id, &format!("81.2.69.{}", 200 + number)).await;
    }
    wait(DAY * 31);
    let corrupt = record::change_key(&world.account, id, 3).id;
    world.store.corrupt_in_scans.lock().push(corrupt);
    world.swept().await;
    let site = world.site_now(id).await;
    assert_eq!((site.public_ip, site.changes_cut), (None, site.changes));
    world.store.corrupt_in_scans.lock().clear();
    let raw: Vec<u32> = world
        .entries_of(id)
        .await
        .into_iter()
        .filter(|change| format!("{:?}", change.edits).contains("Ip("))
        .map(|change| change.number)
        .collect();
    assert_eq!(raw, [3], "that of the entry alone is left");
}
