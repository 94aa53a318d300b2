//! `waymark account`.

use super::client::{ServerArguments, explain};
use super::output::OutputArguments;
use super::{erasure, personal_data};
use crate::api::proto::waymark::v1 as pb;
use crate::api::proto::waymark::v1::admin_service_client::AdminServiceClient;
use crate::client::Connection;

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
        output: OutputArguments,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Shows an account
    Get {
        /// Its id
        account: String,
        #[command(flatten)]
        output: OutputArguments,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Changes what is given, and leaves the rest
    Update(Update),
    /// Erases for good what is held of the people of an account's sites
    ErasePersonalData(erasure::Arguments),
    /// Writes what is held of the people of an account's sites as JSON lines
    ExportPersonalData(personal_data::Arguments),
    /// Lists the accounts
    List {
        #[command(flatten)]
        output: OutputArguments,
        #[command(flatten)]
        server: ServerArguments,
    },
}

/// What to change of an account.
#[derive(Debug, clap::Args)]
struct Update {
    /// Its id
    account: String,
    /// Its name for people
    #[arg(long)]
    display_name: Option<String>,
    /// ISO 3166-1 code of the country where most of its sites are; empty for none
    #[arg(long)]
    country: Option<String>,
    /// Whom its residents turn to: an e-mail address, a phone number or both; empty for none
    #[arg(long)]
    support_contact: Option<String>,
    #[command(flatten)]
    output: OutputArguments,
    #[command(flatten)]
    server: ServerArguments,
}

/// Does it.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        Command::Create { account, display_name, country, output, server } => {
            let new = pb::Account { display_name, country_code: country, ..pb::Account::default() };
            let request = pb::CreateAccountRequest { account_id: account, account: Some(new) };
            let made = admin(&server)?.create_account(request).await.map_err(|status| explain(&status))?;
            let made = made.into_inner();
            output.tell_message(&made.name, "Account", &made)
        }
        Command::Get { account, output, server } => {
            let request = pb::GetAccountRequest { name: format!("accounts/{account}") };
            let found = admin(&server)?.get_account(request).await.map_err(|status| explain(&status))?;
            print(output, &found.into_inner())
        }
        Command::Update(arguments) => update(arguments).await,
        Command::ErasePersonalData(arguments) => erasure::run(arguments).await,
        Command::ExportPersonalData(arguments) => personal_data::run(arguments).await,
        Command::List { output, server } => {
            let mut admin = admin(&server)?;
            let mut request = pb::ListAccountsRequest::default();
            loop {
                let page = admin.list_accounts(request.clone()).await.map_err(|status| explain(&status))?.into_inner();
                for account in page.accounts {
                    print(output, &account)?;
                }
                if page.next_page_token.is_empty() {
                    return Ok(());
                }
                request.page_token = page.next_page_token;
            }
        }
    }
}

async fn update(arguments: Update) -> anyhow::Result<()> {
    let Update { account, display_name, country, support_contact, output, server } = arguments;
    let given = [
        ("display_name", display_name.is_some()),
        ("country_code", country.is_some()),
        ("support_contact", support_contact.is_some()),
    ];
    let paths = given.into_iter().filter(|(_, is_given)| *is_given).map(|(path, _)| path.to_owned()).collect();
    let changed = pb::Account {
        name: format!("accounts/{account}"),
        display_name: display_name.unwrap_or_default(),
        country_code: country.unwrap_or_default(),
        support_contact: support_contact.unwrap_or_default(),
        ..pb::Account::default()
    };
    let update_mask = Some(prost_types::FieldMask { paths });
    let request = pb::UpdateAccountRequest { account: Some(changed), update_mask };
    let made = admin(&server)?.update_account(request).await.map_err(|status| explain(&status))?;
    print(output, &made.into_inner())
}

fn print(output: OutputArguments, account: &pb::Account) -> anyhow::Result<()> {
    output.tell_message(format_args!("{}\t{}", account.name, account.display_name), "Account", account)
}

/// The admin service of a server.
pub(super) fn admin(server: &ServerArguments) -> anyhow::Result<AdminServiceClient<Connection>> {
    Ok(AdminServiceClient::new(server.connect()?))
}
