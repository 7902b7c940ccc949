//! `quittance reconcile`: compares our holds with a terminal's, now, and prints the report.

use std::io::Write;

use serde_json::{Value, json};

use super::client::{Failure, exit_code, segment};
use super::screen::Screen;
use super::table::{Cell, Column, Tone, table};
pub use super::terminal::Args;

const COLUMNS: [Column; 5] =
    [Column::Words("FOUND"), Column::Numbers("HOLD"), Column::Words("SESSION"), Column::Words("DONE"), Column::Words("WHY")];

/// Writes the report to `out`, or one line to `err`; gives the exit code, which is 1 for a comparison that could not be completed.
pub fn run(args: &Args, screen: &Screen, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let mut failed = false;
    let done = ask(args, screen, &mut failed, out);
    exit_code(done, err).max(u8::from(failed))
}

fn ask(args: &Args, screen: &Screen, failed: &mut bool, out: &mut dyn Write) -> Result<(), Failure> {
    let path = format!("/v1/terminals/{}/reconcile", segment(&args.terminal));
    let (_, report) = args.server.post(&path, &json!({}))?;
    *failed = report.get("result").and_then(Value::as_str) == Some("failed");
    if args.json {
        writeln!(out, "{report:#}")?;
    } else {
        write_report(&report, screen.colours, out)?;
    }
    Ok(out.flush()?)
}

fn write_report(report: &Value, colours: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let text = |field: &str| Cell::field(report, field).text;
    let meaning = match report.get("result").and_then(Value::as_str) {
        Some("clean") => "both sides agree, as far as they can be compared",
        Some("repaired") => "something differed and was acted upon",
        _ => "it could not be completed",
    };
    writeln!(out, "{}, {}: {}: {meaning}", text("terminal"), text("at"), text("result"))?;
    let on_terminal = match report.get("on_terminal").and_then(Value::as_array) {
        Some(numbers) => list(numbers),
        None => "it cannot list its sessions, or did not answer".to_owned(),
    };
    writeln!(out, "holds on the terminal  {on_terminal}")?;
    let in_journal = report.get("in_journal").and_then(Value::as_array).map_or_else(|| "-".to_owned(), |numbers| list(numbers));
    writeln!(out, "holds in the journal   {in_journal}")?;
    if let Some(error) = report.get("error").filter(|error| !error.is_null()) {
        writeln!(out, "error                  {}", Cell::new(error.as_str().unwrap_or_default()).text)?;
    }
    let found = report.get("discrepancies").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if !found.is_empty() {
        writeln!(out)?;
        table(&COLUMNS, &found.iter().map(row).collect::<Vec<_>>(), colours, out)?;
    }
    Ok(())
}

fn row(found: &Value) -> Vec<Cell> {
    let kind = Cell::new(Cell::field(found, "kind").text.replace('_', " ")).tone(Tone::Attention);
    let [number, session, action, why] =
        ["terminal_session_id", "session", "action", "why"].map(|field| Cell::field(found, field));
    vec![kind, number, session, action, why]
}

fn list(numbers: &[Value]) -> String {
    if numbers.is_empty() {
        return "none".to_owned();
    }
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
