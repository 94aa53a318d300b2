//! Tests of stated addresses: their waits, and what is left of one whose answer ended.

use super::*;
use crate::model::geo::LatLng;
use crate::model::location::{Fix, Granularity};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn pace(first: i64, asked: i64, chance: f64) -> Pace {
    Pace { first: SignedDuration::from_secs(first), asked: SignedDuration::from_secs(asked), chance }
}

#[test]
fn waits_double_up_to_their_limit() {
    let check = |attempts, reason, pace, expect: i64| {
        let retry = Retry::behind(attempts, reason, pace, at(0));
        assert_eq!((retry.next_at.as_second(), retry.attempts), (expect, attempts));
    };
    let usual = pace(60, 0, 0.0);
    for (attempts, expect) in [(1, 60), (2, 120), (3, 240), (9, 15_360), (10, 21_600), (u32::MAX, 21_600)] {
        check(attempts, WaitReason::Unavailable, usual, expect);
    }
    check(1, WaitReason::Quota, pace(60, 3_600, 0.0), 3_600);
    check(2, WaitReason::Busy, pace(60, 0, 0.5), 135);
    check(1, WaitReason::NotFound, usual, 604_800);
    check(3, WaitReason::Unavailable, pace(100_000, 0, 0.0), 100_000);
}

#[test]
fn answers_are_renewed_in_the_last_quarter_of_their_time() {
    let check = |until, expect| assert_eq!(Retry::renewal(at(until), at(0)).next_at, at(expect));
    check(400, 300);
    check(100 * 86_400, 97 * 86_400);
    check(-5, -5);
}

fn answer(query: &str, storage: Storage) -> Fix {
    let evidence = Evidence::Geocoded(GeocodedEvidence {
        provider: "p".into(),
        place_id: "1".into(),
        formatted_address: format!("{query}, formatted"),
        query: query.into(),
        attribution: String::new(),
        country: None,
        storage,
    });
    let position = LatLng::new(1.0, 2.0).unwrap();
    let (source, granularity) = (Source::Address, Granularity::Door);
    Fix { source, position, accuracy_m: None, granularity, evidence, made_at: at(1), made_by: "a".into() }
}

fn site(answered: &str, stated: &str, storage: Storage, state: AddressState) -> Site {
    let mut site = Site::new("acme".parse().unwrap(), "Pump".into(), at(0));
    site.fixes.put(answer(answered, storage));
    let query = AddressQuery::Line(stated.into());
    let formatted = format!("{stated}, formatted");
    site.address =
        Some(SiteAddress { formatted, storage, state, ..SiteAddress::stated(&query, None, false, "a".into(), at(1)) });
    site
}

#[test]
fn what_ended_is_dropped_and_what_was_typed_stays() {
    let until = Storage::Until(at(10));
    let mut kept = site("gata", "gata", until, AddressState::Applied);
    assert_eq!(kept.kept_until(), Some(at(10)));
    assert!(!kept.drop_expired(at(9)) && kept.fixes.effective().is_some());
    assert!(kept.drop_expired(at(10)));
    assert!(kept.fixes.effective().is_none());
    let address = kept.address.as_ref().unwrap();
    assert_eq!((address.typed.as_str(), address.formatted.as_str()), ("gata", ""));
    assert_eq!(address.state, AddressState::Expired);
    assert_eq!(address.retry, Some(Retry { reason: WaitReason::Expired, attempts: 0, next_at: at(10) }));
    assert!(!kept.drop_expired(at(11)), "there is nothing more");
}

#[test]
fn nobody_decides_for_who_has_to_choose() {
    for (answered, state) in [("gata", AddressState::Ambiguous), ("other", AddressState::PinKept)] {
        let mut site = site(answered, "gata", Storage::Until(at(10)), state);
        assert!(site.drop_expired(at(10)));
        let address = site.address.unwrap();
        assert_eq!((address.state, address.retry), (AddressState::Expired, None), "{answered}");
    }
}

/// One question waits while the answer to the one before ends: it waits on.
#[test]
fn what_ends_takes_no_other_question_along() {
    let waits = Retry { reason: WaitReason::Unavailable, attempts: 3, next_at: at(99) };
    for state in [AddressState::Pending, AddressState::NotFound, AddressState::Ambiguous, AddressState::PinKept] {
        let mut site = site("other", "gata", Storage::Until(at(10)), state);
        let address = site.address.as_mut().unwrap();
        (address.storage, address.retry) = (Storage::Unlimited, Some(waits));
        let before = address.clone();
        assert!(site.drop_expired(at(10)) && site.fixes.effective().is_none());
        assert_eq!(site.address, Some(before), "{state:?}");
    }
}

#[test]
fn what_rests_on_an_answer_ends_with_it() {
    let mut site = site("gata", "gata", Storage::Until(at(10)), AddressState::PinKept);
    let kept = GeocodedEvidence { storage: Storage::Until(at(8)), ..site.answer().unwrap().clone() };
    site.address.as_mut().unwrap().evidence = Some(Box::new(kept));
    assert_eq!(site.kept_until(), Some(at(8)));
    assert!(site.drop_expired(at(8)));
    let address = site.address.unwrap();
    assert_eq!((address.formatted.as_str(), address.evidence), ("", None));
}

#[test]
fn nobody_asks_for_what_a_person_chose_or_did_not_type() {
    for (typed, chosen) in [("gata", true), ("", true), ("", false)] {
        let mut site = site("gata", "gata", Storage::Until(at(10)), AddressState::Applied);
        let address = site.address.as_mut().unwrap();
        (address.typed, address.chosen) = (typed.to_owned(), chosen);
        assert!(site.drop_expired(at(10)));
        let address = site.address.unwrap();
        assert_eq!((address.state, address.retry), (AddressState::Expired, None), "{typed} {chosen}");
    }
}

#[test]
fn records_without_the_new_fields_are_read() {
    let text = r#"{"typed":"gata","formatted":"Gata","state":"applied"}"#;
    let address: SiteAddress = serde_json::from_str(text).unwrap();
    assert_eq!((address.storage, address.keep_pin, address.retry), (Storage::Unlimited, false, None));
    assert_eq!(address.renewal, None);
    assert_eq!(serde_json::to_string(&address).unwrap(), text);
}
