//! Who is assigned some sites, where nobody outside can look: writes that are overtaken by a label, records that are damaged.

use super::*;
use crate::model::assignment::{ASSIGNMENTS_MAX, Assignment};
use crate::model::geo::BoundingBox;
use crate::model::history::{Actor, Cause, Change, Edit, Field, Value};
use crate::model::id::SiteId;
use crate::service::Error;
use crate::service::filter::Filter;
use crate::service::paging::PageRequest;
use crate::service::patch::SitePatch;
use crate::service::record::{self, Author};
use crate::service::site_list::{Order, SiteQuery};
use crate::service::sites::ChangeOptions;
use crate::service::tokens::NewToken;

impl World {
    /// A site of a team.
    async fn of_team(&self, name: &str, team: &str) -> SiteId {
        let labels = Some([("team".to_owned(), team.to_owned())].into());
        let patch = SitePatch { display_name: Some(name.to_owned()), labels, ..SitePatch::default() };
        self.waymark.create_site(&self.operator, &self.account, patch, "").await.unwrap().value.id
    }

    /// Somebody to whom the sites of the team north are assigned.
    fn crew(&self) -> Principal {
        Principal {
            scope: Scope::Field,
            account: Some(self.account.clone()),
            assigned: Some(Assignment::parse("labels.team = north").unwrap()),
            ..self.operator.clone()
        }
    }

    /// What another team would write to take a site over.
    async fn taken_over(&self, id: SiteId) -> Vec<Mutation> {
        let before = self.waymark.find_site(&self.account, id).await.unwrap().unwrap();
        let mut site = before.value.clone();
        site.labels.insert("team".to_owned(), "south".to_owned());
        let author = Author::of(&self.operator, Cause::Updated);
        record::replace(&before.value, before.revision, &mut site, &author, now())
    }
}

fn is_missing<T>(outcome: &Result<T, Error>) -> bool {
    matches!(outcome, Err(Error::NotFound(_)))
}

#[tokio::test]
async fn a_site_that_is_taken_away_while_it_is_written_is_not_written() {
    let world = World::new().await;
    let (site, crew, options) = (world.of_team("pump", "north").await, world.crew(), ChangeOptions::default());
    let note = |text: &str| SitePatch { note: Some(text.to_owned()), ..SitePatch::default() };
    let update = async |text| world.waymark.update_site(&crew, &world.account, site, note(text), &options).await;
    assert_eq!(update("mine").await.unwrap().value.note, "mine");
    world.overtake(world.taken_over(site).await);
    assert!(is_missing(&update("still mine?").await));
    let stored = world.waymark.find_site(&world.account, site).await.unwrap().unwrap().value;
    assert_eq!((stored.note.as_str(), stored.labels["team"].as_str()), ("mine", "south"));
    let position = LatLng::new(1.0, 2.0).unwrap();
    assert!(is_missing(&world.waymark.set_pin(&crew, &world.account, site, position, None, &options).await));
}

#[tokio::test]
async fn a_record_that_cannot_be_read_tells_nothing_of_others() {
    let world = World::new().await;
    let (own, other) = (world.of_team("own", "north").await, world.of_team("other", "south").await);
    let (crew, acme, options) = (world.crew(), &world.account, ChangeOptions::default());
    world.store.corrupt.lock().extend([own.to_string(), other.to_string()]);
    for site in [own, other] {
        assert!(is_missing(&world.waymark.get_site(&crew, acme, site).await));
        assert!(is_missing(&world.waymark.batch_get_sites(&crew, acme, &[site]).await));
        let patch = SitePatch { note: Some("x".to_owned()), ..SitePatch::default() };
        assert!(is_missing(&world.waymark.update_site(&crew, acme, site, patch, &options).await));
        assert!(!is_missing(&world.waymark.get_site(&world.operator, acme, site).await), "who sees all is told");
    }
    for by_name in [false, true] {
        let (order, filter) = (Order { by_name, descending: false }, Filter::parse("").unwrap());
        let query = SiteQuery { account: acme.clone(), filter, order, show_deleted: false };
        let listed = world.waymark.list_sites(&crew, &query, &PageRequest::default()).await.unwrap();
        assert_eq!((listed.page.items.len(), listed.unreadable), (0, vec![own]), "memory knows whose it is");
    }
}

#[tokio::test]
async fn a_token_that_lost_the_word_of_which_sites_is_good_for_none() {
    let world = World::new().await;
    for assigned in [None, world.crew().assigned] {
        let new = NewToken { assigned: assigned.clone(), ..NewToken::of(Some(&world.account), Scope::Field, "") };
        let (token, secret) = world.waymark.draw_token(new).unwrap();
        world.waymark.put_token(&token).await.unwrap();
        assert_eq!(world.waymark.authenticate(&secret).is_ok(), assigned.is_some());
    }
}

#[tokio::test]
async fn there_is_an_end_to_different_assignments_that_are_good() {
    let world = World::new().await;
    let make = async |team: usize| {
        let new = NewToken {
            assigned: Some(Assignment::parse(&format!("labels.team = t{team}")).unwrap()),
            ..NewToken::of(Some(&world.account), Scope::Field, "")
        };
        world.waymark.create_token(&world.operator, new).await
    };
    let (first, _) = make(0).await.unwrap();
    for team in 1..ASSIGNMENTS_MAX {
        make(team).await.unwrap();
    }
    let refused = make(ASSIGNMENTS_MAX).await;
    assert!(matches!(refused, Err(Error::TooMany(_, ASSIGNMENTS_MAX))), "{refused:?}");
    make(1).await.expect("no other one than there are");
    world.waymark.revoke_token(&world.operator, Some(&world.account), first.id).await.unwrap();
    make(ASSIGNMENTS_MAX).await.expect("the first one is good no more");
}

#[tokio::test]
async fn a_field_operator_without_sites_is_refused_everything() {
    let world = World::new().await;
    let site = world.of_team("pump", "north").await;
    let lost = Principal { assigned: None, ..world.crew() };
    let (filter, order) = (Filter::parse("").unwrap(), Order { by_name: false, descending: false });
    let query = SiteQuery { account: world.account.clone(), filter, order, show_deleted: false };
    let answers = [
        world.waymark.get_site(&lost, &world.account, site).await.err(),
        world.waymark.list_sites(&lost, &query, &PageRequest::default()).await.err(),
        world.waymark.viewport(&lost, &world.account, &BoundingBox::WORLD, 2, "").await.err(),
        world.waymark.list_changes(&lost, &world.account, site, "", &PageRequest::default()).await.err(),
    ];
    for refused in answers {
        assert!(matches!(refused, Some(Error::Scope)), "{refused:?}");
    }
}

/// An entry of what one of their methods does not tell is none, and stands in no page.
#[tokio::test]
async fn histories_tell_no_field_operator_of_residents_and_devices() {
    let world = World::new().await;
    let (site, crew, acme) = (world.of_team("pump", "north").await, world.crew(), &world.account);
    let edit = |field| Edit { field, from: None, to: Some(Value::Text("x".to_owned())) };
    let untold = || vec![edit(Field::ResidentEmail), edit(Field::Device("cam".into())), edit(Field::DeviceCount)];
    let mixed = || -> Vec<Edit> { untold().into_iter().chain([edit(Field::Note)]).collect() };
    // The first entry is of the site's making.
    let entries = (2..60).map(|number| {
        let edits = if number % 20 == 0 { mixed() } else { untold() };
        let (actor, cause) = (Actor::System, Cause::Updated);
        let change = Change { number, made_at: now(), actor, cause, edits, merged: None };
        Mutation::create(record::change_key(acme, site, number), Document::Change(Box::new(change)))
    });
    world.store.commit(entries.collect()).await.unwrap();
    let list = async |principal: &Principal, field: &str, size, token: &str| {
        let page = PageRequest { size, token: token.to_owned() };
        world.waymark.list_changes(principal, acme, site, field, &page).await.unwrap()
    };
    let numbers = |items: &[Change]| items.iter().map(|change| change.number).collect::<Vec<_>>();
    for size in [1, 2, 1_000] {
        let (mut told, mut token) = (Vec::new(), String::new());
        loop {
            let page = list(&crew, "", size, &token).await;
            told.extend(page.items);
            token = page.next_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(numbers(&told), [40, 20, 1], "{size}");
        assert_eq!(told[0].edits, [edit(Field::Note)]);
    }
    for field in ["resident_access", "resident_access.owner_email", "devices", "devices.cam", "device_count"] {
        assert!(list(&crew, field, 1_000, "").await.items.is_empty(), "{field}");
        assert_eq!(list(&world.operator, field, 1_000, "").await.items.len(), 58, "{field}");
    }
    assert_eq!(world.waymark.get_change(&crew, acme, site, 40).await.unwrap().edits, [edit(Field::Note)]);
    assert!(is_missing(&world.waymark.get_change(&crew, acme, site, 41).await));
    assert_eq!(world.waymark.get_change(&world.operator, acme, site, 41).await.unwrap().edits, untold());
}

#[tokio::test]
async fn the_account_that_is_counted_is_that_of_the_assigned_sites() {
    let world = World::new().await;
    let (crew, options) = (world.crew(), ChangeOptions::default());
    for (name, team, lat) in [("one", "north", 10.0), ("two", "North", 20.0), ("three", "south", 30.0)] {
        let (site, at) = (world.of_team(name, team).await, LatLng::new(lat, 9.0).unwrap());
        world.waymark.set_pin(&world.operator, &world.account, site, at, None, &options).await.unwrap();
    }
    for (filter, matching) in [("", 2), ("one", 1), ("three", 0), ("status = ONLINE", 0), ("one OR three", 1)] {
        let world_box = BoundingBox::WORLD;
        let seen = world.waymark.viewport(&crew, &world.account, &world_box, 2, filter).await.unwrap();
        let of = |filter: &'static str| world.waymark.fit(&crew, &world.account, filter);
        assert_eq!(seen.account, of("").await.unwrap().tally, "{filter}");
        assert_eq!(seen.matching, of(filter).await.unwrap().tally, "{filter}");
        assert_eq!((seen.account.total(), seen.matching.total()), (2, matching), "{filter}");
    }
}
