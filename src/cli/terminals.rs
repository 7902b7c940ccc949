//! `quittance terminals`: lists terminals and their state through the running API.

use std::io::Write;

use serde_json::{Value, json};

use super::client::{Failure, Server, cell, exit_code, table};

/// List terminals and their state through the running API
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// As the API gives them
    #[arg(long)]
    pub json: bool,
    /// Where to ask.
    #[command(flatten)]
    pub server: Server,
}

const HEAD: [&str; 8] = ["TERMINAL", "FAMILY", "LINK", "STATE", "OPEN", "DRAINING", "RECONCILED", "LAST ERROR"];

/// Writes the list to `out`, or one line to `err`; gives the exit code.
pub fn run(args: &Args, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    exit_code(show(args, out), err)
}

fn show(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let mut answer = args.server.get("/v1/terminals", &[])?;
    let terminals = args.server.list(&mut answer, "terminals")?;
    if args.json {
        writeln!(out, "{:#}", json!({ "terminals": terminals }))?;
    } else {
        table(&HEAD, &terminals.iter().map(row).collect::<Vec<_>>(), out)?;
    }
    Ok(out.flush()?)
}

fn row(terminal: &Value) -> Vec<String> {
    let open = format!("{}/{}", cell(terminal, "undisposed"), cell(terminal, "connectors"));
    let draining = if terminal.get("draining") == Some(&Value::Bool(true)) { "yes" } else { "no" };
    let reconciled = terminal.get("last_reconciliation").map_or_else(
        || "-".to_owned(),
        |last| match last {
            Value::Null => "-".to_owned(),
            report => format!("{} {}", cell(report, "at"), cell(report, "result")),
        },
    );
    vec![
        cell(terminal, "id"),
        cell(terminal, "family"),
        cell(terminal, "link"),
        cell(terminal, "state"),
        open,
        draining.to_owned(),
        reconciled,
        cell(terminal, "last_error"),
    ]
}
