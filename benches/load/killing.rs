//! `kill -9` while writers write: what was acknowledged has to be there after the start.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tonic::Request;
use tonic::transport::{Channel, Endpoint};
use waymark::api::proto::waymark::v1 as pb;
use waymark::api::proto::waymark::v1::site_service_client::SiteServiceClient;

use crate::closed_loop::CONNECTIONS;
use crate::data::{Plan, account_id};
use crate::fill::Filled;
use crate::server::Server;
use crate::starting::{CHANGED, STATUSES};

/// For so long the first write may take: of a file that is in no cache each page is read from the disk.
const FIRST_WRITE_MAX: Duration = Duration::from_secs(30);
/// For so long they write behind it before the end.
const WRITE_TIME: Duration = Duration::from_millis(400);

/// What a writer knows of its sites.
#[derive(Debug, Default)]
struct Written {
    /// The last status of each site whose change was acknowledged.
    acknowledged: HashMap<String, i32>,
    /// The change that was under way at the end: it may be there or not.
    open: Option<(String, i32)>,
}

/// A start after `kill -9`.
#[derive(Debug)]
pub(crate) struct Restart {
    pub(crate) ready_s: f64,
    /// Writers that had changes acknowledged, and were writing when the server was killed.
    pub(crate) writers: usize,
}

/// Starts a server, kills it under writes, starts it again. Every change that was acknowledged was looked up.
pub(crate) async fn restart(plan: &Plan, filled: &Filled) -> Result<Restart> {
    let server = Server::start(&filled.path)?;
    let mut writers = JoinSet::new();
    let (is_killed, has_written) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
    for first in 0..CONNECTIONS {
        let names: Vec<String> = names(plan).skip(first).step_by(CONNECTIONS).collect();
        if !names.is_empty() {
            let client = client(&server).await?;
            let (is_killed, has_written) = (Arc::clone(&is_killed), Arc::clone(&has_written));
            writers.spawn(write(client, filled.editor.clone(), names, is_killed, has_written));
        }
    }
    timeout(FIRST_WRITE_MAX, has_written.notified()).await.context("nothing was written")?;
    tokio::time::sleep(WRITE_TIME).await;
    is_killed.store(true, Ordering::SeqCst);
    server.kill()?;
    let written = writers.join_all().await.into_iter().collect::<Result<Vec<_>>>()?;
    let writers = written.iter().filter(|written| !written.acknowledged.is_empty()).count();
    let server = Server::start(&filled.path)?;
    let mut client = client(&server).await?;
    for Written { acknowledged, open } in written {
        for (name, status) in acknowledged {
            let request = with_secret(pb::GetSiteRequest { name: name.clone() }, &filled.editor)?;
            let found = client.get_site(request).await?.into_inner().status;
            let may_be = open.as_ref().filter(|(other, _)| *other == name).map(|(_, status)| *status);
            ensure!(found == status || Some(found) == may_be, "{name}: an acknowledged change was lost");
        }
    }
    ensure!(writers > 0, "nothing was written before the end");
    let ready_s = server.ready_s;
    server.end()?;
    Ok(Restart { ready_s, writers })
}

fn names(plan: &Plan) -> impl Iterator<Item = String> {
    let name = |number| format!("accounts/{}/sites/{}", account_id(0), plan.site(number).id);
    plan.sites_of(0).take(CHANGED).map(name)
}

/// Writes until the server is killed; a write that fails before is a failure.
async fn write(
    mut client: SiteServiceClient<Channel>,
    secret: String,
    names: Vec<String>,
    is_killed: Arc<AtomicBool>,
    has_written: Arc<Notify>,
) -> Result<Written> {
    let mut written = Written::default();
    for (turn, name) in names.iter().cycle().enumerate() {
        let status = STATUSES[(turn / names.len() + turn) % STATUSES.len()] as i32;
        let message = pb::UpdateSiteRequest {
            site: Some(pb::Site { name: name.clone(), status, ..pb::Site::default() }),
            update_mask: Some(prost_types::FieldMask { paths: vec!["status".into()] }),
            ..pb::UpdateSiteRequest::default()
        };
        if let Err(fault) = client.update_site(with_secret(message, &secret)?).await {
            ensure!(is_killed.load(Ordering::SeqCst), "a writer ended before the server was killed: {fault}");
            written.open = Some((name.clone(), status));
            break;
        }
        written.acknowledged.insert(name.clone(), status);
        has_written.notify_one();
    }
    Ok(written)
}

async fn client(server: &Server) -> Result<SiteServiceClient<Channel>> {
    let channel = Endpoint::from_shared(format!("http://{}", server.address))?.connect().await?;
    Ok(SiteServiceClient::new(channel))
}

fn with_secret<T>(message: T, secret: &str) -> Result<Request<T>> {
    let mut request = Request::new(message);
    let value = format!("Bearer {secret}").parse().context("a secret is a header's value")?;
    request.metadata_mut().insert("authorization", value);
    Ok(request)
}
