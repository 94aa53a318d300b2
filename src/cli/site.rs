//! `waymark site`: a look at sites and at what becomes of them, and their end and return. Sheets of sites are `import` and `export`.

use super::client::{Refusal, ServerArguments, explain};
use super::output::OutputArguments;
use super::sheet::{source_word, status_word};
use super::unreachable::Unreachable;
use crate::api::json;
use crate::api::proto::waymark::v1 as pb;
use crate::api::proto::waymark::v1::site_service_client::SiteServiceClient;
use crate::client::{Connection, SiteChange, SiteEvent, SiteWatch};

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
    /// Shows the sites that match, then what becomes of them, until it is ended; goes on after cuts
    Watch(Watch),
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

/// Sites to follow.
#[derive(Debug, clap::Args)]
struct Watch {
    /// The account
    #[arg(long)]
    account: String,
    /// Which sites, as in `ListSites`
    #[arg(long, default_value = "")]
    filter: String,
    /// Begins behind a revision that an earlier watch of the same filter printed; 0 begins with all sites
    #[arg(long, default_value_t = 0)]
    resume: u64,
    /// Ends after so many lines
    #[arg(long)]
    count: Option<u64>,
    #[command(flatten)]
    output: OutputArguments,
    #[command(flatten)]
    server: ServerArguments,
}

/// Does it.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let (named, answered) = match arguments.command {
        Command::List(arguments) => return list(&arguments).await,
        Command::Watch(arguments) => return watch(&arguments).await,
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
    let (mut sites, mut unreachable) = (sites(&arguments.server)?, Unreachable::default());
    let mut request = pb::ListSitesRequest {
        parent: format!("accounts/{}", arguments.account),
        page_size: PAGE_SITES,
        filter: arguments.filter.clone(),
        show_deleted: arguments.show_deleted,
        ..pb::ListSitesRequest::default()
    };
    loop {
        let page = sites.list_sites(request.clone()).await.map_err(|status| explain(&status))?.into_inner();
        for site in &page.sites {
            print(arguments.output, site)?;
        }
        unreachable.add(page.unreachable);
        if page.next_page_token.is_empty() {
            return unreachable.complain("left out");
        }
        request.page_token = page.next_page_token;
    }
}

async fn watch(arguments: &Watch) -> anyhow::Result<()> {
    let account = format!("accounts/{}", arguments.account);
    let connection = arguments.server.connect()?;
    let mut watch = SiteWatch::new(&connection, &account, &arguments.filter, arguments.resume);
    let mut told = 0;
    while arguments.count.is_none_or(|count| told < count) {
        tell(arguments.output, &watch.next().await.map_err(Refusal::from)?)?;
        told += 1;
    }
    Ok(())
}

/// The revision to resume from, what happened, and to which site.
fn tell(output: OutputArguments, event: &SiteEvent) -> anyhow::Result<()> {
    let (change, name, site) = match &event.change {
        SiteChange::Changed(site) => ("changed", site.name.as_str(), Some(&**site)),
        SiteChange::Removed(name) => ("removed", name.as_str(), None),
        SiteChange::Current => ("current", "", None),
        SiteChange::Resync => ("resync", "", None),
    };
    let status = site.map(|site| status_word(site.status())).unwrap_or_default();
    let display_name = site.map_or("", |site| site.display_name.as_str());
    let revision = event.revision;
    let line = format!("{revision}\t{change}\t{name}\t{status}\t{display_name}");
    let message = site.map(|site| json::of_message("Site", site)).transpose()?;
    let object =
        serde_json::json!({ "change": change, "name": name, "site": message, "revision": revision.to_string() });
    output.tell(line, object)
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
    Ok(SiteServiceClient::new(server.connect()?))
}
