//! The operator's token: handed over at the first start, made anew for an operator who lost it.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use super::{Error, stores};
use crate::config::Config;
use crate::geoip::databases::Databases;
use crate::live::Live;
use crate::secret_file;
use crate::service::{self, Parts, Waymark};

/// Makes the first token of a store without an operator, and hands it over; `None` where there is one.
pub(super) async fn first(waymark: &Waymark, file: Option<&Path>) -> Result<Option<String>, Error> {
    if waymark.has_operator() {
        return Ok(None);
    }
    waymark.create_operator_token("first start", |secret| hand_over(secret, file)).await.map(Some)
}

/// Writes the operator's secret into the file, if there is one.
fn hand_over(secret: &str, file: Option<&Path>) -> Result<(), Error> {
    let Some(path) = file else { return Ok(()) };
    secret_file::write(path, secret).map_err(|cause| Error::TokenFile { path: path.to_owned(), cause })
}

/// Makes a new operator's token in the store, of a server that does not run where it is embedded: the way back for an operator
/// who lost theirs. Whoever can write the store is the operator.
pub async fn reset(config: &Config) -> Result<String, Error> {
    let store = stores::open(config).await?;
    let live = Live::follow(&*store).await?;
    let waymark = Waymark::new(Parts {
        store: Arc::clone(&store),
        live,
        geoip: Arc::new(Databases::empty()),
        geocoder: None,
        borders: None,
        ticketing: None,
        post: None,
        clock: Timestamp::now,
        config: service::Config::default(),
    })
    .await?;
    let secret = waymark.create_operator_token::<Error>("reset", |_| Ok(())).await?;
    store.close().await;
    Ok(secret)
}
