//! Runs that break off in the middle, and what they leave as it is.

use super::{World, network, now, wait};
use crate::geoip::config::Config;
use crate::geoip::databases::Databases;
use crate::geoip::fixture::{Fixture, asn, flat};
use crate::model::evidence::NetworkFacts;
use crate::model::location::{Evidence, Source};
use crate::model::reestimation::{Reestimation, State};
use crate::model::site::Site;
use crate::service::activation::Activation;
use jiff::{SignedDuration, Timestamp};

impl World {
    /// Works on runs until none is left, or the store fails; gives the newest.
    async fn work(&self) -> Reestimation {
        while self.waymark.work_on_next().await.is_ok_and(|is_more| is_more) {}
        self.waymark.list_reestimations(&self.operator).await.unwrap().remove(0)
    }
}

/// Counts were noted behind the writes of their page: a run that broke off in between found its own writes in place when
/// it went on, and counted up to a page of moved sites as unchanged.
#[tokio::test]
async fn each_site_is_counted_once_wherever_a_run_breaks_off() {
    const SITES: u32 = 1_100;
    let world = World::new().await;
    world.create_sites(SITES).await;
    world.waymark.create_prefix(&world.operator, &world.account, network("10.0.0.0/8", 47.0)).await.unwrap();
    world.work().await;
    let mut lat = 47.0;
    // In the note of the first page, in its writes, at their end, in the second and the third page, before the end.
    for commits in [0, 1, 250, 500, 501, 502, 900, 1_002, 1_050, 1_102, 1_103] {
        lat = if lat > 50.0 { 47.0 } else { 52.0 };
        let fields = network("10.0.0.0/8", lat);
        world.waymark.update_prefix(&world.operator, &world.account, fields, "").await.unwrap();
        world.fail_after(commits);
        let broken_off = world.work().await;
        world.fail_after(usize::MAX);
        let ended = world.work().await;
        assert_eq!(ended.state, State::Done);
        assert_eq!(broken_off.state, State::Running, "after {commits} commits");
        let (seen, moved) = (ended.findings.seen, ended.findings.moved_total());
        assert_eq!((seen, moved), (SITES.into(), SITES.into()), "after {commits} commits");
        assert_eq!(ended.findings.contended, 0);
        for site in world.sites().await {
            assert!((site.fixes.effective().unwrap().position.lat() - lat).abs() < 1e-9);
        }
    }
}

/// A page is counted before it is written. A run that was cancelled in between told of moves that never were.
#[tokio::test]
async fn what_a_run_counted_is_written_though_it_was_cancelled() {
    const SITES: u32 = 600;
    let world = World::new().await;
    world.create_sites(SITES).await;
    world.waymark.create_prefix(&world.operator, &world.account, network("10.0.0.0/8", 47.0)).await.unwrap();
    world.work().await;
    world.waymark.update_prefix(&world.operator, &world.account, network("10.0.0.0/8", 52.0), "").await.unwrap();
    // In the writes of the first page.
    world.fail_after(101);
    let broken_off = world.work().await;
    world.fail_after(usize::MAX);
    assert!(broken_off.unwritten.is_some() && broken_off.findings.moved_total() == 500, "{broken_off:?}");
    let cancelled = world.waymark.cancel_reestimation(&world.operator, &broken_off.id).await.unwrap();
    assert_eq!((cancelled.state, cancelled.findings.moved_total()), (State::Cancelled, 500));
    let ended = world.work().await;
    assert_eq!((ended.state, ended.ended_at, ended.unwritten), (State::Cancelled, cancelled.ended_at, None));
    let is_moved = |site: &Site| site.fixes.effective().unwrap().position.lat() > 50.0;
    let moved = world.sites().await.iter().filter(|site| is_moved(site)).count();
    assert_eq!(moved as u64, ended.findings.moved_total(), "as many as are told");
    assert!(!world.waymark.work_on_next().await.unwrap(), "and that is all");
}

/// When only the file of networks was new, a site told the build of the one before for ever.
#[tokio::test]
async fn the_network_of_what_stays_is_brought_up_to_date() {
    let directory = tempfile::tempdir().unwrap();
    let asn_file = |epoch: u64| {
        let file = Fixture::new(6, "GeoLite2-ASN").build_epoch(epoch).with("8.0.0.0/8", asn(64_500, "Example"));
        file.write(directory.path(), "asn.mmdb")
    };
    let city = Fixture::new(6, "city ipv4").with("8.8.8.0/24", flat("US", "", "X", 1.5, 2.5));
    let now = now();
    let (old, new) = (now - SignedDuration::from_hours(48), now - SignedDuration::from_hours(24));
    let config = Config::of_files(vec![city.write(directory.path(), "city.mmdb"), asn_file(seconds(old))]);
    let world = World::with(Databases::open(&config, Timestamp::now).unwrap()).await;
    // One that the city file places, and one that it does not know.
    for (agent, ip) in [("placed", [8, 8, 8, 8]), ("unplaced", [8, 9, 9, 9])] {
        let activation = Activation { public_ip: Ok(ip.into()), ..world.activation(&agent.parse().unwrap()) };
        world.waymark.activate_agent(&world.operator, activation).await.unwrap();
    }
    let before = world.sites().await;
    assert!(before.iter().all(|site| site.network.build_time == Some(whole(old))), "{before:?}");
    asn_file(seconds(new));
    world.waymark.reload_databases(&world.operator).await.unwrap();
    wait(SignedDuration::from_hours(1));
    world.waymark.apply_database(&world.operator).await.unwrap();
    let run = world.work().await;
    assert_eq!((run.findings.seen, run.findings.unchanged), (2, 2), "{run:?}");
    for (before, after) in before.into_iter().zip(world.sites().await) {
        assert_eq!(after.network.build_time, Some(whole(new)), "{after:?}");
        let network = NetworkFacts { build_time: before.network.build_time, ..after.network.clone() };
        assert_eq!(Site { network, ..after }, before, "and nothing else changes, the time of the last change included");
    }
}

fn seconds(at: Timestamp) -> u64 {
    at.as_second().try_into().unwrap()
}

/// A time as a file has it, in whole seconds.
fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap()
}

/// An estimate that stays where it is kept the evidence of the file before, and told its build date for ever.
#[tokio::test]
async fn the_evidence_of_what_stays_is_brought_up_to_date() {
    let world = World::new().await;
    world.create_sites(3).await;
    world.waymark.create_prefix(&world.operator, &world.account, network("10.0.0.0/8", 47.0)).await.unwrap();
    world.work().await;
    let before = world.sites().await;
    wait(SignedDuration::from_hours(1));
    let mut fields = network("10.0.0.0/8", 47.0);
    fields.display_name = "renamed".to_owned();
    world.waymark.update_prefix(&world.operator, &world.account, fields, "").await.unwrap();
    let run = world.work().await;
    assert_eq!((run.findings.seen, run.findings.unchanged, run.findings.moved_total()), (3, 3, 0));
    for (before, mut after) in before.into_iter().zip(world.sites().await) {
        let fix = after.fixes.get(Source::GeoIp).unwrap().clone();
        let Evidence::Prefix(found) = &fix.evidence else { panic!("{fix:?}") };
        assert_eq!(found.display_name, "renamed");
        let old = before.fixes.get(Source::GeoIp).unwrap().clone();
        assert_eq!(fix.made_at, old.made_at, "what stays was not made anew");
        after.fixes.remove(Source::GeoIp);
        after.fixes.put(old);
        assert_eq!(after, before, "and nothing else changes, the time of the last change included");
    }
}
