//! What is read of JSON, what is not, and what is told of that.

use proptest::prelude::*;
use serde_json::json;

use super::super::{of_dynamic, pool};
use super::*;

fn read(name: &str, value: &Value) -> Read<DynamicMessage> {
    let described = pool().unwrap().get_message_by_name(&format!("waymark.v1.{name}")).unwrap();
    message(described, value)
}

/// What is read is written as it stood there.
fn check(name: &str, value: &Value) {
    assert_eq!(of_dynamic(&read(name, value).unwrap()), *value);
}

#[test]
fn what_is_read_is_written_again() {
    check("GetSiteRequest", &json!({}));
    check(
        "Site",
        &json!({
            "name": "accounts/acme/sites/1",
            "revision": "9007199254740993",
            "status": "SITE_STATUS_ONLINE",
            "labels": {"floor": "2", "wing": "north"},
            "contact": {"phones": [{"number": "+354", "kind": "PHONE_KIND_HOME"}]},
            "createTime": "2023-11-14T22:13:20.500Z",
            "location": {"position": {"lat": 64.1, "lng": -21.9}},
        }),
    );
    check("UpdateSiteRequest", &json!({"site": {"note": "x"}, "updateMask": "note,displayName"}));
    check("SignTileUrlRequest", &json!({"parent": "accounts/acme", "ttl": "3600s"}));
    check("SignTileUrlRequest", &json!({"ttl": "0.250s"}));
    check("SignTileUrlRequest", &json!({"ttl": "-1.500s"}));
    check("ActivateAgentRequest", &json!({"agentKey": "AAECAw=="}));
}

#[test]
fn other_spellings_are_read_too() {
    for (name, other, as_written) in [
        ("Site", json!({"display_name": "x"}), json!({"displayName": "x"})),
        ("Site", json!({"revision": 7}), json!({"revision": "7"})),
        ("Site", json!({"status": 2}), json!({"status": "SITE_STATUS_ONLINE"})),
        ("Site", json!({"note": null}), json!({})),
        ("Site", json!({"createTime": "2023-11-15T00:13:20+02:00"}), json!({"createTime": "2023-11-14T22:13:20Z"})),
        ("ActivateAgentRequest", json!({"agentKey": "_-8"}), json!({"agentKey": "/+8="})),
        ("LatLng", json!({"lat": "64.5"}), json!({"lat": 64.5})),
        ("SignTileUrlRequest", json!({"ttl": "0.25s"}), json!({"ttl": "0.250s"})),
    ] {
        assert_eq!(of_dynamic(&read(name, &other).unwrap()), as_written, "{other}");
    }
}

#[test]
fn faults_say_where_they_are() {
    for (name, value, told) in [
        ("Site", json!({"colour": 1}), "colour: Site has no such field"),
        ("Site", json!([]), "an object is wanted"),
        ("Site", json!({"note": 7}), "note: a text is wanted, got a number"),
        ("Site", json!({"displayName": "x", "display_name": "x"}), "it stands under its other name too"),
        ("Site", json!({"labels": {"floor": 2}}), "labels.floor: a text is wanted, got a number"),
        ("Site", json!({"contact": {"phones": [{"kind": "FAX"}]}}), "contact.phones[0].kind: one of PHONE_KIND_"),
        ("Site", json!({"status": 1.5}), "status: a text is wanted"),
        ("Site", json!({"revision": 1e30}), "revision: a whole number that fits"),
        ("Site", json!({"createTime": "yesterday"}), "createTime: a time like"),
        ("SignTileUrlRequest", json!({"ttl": "1h"}), "ttl: a duration like"),
        ("SignTileUrlRequest", json!({"ttl": "1e3s"}), "ttl: a duration like"),
        ("ActivateAgentRequest", json!({"agentKey": "%"}), "agentKey: it is no base64"),
        (
            "GeocodeAddressRequest",
            json!({"addressLine": "x", "postalAddress": {}}),
            "postalAddress: addressLine is set",
        ),
    ] {
        let fault = read(name, &value).unwrap_err().to_string();
        assert!(fault.contains(told), "{value}: {fault}");
    }
}

proptest! {
    #[test]
    fn times_and_durations_come_back(nanos in -60_000_000_000_000_000_000_i128..60_000_000_000_000_000_000) {
        for name in [TIMESTAMP, DURATION] {
            let described = pool().unwrap().get_message_by_name(name).unwrap();
            let first = seconds_and_nanos(described.clone(), nanos);
            let again = message(described, &of_dynamic(&first)).unwrap();
            prop_assert_eq!(&again, &first);
        }
    }
}

#[test]
fn what_was_found_is_told_back_in_short() {
    let long = "x".repeat(10_000);
    for value in
        [json!({(long.as_str()): 1}), json!({"status": long.as_str()}), json!({"labels": {(long.as_str()): 1}})]
    {
        let told = read("Site", &value).unwrap_err().to_string();
        assert!(told.len() < 500, "{told}");
    }
}

/// A phone that was written as a number came back in the error, and so did a credential.
#[test]
fn no_value_of_a_wrong_kind_is_told_back() {
    const NUMBER: u64 = 3_545_551_234;
    for (name, value) in [
        ("Site", json!({"contact": "kanari"})),
        ("Site", json!({"contact": {"email": ["kanari"]}})),
        ("Site", json!({"contact": {"phones": "kanari"}})),
        ("Site", json!({"contact": {"phones": ["kanari"]}})),
        ("Site", json!({"contact": {"phones": [{"number": NUMBER}]}})),
        ("Site", json!({"contact": {"phones": [{"kind": ["kanari"]}]}})),
        ("Site", json!({"labels": {"floor": {"x": "kanari"}}})),
        ("Site", json!({"note": {"kanari": NUMBER}})),
        ("Site", json!({"contactMasked": "kanari"})),
        ("TicketingConnection", json!({"credentials": {"api_token": NUMBER}})),
        ("LatLng", json!({"lat": "kanari"})),
    ] {
        let told = read(name, &value).unwrap_err().to_string();
        assert!(!told.contains("kanari") && !told.contains(&NUMBER.to_string()), "{value}: {told}");
    }
}

#[test]
fn parameters_are_read_by_their_kinds() {
    let field = |message: &str, name: &str| {
        let described = pool().unwrap().get_message_by_name(&format!("waymark.v1.{message}")).unwrap();
        described.get_field_by_name(name).unwrap()
    };
    for (message, name, text, expect) in [
        ("ListSitesRequest", "page_size", "7", Some(Dynamic::I32(7))),
        ("ListSitesRequest", "page_size", "7.5", None),
        ("ListSitesRequest", "show_deleted", "true", Some(Dynamic::Bool(true))),
        ("ListSitesRequest", "show_deleted", "1", None),
        ("ListSitesRequest", "filter", "7", Some(Dynamic::String("7".into()))),
        ("ListAttentionRequest", "reasons", "1", Some(Dynamic::EnumNumber(1))),
        ("ListAttentionRequest", "reasons", "ATTENTION_REASON_UNPLACED", Some(Dynamic::EnumNumber(1))),
        ("ListAttentionRequest", "reasons", "UNHEARD_OF", None),
        ("WatchSitesRequest", "resume_revision", "18446744073709551615", Some(Dynamic::U64(u64::MAX))),
        ("LatLng", "lat", "-1e1", Some(Dynamic::F64(-10.0))),
        ("QueryViewportRequest", "viewport", "x", None),
    ] {
        assert_eq!(of_text(&field(message, name), text).ok(), expect, "{message}.{name}={text}");
    }
    let mask = of_text(&field("UpdateSiteRequest", "update_mask"), "displayName,note").unwrap();
    assert_eq!(of_dynamic(mask.as_message().unwrap()), json!("displayName,note"));
}
