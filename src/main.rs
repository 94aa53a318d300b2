//! The `waymark` program: parses the command line and does what it says.

use std::process::ExitCode;

/// Many threads allocate small things all the time: this allocator keeps them apart.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    waymark::cli::run()
}
