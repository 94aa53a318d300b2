//! `waymark share`.

use jiff::Timestamp;

use super::client::{ServerArguments, explain};
use super::output::OutputArguments;
use super::sheet::word;
use super::token::{Positions, end_of, parent_of, positions_of};
use crate::api::proto::waymark::v1 as pb;
use crate::api::proto::waymark::v1::share_service_client::ShareServiceClient;
use crate::client::Connection;

/// What to do with shares.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Proposes to share sites of an account, and prints the code, once: for who is to accept it for another account
    Propose {
        /// The account whose sites they are
        #[arg(long)]
        account: String,
        /// Which sites, by their labels, such as `labels.customer = "harbour"`
        #[arg(long)]
        sites: String,
        /// What it is for
        #[arg(long, default_value = "")]
        display_name: String,
        /// Show contacts and notes, too
        #[arg(long)]
        contacts: bool,
        /// How exactly it shows where sites are, at most [default: exact]
        #[arg(long)]
        positions: Option<Positions>,
        /// After which time it ends by itself, such as `30d`, `12h` or `90m`; never without
        #[arg(long)]
        expires: Option<String>,
        #[command(flatten)]
        output: OutputArguments,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Lists the shares that an account made or accepted
    List {
        /// The account
        #[arg(long)]
        account: String,
        #[command(flatten)]
        output: OutputArguments,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Accepts a share: from then on the account's people see its sites
    Accept {
        /// The account that is to see them
        #[arg(long)]
        account: String,
        /// The code
        code: String,
        /// Show what would be accepted, and accept nothing
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        output: OutputArguments,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Declines a share: its code opens nothing any more
    Decline {
        /// The account that was to see its sites
        #[arg(long)]
        account: String,
        /// The code
        code: String,
        #[command(flatten)]
        output: OutputArguments,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Ends a share at once, from either side
    End {
        /// Its name, as `list` shows it
        name: String,
        #[command(flatten)]
        output: OutputArguments,
        #[command(flatten)]
        server: ServerArguments,
    },
}

/// Does it.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        Command::Propose { account, sites, display_name, contacts, positions, expires, output, server } => {
            let expire_time = expires.as_deref().map(end_of).transpose()?;
            let contacts = if contacts { pb::ContactAccess::Read } else { pb::ContactAccess::Masked };
            let share = pb::Share {
                display_name,
                sites,
                contacts: contacts.into(),
                positions: positions_of(positions).into(),
                expire_time,
                ..pb::Share::default()
            };
            let request = pb::ProposeShareRequest { parent: parent_of(Some(&account)), share: Some(share) };
            let proposed = shares(&server)?.propose_share(request).await.map_err(|status| explain(&status))?;
            let proposed = proposed.into_inner();
            output.tell_message(&proposed.code, "ProposeShareResponse", &proposed)
        }
        Command::List { account, output, server } => list(&account, output, &server).await,
        Command::Accept { account, code, dry_run, output, server } => {
            let parent = parent_of(Some(&account));
            let request = pb::AcceptShareRequest { parent, code, validate_only: dry_run };
            let accepted = shares(&server)?.accept_share(request).await.map_err(|status| explain(&status))?;
            print(output, &accepted.into_inner())
        }
        Command::Decline { account, code, output, server } => {
            let request = pb::DeclineShareRequest { parent: parent_of(Some(&account)), code };
            let declined = shares(&server)?.decline_share(request).await.map_err(|status| explain(&status))?;
            print(output, &declined.into_inner())
        }
        Command::End { name, output, server } => {
            let ended = shares(&server)?.end_share(pb::EndShareRequest { name }).await;
            print(output, &ended.map_err(|status| explain(&status))?.into_inner())
        }
    }
}

async fn list(account: &str, output: OutputArguments, server: &ServerArguments) -> anyhow::Result<()> {
    let mut shares = shares(server)?;
    let mut request = pb::ListSharesRequest { parent: parent_of(Some(account)), ..pb::ListSharesRequest::default() };
    loop {
        let page = shares.list_shares(request.clone()).await.map_err(|status| explain(&status))?.into_inner();
        for share in &page.shares {
            print(output, share)?;
        }
        if page.next_page_token.is_empty() {
            return Ok(());
        }
        request.page_token = page.next_page_token;
    }
}

/// A share as a line: its name, how far it is, whose sites, who sees them, which, until when, what for.
fn print(output: OutputArguments, share: &pb::Share) -> anyhow::Result<()> {
    let state = word(share.state().as_str_name(), "SHARE_STATE_");
    let until = match &share.expire_time {
        Some(end) => format!("until {}", Timestamp::new(end.seconds, end.nanos)?),
        None => "for ever".to_owned(),
    };
    let recipient = if share.recipient.is_empty() { "nobody yet" } else { &share.recipient };
    let pb::Share { name, owner, sites, display_name, .. } = share;
    let line = format!("{name}\t{state}\t{owner}\t{recipient}\t{sites}\t{until}\t{display_name}");
    output.tell_message(line, "Share", share)
}

fn shares(server: &ServerArguments) -> anyhow::Result<ShareServiceClient<Connection>> {
    Ok(ShareServiceClient::new(server.connect()?))
}
