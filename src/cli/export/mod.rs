//! `waymark export`: the sites of an account as a sheet that an import reads back, through the public API.
//!
//! Sites come in pages in the order in which they were made, and go to the file at once: memory holds two pages, whatever the
//! account. A site that is made meanwhile is at the end; none comes twice.

mod csv_sheet;
mod geojson;
mod info;

use std::collections::HashMap;
use std::io::{BufWriter, Write, stdout};
use std::path::PathBuf;

use self::csv_sheet::CsvSheet;
use self::geojson::FeatureSheet;
use super::client::{ServerArguments, explain};
use super::out_file::OutFile;
use super::output::{OutputArguments, SummaryArguments};
use super::progress::Progress;
use super::sheet::{Format, word};
use super::unreachable::Unreachable;
use crate::api::proto::waymark::v1 as pb;
use crate::api::proto::waymark::v1::attention_service_client::AttentionServiceClient;
use crate::api::proto::waymark::v1::site_service_client::SiteServiceClient;
use crate::client::Connection;

/// Sites of a page: as many as the server gives.
const PAGE_SITES: i32 = 1_000;

/// What to export.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Writes the sites of an account as CSV or GeoJSON
    Sites(Sites),
}

#[derive(Debug, clap::Args)]
struct Sites {
    /// The account
    #[arg(long)]
    account: String,
    /// Gets the sites; without it they go to standard output
    #[arg(long)]
    out: Option<PathBuf>,
    /// What to write [default: as the file's name says, else csv]
    #[arg(long)]
    format: Option<Format>,
    /// Which sites, as in `ListSites`
    #[arg(long, default_value = "")]
    filter: String,
    /// Writes what people may set alone: no ids, and nothing that waymark found out
    #[arg(long)]
    settable: bool,
    /// Adds why a site needs attention; this takes as many calls again
    #[arg(long, conflicts_with = "settable")]
    attention: bool,
    /// Begins a CSV file with a byte order mark, which some spreadsheets need to see UTF-8
    #[arg(long)]
    bom: bool,
    #[command(flatten)]
    summary: SummaryArguments,
    #[command(flatten)]
    server: ServerArguments,
}

/// What of a site is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// What people may set.
    Settable,
    /// All.
    All,
}

/// Where sites are written to.
trait SiteWriter {
    /// Writes a site; `attention` says why it needs some.
    fn write(&mut self, site: &pb::Site, attention: Option<&str>) -> anyhow::Result<()>;

    /// Writes what stands behind the last one.
    fn finish(&mut self) -> anyhow::Result<()>;
}

/// Does it.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Command::Sites(arguments) = arguments.command;
    let Some(path) = &arguments.out else {
        let (_, unreachable) = write_sites(&arguments, Box::new(stdout())).await?;
        return unreachable.complain("left out");
    };
    let file = OutFile::create(path)?;
    let (count, unreachable) = write_sites(&arguments, Box::new(file.writer()?)).await?;
    file.finish()?;
    let line = format!("{count} sites in {}", path.display());
    OutputArguments::from(arguments.summary).tell(line, serde_json::json!({ "sites": count, "file": path }))?;
    unreachable.complain("left out")
}

/// Writes all sites; how many they are, and those that are left out.
async fn write_sites(arguments: &Sites, out: Box<dyn Write>) -> anyhow::Result<(u64, Unreachable)> {
    let format = arguments.format.or(arguments.out.as_deref().map(Format::of)).unwrap_or(Format::Csv);
    let extent = if arguments.settable { Extent::Settable } else { Extent::All };
    let out = BufWriter::new(out);
    let mut writer: Box<dyn SiteWriter> = match format {
        Format::Csv => Box::new(CsvSheet::begin(out, extent, arguments.attention, arguments.bom)?),
        Format::Geojson => Box::new(FeatureSheet::begin(out, extent, true)?),
        Format::Geojsonl => Box::new(FeatureSheet::begin(out, extent, false)?),
    };
    let connection = arguments.server.connect()?;
    let parent = format!("accounts/{}", arguments.account);
    let attention = if arguments.attention {
        attention_of(AttentionServiceClient::new(connection.clone()), &parent, &arguments.filter).await?
    } else {
        HashMap::new()
    };
    let mut sites = SiteServiceClient::new(connection);
    let mut progress = Progress::open("sites");
    let mut request = pb::ListSitesRequest {
        parent,
        page_size: PAGE_SITES,
        filter: arguments.filter.clone(),
        ..pb::ListSitesRequest::default()
    };
    let (mut count, mut unreachable) = (0, Unreachable::default());
    loop {
        let page = sites.list_sites(request.clone()).await.map_err(|status| explain(&status))?.into_inner();
        for site in &page.sites {
            let reasons = attention.get(id_of(site)).map(String::as_str);
            writer.write(site, reasons.or(arguments.attention.then_some("")))?;
        }
        count += page.sites.len() as u64;
        progress.add(page.sites.len() as u64);
        unreachable.add(page.unreachable);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    progress.finish();
    writer.finish()?;
    Ok((count, unreachable))
}

/// The contact; `None` where the token masks it: an import would take the mask for what is to be written.
fn contact_of(site: &pb::Site) -> Option<&pb::Contact> {
    site.contact.as_ref().filter(|_| !site.contact_masked)
}

/// The note; empty where the token masks it.
fn note_of(site: &pb::Site) -> &str {
    if site.contact_masked { "" } else { &site.note }
}

/// Why sites need attention, by their ids.
async fn attention_of(
    mut attentions: AttentionServiceClient<Connection>,
    parent: &str,
    filter: &str,
) -> anyhow::Result<HashMap<String, String>> {
    let mut found = HashMap::new();
    let mut request = pb::ListAttentionRequest {
        parent: parent.to_owned(),
        filter: filter.to_owned(),
        page_size: PAGE_SITES,
        ..pb::ListAttentionRequest::default()
    };
    loop {
        let page = attentions.list_attention(request.clone()).await.map_err(|status| explain(&status))?.into_inner();
        for item in page.items {
            let reasons: Vec<String> =
                item.reasons().map(|reason| word(reason.as_str_name(), "ATTENTION_REASON_")).collect();
            if let Some(site) = &item.site {
                found.insert(id_of(site).to_owned(), reasons.join(" "));
            }
        }
        if page.next_page_token.is_empty() {
            return Ok(found);
        }
        request.page_token = page.next_page_token;
    }
}

/// The id in a site's name.
fn id_of(site: &pb::Site) -> &str {
    site.name.rsplit('/').next().unwrap_or_default()
}

/// Whether the token shows exactly where the site is. An import would take a rounded position for where it is to be.
fn is_exact(site: &pb::Site) -> bool {
    !matches!(site.positions(), pb::PositionAccess::Approximate | pb::PositionAccess::Hidden)
}

/// Where a person dropped a pin, if the site stands at it.
fn pin_of(site: &pb::Site) -> Option<pb::LatLng> {
    let location = site.location.as_ref().filter(|_| is_exact(site))?;
    location.position.filter(|_| location.source() == pb::FixSource::Pin)
}
