//! Addresses and pins put back: the same words, at the same place, and never off a pin that was dropped on purpose.

use super::*;
use crate::model::history::Value;

/// A geocoder's answer to a street, at a latitude.
fn answer_of(street: &str, storage: Storage) -> GeocodedEvidence {
    GeocodedEvidence {
        provider: "test".into(),
        place_id: street.into(),
        formatted_address: format!("{street}, as it is written"),
        query: street.into(),
        attribution: String::new(),
        country: None,
        storage,
    }
}

fn stated(street: &str, state: AddressState, storage: Storage) -> SiteAddress {
    SiteAddress {
        typed: street.into(),
        parts: None,
        formatted: answer_of(street, storage).formatted_address,
        storage,
        evidence: (state == AddressState::PinKept).then(|| Box::new(answer_of(street, storage))),
        country: None,
        state,
        keep_pin: false,
        chosen: false,
        stated_by: "token:1".into(),
        stated_at: Some(now()),
        retry: None,
        renewal: None,
    }
}

fn fix_at(street: &str, lat: f64) -> Fix {
    Fix {
        source: Source::Address,
        position: LatLng::new(lat, 10.0).unwrap(),
        accuracy_m: None,
        granularity: Granularity::Door,
        evidence: Evidence::Geocoded(answer_of(street, Storage::Unlimited)),
        made_at: now(),
        made_by: "token:1".into(),
    }
}

fn latitude(site: &Site) -> Option<f64> {
    site.fixes.effective().map(|fix| fix.position.lat())
}

fn state(site: &Site) -> Option<(&str, AddressState)> {
    site.address.as_ref().map(|address| (address.typed.as_str(), address.state))
}

impl World {
    async fn pin(&self, site: SiteId, lat: f64) {
        wait(SignedDuration::from_secs(1));
        let position = LatLng::new(lat, 10.0).unwrap();
        let options = ChangeOptions::default();
        self.waymark.set_pin(&self.operator, &self.account, site, position, None, &options).await.unwrap();
    }

    /// Another address and its answer, on top of all.
    async fn move_to(&self, site: SiteId, street: &str, lat: f64) {
        wait(SignedDuration::from_secs(1));
        self.write(site, |site| {
            site.address = Some(stated(street, AddressState::Applied, Storage::Unlimited));
            site.fixes.put(fix_at(street, lat));
        })
        .await;
    }
}

/// The answer of another question came back as the address that was stated.
#[tokio::test]
async fn an_address_comes_back_with_its_own_answer_alone() {
    let world = World::new().await;
    let site = world.noted("a").await;
    world.move_to(site, "Old street", 1.0).await;
    // Beside the answer to the old one.
    world
        .write(site, |site| site.address = Some(stated("Kept street", AddressState::PinKept, Storage::Unlimited)))
        .await;
    world.move_to(site, "New street", 3.0).await;
    let back = world.restore(site, 4, "location.address").await.unwrap();
    assert_eq!(back.address.as_ref().unwrap().formatted, "Kept street, as it is written");
    assert_eq!(state(&back), Some(("Kept street", AddressState::PinKept)));
    assert_eq!(latitude(&back), Some(3.0), "the position stays");
}

/// The site was moved off its pin: by the answer that came back on top of it.
#[tokio::test]
async fn an_address_kept_beside_a_pin_comes_back_below_it() {
    let world = World::new().await;
    let site = world.noted("a").await;
    world.move_to(site, "Street", 1.0).await;
    world.pin(site, 2.0).await;
    assert_eq!(state(&world.stored(site).await.0), Some(("Street", AddressState::PinKept)));
    world.move_to(site, "Other street", 3.0).await;
    let back = world.restore(site, 4, "location.address").await.unwrap();
    assert_eq!((latitude(&back), state(&back)), (Some(2.0), Some(("Street", AddressState::PinKept))));
    assert_eq!(back.fixes.get(Source::Address).map(|fix| fix.position), LatLng::new(1.0, 10.0).ok());
    // Below a pin of now, too, though the answer is newer than it.
    world.move_to(site, "Third street", 4.0).await;
    world.pin(site, 5.0).await;
    world.write(site, |site| drop(site.fixes.remove(Source::Address))).await;
    let back = world.restore(site, 6, "location.address").await.unwrap();
    assert_eq!((latitude(&back), state(&back)), (Some(5.0), Some(("Street", AddressState::PinKept))));
}

/// Of an answer whose terms end the words are asked for again, and the later answer moved the site off its pin.
#[tokio::test]
async fn an_address_kept_beside_a_pin_is_asked_for_again_beside_it() {
    let world = World::new().await;
    let site = world.noted("a").await;
    world.pin(site, 2.0).await;
    let limited = Storage::Until(now() + DAY * 30);
    world.write(site, |site| site.address = Some(stated("Street", AddressState::PinKept, limited))).await;
    world.write(site, |site| site.address = None).await;
    let back = world.restore(site, 4, "location.address").await.unwrap();
    assert_eq!(state(&back), Some(("Street", AddressState::Pending)));
    assert!(back.address.unwrap().keep_pin, "the answer moves nothing");
}

/// An answer that had come later stayed, to no question.
#[tokio::test]
async fn no_address_comes_back_without_an_answer() {
    let world = World::new().await;
    let site = world.noted("a").await;
    world.write(site, |site| site.address = Some(stated("Street", AddressState::Pending, Storage::Unlimited))).await;
    world.move_to(site, "Street", 1.0).await;
    let Some(Value::Address(_)) = world.changes(site).await[1].edits[0].to else { panic!("the address came first") };
    let back = world.restore(site, 2, "location.address").await.unwrap();
    assert_eq!((state(&back), latitude(&back)), (None, None));
    // Below a pin, too.
    world.write(site, |site| site.address = Some(stated("Street", AddressState::Pending, Storage::Unlimited))).await;
    world.move_to(site, "Street", 1.0).await;
    world.pin(site, 2.0).await;
    let back = world.restore(site, 5, "location.address").await.unwrap();
    assert_eq!((state(&back), latitude(&back)), (None, Some(2.0)));
    assert!(back.fixes.get(Source::Address).is_none());
}
