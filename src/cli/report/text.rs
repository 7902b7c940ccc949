//! A report as plain text, for people at a terminal.

use std::io::{self, Write};
use std::time::Duration;

use super::super::table::{Cell, Column, Tone, long, money, table};
use super::evidence::{Count, Evidence, Exception, Line, Sum};
use crate::money::Amount;
use crate::time::Timestamp;

const EXCEPTIONS: [Column; 7] = [
    Column::Words("SESSION"),
    Column::Words("TERMINAL"),
    Column::Words("APPROVED"),
    Column::Words("STATE"),
    Column::Numbers("HELD"),
    Column::Numbers("FINAL"),
    Column::Words("WHY"),
];

const SUMS: [Column; 9] = [
    Column::Words("TERMINAL"),
    Column::Numbers("APPROVED"),
    Column::Numbers("HELD"),
    Column::Numbers("COMMITTED"),
    Column::Numbers("CAPTURED"),
    Column::Numbers("VOIDED"),
    Column::Numbers("EXPIRED"),
    Column::Numbers("OPEN"),
    Column::Numbers("HELD NOW"),
];

const SESSIONS: [Column; 10] = [
    Column::Words("SESSION"),
    Column::Words("TERMINAL"),
    Column::Words("APPROVED"),
    Column::Words("STATE"),
    Column::Numbers("HELD"),
    Column::Numbers("FINAL"),
    Column::Words("DECIDED"),
    Column::Words("BY"),
    Column::Words("CONFIRMED"),
    Column::Words("BY"),
];

pub(super) fn write(evidence: &Evidence, colours: bool, out: &mut dyn Write) -> io::Result<()> {
    let mut say = |line: String| writeln!(out, "{line}");
    say(title(evidence))?;
    say(format!("made from the journal {}: {}", evidence.file, range(evidence)))?;
    say(format!("  the first one's hash  {}", evidence.first_hash))?;
    say(format!("  the last one's hash   {}", evidence.last_hash))?;
    say(format!("to be verified by: quittance journal verify --journal {} --at {}", evidence.file, evidence.records))?;
    for why in &evidence.damage {
        say(Tone::Alarm.painted(&format!("THE JOURNAL IS NOT SOUND: {why}"), colours))?;
    }
    for (session, why) in &evidence.unreadable {
        say(Tone::Alarm.painted(&format!("session {session} cannot be told: {why}"), colours))?;
    }
    let exceptions = evidence.exceptions();
    say(format!("\nExceptions: {}", exceptions.len()))?;
    if !exceptions.is_empty() {
        table(&EXCEPTIONS, &exceptions.iter().map(|line| exception(line)).collect::<Vec<_>>(), colours, out)?;
    }
    for whole in evidence.sums.iter().filter(|sum| sum.terminal.is_none()) {
        writeln!(out, "\nSums in {}", whole.currency)?;
        let of_terminals = evidence.sums.iter().filter(|sum| sum.terminal.is_some() && sum.currency == whole.currency);
        let rows: Vec<_> = of_terminals.chain([whole]).map(sum).collect();
        table(&SUMS, &rows, colours, out)?;
        if whole.unknown > 0 {
            writeln!(out, "How much is held for {} of the open ones is not known.", whole.unknown)?;
        }
    }
    writeln!(out, "\nSessions: {}", evidence.lines.len())?;
    if !evidence.lines.is_empty() {
        table(&SESSIONS, &evidence.lines.iter().map(session).collect::<Vec<_>>(), colours, out)?;
    }
    Ok(())
}

/// What the report is about.
pub(super) fn title(evidence: &Evidence) -> String {
    let question = &evidence.question;
    let when = match (question.from, question.to) {
        (Some(from), Some(to)) => format!("from {} until before {}", short(from), short(to)),
        (Some(from), None) => format!("from {} on", short(from)),
        (None, Some(to)) => format!("before {}", short(to)),
        (None, None) => "at any time".to_owned(),
    };
    let whose = question.terminal.as_ref().map_or_else(|| "all terminals".to_owned(), ToString::to_string);
    format!("Sessions approved {when}, {whose}")
}

/// Which records it was made from.
pub(super) fn range(evidence: &Evidence) -> String {
    match (evidence.records, evidence.as_of) {
        (0, _) | (_, None) => "it is empty".to_owned(),
        (last, Some(at)) => format!("records 1 to {last}, as it was at {}", short(at)),
    }
}

/// To the second.
pub(super) fn short(at: Timestamp) -> String {
    let text = at.to_string();
    format!("{} {} UTC", text.get(..10).unwrap_or_default(), text.get(11..19).unwrap_or_default())
}

/// Seconds with tenths below a minute, else two units.
pub(super) fn lasted(time: Duration) -> String {
    if time < Duration::from_secs(60) { format!("{:.1}s", time.as_secs_f64()) } else { long(time) }
}

/// What somebody has to know, the most urgent first.
pub(super) fn why(line: &Line) -> String {
    line.exceptions.iter().map(Exception::sentence).collect::<Vec<_>>().join("; ")
}

/// An amount with its currency.
pub(super) fn amount(line: &Line, amount: Option<Amount>) -> String {
    amount.map_or_else(|| "-".to_owned(), |amount| money(amount.minor().into(), line.session.currency.as_str()))
}

fn approved(line: &Line) -> Cell {
    line.approved_at.map_or_else(Cell::none, |at| Cell::new(short(at).trim_end_matches(" UTC")))
}

fn exception(line: &Line) -> Vec<Cell> {
    let tone = match line.exceptions.first() {
        Some(Exception::Uncertain(_) | Exception::InDoubt | Exception::Broken(_)) => Tone::Alarm,
        _ => Tone::Attention,
    };
    vec![
        Cell::new(line.session.id.to_string()),
        Cell::new(line.session.terminal.as_str()),
        approved(line),
        Cell::new(line.session.state_name()).tone(tone),
        Cell::new(amount(line, line.held())),
        Cell::new(amount(line, line.captured())),
        Cell::new(why(line)),
    ]
}

fn sum(sum: &Sum) -> Vec<Cell> {
    let held = |minor: u64| Cell::new(sum.currency.major(minor));
    let sessions = |count: Count| Cell::new(count.sessions.to_string());
    vec![
        Cell::new(sum.terminal.as_ref().map_or("all", |terminal| terminal.as_str())),
        sessions(sum.approved),
        held(sum.approved.held),
        sessions(sum.committed),
        held(sum.captured),
        sessions(sum.voided),
        sessions(sum.expired),
        sessions(sum.open),
        held(sum.open.held),
    ]
}

fn session(line: &Line) -> Vec<Cell> {
    let after = |time: Option<Duration>| time.map_or_else(Cell::none, |time| Cell::new(format!("after {}", lasted(time))));
    let by = |by: Option<&str>| by.map_or_else(Cell::none, |by| Cell::new(by.replace('_', " ")));
    vec![
        Cell::new(line.session.id.to_string()),
        Cell::new(line.session.terminal.as_str()),
        approved(line),
        Cell::new(line.session.state_name()),
        Cell::new(amount(line, line.held())),
        Cell::new(amount(line, line.captured())),
        after(line.until_decided()),
        by(line.decided_by()),
        after(line.until_confirmed()),
        by(line.known_by()),
    ]
}
