//! `quittance terminals`: lists terminals and their state through the running API.

use std::io::Write;
use std::time::Duration;

use serde_json::{Value, json};

use super::client::{Failure, Server, exit_code};
use super::screen::{Screen, WATCH_EVERY, parse_every, watch};
use super::table::{Cell, Column, Tone, long, moment, table};
use crate::time::Timestamp;

/// List terminals and their state through the running API
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// As the API gives them
    #[arg(long)]
    pub json: bool,
    /// Draw the table again and again, until Ctrl-C
    #[arg(long, value_name = "EVERY", num_args = 0..=1, require_equals = true, default_missing_value = WATCH_EVERY,
        value_parser = parse_every, conflicts_with = "json")]
    pub watch: Option<Duration>,
    /// Where to ask.
    #[command(flatten)]
    pub server: Server,
}

pub(super) const COLUMNS: [Column; 8] = [
    Column::Words("TERMINAL"),
    Column::Words("FAMILY"),
    Column::Words("LINK"),
    Column::Words("STATE"),
    Column::Words("OPEN"),
    Column::Words("DRAINING"),
    Column::Words("RECONCILED"),
    Column::Words("LAST ERROR"),
];

/// Writes the list to `out`, or one line to `err`; gives the exit code.
pub fn run(args: &Args, screen: &Screen, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    exit_code(show(args, screen, out), err)
}

fn show(args: &Args, screen: &Screen, out: &mut dyn Write) -> Result<(), Failure> {
    if let Some(every) = args.watch {
        let (asking, seen) = (args.server.clone(), *screen);
        let draw = move || drawn(&all(&asking)?, &seen);
        return watch(&format!("terminals of {}", args.server.url), every, screen, draw, out);
    }
    let terminals = all(&args.server)?;
    if args.json {
        writeln!(out, "{:#}", json!({ "terminals": terminals }))?;
    } else {
        out.write_all(drawn(&terminals, screen)?.as_bytes())?;
    }
    Ok(out.flush()?)
}

fn all(server: &Server) -> Result<Vec<Value>, Failure> {
    let mut answer = server.get("/v1/terminals", &[])?;
    server.list(&mut answer, "terminals")
}

fn drawn(terminals: &[Value], screen: &Screen) -> Result<String, Failure> {
    let now = screen.now();
    let rows: Vec<_> = terminals.iter().map(|terminal| row(terminal, now)).collect();
    let mut drawn = Vec::new();
    table(&COLUMNS, &rows, screen.colours, &mut drawn)?;
    Ok(String::from_utf8_lossy(&drawn).into_owned())
}

/// A terminal as a row; also what `drain` and its like print.
pub(super) fn row(terminal: &Value, now: Timestamp) -> Vec<Cell> {
    let text = |field: &str| terminal.get(field).and_then(Value::as_str).unwrap_or_default();
    let link = match text("link") {
        "up" => Tone::Good,
        "down" => Tone::Attention,
        _ => Tone::Alarm,
    };
    let draining = if terminal.get("draining") == Some(&Value::Bool(true)) {
        Cell::new("yes").tone(Tone::Attention)
    } else {
        Cell::new("no").tone(Tone::Quiet)
    };
    let open = format!("{}/{}", Cell::field(terminal, "undisposed").text, Cell::field(terminal, "connectors").text);
    vec![
        Cell::field(terminal, "id"),
        Cell::field(terminal, "family"),
        Cell::field(terminal, "link").tone(link),
        Cell::field(terminal, "state"),
        Cell::new(open),
        draining,
        reconciled(terminal, now),
        Cell::field(terminal, "last_error"),
    ]
}

/// How the last comparison of our holds with the terminal's went, and how long ago.
fn reconciled(terminal: &Value, now: Timestamp) -> Cell {
    let Some(report) = terminal.get("last_reconciliation").filter(|report| !report.is_null()) else { return Cell::none() };
    let result = Cell::field(report, "result").text;
    let tone = match result.as_str() {
        "clean" => Tone::Good,
        "repaired" => Tone::Attention,
        _ => Tone::Alarm,
    };
    match moment(report, "at") {
        Some(at) => Cell::new(format!("{result}, {} ago", long(now.since(at)))).tone(tone),
        None => Cell::new(result).tone(tone),
    }
}
