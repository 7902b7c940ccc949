//! The orchestrator's command line. What it does is in the library: see `quittance::cli`.

use std::process::ExitCode;

use clap::Parser;
use quittance::cli::{self, Cli};

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Variables that are not text can be none of ours.
    let environment =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    cli::main(cli, &environment.collect())
}
