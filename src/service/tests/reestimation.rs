//! Runs that break off in the middle, and what they leave as it is.

use super::{World, network, wait};
use crate::model::location::{Evidence, Source};
use crate::model::reestimation::{Reestimation, State};
use jiff::SignedDuration;

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
