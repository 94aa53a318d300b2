//! The command line: one subcommand a file.

mod account;
mod asn;
mod audit;
mod backup;
mod client;
mod demo;
mod erasure;
mod export;
mod gazetteer;
mod import;
mod json;
mod lookup;
mod migrate;
mod out_file;
mod personal_data;
mod progress;
mod serve;
mod sheet;
mod token;

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use tokio::runtime::{self, Runtime};

use crate::geoip::STACK_BYTES;

/// For so long the end of the program waits for threads that block.
const END_TIME_MAX: Duration = Duration::from_secs(2);

/// Where every site is, and all of them on one map.
#[derive(Debug, Parser)]
#[command(name = "waymark", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves gRPC, gRPC-Web, tiles and the dashboard
    Serve(serve::Arguments),
    /// Keeps accounts
    Account(account::Arguments),
    /// Keeps tokens
    Token(token::Arguments),
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
}

/// Runs the program as its arguments say.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match runtime::Builder::new_multi_thread().thread_stack_size(STACK_BYTES).enable_all().build() {
        Ok(runtime) => runtime,
        Err(cause) => return fail(&cause.into()),
    };
    let outcome = runtime.block_on(async {
        match arguments.command {
            Command::Serve(arguments) => serve::run(arguments).await,
            Command::Account(arguments) => account::run(arguments).await,
            Command::Token(arguments) => token::run(arguments).await,
            Command::Audit(arguments) => audit::run(arguments).await,
            Command::Migrate(arguments) => migrate::run(arguments).await,
            Command::Gazetteer(arguments) => gazetteer::run(arguments),
            Command::Asn(arguments) => asn::run(&arguments),
            Command::Lookup(arguments) => lookup::run(&arguments),
            Command::Import(arguments) => import::run(arguments).await,
            Command::Export(arguments) => export::run(arguments).await,
            Command::Backup(arguments) => backup::back_up(&arguments),
            Command::Restore(arguments) => backup::restore(&arguments),
            Command::Demo(arguments) => demo::run(arguments).await,
        }
    });
    end(runtime);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => fail(&cause),
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
    ExitCode::FAILURE
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
