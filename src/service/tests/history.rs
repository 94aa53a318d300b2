//! Histories where nobody outside can look: what ends while somebody writes, writers that overtake, entries that are
//! forgotten, and whether each change that people see has one.

mod addresses;
mod rules;

use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, TestRunner};

use super::*;
use crate::model::evidence::{GeocodedEvidence, Storage};
use crate::model::history::{Actor, Cause, Change, Field};
use crate::model::id::{Revision, SiteId};
use crate::model::location::{Evidence, Fix, Source};
use crate::model::site::Status;
use crate::model::site_address::{AddressState, SiteAddress};
use crate::service::error::Error;
use crate::service::history::Restoration;
use crate::service::paging::PageRequest;
use crate::service::patch::SitePatch;
use crate::service::record::{self, Author};
use crate::service::sites::{ChangeOptions, etag_of};
use crate::store::Expect;

const DAY: SignedDuration = SignedDuration::from_hours(24);

impl World {
    /// A site with a note, made through the use case.
    async fn noted(&self, note: &str) -> SiteId {
        let patch = SitePatch { display_name: Some("noted".into()), note: Some(note.into()), ..SitePatch::default() };
        self.waymark.create_site(&self.operator, &self.account, patch, "").await.unwrap().value.id
    }

    async fn note(&self, site: SiteId, note: &str) {
        let patch = SitePatch { note: Some(note.into()), ..SitePatch::default() };
        let options = ChangeOptions::default();
        self.waymark.update_site(&self.operator, &self.account, site, patch, &options).await.unwrap();
    }

    async fn changes(&self, site: SiteId) -> Vec<Change> {
        let page = PageRequest { size: 1_000, token: String::new() };
        self.waymark.list_changes(&self.operator, &self.account, site, "", &page).await.unwrap().items
    }

    async fn restore(&self, site: SiteId, change: u32, field: &str) -> Result<Site, Error> {
        let restoration = Restoration { site, change, field: field.to_owned(), request_id: String::new() };
        let options = ChangeOptions::default();
        let restored = self.waymark.restore_value(&self.operator, &self.account, &restoration, &options).await;
        restored.map(|site| site.value)
    }

    async fn stored(&self, site: SiteId) -> (Site, Revision) {
        let found = self.waymark.find_site(&self.account, site).await.unwrap().unwrap();
        (found.value, found.revision)
    }

    /// Writes what a person made of a site, with an entry as any write has, whatever today's rules say of it.
    async fn write(&self, id: SiteId, change: impl FnOnce(&mut Site)) {
        let (before, revision) = self.stored(id).await;
        let mut site = before.clone();
        change(&mut site);
        let author = Author::of(&self.operator, Cause::AddressStated);
        let batch = record::replace(&before, revision, &mut site, &author, now());
        self.store.commit(batch).await.unwrap();
    }

    /// Stands the site at an answer whose terms end.
    async fn stand_at_answer(&self, id: SiteId, until: Timestamp) {
        let storage = Storage::Until(until);
        let answer = GeocodedEvidence {
            provider: "test".into(),
            place_id: "7".into(),
            formatted_address: "Secret Street 1".into(),
            query: "secret 1".into(),
            attribution: String::new(),
            country: None,
            storage,
        };
        let made_by = "token:1".to_owned();
        let address = Some(SiteAddress {
            typed: "secret 1".into(),
            parts: None,
            formatted: answer.formatted_address.clone(),
            storage,
            evidence: None,
            country: None,
            state: AddressState::Applied,
            keep_pin: false,
            chosen: false,
            stated_by: made_by.clone(),
            stated_at: Some(now()),
            retry: None,
            renewal: None,
        });
        let fix = Fix {
            source: Source::Address,
            position: LatLng::new(55.5, 10.0).unwrap(),
            accuracy_m: None,
            granularity: Granularity::Door,
            evidence: Evidence::Geocoded(answer),
            made_at: now(),
            made_by,
        };
        self.write(id, |site| {
            site.address = address;
            site.fixes.put(fix);
        })
        .await;
    }
}

fn fields(change: &Change) -> Vec<String> {
    change.edits.iter().map(|edit| edit.field.to_string()).collect()
}

/// A person who changed a note was said to have taken the position away, whose terms had ended by then.
#[tokio::test]
async fn what_ended_is_an_entry_of_its_own() {
    let world = World::new().await;
    let site = world.noted("a").await;
    world.stand_at_answer(site, now() + DAY).await;
    wait(DAY * 2);
    world.note(site, "b").await;
    let changes = world.changes(site).await;
    let told: Vec<_> = changes.iter().map(|change| (change.number, change.cause.clone(), fields(change))).collect();
    let location = ["location.fixes.address", "location.source", "location.address"].map(str::to_owned).to_vec();
    assert_eq!(told[0], (4, Cause::Updated, vec!["note".to_owned()]));
    assert_eq!(told[1], (3, Cause::AddressExpired, location));
    assert_eq!(changes[1].actor, Actor::System);
    assert_ne!(changes[0].actor, Actor::System);
    let records = serde_json::to_string(&changes).unwrap();
    assert!(!records.contains("55.5") && !records.contains("Secret Street"), "{records}");
    // The position is nowhere; the words are, and are asked for again.
    let refused = world.restore(site, 3, "location.fixes.address").await;
    assert!(matches!(refused, Err(Error::NotRestorable { field: Field::Fix(Source::Address), .. })), "{refused:?}");
    let address = world.restore(site, 3, "location.address").await.unwrap().address.unwrap();
    assert_eq!((address.typed.as_str(), address.state), ("secret 1", AddressState::Pending));
}

#[tokio::test]
async fn writers_that_overtake_leave_no_gap_and_no_number_twice() {
    let world = World::new().await;
    let id = world.noted("a").await;
    let (before, revision) = world.stored(id).await;
    let mut site = Site { note: "of another".into(), ..before.clone() };
    let author = Author::of(&world.operator, Cause::Updated);
    let mut batch = record::replace(&before, revision, &mut site, &author, now());
    // A batch is overtaken by one that begins with a record of its own.
    batch.reverse();
    world.overtake(batch);
    world.note(id, "b").await;
    let changes = world.changes(id).await;
    assert_eq!(changes.iter().map(|change| change.number).collect::<Vec<_>>(), [3, 2, 1]);
    assert_eq!(changes[0].edits[0].from, changes[1].edits[0].to, "the second saw what the first wrote");
    assert_eq!(world.stored(id).await.0.changes, 3);
}

#[tokio::test]
async fn a_history_is_forgotten_whole_and_goes_on() {
    let world = World::new().await;
    let (site, other) = (world.noted(&"x".repeat(5_000)).await, {
        let patch = SitePatch { display_name: Some("other".into()), ..SitePatch::default() };
        world.waymark.create_site(&world.operator, &world.account, patch, "").await.unwrap().value.id
    });
    for number in 0..5_usize {
        world.note(site, &number.to_string().repeat(2_000)).await;
    }
    let viewer = Principal { scope: Scope::Editor, account: Some(world.account.clone()), ..world.operator.clone() };
    let refused = world.waymark.forget_history(&viewer, &world.account, site).await;
    assert!(matches!(refused, Err(Error::Scope)));
    assert_eq!(world.waymark.forget_history(&world.operator, &world.account, site).await.unwrap(), 6 + 5);
    assert!(world.changes(site).await.is_empty());
    assert_eq!(world.changes(other).await.len(), 1);
    for kind in [Kind::Change, Kind::PastText] {
        let left = world.store.scan(Range::all(Some(world.account.clone()), kind)).await.unwrap();
        assert!(left.iter().all(|record| !record.key.id.starts_with(&site.to_string())), "{left:?}");
    }
    world.note(site, "after").await;
    assert_eq!(world.changes(site).await[0].number, 7);
}

/// Texts are kept once, however often a note goes back and forth.
#[tokio::test]
async fn a_long_text_is_kept_once() {
    let world = World::new().await;
    let (one, two) = ("1".repeat(60_000), "2".repeat(60_000));
    let site = world.noted(&one).await;
    for _ in 0..10 {
        world.note(site, &two).await;
        world.note(site, &one).await;
    }
    let texts = world.store.scan(Range::all(Some(world.account.clone()), Kind::PastText)).await.unwrap();
    assert_eq!(texts.len(), 2);
    let entries = serde_json::to_string(&world.changes(site).await).unwrap();
    assert!(entries.len() < 21 * 1_000, "{}", entries.len());
    assert_eq!(world.restore(site, 2, "note").await.unwrap().note, one);
    assert_eq!(world.restore(site, 3, "note").await.unwrap().note, two);
}

/// What somebody does.
#[derive(Debug, Clone)]
enum Act {
    Note(&'static str),
    Label(Option<&'static str>),
    Status(Status),
    Pin(f64),
    Reset,
    DeleteFix(Source),
    Delete,
    Undelete,
    Restore(u32),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        prop::sample::select(vec!["", "a", "b"]).prop_map(Act::Note),
        prop::option::of(prop::sample::select(vec!["x", "y"])).prop_map(Act::Label),
        prop::sample::select(Status::ALL.to_vec()).prop_map(Act::Status),
        prop::sample::select(vec![1.0, 2.0]).prop_map(Act::Pin),
        Just(Act::Reset),
        prop::sample::select(Source::ALL.to_vec()).prop_map(Act::DeleteFix),
        Just(Act::Delete),
        Just(Act::Undelete),
        (1..20_u32).prop_map(Act::Restore),
    ];
    prop::collection::vec(act, 1..25)
}

impl World {
    /// Does it, as far as it can be done just then.
    async fn act(&self, site: SiteId, act: &Act) {
        let (waymark, by, account, options) = (&self.waymark, &self.operator, &self.account, &ChangeOptions::default());
        let patch = match act {
            Act::Note(note) => SitePatch { note: Some((*note).to_owned()), ..SitePatch::default() },
            Act::Label(value) => {
                let labels = value.map(|value| ("key".to_owned(), value.to_owned())).into_iter().collect();
                SitePatch { labels: Some(labels), ..SitePatch::default() }
            }
            Act::Status(status) => SitePatch { status: Some(*status), ..SitePatch::default() },
            Act::Pin(lat) => {
                let position = LatLng::new(*lat, 8.0).unwrap();
                drop(waymark.set_pin(by, account, site, position, None, options).await);
                return;
            }
            Act::Reset => return drop(waymark.reset_location(by, account, site, options).await),
            Act::DeleteFix(source) => return drop(waymark.delete_fix(by, account, site, *source, options).await),
            Act::Delete => return drop(waymark.delete_site(by, account, site, String::new()).await),
            Act::Undelete => return drop(waymark.undelete_site(by, account, site, String::new(), "").await),
            Act::Restore(number) => {
                let changes = self.changes(site).await;
                let edit = changes.iter().find(|change| change.number == *number).and_then(|it| it.edits.first());
                let field = edit.map(|edit| edit.field.to_string()).unwrap_or_default();
                return drop(self.restore(site, *number, &field).await);
            }
        };
        drop(waymark.update_site(by, account, site, patch, options).await);
    }
}

/// The etag is a version of what people say: whoever changes it leaves an entry, and whoever restores the last entry's
/// value is back at the etag before.
#[test]
fn each_change_that_people_see_has_its_entry() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    TestRunner::new(Cases { cases: 24, failure_persistence: None, ..Cases::default() })
        .run(&acts(), |acts| {
            runtime.block_on(async {
                let world = World::new().await;
                let site = world.noted("a").await;
                for act in &acts {
                    let before = world.stored(site).await.0;
                    world.act(site, act).await;
                    let after = world.stored(site).await.0;
                    let entries = after.changes - before.changes;
                    let is_seen = etag_of(&before) != etag_of(&after) || before.status != after.status;
                    assert_eq!(entries, u32::from(is_seen), "{act:?} of {acts:?}");
                    assert_eq!(world.changes(site).await.len(), usize::try_from(after.changes).unwrap());
                }
            });
            Ok(())
        })
        .unwrap();
}

/// Records of before there were histories have none, and begin with their next change.
#[tokio::test]
async fn an_old_record_begins_a_history() {
    let world = World::new().await;
    world.create_sites(1).await;
    let site = world.sites().await[0].id;
    assert!(world.changes(site).await.is_empty());
    world.note(site, "new").await;
    let changes = world.changes(site).await;
    assert_eq!((changes.len(), changes[0].number, fields(&changes[0])), (1, 1, vec!["note".to_owned()]));
    let key = record::change_key(&world.account, site, 1);
    world.store.commit(vec![Mutation { key, expect: Expect::Any, document: None }]).await.unwrap();
    let gone = world.restore(site, 1, "note").await;
    assert!(matches!(gone, Err(Error::NotFound(_))), "{gone:?}");
}
