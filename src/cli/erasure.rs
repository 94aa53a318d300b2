//! `waymark account erase-personal-data`: takes what is held of people away, of all sites of an account or of one, through the
//! public API. Whoever begins it says the id once more: nothing brings back what is erased.

use std::io::{BufRead as _, Read as _, Write as _, stderr, stdin};

use anyhow::{Context as _, bail};
use serde_json::json;

use super::account::admin;
use super::client::{ServerArguments, explain};
use super::output::OutputArguments;
use super::progress::Progress;
use super::unreachable::Unreachable;
use crate::api::proto::waymark::v1 as pb;
use crate::api::proto::waymark::v1::admin_service_client::AdminServiceClient;
use crate::client::Connection;

/// Sites of a page: as many as the server takes.
const PAGE_SITES: i32 = 100;
/// Longest answer that is read, in bytes: more than the id of an account has.
const ANSWER_BYTES_MAX: u64 = 1_024;

/// What to erase.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The account
    account: String,
    /// The id of one of its sites; without it all of them
    #[arg(long)]
    site: Option<String>,
    /// Takes stated addresses, pins and measured positions, too: sites are left where databases estimate them, or nowhere
    #[arg(long)]
    include_location: bool,
    /// Does not ask for the id once more
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    output: OutputArguments,
    #[command(flatten)]
    server: ServerArguments,
}

/// Does it.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let mut admin = admin(&arguments.server)?;
    if !arguments.yes {
        confirm(&arguments)?;
    }
    if let Some(site) = &arguments.site {
        return erase_site(admin, &arguments, site).await;
    }
    let mut request = pb::EraseAccountPersonalDataRequest {
        name: format!("accounts/{}", arguments.account),
        page_size: PAGE_SITES,
        include_location: arguments.include_location,
        ..pb::EraseAccountPersonalDataRequest::default()
    };
    let (mut count, mut progress, mut unreachable) = (0, Progress::open("sites"), Unreachable::default());
    loop {
        // A page that failed is done again: what is erased stays erased.
        let page = admin.erase_account_personal_data(request.clone()).await;
        let page = page.map_err(|status| explain(&status))?.into_inner();
        count += page.sites.len() as u64;
        progress.add(page.sites.len() as u64);
        unreachable.add(page.unreachable);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    progress.finish();
    let line = format!("erased the personal data of {count} sites");
    arguments.output.tell(line, json!({ "account": format!("accounts/{}", arguments.account), "sites": count }))?;
    unreachable.complain("not erased")
}

/// Erases one site, and its history.
async fn erase_site(
    mut admin: AdminServiceClient<Connection>,
    arguments: &Arguments,
    site: &str,
) -> anyhow::Result<()> {
    let account = format!("accounts/{}", arguments.account);
    let name = format!("{account}/sites/{site}");
    let include_location = arguments.include_location;
    let request = pb::EraseSitePersonalDataRequest { name: name.clone(), validate_only: false, include_location };
    let erased = admin.erase_site_personal_data(request).await.map_err(|status| explain(&status))?;
    let records = erased.into_inner().history_records;
    let line = format!("erased the personal data of {name} and of {records} entries of its history");
    arguments.output.tell(line, json!({ "account": account, "site": name, "sites": 1, "history_records": records }))
}

/// Asks whether it is meant, and fails where it is not.
fn confirm(arguments: &Arguments) -> anyhow::Result<()> {
    let account = &arguments.account;
    let (whose, id) = match &arguments.site {
        Some(site) => (format!("accounts/{account}/sites/{site} and its history hold"), site),
        None => (format!("the sites of accounts/{account} and their histories hold"), account),
    };
    let location = if arguments.include_location { ", where people live included" } else { "" };
    // Where standard error is closed the question is not seen, and the answer counts all the same.
    let _ = writeln!(
        stderr(),
        "This erases for good what {whose} of people{location}.\n\
         Type {id} to go on:"
    );
    let mut answer = String::new();
    let read = stdin().lock().take(ANSWER_BYTES_MAX).read_line(&mut answer);
    read.context("nothing was erased: the answer cannot be read")?;
    if answer.trim() != id {
        bail!("nothing was erased: the id was not typed (--yes erases without asking)");
    }
    Ok(())
}
