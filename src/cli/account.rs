//! `waymark account`.

use super::client::{Connection, ServerArguments, explain};
use super::{erasure, personal_data, say};
use crate::api::proto::waymark::v1 as pb;
use crate::api::proto::waymark::v1::admin_service_client::AdminServiceClient;

/// What to do with accounts.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Makes an account
    Create {
        /// Its id: 1 to 63 of a-z, 0-9 and '-', beginning with a letter and not ending with '-'
        account: String,
        /// Its name for people
        #[arg(long, default_value = "")]
        display_name: String,
        /// ISO 3166-1 code of the country where most of its sites are
        #[arg(long, default_value = "")]
        country: String,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Erases for good what is held of the people of an account's sites
    ErasePersonalData(erasure::Arguments),
    /// Writes what is held of the people of an account's sites as JSON lines
    ExportPersonalData(personal_data::Arguments),
    /// Lists the accounts
    List {
        #[command(flatten)]
        server: ServerArguments,
    },
}

/// Does it.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        Command::Create { account, display_name, country, server } => {
            let new = pb::Account { display_name, country_code: country, ..pb::Account::default() };
            let request = pb::CreateAccountRequest { account_id: account, account: Some(new) };
            let made = admin(&server)?.create_account(request).await.map_err(|status| explain(&status))?;
            say(made.into_inner().name)
        }
        Command::ErasePersonalData(arguments) => erasure::run(arguments).await,
        Command::ExportPersonalData(arguments) => personal_data::run(arguments).await,
        Command::List { server } => {
            let mut admin = admin(&server)?;
            let mut request = pb::ListAccountsRequest::default();
            loop {
                let page = admin.list_accounts(request.clone()).await.map_err(|status| explain(&status))?.into_inner();
                for account in page.accounts {
                    say(format_args!("{}\t{}", account.name, account.display_name))?;
                }
                if page.next_page_token.is_empty() {
                    return Ok(());
                }
                request.page_token = page.next_page_token;
            }
        }
    }
}

/// The admin service of a server.
pub(super) fn admin(server: &ServerArguments) -> anyhow::Result<AdminServiceClient<Connection>> {
    Ok(AdminServiceClient::with_interceptor(server.channel()?, server.credential()?))
}
