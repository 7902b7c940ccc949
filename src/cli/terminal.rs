//! `quittance drain`, `resume` and `reconnect`: what an admin may ask of one terminal.

use std::io::Write;

use serde_json::{Value, json};

use super::client::{Failure, Server, exit_code, segment};
use super::screen::Screen;
use super::table::{Cell, printable, table};
use super::terminals::{COLUMNS, row};

/// One terminal
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The terminal's name
    #[arg(value_name = "TERMINAL")]
    pub terminal: String,
    /// As the API gives it
    #[arg(long)]
    pub json: bool,
    /// Where to ask.
    #[command(flatten)]
    pub server: Server,
}

/// What is asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// No new card flows.
    Drain,
    /// Card flows again.
    Resume,
    /// A new link.
    Reconnect,
}

impl Wish {
    const fn verb(self) -> &'static str {
        match self {
            Self::Drain => "drain",
            Self::Resume => "resume",
            Self::Reconnect => "reconnect",
        }
    }
}

/// Asks for it and writes how the terminal is then, or one line to `err`; gives the exit code.
pub fn run(wish: Wish, args: &Args, screen: &Screen, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    exit_code(ask(wish, args, screen, out), err)
}

fn ask(wish: Wish, args: &Args, screen: &Screen, out: &mut dyn Write) -> Result<(), Failure> {
    let path = format!("/v1/terminals/{}/{}", segment(&args.terminal), wish.verb());
    let (_, terminal) = args.server.post(&path, &json!({}))?;
    if args.json {
        writeln!(out, "{terminal:#}")?;
    } else {
        writeln!(out, "{}", done(wish, &terminal))?;
        table(&COLUMNS, &[row(&terminal, screen.now())], screen.colours, out)?;
    }
    Ok(out.flush()?)
}

/// What it means, and what comes next.
fn done(wish: Wish, terminal: &Value) -> String {
    let id = printable(&Cell::field(terminal, "id").text);
    let open = terminal.get("undisposed").and_then(Value::as_u64).unwrap_or(0);
    match (wish, open) {
        (Wish::Drain, 0) => {
            format!("{id} takes no new cards; nothing is open on it. `quittance resume {id}` lets it take cards again.")
        }
        (Wish::Drain, 1) => format!("{id} takes no new cards; 1 hold is open on it and goes on to its end."),
        (Wish::Drain, open) => format!("{id} takes no new cards; {open} holds are open on it and go on to their end."),
        (Wish::Resume, _) => format!("{id} takes cards again as soon as it can."),
        (Wish::Reconnect, _) => format!(
            "{id} gets a new link as soon as no card is being authorised and no commit is under way; `quittance terminals` shows it."
        ),
    }
}
