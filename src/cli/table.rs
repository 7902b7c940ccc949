//! Tables for people: columns as wide as their widest cell, and colours where somebody looks at a terminal.

#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Style};
use serde_json::Value;

use crate::money::Currency;
use crate::time::Timestamp;

/// Blanks between columns.
const GAP: usize = 2;

/// What a cell wants to say beyond its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// Nothing.
    Plain,
    /// Of the past, or of no interest now.
    Quiet,
    /// As it should be.
    Good,
    /// Somebody may want to look.
    Attention,
    /// Somebody must do something.
    Alarm,
}

impl Tone {
    fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Quiet => Style::new().dimmed(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Attention => AnsiColor::Yellow.on_default(),
            Self::Alarm => AnsiColor::Red.on_default().bold(),
        }
    }

    /// A text in this tone, if colours are wanted.
    pub(super) fn painted(self, text: &str, colours: bool) -> String {
        let style = if colours { self.style() } else { Style::new() };
        format!("{style}{text}{style:#}")
    }
}

/// One place in a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) tone: Tone,
}

impl Cell {
    /// Somebody else's text, or ours: nothing in it can confuse a screen.
    pub(super) fn new(text: impl AsRef<str>) -> Self {
        Self { text: printable(text.as_ref()), tone: Tone::Plain }
    }

    /// Nothing is known.
    pub(super) fn none() -> Self {
        Self { text: "-".to_owned(), tone: Tone::Quiet }
    }

    pub(super) fn tone(self, tone: Tone) -> Self {
        Self { tone, ..self }
    }

    /// A field of an answer; a dash when it is null.
    pub(super) fn field(row: &Value, field: &str) -> Self {
        match row.get(field) {
            None | Some(Value::Null) => Self::none(),
            Some(Value::String(text)) => Self::new(text),
            Some(other) => Self::new(other.to_string()),
        }
    }
}

/// A column's head, and where its cells lie.
#[derive(Clone, Copy, Debug)]
pub(super) enum Column {
    /// Words begin at the left.
    Words(&'static str),
    /// Numbers end at the right.
    Numbers(&'static str),
}

impl Column {
    fn head(self) -> &'static str {
        match self {
            Self::Words(head) | Self::Numbers(head) => head,
        }
    }
}

/// Writes the table; in colours if they are wanted.
pub(super) fn table(columns: &[Column], rows: &[Vec<Cell>], colours: bool, out: &mut dyn Write) -> io::Result<()> {
    let mut widths: Vec<usize> = columns.iter().map(|column| column.head().chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.text.chars().count());
        }
    }
    let head = columns.iter().map(|column| Cell::new(column.head()).tone(Tone::Quiet)).collect();
    for row in std::iter::once(&head).chain(rows) {
        line(columns, &widths, row, colours, out)?;
    }
    Ok(())
}

fn line(columns: &[Column], widths: &[usize], row: &[Cell], colours: bool, out: &mut dyn Write) -> io::Result<()> {
    // Blanks are written only when something follows, so that no line ends with any.
    let mut owed = 0;
    for ((cell, width), column) in row.iter().zip(widths).zip(columns) {
        if cell.text.is_empty() {
            owed += width + GAP;
            continue;
        }
        let missing = width.saturating_sub(cell.text.chars().count());
        let (before, after) = match column {
            Column::Words(_) => (0, missing),
            Column::Numbers(_) => (missing, 0),
        };
        write!(out, "{:1$}{2}", "", owed + before, cell.tone.painted(&cell.text, colours))?;
        owed = after + GAP;
    }
    writeln!(out)
}

/// An amount in minor units as people write it, with its currency.
pub(super) fn money(minor: u64, currency: &str) -> String {
    match currency.parse::<Currency>() {
        Ok(known) => format!("{} {known}", known.major(minor)),
        Err(_) => format!("{minor} minor units"),
    }
}

/// A moment in an answer.
pub(super) fn moment(row: &Value, field: &str) -> Option<Timestamp> {
    row.get(field)?.as_str()?.parse().ok()
}

/// How long, in its two largest units; above an hour nobody counts seconds.
pub(super) fn long(time: Duration) -> String {
    let seconds = time.as_secs();
    let exact = if seconds >= 3600 { seconds - seconds % 60 } else { seconds };
    let text = humantime::format_duration(Duration::from_secs(exact)).to_string();
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

/// Without what could confuse a screen.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}
