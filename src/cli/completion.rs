//! `waymark completion` and `waymark man`: what shells and `man` are told of the command line, made of the command line.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap_complete::Shell;

/// For which shell.
#[derive(Debug, clap::Args)]
pub(super) struct CompletionArguments {
    /// The shell
    shell: Shell,
}

/// Which pages.
#[derive(Debug, clap::Args)]
pub(super) struct ManArguments {
    /// Directory that gets a page for each command; without it the page of `waymark` itself is printed
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Prints the script.
pub(super) fn complete(mut command: clap::Command, arguments: &CompletionArguments) -> anyhow::Result<()> {
    // Not at once to standard output, whose end would be a panic.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "waymark", &mut script);
    Ok(std::io::stdout().lock().write_all(&script)?)
}

/// Prints the page, or writes all of them.
pub(super) fn man(command: clap::Command, arguments: &ManArguments) -> anyhow::Result<()> {
    let Some(directory) = &arguments.out else {
        // As it is among all of them.
        let mut command = command.disable_help_subcommand(true);
        command.build();
        return Ok(clap_mangen::Man::new(command).render(&mut std::io::stdout())?);
    };
    let failed = || directory.display().to_string();
    std::fs::create_dir_all(directory).with_context(failed)?;
    clap_mangen::generate_to(command, directory).with_context(failed)
}
