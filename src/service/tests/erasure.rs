//! Erasing persons: nothing of them is answered, nor in any file, while everything runs.

use super::*;
use crate::model::phone::{Phone, PhoneKind};
use crate::model::site_devices::SiteDevice;
use crate::service::erasure::ErasureOptions;
use crate::service::paging::PageRequest;
use crate::service::patch::SitePatch;
use crate::service::resident::AccessPatch;
use crate::service::sites::ChangeOptions;

/// Begins every personal text of these tests, and no other.
const CANARY: &str = "kanarie";

fn personal(name: &str, round: usize) -> SitePatch {
    let canary = |field: &str| Some(format!("{CANARY}-{field}-{round}"));
    SitePatch {
        display_name: Some(name.to_owned()),
        email: Some(format!("{CANARY}-{round}@example.org")),
        first_name: canary("first"),
        last_name: canary("last"),
        phones: Some(vec![Phone { number: format!("+354555{round:04}"), kind: PhoneKind::Home, ..Phone::default() }]),
        note: Some(format!("{CANARY}-note-{round} ").repeat(500)),
        ..SitePatch::default()
    }
}

impl World {
    /// Sites with persons, each changed some times.
    pub(super) async fn with_persons(sites: usize) -> (Self, Vec<crate::model::id::SiteId>) {
        let world = Self::new().await;
        let (operator, acme) = (&world.operator, &world.account);
        let mut ids = Vec::new();
        for number in 0..sites {
            let name = format!("site {number}");
            let made = world.waymark.create_site(operator, acme, personal(&name, 0), "").await.unwrap();
            let (id, options) = (made.value.id, ChangeOptions::default());
            for round in 1..5 {
                world.waymark.update_site(operator, acme, id, personal(&name, round), &options).await.unwrap();
            }
            let email = Some(format!("{CANARY}-owner@example.org"));
            let patch = AccessPatch { owner_email: email, enabled: Some(true), permissions: None };
            world.waymark.update_resident_access(operator, acme, id, patch, (&options, "")).await.unwrap();
            let device = SiteDevice {
                id: "phone".to_owned(),
                display_name: format!("{CANARY}'s telephone"),
                kind: String::new(),
                can_power: false,
                can_block: false,
            };
            world.waymark.report_devices(operator, acme, id, (vec![device], false)).await.unwrap();
            ids.push(id);
        }
        (world, ids)
    }

    /// The files of the data directory that hold the text.
    fn files_with(&self, text: &str) -> Vec<String> {
        let holds = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        let files = std::fs::read_dir(self.directory.path()).unwrap().map(|entry| entry.unwrap().path());
        let with = files.filter(|path| holds(&std::fs::read(path).unwrap()));
        with.map(|path| path.display().to_string()).collect()
    }
}

#[tokio::test]
async fn an_erased_site_is_in_no_answer_and_in_no_file() {
    let (world, ids) = World::with_persons(3).await;
    let (operator, acme) = (&world.operator, &world.account);
    assert!(!world.files_with(CANARY).is_empty(), "the canaries were in there");
    let viewer = Principal { scope: Scope::Editor, account: Some(acme.clone()), ..operator.clone() };
    let all = ErasureOptions::default();
    assert!(matches!(world.waymark.erase_site(&viewer, acme, ids[0], all).await, Err(crate::service::Error::Scope)));
    let look = ErasureOptions { validate_only: true, ..all };
    assert_eq!(world.waymark.erase_site(operator, acme, ids[0], look).await.unwrap(), 0);
    for id in &ids {
        assert!(world.waymark.erase_site(operator, acme, *id, all).await.unwrap() > 5);
        let site = world.waymark.get_site(operator, acme, *id).await.unwrap().value;
        assert!(!format!("{site:?}").contains(CANARY), "{site:?}");
        assert!(world.waymark.resident_access(operator, acme, *id).await.unwrap().access.is_none());
        assert!(world.waymark.list_devices(operator, acme, *id).await.unwrap().devices.is_empty());
    }
    assert_eq!(world.files_with(CANARY), Vec::<String>::new());
    assert_eq!(world.files_with("+354555"), Vec::<String>::new());
    assert!(!world.files_with("site 1").is_empty(), "the sites stay");
}

#[tokio::test]
async fn an_account_is_erased_page_by_page() {
    let (world, mut ids) = World::with_persons(5).await;
    let (operator, acme) = (&world.operator, &world.account);
    let (mut erased, mut token) = (Vec::new(), String::new());
    loop {
        let page = PageRequest { size: 2, token };
        let page = world.waymark.erase_sites(operator, acme, &page, ErasureOptions::default()).await.unwrap().page;
        assert!(page.items.len() <= 2);
        erased.extend(page.items);
        if page.next_token.is_empty() {
            break;
        }
        token = page.next_token;
    }
    ids.sort_unstable();
    assert_eq!(erased, ids);
    assert_eq!(world.files_with(CANARY), Vec::<String>::new());
}

#[tokio::test]
async fn the_pages_of_an_erasure_go_as_far_as_its_first_one() {
    let (world, mut ids) = World::with_persons(2).await;
    let world = &world;
    let (operator, acme, options) = (&world.operator, &world.account, ChangeOptions::default());
    for id in &ids {
        let position = LatLng::new(64.123_457, -21.7).unwrap();
        world.waymark.set_pin(operator, acme, *id, position, None, &options).await.unwrap();
    }
    ids.sort_unstable();
    let erase = |token: &str, include_location| {
        let page = PageRequest { size: 1, token: token.to_owned() };
        let options = ErasureOptions { include_location, validate_only: false };
        async move { world.waymark.erase_sites(operator, acme, &page, options).await.map(|erased| erased.page) }
    };
    let first = erase("", true).await.unwrap();
    assert!(matches!(erase(&first.next_token, false).await, Err(crate::service::Error::PageToken)));
    let place = |id| async move {
        let site = world.waymark.get_site(operator, acme, id).await.unwrap().value;
        site.fixes.effective().map(|fix| fix.position.lat())
    };
    assert_eq!((place(ids[0]).await, place(ids[1]).await), (None, Some(64.123_457)));
    let mut token = first.next_token;
    while !token.is_empty() {
        token = erase(&token, true).await.unwrap().next_token;
    }
    assert_eq!(place(ids[1]).await, None);
    assert_eq!(world.files_with("64.123457"), Vec::<String>::new());
}
