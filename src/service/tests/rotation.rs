//! Rotation of tokens: two secrets for a time, one behind it, and no way to be locked out by a lost answer.

use super::*;
use crate::model::id::TokenId;
use crate::service::Error;
use crate::service::paging::PageRequest;
use crate::service::rotation::NewSecret;
use crate::service::tokens::NewToken;

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const REQUEST: &str = "6f2b1c1e-0000-4000-8000-000000000001";

impl World {
    async fn token(&self, scope: Scope, contacts: Contacts) -> (TokenId, String) {
        let new = NewToken {
            account: Some(self.account.clone()),
            scope,
            display_name: "rotated".into(),
            expires_at: Some(now() + HOUR * 100),
            contacts: Some(contacts),
            positions: None,
            assigned: None,
        };
        let (token, secret) = self.waymark.create_token(&self.operator, new).await.unwrap();
        (token.id, secret)
    }

    async fn rotate(&self, id: TokenId, hours: i32, request_id: &str) -> Result<String, Error> {
        let new = NewSecret { overlap: Some(HOUR * hours), request_id: request_id.to_owned() };
        let rotated = self.waymark.rotate_token(&self.operator, Some(&self.account), id, &new).await;
        rotated.map(|(_, secret)| secret)
    }

    fn is_good(&self, secret: &str) -> bool {
        self.waymark.authenticate(secret).is_ok()
    }
}

#[tokio::test]
async fn both_secrets_are_good_for_the_overlap_and_the_new_one_behind_it() {
    let world = World::new().await;
    let (id, old) = world.token(Scope::Viewer, Contacts::Read).await;
    let new = world.rotate(id, 2, "").await.unwrap();
    assert_ne!(old, new);
    assert!(world.is_good(&old) && world.is_good(&new));
    let began = [&old, &new].map(|secret| world.waymark.authenticate(secret).unwrap());
    assert_eq!(began[0].token, began[1].token);
    let goes_on = |by: &Principal| world.waymark.principal_of(by.token, by.secret_number).is_ok();
    assert!(began.iter().all(goes_on));
    wait(HOUR * 2 - SignedDuration::from_mins(30));
    assert!(world.is_good(&old) && began.iter().all(goes_on));
    let tiles = world.waymark.sign_tiles(&began[0], &world.account, "", Some(HOUR)).unwrap().text;
    let opens = |text: &str| world.waymark.open_tiles(&world.account, text).is_ok();
    assert!(opens(&tiles));
    // The address would be good for half an hour more.
    wait(SignedDuration::from_mins(30));
    assert!(!world.is_good(&old) && world.is_good(&new));
    assert_eq!(began.each_ref().map(goes_on), [false, true], "a watch outlives its secret");
    assert!(!opens(&tiles));
    let third = world.rotate(id, 0, "").await.unwrap();
    assert!(!world.is_good(&new) && world.is_good(&third), "without an overlap the one before ends at once");
}

/// Who lost the answer, and asked again with the only secret that they had, would have ended that one.
#[tokio::test]
async fn a_third_secret_waits_for_the_end_of_the_first_or_ends_both() {
    let world = World::new().await;
    let (id, old) = world.token(Scope::Viewer, Contacts::Read).await;
    let new = world.rotate(id, 2, "").await.unwrap();
    assert!(matches!(world.rotate(id, 1, "").await, Err(Error::TokenRotating(_))));
    assert!(world.is_good(&old) && world.is_good(&new));
    let only = world.rotate(id, 0, "").await.unwrap();
    assert_eq!([&old, &new, &only].map(|secret| world.is_good(secret)), [false, false, true]);
}

#[tokio::test]
async fn a_repeat_with_the_request_id_gives_the_same_secret_and_brings_none_back() {
    let world = World::new().await;
    let (id, old) = world.token(Scope::Viewer, Contacts::Read).await;
    let first = world.rotate(id, 1, REQUEST).await.unwrap();
    let revision = world.store.revision(Some(&world.account)).await.unwrap();
    assert_eq!(world.rotate(id, 1, REQUEST).await.unwrap(), first);
    assert_eq!(world.rotate(id, 0, REQUEST).await.unwrap(), first);
    assert_eq!(world.store.revision(Some(&world.account)).await.unwrap(), revision, "a repeat wrote");
    assert!(world.is_good(&old), "a repeat ended the overlap");
    wait(HOUR * 2);
    assert_eq!(world.rotate(id, 1, REQUEST).await.unwrap(), first, "a late repeat");
    let second = world.rotate(id, 1, "").await.unwrap();
    wait(HOUR * 2);
    let third = world.rotate(id, 1, REQUEST).await.unwrap();
    assert!(![&old, &first, &second].contains(&&third), "a request id that is used again brought a secret back");
}

#[tokio::test]
async fn what_gets_no_new_secret_says_why() {
    let world = World::new().await;
    let (id, _) = world.token(Scope::Viewer, Contacts::Read).await;
    for (hours, request_id) in [(-1, ""), (24 * 30 + 1, ""), (1, "once")] {
        assert!(matches!(world.rotate(id, hours, request_id).await, Err(Error::Invalid(_))), "{hours} {request_id}");
    }
    let masked = Principal { contacts: Contacts::Masked, ..world.operator.clone() };
    let new = NewSecret::default();
    let rotated = world.waymark.rotate_token(&masked, Some(&world.account), id, &new).await;
    assert!(matches!(rotated, Err(Error::ContactsMasked)), "it would read contacts with the new secret");
    let (masked_id, _) = world.token(Scope::Viewer, Contacts::Masked).await;
    world.waymark.rotate_token(&masked, Some(&world.account), masked_id, &new).await.unwrap();
    let rotated = world.waymark.rotate_token(&world.operator, None, id, &new).await;
    assert!(matches!(rotated, Err(Error::NotFound(_))), "it is no token of the operator's");
    wait(HOUR * 100);
    assert!(matches!(world.rotate(id, 1, "").await, Err(Error::TokenEnded(_))));
    let (revoked, _) = world.token(Scope::Viewer, Contacts::Read).await;
    world.waymark.revoke_token(&world.operator, Some(&world.account), revoked).await.unwrap();
    assert!(matches!(world.rotate(revoked, 1, "").await, Err(Error::TokenEnded(_))));
}

#[tokio::test]
async fn uses_are_told_at_once_and_written_without_a_revision_of_the_account() {
    let world = World::new().await;
    let (id, secret) = world.token(Scope::Viewer, Contacts::Read).await;
    let before = world.store.revision(Some(&world.account)).await.unwrap();
    let last_use = async || {
        let page =
            world.waymark.list_tokens(&world.operator, Some(&world.account), &PageRequest::default()).await.unwrap();
        page.items.iter().find(|(token, _)| token.id == id).unwrap().1
    };
    assert_eq!(last_use().await, None);
    world.fail_after(0);
    world.waymark.authenticate(&secret).unwrap();
    let told = last_use().await.unwrap();
    assert!(told <= now() && now().duration_since(told) < SignedDuration::from_mins(16), "{told}");
    world.fail_after(usize::MAX);
    world.waymark.write_notes().await.unwrap();
    wait(HOUR);
    world.waymark.write_notes().await.unwrap();
    assert_eq!(last_use().await, Some(told), "it is not in the store");
    assert_eq!(world.store.revision(Some(&world.account)).await.unwrap(), before);
}
