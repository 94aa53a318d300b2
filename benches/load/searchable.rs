//! The search index is read after the start, beside everything else: measurements wait until it is whole.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tonic::Code;
use waymark::api::proto::waymark::v1 as pb;
use waymark::api::proto::waymark::v1::site_service_client::SiteServiceClient;

use crate::activating::{channel, with_secret};
use crate::data::account_id;
use crate::fill::Filled;
use crate::server::Server;

/// How long is waited between two questions, so that they take nothing from who reads the index.
const PAUSE: Duration = Duration::from_millis(50);
/// The longest that it may take.
const WAIT_MAX: Duration = Duration::from_mins(20);

/// Waits until all accounts can be searched; how many seconds after its start the server can.
pub(crate) async fn wait(server: &Server, filled: &Filled) -> Result<f64> {
    let begun = Instant::now();
    let channel = channel(server).await?;
    for (number, secret) in filled.viewers.iter().enumerate() {
        let mut client = SiteServiceClient::with_interceptor(channel.clone(), with_secret(secret)?);
        let parent = format!("accounts/{}", account_id(number));
        loop {
            let asked = pb::SearchSitesRequest { parent: parent.clone(), query: "a".into(), ..Default::default() };
            match client.search_sites(asked).await {
                Ok(_) => break,
                Err(status) if status.code() == Code::Unavailable => tokio::time::sleep(PAUSE).await,
                Err(status) => return Err(status).context("a search failed"),
            }
            ensure!(begun.elapsed() < WAIT_MAX, "the search is not whole after {WAIT_MAX:?}");
        }
    }
    Ok(server.ready_s + begun.elapsed().as_secs_f64())
}
