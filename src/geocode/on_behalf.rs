//! A geocoder that is asked on behalf of somebody: the questions that go through it say so.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::Instant;

use super::{Asker, Candidate, Error, Geocoder, Inquiry};

/// A geocoder for one asker, who has a fair share of the turns at each provider, and no more.
#[derive(Debug)]
pub struct OnBehalf {
    inner: Arc<dyn Geocoder>,
    asker: Asker,
}

impl OnBehalf {
    /// Asks `inner` on behalf of `asker`.
    #[must_use]
    pub fn new(inner: Arc<dyn Geocoder>, asker: Asker) -> Self {
        Self { inner, asker }
    }
}

#[async_trait]
impl Geocoder for OnBehalf {
    async fn answer(&self, inquiry: &Inquiry, deadline: Instant) -> Result<Vec<Candidate>, Error> {
        let inquiry = Inquiry { asker: self.asker, ..inquiry.clone() };
        self.inner.answer(&inquiry, deadline).await
    }

    fn attributions(&self) -> Vec<String> {
        self.inner.attributions()
    }
}
