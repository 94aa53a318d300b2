//! A store that tells traces of its work: what is committed and read, of which kind and how many, how long it takes, and how it fails.
//! Never which records.

use std::sync::Arc;

use async_trait::async_trait;
use tracing::{Instrument as _, Span};

use super::{Error, Key, Kind, Lag, Mutation, Observer, Range, Record, Store, Unreadable, Visit};
use crate::error::Fault as _;
use crate::model::id::{AccountId, Revision};
use crate::telemetry::spans;

/// The store. What is asked at a start and at an end has no span, and neither has what memory answers.
#[derive(Debug)]
pub struct Traced {
    inner: Arc<dyn Store>,
}

impl Traced {
    /// Tells of what `inner` does.
    #[must_use]
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner }
    }
}

/// The outcome of a call, with its span around it.
async fn within<T>(span: &Span, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let outcome = call.instrument(span.clone()).await;
    if let Err(cause) = &outcome {
        spans::failed(span, cause.reason().as_str());
    }
    outcome
}

/// The span of a read by names; there is none of nothing.
fn reading(keys: &[Key]) -> Span {
    keys.first().map_or_else(Span::none, |first| spans::store("store.get", &first.kind, Some(keys.len())))
}

fn scanning(kind: Kind) -> Span {
    spans::store("store.scan", &kind, None)
}

#[async_trait]
impl Store for Traced {
    async fn commit(&self, batch: Vec<Mutation>) -> Result<Revision, Error> {
        let of = |first: &Mutation| spans::store("store.commit", &first.key.kind, Some(batch.len()));
        let span = batch.first().map_or_else(Span::none, of);
        within(&span, self.inner.commit(batch)).await
    }

    async fn get(&self, key: Key) -> Result<Option<Record>, Error> {
        within(&spans::store("store.get", &key.kind, Some(1)), self.inner.get(key)).await
    }

    async fn get_each(&self, keys: Vec<Key>) -> Result<Vec<Result<Option<Record>, Unreadable>>, Error> {
        within(&reading(&keys), self.inner.get_each(keys)).await
    }

    async fn get_many(&self, keys: Vec<Key>) -> Result<Vec<Option<Record>>, Error> {
        within(&reading(&keys), self.inner.get_many(keys)).await
    }

    async fn scan_each(&self, range: Range) -> Result<Vec<Result<Record, Unreadable>>, Error> {
        let span = scanning(range.kind);
        let found = within(&span, self.inner.scan_each(range)).await?;
        spans::counted(&span, found.len());
        Ok(found)
    }

    async fn scan(&self, range: Range) -> Result<Vec<Record>, Error> {
        let span = scanning(range.kind);
        let found = within(&span, self.inner.scan(range)).await?;
        spans::counted(&span, found.len());
        Ok(found)
    }

    async fn load(&self, visits: Vec<Visit>) -> Result<(), Error> {
        self.inner.load(visits).await
    }

    async fn prove(&self) -> Result<(), Error> {
        self.inner.prove().await
    }

    async fn observe(&self, observer: Arc<dyn Observer>) -> Result<(), Error> {
        self.inner.observe(observer).await
    }

    async fn settle(&self, record: Record) -> Result<(), Error> {
        within(&spans::store("store.settle", &record.key.kind, Some(1)), self.inner.settle(record)).await
    }

    fn is_shared(&self) -> bool {
        self.inner.is_shared()
    }

    fn lag(&self) -> Lag {
        self.inner.lag()
    }

    fn danger(&self) -> Option<String> {
        self.inner.danger()
    }

    async fn broken(&self) -> String {
        self.inner.broken().await
    }

    async fn revision(&self, partition: Option<&AccountId>) -> Result<Revision, Error> {
        self.inner.revision(partition).await
    }

    async fn scrub(&self) -> Result<(), Error> {
        within(&spans::scrub(), self.inner.scrub()).await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::contract;
    use super::super::embedded::Embedded;
    use super::*;

    #[test]
    fn it_keeps_the_contract() {
        let directories = tempfile::tempdir().unwrap();
        let mut number = 0;
        contract::check(&mut || {
            number += 1;
            let store = Embedded::open(&directories.path().join(number.to_string())).unwrap();
            Box::pin(async move { Box::new(Traced::new(Arc::new(store))) as Box<dyn Store> })
        });
    }

    /// Answers otherwise than any engine does of which nothing is amiss.
    #[derive(Debug)]
    struct Odd;

    #[async_trait]
    impl Store for Odd {
        async fn commit(&self, _: Vec<Mutation>) -> Result<Revision, Error> {
            Err(Error::Full)
        }

        async fn get(&self, _: Key) -> Result<Option<Record>, Error> {
            Err(Error::Full)
        }

        async fn get_each(&self, _: Vec<Key>) -> Result<Vec<Result<Option<Record>, Unreadable>>, Error> {
            Err(Error::Full)
        }

        async fn scan_each(&self, _: Range) -> Result<Vec<Result<Record, Unreadable>>, Error> {
            Err(Error::Full)
        }

        async fn load(&self, _: Vec<Visit>) -> Result<(), Error> {
            Err(Error::Full)
        }

        async fn prove(&self) -> Result<(), Error> {
            Err(Error::Damaged { path: PathBuf::from("odd"), cause: "odd".to_owned() })
        }

        async fn observe(&self, _: Arc<dyn Observer>) -> Result<(), Error> {
            Err(Error::Full)
        }

        async fn settle(&self, _: Record) -> Result<(), Error> {
            Err(Error::Full)
        }

        fn is_shared(&self) -> bool {
            true
        }

        fn lag(&self) -> Lag {
            Lag { resyncs: 7, ..Lag::default() }
        }

        fn danger(&self) -> Option<String> {
            Some("odd".to_owned())
        }

        async fn broken(&self) -> String {
            "odd".to_owned()
        }

        async fn revision(&self, _: Option<&AccountId>) -> Result<Revision, Error> {
            Err(Error::Full)
        }

        async fn scrub(&self) -> Result<(), Error> {
            Err(Error::Full)
        }

        async fn close(&self) {}
    }

    /// What a trait answers by itself, a wrapper forgets without a word.
    #[tokio::test]
    async fn nothing_that_an_engine_says_is_lost() {
        let traced = Traced::new(Arc::new(Odd));
        assert!(traced.is_shared() && traced.lag().resyncs == 7);
        assert_eq!((traced.danger().as_deref(), traced.broken().await.as_str()), (Some("odd"), "odd"));
        assert!(matches!(traced.prove().await, Err(Error::Damaged { .. })));
        let record = |kind: Kind| Key::operator(kind, 1);
        assert!(matches!(traced.commit(vec![Mutation::delete(record(Kind::Lease))]).await, Err(Error::Full)));
        assert!(matches!(traced.get_many(vec![record(Kind::Lease)]).await, Err(Error::Full)));
        assert!(matches!(traced.scan(Range::all(None, Kind::Lease)).await, Err(Error::Full)));
        assert!(matches!(traced.scrub().await, Err(Error::Full)));
    }
}
