//! Who leads: how long a replica may be sure of it.

use super::super::leading::lease_key;
use super::*;
use crate::store::Expect;
use crate::store::document::Lease;

async fn put_lease(world: &World, holder: &str) -> Record {
    let document = Some(Document::Lease(Lease { holder: holder.to_owned() }));
    world.store.commit(vec![Mutation { key: lease_key(), expect: Expect::Any, document }]).await.unwrap();
    lease(world).await
}

async fn lease(world: &World) -> Record {
    world.store.get(lease_key()).await.unwrap().unwrap()
}

/// The answer to a renewal was lost, five seconds ago. The leader found its own record, took that for a renewal of now, and was sure
/// of it for longer than the others waited.
#[tokio::test]
async fn a_renewal_whose_answer_was_lost_is_made_anew() {
    let world = World::new().await;
    let first = put_lease(&world, &world.waymark.replica).await;
    let lost = put_lease(&world, &world.waymark.replica).await;
    let renewed = world.waymark.renew_lease(first.revision).await.unwrap().unwrap();
    assert!(renewed > lost.revision, "nobody else sees that it was renewed");
    assert_eq!(lease(&world).await.revision, renewed);
}

#[tokio::test]
async fn a_lease_that_another_one_has_is_not_renewed() {
    let world = World::new().await;
    let first = put_lease(&world, &world.waymark.replica).await;
    let other = put_lease(&world, "another").await;
    assert_eq!(world.waymark.renew_lease(first.revision).await.unwrap(), None);
    assert_eq!(lease(&world).await.revision, other.revision);
}
