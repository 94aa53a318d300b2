//! `waymark demo`: a demo account full of agents, activated through the public API as real ones would be.
//!
//! Each agent comes from a real network of the `GeoIP` files; its address reaches the server in `x-forwarded-for`, so
//! the server must trust this machine as a proxy. Run again, it goes on where it was interrupted.

mod agents;
mod people;

use std::path::PathBuf;

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use tonic::Code;

use super::account::admin;
use super::client::{ServerArguments, explain};
use super::output::OutputArguments;
use crate::api::proto::waymark::v1 as pb;
use crate::client::Token;
use crate::geoip::GeoIp;
use crate::geoip::config::Config;
use crate::secret_file;

/// Calls in flight at once.
const CALLS_MAX: usize = 64;
/// How long the token in the log-in link is good.
const LINK_LIFE: SignedDuration = SignedDuration::from_hours(24 * 30);

/// How large a demo, and from which files.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Agents to activate
    #[arg(long, default_value_t = 5_000)]
    sites: usize,
    /// GeoIP database, MMDB, whose networks the agents come from; may be given several times
    #[arg(long, required = true)]
    geoip: Vec<PathBuf>,
    /// The account to fill
    #[arg(long, default_value = "demo")]
    account: String,
    /// The same seed gives the same agents
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// File that gets the log-in link, mode 0600
    #[arg(long)]
    link_file: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArguments,
    #[command(flatten)]
    server: ServerArguments,
}

/// Fills the account and prints a log-in link.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let geoip = GeoIp::open(&Config::of_files(arguments.geoip.clone()))?;
    let parent = create_account(&arguments).await?;
    let link_token = create_token(&arguments, &parent, pb::TokenScope::Editor, "demo log-in link").await?;
    let enrollment = create_token(&arguments, &parent, pb::TokenScope::Enrollment, "demo enrolment").await?;
    let agents = agents::of_networks(&geoip, arguments.sites, arguments.seed);
    let connection = arguments.server.connect()?;
    let activated = agents::activate(&agents, &connection.with_token(Token::new(&enrollment)?), &parent).await?;
    people::report_and_confirm(&activated, &connection.with_token(Token::new(&link_token)?)).await?;
    let link = format!("{}/#token={link_token}", arguments.server.server.trim_end_matches('/'));
    if let Some(path) = &arguments.link_file {
        secret_file::write(path, &link).with_context(|| path.display().to_string())?;
    }
    let (sites, account) = (activated.len(), &arguments.account);
    let line = format!("{sites} sites are on the map of account {account}; log in: {link}");
    arguments.output.tell(line, serde_json::json!({ "sites": sites, "account": parent, "link": link }))
}

async fn create_account(arguments: &Arguments) -> anyhow::Result<String> {
    let new = pb::Account { display_name: "Demo".into(), ..pb::Account::default() };
    let request = pb::CreateAccountRequest { account_id: arguments.account.clone(), account: Some(new) };
    match admin(&arguments.server)?.create_account(request).await {
        Err(status) if status.code() != Code::AlreadyExists => Err(explain(&status)),
        _ => Ok(format!("accounts/{}", arguments.account)),
    }
}

async fn create_token(
    arguments: &Arguments,
    parent: &str,
    scope: pb::TokenScope,
    display_name: &str,
) -> anyhow::Result<String> {
    let end = Timestamp::now().checked_add(LINK_LIFE)?;
    let token = pb::Token {
        display_name: display_name.into(),
        scope: scope.into(),
        expire_time: Some(prost_types::Timestamp { seconds: end.as_second(), nanos: 0 }),
        ..pb::Token::default()
    };
    let request = pb::CreateTokenRequest { parent: parent.to_owned(), token: Some(token) };
    let made = admin(&arguments.server)?.create_token(request).await.map_err(|status| explain(&status))?;
    Ok(made.into_inner().secret)
}
