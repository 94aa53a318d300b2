//! Answers in good order that cannot be right: of another thing, without a name, or of a list that never ends.

use serde_json::{Value, json};

use super::error::Cause;
use super::worlds::connector_at;
use crate::http_client::stub::{Reply, Stub};
use crate::model::ticketing::System;

/// A server that tells Autotask's zone, and otherwise answers this.
async fn answering(body: Value) -> Stub {
    Stub::start(move |received| {
        let host = received.header("host").unwrap_or_default();
        let zone = json!({"url": format!("http://{host}/x/"), "webUrl": ""});
        let body = if received.path().ends_with("/zoneInformation") { &zone } else { &body };
        let next = format!("<http://{host}/next>; rel=\"next\"");
        let headers = vec![("content-type", "application/json".to_owned()), ("link", next)];
        Reply::Whole(200, headers, body.to_string().into_bytes())
    })
    .await
}

/// The location of another company was taken for the one that was asked for: whatever the answer held first.
#[tokio::test]
async fn another_location_is_not_the_one_that_was_asked_for() {
    for (item, is_it) in [
        (json!({"id": 5, "companyID": 17, "name": "Here"}), true),
        (json!({"id": 6, "companyID": 17, "name": "Elsewhere"}), false),
        (json!({"id": 5, "companyID": 18, "name": "Elsewhere"}), false),
        (json!({"id": 5, "name": "Anywhere"}), false),
    ] {
        let stub = answering(json!({"items": [item], "pageDetails": {}})).await;
        let found = connector_at(System::Autotask, &stub.url, 5_000).site("17", "5").await;
        match found {
            Ok(Some(site)) => assert!(is_it && site.name == "Here", "{item}"),
            Ok(None) => panic!("{item}: it does not say that it is gone"),
            Err(failure) => assert!(!is_it && matches!(failure.cause, Cause::Malformed(_)), "{item}: {failure}"),
        }
    }
}

/// An organisation of a system, with a name.
fn organization(system: System, id: u64, name: &str) -> Value {
    let field = match system {
        System::Autotask => "companyName",
        System::Syncro => "business_name",
        _ => "name",
    };
    json!({"id": id, field: name})
}

/// One organisation as a system answers it.
fn alone(system: System, one: &Value) -> Value {
    match system {
        System::Autotask => json!({"item": one}),
        System::Syncro => json!({"customer": one}),
        System::Zendesk => json!({"organization": one}),
        System::Freshservice => json!({"department": one}),
        System::ConnectWise | System::Freshdesk => one.clone(),
    }
}

/// A list of organisations as a system answers it.
fn listed(system: System, all: Value) -> Value {
    match system {
        System::Autotask => json!({"items": all, "pageDetails": {}}),
        System::Syncro => json!({"customers": all, "meta": {}}),
        System::Zendesk => json!({"organizations": all, "meta": {}}),
        System::Freshservice => json!({"departments": all}),
        System::ConnectWise | System::Freshdesk => all,
    }
}

/// A name of nothing, or of blanks, made a link drift to no name at all, and a line without text in a list.
#[tokio::test]
async fn what_has_no_name_is_no_answer_and_in_no_list() {
    for system in System::ALL {
        let stub = answering(alone(system, &organization(system, 17, " \t"))).await;
        let failure = connector_at(system, &stub.url, 5_000).organization("17").await.unwrap_err();
        assert!(matches!(failure.cause, Cause::Malformed(_)), "{system:?}: {failure}");
        let all = json!([organization(system, 17, ""), organization(system, 18, "Acme")]);
        let stub = answering(listed(system, all)).await;
        let found = connector_at(system, &stub.url, 5_000).organizations("", None).await.unwrap().items;
        assert_eq!(found.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["18"], "{system:?}");
    }
}

/// Two systems tell what is deleted all the same, with a mark. An inactive one is no deleted one.
#[tokio::test]
async fn what_is_marked_as_deleted_is_gone_and_what_is_inactive_is_there() {
    for (system, field, mark, is_there) in [
        (System::ConnectWise, "deletedFlag", json!(true), false),
        (System::ConnectWise, "deletedFlag", json!(false), true),
        (System::Zendesk, "deleted_at", json!("2026-02-03T04:05:06Z"), false),
        (System::Zendesk, "deleted_at", Value::Null, true),
        (System::Autotask, "isActive", json!(false), true),
        (System::Syncro, "disabled", json!(true), true),
    ] {
        let mut one = organization(system, 17, "Acme");
        one[field] = mark;
        let stub = answering(alone(system, &one)).await;
        let found = connector_at(system, &stub.url, 5_000).organization("17").await.unwrap();
        assert_eq!(found.is_some(), is_there, "{system:?}: {one}");
        let stub = answering(listed(system, json!([one, organization(system, 18, "Other")]))).await;
        let found = connector_at(system, &stub.url, 5_000).organizations("", None).await.unwrap().items;
        let ids: Vec<_> = found.iter().map(|found| found.id.as_str()).collect();
        let expect: &[&str] = if is_there { &["17", "18"] } else { &["18"] };
        assert_eq!(ids, expect, "{system:?}: {one}");
    }
}

/// A list that names the page itself as its next one, or goes on behind nothing, was read for ever.
#[tokio::test]
async fn a_list_that_goes_on_to_itself_is_no_answer() {
    let next = "http://x/v1.0/Companies/query/next?paging=7";
    let item = organization(System::Autotask, 17, "Acme");
    let stub = answering(json!({"items": [item], "pageDetails": {"nextPageUrl": next}})).await;
    let connector = connector_at(System::Autotask, &stub.url, 5_000);
    let first = connector.organizations("", None).await.unwrap();
    let failure = connector.organizations("", first.next.as_deref()).await.unwrap_err();
    assert!(matches!(failure.cause, Cause::Malformed(_)), "{failure}");
    let stub = answering(json!({"items": [], "pageDetails": {"nextPageUrl": next}})).await;
    let failure = connector_at(System::Autotask, &stub.url, 5_000).organizations("", None).await.unwrap_err();
    assert!(matches!(failure.cause, Cause::Malformed(_)), "{failure}");
}

/// A list that was longer than is read looked as if it ended there.
#[tokio::test]
async fn a_list_that_is_cut_does_not_look_whole() {
    for system in [System::ConnectWise, System::Freshservice, System::Freshdesk] {
        let all = json!([organization(system, 17, "Acme")]);
        let stub = answering(listed(system, all)).await;
        let connector = connector_at(system, &stub.url, 5_000);
        let last = connector.organizations("", Some("500")).await.unwrap();
        let next = last.next.unwrap_or_else(|| panic!("{system:?}: it has more"));
        let failure = connector.organizations("", Some(&next)).await.unwrap_err();
        assert!(failure.to_string().contains("search"), "{system:?}: {failure}");
        assert_eq!(stub.count(), 1, "{system:?}: that page is not asked for");
    }
}

/// A credential whose rights were narrowed gets an empty list where it got all before.
#[tokio::test]
async fn a_check_tells_whether_anything_is_shown() {
    for system in System::ALL {
        for (all, expect) in [(json!([]), false), (json!([organization(system, 17, "Acme")]), true)] {
            let stub = answering(listed(system, all)).await;
            assert_eq!(connector_at(system, &stub.url, 5_000).check().await, Ok(expect), "{system:?}");
        }
    }
}
