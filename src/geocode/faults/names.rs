//! Names that lead nowhere: a resolver that fails, and one that never answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::dns::{Name, Resolve, Resolving};

use super::super::Error;
use super::super::fake::gata;
use super::{ask, photon};

/// A resolver that knows no name, and says so or never does.
struct Lost {
    is_silent: bool,
    count: Arc<AtomicUsize>,
}

impl Resolve for Lost {
    fn resolve(&self, _name: Name) -> Resolving {
        self.count.fetch_add(1, Ordering::SeqCst);
        let is_silent = self.is_silent;
        Box::pin(async move {
            if is_silent {
                std::future::pending::<()>().await;
            }
            Err("no such name".into())
        })
    }
}

#[tokio::test]
async fn names_that_lead_nowhere_end_in_time() {
    for is_silent in [false, true] {
        let count = Arc::<AtomicUsize>::default();
        let lost = Lost { is_silent, count: Arc::clone(&count) };
        let url = "https://maps.example";
        let photon = photon(url, Duration::from_millis(300), |builder| builder.dns_resolver(Arc::new(lost)));
        let outcome = ask(&photon, &gata()).await;
        let is_told = match &outcome {
            Err(Error::Unreachable { cause, .. }) => !is_silent && cause.contains("no such name"),
            Err(Error::TimedOut { .. }) => is_silent,
            _ => false,
        };
        assert!(is_told, "{outcome:?}");
        assert_eq!(count.load(Ordering::SeqCst), 1, "the fault took place");
    }
}
