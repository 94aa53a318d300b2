//! The command line: one subcommand a file.

mod account;
mod asn;
mod audit;
mod backup;
mod call;
mod check_config;
mod check_store;
mod client;
mod completion;
mod demo;
mod erasure;
mod export;
mod gazetteer;
mod geocode;
mod geoip;
mod import;
mod lookup;
mod migrate;
mod openapi;
mod out_file;
mod output;
mod personal_data;
mod progress;
mod serve;
mod share;
mod sheet;
mod site;
mod token;
mod unreachable;
mod version;
mod whoami;

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory as _, Parser, Subcommand};
use tokio::runtime::{self, Runtime};

use self::client::Refusal;
use crate::geoip::STACK_BYTES;

/// For so long the end of the program waits for threads that block.
const END_TIME_MAX: Duration = Duration::from_secs(2);

/// What a command ends with where a server cannot be reached or says "later": `EX_TEMPFAIL` of sysexits.h.
const LATER: u8 = 75;

/// What stands below all help.
const EXIT_CODES: &str = "Exit codes:
  0   done
  1   failed, and would fail again
  2   the command line is wrong; nothing was done
  75  no server answered, or it asks to come back later: the same command may succeed then";

/// Where every site is, and all of them on one map.
#[derive(Debug, Parser)]
#[command(
    name = "waymark",
    version,
    about,
    disable_version_flag = true,
    after_help = EXIT_CODES,
    arg_required_else_help = true,
    args_conflicts_with_subcommands = true
)]
struct Arguments {
    /// Prints the version
    #[arg(short = 'V', long)]
    version: bool,
    /// With --version: of what it was built, too
    #[arg(long, requires = "version")]
    verbose: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves gRPC, gRPC-Web, tiles and the dashboard
    Serve(serve::Arguments),
    /// Keeps accounts
    Account(account::Arguments),
    /// Keeps tokens
    Token(token::Arguments),
    /// Shares sites with other accounts
    Share(share::Arguments),
    /// Tells who administered what, and who read of persons
    Audit(audit::Arguments),
    /// Moves all data from one machine into a Redis that replicas share, or back
    Migrate(migrate::Arguments),
    /// Builds the embedded gazetteer
    Gazetteer(gazetteer::Arguments),
    /// Makes a `GeoIP` database of autonomous systems
    Asn(asn::Arguments),
    /// Says what `GeoIP` databases know of an address
    Lookup(lookup::Arguments),
    /// Says where geocoders find an address
    Geocode(geocode::Arguments),
    /// Makes and changes sites from a sheet
    Import(import::Arguments),
    /// Writes sites into a sheet
    Export(export::Arguments),
    /// Copies the store of a data directory, while a server runs on it or not
    Backup(backup::BackupArguments),
    /// Puts a copy into a data directory without a store
    Restore(backup::RestoreArguments),
    /// Fills a demo account with agents from real networks
    Demo(demo::Arguments),
    /// Shows, deletes and brings back sites
    Site(site::Arguments),
    /// Keeps the `GeoIP` files of a running server
    Geoip(geoip::Arguments),
    /// Says whose token this is and what it may do
    Whoami(whoami::Arguments),
    /// Calls any method of the API with JSON
    Call(call::Arguments),
    /// Says whether a server would start with a configuration file
    CheckConfig(check_config::Arguments),
    /// Says which records of a store are damaged
    CheckStore(check_store::Arguments),
    /// Prints the JSON schema of configuration files
    ConfigSchema,
    /// Prints the OpenAPI description of the API over HTTP/JSON
    Openapi,
    /// Prints a script that completes commands in a shell
    Completion(completion::CompletionArguments),
    /// Prints the manual page, or writes all of them
    Man(completion::ManArguments),
    /// Says of what this program was built
    Version(version::Arguments),
}

/// Runs the program as its arguments say.
#[must_use]
pub fn run() -> ExitCode {
    let Arguments { version, verbose, command } = Arguments::parse();
    let Some(command) = command.filter(|_| !version) else {
        return match version::print(verbose) {
            Ok(()) => ExitCode::SUCCESS,
            Err(cause) => fail(&cause),
        };
    };
    let runtime = match runtime::Builder::new_multi_thread().thread_stack_size(STACK_BYTES).enable_all().build() {
        Ok(runtime) => runtime,
        Err(cause) => return fail(&cause.into()),
    };
    let outcome = runtime.block_on(execute(command));
    end(runtime);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => fail(&cause),
    }
}

async fn execute(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve(arguments) => Box::pin(serve::run(arguments)).await,
        Command::Account(arguments) => account::run(arguments).await,
        Command::Token(arguments) => token::run(arguments).await,
        Command::Share(arguments) => share::run(arguments).await,
        Command::Audit(arguments) => audit::run(arguments).await,
        Command::Migrate(arguments) => migrate::run(arguments).await,
        Command::Gazetteer(arguments) => gazetteer::run(arguments),
        Command::Asn(arguments) => asn::run(&arguments),
        Command::Lookup(arguments) => lookup::run(&arguments),
        Command::Geocode(arguments) => geocode::run(arguments).await,
        Command::Import(arguments) => import::run(arguments).await,
        Command::Export(arguments) => export::run(arguments).await,
        Command::Backup(arguments) => backup::back_up(&arguments),
        Command::Restore(arguments) => backup::restore(&arguments),
        Command::Demo(arguments) => demo::run(arguments).await,
        Command::Site(arguments) => site::run(arguments).await,
        Command::Geoip(arguments) => geoip::run(arguments).await,
        Command::Whoami(arguments) => whoami::run(arguments).await,
        Command::Call(arguments) => call::run(arguments).await,
        Command::CheckConfig(arguments) => check_config::run(&arguments),
        Command::CheckStore(arguments) => check_store::run(&arguments).await,
        Command::ConfigSchema => check_config::print_schema(),
        Command::Openapi => openapi::print(),
        Command::Completion(arguments) => completion::complete(Arguments::command(), &arguments),
        Command::Man(arguments) => completion::man(Arguments::command(), &arguments),
        Command::Version(arguments) => version::run(&arguments),
    }
}

/// Ends the threads. What has to be finished is finished by now: one that a dead file system holds is left alone.
fn end(runtime: Runtime) {
    runtime.shutdown_timeout(END_TIME_MAX);
}

/// One clear line, and the code that says so.
fn fail(cause: &anyhow::Error) -> ExitCode {
    // Where standard error is closed nobody can be told.
    let _ = writeln!(std::io::stderr(), "waymark: {cause:#}");
    let is_later = cause.chain().any(|part| part.downcast_ref::<Refusal>().is_some_and(Refusal::is_later));
    if is_later { ExitCode::from(LATER) } else { ExitCode::FAILURE }
}

/// Writes a line of the answer to standard output, at once.
fn say(line: impl std::fmt::Display) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    /// Whoever prints something for people has it for programs, too.
    #[test]
    fn every_command_that_prints_has_json() {
        // These speak to people at a terminal, or print what has a form of its own.
        let own_form = ["serve", "call", "config-schema", "openapi", "completion", "man", "help"];
        // Their `--format` is a sheet's.
        let sheets = ["import sites", "export sites"];
        let mut command = Arguments::command();
        command.build();
        let mut leaves = vec![(String::new(), &command)];
        let mut seen = 0;
        while let Some((path, command)) = leaves.pop() {
            let inner: Vec<_> = command.get_subcommands().filter(|inner| inner.get_name() != "help").collect();
            let named = |inner: &clap::Command| format!("{path} {}", inner.get_name()).trim().to_owned();
            if inner.is_empty() && !own_form.contains(&path.as_str()) {
                seen += 1;
                let wanted = if sheets.contains(&path.as_str()) { "summary" } else { "format" };
                assert!(command.get_arguments().any(|argument| argument.get_id() == wanted), "{path}");
            }
            leaves.extend(inner.into_iter().map(|inner| (named(inner), inner)));
        }
        assert!(seen >= 20, "{seen}");
    }

    #[test]
    fn a_thread_that_hangs_does_not_hold_the_end() {
        let (release, hanging) = channel::<()>();
        let (begun, beginning) = channel();
        let runtime = runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.spawn_blocking(move || {
            begun.send(()).unwrap();
            hanging.recv()
        });
        beginning.recv().unwrap();
        let (done, ending) = channel();
        let ended = thread::spawn(move || {
            end(runtime);
            done.send(()).unwrap();
        });
        // Far above the limit: a program that waits for the thread waits for ever.
        let is_ended = ending.recv_timeout(Duration::from_secs(30)).is_ok();
        drop(release);
        ended.join().unwrap();
        assert!(is_ended);
    }
}
