//! `termsim`: simulated terminals for a host to drive. A program of its own, since the production program must hold no code that
//! invents approvals.
//!
//! `termsim --config FILE` only runs terminals, for a person at the keyboard to tap and break. `termsim demo` (`cargo demo`) is a depot on a table: terminals, people and
//! faults in this process, and the real orchestrator as a child of it, to be killed at will.

mod client;
mod console;
mod demo;
mod diary;
mod drivers;
mod orchestrator;
mod reckoning;
mod setup;
mod table;
mod trouble;

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use console::Answer;
use quittance::sim::{Bank, Depot, Settings};
use quittance::time::Clock;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Runs simulated Payter terminals until SIGINT or SIGTERM, then prints the ledger of the bank behind them.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct Arguments {
    /// Which terminals to simulate (TOML).
    #[arg(long, value_name = "FILE", required = true)]
    config: Option<PathBuf>,
    /// Obey lines from standard input though it is no terminal (`help` says which)
    #[arg(long, requires = "config")]
    console: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Run a whole depot: the real orchestrator, simulated terminals, drivers and faults, with a live table.
    Demo(demo::Options),
}

/// A question to the API that is still open when everything is over is not waited for.
const LEFTOVERS: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&error),
    };
    let done = match (&arguments.command, &arguments.config) {
        (Some(Command::Demo(options)), _) => runtime.block_on(demo::run(options)),
        (None, Some(config)) => {
            tracing_subscriber::fmt().with_writer(io::stderr).with_env_filter(filter()).init();
            runtime.block_on(run(config, arguments.console || io::stdin().is_terminal())).map(|()| ExitCode::SUCCESS)
        }
        // Clap has refused this already.
        (None, None) => Ok(ExitCode::from(2)),
    };
    runtime.shutdown_timeout(LEFTOVERS);
    done.unwrap_or_else(|error| complain(error.as_ref()))
}

fn complain(error: &dyn std::error::Error) -> ExitCode {
    // With standard error gone there is nobody to tell.
    let _ = writeln!(io::stderr(), "termsim: {error}");
    ExitCode::FAILURE
}

async fn run(config: &Path, console: bool) -> Result<(), Box<dyn std::error::Error>> {
    let settings = Settings::read(config)?;
    let (mut interrupted, mut terminated) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let bank = Bank::new();
    bank.set_default_policy(settings.policy);
    let (configs, drivers): (Vec<_>, Vec<_>) = settings.terminals.into_iter().unzip();
    let depot = Depot::start_with(configs, bank, Clock::start()).await?;

    let mut visits = JoinSet::new();
    for ((place, terminal), drivers) in (0..).zip(depot.terminals()).zip(drivers) {
        let address = depot.address(terminal.id()).unwrap_or_default();
        writeln!(io::stdout(), "{} {} {address}", terminal.id(), terminal.family().as_str())?;
        visits.spawn(drivers.visit(terminal.clone(), place));
    }
    let mut lines = console.then(console::listen);
    loop {
        tokio::select! {
            _ = interrupted.recv() => break,
            _ = terminated.recv() => break,
            line = next(&mut lines) => match console::obey(&line, &depot) {
                Answer::Say(answer) => writeln!(io::stdout(), "{answer}")?,
                Answer::Quit => break,
            },
        }
    }
    visits.abort_all();
    writeln!(io::stdout(), "{}", depot.bank().ledger())?;
    Ok(())
}

/// The next line; without a console, or when it has ended, there is none.
async fn next(lines: &mut Option<mpsc::Receiver<String>>) -> String {
    if let Some(read) = lines {
        match read.recv().await {
            Some(line) => return line,
            None => *lines = None,
        }
    }
    std::future::pending().await
}

fn filter() -> tracing_subscriber::EnvFilter {
    tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into())
}
