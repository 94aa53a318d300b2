//! Invitations where the store fails, others are faster, and the clock jumps.

use super::*;
use crate::mail::Mailer;
use crate::model::resident::{INVITATION_LIFE, REPEAT_WINDOW, State};
use crate::service::resident::{AccessPatch, Post};
use crate::service::sites::ChangeOptions;

/// A mail server that is not there: nothing listens on port 1.
fn post() -> Post {
    let text = "host = '127.0.0.1'\nport = 1\ntls = 'none'\nfrom = 'a@example.com'\npublic_url = 'http://127.0.0.1'\n";
    Post::new(Mailer::open(&toml::from_str(text).unwrap()).unwrap(), &[7; 32])
}

impl World {
    async fn with_resident() -> (Self, crate::model::id::SiteId) {
        let mut world = Self::new().await;
        world.waymark.parts.post = Some(post());
        world.create_sites(1).await;
        let site = world.sites().await[0].id;
        let patch = AccessPatch { owner_email: Some("jo@example.org".into()), enabled: Some(true), permissions: None };
        let (options, acme) = (ChangeOptions::default(), world.account.clone());
        let how = (&options, "");
        world.waymark.update_resident_access(&world.operator, &acme, site, patch, how).await.unwrap();
        (world, site)
    }

    /// The code of the mail that waits, as the outbox would send it.
    async fn codes(&self) -> Vec<String> {
        let range = Range::all(Some(self.account.clone()), Kind::Mail);
        let open = |record: Record| match record.document {
            Document::Mail(mail) => {
                let post = self.waymark.parts.post.as_ref().unwrap();
                post.secret(&self.account, &record.key.id, &mail).unwrap()
            }
            other => panic!("{other:?}"),
        };
        self.store.scan(range).await.unwrap().into_iter().map(open).collect()
    }
}

#[tokio::test]
async fn an_invitation_is_in_the_outbox_or_was_not_made() {
    let (world, site) = World::with_resident().await;
    world.fail_after(0);
    assert!(world.waymark.invite_resident(&world.operator, &world.account, site, "").await.is_err());
    world.fail_after(usize::MAX);
    assert_eq!(world.codes().await.len(), 0);
    let shown = world.waymark.resident_access(&world.operator, &world.account, site).await.unwrap();
    assert_eq!(shown.state, Some(State::Ready));
    world.waymark.invite_resident(&world.operator, &world.account, site, "").await.unwrap();
    assert_eq!(world.codes().await.len(), 1);
    assert_eq!(world.waymark.parts.live.mails.count(), 1);
}

#[tokio::test]
async fn of_many_at_once_one_gets_in_and_a_dead_link_lets_nobody_in() {
    let (world, site) = World::with_resident().await;
    world.waymark.invite_resident(&world.operator, &world.account, site, "").await.unwrap();
    let dead = world.codes().await;
    world.waymark.resend_invitation(&world.operator, &world.account, site, "").await.unwrap();
    assert!(world.waymark.redeem_invitation(&dead[0], &[], None).await.is_err(), "superseded");
    let code = world.codes().await.into_iter().find(|code| *code != dead[0]).unwrap();
    let tries = (0..100).map(|_| world.waymark.redeem_invitation(&code, &[], None));
    let outcomes = futures_util::future::join_all(tries).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(_) | Err(super::super::Error::Invitation))));
    assert!(world.waymark.redeem_invitation(&code, &[], None).await.is_err(), "once");
}

#[tokio::test]
async fn a_lost_answer_is_given_again_to_its_key_alone_and_for_a_while() {
    let (world, site) = World::with_resident().await;
    world.waymark.invite_resident(&world.operator, &world.account, site, "").await.unwrap();
    let code = world.codes().await.remove(0);
    let redeem =
        async |key: [u8; 16]| world.waymark.redeem_invitation(&code, &key, None).await.ok().map(|got| got.secret);
    let secret = redeem([1; 16]).await.unwrap();
    let entries = world.store.scan(Range::all(Some(world.account.clone()), Kind::Change)).await.unwrap().len();
    for (n, other) in [[2; 16], [0; 16]].into_iter().enumerate() {
        assert_eq!(redeem(other).await, None, "another key, {n}");
    }
    assert!(world.waymark.redeem_invitation(&code, &[], None).await.is_err(), "no key");
    wait(REPEAT_WINDOW - SignedDuration::from_secs(1));
    assert_eq!(redeem([1; 16]).await.as_ref(), Some(&secret), "the same token, not another");
    let now = world.store.scan(Range::all(Some(world.account.clone()), Kind::Change)).await.unwrap().len();
    assert_eq!(now, entries, "a repeat changes nothing");
    wait(SignedDuration::from_secs(1));
    assert_eq!(redeem([1; 16]).await, None, "too late");
    assert!(world.waymark.authenticate(&secret).is_ok());
}

#[tokio::test]
async fn repeats_at_once_get_one_token_and_none_after_a_revocation() {
    let (world, site) = World::with_resident().await;
    world.waymark.invite_resident(&world.operator, &world.account, site, "").await.unwrap();
    let code = world.codes().await.remove(0);
    let redeem = async |n: u8| {
        let got = world.waymark.redeem_invitation(&code, &[n % 4; 32], None).await;
        got.ok().map(|got| (n % 4, got.secret))
    };
    let got = futures_util::future::join_all((0..100).map(redeem)).await;
    let secrets: std::collections::BTreeSet<_> = got.iter().flatten().cloned().collect();
    let (winner, _) = secrets.first().unwrap();
    assert_eq!((secrets.len(), got.iter().flatten().count()), (1, 25), "all calls of one key, and of no other");
    let revoke = || world.waymark.revoke_resident_access(&world.operator, &world.account, site, "");
    revoke().await.unwrap();
    assert_eq!(redeem(*winner).await, None, "revoked");
    world.waymark.invite_resident(&world.operator, &world.account, site, "").await.unwrap();
    assert_eq!(redeem(*winner).await, None, "the code of before");
}

#[tokio::test]
async fn a_link_ends_with_its_week() {
    let (world, site) = World::with_resident().await;
    world.waymark.invite_resident(&world.operator, &world.account, site, "").await.unwrap();
    let code = world.codes().await.remove(0);
    wait(INVITATION_LIFE);
    assert!(world.waymark.redeem_invitation(&code, &[], None).await.is_err());
    let shown = world.waymark.resident_access(&world.operator, &world.account, site).await.unwrap();
    assert_eq!(shown.state, Some(State::Expired));
}

#[tokio::test]
async fn whoever_revokes_shuts_the_door_behind_a_resident() {
    let (world, site) = World::with_resident().await;
    world.waymark.invite_resident(&world.operator, &world.account, site, "").await.unwrap();
    let redeemed = world.waymark.redeem_invitation(&world.codes().await[0], &[], None).await.unwrap();
    let resident = world.waymark.authenticate(&redeemed.secret).unwrap();
    assert!(world.waymark.resident_site(&resident, &world.account, site).await.is_ok());
    world.waymark.revoke_resident_access(&world.operator, &world.account, site, "").await.unwrap();
    assert!(world.waymark.authenticate(&redeemed.secret).is_err());
    // A principal from before the revocation is looked at again.
    assert!(world.waymark.resident_site(&resident, &world.account, site).await.is_err());
}
