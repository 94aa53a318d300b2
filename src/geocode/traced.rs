//! A geocoder that tells traces of each request to it: of which protocol it is, the kind of question, how long it took, how it failed.
//! Never what was asked or answered.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::{Candidate, Error, Geocoder, Inquiry};
use crate::error::Fault as _;
use crate::telemetry::spans;

/// A geocoder, known to traces by its protocol.
#[derive(Debug)]
pub(super) struct Traced {
    inner: Arc<dyn Geocoder>,
    protocol: &'static str,
}

impl Traced {
    /// Tells of what `inner` is asked.
    pub(super) fn new(inner: Arc<dyn Geocoder>, protocol: &'static str) -> Self {
        Self { inner, protocol }
    }
}

#[async_trait]
impl Geocoder for Traced {
    async fn answer(&self, inquiry: &Inquiry, deadline: Instant) -> Result<Vec<Candidate>, Error> {
        let span = spans::geocode(self.protocol, inquiry.kind());
        let answered = self.inner.answer(inquiry, deadline).instrument(span.clone()).await;
        if let Err(cause) = &answered {
            spans::failed(&span, cause.reason().as_str());
        }
        answered
    }

    fn attributions(&self) -> Vec<String> {
        self.inner.attributions()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Act, Fake, SOON, gata};
    use super::*;

    #[tokio::test]
    async fn it_answers_as_what_it_tells_of() {
        let fake = Arc::new(Fake::of([Act::Answer, Act::Empty, Act::Fail(503, None)]));
        let traced = Traced::new(Arc::clone(&fake) as _, "photon");
        let inquiry = gata();
        let answer = || traced.answer(&inquiry, Instant::now() + SOON);
        assert_eq!(answer().await.unwrap().len(), 1);
        assert!(answer().await.unwrap().is_empty());
        assert!(answer().await.is_err());
        assert_eq!((fake.count(), traced.attributions()), (3, fake.attributions()));
    }
}
