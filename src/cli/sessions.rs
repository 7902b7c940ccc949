//! `quittance sessions`: lists sessions through the running API.

#[cfg(test)]
mod tests;

use std::io::Write;

use serde_json::{Value, json};

use super::client::{Failure, Server, cell, exit_code, table};

/// List sessions, newest first, through the running API
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Only those whose hold exists or may exist
    #[arg(long)]
    pub undisposed: bool,
    /// Only those of this terminal
    #[arg(long, value_name = "T")]
    pub terminal: Option<String>,
    /// As the API gives them
    #[arg(long)]
    pub json: bool,
    /// Where to ask.
    #[command(flatten)]
    pub server: Server,
}

/// As many as the API gives at once.
const PAGE: &str = "1000";

const HEAD: [&str; 10] = ["SESSION", "TERMINAL", "CONN", "STATE", "ASKED", "HELD", "ENERGY", "FINAL", "OPENED", "DEADLINE"];

const FIELDS: [&str; 10] = [
    "id",
    "terminal",
    "connector",
    "state",
    "amount_requested",
    "amount_held",
    "amount_energy",
    "amount_final",
    "created_at",
    "deadline_at",
];

/// Writes the list to `out`, or one line to `err`; gives the exit code.
pub fn run(args: &Args, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    exit_code(show(args, out), err)
}

fn show(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let sessions = all(args)?;
    if args.json {
        writeln!(out, "{:#}", json!({ "sessions": sessions, "next": null }))?;
    } else {
        let rows: Vec<_> = sessions.iter().map(|row| FIELDS.iter().map(|field| cell(row, field)).collect()).collect();
        table(&HEAD, &rows, out)?;
    }
    Ok(out.flush()?)
}

fn all(args: &Args) -> Result<Vec<Value>, Failure> {
    let mut sessions = Vec::new();
    let mut cursor = String::new();
    loop {
        let mut query = vec![("limit", PAGE)];
        if args.undisposed {
            query.push(("undisposed", "true"));
        }
        if let Some(terminal) = &args.terminal {
            query.push(("terminal", terminal));
        }
        if !cursor.is_empty() {
            query.push(("cursor", &cursor));
        }
        let mut answer = args.server.get("/v1/sessions", &query)?;
        sessions.append(&mut args.server.list(&mut answer, "sessions")?);
        match answer.get("next").and_then(Value::as_str) {
            // A server that gives the same place again would keep us here for ever.
            Some(next) if next != cursor => cursor = next.to_owned(),
            _ => return Ok(sessions),
        }
    }
}
