//! What became of a session, in sentences: what was asked and answered, what was doubted, how it was decided and confirmed, and what
//! comes next. Pure: from what a journal holds of the session, and the time, so that the same journal tells the same story to a
//! command and to the API.
//!
//! It is honest over gaps: where a record is damaged or missing the story says so, and behind a record that does not follow it tells
//! what each record says, but not any more what the session is.

mod next;
mod sentence;
#[cfg(test)]
mod tests;

use crate::id::{SessionId, TerminalId};
use crate::journal::record::Fact;
use crate::journal::verify::Place;
use crate::journal::{Entry, Record};
use crate::money::{Amount, Currency};
use crate::time::Timestamp;

use super::Session;

/// What became of a session.
#[derive(Clone, Debug)]
pub struct Story {
    /// Whose it is.
    pub session: SessionId,
    /// It and its terminal, what it is now, and what it is about.
    pub head: String,
    /// What happened, oldest first.
    pub lines: Vec<Line>,
    /// What comes next, or what a person should do.
    pub next: Vec<String>,
    /// The session as its records tell it; none where they do not.
    pub now: Option<Session>,
    /// Nothing was damaged or missing.
    pub sound: bool,
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Line {
    /// When; nobody knows it of a record that is damaged.
    pub at: Option<Timestamp>,
    /// What is to be said of it.
    pub sentence: String,
    /// What it is to a reader.
    pub mark: Mark,
    /// The record that says so; the last one where several are told together.
    pub record: Option<Record>,
}

/// What a line is to a reader who looks for the turning points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A step.
    Step,
    /// Around the session: the program, its terminal, a comparison.
    Around,
    /// From here on something is not known.
    Doubt,
    /// Nothing moves until a person does something.
    Person,
    /// It is over.
    End,
    /// Something of the journal is not there or not to be believed.
    Gap,
}

impl Mark {
    /// Its name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Around => "around",
            Self::Doubt => "doubt",
            Self::Person => "person",
            Self::End => "end",
            Self::Gap => "gap",
        }
    }
}

/// Whether a record belongs into a session's story, once that has begun: its own, and what happened to the program and to the
/// session's terminal meanwhile.
pub fn concerns(entry: &Entry, session: SessionId, terminal: Option<&TerminalId>) -> bool {
    if entry.session.is_some() {
        return entry.session == Some(session);
    }
    let here = entry.terminal.is_none() || entry.terminal.as_ref() == terminal;
    here && match &entry.fact {
        Fact::Started { .. } | Fact::Stopped | Fact::Rebuilt => true,
        Fact::Reconciled { report } => report.discrepancies.iter().any(|found| found.session == Some(session)),
        _ => false,
    }
}

impl Story {
    /// The story of a session. Of `places`, in the order of the journal, what does not concern it is passed over; so is what happened
    /// before it began and after it ended. Nothing is told where there is no record of it.
    pub fn tell(session: SessionId, places: &[Place], now: Timestamp) -> Option<Self> {
        let mut teller = Teller::of(session);
        places.iter().for_each(|place| teller.hear(place));
        teller.end(now)
    }
}

/// Listens to a journal and remembers what is to be told of one session.
struct Teller {
    id: SessionId,
    terminal: Option<TerminalId>,
    currency: Option<Currency>,
    session: Option<Session>,
    /// Since a record did not follow, nobody knows what the session is.
    lost: bool,
    /// An own record was heard.
    begun: bool,
    /// The program was running when it was last heard of.
    running: bool,
    /// Gaps before the session's first record: they matter if that is not its beginning.
    gaps_before: Vec<Line>,
    lines: Vec<Line>,
    /// What was said since the last own record; told only if the session goes on.
    meanwhile: Vec<Line>,
    /// So many reports of energy are told in the last line, from this amount on.
    energies: Option<(u64, Amount, Timestamp)>,
}

impl Teller {
    fn of(id: SessionId) -> Self {
        Self {
            id,
            terminal: None,
            currency: None,
            session: None,
            lost: false,
            begun: false,
            running: true,
            gaps_before: Vec::new(),
            lines: Vec::new(),
            meanwhile: Vec::new(),
            energies: None,
        }
    }

    fn hear(&mut self, place: &Place) {
        match place {
            Place::Record(record) if record.entry.session == Some(self.id) => self.own(record),
            Place::Record(record) if self.begun && concerns(&record.entry, self.id, self.terminal.as_ref()) => {
                self.around(record);
            }
            Place::Record(_) => {}
            Place::Damaged { seq, session, why } => match session {
                Some(name) if *name == self.id.to_string() => {
                    self.gap(format!("Record {seq} of this session is damaged ({why}): what it said is not known."), true);
                }
                // It names another session; unless just that is what was damaged.
                Some(_) => self.gap(format!("Record {seq} is damaged ({why}); it names another session."), false),
                None => self.gap(
                    format!("Record {seq} is damaged ({why}); it names no session, and nobody can say whether it was about this one."),
                    false,
                ),
            },
            Place::Missing { from, to } if from == to => {
                self.gap(format!("Record {from} is missing; nobody can say whether it was about this session."), false);
            }
            Place::Missing { from, to } => {
                self.gap(format!("Records {from} to {to} are missing; nobody can say whether they were about this session."), false);
            }
            Place::Somewhere { why } if self.begun => {
                let sentence = format!("The journal is damaged ({why}); nobody can say whether something of this session is not told.");
                self.lines.push(Line { at: None, sentence, mark: Mark::Gap, record: None });
            }
            Place::Somewhere { .. } => {}
            Place::Unreadable { after, why } => {
                self.gap(format!("Nothing behind record {after} can be read ({why}): how it went on is not known."), false);
            }
        }
    }

    fn own(&mut self, record: &Record) {
        if !self.begun {
            self.begun = true;
            self.running = true;
            if !matches!(record.entry.fact, Fact::Opened { .. }) {
                self.lines.append(&mut self.gaps_before);
            }
        }
        self.terminal = self.terminal.take().or_else(|| record.entry.terminal.clone());
        if let Fact::Opened { currency, .. } = record.entry.fact {
            self.currency = Some(currency);
        }
        let before = self.session.clone();
        let after = match &before {
            None => Session::opened(&record.entry),
            Some(before) => before.after(&record.entry),
        };
        self.lines.append(&mut self.meanwhile);
        if let Err(why) = &after
            && !self.lost
        {
            let sentence = format!(
                "Here something is missing or wrong: {why}. What follows is what the records say, not what the session is."
            );
            self.lines.push(Line { at: None, sentence, mark: Mark::Gap, record: None });
            self.lost = true;
        }
        self.session = if self.lost { None } else { after.ok() };
        if let (Fact::EnergyReported { amount }, Some((count, first, since))) = (&record.entry.fact, self.energies)
            && self.lines.last().is_some_and(is_energy)
        {
            self.lines.pop();
            self.energies = Some((count + 1, first, since));
            let (first, last) = (self.money(first), self.money(*amount));
            let sentence = format!(
                "Energy is reported as it flows, {} times: {first} at first, {last} by {}.",
                count + 1,
                sentence::clock(record.entry.at, since)
            );
            self.lines.push(Line { at: Some(since), sentence, mark: Mark::Step, record: Some(record.clone()) });
            return;
        }
        if let Fact::EnergyReported { amount } = record.entry.fact {
            self.energies = Some((1, amount, record.entry.at));
        }
        let (sentence, mark) = self.sentence(&record.entry, before.as_ref());
        self.lines.push(Line { at: Some(record.entry.at), sentence, mark, record: Some(record.clone()) });
    }

    fn around(&mut self, record: &Record) {
        let (sentence, mark) = self.sentence(&record.entry, self.session.as_ref());
        match record.entry.fact {
            Fact::Started { .. } => self.running = true,
            Fact::Stopped => self.running = false,
            _ => {}
        }
        self.meanwhile.push(Line { at: Some(record.entry.at), sentence, mark, record: Some(record.clone()) });
    }

    fn gap(&mut self, sentence: String, ours: bool) {
        let line = Line { at: None, sentence, mark: Mark::Gap, record: None };
        if ours {
            // Whatever it said, the session is not known any more to be what the other records make of it.
            self.begun = true;
            self.lost = true;
            self.session = None;
            self.lines.append(&mut self.gaps_before);
            self.lines.append(&mut self.meanwhile);
            self.lines.push(line);
        } else if self.begun {
            self.meanwhile.push(line);
        } else {
            self.gaps_before.push(line);
        }
    }

    fn money(&self, amount: Amount) -> String {
        sentence::money(amount, self.currency)
    }

    fn end(mut self, now: Timestamp) -> Option<Story> {
        if !self.begun {
            return None;
        }
        // What happened after its end is no part of it: nothing can follow on an end, so no gap can hide anything.
        if !self.session.as_ref().is_some_and(Session::ended) {
            self.lines.append(&mut self.meanwhile);
        }
        let sound = self.lines.iter().all(|line| line.mark != Mark::Gap);
        let next = next::next(self.session.as_ref(), self.id, sound, now);
        let head = next::head(self.session.as_ref(), self.id, self.terminal.as_ref(), sound);
        Some(Story { session: self.id, head, lines: self.lines, next, now: self.session, sound })
    }
}

fn is_energy(line: &Line) -> bool {
    line.record.as_ref().is_some_and(|record| matches!(record.entry.fact, Fact::EnergyReported { .. }))
}
