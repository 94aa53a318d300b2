//! `waymark account export-personal-data`: what is held of people, as JSON lines, through the public API.
//!
//! Records come in pages and go out at once: memory holds one page.

use std::io::{BufWriter, Write, stdout};
use std::path::PathBuf;

use super::account::admin;
use super::client::{ServerArguments, explain};
use super::out_file::OutFile;
use super::output::OutputArguments;
use super::progress::Progress;
use super::unreachable::Unreachable;
use crate::api::json;
use crate::api::proto::waymark::v1 as pb;
use crate::api::proto::waymark::v1::admin_service_client::AdminServiceClient;
use crate::client::Connection;

/// Records of a page: as many as the server gives.
const PAGE_RECORDS: i32 = 1_000;

/// Whose data to export.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The account
    account: String,
    /// The id of one of its sites; without it all of them
    #[arg(long)]
    site: Option<String>,
    /// Gets the records, one a line, readable by its owner alone; without it they go to standard output
    #[arg(long)]
    out: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArguments,
    #[command(flatten)]
    server: ServerArguments,
}

/// Does it.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Some(path) = &arguments.out else {
        let (_, unreachable) = write_records(&arguments, stdout()).await?;
        return unreachable.complain("left out");
    };
    let file = OutFile::create(path)?;
    let (count, unreachable) = write_records(&arguments, file.writer()?).await?;
    file.finish()?;
    let line = format!("{count} records in {}", path.display());
    arguments.output.tell(line, serde_json::json!({ "records": count, "file": path }))?;
    unreachable.complain("left out")
}

/// Writes all records; how many they are, and sites of which there is none.
async fn write_records(arguments: &Arguments, out: impl Write) -> anyhow::Result<(u64, Unreachable)> {
    let mut out = BufWriter::new(out);
    let mut progress = Progress::open("records");
    let mut admin = admin(&arguments.server)?;
    let (mut count, mut token, mut unreachable) = (0, String::new(), Unreachable::default());
    loop {
        let Page { records, next, left_out } = page(&mut admin, arguments, &token).await?;
        for record in &records {
            serde_json::to_writer(&mut out, &json::of_message("PersonalRecord", record)?)?;
            out.write_all(b"\n")?;
        }
        count += records.len() as u64;
        progress.add(records.len() as u64);
        unreachable.add(left_out);
        if next.is_empty() {
            break;
        }
        token = next;
    }
    out.flush()?;
    progress.finish();
    Ok((count, unreachable))
}

/// A page.
struct Page {
    records: Vec<pb::PersonalRecord>,
    /// The token of the next one.
    next: String,
    /// Sites that cannot be read.
    left_out: Vec<String>,
}

/// The page of a token.
async fn page(admin: &mut AdminServiceClient<Connection>, arguments: &Arguments, token: &str) -> anyhow::Result<Page> {
    let (page_size, page_token) = (PAGE_RECORDS, token.to_owned());
    let name = format!("accounts/{}", arguments.account);
    let Some(site) = &arguments.site else {
        let request = pb::ExportAccountPersonalDataRequest { name, page_size, page_token };
        let page = admin.export_account_personal_data(request).await;
        let page = page.map_err(|status| explain(&status))?.into_inner();
        return Ok(Page { records: page.records, next: page.next_page_token, left_out: page.unreachable });
    };
    let request = pb::ExportSitePersonalDataRequest { name: format!("{name}/sites/{site}"), page_size, page_token };
    let page = admin.export_site_personal_data(request).await.map_err(|status| explain(&status))?.into_inner();
    Ok(Page { records: page.records, next: page.next_page_token, left_out: Vec::new() })
}
