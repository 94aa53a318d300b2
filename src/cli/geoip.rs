//! `waymark geoip`: the `GeoIP` files of a running server, and what a new one does to sites that are placed.

use tonic::{Response, Status};

use super::client::{ServerArguments, explain};
use super::output::OutputArguments;
use super::sheet::word;
use crate::api::proto::waymark::v1 as pb;
use crate::api::proto::waymark::v1::geo_ip_service_client::GeoIpServiceClient;
use crate::client::Connection;

/// What to do with `GeoIP` files.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Estimates the sites anew that `GeoIP` placed, with the files in use
    Apply(Reach),
    /// Ends a run
    Cancel {
        /// Its name, as `runs` shows it
        name: String,
        #[command(flatten)]
        reach: Reach,
    },
    /// Lists the files and their state
    List(Reach),
    /// Counts what another file would change, and changes nothing
    Preview {
        /// The new file, where the server reads it
        candidate: String,
        /// The file in use that it would replace
        replaced: String,
        #[command(flatten)]
        reach: Reach,
    },
    /// Looks at all files now
    Reload(Reach),
    /// Lists the runs of `preview` and `apply`
    Runs(Reach),
}

/// Whom to ask, and how to print the answer.
#[derive(Debug, clap::Args)]
struct Reach {
    #[command(flatten)]
    output: OutputArguments,
    #[command(flatten)]
    server: ServerArguments,
}

impl Reach {
    fn client(&self) -> anyhow::Result<GeoIpServiceClient<Connection>> {
        Ok(GeoIpServiceClient::new(self.server.connect()?))
    }
}

/// Does it.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let (reach, run) = match arguments.command {
        Command::List(reach) => {
            let listed = answer(reach.client()?.list_databases(pb::ListDatabasesRequest {}).await)?;
            return print_files(reach.output, &listed.databases);
        }
        Command::Reload(reach) => {
            let reloaded = answer(reach.client()?.reload_databases(pb::ReloadDatabasesRequest {}).await)?;
            return print_files(reach.output, &reloaded.databases);
        }
        Command::Runs(reach) => {
            let listed = answer(reach.client()?.list_reestimations(pb::ListReestimationsRequest {}).await)?;
            return listed.reestimations.iter().try_for_each(|run| print_run(reach.output, run));
        }
        Command::Apply(reach) => {
            let begun = reach.client()?.apply_database(pb::ApplyDatabaseRequest {}).await;
            (reach, answer(begun)?)
        }
        Command::Cancel { name, reach } => {
            let ended = reach.client()?.cancel_reestimation(pb::CancelReestimationRequest { name }).await;
            (reach, answer(ended)?)
        }
        Command::Preview { candidate: candidate_path, replaced: replaced_path, reach } => {
            let request = pb::PreviewDatabaseRequest { candidate_path, replaced_path };
            let begun = reach.client()?.preview_database(request).await;
            (reach, answer(begun)?)
        }
    };
    print_run(reach.output, &run)
}

fn answer<T>(answered: Result<Response<T>, Status>) -> anyhow::Result<T> {
    answered.map(Response::into_inner).map_err(|status| explain(&status))
}

/// Path, freshness, type, and what is wrong with it.
fn print_files(output: OutputArguments, files: &[pb::GeoIpDatabase]) -> anyhow::Result<()> {
    for file in files {
        let freshness = word(file.freshness().as_str_name(), "DATABASE_FRESHNESS_");
        let kind = file.in_use.as_ref().map_or("not in use", |version| version.database_type.as_str());
        let failure = file.failure.as_ref().map_or("", |failure| failure.message.as_str());
        output.tell_message(format_args!("{}\t{freshness}\t{kind}\t{failure}", file.path), "GeoIpDatabase", file)?;
    }
    Ok(())
}

/// Name, mode, state, and how far it has come.
fn print_run(output: OutputArguments, run: &pb::Reestimation) -> anyhow::Result<()> {
    let (mode, state) = (word(run.mode().as_str_name(), "MODE_"), word(run.state().as_str_name(), "STATE_"));
    let line = format!(
        "{}\t{mode}\t{state}\t{} of {} sites seen, {} moved",
        run.name, run.seen_count, run.total_count, run.moved_count
    );
    output.tell_message(line, "Reestimation", run)
}
