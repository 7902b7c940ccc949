//! `quittance reload`: lets the running program read its configuration again, and says what became of it.

use std::io::Write;

use serde_json::{Value, json};

use super::client::{Failure, Server, exit_code};
use super::table::{Cell, printable};

/// The configuration of the running program
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// As the API gives it
    #[arg(long)]
    pub json: bool,
    /// Where to ask.
    #[command(flatten)]
    pub server: Server,
}

/// Writes what became of it to `out`, or one line to `err`; gives the exit code.
pub fn run(args: &Args, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    exit_code(ask(args, out), err)
}

fn ask(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let (_, done) = args.server.post("/v1/reload", &json!({}))?;
    if args.json {
        writeln!(out, "{done:#}")?;
    } else {
        told(&done).iter().try_for_each(|line| writeln!(out, "{line}"))?;
    }
    Ok(out.flush()?)
}

/// What has changed, a line each; one line when nothing has.
fn told(done: &Value) -> Vec<String> {
    let list = |field: &str| done.get(field).and_then(Value::as_array).cloned().unwrap_or_default();
    let words = |values: &[Value]| values.iter().filter_map(Value::as_str).map(printable).collect::<Vec<_>>().join(", ");
    let all = |field: &str| words(&list(field));
    let text = |row: &Value, field: &str| Cell::field(row, field).text;
    let mut lines = Vec::new();
    let mut some = |what: &str, which: String| {
        if !which.is_empty() {
            lines.push(format!("{what}: {which}"));
        }
    };
    some("added", all("added"));
    some("removed", all("removed"));
    for row in list("draining") {
        some("goes as soon as nothing is open on it", format!("{} ({} open)", text(&row, "terminal"), text(&row, "open")));
    }
    for row in list("changed") {
        let keys = words(row.get("keys").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default());
        let link = if row.get("reopens") == Some(&Value::Bool(true)) { "; its link is made anew" } else { "" };
        some("changed", format!("{}: {keys}{link}", text(&row, "terminal")));
    }
    for row in list("waiting") {
        some("waits", format!("{}: {}", text(&row, "terminal"), text(&row, "why")));
    }
    some("new values of", all("settings"));
    some("holds after a restart only", all("needs_restart"));
    for warning in list("warnings") {
        some("warning", printable(warning.as_str().unwrap_or_default()));
    }
    if lines.is_empty() {
        lines.push("read again; nothing is different".to_owned());
    }
    lines
}
