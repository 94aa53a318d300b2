//! What holds of every connector, run over all six against servers that speak their documented APIs.

use super::worlds::{ACME, CANARY, ORGANIZATIONS, SITES, connector_at, connector_with, world};
use super::{Address, Connector, Error, Listed};
use crate::http_client::stub::Stub;
use crate::model::ticketing::System;
use crate::ticketing::error::Cause;

/// Generous for a busy machine.
const TIMEOUT_MS: u64 = 20_000;

/// All pages of a list: the ids in their order, and how many pages there were.
async fn all<T>(
    mut list: impl AsyncFnMut(Option<String>) -> Result<Listed<T>, Error>,
    id: impl Fn(&T) -> String,
) -> (Vec<String>, usize) {
    let (mut ids, mut pages, mut next) = (Vec::new(), 0, None);
    loop {
        let page = list(next).await.unwrap();
        ids.extend(page.items.iter().map(&id));
        pages += 1;
        assert!(pages < 50, "the list ends");
        let Some(cursor) = page.next else { return (ids, pages) };
        next = Some(cursor);
    }
}

fn numbers(count: usize) -> Vec<String> {
    (1..=count).map(|id| id.to_string()).collect()
}

async fn organizations(connector: &dyn Connector, search: &str) -> (Vec<String>, usize) {
    all(async |page: Option<String>| connector.organizations(search, page.as_deref()).await, |found| found.id.clone())
        .await
}

/// That each request of the connector was told who asks, was let in, and went below the base URL.
fn check_requests(system: System, stub: &Stub) {
    let received = stub.received();
    assert!(received.len() >= 5, "{system:?}: {}", received.len());
    for one in received {
        assert!(one.headers.contains("user-agent: waymark/"), "{system:?}");
        assert!(!one.target.contains("elsewhere"), "{system:?}: {}", one.target);
        let is_query = one.target.contains("/query");
        assert_eq!(one.method, if is_query { "POST" } else { "GET" }, "{system:?}: {}", one.target);
    }
}

#[tokio::test]
async fn organizations_are_found_by_id_by_list_and_by_search() {
    for system in System::ALL {
        let stub = world(system).await;
        let connector = connector_at(system, &stub.url, TIMEOUT_MS);
        assert!(connector.check().await.unwrap(), "{system:?}");
        let acme = connector.organization(&ACME.to_string()).await.unwrap().unwrap();
        assert_eq!((acme.id.as_str(), acme.name.as_str()), ("17", "Acme Ltd"), "{system:?}");
        if matches!(system, System::ConnectWise | System::Autotask | System::Syncro) {
            let Address { street, city, postal_code, .. } = acme.address;
            assert_eq!([street, city, postal_code], ["Laugavegur 1", "Reykjavík", "101"], "{system:?}");
        }
        assert_eq!(connector.organization("999999").await, Ok(None), "{system:?}");
        let (found, pages) = organizations(&*connector, "").await;
        assert_eq!(found, numbers(ORGANIZATIONS), "{system:?}: each once, in order");
        assert!((3..=5).contains(&pages), "{system:?}: {pages} pages");
        assert_eq!(organizations(&*connector, "Acme").await.0, ["17"], "{system:?}");
        assert!(organizations(&*connector, "Nobody & Sons").await.0.is_empty(), "{system:?}");
        check_requests(system, &stub);
    }
}

#[tokio::test]
async fn sites_are_those_of_the_organization() {
    for system in System::ALL {
        let stub = world(system).await;
        let connector = connector_at(system, &stub.url, TIMEOUT_MS);
        let sites = async |page: Option<String>| connector.sites("17", page.as_deref()).await;
        let (found, pages) = all(sites, |site| site.id.clone()).await;
        if system.facts().site_term.is_none() {
            assert!(found.is_empty() && connector.site("17", "2").await == Ok(None), "{system:?}");
            continue;
        }
        assert_eq!((found, pages), (numbers(SITES), 2), "{system:?}");
        let second = connector.site("17", "2").await.unwrap().unwrap();
        assert_eq!((second.name.as_str(), second.address.postal_code.as_str()), ("Site 2", "600"), "{system:?}");
        assert_eq!(connector.site("17", "999").await, Ok(None), "{system:?}");
        if system != System::Freshservice {
            assert_eq!(connector.site("18", "2").await, Ok(None), "{system:?}: another organisation's");
        }
    }
}

#[tokio::test]
async fn wrong_credentials_are_denied_and_never_told() {
    for system in System::ALL {
        let stub = world(system).await;
        let connector = connector_with(system, &stub.url, TIMEOUT_MS, "Wrong");
        for failure in [
            connector.check().await.unwrap_err(),
            connector.organization("17").await.unwrap_err(),
            connector.organizations("", None).await.unwrap_err(),
        ] {
            assert_eq!(failure.cause, Cause::Denied(401), "{system:?}");
            let told = format!("{failure} {failure:?} {} {connector:?}", failure.told());
            assert!(!told.contains("Wrong-"), "{told}");
        }
        assert!(stub.count() >= 3, "{system:?}: the fault took place");
        let told = format!("{:?}", connector_at(system, &stub.url, TIMEOUT_MS));
        assert!(!told.contains(CANARY), "{told}");
    }
}

#[tokio::test]
async fn a_list_goes_on_where_it_can() {
    for system in System::ALL {
        let stub = world(system).await;
        let connector = connector_at(system, &stub.url, TIMEOUT_MS);
        for cursor in ["0", "x", "-1", "100000", "https://elsewhere.example/", "[0,[]]", "[502,[]]"] {
            let failure = connector.organizations("", Some(cursor)).await.unwrap_err();
            assert!(matches!(failure.cause, Cause::Cursor | Cause::Refused(400)), "{system:?} {cursor}: {failure:?}");
        }
    }
}
