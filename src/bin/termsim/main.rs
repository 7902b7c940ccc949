//! `termsim`: simulated terminals for a host to drive. A program of its own, since the production program must hold no code that
//! invents approvals.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use quittance::sim::{Bank, Depot, Settings};
use quittance::time::Clock;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

/// Runs simulated Payter terminals until SIGINT or SIGTERM, then prints the ledger of the bank behind them.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Which terminals to simulate (TOML).
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt().with_writer(io::stderr).with_env_filter(filter()).init();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run(&arguments)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // With standard error gone there is nobody to tell.
            let _ = writeln!(io::stderr(), "termsim: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let settings = Settings::read(&arguments.config)?;
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
    tokio::select! {
        _ = interrupted.recv() => {}
        _ = terminated.recv() => {}
    }
    visits.abort_all();
    writeln!(io::stdout(), "{}", depot.bank().ledger())?;
    Ok(())
}

fn filter() -> tracing_subscriber::EnvFilter {
    tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into())
}
