//! The command line: one subcommand a file.

mod account;
mod asn;
mod client;
mod demo;
mod gazetteer;
mod lookup;
mod serve;
mod token;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
    /// Builds the embedded gazetteer
    Gazetteer(gazetteer::Arguments),
    /// Makes a `GeoIP` database of autonomous systems
    Asn(asn::Arguments),
    /// Says what `GeoIP` databases know of an address
    Lookup(lookup::Arguments),
    /// Fills a demo account with agents from real networks
    Demo(demo::Arguments),
}

/// Runs the program as its arguments say.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(cause) => return fail(&cause.into()),
    };
    let outcome = runtime.block_on(async {
        match arguments.command {
            Command::Serve(arguments) => serve::run(arguments).await,
            Command::Account(arguments) => account::run(arguments).await,
            Command::Token(arguments) => token::run(arguments).await,
            Command::Gazetteer(arguments) => gazetteer::run(arguments),
            Command::Asn(arguments) => asn::run(&arguments),
            Command::Lookup(arguments) => lookup::run(&arguments),
            Command::Demo(arguments) => demo::run(arguments).await,
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => fail(&cause),
    }
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
