//! Rows of sheets where nobody outside can look: what is sent again in the middle of a wait, and writers that come between.

use std::collections::BTreeMap;

use super::addresses::{DAY, MINUTE, SOON, TYPED, Waiting, door, down};
use super::{now, wait};
use crate::geocode::Candidate;
use crate::model::address::AddressQuery;
use crate::model::evidence::Storage;
use crate::model::geo::LatLng;
use crate::model::history::Cause;
use crate::model::id::SiteId;
use crate::model::site::Site;
use crate::model::site_address::AddressState;
use crate::service::importing::row::{RowKey, Said, SiteRow};
use crate::service::importing::{Imported, Outcome};
use crate::service::patch::SitePatch;
use crate::service::record::{self, Author};
use crate::store::document::Document;
use crate::store::{Key, Kind, Store as _};

/// A row of a site's address alone.
fn row_of(site: SiteId, line: &str) -> SiteRow {
    SiteRow {
        key: RowKey::Site(site),
        patch: SitePatch::default(),
        set_labels: BTreeMap::new(),
        add_phones: Vec::new(),
        position: Said::Nothing,
        address: Said::Some(AddressQuery::line(line).unwrap()),
        request_id: String::new(),
    }
}

impl Waiting {
    async fn import(&self, row: &SiteRow) -> Imported {
        let (waymark, account) = (&self.world.waymark, &self.world.account);
        let rows = waymark.import_sites(self.person(), account, vec![Ok(row.clone())], false).await;
        rows.unwrap().remove(0).unwrap()
    }

    /// What became of the row, and of the address in it.
    async fn imported(&self, row: &SiteRow) -> (Outcome, Option<AddressState>) {
        let Imported { outcome, address_state, .. } = self.import(row).await;
        (outcome, address_state)
    }

    fn times_asked(&self) -> usize {
        self.geocoder.asked.lock().len()
    }
}

/// The kept address counted as settled, and without the pin the site was nowhere.
#[tokio::test]
async fn a_site_whose_pin_a_row_takes_away_goes_to_the_address() {
    let waiting = Waiting::new(Ok(vec![door(64.0, Storage::Unlimited)])).await;
    let row = row_of(waiting.site, TYPED);
    let pinned = SiteRow { position: Said::Some(LatLng::new(10.0, 9.0).unwrap()), ..row.clone() };
    assert_eq!(waiting.imported(&pinned).await, (Outcome::Updated, Some(AddressState::PinKept)));
    // The address alone says nothing new.
    assert_eq!(waiting.imported(&row).await, (Outcome::Unchanged, Some(AddressState::PinKept)));
    assert_eq!(Waiting::lat(&waiting.shown().await), Some(10.0));

    let bare = SiteRow { position: Said::None, ..row };
    assert_eq!(waiting.imported(&bare).await, (Outcome::Updated, Some(AddressState::Applied)));
    assert_eq!(Waiting::lat(&waiting.shown().await), Some(64.0));
    assert_eq!(waiting.imported(&bare).await, (Outcome::Unchanged, Some(AddressState::Applied)));

    // Where a fix says where the address is, nobody is asked.
    waiting.pin(10.0).await;
    let asked = waiting.times_asked();
    assert_eq!(waiting.imported(&bare).await, (Outcome::Updated, Some(AddressState::Applied)));
    assert_eq!((Waiting::lat(&waiting.shown().await), waiting.times_asked()), (Some(64.0), asked));
}

/// Whether the address has to be asked for was decided on one version of the site, and another one was written: without the
/// address that the row states, though the row was said to be applied.
#[tokio::test]
async fn an_address_that_somebody_takes_away_meanwhile_is_stated_again() {
    let waiting = Waiting::new(Ok(vec![door(64.0, Storage::Unlimited)])).await;
    let row = row_of(waiting.site, TYPED);
    waiting.import(&row).await;
    let world = &waiting.world;
    let key = Key::of(&world.account, Kind::Site, waiting.site);
    let stored = world.store.get(key.clone()).await.unwrap().unwrap();
    let Document::Site(before) = stored.document else { panic!("{stored:?}") };
    let mut bare = Site { address: None, ..*before.clone() };
    bare.fixes.reset_to_automatic();
    let author = Author::of(&world.operator, Cause::LocationReset);
    world.outdate(key, 1, record::replace(&before, stored.revision, &mut bare, &author, now()));
    let row = SiteRow { patch: SitePatch { note: Some("seen".into()), ..SitePatch::default() }, ..row };
    assert_eq!(waiting.imported(&row).await, (Outcome::Updated, Some(AddressState::Applied)));
    let site = waiting.shown().await;
    assert_eq!((Waiting::lat(&site), site.note.as_str()), (Some(64.0), "seen"));
    assert_eq!(site.address.unwrap().typed, TYPED);
}

/// An answer to a question that nobody would ask any more moved a site away from a newer pin.
#[tokio::test]
async fn an_address_that_somebody_else_applied_meanwhile_moves_no_pin() {
    let waiting = Waiting::new(Ok(vec![door(64.0, Storage::Unlimited)])).await;
    let row = row_of(waiting.site, TYPED);
    let bare = waiting.stored().await;
    waiting.import(&row).await;
    wait(MINUTE);
    waiting.pin(10.0).await;
    let world = &waiting.world;
    let key = Key::of(&world.account, Kind::Site, waiting.site);
    let (author, mut pinned) = (Author::of(&world.operator, Cause::Updated), waiting.stored().await);
    let revision = async || world.store.get(key.clone()).await.unwrap().unwrap().revision;
    let mut before = Site { changes: pinned.changes, ..bare };
    let batch = record::replace(&pinned, revision().await, &mut before, &author, now());
    world.store.commit(batch).await.unwrap();
    pinned.changes = before.changes;
    world.outdate(key.clone(), 1, record::replace(&before, revision().await, &mut pinned, &author, now()));
    assert_eq!(waiting.imported(&row).await, (Outcome::Unchanged, Some(AddressState::PinKept)));
    assert_eq!(Waiting::lat(&waiting.shown().await), Some(10.0));
}

/// Each repeat of an open address was a new statement: a revision, an entry of the history, and a wait that began anew.
#[tokio::test]
async fn a_row_that_is_sent_again_changes_nothing_whatever_became_of_its_address() {
    let guess = Candidate { confidence: 0.5, ..door(64.0, Storage::Unlimited) };
    let pin = Said::Some(LatLng::new(10.0, 9.0).unwrap());
    for (says, line, position, state) in [
        (down(), TYPED, Said::Nothing, AddressState::Pending),
        (Ok(Vec::new()), TYPED, Said::Nothing, AddressState::NotFound),
        (Ok(Vec::new()), TYPED, pin, AddressState::NotFound),
        (Ok(vec![guess.clone()]), TYPED, Said::Nothing, AddressState::Ambiguous),
        (Ok(vec![guess]), TYPED, pin, AddressState::Ambiguous),
        (Ok(vec![door(64.0, Storage::Unlimited)]), TYPED, Said::Nothing, AddressState::Applied),
        (Ok(vec![door(64.0, Storage::Unlimited)]), TYPED, pin, AddressState::PinKept),
        (down(), "64.5, -21.5", Said::Nothing, AddressState::Applied),
    ] {
        let waiting = Waiting::new(says).await;
        let row = SiteRow { position, ..row_of(waiting.site, line) };
        assert_eq!(waiting.imported(&row).await, (Outcome::Updated, Some(state)));
        let before = waiting.stored().await;
        wait(MINUTE);
        assert_eq!(waiting.imported(&row).await, (Outcome::Unchanged, Some(state)));
        assert_eq!(waiting.stored().await, before, "{state:?}");
        // Other words are another statement, and so is what became of the same ones.
        let other = SiteRow { position, ..row_of(waiting.site, "Laugavegur 2") };
        assert_eq!(waiting.import(&other).await.outcome, Outcome::Updated);
        waiting.import(&row).await;
        // Nor are they the same beside a pin and without one.
        let is_open = !matches!(state, AddressState::Applied | AddressState::PinKept);
        if is_open && line == TYPED {
            let toggled = if position == Said::Nothing { pin } else { Said::Nothing };
            let beside = SiteRow { position: toggled, ..row.clone() };
            assert_eq!(waiting.import(&beside).await.outcome, Outcome::Updated, "{state:?}");
            assert_eq!(waiting.stored().await.address.unwrap().keep_pin, toggled != Said::Nothing);
            waiting.import(&row).await;
        }
        waiting.say(Ok(Vec::new()));
        let settled = waiting.imported(&row).await.1;
        let stays = matches!(state, AddressState::Applied | AddressState::PinKept);
        assert_eq!(settled, Some(if stays { state } else { AddressState::NotFound }));
    }
}

/// The address stood in the record as applied until its end was noticed, and was not asked for again.
#[tokio::test]
async fn an_answer_whose_terms_ended_is_asked_for_again() {
    let until = now() + DAY;
    let waiting = Waiting::new(Ok(vec![door(64.0, Storage::Until(until))])).await;
    let row = row_of(waiting.site, TYPED);
    waiting.import(&row).await;
    wait(DAY * 2);
    waiting.say(Ok(vec![door(64.0, Storage::Unlimited)]));
    assert_eq!(waiting.imported(&row).await, (Outcome::Updated, Some(AddressState::Applied)));
    assert_eq!(Waiting::lat(&waiting.shown().await), Some(64.0));
}

/// The site is where the row says already, and would not have stayed there.
#[tokio::test]
async fn a_position_stands_against_an_address_that_waits() {
    let waiting = Waiting::new(down()).await;
    waiting.pin(10.0).await;
    waiting.set(false).await.unwrap();
    let position = Said::Some(LatLng::new(10.0, 9.0).unwrap());
    let row = SiteRow { position, address: Said::Nothing, ..row_of(waiting.site, TYPED) };
    assert_eq!(waiting.import(&row).await.outcome, Outcome::Updated);
    assert_eq!(waiting.import(&row).await.outcome, Outcome::Unchanged);
    waiting.say(Ok(vec![door(64.0, Storage::Unlimited)]));
    waiting.pass(SOON).await;
    assert_eq!(Waiting::lat(&waiting.shown().await), Some(10.0));
}
