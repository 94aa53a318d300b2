//! Writes of what only goes forward: how many calls a record tells of, and when a token was used last. None takes back what is there.
//!
//! Replicas note uses of the same tokens each for itself, and a write that was sent and not answered may arrive behind a later one.
//! So each record is read, left as it is where it is as far, and otherwise written over just what was read.

use crate::store::document::Document;
use crate::store::{Error, Expect, Key, Mutation, Record, Store};

/// Attempts at one batch. Each is overtaken by another replica that writes the same records within milliseconds; what fails
/// is written with the next notes.
const ATTEMPTS_MAX: usize = 8;

/// A record, and how far it is.
pub(super) type Reached = (Key, Document);

/// Writes records, all of one partition, unless what is there is as far. Where it fails some may be written, as far as they are there.
pub(super) async fn advance(store: &dyn Store, reached: &[Reached]) -> Result<(), Error> {
    let mut attempts = 1;
    loop {
        let there = read(store, reached).await?;
        let batch: Vec<Mutation> = reached.iter().zip(there).filter_map(further).collect();
        if batch.is_empty() {
            return Ok(());
        }
        match store.commit(batch).await {
            Ok(_) => return Ok(()),
            Err(Error::Conflict { .. }) if attempts < ATTEMPTS_MAX => attempts += 1,
            Err(cause) => return Err(cause),
        }
    }
}

/// What is there under a key, and what a write over it expects.
type Stand = (Expect, Option<Document>);

/// What is there under each key. A record that cannot be read keeps no other from being written, and is written over.
async fn read(store: &dyn Store, reached: &[Reached]) -> Result<Vec<Stand>, Error> {
    let keys = reached.iter().map(|(key, _)| key.clone()).collect();
    let read = store.get_each(keys).await?;
    Ok(read.into_iter().map(|read| read.map_or((Expect::Any, None), stand)).collect())
}

fn stand(record: Option<Record>) -> Stand {
    record.map_or((Expect::Absent, None), |record| (Expect::Revision(record.revision), Some(record.document)))
}

/// The write of a record; `None` where what is there is as far.
fn further(((key, document), (expect, there)): (&Reached, Stand)) -> Option<Mutation> {
    let is_as_far = match (&there, document) {
        (Some(Document::Audit(there)), Document::Audit(record)) => there.calls >= record.calls,
        (Some(Document::TokenUse(there)), Document::TokenUse(last)) => there.used_at >= last.used_at,
        _ => false,
    };
    (!is_as_far).then(|| Mutation { key: key.clone(), expect, document: Some(document.clone()) })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;

    use super::*;
    use crate::model::id::TokenId;
    use crate::store::Kind;
    use crate::store::document::TokenUse;
    use crate::store::embedded::Embedded;
    use crate::store::failing::Failing;

    fn key(token: &str) -> Key {
        Key::operator(Kind::TokenUse, token.parse::<TokenId>().unwrap())
    }

    fn used(token: &str, second: i64) -> Reached {
        let used_at = Timestamp::from_second(second).unwrap();
        (key(token), Document::TokenUse(TokenUse { used_at }))
    }

    fn put((key, document): Reached) -> Mutation {
        Mutation { key, expect: Expect::Any, document: Some(document) }
    }

    async fn second_of(store: &dyn Store, token: &str) -> i64 {
        match store.get(key(token)).await.unwrap().unwrap().document {
            Document::TokenUse(last) => last.used_at.as_second(),
            other => panic!("{other:?}"),
        }
    }

    const ONE: &str = "0000000000000001";
    const OTHER: &str = "0000000000000002";

    fn store(directory: &tempfile::TempDir) -> Failing {
        Failing::new(Arc::new(Embedded::open(directory.path()).unwrap()))
    }

    /// A replica that was slower wrote an earlier use over a later one.
    #[tokio::test]
    async fn what_is_further_stays_and_the_others_of_its_batch_are_written() {
        let directory = tempfile::tempdir().unwrap();
        let store = store(&directory);
        advance(&store, &[]).await.unwrap();
        advance(&store, &[used(ONE, 1_800)]).await.unwrap();
        advance(&store, &[used(ONE, 900), used(OTHER, 900)]).await.unwrap();
        assert_eq!((second_of(&store, ONE).await, second_of(&store, OTHER).await), (1_800, 900));
        let before = store.revision(None).await.unwrap();
        advance(&store, &[used(ONE, 1_800), used(OTHER, 900)]).await.unwrap();
        assert_eq!(store.revision(None).await.unwrap(), before, "what is there is written again");
    }

    #[tokio::test]
    async fn who_is_overtaken_looks_again_and_not_for_ever() {
        let directory = tempfile::tempdir().unwrap();
        let store = store(&directory);
        store.overtaking.lock().push(vec![put(used(ONE, 2_700))]);
        advance(&store, &[used(ONE, 900), used(OTHER, 900)]).await.unwrap();
        assert_eq!((second_of(&store, ONE).await, second_of(&store, OTHER).await), (2_700, 900));
        for _ in 0..ATTEMPTS_MAX {
            store.overtaking.lock().push(vec![put(used(ONE, 2_700))]);
        }
        let refused = advance(&store, &[used(ONE, 3_600)]).await;
        assert!(matches!(refused, Err(Error::Conflict { .. })), "{refused:?}");
        advance(&store, &[used(ONE, 3_600)]).await.unwrap();
        assert_eq!(second_of(&store, ONE).await, 3_600);
    }

    #[tokio::test]
    async fn a_record_that_cannot_be_read_keeps_no_other_back() {
        let directory = tempfile::tempdir().unwrap();
        let store = store(&directory);
        advance(&store, &[used(ONE, 900), used(OTHER, 1_800)]).await.unwrap();
        store.corrupt.lock().push(ONE.to_owned());
        advance(&store, &[used(ONE, 1_800), used(OTHER, 900)]).await.unwrap();
        store.corrupt.lock().clear();
        assert_eq!((second_of(&store, ONE).await, second_of(&store, OTHER).await), (1_800, 1_800));
    }
}
