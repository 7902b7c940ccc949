//! `quittance explain`: the whole story of a session in sentences, from the running API or from a journal's file. What is told is
//! decided by [`Story`]; here it is found, and laid out for people or programs.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::client::{Failure, Server, exit_code};
use super::screen::Screen;
use super::table::{Cell, Tone, printable};
use crate::api::story::StoryView;
use crate::id::SessionId;
use crate::journal::record::Fact;
use crate::journal::verify::{Place, places};
use crate::session::story::Story;
use crate::time::Timestamp;

/// One session
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The session, or as much of the beginning of its name as no other one has
    #[arg(value_name = "SESSION")]
    pub session: String,
    /// Read this journal's file instead of asking the API; its program may be running or not
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,
    /// For programs: each sentence with its record
    #[arg(long)]
    pub json: bool,
    /// Where to ask.
    #[command(flatten)]
    pub server: Server,
}

/// A line is not longer than this.
const WIDTH: usize = 110;

/// As wide as `12:34:56.789  `.
const MARGIN: usize = 14;

/// So many names are told when one is wanted.
const NAMES_MAX: usize = 10;

/// Writes the story to `out`, or one line to `err`; gives the exit code, which is 1 also where the journal is damaged.
pub fn run(args: &Args, screen: &Screen, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let mut sound = true;
    let done = show(args, screen, &mut sound, out);
    exit_code(done, err).max(u8::from(!sound))
}

fn show(args: &Args, screen: &Screen, sound: &mut bool, out: &mut dyn Write) -> Result<(), Failure> {
    let story = match &args.journal {
        Some(file) => json(&of_file(file, &args.session, screen.now())?)?,
        None => args.server.story(&args.session)?,
    };
    *sound = story.get("sound").and_then(Value::as_bool).unwrap_or(false);
    if args.json {
        writeln!(out, "{story:#}")?;
    } else {
        write_story(&story, screen.colours, out)?;
    }
    Ok(out.flush()?)
}

/// As the API gives it.
fn json(story: &Story) -> Result<Value, Failure> {
    serde_json::to_value(StoryView::of(story)).map_err(|error| Failure::Output(error.into()))
}

/// Reads a journal for the one session whose name begins like this.
fn of_file(file: &Path, prefix: &str, now: Timestamp) -> Result<Story, Failure> {
    let prefix = prefix.to_ascii_lowercase();
    let (mut names, mut kept, mut damaged) = (BTreeSet::new(), Vec::new(), false);
    let summary = places(file, |place| match &place {
        Place::Record(record) => {
            let entry = &record.entry;
            let named = entry.session.filter(|session| session.to_string().starts_with(&prefix));
            names.extend(named);
            let around = match &entry.fact {
                Fact::Started { .. } | Fact::Stopped | Fact::Rebuilt => true,
                Fact::Reconciled { report } => {
                    report.discrepancies.iter().any(|found| found.session.is_some_and(|session| names.contains(&session)))
                }
                _ => false,
            };
            if named.is_some() || around {
                kept.push(place);
            }
        }
        Place::Damaged { .. } | Place::Missing { .. } | Place::Somewhere { .. } | Place::Unreadable { .. } => {
            damaged = true;
            kept.push(place);
        }
    })
    .map_err(|error| Failure::Usage(error.to_string()))?;
    let only = one_of(&names, &prefix)?;
    let told = only.and_then(|session| Story::tell(session, &kept, now));
    told.ok_or_else(|| {
        let doubt = if damaged { "; but the journal is damaged, so there may have been one" } else { "" };
        Failure::Usage(format!(
            "{}: in its {} records there is no session whose name begins with {}{doubt}",
            file.display(),
            summary.records,
            printable(&prefix)
        ))
    })
}

fn one_of(names: &BTreeSet<SessionId>, prefix: &str) -> Result<Option<SessionId>, Failure> {
    if names.len() < 2 {
        return Ok(names.first().copied());
    }
    let told: Vec<String> = names.iter().take(NAMES_MAX).map(ToString::to_string).collect();
    let more = if names.len() > NAMES_MAX { ", …" } else { "" };
    Err(Failure::Usage(format!("{} sessions' names begin with {}: {}{more}", names.len(), printable(prefix), told.join(", "))))
}

fn write_story(story: &Value, colours: bool, out: &mut dyn Write) -> io::Result<()> {
    paragraph("", &Cell::field(story, "head").text, Tone::Plain, colours, out)?;
    let mut day = String::new();
    for line in list(story, "story") {
        let at = line.get("at").and_then(Value::as_str).unwrap_or_default();
        if let Some(date) = at.get(..10).filter(|date| *date != day) {
            date.clone_into(&mut day);
            writeln!(out, "\n{}, UTC", printable(date))?;
        }
        let tone = match line.get("mark").and_then(Value::as_str) {
            Some("doubt") => Tone::Attention,
            Some("person" | "gap") => Tone::Alarm,
            Some("end") => Tone::Good,
            Some("around") => Tone::Quiet,
            _ => Tone::Plain,
        };
        let time = at.get(11..23).map_or_else(|| "—".to_owned(), printable);
        paragraph(&format!("{time:<MARGIN$}"), &Cell::field(line, "sentence").text, tone, colours, out)?;
    }
    writeln!(out)?;
    for sentence in list(story, "next") {
        paragraph("", &printable(sentence.as_str().unwrap_or_default()), Tone::Plain, colours, out)?;
    }
    Ok(())
}

fn list<'a>(story: &'a Value, field: &str) -> &'a [Value] {
    story.get(field).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// Words in lines of the same width, behind a margin in which only the first line has something.
fn paragraph(margin: &str, text: &str, tone: Tone, colours: bool, out: &mut dyn Write) -> io::Result<()> {
    let indent = margin.chars().count();
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let room = WIDTH.saturating_sub(indent);
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    for (number, line) in lines.iter().enumerate() {
        let before = if number == 0 { margin.to_owned() } else { " ".repeat(indent) };
        writeln!(out, "{before}{}", tone.painted(line, colours))?;
    }
    Ok(())
}
