//! Addresses that wait, and answers whose terms end: weeks that pass at once, geocoders that fail when they are told to.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{World, now, wait};
use crate::geocode::{Candidate, Error as GeocodeError, Geocoder, Inquiry, Subject};
use crate::geoip::databases::Databases;
use crate::live::Live;
use crate::model::access::Principal;
use crate::model::address::AddressQuery;
use crate::model::evidence::Storage;
use crate::model::geo::LatLng;
use crate::model::id::SiteId;
use crate::model::location::{Granularity, Source};
use crate::model::site::Site;
use crate::model::site_address::{AddressState, WaitReason};
use crate::service::Error;
use crate::service::addresses::{AddressOutcome, StatedAddress};
use crate::service::sites::{ChangeOptions, etag_of};

/// The address of all these tests.
pub(super) const TYPED: &str = "Laugavegur 1";

/// What a test's geocoder says to everything.
pub(super) type Says = Result<Vec<Candidate>, GeocodeError>;

/// A geocoder that says what the test says.
#[derive(Debug)]
pub(super) struct Told {
    says: Mutex<Says>,
    pub(super) asked: Mutex<Vec<Subject>>,
}

#[async_trait]
impl Geocoder for Told {
    async fn answer(&self, inquiry: &Inquiry, _deadline: Instant) -> Says {
        self.asked.lock().push(inquiry.subject.clone());
        self.says.lock().clone()
    }

    fn attributions(&self) -> Vec<String> {
        Vec::new()
    }
}

pub(super) fn door(lat: f64, storage: Storage) -> Candidate {
    Candidate {
        place_id: "N1".into(),
        formatted_address: format!("Laugavegur 1 at {lat}"),
        position: LatLng::new(lat, -21.9).unwrap(),
        granularity: Granularity::Door,
        confidence: 1.0,
        country: None,
        provider: "told".into(),
        attribution: String::new(),
        storage,
    }
}

pub(super) fn down() -> Says {
    Err(GeocodeError::TimedOut { provider: "told".into() })
}

/// A deployment with one site and a geocoder that says what it is told.
pub(super) struct Waiting {
    pub(super) world: World,
    pub(super) geocoder: Arc<Told>,
    pub(super) site: SiteId,
}

impl Waiting {
    pub(super) async fn new(says: Says) -> Self {
        let geocoder = Arc::new(Told { says: Mutex::new(says), asked: Mutex::default() });
        let world = World::of(Databases::empty(), Some(Arc::clone(&geocoder) as _)).await;
        world.create_sites(1).await;
        let site = world.sites().await[0].id;
        Self { world, geocoder, site }
    }

    pub(super) fn say(&self, says: Says) {
        *self.geocoder.says.lock() = says;
    }

    pub(super) fn person(&self) -> &Principal {
        &self.world.operator
    }

    pub(super) async fn set(&self, keep_pin: bool) -> Result<AddressOutcome, Error> {
        self.set_line(TYPED, keep_pin).await
    }

    pub(super) async fn set_line(&self, line: &str, keep_pin: bool) -> Result<AddressOutcome, Error> {
        let query = AddressQuery::line(line).unwrap();
        let (world, options) = (&self.world, ChangeOptions::default());
        let stated = StatedAddress { query: &query, country: None, keep_pin };
        world.waymark.set_address(self.person(), &world.account, self.site, stated, &options).await
    }

    pub(super) async fn pin(&self, lat: f64) {
        let position = LatLng::new(lat, 9.0).unwrap();
        let world = &self.world;
        let options = ChangeOptions::default();
        world.waymark.set_pin(self.person(), &world.account, self.site, position, None, &options).await.unwrap();
    }

    /// The record as it is.
    pub(super) async fn stored(&self) -> Site {
        self.world.sites().await.remove(0)
    }

    /// The site as callers see it.
    pub(super) async fn shown(&self) -> Site {
        let waymark = &self.world.waymark;
        let found = waymark.get_site(self.person(), &self.world.account, self.site).await.unwrap();
        waymark.shown(found).value
    }

    /// Lets time pass, and asks for all that is due then.
    pub(super) async fn pass(&self, time: SignedDuration) {
        wait(time);
        while self.world.waymark.ask_for_due(None).await.is_some() {}
    }

    pub(super) async fn state(&self) -> AddressState {
        self.shown().await.address.unwrap().state
    }

    pub(super) fn lat(site: &Site) -> Option<f64> {
        site.fixes.effective().map(|fix| fix.position.lat())
    }
}

pub(super) const MINUTE: SignedDuration = SignedDuration::from_secs(60);
/// Longer than any wait between attempts.
pub(super) const SOON: SignedDuration = SignedDuration::from_hours(8);
pub(super) const DAY: SignedDuration = SignedDuration::from_hours(24);

#[tokio::test]
async fn what_waits_is_applied_as_if_the_person_had_asked_then() {
    let waiting = Waiting::new(down()).await;
    let outcome = waiting.set(false).await.unwrap();
    assert_eq!(outcome.state, AddressState::Pending);
    let address = outcome.site.value.address.unwrap();
    let retry = address.retry.unwrap();
    assert_eq!((address.typed.as_str(), retry.reason, retry.attempts), (TYPED, WaitReason::Unavailable, 1));
    let left = retry.next_at.duration_since(now());
    assert!(left > MINUTE - SignedDuration::from_secs(20) && left <= MINUTE + MINUTE / 4, "{left}");
    let etag = etag_of(&waiting.shown().await);

    waiting.pass(SignedDuration::from_secs(20)).await;
    assert_eq!(waiting.geocoder.asked.lock().len(), 1, "it is not due yet");
    for attempts in 2..6 {
        waiting.pass(SOON).await;
        let shown = waiting.shown().await;
        assert_eq!(shown.address.as_ref().unwrap().retry.unwrap().attempts, attempts);
        assert_eq!(etag_of(&shown), etag, "an attempt in vain takes nobody's edit away");
    }
    waiting.say(Ok(vec![door(64.0, Storage::Unlimited)]));
    waiting.pass(SOON).await;
    let site = waiting.shown().await;
    let fix = site.fixes.get(Source::Address).unwrap();
    assert_eq!((fix.made_by.clone(), fix.position.lat()), (waiting.person().actor(), 64.0));
    assert!(now().duration_since(fix.made_at) < MINUTE, "made when it is applied");
    let address = site.address.unwrap();
    assert_eq!((address.state, address.formatted.as_str()), (AddressState::Applied, "Laugavegur 1 at 64"));
    assert_eq!(address.retry, None);
}

#[tokio::test]
async fn a_later_word_of_a_person_stays() {
    let waiting = Waiting::new(down()).await;
    waiting.set(false).await.unwrap();
    waiting.pin(10.0).await;
    waiting.say(Ok(vec![door(64.0, Storage::Unlimited)]));
    waiting.pass(SOON).await;
    let site = waiting.shown().await;
    assert_eq!((Waiting::lat(&site), site.address.unwrap().state), (Some(10.0), AddressState::PinKept));

    // An earlier one does not.
    let waiting = Waiting::new(down()).await;
    waiting.pin(10.0).await;
    waiting.set(false).await.unwrap();
    waiting.say(Ok(vec![door(64.0, Storage::Unlimited)]));
    waiting.pass(SOON).await;
    assert_eq!(Waiting::lat(&waiting.shown().await), Some(64.0));
}

#[tokio::test]
async fn keep_pin_is_obeyed_later_too_and_keeps_the_terms() {
    let waiting = Waiting::new(down()).await;
    waiting.pin(10.0).await;
    waiting.set(true).await.unwrap();
    let until = now() + DAY * 30;
    waiting.say(Ok(vec![door(64.0, Storage::Until(until))]));
    waiting.pass(SOON).await;
    let site = waiting.shown().await;
    let address = site.address.clone().unwrap();
    assert_eq!((Waiting::lat(&site), address.state), (Some(10.0), AddressState::PinKept));
    assert_eq!((address.formatted.as_str(), address.storage), ("Laugavegur 1 at 64", Storage::Until(until)));
    // Renewed by its words before the end.
    waiting.say(Ok(vec![door(64.0, Storage::Until(until + DAY))]));
    waiting.pass(DAY * 28).await;
    assert_eq!(waiting.shown().await.address.unwrap().storage, Storage::Until(until + DAY));
    waiting.say(down());
    waiting.pass(DAY * 9).await;
    let address = waiting.shown().await.address.unwrap();
    assert_eq!((address.formatted.as_str(), address.state), ("", AddressState::Expired));
    assert_eq!(address.typed, TYPED);
}

#[tokio::test]
async fn what_a_person_has_to_mend_is_an_error_at_once() {
    let refused: [GeocodeError; 2] =
        [GeocodeError::NotConfigured, GeocodeError::Refused { provider: "told".into(), status: 400 }];
    for cause in refused {
        let waiting = Waiting::new(Err(cause.clone())).await;
        let failure = waiting.set(false).await.unwrap_err();
        assert!(matches!(&failure, Error::Geocode(told) if *told == cause), "{failure}");
        assert_eq!(waiting.stored().await.address, None);
    }
    let quota = GeocodeError::QuotaUsed {
        provider: "told".into(),
        status: 429,
        retry_after: Some(std::time::Duration::from_hours(2)),
    };
    let waiting = Waiting::new(Err(quota)).await;
    let retry = waiting.set(false).await.unwrap().site.value.address.unwrap().retry.unwrap();
    assert_eq!(retry.reason, WaitReason::Quota);
    assert!(retry.next_at.duration_since(now()) > SignedDuration::from_mins(119), "no earlier than was asked for");
}

#[tokio::test]
async fn what_nothing_answers_to_is_asked_for_weekly_and_of_other_geocoders_at_once() {
    let waiting = Waiting::new(Ok(Vec::new())).await;
    assert_eq!(waiting.set(false).await.unwrap().state, AddressState::NotFound);
    let asked = || waiting.geocoder.asked.lock().len();
    waiting.pass(DAY * 6).await;
    assert_eq!(asked(), 1);
    waiting.pass(DAY * 3).await;
    assert_eq!((asked(), waiting.state().await), (2, AddressState::NotFound));
    waiting.say(Ok(vec![door(64.0, Storage::Unlimited)]));
    waiting.world.waymark.geocoders_changed();
    waiting.pass(SignedDuration::ZERO).await;
    assert_eq!((asked(), waiting.state().await), (3, AddressState::Applied));
}

#[tokio::test]
async fn several_answers_are_left_to_a_person() {
    let waiting = Waiting::new(down()).await;
    waiting.set(false).await.unwrap();
    waiting.say(Ok(vec![door(64.0, Storage::Unlimited), door(65.0, Storage::Unlimited)]));
    waiting.pass(SOON).await;
    let site = waiting.shown().await;
    let address = site.address.unwrap();
    assert_eq!((address.state, address.retry), (AddressState::Ambiguous, None));
    assert!(site.fixes.effective().is_none());
}

#[tokio::test]
async fn what_waits_is_in_the_records_alone() {
    let waiting = Waiting::new(down()).await;
    waiting.set(false).await.unwrap();
    let of = |live: Arc<Live>| live.account(&waiting.world.account).unwrap().waiting.get(waiting.site);
    let anew = Live::follow(&*waiting.world.store).await.unwrap();
    let kept = of(Arc::clone(&waiting.world.waymark.parts.live));
    assert!(kept.is_some_and(|kept| kept.ask_at.is_some()) && of(anew) == kept, "{kept:?}");
}

/// A site that stands at an answer of 40 days, and the time at which that ends.
pub(super) async fn with_terms() -> (Waiting, Timestamp) {
    let until = now() + DAY * 40;
    let waiting = Waiting::new(Ok(vec![door(64.0, Storage::Until(until))])).await;
    assert_eq!(waiting.set(false).await.unwrap().state, AddressState::Applied);
    (waiting, until)
}

#[tokio::test]
async fn an_answer_is_renewed_where_the_same_place_answers() {
    let (waiting, until) = with_terms().await;
    let before = waiting.shown().await;
    waiting.pass(DAY * 30).await;
    assert_eq!(waiting.shown().await, before, "it is not due yet");
    // The same house, a stone's throw away.
    waiting.say(Ok(vec![door(64.000_1, Storage::Until(until + DAY * 40))]));
    waiting.pass(DAY * 8).await;
    let site = waiting.shown().await;
    let (old, new) = (before.fixes.effective().unwrap(), site.fixes.effective().unwrap());
    assert_eq!((new.made_at, &new.made_by), (old.made_at, &old.made_by), "a person made it, and when that was");
    assert_eq!(site.kept_until(), Some(until + DAY * 40));
    let address = site.address.as_ref().unwrap();
    assert_eq!((address.state, address.formatted.as_str()), (AddressState::Applied, "Laugavegur 1 at 64.0001"));
    assert!(matches!(waiting.geocoder.asked.lock().last(), Some(Subject::Place(place)) if place.id == "N1"));
    waiting.pass(DAY * 10).await;
    assert!(waiting.shown().await.fixes.effective().is_some(), "it lives on behind the old end");
}

#[tokio::test]
async fn a_place_that_moved_is_a_persons_choice() {
    let (waiting, until) = with_terms().await;
    waiting.say(Ok(vec![door(64.01, Storage::Until(until + DAY * 40))]));
    waiting.pass(DAY * 38).await;
    let site = waiting.shown().await;
    assert_eq!((Waiting::lat(&site), site.address.unwrap().state), (Some(64.0), AddressState::Ambiguous));
    waiting.pass(DAY * 5).await;
    waiting.world.waymark.drop_expired_answers().await;
    let site = waiting.stored().await;
    assert_eq!((Waiting::lat(&site), site.address.unwrap().state), (None, AddressState::Expired));
    let asked = waiting.geocoder.asked.lock().len();
    waiting.world.waymark.geocoders_changed();
    waiting.pass(DAY * 30).await;
    assert_eq!(waiting.geocoder.asked.lock().len(), asked, "nobody decides for the person");
}

#[tokio::test]
async fn what_cannot_be_renewed_is_dropped_and_shown_to_nobody_before_that() {
    let (waiting, _) = with_terms().await;
    waiting.say(down());
    wait(DAY * 41);
    assert!(waiting.stored().await.fixes.effective().is_some(), "nothing swept yet");
    let shown = waiting.shown().await;
    assert!(shown.fixes.effective().is_none());
    let address = shown.address.unwrap();
    assert_eq!((address.typed.as_str(), address.formatted.as_str()), (TYPED, ""));
    assert_eq!(address.state, AddressState::Expired);

    waiting.world.waymark.drop_expired_answers().await;
    let text = serde_json::to_string(&waiting.stored().await).unwrap();
    for provided in ["Laugavegur 1 at", "N1", "told", "-21.9"] {
        assert!(!text.contains(provided), "{provided} is the provider's: {text}");
    }
    assert!(text.contains(TYPED));
    let live = waiting.world.waymark.parts.live.account(&waiting.world.account).unwrap();
    assert_eq!(live.map.read().all().unplaced(), 1, "the map follows");

    waiting.say(Ok(vec![door(64.0, Storage::Unlimited)]));
    waiting.pass(SOON).await;
    assert_eq!((Waiting::lat(&waiting.shown().await), waiting.state().await), (Some(64.0), AddressState::Applied));
}

#[tokio::test]
async fn whoever_changes_a_site_leaves_nothing_in_it_that_expired() {
    let (waiting, _) = with_terms().await;
    wait(DAY * 41);
    waiting.pin(10.0).await;
    let site = waiting.stored().await;
    assert!(site.fixes.get(Source::Address).is_none());
    assert_eq!(Waiting::lat(&site), Some(10.0));
}

#[tokio::test]
async fn a_record_that_cannot_be_read_keeps_no_other_waiting() {
    let waiting = Waiting::new(down()).await;
    waiting.set(false).await.unwrap();
    waiting.world.store.corrupt.lock().push(waiting.site.to_string());
    // Ends, although nothing could be made of it.
    waiting.pass(SOON).await;
    waiting.world.store.corrupt.lock().clear();
    waiting.say(Ok(vec![door(64.0, Storage::Unlimited)]));
    waiting.pass(SOON).await;
    assert_eq!(waiting.state().await, AddressState::Applied);
}
