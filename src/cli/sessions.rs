//! `quittance sessions`: lists sessions through the running API.

#[cfg(test)]
mod tests;

use std::io::Write;
use std::time::Duration;

use serde_json::{Value, json};

use super::client::{Failure, Server, exit_code};
use super::screen::{Screen, WATCH_EVERY, parse_every, watch};
use super::table::{Cell, Column, Tone, long, moment, money, table};
use crate::time::Timestamp;

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
    /// Draw the table again and again, until Ctrl-C
    #[arg(long, value_name = "EVERY", num_args = 0..=1, require_equals = true, default_missing_value = WATCH_EVERY,
        value_parser = parse_every, conflicts_with = "json")]
    pub watch: Option<Duration>,
    /// Where to ask.
    #[command(flatten)]
    pub server: Server,
}

/// As many as the API gives at once.
const PAGE: &str = "1000";

const COLUMNS: [Column; 10] = [
    Column::Words("SESSION"),
    Column::Words("TERMINAL"),
    Column::Numbers("CONN"),
    Column::Words("STATE"),
    Column::Words("AGE"),
    Column::Numbers("HOLD"),
    Column::Numbers("ENERGY"),
    Column::Numbers("FINAL"),
    Column::Words("TO END"),
    Column::Words("WHY"),
];

/// Writes the list to `out`, or one line to `err`; gives the exit code.
pub fn run(args: &Args, screen: &Screen, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    exit_code(show(args, screen, out), err)
}

fn show(args: &Args, screen: &Screen, out: &mut dyn Write) -> Result<(), Failure> {
    if let Some(every) = args.watch {
        let (asking, seen) = (args.clone(), *screen);
        let draw = move || drawn(&all(&asking)?, &seen);
        return watch(&format!("sessions of {}", args.server.url), every, screen, draw, out);
    }
    let sessions = all(args)?;
    if args.json {
        writeln!(out, "{:#}", json!({ "sessions": sessions, "next": null }))?;
    } else {
        out.write_all(drawn(&sessions, screen)?.as_bytes())?;
    }
    Ok(out.flush()?)
}

fn drawn(sessions: &[Value], screen: &Screen) -> Result<String, Failure> {
    let now = screen.now();
    let rows: Vec<_> = sessions.iter().map(|session| row(session, now)).collect();
    let mut drawn = Vec::new();
    table(&COLUMNS, &rows, screen.colours, &mut drawn)?;
    Ok(String::from_utf8_lossy(&drawn).into_owned())
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

fn row(session: &Value, now: Timestamp) -> Vec<Cell> {
    let text = |field: &str| session.get(field).and_then(Value::as_str).unwrap_or_default();
    let (state, currency) = (text("state"), text("currency"));
    let overdue = moment(session, "deadline_at").is_some_and(|at| at < now);
    let tone = state_tone(state, overdue);
    let amount = |field: &str| match session.get(field).and_then(Value::as_u64) {
        Some(minor) => Cell::new(money(minor, currency)),
        None => Cell::none(),
    };
    vec![
        Cell::field(session, "id"),
        Cell::field(session, "terminal"),
        Cell::field(session, "connector"),
        Cell::field(session, "state").tone(tone),
        moment(session, "created_at").map_or_else(Cell::none, |at| Cell::new(long(now.since(at)))),
        amount("amount_held"),
        amount("amount_energy"),
        amount("amount_final"),
        to_end(session, now),
        Cell::new(why(session)),
    ]
}

fn state_tone(state: &str, overdue: bool) -> Tone {
    match state {
        "uncertain" => Tone::Alarm,
        _ if overdue => Tone::Alarm,
        "in_doubt" => Tone::Attention,
        "committing" | "voiding" | "authorising" => Tone::Attention,
        "approved" => Tone::Good,
        "committed" | "voided" | "declined" | "cancelled" | "expired" | "failed" => Tone::Quiet,
        _ => Tone::Plain,
    }
}

/// How long it may still take, or how long it should have ended ago.
fn to_end(session: &Value, now: Timestamp) -> Cell {
    match moment(session, "deadline_at") {
        None => Cell::none(),
        Some(at) if at < now => Cell::new(format!("{} late", long(now.since(at)))).tone(Tone::Alarm),
        Some(at) => Cell::new(format!("in {}", long(at.since(now)))),
    }
}

/// Why it is as it is: the API's words, or what was decided and how often it was tried.
fn why(session: &Value) -> String {
    let mut told = Vec::new();
    if let Some(why) = session.get("why").and_then(Value::as_str) {
        told.push(why.to_owned());
    }
    let currency = session.get("currency").and_then(Value::as_str).unwrap_or_default();
    if let Some(disposal) = session.get("disposal").filter(|disposal| !disposal.is_null()) {
        told.push(decision(disposal, currency));
    } else if session.get("state").and_then(Value::as_str) == Some("in_doubt") {
        told.push("the bank's answer was lost: there may be a hold".to_owned());
    } else if session.get("amount_held").is_none_or(Value::is_null)
        && let Some(asked) = session.get("amount_requested").and_then(Value::as_u64)
    {
        told.push(format!("asked for {}", money(asked, currency)));
    }
    told.join("; ")
}

/// `commit 31.40 EUR by api, 2 attempts so far: no answer: timeout`.
fn decision(disposal: &Value, currency: &str) -> String {
    let text = |field: &str| disposal.get(field).and_then(Value::as_str);
    let what = match (text("decision"), disposal.get("amount").and_then(Value::as_u64)) {
        (Some("commit"), Some(amount)) => format!("commit {}", money(amount, currency)),
        (other, _) => other.unwrap_or("?").to_owned(),
    };
    let by = text("by").unwrap_or("?").replace('_', " ");
    let tried = match (text("confirmed_by"), disposal.get("attempts").and_then(Value::as_u64).unwrap_or(0)) {
        (Some("result_ok"), 0 | 1) => String::new(),
        (Some(by), attempts) => format!(", confirmed by {} after {}", by.replace('_', " "), times(attempts)),
        (None, 0) => ", not tried yet".to_owned(),
        (None, attempts) => format!(", {} so far", times(attempts)),
    };
    match text("last_error").filter(|_| text("confirmed_by").is_none()) {
        Some(error) => format!("{what} by {by}{tried}: {error}"),
        None => format!("{what} by {by}{tried}"),
    }
}

fn times(attempts: u64) -> String {
    match attempts {
        1 => "1 attempt".to_owned(),
        more => format!("{more} attempts"),
    }
}
