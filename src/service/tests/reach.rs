//! What a caller wrote elsewhere is waited for, be it the account itself or the token that asks.

use std::collections::HashMap;

use super::*;
use crate::model::id::Revision;
use crate::service::Error;
use crate::service::certificates::Credential;
use crate::service::reach::{NEWCOMERS_MAX, REACH_MAX};
use crate::service::tokens::NewToken;
use crate::store::parting::Parting;

/// A replica that is behind, and what an account and its token are in the store that it follows.
struct Behind {
    waymark: Waymark,
    store: Arc<Parting>,
    account: AccountId,
    secret: String,
    /// The account is of the first revision, the token of the second.
    records: [Vec<Record>; 2],
    _directory: TempDir,
}

impl Behind {
    /// Whose clock moves on where nothing is left to do.
    async fn new() -> Self {
        let elsewhere = World::new().await;
        let secret = new_viewer(&elsewhere).await;
        let behind = Self::of(&elsewhere, secret).await;
        tokio::time::pause();
        behind
    }

    async fn of(elsewhere: &World, secret: String) -> Self {
        let of = async |kind| elsewhere.store.scan(Range::all(Some(elsewhere.account.clone()), kind)).await.unwrap();
        let records = [of(Kind::Account).await, of(Kind::Token).await];
        let directory = tempfile::tempdir().unwrap();
        let open = |name: &str| -> Arc<dyn Store> { Arc::new(Embedded::open(&directory.path().join(name)).unwrap()) };
        let store = Arc::new(Parting::new(open("first"), open("second")));
        let waymark = Waymark::new(Parts {
            store: Arc::clone(&store) as Arc<dyn Store>,
            live: Live::follow(&*store).await.unwrap(),
            geoip: Arc::new(Databases::empty()),
            geocoder: None,
            borders: None,
            post: None,
            ticketing: None,
            clock: now,
            config: Config::default(),
        });
        let waymark = waymark.await.unwrap();
        Self { waymark, store, account: elsewhere.account.clone(), secret, records, _directory: directory }
    }

    async fn commit(&self, number: usize) {
        let create = |record: &Record| Mutation::create(record.key.clone(), record.document.clone());
        self.store.commit(self.records[number].iter().map(create).collect()).await.unwrap();
    }

    async fn reach(&self, secret: &str, revision: u64) -> Result<(), Error> {
        self.waymark.reach(Credential::Secret(secret), Some(&self.account), Revision(revision)).await
    }

    /// Tells what is held back in the middle of what is waited for.
    async fn release(&self) {
        tokio::time::sleep(REACH_MAX / 2).await;
        self.store.release();
    }
}

/// The secret of a token that may look at the account.
async fn new_viewer(world: &World) -> String {
    let new = NewToken::of(Some(&world.account), Scope::Viewer, "viewer");
    world.waymark.create_token(&world.operator, new).await.unwrap().1
}

/// It was asked who calls before anything was waited for, so a fresh token was refused for good.
#[tokio::test]
async fn a_token_and_an_account_that_are_new_are_waited_for() {
    let behind = Behind::new().await;
    behind.store.hold();
    behind.commit(0).await;
    behind.commit(1).await;
    let (reached, ()) = tokio::join!(behind.reach(&behind.secret, 2), behind.release());
    reached.unwrap();
    assert!(behind.waymark.authenticate(&behind.secret).is_ok());
    // Of an account that is there already a token is new.
    tokio::time::resume();
    let behind = Behind::new().await;
    behind.commit(0).await;
    behind.store.hold();
    behind.commit(1).await;
    let (reached, ()) = tokio::join!(behind.reach(&behind.secret, 2), behind.release());
    reached.unwrap();
}

#[tokio::test]
async fn an_account_that_is_new_is_waited_for_by_an_operator() {
    let behind = Behind::new().await;
    let operator = behind.waymark.create_operator_token::<Error>("test", |_| Ok(())).await.unwrap();
    assert!(matches!(behind.reach(&operator, 1).await, Err(Error::NotFound(_))), "there is none");
    behind.store.hold();
    behind.commit(0).await;
    let (reached, ()) = tokio::join!(behind.reach(&operator, 1), behind.release());
    reached.unwrap();
}

#[tokio::test]
async fn who_waits_too_long_may_repeat_it_and_who_says_what_never_was_does_not_wait() {
    let behind = Behind::new().await;
    behind.store.hold();
    behind.commit(0).await;
    behind.commit(1).await;
    let begun = tokio::time::Instant::now();
    assert!(matches!(behind.reach(&behind.secret, 3).await, Err(Error::Credential)), "revision 3 never was");
    assert!(matches!(behind.reach("wmk_x", 2).await, Err(Error::Credential)), "no token looks like this");
    assert!(begun.elapsed() < REACH_MAX, "something was waited for");
    assert!(matches!(behind.reach(&behind.secret, 2).await, Err(Error::Behind(_))));
    // Many may wait, and no more: they are told to come again.
    let waiting: Vec<_> = (0..NEWCOMERS_MAX).map(|_| behind.waymark.newcomers.try_place().unwrap()).collect();
    assert!(matches!(behind.reach(&behind.secret, 2).await, Err(Error::Behind(_))));
    drop(waiting);
    behind.store.release();
    behind.reach(&behind.secret, 2).await.unwrap();
    // A token that is known and no good is not waited for.
    let id = behind.secret.split('_').nth(1).unwrap().parse().unwrap();
    let forged = crate::service::access::secret::format(id, &[7; 32]);
    assert!(matches!(behind.reach(&forged, 2).await, Err(Error::Credential)));
}

/// A token that came between two looks at it was refused: it was unknown to the first, and no news to the second.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_comes_while_it_is_looked_for_is_let_in() {
    const TOKENS: usize = 300;
    let elsewhere = World::new().await;
    let mut secrets = HashMap::with_capacity(TOKENS);
    for _ in 0..TOKENS {
        let secret = new_viewer(&elsewhere).await;
        secrets.insert(secret.split('_').nth(1).unwrap().to_owned(), secret);
    }
    let behind = Behind::of(&elsewhere, String::new()).await;
    behind.commit(0).await;
    // Who asks for what is not here yet is sent away at once, so that it is asked for again and again while it comes.
    let _taken: Vec<_> = (0..NEWCOMERS_MAX).map(|_| behind.waymark.newcomers.try_place().unwrap()).collect();
    for record in &behind.records[1] {
        behind.store.hold();
        let create = Mutation::create(record.key.clone(), record.document.clone());
        let revision = behind.store.commit(vec![create]).await.unwrap();
        let store = Arc::clone(&behind.store);
        let releasing = tokio::task::spawn_blocking(move || store.release());
        while let Err(cause) = behind.reach(&secrets[&*record.key.id], revision.0).await {
            assert!(matches!(cause, Error::Behind(_)), "{cause:?}");
        }
        releasing.await.unwrap();
    }
}
