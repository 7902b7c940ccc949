//! The commands of `quittance`, a file for each (`terminal`: drain, resume, reconnect; `man`: completions, too). They share `client`,
//! `moment`, `screen` and `table`. `run` is the only place where everything is wired; only it uses `former`, `reloader` and `service`. Data goes to
//! stdout, logs and complaints to stderr. Exit codes: 0 well, 1 not, 2 a usage error.

pub mod check;
pub mod client;
pub mod decode;
pub mod explain;
mod former;
pub mod journal;
mod man;
mod moment;
pub mod reconcile;
pub mod reload;
mod reloader;
pub mod report;
pub mod resolve;
pub mod run;
pub mod screen;
mod service;
pub mod sessions;
mod table;
pub mod terminal;
pub mod terminals;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};

use crate::config::Environment;
use crate::id::SessionId;
use crate::protocol::Direction;
use crate::recorder::line::Moment;
use crate::session::ledger::Ledger;

use decode::recording::Wanted;
use moment::moment;
use screen::Screen;

/// Runs a depot's payment terminals and makes sure that every hold on a card is committed or voided.
#[derive(Parser, Debug)]
#[command(name = "quittance", version, arg_required_else_help = true)]
pub struct Cli {
    /// How logs are written to stderr.
    #[arg(long, value_enum, default_value_t = LogFormat::Text, global = true)]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Command,
}

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line for people.
    Text,
    /// A JSON object a line, for programs.
    Json,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run the orchestrator until SIGTERM or SIGINT, then drain and end.
    Run {
        /// The configuration (TOML).
        #[arg(long)]
        config: PathBuf,
    },
    /// Read and validate a configuration; print every mistake with its key path.
    Check {
        /// The configuration (TOML).
        #[arg(long)]
        config: PathBuf,
    },
    /// List sessions through the running API.
    Sessions(sessions::Args),
    /// List terminals and their state through the running API.
    Terminals(terminals::Args),
    /// Tell the whole story of a session in sentences: what was asked, answered, doubted, decided and confirmed, and what comes next.
    Explain(explain::Args),
    /// Let a terminal take no new card flows; what is open on it goes on to its end.
    Drain(terminal::Args),
    /// Let a drained terminal take card flows again.
    Resume(terminal::Args),
    /// Close a terminal's link and make it anew, also out of quarantine.
    Reconnect(terminal::Args),
    /// Compare our holds with a terminal's, now, and print the report.
    Reconcile(reconcile::Args),
    /// Settle a session of which only a person can find out: say what became of its hold, and how you know.
    Resolve(resolve::Args),
    /// Let the running program read its configuration again.
    Reload(reload::Args),
    /// Say what became of every session that was approved within a time, from a journal: for accountants, and for validation.
    Report(report::Args),
    /// Look into a journal; no server is needed.
    #[command(subcommand)]
    Journal(JournalCommand),
    /// Explain frames or a recording of them: names, fields, masked card data. Reads stdin when neither bytes nor a file are given.
    Decode {
        /// Who sent the bytes; guessed from the preamble if not said.
        #[arg(long, value_enum)]
        from: Option<Side>,
        /// A recording made by the frame recorder; its older parts beside it are read first.
        #[arg(long, conflicts_with_all = ["hex", "from"])]
        file: Option<PathBuf>,
        /// Show a recording as the conversation that it is.
        #[arg(long, conflicts_with = "hex")]
        dialogue: bool,
        /// Only what is about this session, by the terminal's number of it.
        #[arg(long, conflicts_with = "hex", value_name = "NUMBER")]
        session: Option<u32>,
        /// Only from this moment on: a date (midnight UTC) or RFC 3339, such as 2026-11-23 or 2026-11-23T15:00:00Z.
        #[arg(long, conflicts_with = "hex", value_name = "TIME", value_parser = moment::<Moment>)]
        since: Option<Moment>,
        /// Only before this moment.
        #[arg(long, conflicts_with = "hex", value_name = "TIME", value_parser = moment::<Moment>)]
        until: Option<Moment>,
        /// Bytes in hex, with or without blanks.
        hex: Vec<String>,
    },
    /// Print what completes a command line in a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual, or write its pages.
    Man {
        /// Write a page for each command into this folder, instead of printing all as one.
        #[arg(value_name = "DIR")]
        folder: Option<PathBuf>,
    },
}

/// Who sent a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Side {
    /// We did.
    Host,
    /// The terminal did.
    Terminal,
}

impl From<Side> for Direction {
    fn from(side: Side) -> Self {
        match side {
            Side::Host => Self::FromHost,
            Side::Terminal => Self::FromTerminal,
        }
    }
}

#[derive(Subcommand, Debug)]
enum JournalCommand {
    /// Check the hash chain, that every record may follow from the ones before it, and the balance.
    Verify {
        /// The journal's file.
        #[arg(long)]
        journal: PathBuf,
        /// Print the hash of this record as well, to compare it with one that was noted before, such as a report's.
        #[arg(long, value_name = "SEQ")]
        at: Option<u64>,
    },
    /// Print records, oldest first.
    Show {
        /// The journal's file.
        #[arg(long)]
        journal: PathBuf,
        /// Only those of this session.
        #[arg(long)]
        session: Option<SessionId>,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
}

/// Carries out a command line and gives the exit code.
pub fn main(cli: Cli, environment: &Environment) -> ExitCode {
    let mut out = io::stdout().lock();
    let done = match cli.command {
        Command::Run { config } => {
            drop(out);
            return ExitCode::from(run::run(&config, environment, cli.log_format));
        }
        Command::Check { config } => check::run(&config, environment, &mut out),
        Command::Sessions(arguments) => Ok(sessions::run(&arguments, &Screen::of_stdout(), &mut out, &mut io::stderr())),
        Command::Terminals(arguments) => Ok(terminals::run(&arguments, &Screen::of_stdout(), &mut out, &mut io::stderr())),
        Command::Explain(arguments) => Ok(explain::run(&arguments, &Screen::of_stdout(), &mut out, &mut io::stderr())),
        Command::Drain(arguments) => Ok(manage(terminal::Wish::Drain, &arguments, &mut out)),
        Command::Resume(arguments) => Ok(manage(terminal::Wish::Resume, &arguments, &mut out)),
        Command::Reconnect(arguments) => Ok(manage(terminal::Wish::Reconnect, &arguments, &mut out)),
        Command::Reconcile(arguments) => Ok(reconcile::run(&arguments, &Screen::of_stdout(), &mut out, &mut io::stderr())),
        Command::Resolve(arguments) => Ok(resolve::run(&arguments, &mut out, &mut io::stderr())),
        Command::Reload(arguments) => Ok(reload::run(&arguments, &mut out, &mut io::stderr())),
        Command::Report(arguments) => Ok(report::run(&arguments, &Screen::of_stdout(), &mut out, &mut io::stderr())),
        Command::Completions { shell } => man::completions(shell, Cli::command(), &mut out),
        Command::Man { folder } => man::run(folder.as_deref(), Cli::command(), &mut out, &mut io::stderr()),
        Command::Journal(JournalCommand::Verify { journal, at }) => {
            return journal::verify(&journal, at, balance, &mut out);
        }
        Command::Journal(JournalCommand::Show { journal, session, json }) => {
            return journal::show(&journal, session, json, &mut out);
        }
        Command::Decode { from, file, dialogue, session, since, until, hex } => {
            let (from, wanted) = (from.map(Into::into), Wanted { dialogue, session, since, until });
            let explained = match file {
                Some(path) => decode::run_file(&path, &wanted, &mut out),
                None if hex.is_empty() => {
                    if io::stdin().is_terminal() {
                        eprintln!("reading bytes in hex from the terminal; end with Ctrl-D");
                    }
                    let stdin = Box::new(io::stdin().lock());
                    decode::run_source("This".to_owned(), stdin, Vec::new(), from, &wanted, &mut out)
                }
                None => decode::run(from, hex.into_iter(), &mut out),
            };
            explained.map(|sound| u8::from(!sound))
        }
    };
    let flushed = out.flush();
    ExitCode::from(match (done, flushed) {
        (Ok(code), Ok(())) => code,
        // A reader that has seen enough (`| head`) closes our stdout, which is no failure; there is nobody left to tell.
        (Ok(code), Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => code,
        (Err(error), _) if error.kind() == io::ErrorKind::BrokenPipe => 0,
        (Ok(_) | Err(_), _) => 1,
    })
}

fn manage(wish: terminal::Wish, arguments: &terminal::Args, out: &mut dyn Write) -> u8 {
    terminal::run(wish, arguments, &Screen::of_stdout(), out, &mut io::stderr())
}

/// That every record may follow from the ones before it, and what the sessions add up to.
fn balance(records: &mut dyn Iterator<Item = crate::journal::Record>) -> Result<String, (u64, String)> {
    let mut ledger = Ledger::default();
    for record in records {
        ledger.take(&record).map_err(|unsound| (unsound.seq, unsound.why.to_string()))?;
    }
    let totals = ledger.totals();
    if totals.imbalance() != 0 {
        return Err((0, format!("approved − disposed − undisposed is {}, not 0", totals.imbalance())));
    }
    Ok(format!(
        "{} sessions; {} times there was a hold, or might have been: {} of them are over, {} undisposed; {} minor units committed",
        totals.sessions, totals.approved, totals.disposed, totals.undisposed, totals.committed_minor
    ))
}
