//! Fills a data directory with sites, straight through the store, and keeps it for the next run.
//!
//! Accounts and tokens are made by the use cases themselves, so their secrets are good. The sites follow in large
//! batches, as records of their own: through the API ten million activations would take hours.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use waymark::geoip::databases::Databases;
use waymark::live::Live;
use waymark::model::access::Scope;
use waymark::service::tokens::NewToken;
use waymark::service::{self, Parts, Waymark};
use waymark::store::Store;
use waymark::store::embedded::Embedded;

use crate::data::{Plan, Shape, account_id, record};
use crate::measure;

/// Changes when the records change, so that a directory of an older bench is filled anew.
const VERSION: u32 = 4;
/// Sites of one batch: one fsync for so many.
const BATCH: usize = 2_000;
/// Batches under way at once: one is encoded while another is written.
const BATCHES: usize = 3;
/// Sites between two lines of progress.
const PROGRESS_EVERY: usize = 1_000_000;

/// A filled data directory, and the secrets that are good in it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Filled {
    version: u32,
    /// The data directory of the server.
    pub(crate) path: PathBuf,
    /// The operator's secret.
    pub(crate) operator: String,
    /// A viewer's secret for each account.
    pub(crate) viewers: Vec<String>,
    /// An editor's secret for the first account.
    pub(crate) editor: String,
}

/// The directory of a plan: the one of an earlier run, or a new one.
pub(crate) async fn directory(shape: Shape, plan: &Plan) -> Result<Filled> {
    let place = measure::directory("stores").join(format!("{}-{}", shape.name(), plan.len()));
    let seal = place.join("filled.json");
    if let Ok(text) = fs::read(&seal)
        && let Ok(filled) = serde_json::from_slice::<Filled>(&text)
        && filled.version == VERSION
    {
        return Ok(filled);
    }
    if place.exists() {
        fs::remove_dir_all(&place).with_context(|| place.display().to_string())?;
    }
    let start = Instant::now();
    let filled = make_accounts(&place.join("data"), plan).await?;
    fill(&filled.path, plan).await?;
    // Written last: a fill that was cut short is none.
    fs::write(seal, serde_json::to_vec(&filled)?)?;
    println!("filled {} with {} sites in {:.0?}", place.display(), plan.len(), start.elapsed());
    Ok(filled)
}

async fn make_accounts(path: &Path, plan: &Plan) -> Result<Filled> {
    let store: Arc<dyn Store> = Arc::new(Embedded::open(path)?);
    let waymark = Waymark::new(Parts {
        store: Arc::clone(&store),
        live: Live::follow(&*store).await?,
        geoip: Arc::new(Databases::empty()),
        geocoder: None,
        borders: None,
        post: None,
        ticketing: None,
        clock: jiff::Timestamp::now,
        config: service::Config::default(),
    })
    .await?;
    let operator = waymark.create_operator_token::<service::Error>("bench", |_| Ok(())).await?;
    let principal = waymark.authenticate(&operator)?;
    let mut viewers = Vec::with_capacity(plan.accounts());
    let token = |account, scope| NewToken {
        account,
        scope,
        display_name: "bench".into(),
        expires_at: None,
        contacts: None,
        positions: None,
        assigned: None,
    };
    for account in (0..plan.accounts()).map(account_id) {
        waymark.create_account(&principal, account.clone(), "An account of the benches", None).await?;
        viewers.push(waymark.create_token(&principal, token(Some(account), Scope::Viewer)).await?.1);
    }
    let editor = waymark.create_token(&principal, token(Some(account_id(0)), Scope::Editor)).await?.1;
    store.close().await;
    Ok(Filled { version: VERSION, path: path.to_owned(), operator, viewers, editor })
}

async fn fill(path: &Path, plan: &Plan) -> Result<()> {
    let store = Arc::new(Embedded::open(path)?);
    let mut batches = JoinSet::new();
    let mut written = 0;
    for account in 0..plan.accounts() {
        let id = account_id(account);
        let numbers: Vec<usize> = plan.sites_of(account).collect();
        for chunk in numbers.chunks(BATCH) {
            if batches.len() >= BATCHES {
                batches.join_next().await.expect("there are some")??;
            }
            let (store, id, sites) = (Arc::clone(&store), id.clone(), chunk.to_vec());
            let sites: Vec<_> = sites.into_iter().map(|number| plan.site(number)).collect();
            batches.spawn(async move {
                let batch = sites.iter().flat_map(|site| record::mutations(&id, site)).collect();
                store.commit(batch).await
            });
            written += chunk.len();
            if written / PROGRESS_EVERY > (written - chunk.len()) / PROGRESS_EVERY {
                println!("filling {}: {written} of {} sites", path.display(), plan.len());
            }
        }
    }
    while let Some(done) = batches.join_next().await {
        done??;
    }
    ensure!(written == plan.len(), "{written} of {} sites were written", plan.len());
    store.close().await;
    Ok(())
}
