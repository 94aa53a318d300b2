//! `waymark site`: a look at sites, and their end and return. Sheets of sites are `import` and `export`.

use super::client::{Connection, ServerArguments, explain, patiently};
use super::output::OutputArguments;
use super::sheet::{source_word, status_word};
use crate::api::proto::waymark::v1 as pb;
use crate::api::proto::waymark::v1::site_service_client::SiteServiceClient;

/// Sites of a page: as many as the server gives.
const PAGE_SITES: i32 = 1_000;

/// What to do with sites.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Deletes a site; it can be brought back
    Delete(Named),
    /// Shows a site
    Get(Named),
    /// Lists the sites of an account
    List(List),
    /// Brings a deleted site back
    Undelete(Named),
}

/// One site.
#[derive(Debug, clap::Args)]
struct Named {
    /// Its name, such as `accounts/acme/sites/0198…`, as `list` shows it
    name: String,
    #[command(flatten)]
    output: OutputArguments,
    #[command(flatten)]
    server: ServerArguments,
}

/// Some sites.
#[derive(Debug, clap::Args)]
struct List {
    /// The account
    #[arg(long)]
    account: String,
    /// Which sites, as in `ListSites`
    #[arg(long, default_value = "")]
    filter: String,
    /// Deleted ones, too
    #[arg(long)]
    show_deleted: bool,
    #[command(flatten)]
    output: OutputArguments,
    #[command(flatten)]
    server: ServerArguments,
}

/// Does it.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let (named, answered) = match arguments.command {
        Command::List(arguments) => return list(&arguments).await,
        Command::Get(named) => {
            let request = pb::GetSiteRequest { name: named.name.clone() };
            let answered = sites(&named.server)?.get_site(request).await;
            (named, answered)
        }
        Command::Delete(named) => {
            let request = pb::DeleteSiteRequest { name: named.name.clone(), ..pb::DeleteSiteRequest::default() };
            let answered = sites(&named.server)?.delete_site(request).await;
            (named, answered)
        }
        Command::Undelete(named) => {
            let request = pb::UndeleteSiteRequest { name: named.name.clone(), ..pb::UndeleteSiteRequest::default() };
            let answered = sites(&named.server)?.undelete_site(request).await;
            (named, answered)
        }
    };
    print(named.output, &answered.map_err(|status| explain(&status))?.into_inner())
}

async fn list(arguments: &List) -> anyhow::Result<()> {
    let sites = sites(&arguments.server)?;
    let mut request = pb::ListSitesRequest {
        parent: format!("accounts/{}", arguments.account),
        page_size: PAGE_SITES,
        filter: arguments.filter.clone(),
        show_deleted: arguments.show_deleted,
        ..pb::ListSitesRequest::default()
    };
    loop {
        let page = patiently(|| {
            let (mut sites, request) = (sites.clone(), request.clone());
            async move { sites.list_sites(request).await }
        });
        let page = page.await.map_err(|status| explain(&status))?.into_inner();
        for site in &page.sites {
            print(arguments.output, site)?;
        }
        if page.next_page_token.is_empty() {
            return Ok(());
        }
        request.page_token = page.next_page_token;
    }
}

/// Name, status, position, who it is from, and what people call it.
fn print(output: OutputArguments, site: &pb::Site) -> anyhow::Result<()> {
    let location = site.location.clone().unwrap_or_default();
    let position = location.position.map(|position| format!("{},{}", position.lat, position.lng)).unwrap_or_default();
    let (status, source) = (status_word(site.status()), source_word(location.source()));
    let line = format!("{}\t{status}\t{position}\t{source}\t{}", site.name, site.display_name);
    output.tell_message(line, "Site", site)
}

fn sites(server: &ServerArguments) -> anyhow::Result<SiteServiceClient<Connection>> {
    Ok(SiteServiceClient::with_interceptor(server.channel()?, server.credential()?))
}
