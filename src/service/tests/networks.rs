//! An account's own networks where others change them at once, and what it is told of its runs.

use super::{World, network};
use crate::model::prefix::Prefix;
use crate::model::reestimation::{Reach, State};
use crate::service::Error;
use crate::service::prefixes::{FAILURE_TOLD, RUNS_TOLD_MAX, etag_of};
use crate::store::document::Document;
use crate::store::{Key, Kind, Mutation};

const CIDR: &str = "10.0.0.0/8";

impl World {
    /// What somebody else makes of the network just before the next write to it.
    fn overtake_network(&self, prefix: Option<Prefix>) {
        let key = Key::of(&self.account, Kind::Prefix, CIDR);
        self.overtake(vec![Mutation { document: prefix.map(Document::Prefix), ..Mutation::delete(key) }]);
    }

    async fn placed(&self) -> Prefix {
        self.waymark.create_prefix(&self.operator, &self.account, network(CIDR, 47.0)).await.unwrap().value
    }

    async fn delete(&self, etag: &str) -> Result<(), Error> {
        self.waymark.delete_prefix(&self.operator, &self.account, CIDR.parse().unwrap(), etag).await
    }
}

/// Whoever named no version was refused for a write of somebody else in between.
#[tokio::test]
async fn who_names_no_version_of_a_network_tries_again() {
    let world = World::new().await;
    let renamed = Prefix { display_name: "renamed".to_owned(), ..world.placed().await };
    world.overtake_network(Some(renamed.clone()));
    let fields = network(CIDR, 48.0);
    let updated = world.waymark.update_prefix(&world.operator, &world.account, fields, "").await.unwrap();
    assert!((updated.value.position.lat() - 48.0).abs() < 1e-9, "over the version of the other");
    world.overtake_network(Some(renamed.clone()));
    world.delete("").await.unwrap();
    let gone = world.waymark.prefix(&world.operator, &world.account, CIDR.parse().unwrap()).await;
    assert!(matches!(gone, Err(Error::NotFound(_))), "{gone:?}");
}

#[tokio::test]
async fn who_names_a_version_of_a_network_deletes_no_other() {
    let world = World::new().await;
    let placed = world.placed().await;
    let etag = etag_of(&placed);
    world.overtake_network(Some(Prefix { display_name: "renamed".to_owned(), ..placed.clone() }));
    let refused = world.delete(&etag).await;
    assert!(matches!(refused, Err(Error::EtagMismatch(_))), "{refused:?}");
    let again = world.waymark.update_prefix(&world.operator, &world.account, network(CIDR, 47.0), "").await.unwrap();
    assert_eq!(etag_of(&again.value), etag);
    world.overtake_network(Some(placed));
    world.delete(&etag).await.unwrap();
}

#[tokio::test]
async fn a_network_that_others_deleted_is_gone_and_begins_no_run() {
    let world = World::new().await;
    world.placed().await;
    world.overtake_network(None);
    let refused = world.delete("").await;
    assert!(matches!(refused, Err(Error::NotFound(_))), "{refused:?}");
    while world.waymark.work_on_next().await.unwrap() {}
    let runs = async || world.waymark.list_reestimations(&world.operator).await.unwrap();
    let before = runs().await;
    let refused = world.delete("").await;
    assert!(matches!(refused, Err(Error::NotFound(_))), "{refused:?}");
    assert_eq!(runs().await, before, "there is nothing to estimate again");
}

/// All runs of all accounts were read and told, and of a failure what the operator alone may know.
#[tokio::test]
async fn an_account_is_told_of_its_last_runs_and_not_why_one_failed() {
    let world = World::new().await;
    let own = || Reach::Networks(world.account.clone(), Vec::new());
    // Among so many of others that they are read in several parts.
    world
        .put_runs(140, State::Done, |run| {
            if run.id.ends_with("3-0000000000000000") || run.id.starts_with("00000000001") {
                run.reach = own();
            }
        })
        .await;
    world
        .put_runs(1, State::Failed, |run| {
            (run.reach, run.id) = (own(), "ffffffffffff-0000000000000000".to_owned());
            run.failure = "/etc/waymark/secret.mmdb cannot be read".to_owned();
        })
        .await;
    let told = world.waymark.list_prefix_reestimations(&world.operator, &world.account).await.unwrap();
    assert_eq!(told.len(), RUNS_TOLD_MAX);
    assert!(told.is_sorted_by(|newer, older| newer.id > older.id), "{told:?}");
    assert!(told.iter().all(|run| run.reach == own()));
    assert_eq!((told[0].state, told[0].failure.as_str()), (State::Failed, FAILURE_TOLD));
    let kept = world.waymark.list_reestimations(&world.operator).await.unwrap();
    let own_kept = kept.iter().filter(|run| run.reach == own()).count();
    assert!(own_kept > RUNS_TOLD_MAX, "there are more than are told: {own_kept}");
    assert!(kept.iter().any(|run| run.failure.contains("secret.mmdb")), "the operator sees why");
}
