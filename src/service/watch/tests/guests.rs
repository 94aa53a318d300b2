//! Watches of who sees an account's sites by a share.

use super::*;
use crate::model::access::{Contacts, Positions};
use crate::model::assignment::Assignment;
use crate::service::sharing::NewShare;

#[tokio::test(flavor = "multi_thread")]
async fn a_guests_watch_ends_with_the_share_and_takes_no_place_of_the_account() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::open(directory.path()).await;
    let (waymark, beta) = (&world.waymark, "beta".parse::<AccountId>().unwrap());
    waymark.create_account(&world.operator, beta.clone(), "", None).await.unwrap();
    let new = NewToken::of(Some(&beta), Scope::Viewer, "");
    let (_, secret) = waymark.create_token(&world.operator, new).await.unwrap();
    let new = NewShare {
        display_name: String::new(),
        sites: Assignment::parse("labels.team = north").unwrap(),
        contacts: Contacts::Masked,
        positions: Positions::Exact,
        expires_at: None,
    };
    let (share, code) = waymark.propose_share(&world.operator, &id(), new).await.unwrap();
    waymark.accept_share(&world.operator, &beta, &code).await.unwrap();
    let guest = waymark.within(&waymark.authenticate(&secret).unwrap(), &id());
    let wanted = SitesWanted { account: id(), filter: Filter::parse("").unwrap(), resume: None };
    let mut watch = waymark.watch_sites(&guest, wanted).unwrap();
    let mut map = waymark.watch_map(&guest, &id(), view(1)).unwrap();
    assert_eq!(watch.next().await.unwrap().mark, Mark::Current);
    assert_eq!(map.next(&mut stream::pending()).await.unwrap().mark, Mark::Current);
    let places = |account: &AccountId| waymark.watchers.taken.lock().by_account.get(account).copied();
    assert_eq!((places(&id()), places(&beta)), (None, Some(2)));
    waymark.end_share(&world.operator, &beta, share.share.id).await.unwrap();
    assert!(matches!(watch.next().await, Err(Error::NotFound(_))));
    assert!(matches!(map.next(&mut stream::pending()).await, Err(Error::NotFound(_))));
}
