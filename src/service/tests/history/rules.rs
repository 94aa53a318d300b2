//! What a history tells of turns and flaps, what a restore may do, and what reads cost.

use std::net::IpAddr;

use super::*;
use crate::model::history::Value;
use crate::model::site::TicketingLink;
use crate::model::ticketing::{LinkCheck, LinkState};
use crate::service::reports::Report;
use crate::service::tests::network;

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const MINUTE: SignedDuration = SignedDuration::from_mins(1);

impl World {
    /// A report of a site's service.
    async fn hear_of(&self, site: SiteId, status: Status, ip: Option<&str>) {
        let public_ip = ip.map(|ip| ip.parse::<IpAddr>().unwrap());
        let report = Report { site, status, seen_at: None, public_ip, device: None };
        let outcomes = self.waymark.batch_report_status(&self.operator, &self.account, vec![report]).await.unwrap();
        outcomes.into_iter().for_each(|outcome| assert!(outcome.is_ok(), "{outcome:?}"));
    }

    async fn update(&self, site: SiteId, patch: SitePatch) {
        self.waymark.update_site(&self.operator, &self.account, site, patch, &ChangeOptions::default()).await.unwrap();
    }

    /// Home is 81.2.69.0/24, the second uplink in 81.2.70.0/24.
    async fn with_two_uplinks(&self) {
        for cidr in ["81.2.69.0/24", "81.2.70.0/24"] {
            self.waymark.create_prefix(&self.operator, &self.account, network(cidr, 47.0)).await.unwrap();
        }
    }

    /// From and to of the entries of the public address, the oldest first.
    async fn told_addresses(&self, site: SiteId) -> Vec<[Option<Value>; 2]> {
        let mut changes = self.changes(site).await;
        changes.reverse();
        let edits = changes.into_iter().flat_map(|change| change.edits);
        edits.filter(|edit| edit.field == Field::PublicIp).map(|edit| [edit.from, edit.to]).collect()
    }
}

fn ip(text: &str) -> Value {
    Value::Ip(text.parse().unwrap())
}

/// A site that had got another address of its home network was said to be back at the first one for each failover.
#[tokio::test]
async fn a_failover_tells_no_address() {
    let world = World::new().await;
    world.with_two_uplinks().await;
    let site = world.noted("a").await;
    let (first, second, away) = (Some("81.2.69.10"), Some("81.2.69.20"), Some("81.2.70.7"));
    world.hear_of(site, Status::Online, first).await;
    wait(DAY * 2);
    world.hear_of(site, Status::Online, second).await;
    for _ in 0..3 {
        wait(DAY * 2);
        world.hear_of(site, Status::Online, away).await;
        wait(MINUTE * 20);
        world.hear_of(site, Status::Online, second).await;
    }
    let told = vec![[None, Some(ip("81.2.69.10"))], [Some(ip("81.2.69.10")), Some(ip("81.2.69.20"))]];
    assert_eq!(world.told_addresses(site).await, told);
}

/// A site with an address of a pool each quarter of an hour has one entry of that a day.
#[tokio::test]
async fn turns_in_a_pool_are_one_entry_a_day() {
    let world = World::new().await;
    world.with_two_uplinks().await;
    let site = world.noted("a").await;
    for turn in 0..96 * 3_u32 {
        world.hear_of(site, Status::Online, Some(&format!("81.2.69.{}", turn % 7))).await;
        wait(MINUTE * 15);
    }
    let told = world.told_addresses(site).await;
    assert!((2..=4).contains(&told.len()), "{}", told.len());
    for pair in told.windows(2) {
        assert_eq!(pair[0][1], pair[1][0], "each begins where the one before it ended");
    }
}

/// A site whose service and whose agent disagree by the minute left two entries a minute, for ever.
#[tokio::test]
async fn a_site_that_flaps_has_few_entries_and_each_word_of_a_person_its_own() {
    let world = World::new().await;
    let site = world.noted("a").await;
    for turn in 0..180 {
        let status = if turn % 2 == 0 { Status::Offline } else { Status::Online };
        world.hear_of(site, status, None).await;
        wait(MINUTE);
    }
    world.note(site, "between").await;
    world.hear_of(site, Status::Offline, None).await;
    let changes = world.changes(site).await;
    assert!((5..=7).contains(&changes.len()), "{}", changes.len());
    assert_eq!(changes[1].cause, Cause::Updated);
    let numbers: Vec<_> = changes.iter().rev().map(|change| change.number).collect();
    assert_eq!(numbers, (1..=world.stored(site).await.0.changes).collect::<Vec<_>>());
    let newest = &changes[2];
    assert_eq!(newest.edits[0].to, Some(Value::Status(Status::Online)));
}

/// What was taken away while a report was on its way came back with it.
#[tokio::test]
async fn an_entry_that_is_gone_or_unreadable_takes_no_report_in() {
    let world = World::new().await;
    let site = world.noted("a").await;
    world.hear_of(site, Status::Offline, None).await;
    let key = record::change_key(&world.account, site, 2);
    world.overtake(vec![Mutation::delete(key)]);
    world.hear_of(site, Status::Online, None).await;
    let numbers = async || world.changes(site).await.iter().map(|change| change.number).collect::<Vec<_>>();
    assert_eq!(numbers().await, [3, 1]);
    let unreadable = record::change_key(&world.account, site, 3).id;
    world.store.corrupt.lock().push(unreadable);
    world.hear_of(site, Status::Offline, None).await;
    assert_eq!(numbers().await, [4, 3, 1]);
    world.hear_of(site, Status::Online, None).await;
    assert_eq!(numbers().await, [4, 3, 1], "the new one takes in");
}

/// A restore gave a status back that nobody had said but a machine, which knows better by now.
#[tokio::test]
async fn a_reported_status_is_not_put_back() {
    let world = World::new().await;
    let site = world.noted("a").await;
    world.update(site, SitePatch { status: Some(Status::Online), ..SitePatch::default() }).await;
    world.hear_of(site, Status::Offline, None).await;
    let refused = world.restore(site, 3, "status").await;
    assert!(matches!(refused, Err(Error::NotRestorable { field: Field::Status, .. })), "{refused:?}");
    assert_ne!(world.restore(site, 2, "status").await.unwrap().status, Status::Offline, "a person's");
}

/// The repeat of a restore that had nothing to do took away what was written since.
#[tokio::test]
async fn a_restore_that_changed_nothing_is_done_once() {
    let world = World::new().await;
    let site = world.noted("a").await;
    world.note(site, "b").await;
    world.note(site, "a").await;
    let request_id = "0c7a3c1e-2f0e-4a0e-9a41-9f1a0b8f2c11".to_owned();
    let restoration = Restoration { site, change: 2, field: "note".into(), request_id };
    let restore = async |restoration: &Restoration| {
        let options = ChangeOptions::default();
        let restored = world.waymark.restore_value(&world.operator, &world.account, restoration, &options).await;
        restored.map(|site| site.value.note)
    };
    assert_eq!(restore(&restoration).await.unwrap(), "a");
    assert_eq!(world.stored(site).await.0.changes, 3, "no entry for no difference");
    world.note(site, "c").await;
    assert_eq!(restore(&restoration).await.unwrap(), "c");
    let other = Restoration { change: 3, ..restoration };
    assert!(matches!(restore(&other).await, Err(Error::RequestIdReused)));
}

fn link(uri: &str) -> TicketingLink {
    TicketingLink {
        system: "autotask".into(),
        organization_id: "17".into(),
        organization_name: "Acme".into(),
        external_site_id: String::new(),
        external_site_name: String::new(),
        uri: uri.into(),
        check: LinkCheck::default(),
    }
}

/// A restored link was not the one that was checked, and was held to no rule.
#[tokio::test]
async fn restored_links_and_labels_are_held_to_the_rules_of_an_update() {
    let world = World::new().await;
    let site = world.noted("a").await;
    let links = |uri: &str| SitePatch { ticketing_links: Some(vec![link(uri)]), ..SitePatch::default() };
    world.update(site, links("https://one.example/17")).await;
    let broken = LinkCheck { state: LinkState::Broken, ..LinkCheck::default() };
    world.write(site, |site| site.ticketing_links[0].check = broken.clone()).await;
    world.update(site, links("https://two.example/17")).await;
    let field = "ticketing_links.autotask/17/";
    let back = world.restore(site, 4, field).await.unwrap();
    assert_eq!(back.ticketing_links[0].uri, "https://one.example/17");
    assert_eq!(back.ticketing_links[0].check.state, LinkState::Broken);

    // Of before there were rules.
    world.write(site, |site| site.ticketing_links[0].uri = "javascript:alert(1)".into()).await;
    world.update(site, links("https://two.example/17")).await;
    let refused = world.restore(site, 7, field).await;
    assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    world.write(site, |site| drop(site.labels.insert("Not a key".into(), "x".into()))).await;
    world.write(site, |site| drop(site.labels.remove("Not a key"))).await;
    let refused = world.restore(site, 9, "labels.Not a key").await;
    assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
}

/// All fields of a change went into the text of an error, which goes into a header.
#[tokio::test]
async fn a_wrong_field_is_told_in_few_words() {
    let world = World::new().await;
    let site = world.noted("a").await;
    let labels = (0..64).map(|number| (format!("{}{number}", "k".repeat(60)), String::new())).collect();
    world.update(site, SitePatch { labels: Some(labels), ..SitePatch::default() }).await;
    let refused = world.restore(site, 2, "note").await.unwrap_err().to_string();
    assert!(refused.len() < 1_000 && refused.contains("labels.k") && refused.contains("59 more"), "{refused}");
}

/// A page of one entry read 256.
#[tokio::test]
async fn a_page_reads_what_it_gives() {
    let world = World::new().await;
    let site = world.noted("a").await;
    for number in 0..100 {
        world.note(site, &number.to_string()).await;
    }
    let read = async |field: &str, size: i32| {
        let before = world.store.scanned();
        let page = PageRequest { size, token: String::new() };
        let page = world.waymark.list_changes(&world.operator, &world.account, site, field, &page).await.unwrap();
        (page.items.len(), world.store.scanned() - before)
    };
    assert_eq!(read("", 1).await, (1, 2));
    assert_eq!(read("", 50).await, (50, 51));
    assert_eq!(read("", 1_000).await, (101, 101));
    assert_eq!(read("note", 3).await, (3, 32));
    assert_eq!(read("display_name", 3).await, (0, 101));
}

/// A note that goes back and forth was written to the disk again each time.
#[tokio::test]
async fn a_text_that_is_kept_is_not_written_again() {
    let world = World::new().await;
    let (one, two) = ("1".repeat(60_000), "2".repeat(60_000));
    let site = world.noted(&one).await;
    let revisions = async || {
        let texts = world.store.scan(Range::all(Some(world.account.clone()), Kind::PastText)).await.unwrap();
        texts.into_iter().map(|text| text.revision).collect::<Vec<_>>()
    };
    world.note(site, &two).await;
    world.note(site, &one).await;
    let first = revisions().await;
    world.note(site, &two).await;
    world.note(site, &one).await;
    assert_eq!((first.len(), revisions().await), (2, first));
}

/// The clock of a server behind another one, or a report of the past, put an entry before the one before it.
#[tokio::test]
async fn times_of_entries_never_go_back() {
    let world = World::new().await;
    let site = world.noted("a").await;
    for number in 0..6 {
        wait(if number % 2 == 0 { -HOUR } else { MINUTE });
        if number % 3 == 0 {
            world.note(site, &number.to_string()).await;
        } else {
            world.update(site, SitePatch { customer_id: Some(number.to_string()), ..SitePatch::default() }).await;
        }
    }
    wait(DAY);
    world.hear_of(site, Status::Offline, None).await;
    wait(-HOUR);
    world.note(site, "last").await;
    let times: Vec<_> = world.changes(site).await.iter().rev().map(|change| change.made_at).collect();
    assert!(times.len() == 9 && times.is_sorted(), "{times:?}");
    assert_eq!(world.stored(site).await.0.updated_at, times[8]);
}
