//! A geocoder that can be exchanged while it is asked.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use tokio::time::Instant;

use super::{Candidate, Error, Geocoder, Inquiry};

/// The geocoder that is in use, or none. Questions that are on their way stay with the one that they went to.
#[derive(Debug, Default)]
pub struct Reloadable {
    current: ArcSwapOption<Current>,
}

#[derive(Debug)]
struct Current(Arc<dyn Geocoder>);

impl Reloadable {
    /// Uses this one; `None` for none.
    #[must_use]
    pub fn new(geocoder: Option<Arc<dyn Geocoder>>) -> Self {
        let reloadable = Self::default();
        reloadable.replace(geocoder);
        reloadable
    }

    /// Uses this one from now on.
    pub fn replace(&self, geocoder: Option<Arc<dyn Geocoder>>) {
        self.current.store(geocoder.map(|geocoder| Arc::new(Current(geocoder))));
    }
}

#[async_trait]
impl Geocoder for Reloadable {
    async fn answer(&self, inquiry: &Inquiry, deadline: Instant) -> Result<Vec<Candidate>, Error> {
        let current = self.current.load_full().ok_or(Error::NotConfigured)?;
        current.0.answer(inquiry, deadline).await
    }

    fn attributions(&self) -> Vec<String> {
        self.current.load().as_ref().map(|current| current.0.attributions()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::fake::{Act, Fake, SOON, gata};
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_new_one_is_asked_and_what_is_on_its_way_arrives() {
        let none = Reloadable::new(None);
        assert_eq!(none.answer(&gata(), Instant::now() + SOON).await, Err(Error::NotConfigured));
        assert!(none.attributions().is_empty());

        let old = Arc::new(Fake::of([Act::AnswerAfter(Duration::from_secs(1))]));
        let new = Arc::new(Fake::of([Act::Empty]));
        let reloadable = Arc::new(Reloadable::new(Some(Arc::clone(&old) as _)));
        let asked = Arc::clone(&reloadable);
        let running = tokio::spawn(async move { asked.answer(&gata(), Instant::now() + SOON).await });
        tokio::task::yield_now().await;
        reloadable.replace(Some(Arc::clone(&new) as _));
        assert!(reloadable.answer(&gata(), Instant::now() + SOON).await.unwrap().is_empty());
        assert_eq!(running.await.unwrap().unwrap().len(), 1);
        assert_eq!((old.count(), new.count()), (1, 1));
    }
}
