//! Recordings of the frame recorder, explained frame by frame or as the conversation that they are.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, BufRead, Write};

use crate::protocol::trace::{self, Explanation};
use crate::protocol::{Direction, Family, Request, Response};
use crate::recorder::Cards;
use crate::recorder::line::{Event, Line, LineError, MAGIC, Moment, Text};
use crate::recorder::replay::{Message, Replay, lines};

/// Without anything said for so many microseconds, a dialogue shows a pause.
const PAUSE: i64 = 5_000_000;

/// What of a recording is wanted, and how.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// As a conversation.
    pub dialogue: bool,
    /// Only what is about this session, by the terminal's number of it.
    pub session: Option<u32>,
    /// Only from this moment on.
    pub since: Option<Moment>,
    /// Only before this moment.
    pub until: Option<Moment>,
}

impl Wanted {
    fn takes(&self, line: &Line) -> bool {
        self.since.is_none_or(|since| since <= line.at) && self.until.is_none_or(|until| line.at < until)
    }
}

/// Whether this begins like a recording, perhaps one whose first lines are damaged. Consumes nothing.
pub fn is_recording(source: &mut impl BufRead) -> io::Result<bool> {
    let mut lines = source.fill_buf()?.split(|byte| *byte == b'\n').map(String::from_utf8_lossy);
    Ok(lines.any(|line| line.starts_with(MAGIC) || matches!(line.parse(), Ok(Text::Line(_)))))
}

type Numbered = (u64, Result<Text, LineError>);

/// Explains a recording that lies in these parts, oldest first, and says whether everything in it is sound.
pub fn run(parts: Vec<(String, Box<dyn BufRead>)>, wanted: &Wanted, out: &mut dyn Write) -> io::Result<bool> {
    let several = parts.len() > 1;
    let mut reader = Reader { wanted: *wanted, sound: true, any: false, terminal: None, last: None, out };
    for (name, source) in parts {
        let place = if several { format!("{name}, line") } else { "line".to_owned() };
        let all = lines(source).map(|(number, line)| line.map(|line| (number, line)));
        if let Some(session) = wanted.session {
            let all = all.collect::<io::Result<Vec<_>>>()?;
            let about = about_session(&all, session);
            for (index, (number, line)) in all.into_iter().enumerate() {
                if about.contains(&index) || !matches!(line, Ok(Text::Line(_))) {
                    reader.take(&place, (number, line))?;
                }
            }
        } else {
            for line in all {
                reader.take(&place, line?)?;
            }
        }
    }
    if !reader.any {
        reader.complain("There is nothing to explain: no line of this is what you asked for")?;
    }
    Ok(reader.sound)
}

/// Which lines are about this session: the card flow that led to its approval, and every disposal with what came of it.
fn about_session(all: &[Numbered], session: u32) -> BTreeSet<usize> {
    let mut replay = Replay::new(Family::Apollo);
    let (mut about, mut flow_began, mut answer_missing) = (BTreeSet::new(), None, false);
    for (index, (_, line)) in all.iter().enumerate() {
        let event = match line {
            Ok(Text::Line(Line { event, .. })) => event,
            Ok(Text::Header(header)) => {
                replay = Replay::new(header.family);
                continue;
            }
            _ => continue,
        };
        if answer_missing {
            about.insert(index);
        }
        if matches!(event, Event::Lost(_) | Event::Opened(_)) {
            (flow_began, answer_missing) = (None, false);
        }
        for message in replay.play(event, || usize::MAX).into_iter().flatten() {
            match message {
                Message::Request(Request::StartSession(_)) => flow_began = Some(index),
                Message::Response(Response::Approved { session: id, .. } | Response::PartiallyApproved { session: id, .. })
                    if id.0 == session =>
                {
                    about.extend(flow_began.unwrap_or(index)..=index);
                }
                Message::Request(
                    Request::CommitSession { session: id, .. }
                    | Request::VoidSession { session: id }
                    | Request::UpdateSession { session: id, .. },
                ) if id.0 == session => {
                    answer_missing = true;
                    about.insert(index);
                }
                Message::Response(Response::Result(_) | Response::UpdateResult(_)) => answer_missing = false,
                Message::Response(Response::SessionList(list)) if list.sessions.iter().any(|id| id.0 == session) => {
                    about.insert(index);
                }
                _ => {}
            }
        }
    }
    about
}

struct Reader<'a> {
    wanted: Wanted,
    sound: bool,
    any: bool,
    /// Whose header was seen last.
    terminal: Option<String>,
    last: Option<Moment>,
    out: &'a mut dyn Write,
}

impl Reader<'_> {
    fn take(&mut self, place: &str, (number, line): Numbered) -> io::Result<()> {
        match line {
            Ok(Text::Remark) => Ok(()),
            Ok(Text::Header(header)) => {
                let terminal = header.terminal.to_string();
                if !header.begun && self.terminal.as_deref() == Some(terminal.as_str()) {
                    return Ok(());
                }
                let cards = match header.cards {
                    Cards::Masked => "card data is masked",
                    Cards::Clear => "WITH CARD DATA",
                };
                let begun = if header.begun { "recording begins" } else { "recording goes on; what was before is gone" };
                writeln!(self.out, "== {terminal}, {}: {begun}; {cards}", header.family.as_str())?;
                self.terminal = Some(terminal);
                Ok(())
            }
            Ok(Text::Line(line)) if !self.wanted.takes(&line) => Ok(()),
            Ok(Text::Line(line)) => {
                self.any = true;
                let explained = explain(&line.event);
                self.sound &= explained.sound;
                if self.wanted.dialogue { self.speak(&line, &explained) } else { self.describe(&line, &explained) }
            }
            Err(error) => self.complain(&format!("{place} {number} is damaged: {error}")),
        }
    }

    fn complain(&mut self, what: &str) -> io::Result<()> {
        (self.sound, self.any) = (false, true);
        writeln!(self.out, "{what}")
    }

    fn describe(&mut self, line: &Line, explained: &Explained) -> io::Result<()> {
        write!(self.out, "{} link {}: ", line.at, line.link)?;
        match &explained.frames[..] {
            [] => writeln!(self.out, "{}", explained.text),
            frames => {
                writeln!(self.out, "{}", explained.remark())?;
                frames.iter().try_for_each(|frame| write!(self.out, "{frame}"))
            }
        }
    }

    fn speak(&mut self, line: &Line, explained: &Explained) -> io::Result<()> {
        let (when, last) = (line.at.to_string(), self.last.replace(line.at));
        let (day, time) = when.split_once('T').unwrap_or((&when, ""));
        if last.is_none_or(|last| !last.to_string().starts_with(day)) {
            writeln!(self.out, "{day}")?;
        }
        let passed = last.map(|last| line.at.0.saturating_sub(last.0));
        if let Some(passed @ PAUSE..) = passed {
            writeln!(self.out, "{:>15}  {:>9}  ·····", "", span(passed))?;
        }
        let since = passed.map(|passed| format!("+{}", span(passed))).unwrap_or_default();
        let arrow = match explained.from {
            Some(Direction::FromHost) => "host ──► terminal  ",
            Some(Direction::FromTerminal) => "host ◄── terminal  ",
            None => "",
        };
        let mut text = String::new();
        for Explanation { title, fields, .. } in &explained.frames {
            text.push_str(title);
            for (index, (label, value)) in fields.iter().enumerate() {
                // Writing to a String cannot fail.
                let _ = write!(text, "{}{label} {value}", if index == 0 { ": " } else { "; " });
            }
        }
        text.push_str(&explained.text);
        let link = if explained.from.is_none() { format!("== link {}: ", line.link) } else { String::new() };
        writeln!(self.out, "{:<15}  {since:>9}  {arrow}{link}{text}", time.trim_end_matches('Z'))
    }
}

/// A length of time, short.
fn span(micros: i64) -> String {
    let tenths = |unit: i64| format!("{}.{}", micros / unit, micros % unit * 10 / unit);
    match micros {
        ..0 => "earlier".to_owned(),
        0..1000 => format!("{micros} µs"),
        1000..1_000_000 => format!("{} ms", tenths(1000)),
        1_000_000..120_000_000 => format!("{} s", tenths(1_000_000)),
        _ => format!("{} min", tenths(60_000_000)),
    }
}

/// An event in words.
struct Explained {
    sound: bool,
    from: Option<Direction>,
    /// The frames in it; one, unless the line was made by hand.
    frames: Vec<Explanation>,
    /// What there is to say of what is no frame.
    text: String,
    masked: bool,
}

impl Explained {
    const fn remark(&self) -> &'static str {
        if self.masked { "card data is masked" } else { "as it was" }
    }
}

fn explain(event: &Event) -> Explained {
    let said = |sound, from, text| Explained { sound, from, frames: Vec::new(), text, masked: false };
    match event {
        Event::Frame { from, masked, bytes } => {
            let frames = trace::explain(Some(*from), bytes);
            let sound = frames.iter().all(|frame| frame.sound);
            Explained { sound, from: Some(*from), frames, text: String::new(), masked: *masked }
        }
        Event::Opened(place) => said(true, None, format!("opened, {place}")),
        Event::Lost(why) => said(true, None, format!("lost: {why}")),
        Event::Gap { lines, why } => said(true, None, format!("{lines} lines are missing: {why}")),
        Event::Cut { left, size } => {
            said(false, Some(Direction::FromHost), format!("only {left} of the {size} bytes of a frame have left"))
        }
        Event::Unread { from, size, head } => {
            said(false, Some(*from), format!("a frame of {size} bytes that nobody understands{}", hex(head)))
        }
        Event::Noise { size, why, bytes } => {
            said(false, Some(Direction::FromTerminal), format!("{size} bytes that were no frame ({why}){}", hex(bytes)))
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!(" {byte:02X}")).collect();
    if digits.is_empty() { digits } else { format!(":{digits}") }
}
