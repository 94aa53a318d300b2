//! Reports of sites that are there: of agents one by one, and of a service a thousand at once. They tell the time alone, as
//! nearly all reports do.

use anyhow::{Context, Result, ensure};
use waymark::api::proto::waymark::v1 as pb;
use waymark::api::proto::waymark::v1::activation_service_client::ActivationServiceClient;
use waymark::api::proto::waymark::v1::site_service_client::SiteServiceClient;

use crate::activating::{ACCOUNT, channel, with_secret};
use crate::calls::EMPTY_GRPC;
use crate::closed_loop::{How, Loop, alternate};
use crate::measure::Sheet;
use crate::server::Server;
use crate::wire::{Call, Target, http2};

/// Agents that report, a connection each.
const AGENTS: usize = 64;
/// Reports of one batch: as many as there may be.
const BATCH: i32 = 1_000;
/// Batches, each of other sites.
const BATCHES: usize = 8;

/// Measures reports beside the empty call.
pub(crate) async fn measure(sheet: &mut Sheet, server: &Server, enrollment: &str, service: &str) -> Result<()> {
    let target = Target::Http2(server.address);
    let empty = vec![http2::grpc(server.address, EMPTY_GRPC, service, &pb::WhoAmIRequest {})?];
    let how = How { connections: AGENTS, ..How::default() };
    let loops = vec![
        Loop::open_as(how, format!("gRPC {EMPTY_GRPC}, {AGENTS} at once, for reports"), &target, empty).await?,
        Loop::open_as(how, format!("gRPC ReportStatus, {AGENTS} at once"), &target, single(server, enrollment).await?)
            .await?,
        Loop::open(format!("gRPC BatchReportStatus, {BATCH} sites each"), &target, batches(server, service).await?)
            .await?,
    ];
    for figure in alternate(loops, Some(server.id())).await? {
        sheet.add(figure);
    }
    Ok(())
}

/// A report of each of some agents, with the credential of its activation.
async fn single(server: &Server, enrollment: &str) -> Result<Vec<Call>> {
    let mut client = ActivationServiceClient::with_interceptor(channel(server).await?, with_secret(enrollment)?);
    let mut calls = Vec::with_capacity(AGENTS);
    for number in 0..AGENTS {
        let agent = pb::ActivateAgentRequest {
            parent: ACCOUNT.into(),
            agent_id: format!("reports-{number}"),
            agent_key: vec![7; 32],
            ..pb::ActivateAgentRequest::default()
        };
        let credential = client.activate_agent(agent).await?.into_inner().credential;
        let report = pb::ReportStatusRequest::default();
        calls.push(http2::grpc(server.address, "ActivationService/ReportStatus", &credential, &report)?);
    }
    Ok(calls)
}

/// Reports of the first sites of the account, a batch a page of them.
async fn batches(server: &Server, service: &str) -> Result<Vec<Call>> {
    let mut client = SiteServiceClient::with_interceptor(channel(server).await?, with_secret(service)?);
    let (mut calls, mut page_token) = (Vec::with_capacity(BATCHES), String::new());
    for _ in 0..BATCHES {
        let parent = ACCOUNT.to_owned();
        let asked = pb::ListSitesRequest { parent, page_size: BATCH, page_token, ..pb::ListSitesRequest::default() };
        let page = client.list_sites(asked).await?.into_inner();
        page_token = page.next_page_token;
        let reports =
            page.sites.into_iter().map(|site| pb::SiteReport { site: site.name, ..pb::SiteReport::default() });
        let message = pb::BatchReportStatusRequest { parent: ACCOUNT.into(), reports: reports.collect() };
        ensure!(message.reports.len() == usize::try_from(BATCH)?, "there are too few sites to report of");
        calls.push(http2::grpc(server.address, "ActivationService/BatchReportStatus", service, &message)?);
    }
    calls.first().context("there are batches")?;
    Ok(calls)
}
