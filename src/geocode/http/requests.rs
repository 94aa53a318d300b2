//! Requests of all providers, whatever an address holds: where they go and what else they say never changes.

use proptest::prelude::*;
use reqwest::Url;

use super::{Request, url};
use crate::geocode::{Bias, Inquiry, Subject, nominatim, opencage, photon};
use crate::model::address::{AddressQuery, CountryCode, PostalAddress};
use crate::model::geo::LatLng;

const BASE: &str = "https://maps.example:8443/some/where/";

/// Texts that try to leave their parameter, and texts of all kinds.
fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("x&format=json#".to_owned()),
        Just("x\r\nHost: elsewhere".to_owned()),
        Just("..%2f..%2fadmin?".to_owned()),
        Just("\u{202e}\u{0}%00".to_owned()),
        Just("a".repeat(10_000)),
        "[&=#?/\\\\%+;:@\r\n\u{0} .a]{1,60}",
        "\\PC{1,60}",
        ".{1,20}",
    ]
}

/// The requests of a question, of each provider that answers it.
fn requests(subject: &Subject) -> Vec<Request> {
    let bias = Bias { near: LatLng::new(64.123_456, -21.9).ok(), country: CountryCode::parse("IS") };
    let inquiry = Inquiry::new(subject.clone(), &bias, 5);
    [nominatim::request(&inquiry, "nominatim"), photon::request(&inquiry), opencage::request(&inquiry)]
        .into_iter()
        .flatten()
        .collect()
}

fn sent(request: &Request) -> (Url, Vec<(String, String)>) {
    let sent = Url::parse(url(&Url::parse(BASE).unwrap(), request).as_str()).unwrap();
    let parameters = sent.query_pairs().into_owned().collect();
    (sent, parameters)
}

/// That the request of `text` differs from the one of a harmless text in values that hold it, and in nothing else.
fn check(text: &str, of: &dyn Fn(&str) -> Subject) -> Result<(), TestCaseError> {
    for (hostile, harmless) in requests(&of(text)).iter().zip(&requests(&of("gata"))) {
        let ((hostile, told), (harmless, expected)) = (sent(hostile), sent(harmless));
        prop_assert_eq!(hostile.origin(), harmless.origin());
        prop_assert_eq!(hostile.path(), harmless.path());
        prop_assert!(hostile.fragment().is_none() && hostile.username().is_empty());
        prop_assert!(!hostile.as_str().contains(|c: char| c.is_control() || c == ' ' || !c.is_ascii()));
        prop_assert_eq!(told.len(), expected.len());
        for ((name, value), (other_name, other_value)) in told.iter().zip(&expected) {
            prop_assert_eq!(name, other_name);
            let expect = other_value.replace("gata", text);
            prop_assert_eq!(value, &expect);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn no_text_changes_where_a_request_goes(text in hostile()) {
        check(&text, &|text| Subject::Address(AddressQuery::Line(text.to_owned())))?;
        check(&text, &|text| Subject::Typed(text.to_owned()))?;
        check(&text, &|text| {
            let text = text.to_owned();
            let country = CountryCode::parse("IS");
            Subject::Address(AddressQuery::Parts(PostalAddress { street: text, locality: "x".into(), country, ..PostalAddress::default() }))
        })?;
    }
}

#[test]
fn a_site_is_told_to_others_within_a_kilometre_at_best() {
    let all = requests(&Subject::Address(AddressQuery::Line("gata".into())));
    assert_eq!(all.len(), 3);
    for request in all {
        assert!(!format!("{request:?}").contains("64.123"), "{request:?}");
        assert!(format!("{request:?}").contains("64.12") || format!("{request:?}").contains("63.62"), "{request:?}");
    }
}

/// A position was sent with as many digits as it had, which tell where in a room somebody stood.
#[test]
fn a_position_is_asked_about_within_a_metre() {
    let all = requests(&Subject::Position(LatLng::new(64.123_456_789, -21.987_654_321).unwrap()));
    assert_eq!(all.len(), 3);
    for request in all {
        let told = format!("{request:?}");
        assert!(told.contains("64.12346") && told.contains("-21.98765"), "{told}");
        assert!(!told.contains("64.123456") && !told.contains("21.987654"), "{told}");
    }
}
