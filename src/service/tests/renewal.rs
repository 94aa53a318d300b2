//! Addresses between a person's words: what overtakes them, what was chosen, and answers that end beside them.

use jiff::SignedDuration;

use super::addresses::{DAY, MINUTE, SOON, TYPED, Waiting, door, down, with_terms};
use super::{now, wait};
use crate::geocode::{Candidate, Subject};
use crate::live::Live;
use crate::model::address::{AddressQuery, CountryCode, PostalAddress};
use crate::model::attention::AttentionReason;
use crate::model::evidence::Storage;
use crate::model::geo::LatLng;
use crate::model::location::{Evidence, Source};
use crate::model::site::Site;
use crate::model::site_address::{AddressState, SiteAddress};
use crate::service::candidates::Choice;
use crate::service::paging::PageRequest;
use crate::service::sites::{ChangeOptions, etag_of};
use crate::store::document::Document;
use crate::store::{Key, Kind, Mutation, Store as _};

impl Waiting {
    async fn apply(&self, choice: &Choice, keep_pin: bool) -> SiteAddress {
        let (waymark, options) = (&self.world.waymark, ChangeOptions::default());
        let account = &self.world.account;
        let applied = waymark.apply_candidate(self.person(), account, self.site, &choice.token, keep_pin, &options);
        applied.await.unwrap().value.address.unwrap()
    }

    /// The candidates of a question.
    async fn ask(&self, query: &AddressQuery) -> Vec<Choice> {
        let (waymark, account) = (&self.world.waymark, &self.world.account);
        waymark.geocode_address(self.person(), account, query, Some(self.site), 0).await.unwrap().1
    }

    async fn address(&self) -> SiteAddress {
        self.shown().await.address.unwrap()
    }
}

#[tokio::test]
async fn a_code_that_waited_moves_no_pin_that_was_dropped_later() {
    let waiting = Waiting::new(down()).await;
    assert_eq!(waiting.set_line("9G8F+6X Zurich", false).await.unwrap().state, AddressState::Pending);
    // A clock that lagged, or another way in: the pin is newer than what is waited for, and that waits still.
    waiting.pin(10.0).await;
    assert_eq!(waiting.state().await, AddressState::Pending);
    waiting.say(Ok(vec![door(47.4, Storage::Unlimited)]));
    waiting.pass(SOON).await;
    let site = waiting.shown().await;
    assert_eq!((Waiting::lat(&site), site.address), (Some(10.0), None));
}

/// The fixes are the same whether the answer or the pin came first.
#[tokio::test]
async fn an_answer_that_was_overtaken_is_below_the_pin() {
    let waiting = Waiting::new(down()).await;
    let stated_at = waiting.set(false).await.unwrap().site.value.address.unwrap().stated_at;
    waiting.pin(10.0).await;
    waiting.say(Ok(vec![door(64.0, Storage::Unlimited)]));
    waiting.pass(SOON).await;
    let site = waiting.shown().await;
    assert_eq!(Waiting::lat(&site), Some(10.0));
    assert_eq!(site.fixes.get(Source::Address).map(|fix| fix.made_at), stated_at);
    let (waymark, options) = (&waiting.world.waymark, ChangeOptions::default());
    let below = waymark.delete_fix(waiting.person(), &waiting.world.account, waiting.site, Source::Pin, &options);
    let below = below.await.unwrap().value;
    assert_eq!((Waiting::lat(&below), below.address.unwrap().state), (Some(64.0), AddressState::Applied));
}

#[tokio::test]
async fn a_kept_pin_hides_no_failure() {
    let waiting = Waiting::new(Ok(Vec::new())).await;
    waiting.pin(10.0).await;
    let outcome = waiting.set(true).await.unwrap();
    assert!(outcome.state == AddressState::NotFound && outcome.wait.is_some(), "{outcome:?}");
    let two = vec![door(64.0, Storage::Unlimited), door(65.0, Storage::Unlimited)];
    waiting.say(Ok(two));
    waiting.pass(DAY * 9).await;
    assert_eq!(waiting.state().await, AddressState::Ambiguous);
    let choices = waiting.ask(&AddressQuery::line(TYPED).unwrap()).await;
    assert_eq!(waiting.apply(&choices[1], true).await.state, AddressState::PinKept);
    assert_eq!(Waiting::lat(&waiting.shown().await), Some(10.0));

    let waiting = Waiting::new(Ok(Vec::new())).await;
    waiting.pin(10.0).await;
    waiting.set(true).await.unwrap();
    waiting.say(Ok(vec![door(64.0, Storage::Unlimited)]));
    waiting.pass(DAY * 9).await;
    assert_eq!((Waiting::lat(&waiting.shown().await), waiting.state().await), (Some(10.0), AddressState::PinKept));
}

#[tokio::test]
async fn a_text_and_what_it_rests_on_are_renewed_together() {
    let (waiting, until) = with_terms().await;
    assert_eq!(waiting.set(true).await.unwrap().state, AddressState::PinKept);
    let later = Storage::Until(until + DAY * 40);
    waiting.say(Ok(vec![door(64.0, later)]));
    waiting.pass(DAY * 39).await;
    let address = waiting.address().await;
    assert_eq!((address.storage, address.evidence.unwrap().storage), (later, later));
}

#[tokio::test]
async fn a_place_that_moved_is_no_matter_of_another_address() {
    let (waiting, until) = with_terms().await;
    waiting.say(Ok(vec![door(65.0, Storage::Unlimited)]));
    waiting.set_line("Bankastraeti 7", true).await.unwrap();
    waiting.say(Ok(vec![door(64.01, Storage::Until(until + DAY * 40))]));
    waiting.pass(DAY * 39).await;
    assert_eq!(waiting.state().await, AddressState::PinKept);
    wait(DAY * 9);
    let address = waiting.address().await;
    assert_eq!((address.state, address.formatted.as_str()), (AddressState::PinKept, "Laugavegur 1 at 65"));
}

/// A site had one time to be asked for, which was that of the address that waited: the answer that it stood at ended.
#[tokio::test]
async fn an_answer_is_renewed_in_time_while_another_address_is_open() {
    let (waiting, until) = with_terms().await;
    waiting.say(Ok(Vec::new()));
    assert_eq!(waiting.set_line("Bankastraeti 7", false).await.unwrap().state, AddressState::NotFound);
    waiting.pass(DAY * 36).await;
    let before = waiting.address().await;
    assert_eq!((before.state, before.retry.unwrap().attempts), (AddressState::NotFound, 2));
    // Each is decided when it comes: on the 37th day this one, a week behind the last attempt the other.
    let renewed = Storage::Until(until + DAY * 40);
    waiting.say(Ok(vec![door(64.0, renewed)]));
    waiting.pass(DAY + MINUTE).await;
    let site = waiting.shown().await;
    assert_eq!((Waiting::lat(&site), site.kept_until()), (Some(64.0), renewed.until()));
    let address = site.address.clone().unwrap();
    assert_eq!((address.state, address.retry), (AddressState::NotFound, before.retry));
    let next = address.renewal.unwrap();
    assert_eq!((next.attempts, next.next_at > until), (0, true));
    assert!(matches!(waiting.geocoder.asked.lock().last(), Some(Subject::Place(place)) if place.id == "N1"));
    // What waits is in the records alone.
    let of = |live: &Live| live.account(&waiting.world.account).unwrap().waiting.get(waiting.site);
    let anew = Live::follow(&*waiting.world.store).await.unwrap();
    assert_eq!(of(&anew), of(&waiting.world.waymark.parts.live));

    waiting.say(Ok(vec![door(65.0, Storage::Unlimited)]));
    waiting.pass(DAY * 9).await;
    let address = waiting.address().await;
    assert_eq!((address.state, address.retry, address.renewal), (AddressState::Applied, None, None));
    assert_eq!(Waiting::lat(&waiting.shown().await), Some(65.0));
}

#[tokio::test]
async fn attempts_at_an_address_and_at_a_renewal_are_counted_apart() {
    let (waiting, until) = with_terms().await;
    let planned = waiting.address().await.retry;
    waiting.say(down());
    assert_eq!(waiting.set_line("Bankastraeti 7", false).await.unwrap().state, AddressState::Pending);
    for _ in 0..4 {
        waiting.pass(SOON).await;
    }
    let address = waiting.address().await;
    assert_eq!((address.retry.unwrap().attempts, address.renewal), (5, planned), "one does not put the other off");
    waiting.pass(DAY * 37).await;
    let address = waiting.address().await;
    assert_eq!((address.retry.unwrap().attempts, address.renewal.unwrap().attempts), (6, 1));
    wait(DAY * 2);
    waiting.world.waymark.drop_expired_answers().await;
    let site = waiting.stored().await;
    let address = site.address.clone().unwrap();
    assert_eq!((site.kept_until(), address.state, address.renewal), (None, AddressState::Pending, None));
    assert!(address.retry.unwrap().next_at < until, "it waits on");
}

#[tokio::test]
async fn what_nobody_typed_is_never_asked_for_by_its_words() {
    let until = now() + DAY * 40;
    let unnamed = |storage| Candidate { place_id: String::new(), ..door(64.0, storage) };
    let waiting = Waiting::new(Ok(vec![unnamed(Storage::Until(until))])).await;
    waiting.pin(64.0).await;
    let (waymark, account) = (&waiting.world.waymark, &waiting.world.account);
    let at = LatLng::new(64.0, -21.9).unwrap();
    let found = waymark.reverse_geocode(waiting.person(), account, at, Some(waiting.site), 0).await.unwrap();
    assert_eq!(waiting.apply(&found[0], true).await.typed, "");
    waiting.say(Ok(vec![unnamed(Storage::Until(until + DAY * 40))]));
    waiting.pass(DAY * 38).await;
    assert_eq!(waiting.address().await.storage, Storage::Until(until + DAY * 40));
    waiting.say(down());
    waiting.pass(DAY * 60).await;
    waymark.drop_expired_answers().await;
    waymark.geocoders_changed();
    waiting.pass(DAY * 9).await;
    let address = waiting.address().await;
    assert_eq!((address.state, address.retry), (AddressState::Expired, None));
    let asked = waiting.geocoder.asked.lock();
    assert!(asked.iter().all(|subject| *subject == Subject::Position(at)), "{asked:?}");
}

#[tokio::test]
async fn no_machine_overrules_a_choice() {
    for keep_pin in [true, false] {
        let until = Storage::Until(now() + DAY * 40);
        let other = Candidate { place_id: String::new(), ..door(65.0, until) };
        let waiting = Waiting::new(Ok(vec![door(64.0, until), other])).await;
        let choices = waiting.ask(&AddressQuery::line(TYPED).unwrap()).await;
        waiting.apply(&choices[1], keep_pin).await;
        // The other one wins clearly now.
        waiting.say(Ok(vec![door(64.0, Storage::Until(now() + DAY * 400))]));
        waiting.pass(DAY * 39).await;
        let site = waiting.shown().await;
        assert_eq!(Waiting::lat(&site), (!keep_pin).then_some(65.0));
        let address = site.address.unwrap();
        assert_eq!((address.formatted.as_str(), address.storage), ("Laugavegur 1 at 65", until));
        assert_ne!(address.state, AddressState::Ambiguous);
        wait(DAY * 2);
        waiting.world.waymark.drop_expired_answers().await;
        waiting.pass(DAY * 30).await;
        let site = waiting.shown().await;
        assert_eq!((Waiting::lat(&site), site.address.unwrap().state), (None, AddressState::Expired));
    }
}

#[tokio::test]
async fn a_choice_remembers_the_whole_question() {
    let waiting = Waiting::new(Ok(vec![door(64.0, Storage::Unlimited)])).await;
    let suggested = async || {
        let (waymark, account) = (&waiting.world.waymark, &waiting.world.account);
        waymark.suggest_addresses(waiting.person(), account, "Lauga", Some(waiting.site), 0).await.unwrap().remove(0)
    };
    assert_eq!(waiting.apply(&suggested().await, false).await.typed, "Laugavegur 1 at 64");
    // What must be forgotten is no question: it would outlive its terms.
    waiting.say(Ok(vec![door(64.0, Storage::Until(now() + DAY))]));
    assert_eq!(waiting.apply(&suggested().await, false).await.typed, "Lauga");

    let country = CountryCode::parse("IS");
    let query = AddressQuery::Parts(PostalAddress { street: TYPED.into(), country, ..PostalAddress::default() });
    let choices = waiting.ask(&query).await;
    let address = waiting.apply(&choices[0], false).await;
    assert_eq!((address.query(), address.country), (query, country));
}

#[tokio::test]
async fn a_wait_is_of_what_was_stated_and_a_country_is_part_of_the_etag() {
    let waiting = Waiting::new(down()).await;
    waiting.set(false).await.unwrap();
    let outcome = waiting.set_line("64.1, -21.9", false).await.unwrap();
    assert_eq!((outcome.state, outcome.wait), (AddressState::Applied, None));
    assert!(outcome.site.value.address.is_some(), "what was stated before waits on, of which nothing is said here");
    let mut site = waiting.stored().await;
    let etag = etag_of(&site);
    site.address.as_mut().unwrap().country = CountryCode::parse("IS");
    assert_ne!(etag_of(&site), etag);
}

#[tokio::test]
async fn dropping_ends_where_the_store_fails() {
    let (waiting, _) = with_terms().await;
    let site = waiting.stored().await;
    let account = &waiting.world.account;
    let copies = (0..99).map(|number| Site {
        display_name: format!("copy {number}"),
        ..Site::new(account.clone(), String::new(), now())
    });
    let copy = |Site { id, display_name, .. }| {
        let copy = Site { id, display_name, ..site.clone() };
        Mutation::create(Key::of(account, Kind::Site, id), Document::Site(Box::new(copy)))
    };
    waiting.world.store.commit(copies.map(copy).collect()).await.unwrap();
    wait(DAY * 41);
    waiting.world.fail_after(0);
    waiting.world.waymark.drop_expired_answers().await;
    let live = waiting.world.waymark.parts.live.account(account).unwrap();
    assert_eq!(live.waiting.expired(now(), 999).len(), 36, "one batch was tried");
    waiting.world.fail_after(usize::MAX);
    wait(SignedDuration::from_mins(2));
    waiting.world.waymark.drop_expired_answers().await;
    assert_eq!((live.waiting.expired(now(), 999).len(), live.map.read().all().unplaced()), (0, 100));
}

#[tokio::test]
async fn the_map_never_begins_with_what_ended() {
    let (waiting, _) = with_terms().await;
    let mut site = waiting.stored().await;
    let past = Storage::Until(now() - DAY);
    let mut fix = site.fixes.remove(Source::Address).unwrap();
    if let Evidence::Geocoded(answer) = &mut fix.evidence {
        answer.storage = past;
    }
    site.fixes.put(fix);
    site.address.as_mut().unwrap().storage = past;
    let key = Key::of(&site.account, Kind::Site, site.id);
    let revision = waiting.world.store.get(key.clone()).await.unwrap().unwrap().revision;
    let written = Mutation::replace(key, revision, Document::Site(Box::new(site)));
    waiting.world.store.commit(vec![written]).await.unwrap();
    let live = Live::follow(&*waiting.world.store).await.unwrap().account(&waiting.world.account).unwrap();
    assert_eq!((live.map.read().all().unplaced(), live.waiting.expired(now(), 9).len()), (1, 1));
    assert!(live.attention_of(waiting.site).has(AttentionReason::AddressExpired));
}

#[tokio::test]
async fn agents_and_lists_are_told_of_nothing_that_ended() {
    let (waiting, until) = with_terms().await;
    waiting.say(Ok(vec![door(64.01, Storage::Until(until + DAY * 40))]));
    waiting.pass(DAY * 38).await;
    let (waymark, account) = (&waiting.world.waymark, &waiting.world.account);
    let activation = waiting.world.activation(&"fw-1".parse().unwrap());
    let activated = waymark.activate_agent(waiting.person(), activation.clone()).await.unwrap().site.value;
    let mut site = waiting.world.sites().await.into_iter().find(|site| site.id == activated.id).unwrap();
    let placed = waiting.world.sites().await.into_iter().find(|site| site.id == waiting.site).unwrap();
    (site.fixes, site.address) = (placed.fixes, placed.address);
    let key = Key::of(account, Kind::Site, site.id);
    let revision = waiting.world.store.get(key.clone()).await.unwrap().unwrap().revision;
    waiting.world.store.commit(vec![Mutation::replace(key, revision, Document::Site(Box::new(site)))]).await.unwrap();
    wait(DAY * 5);
    let again = waymark.activate_agent(waiting.person(), activation).await.unwrap().site.value;
    assert!(again.fixes.get(Source::Address).is_none());
    let page = PageRequest::default();
    let listed = waymark.list_attention(waiting.person(), account, &[], "", &page).await.unwrap();
    assert!(!listed.page.items.is_empty());
    assert!(listed.page.items.iter().all(|item| item.site.value.kept_until().is_none()));
}
